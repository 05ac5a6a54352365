//! The money of a selection: its figures, and the same by rally and by day.

use super::timeline::{self, Timeline};
use crate::domain::id::RallyId;
use crate::domain::money::{Currency, Money, group_thousands};
use crate::domain::rally::Rally;
use crate::projections::Projections;
use crate::projections::open::OpenSums;
use crate::projections::totals::{Sums, timezone};
use crate::report::selection::{RallyMoney, Selection};
use crate::web::present;
use chrono::{DateTime, NaiveDate, Utc};
use std::collections::BTreeMap;

/// What stands where a figure is not known.
pub(super) const UNKNOWN: &str = "–";

/// The four figures in one currency.
#[derive(Debug, Clone)]
pub struct Figures {
    /// The currency's code: `USD`.
    pub currency: String,
    /// What was given: `$1,482,310.00`.
    pub gross: String,
    /// What went back: `−$2,450.00`.
    pub refunds: String,
    /// What disputes and donors' banks took: `−$120.00`.
    pub taken: String,
    /// What the processor kept: `−$43,104.27`, or `–` while not known.
    pub fees: String,
    /// What is left.
    pub net: String,
    /// `18,204 donations`.
    pub donations: String,
    /// `12 refunds`, and how many of them came back.
    pub refund_count: String,
    /// `2 disputes, 1 given back; 1 returned debit`.
    pub taken_count: String,
    /// Forms that were sent and not paid: `$310.00`; absent where the page is of an earlier instant.
    pub pledged: Option<String>,
    /// How many: `4 forms sent`.
    pub pledged_count: String,
    /// Payments whose outcome is not known: `$50.00`.
    pub processing: String,
    /// How many: `1 payment`.
    pub processing_count: String,
}

/// One rally's money.
#[derive(Debug, Clone)]
pub struct FinanceRally {
    /// Its title.
    pub title: String,
    /// The page of just this rally.
    pub href: String,
    /// Its date.
    pub when: String,
    /// The number of donations.
    pub donations: String,
    /// Money given.
    pub gross: String,
    /// Money returned.
    pub refunds: String,
    /// What disputes and donors' banks took.
    pub taken: String,
    /// Fees, or `–`.
    pub fees: String,
    /// What is left.
    pub net: String,
}

/// One day's money.
#[derive(Debug, Clone)]
pub struct FinanceDay {
    /// `Tue, July 25`.
    pub day: String,
    /// The rows of just this day.
    pub href: String,
    /// The number of donations.
    pub donations: String,
    /// Money given.
    pub gross: String,
    /// Money returned.
    pub refunds: String,
    /// What disputes and donors' banks took.
    pub taken: String,
    /// What is left.
    pub net: String,
    /// Length of the day's bar: its gross in whole percent of the best day's.
    pub share: u32,
}

/// The money of a selection, summed from the sums of days.
pub(super) struct Selected {
    by_currency: BTreeMap<&'static str, (Currency, Sums)>,
    /// What is promised now; empty for an earlier instant.
    open: BTreeMap<&'static str, (Currency, OpenSums)>,
    by_day: BTreeMap<(NaiveDate, &'static str), (Currency, Sums)>,
    /// By rally, the newest first.
    pub(super) rallies: Vec<FinanceRally>,
    /// The same rallies.
    ids: Vec<RallyId>,
}

impl Selected {
    pub(super) fn new(world: &Projections, selection: &Selection) -> Self {
        let (by_currency, by_day) = (BTreeMap::new(), BTreeMap::new());
        let mut selected = Self { by_currency, by_day, open: open_now(world, selection), rallies: vec![], ids: vec![] };
        for (code, (currency, _)) in &selected.open {
            selected.by_currency.insert(code, (*currency, Sums::default()));
        }
        for RallyMoney { id, rally, days } in selection.money(world) {
            let currency = rally.details.currency;
            let mut sums = Sums::default();
            for (day, of_day) in days {
                sums.add(&of_day);
                let key = (day, currency.code());
                selected.by_day.entry(key).or_insert((currency, Sums::default())).1.add(&of_day);
            }
            selected.by_currency.entry(currency.code()).or_insert((currency, Sums::default())).1.add(&sums);
            selected.ids.push(id);
            selected.rallies.push(rally_line(world, id, rally, &sums));
        }
        selected
    }

    /// By day, the latest first.
    pub(super) fn days(&self, selection: &Selection) -> Vec<FinanceDay> {
        days_of(selection, &self.by_day)
    }

    /// Of one rally by minute and speaker, of several by day.
    pub(super) fn timelines(&self, world: &Projections, selection: &Selection, now: DateTime<Utc>) -> Vec<Timeline> {
        if let [id] = self.ids.as_slice() {
            let rally = world.state.rallies.get(*id).map(|rally| (*id, rally));
            return rally.and_then(|rally| timeline::of_rally(world, selection, rally, now)).into_iter().collect();
        }
        let currencies = self.by_currency.values().map(|(currency, _)| *currency);
        currencies.filter_map(|currency| timeline::of_days(&self.by_day, currency)).collect()
    }

