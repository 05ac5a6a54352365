//! `/finance`: what came in, what went out again, what is promised, and the file of it.

pub mod by;
pub(in crate::web::pages) mod committees;
mod gift;
pub(super) mod refund;
pub mod rows;
pub mod timeline;

use askama::Template;

use crate::clock;
use crate::domain::donation;
use crate::domain::id::RallyId;
use crate::domain::money::{Currency, Money};
use crate::domain::rally;
use crate::projections::Projections;
use crate::projections::open::OpenSums;
use crate::projections::totals::{Sums, timezone};
use crate::report::as_of;
use crate::report::selection::{RallyMoney, Selection};
use crate::web::form::Form;
use crate::web::problem::{self, Problem};
use crate::web::session::Staff;
use crate::web::view::StaffRoom;
use crate::web::view::letters::Letters;
use crate::web::view::{Choice, Field, Layout};
use crate::web::{App, notice, present};
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use chrono::{DateTime, NaiveDate, Utc};
pub use committees::FinanceCommittee;
use rows::{Found, LedgerRow};
use std::collections::BTreeMap;
use timeline::Timeline;

/// The finance page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/finance.html")]
pub struct Finance {
    /// The frame around the page.
    pub layout: Layout,
    /// The day the figures are of: `July 25, 2028`.
    pub as_of_date: String,
    /// The instant: `9:14:00 pm`.
    pub as_of_time: String,
    /// The time zone it is told in: `Eastern`.
    pub as_of_zone: String,
    /// Whether that is not now.
    pub as_of_past: bool,
    /// The last event that counts: `18,204`.
    pub as_of_seq: String,
    /// The figures, one set a currency; empty when no money ever came.
    pub figures: Vec<Figures>,
    /// Field `rally` of the filter.
    pub rallies_choice: Vec<Choice>,
    /// Field `from` of the filter: `2028-07-25`.
    pub from: Field,
    /// Field `to` of the filter.
    pub to: Field,
    /// Field `as_of` of the filter: an instant or an event's number.
    pub as_of: Field,
    /// The same selection as of now.
    pub now_href: String,
    /// The rows of just this selection.
    pub rows_href: String,
    /// The files of just this selection.
    pub exports_href: String,
    /// Field `committee` of the filter; empty where there is one alone.
    pub committees_choice: Vec<Choice>,
    /// Money over time; one a currency, where there is enough to draw.
    pub timelines: Vec<Timeline>,
    /// Money by committee; empty where there is one alone.
    pub committees: Vec<FinanceCommittee>,
    /// Money by rally, the newest first.
    pub rallies: Vec<FinanceRally>,
    /// The older ones.
    pub rallies_more: Vec<FinanceRally>,
    /// Money by refcode, speaker and method.
    pub by: Vec<by::By>,
    /// Money by day, latest first.
    pub days: Vec<FinanceDay>,
    /// The earlier ones.
    pub days_more: Vec<FinanceDay>,
    /// The latest donations and refunds, latest first.
    pub rows: Vec<LedgerRow>,
    /// The page of all rows, where there are more than these.
    pub more_href: Option<String>,
    /// Items of work that are open, as it is now.
    pub to_do: usize,
    /// Gifts that a person is to look at, as it is now.
    pub to_look_at: usize,
    /// Refunds that wait for a second person, as it is now.
    pub refunds_waiting: usize,
    /// Part `letters`: mail that waits or failed, as it is now.
    pub letters: Letters,
    /// The log's head hash at that instant, 64 hex digits.
    pub head: String,
    /// The same, shortened.
    pub head_short: String,
}

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

/// Lines of a table that are there at once; the others are unfolded.
const LINES_MAX: usize = 12;
/// What stands where a figure is not known.
const UNKNOWN: &str = "–";

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/finance", get(show))
        .route("/finance/", get(show))
        .route("/finance/rows", get(rows::show))
        .route("/finance/donations/{id}", get(gift::show))
        .route("/finance/donations/{id}/refund", post(refund::refund))
}

