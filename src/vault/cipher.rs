//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): ChaCha20-Poly1305 (RFC 8439) with a key of its own for the first 16 bytes of each
//! nonce. RFC 8439's part is ring's, in hand-written assembly: a file of a season opens a million seals, and what is written
//! in Rust alone spent a quarter of that file's time on it.

use super::NONCE_BYTES;
use chacha20::{R20, hchacha};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

/// Bytes of the nonce that make the key.
const KEYING_BYTES: usize = 16;

fn bound(key: &[u8; 32], nonce: &[u8; NONCE_BYTES]) -> Option<(LessSafeKey, Nonce)> {
    let (keying, rest) = nonce.split_first_chunk::<KEYING_BYTES>()?;
    let own = hchacha::<R20>(key.into(), keying.into());
    let key = UnboundKey::new(&CHACHA20_POLY1305, &own).ok()?;
    let mut short = [0; 12];
    short.iter_mut().skip(4).zip(rest).for_each(|(to, from)| *to = *from);
    Some((LessSafeKey::new(key), Nonce::assume_unique_for_key(short)))
}

/// Seals a text: its nonce, the ciphertext and a tag of 16 bytes; `None` where it is too long for the cipher.
pub(super) fn seal(key: &[u8; 32], nonce: &[u8; NONCE_BYTES], aad: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let (key, short) = bound(key, nonce)?;
    let mut sealed = Vec::with_capacity(NONCE_BYTES.saturating_add(text.len()).saturating_add(16));
    sealed.extend_from_slice(nonce);
    sealed.extend_from_slice(text);
    let tag = key.seal_in_place_separate_tag(short, Aad::from(aad), sealed.get_mut(NONCE_BYTES..)?).ok()?;
    sealed.extend_from_slice(tag.as_ref());
    Some(sealed)
}

/// Opens what [`seal`] made, into a buffer that is cleared first and then holds the text alone; false where it does not open.
pub(super) fn open(key: &[u8; 32], aad: &[u8], sealed: &[u8], into: &mut Vec<u8>) -> bool {
    into.clear();
    let opened = sealed.split_first_chunk::<NONCE_BYTES>().and_then(|(nonce, text)| {
        let (key, short) = bound(key, nonce)?;
        into.extend_from_slice(text);
        key.open_in_place(short, Aad::from(aad), into).ok().map(|text| text.len())
    });
    into.truncate(opened.unwrap_or_default());
    opened.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chacha20poly1305::aead::{Aead as _, Payload};
    use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
    use proptest::prelude::*;

    fn opened(key: &[u8; 32], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let mut into = vec![7; 3];
        open(key, aad, sealed, &mut into).then_some(into)
    }

    proptest! {
        #[test]
        fn another_program_seals_the_same_and_opens_it(
            key: [u8; 32],
            nonce: [u8; NONCE_BYTES],
            aad in proptest::collection::vec(any::<u8>(), 0..40),
            text in proptest::collection::vec(any::<u8>(), 0..700),
            flip: proptest::sample::Index,
        ) {
            let other = XChaCha20Poly1305::new((&key).into());
            let theirs = other.encrypt(&nonce.into(), Payload { msg: &text, aad: &aad }).unwrap();
            let ours = seal(&key, &nonce, &aad, &text).unwrap();
            prop_assert_eq!(&ours, &[&nonce[..], &theirs].concat());
            prop_assert_eq!(opened(&key, &aad, &ours), Some(text));
            let mut changed = ours;
            let at = flip.index(changed.len());
            changed[at] ^= 1;
            prop_assert_eq!(opened(&key, &aad, &changed), None);
            prop_assert_eq!(opened(&key, &aad, &changed[..at]), None);
        }
    }
}
