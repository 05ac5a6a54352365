//! The ledger itself: which kind of money it holds, and when a server took it up.

use super::State;
use super::id::CommitteeId;
use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

/// What the money in this ledger is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The built-in simulated processor: no money moves.
    Simulated,
    /// A processor's test mode: no money moves.
    Test,
    /// Real money.
    Live,
}

impl Mode {
    /// The word for it in files.
    pub fn word(self) -> &'static str {
        match self {
            Mode::Simulated => "simulated",
            Mode::Test => "test",
            Mode::Live => "live",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What may be asked.
#[derive(Clone, Debug)]
pub enum Command {
    /// A server starts on this log with a processor of this mode.
    Start {
        /// The processor's mode.
        mode: Mode,
    },
    /// The processor says whose account a committee's key opens.
    BindAccount {
        /// Whose key.
        committee: CommitteeId,
        /// The processor's name of it.
        account: String,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The first start: from now on the ledger holds this kind of money only.
    Opened(Opened),
    /// A server took the log up: whoever was connected to an earlier one is not any more.
    Started(Started),
    /// In whose account a committee's money is became known: from now on in that one only.
    AccountBound(AccountBound),
}

/// The processor's account is fixed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccountBound {
    /// Whose money is there.
    #[serde(default, skip_serializing_if = "CommitteeId::is_first")]
    pub committee: CommitteeId,
    /// The processor's name of it.
    pub account: String,
}

/// The ledger's kind of money is fixed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    /// What the money is worth.
    pub mode: Mode,
}

/// A server started on the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {}

/// Why not.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Refusal {
    /// Law 9: simulated, test and live money are never in one ledger.
    #[error(
        "this data folder holds {held} money, but the configured processor handles {offered} money: \
         use another data folder (--data), or configure the processor this one was made with"
    )]
    ModeMixed {
        /// What the ledger holds.
        held: Mode,
        /// What the processor handles.
        offered: Mode,
    },
    /// Two accounts' money is never in one ledger: nothing in it would agree with either's books.
    #[error(
        "this data folder holds the money of the processor's account {held}, but the configured key is of {offered}: \
         use another data folder (--data), or a key of {held}"
    )]
    AccountMixed {
        /// Whose money the ledger holds.
        held: String,
        /// Whose key it is.
        offered: String,
    },
    /// Two committees have one account: neither's books could be told from the other's.
    #[error(
        "the processor's account {account} is another committee's already: each committee needs a key of its own account"
    )]
    AccountShared {
        /// The account.
        account: String,
    },
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let mode = match command {
        Command::Start { mode } => mode,
        Command::BindAccount { committee, account } => return bind_account(state, committee, account),
    };
    let started = super::Event::Ledger(Event::Started(Started {}));
    match state.mode {
        None => Ok(vec![super::Event::Ledger(Event::Opened(Opened { mode })), started]),
        Some(held) if held == mode => Ok(vec![started]),
        Some(held) => Err(Refusal::ModeMixed { held, offered: mode }),
    }
}

fn bind_account(state: &State, committee: CommitteeId, offered: String) -> Result<Vec<super::Event>, Refusal> {
    let held = state.committees.get(committee).and_then(|committee| committee.account.as_ref());
    match held {
        None if state.committees.iter().any(|(_, other)| other.account.as_ref() == Some(&offered)) => {
            Err(Refusal::AccountShared { account: offered })
        }
        None => Ok(vec![super::Event::Ledger(Event::AccountBound(AccountBound { committee, account: offered }))]),
        Some(held) if *held == offered => Ok(vec![]),
        Some(held) => Err(Refusal::AccountMixed { held: held.clone(), offered }),
    }
}

pub(super) fn evolve(state: &mut State, event: &Event) {
    match event {
        Event::Opened(opened) => state.mode = Some(opened.mode),
        Event::AccountBound(bound) => {
            if let Some(committee) = state.committees.get_mut(bound.committee) {
                committee.account = Some(bound.account.clone());
            }
        }
        Event::Started(_) => {
            state.broadcast.all_disconnected();
            super::attendance::room_cleared(state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::test_kit::*;

    #[test]
    fn a_committee_has_one_account_for_good_and_alone() {
        let bind = |committee, account: &str| Command::BindAccount {
            committee: CommitteeId(committee),
            account: account.into(),
        };
        let bound = |committee, account: &str| {
            Event::AccountBound(AccountBound { committee: CommitteeId(committee), account: account.into() })
        };
        let known = given_nothing().when(bind(0, "acct_1")).then([bound(0, "acct_1")]);
        known.when(bind(0, "acct_1")).changes_nothing();
        known
            .when(bind(0, "acct_2"))
            .refuses(Refusal::AccountMixed { held: "acct_1".into(), offered: "acct_2".into() });
        let two = known.done([crate::domain::committee::Command::Found { handles: vec!["party".into()] }]);
        two.when(bind(1, "acct_1")).refuses(Refusal::AccountShared { account: "acct_1".into() });
        two.when(bind(1, "acct_2")).then([bound(1, "acct_2")]);
    }

    #[test]
    fn a_ledger_holds_one_kind_of_money_for_good() {
        for held in [Mode::Simulated, Mode::Test, Mode::Live] {
            let opened = Event::Opened(Opened { mode: held });
            let start = Command::Start { mode: held };
            let open = given_nothing().when(start).then([opened, Event::Started(Started {})]);
            for offered in [Mode::Simulated, Mode::Test, Mode::Live] {
                let start = open.when(Command::Start { mode: offered });
                if held == offered {
                    start.then([Event::Started(Started {})]);
                } else {
                    start.refuses(Refusal::ModeMixed { held, offered });
                }
            }
        }
    }
}
