//! Everybody outside the server: donors with their browsers, staff, people who look at pages, the bank's post, and strangers.
//! They outlive the server, lose the line to it, and try again as people and programs do.

use crate::auditor::{Auditor, Told, page_of};
use crate::bank::{Bank, Letter};
use crate::chance::Chance;
use crate::sample;
use crate::server::Line;
use crate::trace::Trace;
use groundswell::domain::donation::Command as Donation;
use groundswell::domain::id::{DonationId, PersonId, RallyId, RefundId};
use groundswell::domain::money::{Currency, Money};
use groundswell::domain::rally::Details;
use groundswell::domain::sealed::Sealed;
use groundswell::domain::{Command, attendance, rally};
use groundswell::engine::{Failure, Receipt};
use groundswell::payments::WebhookRefusal;
use groundswell::payments::cashier::{Standing, Trouble};
use std::time::Duration;
use uuid::Uuid;

pub const RALLIES: [RallyId; 2] = [RallyId(Uuid::from_u128(0xa1)), RallyId(Uuid::from_u128(0xa2))];
/// How long somebody waits for a page.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often somebody sends a form again before giving up.
const TRIES: u64 = 12;

#[derive(Clone)]
pub struct Town {
    pub line: Line,
    pub bank: Bank,
    pub auditor: Auditor,
    pub trace: Trace,
}

/// The texts of the rally with this number.
pub fn details(number: usize) -> Details {
    sample::details(&format!("call-{number}"))
}

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

fn person(number: u64) -> PersonId {
    PersonId(Uuid::from_u128(0xc000 + u128::from(number)))
}

impl Town {
    /// One command, sent again with its key until somebody answers; none where nobody ever did.
    pub async fn command(&self, chance: &mut Chance, command: Command, key: &str, by: &str) -> Option<Receipt> {
        for _ in 0..TRIES {
            match self.command_once(command.clone(), key, by).await {
                Some(Ok(receipt)) => return Some(receipt),
                Some(Err(Failure::Refused(_))) => return None,
                Some(Err(_)) | None => tokio::time::sleep(chance.seconds(1..40)).await,
            }
        }
        None
    }

    async fn command_once(&self, command: Command, key: &str, by: &str) -> Option<Result<Receipt, Failure>> {
        self.auditor.asked(key);
        let (sent, own_key, own_by) = (command.clone(), key.to_owned(), by.to_owned());
        let work =
            move |engine: groundswell::engine::Engine, _| async move { engine.execute(sent, own_key, &own_by).await };
        let answer = self.line.ask(PATIENCE, work).await;
        match &answer {
            Some(Ok(receipt)) => {
                let (key, by) = (key.to_owned(), by.to_owned());
                self.auditor.told(Told { command, key, by, receipt: *receipt });
            }
            Some(Err(Failure::Refused(refusal))) => self.auditor.refused(key, &refusal.to_string()),
            Some(Err(failure)) => self.trace.line(format!("{key}: {failure}")),
            None => self.trace.line(format!("{key}: no answer")),
        }
        answer
    }

    /// Somebody who gives, more or less handily.
    pub async fn donor(self, number: u64, mut chance: Chance, evening: Duration) {
        tokio::time::sleep(chance.millis(0..evening.as_millis() as u64)).await;
        let donation = DonationId(Uuid::from_u128(0xd000 + u128::from(number)));
        let rally = *chance.pick(&RALLIES);
        // Some give twice.
        let donor = person(chance.below(number + 1));
        let pledge = sample::pledged(donation, rally, donor, usd(chance.within(100..500_000) as i64));
        self.auditor.form_sent(donation, rally);
        let by = format!("donor:{donation}");
        let pledge = Command::Donation(Donation::Pledge(pledge));
        if self.command(&mut chance, pledge, &format!("pledge:{donation}"), &by).await.is_none() {
            return;
        }
        let mut one_window = true;
        for _ in 0..chance.within(2..9) {
            tokio::time::sleep(chance.seconds(1..30)).await;
            let card = *chance.pick(&["pm_ok", "pm_ok", "pm_ok", "pm_declined", "pm_action", "pm_slow", "pm_refused"]);
            let standing = if chance.percent(15) {
                one_window = false;
                let other = *chance.pick(&[card, "pm_ok", "pm_action"]);
                let (one, other) = tokio::join!(self.pay(donation, card), self.pay(donation, other));
                if chance.percent(50) { one.or(other) } else { other.or(one) }
            } else {
                self.pay(donation, card).await
            };
            match self.heard(&mut chance, donation, standing, one_window).await {
                true => return,
                false => continue,
            }
        }
    }

    async fn pay(&self, donation: DonationId, card: &str) -> Option<Result<Standing, Trouble>> {
        let method = card.to_owned();
        self.trace.line(format!("{donation} pays with {card}"));
        self.line.ask(PATIENCE, move |_, cashier| async move { cashier.pay(donation, method).await }).await
    }

