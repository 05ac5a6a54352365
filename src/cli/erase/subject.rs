//! Whom an erasure is about: what the ledger knows of them, which stored notices name them, and the erasing itself.

use super::{Asked, Lines};
use crate::clock;
use crate::domain::id::PersonId;
use crate::domain::money::Money;
use crate::domain::privacy::{self, Erase};
use crate::domain::profile::Account;
use crate::domain::seals::{ACCOUNT, NOTICE, seals};
use crate::domain::{Command, codec, decide};
use crate::engine::Engine;
use crate::payments::WEBHOOK_BYTES_MAX;
use crate::projections::ledger::{Kind, Row};
use crate::report::contacts::Contacts;
use anyhow::{anyhow, bail};
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};

/// Ledger rows looked at under one lock: the writer waits for less than a millisecond.
const CHUNK_ROWS: usize = 10_000;
/// Forms that are opened to learn how somebody is called: more only repeat it.
const FORMS_OPENED_MAX: usize = 100;
/// Rounds for notices that came while others were looked for; each is shorter than the one before.
const ROUNDS_MAX: u32 = 10;
/// Letters of a name that is looked for in a reason: shorter ones are words too.
const NAME_CHARS_MIN: usize = 3;

/// A payment's name that is looked for in notices: a shorter one could stand in anybody's.
const PAYMENT_BYTES_MIN: usize = 8;

/// Whether this can be an address or a person id.
pub fn is_well_formed(who: &str) -> bool {
    who.contains('@') || who.parse::<PersonId>().is_ok()
}

fn person_of(engine: &Engine, who: &str) -> anyhow::Result<PersonId> {
    if who.contains('@') {
        return Ok(engine.vault().person_id(who));
    }
    who.parse().map_err(|_| anyhow!("that is neither an e-mail address nor a person id"))
}

fn command(asked: &Asked, person: PersonId, notices: Vec<PersonId>, retention_years: u16) -> Command {
    let (erasure, reason) = (asked.erasure, asked.reason.clone());
    let erase = Erase { erasure, person, reason, notices, now: clock::now(), retention_years };
    Command::Privacy(privacy::Command::Erase(erase))
}

/// What is known of them and what erasing will do; refused where erasing would be.
pub fn look(engine: &Engine, asked: &Asked, retention_years: u16) -> anyhow::Result<Lines> {
    let person = person_of(engine, &asked.who)?;
    let known = Known::of(engine, person);
    known.check_reason(&asked.reason)?;
    decide(&engine.world().state, command(asked, person, vec![], retention_years))?;
    let sums = sums(engine, person);
    let world = engine.world();
    let mut lines = vec![format!("Person {person}")];
    let mut joined: Vec<_> = world.state.rallies.iter().collect();
    joined.retain(|(rally, _)| world.state.attendance.has_joined(*rally, person));
    let mut joined: Vec<&str> = joined.iter().map(|(_, rally)| rally.details.slug.as_str()).collect();
    joined.sort_unstable();
    if !joined.is_empty() {
        lines.push(format!("  joined     {}", joined.join(", ")));
    }
    for sum in sums.values() {
        lines.push(format!("  gave       {}", sum.in_words()));
    }
    if known.unpaid > 0 {
        lines.push(format!("  pledged    {} without paying", times(known.unpaid)));
    }
    if let Some(member) = world.state.staff.get(&person) {
        lines.push(format!("  works here as {}", format!("{:?}", member.role).to_lowercase()));
    }
    if let Some(before) = world.state.privacy.erasure(person) {
        let back = if before.came_back { "and came back since" } else { "and did not come back" };
        lines.push(format!("  was erased on {} {back}", before.at.date_naive()));
    }
    lines.extend([
        String::new(),
        "Erasing destroys their key. What they typed (name, addresses, employer, messages), and the payment company's"
            .into(),
        "notices about them, can then be read by nobody, in no copy of the log. Amounts, dates and totals stay.".into(),
        "Backups of the folder `vault` that were made before still hold the key until you delete them.".into(),
    ]);
    if world.state.plans.iter().any(|(_, plan)| plan.donor == person && !plan.is_over()) {
        lines.push("Their recurring gift ends: nothing more is charged.".into());
    }
    if known.unpaid > 0 {
        lines.push("Their unpaid donations can't be paid any more.".into());
    }
    if world.state.staff.contains_key(&person) {
        lines.push("Their account ends, and with it every session.".into());
    }
    Ok(lines)
}

