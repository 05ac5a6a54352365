//! `/r/{slug}/donate/{id}`: the card, the bank's question, the wait, and the thanks once the money is there.

use super::message::Message;
use super::thanks;
use crate::clock;
use crate::domain::id::{DonationId, RallyId};
use crate::domain::money::Money;
use crate::domain::profile::Contact;
use crate::domain::rally::Rally;
use crate::domain::{Refusal, donation};
use crate::engine::Failure;
use crate::payments::card_form::{CardForm, CardFormView, Sources};
use crate::payments::cashier::{Cashier, Handover, Standing, Trouble};
use crate::web::form::{Form, holds_card_number};
use crate::web::problem::{Problem, sentence};
use crate::web::screen::{Sign, Verdict};
use crate::web::view::Layout;
use crate::web::{App, Framed, SentFrom, present, see_other};
use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

/// What stands behind this page's address where the processor's own page sends a donor who has paid.
const PAID: &str = "paid";

/// The card step of a donation.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/card.html")]
pub struct Card {
    /// The frame around the page.
    pub layout: Layout,
    /// The rally's title.
    pub rally_title: String,
    /// The rally's page.
    pub rally_href: String,
    /// This donation's page.
    pub donation_href: String,
    /// Back to the form with what was typed.
    pub edit_href: String,
    /// The amount with its currency: `$50`.
    pub amount: String,
    /// What of it covers the fee: `$1.80`; empty where nothing does.
    pub covers_fee: String,
    /// How it will be shared out among committees, in one line; empty where one has all of it.
    pub parts: String,
    /// How often, for the first of a recurring gift: `each month`; empty for a single one.
    pub each: String,
    /// What the donor agrees to in paying a recurring gift; empty for a single one.
    pub agrees: String,
    /// The donor's name.
    pub name: String,
    /// The donor's e-mail address.
    pub email: String,
    /// Whether a receipt goes there by mail.
    pub mails: bool,
    /// Where the payment stands.
    pub state: CardState,
    /// The form by which the card, or the simulated one, is given.
    pub card: CardFormView,
    /// Who pays for it, as the law wants it said.
    pub paid_for_by: String,
}

/// Where the payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardState {
    /// The card is asked for.
    Ready,
    /// The card was refused, and is asked for again; why stands in the form.
    Declined,
    /// Others come first; the page loads itself again.
    Line {
        /// 1 for whoever is next.
        number: u32,
        /// About how long, in seconds.
        seconds: u32,
    },
    /// The processor has not answered yet; the page loads itself again.
    Processing,
    /// The processor has taken it up and answers in days, as with a debit from a bank account.
    Days,
    /// A person of the campaign looks at it before the card is asked for.
    Held,
    /// A person of the campaign decided against it.
    TurnedAway,
}

impl CardState {
    /// Whether the card is asked for.
    fn asks(self) -> bool {
        matches!(self, Self::Ready | Self::Declined)
    }

    /// Whether there is nothing to do but wait for the bank.
    fn waits(self) -> bool {
        matches!(self, Self::Line { .. } | Self::Processing | Self::Days)
    }

    /// After how many seconds the page loads itself again: four looks on the way to the processor show that the line moves,
    /// and a line of thousands is no crowd of requests.
    fn reload(self) -> u32 {
        match self {
            Self::Line { seconds, .. } => (seconds / 4).clamp(2, 60),
            Self::Days => 12,
            Self::Ready | Self::Declined | Self::Processing | Self::Held | Self::TurnedAway => 3,
        }
    }
}

/// A time in line as a person says it.
fn about(seconds: &u32) -> String {
    match *seconds {
        0 | 1 => "About a second".into(),
        seconds @ 2..=99 => format!("About {seconds} seconds"),
        seconds => format!("About {} minutes", seconds.div_ceil(60)),
    }
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/r/{slug}/donate/{id}", get(show))
        .route("/r/{slug}/donate/{id}/pay", post(pay))
        .route("/r/{slug}/donate/{id}/checkout", post(check_out))
}

