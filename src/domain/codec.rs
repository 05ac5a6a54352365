//! Events as lines of JSON: `{"seq","at","kind","v","key","by","data"}`. A line once written is read for ever.
//!
//! The envelope names kind and version before the data, so that the data is parsed straight into its type in the same pass:
//! serde's own tagged enums buffer it first and cost twice as much.

mod canonical;
mod instant;

use super::attendance::Event as Attendance;
use super::audit::Event as Audit;
use super::books::Event as Books;
use super::broadcast::Event as Broadcast;
use super::clip::Event as Clip;
use super::committee::Event as Committee;
use super::donation::Event as Donation;
use super::donor::Event as Donor;
use super::drive::Event as Drive;
use super::hook::Event as Hook;
use super::inbox::Event as Inbox;
use super::ledger::Event as Ledger;
use super::mail::Event as Mail;
use super::period::Event as Period;
use super::person::Event as Person;
use super::plan::Event as Plan;
use super::privacy::Event as Privacy;
use super::rally::Event as Rally;
use super::refund::Event as Refund;
use super::remedy::Event as Remedy;
use super::restream::Event as Restream;
use super::show::Event as Show;
use super::staff::Event as Staff;
use super::token::Event as Token;
use super::work::Event as Work;
use super::{Event, Recorded};
use chrono::{DateTime, Utc};
use instant::Instant;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::fmt;
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

/// One line as it is written; the order of its fields is part of the format, see [`decode`].
#[derive(Serialize)]
struct Envelope<'a, Data> {
    seq: u64,
    at: DateTime<Utc>,
    kind: &'static str,
    v: u32,
    key: &'a str,
    by: &'a str,
    data: &'a Data,
}

/// One line as it is read: an event, and what the folds have no need of.
#[derive(Clone, Debug, PartialEq)]
pub struct Line<'a> {
    /// The key of the command it came from: a repeated command finds it by this.
    pub key: Cow<'a, str>,
    /// Who asked: `staff:ID`, `donor:ID`, `processor`, `server`, ...
    pub by: Cow<'a, str>,
    /// What happened, and when.
    pub recorded: Recorded,
}

macro_rules! kinds {
    ($($kind:literal $version:literal $topic:ident $variant:ident),* $(,)?) => {
        /// Every kind of event with its current version, in the order of the list.
        pub const KINDS: &[(&str, u32)] = &[$(($kind, $version)),*];

        /// The event's kind, as written in the log.
        pub fn kind_of(event: &Event) -> &'static str {
            match event { $(Event::$topic($topic::$variant(_)) => $kind),* }
        }

        /// Writes one event as one line, without the line feed. `key` is its command's, `by` says who asked.
        ///
        /// # Errors
        /// `Malformed`, which cannot happen for the types of the domain.
        pub fn encode(recorded: &Recorded, key: &str, by: &str) -> Result<Vec<u8>, CodecError> {
            let Recorded { seq, at, event } = recorded;
            match event {
                $(Event::$topic($topic::$variant(data)) => {
                    let envelope = Envelope { seq: *seq, at: *at, kind: $kind, v: $version, key, by, data };
                    Ok(serde_json::to_vec(&envelope)?)
                }),*
            }
        }

        impl<'de> DeserializeSeed<'de> for Data<'_> {
            /// `None` for a kind or version that is not in the list.
            type Value = Option<Event>;

            fn deserialize<D: Deserializer<'de>>(self, data: D) -> Result<Self::Value, D::Error> {
                Ok(match (self.kind, self.version) {
                    $(($kind, $version) => Some(Event::$topic($topic::$variant(Deserialize::deserialize(data)?))),)*
                    _ => {
                        IgnoredAny::deserialize(data)?;
                        None
                    }
                })
            }
        }
    };
}

