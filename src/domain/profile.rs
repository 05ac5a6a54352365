//! Personal data, in the shapes that are sealed before they reach the log. Nothing here is ever an event by itself.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What an attendee gave on joining.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendee {
    /// As typed.
    pub name: String,
    /// As typed.
    pub email: String,
    /// Postal code, where given.
    pub postal: Option<String>,
}

/// Who gives, as a treasurer needs it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// E-mail address.
    pub email: String,
    /// Street address.
    pub line: String,
    /// City or town.
    pub city: String,
    /// State, province or region.
    pub region: String,
    /// Postal code.
    pub postal: String,
    /// Country, two letters (ISO 3166-1).
    pub country: String,
    /// Employer; "Not employed" where so.
    pub employer: String,
    /// Occupation; "Not employed" where so.
    pub occupation: String,
    /// Number of a passport of the United States, from donors abroad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passport: Option<String>,
}

/// For whom and as what a donor works, as they answered when they were asked.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Employer; "Not employed" where so.
    pub employer: String,
    /// Occupation; "Not employed" where so.
    pub occupation: String,
}

#[cfg(test)]
impl Contact {
    /// Somebody, for tests.
    pub fn example() -> Self {
        Self {
            first_name: "Joan".into(),
            last_name: "Petrie".into(),
            email: "joan@example.org".into(),
            line: "12 Maple Street".into(),
            city: "New York".into(),
            region: "NY".into(),
            postal: "10027".into(),
            country: "US".into(),
            employer: "Riverside Clinic".into(),
            occupation: "Nurse".into(),
            passport: None,
        }
    }
}

/// What the donor lets the room see.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The name to show: full, first only, or "Anonymous".
    pub name: String,
    /// City, where a name is shown.
    pub place: Option<String>,
    /// A message to the room.
    pub message: Option<String>,
}

/// A staff account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// As typed.
    pub name: String,
    /// As typed.
    pub email: String,
    /// An argon2id hash in PHC form.
    pub password_hash: String,
}

macro_rules! hide {
    ($($name:ident),*) => {$(
        /// Prints no personal data, so that no log line can.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(sealed)"))
            }
        }
    )*};
}

hide!(Attendee, Contact, Work, Shown, Account);
