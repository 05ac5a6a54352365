//! Who files with the FEC for a committee: what the cover of each report says of it, and its elections. All of it is on the
//! public record (Forms 1 and 2), so none of it is sealed.

use chrono::NaiveDate;
use hardmoney::parser::validate::{STATE_CODES, is_election_code, is_fec_id};
use serde::{Deserialize, Serialize};

/// Elections of one filer: five a cycle for some cycles.
pub const ELECTIONS_MAX: usize = 20;
/// Characters of a name of an organisation (format 8.5, `A/N-200`).
pub const ORGANISATION_CHARS_MAX: usize = 200;
/// Characters of a street line (`A/N-34`).
pub const STREET_CHARS_MAX: usize = 34;
/// Characters of a city and of a family name (`A/N-30`).
pub const CITY_CHARS_MAX: usize = 30;
/// Characters of a given name (`A/N-20`).
pub const GIVEN_CHARS_MAX: usize = 20;

/// The form of its reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    /// Authorised committees of candidates for House and Senate.
    F3,
    /// Committees that are nobody's own: PACs, parties, joint fundraising.
    F3X,
    /// Authorised committees of candidates for President.
    F3P,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 3] = [Self::F3, Self::F3X, Self::F3P];

    /// The FEC's word for it.
    pub fn code(self) -> &'static str {
        match self {
            Self::F3 => "F3",
            Self::F3X => "F3X",
            Self::F3P => "F3P",
        }
    }

    /// Whether it is a candidate's.
    pub fn is_candidates(self) -> bool {
        match self {
            Self::F3 | Self::F3P => true,
            Self::F3X => false,
        }
    }
}

/// What a candidate runs for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Office {
    /// The House.
    H,
    /// The Senate.
    S,
    /// The presidency.
    P,
}

impl Office {
    /// Every office.
    pub const ALL: [Self; 3] = [Self::H, Self::S, Self::P];

    /// The FEC's letter for it.
    pub fn code(self) -> &'static str {
        match self {
            Self::H => "H",
            Self::S => "S",
            Self::P => "P",
        }
    }
}

/// Where letters arrive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Street and number.
    pub street: String,
    /// Suite or box; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub street_2: String,
    /// City or town.
    pub city: String,
    /// Two letters, as the postal service writes it.
    pub state: String,
    /// Five or nine digits.
    pub zip: String,
}

/// A person's name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Given name.
    pub first: String,
    /// Family name.
    pub last: String,
}

/// Whose committee it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The FEC's: `S6MI00301`.
    pub id: String,
    /// Their name.
    pub name: Named,
    /// What they run for.
    pub office: Office,
    /// Where, two letters; empty for the presidency.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub state: String,
    /// Which district, two digits, for the House; empty otherwise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub district: String,
}

/// An election in which it takes part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Election {
    /// A letter and a year: `P2026` for the primary, `G2026` for the general.
    pub code: String,
    /// Its day.
    pub date: NaiveDate,
    /// Where, two letters.
    pub state: String,
}

impl Election {
    /// Whether it is a general election, with which a cycle ends.
    pub fn is_general(&self) -> bool {
        self.code.starts_with('G')
    }
}

/// Whom its processor's fees are paid to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payee {
    /// The company's name.
    pub name: String,
    /// Where it is.
    pub address: Address,
}

/// Through whom its gifts come earmarked for it, where they do not go straight to it (11 CFR 110.6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conduit {
    /// Its id with the FEC: C and eight digits.
    pub id: String,
    /// Its name as it is registered there.
    pub name: String,
    /// Where it is.
    pub address: Address,
}

/// Who files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filer {
    /// The committee's id with the FEC: C and eight digits.
    pub id: String,
    /// The committee's name as it is registered there.
    pub name: String,
    /// Where it is registered.
    pub address: Address,
    /// Who signs.
    pub treasurer: Named,
    /// The form of its reports.
    pub form: Form,
    /// Whose committee it is, on the forms of candidates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Candidate>,
    /// Its elections, the earliest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elections: Vec<Election>,
    /// Whom fees are paid to; without one they are left out of reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payee: Option<Payee>,
    /// Through whom its gifts come, where they do not go straight to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conduit: Option<Conduit>,
}

