//! Files of random histories: whatever was refunded, disputed, returned and when, as of any event, their sums are those of a
//! plain fold over the events.

use super::{details, instant, usd};
use calamine::{Data, Reader as _, Xlsx};
use groundswell::domain::books::{self, Entry, Kind, PayoutComposed, PayoutRecorded, Standing};
use groundswell::domain::donation::{
    ATTESTATIONS, DebitReturned, DisputeMoved, Event as Donation, FeeRecorded, PaymentRequested, Pledged, Refunded,
    Settled, Traces,
};
use groundswell::domain::id::{
    CommitteeId, DisputeId, DonationId, EntryId, ErasureId, PaymentId, PayoutId, PersonId, ProcessorRefundId, RallyId,
};
use groundswell::domain::ledger::{self, Mode, Opened};
use groundswell::domain::privacy::{self, Erase};
use groundswell::domain::profile::Contact;
use groundswell::domain::rally::{self, Announced};
use groundswell::domain::seals::{CONTACT, SHOWN};
use groundswell::domain::{Command, Event, Recorded, codec};
use groundswell::engine::Engine;
use groundswell::export::actblue::Report;
use groundswell::log::Log as _;
use groundswell::log::sled::SledLog;
use groundswell::report::as_of::AsOf;
use groundswell::report::chosen::Chosen;
use groundswell::report::desk::Desk;
use groundswell::report::names::Names;
use groundswell::report::selection::Selection;
use groundswell::report::{Format, Order};
use groundswell::vault::Vault;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;
use uuid::Uuid;

/// What becomes of a gift after it settled.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Stays,
    RefundedInParts,
    Disputed { won: bool },
    Returned,
}

#[derive(Clone, Debug)]
struct Gift {
    rally: u8,
    donor: u8,
    minor: i64,
    fee_later: bool,
    fate: Fate,
    paid_out: bool,
    /// Where among the others its events come.
    turns: Vec<u16>,
}

fn gifts() -> impl Strategy<Value = Vec<Gift>> {
    let fate = prop_oneof![
        3 => Just(Fate::Stays),
        2 => Just(Fate::RefundedInParts),
        2 => any::<bool>().prop_map(|won| Fate::Disputed { won }),
        1 => Just(Fate::Returned),
    ];
    let turns = proptest::collection::vec(any::<u16>(), 8);
    let gift = (0..2_u8, 0..3_u8, 300..1_000_000_i64, any::<bool>(), fate, any::<bool>(), turns);
    let gift = gift.prop_map(|(rally, donor, minor, fee_later, fate, paid_out, turns)| Gift {
        rally,
        donor,
        minor,
        fee_later,
        fate,
        paid_out,
        turns,
    });
    proptest::collection::vec(gift, 1..12)
}

fn person(number: u8) -> PersonId {
    PersonId(Uuid::from_u128(0xc0 + u128::from(number)))
}

fn rally_id(number: u8) -> RallyId {
    RallyId(Uuid::from_u128(0xa0 + u128::from(number)))
}

fn contact(donor: u8) -> Contact {
    Contact {
        first_name: "Joan".into(),
        last_name: format!("Petrie {donor}"),
        email: "joan@example.org".into(),
        line: "12 Maple Street".into(),
        city: "New York".into(),
        region: "NY".into(),
        postal: "10027".into(),
        country: "US".into(),
        employer: "Riverside, \"Clinic\"".into(),
        occupation: "Nurse".into(),
        passport: None,
    }
}

