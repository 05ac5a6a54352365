//! `/finance/filer`: who files with the FEC for a committee, as the covers of its reports say it.

use crate::domain::Refusal;
use crate::domain::committee::Command;
use crate::domain::committee::filer::{
    Address, CITY_CHARS_MAX, Candidate, Conduit, ELECTIONS_MAX, Election, Filer, Form as Of, GIVEN_CHARS_MAX, Named,
    ORGANISATION_CHARS_MAX, Office, Payee, STREET_CHARS_MAX,
};
use crate::domain::id::CommitteeId;
use crate::engine::Failure;
use crate::web::form::Form;
use crate::web::problem::{Problem, sentence};
use crate::web::session::{Staff, csrf_matches};
use crate::web::view::{Choice, Layout, Notice, StaffRoom};
use crate::web::{App, fresh_key, notice, see_other};
use askama::Template;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use chrono::NaiveDate;

/// Empty lines below the elections that there are.
const LINES_SPARE: usize = 2;

/// The page.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/filer.html")]
pub struct FilerPage {
    /// The frame around the page.
    pub layout: Layout,
    /// What is wrong, when the form was refused.
    pub errors: Vec<String>,
    /// The committees, this one selected; empty where there is one alone.
    pub committees: Vec<Choice>,
    /// Field `committee`: whose page this is.
    pub committee: CommitteeId,
    /// Field `form`.
    pub forms: Vec<Choice>,
    /// Field `office`.
    pub offices: Vec<Choice>,
    /// Every other field, as it was typed.
    pub typed: Typed,
    /// The elections, and empty lines after them.
    pub elections: Vec<TypedElection>,
    /// The most characters of names of organisations, streets, cities and family names, and given names.
    pub most: [usize; 4],
}

/// Who files, as it is typed.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)] // each is the field of that name
pub struct Typed {
    pub id: String,
    pub name: String,
    pub address: TypedAddress,
    pub treasurer_first: String,
    pub treasurer_last: String,
    pub form: String,
    pub candidate_id: String,
    pub candidate_first: String,
    pub candidate_last: String,
    pub office: String,
    pub candidate_state: String,
    pub district: String,
    pub payee_name: String,
    pub payee: TypedAddress,
    pub conduit_id: String,
    pub conduit_name: String,
    pub conduit: TypedAddress,
    elections: Vec<TypedElection>,
}

/// An address, as it is typed.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct TypedAddress {
    pub street: String,
    pub street_2: String,
    pub city: String,
    pub state: String,
    pub zip: String,
}

/// An election, as it is typed. The fields' names end with the line's number.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct TypedElection {
    pub code: String,
    pub date: String,
    pub state: String,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/finance/filer", get(show).post(save))
}

async fn show(State(app): State<App>, staff: Staff, RawQuery(query): RawQuery) -> Result<Html<String>, Problem> {
    let staff = staff.sees_money()?;
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    let committee = committee(&app, &query)?;
    let typed = {
        let world = app.engine().world();
        let known = world.state.committees.get(committee);
        known.and_then(|known| known.filer.as_ref()).map(Typed::of).unwrap_or_default()
    };
    page(&app, &staff, committee, typed, vec![], notice(&query))
}

async fn save(State(app): State<App>, staff: Staff, body: Bytes) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let form = Form::parse(&body);
    if !csrf_matches(&staff, &form.get("csrf")) {
        return Err(Problem::StaleForm);
    }
    let committee = committee(&app, &form)?;
    let typed = Typed::from_form(&form);
    let again = |typed: Typed, errors: Vec<String>| {
        let page = page(&app, &staff, committee, typed, errors, None)?;
        Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
    };
    let filer = match typed.read() {
        Ok(filer) => filer,
        Err(errors) => return again(typed, errors),
    };
    let command = Command::SetFiler { committee, filer: Box::new(filer) };
    match app.engine().execute(crate::domain::Command::Committee(command), fresh_key("filer"), &staff.actor()).await {
        Ok(_) => Ok(see_other(&format!("/finance/filer?committee={committee}&done=filer"))),
        Err(Failure::Refused(Refusal::Committee(refusal))) => again(typed, vec![sentence(&refusal.to_string())]),
        Err(failure) => Err(failure.into()),
    }
}

