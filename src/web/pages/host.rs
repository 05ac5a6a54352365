//! `/host`: the staff's list of rallies.

use askama::Template;

use super::home::when_in_words;
use crate::domain::money::Money;
use crate::domain::rally;
use crate::projections::totals::timezone;
use crate::web::form::Form;
use crate::web::problem::Problem;
use crate::web::session::Staff;
use crate::web::view::StaffRoom;
use crate::web::view::{Layout, Phase};
use crate::web::{App, notice, present};
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Html;
use axum::routing::get;

/// The staff's list of rallies.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/host.html")]
pub struct Host {
    /// The frame around the page.
    pub layout: Layout,
    /// The rallies, the live and the next ones first.
    pub rallies: Vec<HostRally>,
}

/// One rally as staff see it.
#[derive(Debug, Clone)]
pub struct HostRally {
    /// Its studio.
    pub studio_href: String,
    /// Its public page.
    pub rally_href: String,
    /// Its form.
    pub edit_href: String,
    /// Its title.
    pub title: String,
    /// Where it is in its life.
    pub phase: Phase,
    /// Date and time in words.
    pub when: String,
    /// The total with its currency.
    pub raised: String,
    /// `18,204 donors`.
    pub donors: String,
    /// `4 speakers`.
    pub speakers: String,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/host", get(show)).route("/host/", get(show))
}

async fn show(State(app): State<App>, staff: Staff, RawQuery(query): RawQuery) -> Result<Html<String>, Problem> {
    let staff = staff.hosts()?;
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    let mut layout = app.staff_layout("Rallies", &staff, StaffRoom::Host, None);
    layout.notice = notice(&query);
    let page = {
        let world = app.engine().world();
        let mut rallies: Vec<_> = world.state.rallies.iter().collect();
        let rank = |rally: &rally::Rally| match rally.phase {
            rally::Phase::Live { .. } => 0,
            rally::Phase::Before => 1,
            rally::Phase::Ended { .. } => 2,
        };
        rallies.sort_by_key(|(_, rally)| (rank(rally), rally.details.starts_at));
        let line = |id, rally: &rally::Rally| {
            let slug = &rally.details.slug;
            let donors = world.totals.of(id).map_or(0, |totals| totals.donors());
            let plural = |number: usize, one: &str| {
                format!("{} {one}{}", present::count(number), if number == 1 { "" } else { "s" })
            };
            HostRally {
                studio_href: format!("/host/r/{slug}"),
                rally_href: format!("/r/{slug}"),
                edit_href: format!("/host/r/{slug}/edit"),
                title: rally.details.title.clone(),
                phase: present::phase(rally),
                when: when_in_words(rally.details.starts_at, timezone(&world.state, id)),
                raised: Money::new(world.totals.sums(id).raised_minor(), rally.details.currency).to_whole(),
                donors: plural(donors, "donor"),
                speakers: plural(rally.speakers.len(), "speaker"),
            }
        };
        Host { layout, rallies: rallies.into_iter().map(|(id, rally)| line(id, rally)).collect() }
    };
    Ok(Html(page.render()?))
}
