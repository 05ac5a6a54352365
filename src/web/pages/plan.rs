//! `/r/{slug}/plan/{link}`: a recurring gift in its donor's hands, without an account; and what other pages say of it.

use crate::clock;
use crate::domain::donation::{Donation, Refusal as OfGift};
use crate::domain::id::{DonationId, PlanId};
use crate::domain::plan::{Command, Every, Plan, Refusal, Rhythm, Standing, Why};
use crate::domain::rally::Rally;
use crate::domain::{self, money::Money};
use crate::engine::Failure;
use crate::payments::card_form::CardFormView;
use crate::payments::simulated::METHOD_ONCE;
use crate::projections::Projections;
use crate::web::form::{Errors, Form};
use crate::web::gift::{self, day_in_words};
use crate::web::problem::{Problem, sentence};
use crate::web::view::{Choice, Field, FormError, Layout, Notice};
use crate::web::{App, fresh_key, present, see_other};
use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use chrono::NaiveDate;

/// Gifts in the list: five years of months.
const HISTORY_MAX: usize = 60;

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/plan.html")]
pub struct Manage {
    /// The frame around the page.
    pub layout: Layout,
    /// The rally's title.
    pub rally_title: String,
    /// The rally's page.
    pub rally_href: String,
    /// This page's address; forms are sent beneath it.
    pub href: String,
    /// What is wrong, when a form was refused.
    pub errors: Vec<FormError>,
    /// `$25`.
    pub amount: String,
    /// `each month`.
    pub each: String,
    /// How it stands, in a sentence.
    pub standing: String,
    /// Whether it has ended.
    pub is_over: bool,
    /// Whether it has begun: before, there is nothing to change but its end.
    pub has_begun: bool,
    /// Whether it is paused.
    pub is_paused: bool,
    /// The card that is charged: `visa 4242`; empty where it is not known.
    pub card: String,
    /// Where a gift that was refused can be paid; none where none was.
    pub pay_href: Option<String>,
    /// Field `amount`.
    pub new_amount: Field,
    /// The sign before an amount.
    pub currency_symbol: String,
    /// Field `every`.
    pub frequencies: Vec<Choice>,
    /// What is wrong with that.
    pub every_error: Option<String>,
    /// Field `until`: the day a pause ends.
    pub until: Field,
    /// Its gifts, the newest first.
    pub gifts: Vec<Line>,
    /// Who pays for it, as the law wants it said.
    pub paid_for_by: String,
}

/// One gift of it.
#[derive(Debug, Clone)]
pub struct Line {
    /// The day it is for.
    pub day: String,
    /// How much.
    pub amount: String,
    /// `Received`, `Refused`, …
    pub status: &'static str,
    /// Its page.
    pub href: String,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/r/{slug}/plan/{link}", get(show)).route("/r/{slug}/plan/{link}/{what}", post(change))
}

/// What the card step says of a recurring gift, and the button with it.
pub struct Terms {
    /// How often, for the first: `each month`.
    pub each: String,
    /// What the donor agrees to.
    pub agrees: String,
}

impl Terms {
    /// Those of a donation that is one of a recurring gift.
    pub fn of(app: &App, donation: DonationId) -> Option<Self> {
        let world = app.engine().world();
        let (_, plan) = world.state.plans.of_donation(donation)?;
        let gift = plan.gift(donation)?;
        let amount = plan.amount.to_exact();
        let terms = match (plan.is_over(), gift.number) {
            (true, _) => Self { each: String::new(), agrees: String::new() },
            (false, 1) => Self {
                each: gift::rhythm_in_words(plan.rhythm),
                agrees: format!(
                    "You agree that your card is charged {amount} today and then {}{}. Change, pause or stop it whenever you \
                     want, by a link of your own and without an account.",
                    present::plan::days(plan.rhythm, gift.due),
                    if plan.rhythm.until.is_none() { ", until you stop it" } else { "" },
                ),
            },
            (false, _) => Self {
                each: String::new(),
                agrees: format!(
                    "This is your gift for {} of the {amount} you give each {}. The card you use here is the one we charge \
                     from then on.",
                    day_in_words(gift.due),
                    plan.rhythm.every.word(),
                ),
            },
        };
        Some(terms)
    }
}

