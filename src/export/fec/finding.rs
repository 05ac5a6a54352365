//! What a person is to look at before a file goes out.

/// Findings that are kept; of the rest it is told how many there are.
pub const FINDINGS_MAX: usize = 500;

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// The FEC would not take the file.
    Stops,
    /// It would ask, or the report is wrong.
    Mend,
    /// It may well be right.
    Look,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How grave it is.
    pub weight: Weight,
    /// The line's id; `A123` is the receipt of event 123.
    pub transaction: Option<String>,
    /// Whose line it is.
    pub who: String,
    /// What was found.
    pub what: String,
    /// What to do about it.
    pub todo: &'static str,
}

/// A list of them, bounded.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    kept: Vec<Finding>,
    /// How many there are besides.
    pub more: u64,
    /// Whether one of all of them stops the file.
    pub stops: bool,
}

impl Findings {
    /// Adds one.
    pub fn add(&mut self, finding: Finding) {
        self.stops |= finding.weight == Weight::Stops;
        if self.kept.len() < FINDINGS_MAX {
            self.kept.push(finding);
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// Adds another list's.
    pub fn extend(&mut self, other: Self) {
        let Self { kept, more, stops } = other;
        kept.into_iter().for_each(|finding| self.add(finding));
        self.more = self.more.saturating_add(more);
        self.stops |= stops;
    }

    /// Those that were kept, the gravest first.
    pub fn in_order(mut self) -> Vec<Finding> {
        self.kept.sort_by_key(|finding| finding.weight);
        self.kept
    }
}
