//! `/r/{slug}/donate`: who gives, and how much.

use askama::Template;

use crate::domain::donation::{self, AMOUNT_MINOR_MAX, ATTESTATIONS, REFCODE_CHARS_MAX};
use crate::domain::id::DonationId;
use crate::domain::money::{Currency, Money};
use crate::domain::profile::{Contact, Shown};
use crate::domain::rally::Details;
use crate::domain::seals::{CONTACT, SHOWN};
use crate::domain::{Command, Refusal};
use crate::engine::Failure;
use crate::web::form::{Errors, Form};
use crate::web::problem::Problem;
use crate::web::session::capability;
use crate::web::view::{Amount, Choice, Field, FormError, Layout};
use crate::web::{App, present, see_other};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

/// The donate form; the card comes on the next page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/donate.html")]
pub struct Donate {
    /// The frame around the page.
    pub layout: Layout,
    /// The rally's title.
    pub rally_title: String,
    /// The rally's page; the form is sent to it with `/donate` after it.
    pub rally_href: String,
    /// Sent back in field `form_token`, so that a form sent twice gives once.
    pub form_token: String,
    /// What is wrong, when the form was refused.
    pub errors: Vec<FormError>,
    /// Suggested amounts, field `amount`; `other` is the last choice.
    pub amounts: Vec<Amount>,
    /// Whether `other` is chosen.
    pub other_selected: bool,
    /// Field `amount_other`; its error is also the error of the amount as a whole.
    pub amount_other: Field,
    /// The sign before an amount: `$`.
    pub currency_symbol: String,
    /// The currency's code: `USD`.
    pub currency_code: String,
    /// The least and the most that may be given: `From $1 to $3,300.`
    pub amount_hint: String,
    /// Field `first_name`.
    pub first_name: Field,
    /// Field `last_name`.
    pub last_name: Field,
    /// Field `email`.
    pub email: Field,
    /// Field `address`.
    pub address: Field,
    /// Field `city`.
    pub city: Field,
    /// Field `region`: state or region.
    pub region: Field,
    /// Field `postal`.
    pub postal: Field,
    /// Field `country`: countries, the likely ones first.
    pub countries: Vec<Choice>,
    /// What is wrong with the country.
    pub country_error: Option<String>,
    /// Field `employer`.
    pub employer: Field,
    /// Field `occupation`.
    pub occupation: Field,
    /// Field `not_employed`: neither employer nor occupation is asked.
    pub not_employed: bool,
    /// Field `show_as`: how the name is shown (`full`, `first`, `anonymous`).
    pub show_as: Vec<Choice>,
    /// Field `message`.
    pub message: Field,
    /// The most characters a message may have.
    pub message_chars_max: u32,
    /// What the donor confirms, each a checkbox `attest` with its id as value.
    pub attestations: Vec<Attestation>,
    /// Field `refcode`, hidden: from the link that led here.
    pub refcode: String,
    /// Who pays for it, as the law wants it said.
    pub paid_for_by: String,
}

/// A statement the donor confirms.
#[derive(Debug, Clone)]
pub struct Attestation {
    /// The id the form sends.
    pub id: String,
    /// The statement, in the first person.
    pub wording: String,
    /// Whether it was confirmed.
    pub checked: bool,
    /// What is wrong with it.
    pub error: Option<String>,
}

/// Characters of a name, a street, an employer: what the filing format and a screen can hold.
const LINE_CHARS_MAX: usize = 100;
/// Characters of a postal code.
const POSTAL_CHARS_MAX: usize = 16;
/// Characters of a message to the room: it is read in a list, and aloud.
const MESSAGE_CHARS_MAX: usize = 200;
/// What is filed for a donor without employer and occupation.
const NOT_EMPLOYED: &str = "Not employed";

/// Countries, the likely ones first (ISO 3166-1 alpha-2).
const COUNTRIES: &[(&str, &str)] = &[
    ("US", "United States"),
    ("CA", "Canada"),
    ("GB", "United Kingdom"),
    ("AU", "Australia"),
    ("DE", "Germany"),
    ("ES", "Spain"),
    ("FR", "France"),
    ("IE", "Ireland"),
    ("IL", "Israel"),
    ("IN", "India"),
    ("IT", "Italy"),
    ("JP", "Japan"),
    ("KR", "South Korea"),
    ("MX", "Mexico"),
    ("NL", "Netherlands"),
    ("NZ", "New Zealand"),
    ("CH", "Switzerland"),
];

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/r/{slug}/donate", get(show).post(pledge))
}

async fn show(
    State(app): State<App>,
    Path(slug): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    let (_, rally) = app.rally(&slug)?;
    let form = match query.get("again").parse::<DonationId>() {
        Ok(id) => typed_before(&app, id).unwrap_or_else(|| query.clone()),
        Err(_) => query.clone(),
    };
    page(&app, &rally.details, &form, &Errors::default(), StatusCode::OK)
}

