//! People as files: a rally's attendees, and those who agreed to be written to, as they are now. They are taken from the projection
//! a chunk at a time, opened and written, so that a file of any length needs the memory of one chunk.

use super::Order;
use super::desk::Out;
use super::profiles::{Fault, Profiles};
use super::selection::Selection;
use crate::domain::id::{PersonId, RallyId};
use crate::domain::rally::Rally;
use crate::engine::Engine;
use crate::export::row::{LARGE_LINES, Made};
use crate::export::{attendance, contacts};
use crate::projections::Projections;
use crate::projections::crowd::origin::Origin;
use crate::projections::crowd::people::Attendee;
use crate::projections::crowd::{Consent, instant};
use crate::projections::totals::{day_of, timezone};
use std::io::Error;

/// People a chunk: some hundred KiB of file; the writer is not kept waiting longer than copying them takes.
const CHUNK_PEOPLE: usize = 1_000;

/// Everybody who registered for the rallies of a selection, with their stays.
pub(super) fn attendees(engine: &Engine, order: &Order, out: &Out) -> std::io::Result<()> {
    let mut first = vec![];
    attendance::header(&mut first)?;
    let (mut profiles, now) = (Profiles::new(engine), engine.clock().now());
    let (mut goes_on, mut count) = (out.send(first), 0_usize);
    for rally in rallies(engine, &order.selection, out) {
        let of = {
            let world = engine.world();
            let Some(known) = world.state.rallies.get(rally) else { continue };
            let (slug, title) = (known.details.slug.clone(), known.details.title.clone());
            attendance::Rally { slug, title, zone: timezone(&world.state, rally), now }
        };
        goes_on = goes_on
            && each_chunk(
                engine,
                rally,
                out,
                |world, known| Some(Copied::new(world, rally, known)),
                |copied| {
                    count = count.saturating_add(copied.len());
                    let people: Result<Vec<_>, _> = copied.into_iter().map(|one| one.open(&mut profiles)).collect();
                    let mut chunk = vec![];
                    attendance::people(&mut chunk, &of, people.map_err(Error::other)?)?;
                    Ok(out.send(chunk))
                },
            )?;
    }
    mark(engine, order, out, goes_on && count >= LARGE_LINES, |last, made| attendance::footer(last, made))
}

/// Ends a file with what it says of itself, where it is a large one.
fn mark(
    engine: &Engine,
    order: &Order,
    out: &Out,
    is_large: bool,
    footer: impl FnOnce(&mut Vec<u8>, &Made) -> std::io::Result<()>,
) -> std::io::Result<()> {
    if is_large {
        let seq = engine.world().seq;
        let mut last = vec![];
        footer(&mut last, &order.made(engine, seq)?)?;
        out.send(last);
    }
    Ok(())
}

/// Those who agreed to be written to. Of one rally, everybody who registered there and agreed, there or elsewhere; of several,
/// everybody once, in the rally on whose form they agreed.
pub(super) fn contacts(engine: &Engine, order: &Order, out: &Out) -> std::io::Result<()> {
    let is_of_one = order.selection.rally.is_some();
    let mut first = vec![];
    contacts::header(&mut first)?;
    let mut profiles = Profiles::new(engine);
    let (mut goes_on, mut count) = (out.send(first), 0_usize);
    for rally in rallies(engine, &order.selection, out) {
        let slug = engine.world().state.rallies.get(rally).map(|known| known.details.slug.clone()).unwrap_or_default();
        let agreed = |world: &Projections, known: &Attendee| {
            let consent = world.crowd.consent(known.person)?;
            (is_of_one || consent.profile == known.seq).then(|| (known.person, consent.clone()))
        };
        goes_on = goes_on
            && each_chunk(engine, rally, out, agreed, |copied| {
                let mut opened = vec![];
                for (person, Consent { profile, at, wording }) in copied {
                    let (_, known) = profiles.open(person, profile).map_err(Error::other)?;
                    let (rally, wording) = (slug.clone(), wording.into());
                    // Who was erased meanwhile is left out.
                    opened.extend(known.map(|profile| contacts::Contact { profile, rally, agreed_at: at, wording }));
                }
                count = count.saturating_add(opened.len());
                let mut chunk = vec![];
                contacts::contacts(&mut chunk, opened)?;
                Ok(out.send(chunk))
            })?;
    }
    mark(engine, order, out, goes_on && count >= LARGE_LINES, |last, made| contacts::footer(last, made))
}

