//! `/r/{slug}/donate`: who gives, and how much.

use askama::Template;

use crate::clock;
use crate::domain::committee::{Abroad, Rules};
use crate::domain::donation::{self, ATTESTATIONS, Giver, REFCODE_CHARS_MAX};
use crate::domain::id::{DonationId, PersonId, RallyId};
use crate::domain::likeness::likeness;
use crate::domain::likeness::traces::{mailbox, namesake};
use crate::domain::money::Money;
use crate::domain::profile::Contact;
use crate::domain::rally::{Details, Rally};
use crate::domain::seals::{CONTACT, SHOWN};
use crate::domain::{self, Command, Refusal, plan};
use crate::engine::Failure;
use crate::vault::Vault;
use crate::web::form::{Errors, Form};
use crate::web::gift::{self, ALIAS_CHARS_MAX, COUNTRIES, Gift, MESSAGE_CHARS_MAX, NOT_EMPLOYED};
use crate::web::problem::{Problem, sentence};
use crate::web::screen::{BITS, Effort, Sender, Sign, Verdict, WAIT_SECONDS};
use crate::web::session::capability;
use crate::web::view::{Amount, Choice, Field, FormError, Layout};
use crate::web::{App, Framed, SentFrom, came, known, present, see_other};
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
    /// What is wrong, when the form was refused.
    pub errors: Vec<FormError>,
    /// The matches that run: `Every gift is doubled until 9:00 pm EDT by the Rivera family`.
    pub matches: Vec<String>,
    /// How the gift is shared out among committees, in sentences; empty where one has all of it.
    pub formula: Vec<String>,
    /// Suggested amounts, field `amount`; `other` is the last choice.
    pub amounts: Vec<Amount>,
    /// Whether `other` is chosen.
    pub other_selected: bool,
    /// Field `amount_other`; its error is also the error of the amount as a whole.
    pub amount_other: Field,
    /// Field `every`: how often.
    pub frequencies: Vec<Choice>,
    /// What is wrong with that.
    pub every_error: Option<String>,
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
    /// Whether who lives abroad is asked for a passport's number.
    pub asks_passport: bool,
    /// Field `passport`.
    pub passport: Field,
    /// Field `employer`.
    pub employer: Field,
    /// Field `occupation`.
    pub occupation: Field,
    /// Field `not_employed`: neither employer nor occupation is asked.
    pub not_employed: bool,
    /// Field `show_as`: how the name is shown (`full`, `first`, `alias`, `anonymous`).
    pub show_as: Vec<Choice>,
    /// Field `alias`: the name to show for the one of them.
    pub alias: Field,
    /// The most characters an alias may have.
    pub alias_chars_max: usize,
    /// Field `message`.
    pub message: Field,
    /// The most characters a message may have.
    pub message_chars_max: usize,
    /// What the donor confirms with the box `attest`, in the first person.
    pub attestations: Vec<String>,
    /// Whether it is confirmed.
    pub attested: bool,
    /// What is wrong with that.
    pub attest_error: Option<String>,
    /// The offer to cover the fee; absent where there is none.
    pub cover: Option<Cover>,
    /// A task for the sender, where a person is to be told from a machine.
    pub effort: Option<EffortView>,
    /// Hidden fields: where the donor comes from and when.
    pub hidden: Vec<(&'static str, String)>,
    /// Who pays for it, as the law wants it said.
    pub paid_for_by: String,
}

/// The offer to cover the processor's fee.
#[derive(Debug, Clone)]
pub struct Cover {
    /// Whether it is taken up.
    pub checked: bool,
    /// The exact sum for the amount that is chosen: `$1.80`; empty where none is.
    pub sum: String,
    /// The fee in words: `2.9 % and $0.30`.
    pub rate: String,
    /// The share, in hundredths of a percent, for the page's script.
    pub basis_points: u16,
    /// The fixed sum in minor units, for the page's script.
    pub fixed_minor: i64,
    /// Decimal digits of the currency, for the page's script.
    pub exponent: u32,
}

