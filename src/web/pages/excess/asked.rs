//! The two forms of the page, as they are sent.

use crate::clock;
use crate::domain::id::{CommitteeId, DonationId, RemedyId};
use crate::domain::likeness::likeness;
use crate::domain::money::Money;
use crate::domain::profile::Contact;
use crate::domain::remedy::{Command, Consent, Reattributed, Redesignate};
use crate::domain::seals::REATTRIBUTED;
use crate::projections::totals::timezone;
use crate::web::App;
use crate::web::form::{Errors, Form};
use crate::web::gift::{LINE_CHARS_MAX, read_work};
use crate::web::problem::{Problem, sentence};
use chrono::NaiveDate;

/// What both forms say: how much of a gift, when it was agreed, and today where it was given.
struct Both {
    amount: Money,
    day: NaiveDate,
    today: NaiveDate,
}

fn both(app: &App, donation: DonationId, form: &Form, errors: &mut Errors) -> Result<Both, Problem> {
    let (whole, today) = {
        let world = app.engine().world();
        let gift = world.state.donations.get(donation).ok_or(Problem::NotFound)?;
        let zone = timezone(&world.state, gift.rally);
        (gift.amount, clock::now().with_timezone(&zone).date_naive())
    };
    let amount = Money::parse(&form.get("amount"), whole.currency).unwrap_or_else(|error| {
        errors.add("amount", sentence(&error.to_string()));
        whole
    });
    let day = form.get("day").parse().unwrap_or_else(|_| {
        errors.add("day", "Write the day on which the writing came, or the notice was sent.");
        today
    });
    Ok(Both { amount, day, today })
}

/// A name of this remedy: the same for the same form sent twice, from the one it was drawn with.
fn remedy(form: &Form) -> RemedyId {
    form.get("remedy").parse().unwrap_or_else(|_| RemedyId(uuid::Uuid::now_v7()))
}

/// Reads a redesignation: the fields `remedy`, `amount`, `limit`, `consent` and `day`.
pub(super) fn redesignation(
    app: &App,
    donation: DonationId,
    committee: CommitteeId,
    form: &Form,
    errors: &mut Errors,
) -> Result<Option<Command>, Problem> {
    let Both { amount, day, today, .. } = both(app, donation, form, errors)?;
    let consent = match form.get("consent").as_str() {
        "written" => Consent::Written,
        "presumed" => Consent::Presumed,
        _ => {
            errors.add("consent", "Choose how the donor agreed.");
            Consent::Written
        }
    };
    let (remedy, limit) = (remedy(form), form.get("limit"));
    let asked = Redesignate { remedy, donation, committee, amount, limit, consent, day, today };
    Ok(errors.is_empty().then_some(Command::Redesignate(asked)))
}

/// Reads a reattribution: the fields `remedy`, `amount`, `day`, and whose it is.
pub(super) fn reattribution(
    app: &App,
    donation: DonationId,
    committee: CommitteeId,
    form: &Form,
    errors: &mut Errors,
) -> Result<Option<Command>, Problem> {
    let Both { amount, day, today, .. } = both(app, donation, form, errors)?;
    let contact = contact(form, errors);
    if !form.has("signed") {
        errors.add("signed", "Only what both have signed can be reattributed.");
    }
    if !errors.is_empty() {
        return Ok(None);
    }
    let vault = app.engine().vault();
    let likeness = vault.likeness_id(&likeness(&contact));
    let person = if contact.email.is_empty() { likeness } else { vault.person_id(&contact.email) };
    let contact = app.seal(person, REATTRIBUTED, &contact)?;
    let what = Reattributed { remedy: remedy(form), donation, committee, amount, person, likeness, contact, day };
    Ok(Some(Command::Reattribute { what, today }))
}

fn contact(form: &Form, errors: &mut Errors) -> Contact {
    let mut line = |field: &'static str, missing: &str| {
        let value = form.get(field);
        errors.require(field, &value, LINE_CHARS_MAX, missing);
        value
    };
    let (first_name, last_name) =
        (line("first_name", "Write their first name."), line("last_name", "Write their last name."));
    let (street, city) = (line("address", "Write their street address."), line("city", "Write their city."));
    let (region, postal) = (line("region", "Write their state."), line("postal", "Write their ZIP code."));
    let email = form.get("email");
    if !email.is_empty() {
        errors.email("email", &email);
    }
    let work = read_work(form, errors);
    Contact {
        first_name,
        last_name,
        email,
        line: street,
        city,
        region,
        postal,
        country: "US".into(),
        employer: work.employer,
        occupation: work.occupation,
        passport: None,
    }
}
