//! Which report it is, the days it is of, and those since when a donor's gifts are added up.

use crate::domain::committee::filer::{Election, Filer, Form};
use chrono::{Datelike, Days, Months, NaiveDate};

/// Codes of reports, and what they are for people (format 8.5, appendix A).
pub const CODES: &[(&str, &str)] = &[
    ("Q1", "April quarterly"),
    ("Q2", "July quarterly"),
    ("Q3", "October quarterly"),
    ("YE", "Year-end"),
    ("MY", "Mid-year"),
    ("M2", "February monthly"),
    ("M3", "March monthly"),
    ("M4", "April monthly"),
    ("M5", "May monthly"),
    ("M6", "June monthly"),
    ("M7", "July monthly"),
    ("M8", "August monthly"),
    ("M9", "September monthly"),
    ("M10", "October monthly"),
    ("M11", "November monthly"),
    ("M12", "December monthly"),
    ("12P", "12-day pre-primary"),
    ("12G", "12-day pre-general"),
    ("12R", "12-day pre-runoff"),
    ("12S", "12-day pre-special"),
    ("12C", "12-day pre-convention"),
    ("30G", "30-day post-general"),
    ("30R", "30-day post-runoff"),
    ("30S", "30-day post-special"),
    ("TER", "Termination"),
];

/// Whether a report is about an election, which its cover then names.
pub fn is_of_election(code: &str) -> bool {
    code.starts_with("12") || code.starts_with("30")
}

/// The days of the latest such report that are over on a day, where its code alone says them. Monthly filers, whose year-end
/// report is of December alone, and those of a mid-year report, whose is of six months, write other days.
pub fn usual(code: &str, today: NaiveDate) -> Option<(NaiveDate, NaiveDate)> {
    let (month, months) = match code {
        "Q1" => (1, 3),
        "Q2" => (4, 3),
        "Q3" => (7, 3),
        "YE" => (10, 3),
        "MY" => (1, 6),
        // The report of February is of January.
        _ => (code.strip_prefix('M')?.parse::<u32>().ok()?.checked_sub(1)?, 1),
    };
    let of_year = |year| {
        let from = NaiveDate::from_ymd_opt(year, month, 1)?;
        Some((from, from.checked_add_months(Months::new(months))?.pred_opt()?))
    };
    let this = of_year(today.year())?;
    if this.1 < today { Some(this) } else { of_year(today.year().checked_sub(1)?) }
}

/// The first day of those that are added up with this one: the calendar year's, or the election cycle's.
///
/// A cycle begins on the day after a general election of the filer's own (11 CFR 100.3(b)). Before the first that is listed
/// there is one cycle, of all that came before.
pub fn begins(filer: &Filer, day: NaiveDate) -> NaiveDate {
    match filer.form {
        Form::F3X => NaiveDate::from_ymd_opt(day.year(), 1, 1).unwrap_or(NaiveDate::MIN),
        Form::F3 | Form::F3P => {
            let before = filer.elections.iter().rfind(|election| election.is_general() && election.date < day);
            before.and_then(|election| election.date.succ_opt()).unwrap_or(NaiveDate::MIN)
        }
    }
}

/// The election that an undesignated gift of a day counts for: the next (11 CFR 110.1(b)(2)(ii)).
pub fn next_election(filer: &Filer, day: NaiveDate) -> Option<&Election> {
    filer.elections.iter().find(|election| election.date >= day)
}

/// The last day of a day's month.
pub fn month_end(day: NaiveDate) -> NaiveDate {
    let first = day.with_day(1).and_then(|first| first.checked_add_months(Months::new(1)));
    first.and_then(|next| next.checked_sub_days(Days::new(1))).unwrap_or(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn usual_days() {
        for (code, today, days) in [
            ("Q2", "2026-07-01", Some(("2026-04-01", "2026-06-30"))),
            ("Q2", "2026-06-30", Some(("2025-04-01", "2025-06-30"))),
            ("YE", "2027-01-31", Some(("2026-10-01", "2026-12-31"))),
            ("MY", "2027-07-31", Some(("2027-01-01", "2027-06-30"))),
            ("M3", "2028-03-20", Some(("2028-02-01", "2028-02-29"))),
            ("M12", "2026-12-20", Some(("2026-11-01", "2026-11-30"))),
            ("12P", "2026-07-20", None),
            ("TER", "2026-07-20", None),
        ] {
            assert_eq!(usual(code, day(today)), days.map(|(from, to)| (day(from), day(to))), "{code} {today}");
        }
        for (code, _) in CODES.iter().filter(|(code, _)| !is_of_election(code) && *code != "TER") {
            assert!(usual(code, day("2026-07-20")).is_some(), "{code}");
        }
    }

    #[test]
    fn years_and_cycles() {
        let (senate, pac) = (Filer::example(Form::F3), Filer::example(Form::F3X));
        for (filer, asked, first) in [
            (&pac, "2026-12-31", day("2026-01-01")),
            (&pac, "2027-01-01", day("2027-01-01")),
            (&senate, "2024-11-05", NaiveDate::MIN),
            (&senate, "2024-11-06", day("2024-11-06")),
            (&senate, "2026-11-03", day("2024-11-06")),
            (&senate, "2026-11-04", day("2026-11-04")),
        ] {
            assert_eq!(begins(filer, day(asked)), first, "{asked}");
        }
    }

    #[test]
    fn a_gift_counts_for_the_next_election() {
        let senate = Filer::example(Form::F3);
        let code = |asked| next_election(&senate, day(asked)).map(|election| election.code.as_str());
        assert_eq!(code("2026-08-04"), Some("P2026"));
        assert_eq!(code("2026-08-05"), Some("G2026"));
        assert_eq!(code("2026-11-04"), None);
    }

    #[test]
    fn months_end() {
        assert_eq!(month_end(day("2028-02-01")), day("2028-02-29"));
        assert_eq!(month_end(day("2026-12-31")), day("2026-12-31"));
    }
}
