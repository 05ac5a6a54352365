//! `/finance/rules`: a committee's name, how much one person may give, gifts that a person looks at first, gifts from abroad, the
//! offer to cover the fee, and among whom gifts are shared out.

mod formula;
mod second;

use askama::Template;

use crate::domain::Refusal;
use crate::domain::committee::presets::PRESETS;
use crate::domain::committee::{
    Abroad, Command, Committee, FeeRate, LIMIT_NAME_CHARS_MAX, LIMITS_MAX, Limit, NAME_CHARS_MAX, Rules,
};
use crate::domain::id::CommitteeId;
use crate::domain::money::{Currency, Money};
use crate::engine::Failure;
use crate::web::form::Form;
use crate::web::problem::{Problem, sentence};
use crate::web::session::{Staff, csrf_matches};
use crate::web::view::{Choice, Field, Layout, StaffRoom};
use crate::web::{App, fresh_key, notice, present, see_other};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use chrono::NaiveDate;
pub use formula::PartnerLine;
use formula::TypedFormula;
use second::SecondPerson;

/// Empty lines below the limits that there are.
const LINES_SPARE: usize = 2;

/// The form of the rules.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/rules.html")]
pub struct RulesPage {
    /// The frame around the page.
    pub layout: Layout,
    /// What is wrong, when the form was refused; each names its line.
    pub errors: Vec<String>,
    /// The committees, this one selected, each with its page of rules; empty where there is one alone.
    pub committees: Vec<Choice>,
    /// Field `committee`: whose rules these are.
    pub committee: CommitteeId,
    /// Field `name`.
    pub name: String,
    /// The most characters of a name.
    pub committee_chars_max: usize,
    /// Field `formula`: how gifts are shared out; empty where there are no others to share with.
    pub formulas: Vec<Choice>,
    /// The others: field `share_N` of each, N being its number.
    pub partners: Vec<PartnerLine>,
    /// Limits to begin from: their id and what they are for.
    pub presets: Vec<(&'static str, &'static str)>,
    /// The limits, and empty lines after them.
    pub limits: Vec<LimitLine>,
    /// The most characters of a limit's name.
    pub name_chars_max: usize,
    /// Field `hold_above`; empty where nothing is held.
    pub hold_above: String,
    /// Field `hold_currency`.
    pub hold_currencies: Vec<Choice>,
    /// Field `abroad`.
    pub abroad: Vec<Choice>,
    /// Field `fee_percent`; empty for no offer.
    pub fee_percent: String,
    /// Field `fee_fixed`.
    pub fee_fixed: String,
    /// Field `fee_currency`.
    pub currencies: Vec<Choice>,
    /// Above which sum a second person approves refunds.
    pub second: SecondPerson,
}

/// One limit as it is typed. The fields' names end with the line's number.
#[derive(Debug, Clone, Default)]
pub struct LimitLine {
    /// Field `limit_name_N`.
    pub name: String,
    /// Field `limit_amount_N`.
    pub amount: String,
    /// Field `limit_currency_N`.
    pub currencies: Vec<Choice>,
    /// Field `limit_from_N`.
    pub from: String,
    /// Field `limit_until_N`.
    pub until: String,
}

/// The routes of this page.
pub fn routes() -> Router<App> {
    Router::new().route("/finance/rules", get(show).post(save)).route("/finance/rules/refunds", post(second::save))
}

async fn show(State(app): State<App>, staff: Staff, RawQuery(query): RawQuery) -> Result<Html<String>, Problem> {
    let staff = staff.sees_money()?;
    let query = Form::parse(query.unwrap_or_default().as_bytes());
    let committee = committee(&app, &query)?;
    let rules = app.engine().world().state.committees.rules(committee);
    let mut typed = Typed::of(committee, &rules);
    let asked = query.get("preset");
    if let Some(preset) = PRESETS.iter().find(|preset| preset.id == asked) {
        typed.limits.extend(preset.limits.iter().map(|(name, dollars, from, until)| TypedLimit {
            name: (*name).into(),
            amount: dollars.to_string(),
            currency: Currency::USD.code().into(),
            from: from.unwrap_or_default().into(),
            until: until.unwrap_or_default().into(),
        }));
    }
    page(&app, &staff, typed, vec![], notice(&query), None)
}

async fn save(State(app): State<App>, staff: Staff, body: Bytes) -> Result<Response, Problem> {
    let staff = staff.sees_money()?;
    let form = Form::parse(&body);
    if !csrf_matches(&staff, &form.get("csrf")) {
        return Err(Problem::StaleForm);
    }
    let committee = committee(&app, &form)?;
    let typed = Typed::from_form(committee, &form);
    let again = |typed: Typed, errors: Vec<String>| {
        let page = page(&app, &staff, typed, errors, None, None)?;
        Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
    };
    let rules = match typed.read() {
        Ok(rules) => rules,
        Err(errors) => return again(typed, errors),
    };
    let command = Command::SetRules { committee, rules: Box::new(rules) };
    match app.engine().execute(crate::domain::Command::Committee(command), fresh_key("rules"), &staff.actor()).await {
        Ok(_) => Ok(see_other(&format!("/finance/rules?committee={committee}&done=rules"))),
        Err(Failure::Refused(Refusal::Committee(refusal))) => again(typed, vec![sentence(&refusal.to_string())]),
        Err(failure) => Err(failure.into()),
    }
}

