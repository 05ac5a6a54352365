//! Which part of the ledger a page, a file or a program asks for.

use super::as_of::{self, AsOf};
use super::chosen::Chosen;
use crate::domain::id::{CommitteeId, DonationId, PersonId, RallyId};
use crate::domain::money::{Currency, Money};
use crate::domain::rally::Rally;
use crate::engine::Engine;
use crate::projections::Projections;
use crate::projections::ledger::Kind;
use crate::projections::totals::{Sums, timezone};
use chrono::NaiveDate;
use chrono_tz::Tz;
use std::collections::HashMap;

/// Stands in an address for rows that have none: no refcode, nobody on program.
pub const WITHOUT: &str = "-";

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
    /// By links with this refcode only.
    pub refcode: Narrow,
    /// While this speaker was on program, by the id of their feed.
    pub speaker: Narrow,
    /// Paid with this: `visa`.
    pub method: Narrow,
    /// Movements of these kinds only; all where there are none.
    pub kinds: Vec<Kind>,
    /// What is looked for.
    pub search: Search,
    /// As the ledger was then; as it is now if none.
    pub as_of: Option<AsOf>,
}

/// One respect in which rows are chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Narrow {
    /// Whatever it is.
    #[default]
    Any,
    /// Where there is none.
    Without,
    /// This alone.
    Only(String),
}

impl Narrow {
    fn read(word: String) -> Self {
        match word.as_str() {
            "" => Self::Any,
            WITHOUT => Self::Without,
            _ => Self::Only(word),
        }
    }

    /// As it stands in an address.
    pub fn word(&self) -> &str {
        match self {
            Self::Any => "",
            Self::Without => WITHOUT,
            Self::Only(word) => word,
        }
    }
}

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Search {
    /// Nothing in particular.
    #[default]
    Nothing,
    /// What a person gave, by their e-mail address or those that were merged with it.
    Donor(PersonId),
    /// Donations and movements of just this sum, in minor units.
    Amount(u64),
    /// One donation, by our id.
    Donation(DonationId),
    /// By the processor's id of a payment, refund or dispute.
    Reference(String),
    /// By words of the donor's name, in lower case; the names have to be opened for it.
    Name(Vec<String>),
}

impl Search {
    /// Reads what somebody typed into one field.
    pub fn read(typed: &str, engine: &Engine) -> Self {
        let typed = typed.trim();
        if typed.is_empty() {
            return Self::Nothing;
        }
        if typed.contains('@') {
            return Self::Donor(engine.vault().person_id(typed));
        }
        if let Ok(donation) = typed.parse() {
            return Self::Donation(donation);
        }
        let sum = typed.trim_start_matches(['$', '-', '−']);
        if let Ok(sum) = Money::parse(sum, Currency::USD) {
            return Self::Amount(sum.minor.unsigned_abs());
        }
        // The processor's ids are a word of letters, a line and the rest.
        if !typed.contains(' ') && typed.split_once('_').is_some_and(|(kind, rest)| kind.len() <= 4 && rest.len() > 4) {
            return Self::Reference(typed.into());
        }
        Self::Name(typed.to_lowercase().split_whitespace().map(Into::into).collect())
    }

