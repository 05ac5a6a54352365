//! Money by what brought it: refcodes, who was speaking, what was paid with.

use super::money::Texts;
use crate::domain::id::RallyId;
use crate::domain::money::{Currency, group_thousands};
use crate::projections::Projections;
use crate::projections::ledger::Row;
use crate::projections::totals::Sums;
use crate::report::chosen::Chosen;
use crate::report::selection::{Narrow, Selection, WITHOUT};
use std::hash::Hash;

/// Lines of a table: the rest is one line more, and the files have every one.
const LINES_MAX: usize = 12;

/// A table of money by something.
#[derive(Debug, Clone)]
pub struct By {
    /// `By refcode`.
    pub title: &'static str,
    /// `Refcode`.
    pub head: &'static str,
    /// The largest first.
    pub lines: Vec<ByLine>,
    /// What is not in them: `214 more refcodes brought $12,300.00.`; empty where nothing is left out.
    pub rest: String,
}

/// One line.
#[derive(Debug, Clone)]
pub struct ByLine {
    /// What brought it.
    pub name: String,
    /// At which rally, of a speaker where there are several; else empty.
    pub of: String,
    /// The rows beneath it.
    pub href: String,
    /// The number of donations.
    pub donations: String,
    /// Money given.
    pub gross: String,
    /// Money returned, by refunds, disputes and banks.
    pub back: String,
    /// Length of its bar: its gross in whole percent of the largest.
    pub share: u32,
}

/// The tables of a selection; one that would have a single line for what nobody knows is left out.
pub(super) fn tables(world: &Projections, selection: &Selection) -> Vec<By> {
    let refcode = |number: &Option<u32>| number.and_then(|number| world.ledger.refcode(number)).map(str::to_owned);
    let speaker = |(rally, source): &(RallyId, Option<_>)| {
        let source = (*source)?;
        Some(world.state.rallies.get(*rally)?.source_name(source).unwrap_or("a speaker who was taken out").to_owned())
    };
    let narrow = |name: Option<String>| Narrow::Only(name.unwrap_or_else(|| WITHOUT.into()));
    let tables = [
        table(
            world,
            selection,
            ("By refcode", "Refcode", "refcodes"),
            |row| row.refcode,
            |key| {
                (refcode(key), String::new(), Selection { refcode: without(narrow(refcode(key))), ..selection.clone() })
            },
        ),
        table(
            world,
            selection,
            ("By speaker", "On program", "speakers"),
            |row| (row.rally, row.speaker),
            |key| {
                let id = key.1.map(|source| source.to_string());
                // Nobody's minutes are a rally's own.
                let rally = world.state.rallies.get(key.0).map(|rally| &rally.details);
                let of = rally.filter(|_| selection.rally.is_none()).map(|details| details.title.clone());
                let rally = rally.map(|details| details.slug.clone());
                let beneath = Selection { speaker: without(narrow(id)), rally, ..selection.clone() };
                (speaker(key), of.unwrap_or_default(), beneath)
            },
        ),
        table(
            world,
            selection,
            ("By payment method", "Paid with", "methods"),
            |row| row.method().map(str::to_owned),
            |key| (key.clone(), String::new(), Selection { method: without(narrow(key.clone())), ..selection.clone() }),
        ),
    ];
    tables.into_iter().flatten().collect()
}

fn without(narrow: Narrow) -> Narrow {
    if narrow.word() == WITHOUT { Narrow::Without } else { narrow }
}

fn table<Key: Hash + Eq>(
    world: &Projections,
    selection: &Selection,
    (title, head, what): (&'static str, &'static str, &str),
    key: impl Fn(&Row) -> Key,
    name: impl Fn(&Key) -> (Option<String>, String, Selection),
) -> Option<By> {
    let chosen = Chosen::new(world, selection);
    let sums = world.ledger.sums_by(selection.seq(world), |row| chosen.has(row), key);
    let mut sums: Vec<((Key, Currency), Sums)> = sums.into_iter().collect();
    if sums.iter().all(|((key, _), _)| name(key).0.is_none()) {
        return None;
    }
    sums.sort_by_cached_key(|((key, currency), sums)| {
        (std::cmp::Reverse(sums.gross_minor), name(key).0, currency.code())
    });
    let most = sums.first().map_or(1, |(_, sums)| sums.gross_minor).max(1);
    let rest: Vec<_> = sums.split_off(LINES_MAX.min(sums.len()));
    let line = |((key, currency), sums): ((Key, Currency), Sums)| {
        let (name, of, beneath) = name(&key);
        let texts = Texts::new(currency, &sums);
        ByLine {
            name: name.unwrap_or_else(|| "none".into()),
            of,
            href: format!("/finance/rows?{}", beneath.query()),
            donations: group_thousands(sums.donations),
            gross: texts.gross,
            back: texts.back,
            share: u32::try_from(sums.gross_minor.saturating_mul(100) / most).unwrap_or(0),
        }
    };
    let lines = sums.into_iter().map(line).collect();
    Some(By { title, head, lines, rest: rest_in_words(&rest, what) })
}

fn rest_in_words<Key>(rest: &[((Key, Currency), Sums)], what: &str) -> String {
    let Some(((_, currency), _)) = rest.first() else { return String::new() };
    let mut sums = Sums::default();
    rest.iter().filter(|((_, of), _)| of == currency).for_each(|(_, more)| sums.add(more));
    let count = u64::try_from(rest.len()).unwrap_or(u64::MAX);
    format!(
        "{} more {what} brought {}; the files have them all.",
        group_thousands(count),
        Texts::new(*currency, &sums).gross
    )
}
