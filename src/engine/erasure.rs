//! Erasures between log and vault: the record first, then the effect, and both again after a crash or a restore.

use crate::domain::privacy;
use crate::domain::seals::seals;
use crate::domain::{Event, State};
use crate::vault::{self, Vault};

/// The effect of an erasure, once the log has it: before anybody hears of it the keys are gone. Nothing for other events.
///
/// # Errors
/// [`vault::Fault`]: the process must stop.
pub(super) fn perform(vault: &Vault, event: &Event) -> Result<(), vault::Fault> {
    if let Event::Privacy(privacy::Event::Erased(erased)) = event {
        for name in erased.names() {
            vault.erase(name, erased.erasure)?;
        }
    }
    Ok(())
}

/// Makes good what a crash between an erasure's record and its effect left, or a vault from a backup brought back.
///
/// # Errors
/// [`vault::Fault`].
pub(super) fn repeat(vault: &Vault, state: &State) -> Result<(), vault::Fault> {
    let mut keys = 0_u64;
    for (person, erasure) in state.privacy.erasures() {
        keys = keys.saturating_add(u64::from(vault.erase(person, erasure)?));
    }
    if keys > 0 {
        tracing::warn!(keys, "keys of people the log says were erased were still there; they are destroyed now");
    }
    Ok(())
}

/// Whether something in it was sealed with a key that an erasure has destroyed since, or is about to.
pub(super) fn is_stale(vault: &Vault, state: &State, event: &Event) -> bool {
    seals(event).into_iter().any(|seal| {
        let erasure = state.privacy.erasure(seal.person);
        erasure.is_some_and(|erasure| !vault.is_sealed_since(erasure.id, seal.person, seal.context, seal.sealed))
    })
}