    /// What a donor does about an answer; true when that is the end of it.
    async fn heard(
        &self,
        chance: &mut Chance,
        donation: DonationId,
        answer: Option<Result<Standing, Trouble>>,
        one_window: bool,
    ) -> bool {
        let mut answer = answer;
        for _ in 0..6 {
            match answer {
                Some(Ok(Standing::Settled)) => {
                    self.auditor.told_paid(donation);
                    // Some look at the page again, much later.
                    return chance.percent(80);
                }
                Some(Ok(Standing::Open { .. })) => {
                    if one_window {
                        self.auditor.told_to_try_again(donation);
                    }
                    return chance.percent(10);
                }
                Some(Ok(Standing::Action { client_secret })) => {
                    self.trace.line(format!("{donation} is asked by the bank"));
                    let payment = client_secret.strip_prefix("secret of ").unwrap().to_owned();
                    match chance.below(10) {
                        0 => return true,
                        1 | 2 => return false,
                        3 => {
                            tokio::time::sleep(chance.seconds(1..20)).await;
                            self.bank.donor_answers(&payment, true);
                            // The browser is closed, and the server hears of it by webhook or by asking.
                            return true;
                        }
                        yes => {
                            tokio::time::sleep(chance.seconds(1..120)).await;
                            self.bank.donor_answers(&payment, yes != 4);
                            let asked = self
                                .line
                                .ask(PATIENCE, move |_, cashier| async move { cashier.confirmed(donation).await });
                            answer = asked.await;
                            continue;
                        }
                    }
                }
                // This bank keeps no page of its own, and these rules hold nothing.
                Some(Ok(Standing::Checkout { .. } | Standing::Held | Standing::TurnedAway)) => return true,
                Some(Ok(Standing::InLine { .. } | Standing::Processing)) => {
                    tokio::time::sleep(chance.seconds(5..200)).await
                }
                Some(Err(Trouble::Failure(Failure::Refused(refusal)))) => {
                    self.trace.line(format!("{donation}: {refusal}"));
                    tokio::time::sleep(chance.seconds(5..100)).await;
                }
                Some(Err(trouble)) => {
                    self.trace.line(format!("{donation}: {trouble}"));
                    tokio::time::sleep(chance.seconds(1..60)).await;
                }
                None => {
                    self.trace.line(format!("{donation}: no answer"));
                    tokio::time::sleep(chance.seconds(1..60)).await;
                    if chance.percent(50) {
                        return false;
                    }
                }
            }
            answer = self.line.ask(PATIENCE, move |_, cashier| async move { cashier.look(donation).await }).await;
        }
        false
    }

    /// Finance gives money back now and then, and by mistake twice or too much.
    pub async fn finance(self, mut chance: Chance) {
        let mut number = 0;
        loop {
            tokio::time::sleep(chance.seconds(20..400)).await;
            let settled = self.line.ask(PATIENCE, |engine, _| async move {
                let world = engine.world();
                world.ledger.rows.iter().map(|row| (row.donation, row.amount.minor)).collect::<Vec<_>>()
            });
            let Some(settled) = settled.await.filter(|settled| !settled.is_empty()) else { continue };
            let (donation, minor) = *chance.pick(&settled);
            number += 1;
            let refund = RefundId(Uuid::from_u128(0xe000 + number));
            let minor = match chance.below(5) {
                0 => minor.abs() + 1,
                1 | 2 => minor.abs(),
                _ => chance.within(1..minor.unsigned_abs() + 1) as i64,
            };
            for _ in 0..chance.within(1..4) {
                let asked = self.line.ask(PATIENCE, move |_, cashier| async move {
                    cashier.refund(donation, refund, usd(minor), "staff:finance").await
                });
                match asked.await {
                    Some(Ok(())) => {
                        self.trace.line(format!("refund {refund} is taken up"));
                        self.auditor.refund_taken_up(refund);
                        break;
                    }
                    Some(Err(trouble)) => self.trace.line(format!("refund {refund}: {trouble}")),
                    None => self.trace.line(format!("refund {refund}: no answer")),
                }
                tokio::time::sleep(chance.seconds(1..30)).await;
            }
        }
    }

    /// Somebody at the bank's own pages.
    pub async fn clerk(self, mut chance: Chance) {
        loop {
            tokio::time::sleep(chance.seconds(60..1200)).await;
            self.bank.refund_by_hand(&mut chance);
        }
    }