impl Filer {
    /// What is wrong with it, in sentences fit for the person who typed it; nothing if the format can say all of it.
    pub fn faults(&self) -> Vec<&'static str> {
        let mut faults = vec![];
        let mut want = |is_fine: bool, fault: &'static str| {
            if !is_fine {
                faults.push(fault);
            }
        };
        want(self.id.starts_with('C') && is_fec_id(&self.id), "write the committee’s id as C and eight digits");
        want(is_text(&self.name, ORGANISATION_CHARS_MAX), "write the committee’s name, in at most 200 characters");
        want(
            self.address.is_fine(),
            "write the committee’s address: street (at most 34 characters), city (30), state (two letters), ZIP code (5 or 9 digits)",
        );
        want(
            self.treasurer.is_fine(),
            "write the treasurer’s name: given name (at most 20 characters), family name (30)",
        );
        want(
            self.form.is_candidates() == self.candidate.is_some(),
            "forms F3 and F3P are a candidate’s, and form F3X is nobody’s",
        );
        if let Some(candidate) = &self.candidate {
            want(
                candidate.is_fine(),
                "write the candidate’s id (like S6MI00301), name, state and, for the House, district",
            );
            let is_presidents = candidate.office == Office::P;
            want(
                is_presidents == (self.form == Form::F3P),
                "form F3P is for the presidency, form F3 for House and Senate",
            );
        }
        want(
            self.elections.len() <= ELECTIONS_MAX && self.elections.iter().all(Election::is_fine),
            "each election has a code like P2026, a day and a state of two letters, and there are at most twenty",
        );
        want(
            self.elections.is_sorted_by(|one, next| one.date < next.date),
            "the elections are in the order of their days, each on a day of its own",
        );
        want(
            self.payee.as_ref().is_none_or(Payee::is_fine),
            "write the processor’s name and whole address, or leave all of it empty",
        );
        want(
            self.conduit.as_ref().is_none_or(|conduit| conduit.is_fine() && conduit.id != self.id),
            "write the conduit’s FEC id, which is another committee’s, its name and whole address, or leave all of it empty",
        );
        faults
    }
}

impl Address {
    fn is_fine(&self) -> bool {
        let second = self.street_2.chars().count() <= STREET_CHARS_MAX;
        let zip = matches!(self.zip.len(), 5 | 9) && self.zip.bytes().all(|byte| byte.is_ascii_digit());
        is_text(&self.street, STREET_CHARS_MAX)
            && second
            && is_text(&self.city, CITY_CHARS_MAX)
            && is_state(&self.state)
            && zip
    }
}

impl Named {
    fn is_fine(&self) -> bool {
        is_text(&self.first, GIVEN_CHARS_MAX) && is_text(&self.last, CITY_CHARS_MAX)
    }
}

impl Candidate {
    fn is_fine(&self) -> bool {
        let district = self.district.len() == 2 && self.district.bytes().all(|byte| byte.is_ascii_digit());
        let seat = match self.office {
            Office::H => is_state(&self.state) && district,
            Office::S => is_state(&self.state) && self.district.is_empty(),
            Office::P => self.state.is_empty() && self.district.is_empty(),
        };
        self.id.starts_with(self.office.code()) && is_fec_id(&self.id) && self.name.is_fine() && seat
    }
}

impl Election {
    fn is_fine(&self) -> bool {
        // "O" is any other election, which would want a description.
        self.code.starts_with(['C', 'E', 'G', 'P', 'R', 'S']) && is_election_code(&self.code) && is_state(&self.state)
    }
}

impl Conduit {
    fn is_fine(&self) -> bool {
        self.id.starts_with('C')
            && is_fec_id(&self.id)
            && is_text(&self.name, ORGANISATION_CHARS_MAX)
            && self.address.is_fine()
    }
}

impl Payee {
    fn is_fine(&self) -> bool {
        is_text(&self.name, ORGANISATION_CHARS_MAX) && self.address.is_fine()
    }
}

fn is_state(text: &str) -> bool {
    STATE_CODES.contains(&text)
}

/// Whether there is something in it, and not too much.
fn is_text(text: &str, chars_max: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= chars_max
}

