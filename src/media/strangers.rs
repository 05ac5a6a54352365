//! Doors through which fuzzers come in: each takes any bytes, as the network gives them. `tests/fuzz` has a target a door.

use super::codec::annexb;
use super::codec::flv;
use super::codec::mp4::{self, Movie};
use super::codec::silence::is_silent;
use super::codec::{AudioConfig, VideoConfig};
use super::ingest::{rtmp, whip};
use super::transcode::{Transcoder, Uniform};
use bytes::Bytes;

/// Frames of sound that one input may hold.
const SOUNDS_MAX: usize = 64;

/// A way in.
pub type Door = fn(&[u8]);

/// Every door by the name of its target.
pub const DOORS: &[(&str, Door)] = &[
    ("rtmp", rtmp_bytes),
    ("offer", offer),
    ("stun", stun),
    ("flv", flv_file),
    ("tags", tags),
    ("configs", configs),
    ("annexb", annexb_stream),
    ("mp4", mp4_file),
    ("opus", opus),
    ("aac", aac),
];

/// A connection's bytes. The first says in how large pieces the others come.
pub fn rtmp_bytes(bytes: &[u8]) {
    let Some((step, rest)) = bytes.split_first() else { return };
    rtmp::take_any(rest, usize::from(*step).saturating_add(1));
}

/// An SDP offer.
pub fn offer(bytes: &[u8]) {
    whip::take_any_offer(&String::from_utf8_lossy(bytes));
}

/// A datagram.
pub fn stun(bytes: &[u8]) {
    whip::take_any_datagram(bytes);
}

/// A file of FLV, with what its tags hold.
pub fn flv_file(bytes: &[u8]) {
    for tag in flv::tags(&Bytes::copy_from_slice(bytes)).unwrap_or_default() {
        tags(&tag.payload);
    }
}

/// An RTMP message of sound or picture.
pub fn tags(bytes: &[u8]) {
    let payload = Bytes::copy_from_slice(bytes);
    for body in [flv::video(&payload), flv::audio(&payload)].into_iter().flatten() {
        if let flv::Body::Config(config) = body {
            configs(&config);
        }
    }
}

/// A decoder's configuration, or a frame of sound.
pub fn configs(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    let video = VideoConfig::parse(&bytes).map(|config| config.codec_string());
    let audio = AudioConfig::parse(&bytes).map(|config| config.describe());
    std::hint::black_box((video.ok(), audio.ok(), is_silent(&bytes)));
}

/// Pictures with start codes, cut at each 0xff.
pub fn annexb_stream(bytes: &[u8]) {
    let mut reader = annexb::Reader::default();
    for unit in bytes.split(|byte| *byte == 0xff) {
        std::hint::black_box((reader.read(unit), reader.take_config().is_ok()));
    }
}

/// A file's index.
pub fn mp4_file(bytes: &[u8]) {
    let _ = mp4::head(bytes);
    let _ = Movie::parse(bytes, u64::MAX / 2);
}

/// Packets of sound, each behind its length in a byte.
pub fn opus(bytes: &[u8]) {
    let Some(mut transcoder) = Transcoder::new() else { return };
    let mut rest = bytes;
    for at in 0..SOUNDS_MAX {
        let Some((length, after)) = rest.split_first() else { return };
        let (packet, after) = after.split_at(usize::from(*length).min(after.len()));
        let at = i64::try_from(at).unwrap_or(0).saturating_mul(1_800);
        std::hint::black_box(transcoder.push(packet, at));
        rest = after;
    }
}

/// Frames of AAC that are made into another format, each behind its length in two bytes; the first byte says which it is.
pub fn aac(bytes: &[u8]) {
    const CONFIGS: [&[u8]; 4] = [&[0x12, 0x08], &[0x11, 0x90], &[0x14, 0x10], &[0x2b, 0x0a, 0x88, 0x00]];
    let Some((which, mut rest)) = bytes.split_first() else { return };
    let asc = CONFIGS.get(usize::from(*which) % CONFIGS.len()).copied().unwrap_or_default();
    let Ok(config) = AudioConfig::parse(&Bytes::from_static(asc)) else { return };
    let mut uniform = Uniform::default();
    uniform.join(&config);
    for at in 0..SOUNDS_MAX {
        let Some((length, after)) = rest.split_first_chunk::<2>() else { return };
        let (frame, after) = after.split_at(usize::from(u16::from_be_bytes(*length)).min(after.len()));
        let at = i64::try_from(at).unwrap_or(0).saturating_mul(1_100);
        std::hint::black_box(uniform.push(frame, at));
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// What fuzzing has found worth keeping goes through on every run.
    #[test]
    fn every_kept_input_is_taken_without_a_panic() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds");
        for (name, door) in DOORS {
            let folder = std::fs::read_dir(seeds.join(name)).unwrap_or_else(|_| panic!("{name} has no seeds"));
            let files: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
            assert!(!files.is_empty(), "{name} has no seeds");
            for file in files {
                door(&std::fs::read(&file).unwrap());
            }
        }
    }
}
