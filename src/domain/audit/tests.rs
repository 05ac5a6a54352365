use super::*;
use crate::domain::test_kit::*;

fn finding(name: &str, theirs: i64) -> Finding {
    Finding {
        mismatch: MismatchId(format!("fee:{name}")),
        what: What::Fee,
        reference: name.into(),
        donation: Some(DONATION),
        ours: Some(usd(175)),
        theirs: Some(usd(theirs)),
        said: None,
    }
}

fn settle(name: &str, note: Option<&str>) -> Command {
    Command::Settle { mismatch: MismatchId(format!("fee:{name}")), note: note.map(String::from) }
}

fn settled(name: &str, note: Option<&str>) -> Event {
    let how = if note.is_some() { How::Noted } else { How::Agrees };
    Event::Settled(Settled { mismatch: MismatchId(format!("fee:{name}")), how, note: note.map(String::from) })
}

#[test]
fn a_mismatch_is_found_once_and_found_again_after_it_agreed() {
    let find = || Command::Find(finding("txn_1", 180));
    let open = given_nothing().when(find()).then([Event::Found(finding("txn_1", 180))]);
    open.when(find()).changes_nothing();
    assert_eq!(open.state.audit.open().next().unwrap().finding, finding("txn_1", 180));
    let agrees = open.when(settle("txn_1", None)).then([settled("txn_1", None)]);
    assert_eq!(agrees.state.audit.open().len(), 0);
    agrees.when(settle("txn_1", None)).refuses(Refusal::NotOpen);
    agrees.when(find()).then([Event::Found(finding("txn_1", 180))]);
}

#[test]
fn what_a_person_found_fine_stays_so_until_a_side_changes() {
    let open = given([Event::Found(finding("txn_1", 180))]);
    for note in ["", " \n", &"x".repeat(NOTE_CHARS_MAX + 1)] {
        open.when(settle("txn_1", Some(note))).refuses(Refusal::Note);
    }
    let why = Some("A fee of the old price list.");
    let noted = open.when(settle("txn_1", why)).then([settled("txn_1", why)]);
    noted.when(Command::Find(finding("txn_1", 180))).changes_nothing();
    let again = noted.when(Command::Find(finding("txn_1", 190))).then([Event::Found(finding("txn_1", 190))]);
    assert_eq!(again.state.audit.open().len(), 1);
}

#[test]
fn there_is_an_end_to_what_is_kept() {
    let full = given((0..OPEN_MAX).map(|number| Event::Found(finding(&number.to_string(), 180))));
    full.when(Command::Find(finding("one_more", 180))).refuses(Refusal::TooManyOpen);
    full.when(Command::Find(finding("0", 180))).changes_nothing();
    let long = Finding { reference: "x".repeat(TEXT_CHARS_MAX + 1), ..finding("long", 180) };
    given_nothing().when(Command::Find(long)).refuses(Refusal::Reference);
}
