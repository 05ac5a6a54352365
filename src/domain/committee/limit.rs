//! How much one person may give within a span of days.

use super::Refusal;
use crate::domain::money::Money;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// Characters of a limit's name: it is read in a sentence.
pub const LIMIT_NAME_CHARS_MAX: usize = 60;

/// How much one person may give within a span of days.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// As a donor reads it: `primary election 2026`.
    pub name: String,
    /// The most that counts; in other currencies there is no limit.
    pub most: Money,
    /// The first day, where the rally is.
    pub from: NaiveDate,
    /// The last day.
    pub until: NaiveDate,
}

/// What a limit leaves to one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// The limit's name.
    pub limit: String,
    /// What it allows in all.
    pub most: Money,
    /// What is left of it; never negative.
    pub left: Money,
}

impl Limit {
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.name.trim().is_empty() || self.name.chars().nth(LIMIT_NAME_CHARS_MAX).is_some() {
            return Err(Refusal::LimitName);
        }
        if self.most.minor <= 0 {
            return Err(Refusal::LimitAmount);
        }
        if self.until < self.from {
            return Err(Refusal::LimitDays);
        }
        Ok(())
    }

    /// Whether a gift of this day counts under it.
    pub fn covers(&self, day: NaiveDate) -> bool {
        (self.from..=self.until).contains(&day)
    }
}
