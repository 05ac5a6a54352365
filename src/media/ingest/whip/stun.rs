//! The one line of a STUN request that tells whose it is (RFC 8489, section 5; RFC 8445, section 7.2.2).

/// Type of a binding request.
const BINDING_REQUEST: [u8; 2] = [0, 1];
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER_BYTES: usize = 20;
const USERNAME: u16 = 6;

/// The server's half of the user name in a binding request; none if it is none.
pub(super) fn asked_for(packet: &[u8]) -> Option<&str> {
    if !packet.starts_with(&BINDING_REQUEST) || packet.get(4..8)? != COOKIE {
        return None;
    }
    let mut rest = packet.get(HEADER_BYTES..)?;
    while let Some([kind_high, kind_low, length_high, length_low]) = rest.first_chunk() {
        let length = usize::from(u16::from_be_bytes([*length_high, *length_low]));
        let value = rest.get(4..4 + length)?;
        if u16::from_be_bytes([*kind_high, *kind_low]) == USERNAME {
            return std::str::from_utf8(value).ok()?.split_once(':').map(|(ours, _)| ours);
        }
        rest = rest.get(4 + length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut packet = [&BINDING_REQUEST[..], &[0, 0], &COOKIE, &[7; 12]].concat();
        for (kind, value) in attributes {
            packet.extend(kind.to_be_bytes());
            packet.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
            packet.extend_from_slice(value);
            packet.resize(packet.len().next_multiple_of(4), 0);
        }
        packet
    }

    #[test]
    fn the_name_is_found_behind_other_attributes() {
        assert_eq!(asked_for(&request(&[(0x24, &[1; 5]), (USERNAME, b"ours:theirs")])), Some("ours"));
        assert_eq!(asked_for(&request(&[(USERNAME, b"no colon")])), None);
        assert_eq!(asked_for(&request(&[])), None);
        let mut answer = request(&[(USERNAME, b"ours:theirs")]);
        answer[0] = 1;
        assert_eq!(asked_for(&answer), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            asked_for(&bytes);
            asked_for(&[&request(&[])[..], &bytes].concat());
        }
    }
}
