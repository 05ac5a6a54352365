//! The two lists of the page, in words.

use super::Sent;
use crate::clock;
use crate::domain::donation::Donation;
use crate::domain::hash::HashSet;
use crate::domain::id::{CommitteeId, DonationId, RemedyId};
use crate::domain::money::Money;
use crate::domain::profile::Contact;
use crate::domain::remedy::Consent;
use crate::domain::work::{Item, Kind as Work};
use crate::engine::lines::Lines as Log;
use crate::projections::ledger::Kind;
use crate::projections::remedies::Remedy;
use crate::projections::totals::timezone;
use crate::report::contacts::Contacts;
use crate::report::excess::Excess;
use crate::report::who;
use crate::web::form::Errors;
use crate::web::gift::day_in_words;
use crate::web::pages::work::{Hold, Team};
use crate::web::problem::{self, Problem};
use crate::web::view::{Choice, Field};
use crate::web::{App, present};
use chrono_tz::Tz;
use uuid::Uuid;

/// The fields of whom a part is reattributed to, and their words.
const PERSON: [(&str, &str); 9] = [
    ("first_name", "First name"),
    ("last_name", "Last name"),
    ("email", "E-mail (optional)"),
    ("address", "Street address"),
    ("city", "City"),
    ("region", "State"),
    ("postal", "ZIP code"),
    ("employer", "Employer"),
    ("occupation", "Occupation"),
];

/// A gift that is over a limit.
#[derive(Debug, Clone)]
pub struct Line {
    /// Which gift.
    pub donation: DonationId,
    /// Who.
    pub name: String,
    /// Where they are reached.
    pub email: String,
    /// What is over: `$1,500.00`.
    pub over: String,
    /// Which limit: `primary election 2026, $3,500`.
    pub limit: String,
    /// The gift: `$5,000.00 on August 1, 2026`.
    pub gift: String,
    /// The committee through which it came, where that was another.
    pub through: String,
    /// The last day: `September 30, 2026`.
    pub by: String,
    /// How many days are left: `12 days left`.
    pub left: String,
    /// Whether none are.
    pub is_overdue: bool,
    /// What a refund of just the excess is: `1500.00`; empty where that is under way.
    pub refund: String,
    /// The same as money.
    pub refund_label: String,
    /// That a refund is under way, or waits for a second person; empty where none does.
    pub waiting: String,
    /// Whether it is a part that was reattributed already: that one is undone instead.
    pub is_moved: bool,
    /// A name for what its forms ask for.
    pub remedy: RemedyId,
    /// Field `limit`: where it may count instead.
    pub limits: Vec<Choice>,
    /// What is wrong with that.
    pub limit_error: Option<String>,
    /// Fields `amount` and `day` of the first form.
    pub redesignate: [Field; 2],
    /// The same of the second.
    pub reattribute: [Field; 2],
    /// Field `consent`, where it was sent.
    pub presumed: bool,
    /// What is wrong with it.
    pub consent_error: Option<String>,
    /// Fields of whom it is reattributed to: name, words, and what was typed.
    pub person: Vec<(&'static str, &'static str, Field)>,
    /// Field `not_employed`.
    pub not_employed: bool,
    /// Field `signed`.
    pub signed: bool,
    /// What is wrong with it.
    pub signed_error: Option<String>,
    /// What is wrong with all of it.
    pub error: Option<String>,
    /// Which form is open.
    pub open: &'static str,
    /// Who sees to it.
    pub hold: Hold,
    /// Whether it is the first of its gift: one over two limits has a line for each, and links lead to the first.
    pub is_first: bool,
}

/// A gift that is over no limit any more.
#[derive(Debug, Clone)]
pub struct Done {
    /// Which gift.
    pub donation: DonationId,
    /// Who.
    pub name: String,
    /// What was over, or still is, and which limit: `$1,500.00 over the primary election 2026`.
    pub was: String,
    /// What was done, by whom and when, a sentence an entry; with a remedy that can be undone.
    pub how: Vec<(String, Option<RemedyId>)>,
}

/// Makes lines.
pub(super) struct Lines<'a> {
    app: &'a App,
    committee: CommitteeId,
    contacts: Contacts,
    log: Log,
    /// The gifts that have a line.
    shown: HashSet<DonationId>,
}

impl<'a> Lines<'a> {
    /// With what opens people's data: whoever shows it has told of it.
    pub(super) fn new(app: &'a App, committee: CommitteeId, contacts: Contacts) -> Self {
        Self { app, committee, contacts, log: app.engine().lines(), shown: HashSet::default() }
    }

