//! How often, and on which days.

use chrono::{Datelike, Days, Months, NaiveDate};
use serde::{Deserialize, Serialize};

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Every {
    /// On the same day of each month, or on its last where it is shorter.
    Month,
    /// On the same day of each week.
    Week,
}

impl Every {
    /// `month`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Week => "week",
        }
    }

    /// The first day after `day` in the rhythm that begins with `anchor`. It is counted from there, so that one that begins on
    /// the 31st comes back to it after each shorter month.
    pub fn next_after(self, anchor: NaiveDate, day: NaiveDate) -> NaiveDate {
        if day < anchor {
            return anchor;
        }
        let next = match self {
            Self::Week => {
                let weeks = day.signed_duration_since(anchor).num_days() / 7;
                u64::try_from(weeks).ok().and_then(|weeks| anchor.checked_add_days(Days::new((weeks + 1) * 7)))
            }
            Self::Month => {
                let months = (day.year() - anchor.year()) * 12 + i32::try_from(day.month0()).unwrap_or_default()
                    - i32::try_from(anchor.month0()).unwrap_or_default();
                let months = u32::try_from(months).unwrap_or_default();
                let in_month = |months: u32| anchor.checked_add_months(Months::new(months));
                in_month(months).filter(|found| *found > day).or_else(|| in_month(months.saturating_add(1)))
            }
        };
        next.unwrap_or(NaiveDate::MAX)
    }
}

/// How often, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rhythm {
    /// How often.
    pub every: Every,
    /// The last day on which anything is charged.
    pub until: Option<NaiveDate>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn each_rhythm_keeps_its_day() {
        for (every, anchor, after, expected) in [
            (Every::Month, "2026-01-15", "2026-01-15", "2026-02-15"),
            (Every::Month, "2026-01-15", "2026-02-14", "2026-02-15"),
            (Every::Month, "2026-01-31", "2026-01-31", "2026-02-28"),
            (Every::Month, "2026-01-31", "2026-02-28", "2026-03-31"),
            (Every::Month, "2026-01-31", "2026-03-31", "2026-04-30"),
            (Every::Month, "2028-01-30", "2028-01-30", "2028-02-29"),
            (Every::Month, "2026-12-31", "2026-12-31", "2027-01-31"),
            (Every::Month, "2026-11-30", "2027-02-27", "2027-02-28"),
            (Every::Month, "2026-05-05", "2026-01-01", "2026-05-05"),
            (Every::Week, "2026-10-01", "2026-10-01", "2026-10-08"),
            (Every::Week, "2026-10-01", "2026-10-07", "2026-10-08"),
            (Every::Week, "2026-12-28", "2026-12-31", "2027-01-04"),
            (Every::Week, "2026-10-01", "2026-09-01", "2026-10-01"),
        ] {
            assert_eq!(every.next_after(day(anchor), day(after)), day(expected), "{every:?} {anchor} {after}");
        }
        assert_eq!(Every::Week.next_after(day("2026-10-01"), NaiveDate::MAX), NaiveDate::MAX);
    }

    proptest! {
        #[test]
        fn no_month_and_no_week_is_left_out_or_comes_twice(start in 0_i64..20_000, later in 0_i64..2_000) {
            let anchor = NaiveDate::from_ymd_opt(1990, 1, 1).unwrap() + chrono::TimeDelta::days(start);
            let from = anchor + chrono::TimeDelta::days(later);
            let month = Every::Month.next_after(anchor, from);
            prop_assert!(month > from && (month - from).num_days() <= 31);
            let last = month + Months::new(1) - chrono::TimeDelta::days(i64::from(month.day()));
            prop_assert!(month.day() == anchor.day() || month.day() < anchor.day() && month.day() >= 28, "{anchor} {month} {last}");
            let after = Every::Month.next_after(anchor, month);
            let index = |day: NaiveDate| day.year() * 12 + i32::try_from(day.month0()).unwrap();
            prop_assert_eq!(index(after), index(month) + 1);
            let week = Every::Week.next_after(anchor, from);
            prop_assert!(week > from && (week - from).num_days() <= 7);
            prop_assert_eq!(week.weekday(), anchor.weekday());
        }
    }
}
