//! `/finance/access`: who looked at people's data or took it, the latest first.

use crate::domain::money::group_thousands;
use crate::export::access::Line;
use crate::report::accesses::Reader;
use crate::report::selection::Selection;
use crate::report::{Format, who};
use crate::web::form::Form;
use crate::web::problem::{Problem, internal};
use crate::web::session::Staff;
use crate::web::view::{Choice, Layout, StaffRoom};
use crate::web::{App, present};
use askama::Template;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use chrono_tz::Tz;

/// Lines of a page: each is read back from the log.
const LINES_MAX: usize = 50;
/// Names to choose from: everybody of a large campaign; of others the file tells.
const CHOICES_MAX: usize = 1_000;

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/access.html")]
pub struct AccessPage {
    /// The frame around the page.
    pub layout: Layout,
    /// Field `who`.
    pub people: Vec<Choice>,
    /// Field `what`.
    pub things: Vec<Choice>,
    /// The times, the latest first.
    pub lines: Vec<Time>,
    /// Where those before are.
    pub older: Option<String>,
    /// Whether these are the latest.
    pub is_newest: bool,
    /// For how many minutes a page that is seen again is one look.
    pub one_look: i64,
}

/// A time.
#[derive(Debug, Clone)]
pub struct Time {
    /// `Jul 25, 2028, 9:13:58 pm`.
    pub when: String,
    /// The same as RFC 3339.
    pub when_iso: String,
    /// Who.
    pub name: String,
    /// `saw`, `took`.
    pub how: &'static str,
    /// What, in words.
    pub what: String,
    /// Which part of it.
    pub of: String,
    /// Why.
    pub reason: String,
    /// Its event.
    pub seq: String,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/finance/access", get(show))
}

async fn show(State(app): State<App>, staff: Staff, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let (who, what) = (form.get("who"), form.get("what"));
    let before = form.get("before").parse().unwrap_or(u64::MAX);
    let (mut seqs, people, things, zone) = {
        let world = app.engine().world();
        let named = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
        let (by, of) = (named(&who), named(&what));
        let seqs: Vec<u64> =
            world.accesses.before(before, by.as_deref(), of.as_deref()).take(LINES_MAX.saturating_add(1)).collect();
        let owned = |names: &mut dyn Iterator<Item = &str>| names.take(CHOICES_MAX).map(str::to_owned).collect();
        let people: Vec<String> = owned(&mut world.accesses.people());
        let things: Vec<String> = owned(&mut world.accesses.things());
        (seqs, people, things, Selection::default().zone(&world))
    };
    let has_older = seqs.len() > LINES_MAX;
    seqs.truncate(LINES_MAX);
    let older = seqs.last().filter(|_| has_older).map(|last| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("who", &who).append_pair("what", &what).append_pair("before", &last.to_string());
        format!("/finance/access?{}", query.finish())
    });
    let engine = app.engine().clone();
    let read = tokio::task::spawn_blocking(move || {
        let mut reader = Reader::new(&engine);
        // The log is read forwards.
        let lines = seqs.iter().rev().map(|seq| reader.line(*seq)).collect::<Result<Vec<_>, _>>();
        let names: Vec<String> = people.iter().map(|who| who::name(&engine, who)).collect();
        lines.map(|lines| (lines, people.into_iter().zip(names).collect::<Vec<_>>()))
    });
    let (lines, people) = read.await.map_err(|fault| internal(&fault))?.map_err(|fault| internal(&fault))?;
    let page = AccessPage {
        layout: app.staff_layout("Who looked", &staff, StaffRoom::Finance, None),
        people: choices("Everybody", people, &who),
        things: choices("Everything", things.into_iter().map(|what| (what.clone(), in_words(&what))).collect(), &what),
        lines: lines.into_iter().flatten().rev().map(|line| time(line, zone)).collect(),
        older,
        is_newest: before == u64::MAX,
        one_look: crate::domain::privacy::ONE_LOOK.num_minutes(),
    };
    Ok(Html(page.render()?).into_response())
}

/// All, and each with its label, in the order of those.
fn choices(all: &str, mut each: Vec<(String, String)>, chosen: &str) -> Vec<Choice> {
    each.sort_by(|one, other| one.1.cmp(&other.1));
    let choice = |(value, label): (String, String)| Choice { selected: value == chosen, value, label };
    std::iter::once((String::new(), all.to_owned())).chain(each).map(choice).collect()
}

fn time(line: Line, zone: Tz) -> Time {
    Time {
        when: format!(
            "{} {}",
            line.at.with_timezone(&zone).format("%b %-d, %Y,"),
            present::time_seconds(line.at, zone)
        ),
        when_iso: present::iso(line.at),
        name: line.name,
        how: match line.how {
            "seen" => "saw",
            "taken" => "took",
            _ => "opened",
        },
        what: in_words(&line.what),
        of: part(&line.of),
        reason: line.reason,
        seq: group_thousands(line.seq),
    }
}

/// What was looked at or taken, as people call it.
fn in_words(what: &str) -> String {
    if let Ok(format) = what.parse::<Format>() {
        return format!("File: {}", format.name());
    }
    let words = match what {
        "ledger" => "Finance, with its latest rows",
        "rows" => "Rows of the ledger",
        "donation" => "A donation",
        "refund" => "A refund’s question",
        "refunds" => "Refunds to approve",
        "held" => "Gifts to look at",
        "plans" => "Recurring gifts",
        "work" => "The work list",
        "duplicates" => "Possible duplicates",
        "filing" => "A report’s list of what to look at",
        "api" => "Donors, by a program",
        "log" => "The log itself, opened",
        _ => what,
    };
    words.into()
}

/// A query without what says nothing: `rally call, as of 123`.
fn part(of: &str) -> String {
    if !of.contains('=') {
        return of.into();
    }
    let pairs = form_urlencoded::parse(of.as_bytes()).filter(|(_, value)| !value.is_empty());
    pairs.map(|(name, value)| format!("{} {value}", name.replace('_', " "))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_told_without_what_is_empty() {
        for (of, told) in [
            ("", ""),
            ("rally=&from=&to=", ""),
            ("rally=call&from=2028-07-01&to=&as_of=123", "rally call, from 2028-07-01, as of 123"),
            ("events 1 to 40", "events 1 to 40"),
        ] {
            assert_eq!(part(of), told, "{of}");
        }
        assert_eq!(in_words("csv"), "File: Donations, CSV");
        assert_eq!(in_words("something new"), "something new");
    }
}
