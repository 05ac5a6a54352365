//! The only clock of the program.

use chrono::{DateTime, SubsecRound, Utc};
use std::sync::Arc;

/// Now, in whole microseconds: what the log can hold.
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// Tells the time to those whose decisions rest on it, so that a simulation can tell another. Cheap to clone.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>);

impl Clock {
    /// The system's.
    pub fn real() -> Self {
        Self(Arc::new(now))
    }

    /// One that says what `tell` says, in whole microseconds; it may step back, as the system's does.
    pub fn telling(tell: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// Now.
    pub fn now(&self) -> DateTime<Utc> {
        (self.0)()
    }
}