    /// Whether a name is looked for that somebody has; true where no name is.
    pub fn is_name(&self, first: &str, last: &str) -> bool {
        let Self::Name(words) = self else { return true };
        let name = format!("{first} {last}").to_lowercase();
        words.iter().all(|word| name.contains(word.as_str()))
    }
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
    /// Reads `rally`, `committee` (its number, or its account's name), `from`, `to`, `refcode`, `speaker`, `method`, `kind`
    /// (several with commas), `q` and `as_of` of a form or query, of which `get` gives a field by name, empty where it is not
    /// there; the second half says what is wrong with `as_of`, which then counts as now.
    pub fn read(get: impl Fn(&str) -> String, engine: &Engine) -> (Self, Option<as_of::Fault>) {
        let day = |name: &str| NaiveDate::parse_from_str(&get(name), "%Y-%m-%d").ok();
        let rally = Some(get("rally")).filter(|slug| !slug.is_empty());
        let named = Some(get("committee")).filter(|named| !named.is_empty());
        // One that nobody knows has no money.
        let nobody = CommitteeId(u16::MAX);
        let committee = named
            .map(|named| named.parse().ok().or_else(|| engine.world().state.committees.find(&named)).unwrap_or(nobody));
        let narrow = |name: &str| Narrow::read(get(name));
        let mut selection = Self {
            rally,
            committee,
            from: day("from"),
            to: day("to"),
            refcode: narrow("refcode"),
            speaker: narrow("speaker"),
            method: narrow("method"),
            kinds: get("kind").split(',').filter_map(Kind::of_word).collect(),
            search: Search::read(&get("q"), engine),
            as_of: None,
        };
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

    /// The same as a query, without what is looked for: that may be somebody's address.
    pub fn query(&self) -> String {
        let day = |day: Option<NaiveDate>| day.map(|day| day.to_string()).unwrap_or_default();
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("rally", self.rally.as_deref().unwrap_or_default());
        if let Some(committee) = self.committee {
            query.append_pair("committee", &committee.to_string());
        }
        query.append_pair("from", &day(self.from)).append_pair("to", &day(self.to));
        let narrows = [("refcode", &self.refcode), ("speaker", &self.speaker), ("method", &self.method)];
        for (name, narrow) in narrows.into_iter().filter(|(_, narrow)| **narrow != Narrow::Any) {
            query.append_pair(name, narrow.word());
        }
        if !self.kinds.is_empty() {
            query.append_pair("kind", &self.kinds.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(","));
        }
        if let Some(as_of) = self.as_of {
            query.append_pair("as_of", &as_of.seq.to_string());
        }
        query.finish()
    }

    /// The same for the log: who is looked for stands there as the log names them.
    pub fn told(&self) -> String {
        let looked_for = match &self.search {
            Search::Nothing => String::new(),
            Search::Donor(donor) => donor.to_string(),
            Search::Amount(minor) => format!("sum {minor}"),
            Search::Donation(donation) => donation.to_string(),
            Search::Reference(id) => id.clone(),
            Search::Name(_) => "a name".into(),
        };
        match looked_for.as_str() {
            "" => self.query(),
            _ => format!("{}&q={looked_for}", self.query()),
        }
    }

    /// Whether it leaves nothing out, as far as it is known by then.
    pub fn is_of_everything(&self) -> bool {
        let open = Self { as_of: self.as_of, ..Self::default() };
        (&self.rally, self.committee, self.from, self.to) == (&open.rally, open.committee, open.from, open.to)
            && [&self.refcode, &self.speaker, &self.method].iter().all(|narrow| **narrow == Narrow::Any)
            && self.kinds.is_empty()
            && self.search == Search::Nothing
    }

    /// Whether a row on this day of this rally is in it.
    pub fn takes(&self, slug: &str, day: NaiveDate) -> bool {
        self.rally.as_ref().is_none_or(|rally| rally == slug)
            && self.from.is_none_or(|from| from <= day)
            && self.to.is_none_or(|to| day <= to)
    }

    /// Whether what moved in this committee's account is in it.
    pub fn takes_from(&self, committee: CommitteeId) -> bool {
        self.committee.is_none_or(|asked| asked == committee)
    }

    /// The rallies it is about that have money in it, the newest first, each with its sums by day.
    pub fn money<'a>(&self, world: &'a Projections) -> Vec<RallyMoney<'a>> {
        let chosen = Chosen::new(world, self);
        let sums = world.ledger.sums_by(self.seq(world), |row| chosen.has(row), |row| (row.rally, row.day));
        let mut days: HashMap<RallyId, Vec<(NaiveDate, Sums)>> = HashMap::new();
        for (((rally, day), _), sums) in sums {
            days.entry(rally).or_default().push((day, sums));
        }
        days.values_mut().for_each(|days| days.sort_by_key(|(day, _)| *day));
        let of = |(id, rally): (RallyId, &'a Rally)| Some(RallyMoney { id, rally, days: days.remove(&id)? });
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
