//! "As of": an instant or an event, as people write them, and where in the log that is.

use crate::engine::{self, Engine};
use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use thiserror::Error;

/// A place in the log's past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsOf {
    /// The last event that counts.
    pub seq: u64,
    /// The instant asked for; that of the event where a number was.
    pub at: DateTime<Utc>,
}

/// Why there is no such place.
#[derive(Debug, Error)]
pub enum Fault {
    /// It can't be read.
    #[error(
        "write it like 2028-07-25T21:14, like 2028-07-25T21:14:00-04:00, as a day like 2028-07-25, or as an event's number"
    )]
    Text,
    /// The clocks skipped it.
    #[error("there was no such time that day: the clocks were put forward")]
    NoSuchTime,
    /// Nothing is there yet.
    #[error("the newest event is number {newest}: ask for that or an earlier one")]
    Ahead {
        /// The newest event.
        newest: u64,
    },
    /// The log.
    #[error(transparent)]
    Log(#[from] engine::Fault),
}

impl AsOf {
    /// Reads what a person wrote; a time without an offset is one of `zone`, a day means its end there.
    ///
    /// # Errors
    /// [`Fault`], fit for the person who asked.
    pub fn read(text: &str, zone: Tz, engine: &Engine) -> Result<Self, Fault> {
        let text = text.trim();
        let mut lines = engine.lines();
        if let Ok(seq) = text.parse::<u64>() {
            let newest = engine.world().seq;
            let recorded = if seq > newest { None } else { lines.recorded(seq)? };
            let recorded = recorded.ok_or(Fault::Ahead { newest })?;
            return Ok(Self { seq, at: recorded.at });
        }
        let at = instant(text, zone)?;
        Ok(Self { seq: lines.last_until(at)?, at })
    }
}

fn instant(text: &str, zone: Tz) -> Result<DateTime<Utc>, Fault> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc());
    }
    let of_day = |day: NaiveDate| day.checked_add_days(Days::new(1)).map(|next| next.and_time(NaiveTime::MIN));
    let local = |text: &str| {
        let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"];
        formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
    };
    let (local, before) = match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        // The last microsecond of the day: that is how finely the log tells time.
        Ok(day) => (of_day(day).ok_or(Fault::Text)?, TimeDelta::microseconds(1)),
        Err(_) => (local(text).ok_or(Fault::Text)?, TimeDelta::zero()),
    };
    // Of an hour that came twice the second one is meant: nothing that happened by then is left out.
    let at = zone.from_local_datetime(&local).latest().ok_or(Fault::NoSuchTime)?;
    at.to_utc().checked_sub_signed(before).ok_or(Fault::Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_instants_in_many_ways() {
        let read =
            |text| instant(text, Tz::America__New_York).map(|at| at.to_rfc3339()).map_err(|fault| fault.to_string());
        for (text, wanted) in [
            ("2028-07-25T21:14", "2028-07-26T01:14:00+00:00"),
            ("2028-07-25 21:14:30", "2028-07-26T01:14:30+00:00"),
            ("2028-07-25T21:14:00-04:00", "2028-07-26T01:14:00+00:00"),
            ("2028-07-26T01:14:00Z", "2028-07-26T01:14:00+00:00"),
            ("2028-07-25", "2028-07-26T03:59:59.999999+00:00"),
            // The clocks were put back: the second half past one.
            ("2028-11-05T01:30", "2028-11-05T06:30:00+00:00"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(wanted), "{text}");
        }
        assert_eq!(read("2028-03-12T02:30"), Err(Fault::NoSuchTime.to_string()));
        for text in ["", "yesterday", "25/07/2028", "2028-07-25T25:00", "999999999-01-01"] {
            assert_eq!(read(text), Err(Fault::Text.to_string()), "{text}");
        }
    }
}