fn money_of(number: usize, gift: &Gift, vault: &Vault) -> Vec<Donation> {
    let donation = DonationId(Uuid::from_u128(0xd000 + u128::try_from(number).unwrap()));
    let (rally, donor) = (rally_id(gift.rally), person(gift.donor));
    let (payment, amount, fee) = (PaymentId(format!("pi_{number}")), usd(gift.minor), fee_of(gift));
    let seal = |context, bytes: &[u8]| vault.seal(donor, context, bytes).unwrap();
    let mut events = vec![
        Donation::Pledged(Pledged {
            donation,
            rally,
            donor,
            amount,
            contact: seal(CONTACT, &serde_json::to_vec(&contact(gift.donor)).unwrap()),
            shown: seal(SHOWN, b"{}"),
            attestations: ATTESTATIONS.iter().map(|(id, _)| (*id).into()).collect(),
            refcode: None,
            likeness: None,
            covers_fee: None,
            came: None,
            on_program: None,
            traces: Traces::default(),
        }),
        Donation::PaymentRequested(PaymentRequested {
            donation,
            attempt: 1,
            method: "tok".into(),
            customer: None,
            parts: Box::default(),
        }),
        Donation::Settled(Settled {
            donation,
            rally,
            donor,
            payment: payment.clone(),
            amount,
            fee: (!gift.fee_later).then_some(usd(fee)),
            card: None,
        }),
    ];
    if gift.fee_later {
        let payment = payment.clone();
        events.push(Donation::FeeRecorded(FeeRecorded { donation, rally, payment, fee: usd(fee) }));
    }
    let refund = |part: i64, minor| {
        let processor_refund = ProcessorRefundId(format!("re_{number}_{part}"));
        let payment = payment.clone();
        let amount = usd(minor);
        Donation::Refunded(Refunded { donation, rally, donor, payment, processor_refund, refund: None, amount })
    };
    let moved = || DisputeMoved {
        donation,
        rally,
        donor,
        payment: payment.clone(),
        dispute: DisputeId(format!("dp_{number}")),
        amount,
    };
    match gift.fate {
        Fate::Stays => {}
        Fate::RefundedInParts => events.extend([refund(1, gift.minor / 3), refund(2, gift.minor - gift.minor / 3)]),
        Fate::Disputed { won } => {
            events.push(Donation::DisputeWithdrawn(moved()));
            events.extend(won.then(|| Donation::DisputeReinstated(moved())));
        }
        Fate::Returned => {
            let (payment, code) = (payment.clone(), "insufficient_funds".into());
            events.push(Donation::DebitReturned(DebitReturned { donation, rally, donor, payment, amount, code }));
        }
    }
    events
}

fn fee_of(gift: &Gift) -> i64 {
    gift.minor * 29 / 1000 + 30
}

fn payout_of(number: usize, gift: &Gift) -> [books::Event; 2] {
    let payout = PayoutId(format!("po_{number}"));
    let recorded = PayoutRecorded {
        committee: CommitteeId::FIRST,
        payout: payout.clone(),
        amount: usd(gift.minor - fee_of(gift)),
        created: instant(0),
        arrival: "2026-09-30".parse().unwrap(),
        standing: Standing::Paid,
        automatic: true,
    };
    let entry = Entry {
        entry: EntryId(format!("txn_{number}")),
        kind: Kind::Payment,
        donation: Some(DonationId(Uuid::from_u128(0xd000 + u128::try_from(number).unwrap()))),
        payment: Some(PaymentId(format!("pi_{number}"))),
        reference: None,
        amount: usd(gift.minor),
        fee: usd(fee_of(gift)),
        at: instant(0),
        available: None,
    };
    let composed = PayoutComposed { payout, entries: vec![entry], complete: true };
    [books::Event::PayoutRecorded(recorded), books::Event::PayoutComposed(composed)]
}

/// The events of all gifts, mixed as their turns say, each gift's own in their order.
fn history(gifts: &[Gift], vault: &Vault) -> Vec<Recorded> {
    let mut mixed: Vec<(u32, Event)> = vec![];
    for (number, gift) in gifts.iter().enumerate() {
        let mut events: Vec<Event> = money_of(number, gift, vault).into_iter().map(Event::Donation).collect();
        if gift.paid_out {
            events.extend(payout_of(number, gift).map(Event::Books));
        }
        let mut turn = 0_u32;
        for (at, event) in events.into_iter().enumerate() {
            turn += u32::from(gift.turns.get(at).copied().unwrap_or(1));
            mixed.push((turn, event));
        }
    }
    mixed.sort_by_key(|(turn, _)| *turn);
    let opened = Event::Ledger(ledger::Event::Opened(Opened { mode: Mode::Test }));
    let rallies = (0..2).map(|number| {
        let details = details(if number == 0 { "first" } else { "second" });
        Event::Rally(rally::Event::Created(Announced { rally: rally_id(number), details }))
    });
    let all = std::iter::once(opened).chain(rallies).chain(mixed.into_iter().map(|(_, event)| event));
    let record = |(number, event): (usize, Event)| Recorded {
        seq: u64::try_from(number + 1).unwrap(),
        at: instant(number * 7_919),
        event,
    };
    all.enumerate().map(record).collect()
}

