//! Limits of federal law, to begin from: what an individual may give in the two years of an election cycle.
//!
//! <https://www.fec.gov/help-candidates-and-committees/candidate-taking-receipts/contribution-limits/>; they rise with prices
//! in each odd year. States have others, and a committee may set lower ones: they are offered, never set by themselves.

/// Limits for one kind of committee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// In an address: `candidate`.
    pub id: &'static str,
    /// As a person chooses it.
    pub label: &'static str,
    /// Name, dollars, first and last day; a day that differs from race to race is left out.
    pub limits: &'static [(&'static str, u32, Option<&'static str>, Option<&'static str>)],
}

/// Every kind.
pub const PRESETS: &[Preset] = &[
    Preset {
        id: "candidate",
        label: "Candidate for federal office",
        limits: &[
            ("primary election 2026", 3_500, Some("2025-01-01"), None),
            ("general election 2026", 3_500, None, Some("2026-11-03")),
        ],
    },
    Preset {
        id: "pac",
        label: "Political action committee",
        limits: &[
            ("year 2025", 5_000, Some("2025-01-01"), Some("2025-12-31")),
            ("year 2026", 5_000, Some("2026-01-01"), Some("2026-12-31")),
        ],
    },
    Preset {
        id: "state-party",
        label: "State party",
        limits: &[
            ("year 2025", 10_000, Some("2025-01-01"), Some("2025-12-31")),
            ("year 2026", 10_000, Some("2026-01-01"), Some("2026-12-31")),
        ],
    },
    Preset {
        id: "national-party",
        label: "National party",
        limits: &[
            ("year 2025", 44_300, Some("2025-01-01"), Some("2025-12-31")),
            ("year 2026", 44_300, Some("2026-01-01"), Some("2026-12-31")),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::NaiveDate;

    #[test]
    fn every_day_is_one() {
        for preset in PRESETS {
            for (name, dollars, from, until) in preset.limits {
                let day = |text: &Option<&str>| text.map(|text| text.parse::<NaiveDate>().unwrap());
                assert!(*dollars > 0 && !name.is_empty());
                assert!(day(from).zip(day(until)).is_none_or(|(from, until)| from < until), "{name}");
            }
        }
    }
}
