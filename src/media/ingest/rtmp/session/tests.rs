use super::*;
use proptest::prelude::*;

/// A chunk header of format 0, 1 or 3 on chunk stream `id`, and then `part`.
fn raw(format: u8, id: u8, timestamp: u32, length: usize, kind: u8, part: &[u8]) -> Vec<u8> {
    let mut out = vec![format << 6 | id];
    if format < 3 {
        out.extend_from_slice(&timestamp.to_be_bytes()[1..]);
        out.extend_from_slice(&u32::try_from(length).unwrap().to_be_bytes()[1..]);
        out.push(kind);
    }
    if format == 0 {
        out.extend_from_slice(&STREAM.to_le_bytes());
    }
    out.extend_from_slice(part);
    out
}

fn command(name: &str, rest: &[Value]) -> Vec<u8> {
    let mut values = vec![Value::Text(name.to_owned()), Value::Number(1.0)];
    values.extend_from_slice(rest);
    let mut out = Vec::new();
    chunk::write(&mut out, 3, chunk::COMMAND, 0, &amf::write(&values));
    out
}

/// A whole publication: handshake, commands, and an audio message inside a video message.
fn publication() -> Vec<u8> {
    let mut bytes = vec![3];
    bytes.resize(1 + 2 * HANDSHAKE_BYTES, 7);
    bytes.extend(command("connect", &[object(&[("app", "live")])]));
    bytes.extend(command("createStream", &[Value::Null]));
    bytes.extend(command("publish", &[Value::Null, Value::Text("key?x=1".to_owned())]));
    bytes.extend(raw(0, 6, 1_000, 300, chunk::VIDEO, &[1; 128]));
    bytes.extend(raw(0, 4, 1_010, 3, chunk::AUDIO, &[2; 3]));
    bytes.extend(raw(3, 6, 0, 0, 0, &[1; 128]));
    bytes.extend(raw(1, 4, 23, 4, chunk::AUDIO, &[3; 4]));
    bytes.extend(raw(3, 6, 0, 0, 0, &[1; 44]));
    bytes.extend(raw(3, 4, 0, 0, 0, &[4; 4]));
    bytes
}

fn play(bytes: &[u8], cuts: &[usize]) -> Vec<Event> {
    let (mut session, mut events, mut at) = (Session::new(), Vec::new(), 0);
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % bytes.len()).chain([bytes.len()]).collect();
    cuts.sort_unstable();
    for cut in cuts {
        session.feed(&bytes[at..cut]).unwrap();
        at = cut;
        while let Some(event) = session.next_event() {
            events.push(event);
        }
    }
    events
}

#[test]
fn interleaved_chunks_keep_their_messages_apart() {
    let audio = |timestamp, byte: u8, count| Event::Audio { timestamp, payload: vec![byte; count].into() };
    assert_eq!(
        play(&publication(), &[]),
        [
            Event::Publish { app: "live".to_owned(), key: "key".to_owned() },
            audio(1_010, 2, 3),
            audio(1_033, 3, 4),
            Event::Video { timestamp: 1_000, payload: vec![1; 300].into() },
            audio(1_056, 4, 4),
        ]
    );
}

#[test]
fn limits_end_the_connection() {
    let check = |tail: Vec<u8>| {
        let mut session = Session::new();
        session.feed(&publication()).unwrap();
        assert!(session.feed(&tail).is_err());
    };
    check(raw(0, 8, 0, 7 << 20, chunk::VIDEO, &[0; 128]));
    check((10..40).flat_map(|id| raw(0, id, 0, 1_000, chunk::VIDEO, &[0; 128])).collect());
    check(raw(0, 2, 0, 4, chunk::SET_CHUNK_SIZE, &[0; 4]));
    check(raw(3, 20, 0, 0, 0, &[]));
    assert!(Session::new().feed(b"GET / HTTP/1.1\r\n").is_err());
}

#[test]
fn tiny_chunks_of_a_large_message_cost_no_more_than_their_bytes() {
    let mut bytes = publication();
    bytes.extend(raw(0, 2, 0, 4, chunk::SET_CHUNK_SIZE, &[0, 0, 0, 1]));
    bytes.extend(raw(0, 7, 0, 4 << 20, chunk::VIDEO, &[9]));
    bytes.extend([0xc7, 9].repeat((4 << 20) - 1));
    let started = std::time::Instant::now();
    let mut session = Session::new();
    for part in bytes.chunks(4_096) {
        session.feed(part).unwrap();
    }
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_events(cuts in prop::collection::vec(any::<usize>(), 0..60)) {
        prop_assert_eq!(play(&publication(), &cuts), play(&publication(), &[]));
    }

    #[test]
    fn any_bytes_after_the_handshake_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let mut session = Session::new();
        session.feed(&publication()).unwrap();
        let _ = session.feed(&bytes);
    }
}
