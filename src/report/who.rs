//! Who did something, as people read it: the log names staff, programs and shells by what can't be erased.

use crate::domain::id::{PersonId, TokenId};
use crate::domain::profile::Account;
use crate::domain::seals::ACCOUNT;
use crate::engine::Engine;

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
