// Sound is made and measured here.
#![allow(clippy::as_conversions, clippy::float_arithmetic)]

use super::*;
use crate::media::transcode::tests::heard;
use bytes::Bytes;
use proptest::prelude::*;
use std::process::Command;

/// How loud the tone is: an eighth of full scale, and ffmpeg makes it 3 dB quieter where it spreads it to two channels.
const LOUD: f64 = 4_096.0;

/// ffmpeg's AAC of a tone of 997 Hz, as raw frames; its encoder is 1,024 samples late.
fn tone(hertz: u32, channels: u16, extra: &[&str]) -> (AudioConfig, Vec<Vec<u8>>) {
    let source = format!("sine=frequency=997:sample_rate={hertz}:duration=4");
    let output = Command::new("ffmpeg")
        .args([
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            &source,
            "-ac",
            &channels.to_string(),
            "-c:a",
            "aac",
            "-b:a",
            "128k",
        ])
        .args(extra)
        .args(["-f", "adts", "pipe:1"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (mut rest, mut frames) = (&output.stdout[..], Vec::new());
    let head: &[u8; 7] = rest.first_chunk().unwrap();
    let asc = [(2 << 3) | ((head[2] >> 3) & 7), ((head[2] << 5) & 0x80) | (channels as u8) << 3];
    while let Some(head) = rest.first_chunk::<7>() {
        let length = usize::from(head[3] & 3) << 11 | usize::from(head[4]) << 3 | usize::from(head[5] >> 5);
        frames.push(rest[7..length].to_vec());
        rest = &rest[length..];
    }
    (AudioConfig::parse(&Bytes::copy_from_slice(&asc)).unwrap(), frames)
}

/// The frames of a stream, its first at `from` on the line.
fn uniform(to: &mut Uniform, audio: &AudioConfig, frames: &[Vec<u8>], from: i64) -> Vec<Sound> {
    assert!(to.join(audio));
    let place = |n: usize| from + n as i64 * 1_024 * SAMPLE_RATE / i64::from(audio.sample_rate);
    frames.iter().enumerate().flat_map(|(n, frame)| to.push(frame, place(n))).collect()
}

/// How far the tone that ffmpeg hears lies from where it should, in samples of 48 kHz, and how loud it is. The tone began at
/// `begun` on the line; it is looked at from `from` on for half a second.
fn tone_at(heard: &[f64], first: i64, begun: i64, from: i64) -> (f64, f64) {
    let step = 997.0 / 48_000.0 * std::f64::consts::TAU;
    let (mut sine, mut cosine) = (0.0, 0.0);
    for place in from..from + 24_000 {
        let sample = heard[usize::try_from(place - first).unwrap()];
        let angle = (place - begun) as f64 * step;
        sine += sample * angle.sin();
        cosine += sample * angle.cos();
    }
    (cosine.atan2(sine) / step, sine.hypot(cosine) / 12_000.0)
}

#[test]
fn a_tone_of_any_rate_comes_out_in_its_place() {
    for (hertz, channels) in [(44_100, 1), (44_100, 2), (48_000, 1), (22_050, 1), (96_000, 2), (32_000, 2)] {
        let (audio, frames) = tone(hertz, channels, &[]);
        let mut to = Uniform::default();
        let mut sounds = uniform(&mut to, &audio, &frames, 5_000);
        sounds.extend(to.finish());
        assert!(sounds.windows(2).all(|pair| pair[1].at - pair[0].at == 1_024) && sounds[0].at == 4_096);
        let begun = 5_000 + 1_024 * SAMPLE_RATE / i64::from(hertz);
        let (off, loud) = tone_at(&heard(&sounds), sounds[0].at, begun, 60_000);
        let should = if channels == 2 { LOUD / 2_f64.sqrt() } else { LOUD };
        assert!(
            off.abs() < 1.0 && (loud / should - 1.0).abs() < 0.02,
            "{hertz} {channels}: {off:.2} samples, {loud:.0}"
        );
    }
}

#[test]
fn streams_follow_each_other_on_one_line() {
    let (one, two) = (tone(44_100, 1, &[]), tone(22_050, 2, &[]));
    let mut to = Uniform::default();
    let mut sounds = uniform(&mut to, &one.0, &one.1[..86], 0);
    // It begins a little before the first one has ended, and then pauses for two seconds.
    sounds.extend(uniform(&mut to, &two.0, &two.1[..30], 95_000));
    sounds.extend(uniform(&mut to, &one.0, &one.1, 400_000));
    sounds.extend(to.finish());
    assert!(sounds.windows(2).all(|pair| pair[1].at - pair[0].at == 1_024), "no hole, and nothing twice");
    let all = heard(&sounds);
    for (hertz, begun, from) in [(44_100, 0, 20_000), (22_050, 95_000, 110_000), (44_100, 400_000, 420_000)] {
        let (off, loud) = tone_at(&all, 0, begun + 1_024 * SAMPLE_RATE / hertz, from);
        assert!(off.abs() < 1.0 && loud > LOUD * 0.69, "{begun}: {off:.2} samples, {loud:.0}");
    }
    assert!(all[250_000..380_000].iter().all(|sample| sample.abs() < 3.0), "the pause is silent");
}

#[test]
fn what_is_lost_is_silent_and_what_is_of_another_kind_is_not_taken() {
    let (audio, frames) = tone(44_100, 1, &[]);
    let mut to = Uniform::default();
    assert!(to.join(&audio));
    let place = |n: usize| n as i64 * 1_024 * SAMPLE_RATE / 44_100;
    let arrives = |n: &usize| !(60..90).contains(n);
    let mut sounds: Vec<Sound> =
        (0..frames.len()).filter(arrives).flat_map(|n| to.push(&frames[n], place(n))).collect();
    sounds.extend(to.finish());
    let all = heard(&sounds);
    let (off, loud) = tone_at(&all, sounds[0].at, place(1), place(100));
    assert!(off.abs() < 2.0 && loud > LOUD * 0.98, "{off:.2} samples, {loud:.0}");
    let config = |asc: &'static [u8]| AudioConfig::parse(&Bytes::from_static(asc)).unwrap();
    assert!(!Uniform::reads(&config(&[0x11, 0xb0])), "six channels");
    assert!(!Uniform::reads(&config(&[0x09, 0x90])), "AAC Main");
    assert!(Uniform::reads(&config(&[0x2b, 0x0a, 0x88, 0x00])), "HE-AAC, of which the lower half is heard");
}

proptest! {
    #[test]
    fn any_bytes_are_answered(
        which in 0_usize..3,
        changes in prop::collection::vec((0_usize..12, 0_usize..400, any::<u8>()), 0..40),
        rest in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..600), any::<i32>()), 0..12),
    ) {
        static TONES: std::sync::OnceLock<[(AudioConfig, Vec<Vec<u8>>); 3]> = std::sync::OnceLock::new();
        let noisy = ["-filter:a", "tremolo=f=9:d=0.9,aecho"];
        let tones = TONES.get_or_init(|| [tone(44_100, 1, &noisy), tone(48_000, 2, &noisy), tone(16_000, 2, &noisy)]);
        let (audio, frames) = &tones[which];
        let mut frames = frames[..12].to_vec();
        for (frame, at, byte) in changes {
            if let Some(there) = frames[frame].get_mut(at) {
                *there = byte;
            }
        }
        let mut to = Uniform::default();
        to.join(audio);
        for (n, frame) in frames.iter().enumerate() {
            to.push(frame, n as i64 * 1_024);
        }
        for (frame, at) in rest {
            to.push(&frame, i64::from(at));
        }
        prop_assert!(to.finish().len() < 8);
    }
}
