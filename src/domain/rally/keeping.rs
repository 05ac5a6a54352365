//! How long a rally's recording is kept, which its host says.

use super::{Phase, Rally, Refusal};
use chrono::{DateTime, Days, Utc};
use serde::{Deserialize, Serialize};

/// Ten years: longer is until somebody deletes it.
pub const KEEP_DAYS_MAX: u16 = 3_650;

/// What the host chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keeping {
    /// So many days after the rally's end it is deleted; never by itself if none.
    pub days: Option<u16>,
    /// Whether it may be deleted, once the rally has ended, to make room for one that goes on.
    pub yields: bool,
}

impl Rally {
    /// When its recording will be deleted, if the host wants that and it has not been.
    pub fn recording_until(&self) -> Option<DateTime<Utc>> {
        let (Phase::Ended { at }, Some(days), false) = (self.phase, self.keeping.days, self.recording_deleted) else {
            return None;
        };
        at.checked_add_days(Days::new(u64::from(days)))
    }

    /// Since when its recording may be deleted for another's sake, if it may be.
    pub fn yields_since(&self) -> Option<DateTime<Utc>> {
        match self.phase {
            Phase::Ended { at } if self.keeping.yields && !self.recording_deleted => Some(at),
            Phase::Before | Phase::Live { .. } | Phase::Ended { .. } => None,
        }
    }

    /// Whether its host may delete it and has not yet.
    pub(super) fn may_delete(&self) -> Result<bool, Refusal> {
        match self.phase {
            Phase::Ended { .. } => Ok(!self.recording_deleted),
            Phase::Before | Phase::Live { .. } => Err(Refusal::StillRecording),
        }
    }

    /// Whether this is another choice than before, and one that can be made.
    pub(super) fn keeps_anew(&self, keeping: Keeping) -> Result<bool, Refusal> {
        if self.recording_deleted {
            return Err(Refusal::RecordingGone);
        }
        if keeping.days.is_some_and(|days| !(1..=KEEP_DAYS_MAX).contains(&days)) {
            return Err(Refusal::KeepDays);
        }
        Ok(self.keeping != keeping)
    }
}