/// Fits the card step to it: a card that is kept is asked for as one, and a simulated one may fail later only where there is a
/// later.
pub fn offer(card: &mut CardFormView, terms: Option<&Terms>) {
    match terms {
        None => card.choices.retain(|choice| choice.method != METHOD_ONCE),
        Some(terms) => {
            card.keeps = true;
            if !terms.each.is_empty() {
                let each = terms.each.split(" until ").next().unwrap_or_default();
                card.amount = format!("{} {each}", card.amount);
            }
        }
    }
}

/// A recurring gift in a line, and where its donor changes it; `None` where a donation is none of one.
pub fn line(app: &App, world: &Projections, donation: DonationId) -> Option<(String, String)> {
    let (id, plan) = world.state.plans.of_donation(donation)?;
    let words = match plan.standing() {
        // The processor is asked in a moment what it keeps.
        Standing::Asked => format!("{}.", present::plan::gift(plan)),
        Standing::Active | Standing::PastDue { .. } | Standing::Paused { .. } | Standing::Ended { .. } => {
            format!("{}. {}", present::plan::gift(plan), present::plan::standing(plan))
        }
    };
    Some((words, href(app, world, id, plan)?))
}

fn href(app: &App, world: &Projections, id: PlanId, plan: &Plan) -> Option<String> {
    let slug = &world.state.rallies.get(plan.rally)?.details.slug;
    Some(format!("/r/{slug}/plan/{}", app.engine().vault().plan_link(id)))
}

struct Found {
    id: PlanId,
    rally: Rally,
    plan: Plan,
    href: String,
}

fn find(app: &App, slug: &str, link: &str) -> Result<Found, Problem> {
    let id = app.engine().vault().plan_of_link(link).ok_or(Problem::NotFound)?;
    let (rally_id, rally) = app.rally(slug)?;
    let plan = app.engine().world().state.plans.get(id).cloned();
    let plan = plan.filter(|plan| plan.rally == rally_id).ok_or(Problem::NotFound)?;
    let href = format!("/r/{}/plan/{link}", rally.details.slug);
    Ok(Found { id, rally, plan, href })
}

async fn show(
    State(app): State<App>,
    Path((slug, link)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let found = find(&app, &slug, &link)?;
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    let done = match query.get("done").as_str() {
        "change" => Some("Saved."),
        "pause" => Some("Paused. Nothing is charged."),
        "resume" => Some("It goes on. Thank you."),
        "stop" => Some("Stopped. Nothing more is charged."),
        _ => None,
    };
    page(&app, &found, &Form::default(), &Errors::default(), done, StatusCode::OK)
}

fn page(
    app: &App,
    found: &Found,
    form: &Form,
    errors: &Errors,
    done: Option<&str>,
    status: StatusCode,
) -> Result<Response, Problem> {
    let Found { rally, plan, href, .. } = found;
    let details = &rally.details;
    let html = {
        let world = app.engine().world();
        let last_day = last_day(&world, rally);
        let or =
            |name: &str, default: String| Some(form.get(name)).filter(|typed| !typed.is_empty()).unwrap_or(default);
        let standing = plan.standing();
        let card = plan.gifts.iter().rev().find_map(|gift| world.ledger.settled(gift.donation)?.card.clone());
        let gifts = plan.gifts.iter().rev().take(HISTORY_MAX).filter_map(|gift| {
            let known = world.state.donations.get(gift.donation)?;
            Some(Line {
                day: day_in_words(gift.due),
                amount: known.amount.to_exact(),
                status: became(known),
                href: format!("/r/{}/donate/{}", details.slug, gift.donation),
            })
        });
        let title = format!("Your recurring gift: {}", details.title);
        let notice = done.map(|text| Notice { text: text.into(), bad: false });
        let page = Manage {
            layout: Layout { notice, ..app.layout(&title, Some(details)) },
            rally_title: details.title.clone(),
            rally_href: format!("/r/{}", details.slug),
            href: href.clone(),
            errors: errors.summary(),
            amount: plan.amount.to_short(),
            each: gift::rhythm_in_words(plan.rhythm),
            standing: present::plan::standing(plan),
            is_over: plan.is_over(),
            has_begun: standing != Standing::Asked,
            is_paused: matches!(standing, Standing::Paused { .. }),
            card: card.map(String::from).unwrap_or_default(),
            pay_href: match standing {
                Standing::PastDue { .. } => plan.open().map(|open| format!("/r/{}/donate/{open}", details.slug)),
                Standing::Asked | Standing::Active | Standing::Paused { .. } | Standing::Ended { .. } => None,
            },
            new_amount: errors.field("amount", or("amount", present::typed(plan.amount))),
            currency_symbol: details.currency.symbol().trim().into(),
            frequencies: gift::frequencies(&or("every", plan.rhythm.every.word().into()), last_day, false),
            every_error: errors.of("every"),
            until: errors.field("until", form.get("until")),
            gifts: gifts.collect(),
            paid_for_by: details.paid_for_by.clone(),
        };
        page.render()?
    };
    Ok((status, Html(html)).into_response())
}

/// What became of a gift, in a word.
fn became(gift: &Donation) -> &'static str {
    let (came, left) = (gift.settled_minor(), gift.left_minor());
    match (came, left) {
        (0, _) if gift.is_under_way() => "Processing",
        (0, _) if gift.decline.is_some() => "Refused",
        (0, _) => "Not paid",
        _ if gift.disputed_minor() > 0 => "Disputed",
        _ if left == 0 => "Given back",
        _ if left < came => "Partly given back",
        _ => "Received",
    }
}

