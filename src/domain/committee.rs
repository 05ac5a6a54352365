//! The committees that take the money, each into an account of its own, and their rules for gifts: how much one person may
//! give, and in what time; and how gifts to several are shared out.
//!
//! Limits are data with a time of their own, as the law gives them: a new one is added, and gifts of earlier days stay under
//! the one of their day.

pub mod filer;
pub mod joint;
mod limit;
pub mod presets;

use super::State;
use super::id::CommitteeId;
use super::money::{Currency, Money};
use chrono::NaiveDate;
use filer::Filer;
use joint::Formula;
pub use limit::{LIMIT_NAME_CHARS_MAX, Limit, Room};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Limits of one committee: two elections a year for a decade.
pub const LIMITS_MAX: usize = 20;
/// The largest share a fee may have, in hundredths of a percent: a quarter, which no processor takes.
pub const FEE_BASIS_POINTS_MAX: u16 = 2_500;
/// A whole in hundredths of a percent.
const WHOLE: i128 = 10_000;
/// Committees of one installation: each has a line before the processor and readings of its own.
pub const COMMITTEES_MAX: usize = 20;
/// Characters of a committee's name.
pub const NAME_CHARS_MAX: usize = 200;

/// Gifts from addresses abroad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Abroad {
    /// Taken with the number of a passport of the United States (11 CFR 110.20(a)(4)).
    #[default]
    WithPassport,
    /// Not taken.
    Refused,
    /// Taken as any other.
    Taken,
}

/// What a processor keeps of a payment: a share and a fixed sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeeRate {
    /// The share, in hundredths of a percent: 290 for 2.9 %.
    pub basis_points: u16,
    /// The fixed sum; the offer to cover the fee is made in its currency alone.
    pub fixed: Money,
}

impl FeeRate {
    /// What the processor keeps of `gross`, rounded to the nearest minor unit; `None` in another currency.
    pub fn of(&self, gross: Money) -> Option<Money> {
        if gross.currency != self.fixed.currency {
            return None;
        }
        let share = (i128::from(gross.minor) * i128::from(self.basis_points) + WHOLE / 2) / WHOLE;
        Money::new(i64::try_from(share).ok()?, gross.currency).checked_add(self.fixed).ok()
    }

    /// What to add to `amount` so that all of it arrives: the smallest sum that does; `None` in another currency.
    pub fn cover(&self, amount: Money) -> Option<Money> {
        let rest = WHOLE.checked_sub(i128::from(self.basis_points)).filter(|rest| *rest > 0)?;
        let wanted = i128::from(amount.minor).checked_add(i128::from(self.fixed.minor))?.checked_mul(WHOLE)?;
        // Rounding moves it by a minor unit at most; the search begins below.
        let first = i64::try_from(wanted / rest).ok()?.checked_sub(2)?;
        (first..=first.checked_add(4)?).find_map(|gross| {
            let fee = self.of(Money::new(gross, amount.currency))?;
            let arrives = gross.checked_sub(fee.minor)? >= amount.minor;
            arrives.then(|| Money::new(gross - amount.minor, amount.currency))
        })
    }
}

/// A committee's rules for gifts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// How much one person may give, and when.
    pub limits: Vec<Limit>,
    /// Gifts from addresses abroad.
    pub abroad: Abroad,
    /// What donors may offer to cover; no offer if none.
    pub fee: Option<FeeRate>,
    /// The committee's name as it is registered; empty while nobody wrote it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// How its gifts are shared out, where it raises them for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formula: Option<Formula>,
    /// Gifts of more are looked at by a person before a card is charged; in other currencies none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_above: Option<Money>,
}

impl Default for Rules {
    /// What stands until somebody sets rules: no limit, and the price that Stripe publishes for cards in the United States.
    fn default() -> Self {
        let fixed = Money::new(30, Currency::USD);
        let fee = Some(FeeRate { basis_points: 290, fixed });
        Self { limits: vec![], abroad: Abroad::default(), fee, name: String::new(), formula: None, hold_above: None }
    }
}

