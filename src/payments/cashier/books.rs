//! The processor's own books against ours: its balance and its payouts, read on a schedule and by command.
//!
//! What they have and the ledger lacks is looked up and recorded by the way of a webhook; nothing is booked because a list
//! says so. What can't be brought together is a mismatch.

use super::audit::{absent, finding, foreign};
use super::{Cashier, Trouble, settled};
use crate::domain::audit::{Finding, OPEN_MAX, What};
use crate::domain::books::{self, Entry, Kind, Standing};
use crate::domain::id::{PaymentId, PayoutId};
use crate::domain::ledger;
use crate::domain::money::Money;
use crate::domain::{Command, Refusal};
use crate::engine::Failure;
use crate::payments::{Entries, Fault, Listed, Outcome, Thing};
use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use std::time::Duration;

/// How often: payouts come daily, and fees are no hurry.
const EVERY: TimeDelta = TimeDelta::hours(1);
/// How far each reading of the balance goes back behind the one before: a processor's clock is not ours.
const OVERLAP: TimeDelta = TimeDelta::hours(3);
/// How far the first reading goes back at least, and behind the ledger's first row: a gift that was charged and not recorded.
const FIRST_BACK: TimeDelta = TimeDelta::days(30);
const FIRST_BEFORE_ROWS: TimeDelta = TimeDelta::days(1);
/// How far each reading of payouts goes back: one that is paid may fail for five more business days.
/// <https://docs.stripe.com/api/payouts/object#payout_object-status>
const PAYOUTS_BACK: TimeDelta = TimeDelta::days(10);
/// How long a payout whose contents are not told is asked about.
const PAYOUTS_BACK_MAX: TimeDelta = TimeDelta::days(90);
/// How long a row may be missing in the processor's balance: some of its movements come there days later than they are told.
const GRACE: TimeDelta = TimeDelta::days(4);
/// Pages of one list: a million entries, ten times the largest rally.
const PAGES_MAX: usize = 10_000;
/// Things looked up in one reading, one after another: ten minutes of a processor's time.
const REPAIRS_MAX: u64 = 2_000;
/// How often a reading that found nothing is recorded.
const RECORD_EVERY: TimeDelta = TimeDelta::hours(6);
/// How long a start waits to hear whose account it is: a donor must not wait for a processor that is away.
const ACCOUNT_WAIT: Duration = Duration::from_secs(5);

/// What came of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BooksRead {
    /// Entries made since then were listed.
    pub since: DateTime<Utc>,
    /// How many there were.
    pub listed: u64,
    /// Of them ours and new.
    pub taken: u64,
    /// Movements that the ledger had lacked, and has now.
    pub repaired: u64,
    /// Fees learned.
    pub fees: u64,
    /// Payouts listed.
    pub payouts: u64,
    /// Differences found.
    pub found: u64,
    /// Differences that are none any more.
    pub settled: u64,
    /// Things looked up one by one.
    looked_up: u64,
}

/// What is known of the processor's books besides the ledger, since this server's start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum BooksSaid {
    /// Not read yet.
    #[default]
    NotYet,
    /// The processor keeps no such lists.
    KeepsNone,
    /// Read to the end then.
    Read(DateTime<Utc>),
    /// The last reading broke off; why.
    Failed(String),
}

/// What readings keep between them.
#[derive(Default)]
pub(super) struct Desk {
    /// Until when the balance was read, held by whoever reads it.
    read_until: tokio::sync::Mutex<Option<DateTime<Utc>>>,
    said: Mutex<BooksSaid>,
    began: Mutex<Option<DateTime<Utc>>>,
}

