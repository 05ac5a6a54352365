//! A processor's own books: what moved its balance, and what it paid out to the bank.

use crate::domain::books::{Entry, PayoutRecorded};
use crate::domain::id::DonationId;
use crate::domain::money::Money;

/// Which entries of the balance are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entries<'a> {
    /// Those made from then on, in Unix seconds.
    Since(i64),
    /// Those in a payout.
    Of(&'a str),
}

/// An entry of the balance as it was listed. Its donation is what is written on it, whether there is one here or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The entry.
    pub entry: Entry,
    /// The sum in the currency that the donor paid in, positive; `None` where the list does not say.
    pub paid: Option<Money>,
}

/// Something listed that is not for this ledger, or can't be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strange {
    /// The processor's id.
    pub name: String,
    /// The donation that is written on it.
    pub donation: Option<DonationId>,
    /// What is wrong with it, in words for finance.
    pub why: &'static str,
}

/// A page of the balance.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EntryPage {
    /// The newest first.
    pub entries: Vec<Listed>,
    /// What is not for this ledger.
    pub strange: Vec<Strange>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<String>,
}

/// A payout as it was listed.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedPayout {
    /// How it stands.
    pub payout: PayoutRecorded,
    /// Whether what is in it can be asked for.
    pub is_composed: bool,
}

/// A page of the payouts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PayoutPage {
    /// The newest first.
    pub payouts: Vec<ListedPayout>,
    /// What is not for this ledger.
    pub strange: Vec<Strange>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<String>,
}

/// Something of a payment that can be looked up by its own name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing<'a> {
    /// A refund.
    Refund(&'a str),
    /// A dispute.
    Dispute(&'a str),
}
