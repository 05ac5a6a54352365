//! Somebody who trusts nobody: keeps what callers were told, and looks after each start, and at the end, whether the log
//! still says so and whether it says what the bank's true books say. Its sums are its own; no fold of the server's is used.

use crate::bank::{Back, Bank, State};
use crate::crowd::RALLIES;
use crate::trace::Trace;
use groundswell::domain::codec;
use groundswell::domain::id::{DonationId, RallyId, RefundId};
use groundswell::domain::{Command, Event, donation, inbox};
use groundswell::engine::{Engine, Receipt};
use groundswell::projections::totals::Sums;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

/// A command that was answered with events.
#[derive(Clone)]
pub struct Told {
    pub command: Command,
    pub key: String,
    pub by: String,
    pub receipt: Receipt,
}

#[derive(Default)]
struct Notes {
    told: Vec<Told>,
    /// Keys whose commands were only ever refused, or changed nothing.
    nothing_by: BTreeSet<String>,
    rallies: BTreeMap<DonationId, RallyId>,
    paid: BTreeSet<DonationId>,
    refunds: BTreeSet<String>,
    webhooks: BTreeSet<String>,
    /// Every line that anybody could have read.
    lines: Vec<Vec<u8>>,
    /// The newest event that anybody was told of or saw.
    seen: u64,
    /// What a page showed when an event was the newest.
    shown: BTreeMap<u64, Vec<(RallyId, Sums)>>,
}

#[derive(Clone)]
pub struct Auditor {
    notes: Arc<Mutex<Notes>>,
    bank: Bank,
    trace: Trace,
}

/// What the lines of the log come to, by the auditor's own reckoning.
#[derive(Default)]
struct Reckoning {
    keys: BTreeMap<String, (u64, u32)>,
    payments: BTreeMap<String, Paid>,
    refunds: BTreeMap<String, i64>,
    /// Refunds that failed after they were done.
    reversed: BTreeSet<String>,
    intents: BTreeSet<String>,
    received: BTreeSet<String>,
    interpreted: BTreeSet<String>,
    sums: BTreeMap<RallyId, Sums>,
}

struct Paid {
    donation: DonationId,
    rally: RallyId,
    minor: i64,
    fee: Option<i64>,
}

impl Auditor {
    pub fn new(bank: Bank, trace: Trace) -> Self {
        Self { notes: Arc::default(), bank, trace }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap()
    }

    pub fn wrong(&self, what: impl AsRef<str>) {
        self.trace.wrong(what);
    }

    /// A donor filled in a form for this rally; whether it arrived is another question.
    pub fn form_sent(&self, donation: DonationId, rally: RallyId) {
        self.notes().rallies.insert(donation, rally);
    }

    /// A command is on its way, perhaps once more: what it was answered before does not bind any longer where that was no.
    pub fn asked(&self, key: &str) {
        self.notes().nothing_by.remove(key);
    }

    /// Finance was told that a refund is on its way, or done.
    pub fn refund_taken_up(&self, refund: RefundId) {
        self.notes().refunds.insert(format!("refund:{refund}"));
    }

    /// A caller got a receipt.
    pub fn told(&self, told: Told) {
        let receipt = told.receipt;
        self.trace.line(format!("told {} {receipt:?}", told.key));
        self.trace.count(|count| count.commands += 1);
        let mut notes = self.notes();
        if receipt.count == 0 {
            notes.nothing_by.insert(told.key);
            return;
        }
        notes.nothing_by.remove(&told.key);
        notes.seen = notes.seen.max(receipt.first_seq + u64::from(receipt.count) - 1);
        let before = notes.told.iter().find(|before| before.key == told.key).map(|before| before.receipt);
        match before {
            Some(before) => {
                if !receipt.repeated || (before.first_seq, before.count) != (receipt.first_seq, receipt.count) {
                    self.wrong(format!("{} was answered {before:?}, and its repeat {receipt:?}", told.key));
                }
            }
            None => notes.told.push(told),
        }
    }