/// A task for the sender's computer.
#[derive(Debug, Clone)]
pub struct EffortView {
    /// The task.
    pub token: String,
    /// How hard it is.
    pub bits: u32,
    /// How long to wait instead.
    pub seconds: i64,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/r/{slug}/donate", get(show).post(pledge))
}

async fn show(
    State(app): State<App>,
    Path(slug): Path<String>,
    RawQuery(query): RawQuery,
    Framed(framed): Framed,
) -> Result<Response, Problem> {
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    let (id, rally) = app.rally(&slug)?;
    app.cashiers().of(rally.details.committee).ok_or_else(takes_none)?;
    let mut errors = Errors::default();
    let form = preset(gift::without_card_numbers(query, &mut errors));
    let form = match form.get("again").parse::<DonationId>() {
        Ok(id) => form.over(typed_before(&app, id).unwrap_or_default()),
        Err(_) => match known::person(app.engine().vault(), &form.get("known"), clock::now().timestamp()) {
            Some(person) => form.over(typed_last(&app, person).unwrap_or_default()),
            None => form,
        },
    };
    Page { app: &app, id, rally: &rally, form: &form, errors: &errors, effort: false, framed }.answer(StatusCode::OK)
}

/// What a donor reads where a committee's account is not in the settings any more.
pub fn takes_none() -> Problem {
    Problem::Refused("This committee takes no gifts here at the moment. Nothing was charged.".into())
}

/// A link may choose how often: `?monthly=1`, `?weekly=1`.
fn preset(form: Form) -> Form {
    let asks = |name: &str| matches!(form.get(name).as_str(), "1" | "true" | "yes");
    let every = if asks("monthly") {
        "month"
    } else if asks("weekly") {
        "week"
    } else {
        return form;
    };
    form.over(Form::from_pairs([("every", every.to_owned())]))
}

/// What a person typed for the last donation they offered a card for.
fn typed_last(app: &App, person: PersonId) -> Option<Form> {
    let last = app.engine().world().state.donations.last_of(person)?;
    typed_before(app, last).map(|form| form.without("amount").without("every"))
}

/// What a donor typed for a donation, to change it. Its address is a key that only they have.
fn typed_before(app: &App, id: DonationId) -> Option<Form> {
    let (gift, covers, at, every) = {
        let world = app.engine().world();
        let pledge = world.ledger.pledge(id)?;
        let every = world.state.plans.of_donation(id).map_or("once", |(_, plan)| plan.rhythm.every.word());
        (world.state.donations.get(id)?.clone(), pledge.covers_fee, pledge.contact, every)
    };
    let Contact { first_name, last_name, email, line, city, region, postal, country, employer, occupation, passport } =
        app.contacts().shown(gift.donor, at)?;
    let asked = covers.and_then(|cover| gift.amount.checked_sub(cover).ok()).unwrap_or(gift.amount);
    let mut fields = vec![
        ("amount", present::typed(asked)),
        ("every", every.to_owned()),
        ("first_name", first_name),
        ("last_name", last_name),
        ("email", email),
        ("address", line),
        ("city", city),
        ("region", region),
        ("postal", postal),
        ("country", country),
        ("passport", passport.unwrap_or_default()),
    ];
    if covers.is_some() {
        fields.push(("cover_fee", "yes".into()));
    }
    if employer == NOT_EMPLOYED {
        fields.push(("not_employed", "yes".into()));
    } else {
        fields.extend([("employer", employer), ("occupation", occupation)]);
    }
    Some(Form::from_pairs(fields))
}

/// All that the page is made of.
struct Page<'a> {
    app: &'a App,
    id: RallyId,
    rally: &'a Rally,
    form: &'a Form,
    errors: &'a Errors,
    effort: bool,
    framed: bool,
}

