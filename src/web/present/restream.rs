//! How the servers that the program is sent on to stand, in words.

use super::{phase, up};
use crate::domain::id::RallyId;
use crate::domain::rally::Rally;
use crate::domain::restream::{self, sealed_for};
use crate::domain::seals::STREAM_KEY;
use crate::media::restream::Standing;
use crate::projections::Projections;
use crate::web::App;
use crate::web::view::Phase;
use crate::web::view::restream::{Destination, Destinations, Restreams};
use chrono::{DateTime, Utc};

/// Of a key so long, the last characters are shown: they tell keys apart and open nothing.
const KEY_CHARS_MIN: usize = 12;
const KEY_CHARS_SHOWN: usize = 4;

/// The servers, for the studio.
pub fn restreams(app: &App, world: &Projections, id: RallyId, rally: &Rally, now: DateTime<Utc>) -> Restreams {
    Restreams { destinations: all(app, world, id, rally, now) }
}

/// The servers with what can be done about them.
pub fn destinations(app: &App, world: &Projections, id: RallyId, rally: &Rally, now: DateTime<Utc>) -> Destinations {
    Destinations { destinations: all(app, world, id, rally, now), open: phase(rally) != Phase::Ended }
}

fn all(app: &App, world: &Projections, id: RallyId, rally: &Rally, now: DateTime<Utc>) -> Vec<Destination> {
    let one = |destination: &restream::Destination| {
        let standing = app.media().restreams().of(destination.id);
        let (pill, look, words) = state(destination.on, phase(rally), standing, now);
        Destination {
            id: destination.id.to_string(),
            label: destination.label.clone(),
            server: destination.server.clone(),
            key: key_end(&stream_key(app, destination).unwrap_or_default()),
            on: destination.on,
            pill,
            look,
            words,
        }
    };
    world.state.restreams.of(id).iter().map(one).collect()
}

/// A destination's stream key; none where it can't be opened.
pub fn stream_key(app: &App, destination: &restream::Destination) -> Option<String> {
    let opened = app.engine().vault().unseal(sealed_for(destination.id), STREAM_KEY, &destination.key);
    opened.ok().flatten().and_then(|bytes| String::from_utf8(bytes).ok())
}

fn key_end(key: &str) -> String {
    let count = key.chars().count();
    let shown = if count < KEY_CHARS_MIN { 0 } else { KEY_CHARS_SHOWN };
    format!("…{}", key.chars().skip(count.saturating_sub(shown)).collect::<String>())
}

fn state(
    on: bool,
    phase: Phase,
    standing: Option<Standing>,
    now: DateTime<Utc>,
) -> (&'static str, &'static str, String) {
    let again = |at_ms: i64| {
        let seconds = at_ms.saturating_sub(now.timestamp_millis()).max(0) / 1_000;
        if seconds == 0 { "Trying again now.".to_owned() } else { format!("Trying again in {seconds} s.") }
    };
    match (standing, phase) {
        (Some(Standing::Live { since_ms, losses }), _) => {
            let since = up(now, since_ms);
            let lost = match losses {
                0 => String::new(),
                1 => " It was too slow once: the picture jumped there.".to_owned(),
                many => format!(" It was too slow {many} times: the picture jumped there."),
            };
            ("live", if losses == 0 { "ok" } else { "warn" }, format!("Live there for {since}.{lost}"))
        }
        (Some(Standing::Connecting), _) => ("connecting", "", "Asking the server to take the picture.".to_owned()),
        (Some(Standing::Retrying { at_ms, reason }), _) => {
            ("retrying", "warn", format!("Not live there: {reason}. {}", again(at_ms)))
        }
        (Some(Standing::Refused { at_ms, words }), _) => {
            let words = words.trim_end_matches('.');
            (
                "refused",
                "bad",
                format!("The server says: “{words}”. Look at the key and at the other service. {}", again(at_ms)),
            )
        }
        (Some(Standing::Unreadable), _) => {
            ("broken", "bad", "Its stream key can’t be read any more. Remove it and add it again.".to_owned())
        }
        (None, _) if !on => ("off", "", "Nothing is sent there.".to_owned()),
        (None, Phase::Before) => ("waiting", "", "Begins when you open the doors.".to_owned()),
        (None, Phase::Live) => ("connecting", "", "Asking the server to take the picture.".to_owned()),
        (None, Phase::Ended) => ("over", "", "The rally has ended.".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_is_said_in_a_sentence() {
        let now = DateTime::from_timestamp_millis(1_000_000).unwrap();
        let check = |standing, pill: &str, look: &str, words: &str| {
            assert_eq!(state(true, Phase::Live, standing, now), (pill_of(pill), look_of(look), words.to_owned()));
        };
        fn pill_of(pill: &str) -> &'static str {
            ["live", "retrying", "refused", "connecting"].into_iter().find(|one| *one == pill).unwrap()
        }
        fn look_of(look: &str) -> &'static str {
            ["", "ok", "warn", "bad"].into_iter().find(|one| *one == look).unwrap()
        }
        check(Some(Standing::Live { since_ms: 960_000, losses: 0 }), "live", "ok", "Live there for 40 s.");
        let slow = Standing::Live { since_ms: 100_000, losses: 3 };
        let said = "Live there for 15 min. It was too slow 3 times: the picture jumped there.";
        check(Some(slow), "live", "warn", said);
        let lost = Standing::Retrying { at_ms: 1_012_000, reason: "the server does not answer".into() };
        check(Some(lost), "retrying", "warn", "Not live there: the server does not answer. Trying again in 12 s.");
        let refused = Standing::Refused { at_ms: 0, words: "Bad name.".into() };
        let said = "The server says: “Bad name”. Look at the key and at the other service. Trying again now.";
        check(Some(refused), "refused", "bad", said);
        assert_eq!(state(false, Phase::Live, None, now).0, "off");
        assert_eq!(state(true, Phase::Before, None, now).0, "waiting");
        assert_eq!(state(true, Phase::Ended, None, now).0, "over");
    }

    #[test]
    fn of_a_key_only_the_end_is_shown_and_of_a_short_one_nothing() {
        assert_eq!(key_end("abcd-efgh-ijkl"), "…ijkl");
        assert_eq!(key_end("abcd-efgh"), "…");
        assert_eq!(key_end(""), "…");
    }
}
