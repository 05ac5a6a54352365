//! Which part of the ledger a page, a file or a program asks for.

use super::as_of::{self, AsOf};
use crate::domain::id::{CommitteeId, RallyId};
use crate::domain::rally::Rally;
use crate::engine::Engine;
use crate::projections::Projections;
use crate::projections::totals::{Sums, timezone};
use chrono::NaiveDate;
use chrono_tz::Tz;
use std::collections::HashMap;

/// Which rows, and as of when.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Of this rally only, by its address.
    pub rally: Option<String>,
    /// In the account of this committee only.
    pub committee: Option<CommitteeId>,
    /// From this day on, in each rally's time zone.
    pub from: Option<NaiveDate>,
    /// Up to and with this day.
    pub to: Option<NaiveDate>,
    /// As the ledger was then; as it is now if none.
    pub as_of: Option<AsOf>,
}

/// A rally's money in a selection.
pub struct RallyMoney<'a> {
    /// Which rally.
    pub id: RallyId,
    /// The same.
    pub rally: &'a Rally,
    /// Its sums by day; never empty.
    pub days: Vec<(NaiveDate, Sums)>,
}

impl Selection {
    /// Reads `rally`, `committee` (its number, or its account's name), `from`, `to` and `as_of` of a form or query, of which `get` gives a field by name, empty where it is not there; the second half says what is wrong with `as_of`, which
    /// then counts as now.
    pub fn read(get: impl Fn(&str) -> String, engine: &Engine) -> (Self, Option<as_of::Fault>) {
        let day = |name: &str| NaiveDate::parse_from_str(&get(name), "%Y-%m-%d").ok();
        let rally = Some(get("rally")).filter(|slug| !slug.is_empty());
        let named = Some(get("committee")).filter(|named| !named.is_empty());
        // One that nobody knows has no money.
        let nobody = CommitteeId(u16::MAX);
        let committee = named
            .map(|named| named.parse().ok().or_else(|| engine.world().state.committees.find(&named)).unwrap_or(nobody));
        let mut selection = Self { rally, committee, from: day("from"), to: day("to"), as_of: None };
        let asked = get("as_of");
        if asked.is_empty() {
            return (selection, None);
        }
        let zone = selection.zone(&engine.world());
        match AsOf::read(&asked, zone, engine) {
            Ok(as_of) => {
                selection.as_of = Some(as_of);
                (selection, None)
            }
            Err(fault) => (selection, Some(fault)),
        }
    }

    /// The same as a query.
    pub fn query(&self) -> String {
        let day = |day: Option<NaiveDate>| day.map(|day| day.to_string()).unwrap_or_default();
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("rally", self.rally.as_deref().unwrap_or_default());
        if let Some(committee) = self.committee {
            query.append_pair("committee", &committee.to_string());
        }
        query.append_pair("from", &day(self.from)).append_pair("to", &day(self.to));
        if let Some(as_of) = self.as_of {
            query.append_pair("as_of", &as_of.seq.to_string());
        }
        query.finish()
    }

    /// Whether a row on this day of this rally is in it.
    pub fn takes(&self, slug: &str, day: NaiveDate) -> bool {
        self.rally.as_ref().is_none_or(|rally| rally == slug)
            && self.from.is_none_or(|from| from <= day)
            && self.to.is_none_or(|to| day <= to)
    }

    /// Whether it leaves nothing out, as far as it is known by then.
    pub fn is_of_everything(&self) -> bool {
        self.rally.is_none() && self.committee.is_none() && self.from.is_none() && self.to.is_none()
    }

    /// Whether what moved in this committee's account is in it.
    pub fn takes_from(&self, committee: CommitteeId) -> bool {
        self.committee.is_none_or(|asked| asked == committee)
    }

    /// The rallies it is about that have money in it, the newest first, each with its sums by day.
    pub fn money<'a>(&self, world: &'a Projections) -> Vec<RallyMoney<'a>> {
        let mut days: HashMap<RallyId, Vec<(NaiveDate, Sums)>> = HashMap::new();
        for ((rally, day), sums) in world.ledger.sums_at(self.seq(world), self.committee) {
            days.entry(rally).or_default().push((day, sums));
        }
        let of = |(id, rally): (RallyId, &'a Rally)| {
            let mut days = days.remove(&id)?;
            days.retain(|(day, _)| self.takes(&rally.details.slug, *day));
            (!days.is_empty()).then_some(RallyMoney { id, rally, days })
        };
        let mut money: Vec<_> = world.state.rallies.iter().filter_map(of).collect();
        money.sort_by_key(|money| std::cmp::Reverse(money.rally.details.starts_at));
        money
    }

    /// The last event that counts.
    pub fn seq(&self, world: &Projections) -> u64 {
        self.as_of.map_or(world.seq, |as_of| as_of.seq)
    }

    /// Where times are told: where the newest rally of the selection is.
    pub fn zone(&self, world: &Projections) -> Tz {
        let all = world.state.rallies.iter();
        let chosen = all.filter(|(_, rally)| self.rally.as_ref().is_none_or(|slug| *slug == rally.details.slug));
        let newest = chosen.max_by_key(|(_, rally)| rally.details.starts_at);
        newest.map_or(Tz::UTC, |(id, _)| timezone(&world.state, id))
    }
}
