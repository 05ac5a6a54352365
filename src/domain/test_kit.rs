//! Given events, when a command, then events or a refusal: the shape of every table in this room.

use super::donation::{ATTESTATIONS, Pledged, Traces};
use super::id::{CommitteeId, DonationId, ItemId, PaymentId, PersonId, ProcessorRefundId, RallyId, RefundId, SourceId};
use super::money::{Currency, Money};
use super::rally::{Announced, Details, RallyNamed};
use super::sealed::Sealed;
use super::{Command, Event, Refusal, State, decide};
use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

/// The one rally of most tables.
pub const RALLY: RallyId = RallyId(Uuid::from_u128(0xa1));
/// Another rally.
pub const OTHER_RALLY: RallyId = RallyId(Uuid::from_u128(0xa2));
/// A rally nobody announced.
pub const NO_RALLY: RallyId = RallyId(Uuid::from_u128(0xaf));
/// A speaker's feed.
pub const SOURCE: SourceId = SourceId(Uuid::from_u128(0xb1));
/// Another speaker's feed.
pub const OTHER_SOURCE: SourceId = SourceId(Uuid::from_u128(0xb2));
/// An item of a run.
pub const ITEM: ItemId = ItemId(Uuid::from_u128(0x11));
/// Another item of a run.
pub const OTHER_ITEM: ItemId = ItemId(Uuid::from_u128(0x12));
/// A person.
pub const PERSON: PersonId = PersonId(Uuid::from_u128(0xc1));
/// Another person.
pub const OTHER_PERSON: PersonId = PersonId(Uuid::from_u128(0xc2));
/// A donation.
pub const DONATION: DonationId = DonationId(Uuid::from_u128(0xd1));
/// A donation nobody pledged.
pub const NO_DONATION: DonationId = DonationId(Uuid::from_u128(0xdf));
/// A refund asked for here.
pub const REFUND: RefundId = RefundId(Uuid::from_u128(0xe1));
/// Another refund asked for here.
pub const OTHER_REFUND: RefundId = RefundId(Uuid::from_u128(0xe2));

/// A fixed instant, `second` seconds after noon of a day in 2026; the given events lie a second apart from it.
pub fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_164_800, 0).unwrap() + TimeDelta::seconds(second)
}

/// Cents.
pub fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

/// A processor's payment.
pub fn payment(name: &str) -> PaymentId {
    PaymentId(name.into())
}

/// A processor's refund.
pub fn processor_refund(name: &str) -> ProcessorRefundId {
    ProcessorRefundId(name.into())
}

/// Bytes that stand for sealed data.
pub fn sealed(byte: u8) -> Sealed {
    Sealed::new(&[byte; 48])
}

/// What a rally in dollars announces.
pub fn details() -> Details {
    Details {
        slug: "nurses-for-rivera".into(),
        title: "Nurses for Rivera".into(),
        starts_at: at(0),
        timezone: "America/New_York".into(),
        description: "Bring a friend.".into(),
        goal_minor: Some(25_000_000),
        currency: Currency::USD,
        suggested_minor: vec![1500, 2500, 5000],
        paid_for_by: "Paid for by Rivera for Senate".into(),
        accent: "#d6301f".into(),
        committee: CommitteeId::FIRST,
    }
}

/// [`RALLY`] was announced with [`details`].
pub fn created() -> Event {
    Event::Rally(super::rally::Event::Created(Announced { rally: RALLY, details: details() }))
}

/// The doors of [`RALLY`] opened.
pub fn opened() -> Event {
    Event::Rally(super::rally::Event::DoorsOpened(RallyNamed { rally: RALLY }))
}

/// [`RALLY`] ended.
pub fn ended() -> Event {
    Event::Rally(super::rally::Event::Ended(RallyNamed { rally: RALLY }))
}

