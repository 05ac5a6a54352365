//! Events as lines of JSON: `{"seq","at","kind","v","key","by","data"}`. A line once written is read for ever.
//!
//! The envelope names kind and version before the data, and the data is parsed straight into its type: serde's own
//! tagged enums buffer it first and cost twice as much.

use super::attendance::Event as Attendance;
use super::broadcast::Event as Broadcast;
use super::donation::Event as Donation;
use super::inbox::Event as Inbox;
use super::ledger::Event as Ledger;
use super::privacy::Event as Privacy;
use super::rally::Event as Rally;
use super::staff::Event as Staff;
use super::{Event, Recorded};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use thiserror::Error;

/// Why a line is not an event.
#[derive(Debug, Error)]
pub enum CodecError {
    /// Not JSON, or not of this shape.
    #[error("the line is not a well-formed event: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A kind or version this program does not know: a newer program wrote it.
    #[error("event kind {kind} version {version} is unknown: a newer Groundswell wrote this log, start that one")]
    Unknown {
        /// Its kind.
        kind: String,
        /// Its version.
        version: u32,
    },
}

#[derive(Serialize, Deserialize)]
struct Envelope<'a, Data> {
    seq: u64,
    at: DateTime<Utc>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    v: u32,
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    by: Cow<'a, str>,
    data: Data,
}

macro_rules! kinds {
    ($($kind:literal $version:literal $topic:ident $variant:ident),* $(,)?) => {
        /// Every kind of event with its current version, in the order of the list.
        pub const KINDS: &[(&str, u32)] = &[$(($kind, $version)),*];

        /// The event's kind, as written in the log.
        pub fn kind_of(event: &Event) -> &'static str {
            match event { $(Event::$topic($topic::$variant(_)) => $kind),* }
        }

        /// Writes one event as one line, without the line feed.
        ///
        /// # Errors
        /// `Malformed`, which cannot happen for the types of the domain.
        pub fn encode(recorded: &Recorded) -> Result<Vec<u8>, CodecError> {
            match &recorded.event {
                $(Event::$topic($topic::$variant(data)) => {
                    Ok(serde_json::to_vec(&envelope(recorded, $kind, $version, data))?)
                }),*
            }
        }

        fn event_from(kind: &str, version: u32, data: &RawValue) -> Result<Event, CodecError> {
            match (kind, version) {
                $(($kind, $version) => Ok(Event::$topic($topic::$variant(serde_json::from_str(data.get())?))),)*
                _ => Err(CodecError::Unknown { kind: kind.into(), version }),
            }
        }
    };
}

kinds! {
    "ledger.opened" 1 Ledger Opened,
    "ledger.started" 1 Ledger Started,
    "staff.added" 1 Staff Added,
    "staff.sessions_revoked" 1 Staff SessionsRevoked,
    "rally.created" 1 Rally Created,
    "rally.revised" 1 Rally Revised,
    "rally.speaker_added" 1 Rally SpeakerAdded,
    "rally.speaker_removed" 1 Rally SpeakerRemoved,
    "rally.stream_key_replaced" 1 Rally StreamKeyReplaced,
    "rally.doors_opened" 1 Rally DoorsOpened,
    "rally.ended" 1 Rally Ended,
    "broadcast.source_connected" 1 Broadcast SourceConnected,
    "broadcast.source_disconnected" 1 Broadcast SourceDisconnected,
    "broadcast.source_refused" 1 Broadcast SourceRefused,
    "broadcast.stranger_refused" 1 Broadcast StrangerRefused,
    "broadcast.cut" 1 Broadcast Cut,
    "attendance.joined" 1 Attendance Joined,
    "attendance.entered" 1 Attendance Entered,
    "attendance.left" 1 Attendance Left,
    "donation.pledged" 1 Donation Pledged,
    "donation.payment_requested" 1 Donation PaymentRequested,
    "donation.action_required" 1 Donation ActionRequired,
    "donation.processing" 1 Donation Processing,
    "donation.settled" 1 Donation Settled,
    "donation.fee_recorded" 1 Donation FeeRecorded,
    "donation.declined" 1 Donation Declined,
    "donation.refund_requested" 1 Donation RefundRequested,
    "donation.refunded" 1 Donation Refunded,
    "donation.refund_unmatched" 1 Donation RefundUnmatched,
    "donation.refund_failed" 1 Donation RefundFailed,
    "inbox.received" 1 Inbox Received,
    "inbox.interpreted" 1 Inbox Interpreted,
    "privacy.erased" 1 Privacy Erased,
    "privacy.disclosed" 1 Privacy Disclosed,
}

fn envelope<'a, Data>(recorded: &'a Recorded, kind: &'a str, v: u32, data: Data) -> Envelope<'a, Data> {
    let Recorded { seq, at, key, by, .. } = recorded;
    let (kind, key, by) = (Cow::Borrowed(kind), Cow::Borrowed(key.as_str()), Cow::Borrowed(by.as_str()));
    Envelope { seq: *seq, at: *at, kind, v, key, by, data }
}

/// Reads one line, of any version ever written.
///
/// # Errors
/// `Malformed`, or `Unknown` for a kind or version of a newer program.
pub fn decode(line: &[u8]) -> Result<Recorded, CodecError> {
    let envelope: Envelope<'_, &RawValue> = serde_json::from_slice(line)?;
    let event = event_from(&envelope.kind, envelope.v, envelope.data)?;
    let (key, by) = (envelope.key.into_owned(), envelope.by.into_owned());
    Ok(Recorded { seq: envelope.seq, at: envelope.at, key, by, event })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Each line was written once by some version and is never edited: all of them must be read for ever, and every kind
    /// has at least one.
    #[test]
    fn every_golden_line_is_read_and_every_kind_has_one() {
        let golden = include_str!("../../fixtures/events/v1.jsonl");
        let mut seen = BTreeSet::new();
        for line in golden.lines() {
            let recorded = decode(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"));
            let kind = kind_of(&recorded.event);
            seen.insert(kind);
            assert_eq!(
                String::from_utf8(encode(&recorded).unwrap()).unwrap(),
                line,
                "{kind} reads and writes the same"
            );
        }
        let missing: Vec<_> = KINDS.iter().map(|(kind, _)| *kind).filter(|kind| !seen.contains(kind)).collect();
        assert_eq!(missing, Vec::<&str>::new(), "add a line of each to fixtures/events/v1.jsonl");
    }

    #[test]
    fn a_newer_kind_is_named_not_skipped() {
        let line =
            br#"{"seq":1,"at":"2026-01-01T00:00:00Z","kind":"donation.doubled","v":1,"key":"k","by":"x","data":{}}"#;
        let error = decode(line).unwrap_err().to_string();
        assert!(error.contains("donation.doubled"), "{error}");
    }
}
