//! Recurring gifts to words.

use crate::domain::plan::{Plan, Rhythm, Standing, Why};
use crate::web::gift::{day_in_words, rhythm_in_words};
use chrono::{Datelike as _, NaiveDate};

/// `$25 each month`.
pub fn gift(plan: &Plan) -> String {
    format!("{} {}", plan.amount.to_short(), rhythm_in_words(plan.rhythm))
}

/// `on the 31st of each month, or its last day`, as it begins with a day.
pub fn days(rhythm: Rhythm, first: NaiveDate) -> String {
    let until = rhythm.until.map(|day| format!(" until {}", day_in_words(day))).unwrap_or_default();
    match rhythm.every {
        crate::domain::plan::Every::Week => format!("every {}{until}", first.format("%A")),
        crate::domain::plan::Every::Month => {
            let day = first.day();
            let ending = match (day % 100, day % 10) {
                (11..=13, _) => "th",
                (_, 1) => "st",
                (_, 2) => "nd",
                (_, 3) => "rd",
                _ => "th",
            };
            let shorter = if day > 28 { " (its last day where it is shorter)" } else { "" };
            format!("on the {day}{ending} of each month{shorter}{until}")
        }
    }
}

/// How it stands, in a sentence for its donor.
pub fn standing(plan: &Plan) -> String {
    match plan.standing() {
        Standing::Asked => "It begins with the first payment.".into(),
        Standing::Active => match plan.next() {
            Some(next) => format!("The next gift is charged on {}.", day_in_words(next)),
            None => "That was the last one.".into(),
        },
        Standing::PastDue { again: Some(again), .. } => {
            format!("Your bank refused the last one. We try again on {}.", day_in_words(again))
        }
        Standing::PastDue { again: None, .. } => "Your bank refused the last one.".into(),
        Standing::Paused { until: Some(until) } => format!("Paused until {}. Nothing is charged.", day_in_words(until)),
        Standing::Paused { until: None } => "Paused. Nothing is charged until you go on.".into(),
        Standing::Ended { .. } => "It has ended. Nothing more is charged.".into(),
    }
}

/// The same in a word or two for the finance team.
pub fn standing_word(plan: &Plan) -> String {
    match plan.standing() {
        Standing::Asked => "not begun".into(),
        Standing::Active => "active".into(),
        Standing::PastDue { tries: 1, .. } => "past due, 1 try".into(),
        Standing::PastDue { tries, .. } => format!("past due, {tries} tries"),
        Standing::Paused { until: Some(until) } => format!("paused until {}", day_in_words(until)),
        Standing::Paused { until: None } => "paused".into(),
        Standing::Ended { why } => format!("ended: {}", word(why)),
    }
}

fn word(why: Why) -> &'static str {
    match why {
        Why::Donor => "by the donor",
        Why::Staff => "by staff",
        Why::Finished => "its last day",
        Why::Failures => "card refused",
        Why::Limit => "limit reached",
        Why::Disputed => "disputed",
        Why::NotKept => "card not kept",
        Why::Erased => "erased",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::plan::Every;

    #[test]
    fn days_are_said_as_people_say_them() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let month = Rhythm { every: Every::Month, until: None };
        for (first, wanted) in [
            ("2026-01-01", "on the 1st of each month"),
            ("2026-01-02", "on the 2nd of each month"),
            ("2026-01-11", "on the 11th of each month"),
            ("2026-01-12", "on the 12th of each month"),
            ("2026-01-13", "on the 13th of each month"),
            ("2026-01-22", "on the 22nd of each month"),
            ("2026-01-23", "on the 23rd of each month"),
            ("2026-01-28", "on the 28th of each month"),
            ("2026-01-31", "on the 31st of each month (its last day where it is shorter)"),
        ] {
            assert_eq!(days(month, day(first)), wanted);
        }
        let week = Rhythm { every: Every::Week, until: Some(day("2026-11-03")) };
        assert_eq!(days(week, day("2026-10-01")), "every Thursday until November 3, 2026");
    }
}
