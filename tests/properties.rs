//! Properties of the pure core: the order and repetition of a processor's notices don't matter, sums are what was
//! reported, and a log read back is the state that wrote it.

// A panic is how a test fails, and a wildcard arm here stands for "says nothing of money".
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic, clippy::wildcard_enum_match_arm)]
#![allow(clippy::float_arithmetic, reason = "numbers of a workbook, which has no others")]

#[path = "properties/campaign.rs"]
mod campaign;
#[path = "properties/crowd.rs"]
mod crowd;
#[path = "properties/exports.rs"]
mod exports;
#[path = "properties/filing.rs"]
mod filing;
#[path = "support/season.rs"]
mod season;

use chrono::{DateTime, Utc};
use groundswell::domain::attendance::{self, Joined, Present};
use groundswell::domain::broadcast::{self, Cut, SourceConnected, SourceReason, TookProgram};
use groundswell::domain::committee::joint::Part;
use groundswell::domain::donation::{self, ATTESTATIONS, Card, Command as Notice, Pledged, Traces};
use groundswell::domain::id::{
    CommitteeId, DisputeId, DonationId, ErasureId, ItemId, NoticeId, PaymentId, PersonId, ProcessorRefundId, RallyId,
    RefundId, SourceId,
};
use groundswell::domain::money::{Currency, Money};
use groundswell::domain::rally::{self, Announced, Details, RallyNamed, SpeakerAdded, SpeakerNamed};
use groundswell::domain::sealed::Sealed;
use groundswell::domain::{Command, Event, Recorded, State, codec, decide, inbox, ledger, privacy, show, staff};
use groundswell::projections::Projections;
use groundswell::projections::totals::Sums;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::collections::BTreeMap;
use uuid::Uuid;

const RALLY: RallyId = RallyId(Uuid::from_u128(1));
const DONATION: DonationId = DonationId(Uuid::from_u128(2));
const DONOR: PersonId = PersonId(Uuid::from_u128(3));
const PAYMENTS: [&str; 2] = ["pi_1", "pi_2"];

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

fn pay(payment: usize) -> PaymentId {
    PaymentId(PAYMENTS[payment].into())
}

fn instant(second: usize) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + i64::try_from(second).unwrap(), 123_456_000).unwrap()
}

fn details(slug: &str) -> Details {
    Details {
        slug: slug.into(),
        title: "Nurses for Rivera 🩺".into(),
        starts_at: instant(0),
        timezone: "America/New_York".into(),
        description: "مرحبا".into(),
        goal_minor: None,
        currency: Currency::USD,
        suggested_minor: vec![1500],
        paid_for_by: "Paid for by Rivera for Senate".into(),
        accent: "#d6301f".into(),
        committee: CommitteeId::FIRST,
    }
}

/// Takes a command as a server does: refused or not, the events and the state after them.
fn take(state: &mut State, log: &mut Vec<Recorded>, command: Command) {
    for event in decide(state, command).unwrap_or_default() {
        let at = instant(log.len());
        state.evolve(&event, at);
        let seq = u64::try_from(log.len() + 1).unwrap();
        log.push(Recorded { seq, at, event });
    }
}

/// A donation in flight: with one attempt, or with a second after the donor closed the bank's window on the first.
fn standing(attempts: usize) -> (State, Vec<Recorded>) {
    let (mut state, mut log) = (State::default(), vec![]);
    let pledge = Pledged {
        donation: DONATION,
        rally: RALLY,
        donor: DONOR,
        amount: usd(5000),
        contact: Sealed::new(&[1; 40]),
        shown: Sealed::new(&[2; 40]),
        attestations: ATTESTATIONS.iter().map(|(id, _)| (*id).into()).collect(),
        refcode: None,
        likeness: None,
        covers_fee: None,
        came: None,
        on_program: None,
        traces: Traces::default(),
    };
    let request = || Command::Donation(Notice::RequestPayment { donation: DONATION, method: "tok".into() });
    let mut commands = vec![
        Command::Rally(rally::Command::Create { rally: RALLY, details: details("nurses") }),
        Command::Donation(Notice::Pledge(pledge)),
        request(),
    ];
    if attempts == 2 {
        commands.push(Command::Donation(Notice::RecordAction { donation: DONATION, payment: pay(0) }));
        commands.push(request());
    }
    let expected = commands.len();
    for command in commands {
        take(&mut state, &mut log, command);
    }
    assert_eq!(log.len(), expected, "every command of the standing is allowed");
    (state, log)
}

