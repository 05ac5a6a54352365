//! Payouts with what is in them: read back from the log, a payout's part at a time.

use super::Order;
use super::contacts::Contacts;
use super::desk::Out;
use super::selection::Selection;
use crate::domain::Event;
use crate::domain::books::{self, Payout};
use crate::domain::id::{PayoutId, PersonId};
use crate::engine::Engine;
use crate::export::payouts::{self, Head, Line};
use crate::projections::Projections;
use crate::projections::ledger::ContactAt;
use std::io::Error;

/// A payout that is asked for, and the events that told what is in it.
struct Asked {
    head: Head,
    parts: Vec<u64>,
}

/// The payouts of a selection as CSV: by the day on which the bank has them, in the account of one committee where one is
/// named; as of an earlier event, as far as their parts were told by then. Of one rally, its lines alone.
pub(super) fn csv(engine: &Engine, order: &Order, out: &Out) -> std::io::Result<()> {
    let selection = &order.selection;
    let (asked, as_of) = {
        let world = engine.world();
        (asked(&world, selection), selection.seq(&world))
    };
    let made = order.made(engine, as_of)?;
    let (mut lines, mut contacts) = (engine.lines(), Contacts::as_of(engine, as_of));
    let mut first = vec![];
    payouts::header(&mut first)?;
    if !out.send(first) {
        return Ok(());
    }
    out.has(asked.iter().map(|asked| asked.parts.len()).sum::<usize>());
    for Asked { head, parts } in asked {
        let mut net_minor = 0_i64;
        for seq in parts {
            out.did(1);
            let event = lines.event(seq).map_err(Error::other)?;
            let Some(Event::Books(books::Event::PayoutComposed(part))) = event else { continue };
            net_minor = part.entries.iter().map(books::Entry::net_minor).fold(net_minor, i64::saturating_add);
            let told: Vec<_> = {
                let world = engine.world();
                part.entries.into_iter().map(|entry| line_of(&world, entry)).collect()
            };
            let mut asked = vec![];
            for (line, contact) in told.into_iter().filter(|(line, _)| is_asked(selection, line)) {
                let open = |(donor, at)| contacts.open(donor, at).map_err(Error::other);
                let contact = contact.map(open).transpose()?.flatten();
                asked.push(Line { contact, ..line });
            }
            let mut chunk = vec![];
            payouts::lines(&mut chunk, &head, &asked)?;
            if !out.send(chunk) {
                return Ok(());
            }
        }
        let mut last = vec![];
        if selection.rally.is_none() {
            payouts::end(&mut last, &head, net_minor)?;
        }
        if !out.send(last) {
            return Ok(());
        }
    }
    let mut last = vec![];
    payouts::footer(&mut last, &made)?;
    out.send(last);
    Ok(())
}

fn asked(world: &Projections, selection: &Selection) -> Vec<Asked> {
    let seq = selection.seq(world);
    let taken = |(_, payout): &(&PayoutId, &Payout)| {
        selection.takes_from(payout.committee)
            && selection.from.is_none_or(|from| from <= payout.arrival)
            && selection.to.is_none_or(|to| payout.arrival <= to)
    };
    let mut payouts: Vec<_> = world.state.books.payouts().filter(taken).collect();
    payouts.sort_by_key(|(_, payout)| (payout.arrival, payout.number));
    let asked = payouts.into_iter().filter_map(|(id, payout)| {
        let all = world.ledger.payout_parts(payout.number);
        let parts: Vec<u64> = all.iter().copied().filter(|part| *part <= seq).collect();
        // When the payout itself was first told is not kept, only what was in it.
        if selection.as_of.is_some() && parts.is_empty() {
            return None;
        }
        let head = Head {
            payout: id.0.clone(),
            committee: world.state.committees.name(payout.committee).into(),
            amount: payout.amount,
            arrival: payout.arrival,
            standing: payout.standing,
            complete: payout.complete && parts.len() == all.len(),
        };
        Some(Asked { head, parts })
    });
    asked.collect()
}

/// An entry with its rally, and whose contact stands where.
fn line_of(world: &Projections, entry: books::Entry) -> (Line, Option<(PersonId, ContactAt)>) {
    let gift = entry.donation.and_then(|donation| world.state.donations.get(donation).map(|gift| (donation, gift)));
    let rally = gift.and_then(|(_, gift)| world.state.rallies.get(gift.rally));
    let contact = gift.and_then(|(id, gift)| Some((gift.donor, world.ledger.pledge(id)?.contact)));
    (Line { entry, rally: rally.map(|rally| rally.details.slug.clone()), contact: None }, contact)
}

fn is_asked(selection: &Selection, line: &Line) -> bool {
    selection.rally.is_none() || line.rally == selection.rally
}