    /// A caller was told no.
    pub fn refused(&self, key: &str, why: &str) {
        self.trace.line(format!("refused {key}: {why}"));
        let mut notes = self.notes();
        if notes.told.iter().any(|told| told.key == key) {
            self.wrong(format!("{key} was recorded, and its repeat refused: {why}"));
        }
        notes.nothing_by.insert(key.to_owned());
    }

    /// A donor read that the gift has arrived.
    pub fn told_paid(&self, donation: DonationId) {
        self.trace.line(format!("{donation} is told: paid"));
        if self.bank.books().of(donation, State::Settled) == 0 {
            self.wrong(format!("{donation} was told it is paid, and the bank has nothing"));
        }
        self.notes().paid.insert(donation);
    }

    /// A donor, in one window only, read that another card may be tried.
    pub fn told_to_try_again(&self, donation: DonationId) {
        self.trace.line(format!("{donation} is told: open"));
        let books = self.bank.books();
        if books.of(donation, State::Settled) + books.of(donation, State::Processing) > 0 {
            self.wrong(format!("{donation} was asked for another card while the bank takes, or took, its money"));
        }
    }

    /// The bank got its 200.
    pub fn acknowledged(&self, webhook: &str) {
        self.trace.line(format!("{webhook} is acknowledged"));
        self.trace.count(|count| count.webhooks += 1);
        self.notes().webhooks.insert(webhook.to_owned());
    }

    /// Any command that was told of, to be repeated.
    pub fn some_told(&self, at: impl FnOnce(u64) -> u64) -> Option<Told> {
        let notes = self.notes();
        let place = at(notes.told.len() as u64) as usize;
        notes.told.get(place).cloned()
    }

    /// The newest event that anybody has heard of.
    pub fn seen(&self) -> u64 {
        self.notes().seen
    }

    /// A page was drawn, asked for when event `floor` had been seen.
    pub fn saw(&self, floor: u64, seq: u64, sums: Vec<(RallyId, Sums)>) {
        let mut notes = self.notes();
        if seq < floor {
            self.wrong(format!("a page shows the world of event {seq}, and event {floor} was seen before"));
        }
        notes.seen = notes.seen.max(seq);
        let before = notes.shown.insert(seq, sums.clone());
        if before.is_some_and(|before| before != sums) {
            self.wrong(format!("two pages show different sums at event {seq}"));
        }
    }

    /// A page is drawn by another thread, in the middle of whatever the writer does.
    pub fn looks_at(&self, engine: &Engine) {
        let (seq, sums) = page_of(engine);
        self.saw(0, seq, sums);
    }

