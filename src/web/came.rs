//! How a donor came to the form, and the moment they opened it: hidden in the form and signed, so that nobody writes another
//! moment into it.

use super::session::{open, sign};
use crate::domain::donation::{Came, Way};
use crate::domain::id::SourceId;
use crate::vault::Vault;
use chrono::{DateTime, Utc};

const PURPOSE: &str = "opened";
/// Nobody fills the form in within so many milliseconds, with everything filled in by the browser either.
const HASTE_MS: i64 = 2_500;
/// A form that lay open for longer than this many milliseconds tells nothing of the moment: a day.
const AGE_MS_MAX: i64 = 24 * 3_600 * 1_000;

/// The hidden field of a form opened at `now`.
pub fn mark(vault: &Vault, on_program: Option<SourceId>, now: DateTime<Utc>) -> String {
    let source = on_program.map(|source| source.to_string()).unwrap_or_default();
    sign(vault, PURPOSE, &format!("{}.{source}", now.timestamp_millis()))
}

/// What the form's hidden fields say of how the donor came; `None` where it was never opened, or too long ago.
pub fn read(vault: &Vault, by: &str, mark: &str, now: DateTime<Utc>) -> Option<Came> {
    let text = open(vault, PURPOSE, mark)?;
    let (millis, source) = text.split_once('.')?;
    let opened_at = DateTime::from_timestamp_millis(millis.parse().ok()?)?;
    let age = now.signed_duration_since(opened_at).num_milliseconds();
    (0..AGE_MS_MAX).contains(&age).then(|| Came { by: way(by), opened_at, on_program: source.parse().ok() })
}

/// Whether the form was sent sooner than a person does, or was never opened.
pub fn is_hasty(came: Option<&Came>, now: DateTime<Utc>) -> bool {
    came.is_none_or(|came| now.signed_duration_since(came.opened_at).num_milliseconds() < HASTE_MS)
}

/// The way that an address names by `via`.
pub fn way(text: &str) -> Way {
    match text {
        "rally" => Way::Rally,
        "embed" => Way::Embed,
        "qr" => Way::Qr,
        "shared" => Way::Shared,
        "mail" => Way::Mail,
        _ => Way::Page,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use uuid::Uuid;

    #[test]
    fn the_moment_comes_back_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(folder.path()).unwrap();
        let source = SourceId(Uuid::from_u128(7));
        let opened_at = DateTime::from_timestamp_millis(1_790_000_000_123).unwrap();
        let after = |ms| opened_at + TimeDelta::milliseconds(ms);
        let field = mark(&vault, Some(source), opened_at);
        let came = read(&vault, "qr", &field, after(60_000)).unwrap();
        assert_eq!(came, Came { by: Way::Qr, opened_at, on_program: Some(source) });
        assert!(is_hasty(Some(&came), after(HASTE_MS - 1)));
        assert!(!is_hasty(Some(&came), after(HASTE_MS)));
        assert!(is_hasty(None, after(HASTE_MS)), "never opened");
        let nobody = read(&vault, "", &mark(&vault, None, opened_at), after(1)).unwrap();
        assert_eq!((nobody.by, nobody.on_program), (Way::Page, None));
        for (field, at) in [
            (field.clone(), after(-1)),
            (field.clone(), after(AGE_MS_MAX)),
            (field.replace('.', ".A"), after(1)),
            (String::new(), after(1)),
            (sign(&vault, "effort", "1790000000123."), after(1)),
        ] {
            assert_eq!(read(&vault, "qr", &field, at), None);
        }
        for way in [Way::Page, Way::Rally, Way::Embed, Way::Qr, Way::Shared, Way::Mail] {
            assert_eq!(super::way(way.word()), way);
        }
    }
}
