//! `/r/{slug}/overlay/{total|feed|goal|captions}`: pictures to lay over the program in OBS.

use askama::Template;

use crate::clock;
use crate::web::problem::Problem;
use crate::web::view::{Feed, Layout, Total};
use crate::web::{App, present};
use axum::Router;
use axum::extract::{Path, State};
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
            Self::Captions => "captions",
        }
    }
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/r/{slug}/overlay/{kind}", get(show))
}

async fn show(State(app): State<App>, Path((slug, kind)): Path<(String, String)>) -> Result<Html<String>, Problem> {
    let kinds = [OverlayKind::Total, OverlayKind::Feed, OverlayKind::Goal, OverlayKind::Captions];
    let kind = kinds.into_iter().find(|known| known.word() == kind).ok_or(Problem::NotFound)?;
    let (id, rally) = app.rally(&slug)?;
    let html = {
        let world = app.engine().world();
        let overlay = Overlay {
            layout: app.layout(&rally.details.title, Some(&rally.details)),
            rally_href: format!("/r/{}", rally.details.slug),
            kind,
            total: present::total(&world, id, &rally),
            feed: present::feed(&app, &world, id, clock::now()),
        };
        overlay.render()?
    };
    Ok(Html(html))
}