    /// After a start: is everything there that anybody was told of?
    pub fn inspect(&self, engine: &Engine, is_hurt: impl Fn() -> bool) {
        let lines = match lines_of(engine) {
            Ok(lines) => lines,
            // On a disk that fails just then it is read after the next start.
            Err(_) if is_hurt() => return,
            Err(fault) => return self.wrong(format!("the log can't be read: {fault}")),
        };
        let mut notes = self.notes();
        let newest = lines.len() as u64;
        self.trace.line(format!("the log has {newest} events, {} were seen", notes.seen));
        if newest < notes.seen {
            self.wrong(format!("the log ends at event {newest}, and event {} was seen", notes.seen));
        }
        if engine.world().seq != newest {
            self.wrong(format!("the log ends at event {newest}, and pages show event {}", engine.world().seq));
        }
        let kept = notes.lines.iter().zip(&lines).take(notes.seen as usize).take_while(|(old, new)| old == new).count();
        if (kept as u64) < notes.seen.min(notes.lines.len() as u64) {
            self.wrong(format!("event {} is not what it was", kept + 1));
        }
        let reckoning = self.reckon(&lines);
        for told in &notes.told {
            let found = reckoning.keys.get(&told.key).copied();
            if found != Some((told.receipt.first_seq, told.receipt.count)) {
                self.wrong(format!("{} was answered {:?}, and the log has {found:?}", told.key, told.receipt));
            }
        }
        for key in &notes.nothing_by {
            if reckoning.keys.contains_key(key) {
                self.wrong(format!("{key} was refused or changed nothing, and the log has it"));
            }
        }
        for donation in &notes.paid {
            if !reckoning.payments.values().any(|paid| paid.donation == *donation) {
                self.wrong(format!("{donation} was told it is paid, and the log does not have it"));
            }
        }
        for refund in &notes.refunds {
            if !reckoning.keys.contains_key(refund) {
                self.wrong(format!("{refund} was taken up, and the log does not have it"));
            }
        }
        for webhook in &notes.webhooks {
            if !reckoning.received.contains(webhook) {
                self.wrong(format!("{webhook} was acknowledged, and the log does not have it"));
            }
        }
        self.compare_with_bank(&reckoning, &notes, false);
        for (seq, shown) in &notes.shown {
            let mut then: BTreeMap<RallyId, Sums> = BTreeMap::new();
            for ((rally, _), sums) in engine.world().ledger.sums_at(*seq, None) {
                then.entry(rally).or_default().add(&sums);
            }
            for (rally, sums) in shown {
                if then.get(rally).copied().unwrap_or_default() != *sums {
                    self.wrong(format!(
                        "at event {seq} a page showed {sums:?}, and as of then it is {:?} now",
                        then.get(rally)
                    ));
                }
            }
        }
        // Read once, it counts as seen.
        notes.seen = notes.seen.max(newest);
        notes.lines = lines;
    }

    /// What stands in the lines, by rules of the auditor's own.
    fn reckon(&self, lines: &[Vec<u8>]) -> Reckoning {
        let mut all = Reckoning::default();
        let (mut before, mut last_key) = (None, String::new());
        for (line, expected) in lines.iter().zip(1_u64..) {
            let line = match codec::decode(line) {
                Ok(line) => line,
                Err(error) => {
                    self.wrong(format!("event {expected} can't be read: {error}"));
                    continue;
                }
            };
            let recorded = line.recorded;
            if recorded.seq != expected {
                self.wrong(format!("event {} stands in place {expected}", recorded.seq));
            }
            if before.is_some_and(|before| recorded.at < before) {
                self.wrong(format!("event {expected} is dated before the one before it"));
            }
            before = Some(recorded.at);
            let span = all.keys.entry(line.key.to_string()).or_insert((recorded.seq, 0));
            if span.1 > 0 && last_key != line.key {
                self.wrong(format!("{} was carried out at event {} and again at event {expected}", line.key, span.0));
            }
            span.1 += 1;
            last_key = line.key.into_owned();
            self.take_in(&mut all, recorded.event);
        }
        all
    }

