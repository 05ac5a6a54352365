//! A small ledger for the tables of this room: gifts by name, and what became of them.

use super::history::{Gathering, History, Movement};
use super::{Amends, Detail, Report};
use crate::domain::committee::filer::{Filer, Form};
use crate::domain::donation::Giver;
use crate::domain::id::PersonId;
use crate::domain::ledger::Mode;
use crate::domain::profile::Contact;
use crate::projections::ledger::Kind;
use chrono::NaiveDate;
use std::collections::BTreeSet;
use uuid::Uuid;

/// A day.
pub fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// Rows as they come; a row's event is its place and a thousand.
#[derive(Default)]
pub struct Book {
    rows: Vec<Movement>,
    contacts: Vec<Option<Contact>>,
    joint: Vec<Option<String>>,
    classes: Vec<BTreeSet<PersonId>>,
}

impl Book {
    /// A gift of a donor; who has one number is one person by mail.
    pub fn gift(mut self, donor: u128, given: &str, minor: i64) -> Self {
        self.push(donor, None, Kind::Donation, given, minor);
        self
    }

    /// Somebody says that these donors are one person.
    pub fn merged(mut self, donors: &[u128]) -> Self {
        self.classes.push(donors.iter().map(|donor| PersonId(Uuid::from_u128(*donor))).collect());
        self
    }

    /// The last row's donor lives where all do who have this number.
    pub fn at_home(mut self, home: u128) -> Self {
        self.rows.last_mut().unwrap().giver.likeness = Some(PersonId(Uuid::from_u128(home)));
        self
    }

    /// The last row moved on this day, and cost so much.
    pub fn settled(mut self, moved: &str, fee_minor: i64) -> Self {
        let row = self.rows.last_mut().unwrap();
        (row.moved, row.fee_minor) = (day(moved), fee_minor);
        self
    }

    /// The last row's donor, as they typed it; nobody where they were erased.
    pub fn by(mut self, contact: Option<Contact>) -> Self {
        *self.contacts.last_mut().unwrap() = contact;
        self
    }

    /// The last row is a part of a gift to this committee.
    pub fn through(mut self, joint: &str) -> Self {
        *self.joint.last_mut().unwrap() = Some(joint.into());
        self.rows.last_mut().unwrap().is_joint = true;
        self
    }

    /// What became of the gift at a place.
    pub fn then(mut self, of: usize, kind: Kind, on: &str, minor: i64) -> Self {
        let (donor, contact, joint) = (self.rows[of].giver.donor, self.contacts[of].clone(), self.joint[of].clone());
        self.push(donor.0.as_u128(), Some(u32::try_from(of).unwrap()), kind, on, minor);
        self.rows.last_mut().unwrap().giver.likeness = self.rows[of].giver.likeness;
        self.rows.last_mut().unwrap().is_joint = self.rows[of].is_joint;
        *self.contacts.last_mut().unwrap() = contact;
        *self.joint.last_mut().unwrap() = joint;
        self
    }

    fn push(&mut self, donor: u128, receipt: Option<u32>, kind: Kind, on: &str, minor: i64) {
        let place = u32::try_from(self.rows.len()).unwrap();
        self.rows.push(Movement {
            place,
            receipt: receipt.unwrap_or(place),
            kind,
            day: day(on),
            moved: day(on),
            giver: Giver { donor: PersonId(Uuid::from_u128(donor)), likeness: None },
            minor,
            fee_minor: 0,
            is_joint: false,
        });
        let first_name = format!("Donor{donor}");
        self.contacts.push(Some(Contact { first_name, ..Contact::example() }));
        self.joint.push(None);
    }

    /// All of it, in the order of its days.
    pub fn history(&self) -> History {
        let mut gathering = Gathering::with_capacity(self.rows.len());
        self.rows.iter().for_each(|row| gathering.add(*row));
        gathering.merge(self.classes.clone());
        gathering.finish()
    }

    /// What lines say of the rows at these places.
    pub fn details(&self, places: &[u32]) -> Vec<Detail> {
        let detail = |place: &u32| {
            let at = usize::try_from(*place).unwrap();
            let (contact, joint) = (self.contacts[at].clone(), self.joint[at].clone());
            let (seq, receipt) = (u64::from(*place) + 1_000, self.rows[at].receipt);
            let given = self.rows[usize::try_from(receipt).unwrap()].day;
            Detail { seq, receipt_seq: u64::from(receipt) + 1_000, given, contact, joint }
        };
        places.iter().map(detail).collect()
    }
}

/// A report of real money.
pub fn report(form: Form, code: &str, from: &str, through: &str) -> Report {
    Report {
        filer: Filer::example(form),
        code: code.into(),
        from: day(from),
        through: day(through),
        election: None,
        signed: day("2026-10-15"),
        cash_minor: 0,
        amends: None,
        mode: Mode::Live,
    }
}

/// The second amendment of a filing.
pub const AMENDS: Option<Amends> = Some(Amends { filing: 1_234_567, number: 2 });