kinds! {
    "ledger.opened" 1 Ledger Opened,
    "ledger.started" 1 Ledger Started,
    "ledger.account_bound" 1 Ledger AccountBound,
    "staff.added" 1 Staff Added,
    "staff.sessions_revoked" 1 Staff SessionsRevoked,
    "rally.created" 1 Rally Created,
    "rally.revised" 1 Rally Revised,
    "rally.speaker_added" 1 Rally SpeakerAdded,
    "rally.speaker_removed" 1 Rally SpeakerRemoved,
    "rally.stream_key_replaced" 1 Rally StreamKeyReplaced,
    "rally.doors_opened" 1 Rally DoorsOpened,
    "rally.recording_kept" 1 Rally RecordingKept,
    "rally.recording_deleted" 1 Rally RecordingDeleted,
    "rally.captions_address_replaced" 1 Rally CaptionsAddressReplaced,
    "rally.ended" 1 Rally Ended,
    "broadcast.source_connected" 1 Broadcast SourceConnected,
    "broadcast.source_disconnected" 1 Broadcast SourceDisconnected,
    "broadcast.source_refused" 1 Broadcast SourceRefused,
    "broadcast.stranger_refused" 1 Broadcast StrangerRefused,
    "broadcast.cut" 1 Broadcast Cut,
    "broadcast.noted" 1 Broadcast Noted,
    "broadcast.took_program" 1 Broadcast TookProgram,
    "show.item_added" 1 Show ItemAdded,
    "show.item_revised" 1 Show ItemRevised,
    "show.item_moved" 1 Show ItemMoved,
    "show.item_removed" 1 Show ItemRemoved,
    "show.item_started" 1 Show ItemStarted,
    "show.item_stopped" 1 Show ItemStopped,
    "show.undone" 1 Show Undone,
    "clip.added" 1 Clip Added,
    "clip.removed" 1 Clip Removed,
    "restream.added" 1 Restream Added,
    "restream.removed" 1 Restream Removed,
    "restream.switched" 1 Restream Switched,
    "attendance.joined" 1 Attendance Joined,
    "attendance.entered" 1 Attendance Entered,
    "attendance.left" 1 Attendance Left,
    "attendance.agreed" 1 Attendance Agreed,
    "attendance.withdrew" 1 Attendance Withdrew,
    "attendance.invited" 1 Attendance Invited,
    "donation.pledged" 1 Donation Pledged,
    "donation.renewed" 1 Donation Renewed,
    "donation.held" 1 Donation Held,
    "donation.released" 1 Donation Released,
    "donation.turned_away" 1 Donation TurnedAway,
    "donation.card_flagged" 1 Donation CardFlagged,
    "donation.card_cleared" 1 Donation CardCleared,
    "donation.payment_requested" 1 Donation PaymentRequested,
    "donation.action_required" 1 Donation ActionRequired,
    "donation.processing" 1 Donation Processing,
    "donation.checkout_opened" 1 Donation CheckoutOpened,
    "donation.checkout_closed" 1 Donation CheckoutClosed,
    "donation.settled" 1 Donation Settled,
    "donation.fee_recorded" 1 Donation FeeRecorded,
    "donation.declined" 1 Donation Declined,
    "donation.refund_requested" 1 Donation RefundRequested,
    "donation.refunded" 1 Donation Refunded,
    "donation.refund_unmatched" 1 Donation RefundUnmatched,
    "donation.refund_failed" 1 Donation RefundFailed,
    "donation.refund_reversed" 1 Donation RefundReversed,
    "donation.refund_failure_unmatched" 1 Donation RefundFailureUnmatched,
    "donation.dispute_opened" 1 Donation DisputeOpened,
    "donation.dispute_revised" 1 Donation DisputeRevised,
    "donation.dispute_withdrawn" 1 Donation DisputeWithdrawn,
    "donation.dispute_reinstated" 1 Donation DisputeReinstated,
    "donation.dispute_closed" 1 Donation DisputeClosed,
    "donation.dispute_unmatched" 1 Donation DisputeUnmatched,
    "donation.debit_returned" 1 Donation DebitReturned,
    "donation.return_unmatched" 1 Donation ReturnUnmatched,
    "donation.cost_recorded" 1 Donation CostRecorded,
    "donor.asked" 1 Donor Asked,
    "donor.answered" 1 Donor Answered,
    "inbox.received" 1 Inbox Received,
    "inbox.interpreted" 1 Inbox Interpreted,
    "inbox.caught_up" 1 Inbox CaughtUp,
    "mail.switched" 1 Mail Switched,
    "mail.requested" 1 Mail Requested,
    "mail.sent" 1 Mail Sent,
    "mail.failed" 1 Mail Failed,
    "privacy.erased" 1 Privacy Erased,
    "privacy.disclosed" 1 Privacy Disclosed,
    "privacy.viewed" 1 Privacy Viewed,
    "privacy.exported" 1 Privacy Exported,
    "committee.founded" 1 Committee Founded,
    "committee.rules_set" 1 Committee RulesSet,
    "committee.filer_set" 1 Committee FilerSet,
    "drive.goals_set" 1 Drive GoalsSet,
    "drive.match_set" 1 Drive MatchSet,
    "drive.match_withdrawn" 1 Drive MatchWithdrawn,
    "books.entries_listed" 1 Books EntriesListed,
    "books.payout_recorded" 1 Books PayoutRecorded,
    "books.payout_composed" 1 Books PayoutComposed,
    "books.read" 1 Books Read,
    "audit.mismatch_found" 1 Audit Found,
    "audit.mismatch_settled" 1 Audit Settled,
    "plan.asked" 1 Plan Asked,
    "plan.started" 1 Plan Started,
    "plan.card_changed" 1 Plan CardChanged,
    "plan.changed" 1 Plan Changed,
    "plan.paused" 1 Plan Paused,
    "plan.resumed" 1 Plan Resumed,
    "plan.skipped" 1 Plan Skipped,
    "plan.ended" 1 Plan Ended,
    "remedy.redesignated" 1 Remedy Redesignated,
    "remedy.reattributed" 1 Remedy Reattributed,
    "remedy.undone" 1 Remedy Undone,
    "token.created" 1 Token Created,
    "token.revoked" 1 Token Revoked,
    "hook.added" 1 Hook Added,
    "hook.removed" 1 Hook Removed,
    "hook.switched" 1 Hook Switched,
    "hook.rotated" 1 Hook Rotated,
    "hook.replayed" 1 Hook Replayed,
    "hook.advanced" 1 Hook Advanced,
    "hook.gave_up" 1 Hook GaveUp,
    "hook.sent_again" 1 Hook SentAgain,
    "period.closed" 1 Period Closed,
    "period.filed" 1 Period Filed,
    "period.withdrawn" 1 Period Withdrawn,
    "refund.proposed" 1 Refund Proposed,
    "refund.approved" 1 Refund Approved,
    "refund.turned_down" 1 Refund TurnedDown,
    "refund.rule_set" 1 Refund RuleSet,
    "work.assigned" 1 Work Assigned,
    "work.done" 1 Work Done,
    "work.reopened" 1 Work Reopened,
    "person.merged" 1 Person Merged,
    "person.parted" 1 Person Parted,
    "person.told_apart" 1 Person ToldApart,
}

