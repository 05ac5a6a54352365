//! What stands on the slate at an instant: words only, so that a picture is drawn when they change and not otherwise.

/// Milliseconds a day.
const DAY_MS: i64 = 86_400_000;

/// Why nobody is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The rally has not begun: it starts at this instant, in ms since 1970 UTC.
    Starting {
        /// When.
        at_ms: i64,
    },
    /// Between two items.
    Moment,
    /// Who was on has dropped, and comes back by itself.
    Back,
    /// The rally has ended: the slate stands a little and then the program ends.
    Thanks,
}

/// What a program's slate is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// The rally's title.
    pub title: String,
    /// The campaign's colour: red, green, blue.
    pub accent: [u8; 3],
    /// Why nobody is on.
    pub standing: Standing,
}

/// One still picture, as words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Card {
    /// In the largest type.
    pub headline: String,
    /// In the bar beneath it; no bar if empty.
    pub bar: String,
    /// The campaign's colour.
    pub accent: [u8; 3],
}

impl Words {
    /// The card at `now_ms`, in ms since 1970 UTC.
    pub(super) fn card(&self, now_ms: i64) -> Card {
        let (headline, bar) = match self.standing {
            Standing::Starting { at_ms } => (self.title.clone(), until(at_ms.saturating_sub(now_ms))),
            Standing::Moment => ("In a moment".to_owned(), self.title.clone()),
            Standing::Back => ("We’ll be right back".to_owned(), self.title.clone()),
            Standing::Thanks => ("Thank you".to_owned(), self.title.clone()),
        };
        Card { headline, bar, accent: self.accent }
    }
}

/// A countdown: whole days while there are two or more, then a clock.
fn until(left_ms: i64) -> String {
    // Rounded, so that a picture made a little early or late shows its own second.
    let seconds = left_ms.saturating_add(500).div_euclid(1_000);
    if seconds <= 0 {
        return "Any moment now".to_owned();
    }
    if left_ms >= 2 * DAY_MS {
        return format!("Starts in {} days", left_ms / DAY_MS);
    }
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("Starts in {hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("Starts in {minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_countdown_says_what_is_left() {
        let check = |left_ms: i64, bar: &str| {
            let words = Words {
                title: "Answer the Call".into(),
                accent: [1, 2, 3],
                standing: Standing::Starting { at_ms: left_ms },
            };
            let card = words.card(0);
            assert_eq!((card.headline.as_str(), card.bar.as_str()), ("Answer the Call", bar));
        };
        check(3 * DAY_MS + 1, "Starts in 3 days");
        check(2 * DAY_MS - 1, "Starts in 48:00:00");
        check(3_600_000, "Starts in 1:00:00");
        check(3_599_000, "Starts in 59:59");
        check(61_499, "Starts in 1:01");
        check(1_000, "Starts in 0:01");
        check(499, "Any moment now");
        check(i64::MIN, "Any moment now");
        check(i64::MAX, "Starts in 106751991167 days");
    }

    #[test]
    fn each_standing_has_its_words() {
        let card = |standing| Words { title: "T".into(), accent: [0; 3], standing }.card(0).headline;
        let said = [Standing::Moment, Standing::Back, Standing::Thanks].map(card);
        assert_eq!(said, ["In a moment", "We’ll be right back", "Thank you"]);
    }
}
