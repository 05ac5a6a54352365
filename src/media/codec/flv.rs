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

/// Most tracks that are read of one message.
const TRACKS_MAX: usize = 16;

/// Reads the video message's payload of a source with one picture.
///
/// # Errors
/// [`CodecError`] if it is cut off.
pub fn video(payload: &Bytes) -> Result<Body, CodecError> {
    let first = pictures(payload)?.into_iter().find(|(track, _)| *track == 0);
    Ok(first.map_or(Body::Nothing, |(_, body)| body))
}

/// Reads a video message's payload: what it holds of each track, by number. Of the tracks beside the first one that can't be read
/// is left out: it costs the source that quality alone.
///
/// # Errors
/// [`CodecError`] if it is cut off.
pub fn pictures(payload: &Bytes) -> Result<Vec<(u8, Body)>, CodecError> {
    match payload.first() {
        Some(&head) if head & 0x80 != 0 => enhanced_video(payload, head),
        _ => Ok(vec![(0, plain_video(payload)?)]),
    }
}

fn plain_video(payload: &Bytes) -> Result<Body, CodecError> {
    // Encoders send empty messages as keep-alive.
    let Some(&head) = payload.first() else { return Ok(Body::Nothing) };
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

fn enhanced_video(payload: &Bytes, head: u8) -> Result<Vec<(u8, Body)>, CodecError> {
    if (head >> 4) & 7 == 5 {
        return Ok(Vec::new());
    }
    let keyframe = (head >> 4) & 7 == 1;
    let tracks = enhanced(payload, VIDEO_MULTITRACK, SHORT_VIDEO)?.into_iter();
    let bodies = tracks.map(|enhanced| (enhanced.track, enhanced_picture(enhanced, keyframe)));
    bodies.filter(|(track, body)| *track == 0 || body.is_ok()).map(|(track, body)| Ok((track, body?))).collect()
}

fn enhanced_picture(Enhanced { packet, codec, body, .. }: Enhanced, keyframe: bool) -> Result<Body, CodecError> {
    match &codec {
        b"avc1" => {}
        b"hvc1" => return Ok(Body::Foreign("HEVC (H.265)")),
        b"av01" => return Ok(Body::Foreign("AV1")),
        b"vp09" => return Ok(Body::Foreign("VP9")),
        b"vp08" => return Ok(Body::Foreign("VP8")),
        b"vvc1" => return Ok(Body::Foreign("VVC (H.266)")),
        _ => return Ok(Body::Foreign("an unknown video codec")),
    }
    match packet {
        0 => Ok(Body::Config(body)),
        1 => Ok(Body::Picture { keyframe, offset_ms: offset(&body, 0)?, data: tail(&body, 3, SHORT_VIDEO)? }),
        3 => Ok(Body::Picture { keyframe, offset_ms: 0, data: body }),
        _ => Ok(Body::Nothing),
    }
}

/// What an enhanced message says of a track.
struct Enhanced {
    track: u8,
    packet: u8,
    codec: [u8; 4],
    body: Bytes,
}

/// Packet types of Enhanced RTMP v2: several tracks in one message, which sound and pictures number differently, and a
/// modifier before the packet's real type.
const VIDEO_MULTITRACK: u8 = 6;
const AUDIO_MULTITRACK: u8 = 5;
const MODIFIER: u8 = 7;

/// How several tracks stand in a message: one of them alone, or many, each with a codec of its own.
const ONE_TRACK: u8 = 0;
const MANY_CODECS: u8 = 2;

/// Modifiers of one message; two are defined, and each takes three bytes at least.
const MODIFIERS_MAX: usize = 8;

/// Reads what stands behind an enhanced header's first byte, of each track.
fn enhanced(payload: &Bytes, multitrack: u8, short: CodecError) -> Result<Vec<Enhanced>, CodecError> {
    let mut rest = payload.clone();
    let [head] = take(&mut rest, short)?;
    let mut packet = head & 0x0f;
    for _ in 0..MODIFIERS_MAX {
        if packet != MODIFIER {
            break;
        }
        let [size] = take(&mut rest, short)?;
        let size = match usize::from(size) + 1 {
            256 => usize::from(u16::from_be_bytes(take(&mut rest, short)?)) + 1,
            size => size,
        };
        rest = tail(&rest, size, short)?;
        let [kind] = take(&mut rest, short)?;
        packet = kind & 0x0f;
    }
    if packet != multitrack {
        let codec = take(&mut rest, short)?;
        return Ok(vec![Enhanced { track: 0, packet, codec, body: rest }]);
    }
    let [kind] = take(&mut rest, short)?;
    let (tracks, packet) = (kind >> 4, kind & 0x0f);
    let shared = if tracks == MANY_CODECS { None } else { Some(take(&mut rest, short)?) };
    let mut found = Vec::new();
    while !rest.is_empty() && found.len() < TRACKS_MAX {
        let codec = match shared {
            Some(codec) => codec,
            None => take(&mut rest, short)?,
        };
        let [track] = take(&mut rest, short)?;
        let body = if tracks == ONE_TRACK {
            std::mem::take(&mut rest)
        } else {
            let [a, b, c] = take(&mut rest, short)?;
            let size = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
            let after = tail(&rest, size, short)?;
            std::mem::replace(&mut rest, after).slice(..size)
        };
        found.push(Enhanced { track, packet, codec, body });
    }
    Ok(found)
}

/// The next bytes.
fn take<const N: usize>(rest: &mut Bytes, short: CodecError) -> Result<[u8; N], CodecError> {
    let taken = *rest.first_chunk::<N>().ok_or(short)?;
    *rest = rest.slice(N..);
    Ok(taken)
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
        9 => {
            let tracks = enhanced(payload, AUDIO_MULTITRACK, SHORT_AUDIO)?;
            let Some(Enhanced { packet, codec, body, .. }) = tracks.into_iter().find(|one| one.track == 0) else {
                return Ok(Body::Nothing);
            };
            match (&codec, packet) {
                (b"mp4a", 0) => Ok(Body::Config(body)),
                (b"mp4a", 1) => Ok(Body::Sound(body)),
                (b"mp4a", _) => Ok(Body::Nothing),
                (b"Opus", _) => Ok(Body::Foreign("Opus")),
                (b".mp3", _) => Ok(Body::Foreign("MP3")),
                (b"fLaC", _) => Ok(Body::Foreign("FLAC")),
                (b"ac-3" | b"ec-3", _) => Ok(Body::Foreign("Dolby Digital")),
                _ => Ok(Body::Foreign("an unknown audio codec")),
            }
        }
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

    #[test]
    fn of_several_tracks_the_first_is_taken_and_the_others_refuse_nothing() {
        let check = |bytes: &'static [u8], body: Body| assert_eq!(video(&Bytes::from_static(bytes)).unwrap(), body);
        let nal = |keyframe, offset_ms| Body::Picture { keyframe, offset_ms, data: Bytes::from_static(b"nal") };
        // One track: the first, then another, whose codec does not matter.
        check(b"\x96\x01avc1\x00\x00\x00\x50nal", nal(true, 80));
        check(b"\x96\x01avc1\x01\x00\x00\x50nal", Body::Nothing);
        check(b"\x96\x01hvc1\x01\x00\x00\x50nal", Body::Nothing);
        check(b"\x96\x00avc1\x00record", Body::Config(Bytes::from_static(b"record")));
        // Many tracks of one codec, and of several.
        check(b"\xa6\x13avc1\x02\x00\x00\x02xx\x00\x00\x00\x03nal\x01\x00\x00\x01y", nal(false, 0));
        check(b"\xa6\x23hvc1\x01\x00\x00\x01yavc1\x00\x00\x00\x03nal", nal(false, 0));
        check(b"\xa6\x23hvc1\x00\x00\x00\x01y", Body::Foreign("HEVC (H.265)"));
        // A modifier, which says more of the time than is needed.
        check(b"\x97\x02\x00\x01\x02\x03avc1nal", nal(true, 0));
        let sound = |bytes: &'static [u8]| audio(&Bytes::from_static(bytes)).unwrap();
        assert_eq!(sound(b"\x95\x01mp4a\x00aac"), Body::Sound(Bytes::from_static(b"aac")));
        assert_eq!(sound(b"\x95\x01Opus\x01opus"), Body::Nothing);
        // What is cut off in another track is left out.
        check(b"\xa6\x11avc1\x00\x00\x00\x06\x00\x00\x00nal\x01\x00\x00\x02\x00\x00", nal(false, 0));
        check(b"\x96\x01avc1\x01\x00\x00", Body::Nothing);
        for cut in [
            &b"\x96"[..],
            b"\x96\x01avc1\x00\x00\x00",
            b"\x96\x13avc1\x00\x00\x00\x09nal",
            b"\x97\xff\xff",
            b"\x96\x01avc",
        ] {
            assert!(video(&Bytes::from_static(cut)).is_err(), "{cut:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let bytes = Bytes::from(bytes);
            let _ = (video(&bytes), audio(&bytes), tags(&bytes));
        }
    }
}