impl Rules {
    /// The day up to which gifts may come each week: the last of the first limit to end of those that count on a day, which is
    /// the election's; `None` where none does.
    pub fn last_day(&self, day: NaiveDate, currency: Currency) -> Option<NaiveDate> {
        let counts = self.limits.iter().filter(|limit| limit.covers(day) && limit.most.currency == currency);
        counts.map(|limit| limit.until).filter(|until| *until > day).min()
    }

    fn check(&self, state: &State, committee: CommitteeId) -> Result<(), Refusal> {
        if self.name.chars().nth(NAME_CHARS_MAX).is_some() {
            return Err(Refusal::Name);
        }
        if let Some(formula) = &self.formula {
            formula.check(state, committee)?;
            if state.committees.partners_of_others().any(|partner| partner == committee) {
                return Err(Refusal::JointPartner);
            }
        }
        if self.limits.len() > LIMITS_MAX {
            return Err(Refusal::TooManyLimits);
        }
        self.limits.iter().try_for_each(Limit::check)?;
        let fine = |fee: &FeeRate| fee.basis_points <= FEE_BASIS_POINTS_MAX && fee.fixed.minor >= 0;
        if !self.fee.as_ref().is_none_or(fine) {
            return Err(Refusal::Fee);
        }
        if self.hold_above.is_some_and(|most| most.minor <= 0) {
            return Err(Refusal::HoldAbove);
        }
        Ok(())
    }
}

/// A committee of this installation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Committee {
    /// The name of its account in the settings; empty for the first, whose account is the one without a name.
    pub handle: String,
    /// Its rules for gifts.
    #[serde(with = "super::as_json")]
    pub rules: Rules,
    /// The processor's account that takes its money, once the processor said.
    pub account: Option<String>,
    /// Who files with the FEC for it, once somebody wrote that.
    #[serde(with = "super::as_json")]
    pub filer: Option<Filer>,
}

impl Committee {
    /// Its name for people: as it is registered, or that of its account.
    pub fn name(&self) -> &str {
        match (self.rules.name.as_str(), self.handle.as_str()) {
            ("", "") => "the campaign",
            ("", handle) => handle,
            (name, _) => name,
        }
    }
}

/// Every committee; there is always a first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Committees(Vec<Committee>);

impl Default for Committees {
    fn default() -> Self {
        Self(vec![Committee::default()])
    }
}

impl Committees {
    /// The committee with this id.
    pub fn get(&self, id: CommitteeId) -> Option<&Committee> {
        self.0.get(usize::from(id.0))
    }

    /// Every committee, the first first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (CommitteeId, &Committee)> {
        self.0.iter().enumerate().map(|(at, committee)| (CommitteeId(u16::try_from(at).unwrap_or(u16::MAX)), committee))
    }

    /// The committee whose account has this name in the settings.
    pub fn find(&self, handle: &str) -> Option<CommitteeId> {
        self.iter().find(|(_, committee)| committee.handle == handle).map(|(id, _)| id)
    }

    /// A committee's rules for gifts. Whoever is named is known; who is not has none.
    pub fn rules(&self, id: CommitteeId) -> Rules {
        self.get(id).map(|committee| committee.rules.clone()).unwrap_or_default()
    }

    /// A committee's name for people.
    pub fn name(&self, id: CommitteeId) -> &str {
        self.get(id).map_or("an unknown committee", Committee::name)
    }

    /// How gifts to a committee are shared out, where they are.
    pub fn formula(&self, id: CommitteeId) -> Option<&Formula> {
        self.get(id)?.rules.formula.as_ref()
    }

    /// As [`Rules::last_day`], of those among whom its gifts are shared out too.
    pub fn last_day(&self, id: CommitteeId, day: NaiveDate, currency: Currency) -> Option<NaiveDate> {
        let partners = self.formula(id).into_iter().flat_map(|formula| &formula.partners);
        let all = std::iter::once(id).chain(partners.map(|partner| partner.committee));
        all.filter_map(|id| self.get(id)?.rules.last_day(day, currency)).min()
    }

    pub(super) fn get_mut(&mut self, id: CommitteeId) -> Option<&mut Committee> {
        self.0.get_mut(usize::from(id.0))
    }

    fn partners_of_others(&self) -> impl Iterator<Item = CommitteeId> {
        let formulas = self.0.iter().filter_map(|committee| committee.rules.formula.as_ref());
        formulas.flat_map(|formula| formula.partners.iter().map(|partner| partner.committee))
    }
}

