//! Campaign staff: accounts and what each may do.

use super::State;
use super::hash::HashMap;
use super::id::PersonId;
use super::sealed::Sealed;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use thiserror::Error;

/// Accounts one ledger holds at most: a campaign has tens; the bound keeps a leaked link from filling memory.
pub const ACCOUNTS_MAX: usize = 1_000;

/// What a member of staff may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    Owner,
    /// Prepares and runs rallies.
    Host,
    /// Sees money and exports it.
    Finance,
}

impl Role {
    /// May prepare and run rallies.
    pub fn hosts(self) -> bool {
        matches!(self, Role::Owner | Role::Host)
    }

    /// May see donors and export money.
    pub fn sees_money(self) -> bool {
        matches!(self, Role::Owner | Role::Finance)
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "owner" => Ok(Role::Owner),
            "host" => Ok(Role::Host),
            "finance" => Ok(Role::Finance),
            _ => Err("a role is owner, host or finance".into()),
        }
    }
}

/// What may be asked.
#[derive(Clone, Debug)]
pub enum Command {
    /// Make an account.
    Add {
        /// Whose.
        staff: PersonId,
        /// What they may do.
        role: Role,
        /// Name, e-mail and password hash.
        account: Sealed,
        /// Only if nobody has an account yet (the one-time link).
        first: bool,
    },
    /// End every session of this person.
    RevokeSessions {
        /// Whose.
        staff: PersonId,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An account was made.
    Added(Added),
    /// Every session begun before now is over.
    SessionsRevoked(SessionsRevoked),
}

/// An account was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Added {
    /// Whose.
    pub staff: PersonId,
    /// What they may do.
    pub role: Role,
    /// A sealed [`super::profile::Account`].
    pub account: Sealed,
}

/// Every session begun before now is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionsRevoked {
    /// Whose.
    pub staff: PersonId,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Refusal {
    /// The one-time link was used already.
    #[error("the first account exists already: sign in, or ask whoever made it to add you")]
    NotTheFirst,
    /// This e-mail has an account.
    #[error("this e-mail has an account already: sign in with it")]
    Exists,
    /// [`ACCOUNTS_MAX`].
    #[error("no more than {ACCOUNTS_MAX} staff accounts")]
    TooMany,
    /// No such account.
    #[error("there is no such account")]
    Unknown,
}

/// One account, as pages and sign-in need it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// What they may do.
    pub role: Role,
    /// A sealed [`super::profile::Account`].
    pub account: Sealed,
    /// Sessions begun before this instant are over.
    pub revoked_before: Option<DateTime<Utc>>,
}

/// The accounts.
pub type Staff = HashMap<PersonId, Member>;

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let event = match command {
        Command::Add { staff, role, account, first } => {
            if first && !state.staff.is_empty() {
                return Err(Refusal::NotTheFirst);
            }
            if state.staff.contains_key(&staff) {
                return Err(Refusal::Exists);
            }
            if state.staff.len() >= ACCOUNTS_MAX {
                return Err(Refusal::TooMany);
            }
            Event::Added(Added { staff, role, account })
        }
        Command::RevokeSessions { staff } => {
            if !state.staff.contains_key(&staff) {
                return Err(Refusal::Unknown);
            }
            Event::SessionsRevoked(SessionsRevoked { staff })
        }
    };
    Ok(vec![super::Event::Staff(event)])
}

pub(super) fn evolve(state: &mut State, event: &Event, at: DateTime<Utc>) {
    match event {
        Event::Added(added) => {
            // Whoever was erased and is added again does not get the sessions of before.
            let revoked_before = state.privacy.erasure(added.staff).map(|erasure| erasure.at);
            let member = Member { role: added.role, account: added.account.clone(), revoked_before };
            state.staff.insert(added.staff, member);
        }
        Event::SessionsRevoked(revoked) => {
            if let Some(member) = state.staff.get_mut(&revoked.staff) {
                member.revoked_before = Some(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::test_kit::*;
    use uuid::Uuid;

    fn add(staff: PersonId, role: Role, first: bool) -> Command {
        Command::Add { staff, role, account: sealed(1), first }
    }

    fn added(staff: PersonId, role: Role) -> Event {
        Event::Added(Added { staff, role, account: sealed(1) })
    }

    #[test]
    fn the_one_time_link_makes_only_the_first_account() {
        let first = given_nothing().when(add(PERSON, Role::Owner, true)).then([added(PERSON, Role::Owner)]);
        first.when(add(OTHER_PERSON, Role::Owner, true)).refuses(Refusal::NotTheFirst);
        first.when(add(PERSON, Role::Owner, true)).refuses(Refusal::NotTheFirst);
        first.when(add(OTHER_PERSON, Role::Finance, false)).then([added(OTHER_PERSON, Role::Finance)]);
    }

    #[test]
    fn an_email_has_one_account_and_a_ledger_so_many() {
        given([added(PERSON, Role::Host)]).when(add(PERSON, Role::Owner, false)).refuses(Refusal::Exists);
        let many = (0_u128..).take(ACCOUNTS_MAX).map(|n| added(PersonId(Uuid::from_u128(n + 0x1000)), Role::Host));
        given(many).when(add(PERSON, Role::Host, false)).refuses(Refusal::TooMany);
    }

    #[test]
    fn sessions_begun_before_are_over() {
        let revoke = || Command::RevokeSessions { staff: PERSON };
        given_nothing().when(revoke()).refuses(Refusal::Unknown);
        let revoked = Event::SessionsRevoked(SessionsRevoked { staff: PERSON });
        let after = given([added(PERSON, Role::Host)]).when(revoke()).then([revoked]);
        assert_eq!(after.state.staff.get(&PERSON).unwrap().revoked_before, Some(at(1)));
    }

    #[test]
    fn each_role_sees_what_it_needs() {
        for (text, role, hosts, sees_money) in [
            ("owner", Role::Owner, true, true),
            ("host", Role::Host, true, false),
            ("finance", Role::Finance, false, true),
        ] {
            assert_eq!(text.parse(), Ok(role));
            assert_eq!((role.hosts(), role.sees_money()), (hosts, sees_money));
        }
        assert!("admin".parse::<Role>().is_err());
    }
}
