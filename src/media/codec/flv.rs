//! FLV tags (Adobe, Video File Format 10.1, annex E) and Enhanced RTMP v2's headers: what an RTMP message carries.

use super::CodecError;
use bytes::Bytes;

/// What an audio or video message holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A new AVCDecoderConfigurationRecord or AudioSpecificConfig.
    Config(Bytes),
    /// One H.264 access unit.
    Picture {
        /// Decoding can start here.
        keyframe: bool,
        /// Presentation minus decoding time in ms.
        offset_ms: i32,
        /// Length-prefixed NAL units.
        data: Bytes,
    },
    /// One raw AAC frame.
    Sound(Bytes),
    /// Nothing to package: end of sequence, commands, metadata.
    Nothing,
    /// A codec that is not taken, by name.
    Foreign(&'static str),
}

const SHORT_VIDEO: CodecError = CodecError::Short { what: "video message" };
const SHORT_AUDIO: CodecError = CodecError::Short { what: "audio message" };

/// Reads a video message's payload.
///
/// # Errors
/// [`CodecError`] if it is cut off.
pub fn video(payload: &Bytes) -> Result<Body, CodecError> {
    // Encoders send empty messages as keep-alive.
    let Some(&head) = payload.first() else { return Ok(Body::Nothing) };
    if head & 0x80 != 0 {
        return enhanced_video(payload, head);
    }
    if head >> 4 == 5 {
        return Ok(Body::Nothing);
    }
    match head & 0x0f {
        7 => {}
        2 => return Ok(Body::Foreign("Sorenson H.263")),
        3 | 6 => return Ok(Body::Foreign("Screen Video")),
        4 | 5 => return Ok(Body::Foreign("VP6")),
        // Not in Adobe's table, but what several encoders sent before Enhanced RTMP.
        12 => return Ok(Body::Foreign("HEVC (H.265)")),
        13 => return Ok(Body::Foreign("AV1")),
        _ => return Ok(Body::Foreign("an unknown video codec")),
    }
    match payload.get(1).ok_or(SHORT_VIDEO)? {
        0 => Ok(Body::Config(tail(payload, 5, SHORT_VIDEO)?)),
        1 => Ok(Body::Picture {
            keyframe: head >> 4 == 1,
            offset_ms: offset(payload, 2)?,
            data: tail(payload, 5, SHORT_VIDEO)?,
        }),
        _ => Ok(Body::Nothing),
    }
}

fn enhanced_video(payload: &Bytes, head: u8) -> Result<Body, CodecError> {
    if (head >> 4) & 7 == 5 {
        return Ok(Body::Nothing);
    }
    let packet = head & 0x0f;
    match payload.get(1..5).ok_or(SHORT_VIDEO)? {
        b"avc1" => {}
        b"hvc1" => return Ok(Body::Foreign("HEVC (H.265)")),
        b"av01" => return Ok(Body::Foreign("AV1")),
        b"vp09" => return Ok(Body::Foreign("VP9")),
        b"vp08" => return Ok(Body::Foreign("VP8")),
        b"vvc1" => return Ok(Body::Foreign("VVC (H.266)")),
        // Multitrack and extended headers begin with other bytes than a codec's name.
        _ => return Ok(Body::Foreign("an unknown video codec")),
    }
    let keyframe = (head >> 4) & 7 == 1;
    match packet {
        0 => Ok(Body::Config(tail(payload, 5, SHORT_VIDEO)?)),
        1 => Ok(Body::Picture { keyframe, offset_ms: offset(payload, 5)?, data: tail(payload, 8, SHORT_VIDEO)? }),
        3 => Ok(Body::Picture { keyframe, offset_ms: 0, data: tail(payload, 5, SHORT_VIDEO)? }),
        _ => Ok(Body::Nothing),
    }
}

