//! Gifts by which a person gave more than a limit of a committee allows: how much of each is over, until when that is mended
//! (11 CFR 103.3(b)(3)), and what was over and is not any more.

use crate::domain::committee::Limit;
use crate::domain::donation::Giver;
use crate::domain::donation::persons::Names;
use crate::domain::hash::HashSet;
use crate::domain::id::{CommitteeId, DonationId};
use crate::domain::remedy::REMEDY_DAYS;
use crate::engine::Engine;
use crate::projections::Projections;
use crate::projections::ledger::Kind;
use chrono::{Days, NaiveDate};

/// Rows looked at while the projections are held.
const CHUNK_ROWS: usize = 10_000;

/// A gift by which a person went over a limit, or what of one was reattributed to them.
#[derive(Clone, Debug)]
pub struct Excess {
    /// Which limit.
    pub limit: Limit,
    /// Which gift.
    pub donation: DonationId,
    /// Whose.
    pub giver: Giver,
    /// What of it is over, in minor units; what was, where nothing is any more.
    pub over_minor: i64,
    /// Whether that is still so.
    pub is_open: bool,
    /// The last day on which it is mended in time.
    pub by: NaiveDate,
}

/// What of a gift counts as one person's on one day.
struct Entry {
    donation: DonationId,
    seq: u64,
    giver: Giver,
    day: NaiveDate,
    /// The day on which the gift was received.
    received: NaiveDate,
    /// What counts now, and what counted before anything was given back or moved.
    counts: [i64; 2],
}

/// Every gift that is, or was, over a limit of a committee: what is open by its last day, then what is done, the latest first.
pub fn look(engine: &Engine, committee: CommitteeId) -> Vec<Excess> {
    let (limits, end) = {
        let world = engine.world();
        let rules = world.state.committees.get(committee).map(|known| known.rules.limits.clone());
        (rules.unwrap_or_default(), world.ledger.rows.len())
    };
    if limits.is_empty() {
        return vec![];
    }
    let (mut entries, mut seen) = (vec![], HashSet::default());
    for start in (0..end).step_by(CHUNK_ROWS) {
        let chunk = start..end.min(start.saturating_add(CHUNK_ROWS));
        gather(&engine.world(), committee, chunk, &limits, &mut entries, &mut seen);
    }
    let mut names = Names::with_capacity(entries.len());
    for (at, entry) in (0..).zip(&entries) {
        names.add(at, entry.giver);
    }
    {
        let world = engine.world();
        names.merge(world.persons.classes_at(world.seq));
    }
    let persons = names.persons(u32::try_from(entries.len()).unwrap_or(u32::MAX));
    // Most never gave as much as any limit allows.
    let least = limits.iter().map(|limit| limit.most.minor).min().unwrap_or(0);
    let mut given = vec![0_i64; entries.len()];
    for (person, entry) in persons.iter().zip(&entries) {
        let most = entry.counts.into_iter().max().unwrap_or(0).max(0);
        if let Some(given) = usize::try_from(*person).ok().and_then(|person| given.get_mut(person)) {
            *given = given.saturating_add(most);
        }
    }
    let is_over = |person: u32| usize::try_from(person).is_ok_and(|at| given.get(at).is_some_and(|sum| *sum > least));
    let all = persons.into_iter().zip(entries);
    let mut sorted: Vec<(u32, Entry)> = all.filter(|(person, _)| is_over(*person)).collect();
    sorted.sort_unstable_by_key(|(person, entry)| (*person, entry.day, entry.seq));
    let mut found: Vec<Excess> = limits.iter().flat_map(|limit| over(limit, &sorted)).collect();
    found.sort_by_key(|one| (!one.is_open, if one.is_open { days(one.by) } else { -days(one.by) }, one.donation));
    found
}

fn days(day: NaiveDate) -> i64 {
    day.signed_duration_since(NaiveDate::MIN).num_days()
}

