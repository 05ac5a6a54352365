//! Identifiers: 128-bit, given from outside so that the core draws no randomness; shown as hyphenated hex.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id!(
    /// One rally.
    RallyId
);
id!(
    /// One speaker's feed.
    SourceId
);
id!(
    /// One item of a run of show.
    ItemId
);
id!(
    /// A person (attendee, donor or staff): a keyed hash of the normalised e-mail address, so the log never holds it.
    PersonId
);
id!(
    /// One donation, from pledge to refund.
    DonationId
);
id!(
    /// One refund of a donation.
    RefundId
);
id!(
    /// One server that a rally's program is sent to.
    DestinationId
);
id!(
    /// One letter to one person: a hash of what it tells of, so that the same is never asked for twice.
    MailId
);
id!(
    /// One sponsor's promise to match gifts.
    MatchId
);
id!(
    /// One recurring gift.
    PlanId
);
id!(
    /// One redesignation or reattribution of a part of a gift.
    RemedyId
);
id!(
    /// One card: a keyed hash of the processor's fingerprint of it.
    CardId
);
id!(
    /// One erasure of a person.
    ErasureId
);
id!(
    /// One program's token for the API.
    TokenId
);
id!(
    /// One receiver of outgoing webhooks.
    HookId
);

/// One committee of this installation, by its place: 0 is the first, which is always there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommitteeId(pub u16);

impl CommitteeId {
    /// The one that is always there.
    pub const FIRST: Self = Self(0);

    /// Whether it is that one; events of it need not say so.
    pub fn is_first(&self) -> bool {
        *self == Self::FIRST
    }
}

impl fmt::Display for CommitteeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for CommitteeId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A period that was closed, by its number: 1 for the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PeriodId(pub u32);

impl fmt::Display for PeriodId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for PeriodId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// A text id where there are very many of them: 128 bits of its BLAKE3 hash, which do not collide in the life of a campaign. The
/// texts would be most of what a map of them weighs, and of the time it takes to copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Short([u8; 16]);

impl Short {
    fn of(id: &str) -> Self {
        Self(blake3::hash(id.as_bytes()).as_bytes().first_chunk().copied().unwrap_or_default())
    }
}

text_id!(
    /// The processor's own name for a payment.
    PaymentId
);
text_id!(
    /// The processor's own name for a page of its own on which a donor pays.
    CheckoutId
);
text_id!(
    /// The processor's own name for a refund.
    ProcessorRefundId
);
text_id!(
    /// The processor's own name for a dispute.
    DisputeId
);
text_id!(
    /// The processor's own name for one of its notices.
    NoticeId
);
text_id!(
    /// The processor's own name for one movement of its balance.
    EntryId
);
text_id!(
    /// The processor's own name for a payout to the bank.
    PayoutId
);
text_id!(
    /// What differs between the ledger and the processor's books, by what it is and what it is about: `fee:txn_1`.
    MismatchId
);

/// A hash of these parts, kept apart by their lengths.
fn derived(context: &str, parts: &[&[u8]]) -> Uuid {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for part in parts {
        hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part);
    }
    let bytes = hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default();
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

impl PlanId {
    /// The plan that begins with a donation.
    pub fn of(first: DonationId) -> Self {
        Self(derived("groundswell plan 1", &[first.0.as_bytes()]))
    }
}

impl DonationId {
    /// A plan's gift of this number; not of the first, which the donor's form names.
    pub fn of_instalment(plan: PlanId, number: u32) -> Self {
        Self(derived("groundswell instalment 1", &[plan.0.as_bytes(), &number.to_le_bytes()]))
    }
}

impl PaymentId {
    pub(super) fn short(&self) -> Short {
        Short::of(&self.0)
    }
}

impl EntryId {
    pub(super) fn short(&self) -> Short {
        Short::of(&self.0)
    }
}

impl NoticeId {
    pub(super) fn short(&self) -> Short {
        Short::of(&self.0)
    }
}
