//! The room for recordings, in a host's words.

use crate::domain::rally::Phase;
use crate::media::{ProgramId, keeping};
use crate::projections::Projections;
use crate::web::App;
use crate::web::view::storage::Storage;

/// Titles that are named: more are counted.
const TITLES_MAX: usize = 3;
/// More time than this is enough for anybody.
const HOURS_TOLD_MAX: u64 = 100;

/// Part `storage`; nothing where nothing is recorded.
pub fn storage(app: &App, world: &Projections) -> Storage {
    let Some(recordings) = app.media().recordings() else { return Storage::default() };
    let storage = recordings.storage();
    let rallies = || world.state.rallies.iter();
    let live: Vec<ProgramId> = rallies()
        .filter(|(_, rally)| matches!(rally.phase, Phase::Live { .. }))
        .map(|(id, _)| ProgramId(id.0))
        .collect();
    let mut yielding: Vec<_> = rallies()
        .filter_map(|(id, rally)| Some((rally.yields_since()?, rally.details.title.as_str(), ProgramId(id.0))))
        .filter(|(.., program)| recordings.has(*program))
        .collect();
    yielding.sort_unstable();
    let titles: Vec<&str> = yielding.into_iter().map(|(_, title, _)| title).collect();
    let left = recordings.seconds_left(&live).map(about);
    let full = full(&titles);
    let warning = if storage.missed {
        Some("The recording has a gap: the room for recordings was full, or the disk failed. The picture goes on. Delete older recordings.".into())
    } else if keeping::is_scarce(&storage) {
        let lasts = left.as_ref().map_or(String::new(), |left| format!(": it lasts {left} at the present rate"));
        Some(format!("The room for recordings is nearly full{lasts}. {full}"))
    } else {
        None
    };
    Storage {
        used: gib(storage.used),
        limit: gib(storage.limit),
        percent: (storage.used.saturating_mul(100) / storage.limit.max(1)).min(100),
        left,
        full,
        warning,
    }
}

fn full(titles: &[&str]) -> String {
    let stops = "recording stops and the picture goes on";
    let named: Vec<String> = titles.iter().take(TITLES_MAX).map(|title| format!("“{title}”")).collect();
    let more = match titles.len().saturating_sub(TITLES_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    match named.as_slice() {
        [] => format!("When it is full, {stops}: nothing is deleted."),
        [only] if more.is_empty() => format!(
            "When it is full, the recording of {only} is deleted to make room, which its host has allowed; after that {stops}."
        ),
        _ => format!(
            "When it is full, the recordings of {}{more} are deleted one after another to make room, which their hosts have allowed; after that {stops}.",
            named.join(", ")
        ),
    }
}

/// `about 2 h 10 min`, in steps that do not pretend.
fn about(seconds: u64) -> String {
    let minutes = seconds / 60;
    match (minutes / 60, minutes % 60 / 10 * 10) {
        (hours, _) if hours >= HOURS_TOLD_MAX => format!("more than {HOURS_TOLD_MAX} h"),
        (0, 0) if minutes == 0 => "less than a minute".into(),
        (0, 0) => format!("about {minutes} min"),
        (0, tens) => format!("about {tens} min"),
        (hours, 0) => format!("about {hours} h"),
        (hours, tens) => format!("about {hours} h {tens} min"),
    }
}

fn gib(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10) >> 30;
    format!("{}.{} GiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_consequences_are_said_in_words() {
        let told: Vec<String> = [30, 59 * 9, 39 * 60, 7_850, 7_200, 1 << 40].into_iter().map(about).collect();
        let should =
            ["less than a minute", "about 8 min", "about 30 min", "about 2 h 10 min", "about 2 h", "more than 100 h"];
        assert_eq!(told, should);
        assert!(full(&[]).contains("nothing is deleted"));
        assert!(full(&["A"]).contains("the recording of “A” is deleted"));
        let many = full(&["A", "B", "C", "D", "E"]);
        assert!(many.contains("“A”, “B”, “C” and 2 more are deleted"), "{many}");
    }
}
