//! What was given while each speaker was on program, and under each sponsor's match. Money that went back counts no more.
//!
//! The moment that counts is that of the pledge: whoever sent the form before the clock struck is in, however long banks take.

use super::ledger::{Ledger, Row};
use crate::domain::drive::{Event, Matching};
use crate::domain::hash::HashMap;
use crate::domain::id::{MatchId, RallyId, SourceId};
use crate::domain::{self, Recorded, State};
use serde::{Deserialize, Serialize};

/// By speaker, and by match; in minor units of the rally's currency.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Drive {
    by_speaker: HashMap<SourceId, i64>,
    by_match: HashMap<MatchId, i64>,
}

impl Drive {
    /// What was given while this speaker was on program.
    pub fn while_on(&self, speaker: SourceId) -> i64 {
        self.by_speaker.get(&speaker).copied().unwrap_or(0).max(0)
    }

    /// What was given under a match; what the sponsor adds to it is [`Matching::adds`].
    pub fn given_under(&self, id: MatchId) -> i64 {
        self.by_match.get(&id).copied().unwrap_or(0).max(0)
    }

    pub(super) fn apply(&mut self, recorded: &Recorded, state: &State, ledger: &Ledger) {
        if let domain::Event::Drive(event) = &recorded.event {
            match event {
                Event::GoalsSet(_) => {}
                // It may begin in the past: what was given since is counted anew, in one pass.
                Event::MatchSet(set) => {
                    let counts = |row: &&Row| is_under(&set.matching, set.rally, row, ledger);
                    let given = ledger.rows.iter().filter(counts).map(|row| row.amount.minor);
                    self.by_match.insert(set.id, given.fold(0, i64::saturating_add));
                }
                Event::MatchWithdrawn(named) => {
                    self.by_match.remove(&named.id);
                }
            }
        }
        // Whatever moved money is the ledger's newest row.
        let Some(row) = ledger.rows.last().filter(|row| row.seq == recorded.seq) else { return };
        if let Some(speaker) = ledger.pledge(row.donation).and_then(|pledge| pledge.on_program) {
            let given = self.by_speaker.entry(speaker).or_default();
            *given = given.saturating_add(row.amount.minor);
        }
        for (id, matching) in state.drives.of(row.rally).into_iter().flat_map(|drive| &drive.matches) {
            if is_under(matching, row.rally, row, ledger) {
                let given = self.by_match.entry(*id).or_default();
                *given = given.saturating_add(row.amount.minor);
            }
        }
    }
}

fn is_under(matching: &Matching, rally: RallyId, row: &Row, ledger: &Ledger) -> bool {
    row.rally == rally
        && row.amount.currency == matching.most.currency
        && ledger.pledge(row.donation).is_some_and(|pledge| matching.covers(pledge.at))
}

#[cfg(test)]
mod tests {
    use crate::domain::Event;
    use crate::domain::donation::{self, Refunded};
    use crate::domain::drive::{self, MatchNamed, MatchSet, Matching};
    use crate::domain::id::MatchId;
    use crate::domain::test_kit::*;
    use crate::projections::test_kit::{folded, gift, pledged, pledged_at, settled, settled_at};
    use uuid::Uuid;

    const MATCH: MatchId = MatchId(Uuid::from_u128(0x51));

    fn matching() -> Matching {
        Matching { sponsor: "Nurses".into(), percent: 50, most: usd(10_000), from: at(10), until: at(20) }
    }

    fn set(matching: Matching) -> Event {
        Event::Drive(drive::Event::MatchSet(MatchSet { rally: RALLY, id: MATCH, matching }))
    }

    #[test]
    fn the_moment_of_the_pledge_counts_and_what_goes_back_counts_no_more() {
        let story = vec![
            (0, created()),
            (1, set(matching())),
            (9, pledged(1, 5_000, Some(SOURCE))),
            (10, pledged(2, 5_000, Some(SOURCE))),
            (19, pledged(3, 5_000, Some(SOURCE))),
            (20, pledged(4, 5_000, Some(SOURCE))),
            (300, settled(1, 5_000)),
            (300, settled(2, 5_000)),
            (300, settled(3, 5_000)),
            (300, settled(4, 5_000)),
        ];
        let world = folded(story.clone());
        assert_eq!(world.drive.given_under(MATCH), 10_000, "the second and the third");
        assert_eq!(matching().adds(world.drive.given_under(MATCH)), usd(5_000));
        assert_eq!(world.drive.while_on(SOURCE), 20_000);
        assert_eq!(world.totals.sums(RALLY).raised_minor(), 20_000, "a match is not received");
        let back = Event::Donation(donation::Event::Refunded(Refunded {
            donation: gift(3),
            rally: RALLY,
            donor: PERSON,
            payment: payment("pi_3"),
            processor_refund: processor_refund("re_1"),
            refund: None,
            amount: usd(2_000),
        }));
        let after = folded(story.iter().cloned().chain([(400, back)]));
        assert_eq!((after.drive.given_under(MATCH), after.drive.while_on(SOURCE)), (8_000, 18_000));
        // A match that is promised later, or otherwise, counts the same gifts.
        let late = story.iter().filter(|(second, _)| *second != 1).cloned().chain([(500, set(matching()))]);
        assert_eq!(folded(late).drive.given_under(MATCH), 10_000);
        let longer = Matching { until: at(21), ..matching() };
        assert_eq!(folded(story.iter().cloned().chain([(500, set(longer))])).drive.given_under(MATCH), 15_000);
        let named = MatchNamed { rally: RALLY, id: MATCH };
        let gone = (500, Event::Drive(drive::Event::MatchWithdrawn(named)));
        assert_eq!(folded(story.into_iter().chain([gone])).drive.given_under(MATCH), 0);
    }

    #[test]
    fn what_another_rally_was_given_counts_there_alone() {
        let gifts = [(15, pledged_at(OTHER_RALLY, 1, 5_000, None)), (16, settled_at(OTHER_RALLY, 1, 5_000))];
        let before = folded([(0, created()), (1, set(matching()))].into_iter().chain(gifts.clone()));
        let after = folded([(0, created())].into_iter().chain(gifts).chain([(17, set(matching()))]));
        assert_eq!([before, after].map(|world| world.drive.given_under(MATCH)), [0, 0]);
    }
}