/// What a donor typed for a donation, to change it. Its address is a key that only they have.
fn typed_before(app: &App, id: DonationId) -> Option<Form> {
    let (gift, seq) = {
        let world = app.engine().world();
        (world.state.donations.get(id)?.clone(), world.ledger.pledge(id)?.seq)
    };
    let Contact { first_name, last_name, email, line, city, region, postal, country, employer, occupation } =
        app.contacts().shown(gift.donor, seq)?;
    let amount = present::typed(gift.amount);
    let mut fields = vec![
        ("amount", amount.clone()),
        ("first_name", first_name),
        ("last_name", last_name),
        ("email", email),
        ("address", line),
        ("city", city),
        ("region", region),
        ("postal", postal),
        ("country", country),
    ];
    if employer == NOT_EMPLOYED {
        fields.push(("not_employed", "yes".into()));
    } else {
        fields.extend([("employer", employer), ("occupation", occupation)]);
    }
    Some(Form::from_pairs(fields))
}

fn page(app: &App, details: &Details, form: &Form, errors: &Errors, status: StatusCode) -> Result<Response, Problem> {
    let currency = details.currency;
    let (asked, other) = asked_amount(form, currency);
    let chosen = asked.ok().filter(|money| details.suggested_minor.contains(&money.minor));
    let wants_other = form.get("amount") == "other" || (chosen.is_none() && !other.is_empty());
    let mut amounts = present::amounts(details, chosen);
    if wants_other {
        amounts.iter_mut().for_each(|amount| amount.selected = false);
    }
    let country = Some(form.get("country")).filter(|code| !code.is_empty()).unwrap_or_else(|| "US".into());
    let show_as = Some(form.get("show_as")).filter(|choice| !choice.is_empty()).unwrap_or_else(|| "first".into());
    let choice = |value: &str, label: &str, chosen: &str| Choice {
        value: value.into(),
        label: label.into(),
        selected: value == chosen,
    };
    let field = |name: &'static str| errors.field(name, form.get(name));
    let given = form.all("attest");
    let attestation = |(id, wording): &(&'static str, &str)| Attestation {
        id: (*id).into(),
        wording: (*wording).into(),
        checked: given.iter().any(|given| given == id),
        error: errors.of(&format!("attest-{id}")),
    };
    let token = Some(form.get("form_token")).filter(|token| !token.is_empty());
    let page = Donate {
        layout: app.layout(&format!("Donate to {}", details.title), Some(details)),
        rally_title: details.title.clone(),
        rally_href: format!("/r/{}", details.slug),
        form_token: token.unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
        errors: errors.summary(),
        amounts,
        other_selected: wants_other,
        amount_other: errors.field("amount_other", if wants_other { other } else { String::new() }),
        currency_symbol: currency.symbol().trim().into(),
        currency_code: currency.code().into(),
        amount_hint: format!("From {} to {}.", smallest(currency).to_short(), largest(currency).to_short()),
        first_name: field("first_name"),
        last_name: field("last_name"),
        email: field("email"),
        address: field("address"),
        city: field("city"),
        region: field("region"),
        postal: field("postal"),
        countries: COUNTRIES.iter().map(|(code, name)| choice(code, name, &country)).collect(),
        country_error: errors.of("country"),
        employer: field("employer"),
        occupation: field("occupation"),
        not_employed: form.has("not_employed"),
        show_as: vec![
            choice("first", "First name and city", &show_as),
            choice("full", "Full name and city", &show_as),
            choice("anonymous", "Anonymous", &show_as),
        ],
        message: errors.field("message", form.get("message")),
        message_chars_max: u32::try_from(MESSAGE_CHARS_MAX).unwrap_or(200),
        attestations: ATTESTATIONS.iter().map(attestation).collect(),
        refcode: form.get("refcode").chars().take(REFCODE_CHARS_MAX).collect(),
        paid_for_by: details.paid_for_by.clone(),
    };
    Ok((status, Html(page.render()?)).into_response())
}

fn smallest(currency: Currency) -> Money {
    Money::new(currency.minor_per_major(), currency)
}

fn largest(currency: Currency) -> Money {
    Money::new(AMOUNT_MINOR_MAX, currency)
}

/// The amount that was chosen or typed, and what to show in the field for another one.
fn asked_amount(form: &Form, currency: Currency) -> (Result<Money, String>, String) {
    let chosen = form.get("amount");
    let typed = if chosen == "other" || chosen.is_empty() { form.get("amount_other") } else { chosen };
    let money = Money::parse(&typed, currency).map_err(|error| {
        let text = error.to_string();
        let mut chars = text.chars();
        let first: String = chars.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
        format!("{first}{}.", chars.as_str())
    });
    (money, typed)
}