/// Records the erasure, which destroys the keys, and does so again for notices that came meanwhile.
pub async fn erase(engine: &Engine, asked: &Asked, retention_years: u16) -> anyhow::Result<Lines> {
    let person = person_of(engine, &asked.who)?;
    let (look, who) = (engine.clone(), asked.who.clone());
    let known = tokio::task::spawn_blocking(move || {
        let mut known = Known::of(&look, person);
        known.needles.extend(Some(who.to_lowercase()).filter(|who| who.contains('@')));
        known
    });
    let known = known.await?;
    known.check_reason(&asked.reason)?;
    let (mut from, mut notices_count, mut recorded) = (1, 0, None);
    for round in 0..ROUNDS_MAX {
        let (scan, needles) = (engine.clone(), known.needles.clone());
        let found = tokio::task::spawn_blocking(move || notices_about(&scan, &needles, from)).await??;
        if round > 0 && found.names.is_empty() {
            break;
        }
        notices_count += found.names.len();
        from = found.seen.saturating_add(1);
        let command = command(asked, person, found.names, retention_years);
        let receipt = engine.execute(command, format!("erase:{}:{round}", asked.erasure), "shell").await?;
        if receipt.count > 0 {
            recorded = recorded.or(Some(receipt.first_seq));
        }
    }
    let Some(seq) = recorded else {
        return Ok(vec!["Nothing was left to erase: this person was erased before and did not come back.".into()]);
    };
    let notices = if notices_count == 1 { "1 notice".into() } else { format!("{notices_count} notices") };
    Ok(vec![
        String::new(),
        format!("Erased. It is event {seq} of the log; {notices} of the payment company went with it."),
        "The payment company keeps records of its own: ask for their erasure there too.".into(),
    ])
}

/// What is needed to find somebody's traces.
#[derive(Default)]
struct Known {
    /// Parts of their names, in lower case.
    names: BTreeSet<String>,
    /// What a notice about them holds: addresses, donations, payments; in lower case.
    needles: BTreeSet<String>,
    unpaid: usize,
}

impl Known {
    fn of(engine: &Engine, person: PersonId) -> Self {
        let mut known = Self::default();
        let mut forms = vec![];
        let account = {
            let world = engine.world();
            for (id, gift) in world.state.donations.iter().filter(|(_, gift)| gift.donor == person) {
                known.needles.insert(id.to_string());
                let payments = gift.payments().filter(|payment| payment.0.len() >= PAYMENT_BYTES_MIN);
                known.needles.extend(payments.map(|payment| payment.0.to_lowercase()));
                if gift.settled_minor() == 0 && !world.state.privacy.is_closed(id) {
                    known.unpaid += 1;
                }
                if forms.len() < FORMS_OPENED_MAX {
                    forms.extend(world.ledger.pledge(id).map(|pledge| pledge.contact));
                }
            }
            world.state.staff.get(&person).map(|member| member.account.clone())
        };
        let open = |context, sealed| engine.vault().unseal(person, context, sealed).ok().flatten();
        let mut contacts = Contacts::new(engine);
        for contact in forms.into_iter().filter_map(|form| contacts.shown(person, form)) {
            known.is_called(&[&contact.first_name, &contact.last_name], &contact.email);
        }
        let account = account.as_ref().and_then(|sealed| open(ACCOUNT, sealed));
        if let Some(account) = account.and_then(|bytes| serde_json::from_slice::<Account>(&bytes).ok()) {
            known.is_called(&[&account.name], &account.email);
        }
        known
    }

