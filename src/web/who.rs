//! Who did something, as people read it: the log names staff, programs and shells by what can't be erased.

use super::{App, present};
use crate::domain::id::{PersonId, TokenId};

/// Nobody signs in with a name like it.
const UNKNOWN: &str = "unknown";

/// A member of staff by their name, a program by that of its token, a shell's user as they are.
pub fn name(app: &App, who: &str) -> String {
    match who.split_once(':') {
        Some(("staff", id)) => id.parse().map_or_else(|_| UNKNOWN.into(), |id| staff(app, id)),
        Some(("token", id)) => {
            let token = id.parse::<TokenId>().ok();
            let known = token.and_then(|id| app.engine().world().state.tokens.get(id).map(|token| token.name.clone()));
            known.map_or_else(|| "A program whose token was revoked".into(), |name| format!("The program {name}"))
        }
        Some(("shell", user)) => format!("{user}, in a shell"),
        Some(_) | None => UNKNOWN.into(),
    }
}

/// A member of staff by their name.
pub fn staff(app: &App, id: PersonId) -> String {
    let account = app.engine().world().state.staff.get(&id).map(|member| member.account.clone());
    let account = account.and_then(|account| app.open_account(id, &account));
    account.map_or_else(|| present::ERASED.into(), |account| account.name)
}