#[cfg(test)]
impl Filer {
    /// Somebody who files, for tests.
    pub fn example(form: Form) -> Self {
        let address = |street: &str, city: &str, state: &str, zip: &str| Address {
            street: street.into(),
            city: city.into(),
            state: state.into(),
            zip: zip.into(),
            ..Address::default()
        };
        let named = |first: &str, last: &str| Named { first: first.into(), last: last.into() };
        let candidate = |id: &str, office, state: &str| Candidate {
            id: id.into(),
            name: named("Ana", "Rivera"),
            office,
            state: state.into(),
            district: String::new(),
        };
        let election = |code: &str, date: &str, state: &str| Election {
            code: code.into(),
            date: date.parse().unwrap(),
            state: state.into(),
        };
        let (id, name, candidate, elections) = match form {
            Form::F3 => (
                "C00123456",
                "Rivera for Senate",
                Some(candidate("S6MI00301", Office::S, "MI")),
                vec![
                    election("G2024", "2024-11-05", "MI"),
                    election("P2026", "2026-08-04", "MI"),
                    election("G2026", "2026-11-03", "MI"),
                ],
            ),
            Form::F3X => ("C00234567", "Great Lakes PAC", None, vec![]),
            Form::F3P => (
                "C00345678",
                "Rivera for President",
                Some(candidate("P80001234", Office::P, "")),
                vec![election("P2028", "2028-08-25", "MI"), election("G2028", "2028-11-07", "MI")],
            ),
        };
        Self {
            id: id.into(),
            name: name.into(),
            address: address("1 Capitol Avenue", "Lansing", "MI", "48933"),
            treasurer: named("Pat", "O'Neil"),
            form,
            candidate,
            elections,
            payee: Some(Payee {
                name: "Stripe, Inc.".into(),
                address: address("354 Oyster Point Boulevard", "South San Francisco", "CA", "94080"),
            }),
            conduit: (form == Form::F3P).then(|| Conduit {
                id: "C00456789".into(),
                name: "Neighbors for Rivera PAC".into(),
                address: address("9 Canal Street", "New Orleans", "LA", "70130"),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::State;
    use crate::domain::committee::{Command, Event, FilerSet, Refusal};
    use crate::domain::id::CommitteeId;
    use crate::domain::test_kit::*;

    fn set(committee: u16, filer: Filer) -> Command {
        Command::SetFiler { committee: CommitteeId(committee), filer: Box::new(filer) }
    }

    #[test]
    fn who_files_is_set_as_a_whole_and_once() {
        let given = given_nothing();
        let first = CommitteeId::FIRST;
        let known = given
            .when(set(0, Filer::example(Form::F3)))
            .then([Event::FilerSet(FilerSet { committee: first, filer: Box::new(Filer::example(Form::F3)) })]);
        known.when(set(0, Filer::example(Form::F3))).changes_nothing();
        assert_eq!(known.state.committees.get(first).unwrap().filer, Some(Filer::example(Form::F3)));
        // A snapshot holds it, also where nobody files.
        for state in [&given.state, &known.state] {
            let kept: State = postcard::from_bytes(&postcard::to_stdvec(state).unwrap()).unwrap();
            assert_eq!(&kept, state);
        }
        given.when(set(1, Filer::example(Form::F3))).refuses(Refusal::Unknown);
    }

    /// What a form can't say is refused, each by the sentence that names it.
    #[test]
    fn each_part_is_looked_at() {
        type Change = fn(&mut Filer);
        let of = |form, change: Change| {
            let mut filer = Filer::example(form);
            change(&mut filer);
            filer
        };
        for form in Form::ALL {
            assert_eq!(Filer::example(form).faults(), Vec::<&str>::new(), "{form:?}");
        }
        for (filer, word) in [
            (of(Form::F3, |filer| filer.id = "C0012345".into()), "C and eight digits"),
            (of(Form::F3, |filer| filer.id = "S6MI00301".into()), "C and eight digits"),
            (of(Form::F3X, |filer| filer.name = " ".into()), "committee’s name"),
            (of(Form::F3X, |filer| filer.name = "x".repeat(201)), "committee’s name"),
            (of(Form::F3, |filer| filer.address.zip = "4893".into()), "committee’s address"),
            (of(Form::F3, |filer| filer.address.state = "Mi".into()), "committee’s address"),
            (of(Form::F3, |filer| filer.address.street_2 = "x".repeat(35)), "committee’s address"),
            (of(Form::F3, |filer| filer.treasurer.first = "x".repeat(21)), "treasurer"),
            (of(Form::F3, |filer| filer.candidate = None), "nobody’s"),
            (of(Form::F3X, |filer| filer.candidate = Filer::example(Form::F3).candidate), "nobody’s"),
            (of(Form::F3, |filer| filer.candidate = Filer::example(Form::F3P).candidate), "presidency"),
            (of(Form::F3, |filer| filer.candidate.as_mut().unwrap().district = "01".into()), "candidate’s id"),
            (of(Form::F3, |filer| filer.candidate.as_mut().unwrap().id = "H6MI00301".into()), "candidate’s id"),
            (of(Form::F3, |filer| filer.elections[0].code = "Primary".into()), "each election"),
            (of(Form::F3, |filer| filer.elections.reverse()), "order of their days"),
            (of(Form::F3, |filer| filer.payee.as_mut().unwrap().address.city.clear()), "processor’s name"),
        ] {
            let faults = filer.faults();
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(faults[0].contains(word), "{faults:?}");
            given_nothing().when(set(0, filer)).refuses(Refusal::Filer(faults[0]));
        }
    }
}
