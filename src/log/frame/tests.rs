use super::*;

fn lines() -> Vec<Vec<u8>> {
    [r#"{"kind":"joined","v":1}"#, "", r#"{"kind":"settled","v":1,"note":"\u0000 é"}"#]
        .map(|l| l.as_bytes().to_vec())
        .to_vec()
}

fn packed() -> (Vec<u8>, Head) {
    let before = Head { seq: 41, hash: [7; 32] };
    let (bytes, head, took) = Packer::new().unwrap().pack(&before, &lines()).unwrap();
    assert_eq!(took, 3);
    (bytes, head)
}

fn read(bytes: &[u8]) -> Result<(Header, Frame), Damage> {
    let (header, body) = open(bytes)?;
    let frame = Unpacker::new().unwrap().unpack(&header, body)?;
    Ok((header, frame))
}

fn check_lines(frame: &Frame, first_seq: u64) {
    let expected = lines();
    let expected: Vec<(u64, &[u8])> = (first_seq..).zip(expected.iter().map(Vec::as_slice)).collect();
    assert_eq!(frame.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn reads_back_what_it_packed() {
    let (bytes, head) = packed();
    let (header, frame) = read(&bytes).unwrap();
    check_lines(&frame, 42);
    assert_eq!((header.head(), head.seq), (head, 44));
    assert_eq!(header.follows(&Head { seq: 41, hash: [7; 32] }), Ok(()));
    assert_eq!(header.follows(&Head { seq: 40, hash: [7; 32] }), Err(Break::Seq { expected: 41 }));
    assert_eq!(header.follows(&Head { seq: 41, hash: [8; 32] }), Err(Break::Hash));
}

#[test]
fn finds_a_flip_of_any_bit_and_a_cut_at_any_byte() {
    let (bytes, _) = packed();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(read(&flipped).is_err(), "bit {bit} of {} passed", bytes.len() * 8);
    }
    for length in 0..bytes.len() {
        assert!(read(&bytes[..length]).is_err(), "a cut to {length} passed");
    }
    assert!(read(&[bytes.as_slice(), &[0]].concat()).is_err());
}

#[test]
fn finds_an_edit_whose_checksum_was_corrected() {
    let (mut bytes, _) = packed();
    bytes[at::PREVIOUS] ^= 1;
    let crc = checksum(&bytes[..at::CRC], &bytes[at::PREVIOUS..], &[], &[]);
    bytes[at::CRC..at::PREVIOUS].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(read(&bytes), Err(Damage::Hash));
}

#[test]
fn finds_a_body_that_is_not_what_the_header_promises() {
    let body = Packer::new().unwrap().zstd.compress(b"a\nb\n").unwrap();
    for (count, raw) in [(2, 5), (2, 3), (3, 4), (1, 4), (0, 4), (2, MAX_RAW_BYTES + 1)] {
        let (bytes, _) = assemble(&Head::EMPTY, count, raw, &body).unwrap();
        assert!(matches!(read(&bytes), Err(Damage::Body { .. })), "{count} lines of {raw} bytes passed");
    }
    let (bytes, _) = assemble(&Head::EMPTY, 2, 4, &body).unwrap();
    assert!(read(&bytes).is_ok());
}

/// The file stands for every frame of version 1 ever written; a later version adds a file and keeps this one.
#[test]
fn reads_the_golden_frame_of_version_1() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let (path, hash) = (root.join("fixtures/log/frame-v1.bin"), root.join("fixtures/log/frame-v1.hash"));
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let (bytes, head) = packed();
        std::fs::write(&path, bytes).unwrap();
        std::fs::write(&hash, format!("{head}\n")).unwrap();
    }
    let (header, frame) = read(&std::fs::read(&path).unwrap()).unwrap();
    check_lines(&frame, 42);
    assert_eq!((header.first_seq, header.count, header.previous), (42, 3, [7; 32]));
    assert_eq!(
        header.head().to_string(),
        std::fs::read_to_string(&hash).unwrap().trim(),
        "the head hash of the golden frame changed"
    );
}
