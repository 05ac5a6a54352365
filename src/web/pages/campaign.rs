//! `/finance/campaign`: every rally together: by day, by rally with its share of the whole, and the best moments.

mod season;

use crate::domain::money::Currency;
use crate::report::selection::Selection;
use crate::web::App;
use crate::web::form::Form;
use crate::web::problem::Problem;
use crate::web::session::Staff;
use crate::web::view::{Choice, Field, Layout, StaffRoom};
use askama::Template;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
pub use season::{Season, season};

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/campaign.html")]
pub struct Campaign {
    /// The frame around the page.
    pub layout: Layout,
    /// Field `from` of the filter: `2028-07-25`.
    pub from: Field,
    /// Field `to` of the filter.
    pub to: Field,
    /// Field `currency` of the filter; empty where there is one alone.
    pub currencies: Vec<Choice>,
    /// Everything that is counted.
    pub season: Season,
    /// The file of those who agreed to be written to, for those who may see names.
    pub contacts_href: Option<&'static str>,
}

/// A rally in the season.
#[derive(Debug, Clone)]
pub struct RallyLine {
    /// Its title.
    pub title: String,
    /// Its attendance.
    pub href: String,
    /// `Thu, July 25`.
    pub when: String,
    /// People who registered, or `–` where it took place on none of these days.
    pub registered: String,
    /// Those of them who joined.
    pub joined: String,
    /// Gifts.
    pub gifts: String,
    /// Their sum.
    pub gross: String,
    /// The average gift.
    pub average: String,
    /// Its share of the whole.
    pub share: String,
    /// Length of its bar: its gross in percent of the best one's.
    pub fill: u64,
}

/// A day of the season.
#[derive(Debug, Clone)]
pub struct DayLine {
    /// `Thu, July 25`.
    pub day: String,
    /// Gifts.
    pub gifts: String,
    /// Their sum.
    pub gross: String,
    /// The sum until that day.
    pub so_far: String,
}

/// A minute in which much was given.
#[derive(Debug, Clone)]
pub struct Moment {
    /// What was given.
    pub gross: String,
    /// `412 gifts`.
    pub gifts: String,
    /// Who was on.
    pub who: String,
    /// The rally's title.
    pub rally: String,
    /// Its attendance.
    pub href: String,
    /// `Thu, July 25, 8:21 pm`.
    pub when: String,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/finance/campaign", get(show))
}

async fn show(State(app): State<App>, staff: Staff, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let form = Form::parse(query.unwrap_or_default().as_bytes());
    let (selection, _) = Selection::read(|name| form.get(name), app.engine());
    let days = Selection { from: selection.from, to: selection.to, ..Selection::default() };
    let (season, currencies) = season(&app.engine().world(), &days, &form.get("currency"));
    let choice = |currency: &Currency| Choice {
        value: currency.code().into(),
        label: currency.code().into(),
        selected: currency.code() == season.currency,
    };
    let field = |name: &str| Field { value: form.get(name), error: None };
    let page = Campaign {
        layout: app.staff_layout("All rallies", &staff, StaffRoom::Finance, None),
        from: field("from"),
        to: field("to"),
        currencies: if currencies.len() > 1 { currencies.iter().map(choice).collect() } else { vec![] },
        contacts_href: staff.role.sees_money().then_some("/finance/exports/contacts"),
        season,
    };
    Ok(Html(page.render()?).into_response())
}