/// What a history comes to up to an event, by the words of files; and its fees.
fn folded(history: &[Recorded], until: u64, rally: Option<u8>) -> (BTreeMap<&'static str, i64>, i64) {
    let (mut sums, mut fees) = (BTreeMap::new(), 0);
    for recorded in history.iter().take_while(|recorded| recorded.seq <= until) {
        let Event::Donation(event) = &recorded.event else { continue };
        let (kind, of, minor, fee) = match event {
            Donation::Settled(data) => ("donation", data.rally, data.amount.minor, data.fee.map_or(0, |fee| fee.minor)),
            Donation::FeeRecorded(data) => ("donation", data.rally, 0, data.fee.minor),
            Donation::Refunded(data) => ("refund", data.rally, -data.amount.minor, 0),
            Donation::DisputeWithdrawn(data) => ("dispute", data.rally, -data.amount.minor, 0),
            Donation::DisputeReinstated(data) => ("dispute_reversed", data.rally, data.amount.minor, 0),
            Donation::DebitReturned(data) => ("debit_returned", data.rally, -data.amount.minor, 0),
            _ => continue,
        };
        if rally.is_none_or(|number| rally_id(number) == of) {
            *sums.entry(kind).or_default() += minor;
            fees += fee;
        }
    }
    (sums, fees)
}

fn minor(decimal: &str) -> i64 {
    if decimal.is_empty() { 0 } else { decimal.replace('.', "").parse().unwrap() }
}

type Records = Vec<BTreeMap<String, String>>;

fn records(bytes: &[u8]) -> Records {
    csv::Reader::from_reader(bytes).deserialize().map(Result::unwrap).collect()
}

struct Taker {
    runtime: tokio::runtime::Runtime,
    engine: Engine,
    selection: Selection,
}

impl Taker {
    fn take(&self, format: Format, report: Report) -> Vec<u8> {
        let (selection, who, name) = (self.selection.clone(), "shell:test".to_owned(), "a test".to_owned());
        let order =
            Order { id: Uuid::now_v7(), format, selection, who, name, reason: String::new(), report, filing: None };
        self.runtime.block_on(async {
            let mut parts = Desk::new(self.engine.clone()).take(order).await.unwrap();
            let mut file = vec![];
            while let Some(part) = parts.recv().await {
                file.extend_from_slice(&part.unwrap());
            }
            file
        })
    }

    fn contributions(&self, report: Report) -> i64 {
        records(&self.take(Format::ActblueCsv, report)).iter().map(|row| minor(&row["Amount"])).sum()
    }

    /// The events of a donor's rows, the latest first.
    fn rows_of(&self, donor: u8) -> Vec<u64> {
        let world = self.engine.world();
        let chosen = Chosen::new(&world, &self.selection);
        let rows = world.ledger.rows_at(self.selection.seq(&world)).iter().rev();
        rows.filter(|row| chosen.has(row) && row.donor == person(donor)).map(|row| row.seq).collect()
    }

    /// The same, found by name, two at a time.
    fn look(&self, names: &Names, donor: u8) -> Vec<u64> {
        let words = [donor.to_string(), "petrie".to_owned()];
        let (mut seqs, mut before) = (vec![], u64::MAX);
        loop {
            let found = names.search(&self.selection, &words, before, 2).unwrap();
            seqs.extend(found.seqs);
            let Some((on, _)) = found.on else { return seqs };
            before = on;
        }
    }

    fn erase(&self, donor: u8) {
        let now = chrono::Utc::now() + chrono::TimeDelta::days(36_500);
        let (erasure, reason) = (ErasureId(Uuid::now_v7()), "letter 7".to_owned());
        let erase = Erase { erasure, person: person(donor), reason, notices: vec![], now, retention_years: 1 };
        let command = Command::Privacy(privacy::Command::Erase(erase));
        self.runtime.block_on(self.engine.execute(command, "erase:1".into(), "shell:test")).unwrap();
    }

