//! An effort in place of a riddle: the sender's computer looks for a number for some seconds, or the sender waits. It needs no
//! eyes, no ears and nobody else's service.

use crate::vault::Vault;
use crate::web::session::{open, sign};
use ring::digest::{SHA256, digest};

/// Zero bits that a solution's hash begins with: 2^15 hashes on average, a second or two of a phone.
pub const BITS: u32 = 15;
/// Seconds that do as well, for browsers without JavaScript.
pub const WAIT_SECONDS: i64 = 20;
/// How long a task is good for, in seconds: somebody looks for their card in between.
pub(super) const LIFE_SECONDS: i64 = 3_600;
/// Digits of a solution: far more hashes than anybody makes.
const DIGITS_MAX: usize = 15;

const PURPOSE: &str = "effort";

/// A task and what was made of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// The task: signed, and good for one gift.
    pub token: String,
    /// The number that was found; may be empty.
    pub solution: String,
}

impl Effort {
    /// A task given at `now`; `nonce` makes it one of its own.
    pub fn task(vault: &Vault, nonce: &str, now: i64) -> String {
        sign(vault, PURPOSE, &format!("{nonce}.{now}"))
    }

    /// Whether the number is one, or the wait was long enough.
    pub(super) fn is_made(&self, vault: &Vault, now: i64) -> bool {
        let given = open(vault, PURPOSE, &self.token).and_then(|text| text.rsplit_once('.')?.1.parse::<i64>().ok());
        let Some(age) = given.map(|given| now.saturating_sub(given)).filter(|age| (0..LIFE_SECONDS).contains(age))
        else {
            return false;
        };
        age >= WAIT_SECONDS || self.is_solved()
    }

    fn is_solved(&self) -> bool {
        let plain = !self.solution.is_empty()
            && self.solution.len() <= DIGITS_MAX
            && self.solution.bytes().all(|byte| byte.is_ascii_digit());
        let hash = digest(&SHA256, format!("{}:{}", self.token, self.solution).as_bytes());
        let first = hash.as_ref().first_chunk::<4>().map_or(u32::MAX, |bytes| u32::from_be_bytes(*bytes));
        plain && first.leading_zeros() >= BITS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_or_waiting_does_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(folder.path()).unwrap();
        let token = Effort::task(&vault, "a.nonce", 1_000);
        let with = |solution: &str| Effort { token: token.clone(), solution: solution.into() };
        let found = (0..10_000_000).map(|number: u32| with(&number.to_string())).find(Effort::is_solved).unwrap();
        let wrong = (0..).map(|number: u32| with(&number.to_string())).find(|effort| !effort.is_solved()).unwrap();
        assert!(found.is_made(&vault, 1_000));
        assert!(!wrong.is_made(&vault, 1_000));
        assert!(!wrong.is_made(&vault, 1_019));
        assert!(wrong.is_made(&vault, 1_020), "waiting does as well");
        assert!(!found.is_made(&vault, 999), "a task from the future");
        assert!(!found.is_made(&vault, 1_000 + LIFE_SECONDS), "an old one");
        let forged = Effort { token: token.replace('.', ".A"), ..found.clone() };
        assert!(!forged.is_made(&vault, 1_030));
        assert!(!Effort::default().is_made(&vault, 1_030));
        assert!(!with(&"9".repeat(DIGITS_MAX + 1)).is_solved());
    }
}
