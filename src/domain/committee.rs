//! The committee that takes the money, and its rules for gifts: how much one person may give, and in what time.
//!
//! Limits are data with a time of their own, as the law gives them: a new one is added, and gifts of earlier days stay under
//! the one of their day.

mod limit;
pub mod presets;

use super::State;
use super::money::{Currency, Money};
use chrono::NaiveDate;
pub use limit::{LIMIT_NAME_CHARS_MAX, Limit, Room};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Limits of one committee: two elections a year for a decade.
pub const LIMITS_MAX: usize = 20;
/// The largest share a fee may have, in hundredths of a percent: a quarter, which no processor takes.
pub const FEE_BASIS_POINTS_MAX: u16 = 2_500;
/// A whole in hundredths of a percent.
const WHOLE: i128 = 10_000;

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
    /// Gifts of more are looked at by a person before a card is charged; in other currencies none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_above: Option<Money>,
}

impl Default for Rules {
    /// What stands until somebody sets rules: no limit, and the price that Stripe publishes for cards in the United States.
    fn default() -> Self {
        let fixed = Money::new(30, Currency::USD);
        let fee = Some(FeeRate { basis_points: 290, fixed });
        Self { limits: vec![], abroad: Abroad::default(), fee, hold_above: None }
    }
}

impl Rules {
    /// The day up to which gifts may come each week: the last of the first limit to end of those that count on a day, which is
    /// the election's; `None` where none does.
    pub fn last_day(&self, day: NaiveDate, currency: Currency) -> Option<NaiveDate> {
        let counts = self.limits.iter().filter(|limit| limit.covers(day) && limit.most.currency == currency);
        counts.map(|limit| limit.until).filter(|until| *until > day).min()
    }

    fn check(&self) -> Result<(), Refusal> {
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

/// What may be asked.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub enum Command {
    /// These rules from now on.
    SetRules(Rules),
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Event {
    RulesSet(RulesSet),
}

/// These rules from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RulesSet {
    /// All of them, also what did not change.
    pub rules: Rules,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum Refusal {
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
    #[error("the sum above which gifts are held is more than nothing")]
    HoldAbove,
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    match command {
        Command::SetRules(rules) => {
            rules.check()?;
            if rules == state.rules {
                return Ok(vec![]);
            }
            Ok(vec![super::Event::Committee(Event::RulesSet(RulesSet { rules }))])
        }
    }
}

pub(super) fn evolve(state: &mut State, event: &Event) {
    match event {
        Event::RulesSet(RulesSet { rules }) => state.rules = rules.clone(),
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

    #[test]
    fn rules_are_set_as_a_whole_and_once() {
        let set = given_nothing().when(Command::SetRules(rules())).then([Event::RulesSet(RulesSet { rules: rules() })]);
        set.when(Command::SetRules(rules())).changes_nothing();
        assert_eq!(set.state.rules, rules());
    }

    #[test]
    fn each_rule_has_its_refusal() {
        let with = |limit: Limit| Command::SetRules(Rules { limits: vec![limit], ..Rules::default() });
        for (limit, refusal) in [
            (Limit { name: " ".into(), ..primary() }, Refusal::LimitName),
            (Limit { name: "x".repeat(LIMIT_NAME_CHARS_MAX + 1), ..primary() }, Refusal::LimitName),
            (Limit { most: usd(0), ..primary() }, Refusal::LimitAmount),
            (Limit { from: primary().until.succ_opt().unwrap(), ..primary() }, Refusal::LimitDays),
        ] {
            given_nothing().when(with(limit)).refuses(refusal);
        }
        let many = Rules { limits: vec![primary(); LIMITS_MAX + 1], ..Rules::default() };
        given_nothing().when(Command::SetRules(many)).refuses(Refusal::TooManyLimits);
        let hold = |minor| Command::SetRules(Rules { hold_above: Some(usd(minor)), ..rules() });
        given_nothing().when(hold(0)).refuses(Refusal::HoldAbove);
        let _ = given_nothing().done([hold(1)]);
        for fee in [
            FeeRate { basis_points: FEE_BASIS_POINTS_MAX + 1, fixed: usd(30) },
            FeeRate { basis_points: 290, fixed: usd(-1) },
        ] {
            given_nothing().when(Command::SetRules(Rules { fee: Some(fee), ..rules() })).refuses(Refusal::Fee);
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