impl Page<'_> {
    fn answer(&self, status: StatusCode) -> Result<Response, Problem> {
        let Self { app, rally, form, errors, .. } = self;
        let details = &rally.details;
        let currency = details.currency;
        let now = clock::now();
        let (rules, last_day, on_program, matches, formula, most) = {
            let world = app.engine().world();
            let matches = present::drive::running(&world, self.id, rally, now);
            let committees = &world.state.committees;
            let formula = present::joint::formula(committees, details.committee);
            let on_program = world.state.broadcast.on_program(self.id);
            let last_day = committees.last_day(details.committee, details.day_of(now), currency);
            let rules = committees.rules(details.committee);
            (rules, last_day, on_program, matches, formula, most(&world.state, details))
        };
        let (asked, other) = gift::asked_amount(form, currency);
        let asked = asked.ok();
        let mut amounts = present::amounts(details, asked);
        amounts.retain(|amount| Money::parse(&amount.value, currency).is_ok_and(|money| money.minor <= most.minor));
        let is_offered = asked.is_some_and(|asked| details.suggested_minor.contains(&asked.minor));
        let wants_other = form.get("amount") == "other" || (!is_offered && !other.is_empty());
        if wants_other {
            amounts.iter_mut().for_each(|amount| amount.selected = false);
        }
        let chosen = amounts.iter().find(|amount| amount.selected).map(|amount| amount.value.clone());
        let asked = asked.or_else(|| Money::parse(&chosen?, currency).ok());
        let or = |name: &str, default: &str| {
            Some(form.get(name)).filter(|typed| !typed.is_empty()).unwrap_or_else(|| default.into())
        };
        let (country, show_as) = (or("country", "US"), or("show_as", "first"));
        let choice = |value: &str, label: &str, chosen: &str| Choice {
            value: value.into(),
            label: label.into(),
            selected: value == chosen,
        };
        let field = |name: &'static str| errors.field(name, form.get(name));
        let (vault, form_token) = (app.engine().vault(), or("form_token", &uuid::Uuid::new_v4().to_string()));
        let effort = self.effort.then(|| EffortView {
            token: Effort::task(vault, &uuid::Uuid::new_v4().to_string(), now.timestamp()),
            bits: BITS,
            seconds: WAIT_SECONDS,
        });
        let hidden = vec![
            ("form_token", form_token),
            ("refcode", form.get("refcode").chars().take(REFCODE_CHARS_MAX).collect()),
            ("via", came::way(&form.get("via")).word().to_owned()),
            ("opened", or("opened", &came::mark(vault, on_program, now))),
            ("known", form.get("known")),
        ];
        let page = Donate {
            layout: Layout {
                framed: self.framed,
                ..app.layout(&format!("Donate to {}", details.title), Some(details))
            },
            rally_title: details.title.clone(),
            rally_href: format!("/r/{}", details.slug),
            errors: errors.summary(),
            matches,
            formula,
            amounts,
            other_selected: wants_other,
            amount_other: errors.field("amount_other", if wants_other { other } else { String::new() }),
            frequencies: gift::frequencies(&form.get("every"), last_day, true),
            every_error: errors.of("every"),
            currency_symbol: currency.symbol().trim().into(),
            currency_code: currency.code().into(),
            amount_hint: format!("From {} to {}.", gift::smallest(currency).to_short(), most.to_short()),
            first_name: field("first_name"),
            last_name: field("last_name"),
            email: field("email"),
            address: field("address"),
            city: field("city"),
            region: field("region"),
            postal: field("postal"),
            countries: COUNTRIES.iter().map(|(code, name)| choice(code, name, &country)).collect(),
            country_error: errors.of("country"),
            asks_passport: rules.abroad == Abroad::WithPassport,
            passport: field("passport"),
            employer: field("employer"),
            occupation: field("occupation"),
            not_employed: form.has("not_employed"),
            show_as: vec![
                choice("first", "First name and city", &show_as),
                choice("full", "Full name and city", &show_as),
                choice("alias", "Another name", &show_as),
                choice("anonymous", "Anonymous", &show_as),
            ],
            alias: field("alias"),
            alias_chars_max: ALIAS_CHARS_MAX,
            message: field("message"),
            message_chars_max: MESSAGE_CHARS_MAX,
            attestations: ATTESTATIONS.iter().map(|(_, wording)| (*wording).into()).collect(),
            attested: ATTESTATIONS.iter().all(|(id, _)| gift::confirms(form, id)),
            attest_error: errors.of("attest"),
            cover: cover(&rules, form, asked, currency.exponent()),
            effort,
            hidden: hidden.into_iter().filter(|(_, value)| !value.is_empty()).collect(),
            paid_for_by: details.paid_for_by.clone(),
        };
        Ok((status, Html(page.render()?)).into_response())
    }
}

