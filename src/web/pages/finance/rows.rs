//! Rows of the ledger: the latest on the finance page, and `/finance/rows`, every one beneath a figure or found by what
//! somebody looks for.

use super::money::UNKNOWN;
use super::{committees, in_words, rallies};
use crate::domain::donation::{DisputeOutcome, Donation};
use crate::domain::id::PersonId;
use crate::domain::money::Money;
use crate::projections::Projections;
use crate::projections::ledger::{ContactAt, Kind, Row};
use crate::projections::totals::timezone;
use crate::report::chosen::Chosen;
use crate::report::contacts::{self, Contacts};
use crate::report::selection::{Narrow, Search, Selection};
use crate::web::form::Form;
use crate::web::problem::{Problem, internal};
use crate::web::session::Staff;
use crate::web::view::{Choice, Field, Layout, StaffRoom};
use crate::web::{App, present};
use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

/// Rows of a page.
const ROWS_MAX: usize = 50;

/// The page of rows.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/rows.html")]
pub struct Rows {
    /// The frame around the page.
    pub layout: Layout,
    /// What of the ledger it is, besides what the filter's fields say: `By the refcode text-tuesday`.
    pub of: Vec<String>,
    /// Hidden fields that keep that, when the filter is used: name and value.
    pub kept: Vec<(&'static str, String)>,
    /// Field `q`.
    pub q: Field,
    /// Field `rally`.
    pub rallies_choice: Vec<Choice>,
    /// Field `committee`; empty where there is one alone.
    pub committees_choice: Vec<Choice>,
    /// Field `kind`.
    pub kinds: Vec<Choice>,
    /// Field `from`.
    pub from: Field,
    /// Field `to`.
    pub to: Field,
    /// Field `as_of`.
    pub as_of: Field,
    /// The rows, latest first.
    pub rows: Vec<LedgerRow>,
    /// Where the next are.
    pub next_href: Option<String>,
    /// What was not looked at yet, where that took too long; empty otherwise.
    pub so_far: String,
    /// The files of the same rows.
    pub exports_href: String,
}

/// A donation, or what happened to its money since.
#[derive(Debug, Clone)]
pub struct LedgerRow {
    /// `July 25, 9:13:58 pm`.
    pub when: String,
    /// The same as RFC 3339.
    pub when_iso: String,
    /// The donor's name.
    pub donor: String,
    /// `Lansing MI`, or empty.
    pub place: String,
    /// The rally's title.
    pub rally: String,
    /// Money given, or returned with a minus.
    pub gross: String,
    /// The fee, or `–`.
    pub fee: String,
    /// What is left, or `–`.
    pub net: String,
    /// What moved, where it is not a donation: `refund`, `dispute`; empty otherwise.
    pub moved: String,
    /// A word besides the plain case: `refunded`, `refund on its way`, `disputed`; empty otherwise.
    pub state: String,
    /// The page of the donation.
    pub href: String,
    /// The processor's or our own reference.
    pub reference: String,
    /// Where a refund is asked for (POST, answered by a question first); absent when there is nothing to refund.
    pub refund_action: Option<String>,
}

/// Rows that were found, without their donors' names.
pub struct Found {
    rows: Vec<(LedgerRow, Wanted)>,
    /// Whether there are more behind them.
    pub more: bool,
    /// The event of the last row that was looked at.
    last_seq: u64,
}

/// Whose name a row wants: the donor, and where the contact is.
type Wanted = Option<(PersonId, ContactAt)>;

impl Found {
    /// The latest of a selection.
    pub fn latest(world: &Projections, selection: &Selection) -> Self {
        Self::before(world, selection, u64::MAX)
    }

    /// The latest of a selection from before an event.
    pub fn before(world: &Projections, selection: &Selection, before: u64) -> Self {
        let chosen = Chosen::new(world, selection);
        let seq = selection.seq(world).min(before.saturating_sub(1));
        let (mut rows, mut more, mut last_seq) = (vec![], false, before);
        for row in world.ledger.rows_at(seq).iter().rev().filter(|row| chosen.has(row)) {
            if rows.len() == ROWS_MAX {
                more = true;
                break;
            }
            last_seq = row.seq;
            rows.push(wanting(world, selection, row));
        }
        Self { rows, more, last_seq }
    }

    /// Those of these events.
    fn at(world: &Projections, selection: &Selection, seqs: &[u64]) -> Self {
        let rows = &world.ledger.rows;
        let place = |seq: &u64| rows.binary_search_by_key(seq, |row| row.seq).ok();
        let found = seqs.iter().filter_map(|seq| rows.get(place(seq)?));
        let last_seq = seqs.last().copied().unwrap_or_default();
        Self { rows: found.map(|row| wanting(world, selection, row)).collect(), more: false, last_seq }
    }

