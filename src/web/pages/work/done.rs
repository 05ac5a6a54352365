//! What was done lately, by whom: who asked for an event and what they wrote stand in the log alone.

use super::named::Wanted;
use super::{words, zone};
use crate::domain::Event;
use crate::domain::audit::{self, How};
use crate::domain::donation::{self, DisputeOutcome};
use crate::domain::id::PersonId;
use crate::domain::person::Event as Person;
use crate::domain::{donor, period, refund, remedy, work};
use crate::engine::Fault;
use crate::engine::lines::Lines;
use crate::projections::Projections;
use crate::projections::work::Done;
use crate::report::who;
use crate::web::pages::home::when_in_words;
use crate::web::present;
use chrono::{DateTime, Utc};

/// Something that was done.
#[derive(Debug, Clone)]
pub struct DoneLine {
    /// Of which kind.
    pub kind: &'static str,
    /// For the form that takes it back.
    pub kind_word: &'static str,
    /// The same: what it is about.
    pub of: String,
    /// What was to be done.
    pub what: String,
    /// Where.
    pub href: String,
    /// Whom it was about.
    pub who: String,
    /// What came of it.
    pub outcome: String,
    /// When.
    pub when: String,
    /// The same as RFC 3339.
    pub when_iso: String,
    /// Who did it.
    pub by: String,
    /// Whether a person said so, and can take it back.
    pub is_said: bool,
}

/// What was done, the latest first, each with the number of its event, behind those of earlier ones that tell who asked for it.
pub(super) fn lines(
    world: &Projections,
    is_asked: impl Fn(&Done) -> bool,
    now: DateTime<Utc>,
) -> Vec<(Wanted<DoneLine>, Vec<u64>)> {
    let zone = zone(world);
    let line = |done: &Done| {
        let said = words::words(world, &done.item);
        let line = DoneLine {
            kind: words::name(done.item.kind).0,
            kind_word: done.item.kind.word(),
            of: done.item.of.to_string(),
            what: said.what,
            href: said.href,
            who: words::about_nobody(done.item.kind).into(),
            outcome: String::new(),
            when: when_in_words(done.at, zone),
            when_iso: present::iso(done.at),
            by: String::new(),
            is_said: done.is_said,
        };
        let of_pair = done.item.pair().and_then(|pair| world.state.donations.last_of(pair.both()[0]));
        let of_gift = done.item.donation().and_then(|donation| world.ledger.pledge(donation));
        let before = of_gift.into_iter().flat_map(|pledge| &pledge.events).copied().filter(|seq| *seq < done.seq);
        (Wanted::new(world, line, done.item.donation().or(of_pair)), before.chain([done.seq]).collect())
    };
    world.finished.since(now).filter(|done| is_asked(done)).map(line).collect()
}

/// What came of an item by the last of these events, and who asked for that.
pub(super) fn told(lines: &mut Lines, events: &[u64]) -> Result<(String, String), Fault> {
    let Some((last, before)) = events.split_last() else { return Ok(Default::default()) };
    let Some((recorded, by)) = lines.signed(*last)? else { return Ok(Default::default()) };
    // That money went back is told by the processor, whoever asked it to.
    let is_refund = matches!(recorded.event, Event::Donation(donation::Event::Refunded(_)));
    let asked = if is_refund { who::refunded(lines, before)? } else { None };
    Ok((outcome(&recorded.event).unwrap_or_default(), asked.unwrap_or(by)))
}

/// The member of staff that the log names.
pub(super) fn staff_of(by: &str) -> Option<PersonId> {
    by.strip_prefix("staff:")?.parse().ok()
}

/// Who it was, where it was no member of staff.
pub(super) fn program_of(by: &str) -> &'static str {
    if by.starts_with("processor") { "The processor" } else { "This server" }
}

fn outcome(event: &Event) -> Option<String> {
    use donation::Event as Donation;
    if let Event::Work(work::Event::Done(done)) = event {
        return Some(done.note.clone());
    }
    if let Event::Audit(audit::Event::Settled(settled)) = event {
        return Some(match (settled.how, &settled.note) {
            (How::Noted, Some(note)) => format!("Said to be fine: {note}"),
            (How::Agrees | How::Noted, _) => "A later reading found both sides the same.".into(),
        });
    }
    if let Event::Person(event) = event {
        return Some(match event {
            Person::Merged(merged) => format!("Merged: {}", merged.reason),
            Person::Parted(parted) => format!("Parted again: {}", parted.reason),
            Person::ToldApart(told) => format!("Two people: {}", told.reason),
        });
    }
    if let Event::Refund(refund::Event::TurnedDown(data)) = event {
        return Some(format!("Turned down: {}", data.reason));
    }
    if let Event::Refund(refund::Event::Approved(_)) = event {
        return Some("Approved: the money goes back.".into());
    }
    if let Event::Donor(donor::Event::Asked(asked)) = event {
        return Some(match asked.how {
            donor::How::Letter => "Asked by letter.".into(),
            donor::How::Phone => "Asked by phone.".into(),
            donor::How::Post => "Asked by post.".into(),
        });
    }
    if let Event::Donor(donor::Event::Answered(_)) = event {
        return Some("Answered.".into());
    }
    if let Event::Remedy(remedy::Event::Redesignated(data)) = event {
        return Some(format!("{} redesignated to the {}.", data.amount.to_exact(), data.limit));
    }
    if let Event::Remedy(remedy::Event::Reattributed(data)) = event {
        return Some(format!("{} reattributed to another person.", data.amount.to_exact()));
    }
    if let Event::Period(period::Event::Closed(closed)) = event {
        return Some(format!("Amended by period {}.", closed.period));
    }
    if let Event::Period(period::Event::Filed(filed)) = event {
        return Some(format!("Filed as FEC-{}.", filed.filing));
    }
    if let Event::Period(period::Event::Withdrawn(gone)) = event {
        return Some(format!("Withdrawn: {}", gone.reason));
    }
    let Event::Donation(event) = event else { return None };
    if let Donation::Released(data) = event {
        return Some(format!("Released. {}", data.note.as_deref().unwrap_or_default()));
    }
    if let Donation::TurnedAway(data) = event {
        return Some(format!("Turned away: {}", data.reason));
    }
    if let Donation::CardCleared(data) = event {
        return Some(format!("Said to be fine: {}", data.note));
    }
    if let Donation::DisputeClosed(data) = event {
        let how = match data.outcome {
            DisputeOutcome::Won => "we keep the money",
            DisputeOutcome::Lost => "the donor keeps the money",
            DisputeOutcome::Dropped => "it was never more than a question",
        };
        return Some(format!("The dispute is over: {how}."));
    }
    matches!(event, Donation::Refunded(_) | Donation::DebitReturned(_)).then(|| "The money went back.".into())
}
