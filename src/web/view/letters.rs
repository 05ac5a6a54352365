//! Letters: how a receipt stands, for its donor; part `letters`, those that did not arrive, for finance.

use askama::Template;

/// Part `letters`: what waits and what failed; empty where no mail was ever asked for or all of it went.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "parts/letters.html")]
pub struct Letters {
    /// `3 letters wait to be sent.` Empty where none does.
    pub waiting: String,
    /// The latest that failed.
    pub failed: Vec<FailedLetter>,
    /// `And 12 before them.` Empty where all are shown.
    pub more: String,
}

/// A letter that will never arrive.
#[derive(Debug, Clone)]
pub struct FailedLetter {
    /// `July 25, 9:13:58 pm`, in the rally's time zone.
    pub when: String,
    /// The same as RFC 3339.
    pub when_iso: String,
    /// `Receipt` or `Refund notice`.
    pub what: String,
    /// Which donation.
    pub donation: String,
    /// Its page, whose address can be given to the donor.
    pub href: String,
    /// In plain words.
    pub reason: String,
}

/// How a receipt's mail stands, on the donation's page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiptMail {
    /// It is to be sent.
    OnItsWay,
    /// The mail server took it.
    Sent,
    /// It will not arrive.
    Failed {
        /// Why, in plain words.
        reason: String,
    },
}
