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
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The first start: from now on the ledger holds this kind of money only.
    Opened(Opened),
    /// A server took the log up: whoever was connected to an earlier one is not any more.
    Started(Started),
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
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let Command::Start { mode } = command;
    let started = super::Event::Ledger(Event::Started(Started {}));
    match state.mode {
        None => Ok(vec![super::Event::Ledger(Event::Opened(Opened { mode })), started]),
        Some(held) if held == mode => Ok(vec![started]),
        Some(held) => Err(Refusal::ModeMixed { held, offered: mode }),
    }
}

pub(super) fn evolve(state: &mut State, event: &Event) {
    match event {
        Event::Opened(opened) => state.mode = Some(opened.mode),
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
