//! The ledger's pages, those of attendance and of the campaign with much data: a season with a rally of 200,000 people and a million gifts.
//! Each page is to be there within 200 ms.
//!
//! `GROUNDSWELL_BENCH_GIFTS` takes the place of a million gifts, for a quick look.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::as_conversions)]
#![allow(clippy::float_arithmetic, reason = "figures for people to read")]

#[path = "support/cores.rs"]
mod cores;
#[path = "../tests/support/season.rs"]
mod season;

use askama::Template as _;
use cores::computed;
use groundswell::projections::Projections;
use groundswell::projections::work::waiting;
use groundswell::report::as_of::AsOf;
use groundswell::report::selection::{Search, Selection};
use groundswell::web::form::Form;
use groundswell::web::pages::attendance::{Attendance, figures};
use groundswell::web::pages::campaign::{Campaign, season as season_of};
use groundswell::web::pages::finance;
use groundswell::web::pages::finance::rows::Found;
use groundswell::web::view::{Field, Layout};
use std::time::{Duration, Instant};

/// People of the largest rally.
const PEOPLE: u64 = 200_000;
/// What a page may take.
const WANTED: Duration = Duration::from_millis(200);
const ROUNDS: usize = 9;

fn main() {
    let gifts: u64 = std::env::var("GROUNDSWELL_BENCH_GIFTS").map_or(1_000_000, |text| text.parse().unwrap());
    let mut calls = season::calls(7);
    let others = calls.len() as u64 - 1;
    for call in &mut calls {
        (call.joined, call.donors) = (PEOPLE / 20, Some(gifts / 2 / others));
    }
    calls[20].joined = PEOPLE;
    calls[20].donors = Some(gifts / 2);
    let events = season::events(&calls, 1, &season::NoKeys);
    let (count, last) = (events.len(), events.last().unwrap().at);
    let mut world = Projections::default();
    let start = computed();
    for event in events {
        world.apply(&event);
    }
    println!("{count} events folded in {:.1} s", (computed() - start).as_secs_f64());
    let largest = world
        .state
        .rallies
        .iter()
        .max_by_key(|(id, _)| world.crowd.of(*id).map(|crowd| crowd.people.attendees().len()));
    let (id, rally) = largest.unwrap();
    let people = world.crowd.of(id).unwrap().people.attendees().len();
    println!("{} rows, {people} people in the largest rally", world.ledger.rows.len());
    let attendance = || {
        let page = Attendance {
            layout: Layout::default(),
            studio_href: String::new(),
            share_href: String::new(),
            title: String::new(),
            date: String::new(),
            figures: figures(&world, id, rally, last),
            invite: None,
            files: None,
        };
        page.render().unwrap().len()
    };
    let campaign = |days: &Selection| {
        let page = Campaign {
            layout: Layout::default(),
            from: Field::default(),
            to: Field::default(),
            currencies: vec![],
            season: season_of(&world, days, "").0,
            contacts_href: None,
        };
        page.render().unwrap().len()
    };
    let week = Selection { from: "2024-07-21".parse().ok(), to: "2024-07-28".parse().ok(), ..Selection::default() };
    let ledger = |selection: &Selection| {
        let (page, _) = finance::drawn(&world, selection, &Form::default(), None, Layout::default());
        page.render().unwrap().len()
    };
    let call = Selection { rally: Some(rally.details.slug.clone()), ..Selection::default() };
    let earlier = AsOf { seq: world.seq / 2, at: last };
    let half = Selection { as_of: Some(earlier), ..Selection::default() };
    // Names are opened later, of fifty rows at most.
    let rows = |selection: &Selection| usize::from(Found::before(&world, selection, u64::MAX).more);
    let nothing = Selection { search: Search::Reference("pi_nothing".into()), ..Selection::default() };
    timed("the ledger page of the season", || ledger(&Selection::default()));
    timed("the ledger page of the largest rally", || ledger(&call));
    timed("the ledger page as of half of it", || ledger(&half));
    timed("the first rows", || rows(&call));
    timed("a search that finds nothing", || rows(&nothing));
    timed("the work list", || waiting(&world, vec![]).len());
    timed("attendance of the largest rally", attendance);
    timed("the campaign", || campaign(&Selection::default()));
    timed("a week of it", || campaign(&week));
}

fn timed(what: &str, page: impl Fn() -> usize) {
    let mut took: Vec<Duration> = vec![];
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        bytes = page();
        took.push(start.elapsed());
    }
    took.sort_unstable();
    let (median, worst) = (took[ROUNDS / 2], took[ROUNDS - 1]);
    println!("{what}: median {:.1} ms, worst {:.1} ms, {} KiB", ms(median), ms(worst), bytes >> 10);
    assert!(median < WANTED, "{what} takes {median:?}");
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
