//! Captions inside H.264 (CEA-608 and 708, carried as ATSC A/53 says): whether there are any. They are passed on as they are.

/// NAL unit type of supplemental information (H.264, table 7-1).
const SEI: u8 = 6;
/// Payload type of `user_data_registered_itu_t_t35` (H.264, annex D).
const REGISTERED: usize = 4;
/// The United States, ATSC, "GA94", and captions (ATSC A/53 part 4, 6.2).
const CAPTIONS: [u8; 8] = [0xb5, 0x00, 0x31, b'G', b'A', b'9', b'4', 0x03];
/// Where the count of its pairs stands, and where the first begins.
const COUNT_AT: usize = 8;
const PAIRS_AT: usize = 10;
/// Units of one picture that are looked at: slices and what goes before them.
const UNITS_MAX: usize = 64;
/// Bytes of one unit of supplemental information that are looked at: 31 pairs of captions take 104.
const SEI_BYTES_MAX: usize = 4_096;

/// Whether a picture holds captions, by its units with four bytes of length before each: pairs that say something, as many
/// encoders send empty ones for ever.
pub fn is_in(picture: &[u8]) -> bool {
    let mut rest = picture;
    for _ in 0..UNITS_MAX {
        let Some((length, after)) = rest.split_first_chunk::<4>() else { return false };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let Some(unit) = after.get(..length) else { return false };
        if unit.first().is_some_and(|byte| byte & 0x1f == SEI) && holds_captions(unit) {
            return true;
        }
        rest = after.get(length..).unwrap_or_default();
    }
    false
}

fn holds_captions(unit: &[u8]) -> bool {
    let plain = unescaped(unit.get(1..).unwrap_or_default());
    let mut rest = plain.as_slice();
    while rest.len() > 2 {
        let Some((kind, after)) = number(rest) else { return false };
        let Some((size, after)) = number(after) else { return false };
        let payload = after.get(..size).unwrap_or(after);
        if kind == REGISTERED && payload.starts_with(&CAPTIONS) && says_something(payload) {
            return true;
        }
        rest = after.get(size..).unwrap_or_default();
    }
    false
}

/// A type or size: bytes of 255 count on (H.264, 7.3.2.3.1).
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let full = bytes.iter().take_while(|byte| **byte == 255).count();
    let (last, rest) = bytes.get(full..)?.split_first()?;
    Some((full.checked_mul(255)?.checked_add(usize::from(*last))?, rest))
}

/// Whether a pair is valid and no padding: 608 pads with zeros beneath its parity bits.
fn says_something(payload: &[u8]) -> bool {
    let count = payload.get(COUNT_AT).map_or(0, |byte| usize::from(byte & 0x1f));
    let mut pairs = payload.get(PAIRS_AT..).unwrap_or_default().chunks_exact(3).take(count);
    pairs.any(|pair| match pair {
        [head, one, two] => head & 4 != 0 && head & 3 < 2 && (one & 0x7f != 0 || two & 0x7f != 0),
        _ => false,
    })
}

/// Without the bytes that keep start codes out (H.264, 7.4.1).
fn unescaped(unit: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut zeros = 0_u8;
    for byte in unit.iter().take(SEI_BYTES_MAX) {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros.saturating_add(1) } else { 0 };
        plain.push(*byte);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unit(bytes: &[u8]) -> Vec<u8> {
        [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
    }

    fn sei(pair: [u8; 3]) -> Vec<u8> {
        let head = [&[6, 5, 1, 7, 4, 14][..], &CAPTIONS, &[0xc1, 0xff], &pair, &[0xff, 0x80]].concat();
        unit(&head)
    }

    #[test]
    fn captions_are_found_among_other_units() {
        let picture = [unit(&[9, 0xf0]), sei([0xfc, 0x94, 0x20]), unit(&[0x65, 1, 2, 3])].concat();
        assert!(is_in(&picture));
        assert!(!is_in(&[unit(&[9, 0xf0]), unit(&[0x65, 1, 2, 3])].concat()));
    }

    #[test]
    fn padding_says_nothing() {
        assert!(!is_in(&sei([0xfc, 0x80, 0x80])), "padding of 608");
        assert!(!is_in(&sei([0xf8, 0x94, 0x20])), "a pair that is not valid");
    }

    #[test]
    fn bytes_that_keep_start_codes_out_are_read_over() {
        let captions = sei([0xfc, 0x94, 0x20]);
        let body = &captions[4..];
        let before = [6, 5, 4, 0, 0, 3, 1, 9];
        let escaped = unit(&[&before, &body[4..]].concat());
        assert!(is_in(&escaped));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = is_in(&bytes);
            let _ = is_in(&unit(&[&[6, 4, 255][..], &bytes].concat()));
            let _ = is_in(&unit(&[&[6, 4, 40][..], &CAPTIONS, &bytes].concat()));
        }
    }
}
