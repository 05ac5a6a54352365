//! Work that only a look through the whole ledger finds: donors to ask for an employer, gifts over a limit, filed reports whose
//! days have changed. What was found is kept until something has happened since.

use super::closing::{Changes, since};
use super::missing::{self, Missing, Standing};
use super::{excess, filing};
use crate::domain::committee::filer::Filer;
use crate::domain::id::{CommitteeId, DonationId, PeriodId};
use crate::domain::period::{Closed, Period};
use crate::domain::work::{Item, Kind};
use crate::engine::Engine;
use crate::projections::Projections;
use crate::projections::donors::Taken;
use crate::projections::totals::{end_of, timezone};
use crate::projections::work::Waiting;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Until a filed report is amended once something of its days has changed: what a donor answers late is reported with the next
/// report at the latest (11 CFR 104.7(b)(4)), and those who file often do so each month.
const AMEND: TimeDelta = TimeDelta::days(30);
/// How long a look may take to be made each time.
const QUICK: Duration = Duration::from_millis(50);
/// How many times as long as it took what a slower one found stands, whatever happens: a twentieth of a core at most.
const RESTS: u32 = 20;

/// What was found, and by a look at which event.
struct Kept {
    seq: u64,
    day: NaiveDate,
    made: Instant,
    took: Duration,
    waiting: Arc<[Waiting]>,
}

impl Kept {
    /// Whether it still stands, so long after it was made: while nothing happened, and where it took long, for a while whatever
    /// did.
    fn stands(&self, seq: u64, day: NaiveDate, age: Duration) -> bool {
        let rests = self.took > QUICK && age < self.took.saturating_mul(RESTS);
        self.day == day && (self.seq == seq || rests)
    }
}

/// What is kept of the last look. Cheap to clone.
#[derive(Clone, Default)]
pub struct Looked(Arc<Mutex<Option<Kept>>>);

impl Looked {
    /// What waits, as the ledger was a moment ago; less what was done since. Looks through it where something has happened: not
    /// on a thread that others wait for. Whoever comes meanwhile waits for the same look.
    ///
    /// # Errors
    /// [`filing::Fault`].
    pub fn waiting(&self, engine: &Engine, now: DateTime<Utc>) -> Result<Vec<Waiting>, filing::Fault> {
        let mut kept = self.0.lock();
        let (seq, day) = (engine.world().seq, now.date_naive());
        let waiting = match kept.as_ref().filter(|kept| kept.stands(seq, day, kept.made.elapsed())) {
            Some(kept) => Arc::clone(&kept.waiting),
            None => {
                let begun = Instant::now();
                let waiting: Arc<[Waiting]> = look(engine, day)?.into();
                let took = begun.elapsed();
                *kept = Some(Kept { seq, day, made: Instant::now(), took, waiting: Arc::clone(&waiting) });
                waiting
            }
        };
        let looked = kept.as_ref().map_or(0, |kept| kept.seq);
        drop(kept);
        let world = engine.world();
        Ok(waiting.iter().filter(|one| still(&world, one, looked)).cloned().collect())
    }
}

/// Whether nothing that happened since the look at an event has done it.
fn still(world: &Projections, one: &Waiting, looked: u64) -> bool {
    let gift = one.donation.filter(|_| one.item.kind == Kind::Employer).and_then(|id| world.state.donations.get(id));
    let is_as_it_was = gift.is_none_or(|gift| {
        let as_of = |seq| (world.donors.answer(gift.donor, seq), world.donors.was_asked(gift.donor, gift.day, seq));
        as_of(looked) == as_of(world.seq)
    });
    is_as_it_was && one.item.waits(&world.state)
}