/// How to read an event's data.
struct Data<'a> {
    kind: &'a str,
    version: u32,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Field {
    Seq,
    At,
    Kind,
    V,
    Key,
    By,
    Data,
    #[serde(other)]
    Other,
}

/// Text that stays where it is in the line unless it holds an escape.
#[derive(Default, Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Result<Line<'de>, CodecError>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let (mut seq, mut at, mut version, mut event) = (None, None, None, None);
        let [mut kind, mut key, mut by] = [const { None::<Text<'de>> }; 3];
        while let Some(field) = fields.next_key()? {
            match field {
                Field::Seq => seq = Some(fields.next_value()?),
                Field::At => at = Some(fields.next_value::<Instant>()?.0),
                Field::Kind => kind = Some(fields.next_value()?),
                Field::V => version = Some(fields.next_value()?),
                Field::Key => key = Some(fields.next_value()?),
                Field::By => by = Some(fields.next_value()?),
                Field::Data => {
                    let (Some(Text(kind)), Some(version)) = (&kind, version) else {
                        return Err(A::Error::custom("`data` stands before `kind` and `v`"));
                    };
                    event = Some(fields.next_value_seed(Data { kind, version })?);
                }
                Field::Other => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        let missing = A::Error::missing_field;
        let (seq, at) = (seq.ok_or_else(|| missing("seq"))?, at.ok_or_else(|| missing("at"))?);
        let (Text(kind), version) = (kind.ok_or_else(|| missing("kind"))?, version.ok_or_else(|| missing("v"))?);
        let (Text(key), Text(by)) = (key.ok_or_else(|| missing("key"))?, by.ok_or_else(|| missing("by"))?);
        Ok(match event.ok_or_else(|| missing("data"))? {
            Some(event) => Ok(Line { key, by, recorded: Recorded { seq, at, event } }),
            None => Err(CodecError::Unknown { kind: kind.into_owned(), version }),
        })
    }
}

/// Reads one line, of any version ever written.
///
/// # Errors
/// `Malformed`, or `Unknown` for a kind or version of a newer program.
pub fn decode(line: &[u8]) -> Result<Line<'_>, CodecError> {
    match canonical::read(line) {
        Some(line) => Ok(line),
        None => decode_any(line),
    }
}

/// As [`decode`], by the general parser: what JSON allows that [`encode`] never writes, and what is wrong with a line.
///
/// # Errors
/// As [`decode`]'s.
pub fn decode_any(line: &[u8]) -> Result<Line<'_>, CodecError> {
    let mut json = serde_json::Deserializer::from_slice(line);
    let read = json.deserialize_map(Fields)?;
    json.end()?;
    read
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};
    use std::collections::BTreeSet;

    const GOLDEN: &str = include_str!("../../fixtures/events/v1.jsonl");

    /// Each line was written once by some version and is never edited: all of them must be read for ever, and every kind
    /// has at least one.
    #[test]
    fn every_golden_line_is_read_and_every_kind_has_one() {
        let mut seen = BTreeSet::new();
        for line in GOLDEN.lines() {
            let read = decode(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"));
            let kind = kind_of(&read.recorded.event);
            seen.insert(kind);
            assert_eq!(
                String::from_utf8(encode(&read.recorded, &read.key, &read.by).unwrap()).unwrap(),
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

    #[test]
    fn data_before_its_kind_or_anything_missing_is_refused() {
        let line =
            br#"{"seq":1,"at":"2026-01-01T00:00:00Z","v":1,"data":{},"kind":"ledger.started","key":"k","by":"x"}"#;
        assert!(decode(line).unwrap_err().to_string().contains("before"));
        let whole =
            r#"{"seq":1,"at":"2026-01-01T00:00:00Z","kind":"ledger.started","v":1,"key":"k","by":"x","data":{}}"#;
        assert!(decode(whole.as_bytes()).is_ok());
        for part in [r#""seq":1,"#, r#""kind":"ledger.started","#, r#""key":"k","#, r#","data":{}"#] {
            assert!(decode(whole.replace(part, "").as_bytes()).is_err(), "without {part}");
        }
        assert!(decode(format!("{whole}{whole}").as_bytes()).is_err());
    }

    #[test]
    fn what_is_written_here_is_read_the_quick_way() {
        for line in GOLDEN.lines() {
            // The fields of a rally's details stand among its own, and a name may hold a quotation mark.
            let general = line.contains(r#""timezone""#) || line.contains('\\');
            assert_eq!(canonical::read(line.as_bytes()).is_none(), general, "{line}");
        }
    }

    #[test]
    fn a_line_of_another_form_is_left_to_the_general_parser() {
        let whole = r#"{"seq":1,"at":"2026-01-01T00:00:00Z","kind":"privacy.disclosed","v":1,"key":"k","by":"x","data":{"from_seq":7,"who":"w","reason":"r"}}"#;
        assert!(canonical::read(whole.as_bytes()).is_some());
        for (part, other) in [
            ("\"seq\":1", "\"seq\":01"),
            ("\"seq\":1", "\"seq\": 1"),
            ("\"seq\":1", "\"seq\":18446744073709551616"),
            ("\"v\":1", "\"v\":4294967297"),
            ("7", "-7"),
            ("7", "7.0"),
            ("7", "7,\"to_seq\":-0"),
            ("\"k\"", "\"k\\n\""),
            ("\"k\"", "\"k\n\""),
            ("\"k\"", "\"k"),
            ("\"who\":\"w\",", ""),
            ("\"who\":\"w\"", "\"reason\":\"r\",\"who\":\"w\""),
            ("\"r\"", "\"r\",\"more\":1"),
            ("}}", "}"),
            ("}}", "}}}"),
        ] {
            let line = whole.replacen(part, other, 1);
            assert!(canonical::read(line.as_bytes()).is_none(), "{line}");
        }
        let not_text = [whole.as_bytes(), &[0xff]].concat();
        assert!(canonical::read(&not_text).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

        /// Golden lines with a few bytes replaced, left out or repeated.
        #[test]
        fn what_is_read_the_quick_way_is_what_the_general_parser_reads(
            golden in select(GOLDEN.lines().collect::<Vec<_>>()),
            changes in proptest::collection::vec((any::<[Index; 2]>(), any_change()), 0..3),
        ) {
            let mut line = golden.as_bytes().to_vec();
            for ([one, other], change) in changes {
                // An empty line has one place as well.
                line.push(b' ');
                let [one, other] = [one, other].map(|place| place.index(line.len()));
                line.pop();
                let (from, to) = (one.min(other), one.max(other));
                match change {
                    Change::Replace(byte) => drop(line.splice(from..to.min(from + 1), [byte])),
                    Change::Insert(byte) => line.insert(from, byte),
                    Change::Remove => drop(line.drain(from..to)),
                    Change::Repeat => line.extend_from_within(from..to),
                }
            }
            if let Some(read) = canonical::read(&line) {
                prop_assert_eq!(Some(read), decode_any(&line).ok(), "{}", String::from_utf8_lossy(&line));
            }
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Change {
        Replace(u8),
        Insert(u8),
        Remove,
        Repeat,
    }

    fn any_change() -> impl Strategy<Value = Change> {
        let byte = || prop_oneof![select(b"0123456789-.eE+\"\\{}[],: ntu\n".to_vec()), any::<u8>()];
        prop_oneof![
            4 => byte().prop_map(Change::Replace),
            4 => byte().prop_map(Change::Insert),
            1 => Just(Change::Remove),
            1 => Just(Change::Repeat),
        ]
    }
}
