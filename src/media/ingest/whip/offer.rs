//! What an SDP offer (RFC 8866, RFC 8829) must hold before it is taken up, and what is taken out of it.

use super::Refused;

/// Larger than any browser's offer of one camera and one microphone; Chromium's is 6 KiB.
pub const OFFER_BYTES_MAX: usize = 32 << 10;

/// Lines of an offer; each costs its reader.
const LINES_MAX: usize = 600;

/// One `m=` section.
struct Section<'a> {
    kind: &'a str,
    lines: Vec<&'a str>,
}

impl Section<'_> {
    fn has(&self, line: &str) -> bool {
        self.lines.iter().any(|at| at.eq_ignore_ascii_case(line))
    }

    fn sends(&self) -> bool {
        !self.has("a=recvonly") && !self.has("a=inactive")
    }

    /// Payload types of a codec: `a=rtpmap:PT NAME/...`.
    fn payloads<'b>(&'b self, codec: &'b str) -> impl Iterator<Item = &'b str> {
        self.lines.iter().filter_map(move |line| {
            let (payload, name) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
            let name = name.split('/').next()?;
            name.eq_ignore_ascii_case(codec).then_some(payload)
        })
    }

    /// Whether a payload type's pictures may span packets (RFC 6184, 5.4): without it no picture above a packet's size.
    fn spans_packets(&self, payload: &str) -> bool {
        self.lines.iter().any(|line| {
            let format = line.strip_prefix("a=fmtp:").and_then(|line| line.split_once(' '));
            format.is_some_and(|(of, parameters)| {
                of == payload && parameters.split(';').any(|one| one.trim() == "packetization-mode=1")
            })
        })
    }
}

/// Checks an offer, and gives it without its candidates: the server never calls first, and must not be sent anywhere.
pub(super) fn checked(offer: &str) -> Result<String, Refused> {
    if offer.len() > OFFER_BYTES_MAX || offer.lines().count() > LINES_MAX || !offer.starts_with("v=0") {
        return Err(Refused::Unreadable);
    }
    let mut sections: Vec<Section<'_>> = Vec::new();
    for line in offer.lines() {
        if let Some(media) = line.strip_prefix("m=") {
            sections.push(Section { kind: media.split(' ').next().unwrap_or_default(), lines: Vec::new() });
        } else if let Some(section) = sections.last_mut() {
            section.lines.push(line);
        }
    }
    let mut pictures = sections.iter().filter(|section| section.kind == "video" && section.sends());
    let picture = pictures.next().ok_or(Refused::NoVideo)?;
    if pictures.next().is_some() {
        return Err(Refused::TwoPictures);
    }
    if !picture.payloads("H264").any(|payload| picture.spans_packets(payload)) {
        return Err(Refused::NoH264);
    }
    let sound = sections.iter().find(|section| section.kind == "audio" && section.sends());
    if sound.is_some_and(|sound| sound.payloads("opus").next().is_none()) {
        return Err(Refused::NoOpus);
    }
    let kept = offer.lines().filter(|line| !line.starts_with("a=candidate:") && *line != "a=end-of-candidates");
    Ok(kept.flat_map(|line| [line, "\r\n"]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PICTURE: &str = "m=video 9 UDP/TLS/RTP/SAVPF 102 103\r\na=sendonly\r\na=rtpmap:102 H264/90000\r\n\
        a=fmtp:102 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n";
    const SOUND: &str = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=sendonly\r\na=rtpmap:111 opus/48000/2\r\n";

    fn offer(sections: &[&str]) -> String {
        format!("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n{}", sections.concat())
    }

    #[test]
    fn what_a_browser_and_obs_offer_is_taken_without_its_candidates() {
        let with = format!("{PICTURE}a=candidate:1 1 udp 1 10.0.0.1 9 typ host\r\na=end-of-candidates\r\n");
        assert_eq!(checked(&offer(&[SOUND, &with])).unwrap(), offer(&[SOUND, PICTURE]));
        assert!(checked(&offer(&[PICTURE])).is_ok());
    }

    #[test]
    fn what_cant_be_carried_is_refused_with_what_to_do() {
        let check = |sections: &[&str], words: &str| {
            let refused = checked(&offer(sections)).unwrap_err().to_string();
            assert!(refused.contains(words), "{refused}");
        };
        check(&[SOUND], "no camera");
        check(&[SOUND, &PICTURE.replace("sendonly", "recvonly")], "no camera");
        check(&[&PICTURE.replace("H264", "VP8")], "H.264");
        check(&[&PICTURE.replace("packetization-mode=1", "packetization-mode=0")], "H.264");
        check(&[PICTURE, &SOUND.replace("opus", "PCMU")], "Opus");
        check(&[PICTURE, PICTURE], "one camera");
        assert!(matches!(checked("hello"), Err(Refused::Unreadable)));
        assert!(matches!(checked(&offer(&[&"a=x\r\n".repeat(LINES_MAX)])), Err(Refused::Unreadable)));
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "(v=0|m=video|m=audio|a=rtpmap:|a=fmtp:|[ -~]|\r\n| ){0,60}") {
            let _ = checked(&text);
        }
    }
}
