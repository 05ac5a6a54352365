//! A row of the ledger as files have it: with names for what the ledger has ids for, and who gave.

use crate::domain::id::{DonationId, PaymentId, PersonId, PlanId};
use crate::domain::ledger::Mode;
use crate::domain::money::Money;
use crate::domain::plan::Every;
use crate::domain::profile::Contact;
use crate::projections::ledger::Kind;
use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use std::sync::Arc;

/// One donation, or what happened to its money since.
#[derive(Clone, Debug)]
pub struct Row {
    /// The event it comes from.
    pub seq: u64,
    /// When it was received or given back.
    pub at: DateTime<Utc>,
    /// The same as a day in the rally's time zone.
    pub day: NaiveDate,
    /// What moved, and which way.
    pub kind: Kind,
    /// What the money is worth.
    pub mode: Mode,
    /// Where it was given.
    pub rally: Arc<Rally>,
    /// The committee in whose account it moved.
    pub committee: Arc<str>,
    /// Negative where it left us.
    pub amount: Money,
    /// The processor's fee, where it is known.
    pub fee: Option<Money>,
    /// Who gave, as the log names them.
    pub donor: PersonId,
    /// The same for people; `None` if erased.
    pub contact: Option<Contact>,
    /// When the form was sent; of an instalment when it fell due.
    pub given_at: DateTime<Utc>,
    /// Who was on program then.
    pub speaker: Option<Arc<str>>,
    /// From the link that led to the form.
    pub refcode: Option<Box<str>>,
    /// `visa 4242`.
    pub card: Option<Box<str>>,
    /// Our id of the donation.
    pub donation: DonationId,
    /// The processor's id of the payment.
    pub payment: PaymentId,
    /// The processor's id of the refund or dispute.
    pub reference: Option<Box<str>>,
    /// Of a recurring gift: which.
    pub recurring: Option<Recurring>,
    /// The payout that took it to the bank, where that is known.
    pub payout: Option<Payout>,
    /// What of it is whose, where the committee shares its gifts out: name and sum, negative where it left.
    pub parts: Vec<(Arc<str>, Money)>,
}

/// A rally as files name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rally {
    /// Its address.
    pub slug: String,
    /// Its title.
    pub title: String,
    /// Who paid for its page.
    pub paid_for_by: String,
}

/// Which gift of a recurring one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recurring {
    /// The recurring gift.
    pub plan: PlanId,
    /// 1 for the gift on the form.
    pub number: u32,
    /// How often it comes.
    pub every: Every,
    /// What is asked each time, as it stands now.
    pub amount: Money,
}

/// A payout to the bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payout {
    /// The processor's id.
    pub id: Arc<str>,
    /// The day on which the bank should have it.
    pub arrival: NaiveDate,
}

/// Lines from which on a file is a large one, and says of itself who took it also where its format is made for other programs:
/// a list of fewer is read by a person, and no program has to be told what is not a row.
pub const LARGE_LINES: usize = 1_000;

/// Of what, and for whom, a file was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// The last event that counts.
    pub seq: u64,
    /// The instant as of which it is.
    pub as_of: DateTime<Utc>,
    /// What the money is worth; none on an empty ledger.
    pub mode: Option<Mode>,
    /// The head of the log there, 64 hex digits.
    pub head: String,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// Who took it: a member of staff, a program, or somebody at the server's shell.
    pub by: String,
    /// What for, in their words; empty where they did not say.
    pub reason: String,
}

impl Made {
    /// What every file says of itself, so that a copy tells whence it came.
    pub fn watermark(&self) -> String {
        let reason = if self.reason.is_empty() { "no reason given" } else { &self.reason };
        let at = self.at.to_rfc3339_opts(SecondsFormat::Secs, true);
        format!("Personal data, taken by {} on {at}: {reason}", self.by)
    }
}

impl Row {
    /// What is left after the fee; `None` where the fee of a donation is not known.
    pub fn net(&self) -> Option<Money> {
        match self.fee {
            Some(fee) => self.amount.checked_sub(fee).ok(),
            None if self.kind == Kind::Donation => None,
            None => Some(self.amount),
        }
    }