    pub(super) fn figures(&self) -> Vec<Figures> {
        let figures = self.by_currency.iter().map(|(code, (currency, sums))| {
            let texts = Texts::new(*currency, sums);
            let open = self.open.get(code).map(|(_, open)| *open);
            let exact = |minor: i64| Money::new(minor, *currency).to_exact();
            let OpenSums { pledged, processing } = open.unwrap_or_default();
            Figures {
                currency: currency.code().into(),
                gross: texts.gross,
                refunds: texts.refunds,
                fees: texts.fees,
                net: texts.net,
                donations: plural(sums.donations, "donation"),
                refund_count: counted(sums.refunds, "refund", sums.refunds_reversed, "failed after all"),
                taken: texts.taken,
                taken_count: format!(
                    "{}; {}",
                    counted(sums.disputes, "dispute", sums.disputes_reinstated, "given back"),
                    plural(sums.returns, "returned debit")
                ),
                pledged: open.map(|_| exact(pledged.minor)),
                pledged_count: plural(pledged.count, "form") + " sent",
                processing: exact(processing.minor),
                processing_count: plural(processing.count, "payment"),
            }
        });
        figures.collect()
    }
}

fn plural(number: u64, one: &str) -> String {
    format!("{} {one}{}", group_thousands(number), if number == 1 { "" } else { "s" })
}

/// `3 disputes, 1 given back`.
fn counted(number: u64, one: &str, undone: u64, how: &str) -> String {
    match undone {
        0 => plural(number, one),
        undone => format!("{}, {} {how}", plural(number, one), group_thousands(undone)),
    }
}

/// What is promised now, by currency; nothing for an earlier instant, for which it is not kept.
fn open_now(world: &Projections, selection: &Selection) -> BTreeMap<&'static str, (Currency, OpenSums)> {
    let mut open: BTreeMap<&'static str, (Currency, OpenSums)> = BTreeMap::new();
    // Nor is it kept by committee: a rally may change hers.
    if selection.as_of.is_some() || selection.committee.is_some() {
        return open;
    }
    let wanted = |slug: &String| selection.rally.as_ref().is_none_or(|rally| rally == slug);
    for (id, rally) in world.state.rallies.iter().filter(|(_, rally)| wanted(&rally.details.slug)) {
        let (currency, sums) = (rally.details.currency, world.open.of(id));
        if sums != OpenSums::default() || world.totals.of(id).is_some() {
            open.entry(currency.code()).or_insert((currency, OpenSums::default())).1.add(&sums);
        }
    }
    open
}

/// Sums as a statement shows them.
pub(super) struct Texts {
    pub(super) gross: String,
    pub(super) refunds: String,
    pub(super) taken: String,
    pub(super) fees: String,
    pub(super) net: String,
    /// What went back by refunds, disputes and banks, less what of it came again.
    pub(super) back: String,
}

impl Texts {
    pub(super) fn new(currency: Currency, sums: &Sums) -> Self {
        let money = |minor: i64| Money::new(minor, currency).to_exact();
        // While a fee is not known, neither is what is left.
        let net = sums.net_minor();
        let fees = net.map(|_| sums.fee_minor.saturating_neg());
        Self {
            gross: money(sums.gross_minor),
            refunds: money(sums.refunded_minor.saturating_neg()),
            taken: money(sums.disputed_minor.saturating_add(sums.returned_minor).saturating_neg()),
            fees: fees.map_or(UNKNOWN.into(), money),
            net: net.map_or(UNKNOWN.into(), money),
            back: money(
                sums.refunded_minor
                    .saturating_add(sums.disputed_minor)
                    .saturating_add(sums.returned_minor)
                    .saturating_neg(),
            ),
        }
    }
}

fn rally_line(world: &Projections, id: RallyId, rally: &Rally, sums: &Sums) -> FinanceRally {
    let texts = Texts::new(rally.details.currency, sums);
    FinanceRally {
        title: rally.details.title.clone(),
        href: format!("/finance?rally={}", rally.details.slug),
        when: present::date(rally.details.starts_at, timezone(&world.state, id)),
        donations: group_thousands(sums.donations),
        gross: texts.gross,
        refunds: texts.refunds,
        taken: texts.taken,
        fees: texts.fees,
        net: texts.net,
    }
}

fn days_of(selection: &Selection, by_day: &BTreeMap<(NaiveDate, &'static str), (Currency, Sums)>) -> Vec<FinanceDay> {
    let best = by_day.values().map(|(_, sums)| sums.gross_minor).max().unwrap_or(0).max(1);
    let lines = by_day.iter().rev().map(|((day, _), (currency, sums))| {
        let texts = Texts::new(*currency, sums);
        FinanceDay {
            day: day.format("%a, %B %-d").to_string(),
            href: format!(
                "/finance/rows?{}",
                Selection { from: Some(*day), to: Some(*day), ..selection.clone() }.query()
            ),
            donations: group_thousands(sums.donations),
            gross: texts.gross,
            refunds: texts.refunds,
            taken: texts.taken,
            net: texts.net,
            share: u32::try_from(sums.gross_minor.saturating_mul(100) / best).unwrap_or(0),
        }
    });
    lines.collect()
}
