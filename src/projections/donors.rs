//! Who was asked for an employer or occupation that their gift lacks, and who answered; and which reports were taken, which an
//! answer may make it necessary to amend.

use crate::domain::donor::{self, How};
use crate::domain::hash::HashMap;
use crate::domain::id::{CommitteeId, DonationId, MailId, PersonId};
use crate::domain::{Event, Recorded, mail, privacy};
use chrono::serde::ts_microseconds;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Reports that are remembered: a cycle of several committees that each take a report a few times. Of those before, nobody is
/// reminded.
const TAKEN_MAX: usize = 400;

/// That somebody was asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asking {
    /// The event.
    pub seq: u64,
    /// About which gift.
    pub donation: DonationId,
    /// How.
    pub how: How,
    /// On which day.
    pub day: NaiveDate,
    /// The event by which it is known that the letter will never arrive.
    failed: Option<u64>,
}

impl Asking {
    /// Whether it is known by an event, and not that it never arrived.
    fn counts_at(&self, seq: u64) -> bool {
        self.seq <= seq && self.failed.is_none_or(|failed| failed > seq)
    }

    /// Whether it was a letter that will never arrive.
    pub fn has_failed(&self) -> bool {
        self.failed.is_some()
    }
}

/// That somebody answered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The event, which holds the answer sealed.
    pub seq: u64,
    /// When.
    #[serde(with = "ts_microseconds")]
    pub at: DateTime<Utc>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Donor {
    asked: Vec<Asking>,
    answers: Vec<Answer>,
}

/// A report that somebody took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Whose.
    pub committee: CommitteeId,
    /// Which: `Q2`.
    pub code: String,
    /// Its first day.
    pub from: NaiveDate,
    /// Its last day.
    pub through: NaiveDate,
    /// As of which event.
    pub as_of: u64,
}

/// By donor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Donors {
    by_person: HashMap<PersonId, Donor>,
    letters: HashMap<MailId, PersonId>,
    taken: VecDeque<Taken>,
}

impl Donors {
    /// Each time that somebody was asked, the first first.
    pub fn asked(&self, person: PersonId) -> &[Asking] {
        self.by_person.get(&person).map(|donor| donor.asked.as_slice()).unwrap_or_default()
    }

    /// Whether somebody had been asked after a gift of a day, as far as was known by an event.
    pub fn was_asked(&self, person: PersonId, given: NaiveDate, seq: u64) -> bool {
        self.asked(person).iter().any(|asking| asking.day >= given && asking.counts_at(seq))
    }

    /// The last answer that somebody had given by an event.
    pub fn answer(&self, person: PersonId, seq: u64) -> Option<Answer> {
        self.by_person.get(&person)?.answers.iter().rfind(|answer| answer.seq <= seq).copied()
    }

    /// The last answers of whoever answered after an event, in no order.
    pub fn answered_since(&self, seq: u64) -> impl Iterator<Item = (PersonId, Answer)> {
        let last = |(person, donor): (&PersonId, &Donor)| Some((*person, *donor.answers.last()?));
        self.by_person.iter().filter_map(last).filter(move |(_, answer)| answer.seq > seq)
    }

    /// The reports of a committee that were taken, the first first.
    pub fn taken(&self, committee: CommitteeId) -> impl Iterator<Item = &Taken> {
        self.taken.iter().filter(move |taken| taken.committee == committee)
    }

