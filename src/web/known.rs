//! Links by which a donor is known: signed, for one person, for a time. Whoever has one finds the form filled in; whoever has
//! none learns of nobody whether they gave.

use super::session::{open, sign};
use crate::domain::id::PersonId;
use crate::vault::Vault;

const PURPOSE: &str = "known";
/// How long a link is good for, in seconds: a season of rallies.
const LIFE_SECONDS: i64 = 180 * 86_400;

/// The part of a link that says who follows it.
pub fn token(vault: &Vault, person: PersonId, now: i64) -> String {
    sign(vault, PURPOSE, &format!("{person}.{now}"))
}

/// Whom a link is for, while it is good.
pub fn person(vault: &Vault, token: &str, now: i64) -> Option<PersonId> {
    let text = open(vault, PURPOSE, token)?;
    let (person, given) = text.split_once('.')?;
    let age = now.saturating_sub(given.parse().ok()?);
    (0..LIFE_SECONDS).contains(&age).then(|| person.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_link_is_one_persons_for_a_season() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(folder.path()).unwrap();
        let joan = PersonId(Uuid::from_u128(1));
        let token = token(&vault, joan, 1_000);
        assert_eq!(person(&vault, &token, 1_000), Some(joan));
        assert_eq!(person(&vault, &token, 999 + LIFE_SECONDS), Some(joan));
        assert_eq!(person(&vault, &token, 1_000 + LIFE_SECONDS), None);
        assert_eq!(person(&vault, &token.replace('.', ".A"), 1_000), None);
        assert_eq!(person(&vault, "", 1_000), None);
    }
}
