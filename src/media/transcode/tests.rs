// Sound is made and measured here.
#![allow(clippy::as_conversions, clippy::float_arithmetic)]

use super::*;
use proptest::prelude::*;
use std::io::Write;
use std::process::{Command, Stdio};
use unsafe_libopus::{OPUS_APPLICATION_AUDIO, opus_encode, opus_encoder_create, opus_encoder_destroy};

const PACKET: usize = 960;

/// A sine of 997 Hz at half of full scale, by its sample's place.
fn sine(at: usize) -> f64 {
    (at as f64 * 997.0 / 48_000.0 * std::f64::consts::TAU).sin() * 16_384.0
}

/// Speech's outline: breath and voice, three syllables a second.
fn speech(at: usize) -> f64 {
    let seconds = at as f64 / 48_000.0;
    let voice = |harmonic: usize| (seconds * std::f64::consts::TAU * 140.0 * harmonic as f64).sin() / harmonic as f64;
    let breath = f64::from((at as u32).wrapping_mul(2_654_435_761) >> 20) - 2_048.0;
    ((1..12).map(voice).sum::<f64>() * 5_000.0 + breath) * (seconds * 18.85).sin().max(0.0)
}

/// libopus's encoder as a browser runs it.
#[allow(unsafe_code)]
fn opus_packets(sound: fn(usize) -> f64, packets: usize) -> Vec<Vec<u8>> {
    let mut error = 0;
    // SAFETY: as in C: the encoder lives until it is destroyed, and the buffers hold what is said.
    unsafe {
        let encoder = opus_encoder_create(48_000, 2, OPUS_APPLICATION_AUDIO, &raw mut error);
        assert_eq!(error, 0);
        let made = (0..packets).map(|packet| {
            let pcm: Vec<i16> = (0..2 * PACKET).map(|n| sound(packet * PACKET + n / 2) as i16).collect();
            let mut bytes = vec![0; 4_000];
            let count = opus_encode(encoder, pcm.as_ptr(), PACKET as i32, bytes.as_mut_ptr(), 4_000);
            bytes.truncate(usize::try_from(count).unwrap());
            bytes
        });
        let made = made.collect();
        opus_encoder_destroy(encoder);
        made
    }
}

/// What ffmpeg hears on the left, from the place of the first frame on.
pub(super) fn heard(sounds: &[Sound]) -> Vec<f64> {
    let mut ffmpeg = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "aac", "-i", "pipe:0", "-f", "s16le", "-ac", "2", "-ar", "48000", "pipe:1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut adts = vec![];
    for Sound { data, .. } in sounds {
        let size = data.len() + 7;
        adts.extend([0xff, 0xf1, 0x4c, 0x80 | (size >> 11) as u8, (size >> 3) as u8, (size << 5) as u8 | 0x1f, 0xfc]);
        adts.extend_from_slice(data);
    }
    let mut stdin = ffmpeg.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&adts).unwrap());
    let output = ffmpeg.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout.chunks_exact(4).map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]]))).collect()
}

/// Decibels of `expected` over what differs from it.
fn clean_db(expected: &[f64], heard: &[f64]) -> f64 {
    let power = |samples: &mut dyn Iterator<Item = f64>| samples.map(|sample| sample * sample).sum::<f64>();
    let sound = power(&mut expected.iter().copied());
    let noise = power(&mut expected.iter().zip(heard).map(|(expected, heard)| expected - heard));
    10.0 * (sound / noise).log10()
}

fn transcode(packets: &[Vec<u8>]) -> Vec<Sound> {
    let mut transcoder = Transcoder::new().unwrap();
    packets.iter().enumerate().flat_map(|(n, packet)| transcoder.push(packet, (n * PACKET) as i64)).collect()
}

/// The sound between two places, as heard and as it was.
fn compare(sounds: &[Sound], sound: fn(usize) -> f64, from: usize, until: usize) -> f64 {
    let heard = heard(sounds);
    let first = sounds[0].at;
    let place = |at: usize| usize::try_from(at as i64 - first).unwrap();
    let expected: Vec<f64> = (from..until).map(sound).collect();
    clean_db(&expected, &heard[place(from)..place(until)])
}