    fn take_in(&self, all: &mut Reckoning, event: Event) {
        match event {
            Event::Donation(donation::Event::PaymentRequested(asked)) => {
                all.intents.insert(format!("charge-{}-{}", asked.donation, asked.attempt));
            }
            Event::Donation(donation::Event::RefundRequested(asked)) => {
                all.intents.insert(format!("refund-{}", asked.refund));
            }
            Event::Donation(donation::Event::Settled(settled)) => {
                let fee = settled.fee.map(|fee| fee.minor);
                let minor = settled.amount.minor;
                let paid = Paid { donation: settled.donation, rally: settled.rally, minor, fee };
                if all.payments.insert(settled.payment.0.clone(), paid).is_some() {
                    self.wrong(format!("{} was booked twice", settled.payment));
                }
            }
            Event::Donation(donation::Event::FeeRecorded(known)) => {
                let paid = all.payments.get_mut(&known.payment.0);
                match paid.filter(|paid| paid.fee.is_none()) {
                    Some(paid) => paid.fee = Some(known.fee.minor),
                    None => self.wrong(format!("{} has a fee twice, or no payment", known.payment)),
                }
            }
            Event::Donation(donation::Event::Refunded(back)) => {
                self.once(all.refunds.insert(back.processor_refund.0.clone(), back.amount.minor).is_some(), || {
                    format!("{} was booked twice", back.processor_refund)
                });
            }
            Event::Donation(donation::Event::RefundReversed(back)) => {
                let id = back.processor_refund.0;
                if all.refunds.get(&id) != Some(&back.amount.minor) {
                    self.wrong(format!(
                        "{id} is reversed with {}, and was booked as {:?}",
                        back.amount.minor,
                        all.refunds.get(&id)
                    ));
                }
                self.once(!all.reversed.insert(id.clone()), || format!("{id} was reversed twice"));
            }
            Event::Inbox(inbox::Event::Received(received)) => {
                self.once(!all.received.insert(received.notice.0.clone()), || {
                    format!("{} was stored twice", received.notice)
                });
            }
            Event::Inbox(inbox::Event::Interpreted(read)) => {
                self.once(!all.interpreted.insert(read.notice.0.clone()), || {
                    format!("{} was interpreted twice", read.notice)
                });
            }
            _ => {}
        }
    }

    fn once(&self, again: bool, what: impl FnOnce() -> String) {
        if again {
            self.wrong(what());
        }
    }

    /// The ledger may be behind the bank while news is on its way; it is never ahead, and at the end it is even.
    fn compare_with_bank(&self, all: &Reckoning, notes: &Notes, at_the_end: bool) {
        let books = self.bank.books();
        for key in books.charge_keys().chain(books.refund_keys()) {
            if !all.intents.contains(key) {
                self.wrong(format!("the bank was asked {key}, and the log does not know why"));
            }
        }
        for (id, paid) in &all.payments {
            let truth = books.payments.get(id).filter(|truth| truth.state == State::Settled);
            if truth.is_none_or(|truth| (truth.donation, truth.amount.minor) != (paid.donation, paid.minor)) {
                self.wrong(format!("{id} is in the ledger, and the bank says {:?}", truth.map(|truth| truth.state)));
            }
            if let (Some(fee), Some(truth)) = (paid.fee, truth)
                && fee != truth.fee.minor
            {
                self.wrong(format!("{id} has a fee of {fee}, and the bank took {}", truth.fee.minor));
            }
            if notes.rallies.get(&paid.donation) != Some(&paid.rally) {
                self.wrong(format!("{id} is booked for another rally than it was given to"));
            }
        }
        for id in &all.reversed {
            if books.refunds.get(id).is_none_or(|truth| truth.state != Back::Reversed) {
                self.wrong(format!("{id} is reversed in the ledger, and not at the bank"));
            }
        }
        for (id, minor) in &all.refunds {
            let truth = books.refunds.get(id).filter(|truth| truth.state.was_done());
            if truth.is_none_or(|truth| truth.amount.minor != *minor) {
                self.wrong(format!("{id} is in the ledger, and the bank says {truth:?}"));
            }
        }
        let mut charged: BTreeMap<DonationId, u32> = BTreeMap::new();
        for payment in books.payments.values().filter(|payment| payment.state == State::Settled) {
            *charged.entry(payment.donation).or_default() += 1;
        }
        for (donation, times) in charged.iter().filter(|(_, times)| **times > 1) {
            self.wrong(format!("{donation} was charged {times} times"));
        }
        if !at_the_end {
            return;
        }
        for (id, truth) in books.payments.iter().filter(|(_, truth)| truth.state == State::Settled) {
            if !all.payments.contains_key(id) {
                self.wrong(format!("the bank has {id} for {}, and the ledger does not", truth.donation));
            }
        }
        for (id, truth) in books.refunds.iter().filter(|(_, truth)| truth.state.was_done()) {
            if all.reversed.contains(id) != (truth.state == Back::Reversed) {
                self.wrong(format!("{id} is {:?} at the bank, and in the ledger it is not", truth.state));
            }
            if !all.refunds.contains_key(id) {
                self.wrong(format!("the bank gave {id} back ({}), and the ledger does not know", truth.amount.minor));
            }
        }
    }