/// The offer to cover the fee of what is asked, where rules and currency make one.
fn cover(rules: &Rules, form: &Form, asked: Option<Money>, exponent: u32) -> Option<Cover> {
    let fee = rules.fee?;
    let sum = match asked {
        Some(asked) => fee.cover(asked)?.to_exact(),
        None => String::new(),
    };
    let (percent, hundredths) = (fee.basis_points / 100, fee.basis_points % 100);
    let percent = format!("{percent}.{hundredths:02}").trim_end_matches('0').trim_end_matches('.').to_owned();
    Some(Cover {
        checked: form.has("cover_fee"),
        sum,
        rate: format!("{percent} % and {}", fee.fixed.to_exact()),
        basis_points: fee.basis_points,
        fixed_minor: fee.fixed.minor,
        exponent,
    })
}

/// The most that anybody may give here today at once.
fn most(state: &domain::State, details: &Details) -> Money {
    let largest = gift::largest(details.currency);
    let room = donation::room(state, &anybody(details, largest), None);
    room.map(|room| room.left).filter(|left| left.minor < largest.minor).unwrap_or(largest)
}

/// A gift of somebody who never gave.
fn anybody(details: &Details, amount: Money) -> donation::Gift {
    let giver = Giver { donor: PersonId(uuid::Uuid::nil()), likeness: None };
    donation::Gift { committee: details.committee, giver, day: details.day_of(clock::now()), amount }
}