async fn show(State(app): State<App>, staff: Staff, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    // What can't be understood is shown again, beside the figures of now.
    let (selection, fault) = Selection::read(|name| form.get(name), app.engine());
    let complaint = fault.as_ref().map(in_words);
    let status = if complaint.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let mut layout = app.staff_layout("Finance", &staff, StaffRoom::Finance, None);
    layout.notice = notice(&form);
    let (mut page, latest, seq) = {
        let world = app.engine().world();
        let zone = selection.zone(&world);
        let at = selection.as_of.map_or_else(clock::now, |as_of| as_of.at);
        let seq = selection.seq(&world);
        let mut money = Selected::new(&world, &selection);
        let rallies_more = money.rallies.split_off(LINES_MAX.min(money.rallies.len()));
        let mut days = days(&selection, &money.by_day);
        let days_more = days.split_off(LINES_MAX.min(days.len()));
        let latest = Found::latest(&world, &selection);
        // As the browser's own field for an instant wants it, also where an event's number was asked for.
        let typed = match selection.as_of {
            Some(as_of) => as_of.at.with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S").to_string(),
            None => form.get("as_of"),
        };
        let field = |name: &str| Field { value: form.get(name), error: None };
        let page = Finance {
            layout,
            as_of_date: present::date(at, zone),
            as_of_time: present::time_seconds(at, zone),
            as_of_zone: at.with_timezone(&zone).format("%Z").to_string(),
            as_of_past: selection.as_of.is_some(),
            as_of_seq: crate::domain::money::group_thousands(seq),
            figures: money.figures(),
            rallies_choice: rallies(&world, &selection),
            from: field("from"),
            to: field("to"),
            as_of: Field { value: typed, error: complaint },
            now_href: format!("/finance?{}", Selection { as_of: None, ..selection.clone() }.query()),
            rows_href: format!("/finance/rows?{}", selection.query()),
            exports_href: format!("/finance/exports?{}", selection.query()),
            committees_choice: committees::choices(&world, &selection),
            timelines: money.timelines(&world, &selection, at),
            committees: committees::lines(&world, &selection, seq),
            rallies: money.rallies,
            rallies_more,
            by: by::tables(&world, &selection),
            days,
            days_more,
            rows: vec![],
            more_href: latest.more.then(|| format!("/finance/rows?{}", selection.query())),
            to_do: super::work::count(&world),
            to_look_at: to_look_at(&world),
            refunds_waiting: world.state.refunds.waiting().len(),
            letters: present::letters::letters(&world),
            head: String::new(),
            head_short: String::new(),
        };
        (page, latest, seq)
    };
    // The log is read while nobody waits for the projections.
    page.rows = latest.named(&mut app.contacts());
    app.shows(&staff, "ledger", selection.told()).await?;
    let head = app.engine().head_at(seq).map_err(|fault| problem::internal(&fault))?.to_string();
    page.head_short = format!("{}…{}", head.get(..8).unwrap_or_default(), head.get(56..).unwrap_or_default());
    page.head = head;
    Ok((status, Html(page.render()?)).into_response())
}

/// The rallies to choose from, the newest first.
pub(super) fn rallies(world: &Projections, selection: &Selection) -> Vec<Choice> {
    let choice = |value: &str, label: &str| Choice {
        value: value.into(),
        label: label.into(),
        selected: selection.rally.as_deref().unwrap_or_default() == value,
    };
    let mut known: Vec<_> = world.state.rallies.iter().map(|(_, rally)| &rally.details).collect();
    known.sort_by_key(|details| std::cmp::Reverse(details.starts_at));
    let known = known.iter().map(|details| choice(&details.slug, &details.title));
    std::iter::once(choice("", "All rallies")).chain(known).collect()
}

