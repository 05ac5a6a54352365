//! `/finance/donations/{id}/refund`: asked first, then given back: all that is left, or the part that is asked for.

use crate::domain::id::{CommitteeId, DonationId, RefundId};
use crate::domain::money::Money;
use crate::projections::totals::timezone;
use crate::web::form::Form;
use crate::web::pages::confirm::Confirm;
use crate::web::pages::excess;
use crate::web::pages::home::when_in_words;
use crate::web::problem::Problem;
use crate::web::session::{Staff, csrf_matches};
use crate::web::view::StaffRoom;
use crate::web::{App, see_other};
use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse, Response};
use uuid::Uuid;

/// Asks first, then gives back what is left of a donation, or the field `amount` of it; `back` says where it was asked.
pub(super) async fn refund(
    State(app): State<App>,
    staff: Staff,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let form = Form::parse(&body);
    if !csrf_matches(&staff, &form.get("csrf")) {
        return Err(Problem::StaleForm);
    }
    let id: DonationId = id.parse().map_err(|_| Problem::NotFound)?;
    let gift = app.engine().world().state.donations.get(id).cloned().ok_or(Problem::NotFound)?;
    let left = Money::new(gift.left_minor(), gift.amount.currency);
    let (back, cancel) = match form.get("back").parse::<CommitteeId>() {
        Ok(committee) => {
            let list = format!("{}?committee={committee}", excess::PATH);
            (format!("{list}&"), list)
        }
        Err(_) => ("/finance?".to_owned(), "/finance".to_owned()),
    };
    let amount = match form.get("amount").as_str() {
        "" => left,
        typed => Money::parse(typed, left.currency).map_err(|error| Problem::Malformed(error.to_string()))?,
    };
    if let Ok(refund) = form.get("refund").parse::<RefundId>() {
        app.cashier_for(id)?.refund(id, refund, amount, &staff.actor()).await?;
        return Ok(see_other(&format!("{back}done=refunded")));
    }
    let pledge = app.engine().world().ledger.pledge(id).cloned();
    let contact = pledge.as_ref().and_then(|pledge| app.contacts().shown(gift.donor, pledge.contact));
    let html = {
        let world = app.engine().world();
        let name = contact.map_or("a donor whose name was erased".into(), |contact| {
            format!("{} {}", contact.first_name, contact.last_name)
        });
        let when = pledge
            .as_ref()
            .map(|pledge| when_in_words(pledge.at, timezone(&world.state, gift.rally)))
            .unwrap_or_default();
        let page = Confirm {
            layout: app.staff_layout("Refund", &staff, StaffRoom::Finance, None),
            question: format!("Refund {} to {name}?", amount.to_exact()),
            consequences: vec![
                format!("Given {when}. The money goes back to the card it came from."),
                "The total goes down, and the refund stands in the file as a row of its own. This can’t be undone."
                    .into(),
            ],
            action: format!("/finance/donations/{id}/refund"),
            fields: vec![
                ("refund".into(), Uuid::now_v7().to_string()),
                ("amount".into(), amount.to_decimal()),
                ("back".into(), form.get("back")),
            ],
            button: format!("Refund {}", amount.to_exact()),
            cancel_href: cancel,
        };
        page.render()?
    };
    Ok(Html(html).into_response())
}