/// What a page may load: ours only, and on the card step what the processor's own fields need. And where it may be shown:
/// giving alone may stand on other sites, on those that were named.
pub fn policy_for(app: &App, path: &str) -> String {
    let card_step = path.starts_with("/r/") && path.contains("/donate/");
    let Sources { script, frame, connect, form } =
        if card_step { app.cashiers().first().processor().card_form().sources() } else { Sources::default() };
    let also = |sources: Vec<String>| sources.into_iter().map(|source| format!(" {source}")).collect::<String>();
    let gives = path
        .strip_prefix("/r/")
        .and_then(|rest| rest.split_once('/'))
        .is_some_and(|(_, step)| step == "donate" || step.starts_with("donate/"));
    let ancestors = if gives { also(app.embed().to_vec()) } else { String::new() };
    format!(
        "default-src 'none'; script-src 'self'{}; style-src 'self' 'unsafe-inline'; font-src 'self'; \
         img-src 'self' data:; media-src 'self' blob: data:; connect-src 'self'{}; frame-src 'self'{}; form-action 'self'{}; \
         base-uri 'none'; frame-ancestors 'self'{ancestors}",
        also(script),
        also(connect),
        also(frame),
        also(form),
    )
}

struct Gift {
    id: DonationId,
    rally: Rally,
    rally_id: RallyId,
    gift: donation::Donation,
    href: String,
    framed: bool,
}

fn find(app: &App, slug: &str, id: &str, framed: bool) -> Result<Gift, Problem> {
    let id: DonationId = id.parse().map_err(|_| Problem::NotFound)?;
    let (rally_id, rally) = app.rally(slug)?;
    let gift = app.engine().world().state.donations.get(id).cloned().ok_or(Problem::NotFound)?;
    if gift.rally != rally_id {
        return Err(Problem::NotFound);
    }
    let href = format!("/r/{}/donate/{id}", rally.details.slug);
    Ok(Gift { id, rally, rally_id, gift, href, framed })
}

