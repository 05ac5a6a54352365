//! What a report to the FEC adds up to, beside books kept from the events alone by other means: no ledger, no fold of ours, people
//! told apart by asking everybody about everybody.

use super::{RALLY, details, usd};
use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use chrono_tz::America::New_York;
use groundswell::domain::committee::filer::{Address, Candidate, Conduit, Election, Filer, Form, Named, Office, Payee};
use groundswell::domain::committee::{self, Limit, Rules};
use groundswell::domain::donation::{
    self, Command as Notice, DisputeNews, Pledged, RefundFailureNews, ReturnNews, Traces,
};
use groundswell::domain::id::{CommitteeId, DisputeId, DonationId, PaymentId, PersonId, ProcessorRefundId, RemedyId};
use groundswell::domain::ledger::Mode;
use groundswell::domain::profile::Contact;
use groundswell::domain::remedy::{self, Consent, Reattributed, Redesignate};
use groundswell::domain::sealed::Sealed;
use groundswell::domain::{Command, Event, Recorded, State, decide, rally};
use groundswell::export::fec::cover::{Sums, Totals};
use groundswell::export::fec::history::{Gathering, History, Place};
use groundswell::export::fec::{Detail, NoSuchField, Report, Stands, check::Checker, rows, write};
use groundswell::projections::Projections;
use hardmoney::{Filing, Table};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::BTreeMap;
use uuid::Uuid;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    /// Somebody gives: by which address, from which home, how much, how long the bank takes in hours, and the fee.
    Gives {
        mail: u128,
        home: u128,
        minor: i64,
        hours: i64,
        fee: i64,
    },
    Refund(Index, i64),
    RefundFails(Index),
    Dispute(Index),
    DisputeWon(Index),
    Return(Index),
    /// A part of a gift counts for another election.
    Redesignate(Index, i64),
    /// A part of a gift counts as somebody else's: by which address, and which home.
    Reattribute {
        gift: Index,
        minor: i64,
        mail: u128,
        home: u128,
    },
    /// One of those was a mistake.
    Undo(Index),
}

fn step() -> impl Strategy<Value = (Step, i64)> {
    let gives = (1..6_u128, 1..6_u128, 100..40_000_i64, prop_oneof![3 => Just(0_i64), 1 => 1..200_i64], 0..900_i64)
        .prop_map(|(mail, home, minor, hours, fee)| Step::Gives { mail, home, minor, hours, fee });
    let any = any::<Index>;
    let what = prop_oneof![
        6 => gives,
        2 => (any(), 100..20_000_i64).prop_map(|(gift, minor)| Step::Refund(gift, minor)),
        1 => any().prop_map(Step::RefundFails),
        1 => any().prop_map(Step::Dispute),
        1 => any().prop_map(Step::DisputeWon),
        1 => any().prop_map(Step::Return),
        1 => (any(), 100..20_000_i64).prop_map(|(gift, minor)| Step::Redesignate(gift, minor)),
        2 => (any(), 100..30_000_i64, 1..6_u128, 1..6_u128)
            .prop_map(|(gift, minor, mail, home)| Step::Reattribute { gift, minor, mail, home }),
        1 => any().prop_map(Step::Undo),
    ];
    // Half a year in some dozens of steps, over a year's end and an election.
    (what, 1..300_i64)
}

/// A gift whose settlement is still to come.
struct Waiting {
    due: DateTime<Utc>,
    donation: DonationId,
    minor: i64,
    fee: i64,
}

