//! A report to the FEC of a million gifts: rows a second and memory, without opening contacts and with reading it again.
//! `GROUNDSWELL_BENCH_EVENTS` takes the place of a million, for a quick look.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::as_conversions)]
#![allow(clippy::float_arithmetic, reason = "figures for people to read")]

use chrono::{Days, NaiveDate};
use groundswell::domain::committee::filer::{Address, Filer, Form, Named};
use groundswell::domain::donation::Giver;
use groundswell::domain::id::PersonId;
use groundswell::domain::ledger::Mode;
use groundswell::domain::profile::Contact;
use groundswell::export::fec::check::Checker;
use groundswell::export::fec::cover::Totals;
use groundswell::export::fec::history::{Gathering, Movement};
use groundswell::export::fec::{Detail, NoSuchField, Report, write};
use groundswell::projections::ledger::Kind;
use std::time::Instant;
use uuid::Uuid;

/// Donors to a hundred gifts: most give once.
const DONORS_OF_100: u64 = 70;

fn resident_kib(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A number that looks drawn, of another.
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (number ^ (number >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ (number >> 32)
}

fn movement(place: u32, gifts: u64) -> Movement {
    let drawn = mixed(u64::from(place));
    let donor = mixed(drawn) % (gifts * DONORS_OF_100 / 100).max(1);
    let id = |salt: u128| PersonId(Uuid::from_u128(u128::from(mixed(donor)) << 64 | salt << 56 | u128::from(donor)));
    let first = NaiveDate::from_ymd_opt(2026, 7, 1).unwrap();
    let day = first + Days::new(u64::from(place) * 90 / gifts);
    // Half give $25 and less, one in ten $100 and more, and one in twenty more than $200.
    let minor = [500, 1_000, 1_500, 2_500, 2_500, 5_000, 5_000, 7_500, 10_000, 25_000][(drawn % 10) as usize]
        / (1 + (drawn >> 8 & 1) as i64);
    Movement {
        place,
        receipt: place,
        kind: Kind::Donation,
        day,
        moved: day,
        giver: Giver { donor: id(1), likeness: Some(id(2)) },
        minor,
        fee_minor: 30 + minor * 29 / 1_000,
        is_joint: false,
    }
}

fn main() {
    let gifts: u64 = std::env::var("GROUNDSWELL_BENCH_EVENTS").map_or(1_000_000, |number| number.parse().unwrap());
    let address = Address {
        street: "1 Capitol Avenue".into(),
        street_2: String::new(),
        city: "Lansing".into(),
        state: "MI".into(),
        zip: "48933".into(),
    };
    let filer = Filer {
        id: "C00234567".into(),
        name: "Great Lakes PAC".into(),
        address,
        treasurer: Named { first: "Pat".into(), last: "O'Neil".into() },
        form: Form::F3X,
        candidate: None,
        elections: vec![],
        payee: None,
    };
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    let report = Report {
        filer,
        code: "Q3".into(),
        from: day("2026-07-01"),
        through: day("2026-09-30"),
        election: None,
        signed: day("2026-10-15"),
        cash_minor: 0,
        amends: None,
        mode: Mode::Live,
    };
    let contact = Contact {
        first_name: "Joan".into(),
        last_name: "O’Petrié".into(),
        email: "joan@example.org".into(),
        line: "12 Maple Street, Apt 4".into(),
        city: "New York".into(),
        region: "NY".into(),
        postal: "10027".into(),
        country: "US".into(),
        employer: "Riverside Clinic".into(),
        occupation: "Nurse".into(),
        passport: None,
    };
    let detail = |place: &u32| Detail {
        seq: u64::from(*place) + 1,
        receipt_seq: u64::from(*place) + 1,
        given: report.from,
        contact: Some(contact.clone()),
        joint: None,
    };
    for (what, checks) in [("written", false), ("written and read again", true)] {
        let idle = resident_kib("VmRSS");
        std::fs::write("/proc/self/clear_refs", "5").ok();
        let began = Instant::now();
        let mut gathering = Gathering::with_capacity(gifts as usize);
        (0..gifts as u32).for_each(|place| gathering.add(movement(place, gifts)));
        let history = gathering.finish();
        let totals = Totals::of(&report, &history);
        let (mut bytes, mut checker) = (0, Checker::new());
        let details = |places: &[u32]| Ok::<_, NoSuchField>(places.iter().map(detail).collect());
        write(&report, &totals, &history, details, |chunk| {
            bytes += chunk.len();
            if checks {
                checker.read(&chunk);
            }
            Ok(())
        })
        .unwrap();
        let stops = checks && checker.finish().stops;
        let took = began.elapsed();
        assert!(!stops);
        println!(
            "{gifts} gifts {what}: {:.2} s, {:.0} rows/s, {} lines, {} MB; {} MB more than idle at its peak",
            took.as_secs_f64(),
            gifts as f64 / took.as_secs_f64(),
            totals.receipt_lines,
            bytes / 1_000_000,
            resident_kib("VmHWM").saturating_sub(idle) / 1_024,
        );
    }
}
