//! What messages are signed with. Nothing of it is in the log: each secret is derived from the vault's.

use crate::clock::Clock;
use crate::domain::hook::{Hook, ROTATION_HOURS};
use crate::vault::Vault;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use ring::hmac;

/// The secrets that sign for a receiver, the newest first, in the form that the specification's libraries read.
pub fn secrets(hook: &Hook, vault: &Vault, clock: &Clock) -> Vec<String> {
    keys(hook, vault, clock).iter().map(|key| format!("whsec_{}", STANDARD.encode(key))).collect()
}

fn keys(hook: &Hook, vault: &Vault, clock: &Clock) -> Vec<[u8; 32]> {
    let key = |generation: u32| vault.derive("hook-secret", format!("{}.{generation}", hook.added.hook).as_bytes());
    let is_young = |at| clock.now() - at < TimeDelta::hours(ROTATION_HOURS);
    let before = hook.generation.checked_sub(1).filter(|_| hook.rotated_at.is_some_and(is_young));
    [Some(hook.generation), before].into_iter().flatten().map(key).collect()
}

/// The header `webhook-signature` of a message.
pub(super) fn signature(hook: &Hook, vault: &Vault, clock: &Clock, id: &str, timestamp: i64, body: &[u8]) -> String {
    let signed = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    let sign = |key: [u8; 32]| {
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &signed);
        format!("v1,{}", STANDARD.encode(mac))
    };
    keys(hook, vault, clock).into_iter().map(sign).collect::<Vec<_>>().join(" ")
}
