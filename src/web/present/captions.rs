//! What captioners sent, in the studio's words.

use crate::domain::id::RallyId;
use crate::media::ProgramId;
use crate::media::captions::Language;
use crate::projections::Projections;
use crate::projections::totals::timezone;
use crate::web::App;
use crate::web::view::captions::{Captions, LastCaption};
use chrono::DateTime;

/// Characters of the last caption that are shown.
const CHARS_MAX: usize = 160;

/// Part `captions` of the studio.
pub fn captions(app: &App, world: &Projections, id: RallyId) -> Captions {
    let (captions, program) = (app.media().captions(), ProgramId(id.0));
    let last = captions.newest(program).map(|line| LastCaption {
        when: super::time_seconds(
            DateTime::from_timestamp_millis(line.at_ms).unwrap_or_default(),
            timezone(&world.state, id),
        ),
        language: Language::parse(&line.language).map_or(line.language, |language| language.name()),
        text: line.text.replace('\n', " ").chars().take(CHARS_MAX).collect(),
    });
    let warning = match captions.counts_again(program) {
        Some(seq) => format!(
            "The captioner’s program sends number {seq}, which was here already, so its lines are not shown. If it was \
             started anew, replace the address and give them the new one."
        ),
        None => String::new(),
    };
    Captions { last, warning }
}