    fn gift(&self, donation: DonationId) -> Option<(Donation, Tz)> {
        let world = self.app.engine().world();
        let gift = world.state.donations.get(donation)?.clone();
        let zone = timezone(&world.state, gift.rally);
        Some((gift, zone))
    }

    /// Whose it is: who gave, or whom it was reattributed to.
    fn who(&mut self, one: &Excess, gift: &Donation) -> Option<Contact> {
        let (at, remedy) = {
            let world = self.app.engine().world();
            let is_it = |remedy: &&Remedy| remedy.undone.is_none() && remedy.person() == Some(one.giver);
            (world.ledger.pledge(one.donation)?.contact, world.remedies.of(one.donation).find(is_it).map(|it| it.seq))
        };
        match remedy.filter(|_| one.giver != gift.giver()) {
            Some(seq) => self.contacts.reattributed(one.giver.donor, seq).ok().flatten(),
            None => self.contacts.shown(gift.donor, at),
        }
    }

    /// One that is over.
    pub(super) fn open(&mut self, one: &Excess, team: &Team, sent: Option<&Sent>) -> Option<Line> {
        let (gift, zone) = self.gift(one.donation)?;
        let contact = self.who(one, &gift);
        let currency = gift.amount.currency;
        let money = |minor| Money::new(minor, currency);
        let sent = sent.filter(|sent| sent.donation == one.donation);
        let (limits, through, today, hold) = {
            let world = self.app.engine().world();
            let hold = team.hold(&world.state, &Item::of_gift(Work::Excess, one.donation, self.committee));
            let rules = &world.state.committees.get(self.committee)?.rules;
            let chosen = sent.map(|sent| sent.form.get("limit")).unwrap_or_default();
            let is_other =
                |limit: &&crate::domain::committee::Limit| !limit.covers(gift.day) && limit.most.currency == currency;
            let choice = |limit: &crate::domain::committee::Limit| Choice {
                value: limit.name.clone(),
                label: format!("{}, {} to {}", limit.name, day_in_words(limit.from), day_in_words(limit.until)),
                selected: limit.name == chosen,
            };
            let is_joint = gift.committee != self.committee;
            let through = if is_joint { world.state.committees.name(gift.committee).to_owned() } else { String::new() };
            let limits: Vec<Choice> = rules.limits.iter().filter(is_other).map(choice).collect();
            (limits, through, clock::now().with_timezone(&zone).date_naive(), hold)
        };
        let proposed = self.app.engine().world().state.refunds.of(one.donation).map(|(_, waiting)| waiting.amount);
        let waiting = gift.waiting_refunds().map(|(_, request)| request.amount.minor).fold(0, i64::saturating_add);
        let refund = refund_of(one, &gift, self.committee);
        let left = one.by.signed_duration_since(today).num_days();
        let of = |form: &'static str| sent.filter(|sent| sent.what == form);
        // What was sent by one form is not what was typed into the other.
        let field = |form: &'static str, name: &'static str, default: String| match of(form) {
            Some(sent) => sent.errors.field(name, sent.form.get(name)),
            None => Errors::default().field(name, default),
        };
        let person = PERSON.map(|(name, words)| {
            let same = contact.as_ref().map(|contact| match name {
                "last_name" => contact.last_name.clone(),
                "address" => contact.line.clone(),
                "city" => contact.city.clone(),
                "region" => contact.region.clone(),
                "postal" => contact.postal.clone(),
                _ => String::new(),
            });
            (name, words, field("reattribute", name, same.unwrap_or_default()))
        });
        let both = |form: &'static str| {
            let amount = field(form, "amount", money(one.over_minor).to_decimal());
            [amount, field(form, "day", today.min(one.by).to_string())]
        };
        let error = |name: &str| sent.and_then(|sent| sent.errors.of(name));
        Some(Line {
            donation: one.donation,
            name: name(contact.as_ref()),
            email: contact.map(|contact| contact.email).unwrap_or_default(),
            over: money(one.over_minor).to_exact(),
            limit: format!("{}, {}", one.limit.name, one.limit.most.to_short()),
            gift: format!("{} on {}", money(gift.settled_minor()).to_exact(), day_in_words(gift.day)),
            through,
            by: day_in_words(one.by),
            left: match left {
                ..0 => String::new(),
                0 => "the last day is today".into(),
                1 => "1 day left".into(),
                days => format!("{days} days left"),
            },
            is_overdue: left < 0,
            refund: if waiting >= refund || proposed.is_some() { String::new() } else { money(refund).to_decimal() },
            refund_label: money(refund).to_exact(),
            waiting: match proposed {
                Some(amount) => format!("A refund of {} waits for a second person.", amount.to_exact()),
                None if waiting > 0 => format!("A refund of {} is on its way.", money(waiting).to_exact()),
                None => String::new(),
            },
            is_moved: one.giver != gift.giver(),
            remedy: RemedyId(Uuid::now_v7()),
            limits,
            limit_error: error("limit"),
            redesignate: both("redesignate"),
            reattribute: both("reattribute"),
            presumed: sent.is_some_and(|sent| sent.form.get("consent") == "presumed"),
            consent_error: error("consent"),
            person: person.into(),
            not_employed: sent.is_some_and(|sent| sent.form.has("not_employed")),
            signed: of("reattribute").is_some_and(|sent| sent.form.has("signed")),
            signed_error: error("signed"),
            error: error("error"),
            open: sent.map_or("", |sent| sent.what),
            hold,
            is_first: self.shown.insert(one.donation),
        })
    }

    /// One that is over no more; nothing where the gift is unknown.
    ///
    /// # Errors
    /// The log can't be read.
    pub(super) fn done(&mut self, one: &Excess) -> Result<Option<Done>, Problem> {
        let Some((gift, zone)) = self.gift(one.donation) else { return Ok(None) };
        let money = |minor| Money::new(minor, gift.amount.currency).to_exact();
        let (remedies, events, refunds) = {
            let world = self.app.engine().world();
            let is_here = |remedy: &&Remedy| remedy.undone.is_none() && remedy.committee == self.committee;
            let remedies: Vec<Remedy> = world.remedies.of(one.donation).filter(is_here).cloned().collect();
            let events = world.ledger.pledge(one.donation).map(|pledge| pledge.events.clone()).unwrap_or_default();
            let is_refund = |row: &&crate::projections::ledger::Row| row.kind == Kind::Refund;
            let refunds: Vec<_> = world.ledger.rows_of(one.donation).filter(is_refund).cloned().collect();
            (remedies, events, refunds)
        };
        let mut how = vec![];
        for remedy in &remedies {
            let by = self.by(remedy.seq)?;
            let (amount, day) = (money(remedy.minor), day_in_words(remedy.day));
            let words = match (&remedy.limit, remedy.consent) {
                (Some(limit), Consent::Written) => format!("{amount} redesignated to the {limit}, in writing of {day}"),
                (Some(limit), Consent::Presumed) => {
                    format!("{amount} redesignated to the {limit}, presumed with the notice of {day}")
                }
                (None, _) => {
                    let other = remedy.person().map(|person| person.donor);
                    let other = other.and_then(|other| self.contacts.reattributed(other, remedy.seq).ok().flatten());
                    format!("{amount} reattributed to {}, in writing of {day}", name(other.as_ref()))
                }
            };
            how.push((format!("{words}; recorded by {by}."), Some(remedy.id)));
        }
        if !refunds.is_empty() {
            let by = who::refunded(&mut self.log, &events).map_err(|fault| problem::internal(&fault))?;
            let by = by.map_or_else(|| "the processor".into(), |by| self.app.name_of(&by));
            how.extend(refunds.iter().map(|row| {
                let day = day_in_words(row.at.with_timezone(&zone).date_naive());
                (format!("{} given back on {day}, by {by}.", money(row.amount.minor.saturating_neg())), None)
            }));
        }
        if how.is_empty() {
            how.push(("This person’s gifts are within the limit again.".into(), None));
        }
        let contact = self.who(one, &gift);
        let still = if one.is_open { "still " } else { "" };
        let was = format!("{} {still}over the {}", money(one.over_minor), one.limit.name);
        Ok(Some(Done { donation: one.donation, name: name(contact.as_ref()), was, how }))
    }

    fn by(&mut self, seq: u64) -> Result<String, Problem> {
        let signed = self.log.signed(seq).map_err(|fault| problem::internal(&fault))?;
        Ok(signed.map(|(_, by)| self.app.name_of(&by)).unwrap_or_default())
    }
}

/// What of a whole gift is given back, so that what is over of a committee's part of it is: of a joint gift, the others' parts
/// shrink with it.
fn refund_of(one: &Excess, gift: &Donation, committee: CommitteeId) -> i64 {
    let (whole, part) = (i128::from(gift.counted_minor()), i128::from(gift.counted_for(committee)));
    let over = i128::from(one.over_minor);
    let refund = if part > 0 { over.saturating_mul(whole).saturating_add(part - 1).div_euclid(part) } else { over };
    i64::try_from(refund).unwrap_or(i64::MAX).min(gift.left_minor())
}

fn name(contact: Option<&Contact>) -> String {
    contact.map_or_else(|| present::ERASED.into(), |who| format!("{} {}", who.first_name, who.last_name))
}
