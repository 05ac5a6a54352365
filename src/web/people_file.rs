//! People as files, streamed: a rally's attendees, and those who agreed to be written to. They are taken from the projection a
//! chunk at a time, opened, written and sent, so that a file of any length needs the memory of one chunk.

use super::came;
use super::profiles::{Fault, Profiles};
use crate::clock;
use crate::domain::id::{PersonId, RallyId};
use crate::engine::Engine;
use crate::export::{attendance, contacts};
use crate::projections::Projections;
use crate::projections::crowd::origin::Origin;
use crate::projections::crowd::{Consent, instant};
use crate::projections::totals::timezone;
use bytes::Bytes;
use std::ops::Range;
use tokio::sync::mpsc;

/// People a chunk: some hundred KiB of file; pages are not kept waiting for the projection longer than this takes to copy.
const CHUNK_PEOPLE: usize = 1_000;
/// Chunks made ahead of a slow reader.
const CHUNKS_AHEAD: usize = 4;

/// A file as it is sent.
pub type Chunks = mpsc::Receiver<std::io::Result<Bytes>>;

/// Makes the attendee report of a rally, as of now, on a thread of its own.
pub fn attendees(engine: Engine, rally: RallyId) -> Chunks {
    let of = {
        let world = engine.world();
        let details = world.state.rallies.get(rally).map(|rally| &rally.details);
        attendance::Rally {
            slug: details.map(|details| details.slug.clone()).unwrap_or_default(),
            title: details.map(|details| details.title.clone()).unwrap_or_default(),
            zone: timezone(&world.state, rally),
            now: clock::now(),
        }
    };
    let write = move |out: &mut Vec<u8>, copied: Vec<Copied>, profiles: &mut Profiles| {
        let people: Result<Vec<_>, _> = copied.into_iter().map(|one| one.open(profiles)).collect();
        attendance::people(out, &of, people.map_err(std::io::Error::other)?)
    };
    stream(engine, vec![rally], |out| attendance::header(out), copy, write)
}

/// Makes the file of those who agreed to be written to: everybody of one rally who did, here or elsewhere, or everybody, once.
pub fn contacts(engine: Engine, rally: Option<RallyId>) -> Chunks {
    let rallies = match rally {
        Some(rally) => vec![rally],
        None => {
            let world = engine.world();
            let mut rallies: Vec<_> = world.state.rallies.iter().collect();
            rallies.sort_by_key(|(id, rally)| (rally.details.starts_at, *id));
            rallies.into_iter().map(|(id, _)| id).collect()
        }
    };
    let copy = move |world: &Projections, of: RallyId, range: Range<usize>| {
        let people = world.crowd.of(of).map(|crowd| crowd.people.attendees()).unwrap_or_default();
        let slug = world.state.rallies.get(of).map(|rally| rally.details.slug.as_str()).unwrap_or_default();
        let agreed = people.get(range).unwrap_or_default().iter().filter_map(|known| {
            let consent = world.crowd.consent(known.person)?;
            // Each stands in the rally on whose form they agreed, and nowhere else in the file of all.
            let is_here = rally.is_some() || consent.profile == known.seq;
            is_here.then(|| (known.person, consent.clone(), slug.to_owned()))
        });
        agreed.collect()
    };
    let write = |out: &mut Vec<u8>, copied: Vec<(PersonId, Consent, String)>, profiles: &mut Profiles| {
        let mut opened = vec![];
        for (person, Consent { profile, at, wording }, rally) in copied {
            let (_, known) = profiles.open(person, profile).map_err(std::io::Error::other)?;
            // Who was erased meanwhile is left out.
            let contact = |profile| contacts::Contact { profile, rally, agreed_at: at, wording: wording.into() };
            opened.extend(known.map(contact));
        }
        contacts::contacts(out, opened)
    };
    stream(engine, rallies, |out| contacts::header(out), copy, write)
}

/// Somebody who registered, still sealed.
struct Copied {
    person: PersonId,
    seq: u64,
    stays: Vec<(u32, Option<u32>)>,
    origin: Origin,
    is_guest: bool,
}

fn copy(world: &Projections, rally: RallyId, range: Range<usize>) -> Vec<Copied> {
    let Some(crowd) = world.crowd.of(rally) else { return vec![] };
    let known = crowd.people.attendees().get(range).unwrap_or_default().iter();
    let copy = known.map(|known| Copied {
        person: known.person,
        seq: known.seq,
        stays: crowd.people.stays(known).collect(),
        origin: crowd.origins.get(known.origin()).cloned().unwrap_or(Origin::Rest),
        is_guest: world.state.staff.get(&known.person).is_none(),
    });
    copy.collect()
}

impl Copied {
    fn open(self, profiles: &mut Profiles) -> Result<attendance::Person, Fault> {
        let (registered_at, profile) = profiles.open(self.person, self.seq)?;
        let (source, refcode) = match self.origin {
            Origin::Refcode(code) => ("link".into(), Some(code.into())),
            Origin::Way(way) => (came::name(way).to_owned(), None),
            Origin::Rest => ("other".into(), None),
        };
        let stays = self.stays.into_iter().map(|(from, until)| (instant(from), until.map(instant))).collect();
        Ok(attendance::Person { profile, registered_at, stays, source, refcode, is_guest: self.is_guest })
    }
}

fn stream<One: Send>(
    engine: Engine,
    rallies: Vec<RallyId>,
    begin: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()> + Send + 'static,
    copy: impl Fn(&Projections, RallyId, Range<usize>) -> Vec<One> + Send + 'static,
    write: impl Fn(&mut Vec<u8>, Vec<One>, &mut Profiles) -> std::io::Result<()> + Send + 'static,
) -> Chunks {
    let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
    tokio::task::spawn_blocking(move || {
        let mut first = vec![];
        let _ = sender.blocking_send(begin(&mut first).map(|()| first.into()));
        let mut profiles = Profiles::new(&engine);
        for rally in rallies {
            let end = engine.world().crowd.of(rally).map_or(0, |crowd| crowd.people.attendees().len());
            for from in (0..end).step_by(CHUNK_PEOPLE) {
                let copied = copy(&engine.world(), rally, from..end.min(from.saturating_add(CHUNK_PEOPLE)));
                let mut chunk = vec![];
                // A file that breaks off is seen; one with a name left out is not.
                let written = write(&mut chunk, copied, &mut profiles);
                let failed = written.is_err();
                if sender.blocking_send(written.map(|()| chunk.into())).is_err() || failed {
                    return;
                }
            }
        }
    });
    chunks
}
