use super::chain::Chain;
use super::pack::Packer;
use super::*;

fn lines() -> Vec<Vec<u8>> {
    [r#"{"kind":"joined","v":1}"#, "", r#"{"kind":"settled","v":1,"note":"\u0000 é"}"#]
        .map(|l| l.as_bytes().to_vec())
        .to_vec()
}

/// A frame of version 1 with one line for event 41, so that the golden lines begin with event 42 in every version.
fn before() -> Header {
    Header { first_seq: 41, count: 1, raw: 1, previous: [6; 32], hash: [7; 32], proof: None }
}

fn packed() -> (Vec<u8>, Head) {
    let mut chain = Chain::at(&before());
    let (bytes, took) = Packer::new().unwrap().pack(&mut chain, &lines()).unwrap();
    assert_eq!(took, 3);
    (bytes, chain.head())
}

/// The first frame of a log in version 1, which nothing else writes any more.
fn version_1(previous: &Head, count: u32, raw: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = [&MAGIC[..], &1_u16.to_le_bytes(), &[0; 2], &(previous.seq + 1).to_le_bytes()].concat();
    bytes.extend([count, raw, u32::try_from(body.len()).unwrap()].iter().flat_map(|field| field.to_le_bytes()));
    let hash = v1::own_hash(&bytes, &previous.hash, body);
    let rest = [&previous.hash[..], &hash, body].concat();
    let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes), &rest);
    [&bytes[..], &crc.to_le_bytes(), &rest].concat()
}

fn golden(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/log").join(name)
}

fn read(bytes: &[u8]) -> Result<(Header, Frame), Damage> {
    let (header, body) = open(bytes)?;
    let frame = Unpacker::new().unwrap().unpack(&header, body, Care::Thorough)?;
    Ok((header, frame))
}

/// Makes the checksum right again after an edit.
fn mend(frame: &mut [u8], header_bytes: usize, crc: usize) {
    let (front, rest) = (&frame[..crc], &frame[crc + 4..]);
    assert!(frame.len() > header_bytes);
    let sum = crc32c::crc32c_append(crc32c::crc32c(front), rest);
    frame[crc..crc + 4].copy_from_slice(&sum.to_le_bytes());
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
    for bytes in [packed().0, std::fs::read(golden("frame-v1.bin")).unwrap()] {
        let version = bytes[4];
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&flipped).is_err(), "bit {bit} of {} passed in version {version}", bytes.len() * 8);
        }
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err(), "a cut to {length} passed in version {version}");
        }
        assert!(read(&[bytes.as_slice(), &[0]].concat()).is_err());
    }
}

#[test]
fn finds_an_edit_whose_checksum_was_corrected() {
    let (whole, _) = packed();
    for byte in (0..v2::SEALED_BYTES + 32).filter(|byte| !(0..6).contains(byte) && !(24..28).contains(byte)) {
        let mut bytes = whole.clone();
        bytes[byte] ^= 1;
        mend(&mut bytes, v2::HEADER_BYTES, v2::at::CRC);
        assert_eq!(read(&bytes), Err(Damage::Hash), "byte {byte}");
    }
    let mut old = std::fs::read(golden("frame-v1.bin")).unwrap();
    for byte in [v1::at::PREVIOUS, v1::HEADER_BYTES] {
        old[byte] ^= 1;
        mend(&mut old, v1::HEADER_BYTES, v1::at::CRC);
        assert_eq!(read(&old), Err(Damage::Hash), "byte {byte}");
    }
}

/// Header and checksum are as they were: only a thorough look sees that a line is another.
#[test]
fn finds_lines_that_were_exchanged_in_the_body() {
    let (whole, _) = packed();
    let body =
        Packer::new().unwrap().zstd.compress(&b"x".repeat(66).iter().chain(b"\n\n\n").copied().collect::<Vec<_>>());
    let (header, _) = open(&whole).unwrap();
    let unpack = |care| Unpacker::new().unwrap().unpack(&header, body.as_ref().unwrap(), care);
    assert_eq!(header.raw, 69);
    assert_eq!(unpack(Care::Thorough), Err(Damage::Lines));
    assert!(unpack(Care::Quick).is_ok());
}