/// What the processor may say of one payment; fee and card may be missing in one telling and there in another.
fn notices_of(payment: usize) -> impl Strategy<Value = Vec<Notice>> {
    let donation = DONATION;
    let settled = |fee, card| Notice::RecordSettled { donation, payment: pay(payment), amount: usd(5000), fee, card };
    let card = Some(Card { brand: "visa".into(), last4: "4242".into() });
    let refund = move |number: i64| Notice::RecordRefunded {
        payment: pay(payment),
        processor_refund: ProcessorRefundId(format!("re_{payment}_{number}")),
        refund: (number == 0).then_some(RefundId(Uuid::from_u128(9))),
        amount: usd(1000 + number),
    };
    let (code, reason) = (format!("declined_{payment}"), "The card was refused.".into());
    proptest::sample::subsequence(
        vec![
            Notice::RecordAction { donation, payment: pay(payment) },
            Notice::RecordProcessing { donation, payment: pay(payment) },
            settled(None, None),
            settled(Some(usd(175)), card),
            Notice::RecordDeclined { donation, payment: Some(pay(payment)), code, reason },
            refund(0),
            refund(1),
            refund(2),
        ],
        0..=8,
    )
}

/// Any notices of one or two payments, in two tellings that each repeat and shuffle as they like.
fn tellings() -> impl Strategy<Value = (usize, Vec<Notice>, Vec<Notice>)> {
    let notices = (1..=2_usize).prop_flat_map(|attempts| {
        let second = if attempts == 2 { notices_of(1).boxed() } else { Just(vec![]).boxed() };
        (Just(attempts), notices_of(0), second)
    });
    notices.prop_flat_map(|(attempts, first, second)| {
        let all = [first, second].concat();
        let telling = || {
            let all = all.clone();
            vec(any::<Index>(), 0..8).prop_flat_map(move |again| {
                let mut told = all.clone();
                if !all.is_empty() {
                    told.extend(again.iter().map(|index| index.get(&all).clone()));
                }
                Just(told).prop_shuffle()
            })
        };
        (Just(attempts), telling(), telling())
    })
}

