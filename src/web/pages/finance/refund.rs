//! `/finance/donations/{id}/refund`: asked first, then given back, all that is left or a part; or, above a sum, put before a second
//! person.

use crate::domain::donation::Donation;
use crate::domain::id::{CommitteeId, DonationId, RefundId};
use crate::domain::money::Money;
use crate::domain::refund::{self, Proposed};
use crate::domain::{Command, Refusal};
use crate::engine::Failure;
use crate::projections::totals::timezone;
use crate::web::form::Form;
use crate::web::pages::excess;
use crate::web::pages::home::when_in_words;
use crate::web::problem::{Problem, sentence};
use crate::web::session::{Staff, csrf_matches};
use crate::web::view::{Field, Layout, StaffRoom};
use crate::web::{App, see_other};
use askama::Template;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use uuid::Uuid;

/// The question before a refund.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/refund.html")]
pub struct RefundPage {
    /// The frame around the page.
    pub layout: Layout,
    /// What is asked.
    pub question: String,
    /// What follows from it, in sentences.
    pub consequences: Vec<String>,
    /// Where the form goes.
    pub action: String,
    /// Field `refund`: the form's own id, so that sent twice it gives back once.
    pub refund: String,
    /// Field `amount`.
    pub amount: String,
    /// Field `back`: the committee on whose list of gifts over a limit it was asked; empty elsewhere.
    pub back: String,
    /// Field `reason`, where a second person is to read it.
    pub reason: Option<Field>,
    /// The button's words.
    pub button: String,
    /// Where the donation is.
    pub cancel_href: String,
}

/// Asks first, then gives back what is left of a donation, or the field `amount` of it, or asks a second person.
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
    let (gift, waits) = {
        let world = app.engine().world();
        let gift = world.state.donations.get(id).cloned().ok_or(Problem::NotFound)?;
        (gift, world.state.refunds.of(id).is_some())
    };
    let left = Money::new(gift.left_minor(), gift.amount.currency);
    let Ok(refund) = form.get("refund").parse::<RefundId>() else {
        if waits {
            return Ok(see_other(&format!("/finance/donations/{id}")));
        }
        return question(&app, &staff, id, &gift, &form, None).await;
    };
    let amount = amount_of(&form, left)?;
    if !refund::needs_second(&app.engine().world().state, &gift, amount) {
        app.cashier_for(id)?.refund(id, refund, amount, &staff.actor()).await?;
        let list = back(&form).map_or_else(|| "/finance?".to_owned(), |list| format!("{list}&"));
        return Ok(see_other(&format!("{list}done=refunded")));
    }
    let proposed = Proposed { donation: id, refund, amount, by: staff.id, reason: form.get("reason") };
    let command = Command::Refund(refund::Command::Propose(proposed));
    match app.engine().execute(command, format!("propose-refund:{refund}"), &staff.actor()).await {
        Ok(_) => Ok(see_other(&format!("/finance/donations/{id}?done=refund-asked"))),
        Err(Failure::Refused(Refusal::Refund(refusal @ refund::Refusal::Reason))) => {
            question(&app, &staff, id, &gift, &form, Some(sentence(&refusal.to_string()))).await
        }
        Err(failure) => Err(failure.into()),
    }
}

/// What is asked for: all that is left where the form names no sum.
fn amount_of(form: &Form, left: Money) -> Result<Money, Problem> {
    match form.get("amount").as_str() {
        "" => Ok(left),
        typed => Money::parse(typed, left.currency).map_err(|error| Problem::Malformed(error.to_string())),
    }
}

/// The list of gifts over a limit that it was asked on, where it was.
fn back(form: &Form) -> Option<String> {
    let committee: CommitteeId = form.get("back").parse().ok()?;
    Some(format!("{}?committee={committee}", excess::PATH))
}

async fn question(
    app: &App,
    staff: &Staff,
    id: DonationId,
    gift: &Donation,
    typed: &Form,
    error: Option<String>,
) -> Result<Response, Problem> {
    app.shows(staff, "refund", id.to_string()).await?;
    let pledge = app.engine().world().ledger.pledge(id).cloned();
    let contact = pledge.as_ref().and_then(|pledge| app.contacts().shown(gift.donor, pledge.contact));
    let name = contact.map_or("a donor whose name was erased".into(), |contact| {
        format!("{} {}", contact.first_name, contact.last_name)
    });
    let amount = amount_of(typed, Money::new(gift.left_minor(), gift.amount.currency))?;
    let refund = Some(typed.get("refund")).filter(|id| !id.is_empty()).unwrap_or_else(|| Uuid::now_v7().to_string());
    let status = if error.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let world = app.engine().world();
    let when = pledge.map(|pledge| when_in_words(pledge.at, timezone(&world.state, gift.rally))).unwrap_or_default();
    let needs_second = refund::needs_second(&world.state, gift, amount);
    let mut consequences = vec![
        format!("Given {when}. The money goes back to the card it came from."),
        "The total goes down, and the refund stands in the file as a row of its own. This can’t be undone.".into(),
    ];
    if let Some(above) = world.state.refunds.above_major.filter(|_| needs_second) {
        let currency = amount.currency;
        let above = Money::new(i64::from(above).saturating_mul(currency.minor_per_major()), currency).to_short();
        consequences.push(format!(
            "More than {above} of one donation goes back only when a second person who sees money approves it. Until then it waits."
        ));
    }
    drop(world);
    let page = RefundPage {
        layout: app.staff_layout("Refund", staff, StaffRoom::Finance, None),
        question: format!("Refund {} to {name}?", amount.to_exact()),
        consequences,
        action: format!("/finance/donations/{id}/refund"),
        refund,
        amount: amount.to_decimal(),
        back: typed.get("back"),
        reason: needs_second.then(|| Field { value: typed.get("reason"), error }),
        button: if needs_second { "Ask a second person".into() } else { format!("Refund {}", amount.to_exact()) },
        cancel_href: back(typed).unwrap_or_else(|| format!("/finance/donations/{id}")),
    };
    Ok((status, Html(page.render()?)).into_response())
}
