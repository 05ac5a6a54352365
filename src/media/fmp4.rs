//! PURE: fragmented MP4 (ISO 14496-12) as CMAF wants it: one init segment, then a moof and an mdat a fragment.
//!
//! `default-base-is-moof`, 64-bit decode times and signed composition offsets throughout, so that B-frames and programs
//! of any length need no second form.

pub mod read;

use super::Frame;
use super::codec::{AudioConfig, VideoConfig};
use bytes::Bytes;

/// The video track's id in every init segment.
pub const VIDEO_TRACK: u32 = 1;
/// The audio track's id in every init segment.
pub const AUDIO_TRACK: u32 = 2;

/// sample_depends_on = 2: needs no other sample.
const FLAGS_SYNC: u32 = 0x0200_0000;
/// sample_depends_on = 1 and sample_is_non_sync_sample.
const FLAGS_NON_SYNC: u32 = 0x0101_0000;

/// Flags of `tfhd`.
const DEFAULT_BASE_IS_MOOF: u32 = 0x02_0000;
const SAMPLE_DESCRIPTION: u32 = 0x02;
/// Flags of `trun`: data offset, and of each sample duration, size, flags and composition offset.
const RUN_FLAGS: u32 = 0xf01;

/// One sample of a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Until the next sample, in the track's ticks.
    pub duration: u32,
    /// Presentation minus decoding time, in the track's ticks.
    pub offset: i32,
    /// Decoding can start here.
    pub keyframe: bool,
    /// The coded bytes.
    pub data: Bytes,
}

/// The samples of one track in one fragment.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// [`VIDEO_TRACK`] or [`AUDIO_TRACK`].
    pub track: u32,
    /// Of the first sample, in the track's ticks.
    pub decode_time: u64,
    /// In decoding order.
    pub samples: &'a [Sample],
}

/// Appends a box whose size is filled in after its body is written.
fn boxed(out: &mut Vec<u8>, name: &[u8; 4], body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(name);
    body(out);
    let size = saturate(out.len() - start).to_be_bytes();
    if let Some(field) = out.get_mut(start..start + 4) {
        field.copy_from_slice(&size);
    }
}

fn full(out: &mut Vec<u8>, name: &[u8; 4], version: u8, flags: u32, body: impl FnOnce(&mut Vec<u8>)) {
    boxed(out, name, |out| {
        put(out, (u32::from(version) << 24) | flags);
        body(out);
    });
}