#[test]
fn a_sine_comes_out_in_its_place() {
    let sounds = transcode(&opus_packets(sine, 200));
    let db = compare(&sounds, sine, 48_000, 144_000);
    // A place one sample off would leave 17 dB.
    assert!(db > 20.0, "{db:.1} dB");
}

#[test]
fn speech_is_as_opus_left_it() {
    let packets = opus_packets(speech, 200);
    let mut decoder = opus::Decoder::new().unwrap();
    let left: Vec<f64> =
        packets.iter().flat_map(|packet| decoder.decode(packet).unwrap()).step_by(2).map(f64::from).collect();
    let sounds = transcode(&packets);
    let heard = heard(&sounds);
    let first = usize::try_from(-opus::LOOKAHEAD_SAMPLES - sounds[0].at).unwrap();
    let db = clean_db(&left[48_000..144_000], &heard[first + 48_000..]);
    assert!(db > 18.0, "{db:.1} dB");
}

#[test]
fn ten_minutes_drift_by_nothing() {
    let packets = opus_packets(sine, 500);
    let mut transcoder = Transcoder::new().unwrap();
    let mut expected = None;
    let mut count = 0;
    for n in 0..30_000 {
        for sound in transcoder.push(&packets[n % packets.len()], (n * PACKET) as i64) {
            assert_eq!(sound.at, *expected.get_or_insert(sound.at));
            expected = Some(sound.at + 1_024);
            count += 1;
        }
    }
    assert_eq!(count, 30_000 * PACKET / 1_024);
}

#[test]
fn a_clock_that_runs_slow_or_fast_is_followed() {
    let packets = opus_packets(sine, 100);
    for parts_per_million in [-300, 300] {
        let mut transcoder = Transcoder::new().unwrap();
        for n in 0..15_000_i64 {
            let at = n * 960 + n * 960 * parts_per_million / 1_000_000;
            transcoder.push(&packets[n as usize % 100], at);
            let off = transcoder.end().unwrap() - (at - opus::LOOKAHEAD_SAMPLES + 960);
            assert!(off.abs() <= SLIP_FROM_SAMPLES + 1, "{off} samples off after {n} packets");
        }
    }
}

#[test]
fn lost_packets_leave_the_rest_in_place() {
    let packets = opus_packets(sine, 300);
    let mut transcoder = Transcoder::new().unwrap();
    let arrives = |n: usize| ![50, 51, 52].contains(&n) && !(80..110).contains(&n);
    let mut sounds = vec![];
    for (n, packet) in packets.iter().enumerate().filter(|(n, _)| arrives(*n)) {
        sounds.extend(transcoder.push(packet, (n * PACKET) as i64));
    }
    assert!(sounds.windows(2).all(|pair| pair[1].at - pair[0].at == 1_024));
    assert!(compare(&sounds, sine, 140 * PACKET, 290 * PACKET) > 20.0);
}

#[test]
fn another_clock_begins_another_line() {
    let packets = opus_packets(sine, 20);
    let mut transcoder = Transcoder::new().unwrap();
    let last = |sounds: Vec<Sound>| sounds.last().map(|sound| sound.at);
    let before =
        packets.iter().enumerate().filter_map(|(n, packet)| last(transcoder.push(packet, n as i64 * 960))).last();
    let after = packets
        .iter()
        .enumerate()
        .filter_map(|(n, packet)| last(transcoder.push(packet, 9_000_000 + n as i64 * 960)))
        .next();
    assert!(before < Some(20_000) && after > Some(8_990_000), "{before:?} {after:?}");
}

proptest! {
    #[test]
    fn any_bytes_are_answered(
        packets in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..300), any::<i32>()), 1..40)
    ) {
        let mut transcoder = Transcoder::new().unwrap();
        for (packet, at) in packets {
            transcoder.push(&packet, i64::from(at));
            prop_assert!(transcoder.waiting.len() < 2 * aac::FRAME_SAMPLES);
        }
    }
}
