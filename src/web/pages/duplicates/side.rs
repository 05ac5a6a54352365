//! Two donors side by side: what each typed last, and what each gave.

use crate::domain::id::PersonId;
use crate::domain::money::{Currency, Money};
use crate::domain::profile::Contact;
use crate::projections::Projections;
use crate::projections::ledger::ContactAt;
use crate::report::contacts::Contacts;
use crate::web::gift::day_in_words;
use crate::web::present;
use chrono::NaiveDate;
use std::collections::BTreeMap;

/// What is known of both in one respect.
#[derive(Debug, Clone)]
pub struct Line {
    /// In which.
    pub label: &'static str,
    /// Of the one and of the other.
    pub values: [String; 2],
    /// Whether that is not the same of both.
    pub differs: bool,
}

/// A donor, whose name is still sealed.
pub(super) struct Donor {
    id: PersonId,
    contact: Option<ContactAt>,
    gifts: usize,
    sums: BTreeMap<&'static str, (Currency, i64)>,
    days: Option<(NaiveDate, NaiveDate)>,
}

impl Donor {
    pub(super) fn new(world: &Projections, id: PersonId) -> Self {
        let donations = &world.state.donations;
        let last = donations.last_of(id).and_then(|last| world.ledger.pledge(last));
        let contact = last.map(|pledge| pledge.contact);
        let mut donor = Self { id, contact, gifts: 0, sums: BTreeMap::new(), days: None };
        for (_, gift) in donations.by(id).filter(|(_, gift)| gift.settled_minor() > 0) {
            let currency = gift.amount.currency;
            donor.gifts = donor.gifts.saturating_add(1);
            let (_, sum) = donor.sums.entry(currency.code()).or_insert((currency, 0));
            *sum = sum.saturating_add(gift.settled_minor());
            let (first, last) = donor.days.unwrap_or((gift.day, gift.day));
            donor.days = Some((first.min(gift.day), last.max(gift.day)));
        }
        donor
    }

    /// What they typed with their last gift; `None` where they were erased.
    pub(super) fn open(&self, contacts: &mut Contacts) -> Option<Contact> {
        contacts.shown(self.id, self.contact?)
    }

    fn given(&self) -> String {
        let gifts = format!("{} gift{}", present::count(self.gifts), if self.gifts == 1 { "" } else { "s" });
        if self.sums.is_empty() { gifts } else { format!("{gifts}, {}", in_words(&self.sums)) }
    }

    fn days(&self) -> String {
        match self.days {
            None => String::new(),
            Some((first, last)) if first == last => day_in_words(first),
            Some((first, last)) => format!("{} to {}", day_in_words(first), day_in_words(last)),
        }
    }
}

/// What both gave: `$450.00`.
pub(super) fn together(donors: &[Donor; 2]) -> String {
    let mut sums = BTreeMap::new();
    for (code, (currency, minor)) in donors.iter().flat_map(|donor| &donor.sums) {
        let (_, sum) = sums.entry(*code).or_insert((*currency, 0_i64));
        *sum = sum.saturating_add(*minor);
    }
    in_words(&sums)
}

fn in_words(sums: &BTreeMap<&'static str, (Currency, i64)>) -> String {
    let sums = sums.values().map(|(currency, minor)| Money::new(*minor, *currency).to_exact());
    sums.collect::<Vec<_>>().join(" and ")
}

/// A donor's name; a mark where it was erased.
pub(super) fn name(contact: Option<&Contact>) -> String {
    contact.map_or_else(|| present::ERASED.into(), |contact| format!("{} {}", contact.first_name, contact.last_name))
}

/// What is known of both.
pub(super) fn lines(donors: &[Donor; 2], contacts: [Option<&Contact>; 2]) -> Vec<Line> {
    let typed = |label, of: fn(&Contact) -> String| {
        let values = contacts.map(|contact| contact.map(of).unwrap_or_default());
        let [one, other] = &values;
        let differs = one.trim().to_lowercase() != other.trim().to_lowercase();
        Line { label, values, differs }
    };
    let [one, other] = donors;
    let given = |label, of: fn(&Donor) -> String| Line { label, values: [of(one), of(other)], differs: false };
    vec![
        Line { values: contacts.map(name), ..typed("Name", |contact| name(Some(contact))) },
        typed("E-mail", |contact| contact.email.clone()),
        typed("Street", |contact| contact.line.clone()),
        typed("City", |contact| format!("{}, {} {}", contact.city, contact.region, contact.postal)),
        typed("Country", |contact| contact.country.clone()),
        typed("Employer", |contact| contact.employer.clone()),
        typed("Occupation", |contact| contact.occupation.clone()),
        given("Gave", Donor::given),
        given("Between", Donor::days),
    ]
}