    pub(super) fn apply(&mut self, recorded: &Recorded) {
        let seq = recorded.seq;
        match &recorded.event {
            Event::Donor(donor::Event::Asked(asked)) => {
                let donor::Asked { donation, person, how, day } = *asked;
                if how == How::Letter {
                    self.letters.insert(MailId::work_asked(donation), person);
                }
                self.by_person.entry(person).or_default().asked.push(Asking { seq, donation, how, day, failed: None });
            }
            Event::Donor(donor::Event::Answered(answered)) => {
                let answer = Answer { seq, at: recorded.at };
                self.by_person.entry(answered.person).or_default().answers.push(answer);
            }
            Event::Mail(mail::Event::Failed(failed)) => {
                let person = self.letters.remove(&failed.mail);
                let donor = person.and_then(|person| self.by_person.get_mut(&person));
                let is_it = |asking: &&mut Asking| {
                    asking.how == How::Letter && MailId::work_asked(asking.donation) == failed.mail
                };
                if let Some(asking) = donor.and_then(|donor| donor.asked.iter_mut().find(is_it)) {
                    asking.failed = Some(seq);
                }
            }
            Event::Mail(mail::Event::Sent(sent)) => {
                self.letters.remove(&sent.mail);
            }
            Event::Privacy(privacy::Event::Erased(erased)) => {
                self.by_person.remove(&erased.person);
                self.letters.retain(|_, person| *person != erased.person);
            }
            Event::Privacy(privacy::Event::Exported(access)) if access.what == "fec" => {
                self.taken.extend(taken(&access.of, seq));
                let over = self.taken.len().saturating_sub(TAKEN_MAX);
                self.taken.drain(..over);
            }
            Event::Privacy(privacy::Event::Exported(_) | privacy::Event::Disclosed(_) | privacy::Event::Viewed(_))
            | Event::Mail(mail::Event::Switched(_) | mail::Event::Requested(_))
            | Event::Ledger(_)
            | Event::Staff(_)
            | Event::Rally(_)
            | Event::Broadcast(_)
            | Event::Show(_)
            | Event::Clip(_)
            | Event::Restream(_)
            | Event::Attendance(_)
            | Event::Donation(_)
            | Event::Inbox(_)
            | Event::Committee(_)
            | Event::Drive(_)
            | Event::Books(_)
            | Event::Audit(_)
            | Event::Plan(_)
            | Event::Remedy(_)
            | Event::Token(_)
            | Event::Hook(_)
            | Event::Period(_)
            | Event::Refund(_)
            | Event::Work(_)
            | Event::Person(_) => {}
        }
    }
}

/// Which report a file was, by what was recorded of it: `committee=0&code=Q2&from=2026-04-01&to=2026-06-30`.
fn taken(of: &str, seq: u64) -> Option<Taken> {
    let get = |name: &str| of.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name));
    let value = |name: &str| get(name).map(|(_, value)| value);
    Some(Taken {
        committee: value("committee")?.parse().ok()?,
        code: value("code")?.to_owned(),
        from: value("from")?.parse().ok()?,
        through: value("to")?.parse().ok()?,
        as_of: value("as_of").and_then(|as_of| as_of.parse().ok()).unwrap_or(seq),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::donor::{Answered, Asked};
    use crate::domain::privacy::Access;
    use crate::domain::test_kit::*;

    fn asked(how: How) -> Event {
        let day = "2026-09-24".parse().unwrap();
        Event::Donor(donor::Event::Asked(Asked { donation: DONATION, person: PERSON, how, day }))
    }

    fn fold(events: impl IntoIterator<Item = Event>) -> Donors {
        let mut donors = Donors::default();
        for (seq, event) in (1..).zip(events) {
            donors.apply(&Recorded { seq, at: at(0), event });
        }
        donors
    }

    #[test]
    fn what_was_known_by_an_event_stays_so() {
        let mail = MailId::work_asked(DONATION);
        let failed = Event::Mail(mail::Event::Failed(mail::Failed { mail, reason: "no such mailbox".into() }));
        let answered = donor::Event::Answered(Answered { donation: DONATION, person: PERSON, work: sealed(7) });
        let donors = fold([asked(How::Letter), failed, asked(How::Phone), Event::Donor(answered)]);
        let given = "2026-09-24".parse().unwrap();
        let efforts = [0, 1, 2, 3].map(|seq| donors.was_asked(PERSON, given, seq));
        assert_eq!(efforts, [false, true, false, true], "a letter that never arrives is no effort once that is known");
        assert!(!donors.was_asked(PERSON, given.succ_opt().unwrap(), 3), "a later gift is asked about anew");
        assert_eq!([3, 4].map(|seq| donors.answer(PERSON, seq).map(|answer| answer.seq)), [None, Some(4)]);
        assert!(donors.letters.is_empty());
    }

    #[test]
    fn a_report_that_was_taken_is_known_by_what_was_recorded_of_it() {
        let exported = |of: &str| {
            let (what, of, reason) = ("fec".into(), of.into(), String::new());
            Event::Privacy(privacy::Event::Exported(Access { who: "staff:1".into(), what, of, reason }))
        };
        let donors = fold([
            exported("committee=2&code=Q2&from=2026-04-01&to=2026-06-30&as_of=7"),
            exported("committee=2&code=Q3&from=2026-07-01&to=2026-09-30"),
            exported("committee=2"),
        ]);
        let taken: Vec<(&str, u64)> =
            donors.taken(CommitteeId(2)).map(|taken| (taken.code.as_str(), taken.as_of)).collect();
        assert_eq!(taken, [("Q2", 7), ("Q3", 2)]);
        assert_eq!(donors.taken(CommitteeId(1)).count(), 0);
        let many = fold((0..=TAKEN_MAX).map(|_| exported("committee=2&code=Q3&from=2026-07-01&to=2026-09-30")));
        assert_eq!(many.taken.len(), TAKEN_MAX);
    }
}