/// Whose rules are asked for: the first committee's, unless another is named.
fn committee(app: &App, form: &Form) -> Result<CommitteeId, Problem> {
    let named = form.get("committee");
    let id = if named.is_empty() { Ok(CommitteeId::FIRST) } else { named.parse() };
    let known = |id: &CommitteeId| app.engine().world().state.committees.get(*id).is_some();
    id.ok().filter(known).ok_or(Problem::NotFound)
}

fn page(
    app: &App,
    staff: &Staff,
    typed: Typed,
    errors: Vec<String>,
    done: Option<crate::web::view::Notice>,
    second: Option<Field>,
) -> Result<Html<String>, Problem> {
    let currencies = |chosen: &str| {
        let choice = |currency: &Currency| Choice {
            value: currency.code().into(),
            label: currency.code().into(),
            selected: currency.code() == chosen,
        };
        Currency::ALL.iter().map(choice).collect::<Vec<_>>()
    };
    let line = |limit: TypedLimit| LimitLine {
        currencies: currencies(&limit.currency),
        name: limit.name,
        amount: limit.amount,
        from: limit.from,
        until: limit.until,
    };
    let spare =
        std::iter::repeat_n(TypedLimit { currency: Currency::USD.code().into(), ..Default::default() }, LINES_SPARE);
    let choice =
        |value: &str, label: &str| Choice { value: value.into(), label: label.into(), selected: typed.abroad == value };
    let (committees, formulas, partners) = {
        let world = app.engine().world();
        let known = &world.state.committees;
        let choice = |(id, known): (CommitteeId, &Committee)| Choice {
            value: id.to_string(),
            label: known.name().into(),
            selected: id == typed.committee,
        };
        let committees: Vec<Choice> = known.iter().map(choice).collect();
        (committees, typed.formula.choices(), typed.formula.lines(known, typed.committee))
    };
    let several = committees.len() > 1;
    let page = RulesPage {
        committees: if several { committees } else { vec![] },
        committee: typed.committee,
        name: typed.name,
        committee_chars_max: NAME_CHARS_MAX,
        formulas: if partners.len() > 1 { formulas } else { vec![] },
        partners,
        layout: Layout { notice: done, ..app.staff_layout("Rules for gifts", staff, StaffRoom::Finance, None) },
        errors,
        presets: PRESETS.iter().map(|preset| (preset.id, preset.label)).collect(),
        limits: typed.limits.into_iter().chain(spare).take(LIMITS_MAX).map(line).collect(),
        name_chars_max: LIMIT_NAME_CHARS_MAX,
        hold_above: typed.hold_above,
        hold_currencies: currencies(&typed.hold_currency),
        abroad: vec![
            choice("with_passport", "Taken with the number of a U.S. passport"),
            choice("refused", "Not taken"),
            choice("taken", "Taken as any other"),
        ],
        fee_percent: typed.fee_percent,
        fee_fixed: typed.fee_fixed,
        currencies: currencies(&typed.fee_currency),
        second: SecondPerson::new(&app.engine().world(), staff, second),
    };
    Ok(Html(page.render()?))
}

/// The rules as they are typed.
#[derive(Clone, Default)]
struct Typed {
    committee: CommitteeId,
    name: String,
    formula: TypedFormula,
    limits: Vec<TypedLimit>,
    hold_above: String,
    hold_currency: String,
    abroad: String,
    fee_percent: String,
    fee_fixed: String,
    fee_currency: String,
}

#[derive(Clone, Default)]
struct TypedLimit {
    name: String,
    amount: String,
    currency: String,
    from: String,
    until: String,
}

impl Typed {
    fn of(committee: CommitteeId, rules: &Rules) -> Self {
        let limit = |limit: &Limit| TypedLimit {
            name: limit.name.clone(),
            amount: present::typed(limit.most),
            currency: limit.most.currency.code().into(),
            from: limit.from.to_string(),
            until: limit.until.to_string(),
        };
        let abroad = match rules.abroad {
            Abroad::WithPassport => "with_passport",
            Abroad::Refused => "refused",
            Abroad::Taken => "taken",
        };
        let currency = rules.fee.map_or(Currency::USD, |fee| fee.fixed.currency);
        Self {
            committee,
            name: rules.name.clone(),
            formula: TypedFormula::of(rules.formula.as_ref()),
            limits: rules.limits.iter().map(limit).collect(),
            hold_above: rules.hold_above.map(present::typed).unwrap_or_default(),
            hold_currency: rules.hold_above.map_or(Currency::USD, |most| most.currency).code().into(),
            abroad: abroad.into(),
            fee_percent: rules.fee.map(|fee| percent(fee.basis_points)).unwrap_or_default(),
            fee_fixed: rules.fee.map(|fee| present::typed(fee.fixed)).unwrap_or_default(),
            fee_currency: currency.code().into(),
        }
    }

