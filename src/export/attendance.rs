//! A rally's attendee report as CSV, as webinar programs give one: a line a stay in the room, and one for whoever registered and
//! never came.

use super::row::Made;
use super::text::{self, ERASED, inert};
use crate::domain::profile::Attendee;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;
use std::io::Write;

/// The columns, in order.
pub const COLUMNS: [&str; 15] = [
    "rally",
    "rally_title",
    "attended",
    "name",
    "email",
    "postal",
    "registration_time",
    "join_time",
    "leave_time",
    "time_zone",
    "minutes",
    "seconds",
    "source",
    "refcode",
    "is_guest",
];

/// The rally that the file is of.
pub struct Rally {
    /// Its address.
    pub slug: String,
    /// Its title.
    pub title: String,
    /// Where it is: times are told as clocks there tell them.
    pub zone: Tz,
    /// Until when those watched who are still there.
    pub now: DateTime<Utc>,
}

/// Somebody who registered.
pub struct Person {
    /// What they gave; `None` if erased.
    pub profile: Option<Attendee>,
    /// When they registered.
    pub registered_at: DateTime<Utc>,
    /// From when until when they were in the room; none for the end of what lasts.
    pub stays: Vec<(DateTime<Utc>, Option<DateTime<Utc>>)>,
    /// By which way they came.
    pub source: &'static str,
    /// From the link that led here.
    pub refcode: Option<String>,
    /// Whether they are none of the staff.
    pub is_guest: bool,
}

/// Writes the line of column names.
///
/// # Errors
/// Those of `out`.
pub fn header(out: impl Write) -> std::io::Result<()> {
    let mut csv = text::csv(out);
    csv.write_record(COLUMNS)?;
    csv.flush()
}

/// Writes people, in their order.
///
/// # Errors
/// Those of `out`.
pub fn people(out: impl Write, rally: &Rally, people: impl IntoIterator<Item = Person>) -> std::io::Result<()> {
    let mut csv = text::csv(out);
    let clock = |at: DateTime<Utc>| at.with_timezone(&rally.zone).format("%Y-%m-%d %H:%M:%S").to_string();
    for person in people {
        let profile = person.profile.as_ref();
        let of = |part: fn(&Attendee) -> &str| inert(profile.map_or(ERASED, part));
        let mut line = |joined: &str, left: &str, length: Option<TimeDelta>| {
            // A minute that was begun counts, as in other programs' reports; the seconds are what was measured.
            let seconds = length.map(|length| length.num_seconds().max(0));
            let minutes = seconds.map(|seconds| seconds.saturating_add(59) / 60);
            let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
            csv.write_record([
                &*rally.slug,
                &inert(&rally.title),
                yes(length.is_some()),
                &of(|profile| &profile.name),
                &of(|profile| &profile.email),
                &of(|profile| profile.postal.as_deref().unwrap_or_default()),
                &clock(person.registered_at),
                joined,
                left,
                rally.zone.name(),
                &number(minutes),
                &number(seconds),
                person.source,
                &inert(person.refcode.as_deref().unwrap_or_default()),
                yes(person.is_guest),
            ])
        };
        if person.stays.is_empty() {
            line("", "", None)?;
        }
        for (from, until) in &person.stays {
            let length = until.unwrap_or(rally.now).signed_duration_since(*from);
            line(&clock(*from), &until.map(clock).unwrap_or_default(), Some(length))?;
        }
    }
    csv.flush()
}

/// Writes a last line: what a large file says of itself, and the log's head.
///
/// # Errors
/// Those of `out`.
pub fn footer(out: impl Write, made: &Made) -> std::io::Result<()> {
    let mut csv = text::csv(out);
    let (mark, at) = (made.watermark(), made.at.to_rfc3339_opts(SecondsFormat::Secs, true));
    csv.write_record(["", "", "", &*inert(&mark), "", "", &at, "", "", "UTC", "", "", "ledger head", &made.head, ""])?;
    csv.flush()
}

fn yes(it_is: bool) -> &'static str {
    if it_is { "Yes" } else { "No" }
}

#[cfg(test)]
mod tests {
    use super::super::row::example;
    use super::*;

    #[test]
    fn the_golden_file_stays_as_it_is() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let rally = Rally {
            slug: "answer-the-call".into(),
            title: "Answer the Call, \"tonight\"".into(),
            zone: Tz::America__New_York,
            now: at("2028-07-26T02:00:00Z"),
        };
        let (evening, nine) = (at("2028-07-26T00:15:02Z"), at("2028-07-26T01:00:00Z"));
        let person = |name: &str, stays: &[(DateTime<Utc>, Option<DateTime<Utc>>)], refcode: Option<&str>| Person {
            profile: Some(Attendee {
                name: name.into(),
                email: "joan@example.org".into(),
                postal: refcode.map(|_| "01234".into()),
            }),
            registered_at: at("2028-07-20T12:00:00Z"),
            stays: stays.to_vec(),
            source: "rally",
            refcode: refcode.map(Into::into),
            is_guest: true,
        };
        let all = [
            person("Joan \"JJ\" O’Neil, Jr.", &[(evening, Some(nine)), (nine, Some(nine))], Some("=HYPERLINK(\"x\")")),
            person("+1 555\nsecond line", &[(nine, None)], None),
            person("ليلى حداد", &[], None),
            Person { is_guest: false, ..person("👩‍🏫 Zoë", &[], Some("\tnurses")) },
            Person { profile: None, ..person("", &[(evening, Some(nine))], None) },
        ];
        let mut out = vec![];
        header(&mut out).unwrap();
        people(&mut out, &rally, all).unwrap();
        footer(&mut out, &example::made()).unwrap();
        example::golden("attendance.csv", &out);
        let read: Vec<_> = ::csv::Reader::from_reader(out.as_slice()).into_records().map(Result::unwrap).collect();
        assert_eq!(read.iter().map(|line| line[3].to_owned()).collect::<Vec<_>>()[0], "Joan \"JJ\" O’Neil, Jr.");
        assert_eq!((&read[2][3], &read[3][3]), ("'+1 555\nsecond line", "ليلى حداد"));
    }
}