/// What may be asked.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Command {
    /// The settings name these accounts; each that is new is a new committee's.
    Found { handles: Vec<String> },
    /// These rules from now on.
    SetRules { committee: CommitteeId, rules: Box<Rules> },
    /// Who files with the FEC for it from now on.
    SetFiler { committee: CommitteeId, filer: Box<Filer> },
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Event {
    Founded(Founded),
    RulesSet(RulesSet),
    FilerSet(FilerSet),
}

/// There is another committee. Committees are numbered in the order of these events, the first without one being 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Founded {
    /// Its number: 1 for the first that is founded.
    pub committee: CommitteeId,
    /// The name of its account in the settings.
    pub handle: String,
}

/// These rules from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RulesSet {
    /// Whose.
    #[serde(default, skip_serializing_if = "CommitteeId::is_first")]
    pub committee: CommitteeId,
    /// All of them, also what did not change.
    pub rules: Rules,
}

/// Who files with the FEC for a committee from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FilerSet {
    /// Whose.
    #[serde(default, skip_serializing_if = "CommitteeId::is_first")]
    pub committee: CommitteeId,
    /// All of it, also what did not change.
    pub filer: Box<Filer>,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum Refusal {
    #[error("there is no such committee")]
    Unknown,
    #[error("one installation has at most {COMMITTEES_MAX} committees: take accounts out of the settings")]
    TooManyCommittees,
    #[error("a committee's name has at most {NAME_CHARS_MAX} characters")]
    Name,
    #[error("there are at most {LIMITS_MAX} limits: take out those whose time is long over")]
    TooManyLimits,
    #[error("name the limit, as \"primary election 2026\": at most {LIMIT_NAME_CHARS_MAX} characters")]
    LimitName,
    #[error("a limit is more than nothing")]
    LimitAmount,
    #[error("the limit's last day comes before its first")]
    LimitDays,
    #[error("a fee is at most 25 % and a fixed sum")]
    Fee,
    #[error(
        "a gift is shared by two to {max} other committees, each named once, none of which shares its own gifts out",
        max = joint::PARTNERS_MAX
    )]
    Partners,
    #[error("the shares of a gift come to 100 %, and each is more than nothing")]
    Shares,
    #[error("another committee shares its gifts with this one, which can therefore not share its own out")]
    JointPartner,
    #[error("the sum above which gifts are held is more than nothing")]
    HoldAbove,
    #[error("{0}")]
    Filer(&'static str),
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let known = &state.committees;
    let events = match command {
        Command::Found { handles } => {
            let mut new: Vec<String> = handles.into_iter().filter(|handle| known.find(handle).is_none()).collect();
            new.sort();
            new.dedup();
            if known.iter().len().saturating_add(new.len()) > COMMITTEES_MAX {
                return Err(Refusal::TooManyCommittees);
            }
            let first = u16::try_from(known.iter().len()).unwrap_or(u16::MAX);
            let founded = |(number, handle)| Event::Founded(Founded { committee: CommitteeId(number), handle });
            (first..).zip(new).map(founded).collect()
        }
        Command::SetRules { committee, rules } => {
            let current = known.get(committee).ok_or(Refusal::Unknown)?;
            rules.check(state, committee)?;
            if *rules == current.rules {
                return Ok(vec![]);
            }
            vec![Event::RulesSet(RulesSet { committee, rules: *rules })]
        }
        Command::SetFiler { committee, filer } => {
            let current = known.get(committee).ok_or(Refusal::Unknown)?;
            if let Some(fault) = filer.faults().first() {
                return Err(Refusal::Filer(fault));
            }
            if current.filer.as_ref() == Some(&*filer) {
                return Ok(vec![]);
            }
            vec![Event::FilerSet(FilerSet { committee, filer })]
        }
    };
    Ok(events.into_iter().map(super::Event::Committee).collect())
}