/// Whose page is asked for: the first committee's, unless another is named.
pub(super) fn committee(app: &App, form: &Form) -> Result<CommitteeId, Problem> {
    let named = form.get("committee");
    let id = if named.is_empty() { Ok(CommitteeId::FIRST) } else { named.parse() };
    let known = |id: &CommitteeId| app.engine().world().state.committees.get(*id).is_some();
    id.ok().filter(known).ok_or(Problem::NotFound)
}

/// The committees as tabs, one of them selected; empty where there is one alone.
pub(super) fn tabs(app: &App, selected: CommitteeId) -> Vec<Choice> {
    let world = app.engine().world();
    let known = world.state.committees.iter();
    if known.len() == 1 {
        return vec![];
    }
    let tab = |(id, committee): (CommitteeId, &crate::domain::committee::Committee)| Choice {
        value: id.to_string(),
        label: committee.name().into(),
        selected: id == selected,
    };
    known.map(tab).collect()
}

fn page(
    app: &App,
    staff: &Staff,
    committee: CommitteeId,
    typed: Typed,
    errors: Vec<String>,
    done: Option<Notice>,
) -> Result<Html<String>, Problem> {
    let choice = |value: &str, label: &str, chosen: &str| Choice {
        value: value.into(),
        label: label.into(),
        selected: value == chosen,
    };
    let form = |form: &Of| {
        let label = match form {
            Of::F3 => "F3: a candidate for House or Senate",
            Of::F3X => "F3X: a PAC, a party or a joint committee",
            Of::F3P => "F3P: a candidate for President",
        };
        choice(form.code(), label, &typed.form)
    };
    let office = |office: &Office| {
        let label = match office {
            Office::H => "House",
            Office::S => "Senate",
            Office::P => "President",
        };
        choice(office.code(), label, &typed.office)
    };
    let spare = std::iter::repeat_n(TypedElection::default(), LINES_SPARE);
    let page = FilerPage {
        layout: Layout { notice: done, ..app.staff_layout("Who files with the FEC", staff, StaffRoom::Finance, None) },
        errors,
        committees: tabs(app, committee),
        committee,
        forms: Of::ALL.iter().map(form).collect(),
        offices: Office::ALL.iter().map(office).collect(),
        elections: typed.elections.iter().cloned().chain(spare).take(ELECTIONS_MAX).collect(),
        typed,
        most: [ORGANISATION_CHARS_MAX, STREET_CHARS_MAX, CITY_CHARS_MAX, GIVEN_CHARS_MAX],
    };
    Ok(Html(page.render()?))
}

impl Typed {
    fn of(filer: &Filer) -> Self {
        let Filer { id, name, address, treasurer, form, candidate, elections, payee, conduit } = filer.clone();
        let election = |election: Election| TypedElection {
            code: election.code,
            date: election.date.to_string(),
            state: election.state,
        };
        let typed = Self {
            id,
            name,
            address: TypedAddress::of(address),
            treasurer_first: treasurer.first,
            treasurer_last: treasurer.last,
            form: form.code().into(),
            elections: elections.into_iter().map(election).collect(),
            ..Self::default()
        };
        let typed = match candidate {
            Some(Candidate { id, name, office, state, district }) => Self {
                candidate_id: id,
                candidate_first: name.first,
                candidate_last: name.last,
                office: office.code().into(),
                candidate_state: state,
                district,
                ..typed
            },
            None => typed,
        };
        let typed = match payee {
            Some(Payee { name, address }) => Self { payee_name: name, payee: TypedAddress::of(address), ..typed },
            None => typed,
        };
        match conduit {
            Some(Conduit { id, name, address }) => {
                Self { conduit_id: id, conduit_name: name, conduit: TypedAddress::of(address), ..typed }
            }
            None => typed,
        }
    }