fn put(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

fn zeros(out: &mut Vec<u8>, count: usize) {
    out.resize(out.len() + count, 0);
}

/// Sizes are bounded far below 4 GiB by the packager's limits.
fn saturate(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// The identity transformation of `mvhd` and `tkhd`.
fn matrix(out: &mut Vec<u8>) {
    for value in [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000] {
        put(out, value);
    }
}

/// Writes an init segment with one video and one audio track.
pub fn init(video: &VideoConfig, audio: &AudioConfig) -> Bytes {
    movie(std::slice::from_ref(video), audio, 0)
}

/// Writes the head of a film whose pictures change their configuration: [`described`] says which a fragment has. The film
/// lasts `length_ms`.
pub fn head(videos: &[VideoConfig], audio: &AudioConfig, length_ms: u64) -> Bytes {
    movie(videos, audio, length_ms)
}

/// Writes an init segment with one audio track.
pub fn init_sound(audio: &AudioConfig) -> Bytes {
    movie(&[], audio, 0)
}

/// A movie without samples; without a video track if there is no configuration for it, and of a length that is not known if
/// that is 0.
fn movie(videos: &[VideoConfig], audio: &AudioConfig, length_ms: u64) -> Bytes {
    let mut out = Vec::with_capacity(1_200 + videos.iter().map(|video| video.avcc.len() + 100).sum::<usize>());
    let largest = videos.iter().map(|video| (video.width, video.height)).max_by_key(|(width, height)| width * height);
    boxed(&mut out, b"ftyp", |out| out.extend_from_slice(b"iso6\0\0\0\x01iso6cmfcmp41"));
    boxed(&mut out, b"moov", |out| {
        full(out, b"mvhd", 0, 0, |out| {
            zeros(out, 8);
            put(out, 1_000);
            put(out, 0);
            put(out, 0x0001_0000);
            put16(out, 0x0100);
            zeros(out, 10);
            matrix(out);
            zeros(out, 24);
            put(out, AUDIO_TRACK + 1);
        });
        if largest.is_some() {
            track(out, VIDEO_TRACK, Frame::TIMESCALE, largest, videos.len(), |out| {
                videos.iter().for_each(|video| avc1(out, video));
            });
        }
        track(out, AUDIO_TRACK, audio.sample_rate, None, 1, |out| mp4a(out, audio));
        boxed(out, b"mvex", |out| {
            if length_ms > 0 {
                full(out, b"mehd", 1, 0, |out| out.extend_from_slice(&length_ms.to_be_bytes()));
            }
            for id in largest.map(|_| VIDEO_TRACK).into_iter().chain([AUDIO_TRACK]) {
                full(out, b"trex", 0, 0, |out| {
                    put(out, id);
                    put(out, 1);
                    zeros(out, 12);
                });
            }
        });
    });
    out.into()
}

fn track(
    out: &mut Vec<u8>,
    id: u32,
    timescale: u32,
    size: Option<(u32, u32)>,
    count: usize,
    entries: impl FnOnce(&mut Vec<u8>),
) {
    let (width, height) = size.unwrap_or((0, 0));
    boxed(out, b"trak", |out| {
        full(out, b"tkhd", 0, 7, |out| {
            zeros(out, 8);
            put(out, id);
            zeros(out, 16);
            put16(out, 0);
            put16(out, 0);
            put16(out, if size.is_some() { 0 } else { 0x0100 });
            put16(out, 0);
            matrix(out);
            put(out, width << 16);
            put(out, height << 16);
        });
        boxed(out, b"mdia", |out| {
            full(out, b"mdhd", 0, 0, |out| {
                zeros(out, 8);
                put(out, timescale);
                put(out, 0);
                // The language is "und": three five-bit letters.
                put16(out, 0x55c4);
                put16(out, 0);
            });
            full(out, b"hdlr", 0, 0, |out| {
                put(out, 0);
                out.extend_from_slice(if size.is_some() { b"vide" } else { b"soun" });
                zeros(out, 13);
            });
            boxed(out, b"minf", |out| {
                if size.is_some() {
                    full(out, b"vmhd", 0, 1, |out| zeros(out, 8));
                } else {
                    full(out, b"smhd", 0, 0, |out| zeros(out, 4));
                }
                boxed(out, b"dinf", |out| {
                    full(out, b"dref", 0, 0, |out| {
                        put(out, 1);
                        full(out, b"url ", 0, 1, |_| {});
                    });
                });
                boxed(out, b"stbl", |out| {
                    full(out, b"stsd", 0, 0, |out| {
                        put(out, saturate(count));
                        entries(out);
                    });
                    full(out, b"stts", 0, 0, |out| put(out, 0));
                    full(out, b"stsc", 0, 0, |out| put(out, 0));
                    full(out, b"stsz", 0, 0, |out| zeros(out, 8));
                    full(out, b"stco", 0, 0, |out| put(out, 0));
                });
            });
        });
    });
}

fn avc1(out: &mut Vec<u8>, video: &VideoConfig) {
    boxed(out, b"avc1", |out| {
        zeros(out, 6);
        put16(out, 1);
        zeros(out, 16);
        put16(out, u16::try_from(video.width).unwrap_or(u16::MAX));
        put16(out, u16::try_from(video.height).unwrap_or(u16::MAX));
        put(out, 0x0048_0000);
        put(out, 0x0048_0000);
        put(out, 0);
        put16(out, 1);
        zeros(out, 32);
        put16(out, 0x0018);
        put16(out, 0xffff);
        boxed(out, b"avcC", |out| out.extend_from_slice(&video.avcc));
    });
}

fn mp4a(out: &mut Vec<u8>, audio: &AudioConfig) {
    boxed(out, b"mp4a", |out| {
        zeros(out, 6);
        put16(out, 1);
        zeros(out, 8);
        put16(out, audio.channels);
        put16(out, 16);
        zeros(out, 4);
        // 16.16 fixed point holds rates up to 65,535; decoders take the real one from the configuration.
        put(out, u32::from(u16::try_from(audio.sample_rate).unwrap_or(0)) << 16);
        full(out, b"esds", 0, 0, |out| {
            let asc = u8::try_from(audio.asc.len()).unwrap_or(u8::MAX).min(ASC_BYTES_MAX);
            let asc_bytes = audio.asc.get(..usize::from(asc)).unwrap_or_default();
            // ES_Descriptor, DecoderConfigDescriptor, DecoderSpecificInfo, SLConfigDescriptor (ISO 14496-1, 7.2.6).
            out.extend_from_slice(&[3, 23 + asc, 0, 0, 0]);
            out.extend_from_slice(&[4, 15 + asc, 0x40, 0x15, 0, 0, 0]);
            zeros(out, 8);
            out.extend_from_slice(&[5, asc]);
            out.extend_from_slice(asc_bytes);
            out.extend_from_slice(&[6, 1, 2]);
        });
    });
}

/// Descriptor lengths are written in one byte, of which seven bits count; real configurations have 2 to 7 bytes.
const ASC_BYTES_MAX: u8 = 64;

/// Writes one fragment.
pub fn fragment(sequence: u32, runs: &[Run<'_>]) -> Bytes {
    described(sequence, runs, 1)
}

/// Writes one fragment whose pictures have the configuration of this number, counted from 1, in [`head`].
pub fn described(sequence: u32, runs: &[Run<'_>], description: u32) -> Bytes {
    let payload: usize = runs.iter().flat_map(|run| run.samples).map(|sample| sample.data.len()).sum();
    let count: usize = runs.iter().map(|run| run.samples.len()).sum();
    let mut out = Vec::with_capacity(payload + count * 16 + 256);
    let mut offsets = Vec::new();
    boxed(&mut out, b"moof", |out| {
        full(out, b"mfhd", 0, 0, |out| put(out, sequence));
        for run in runs.iter().filter(|run| !run.samples.is_empty()) {
            boxed(out, b"traf", |out| {
                let named = if run.track == VIDEO_TRACK && description > 1 { SAMPLE_DESCRIPTION } else { 0 };
                full(out, b"tfhd", 0, DEFAULT_BASE_IS_MOOF | named, |out| {
                    put(out, run.track);
                    if named > 0 {
                        put(out, description);
                    }
                });
                full(out, b"tfdt", 1, 0, |out| out.extend_from_slice(&run.decode_time.to_be_bytes()));
                // Version 1 signs the composition offset.
                full(out, b"trun", 1, RUN_FLAGS, |out| {
                    put(out, saturate(run.samples.len()));
                    offsets.push(out.len());
                    put(out, 0);
                    for sample in run.samples {
                        put(out, sample.duration);
                        put(out, saturate(sample.data.len()));
                        put(out, if sample.keyframe { FLAGS_SYNC } else { FLAGS_NON_SYNC });
                        out.extend_from_slice(&sample.offset.to_be_bytes());
                    }
                });
            });
        }
    });
    let mut data_at = out.len() + 8;
    for (run, field_at) in runs.iter().filter(|run| !run.samples.is_empty()).zip(offsets) {
        if let Some(field) = out.get_mut(field_at..field_at + 4) {
            field.copy_from_slice(&saturate(data_at).to_be_bytes());
        }
        data_at += run.samples.iter().map(|sample| sample.data.len()).sum::<usize>();
    }
    boxed(&mut out, b"mdat", |out| {
        for sample in runs.iter().flat_map(|run| run.samples) {
            out.extend_from_slice(&sample.data);
        }
    });
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_points_at_its_samples() {
        let sample = |text: &'static [u8]| Sample {
            duration: 3_000,
            offset: -1,
            keyframe: true,
            data: Bytes::from_static(text),
        };
        let (video, audio) = ([sample(b"picture")], [sample(b"so"), sample(b"und")]);
        let bytes = fragment(
            7,
            &[
                Run { track: VIDEO_TRACK, decode_time: 90_000, samples: &video },
                Run { track: AUDIO_TRACK, decode_time: 48_000, samples: &audio },
            ],
        );
        let at32 = |at: usize| usize::try_from(u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())).unwrap();
        let text = |at: usize, length: usize| &bytes[at..at + length];
        let offsets: Vec<usize> = bytes
            .windows(4)
            .enumerate()
            .filter(|(_, window)| *window == b"trun")
            .map(|(at, _)| at32(at + 12))
            .collect();
        assert_eq!((text(offsets[0], 7), text(offsets[1], 5)), (&b"picture"[..], &b"sound"[..]));
        let moof = at32(0);
        assert_eq!(text(moof + 4, 4), b"mdat");
    }
}