fn look(engine: &Engine, today: NaiveDate) -> Result<Vec<Waiting>, filing::Fault> {
    let committees: Vec<(CommitteeId, Option<Filer>)> = {
        let world = engine.world();
        world.state.committees.iter().map(|(id, known)| (id, known.filer.clone())).collect()
    };
    let mut waiting = vec![];
    for (committee, filer) in committees {
        waiting.extend(over(engine, committee));
        if let Some(filer) = filer {
            let found = match missing::look(engine, committee, &filer, today) {
                // Its reports can't be made: their page says so.
                Err(filing::Fault::NotDollars(_)) => continue,
                found => found?,
            };
            let world = engine.world();
            waiting.extend(found.missing.iter().filter_map(|one| lacking(&world, committee, one)));
        }
    }
    let world = engine.world();
    let filed = world.state.periods.iter().filter(|(id, _)| world.state.periods.is_filed_last(*id));
    let changed: Vec<(PeriodId, u64)> = filed.filter_map(|(id, period)| Some((id, changed(&world, period)?))).collect();
    drop(world);
    let mut lines = engine.lines();
    for (period, seq) in changed {
        let at = lines.recorded(seq)?.map(|recorded| recorded.at);
        let due = at.and_then(|at| at.checked_add_signed(AMEND));
        waiting.push(Waiting { item: Item::of_change(period, seq), donation: None, due });
    }
    Ok(waiting)
}

fn over(engine: &Engine, committee: CommitteeId) -> Vec<Waiting> {
    let found = excess::look(engine, committee);
    let world = engine.world();
    let waiting = |one: &excess::Excess| Waiting {
        item: Item::of_gift(Kind::Excess, one.donation, committee),
        donation: Some(one.donation),
        due: end_there(&world, one.donation, one.by),
    };
    let mut waiting: Vec<Waiting> = found.iter().filter(|one| one.is_open).map(waiting).collect();
    // A gift over two limits is one thing to mend, by the earlier day.
    waiting.sort_by(|one, other| (&one.item, one.due).cmp(&(&other.item, other.due)));
    waiting.dedup_by(|one, kept| one.item == kept.item);
    waiting
}

fn lacking(world: &Projections, committee: CommitteeId, one: &Missing) -> Option<Waiting> {
    let is_closed = |taken: &Taken| {
        let is_it = |closed: &Closed| {
            (closed.committee, closed.from, closed.through) == (Some(committee), taken.from, taken.through)
        };
        world.state.periods.live().any(|(_, period)| period.closed.report.is_some() && is_it(&period.closed))
    };
    let (donation, due) = match &one.standing {
        Standing::NotAsked(_) => (one.about(), end_there(world, one.unasked, one.by)),
        // Of a closed period the amendment is an item of its own.
        Standing::Amend(answer, taken) if !taken.iter().all(is_closed) => {
            (one.about(), answer.at.checked_add_signed(AMEND))
        }
        Standing::Amend(..) | Standing::Asked(_) | Standing::Answered(_) => return None,
    };
    Some(Waiting { item: Item::of_gift(Kind::Employer, donation, committee), donation: Some(donation), due })
}

/// The last event that changed a period's days since.
fn changed(world: &Projections, period: &Period) -> Option<u64> {
    let Changes { lines, .. } = since(world, period);
    Some(lines.last()?.seq)
}

/// The last instant of a day where a gift was given.
fn end_there(world: &Projections, donation: DonationId, day: NaiveDate) -> Option<DateTime<Utc>> {
    end_of(day, timezone(&world.state, world.state.donations.get(donation)?.rally))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_stands_until_something_happens_and_a_slow_one_for_twenty_times_what_it_took() {
        let day: NaiveDate = "2026-08-01".parse().unwrap();
        let kept = |took| Kept { seq: 7, day, made: Instant::now(), took, waiting: Arc::default() };
        let (quick, slow) = (kept(QUICK), kept(Duration::from_secs(1)));
        let (soon, late) = (Duration::from_secs(19), Duration::from_secs(20));
        assert!(quick.stands(7, day, late) && slow.stands(7, day, late), "nothing has happened");
        assert!(!quick.stands(8, day, Duration::ZERO), "a quick one is made again");
        assert!(slow.stands(8, day, soon) && !slow.stands(8, day, late));
        let next = day.succ_opt().unwrap();
        assert!(!quick.stands(7, next, soon) && !slow.stands(7, next, soon), "another day has other days left");
    }
}