    /// The rows with their donors' names.
    pub(super) fn named(self, contacts: &mut Contacts) -> Vec<LedgerRow> {
        let name = |(mut row, wanted): (LedgerRow, Wanted)| {
            if let Some(contact) = wanted.and_then(|(donor, at)| contacts.shown(donor, at)) {
                row.donor = format!("{} {}", contact.first_name, contact.last_name);
                row.place = format!("{} {}", contact.city, contact.region);
            }
            row
        };
        self.rows.into_iter().map(name).collect()
    }
}

/// A row, and whose name it wants.
fn wanting(world: &Projections, selection: &Selection, row: &Row) -> (LedgerRow, Wanted) {
    let whose = world.ledger.pledge(row.donation).map(|pledge| (row.donor, pledge.contact));
    (line(world, selection, row), whose)
}

fn line(world: &Projections, selection: &Selection, row: &Row) -> LedgerRow {
    if selection.as_of.is_none() {
        return row_line(world, row, row.fee.map(|fee| fee.amount));
    }
    past(row_line(world, row, row.fee_at(selection.seq(world))))
}

/// What names were looked for, and how far.
struct Looked {
    found: Vec<LedgerRow>,
    /// The event before which to go on, and its day; none at the end.
    on: Option<(u64, String)>,
}

/// Rows whose donors' names have these words, from an event backwards, until a page is full, nothing is left or it takes too long.
fn look(app: &App, selection: &Selection, words: &[String], before: u64) -> Result<Looked, contacts::Fault> {
    let found = app.names().search(selection, words, before, ROWS_MAX)?;
    let rows = Found::at(&app.engine().world(), selection, &found.seqs).named(&mut app.contacts());
    // Whoever was erased meanwhile has no name any more.
    let rows = rows.into_iter().filter(|row| selection.search.is_name(&row.donor, "")).collect();
    Ok(Looked { found: rows, on: found.on.map(|(seq, day)| (seq, day.format("%B %-d, %Y").to_string())) })
}

/// Every row of a selection, a page at a time.
pub(super) async fn show(State(app): State<App>, staff: Staff, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let (selection, fault) = Selection::read(|name| form.get(name), app.engine());
    let complaint = fault.as_ref().map(in_words);
    let status = if complaint.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    app.shows(&staff, "rows", selection.told()).await?;
    app.names().warm();
    let before = form.get("before").parse().unwrap_or(u64::MAX);
    let (app_too, asked) = (app.clone(), selection.clone());
    let found = tokio::task::spawn_blocking(move || {
        if let Search::Name(words) = &asked.search {
            return look(&app_too, &asked, words, before);
        }
        let found = Found::before(&app_too.engine().world(), &asked, before);
        let on = found.more.then(|| (found.last_seq, String::new()));
        Ok(Looked { found: found.named(&mut app_too.contacts()), on })
    });
    let found = found.await.map_err(|error| internal(&error))?;
    let Looked { found: rows, on } = found.map_err(|fault| internal(&fault))?;
    let q = form.get("q");
    let full = rows.len() == ROWS_MAX;
    let page = {
        let world = app.engine().world();
        let field = |name: &str| Field { value: form.get(name), error: None };
        let on_query = |(seq, _): &(u64, String)| {
            let mut query = form_urlencoded::Serializer::new(selection.query());
            query.append_pair("q", &q).append_pair("before", &seq.to_string());
            format!("/finance/rows?{}", query.finish())
        };
        Rows {
            layout: app.staff_layout("Ledger", &staff, StaffRoom::Finance, None),
            of: of(&world, &selection),
            kept: kept(&selection),
            q: Field { value: q.clone(), error: None },
            rallies_choice: rallies(&world, &selection),
            committees_choice: committees::choices(&world, &selection),
            kinds: kinds(&selection),
            from: field("from"),
            to: field("to"),
            as_of: Field { value: form.get("as_of"), error: complaint },
            rows,
            so_far: on.as_ref().filter(|_| !full).map(|(_, day)| format!("Looked back to {day}.")).unwrap_or_default(),
            next_href: on.as_ref().map(on_query),
            exports_href: format!("/finance/exports?{}", selection.query()),
        }
    };
    Ok((status, Html(page.render()?)).into_response())
}

fn of(world: &Projections, selection: &Selection) -> Vec<String> {
    let say = |narrow: &Narrow, with: &str, without: &str| match narrow {
        Narrow::Any => None,
        Narrow::Without => Some(without.to_owned()),
        Narrow::Only(word) => Some(format!("{with} {word}")),
    };
    let name = |word: &str| {
        let (_, rally, _) = world.state.rallies.of_source(word.parse().ok()?)?;
        rally.source_name(word.parse().ok()?).map(str::to_owned)
    };
    let speaker = match &selection.speaker {
        Narrow::Only(word) => Narrow::Only(name(word).unwrap_or_else(|| "a speaker who was taken out".into())),
        narrow @ (Narrow::Any | Narrow::Without) => narrow.clone(),
    };
    let said = [
        say(&selection.refcode, "By links with the refcode", "By links without a refcode"),
        say(&speaker, "Sent while on program:", "Sent while nobody was on program"),
        say(&selection.method, "Paid with", "Paid with something else than a known card"),
    ];
    said.into_iter().flatten().collect()
}

fn kept(selection: &Selection) -> Vec<(&'static str, String)> {
    let narrows = [("refcode", &selection.refcode), ("speaker", &selection.speaker), ("method", &selection.method)];
    let used = narrows.into_iter().filter(|(_, narrow)| **narrow != Narrow::Any);
    used.map(|(name, narrow)| (name, narrow.word().to_owned())).collect()
}

fn kinds(selection: &Selection) -> Vec<Choice> {
    let asked: Vec<&str> = selection.kinds.iter().map(|kind| kind.word()).collect();
    let asked = asked.join(",");
    let all = [
        ("", "Everything"),
        ("donation", "Donations"),
        ("refund,refund_reversed", "Refunds"),
        ("dispute,dispute_reversed,debit_returned", "Disputes and returned debits"),
    ];
    let choice =
        |(value, label): (&str, &str)| Choice { value: value.into(), label: label.into(), selected: value == asked };
    all.into_iter().map(choice).collect()
}

/// A row of an earlier instant says nothing of what became of it later, and nothing can be done with it there.
fn past(row: LedgerRow) -> LedgerRow {
    LedgerRow { state: String::new(), refund_action: None, ..row }
}

pub(super) fn row_line(world: &Projections, row: &Row, fee: Option<Money>) -> LedgerRow {
    let zone = timezone(&world.state, row.rally);
    let gift = world.state.donations.get(row.donation);
    let left = gift.map_or(0, Donation::left_minor);
    let waiting = gift.is_some_and(|gift| gift.waiting_refunds().next().is_some());
    let is_asked = world.state.refunds.of(row.donation).is_some();
    let is_gift = row.kind == Kind::Donation;
    let moved = match row.kind {
        Kind::Donation => "",
        Kind::Refund => "refund",
        Kind::RefundReversed => "refund failed, money back here",
        Kind::Dispute => "dispute",
        Kind::DisputeReversed => "dispute, money back here",
        Kind::Return => "taken back by the bank",
    };
    let state = gift.filter(|_| is_gift).map_or("", |gift| word(gift, waiting, left, row.amount.minor));
    let state = if is_gift && is_asked { "refund to approve" } else { state };
    let net = match fee {
        Some(fee) => row.amount.checked_sub(fee).ok(),
        None => (!is_gift).then_some(row.amount),
    };
    LedgerRow {
        when: format!("{} {}", row.at.with_timezone(&zone).format("%b %-d,"), present::time_seconds(row.at, zone)),
        when_iso: present::iso(row.at),
        donor: present::ERASED.into(),
        place: String::new(),
        rally: world.state.rallies.get(row.rally).map(|rally| rally.details.title.clone()).unwrap_or_default(),
        gross: row.amount.to_exact(),
        fee: fee.map_or(UNKNOWN.into(), Money::to_exact),
        net: net.map_or(UNKNOWN.into(), Money::to_exact),
        moved: moved.into(),
        state: state.into(),
        href: format!("/finance/donations/{}", row.donation),
        reference: row.reference.as_deref().unwrap_or(&row.payment.0).into(),
        refund_action: (is_gift && !waiting && !is_asked && left > 0)
            .then(|| format!("/finance/donations/{}/refund", row.donation)),
    }
}

/// What became of a gift, in a word or two; nothing in the plain case.
fn word(gift: &Donation, waiting: bool, left: i64, paid: i64) -> &'static str {
    let of = |outcome: Option<DisputeOutcome>| gift.disputes().any(|(_, dispute)| dispute.closed == outcome);
    if gift.returned_minor() > 0 {
        "taken back by the bank"
    } else if of(None) {
        "disputed"
    } else if of(Some(DisputeOutcome::Lost)) {
        "dispute lost"
    } else if waiting {
        "refund on its way"
    } else if left == 0 {
        "refunded"
    } else if left < paid {
        "partly refunded"
    } else if of(Some(DisputeOutcome::Won)) {
        "dispute won"
    } else {
        ""
    }
}
