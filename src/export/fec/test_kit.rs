//! A small ledger for the tables of this room: gifts by name, and what became of them.

use super::history::{Gathering, History, Moved, Movement, Place};
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
    asked: Vec<usize>,
    remedies: Vec<(Moved, super::Moved, NaiveDate, u128)>,
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

    /// The last row's donor was asked for what they left out.
    pub fn asked(mut self) -> Self {
        self.asked.push(self.rows.len() - 1);
        self
    }

    /// A part of the gift at a place was moved on a day: how, as of which day it counts, and whose it is.
    pub fn moved(mut self, of: usize, minor: i64, on: &str, how: super::Moved, counts_on: &str, to: u128) -> Self {
        let row = self.rows[of];
        let moved = Moved {
            place: u32::try_from(self.remedies.len()).unwrap(),
            receipt: row.place,
            given: row.day,
            day: day(on),
            giver: row.giver,
            to: Giver { donor: PersonId(Uuid::from_u128(to)), likeness: None },
            whole_minor: row.minor,
            minor,
            is_joint: row.is_joint,
        };
        self.remedies.push((moved, how, day(counts_on), to));
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
        self.remedies.iter().for_each(|(moved, ..)| gathering.remedy(*moved));
        gathering.finish()
    }

    /// What lines say of what is at these places.
    pub fn details(&self, places: &[Place]) -> Vec<Detail> {
        let detail = |place: &Place| match *place {
            Place::Row(row) => self.of_row(row),
            Place::From(at) => self.of_remedy(at, false),
            Place::To(at) => self.of_remedy(at, true),
        };
        places.iter().map(detail).collect()
    }

    fn of_row(&self, row: u32) -> Detail {
        let at = usize::try_from(row).unwrap();
        let receipt = self.rows[at].receipt;
        let given = self.rows[usize::try_from(receipt).unwrap()].day;
        Detail {
            seq: u64::from(row) + 1_000,
            receipt_seq: u64::from(receipt) + 1_000,
            given,
            counts_on: given,
            moved: None,
            contact: self.contacts[at].clone(),
            joint: self.joint[at].clone(),
            was_asked: self.asked.contains(&at),
        }
    }

    fn of_remedy(&self, at: u32, is_to: bool) -> Detail {
        let (moved, how, counts_on, to) = self.remedies[usize::try_from(at).unwrap()];
        let mut detail = Detail { seq: u64::from(at) + 2_000, moved: Some(how), ..self.of_row(moved.receipt) };
        if is_to {
            detail.counts_on = counts_on;
            detail.contact = detail.contact.map(|contact| Contact { first_name: format!("Donor{to}"), ..contact });
        }
        detail
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
