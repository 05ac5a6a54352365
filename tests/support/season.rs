//! A season of 40 calls as events: those that were reported of the summer of 2024 and others like them, drawn from a seed.
#![allow(clippy::as_conversions, reason = "the numbers of a season are small")]

use chrono::{DateTime, Days, NaiveDate, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use groundswell::domain::attendance::{Agreed, Arrival, Event as Attendance, Joined, Present, WORDING};
use groundswell::domain::broadcast::{Event as Broadcast, TookProgram};
use groundswell::domain::donation::{ATTESTATIONS, Came, Event as Donation, Pledged, Settled, Traces, Way};
use groundswell::domain::id::{CommitteeId, DonationId, ItemId, PaymentId, PersonId, PlanId, RallyId, SourceId};
use groundswell::domain::ledger::{Event as Ledger, Mode, Opened, Started};
use groundswell::domain::money::{Currency, Money};
use groundswell::domain::plan::{Asked, Event as Plan, Every, Saved};
use groundswell::domain::profile::{Attendee, Contact, Shown};
use groundswell::domain::rally::{Announced, Details, Event as Rally, RallyNamed, SpeakerAdded};
use groundswell::domain::sealed::Sealed;
use groundswell::domain::seals::{ATTENDEE, CONTACT, SHOWN};
use groundswell::domain::show::{Event as Show, ItemNamed, ItemPlanned, Kind, Plan as ItemPlan};
use groundswell::domain::{Event, Recorded};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Calls of the season.
pub const CALLS: usize = 40;
/// Where they all are.
const ZONE: Tz = Tz::America__New_York;
const REPORTED: &str = include_str!("../../fixtures/season/calls.csv");
const GROUPS: [&str; 33] = [
    "Nurses",
    "Teachers",
    "Veterans",
    "Librarians",
    "Cat Ladies",
    "Dads",
    "Grandmothers",
    "Carpenters",
    "Poets",
    "Drummers",
    "Farmers",
    "Steelworkers",
    "Dancers",
    "Engineers",
    "Cooks",
    "Lawyers",
    "Students",
    "Pilots",
    "Gamers",
    "Gardeners",
    "Runners",
    "Comics",
    "Bakers",
    "Scientists",
    "Firefighters",
    "Birders",
    "Quilters",
    "Deaf Voters",
    "Caregivers",
    "First-Time Voters",
    "Night Shifts",
    "Bus Drivers",
    "Choirs",
];
const SPEAKERS: [&str; 6] =
    ["Marisol Vega", "Ama Boateng", "Ruth Calloway", "Dolores Whitfield", "Chidi Okafor", "Jean \"JJ\" O’Neil, Jr."];
const FIRST: [&str; 8] = ["Joan", "Omar", "Zoë", "ليلى", "Priya", "Luis", "👩‍🏫 Kim", "=SUM"];
const LAST: [&str; 6] = ["Petrie", "O’Neil, Jr.", "حداد", "Shah", "\"Ace\" Ruiz", "Nguyen\nLine two"];
const REFCODES: [&str; 4] = ["text-tuesday", "nurses-23", "county-mail", "radio"];

/// A call.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Call {
    pub name: String,
    pub date: NaiveDate,
    pub joined: u64,
    pub raised_usd: u64,
    pub donors: Option<u64>,
}

/// xorshift64*: the same season at every run.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn id(&mut self) -> Uuid {
        Uuid::from_u64_pair(self.next(), self.next())
    }

    fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

/// The reported calls and others, by date.
pub fn calls(seed: u64) -> Vec<Call> {
    let mut draw = Draw(seed | 1);
    let mut calls: Vec<Call> =
        csv::Reader::from_reader(REPORTED.as_bytes()).deserialize().map(Result::unwrap).collect();
    let first = calls.iter().map(|call| call.date).min().unwrap();
    for group in GROUPS.iter().take(CALLS - calls.len()) {
        let joined = 800 + draw.below(24_000) * (1 + draw.below(3));
        calls.push(Call {
            name: (*group).into(),
            date: first + Days::new(draw.below(40)),
            joined,
            raised_usd: joined * (4 + draw.below(30)),
            donors: None,
        });
    }
    calls.sort_by(|one, other| (one.date, &one.name).cmp(&(other.date, &other.name)));
    calls
}

