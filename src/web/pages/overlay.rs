//! `/r/{slug}/overlay/{total|feed|goal|drive|qr|captions}`: pictures to lay over the program in OBS.

use askama::Template;

use super::share;
use crate::clock;
use crate::domain::donation::Way;
use crate::web::problem::Problem;
use crate::web::view::drive::Drive;
use crate::web::view::{Feed, Layout, Total};
use crate::web::{App, present, qr};
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::response::Html;
use axum::routing::get;

/// One overlay on a clear ground.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/overlay.html")]
pub struct Overlay {
    /// The frame around the page; only title, colours and `simulated` are used.
    pub layout: Layout,
    /// The rally's page.
    pub rally_href: String,
    /// Which overlay it is.
    pub kind: OverlayKind,
    /// Live part of the overlays `total` and `goal`.
    pub total: Total,
    /// Live part of the overlay `feed`.
    pub feed: Feed,
    /// Live part of the overlay `drive`.
    pub drive: Drive,
    /// The square code of the overlay `qr`, drawn.
    pub code: String,
    /// Where it leads to, for those who type: `rally.example/r/answer-the-call`.
    pub typed: String,
}

/// Which overlay it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverlayKind {
    /// The amount raised.
    Total,
    /// The latest donors.
    Feed,
    /// The bar towards the goal.
    Goal,
    /// Matches and goals.
    Drive,
    /// The square code that opens the form.
    Qr,
    /// What is said.
    Captions,
}

impl OverlayKind {
    /// The last piece of the overlay's address.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Feed => "feed",
            Self::Goal => "goal",
            Self::Drive => "drive",
            Self::Qr => "qr",
            Self::Captions => "captions",
        }
    }
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/r/{slug}/overlay/{kind}", get(show))
}

async fn show(
    State(app): State<App>,
    Path((slug, kind)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Html<String>, Problem> {
    use OverlayKind::{Captions, Drive, Feed, Goal, Qr, Total};
    let kinds = [Total, Feed, Goal, Drive, Qr, Captions];
    let kind = kinds.into_iter().find(|known| known.word() == kind).ok_or(Problem::NotFound)?;
    let (id, rally) = app.rally(&slug)?;
    let code = match kind {
        Qr => qr::svg(&share::form_url(&app, &rally.details.slug, Way::Qr, &share::refcode(query))),
        Total | Feed | Goal | Drive | Captions => None,
    };
    let host = app.public_url().split_once("://").map_or(app.public_url(), |(_, host)| host);
    let html = {
        let world = app.engine().world();
        let overlay = Overlay {
            layout: app.layout(&rally.details.title, Some(&rally.details)),
            rally_href: format!("/r/{}", rally.details.slug),
            kind,
            total: present::total(&world, id, &rally),
            feed: present::feed(&app, &world, id, clock::now()),
            drive: present::drive::drive(&world, id, &rally, clock::now()),
            code: code.unwrap_or_default(),
            typed: format!("{host}/r/{}", rally.details.slug),
        };
        overlay.render()?
    };
    Ok(Html(html))
}