/// The rallies that are asked for, in the order in which they take place; `out` is told how many registered for them.
fn rallies(engine: &Engine, selection: &Selection, out: &Out) -> Vec<RallyId> {
    let world = engine.world();
    let is_asked = |(id, rally): &(RallyId, &Rally)| {
        let details = &rally.details;
        selection.takes(&details.slug, day_of(&world.state, *id, details.starts_at))
            && selection.takes_from(details.committee)
    };
    let mut rallies: Vec<_> = world.state.rallies.iter().filter(is_asked).collect();
    rallies.sort_by_key(|(id, rally)| (rally.details.starts_at, *id));
    let registered = |(id, _): &(RallyId, _)| world.crowd.of(*id).map_or(0, |crowd| crowd.people.attendees().len());
    out.has(rallies.iter().map(registered).sum::<usize>());
    rallies.into_iter().map(|(id, _)| id).collect()
}

/// Copies those who are wanted of a rally's people, in the order in which they registered, and gives them to `take`, a chunk at
/// a time; ends with false when that wants no more.
fn each_chunk<One>(
    engine: &Engine,
    rally: RallyId,
    out: &Out,
    copy: impl Fn(&Projections, &Attendee) -> Option<One>,
    mut take: impl FnMut(Vec<One>) -> std::io::Result<bool>,
) -> std::io::Result<bool> {
    let end = engine.world().crowd.of(rally).map_or(0, |crowd| crowd.people.attendees().len());
    for from in (0..end).step_by(CHUNK_PEOPLE) {
        let chunk = from..end.min(from.saturating_add(CHUNK_PEOPLE));
        let copied = {
            let world = engine.world();
            let people = world.crowd.of(rally).map(|crowd| crowd.people.attendees()).unwrap_or_default();
            let chunk = people.get(chunk.clone()).unwrap_or_default();
            chunk.iter().filter_map(|known| copy(&world, known)).collect()
        };
        out.did(chunk.len());
        if !take(copied)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Somebody who registered, still sealed.
struct Copied {
    person: PersonId,
    seq: u64,
    stays: Vec<(u32, Option<u32>)>,
    origin: Origin,
    is_guest: bool,
}

impl Copied {
    fn new(world: &Projections, rally: RallyId, known: &Attendee) -> Self {
        let crowd = world.crowd.of(rally);
        Self {
            person: known.person,
            seq: known.seq,
            stays: crowd.map(|crowd| crowd.people.stays(known).collect()).unwrap_or_default(),
            origin: crowd.and_then(|crowd| crowd.origins.get(known.origin())).cloned().unwrap_or(Origin::Rest),
            is_guest: !world.state.staff.contains_key(&known.person),
        }
    }

    fn open(self, profiles: &mut Profiles) -> Result<attendance::Person, Fault> {
        let (registered_at, profile) = profiles.open(self.person, self.seq)?;
        let (source, refcode) = match self.origin {
            Origin::Refcode(code) => ("link", Some(code.into())),
            Origin::Way(way) => (way.word(), None),
            Origin::Rest => ("other", None),
        };
        let stays = self.stays.into_iter().map(|(from, until)| (instant(from), until.map(instant))).collect();
        Ok(attendance::Person { profile, registered_at, stays, source, refcode, is_guest: self.is_guest })
    }
}
