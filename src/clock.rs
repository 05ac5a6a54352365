//! The only clock of the program.

use chrono::{DateTime, SubsecRound, Utc};

/// Now, in whole microseconds: what the log can hold.
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}