fn last_day(world: &Projections, rally: &Rally) -> Option<NaiveDate> {
    world.state.committees.last_day(rally.details.committee, rally.details.day_of(clock::now()), rally.details.currency)
}

async fn change(
    State(app): State<App>,
    Path((slug, link, what)): Path<(String, String, String)>,
    body: Bytes,
) -> Result<Response, Problem> {
    let found = find(&app, &slug, &link)?;
    let mut errors = Errors::default();
    let form = gift::without_card_numbers(Form::parse(&body), &mut errors);
    let (plan, today) = (found.id, found.rally.details.day_of(clock::now()));
    let command = match what.as_str() {
        "change" => read_change(&app, &found, &form, today, &mut errors),
        "pause" => Command::Pause { plan, until: read_day(&form, &mut errors), today },
        "resume" => Command::Resume { plan, today },
        "stop" => Command::End { plan, why: Why::Donor },
        _ => return Err(Problem::NotFound),
    };
    if errors.is_empty() {
        let by = format!("donor:{}", found.plan.donor);
        let told = app.engine().execute(domain::Command::Plan(command), fresh_key("plan"), &by).await;
        match told {
            Ok(_) => return Ok(see_other(&format!("{}?done={what}", found.href))),
            Err(Failure::Refused(domain::Refusal::Plan(refusal))) => {
                let field = match &refusal {
                    Refusal::PauseDay => "until",
                    Refusal::NoLastDay => "every",
                    Refusal::Donation(_) | Refusal::HeldAbove(_) => "amount",
                    Refusal::Unknown | Refusal::Ended | Refusal::NotStarted => {
                        return Err(Problem::Refused(sentence(&refusal.to_string())));
                    }
                };
                errors.add(field, sentence(&refusal.to_string()));
            }
            Err(failure) => return Err(failure.into()),
        }
    }
    page(&app, &found, &form, &errors, None, StatusCode::UNPROCESSABLE_ENTITY)
}

fn read_change(app: &App, found: &Found, form: &Form, today: NaiveDate, errors: &mut Errors) -> Command {
    let Found { id, plan, .. } = found;
    let amount = Money::parse(&form.get("amount"), plan.amount.currency).unwrap_or_else(|error| {
        errors.add("amount", sentence(&error.to_string()));
        plan.amount
    });
    if errors.of("amount").is_none() && amount.minor < gift::smallest(amount.currency).minor {
        errors.add("amount", sentence(&OfGift::TooSmall(gift::smallest(amount.currency)).to_string()));
    }
    let last_day = last_day(&app.engine().world(), &found.rally);
    // Whoever changes the amount alone keeps the day that was agreed.
    let every = form.get("every");
    let rhythm = match plan.rhythm {
        kept if every.is_empty() || every == kept.every.word() => kept,
        _ if every == Every::Month.word() => Rhythm { every: Every::Month, until: None },
        _ => gift::asked_rhythm(form, last_day, errors).unwrap_or(plan.rhythm),
    };
    Command::Change { plan: *id, amount, rhythm, today }
}

fn read_day(form: &Form, errors: &mut Errors) -> Option<NaiveDate> {
    let typed = form.get("until");
    if typed.is_empty() {
        return None;
    }
    let day = typed.parse().ok();
    if day.is_none() {
        errors.add("until", "Enter a day, as 2026-11-30, or leave it empty.");
    }
    day
}
