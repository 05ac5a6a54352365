//! `/r/{slug}/donate/{id}` once the money came: thanks and the receipt.

use askama::Template;

use super::home::when_in_words;
use crate::clock;
use crate::domain::donation;
use crate::domain::id::{DonationId, RallyId};
use crate::domain::money::Money;
use crate::domain::rally::{Phase, Rally};
use crate::log;
use crate::projections::totals::timezone;
use crate::web::problem::{self, Problem};
use crate::web::view::letters::ReceiptMail;
use crate::web::view::{Layout, Total};
use crate::web::{App, present};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

/// The page after a donation.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/thanks.html")]
pub struct Thanks {
    /// The frame around the page.
    pub layout: Layout,
    /// The rally's title.
    pub rally_title: String,
    /// The rally's page.
    pub rally_href: String,
    /// Whether its doors are open, so that the way back says so.
    pub rally_live: bool,
    /// The donor's first name; empty where it was erased.
    pub first_name: String,
    /// The amount with its currency: `$50`.
    pub amount: String,
    /// The receipt's lines.
    pub receipt: Vec<ReceiptLine>,
    /// What became of the receipt by mail, and the address as typed; none where no mail is sent.
    pub receipt_mail: Option<(ReceiptMail, String)>,
    /// Live part: the total with this donation in it.
    pub total: Total,
    /// The whole address, to pass on.
    pub share_url: String,
    /// The recurring gift that this is one of: in words, and where its donor changes it.
    pub plan: Option<(String, String)>,
    /// Where a single gift is made a monthly one; none where it is one of a recurring gift.
    pub monthly_href: Option<String>,
    /// Where the proof that it stands in the log is had.
    pub proof_href: String,
    /// Who pays for it, as the law wants it said.
    pub paid_for_by: String,
}

/// One line of a receipt.
#[derive(Debug, Clone)]
pub struct ReceiptLine {
    /// `Date`, `Receipt number`, `Card`.
    pub label: String,
    /// What stands beside it.
    pub value: String,
}

/// Bytes of a donor's own refcode: some millions of donors have one of their own.
const REFCODE_BYTES: usize = 5;

/// The routes of this page; the page itself is the card step's last state.
pub fn routes() -> Router<App> {
    Router::new().route("/r/{slug}/donate/{id}/proof.json", get(proof))
}

/// The proof that the donation stands in the log, against the head as it is now.
async fn proof(State(app): State<App>, Path((slug, id)): Path<(String, String)>) -> Result<Response, Problem> {
    let (rally, _) = app.rally(&slug)?;
    let id: DonationId = id.parse().map_err(|_| Problem::NotFound)?;
    let seq = {
        let world = app.engine().world();
        let row = world.ledger.settled(id).filter(|row| row.rally == rally).ok_or(Problem::NotFound)?;
        row.seq
    };
    let reader = app.engine().reader().clone();
    let proof = tokio::task::spawn_blocking(move || reader.prove(seq)).await;
    match proof.map_err(|error| problem::internal(&error))? {
        Ok(proof) => {
            let headers = [
                (CONTENT_TYPE, "application/json".to_owned()),
                (CONTENT_DISPOSITION, format!("attachment; filename=\"proof-{id}.json\"")),
            ];
            Ok((headers, proof.to_json()).into_response())
        }
        Err(log::Fault::NoProof { .. }) => {
            Err(Problem::Refused("This donation is older than the form of log that proofs can be made from.".into()))
        }
        Err(fault) => Err(problem::internal(&fault)),
    }
}

/// The refcode by which a donor's friends are told from others': it says nothing of the donation to who reads it.
fn own_refcode(app: &App, id: DonationId) -> String {
    let hash = app.engine().vault().derive("refcode of", id.to_string().as_bytes());
    hash.iter().take(REFCODE_BYTES).fold("friend-".to_owned(), |code, byte| format!("{code}{byte:02x}"))
}

/// The page once the money is there.
///
/// # Errors
/// [`Problem`] where it can't be made.
pub fn page(
    app: &App,
    rally_id: RallyId,
    rally: &Rally,
    id: DonationId,
    gift: &donation::Donation,
    framed: bool,
) -> Result<Response, Problem> {
    let details = &rally.details;
    let rally_href = format!("/r/{}", details.slug);
    // The log is read before the projections are held.
    let pledged = app.engine().world().ledger.pledge(id).map(|pledge| pledge.contact);
    let contact = pledged.and_then(|at| app.contacts().shown(gift.donor, at));
    let html = {
        let world = app.engine().world();
        // The handler's copy may be older than the settlement that brought it here.
        let gift = world.state.donations.get(id).unwrap_or(gift);
        let row = world.ledger.settled(id);
        let paid = Money::new(gift.settled_minor(), details.currency);
        let zone = timezone(&world.state, rally_id);
        let line = |label: &str, value: String| ReceiptLine { label: label.into(), value };
        let mut receipt = vec![line("Amount", paid.to_exact())];
        if let Some(cover) = world.ledger.pledge(id).and_then(|pledge| pledge.covers_fee) {
            receipt.push(line("Of it for the card company’s fee", cover.to_exact()));
        }
        for (name, amount) in present::joint::parts(&world.state.committees, &gift.parts) {
            receipt.push(line(&format!("Of it for {name}"), amount));
        }
        if gift.refunded_minor() > 0 {
            receipt.push(line("Refunded", Money::new(gift.refunded_minor(), details.currency).to_exact()));
        }
        if gift.disputed_minor() > 0 {
            receipt.push(line("Disputed", Money::new(gift.disputed_minor(), details.currency).to_exact()));
        }
        if gift.returned_minor() > 0 {
            let returned = Money::new(gift.returned_minor(), details.currency);
            receipt.push(line("Taken back by your bank", returned.to_exact()));
        }
        let name = contact.as_ref().map(|contact| format!("{} {}", contact.first_name, contact.last_name));
        receipt.push(line("Given by", name.unwrap_or_else(|| present::ERASED.into())));
        receipt.push(line("Date", when_in_words(row.map_or_else(clock::now, |row| row.at), zone)));
        if let Some(card) = row.and_then(|row| row.card.clone()) {
            receipt.push(line("Card", card.into()));
        }
        receipt.push(line("Receipt number", id.to_string()));
        let mailed = row.and_then(|row| present::letters::receipt(&world, id, &row.payment));
        let plan = super::plan::line(app, &world, id);
        let page = Thanks {
            layout: Layout { framed, ..app.layout("Thank you", Some(details)) },
            rally_title: details.title.clone(),
            share_url: format!("{}{rally_href}?via=shared&refcode={}", app.public_url(), own_refcode(app, id)),
            rally_href,
            rally_live: matches!(rally.phase, Phase::Live { .. }),
            receipt_mail: mailed.zip(contact.as_ref().map(|contact| contact.email.clone())),
            first_name: contact.map(|contact| contact.first_name).unwrap_or_default(),
            amount: paid.to_short(),
            receipt,
            total: present::total(&world, rally_id, rally),
            monthly_href: plan.is_none().then(|| format!("/r/{}/donate?monthly=1&again={id}", details.slug)),
            plan,
            proof_href: format!("/r/{}/donate/{id}/proof.json", details.slug),
            paid_for_by: details.paid_for_by.clone(),
        };
        page.render()?
    };
    Ok(Html(html).into_response())
}