pub(super) fn evolve(state: &mut State, event: &Event) {
    let committees = &mut state.committees;
    match event {
        Event::Founded(Founded { handle, .. }) => {
            committees.0.push(Committee { handle: handle.clone(), ..Committee::default() });
        }
        Event::RulesSet(RulesSet { committee, rules }) => {
            if let Some(known) = committees.get_mut(*committee) {
                known.rules = rules.clone();
            }
        }
        Event::FilerSet(FilerSet { committee, filer }) => {
            if let Some(known) = committees.get_mut(*committee) {
                known.filer = Some(Filer::clone(filer));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::test_kit::*;

    fn primary() -> Limit {
        Limit {
            name: "primary 2026".into(),
            most: usd(350_000),
            from: NaiveDate::from_ymd_opt(2025, 1, 1).unwrap(),
            until: NaiveDate::from_ymd_opt(2026, 9, 30).unwrap(),
        }
    }

    fn rules() -> Rules {
        Rules { limits: vec![primary()], ..Rules::default() }
    }

    fn set(number: u16, rules: Rules) -> Command {
        Command::SetRules { committee: CommitteeId(number), rules: Box::new(rules) }
    }

    /// Four committees: the first, "pac", "party" and "victory".
    fn four() -> Given {
        let handles = ["victory", "pac", "party"].map(str::to_owned).to_vec();
        given_nothing().done([Command::Found { handles }])
    }

    fn shared(partners: &[(u16, u16)]) -> Rules {
        let partner = |(id, basis_points): &(u16, u16)| joint::Partner {
            committee: CommitteeId(*id),
            basis_points: *basis_points,
        };
        let formula = Formula { in_turn: false, partners: partners.iter().map(partner).collect() };
        Rules { formula: Some(formula), ..Rules::default() }
    }

    #[test]
    fn accounts_are_committees_in_the_order_in_which_they_became_known() {
        let founded = |committee, handle: &str| {
            Event::Founded(Founded { committee: CommitteeId(committee), handle: handle.into() })
        };
        let handles = |handles: &[&str]| Command::Found { handles: handles.iter().map(|h| (*h).to_owned()).collect() };
        let two =
            given_nothing().when(handles(&["victory", "party"])).then([founded(1, "party"), founded(2, "victory")]);
        two.when(handles(&["party", "victory"])).changes_nothing();
        two.when(handles(&[])).changes_nothing();
        let three = two.when(handles(&["a", "a", "party"])).then([founded(3, "a")]);
        assert_eq!(three.state.committees.find("victory"), Some(CommitteeId(2)));
        let many: Vec<String> = (0..COMMITTEES_MAX).map(|number| number.to_string()).collect();
        given_nothing().when(Command::Found { handles: many }).refuses(Refusal::TooManyCommittees);
    }

    #[test]
    fn each_committee_has_its_own_rules() {
        let given = four().done([set(2, rules())]);
        assert_eq!(given.state.committees.rules(CommitteeId(2)), rules());
        assert_eq!(given.state.committees.rules(CommitteeId::FIRST), Rules::default());
        given.when(set(4, rules())).refuses(Refusal::Unknown);
        let name = |chars| Rules { name: "x".repeat(chars), ..Rules::default() };
        given.when(set(1, name(NAME_CHARS_MAX + 1))).refuses(Refusal::Name);
        let named = given.done([set(1, name(NAME_CHARS_MAX))]);
        assert_eq!(named.state.committees.name(CommitteeId(1)).len(), NAME_CHARS_MAX);
        assert_eq!(named.state.committees.name(CommitteeId(3)), "victory");
    }

    #[test]
    fn a_formula_names_others_and_comes_to_the_whole() {
        for partners in
            [&[(0, 10_000)][..], &[(0, 5_000), (0, 5_000)], &[(0, 5_000), (3, 5_000)], &[(0, 5_000), (4, 5_000)], &[]]
        {
            four().when(set(3, shared(partners))).refuses(Refusal::Partners);
        }
        for partners in [&[(0, 5_000), (1, 4_999)][..], &[(0, 10_000), (1, 0)], &[(0, 65_535), (1, 10_001)]] {
            four().when(set(3, shared(partners))).refuses(Refusal::Shares);
        }
        let joint = four().done([set(3, shared(&[(0, 5_000), (1, 5_000)]))]);
        joint.when(set(2, shared(&[(0, 5_000), (3, 5_000)]))).refuses(Refusal::Partners);
        joint.when(set(1, shared(&[(0, 5_000), (2, 5_000)]))).refuses(Refusal::JointPartner);
    }

    #[test]
    fn rules_are_set_as_a_whole_and_once() {
        let known = given_nothing()
            .when(set(0, rules()))
            .then([Event::RulesSet(RulesSet { committee: CommitteeId::FIRST, rules: rules() })]);
        known.when(set(0, rules())).changes_nothing();
        assert_eq!(known.state.committees.rules(CommitteeId::FIRST), rules());
    }

    #[test]
    fn each_rule_has_its_refusal() {
        let with = |limit: Limit| set(0, Rules { limits: vec![limit], ..Rules::default() });
        for (limit, refusal) in [
            (Limit { name: " ".into(), ..primary() }, Refusal::LimitName),
            (Limit { name: "x".repeat(LIMIT_NAME_CHARS_MAX + 1), ..primary() }, Refusal::LimitName),
            (Limit { most: usd(0), ..primary() }, Refusal::LimitAmount),
            (Limit { from: primary().until.succ_opt().unwrap(), ..primary() }, Refusal::LimitDays),
        ] {
            given_nothing().when(with(limit)).refuses(refusal);
        }
        let many = Rules { limits: vec![primary(); LIMITS_MAX + 1], ..Rules::default() };
        given_nothing().when(set(0, many)).refuses(Refusal::TooManyLimits);
        let hold = |minor| set(0, Rules { hold_above: Some(usd(minor)), ..rules() });
        given_nothing().when(hold(0)).refuses(Refusal::HoldAbove);
        let _ = given_nothing().done([hold(1)]);
        for fee in [
            FeeRate { basis_points: FEE_BASIS_POINTS_MAX + 1, fixed: usd(30) },
            FeeRate { basis_points: 290, fixed: usd(-1) },
        ] {
            given_nothing().when(set(0, Rules { fee: Some(fee), ..rules() })).refuses(Refusal::Fee);
        }
    }

    #[test]
    fn what_covers_the_fee_is_the_least_that_does() {
        let stripe = Rules::default().fee.unwrap();
        assert_eq!(stripe.cover(usd(5000)), Some(usd(180)), "51.80 less 1.80 is 50.00");
        assert_eq!(stripe.of(usd(5180)), Some(usd(180)));
        assert_eq!(stripe.cover(Money::new(5000, Currency::EUR)), None);
        for rate in [(0, 0), (0, 30), (1, 0), (290, 30), (350, 49), (FEE_BASIS_POINTS_MAX, 99)] {
            let rate = FeeRate { basis_points: rate.0, fixed: usd(rate.1) };
            for amount in (100..3_000).chain([99_999_999]) {
                let cover = rate.cover(usd(amount)).unwrap().minor;
                let arrives = |cover: i64| amount + cover - rate.of(usd(amount + cover)).unwrap().minor;
                assert!(arrives(cover) >= amount, "{rate:?} {amount}");
                assert!(cover == 0 || arrives(cover - 1) < amount, "{rate:?} {amount}: less would do");
            }
        }
    }
}