    fn workbook(&self) -> BTreeMap<String, i64> {
        let mut book: Xlsx<_> = Xlsx::new(Cursor::new(self.take(Format::Xlsx, Report::Paid))).unwrap();
        let sheet = book.worksheet_range("Donations").unwrap();
        let mut sums: BTreeMap<String, i64> = BTreeMap::new();
        for row in sheet.rows().skip(1) {
            let Data::Float(amount) = row[7] else { panic!("an amount is a number: {:?}", row[7]) };
            // Whole cents, as near as a float can hold them.
            *sums.entry(row[3].to_string()).or_default() += format!("{:.0}", amount * 100.0).parse::<i64>().unwrap();
        }
        sums
    }
}

fn written(dir: &Path, gifts: &[Gift]) -> Vec<Recorded> {
    let vault = Vault::open(&dir.join("vault")).unwrap();
    let history = history(gifts, &vault);
    vault.commit().unwrap();
    let mut log = SledLog::open(&dir.join("log")).unwrap();
    let line = |recorded: &Recorded| codec::encode(recorded, &format!("k:{}", recorded.seq), "processor").unwrap();
    log.append(&history.iter().map(line).collect::<Vec<_>>()).unwrap();
    history
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_file_comes_to_what_the_events_come_to(
        gifts in gifts(),
        at in any::<prop::sample::Index>(),
        now in any::<bool>(),
        rally in proptest::option::of(0..2_u8),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let history = written(dir.path(), &gifts);
        let until = if now { u64::try_from(history.len()).unwrap() } else { history[at.index(history.len())].seq };
        let (sums, fees) = folded(&history, until, rally);
        let as_of = (!now).then(|| AsOf { seq: until, at: history[usize::try_from(until).unwrap() - 1].at });
        let slug = rally.map(|number| if number == 0 { "first" } else { "second" }.to_owned());
        let selection = Selection { rally: slug, as_of, ..Selection::default() };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (engine, _writer) = runtime.block_on(async { Engine::open(dir.path()).unwrap() });
        let taker = Taker { runtime, engine, selection };

        let csv: Records = records(&taker.take(Format::Csv, Report::Paid));
        let (last, rows) = csv.split_last().unwrap();
        prop_assert_eq!(&last["kind"], "ledger head");
        let mut from_csv: BTreeMap<&str, i64> = BTreeMap::new();
        rows.iter().for_each(|row| *from_csv.entry(row["kind"].as_str()).or_default() += minor(&row["amount"]));
        prop_assert_eq!(&from_csv, &sums, "csv");
        prop_assert_eq!(rows.iter().map(|row| minor(&row["fee"])).sum::<i64>(), fees, "fees");

        let from_book = taker.workbook();
        let from_book: BTreeMap<&str, i64> = from_book.iter().map(|(kind, minor)| (kind.as_str(), *minor)).collect();
        prop_assert_eq!(&from_book, &sums, "xlsx");

        let given = sums.get("donation").copied().unwrap_or(0);
        prop_assert_eq!(taker.contributions(Report::Paid), given);
        prop_assert_eq!(taker.contributions(Report::Refunded), given - sums.values().sum::<i64>());
        prop_assert_eq!(taker.contributions(Report::Recurring), 0);

        if rally.is_none() {
            let payouts = records(&taker.take(Format::Payouts, Report::Paid));
            prop_assert_eq!(payouts.iter().map(|row| minor(&row["net"])).sum::<i64>(), 0);
            prop_assert!(payouts.iter().all(|row| row["line"] != "not told"), "{:?}", payouts);
        }
        let events = taker.take(Format::Jsonl, Report::Paid);
        let lines = events.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let read: Vec<Recorded> = lines.map(|line| codec::decode(line).unwrap().recorded).collect();
        prop_assert_eq!(folded(&read, until, rally).0, sums, "jsonl");

        // Names are found as they were typed: before they are kept, once they are, and no more once somebody is erased.
        let names = Names::new(taker.engine.clone(), 3);
        for donor in [0, 1, 2, 0, 1, 2] {
            let wanted = taker.rows_of(donor);
            prop_assert_eq!(taker.look(&names, donor), wanted, "donor {}", donor);
        }
        if !gifts.is_empty() {
            taker.erase(gifts[0].donor);
            for donor in 0..3 {
                let wanted = if donor == gifts[0].donor { vec![] } else { taker.rows_of(donor) };
                prop_assert_eq!(taker.look(&names, donor), wanted, "donor {} after an erasure", donor);
            }
        }
    }
}
