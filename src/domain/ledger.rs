//! The ledger itself: which kind of money it holds, and when a server took it up.

use super::State;
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

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Simulated => "simulated",
            Mode::Test => "test",
            Mode::Live => "live",
        })
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
    /// The processor says whose account its key opens.
    BindAccount {
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
    /// Whose money it holds became known: from now on that account's only.
    AccountBound(AccountBound),
}

/// The processor's account is fixed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccountBound {
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
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let mode = match command {
        Command::Start { mode } => mode,
        Command::BindAccount { account } => return bind_account(state, account),
    };
    let started = super::Event::Ledger(Event::Started(Started {}));
    match state.mode {
        None => Ok(vec![super::Event::Ledger(Event::Opened(Opened { mode })), started]),
        Some(held) if held == mode => Ok(vec![started]),
        Some(held) => Err(Refusal::ModeMixed { held, offered: mode }),
    }
}

fn bind_account(state: &State, offered: String) -> Result<Vec<super::Event>, Refusal> {
    match &state.account {
        None => Ok(vec![super::Event::Ledger(Event::AccountBound(AccountBound { account: offered }))]),
        Some(held) if *held == offered => Ok(vec![]),
        Some(held) => Err(Refusal::AccountMixed { held: held.clone(), offered }),
    }
}

pub(super) fn evolve(state: &mut State, event: &Event) {
    match event {
        Event::Opened(opened) => state.mode = Some(opened.mode),
        Event::AccountBound(bound) => state.account = Some(bound.account.clone()),
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
    fn a_ledger_holds_one_accounts_money_for_good() {
        let bind = |account: &str| Command::BindAccount { account: account.into() };
        let bound = Event::AccountBound(AccountBound { account: "acct_1".into() });
        let known = given_nothing().when(bind("acct_1")).then([bound]);
        known.when(bind("acct_1")).changes_nothing();
        known.when(bind("acct_2")).refuses(Refusal::AccountMixed { held: "acct_1".into(), offered: "acct_2".into() });
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
