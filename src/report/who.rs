//! Who did something, as people read it: the log names staff, programs and shells by what can't be erased.

use crate::domain::id::{PersonId, TokenId};
use crate::domain::profile::Account;
use crate::domain::seals::ACCOUNT;
use crate::domain::{Event, donation};
use crate::engine::lines::Lines;
use crate::engine::{Engine, Fault};

/// Events of one gift that are read to find out who gave it back.
const EVENTS_MAX: usize = 200;
/// Whose name was erased.
pub const ERASED: &str = "(erased)";
/// Nobody asks under a name like it.
const UNKNOWN: &str = "unknown";

/// A member of staff by their name, a program by that of its token, a shell's user as they are.
pub fn name(engine: &Engine, who: &str) -> String {
    match who.split_once(':') {
        Some(("staff", id)) => id.parse().map_or_else(|_| UNKNOWN.into(), |id| staff(engine, id)),
        Some(("token", id)) => {
            let token = id.parse::<TokenId>().ok();
            let known = token.and_then(|id| engine.world().state.tokens.get(id).map(|token| token.name.clone()));
            known.map_or_else(|| "A program whose token was revoked".into(), |name| format!("The program {name}"))
        }
        Some(("shell", user)) => format!("{user}, in a shell"),
        Some(_) | None => UNKNOWN.into(),
    }
}

/// Who asked for the last refund of a gift with these events, as the log names them; none where the processor gave it back.
///
/// # Errors
/// The log is damaged there.
pub fn refunded(lines: &mut Lines, events: &[u64]) -> Result<Option<String>, Fault> {
    for seq in events.iter().rev().take(EVENTS_MAX) {
        if let Some((recorded, by)) = lines.signed(*seq)?
            && let Event::Donation(donation::Event::RefundRequested(_)) = recorded.event
        {
            return Ok(Some(by));
        }
    }
    Ok(None)
}

/// A member of staff by their name.
pub fn staff(engine: &Engine, id: PersonId) -> String {
    let account = engine.world().state.staff.get(&id).map(|member| member.account.clone());
    let opened = account.and_then(|account| {
        engine.vault().unseal(id, ACCOUNT, &account).unwrap_or_else(|fault| {
            tracing::error!(%fault, "an account could not be opened");
            None
        })
    });
    let account = opened.and_then(|bytes| serde_json::from_slice::<Account>(&bytes).ok());
    account.map_or_else(|| ERASED.into(), |account| account.name)
}