    fn from_form(form: &Form) -> Self {
        let upper = |name: &str| form.get(name).to_ascii_uppercase();
        let election = |number: usize| TypedElection {
            code: upper(&format!("election_code_{number}")),
            date: form.get(&format!("election_date_{number}")),
            state: upper(&format!("election_state_{number}")),
        };
        Self {
            id: upper("id"),
            name: form.get("name"),
            address: TypedAddress::from_form(form, ""),
            treasurer_first: form.get("treasurer_first"),
            treasurer_last: form.get("treasurer_last"),
            form: form.get("form"),
            candidate_id: upper("candidate_id"),
            candidate_first: form.get("candidate_first"),
            candidate_last: form.get("candidate_last"),
            office: form.get("office"),
            candidate_state: upper("candidate_state"),
            district: form.get("district"),
            payee_name: form.get("payee_name"),
            payee: TypedAddress::from_form(form, "payee_"),
            conduit_id: upper("conduit_id"),
            conduit_name: form.get("conduit_name"),
            conduit: TypedAddress::from_form(form, "conduit_"),
            // A line whose code and day are emptied is taken out.
            elections: (1..=ELECTIONS_MAX)
                .map(election)
                .filter(|election| !election.code.is_empty() || !election.date.is_empty())
                .collect(),
        }
    }

    fn read(&self) -> Result<Filer, Vec<String>> {
        let mut errors = vec![];
        let form = Of::ALL.into_iter().find(|form| form.code() == self.form);
        if form.is_none() {
            errors.push("Choose the form of its reports.".into());
        }
        let is_anybodys =
            [&self.candidate_id, &self.candidate_first, &self.candidate_last, &self.candidate_state, &self.district]
                .iter()
                .any(|typed| !typed.is_empty());
        let office = Office::ALL.into_iter().find(|office| office.code() == self.office);
        let candidate = office.filter(|_| is_anybodys || form.is_some_and(Of::is_candidates)).map(|office| Candidate {
            id: self.candidate_id.clone(),
            name: Named { first: self.candidate_first.clone(), last: self.candidate_last.clone() },
            office,
            state: self.candidate_state.clone(),
            district: self.district.clone(),
        });
        let mut elections = vec![];
        for TypedElection { code, date, state } in &self.elections {
            match date.parse::<NaiveDate>() {
                Ok(date) => elections.push(Election { code: code.clone(), date, state: state.clone() }),
                Err(_) => errors.push(format!("Write the day of the election {code}.")),
            }
        }
        elections.sort_by_key(|election| election.date);
        let payee = self.payee.read();
        let is_paid = !self.payee_name.is_empty() || payee != Address::default();
        let conduit =
            Conduit { id: self.conduit_id.clone(), name: self.conduit_name.clone(), address: self.conduit.read() };
        let nobody = Conduit { id: String::new(), name: String::new(), address: Address::default() };
        let filer = Filer {
            id: self.id.clone(),
            name: self.name.clone(),
            address: self.address.read(),
            treasurer: Named { first: self.treasurer_first.clone(), last: self.treasurer_last.clone() },
            form: form.unwrap_or(Of::F3X),
            candidate,
            elections,
            payee: is_paid.then(|| Payee { name: self.payee_name.clone(), address: payee }),
            conduit: Some(conduit).filter(|conduit| *conduit != nobody),
        };
        // The form is asked for by itself where it is missing.
        let faults = filer.faults().into_iter().filter(|_| form.is_some());
        errors.extend(faults.map(sentence));
        if errors.is_empty() { Ok(filer) } else { Err(errors) }
    }
}

impl TypedAddress {
    fn of(address: Address) -> Self {
        let Address { street, street_2, city, state, zip } = address;
        Self { street, street_2, city, state, zip }
    }

    fn from_form(form: &Form, before: &str) -> Self {
        let field = |name: &str| form.get(&format!("{before}{name}"));
        Self {
            street: field("street"),
            street_2: field("street_2"),
            city: field("city"),
            state: field("state").to_ascii_uppercase(),
            zip: field("zip"),
        }
    }

    fn read(&self) -> Address {
        let Self { street, street_2, city, state, zip } = self.clone();
        // People write ZIP+4 with a dash.
        Address { street, street_2, city, state, zip: zip.replace('-', "") }
    }
}
