//! What a host announces of a rally, and what of it is refused.

use super::{Refusal, too_long};
use crate::domain::State;
use crate::domain::id::CommitteeId;
use crate::domain::money::Currency;
use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// Characters of a title: it is set in the largest type and in mail subjects.
pub const TITLE_CHARS_MAX: usize = 120;
/// Characters of a description: a page of text.
pub const DESCRIPTION_CHARS_MAX: usize = 5_000;
/// Characters of the "paid for by" line.
pub const PAID_FOR_BY_CHARS_MAX: usize = 300;
/// Characters of a slug: it is read out and typed.
pub const SLUG_CHARS_MAX: usize = 60;
/// Suggested amounts: seven and "other" fill two rows on a phone.
pub const SUGGESTED_MAX: usize = 7;
/// The largest goal or suggested amount, in major units: far above any rally, far below overflow.
pub const AMOUNT_MAJOR_MAX: i64 = 1_000_000_000;

/// What a host announces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// The address: lower-case letters, digits and hyphens.
    pub slug: String,
    /// The headline.
    pub title: String,
    /// When it begins.
    pub starts_at: DateTime<Utc>,
    /// The campaign's time zone (IANA name): days and times are shown and totalled in it.
    pub timezone: String,
    /// Plain text, blank lines between paragraphs.
    pub description: String,
    /// What is hoped for, in minor units.
    pub goal_minor: Option<i64>,
    /// The only currency donations are taken in.
    pub currency: Currency,
    /// Amounts offered, in minor units, smallest first.
    pub suggested_minor: Vec<i64>,
    /// The legal line.
    pub paid_for_by: String,
    /// The campaign's colour, `#rrggbb`.
    pub accent: String,
    /// Whose gifts it takes, from then on.
    #[serde(default, skip_serializing_if = "CommitteeId::is_first")]
    pub committee: CommitteeId,
}

impl Details {
    /// The campaign's time zone; UTC where it can't be read.
    pub fn zone(&self) -> Tz {
        self.timezone.parse().unwrap_or(Tz::UTC)
    }

    /// The day of an instant where the rally is.
    pub fn day_of(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.zone()).date_naive()
    }

    /// Refuses what can't be announced.
    pub(super) fn check(&self, state: &State) -> Result<(), Refusal> {
        if state.committees.get(self.committee).is_none() {
            return Err(Refusal::UnknownCommittee);
        }
        let slug = self.slug.as_bytes();
        let slug_fine = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
        if slug.is_empty() || slug.len() > SLUG_CHARS_MAX || !slug.iter().all(slug_fine) {
            return Err(Refusal::SlugMalformed);
        }
        if self.title.trim().is_empty() || too_long(&self.title, TITLE_CHARS_MAX) {
            return Err(Refusal::TitleLength);
        }
        if too_long(&self.description, DESCRIPTION_CHARS_MAX) {
            return Err(Refusal::DescriptionLength);
        }
        if self.paid_for_by.trim().is_empty() || too_long(&self.paid_for_by, PAID_FOR_BY_CHARS_MAX) {
            return Err(Refusal::PaidForByLength);
        }
        if self.timezone.parse::<chrono_tz::Tz>().is_err() {
            return Err(Refusal::TimezoneUnknown);
        }
        let accent = self.accent.strip_prefix('#').unwrap_or_default();
        if accent.len() != 6 || !accent.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Refusal::AccentMalformed);
        }
        let in_range = |minor: i64| {
            let major = self.currency.minor_per_major();
            (major..=AMOUNT_MAJOR_MAX.saturating_mul(major)).contains(&minor)
        };
        if self.goal_minor.is_some_and(|goal| !in_range(goal)) {
            return Err(Refusal::GoalOutOfRange);
        }
        let suggested = &self.suggested_minor;
        let ascending = suggested.is_sorted_by(|before, after| before < after);
        if suggested.is_empty()
            || suggested.len() > SUGGESTED_MAX
            || !ascending
            || !suggested.iter().copied().all(in_range)
        {
            return Err(Refusal::SuggestedOutOfRange);
        }
        Ok(())
    }
}