/// The log that comes of these steps.
fn history(steps: &[(Step, i64)]) -> Vec<Recorded> {
    let (mut state, mut log) = (State::default(), vec![]);
    let mut now: DateTime<Utc> = "2026-09-20T16:00:00Z".parse().unwrap();
    let mut take = |now: DateTime<Utc>, command: Command| {
        for event in decide(&state, command).unwrap_or_default() {
            state.evolve(&event, now);
            log.push(Recorded { seq: u64::try_from(log.len() + 1).unwrap(), at: now, event });
        }
    };
    take(now, Command::Rally(rally::Command::Create { rally: RALLY, details: details("nurses") }));
    let limit = |name: &str, from: &str, until: &str| Limit {
        name: name.into(),
        most: usd(99_999_999),
        from: from.parse().unwrap(),
        until: until.parse().unwrap(),
    };
    let limits = vec![limit("this", "2026-01-01", "2026-11-03"), limit("next", "2026-11-04", "2028-08-01")];
    let rules = Box::new(Rules { limits, ..Rules::default() });
    take(now, Command::Committee(committee::Command::SetRules { committee: CommitteeId::FIRST, rules }));
    let (mut gifts, mut waiting): (Vec<(DonationId, i64)>, Vec<Waiting>) = (vec![], vec![]);
    let mut remedies = vec![];
    let payment = |donation: DonationId| PaymentId(format!("pi_{}", donation.0.as_u128()));
    for (at, (step, hours)) in steps.iter().enumerate() {
        now += TimeDelta::hours(*hours);
        waiting.sort_by_key(|waiting| waiting.due);
        while waiting.first().is_some_and(|first| first.due <= now) {
            let Waiting { due, donation, minor, fee } = waiting.remove(0);
            let (payment, amount, fee) = (payment(donation), usd(minor), (fee > 0).then(|| usd(fee)));
            take(due, Command::Donation(Notice::RecordSettled { donation, payment, amount, fee, card: None }));
        }
        let of = |gift: &Index| (!gifts.is_empty()).then(|| *gift.get(&gifts));
        let dispute = |donation: DonationId, minor: i64, won: bool| {
            Notice::RecordDispute(DisputeNews {
                payment: payment(donation),
                dispute: DisputeId(format!("dp_{}", donation.0.as_u128())),
                amount: usd(minor),
                reason: "fraudulent".into(),
                due_by: None,
                withdrawn: true,
                withdrawal_fee: Some(usd(1_500)),
                reinstated: won,
                reinstatement_fee: None,
                closed: None,
            })
        };
        let refund = |donation: DonationId| ProcessorRefundId(format!("re_{}", donation.0.as_u128()));
        let today = now.with_timezone(&New_York).date_naive();
        let named = RemedyId(Uuid::from_u128(u128::try_from(at + 10_000).unwrap()));
        let committee = CommitteeId::FIRST;
        let remedy = match step {
            Step::Redesignate(gift, minor) => of(gift).map(|(donation, _)| {
                let (amount, limit) = (usd(*minor), if *minor % 2 == 0 { "this" } else { "next" }.into());
                let (remedy, consent, day) = (named, Consent::Written, today);
                let asked = Redesignate { remedy, donation, committee, amount, limit, consent, day, today };
                remedy::Command::Redesignate(asked)
            }),
            Step::Reattribute { gift, minor, mail, home } => of(gift).map(|(donation, _)| {
                let what = Reattributed {
                    remedy: named,
                    donation,
                    committee,
                    amount: usd(*minor),
                    person: PersonId(Uuid::from_u128(1_000 + mail)),
                    likeness: PersonId(Uuid::from_u128(2_000 + home)),
                    contact: Sealed::new(&[3; 40]),
                    day: today,
                };
                remedy::Command::Reattribute { what, today }
            }),
            Step::Undo(of) if !remedies.is_empty() => Some(remedy::Command::Undo { remedy: *of.get(&remedies) }),
            _ => None,
        };
        if let Some(remedy) = remedy {
            remedies.push(named);
            take(now, Command::Remedy(remedy));
        }
        let notice = match step {
            Step::Redesignate(..) | Step::Reattribute { .. } | Step::Undo(_) => None,
            Step::Gives { mail, home, minor, hours, fee } => {
                let donation = DonationId(Uuid::from_u128(u128::try_from(at + 10).unwrap()));
                let pledge = Pledged {
                    donation,
                    rally: RALLY,
                    donor: PersonId(Uuid::from_u128(1_000 + mail)),
                    amount: usd(*minor),
                    contact: Sealed::new(&[1; 40]),
                    shown: Sealed::new(&[2; 40]),
                    attestations: donation::ATTESTATIONS.iter().map(|(id, _)| (*id).into()).collect(),
                    refcode: None,
                    likeness: Some(PersonId(Uuid::from_u128(2_000 + home))),
                    covers_fee: None,
                    came: None,
                    on_program: None,
                    traces: Traces::default(),
                };
                take(now, Command::Donation(Notice::Pledge(pledge)));
                gifts.push((donation, *minor));
                waiting.push(Waiting { due: now + TimeDelta::hours(*hours), donation, minor: *minor, fee: *fee });
                Some(Notice::RequestPayment { donation, method: "tok".into() })
            }
            Step::Refund(gift, minor) => of(gift).map(|(donation, _)| Notice::RecordRefunded {
                payment: payment(donation),
                processor_refund: refund(donation),
                refund: None,
                amount: usd(*minor),
            }),
            Step::RefundFails(gift) => of(gift).map(|(donation, _)| {
                let (payment, processor_refund) = (payment(donation), refund(donation));
                let code = "account_closed".into();
                Notice::RecordRefundFailure(RefundFailureNews { payment, processor_refund, refund: None, code })
            }),
            Step::Dispute(gift) => of(gift).map(|(donation, minor)| dispute(donation, minor, false)),
            Step::DisputeWon(gift) => of(gift).map(|(donation, minor)| dispute(donation, minor, true)),
            Step::Return(gift) => of(gift).map(|(donation, minor)| {
                let (payment, code) = (payment(donation), "insufficient_funds".into());
                Notice::RecordReturn(ReturnNews { payment, amount: usd(minor), code, fee: Some(usd(500)) })
            }),
        };
        if let Some(notice) = notice {
            take(now, Command::Donation(notice));
        }
    }
    log
}

