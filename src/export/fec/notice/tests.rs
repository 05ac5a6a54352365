//! Which gifts are told of at once, until when, and the file.

use super::*;
use crate::domain::committee::filer::Form;
use crate::domain::profile::Contact;
use crate::export::fec::test_kit::{AMENDS, day};
use hardmoney::Filing;

fn gift(local: &str, minor: i64) -> Gift {
    let local: NaiveDateTime = local.parse().unwrap();
    // Eastern summer time.
    let at = (local + TimeDelta::hours(4)).and_utc();
    Gift { place: 0, at, local, minor }
}

#[test]
fn the_window_begins_after_the_twentieth_day_and_ends_48_hours_before() {
    let filer = Filer::example(Form::F3);
    // The primary is on August 4, the general election on November 3.
    for (local, minor, wanted) in [
        ("2026-07-15T23:59:59", 100_000, None),
        ("2026-07-16T00:00:00", 100_000, Some("P2026")),
        ("2026-07-16T00:00:00", 99_999, None),
        ("2026-08-02T00:00:59", 100_000, Some("P2026")),
        ("2026-08-02T00:01:00", 100_000, None),
        ("2026-10-15T00:00:00", 350_000, Some("G2026")),
        ("2026-11-03T12:00:00", 350_000, None),
    ] {
        let found = before_which(&filer, &gift(local, minor)).map(|election| election.code.as_str());
        assert_eq!(found, wanted, "{local} {minor}");
    }
    assert_eq!(before_which(&Filer::example(Form::F3X), &gift("2026-07-20T12:00:00", 100_000)), None);
    let at = gift("2026-07-20T12:00:00", 100_000);
    assert_eq!(due_by(&at), at.at + TimeDelta::hours(48));
}

#[test]
fn the_golden_file_stays_as_it_is() {
    let notice = Notice { filer: Filer::example(Form::F3), signed: day("2026-07-21"), amends: None, mode: Mode::Live };
    let (given, joint, was_asked) = (day("2026-07-20"), None, false);
    let detail = |seq, contact| Detail {
        seq,
        receipt_seq: seq,
        given,
        counts_on: given,
        moved: None,
        contact,
        joint: joint.clone(),
        was_asked,
    };
    let gifts = [
        (gift("2026-07-20T12:00:00", 100_000), detail(1_001, Some(Contact::example()))),
        (gift("2026-07-20T13:00:00", 350_000), detail(1_002, None)),
    ];
    let (bytes, findings) = write(&notice, &gifts).unwrap();
    assert!(!findings.stops && findings.in_order().iter().any(|finding| finding.what.contains("erased")));
    let text = String::from_utf8(bytes).unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/exports/f6.fec");
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(path).unwrap());
    let validation = Filing::parse(&text).unwrap().validate();
    assert_eq!(validation.error_count(), 0, "{validation}");

    let amended = Notice { amends: AMENDS.map(|amends| (amends, day("2026-07-21"))), mode: Mode::Simulated, ..notice };
    let (bytes, findings) = write(&amended, &gifts[..1]).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    assert!(
        !findings.stops && text.contains("F6A") && text.contains("FEC-1234567") && text.contains("SIMULATED MONEY")
    );
}
