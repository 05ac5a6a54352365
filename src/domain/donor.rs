//! Donors who left out employer or occupation: that they were asked for it, and what they answered. A committee reports both of
//! whoever gives more than $200, or shows its best efforts to learn them (52 U.S.C. 30102(i), 11 CFR 104.7).

use super::State;
use super::committee::filer::Form;
use super::hash::HashMap;
use super::id::{CommitteeId, DonationId, MailId, PersonId};
use super::profile::{Contact, Work};
use super::sealed::Sealed;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Times that one donor can be asked, and can answer: a link that got about fills no memory.
pub const TIMES_MAX: u8 = 20;
/// Days after a gift within which a committee asks for what is missing (11 CFR 104.7(b)(2)).
pub const ASK_DAYS: u64 = 30;

/// What people type where they do not answer, in letters and digits alone.
const NO_ANSWERS: &[&str] = &[
    "",
    "anonymous",
    "blank",
    "confidential",
    "declined",
    "declinedtostate",
    "declinetostate",
    "idk",
    "infonotprovided",
    "informationnotprovided",
    "informationrequested",
    "inforequested",
    "missing",
    "na",
    "nil",
    "none",
    "noneofyourbusiness",
    "noneprovided",
    "notanswered",
    "notapplicable",
    "notavailable",
    "notdisclosed",
    "notgiven",
    "notprovided",
    "notstated",
    "null",
    "pending",
    "prefernottosay",
    "private",
    "refused",
    "requested",
    "tbd",
    "unknown",
    "x",
    "xx",
    "xxx",
];
/// The same with more behind it.
const NO_ANSWER_BEGINNINGS: &[&str] = &["informationrequested", "perbesteffort", "besteffort"];
/// Who has no employer; where one of the two says so, the other need not say more.
const NOT_EMPLOYED: &[&str] = &["disabled", "homemaker", "notemployed", "retired", "student", "unemployed"];

/// Whether a text names an employer or an occupation: "Not employed" does, "n/a" does not.
pub fn is_answer(typed: &str) -> bool {
    let word = squashed(typed);
    !NO_ANSWERS.contains(&word.as_str()) && !NO_ANSWER_BEGINNINGS.iter().any(|begins| word.starts_with(begins))
}

fn squashed(typed: &str) -> String {
    typed.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// What of the two is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lacks {
    /// The employer.
    pub employer: bool,
    /// The occupation.
    pub occupation: bool,
}

impl Lacks {
    /// What these two lack.
    pub fn of(employer: &str, occupation: &str) -> Self {
        let says_all = |typed: &str| NOT_EMPLOYED.contains(&squashed(typed).as_str());
        let lacks = |typed: &str, other: &str| !is_answer(typed) && !says_all(other);
        Self { employer: lacks(employer, occupation), occupation: lacks(occupation, employer) }
    }

    /// Whether there is anything.
    pub fn any(self) -> bool {
        self.employer || self.occupation
    }

    /// `employer and occupation`; empty where nothing is missing.
    pub fn words(self) -> &'static str {
        match (self.employer, self.occupation) {
            (true, true) => "employer and occupation",
            (true, false) => "employer",
            (false, true) => "occupation",
            (false, false) => "",
        }
    }
}

impl Contact {
    /// What of employer and occupation the donor left out.
    pub fn lacks(&self) -> Lacks {
        Lacks::of(&self.employer, &self.occupation)
    }

    /// Takes over from an answer what was left out; what was typed with the gift stands.
    pub fn complete(&mut self, answer: Work) {
        let lacks = self.lacks();
        if lacks.employer {
            self.employer = answer.employer;
        }
        if lacks.occupation {
            self.occupation = answer.occupation;
        }
    }
}

/// The sentence that the law wants in each request (11 CFR 104.7(b)(1)(i)), which differs for candidates' committees.
pub fn statutory_sentence(form: Option<Form>) -> String {
    let within = if form.is_some_and(Form::is_candidates) { "an election cycle" } else { "a calendar year" };
    format!(
        "Federal law requires us to use our best efforts to collect and report the name, mailing address, occupation and \
         name of employer of individuals whose contributions exceed $200 in {within}."
    )
}

