//! Sample descriptions: which codec, and whether it is the form of it that plays everywhere.

use super::boxes::{children, find};
use super::{Found, Mp4Error};
use crate::media::codec::{AudioConfig, VideoConfig};
use bytes::Bytes;

/// What to export as, for whoever sees a refusal.
const VIDEO: &str = "H.264 (8-bit, 4:2:0), which every browser plays";
const AUDIO: &str = "AAC (AAC-LC)";

/// Bytes before the boxes of a visual sample entry (ISO 14496-12, 12.1.3).
const VISUAL_HEAD: usize = 78;

/// H.264 profiles that have 8 bits and 4:2:0 only: baseline, main, extended, high.
const PROFILES: [u8; 4] = [66, 77, 88, 100];

fn refuse(found: impl Into<Found>, needed: &'static str) -> Mp4Error {
    Mp4Error::Codec { found: found.into(), needed }
}

/// The first entry's name and body.
fn entry(stsd: &[u8]) -> Result<(&[u8; 4], &[u8]), Mp4Error> {
    let broken = Mp4Error::Broken { what: "a track without a description" };
    children(stsd.get(8..).unwrap_or_default()).next().ok_or(broken)
}

pub(super) fn video(stsd: &[u8]) -> Result<VideoConfig, Mp4Error> {
    let (name, body) = entry(stsd)?;
    let found = match name {
        b"avc1" | b"avc3" => {
            let broken = Mp4Error::Broken { what: "the H.264 configuration" };
            let avcc = body.get(VISUAL_HEAD..).and_then(|boxes| find(boxes, b"avcC")).ok_or(broken.clone())?;
            let config = VideoConfig::parse(&Bytes::copy_from_slice(avcc)).map_err(|_| broken)?;
            return match avcc.get(1) {
                Some(profile) if PROFILES.contains(profile) => Ok(config),
                Some(110) => Err(refuse("H.264 with 10 bits", VIDEO)),
                Some(_) | None => Err(refuse("H.264 with a colour format for studios", VIDEO)),
            };
        }
        b"hvc1" | b"hev1" | b"dvh1" | b"dvhe" => "HEVC (H.265)".into(),
        b"av01" => "AV1".into(),
        b"vp08" | b"vp09" => "VP8 or VP9".into(),
        b"apch" | b"apcn" | b"apcs" | b"apco" | b"ap4h" | b"ap4x" => "ProRes".into(),
        b"mp4v" => "MPEG-4 video".into(),
        b"jpeg" | b"mjpa" | b"mjpb" => "Motion JPEG".into(),
        other => unknown("video", other),
    };
    Err(refuse(found, VIDEO))
}

pub(super) fn audio(stsd: &[u8]) -> Result<AudioConfig, Mp4Error> {
    let (name, body) = entry(stsd)?;
    let found = match name {
        b"mp4a" => {
            // QuickTime wrote longer heads (QuickTime File Format, sound sample descriptions 1 and 2).
            let head = match body.get(8..10) {
                Some([0, 1]) => 44,
                Some([0, 2]) => 64,
                _ => 28,
            };
            let boxes = body.get(head..).unwrap_or_default();
            let boxes = find(boxes, b"wave").unwrap_or(boxes);
            return esds(find(boxes, b"esds").unwrap_or_default());
        }
        b".mp3" => "MP3 sound".into(),
        b"ac-3" | b"ec-3" => "Dolby sound".into(),
        b"alac" => "Apple Lossless sound".into(),
        b"Opus" => "Opus sound".into(),
        b"fLaC" => "FLAC sound".into(),
        b"sowt" | b"twos" | b"lpcm" | b"in24" | b"ipcm" => "uncompressed sound".into(),
        other => unknown("sound", other),
    };
    Err(refuse(found, AUDIO))
}

fn unknown(what: &str, name: &[u8; 4]) -> Found {
    let name: String =
        name.iter().map(|byte| char::from(*byte)).filter(|letter| letter.is_ascii_alphanumeric()).collect();
    format!("{what} of the kind “{name}”").into()
}

/// The decoder's configuration within an ES descriptor (ISO 14496-1, 7.2.6).
fn esds(body: &[u8]) -> Result<AudioConfig, Mp4Error> {
    let broken = Mp4Error::Broken { what: "the AAC configuration" };
    let mut rest = body.get(4..).ok_or(broken.clone())?;
    let (mut object, mut asc) = (None, None);
    while let Some((tag, content, after)) = descriptor(rest) {
        rest = match tag {
            // ES_Descriptor: an id, and flags that say what stands before the next descriptor.
            3 => {
                let flags = content.get(2).copied().unwrap_or(0);
                let url = if flags & 0x40 == 0 { 0 } else { 1 + usize::from(content.get(3).copied().unwrap_or(0)) };
                let skipped = 3 + 2 * usize::from(flags >> 7) + url + 2 * usize::from(flags >> 5 & 1);
                content.get(skipped..).unwrap_or_default()
            }
            4 => {
                object = content.first().copied();
                content.get(13..).unwrap_or_default()
            }
            5 => {
                asc = Some(content);
                &[]
            }
            _ => after,
        };
    }
    match object {
        Some(0x40 | 0x66..=0x68) => {}
        Some(0x69 | 0x6b) => return Err(refuse("MP3 sound", AUDIO)),
        Some(_) => return Err(refuse("sound that is not AAC", AUDIO)),
        None => return Err(broken),
    }
    let config = AudioConfig::parse(&Bytes::copy_from_slice(asc.ok_or(broken.clone())?)).map_err(|_| broken)?;
    if config.object_type == 2 { Ok(config) } else { Err(refuse("HE-AAC or another AAC than AAC-LC", AUDIO)) }
}

/// A descriptor's tag and content, and what follows it; a length that is too long is cut.
fn descriptor(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, mut rest) = bytes.split_first()?;
    let mut length = 0_usize;
    for _ in 0..4 {
        let (byte, after) = rest.split_first()?;
        rest = after;
        length = length << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    let (content, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
    Some((*tag, content, after))
}