/// Gifts that wait for a person, or were paid with a card that stands out.
fn to_look_at(world: &Projections) -> usize {
    donation::held(&world.state).len().saturating_add(donation::flagged(&world.state).len())
}

/// What is wrong with the instant asked for, fit for the person who asked.
pub(super) fn in_words(fault: &as_of::Fault) -> String {
    if let as_of::Fault::Log(fault) = fault {
        tracing::error!(%fault, "the log could not be read for an earlier instant");
        return "The log can’t be read there: ask whoever runs the server.".into();
    }
    fault.to_string()
}

/// The money of a selection, summed from the sums of days.
struct Selected {
    by_currency: BTreeMap<&'static str, (Currency, Sums)>,
    /// What is promised now; empty for an earlier instant.
    open: BTreeMap<&'static str, (Currency, OpenSums)>,
    by_day: BTreeMap<(NaiveDate, &'static str), (Currency, Sums)>,
    rallies: Vec<FinanceRally>,
    /// The same rallies.
    ids: Vec<RallyId>,
}

impl Selected {
    fn new(world: &Projections, selection: &Selection) -> Self {
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

    /// Of one rally by minute and speaker, of several by day.
    fn timelines(&self, world: &Projections, selection: &Selection, now: DateTime<Utc>) -> Vec<Timeline> {
        if let [id] = self.ids.as_slice() {
            let rally = world.state.rallies.get(*id).map(|rally| (*id, rally));
            return rally.and_then(|rally| timeline::of_rally(world, selection, rally, now)).into_iter().collect();
        }
        let currencies = self.by_currency.values().map(|(currency, _)| *currency);
        currencies.filter_map(|currency| timeline::of_days(&self.by_day, currency)).collect()
    }

    fn figures(&self) -> Vec<Figures> {
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
    format!("{} {one}{}", crate::domain::money::group_thousands(number), if number == 1 { "" } else { "s" })
}

/// `3 disputes, 1 given back`.
fn counted(number: u64, one: &str, undone: u64, how: &str) -> String {
    match undone {
        0 => plural(number, one),
        undone => format!("{}, {} {how}", plural(number, one), crate::domain::money::group_thousands(undone)),
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
struct Texts {
    gross: String,
    refunds: String,
    taken: String,
    fees: String,
    net: String,
    /// What went back by refunds, disputes and banks, less what of it came again.
    back: String,
}

impl Texts {
    fn new(currency: Currency, sums: &Sums) -> Self {
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

fn rally_line(world: &Projections, id: RallyId, rally: &rally::Rally, sums: &Sums) -> FinanceRally {
    let texts = Texts::new(rally.details.currency, sums);
    FinanceRally {
        title: rally.details.title.clone(),
        href: format!("/finance?rally={}", rally.details.slug),
        when: present::date(rally.details.starts_at, timezone(&world.state, id)),
        donations: crate::domain::money::group_thousands(sums.donations),
        gross: texts.gross,
        refunds: texts.refunds,
        taken: texts.taken,
        fees: texts.fees,
        net: texts.net,
    }
}

fn days(selection: &Selection, by_day: &BTreeMap<(NaiveDate, &'static str), (Currency, Sums)>) -> Vec<FinanceDay> {
    let best = by_day.values().map(|(_, sums)| sums.gross_minor).max().unwrap_or(0).max(1);
    let lines = by_day.iter().rev().map(|((day, _), (currency, sums))| {
        let texts = Texts::new(*currency, sums);
        FinanceDay {
            day: day.format("%a, %B %-d").to_string(),
            href: format!(
                "/finance/rows?{}",
                Selection { from: Some(*day), to: Some(*day), ..selection.clone() }.query()
            ),
            donations: crate::domain::money::group_thousands(sums.donations),
            gross: texts.gross,
            refunds: texts.refunds,
            taken: texts.taken,
            net: texts.net,
            share: u32::try_from(sums.gross_minor.saturating_mul(100) / best).unwrap_or(0),
        }
    });
    lines.collect()
}
