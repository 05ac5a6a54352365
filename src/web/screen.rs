//! Who sends gifts too fast to be a person: stolen cards are tried out on donate forms, hundreds in a minute.
//!
//! Each gift and each declined card is a point against the network address it comes from, and a wave of declined cards against
//! everybody. Too many points refuse nobody, for a watch party gives from one address too: they ask for an [`Effort`], some
//! seconds of the sender's time or computer. Addresses are kept hashed, in memory, for ten minutes.

mod effort;

pub use effort::{BITS, Effort, WAIT_SECONDS};

use crate::vault::Vault;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// How long points count, in seconds.
const WINDOW_SECONDS: i64 = 600;
/// Points from one address before an effort is asked: a watch party of thirty gives without noticing.
const ADDRESS_POINTS_MAX: u32 = 30;
/// Points from one address before its cards are turned away until the window is over.
const ADDRESS_POINTS_BARRED: u32 = 300;
/// Addresses remembered; beyond them the oldest windows go first, and if all are young, all of them.
const ADDRESSES_MAX: usize = 50_000;
/// Declined cards of all donors in a minute that may be chance: a large rally has some dozens.
const WAVE_DECLINES_MIN: u32 = 60;

/// What counts against an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// A form was sent.
    Form,
    /// A form was sent sooner than anybody fills it in, or was never opened.
    HastyForm,
    /// A card was declined.
    Declined,
}

impl Sign {
    fn points(self) -> u32 {
        match self {
            Self::Form => 1,
            Self::HastyForm => 5,
            Self::Declined => 3,
        }
    }
}

/// What to do with a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Let them give.
    Fine,
    /// Ask for an effort first.
    Effort,
    /// Turn them away for so many seconds.
    Barred {
        /// Until the window is over.
        seconds: u32,
    },
}

/// Where a request comes from, as far as it can be told; `None` for a proxy that does not say whom it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender(pub Option<IpAddr>);

impl Sender {
    /// The sender behind `peer`, which may be a proxy: the last address in `forwarded` (`X-Forwarded-For`) is the one that
    /// it saw. Others are not believed.
    pub fn new(peer: Option<IpAddr>, forwarded: Option<&str>, is_proxy: impl Fn(IpAddr) -> bool) -> Self {
        let Some(peer) = peer else { return Self(None) };
        if !peer.to_canonical().is_loopback() && !is_proxy(peer) {
            return Self(Some(peer.to_canonical()));
        }
        let seen =
            forwarded.and_then(|list| list.rsplit(',').next()).and_then(|last| last.trim().parse::<IpAddr>().ok());
        Self(seen.map(|address| address.to_canonical()))
    }

    /// The network it is in: a line of version 6 has 2^64 addresses to itself.
    fn network(self) -> Option<IpAddr> {
        Some(match self.0? {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        })
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Points {
    count: u32,
    since: i64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Minute {
    begins: i64,
    attempts: u32,
    declines: u32,
}

impl Minute {
    fn is_wave(self) -> bool {
        self.declines >= WAVE_DECLINES_MIN && self.declines > self.attempts / 2
    }
}

#[derive(Debug, Default)]
struct Seen {
    addresses: HashMap<[u8; 32], Points>,
    minute: Minute,
    wave_until: i64,
    spent: HashMap<String, i64>,
}

/// What is known of senders. Times are Unix seconds.
#[derive(Debug, Default)]
pub struct Screen(Mutex<Seen>);

impl Screen {
    /// Notes a sign against a sender.
    pub fn note(&self, vault: &Vault, sender: Sender, sign: Sign, now: i64) {
        let mut seen = self.0.lock();
        let Some(name) = name(vault, sender) else { return };
        if seen.addresses.len() >= ADDRESSES_MAX {
            seen.addresses.retain(|_, points| now.saturating_sub(points.since) < WINDOW_SECONDS);
            if seen.addresses.len() >= ADDRESSES_MAX {
                seen.addresses.clear();
            }
        }
        let points = seen.addresses.entry(name).or_insert(Points { count: 0, since: now });
        if !(0..WINDOW_SECONDS).contains(&now.saturating_sub(points.since)) {
            *points = Points { count: 0, since: now };
        }
        points.count = points.count.saturating_add(sign.points());
    }

    /// Notes that a card was tried, by whomever, and whether it was declined.
    pub fn tried(&self, declined: bool, now: i64) {
        let mut seen = self.0.lock();
        if !(0..60).contains(&now.saturating_sub(seen.minute.begins)) {
            seen.minute = Minute { begins: now, ..Minute::default() };
        }
        seen.minute.attempts = seen.minute.attempts.saturating_add(1);
        seen.minute.declines = seen.minute.declines.saturating_add(u32::from(declined));
        if seen.minute.is_wave() {
            if now >= seen.wave_until {
                tracing::warn!("most cards are being declined: donors are asked for an effort");
            }
            seen.wave_until = now.saturating_add(WINDOW_SECONDS);
        }
    }

    /// What to do with a sender.
    pub fn verdict(&self, vault: &Vault, sender: Sender, now: i64) -> Verdict {
        let seen = self.0.lock();
        let points = name(vault, sender).and_then(|name| seen.addresses.get(&name).copied()).unwrap_or_default();
        let age = now.saturating_sub(points.since);
        let count = if (0..WINDOW_SECONDS).contains(&age) { points.count } else { 0 };
        if count >= ADDRESS_POINTS_BARRED {
            let seconds = u32::try_from(WINDOW_SECONDS.saturating_sub(age)).unwrap_or(0).max(1);
            return Verdict::Barred { seconds };
        }
        if count >= ADDRESS_POINTS_MAX || now < seen.wave_until { Verdict::Effort } else { Verdict::Fine }
    }

    /// Takes an effort for a gift: once, and only if it was made.
    pub fn spend(&self, vault: &Vault, effort: &Effort, now: i64) -> bool {
        if !effort.is_made(vault, now) {
            return false;
        }
        let mut seen = self.0.lock();
        seen.spent.retain(|_, until| *until > now);
        if seen.spent.len() >= ADDRESSES_MAX {
            return false;
        }
        seen.spent.insert(effort.token.clone(), now.saturating_add(effort::LIFE_SECONDS)).is_none()
    }
}

/// An address is personal: what is kept of it is a keyed hash.
fn name(vault: &Vault, sender: Sender) -> Option<[u8; 32]> {
    let network = sender.network()?;
    Some(vault.derive("sender", network.to_string().as_bytes()))
}

#[cfg(test)]
mod tests;