/// [`PERSON`]'s pledge of 50 dollars, every statement confirmed.
pub fn pledge() -> Pledged {
    Pledged {
        donation: DONATION,
        rally: RALLY,
        donor: PERSON,
        amount: usd(5000),
        contact: sealed(1),
        shown: sealed(2),
        attestations: ATTESTATIONS.iter().map(|(id, _)| (*id).into()).collect(),
        refcode: Some("mail-0923".into()),
        likeness: None,
        covers_fee: None,
        came: None,
        on_program: None,
        traces: Traces::default(),
    }
}

/// The state after these events.
pub fn given<E: Into<Event>>(events: impl IntoIterator<Item = E>) -> Given {
    let mut given = Given { state: State::default(), second: 0 };
    for event in events {
        given.take(&event.into());
    }
    given
}

/// Nothing has happened.
pub fn given_nothing() -> Given {
    Given { state: State::default(), second: 0 }
}

/// What stands when the command comes.
#[derive(Clone)]
pub struct Given {
    /// The fold of the events.
    pub state: State,
    second: i64,
}

impl Given {
    fn take(&mut self, event: &Event) {
        self.state.evolve(event, at(self.second));
        self.second += 1;
    }

    /// Further events happen.
    pub fn and<E: Into<Event>>(mut self, events: impl IntoIterator<Item = E>) -> Self {
        for event in events {
            self.take(&event.into());
        }
        self
    }

    /// Further commands are taken, each of which must be allowed.
    pub fn done<C: Into<Command>>(mut self, commands: impl IntoIterator<Item = C>) -> Self {
        for command in commands {
            let command = command.into();
            let shown = format!("{command:?}");
            for event in decide(&self.state, command).unwrap_or_else(|refusal| panic!("{shown}: {refusal:?}")) {
                self.take(&event);
            }
        }
        self
    }

    /// The command comes.
    pub fn when(&self, command: impl Into<Command>) -> When<'_> {
        let command = command.into();
        When { given: self, shown: format!("{command:?}"), outcome: decide(&self.state, command) }
    }
}

/// What came of a command.
#[must_use = "say what is expected: then, changes_nothing or refuses"]
pub struct When<'a> {
    given: &'a Given,
    shown: String,
    outcome: Result<Vec<Event>, Refusal>,
}

impl When<'_> {
    /// Exactly these events follow; gives the state after them.
    #[track_caller]
    pub fn then<E: Into<Event>>(self, events: impl IntoIterator<Item = E>) -> Given {
        let expected: Vec<Event> = events.into_iter().map(Into::into).collect();
        assert_eq!(self.outcome.as_ref(), Ok(&expected), "{}", self.shown);
        self.given.clone().and(expected)
    }

    /// It is allowed and changes nothing.
    #[track_caller]
    pub fn changes_nothing(self) {
        assert_eq!(self.outcome, Ok(vec![]), "{}", self.shown);
    }

    /// It is refused for this reason, in words.
    #[track_caller]
    pub fn refuses(self, refusal: impl Into<Refusal>) {
        let refusal = refusal.into();
        assert!(!refusal.to_string().is_empty());
        assert_eq!(self.outcome, Err(refusal), "{}", self.shown);
    }
}

macro_rules! wrap {
    ($($topic:ident $room:ident),*) => {$(
        impl From<super::$room::Command> for Command {
            fn from(command: super::$room::Command) -> Self {
                Command::$topic(command)
            }
        }

        impl From<super::$room::Event> for Event {
            fn from(event: super::$room::Event) -> Self {
                Event::$topic(event)
            }
        }
    )*};
}

wrap!(
    Ledger ledger, Staff staff, Rally rally, Broadcast broadcast, Show show, Attendance attendance, Donation donation, Inbox inbox,
    Privacy privacy, Clip clip, Restream restream, Committee committee, Drive drive, Mail mail, Books books, Audit audit, Plan plan,
    Token token, Hook hook, Period period, Refund refund, Work work, Person person
);
