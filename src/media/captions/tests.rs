use super::*;
use std::io::Write as _;
use std::path::Path;
use uuid::Uuid;

const PROGRAM: ProgramId = ProgramId(Uuid::from_u128(7));
const NOW_MS: i64 = 1_800_000_000_000;

fn kept_in(dir: &Path) -> (Captions, Recordings) {
    let recordings = Recordings::open(dir, 1 << 20).unwrap();
    (Captions::new(Some(recordings.clone())), recordings)
}

fn english() -> Language {
    Language::parse("en-US").unwrap()
}

fn post(seq: u64, text: &str) -> Post {
    Post { generation: 0, seq, language: english(), text: text.into(), practice: false }
}

/// Takes each a second after the one before.
fn take_all(captions: &Captions, posts: impl IntoIterator<Item = Post>) -> Vec<Taken> {
    let at_ms = |at: usize| NOW_MS + i64::try_from(at).unwrap() * 1_000;
    posts.into_iter().enumerate().map(|(at, post)| captions.take(PROGRAM, post, at_ms(at)).unwrap()).collect()
}

fn texts(captions: &Captions) -> Vec<String> {
    captions.said(PROGRAM, &english()).into_iter().map(|line| line.text).collect()
}

#[test]
fn a_repeated_number_is_shown_once_and_a_lower_one_not_again() {
    let captions = Captions::new(None);
    let took =
        take_all(&captions, [post(1, "a"), post(1, "a"), post(2, "b"), post(1, "a"), post(5, "c"), post(4, "d")]);
    let (shown, repeated) = (Taken::Shown, Taken::Repeated);
    assert_eq!(took, [shown, repeated, shown, repeated, shown, repeated]);
    assert_eq!(texts(&captions), ["a", "b", "c"]);
    assert_eq!((captions.last_seq(PROGRAM, 0), captions.counts_again(PROGRAM)), (5, Some(4)));
    captions.take(PROGRAM, post(6, "e"), NOW_MS + 20_000).unwrap();
    assert_eq!(captions.counts_again(PROGRAM), None);
}

#[test]
fn a_new_address_counts_anew_and_so_does_each_language() {
    let captions = Captions::new(None);
    let spanish = Post { language: Language::parse("es-US").unwrap(), ..post(1, "hola") };
    let anew = Post { generation: 1, ..post(1, "again") };
    assert_eq!(take_all(&captions, [post(9, "a"), spanish, anew]), [Taken::Shown; 3]);
    assert_eq!((captions.last_seq(PROGRAM, 1), captions.last_seq(PROGRAM, 2)), (1, 0));
}

#[test]
fn what_was_said_outlives_a_restart_and_a_torn_line() {
    let dir = tempfile::tempdir().unwrap();
    let (captions, recordings) = kept_in(dir.path());
    take_all(&captions, [post(1, "one"), post(2, "two")]);
    let used = recordings.storage().used;
    let path = dir.path().join(PROGRAM.to_string()).join("captions");
    assert_eq!(used, std::fs::metadata(&path).unwrap().len(), "it counts as what is recorded does");
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(br#"{"at_ms":1800000009000,"seq":3,"langu"#).unwrap();
    drop(file);
    let (again, _) = kept_in(dir.path());
    assert_eq!((texts(&again), again.last_seq(PROGRAM, 0)), (vec!["one".to_owned(), "two".into()], 2));
    take_all(&again, [post(2, "two"), post(3, "three")]);
    let (again, _) = kept_in(dir.path());
    assert_eq!(texts(&again), ["one", "two", "three"]);
}

#[test]
fn it_goes_with_the_recording() {
    let dir = tempfile::tempdir().unwrap();
    let (captions, recordings) = kept_in(dir.path());
    take_all(&captions, [post(1, "one")]);
    captions.forget(PROGRAM);
    recordings.delete(PROGRAM).unwrap();
    assert_eq!((texts(&captions), recordings.storage().used), (vec![], 0));
    assert!(!dir.path().join(PROGRAM.to_string()).exists());
}

#[test]
fn where_there_is_no_room_it_is_shown_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let captions = Captions::new(Some(Recordings::open(dir.path(), 150).unwrap()));
    take_all(&captions, (1..5).map(|seq| post(seq, "good evening")));
    assert_eq!(texts(&captions).len(), 4);
    let (again, _) = kept_in(dir.path());
    assert_eq!(texts(&again).len(), 1);
}

#[test]
fn practice_is_for_staff_and_for_no_disk() {
    let dir = tempfile::tempdir().unwrap();
    let (captions, _) = kept_in(dir.path());
    let practice = Post { practice: true, language: Language::parse("fr").unwrap(), ..post(1, "un deux") };
    take_all(&captions, [practice]);
    let told = |eyes| String::from_utf8(captions.watch(PROGRAM, eyes).borrow().to_vec()).unwrap();
    assert!(told(Eyes::Staff).contains("un deux") && told(Eyes::Audience).is_empty());
    assert!(captions.languages(PROGRAM, Eyes::Audience).is_empty());
    take_all(&captions, [post(2, "hello")]);
    assert!(told(Eyes::Audience).contains("hello") && !told(Eyes::Audience).contains("fr"));
    let (again, _) = kept_in(dir.path());
    assert_eq!(again.languages(PROGRAM, Eyes::Staff), [english()]);
}

#[test]
fn a_flood_is_held_back_and_languages_are_few() {
    let captions = Captions::new(None);
    let flood = (1..100).map(|seq| captions.take(PROGRAM, post(seq, "x"), NOW_MS));
    let shown = flood.filter(|taken| *taken == Ok(Taken::Shown)).count();
    assert_eq!(shown, 30);
    assert_eq!(captions.take(PROGRAM, post(50, "x"), NOW_MS + 99), Err(Refused::TooMany));
    assert_eq!(captions.take(PROGRAM, post(50, "x"), NOW_MS + 100), Ok(Taken::Shown));
    let others = ["aa", "bb", "cc", "dd", "ee", "ff"].map(|tag| Language::parse(tag).unwrap());
    let later = NOW_MS + 60_000;
    let took = others.map(|language| captions.take(PROGRAM, Post { language, ..post(1, "x") }, later));
    assert_eq!((took[4], took[5]), (Ok(Taken::Shown), Err(Refused::Languages)));
}

#[test]
fn times_rise_whatever_the_clock_does() {
    let captions = Captions::new(None);
    captions.take(PROGRAM, post(1, "a"), NOW_MS).unwrap();
    captions.take(PROGRAM, post(2, "b"), NOW_MS - 5_000).unwrap();
    let times: Vec<i64> = captions.said(PROGRAM, &english()).iter().map(|line| line.at_ms).collect();
    assert_eq!(times, [NOW_MS, NOW_MS + 1]);
}