async fn pledge(
    State(app): State<App>,
    Path(slug): Path<String>,
    SentFrom(sender): SentFrom,
    Framed(framed): Framed,
    body: Bytes,
) -> Result<Response, Problem> {
    let (rally_id, rally) = app.rally(&slug)?;
    let details = &rally.details;
    let now = clock::now();
    app.cashiers().of(details.committee).ok_or_else(takes_none)?;
    let (rules, last_day) = {
        let committees = &app.engine().world().state.committees;
        let last_day = committees.last_day(details.committee, details.day_of(now), details.currency);
        (committees.rules(details.committee), last_day)
    };
    let mut errors = Errors::default();
    let form = gift::without_card_numbers(Form::parse(&body), &mut errors);
    let gift = gift::read(&form, &rules, details.currency, &mut errors);
    let rhythm = gift::asked_rhythm(&form, last_day, &mut errors);
    let vault = app.engine().vault();
    let giver = Giver {
        donor: vault.person_id(&gift.contact.email),
        likeness: Some(vault.likeness_id(&likeness(&gift.contact))),
    };
    if errors.of("amount_other").is_none() {
        check_limit(&app, &form, &gift, giver, &rally, &mut errors);
    }
    let again = |errors: &Errors, effort: bool| {
        let page = Page { app: &app, id: rally_id, rally: &rally, form: &form, errors, effort, framed };
        page.answer(StatusCode::UNPROCESSABLE_ENTITY)
    };
    if !errors.is_empty() {
        return again(&errors, false);
    }
    let came = came::read(vault, &form.get("via"), &form.get("opened"), now);
    if !is_let_through(&app, sender, &form, came.as_ref())? {
        return again(&errors, true);
    }
    // The same form sent twice is one donation; a form that was changed is another.
    let id = DonationId(capability(vault, "donation", &body));
    let pledge = donation::Pledged {
        donation: id,
        rally: rally_id,
        donor: giver.donor,
        amount: gift.amount,
        contact: app.seal(giver.donor, CONTACT, &gift.contact)?,
        shown: app.seal(giver.donor, SHOWN, &gift.shown)?,
        attestations: ATTESTATIONS.iter().map(|(id, _)| (*id).to_owned()).collect(),
        // A mail program that puts the address into its link must not put it into the log in the clear.
        refcode: Some(form.get("refcode")).filter(|code| !code.is_empty() && !code.contains('@')),
        likeness: giver.likeness,
        covers_fee: gift.covers_fee,
        came,
        on_program: None,
        traces: traces(vault, &gift.contact, giver.donor),
    };
    let command = match rhythm {
        None => Command::Donation(donation::Command::Pledge(pledge)),
        Some(rhythm) => Command::Plan(plan::Command::Pledge { pledge: Box::new(pledge), rhythm }),
    };
    match app.engine().execute(command, format!("pledge:{id}"), &format!("donor:{}", giver.donor)).await {
        Ok(_) => Ok(see_other(&format!("/r/{}/donate/{id}", details.slug))),
        Err(Failure::Refused(Refusal::Donation(refusal))) => {
            errors.add("amount_other", sentence(&refusal.to_string()));
            again(&errors, false)
        }
        Err(Failure::Refused(Refusal::Plan(refusal))) => {
            errors.add("every", sentence(&refusal.to_string()));
            again(&errors, false)
        }
        Err(failure) => Err(failure.into()),
    }
}

/// By what else a donor may be found again, should they come under another address or name.
fn traces(vault: &Vault, contact: &Contact, donor: PersonId) -> donation::Traces {
    let mailbox = Some(vault.person_id(&mailbox(&contact.email))).filter(|mailbox| *mailbox != donor);
    donation::Traces { mailbox, namesake: namesake(contact).map(|namesake| vault.namesake_id(&namesake)) }
}

/// Says at the form what no card is needed for to see. What a person gave before is told only to who comes by a link of
/// their own: nobody learns from the form whether somebody else gave.
fn check_limit(app: &App, form: &Form, gift: &Gift, giver: Giver, rally: &Rally, errors: &mut Errors) {
    let is_known =
        known::person(app.engine().vault(), &form.get("known"), clock::now().timestamp()) == Some(giver.donor);
    let world = app.engine().world();
    let asked = anybody(&rally.details, gift.amount);
    let asked = if is_known { donation::Gift { giver, ..asked } } else { asked };
    let room = donation::room(&world.state, &asked, None);
    if let Some(room) = room.filter(|room| room.left.minor < gift.amount.minor) {
        let refusal =
            if is_known { donation::Refusal::OverLimit(room) } else { donation::Refusal::AloneOverLimit(room) };
        errors.add("amount_other", sentence(&refusal.to_string()));
    }
}

/// Whether the sender may go on; `false` where an effort is asked of them first.
fn is_let_through(app: &App, sender: Sender, form: &Form, came: Option<&donation::Came>) -> Result<bool, Problem> {
    let (screen, vault, now) = (app.screen(), app.engine().vault(), clock::now());
    let verdict = screen.verdict(vault, sender, now.timestamp());
    let sign = if came::is_hasty(came, now) { Sign::HastyForm } else { Sign::Form };
    screen.note(vault, sender, sign, now.timestamp());
    match verdict {
        Verdict::Fine => Ok(true),
        Verdict::Barred { seconds } => Err(Problem::TooFast { seconds }),
        Verdict::Effort => {
            let effort = Effort { token: form.get("effort"), solution: form.get("solution") };
            Ok(screen.spend(vault, &effort, now.timestamp()))
        }
    }
}