    fn from_form(committee: CommitteeId, form: &Form) -> Self {
        let limit = |number: usize| {
            let field = |name: &str| form.get(&format!("limit_{name}_{number}"));
            TypedLimit {
                name: field("name"),
                amount: field("amount"),
                currency: field("currency"),
                from: field("from"),
                until: field("until"),
            }
        };
        Self {
            committee,
            name: form.get("name"),
            formula: TypedFormula::from_form(form),
            // A line whose name and amount are emptied is taken out.
            limits: (1..=LIMITS_MAX)
                .map(limit)
                .filter(|limit| !limit.name.is_empty() || !limit.amount.is_empty())
                .collect(),
            hold_above: form.get("hold_above"),
            hold_currency: form.get("hold_currency"),
            abroad: form.get("abroad"),
            fee_percent: form.get("fee_percent"),
            fee_fixed: form.get("fee_fixed"),
            fee_currency: form.get("fee_currency"),
        }
    }

    fn read(&self) -> Result<Rules, Vec<String>> {
        let mut errors = vec![];
        let mut limits = vec![];
        for (at, limit) in self.limits.iter().enumerate() {
            match limit.read() {
                Ok(limit) => limits.push(limit),
                Err(what) => errors.push(format!("Limit {}: {what}", at.saturating_add(1))),
            }
        }
        let abroad = match self.abroad.as_str() {
            "refused" => Abroad::Refused,
            "taken" => Abroad::Taken,
            _ => Abroad::WithPassport,
        };
        let fee = self.read_fee().unwrap_or_else(|what| {
            errors.push(what.into());
            None
        });
        let formula = self.formula.read(self.committee).unwrap_or_else(|what| {
            errors.push(what);
            None
        });
        let hold_above = self.read_hold().unwrap_or_else(|what| {
            errors.push(what);
            None
        });
        let name = self.name.clone();
        if errors.is_empty() { Ok(Rules { limits, abroad, fee, name, formula, hold_above }) } else { Err(errors) }
    }

    fn read_hold(&self) -> Result<Option<Money>, String> {
        if self.hold_above.is_empty() {
            return Ok(None);
        }
        let currency = self.hold_currency.parse().map_err(|_| "Choose the currency of gifts to look at.")?;
        let most = Money::parse(&self.hold_above, currency);
        most.map(Some).map_err(|error| format!("Gifts to look at: {error}."))
    }

    fn read_fee(&self) -> Result<Option<FeeRate>, &'static str> {
        if self.fee_percent.is_empty() && self.fee_fixed.is_empty() {
            return Ok(None);
        }
        let currency: Currency = self.fee_currency.parse().map_err(|_| "Choose the fee’s currency.")?;
        let basis_points = basis_points(&self.fee_percent);
        let fixed =
            if self.fee_fixed.is_empty() { Ok(Money::zero(currency)) } else { Money::parse(&self.fee_fixed, currency) };
        Ok(Some(FeeRate {
            basis_points: basis_points.ok_or("Write the fee’s share in percent, like 2.9.")?,
            fixed: fixed.map_err(|_| "Write the fee’s fixed sum in digits, like 0.30.")?,
        }))
    }
}

impl TypedLimit {
    fn read(&self) -> Result<Limit, String> {
        let currency: Currency = self.currency.parse().map_err(|_| "choose a currency.".to_owned())?;
        let most = Money::parse(&self.amount, currency).map_err(|error| format!("{error}."))?;
        let day = |text: &str, which: &str| {
            text.parse::<NaiveDate>().map_err(|_| format!("enter the {which} day on which it counts."))
        };
        Ok(Limit { name: self.name.clone(), most, from: day(&self.from, "first")?, until: day(&self.until, "last")? })
    }
}

/// A share in percent as a person writes it, in hundredths of a percent; nothing is none of it.
fn basis_points(typed: &str) -> Option<u16> {
    let typed = typed.trim_end_matches('%').trim();
    if typed.is_empty() {
        return Some(0);
    }
    // A percentage has two decimals, as dollars have.
    u16::try_from(Money::parse(typed, Currency::USD).ok()?.minor).ok()
}

/// Hundredths of a percent as a person writes them: `2.9`.
fn percent(basis_points: u16) -> String {
    let text = format!("{}.{:02}", basis_points / 100, basis_points % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
