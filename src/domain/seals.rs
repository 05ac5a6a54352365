//! Where personal data and other secrets stand in events: every seal, whose it is and what it holds. Nothing else in an event
//! is personal or secret.

use super::id::PersonId;
use super::sealed::Sealed;
use super::{Event, attendance, donation, donor, hook, inbox, remedy, restream, staff};

/// Seals a [`super::profile::Attendee`].
pub const ATTENDEE: &str = "attendance.joined.profile";
/// Seals a [`super::profile::Contact`].
pub const CONTACT: &str = "donation.pledged.contact";
/// Seals a [`super::profile::Contact`] of whom a part of somebody's gift was reattributed to.
pub const REATTRIBUTED: &str = "remedy.reattributed.contact";
/// Seals a [`super::profile::Shown`].
pub const SHOWN: &str = "donation.pledged.shown";
/// Seals a [`super::profile::Work`].
pub const WORK: &str = "donor.answered.work";
/// Seals a [`super::profile::Account`].
pub const ACCOUNT: &str = "staff.added.account";
/// Seals a notice of the processor, packed by zstd.
pub const NOTICE: &str = "inbox.received";
/// Seals the stream key of a server that a program is sent to.
pub const STREAM_KEY: &str = "restream.added.key";
/// Seals the user name and password of a receiver of webhooks, with a colon between.
pub const HOOK_CREDENTIALS: &str = "hook.added.credentials";

/// A seal in an event.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seal<'a> {
    /// Whose key opens it.
    pub person: PersonId,
    /// What it holds: one of the names above.
    pub context: &'static str,
    /// The sealed bytes.
    pub sealed: &'a Sealed,
}

/// Every seal of an event.
pub fn seals(event: &Event) -> Vec<Seal<'_>> {
    let seal = |person: &PersonId, context, sealed| Seal { person: *person, context, sealed };
    match event {
        Event::Staff(staff::Event::Added(data)) => vec![seal(&data.staff, ACCOUNT, &data.account)],
        Event::Attendance(attendance::Event::Joined(data)) => vec![seal(&data.person, ATTENDEE, &data.profile)],
        Event::Donation(donation::Event::Pledged(data)) => {
            vec![seal(&data.donor, CONTACT, &data.contact), seal(&data.donor, SHOWN, &data.shown)]
        }
        Event::Donor(donor::Event::Answered(data)) => vec![seal(&data.person, WORK, &data.work)],
        Event::Remedy(remedy::Event::Reattributed(data)) => vec![seal(&data.person, REATTRIBUTED, &data.contact)],
        Event::Inbox(inbox::Event::Received(data)) => vec![seal(&data.sealed_for, NOTICE, &data.body)],
        Event::Restream(restream::Event::Added(data)) => {
            vec![seal(&restream::sealed_for(data.destination), STREAM_KEY, &data.key)]
        }
        Event::Hook(hook::Event::Added(data)) => {
            let of_it = |sealed| seal(&hook::sealed_for(data.hook), HOOK_CREDENTIALS, sealed);
            data.credentials.iter().map(of_it).collect()
        }
        Event::Staff(staff::Event::SessionsRevoked(_))
        | Event::Attendance(
            attendance::Event::Entered(_)
            | attendance::Event::Left(_)
            | attendance::Event::Agreed(_)
            | attendance::Event::Invited(_)
            | attendance::Event::Withdrew(_),
        )
        | Event::Donation(
            donation::Event::Renewed(_)
            | donation::Event::PaymentRequested(_)
            | donation::Event::Held(_)
            | donation::Event::Released(_)
            | donation::Event::TurnedAway(_)
            | donation::Event::CardFlagged(_)
            | donation::Event::CardCleared(_)
            | donation::Event::ActionRequired(_)
            | donation::Event::Processing(_)
            | donation::Event::CheckoutOpened(_)
            | donation::Event::CheckoutClosed(_)
            | donation::Event::Settled(_)
            | donation::Event::FeeRecorded(_)
            | donation::Event::Declined(_)
            | donation::Event::RefundRequested(_)
            | donation::Event::Refunded(_)
            | donation::Event::RefundUnmatched(_)
            | donation::Event::RefundFailed(_)
            | donation::Event::RefundReversed(_)
            | donation::Event::RefundFailureUnmatched(_)
            | donation::Event::DisputeOpened(_)
            | donation::Event::DisputeRevised(_)
            | donation::Event::DisputeWithdrawn(_)
            | donation::Event::DisputeReinstated(_)
            | donation::Event::DisputeClosed(_)
            | donation::Event::DisputeUnmatched(_)
            | donation::Event::DebitReturned(_)
            | donation::Event::ReturnUnmatched(_)
            | donation::Event::CostRecorded(_),
        )
        | Event::Donor(donor::Event::Asked(_))
        | Event::Inbox(inbox::Event::Interpreted(_) | inbox::Event::CaughtUp(_))
        | Event::Ledger(_)
        | Event::Mail(_)
        | Event::Rally(_)
        | Event::Broadcast(_)
        | Event::Show(_)
        | Event::Clip(_)
        | Event::Restream(restream::Event::Removed(_) | restream::Event::Switched(_))
        | Event::Privacy(_)
        | Event::Committee(_)
        | Event::Drive(_)
        | Event::Books(_)
        | Event::Audit(_)
        | Event::Plan(_)
        | Event::Remedy(remedy::Event::Redesignated(_) | remedy::Event::Undone(_))
        | Event::Token(_)
        | Event::Period(_)
        | Event::Refund(_)
        | Event::Work(_)
        | Event::Person(_)
        | Event::Hook(
            hook::Event::Removed(_)
            | hook::Event::Switched(_)
            | hook::Event::Rotated(_)
            | hook::Event::Replayed(_)
            | hook::Event::Advanced(_)
            | hook::Event::GaveUp(_)
            | hook::Event::SentAgain(_),
        ) => vec![],
    }
}