fn gather(
    world: &Projections,
    committee: CommitteeId,
    rows: std::ops::Range<usize>,
    limits: &[Limit],
    entries: &mut Vec<Entry>,
    seen: &mut HashSet<DonationId>,
) {
    let is_of_it = |row: &&crate::projections::ledger::Row| {
        row.kind == Kind::Donation
            && (row.committee == committee || row.parts.iter().any(|part| part.committee == committee))
            && limits.iter().any(|limit| limit.most.currency == row.amount.currency)
    };
    for row in world.ledger.rows.get(rows).unwrap_or_default().iter().filter(is_of_it) {
        let Some(gift) = world.state.donations.get(row.donation).filter(|_| seen.insert(row.donation)) else {
            continue;
        };
        let (donation, seq) = (row.donation, row.seq);
        let mut shares = world.state.remedies.shares(donation, gift, committee);
        let own = shares.pop().map_or(0, |own| own.minor);
        let counts = [own, gift.received_for(committee)];
        entries.push(Entry { donation, seq, giver: gift.giver(), day: gift.day, received: gift.day, counts });
        entries.extend(shares.into_iter().map(|share| Entry {
            donation,
            seq,
            giver: share.giver,
            day: share.day,
            received: gift.day,
            counts: [share.minor, 0],
        }));
    }
}

/// What is over one limit, and what was; the entries are in the order of persons, and of each in that of the days.
fn over(limit: &Limit, entries: &[(u32, Entry)]) -> Vec<Excess> {
    let mut found = vec![];
    for person in entries.chunk_by(|(one, _), (next, _)| one == next) {
        let mut sums = [0_i64; 2];
        for (_, entry) in person.iter().filter(|(_, entry)| limit.covers(entry.day)) {
            let mut over = [0_i64; 2];
            for ((sum, counts), over) in sums.iter_mut().zip(entry.counts).zip(&mut over) {
                *sum = sum.saturating_add(counts);
                *over = sum.saturating_sub(limit.most.minor).clamp(0, counts.max(0));
            }
            let [now, before] = over;
            if now == 0 && before == 0 {
                continue;
            }
            let last = entry.received.checked_add_days(Days::new(REMEDY_DAYS));
            found.push(Excess {
                limit: limit.clone(),
                donation: entry.donation,
                giver: entry.giver,
                over_minor: if now > 0 { now } else { before },
                is_open: now > 0,
                by: last.unwrap_or(entry.received),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::PersonId;
    use crate::domain::money::{Currency, Money};
    use uuid::Uuid;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn entry(person: u32, number: u128, on: &str, counts: [i64; 2]) -> (u32, Entry) {
        let giver = Giver { donor: PersonId(Uuid::from_u128(1)), likeness: None };
        let donation = DonationId(Uuid::from_u128(number));
        (person, Entry { donation, seq: 1, giver, day: day(on), received: day(on), counts })
    }

    #[test]
    fn the_last_gifts_are_over_and_each_has_sixty_days_of_its_own() {
        let limit = Limit {
            name: "primary".into(),
            most: Money::new(350_000, Currency::USD),
            from: day("2026-01-01"),
            until: day("2026-08-04"),
        };
        let entries = [
            entry(0, 1, "2026-02-01", [300_000, 300_000]),
            entry(0, 2, "2026-03-01", [100_000, 100_000]),
            entry(0, 3, "2026-04-01", [20_000, 50_000]),
            entry(0, 4, "2026-08-05", [900_000, 900_000]),
            entry(1, 5, "2026-02-01", [350_000, 350_000]),
            entry(2, 6, "2026-02-01", [350_000, 360_000]),
        ];
        let found: Vec<_> = over(&limit, &entries)
            .into_iter()
            .map(|one| (one.donation.0.as_u128(), one.over_minor, one.is_open, one.by))
            .collect();
        assert_eq!(
            found,
            [
                (2, 50_000, true, day("2026-04-30")),
                (3, 20_000, true, day("2026-05-31")),
                (6, 10_000, false, day("2026-04-02")),
            ]
        );
    }
}