    /// What of it is whose: `Rivera for Senate 60.00; State Party 40.00`.
    pub fn parts_in_words(&self) -> String {
        let each = self.parts.iter().map(|(name, amount)| format!("{name} {}", amount.to_decimal()));
        each.collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
pub mod example {
    //! Rows for golden files: names that are hard on a format, a refund and a dispute beside their donation.

    use super::*;
    use crate::domain::money::Currency;
    use uuid::Uuid;

    fn usd(minor: i64) -> Money {
        Money::new(minor, Currency::USD)
    }

    fn row(kind: Kind, minor: i64, fee: Option<i64>, contact: Option<Contact>) -> Row {
        let is_gift = kind == Kind::Donation;
        Row {
            seq: 7,
            at: "2028-07-26T01:13:58.5Z".parse().unwrap(),
            day: "2028-07-25".parse().unwrap(),
            kind,
            mode: Mode::Test,
            rally: Arc::new(Rally {
                slug: "answer-the-call".into(),
                title: "Answer the Call, \"tonight\"".into(),
                paid_for_by: "Paid for by Rivera".into(),
            }),
            committee: "Rivera Victory Fund".into(),
            amount: usd(minor),
            fee: fee.map(usd),
            donor: PersonId(Uuid::from_u128(0xab)),
            contact,
            given_at: "2028-07-26T01:13:50Z".parse().unwrap(),
            speaker: is_gift.then(|| "-Ana Díaz".into()),
            refcode: Some("=HYPERLINK(\"x\")".into()),
            card: Some("visa 4242".into()),
            donation: DonationId(Uuid::from_u128(0xd1)),
            payment: PaymentId("pi_1".into()),
            reference: (kind == Kind::Refund).then(|| "re_1".into()),
            recurring: is_gift.then(|| Recurring {
                plan: PlanId(Uuid::from_u128(0xf1)),
                number: 3,
                every: Every::Month,
                amount: usd(minor),
            }),
            payout: is_gift.then(|| Payout { id: "po_1".into(), arrival: "2028-07-31".parse().unwrap() }),
            parts: if kind == Kind::Dispute {
                vec![]
            } else {
                let parts = [("=Rivera for Senate", minor * 3 / 5), ("State Party", minor * 2 / 5)];
                parts.map(|(name, minor)| (name.into(), usd(minor))).to_vec()
            },
        }
    }

    /// A donation, its refund, and a dispute of somebody who was erased.
    pub fn rows() -> Vec<Row> {
        let contact = Contact {
            first_name: "Joan".into(),
            last_name: "O’Neil, \"Jo\" Jr.\u{1c}".into(),
            email: "joan@example.org".into(),
            line: "1 Main St\nApt 2".into(),
            city: "نيويورك".into(),
            region: "MI".into(),
            postal: "01234".into(),
            country: "US".into(),
            employer: "+Plus Co".into(),
            occupation: "👩‍🏫 Teacher".into(),
            passport: None,
        };
        vec![
            row(Kind::Donation, 5_000, Some(175), Some(contact)),
            row(Kind::Refund, -5_000, None, None),
            row(Kind::Dispute, -5_000, Some(1_500), None),
        ]
    }

    /// What files say of themselves.
    pub fn made() -> Made {
        Made {
            seq: 9,
            as_of: "2028-07-26T02:00:00Z".parse().unwrap(),
            mode: Some(Mode::Test),
            head: "0f".repeat(32),
            at: "2028-08-01T14:30:00Z".parse().unwrap(),
            by: "Dana Reyes".into(),
            reason: "July bank statement".into(),
        }
    }

    /// Compares with a golden file, or writes it where `UPDATE_FIXTURES` is set.
    pub fn golden(name: &str, out: &[u8]) {
        let path = format!("{}/fixtures/exports/{name}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            std::fs::write(&path, out).unwrap();
        }
        let wanted = std::fs::read(&path).unwrap();
        assert_eq!(String::from_utf8_lossy(out), String::from_utf8_lossy(&wanted), "{path}");
    }
}