async fn show(
    State(app): State<App>,
    Path((slug, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    Framed(framed): Framed,
) -> Result<Response, Problem> {
    let gift = find(&app, &slug, &id, framed)?;
    let mut standing = app.cashier_for(gift.id)?.look(gift.id).await?;
    // The processor's page says that it was paid on, and the processor does not yet.
    if matches!(standing, Standing::Checkout { .. }) && query.as_deref() == Some(PAID) {
        standing = Standing::Processing;
    }
    page(&app, &gift, standing, StatusCode::OK)
}

fn page(app: &App, gift: &Gift, standing: Standing, status: StatusCode) -> Result<Response, Problem> {
    if standing == Standing::Settled {
        return thanks::page(app, gift.rally_id, &gift.rally, gift.id, &gift.gift, gift.framed);
    }
    if app.engine().world().state.privacy.is_closed(gift.id) {
        return Err(Problem::Refused(donation::Refusal::Erased.to_string()));
    }
    let contact = contact(app, gift);
    let (covers_fee, parts) = {
        let world = app.engine().world();
        let parts = donation::parts(&world.state, &gift.gift.gift(), Some(gift.id)).unwrap_or_default();
        let parts = present::joint::parts_in_words(&world.state.committees, &parts);
        (world.ledger.pledge(gift.id).and_then(|pledge| pledge.covers_fee), parts)
    };
    let plan = super::plan::Terms::of(app, gift.id);
    let details = &gift.rally.details;
    let form = app.cashier_for(gift.id)?.processor().card_form();
    let simulated = matches!(form, CardForm::Choices(_));
    let action = format!("{}/pay", gift.href);
    let checkout = if form.has_checkout() { format!("{}/checkout", gift.href) } else { String::new() };
    let mut card = CardFormView::new(form, action.clone(), gift.gift.amount);
    (card.checkout, card.framed) = (checkout, gift.framed);
    let state = match standing {
        Standing::Open { declined: Some(reason) } => {
            card.error = reason;
            CardState::Declined
        }
        Standing::Open { declined: None } | Standing::Settled => CardState::Ready,
        Standing::Action { client_secret } => {
            if simulated {
                card = CardFormView::simulated_action(action, gift.gift.amount);
            } else {
                card.client_secret = client_secret;
            }
            CardState::Ready
        }
        Standing::Checkout { .. } => {
            card.at_checkout = true;
            CardState::Ready
        }
        Standing::Held => CardState::Held,
        Standing::TurnedAway => CardState::TurnedAway,
        Standing::InLine { ahead, seconds } => CardState::Line { number: ahead.saturating_add(1), seconds },
        Standing::Processing if taken_up(app, gift.id) => CardState::Days,
        Standing::Processing => CardState::Processing,
    };
    let name =
        contact.as_ref().map(|contact| format!("{} {}", contact.first_name, contact.last_name)).unwrap_or_default();
    let email = contact.map(|contact| contact.email).unwrap_or_default();
    super::plan::offer(&mut card, plan.as_ref());
    card.name.clone_from(&name);
    card.email.clone_from(&email);
    let rally_href = format!("/r/{}", details.slug);
    let page = Card {
        layout: Layout { framed: gift.framed, ..app.layout(&format!("Donate to {}", details.title), Some(details)) },
        rally_title: details.title.clone(),
        edit_href: format!("{rally_href}/donate?again={}", gift.id),
        rally_href,
        donation_href: gift.href.clone(),
        amount: gift.gift.amount.to_short(),
        covers_fee: covers_fee.map(Money::to_exact).unwrap_or_default(),
        parts,
        each: plan.as_ref().map(|plan| plan.each.clone()).unwrap_or_default(),
        agrees: plan.map(|plan| plan.agrees).unwrap_or_default(),
        name,
        email,
        mails: app.engine().world().state.mail.is_on(),
        state,
        card,
        paid_for_by: details.paid_for_by.clone(),
    };
    Ok((status, Html(page.render()?)).into_response())
}

/// Whether the processor has named the payment and is at work on it.
fn taken_up(app: &App, id: DonationId) -> bool {
    let world = app.engine().world();
    let attempt = world.state.donations.get(id).and_then(|donation| donation.in_flight.as_deref());
    attempt.is_some_and(|attempt| attempt.payment.is_some() && !attempt.waits_for_donor)
}

fn contact(app: &App, gift: &Gift) -> Option<Contact> {
    let at = app.engine().world().ledger.pledge(gift.id)?.contact;
    app.contacts().shown(gift.gift.donor, at)
}

/// What the card step sends: a token for the card, or word that the bank was asked.
#[derive(Deserialize, Default)]
struct Paid {
    #[serde(default)]
    method: String,
    #[serde(default)]
    confirmed: bool,
}

async fn pay(
    State(app): State<App>,
    Path((slug, id)): Path<(String, String)>,
    SentFrom(sender): SentFrom,
    Framed(framed): Framed,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let gift = find(&app, &slug, &id, framed)?;
    let by_script = headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let paid = if by_script {
        serde_json::from_slice(&body)
            .map_err(|_| Problem::Malformed("the card step sent something unreadable: reload the page".into()))?
    } else {
        let form = Form::parse(&body);
        Paid { method: form.get("method"), confirmed: form.get("confirmed") == "true" }
    };
    // The log keeps what is sent as a token, so a card itself is not taken for one.
    let paid = if holds_card_number(&paid.method) { Paid { method: String::new(), ..paid } } else { paid };
    let (screen, vault) = (app.screen(), app.engine().vault());
    if let Verdict::Barred { seconds } = screen.verdict(vault, sender, clock::now().timestamp()) {
        return Err(Problem::TooFast { seconds });
    }
    // The payment goes on when the donor's browser hangs up in the middle of it.
    let cashier = app.cashier_for(gift.id)?.clone();
    let id = gift.id;
    let outcome = tokio::spawn(async move { advance(&cashier, id, paid).await }).await;
    let outcome = outcome.map_err(|error| crate::web::problem::internal(&error))?;
    let (asked_a_bank, standing) = (outcome.is_ok(), over_limit(outcome)?);
    let (declined, now) = (matches!(standing, Standing::Open { .. }), clock::now().timestamp());
    for declined in app.cashiers().iter().flat_map(Cashier::heard_in_line) {
        screen.tried(declined, now);
    }
    // A gift that is held or over a limit never reached a bank: it tells nobody whether a card is good.
    if asked_a_bank && !matches!(standing, Standing::InLine { .. } | Standing::Held | Standing::TurnedAway) {
        screen.tried(declined, now);
        if declined {
            screen.note(vault, sender, Sign::Declined, now);
        }
    }
    if !by_script {
        return match standing {
            Standing::Open { declined: Some(_) } => page(&app, &gift, standing, StatusCode::PAYMENT_REQUIRED),
            Standing::Open { .. }
            | Standing::Action { .. }
            | Standing::Checkout { .. }
            | Standing::InLine { .. }
            | Standing::Processing
            | Standing::Held
            | Standing::TurnedAway
            | Standing::Settled => Ok(see_other(&gift.href)),
        };
    }
    let answer = match standing {
        Standing::Settled => json!({ "state": "settled", "next": gift.href }),
        Standing::Held | Standing::TurnedAway => json!({ "state": "held", "next": gift.href }),
        Standing::Processing => json!({ "state": "processing", "next": gift.href }),
        Standing::Checkout { .. } => json!({ "state": "checkout", "next": gift.href }),
        Standing::InLine { ahead, seconds } => {
            json!({ "state": "line", "ahead": ahead, "seconds": seconds, "next": gift.href })
        }
        Standing::Action { client_secret } => json!({ "state": "action", "client_secret": client_secret }),
        Standing::Open { declined } => {
            let reason = declined.unwrap_or_else(|| "Nothing was charged. Please try again.".into());
            json!({ "state": "declined", "reason": reason })
        }
    };
    Ok(Json(answer).into_response())
}

/// Leads the donor to the processor's own page.
async fn check_out(
    State(app): State<App>,
    Path((slug, id)): Path<(String, String)>,
    SentFrom(sender): SentFrom,
    Framed(framed): Framed,
) -> Result<Response, Problem> {
    let gift = find(&app, &slug, &id, framed)?;
    let form = app.cashier_for(gift.id)?.processor().card_form();
    if !form.has_checkout() {
        return Err(Problem::NotFound);
    }
    if let Verdict::Barred { seconds } = app.screen().verdict(app.engine().vault(), sender, clock::now().timestamp()) {
        return Err(Problem::TooFast { seconds });
    }
    let back_href = format!("{}{}", app.public_url(), gift.href);
    let handover = Handover {
        title: format!("Donation to {}", gift.rally.details.title),
        email: contact(&app, &gift).map(|contact| contact.email).unwrap_or_default(),
        paid_href: format!("{back_href}?{PAID}"),
        back_href,
    };
    // As in paying: it goes on when the donor's browser hangs up.
    let (cashier, id) = (app.cashier_for(gift.id)?.clone(), gift.id);
    let outcome = tokio::spawn(async move { cashier.check_out(id, &handover).await }).await;
    let outcome = outcome.map_err(|error| crate::web::problem::internal(&error))?;
    match over_limit(outcome)? {
        Standing::Checkout { url: Some(url) } => lead_to(&app, &gift, &form, url),
        standing @ Standing::Open { declined: Some(_) } => page(&app, &gift, standing, StatusCode::PAYMENT_REQUIRED),
        Standing::Open { .. }
        | Standing::Action { .. }
        | Standing::Checkout { .. }
        | Standing::InLine { .. }
        | Standing::Processing
        | Standing::Held
        | Standing::TurnedAway
        | Standing::Settled => Ok(see_other(&gift.href)),
    }
}

/// On to the processor's page. A form of ours may lead on to the processor's usual address alone; to another, such as the
/// account's own, a link leads.
fn lead_to(app: &App, gift: &Gift, form: &CardForm, url: String) -> Result<Response, Problem> {
    let is_at = |origin: &String| url.strip_prefix(origin.as_str()).is_some_and(|rest| rest.starts_with('/'));
    if form.sources().form.iter().any(is_at) {
        return Ok(see_other(&url));
    }
    if !url.starts_with("https://") {
        return Err(crate::web::problem::internal(
            &"the processor's page is at no address that a donor could be sent to",
        ));
    }
    let page = Message {
        layout: app.layout("One more step", Some(&gift.rally.details)),
        code: String::new(),
        title: "One more step".into(),
        body: vec!["The payment company’s page for your gift is ready.".into()],
        action: Some((url, "Go on to pay".into())),
        reference: String::new(),
    };
    Ok(Html(page.render()?).into_response())
}

/// A gift over the limit is an answer to the donor, who can give less: nothing was charged.
fn over_limit(outcome: Result<Standing, Trouble>) -> Result<Standing, Trouble> {
    match outcome {
        Err(Trouble::Failure(Failure::Refused(Refusal::Donation(refusal @ donation::Refusal::OverLimit(_))))) => {
            Ok(Standing::Open { declined: Some(sentence(&refusal.to_string())) })
        }
        outcome => outcome,
    }
}

async fn advance(cashier: &Cashier, donation: DonationId, paid: Paid) -> Result<Standing, Trouble> {
    if paid.confirmed { cashier.confirmed(donation).await } else { cashier.pay(donation, paid.method).await }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_line_is_looked_at_the_less_often_the_longer_it_takes() {
        let reload = |seconds| CardState::Line { number: 1, seconds }.reload();
        assert_eq!([1, 16, 120, 1800].map(reload), [2, 4, 30, 60]);
        assert_eq!(
            [1, 16, 99, 100, 1800].map(|seconds| about(&seconds)),
            ["About a second", "About 16 seconds", "About 99 seconds", "About 2 minutes", "About 30 minutes"]
        );
    }
}
