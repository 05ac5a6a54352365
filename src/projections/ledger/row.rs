//! What the ledger has: rows, and the pledges behind them.

use super::PaidOut;
use crate::domain::committee::joint::Part;
use crate::domain::donation::Way;
use crate::domain::id::{CommitteeId, DonationId, PaymentId, PersonId, RallyId, SourceId};
use crate::domain::money::Money;
use chrono::serde::ts_microseconds;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

/// Bytes before each contact beside the log.
pub const SHELF_HEAD_BYTES: u64 = 16;

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Money received.
    Donation,
    /// Money given back.
    Refund,
    /// A refund failed after it was done: the money is here again.
    RefundReversed,
    /// A dispute's money was withdrawn.
    Dispute,
    /// A dispute's money was given back to us.
    DisputeReversed,
    /// A debit was taken back by the donor's bank.
    Return,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Donation, Self::Refund, Self::RefundReversed, Self::Dispute, Self::DisputeReversed, Self::Return];

    /// The kind with this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The word for it in files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Donation => "donation",
            Self::Refund => "refund",
            Self::RefundReversed => "refund_reversed",
            Self::Dispute => "dispute",
            Self::DisputeReversed => "dispute_reversed",
            Self::Return => "debit_returned",
        }
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The event it comes from.
    pub seq: u64,
    /// When it happened.
    #[serde(with = "ts_microseconds")]
    pub at: DateTime<Utc>,
    /// The same as a day, in the time zone that the rally had then.
    pub day: NaiveDate,
    /// What moved, and which way.
    pub kind: Kind,
    /// Which donation.
    pub donation: DonationId,
    /// Where it was given.
    pub rally: RallyId,
    /// In whose account it moved.
    pub committee: CommitteeId,
    /// What of it is whose, where a joint committee shares its gifts out.
    pub parts: Box<[Part]>,
    /// Who gave.
    pub donor: PersonId,
    /// The processor's payment.
    pub payment: PaymentId,
    /// The processor's id of the refund or dispute, on the rows of one.
    pub reference: Option<Box<str>>,
    /// The sum, negative where it left us.
    pub amount: Money,
    /// The processor's fee, where it is known.
    pub fee: Option<Fee>,
    /// "visa 4242", where it is known.
    pub card: Option<Box<str>>,
    /// The refcode of the link that led to the form, see [`super::Ledger::refcode`].
    pub refcode: Option<u32>,
    /// When the form was sent, in seconds since 1970: on every row of a donation the same.
    pub sent_s: u32,
    /// Who was on program then.
    pub speaker: Option<SourceId>,
    /// In which payout to the bank it is, where that is known.
    pub paid_out: Option<PaidOut>,
}

/// A fee, and since when it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fee {
    /// What the processor kept.
    pub amount: Money,
    /// The event that told of it.
    pub seq: u64,
}

impl Row {
    /// The fee as it was known at an event.
    pub fn fee_at(&self, seq: u64) -> Option<Money> {
        self.fee.filter(|fee| fee.seq <= seq).map(|fee| fee.amount)
    }

    /// What was paid with: `visa`; none where that is not known.
    pub fn method(&self) -> Option<&str> {
        self.card.as_deref().and_then(|card| card.split(' ').next())
    }

    /// The number of its payout as it was known at an event.
    pub fn payout_at(&self, seq: u64) -> Option<u32> {
        self.paid_out.filter(|paid_out| paid_out.seq <= seq).map(|paid_out| paid_out.payout)
    }
}

/// Where a contact is found again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactAt {
    /// The pledge's event.
    pub seq: u64,
    /// The first of its bytes beside the log: contacts stand there in the order of their pledges, each behind
    /// [`SHELF_HEAD_BYTES`].
    pub place: u64,
}

/// What the donor said in pledging.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pledge {
    /// Where the sealed [`crate::domain::profile::Contact`] is read.
    pub contact: ContactAt,
    /// When the form was sent.
    #[serde(with = "ts_microseconds")]
    pub at: DateTime<Utc>,
    /// From the link that led here.
    pub refcode: Option<Box<str>>,
    /// By which way the donor came to the form, where that was told.
    pub by: Option<Way>,
    /// How much of it is there to cover the fee.
    pub covers_fee: Option<Money>,
    /// Who was on program then.
    pub on_program: Option<SourceId>,
    /// Places of its rows.
    pub(super) places: Vec<usize>,
    /// Every event about it, in order.
    pub events: Vec<u64>,
}