fn filer(form: Form) -> Filer {
    let address = Address {
        street: "1 Capitol Avenue".into(),
        street_2: String::new(),
        city: "Lansing".into(),
        state: "MI".into(),
        zip: "48933".into(),
    };
    let election =
        |code: &str, date: &str| Election { code: code.into(), date: date.parse().unwrap(), state: "MI".into() };
    let named = Named { first: "Ana".into(), last: "Rivera".into() };
    let candidate = Candidate {
        id: "S6MI00301".into(),
        name: named.clone(),
        office: Office::S,
        state: "MI".into(),
        district: String::new(),
    };
    let is_candidates = form.is_candidates();
    Filer {
        id: "C00123456".into(),
        name: "Rivera for Senate".into(),
        address: address.clone(),
        treasurer: named,
        form,
        candidate: is_candidates.then_some(candidate),
        elections: vec![election("G2026", "2026-11-03"), election("P2028", "2028-08-01")],
        payee: Some(Payee { name: "Stripe, Inc.".into(), address: address.clone() }),
        // Its memos are in no sum.
        conduit: is_candidates.then(|| Conduit { id: "C00456789".into(), name: "Neighbors PAC".into(), address }),
    }
}

/// One movement, in books of the test's own.
struct Booked {
    day: NaiveDate,
    seq: u64,
    donation: DonationId,
    minor: i64,
    is_refund: bool,
    is_gift: bool,
}

/// A part of a gift that was moved, in books of the test's own.
struct Moved {
    day: NaiveDate,
    seq: u64,
    donation: DonationId,
    minor: i64,
    /// Whose it is, where it is another's.
    to: Vec<PersonId>,
    is_undone: bool,
}

