//! Paying on a page of the processor's own, where ours can't show card fields: in a browser without scripts, or with the
//! processor's script blocked.
//!
//! The page's address is its key: who does not know it can't pay there. It is told to the donor alone, once the page's name is
//! in the log, and is itself neither logged nor kept.

use super::{Outcome, Repeats};
use crate::domain::id::DonationId;
use crate::domain::money::Money;
use std::fmt;

/// How long after its attempt began a page closes, in seconds: Stripe keeps none for less than 30 minutes from when it is
/// asked, and five more are for a call that is sent again and for clocks that differ.
pub const OPEN_SECONDS: i64 = 35 * 60;

/// One page to be kept for one attempt. The same attempt asks for the same page, to the letter.
#[derive(Clone)]
pub struct Checkout {
    /// The donation, written on page and payment so that a webhook finds it.
    pub donation: DonationId,
    /// Which attempt to pay it, written on the page too.
    pub attempt: u32,
    /// How much; positive.
    pub amount: Money,
    /// The idempotency key: [`super::checkout_key`].
    pub key: String,
    /// The rally's slug, written on the payment for whoever reads the processor's own pages.
    pub rally: String,
    /// Which gift of a recurring one it is: then the card is kept.
    pub repeats: Option<Repeats>,
    /// What the donor reads beside the amount.
    pub title: String,
    /// The donor's e-mail address.
    pub email: String,
    /// Where the donor goes who has paid.
    pub paid_href: String,
    /// Where the donor goes who has not.
    pub back_href: String,
    /// When the page closes, in Unix seconds.
    pub closes_at: i64,
}

impl fmt::Debug for Checkout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Checkout");
        shown.field("donation", &self.donation).field("attempt", &self.attempt).field("amount", &self.amount);
        shown.field("key", &self.key).finish_non_exhaustive()
    }
}

/// A page that the processor keeps.
#[derive(Clone, PartialEq, Eq)]
pub struct Hosted {
    /// The processor's id of it.
    pub checkout: String,
    /// Where it is: for the donor's browser only.
    pub url: String,
}

/// How a page stands.
#[derive(Clone, PartialEq, Eq)]
pub enum Visit {
    /// It can be paid on.
    Open {
        /// Where it is: for the donor's browser only.
        url: String,
    },
    /// It was paid on; how the payment stands, which has a name of its own.
    Used(Outcome),
    /// It can't be paid on any more, and was not.
    Closed {
        /// Why, in one word.
        code: String,
        /// The reason in plain words for the donor.
        reason: String,
    },
}

impl fmt::Debug for Hosted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hosted").field("checkout", &self.checkout).finish_non_exhaustive()
    }
}

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { url: _ } => f.debug_struct("Open").finish_non_exhaustive(),
            Self::Used(outcome) => f.debug_tuple("Used").field(outcome).finish(),
            Self::Closed { code, reason: _ } => f.debug_struct("Closed").field("code", code).finish_non_exhaustive(),
        }
    }
}