    /// People come, go and are refused; hosts change things.
    pub async fn hosts(self, mut chance: Chance, many: bool) {
        let mut number = 0;
        loop {
            let wait = if many { chance.millis(1..4_000) } else { chance.seconds(1..60) };
            tokio::time::sleep(wait).await;
            number += 1;
            let rally = *chance.pick(&RALLIES);
            let person = person(chance.below(30));
            let command = match chance.below(8) {
                0 => Command::Rally(rally::Command::OpenDoors { rally }),
                1 => Command::Rally(rally::Command::Revise { rally, details: details(chance.below(3) as usize) }),
                2 => Command::Rally(rally::Command::OpenDoors { rally: RallyId(Uuid::from_u128(0xaf)) }),
                3 | 4 => Command::Attendance(attendance::Command::Enter { rally, person }),
                5 => Command::Attendance(attendance::Command::Leave { rally, person }),
                _ => {
                    let length = if many { 24_000 } else { 60 };
                    let profile = Sealed::new(&(0..length).map(|_| chance.number() as u8).collect::<Vec<_>>());
                    Command::Attendance(attendance::Command::Join {
                        rally,
                        person,
                        profile,
                        came: None,
                        agrees_to: None,
                    })
                }
            };
            let key = format!("host:{number}");
            self.command(&mut chance, command, &key, "staff:host").await;
        }
    }

    /// What fills the journal where the binder is slow: many people at once, with much to say.
    pub async fn rush(self, mut chance: Chance, evening: Duration) {
        for wave in 0..2 {
            tokio::time::sleep(chance.millis(0..evening.as_millis() as u64 / 2)).await;
            let mut people = tokio::task::JoinSet::new();
            for number in 0..450 {
                let (town, mut chance) = (self.clone(), Chance::new(chance.number()));
                people.spawn(async move {
                    tokio::time::sleep(chance.millis(0..1_500)).await;
                    let profile = Sealed::new(&(0..30_000).map(|_| chance.number() as u8).collect::<Vec<_>>());
                    let person = person(10_000 + wave * 1_000 + number);
                    let join =
                        attendance::Command::Join { rally: RALLIES[0], person, profile, came: None, agrees_to: None };
                    let key = format!("rush:{wave}:{number}");
                    town.command(&mut chance, Command::Attendance(join), &key, "attendee").await;
                });
            }
            while people.join_next().await.is_some() {}
        }
    }

    /// Somebody sends again what was answered long ago.
    pub async fn repeater(self, mut chance: Chance) {
        loop {
            tokio::time::sleep(chance.seconds(5..90)).await;
            if let Some(told) = self.auditor.some_told(|count| chance.below(count)) {
                self.command_once(told.command, &told.key, &told.by).await;
            }
        }
    }

    /// Somebody looks at the totals.
    pub async fn watcher(self, mut chance: Chance) {
        loop {
            tokio::time::sleep(chance.millis(100..20_000)).await;
            let floor = self.auditor.seen();
            let page = self.line.ask(PATIENCE, |engine, _| async move { page_of(&engine) });
            if let Some((seq, sums)) = page.await {
                self.auditor.saw(floor, seq, sums);
            }
        }
    }

    /// One copy of a webhook, carried until it is taken or given up.
    pub async fn carry(self, letter: Letter, mut chance: Chance) {
        tokio::time::sleep(letter.wait).await;
        let mut tries = if letter.must_arrive { u64::MAX } else { chance.within(1..4) };
        let mut rest = Duration::from_secs(20);
        while tries > 0 {
            tries -= 1;
            let (body, signature) = (letter.body.clone(), self.bank.sign(&letter.body));
            let taken = self
                .line
                .ask(PATIENCE, move |_, cashier| async move { cashier.receive(body.as_bytes(), &signature).await });
            match taken.await {
                Some(Ok(())) => return self.auditor.acknowledged(&letter.id),
                Some(Err(trouble)) => self.trace.line(format!("{}: {trouble}", letter.id)),
                None => self.trace.line(format!("{}: no answer", letter.id)),
            }
            tokio::time::sleep(rest + chance.seconds(0..10)).await;
            rest = (rest * 2).min(Duration::from_secs(600));
        }
    }

    /// Somebody who would like to be the bank.
    pub async fn stranger(self, mut chance: Chance) {
        let mut number = 0;
        loop {
            tokio::time::sleep(chance.seconds(60..600)).await;
            number += 1;
            let about = serde_json::json!({ "payment": "pay_1", "donation": Uuid::from_u128(0xd000), "minor": 99 });
            let body =
                serde_json::json!({ "id": format!("forged_{number}"), "kind": "payment.settled", "about": about });
            let body = body.to_string();
            let signature = self.bank.sign("something else");
            let told = self
                .line
                .ask(PATIENCE, move |_, cashier| async move { cashier.receive(body.as_bytes(), &signature).await });
            match told.await {
                None | Some(Err(Trouble::Webhook(WebhookRefusal::BadSignature))) => {}
                Some(other) => self.auditor.wrong(format!("a forged webhook was answered {other:?}")),
            }
        }
    }
}
