//! Personal data as the log holds it: sealed bytes that say nothing without the person's key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A nonce and a ciphertext, made and opened by the vault alone; base64 text, as in JSON: most of what is read from the log is
/// never opened, so it is not decoded either.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(Box<str>);

impl Sealed {
    /// Wraps the vault's bytes: a 24-byte nonce, the ciphertext, a 16-byte tag.
    pub fn new(bytes: &[u8]) -> Self {
        Self(STANDARD.encode(bytes).into())
    }

    /// How many bytes [`Self::bytes`] has, of what the vault made.
    pub fn len(&self) -> usize {
        let text = self.0.trim_end_matches('=');
        text.len() / 4 * 3 + (text.len() % 4 * 3) / 4
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes as the vault made them; none where the text is not base64, which opens as little as any other forgery.
    pub fn bytes(&self) -> Vec<u8> {
        STANDARD.decode(self.0.as_bytes()).unwrap_or_default()
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} characters)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_base64_text_in_json_and_back() {
        let sealed = Sealed::new(&[0, 1, 254, 255]);
        let json = serde_json::to_string(&sealed).unwrap();
        assert_eq!(json, "\"AAH+/w==\"");
        assert_eq!(serde_json::from_str::<Sealed>(&json).unwrap(), sealed);
        assert_eq!(sealed.bytes(), [0, 1, 254, 255]);
        for length in 0..9 {
            assert_eq!(Sealed::new(&vec![7; length]).len(), length);
        }
        assert!(serde_json::from_str::<Sealed>("\"not base64!\"").unwrap().bytes().is_empty());
    }

    #[test]
    fn debug_shows_only_the_length() {
        assert_eq!(format!("{:?}", Sealed::new(&[7; 9])), "Sealed(12 characters)");
    }
}