/// Reads an audio message's payload.
///
/// # Errors
/// [`CodecError`] if it is cut off.
pub fn audio(payload: &Bytes) -> Result<Body, CodecError> {
    let Some(&head) = payload.first() else { return Ok(Body::Nothing) };
    match head >> 4 {
        10 => match payload.get(1).ok_or(SHORT_AUDIO)? {
            0 => Ok(Body::Config(tail(payload, 2, SHORT_AUDIO)?)),
            _ => Ok(Body::Sound(tail(payload, 2, SHORT_AUDIO)?)),
        },
        9 => match (payload.get(1..5).ok_or(SHORT_AUDIO)?, head & 0x0f) {
            (b"mp4a", 0) => Ok(Body::Config(tail(payload, 5, SHORT_AUDIO)?)),
            (b"mp4a", 1) => Ok(Body::Sound(tail(payload, 5, SHORT_AUDIO)?)),
            (b"mp4a", _) => Ok(Body::Nothing),
            (b"Opus", _) => Ok(Body::Foreign("Opus")),
            (b".mp3", _) => Ok(Body::Foreign("MP3")),
            (b"fLaC", _) => Ok(Body::Foreign("FLAC")),
            (b"ac-3" | b"ec-3", _) => Ok(Body::Foreign("Dolby Digital")),
            _ => Ok(Body::Foreign("an unknown audio codec")),
        },
        2 | 14 => Ok(Body::Foreign("MP3")),
        11 => Ok(Body::Foreign("Speex")),
        4..=6 => Ok(Body::Foreign("Nellymoser")),
        7 | 8 => Ok(Body::Foreign("G.711")),
        0 | 1 | 3 => Ok(Body::Foreign("PCM")),
        _ => Ok(Body::Foreign("an unknown audio codec")),
    }
}

fn tail(payload: &Bytes, from: usize, short: CodecError) -> Result<Bytes, CodecError> {
    if payload.len() < from { Err(short) } else { Ok(payload.slice(from..)) }
}

/// A signed 24-bit number.
fn offset(payload: &Bytes, at: usize) -> Result<i32, CodecError> {
    match payload.get(at..at + 3) {
        Some(&[a, b, c]) => Ok(i32::from_be_bytes([a, b, c, 0]) >> 8),
        _ => Err(SHORT_VIDEO),
    }
}

/// One tag of an FLV file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// 8 audio, 9 video, 18 script.
    pub kind: u8,
    /// In ms from the file's start.
    pub timestamp_ms: u32,
    /// The message's payload.
    pub payload: Bytes,
}

/// Splits an FLV file into its tags; a cut-off last tag is left out.
///
/// # Errors
/// [`CodecError`] if the file does not begin as FLV.
pub fn tags(file: &Bytes) -> Result<Vec<Tag>, CodecError> {
    if file.get(..3) != Some(b"FLV") {
        return Err(CodecError::Unusable { what: "a file that is not FLV" });
    }
    let mut tags = Vec::new();
    // Nine bytes of header, then four of the size of the tag before the first.
    let mut at = 13_usize;
    while let Some(&[kind, s2, s1, s0, t2, t1, t0, t3, _, _, _]) = file.get(at..at + 11) {
        let size = usize::try_from(u32::from_be_bytes([0, s2, s1, s0])).unwrap_or(usize::MAX);
        let (from, to) = (at + 11, at + 11 + size);
        if to > file.len() {
            break;
        }
        let timestamp_ms = u32::from_be_bytes([t3, t2, t1, t0]);
        tags.push(Tag { kind: kind & 0x1f, timestamp_ms, payload: file.slice(from..to) });
        at = to + 4;
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_what_it_does_not_take() {
        let check = |body: Result<Body, CodecError>, name: &'static str| assert_eq!(body.unwrap(), Body::Foreign(name));
        check(video(&Bytes::from_static(b"\x90hvc1")), "HEVC (H.265)");
        check(video(&Bytes::from_static(b"\x90av01")), "AV1");
        check(video(&Bytes::from_static(b"\x1c\0\0\0\0")), "HEVC (H.265)");
        check(video(&Bytes::from_static(b"\x14\0")), "VP6");
        check(audio(&Bytes::from_static(b"\x2f\xff\xfb")), "MP3");
        check(audio(&Bytes::from_static(b"\xb2\0")), "Speex");
        check(audio(&Bytes::from_static(b"\x90Opus")), "Opus");
    }

    #[test]
    fn reads_h264_both_ways_with_negative_offsets() {
        let picture = Body::Picture { keyframe: true, offset_ms: -40, data: Bytes::from_static(b"nal") };
        assert_eq!(video(&Bytes::from_static(b"\x17\x01\xff\xff\xd8nal")).unwrap(), picture);
        assert_eq!(video(&Bytes::from_static(b"\x91avc1\xff\xff\xd8nal")).unwrap(), picture);
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let bytes = Bytes::from(bytes);
            let _ = (video(&bytes), audio(&bytes), tags(&bytes));
        }
    }
}
