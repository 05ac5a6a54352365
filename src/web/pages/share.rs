//! `/host/r/{slug}/share`: what to give to whom, so that people come and give: links, the square code, the frame for other
//! sites. And `/r/{slug}/qr.svg`.

use super::studio::OverlayLink;
use crate::domain::donation::{REFCODE_CHARS_MAX, Way};
use crate::web::form::Form;
use crate::web::problem::Problem;
use crate::web::session::Staff;
use crate::web::view::{Layout, StaffRoom};
use crate::web::{App, qr};
use askama::Template;
use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

/// Addresses to hand out.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/share.html")]
pub struct Share {
    /// The frame around the page.
    pub layout: Layout,
    /// The studio.
    pub studio_href: String,
    /// The rally's title.
    pub title: String,
    /// Field `refcode`: goes into all the links.
    pub refcode: String,
    /// The most characters a refcode may have.
    pub refcode_chars_max: usize,
    /// Whole addresses: the rally's page, the form, the form by the month.
    pub links: Vec<OverlayLink>,
    /// The square code, drawn.
    pub code: String,
    /// Where it is had as a file.
    pub code_href: String,
    /// The overlay's whole address.
    pub overlay_url: String,
    /// What a site's page says to show the form.
    pub snippet: String,
    /// The sites that may; empty where none was named.
    pub sites: Vec<String>,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/host/r/{slug}/share", get(show)).route("/r/{slug}/qr.svg", get(code))
}

/// The whole address of a rally's form for those who come this way.
pub fn form_url(app: &App, slug: &str, way: Way, refcode: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("via", way.word());
    if !refcode.is_empty() {
        query.append_pair("refcode", refcode);
    }
    format!("{}/r/{slug}/donate?{}", app.public_url(), query.finish())
}

/// The refcode that a query names, cut to what may be.
pub fn refcode(query: Option<String>) -> String {
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    query.get("refcode").chars().take(REFCODE_CHARS_MAX).collect()
}

async fn show(
    State(app): State<App>,
    staff: Staff,
    Path(slug): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let staff = staff.hosts()?;
    let (_, rally) = app.rally(&slug)?;
    let (details, refcode) = (&rally.details, refcode(query));
    let (slug, title) = (&details.slug, &details.title);
    let rally_url = format!("{}/r/{slug}", app.public_url());
    let with = |url: String| match refcode.as_str() {
        "" => url,
        code => {
            let mut query = form_urlencoded::Serializer::new(String::new());
            format!("{url}?{}", query.append_pair("refcode", code).finish())
        }
    };
    let link = |label: &str, url: String| OverlayLink { label: label.into(), url };
    let embed = form_url(&app, slug, Way::Embed, &refcode);
    // The address holds neither quotes nor angle brackets; the title may.
    let snippet = format!(
        r#"<iframe src="{}" title="Donate" allow="payment" style="width:100%;max-width:560px;height:900px;border:0"></iframe>"#,
        embed.replace('&', "&amp;")
    );
    let page = Share {
        layout: app.staff_layout(&format!("Share: {title}"), &staff, StaffRoom::Host, Some(details)),
        studio_href: format!("/host/r/{slug}"),
        title: title.clone(),
        refcode_chars_max: REFCODE_CHARS_MAX,
        links: vec![
            link("Rally page, to watch and give", with(rally_url.clone())),
            link("Donate form alone", form_url(&app, slug, Way::Page, &refcode)),
        ],
        code: qr::svg(&form_url(&app, slug, Way::Qr, &refcode)).unwrap_or_default(),
        code_href: with(format!("/r/{slug}/qr.svg")),
        overlay_url: with(format!("{rally_url}/overlay/qr")),
        snippet,
        sites: app.embed().to_vec(),
        refcode,
    };
    Ok(Html(page.render()?).into_response())
}

async fn code(
    State(app): State<App>,
    Path(slug): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (_, rally) = app.rally(&slug)?;
    let drawn = qr::svg(&form_url(&app, &rally.details.slug, Way::Qr, &refcode(query))).ok_or(Problem::NotFound)?;
    Ok(([(CONTENT_TYPE, "image/svg+xml")], drawn).into_response())
}