async fn pledge(State(app): State<App>, Path(slug): Path<String>, body: Bytes) -> Result<Response, Problem> {
    let (rally_id, rally) = app.rally(&slug)?;
    let details = &rally.details;
    let form = Form::parse(&body);
    let mut errors = Errors::default();
    let amount = asked_amount(&form, details.currency).0.unwrap_or_else(|error| {
        errors.add("amount_other", error);
        smallest(details.currency)
    });
    let contact = read_contact(&form, &mut errors);
    let message = form.get("message");
    errors.limit("message", &message, MESSAGE_CHARS_MAX);
    let given = form.all("attest");
    for (id, wording) in ATTESTATIONS {
        if !given.iter().any(|given| given == id) {
            errors.add(attest_field(id), format!("Please confirm: “{wording}”"));
        }
    }
    if !errors.is_empty() {
        return page(&app, details, &form, &errors, StatusCode::UNPROCESSABLE_ENTITY);
    }
    // The same form sent twice is one donation; a form that was changed is another.
    let id = DonationId(capability(app.engine().vault(), "donation", &body));
    let donor = app.engine().vault().person_id(&contact.email);
    let shown = shown(&form, &contact, message);
    let pledge = donation::Pledged {
        donation: id,
        rally: rally_id,
        donor,
        amount,
        contact: app.seal(donor, CONTACT, &contact)?,
        shown: app.seal(donor, SHOWN, &shown)?,
        attestations: ATTESTATIONS.iter().map(|(id, _)| (*id).to_owned()).collect(),
        // A mail program that puts the address into its link must not put it into the log in the clear.
        refcode: Some(form.get("refcode")).filter(|code| !code.is_empty() && !code.contains('@')),
    };
    let command = Command::Donation(donation::Command::Pledge(pledge));
    match app.engine().execute(command, format!("pledge:{id}"), &format!("donor:{donor}")).await {
        Ok(_) => Ok(see_other(&format!("/r/{}/donate/{id}", details.slug))),
        Err(Failure::Refused(Refusal::Donation(refusal))) => {
            errors.add("amount_other", format!("{}.", capitalised(&refusal.to_string())));
            page(&app, details, &form, &errors, StatusCode::UNPROCESSABLE_ENTITY)
        }
        Err(failure) => Err(failure.into()),
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| format!("{}{}", first.to_uppercase(), chars.as_str())).unwrap_or_default()
}

fn attest_field(id: &str) -> &'static str {
    match id {
        "us-person-1" => "attest-us-person-1",
        "own-funds-1" => "attest-own-funds-1",
        "own-card-1" => "attest-own-card-1",
        "not-contractor-1" => "attest-not-contractor-1",
        _ => "attest-adult-1",
    }
}

/// A required line of the form.
fn line(form: &Form, errors: &mut Errors, field: &'static str, missing: &str) -> String {
    let value = form.get(field);
    errors.require(field, &value, LINE_CHARS_MAX, missing);
    value
}

/// Reads who gives, in the order of the form, so that the summary of what is wrong reads from its top to its end.
fn read_contact(form: &Form, errors: &mut Errors) -> Contact {
    let first_name = line(form, errors, "first_name", "Enter your first name.");
    let last_name = line(form, errors, "last_name", "Enter your last name.");
    let email = form.get("email");
    errors.email("email", &email);
    let address = line(form, errors, "address", "Enter your street address.");
    let city = line(form, errors, "city", "Enter your city.");
    let region = line(form, errors, "region", "Enter your state or region.");
    let postal = form.get("postal");
    errors.require("postal", &postal, POSTAL_CHARS_MAX, "Enter your postal code.");
    let country = form.get("country");
    if !COUNTRIES.iter().any(|(code, _)| *code == country) {
        errors.add("country", "Choose your country.");
    }
    let (employer, occupation) = if form.has("not_employed") {
        (NOT_EMPLOYED.into(), NOT_EMPLOYED.into())
    } else {
        let or_tick = "or tick the box if you are not employed or retired.";
        (
            line(form, errors, "employer", &format!("Enter your employer, {or_tick}")),
            line(form, errors, "occupation", &format!("Enter your occupation, {or_tick}")),
        )
    };
    Contact { first_name, last_name, email, line: address, city, region, postal, country, employer, occupation }
}

fn shown(form: &Form, contact: &Contact, message: String) -> Shown {
    let place = Some(contact.city.clone());
    let (name, place) = match form.get("show_as").as_str() {
        "full" => (format!("{} {}", contact.first_name, contact.last_name), place),
        "anonymous" => ("Anonymous".into(), None),
        _ => (contact.first_name.clone(), place),
    };
    Shown { name, place, message: Some(message).filter(|message| !message.is_empty()) }
}