/// How a donor was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// By a letter that this server sends.
    Letter,
    /// By somebody on the phone.
    Phone,
    /// By post.
    Post,
}

/// What may be asked.
#[derive(Clone, Debug)]
pub enum Command {
    /// Ask a donor for what is missing, or record that they were asked.
    Ask {
        /// About which gift.
        donation: DonationId,
        /// How.
        how: How,
        /// On which day.
        day: NaiveDate,
    },
    /// Record what they answered.
    Answer {
        /// About which gift they were asked.
        donation: DonationId,
        /// A sealed [`Work`].
        work: Sealed,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A donor was asked, or is about to be by a letter. Who asked stands in the event's `by`.
    Asked(Asked),
    /// A donor answered, or staff wrote down what they said.
    Answered(Answered),
}

/// A donor was asked for employer and occupation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// About which gift.
    pub donation: DonationId,
    /// Whom.
    pub person: PersonId,
    /// How.
    pub how: How,
    /// On which day, where the rally is.
    pub day: NaiveDate,
}

/// A donor answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// About which gift they were asked; the answer holds for all gifts of theirs that lack it.
    pub donation: DonationId,
    /// Who.
    pub person: PersonId,
    /// A sealed [`Work`].
    pub work: Sealed,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Error)]
#[allow(missing_docs)]
pub enum Refusal {
    #[error("there is no such gift")]
    Unknown,
    #[error("this gift was never paid: nobody has to be asked")]
    NotPaid,
    #[error("what this donor gave of themselves was erased: nobody can be asked")]
    Erased,
    #[error("this server sends no mail: ask by phone or by post, and record it here")]
    NoMail,
    #[error("a letter about this gift was sent already: ask by phone or by post, and record it here")]
    LetterSent,
    #[error("this was done {TIMES_MAX} times for this donor: that is enough")]
    TooOften,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Times {
    asked: u8,
    answered: u8,
}

/// How often each donor was asked and answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Donors(HashMap<PersonId, Times>);

impl Donors {
    fn times(&self, person: PersonId) -> Times {
        self.0.get(&person).copied().unwrap_or_default()
    }

    /// Nobody is left to ask.
    pub(super) fn forget(&mut self, person: PersonId) {
        self.0.remove(&person);
    }
}

/// Whether a gift was paid to a committee, by somebody who can be asked.
pub(super) fn can_be_asked(state: &State, donation: DonationId, committee: CommitteeId) -> bool {
    let gift = state.donations.get(donation);
    gift.is_some_and(|gift| gift.received_for(committee) > 0 && !is_gone(state, gift.donor))
}

/// Whether what a donor gave of themselves was erased.
fn is_gone(state: &State, person: PersonId) -> bool {
    state.privacy.erasure(person).is_some_and(|erasure| !erasure.came_back)
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let (Command::Ask { donation, .. } | Command::Answer { donation, .. }) = command;
    let gift = state.donations.get(donation).ok_or(Refusal::Unknown)?;
    let person = gift.donor;
    if gift.settled_minor() == 0 {
        return Err(Refusal::NotPaid);
    }
    if is_gone(state, person) {
        return Err(Refusal::Erased);
    }
    let times = state.donors.times(person);
    let event = match command {
        Command::Ask { .. } if times.asked >= TIMES_MAX => return Err(Refusal::TooOften),
        Command::Answer { .. } if times.answered >= TIMES_MAX => return Err(Refusal::TooOften),
        Command::Ask { how, day, .. } => {
            if how == How::Letter && !state.mail.is_on() {
                return Err(Refusal::NoMail);
            }
            if how == How::Letter && state.mail.standing(MailId::work_asked(donation)).is_some() {
                return Err(Refusal::LetterSent);
            }
            Event::Asked(Asked { donation, person, how, day })
        }
        Command::Answer { work, .. } => Event::Answered(Answered { donation, person, work }),
    };
    Ok(vec![super::Event::Donor(event)])
}

pub(super) fn evolve(state: &mut State, event: &Event) {
    match event {
        Event::Asked(asked) => {
            let times = state.donors.0.entry(asked.person).or_default();
            times.asked = times.asked.saturating_add(1);
        }
        Event::Answered(answered) => {
            let times = state.donors.0.entry(answered.person).or_default();
            times.answered = times.answered.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests;