/// What a report comes to by these books: both columns, and the cents of each line by its id.
fn books(log: &[Recorded], report: &Report, as_of: u64) -> (Sums, Sums, BTreeMap<String, i64>) {
    let local = |at: DateTime<Utc>| at.with_timezone(&New_York).date_naive();
    let mut givers: BTreeMap<DonationId, (NaiveDate, Vec<PersonId>)> = BTreeMap::new();
    let (mut booked, mut fees): (Vec<Booked>, Vec<(NaiveDate, i64)>) = (vec![], vec![]);
    let mut named: BTreeMap<RemedyId, usize> = BTreeMap::new();
    let (mut settled_on, mut moved): (BTreeMap<_, _>, Vec<Moved>) = (BTreeMap::new(), vec![]);
    for Recorded { seq, at, event } in log.iter().filter(|recorded| recorded.seq <= as_of) {
        let seq = *seq;
        match event {
            Event::Remedy(remedy::Event::Redesignated(data)) => {
                let (minor, to) = (data.amount.minor, vec![]);
                moved.push(Moved { day: data.day, seq, donation: data.donation, minor, to, is_undone: false });
                named.insert(data.remedy, moved.len() - 1);
            }
            Event::Remedy(remedy::Event::Reattributed(data)) => {
                let (minor, to) = (data.amount.minor, vec![data.person, data.likeness]);
                moved.push(Moved { day: data.day, seq, donation: data.donation, minor, to, is_undone: false });
                named.insert(data.remedy, moved.len() - 1);
            }
            Event::Remedy(remedy::Event::Undone(data)) => moved[named[&data.remedy]].is_undone = true,
            _ => {}
        }
        let Event::Donation(event) = event else { continue };
        let day = local(*at);
        let mut book = |donation, minor, is_refund, is_gift, day| {
            booked.push(Booked { day, seq, donation, minor, is_refund, is_gift });
        };
        match event {
            donation::Event::Pledged(pledged) => {
                let names = [Some(pledged.donor), pledged.likeness].into_iter().flatten().collect();
                givers.insert(pledged.donation, (day, names));
            }
            donation::Event::Settled(settled) => {
                book(settled.donation, settled.amount.minor, false, true, givers[&settled.donation].0);
                settled_on.insert(settled.donation, day);
                fees.push((day, settled.fee.map_or(0, |fee| fee.minor)));
            }
            donation::Event::Refunded(data) => book(data.donation, -data.amount.minor, true, false, day),
            donation::Event::RefundReversed(data) => book(data.donation, data.amount.minor, true, false, day),
            donation::Event::DisputeWithdrawn(data) => book(data.donation, -data.amount.minor, false, false, day),
            donation::Event::DisputeReinstated(data) => book(data.donation, data.amount.minor, false, false, day),
            donation::Event::DebitReturned(data) => book(data.donation, -data.amount.minor, false, false, day),
            donation::Event::CostRecorded(cost) => fees.push((day, cost.fee.minor)),
            _ => {}
        }
    }
    moved.retain(|moved| !moved.is_undone);
    let of_gifts = booked.iter().map(|booked| &givers[&booked.donation].1);
    let everybody: Vec<&Vec<PersonId>> =
        of_gifts.chain(moved.iter().map(|moved| &moved.to).filter(|to| !to.is_empty())).collect();
    // Everybody is asked about everybody until nobody new is found.
    let same = |one: DonationId| {
        let mut names = givers[&one].1.clone();
        loop {
            let more: Vec<PersonId> = everybody
                .iter()
                .filter(|theirs| theirs.iter().any(|name| names.contains(name)))
                .flat_map(|theirs| theirs.iter().copied())
                .filter(|name| !names.contains(name))
                .collect();
            if more.is_empty() {
                return names;
            }
            names.extend(more);
        }
    };
    let general: NaiveDate = "2026-11-03".parse().unwrap();
    let window = |day: NaiveDate| if report.filer.form == Form::F3X { day.year() } else { i32::from(day > general) };
    let order = |booked: &Booked| (booked.day, booked.seq);
    let is_itemized = |donation: DonationId| {
        let receipt = booked.iter().find(|booked| booked.donation == donation && booked.is_gift).unwrap();
        let names = same(donation);
        let given: i64 = booked
            .iter()
            .filter(|other| {
                !other.is_refund && window(other.day) == window(receipt.day) && order(other) <= order(receipt)
            })
            .filter(|other| givers[&other.donation].1.iter().any(|name| names.contains(name)))
            .map(|other| other.minor)
            .sum();
        // What was moved from or to this person before that day, of gifts of the same year or cycle.
        let is_before = |moved: &&Moved| {
            moved.day < receipt.day && window(givers[&moved.donation].0) == window(receipt.day) && !moved.to.is_empty()
        };
        let is_theirs = |of: &[PersonId]| of.iter().any(|name| names.contains(name));
        let of_moves: i64 = moved
            .iter()
            .filter(is_before)
            .map(|moved| {
                let from = if is_theirs(&givers[&moved.donation].1) { moved.minor } else { 0 };
                let to = if is_theirs(&moved.to) { moved.minor } else { 0 };
                to - from
            })
            .sum();
        given + of_moves > 20_000
    };
    let (mut period, mut to_date, mut lines) = (Sums::default(), Sums::default(), BTreeMap::new());
    for each in booked.iter().filter(|booked| booked.day <= report.through && window(booked.day) >= window(report.from))
    {
        // A refund that failed takes something off a sum, and is a line whoever gave.
        let itemized = is_itemized(each.donation) || (each.is_refund && each.minor > 0);
        let mut columns = vec![&mut to_date];
        if each.day >= report.from {
            columns.push(&mut period);
            if itemized {
                let (letter, minor) = if each.is_refund { ('B', -each.minor) } else { ('A', each.minor) };
                lines.insert(format!("{letter}{}", each.seq), minor);
            }
        }
        for column in columns {
            match (each.is_refund, itemized) {
                (true, _) => column.refunds -= each.minor,
                (false, true) => column.itemized += each.minor,
                (false, false) => column.unitemized += each.minor,
            }
        }
    }
    for (day, fee) in fees.into_iter().filter(|(day, _)| *day <= report.through && window(*day) >= window(report.from))
    {
        to_date.fees += fee;
        if day >= report.from {
            period.fees += fee;
        }
    }
    for each in moved.iter().filter(|moved| (report.from..=report.through).contains(&moved.day)) {
        let whole = booked.iter().find(|booked| booked.donation == each.donation && booked.is_gift).unwrap().minor;
        if is_itemized(each.donation) {
            for (letter, minor) in [('O', whole), ('F', -each.minor), ('T', each.minor)] {
                lines.insert(format!("R{}{letter}", each.seq), minor);
            }
        }
    }
    (period, to_date, lines)
}