/// How people are named and sealed.
pub trait Seals {
    fn person(&self, email: &str) -> PersonId;
    fn seal(&self, person: PersonId, context: &str, bytes: &[u8]) -> Sealed;
}

/// Seals that nobody opens.
#[allow(dead_code, reason = "an example seals with real keys")]
pub struct NoKeys;

impl Seals for NoKeys {
    fn person(&self, email: &str) -> PersonId {
        let hash = blake3::hash(email.as_bytes());
        PersonId(Uuid::from_slice(&hash.as_bytes()[..16]).unwrap())
    }

    fn seal(&self, _: PersonId, _: &str, _: &[u8]) -> Sealed {
        Sealed::new(&[1; 40])
    }
}

/// The season with one person and one gift for each so many that were reported.
pub fn events(calls: &[Call], one_in: u64, seals: &dyn Seals) -> Vec<Recorded> {
    let mut season = Season { draw: Draw(0x9e37_79b9_7f4a_7c15), happened: vec![], seals, people: 0 };
    let opened = calls.iter().map(|call| call.date).min().unwrap() - Days::new(8);
    let opened = ZONE.from_local_datetime(&opened.and_hms_opt(9, 0, 0).unwrap()).unwrap().to_utc();
    season.put(opened, Event::Ledger(Ledger::Opened(Opened { mode: Mode::Simulated })));
    season.put(opened, Event::Ledger(Ledger::Started(Started {})));
    for (number, call) in calls.iter().enumerate() {
        season.call(number, call, one_in);
    }
    // In order of time; what is of one instant stays as it was put.
    season.happened.sort_by_key(|(at, _)| *at);
    (1..).zip(season.happened).map(|(seq, (at, event))| Recorded { seq, at, event }).collect()
}

struct Season<'a> {
    draw: Draw,
    happened: Vec<(DateTime<Utc>, Event)>,
    seals: &'a dyn Seals,
    people: u64,
}

/// The rally that is being told.
struct Told {
    rally: RallyId,
    slug: String,
    starts_at: DateTime<Utc>,
    sources: Vec<SourceId>,
    /// When each speaker has the program, in seconds from the start.
    turns: Vec<(i64, SourceId)>,
    ends_s: i64,
}