impl Cashier {
    /// Binds the ledger to the account whose key this is, as soon as the processor says which.
    ///
    /// # Errors
    /// [`Refusal::Ledger`] where the ledger holds another account's money. What is not known now is asked again later.
    pub async fn know_account(&self) -> Result<(), Refusal> {
        let account = match tokio::time::timeout(ACCOUNT_WAIT, self.processor.account()).await {
            Ok(Ok(Some(account))) => account,
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(fault @ (Fault::Barred { .. } | Fault::Rejected { .. }))) => {
                tracing::warn!(%fault, "the key may not read its account, so a key of another account would not be noticed");
                return Ok(());
            }
            Ok(Err(fault)) => {
                tracing::warn!(%fault, "whose account the key is of is not known yet");
                return Ok(());
            }
            Err(_) => {
                tracing::warn!("whose account the key is of is not known yet: the processor takes its time");
                return Ok(());
            }
        };
        let key = format!("account:{}{account}", self.mark());
        let command = Command::Ledger(ledger::Command::BindAccount { committee: self.committee, account });
        match self.engine.execute(command, key, "server").await {
            Ok(_) => Ok(()),
            Err(Failure::Refused(refusal)) => Err(refusal),
            Err(failure) => {
                tracing::warn!(%failure, "whose account the key is of was not recorded");
                Ok(())
            }
        }
    }

    fn account(&self) -> Option<String> {
        self.engine.world().state.committees.get(self.committee)?.account.clone()
    }

    /// What is known of the processor's books besides the ledger.
    pub fn books_said(&self) -> BooksSaid {
        self.desk.said.lock().clone()
    }

    /// Reads the processor's balance and payouts, if that was long enough ago.
    pub(super) async fn keep_books(&self) {
        let now = self.engine.clock().now();
        let due = self.desk.began.lock().is_none_or(|began| (now - began).abs() >= EVERY);
        if !due || self.books_said() == BooksSaid::KeepsNone {
            return;
        }
        match self.read_books().await {
            Ok(None | Some(BooksRead { taken: 0, found: 0, .. })) => {}
            Ok(Some(done)) => tracing::info!(?done, "the processor's books were read"),
            Err(trouble) => tracing::warn!(%trouble, "the processor's books could not be read"),
        }
    }

    /// Reads the processor's balance and payouts, takes in what the ledger lacks and finds what differs; `None` where it keeps
    /// no such lists.
    ///
    /// # Errors
    /// [`Trouble`]; the next reading begins where this one did.
    pub async fn read_books(&self) -> Result<Option<BooksRead>, Trouble> {
        // One at a time: two would find the same.
        let mut read_until = self.desk.read_until.lock().await;
        let now = self.engine.clock().now();
        *self.desk.began.lock() = Some(now);
        let read = self.read_all(*read_until, now).await;
        *self.desk.said.lock() = match &read {
            Ok(None) => BooksSaid::KeepsNone,
            Ok(Some(_)) => BooksSaid::Read(now),
            Err(trouble) => BooksSaid::Failed(trouble.to_string()),
        };
        if matches!(read, Ok(Some(_))) {
            *read_until = Some(now);
        }
        read
    }

    async fn read_all(&self, read: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<Option<BooksRead>, Trouble> {
        if self.account().is_none()
            && let Err(refusal) = self.know_account().await
        {
            // Found out while serving: nothing of that account is booked here.
            self.find(foreign("account", None, &refusal.to_string())).await?;
            return Err(Failure::Refused(refusal).into());
        }
        let (recorded, since) = self.where_to_begin(read, now);
        let mut done = BooksRead {
            since,
            listed: 0,
            taken: 0,
            repaired: 0,
            fees: 0,
            payouts: 0,
            found: 0,
            settled: 0,
            looked_up: 0,
        };
        if !self.read_entries(Entries::Since(since.timestamp()), None, &mut done).await? {
            return Ok(None);
        }
        self.read_payouts(now, &mut done).await?;
        let late: Vec<Finding> = {
            let world = self.engine.world();
            let mine = world.ledger.unseen().filter(|row| row.committee == self.committee);
            let late = mine.take_while(|row| row.at < now - GRACE);
            late.take(OPEN_MAX).map(absent).collect()
        };
        for finding in late {
            done.note(self.find(finding).await?);
        }
        done.settled = self.settle_agreed().await?;
        if done.taken > 0 || recorded.is_none_or(|until| now - until >= RECORD_EVERY) {
            let committee = self.committee;
            let read = books::Read { committee, since, until: now, listed: done.listed, taken: done.taken };
            self.record_books(books::Command::RecordRead(read), &format!("books-read{}", self.mark()), now).await?;
        }
        Ok(Some(done))
    }

    /// When the books were last read as far as the ledger says, and from where this reading goes on.
    fn where_to_begin(
        &self,
        read: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> (Option<DateTime<Utc>>, DateTime<Utc>) {
        let world = self.engine.world();
        let recorded = world.state.books.read_until(self.committee);
        let first = world.ledger.rows.first().map(|row| row.at - FIRST_BEFORE_ROWS);
        let first = first.map_or(now - FIRST_BACK, |first| first.min(now - FIRST_BACK));
        (recorded, read.or(recorded).map_or(first, |until| until.min(now) - OVERLAP))
    }

    /// Reads a list of entries to its end; whether there is such a list. Those of a payout are recorded as in it.
    async fn read_entries(
        &self,
        which: Entries<'_>,
        payout: Option<&PayoutId>,
        done: &mut BooksRead,
    ) -> Result<bool, Trouble> {
        let mut after = None;
        for _ in 0..PAGES_MAX {
            let Some(page) = self.processor.entries(which, after.as_deref()).await? else { return Ok(false) };
            for strange in page.strange {
                done.note(self.strange(strange).await?);
            }
            let mut entries = Vec::with_capacity(page.entries.len());
            for mut listed in page.entries {
                self.compare(&mut listed, done).await?;
                entries.push(listed.entry);
            }
            let is_ours = |entry: &&Entry| entry.donation.is_some();
            let ours: Vec<Entry> = entries.iter().filter(is_ours).cloned().collect();
            for entries in ours.chunks(books::ENTRIES_MAX) {
                let command = books::Command::List { entries: entries.to_vec() };
                let told = self.record_books(command, "entries", self.engine.clock().now()).await?;
                if told && payout.is_none() {
                    done.taken = done.taken.saturating_add(u64::try_from(entries.len()).unwrap_or_default());
                }
            }
            after = page.next;
            match payout {
                Some(payout) => self.compose(payout, entries, after.is_none()).await?,
                None => done.listed = done.listed.saturating_add(u64::try_from(entries.len()).unwrap_or_default()),
            }
            if after.is_none() {
                return Ok(true);
            }
        }
        Err(Fault::Unknown { cause: "a list of its balance without an end".into() }.into())
    }

    async fn compose(&self, payout: &PayoutId, mut entries: Vec<Entry>, last: bool) -> Result<(), Trouble> {
        // The list of what is in a payout has the payout itself, which is no part of its sum.
        entries.retain(|entry| entry.kind != Kind::Payout || entry.reference.as_deref() != Some(&payout.0));
        let (mut told, now) = (0, self.engine.clock().now());
        loop {
            let part: Vec<Entry> = entries.iter().skip(told).take(books::ENTRIES_MAX).cloned().collect();
            told = told.saturating_add(part.len());
            let is_last = told >= entries.len();
            let command = books::Command::Compose { payout: payout.clone(), entries: part, complete: last && is_last };
            self.record_books(command, &format!("composed:{payout}:{}", last && is_last), now).await?;
            if is_last {
                return Ok(());
            }
        }
    }

    async fn read_payouts(&self, now: DateTime<Utc>, done: &mut BooksRead) -> Result<(), Trouble> {
        let since = {
            let world = self.engine.world();
            let is_open =
                |payout: &books::Payout| payout.standing == Standing::Pending || (payout.automatic && !payout.complete);
            let mine = || world.state.books.payouts_of(self.committee).map(|(_, payout)| payout);
            let open = mine().filter(|payout| is_open(payout));
            let oldest = open.map(|payout| payout.created).min().map(|oldest| oldest.max(now - PAYOUTS_BACK_MAX));
            let first = mine().next().is_none().then(|| done.since.min(now - PAYOUTS_BACK));
            oldest.or(first).unwrap_or(now).min(now - PAYOUTS_BACK)
        };
        let mut after = None;
        for _ in 0..PAGES_MAX {
            let Some(page) = self.processor.payouts(since.timestamp(), after.as_deref()).await? else { return Ok(()) };
            for strange in page.strange {
                done.note(self.strange(strange).await?);
            }
            for listed in page.payouts {
                done.payouts = done.payouts.saturating_add(1);
                let id = listed.payout.payout.clone();
                let payout = books::PayoutRecorded { committee: self.committee, ..listed.payout };
                let command = books::Command::RecordPayout(payout);
                self.record_books(command, &format!("payout:{id}"), self.engine.clock().now()).await?;
                if listed.is_composed {
                    self.look_into_payout(&id, done).await?;
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
        Err(Fault::Unknown { cause: "a list of payouts without an end".into() }.into())
    }

    async fn look_into_payout(&self, id: &PayoutId, done: &mut BooksRead) -> Result<(), Trouble> {
        let known = |world: &crate::projections::Projections| world.state.books.payout(id).cloned();
        if known(&self.engine.world()).is_none_or(|payout| !payout.complete) {
            self.read_entries(Entries::Of(&id.0), Some(id), done).await?;
        }
        let payout = known(&self.engine.world());
        let Some(payout) = payout.filter(|payout| payout.complete && !payout.agrees()) else { return Ok(()) };
        let lines = Money::new(payout.net_minor, payout.amount.currency);
        let sides = Finding { ours: Some(lines), theirs: Some(payout.amount), ..finding(What::PayoutSum, &id.0) };
        done.note(self.find(sides).await?);
        Ok(())
    }

    /// Finds the row of an entry, looks the entry up where there is none, and finds what differs.
    async fn compare(&self, listed: &mut Listed, done: &mut BooksRead) -> Result<(), Trouble> {
        let named = listed.entry.donation;
        let known = self.whose(&listed.entry);
        listed.entry.donation = known;
        let entry = &listed.entry;
        if self.engine.world().state.books.knows(&entry.entry) {
            return Ok(());
        }
        let sides = |what, ours, theirs| Finding { donation: known, ours, theirs, ..finding(what, &entry.entry.0) };
        if known.is_none() {
            // Our mark, and nobody here knows it: a ledger that was restored from too early a copy, for one.
            if let Some(named) = named {
                let is_elsewhere = self.engine.world().state.donations.get(named).is_some();
                let unknown = if is_elsewhere {
                    foreign(&entry.entry.0, None, "a gift to another committee than the account's")
                } else {
                    sides(What::Unknown, None, Some(entry.amount))
                };
                done.note(self.find(Finding { donation: Some(named), ..unknown }).await?);
            }
            return Ok(());
        }
        let mut row = self.row_of(entry);
        let lacks_fee = |row: &Row| row.fee.is_none() && entry.fee.minor != 0 && entry.kind != Kind::Payment;
        if row.as_ref().is_none_or(lacks_fee) {
            let before = row.is_some();
            self.repair(entry, done).await?;
            row = self.row_of(entry);
            if row.is_some() && !before {
                done.repaired = done.repaired.saturating_add(1);
            }
        }
        let Some(row) = row else {
            done.note(self.find(sides(What::Unknown, None, Some(entry.amount))).await?);
            return Ok(());
        };
        let moved = listed.paid.unwrap_or(entry.amount);
        if (moved.currency, moved.minor.abs()) != (row.amount.currency, row.amount.minor.abs()) {
            done.note(self.find(sides(What::Amount, Some(row.amount), Some(moved))).await?);
        }
        if entry.fee.currency != row.amount.currency {
            return Ok(());
        }
        match row.fee {
            None if entry.kind == Kind::Payment => self.learn_told_fee(entry, row.amount, done).await,
            fee => {
                let fee = fee.unwrap_or(Money::zero(row.amount.currency));
                if fee != entry.fee {
                    done.note(self.find(sides(What::Fee, Some(fee), Some(entry.fee))).await?);
                }
                Ok(())
            }
        }
    }

    /// The donation of an entry: the one written on it, or that of its payment; `None` where it is not one of ours.
    fn whose(&self, entry: &Entry) -> Option<crate::domain::id::DonationId> {
        match entry.kind {
            Kind::Fee | Kind::Payout | Kind::Other => return None,
            Kind::Payment
            | Kind::Refund
            | Kind::RefundReversed
            | Kind::Dispute
            | Kind::DisputeReversed
            | Kind::Return => {}
        }
        let world = self.engine.world();
        let of_payment = entry.payment.as_ref().and_then(|payment| world.state.donations.of_payment(payment));
        let known = of_payment.or(entry.donation)?;
        let gift = world.state.donations.get(known)?;
        (gift.committee == self.committee).then_some(known)
    }

    fn row_of(&self, entry: &Entry) -> Option<Row> {
        let world = self.engine.world();
        let row = world.ledger.row_of(entry)?;
        Some(Row { amount: row.amount, fee: row.fee.map(|fee| fee.amount) })
    }

    async fn learn_told_fee(&self, entry: &Entry, amount: Money, done: &mut BooksRead) -> Result<(), Trouble> {
        let (Some(donation), Some(PaymentId(payment))) = (entry.donation, entry.payment.clone()) else { return Ok(()) };
        let key = format!("settled:{payment}:true");
        self.tell(settled(donation, payment, amount, Some(entry.fee), None), key, "processor").await?;
        done.fees = done.fees.saturating_add(1);
        Ok(())
    }

    /// Looks up what an entry is of and records how it stands, as if a webhook had told.
    async fn repair(&self, entry: &Entry, done: &mut BooksRead) -> Result<(), Trouble> {
        let Some(donation) = entry.donation else { return Ok(()) };
        done.looked_up()?;
        let reference = entry.reference.as_deref().unwrap_or_default();
        let thing = match (entry.kind, &entry.payment) {
            (Kind::Payment, Some(PaymentId(payment))) => {
                let answer = self.processor.look_up_of(payment, donation).await;
                return match self.heard(donation, answer).await {
                    Ok(outcome @ Outcome::Settled { .. }) => may_be_refused(self.record(donation, outcome).await),
                    Ok(Outcome::NeedsAction { .. } | Outcome::Processing { .. } | Outcome::Declined { .. })
                    | Err(Fault::Rejected { .. } | Fault::NotOurs { .. }) => Ok(()),
                    Err(fault) => Err(fault.into()),
                };
            }
            (Kind::Refund | Kind::RefundReversed, _) => Thing::Refund(reference),
            (Kind::Dispute | Kind::DisputeReversed | Kind::Return, _) => Thing::Dispute(reference),
            (Kind::Payment, None) | (Kind::Fee | Kind::Payout | Kind::Other, _) => return Ok(()),
        };
        let answer = self.processor.look_into(thing).await;
        match self.heard(donation, answer).await {
            Ok(Some(notice)) => {
                let key = format!("books:{}", entry.entry);
                may_be_refused(self.tell(notice.into_command(), key, "processor").await)
            }
            Ok(None) | Err(Fault::Rejected { .. } | Fault::NotOurs { .. }) => Ok(()),
            Err(fault) => Err(fault.into()),
        }
    }

    /// Records what the books say; whether it was new.
    async fn record_books(&self, command: books::Command, what: &str, at: DateTime<Utc>) -> Result<bool, Trouble> {
        let entries = match &command {
            books::Command::List { entries } | books::Command::Compose { entries, .. } => entries.as_slice(),
            books::Command::RecordPayout(_) | books::Command::RecordRead(_) => &[],
        };
        // By what is told as well as by when: a clock may stand still, or step back to where it was.
        let name = |entry: Option<&Entry>| entry.map(|entry| entry.entry.0.as_str()).unwrap_or_default().to_owned();
        let ends = blake3::hash(format!("{} {}", name(entries.first()), name(entries.last())).as_bytes()).to_hex();
        let ends = ends.as_str().get(..16).unwrap_or_default().to_owned();
        let key = format!("{what}:{ends}:{}", at.timestamp_micros());
        Ok(self.engine.execute(Command::Books(command), key, "processor").await?.count > 0)
    }
}

/// What the rules refuse, or what is not this ledger's, stays a mismatch.
fn may_be_refused<T>(told: Result<T, Trouble>) -> Result<(), Trouble> {
    match told {
        Ok(_) | Err(Trouble::Failure(Failure::Refused(_)) | Trouble::Fault(Fault::NotOurs { .. })) => Ok(()),
        Err(trouble) => Err(trouble),
    }
}

/// What is compared of a row.
struct Row {
    amount: Money,
    fee: Option<Money>,
}

impl BooksRead {
    /// Counts a look-up.
    ///
    /// # Errors
    /// After [`REPAIRS_MAX`]: what was taken in so far is known to the next reading, which has as many again.
    fn looked_up(&mut self) -> Result<(), Fault> {
        self.looked_up = self.looked_up.saturating_add(1);
        if self.looked_up <= REPAIRS_MAX {
            return Ok(());
        }
        Err(Fault::Unknown { cause: format!("more than {REPAIRS_MAX} things to look up; the next reading goes on") })
    }

    fn note(&mut self, is_new: bool) {
        self.found = self.found.saturating_add(u64::from(is_new));
    }
}