fn exported(world: &Projections, report: &Report, as_of: u64) -> (History, Totals) {
    let mut gathering = Gathering::default();
    let end = world.ledger.rows_at(as_of).len();
    rows::gather(world, CommitteeId::FIRST, as_of, 0..end, &mut gathering).unwrap();
    rows::gather_remedies(world, CommitteeId::FIRST, as_of, &mut gathering);
    let history = gathering.finish();
    let totals = Totals::of(report, &history);
    (history, totals)
}

fn file(world: &Projections, report: &Report, history: &History, totals: &Totals) -> Vec<u8> {
    let contact = || Contact {
        first_name: "Joan".into(),
        last_name: "Petrie".into(),
        email: "joan@example.org".into(),
        line: "12 Maple Street".into(),
        city: "New York".into(),
        region: "NY".into(),
        postal: "10027".into(),
        country: "US".into(),
        employer: "Clinic".into(),
        occupation: "Nurse".into(),
        passport: None,
    };
    let detail = |place: &Place| {
        let said = rows::said(world, CommitteeId::FIRST, u64::MAX, *place).unwrap();
        let rows::Said { seq, receipt_seq, given, counts_on, moved, joint, was_asked, .. } = said;
        Detail { seq, receipt_seq, given, counts_on, moved, contact: Some(contact()), joint, was_asked }
    };
    let (mut bytes, mut checker) = (vec![], Checker::new());
    let details = |places: &[Place]| Ok::<_, NoSuchField>(places.iter().map(detail).collect());
    let stands = Stands { seq: 1, head: String::new() };
    write(report, totals, history, &stands, details, |chunk| {
        checker.read(&chunk);
        bytes.extend(chunk);
        Ok(())
    })
    .unwrap();
    let findings = checker.finish();
    assert!(!findings.stops, "{findings:#?}");
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_report_is_what_books_kept_by_other_means_say(
        steps in vec(step(), 1..40),
        as_of in any::<Index>(),
        form in prop_oneof![Just(Form::F3), Just(Form::F3X)],
        days in prop_oneof![
            Just(("2026-10-01", "2026-12-31")),
            Just(("2026-11-04", "2026-12-31")),
            Just(("2027-01-01", "2027-03-31")),
        ],
    ) {
        let log = history(&steps);
        let mut world = Projections::default();
        log.iter().for_each(|recorded| world.apply(recorded));
        let as_of = u64::try_from(as_of.index(log.len()) + 1).unwrap();
        // A cycle that ends within a period is told to the person; the books here keep to one.
        let from = if form == Form::F3 && days.0 == "2026-10-01" { "2026-11-04" } else { days.0 };
        let report = Report {
            filer: filer(form),
            code: "YE".into(),
            from: from.parse().unwrap(),
            through: days.1.parse().unwrap(),
            election: None,
            signed: "2027-04-15".parse().unwrap(),
            cash_minor: 100_000,
            amends: None,
            mode: Mode::Live,
        };
        let (period, to_date, mut lines) = books(&log, &report, as_of);
        if report.filer.conduit.is_some() {
            // Beside each gift that is named stands whom it came through.
            let settled = |event: &Event| matches!(event, Event::Donation(donation::Event::Settled(_)));
            let gifts = log.iter().filter(|recorded| settled(&recorded.event)).map(|recorded| recorded.seq);
            let memos: Vec<_> = gifts.filter_map(|seq| Some((format!("C{seq}"), *lines.get(&format!("A{seq}"))?))).collect();
            lines.extend(memos);
        }
        let (ledger, totals) = exported(&world, &report, as_of);
        prop_assert_eq!(totals.period, period);
        prop_assert_eq!(totals.to_date, to_date);
        // What a reader of others' finds in the file is the same, line by line and on the cover.
        let filing = Filing::parse_bytes(&file(&world, &report, &ledger, &totals)).unwrap();
        let mut read = BTreeMap::new();
        for (table, field) in [(Table::SchA, "contribution_amount"), (Table::SchB, "expenditure_amount")] {
            for line in filing.lines_for(table).filter(|line| !line.get("transaction_id").unwrap().starts_with('F')) {
                let minor: i64 = line.get(field).unwrap().replace('.', "").parse().unwrap();
                prop_assert!(read.insert(line.get("transaction_id").unwrap().to_owned(), minor).is_none());
            }
        }
        prop_assert_eq!(read, lines);
        prop_assert!(filing.reconcile().unwrap().balances());
        prop_assert_eq!(filing.validate().error_count(), 0);
        // As of the same event it is the same, whatever came after.
        let mut then = Projections::default();
        log.iter().filter(|recorded| recorded.seq <= as_of).for_each(|recorded| then.apply(recorded));
        prop_assert_eq!(exported(&then, &report, as_of).1, totals);
    }
}