    /// After a quiet while in which everything worked: is everything settled, and is it what the bank has?
    pub fn close(&self, engine: &Engine) {
        self.inspect(engine, || false);
        let lines = match lines_of(engine) {
            Ok(lines) => lines,
            Err(fault) => return self.wrong(format!("the log can't be read: {fault}")),
        };
        let mut all = self.reckon(&lines);
        let notes = self.notes();
        self.compare_with_bank(&all, &notes, true);
        if all.received != all.interpreted {
            let waiting: Vec<_> = all.received.difference(&all.interpreted).collect();
            self.wrong(format!("webhooks were stored and never interpreted: {waiting:?}"));
        }
        let books = self.bank.books();
        for paid in all.payments.values() {
            let sums = all.sums.entry(paid.rally).or_default();
            sums.gross_minor += paid.minor;
            sums.donations += 1;
            match paid.fee {
                Some(fee) => sums.fee_minor += fee,
                None => sums.fees_unknown += 1,
            }
        }
        for (id, minor) in &all.refunds {
            let Some(rally) = books.refunds.get(id).and_then(|back| notes.rallies.get(&back.donation)) else {
                continue;
            };
            let sums = all.sums.entry(*rally).or_default();
            sums.refunds += 1;
            if all.reversed.contains(id) {
                sums.refunds_reversed += 1;
            } else {
                sums.refunded_minor += minor;
            }
        }
        let world = engine.world();
        for (rally, _) in world.state.rallies.iter() {
            let (shown, own) = (world.totals.sums(rally), all.sums.get(&rally).copied().unwrap_or_default());
            if shown != own {
                self.wrong(format!("pages show {shown:?}, and by the auditor's own sum it is {own:?}"));
            }
        }
        let mut donations: Vec<_> = world.state.donations.iter().collect();
        donations.sort_by_key(|(id, _)| *id);
        for (id, donation) in donations {
            if let Some(attempt) = &donation.in_flight {
                let asks = attempt.payment.as_ref().and_then(|payment| books.payments.get(&payment.0));
                if !attempt.waits_for_donor || asks.is_none_or(|payment| payment.state != State::NeedsAction) {
                    self.wrong(format!(
                        "attempt {} of {id} is still unknown, and the bank says {asks:?}",
                        attempt.number
                    ));
                }
            }
            for (refund, _) in donation.waiting_refunds() {
                self.wrong(format!("refund {refund} of {id} is still unknown"));
            }
        }
        drop(world);
        drop(books);
        self.trace.count(|count| {
            count.donations = notes.rallies.len() as u64;
            count.events = lines.len() as u64;
        });
        match engine.replay() {
            Ok(replayed) if replayed.differences.is_empty() && replayed.seq == lines.len() as u64 => {}
            other => self.wrong(format!("the log folded anew is not what pages show: {other:?}")),
        }
    }

    pub fn everything_told(&self) -> Vec<Told> {
        self.notes().told.clone()
    }
}

/// What a page shows: the newest event, and the sums of each rally.
pub fn page_of(engine: &Engine) -> (u64, Vec<(RallyId, Sums)>) {
    let world = engine.world();
    (world.seq, RALLIES.map(|rally| (rally, world.totals.sums(rally))).to_vec())
}

fn lines_of(engine: &Engine) -> Result<Vec<Vec<u8>>, groundswell::log::Fault> {
    let mut lines = vec![];
    engine.reader().bind()?;
    for frame in engine.reader().frames_from(1) {
        lines.extend(frame?.lines().map(|(_, line)| line.to_vec()));
    }
    Ok(lines)
}
