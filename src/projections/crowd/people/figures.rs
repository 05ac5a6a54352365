//! Figures of a rally's people: each one pass over them or their stays.

use super::{Attendee, OPEN, People};
use crate::projections::crowd::Gifts;
use crate::projections::crowd::moments::{Moments, Turns};

/// Minutes of a rally that are told one by one: a day. A rally whose doors were forgotten goes on without them.
pub const MINUTES_MAX: usize = 24 * 60;

/// How far people came: each of these is part of the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Funnel {
    /// Registered.
    pub registered: u64,
    /// Of these, were in the room while the doors were open.
    pub joined: u64,
    /// Of these, gave, then or at any time.
    pub gave: u64,
    /// Of these, began a recurring gift.
    pub recurring: u64,
}

/// How long people watched, each once whatever they had open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// People who were in the room.
    pub people: u64,
    /// All of them together, in seconds.
    pub total_s: u64,
    /// Half of them watched at least that long, in seconds.
    pub median_s: u32,
}

impl Watched {
    fn new(times: &mut [u32]) -> Self {
        let middle = times.len() / 2;
        let median_s = if times.is_empty() { 0 } else { *times.select_nth_unstable(middle).1 };
        let total_s = times.iter().map(|time| u64::from(*time)).sum();
        Self { people: u64::try_from(times.len()).unwrap_or(u64::MAX), total_s, median_s }
    }
}

/// One minute of a rally.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Minute {
    /// When it begins, in seconds since 1970.
    pub start_s: u32,
    /// People in the room as it ends.
    pub here: u32,
    /// Who came in.
    pub came: u32,
    /// Who went; whoever stayed to the end of the rally did not.
    pub went: u32,
    /// What was given.
    pub gifts: Gifts,
}

/// A time during which one thing was on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch<Id> {
    /// What; none where nothing was.
    pub of: Option<Id>,
    /// When it begins, in seconds since 1970.
    pub from_s: u32,
    /// When it ends.
    pub until_s: u32,
    /// People in the room as it begins.
    pub here_first: u32,
    /// People in the room as it ends.
    pub here_last: u32,
    /// Who came in.
    pub came: u32,
    /// Who went.
    pub went: u32,
    /// What was given.
    pub gifts: Gifts,
}

impl People {
    /// How far they came.
    pub fn funnel(&self) -> Funnel {
        let mut funnel = Funnel::default();
        for known in &self.attendees {
            let joined = known.was_there();
            let gave = joined && known.gave;
            funnel.registered = funnel.registered.saturating_add(1);
            funnel.joined = funnel.joined.saturating_add(u64::from(joined));
            funnel.gave = funnel.gave.saturating_add(u64::from(gave));
            funnel.recurring = funnel.recurring.saturating_add(u64::from(gave && known.gave_again));
        }
        funnel
    }

    /// For how many seconds somebody watched until now.
    pub fn watched_s(&self, attendee: &Attendee, now_s: u32) -> u32 {
        let stays = self.stays(attendee);
        let times = stays.map(|(from, until)| until.unwrap_or(now_s).saturating_sub(from));
        times.fold(0, u32::saturating_add)
    }

    /// How long people watched until now: all of them, and by the place of their origin, of which there are so many.
    pub fn watched(&self, origins: usize, now_s: u32) -> (Watched, Vec<Watched>) {
        let mut by_origin = vec![vec![]; origins];
        for known in self.attendees.iter().filter(|known| known.was_there()) {
            if let Some(times) = by_origin.get_mut(usize::from(known.origin)) {
                times.push(self.watched_s(known, now_s));
            }
        }
        let mut all: Vec<u32> = by_origin.iter().flatten().copied().collect();
        (Watched::new(&mut all), by_origin.iter_mut().map(|times| Watched::new(times)).collect())
    }

    /// The minutes from the opening of the doors to their end, or to now.
    pub fn minutes(&self, moments: &Moments, now_s: u32) -> Vec<Minute> {
        let Some((opened, ended)) = self.live() else { return vec![] };
        let first = opened / 60;
        let span = (ended.unwrap_or(now_s).max(opened) / 60).saturating_sub(first).saturating_add(1);
        let span = super::index(span).min(MINUTES_MAX);
        let minute = |start_s: u32| Minute { start_s, ..Minute::default() };
        let mut minutes: Vec<Minute> = (first..).take(span).map(|number| minute(number.saturating_mul(60))).collect();
        let place = |at: u32| super::index((at / 60).saturating_sub(first));
        for stay in &self.stays {
            if let Some(minute) = minutes.get_mut(place(stay.from_s)) {
                minute.came = minute.came.saturating_add(1);
            }
            let went = (stay.until_s != OPEN && Some(stay.until_s) != ended).then(|| place(stay.until_s));
            if let Some(minute) = went.and_then(|place| minutes.get_mut(place)) {
                minute.went = minute.went.saturating_add(1);
            }
        }
        let mut here = 0_u32;
        for (minute, gifts) in minutes.iter_mut().zip(moments.minutes().chain(std::iter::repeat(Gifts::default()))) {
            here = here.saturating_add(minute.came).saturating_sub(minute.went);
            (minute.here, minute.gifts) = (here, gifts);
        }
        minutes
    }

    /// What was on while the doors were open, one after the other, until now.
    pub fn stretches<Id: Copy + PartialEq>(&self, turns: &Turns<Id>, now_s: u32) -> Vec<Stretch<Id>> {
        let Some((opened, ended)) = self.live() else { return vec![] };
        let end = ended.unwrap_or(now_s).max(opened);
        let mut stretches: Vec<Stretch<Id>> = turns
            .within(opened, end)
            .map(|(from_s, until_s, of, gifts)| Stretch {
                of,
                from_s,
                until_s,
                here_first: 0,
                here_last: 0,
                came: 0,
                went: 0,
                gifts,
            })
            .collect();
        let starts: Vec<u32> = stretches.iter().map(|stretch| stretch.from_s).collect();
        let place = |at: u32| starts.partition_point(|start| *start <= at).saturating_sub(1);
        for stay in &self.stays {
            if let Some(stretch) = stretches.get_mut(place(stay.from_s)) {
                stretch.came = stretch.came.saturating_add(1);
            }
            let went = (stay.until_s != OPEN && Some(stay.until_s) != ended).then(|| place(stay.until_s));
            if let Some(stretch) = went.and_then(|place| stretches.get_mut(place)) {
                stretch.went = stretch.went.saturating_add(1);
            }
        }
        let mut here = 0_u32;
        for stretch in &mut stretches {
            stretch.here_first = here;
            here = here.saturating_add(stretch.came).saturating_sub(stretch.went);
            stretch.here_last = here;
        }
        stretches
    }
}
