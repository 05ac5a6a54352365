//! What a letter says that asks for an employer or occupation: that alone, and no word about more money (11 CFR 104.7(b)(2)).

use super::Note;
use crate::domain::donor::{Lacks, statutory_sentence};
use crate::domain::mail::Requested;
use crate::engine::Engine;
use crate::projections::Projections;

/// The request for what a gift lacks.
pub(super) fn of_letter(
    engine: &Engine,
    world: &Projections,
    asked: &Requested,
    lacks: Lacks,
    public_url: &str,
) -> Option<Note> {
    let gift = world.state.donations.get(asked.donation)?;
    let filer = world.state.committees.get(gift.committee).and_then(|committee| committee.filer.as_ref());
    let missing = if lacks.any() { lacks.words() } else { "employer and occupation" };
    let paragraphs = vec![
        format!(
            "Thank you for your gift of {} on {}. Its record lacks your {missing}.",
            asked.amount.to_exact(),
            gift.day.format("%B %-d, %Y")
        ),
        statutory_sentence(filer.map(|filer| filer.form)),
        "Please fill it in on the page below: it takes a minute, and no account. If you are retired or not employed, one \
         click says so. You can also answer this letter."
            .into(),
    ];
    let href = format!("{public_url}/answer/{}", engine.vault().answer_link(asked.donation));
    let lead = format!("Your {missing}, for the record of your gift.");
    Some(Note { lead, paragraphs, actions: vec![("Fill it in", href)] })
}