    fn is_called(&mut self, names: &[&str], email: &str) {
        let parts = names.iter().flat_map(|name| words(name));
        self.names.extend(parts.filter(|part| part.chars().count() >= NAME_CHARS_MIN));
        self.needles.extend(Some(email.to_lowercase()).filter(|email| email.contains('@')));
    }

    /// A reason stays in the clear, so it must not bring back what is being erased.
    fn check_reason(&self, reason: &str) -> anyhow::Result<()> {
        privacy::check_reason(reason)?;
        if words(reason).any(|word| self.names.contains(&word)) {
            bail!("the reason stays in the log for good: leave their name out, and name a letter or ticket instead");
        }
        Ok(())
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().into_iter()
}

/// Somebody's gifts in one currency.
struct Sum {
    count: usize,
    given: Money,
    back: Money,
    first: DateTime<Utc>,
    last: DateTime<Utc>,
}

impl Sum {
    fn in_words(&self) -> String {
        let (first, last) = (self.first.date_naive(), self.last.date_naive());
        let when = if first == last { format!("on {first}") } else { format!("from {first} to {last}") };
        let back = if self.back.minor == 0 { String::new() } else { format!(", {} given back", self.back.to_exact()) };
        format!("{}, {} in all, {when}{back}", times(self.count), self.given.to_exact())
    }
}

fn times(count: usize) -> String {
    if count == 1 { "once".into() } else { format!("{count} times") }
}

fn sums(engine: &Engine, person: PersonId) -> BTreeMap<&'static str, Sum> {
    let mut sums = BTreeMap::new();
    let mut at = 0_usize;
    loop {
        let world = engine.world();
        let end = at.saturating_add(CHUNK_ROWS).min(world.ledger.rows.len());
        let Some(rows) = world.ledger.rows.get(at..end).filter(|rows| !rows.is_empty()) else { return sums };
        rows.iter().filter(|row| row.donor == person).for_each(|row| add(&mut sums, row));
        at = end;
    }
}

fn add(sums: &mut BTreeMap<&'static str, Sum>, row: &Row) {
    let nothing = Money::zero(row.amount.currency);
    let sum = sums.entry(row.amount.currency.code());
    let sum = sum.or_insert(Sum { count: 0, given: nothing, back: nothing, first: row.at, last: row.at });
    match row.kind {
        Kind::Donation => {
            sum.count += 1;
            sum.given.minor = sum.given.minor.saturating_add(row.amount.minor);
            sum.last = row.at;
        }
        Kind::Refund | Kind::RefundReversed | Kind::Dispute | Kind::DisputeReversed | Kind::Return => {
            sum.back.minor = sum.back.minor.saturating_sub(row.amount.minor);
        }
    }
}

struct Notices {
    /// The names they are sealed under.
    names: Vec<PersonId>,
    /// The last event looked at.
    seen: u64,
}

/// The stored notices from `from_seq` on that name one of the needles. They are sealed apart from the donor, who is known
/// only once they are read.
fn notices_about(engine: &Engine, needles: &BTreeSet<String>, from_seq: u64) -> anyhow::Result<Notices> {
    let mut found = Notices { names: vec![], seen: from_seq.saturating_sub(1) };
    let mark = memchr::memmem::Finder::new(br#""kind":"inbox.received""#);
    for frame in engine.reader().frames_from(from_seq) {
        for (seq, line) in frame?.lines().filter(|(seq, _)| *seq >= from_seq) {
            found.seen = seq;
            if mark.find(line).is_none() {
                continue;
            }
            let recorded = codec::decode(line)?.recorded;
            for seal in seals(&recorded.event).iter().filter(|seal| seal.context == NOTICE) {
                // One that does not open is erased already, or lost to everybody.
                let packed = engine.vault().unseal(seal.person, NOTICE, seal.sealed).ok().flatten();
                let body = packed.and_then(|packed| zstd::bulk::decompress(&packed, WEBHOOK_BYTES_MAX).ok());
                let text = body.map(|body| String::from_utf8_lossy(&body).to_lowercase()).unwrap_or_default();
                if needles.iter().any(|needle| text.contains(needle)) {
                    found.names.push(seal.person);
                }
            }
        }
    }
    Ok(found)
}