#[test]
fn finds_a_body_that_is_not_what_the_header_promises() {
    let body = Packer::new().unwrap().zstd.compress(b"a\nb\n").unwrap();
    let root = merkle::root(vec![merkle::leaf(b"a"), merkle::leaf(b"b")]);
    for (count, raw) in [(2, 5), (2, 3), (3, 4), (1, 4), (0, 4), (2, MAX_RAW_BYTES + 1)] {
        let bytes = pack::link(&mut Chain::start(), count, raw, &root, &body).unwrap();
        assert!(matches!(read(&bytes), Err(Damage::Body { .. })), "{count} lines of {raw} bytes passed");
        let bytes = version_1(&Head::EMPTY, u32::try_from(count).unwrap(), u32::try_from(raw).unwrap(), &body);
        assert!(matches!(read(&bytes), Err(Damage::Body { .. })), "{count} lines of {raw} bytes passed");
    }
    assert!(read(&pack::link(&mut Chain::start(), 2, 4, &root, &body).unwrap()).is_ok());
    assert!(read(&version_1(&Head::EMPTY, 2, 4, &body)).is_ok());
}

#[test]
fn a_chain_goes_on_over_the_change_of_versions_and_takes_nothing_else() {
    let body = Packer::new().unwrap().zstd.compress(b"a\nb\n").unwrap();
    let mut packer = Packer::new().unwrap();
    let old = open(&version_1(&Head::EMPTY, 2, 4, &body)).unwrap().0;
    let mut chain = Chain::start();
    chain.take(&old).unwrap();
    let mut frames = vec![];
    for n in 0..40_u8 {
        frames.push(open(&packer.pack(&mut chain, &[vec![n], vec![n]]).unwrap().0).unwrap().0);
    }
    let field = |n: usize| frames[n].proof.unwrap();
    assert_eq!((frames[0].first_seq, frames[0].previous, field(0).index), (3, old.hash, 0));
    for n in 1..40 {
        let target = usize::try_from(chain::skip_target(u64::try_from(n).unwrap()).unwrap()).unwrap();
        assert_eq!((field(n).skip, field(n).skip_seq), (frames[target].hash, frames[target].first_seq), "{n}");
    }
    // From the start every link is held; from the middle, those that are known.
    for from in 0..39 {
        let mut chain = Chain::at(&frames[from]);
        frames[from + 1..].iter().for_each(|frame| chain.take(frame).unwrap());
        let mut whole = Chain::start();
        whole.take(&old).unwrap();
        frames[..=from].iter().for_each(|frame| whole.take(frame).unwrap());
        let forged = |change: fn(&mut v2::Fields)| {
            let mut next = frames[from + 1];
            change(next.proof.as_mut().unwrap());
            whole.clone().take(&next)
        };
        assert_eq!(forged(|_| ()), Ok(()));
        assert_eq!(forged(|fields| fields.index += 1), Err(Break::Index { expected: field(from).index + 1 }));
        assert_eq!(forged(|fields| fields.skip[0] ^= 1), Err(Break::Skip));
        assert_eq!(forged(|fields| fields.skip_seq += 1), Err(Break::Skip));
    }
    let older = open(&version_1(&chain.head(), 2, 4, &body)).unwrap().0;
    assert_eq!(chain.take(&older), Err(Break::Version));
}

/// The file stands for every frame of version 1 ever written; a later version adds a file and keeps this one.
#[test]
fn reads_the_golden_frame_of_version_1() {
    let (header, frame) = read(&std::fs::read(golden("frame-v1.bin")).unwrap()).unwrap();
    check_lines(&frame, 42);
    assert_eq!((header.first_seq, header.count, header.previous), (42, 3, [7; 32]));
    assert_eq!(header.proof, None);
    let hash = std::fs::read_to_string(golden("frame-v1.hash")).unwrap();
    assert_eq!(header.head().to_string(), hash.trim(), "the head hash of the golden frame changed");
}

/// Made once, with `UPDATE_FIXTURES=1 cargo test --lib golden`; what is stored in this form stays readable for ever.
#[test]
fn reads_the_golden_frame_of_version_2() {
    let (path, hash) = (golden("frame-v2.bin"), golden("frame-v2.hash"));
    if std::env::var_os("UPDATE_FIXTURES").is_some() && !path.exists() {
        let (bytes, head) = packed();
        std::fs::write(&path, bytes).unwrap();
        std::fs::write(&hash, format!("{head}\n")).unwrap();
    }
    let (header, frame) = read(&std::fs::read(&path).unwrap()).unwrap();
    check_lines(&frame, 42);
    assert_eq!((header.first_seq, header.count, header.previous), (42, 3, [7; 32]));
    let root = merkle::root(lines().iter().map(|line| merkle::leaf(line)).collect());
    assert_eq!(header.proof, Some(v2::Fields { index: 0, skip_seq: 0, skip: [0; 32], lines_root: root }));
    let hash = std::fs::read_to_string(hash).unwrap();
    assert_eq!(header.head().to_string(), hash.trim(), "the head hash of the golden frame changed");
}