impl Season<'_> {
    fn put(&mut self, at: DateTime<Utc>, event: Event) {
        self.happened.push((at, event));
    }

    fn call(&mut self, number: usize, call: &Call, one_in: u64) {
        let evening = call.date.and_hms_opt(20, 0, 0).unwrap() + TimeDelta::minutes(30 * (number as i64 % 3));
        let starts_at = ZONE.from_local_datetime(&evening).unwrap().to_utc();
        let words: Vec<String> = call
            .name
            .split(|c: char| !c.is_alphanumeric())
            .map(str::to_lowercase)
            .filter(|word| !word.is_empty())
            .collect();
        let mut told = Told {
            rally: RallyId(self.draw.id()),
            slug: format!("{}-{}", words.join("-"), number),
            starts_at,
            sources: (0..SPEAKERS.len()).map(|_| SourceId(self.draw.id())).collect(),
            turns: vec![],
            ends_s: 0,
        };
        self.announce(&mut told, call);
        let people = (call.joined / one_in).max(3);
        let donors = call.donors.unwrap_or(call.raised_usd / 65) / one_in;
        let each = call.raised_usd / one_in / donors.max(1);
        let joined: Vec<PersonId> = (0..people).map(|_| self.attends(&told)).collect();
        for gift in 0..donors.max(1) {
            let known = self.draw.below(5) > 0;
            let donor = if known { joined[(gift % people) as usize] } else { PersonId(self.draw.id()) };
            self.gives(&told, donor, each);
        }
    }

    fn announce(&mut self, told: &mut Told, call: &Call) {
        let Told { rally, starts_at, .. } = *told;
        let details = Details {
            slug: told.slug.clone(),
            title: if call.name.starts_with("W") { call.name.clone() } else { format!("{} for Vega", call.name) },
            starts_at,
            timezone: ZONE.name().into(),
            description: "Come, and bring a friend.".into(),
            goal_minor: Some(i64::try_from(call.raised_usd * 100).unwrap()),
            currency: Currency::USD,
            suggested_minor: vec![1_500, 2_500, 5_000, 10_000, 25_000],
            paid_for_by: "Paid for by Vega for Ohio".into(),
            accent: "#d6301f".into(),
            committee: CommitteeId::FIRST,
        };
        let announced = starts_at - TimeDelta::days(7);
        self.put(announced, Event::Rally(Rally::Created(Announced { rally, details })));
        for (name, source) in SPEAKERS.iter().zip(told.sources.clone()) {
            let added = SpeakerAdded { rally, source, name: (*name).into(), role: "Ohio".into() };
            self.put(announced, Event::Rally(Rally::SpeakerAdded(added)));
        }
        self.put(starts_at - TimeDelta::minutes(6), Event::Rally(Rally::DoorsOpened(RallyNamed { rally })));
        let mut second = 0;
        for (number, (name, source)) in SPEAKERS.iter().zip(told.sources.clone()).enumerate() {
            let (kind, source, title) = match number % 3 {
                2 => (Kind::Ask, None, format!("Ask {}", number / 3 + 1)),
                _ => (Kind::Speaker, Some(source), (*name).to_owned()),
            };
            let item = ItemId(self.draw.id());
            let plan = ItemPlan { kind, title, source, planned_s: 900, starts_at: None, cuts: true };
            self.put(announced, Event::Show(Show::ItemAdded(ItemPlanned { rally, item, plan })));
            let at = starts_at + TimeDelta::seconds(second);
            self.put(at, Event::Show(Show::ItemStarted(ItemNamed { rally, item })));
            if let Some(source) = source {
                told.turns.push((second, source));
                let took = TookProgram { rally, source: Some(source), shown_at: at };
                self.put(at, Event::Broadcast(Broadcast::TookProgram(took)));
            }
            second += 600 + i64::try_from(self.draw.below(1_200)).unwrap();
        }
        told.ends_s = second;
        self.put(starts_at + TimeDelta::seconds(second), Event::Rally(Rally::Ended(RallyNamed { rally })));
    }

    fn arrival(&mut self) -> Arrival {
        match self.draw.below(10) {
            0..=3 => Arrival { by: Way::Rally, refcode: None },
            4 => Arrival { by: Way::Shared, refcode: None },
            _ => Arrival { by: Way::Rally, refcode: Some(self.draw.of(&REFCODES).into()) },
        }
    }

    /// Somebody registers, and most of them come: many at the beginning, some late; they go when they have heard enough.
    fn attends(&mut self, told: &Told) -> PersonId {
        self.people += 1;
        let email = format!("person{}@example.org", self.people);
        let (rally, person) = (told.rally, self.seals.person(&email));
        let name = format!("{} {}", self.draw.of(&FIRST), self.draw.of(&LAST));
        let attendee = Attendee { name, email, postal: Some(format!("{:05}", 43_000 + self.draw.below(900))) };
        let profile = sealed(self.seals, person, ATTENDEE, &attendee);
        let came = Some(self.arrival());
        let comes_s = i64::try_from(self.draw.below(1_500) * self.draw.below(100) / 60).unwrap() - 400;
        let registers_s = if self.draw.below(3) == 0 {
            comes_s - 20
        } else {
            -3_600 - i64::try_from(self.draw.below(300_000)).unwrap()
        };
        let at = |second: i64| told.starts_at + TimeDelta::seconds(second);
        self.put(at(registers_s), Event::Attendance(Attendance::Joined(Joined { rally, person, profile, came })));
        if self.draw.below(3) > 0 {
            let agreed = Agreed { rally, person, wording: WORDING.0.into() };
            self.put(at(registers_s), Event::Attendance(Attendance::Agreed(agreed)));
        }
        if self.draw.below(5) == 0 {
            return person;
        }
        let stays_s = i64::try_from(300 + self.draw.below(5_400) * self.draw.below(100) / 50).unwrap();
        let present = || Present { rally, person };
        self.put(at(comes_s), Event::Attendance(Attendance::Entered(present())));
        let leaves_s = comes_s + stays_s;
        if leaves_s < told.ends_s {
            self.put(at(leaves_s), Event::Attendance(Attendance::Left(present())));
        } else {
            self.put(at(told.ends_s + 90), Event::Attendance(Attendance::Left(present())));
        }
        person
    }

    /// A gift: most while somebody speaks, the most in the minutes after an ask begins.
    fn gives(&mut self, told: &Told, donor: PersonId, each: u64) {
        let second = match self.draw.below(10) {
            0 => -(self.draw.below(90_000) as i64),
            1 => told.ends_s + self.draw.below(200_000) as i64,
            2..=4 => self.draw.below(told.ends_s as u64) as i64,
            _ => {
                let (from, _) = told.turns[self.draw.below(told.turns.len() as u64) as usize];
                from + 240 + (self.draw.below(40) * self.draw.below(20)) as i64
            }
        };
        let at = told.starts_at + TimeDelta::seconds(second);
        let on_program = told.turns.iter().rev().find(|(from, _)| *from <= second).map(|(_, source)| *source);
        let on_program = on_program.filter(|_| second < told.ends_s);
        let (rally, donation) = (told.rally, DonationId(self.draw.id()));
        let major = each / 2 + self.draw.below(each.max(1)) + 1;
        let amount = Money::new(i64::try_from(major * 100).unwrap(), Currency::USD);
        let arrival = self.arrival();
        let by = if self.draw.below(6) == 0 { Way::Qr } else { arrival.by };
        let came = Some(Came { by, opened_at: at - TimeDelta::seconds(40), on_program });
        let contact = Contact {
            first_name: "Joan".into(),
            last_name: self.draw.of(&LAST).into(),
            email: "joan@example.org".into(),
            line: "12 Elm Street".into(),
            city: "Toledo".into(),
            region: "OH".into(),
            postal: "43604".into(),
            country: "US".into(),
            employer: "Toledo Schools".into(),
            occupation: "Teacher".into(),
            passport: None,
        };
        let shown = Shown { name: "Joan".into(), place: Some("Toledo".into()), message: None };
        let pledged = Pledged {
            donation,
            rally,
            donor,
            amount,
            contact: sealed(self.seals, donor, CONTACT, &contact),
            shown: sealed(self.seals, donor, SHOWN, &shown),
            attestations: ATTESTATIONS.iter().map(|(id, _)| (*id).to_owned()).collect(),
            refcode: arrival.refcode.filter(|_| by == arrival.by),
            likeness: None,
            covers_fee: None,
            came,
            on_program,
            traces: Traces::default(),
        };
        self.put(at, Event::Donation(Donation::Pledged(pledged)));
        let payment = PaymentId(format!("sim_{}", donation.0.simple()));
        let (fee, card) = (Some(Money::new(amount.minor * 29 / 1_000 + 30, Currency::USD)), None);
        let paid = at + TimeDelta::seconds(20 + i64::try_from(self.draw.below(60)).unwrap());
        self.put(
            paid,
            Event::Donation(Donation::Settled(Settled { donation, rally, donor, payment, amount, fee, card })),
        );
        if self.draw.below(14) == 0 {
            let plan = PlanId::of(donation);
            // It ends before its second gift, which a server that starts years later would charge.
            let until = Some(told.starts_at.date_naive() + Days::new(20));
            let asked = Asked { plan, rally, donor, first: donation, amount, every: Every::Month, until };
            self.put(at, Event::Plan(Plan::Asked(asked)));
            let saved = Saved { customer: String::new(), method: "simulated_ok".into() };
            let next = told.starts_at.date_naive() + Days::new(31);
            let started = groundswell::domain::plan::Started { plan, saved, next };
            self.put(paid, Event::Plan(Plan::Started(started)));
        }
    }
}

fn sealed<Data: Serialize>(seals: &dyn Seals, person: PersonId, context: &str, data: &Data) -> Sealed {
    seals.seal(person, context, &serde_json::to_vec(data).unwrap())
}