fn told(attempts: usize, notices: &[Notice]) -> (State, Vec<Recorded>) {
    let (mut state, mut log) = standing(attempts);
    for notice in notices {
        take(&mut state, &mut log, Command::Donation(notice.clone()));
    }
    (state, log)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn order_and_repetition_of_notices_do_not_matter((attempts, one, other) in tellings()) {
        let (once, twice) = (told(attempts, &one).0, told(attempts, &other).0);
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn a_telling_repeated_adds_no_event((attempts, one, other) in tellings()) {
        let (mut state, mut log) = told(attempts, &one);
        let before = log.len();
        for notice in other {
            take(&mut state, &mut log, Command::Donation(notice));
        }
        prop_assert_eq!(log.len(), before, "{:?}", &log[before..]);
    }

    #[test]
    fn sums_are_what_was_reported((attempts, notices, _) in tellings()) {
        let (state, log) = told(attempts, &notices);
        let mut settled = BTreeMap::new();
        let mut refunded = BTreeMap::new();
        for notice in &notices {
            match notice {
                Notice::RecordSettled { payment, amount, .. } => drop(settled.insert(payment, amount.minor)),
                Notice::RecordRefunded { payment, processor_refund, amount, .. } => {
                    refunded.insert((payment, processor_refund), amount.minor);
                }
                _ => {}
            }
        }
        let back = refunded.iter().filter(|((payment, _), _)| settled.contains_key(payment)).map(|(_, minor)| minor);
        let (settled, back): (i64, i64) = (settled.values().sum(), back.sum());
        let donation = state.donations.get(DONATION).unwrap();
        prop_assert_eq!((donation.settled_minor(), donation.refunded_minor()), (settled, back));
        // The events themselves, as a projection sums them, say the same.
        let (mut from_events, mut back_from_events) = (0, 0);
        for recorded in &log {
            match &recorded.event {
                Event::Donation(donation::Event::Settled(settled)) => from_events += settled.amount.minor,
                Event::Donation(donation::Event::Refunded(refunded)) => back_from_events += refunded.amount.minor,
                _ => {}
            }
        }
        prop_assert_eq!((from_events, back_from_events), (settled, back));
    }

    #[test]
    fn sums_of_an_earlier_event_are_what_they_were_then((attempts, notices, _) in tellings()) {
        let (_, log) = told(attempts, &notices);
        let (mut all, mut then) = (Projections::default(), Projections::default());
        log.iter().for_each(|recorded| all.apply(recorded));
        for recorded in &log {
            then.apply(recorded);
            let mut sums = Sums::default();
            all.ledger.sums_at(recorded.seq, None).values().for_each(|of_day| sums.add(of_day));
            prop_assert_eq!(sums, then.totals.sums(RALLY), "after event {}", recorded.seq);
        }
    }

    #[test]
    fn a_log_read_back_is_the_live_state((attempts, notices, _) in tellings()) {
        let (state, log) = told(attempts, &notices);
        let mut replayed = State::default();
        for recorded in &log {
            let (key, by) = (format!("k:{} \"🗝\"", recorded.seq), "processor");
            let line = codec::encode(recorded, &key, by).unwrap();
            let codec::Line { recorded: read, key: read_key, by: read_by } = codec::decode(&line).unwrap();
            prop_assert_eq!((&read, &*read_key, &*read_by), (recorded, key.as_str(), by));
            replayed.evolve(&read.event, read.at);
        }
        prop_assert_eq!(replayed, state);
    }

    #[test]
    fn any_events_in_any_order_are_folded_without_panic_and_read_back(events in vec(any_event(), 0..60)) {
        let (mut state, mut replayed) = (State::default(), State::default());
        let mut projections = Projections::default();
        for (second, event) in events.into_iter().enumerate() {
            let recorded = Recorded { seq: u64::try_from(second + 1).unwrap(), at: instant(second), event };
            projections.apply(&recorded);
            state.evolve(&recorded.event, recorded.at);
            let line = codec::encode(&recorded, "k \"🗝\"", "x").unwrap();
            let read = codec::decode(&line).unwrap();
            prop_assert_eq!(&read, &codec::decode_any(&line).unwrap());
            let read = read.recorded;
            replayed.evolve(&read.event, read.at);
        }
        // A snapshot holds all of it, whatever happened.
        let kept: Projections = postcard::from_bytes(&postcard::to_stdvec(&projections).unwrap()).unwrap();
        prop_assert_eq!(kept.differences(&projections), Vec::<&str>::new());
        for (_, donation) in state.donations.iter() {
            let _ = (donation.settled_minor(), donation.refunded_minor());
        }
        prop_assert_eq!(replayed, state);
    }
}

/// Few ids, so that events meet; every amount there is; text of any script.
fn any_event() -> impl Strategy<Value = Event> {
    let id = || (0..3_u128).prop_map(Uuid::from_u128);
    let name = || select(vec!["pi_1", "pi_2", "pi_3"]).prop_map(|name| PaymentId(name.into()));
    let amount = || (any::<i64>(), select(Currency::ALL)).prop_map(|(minor, currency)| Money { minor, currency });
    let text = || prop_oneof![".{0,8}", Just("👩🏽‍⚕️".to_string()), Just("ليلى\u{202e}".to_string())];
    (0..52_usize, (id(), id(), id(), id()), name(), amount(), any::<u32>(), text()).prop_map(
        |(kind, (a, b, c, d), payment, amount, number, text)| {
            let (rally, source, person, donation) = (RallyId(a), SourceId(b), PersonId(c), DonationId(d));
            let (refund, processor_refund) = (RefundId(b), ProcessorRefundId(text.clone()));
            let (sealed, notice) = (Sealed::new(text.as_bytes()), NoticeId(text.clone()));
            let named = donation::PaymentNamed { donation, payment: payment.clone() };
            let maybe = (number % 2 == 0).then_some(refund);
            let reason = SourceReason { rally, source, reason: text.clone() };
            let announced = Announced { rally, details: Details { title: text.clone(), ..details("one") } };
            let (present, speaker) = (Present { rally, person }, SpeakerNamed { rally, source });
            match kind {
                0 => Event::Ledger(ledger::Event::Opened(ledger::Opened { mode: ledger::Mode::Test })),
                1 => Event::Ledger(ledger::Event::Started(ledger::Started {})),
                2 => Event::Staff(staff::Event::Added(staff::Added {
                    staff: person,
                    role: staff::Role::Host,
                    account: sealed,
                })),
                3 => Event::Staff(staff::Event::SessionsRevoked(staff::SessionsRevoked { staff: person })),
                4 => Event::Rally(rally::Event::Created(announced)),
                5 => Event::Rally(rally::Event::Revised(announced)),
                6 => {
                    let (name, role) = (text.clone(), text);
                    Event::Rally(rally::Event::SpeakerAdded(SpeakerAdded { rally, source, name, role }))
                }
                7 => Event::Rally(rally::Event::SpeakerRemoved(speaker)),
                8 => Event::Rally(rally::Event::StreamKeyReplaced(speaker)),
                9 => Event::Rally(rally::Event::DoorsOpened(RallyNamed { rally })),
                10 => Event::Rally(rally::Event::Ended(RallyNamed { rally })),
                11 => {
                    let (protocol, video, audio) = (text.clone(), text.clone(), text);
                    let connected = SourceConnected { rally, source, protocol, video, audio };
                    Event::Broadcast(broadcast::Event::SourceConnected(connected))
                }
                12 => Event::Broadcast(broadcast::Event::SourceDisconnected(reason)),
                13 => Event::Broadcast(broadcast::Event::SourceRefused(reason)),
                14 => Event::Broadcast(broadcast::Event::Cut(Cut { rally, source: maybe.map(|_| source) })),
                15 => {
                    Event::Attendance(attendance::Event::Joined(Joined { rally, person, profile: sealed, came: None }))
                }
                16 => Event::Attendance(attendance::Event::Entered(present)),
                17 => Event::Attendance(attendance::Event::Left(present)),
                18 => Event::Donation(donation::Event::Pledged(Pledged {
                    donation,
                    rally,
                    donor: person,
                    amount,
                    contact: sealed.clone(),
                    shown: sealed,
                    attestations: vec![text.clone()],
                    refcode: maybe.map(|_| text),
                    likeness: None,
                    covers_fee: None,
                    came: None,
                    on_program: None,
                    traces: Traces::default(),
                })),
                19 => Event::Donation(donation::Event::PaymentRequested(donation::PaymentRequested {
                    donation,
                    attempt: number,
                    method: text,
                    customer: None,
                    parts: [Part { committee: CommitteeId(1), amount }]
                        .into_iter()
                        .filter(|_| number % 2 == 1)
                        .collect(),
                })),
                20 => Event::Donation(donation::Event::ActionRequired(named)),
                21 => Event::Donation(donation::Event::Processing(named)),
                22 => Event::Donation(donation::Event::Settled(donation::Settled {
                    donation,
                    rally,
                    donor: person,
                    payment,
                    amount,
                    fee: maybe.map(|_| amount),
                    card: maybe.map(|_| Card { brand: text.clone(), last4: text }),
                })),
                23 => {
                    let recorded = donation::FeeRecorded { donation, rally, payment, fee: amount };
                    Event::Donation(donation::Event::FeeRecorded(recorded))
                }
                24 => {
                    let (payment, code, reason) = (maybe.map(|_| payment), text.clone(), text);
                    Event::Donation(donation::Event::Declined(donation::Declined { donation, payment, code, reason }))
                }
                25 => {
                    let requested = donation::RefundRequested { donation, refund, payment, amount };
                    Event::Donation(donation::Event::RefundRequested(requested))
                }
                26 => Event::Donation(donation::Event::Refunded(donation::Refunded {
                    donation,
                    rally,
                    donor: person,
                    payment,
                    processor_refund,
                    refund: maybe,
                    amount,
                })),
                27 => {
                    let early = donation::RefundUnmatched { payment, processor_refund, refund: maybe, amount };
                    Event::Donation(donation::Event::RefundUnmatched(early))
                }
                28 => {
                    let failed = donation::RefundFailed { donation, refund, reason: text };
                    Event::Donation(donation::Event::RefundFailed(failed))
                }
                29 => Event::Inbox(inbox::Event::Received(inbox::Received {
                    committee: CommitteeId(u16::from(number % 3 == 0)),
                    notice,
                    what: text,
                    sealed_for: person,
                    body: sealed,
                })),
                30 if number % 5 == 0 => {
                    let (listed, taken) = (number.into(), 1);
                    let read = inbox::CaughtUp {
                        committee: CommitteeId(1),
                        since: instant(1),
                        until: instant(2),
                        listed,
                        taken,
                    };
                    Event::Inbox(inbox::Event::CaughtUp(read))
                }
                30 => Event::Inbox(inbox::Event::Interpreted(inbox::Interpreted { notice, outcome: text })),
                31 => Event::Privacy(privacy::Event::Erased(privacy::Erased {
                    erasure: ErasureId(c),
                    person,
                    reason: text,
                    notices: maybe.map(|_| PersonId(a)).into_iter().collect(),
                    closed: maybe.map(|_| donation).into_iter().collect(),
                })),
                32 => {
                    let (source, shown_at) = (maybe.map(|_| source), instant(3));
                    Event::Broadcast(broadcast::Event::TookProgram(TookProgram { rally, source, shown_at }))
                }
                41..=51 => {
                    Event::Donation(any_event_after(kind, (donation, rally, person), payment, maybe, amount, text))
                }
                33..=39 => Event::Show(any_show_event(kind, rally, ItemId(c), source, number, text)),
                _ => Event::Privacy(privacy::Event::Disclosed(privacy::Disclosed {
                    from_seq: number.into(),
                    to_seq: maybe.map(|_| number.into()),
                    who: text.clone(),
                    reason: text,
                })),
            }
        },
    )
}

/// What may happen to money after it settled.
fn any_event_after(
    kind: usize,
    (donation, rally, donor): (DonationId, RallyId, PersonId),
    payment: PaymentId,
    refund: Option<RefundId>,
    amount: Money,
    code: String,
) -> donation::Event {
    let (dispute, processor_refund) = (DisputeId(code.clone()), ProcessorRefundId(code.clone()));
    let due_by = refund.map(|_| instant(9));
    let moved =
        donation::DisputeMoved { donation, rally, donor, payment: payment.clone(), dispute: dispute.clone(), amount };
    let (fee, outcome) = (refund.map(|_| amount), donation::DisputeOutcome::Lost);
    match kind {
        41 => donation::Event::RefundReversed(donation::RefundReversed {
            donation,
            rally,
            donor,
            payment,
            processor_refund,
            refund,
            amount,
            code,
        }),
        42 => donation::Event::RefundFailureUnmatched(donation::RefundFailureNews {
            payment,
            processor_refund,
            refund,
            code,
        }),
        43 => {
            let (reason, donation) = (code, donation);
            let opened = donation::DisputeOpened { donation, rally, donor, payment, dispute, amount, reason, due_by };
            donation::Event::DisputeOpened(opened)
        }
        44 => {
            let due_by = instant(99);
            donation::Event::DisputeRevised(donation::DisputeRevised { donation, payment, dispute, due_by })
        }
        45 => donation::Event::DisputeWithdrawn(moved),
        46 => donation::Event::DisputeReinstated(moved),
        47 => donation::Event::DisputeClosed(donation::DisputeClosed { donation, payment, dispute, outcome }),
        48 => donation::Event::DisputeUnmatched(donation::DisputeNews {
            payment,
            dispute,
            amount,
            reason: code,
            due_by,
            withdrawn: refund.is_some(),
            withdrawal_fee: fee,
            reinstated: refund.is_none(),
            reinstatement_fee: fee,
            closed: refund.map(|_| outcome),
        }),
        49 => donation::Event::DebitReturned(donation::DebitReturned { donation, rally, donor, payment, amount, code }),
        50 => donation::Event::ReturnUnmatched(donation::ReturnNews { payment, amount, code, fee }),
        _ => donation::Event::CostRecorded(donation::CostRecorded {
            donation,
            rally,
            payment,
            of: donation::Movement::Withdrawal,
            name: refund.map(|_| code),
            fee: amount,
        }),
    }
}

fn any_show_event(
    kind: usize,
    rally: RallyId,
    item: ItemId,
    source: SourceId,
    number: u32,
    title: String,
) -> show::Event {
    let even = number.is_multiple_of(2);
    let plan = show::Plan {
        kind: if even { show::Kind::Speaker } else { show::Kind::Break },
        title,
        source: even.then_some(source),
        planned_s: number,
        starts_at: (!even).then(|| instant(7)),
        cuts: even,
    };
    let named = show::ItemNamed { rally, item };
    match kind {
        33 => show::Event::ItemAdded(show::ItemPlanned { rally, item, plan }),
        34 => show::Event::ItemRevised(show::ItemPlanned { rally, item, plan }),
        35 => show::Event::ItemMoved(show::ItemMoved { rally, item, position: number }),
        36 => show::Event::ItemRemoved(named),
        37 => show::Event::ItemStarted(named),
        38 => show::Event::ItemStopped(named),
        _ => show::Event::Undone(show::Undone { rally, item: even.then_some(item) }),
    }
}
