//! Which attempts the processor was asked for, so that a refusal is taken for what it is.
//!
//! A processor that turns a call away says nothing of the calls before it: the first may have taken the money before its
//! answer was lost. So a refusal at the door ends an attempt only where the refused call was the only one ever made for it.

use crate::domain::id::DonationId;
use parking_lot::Mutex;
use std::collections::HashMap;

/// A donation and the number of an attempt to pay it.
type Attempt = (DonationId, u32);

/// Attempts whose outcome is not recorded yet, as this process knows them.
#[derive(Default)]
pub(super) struct Asks(Mutex<HashMap<Attempt, Asked>>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Recorded by this process; nobody was asked for it.
    Never,
    /// Once, and that call may still be under way.
    Once,
    /// More than once, or perhaps by a process before this one.
    Perhaps,
    /// It ends without a charge: nobody may be asked for it any more.
    Ended,
}

impl Asks {
    /// An attempt was recorded a moment ago, by a command that was not a repeat.
    pub(super) fn begin(&self, attempt: Attempt) {
        self.0.lock().entry(attempt).or_insert(Asked::Never);
    }

    /// Notes that the processor is about to be asked for the attempt that `find` gives; `None` where it gives none, or one
    /// that is ending.
    pub(super) fn ask<T>(&self, find: impl FnOnce() -> Option<(Attempt, T)>) -> Option<T> {
        // Found under the lock, or it might end between the finding and the note.
        let mut asked = self.0.lock();
        let (attempt, found) = find()?;
        let next = match asked.get(&attempt) {
            Some(Asked::Ended) => return None,
            Some(Asked::Never) => Asked::Once,
            Some(Asked::Once | Asked::Perhaps) | None => Asked::Perhaps,
        };
        asked.insert(attempt, next);
        Some(found)
    }

    /// Whether a call that was turned away was the only one, so that nothing was taken; then the attempt is over.
    pub(super) fn is_refused(&self, attempt: Attempt) -> bool {
        let mut asked = self.0.lock();
        let was_the_only_one = asked.get(&attempt) == Some(&Asked::Once);
        if was_the_only_one {
            asked.insert(attempt, Asked::Ended);
        }
        was_the_only_one
    }

    /// Forgets every attempt that is not in flight any more.
    pub(super) fn retain(&self, is_in_flight: impl Fn(DonationId, u32) -> bool) {
        self.0.lock().retain(|(donation, number), _| is_in_flight(*donation, *number));
    }
}
