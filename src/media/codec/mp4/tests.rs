use super::*;
use proptest::prelude::*;

/// Two seconds of ffmpeg's test picture with B-frames and sound; the index stands at the end.
const FILE: &[u8] = include_bytes!("../../../../fixtures/media/clip.mp4");

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap()
}

fn moov() -> Vec<u8> {
    find(FILE, b"moov").unwrap().to_vec()
}

/// The index with the bytes after the first `name` changed.
fn with(name: &[u8; 4], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut moov = moov();
    let at = moov.windows(4).position(|window| window == name).unwrap();
    change(&mut moov[at..]);
    moov
}

fn refused(moov: &[u8]) -> String {
    Movie::parse(moov, length(FILE)).unwrap_err().to_string()
}

#[test]
fn the_samples_are_where_the_index_says() {
    let movie = Movie::parse(&moov(), length(FILE)).unwrap();
    assert_eq!((movie.video.describe().as_str(), movie.pictures.len(), movie.duration_ms), ("H.264 160x90", 50, 2_000));
    assert_eq!(movie.audio.unwrap().describe(), "AAC 48 kHz mono");
    let keyframes: Vec<usize> = (0..50).filter(|at| movie.pictures[*at].keyframe).collect();
    assert_eq!(keyframes, [0, 25]);
    // The edit list puts the first picture at 0, although it is decoded before.
    assert_eq!((movie.pictures[0].pts, movie.pictures[1].dts - movie.pictures[0].dts), (0, 3_600));
    assert!(movie.pictures.iter().any(|picture| picture.pts > picture.dts + 3_600), "B-frames");
    let mut shown: Vec<i64> = movie.pictures.iter().map(|picture| picture.pts).collect();
    shown.sort_unstable();
    assert!(shown.iter().zip(0..).all(|(pts, at)| *pts == at * 3_600), "{shown:?}");
    assert_eq!(movie.sounds.first().unwrap().pts, 0, "what the encoder needed to get going is left out");
    for picture in &movie.pictures {
        let at = usize::try_from(picture.offset).unwrap();
        let unit = u32::from_be_bytes(FILE[at..at + 4].try_into().unwrap());
        assert!(unit + 4 <= picture.size, "a NAL unit's length stands at the place");
    }
}

#[test]
fn each_refusal_says_what_to_do() {
    let check = |moov: &[u8], words: &str| {
        let said = refused(moov);
        assert!(said.contains(words), "{said:?} should say {words:?}");
    };
    check(&with(b"avc1", |at| at[..4].copy_from_slice(b"hvc1")), "HEVC (H.265): export it as H.264");
    check(&with(b"avc1", |at| at[..4].copy_from_slice(b"ab\x00\xff")), "the kind “ab”");
    check(&with(b"avcC", |at| at[5] = 110), "10 bits");
    check(&with(b"avcC", |at| at[5] = 122), "colour format for studios");
    check(&with(b"mp4a", |at| at[..4].copy_from_slice(b"Opus")), "Opus sound: export it as AAC");
    check(&with(b"mdhd", |at| at[16..20].fill(0)), "damaged (a track without a clock)");
    check(&with(b"stts", |at| at[12..16].copy_from_slice(&[0, 0, 0, 3])), "damaged (times)");
    check(&with(b"stts", |at| at[16] = 1), "stands still");
    check(&with(b"stsz", |at| at[12..16].fill(0xff)), "damaged (sizes)");
    check(&with(b"stco", |at| at[12] = 0xff), "cut short");
    check(&with(b"trak", |at| at[..4].copy_from_slice(b"free")), "no video");
    check(&with(b"udta", |at| at[..4].copy_from_slice(b"mvex")), "fragmented");
    let cut = Movie::parse(&moov(), 5_000).unwrap_err();
    assert_eq!(cut, Mp4Error::Short);
}

#[test]
fn a_file_without_sound_is_a_silent_clip() {
    let silent = with(b"soun", |at| at[..4].copy_from_slice(b"text"));
    let movie = Movie::parse(&silent, length(FILE)).unwrap();
    assert_eq!((movie.audio, movie.sounds.len(), movie.pictures.len()), (None, 0, 50));
}

#[test]
fn heads_are_read_in_all_three_forms() {
    let check = |bytes: &[u8], expected: (u64, Option<u64>)| {
        let head = head(bytes).unwrap();
        assert_eq!((head.head, head.size), expected);
    };
    check(b"\0\0\0\x20ftypisom", (8, Some(32)));
    check(b"\0\0\0\0mdat", (8, None));
    check(b"\0\0\0\x01mdat\0\0\0\x01\0\0\0\0", (16, Some(1 << 32)));
    for bad in [&b"\0\0\0\x07free"[..], b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x0f", b"\0\0\0\x01mdat", b"\0\0\0"] {
        assert!(head(bad).is_err());
    }
}

proptest! {
    #[test]
    fn a_damaged_index_is_answered(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12), cut in any::<prop::sample::Index>(), file in any::<u64>()) {
        let mut moov = moov();
        for (at, value) in &flips {
            let at = at.index(moov.len());
            moov[at] = *value;
        }
        let _ = Movie::parse(&moov, length(FILE));
        let _ = Movie::parse(&moov, file);
        moov.truncate(cut.index(moov.len()));
        let _ = Movie::parse(&moov, length(FILE));
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Movie::parse(&bytes, 1_000);
        let _ = head(&bytes);
    }
}
