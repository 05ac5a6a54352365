//! A season of rallies in a log: gifts with sealed contacts as the form seals them, webhooks about them, people who come and go,
//! refunds and disputes; the same at every run.
#![allow(dead_code, reason = "each bench uses some of it")]

use chrono::{DateTime, TimeDelta, Utc};
use groundswell::domain::attendance::{Event as Attendance, Joined, Present};
use groundswell::domain::donation::{
    ATTESTATIONS, Card, DisputeMoved, Event as Donation, PaymentRequested, Pledged, Refunded, Settled, Traces,
};
use groundswell::domain::id::{
    CommitteeId, DisputeId, DonationId, NoticeId, PaymentId, PersonId, ProcessorRefundId, RallyId,
};
use groundswell::domain::inbox::{Event as Inbox, Interpreted, Received};
use groundswell::domain::ledger::{Event as Ledger, Mode, Opened, Started};
use groundswell::domain::money::{Currency, Money};
use groundswell::domain::profile::{Attendee, Contact};
use groundswell::domain::rally::{Announced, Details, Event as Rally, RallyNamed};
use groundswell::domain::seals::{ATTENDEE, CONTACT, SHOWN};
use groundswell::domain::{Event, Recorded, codec};
use groundswell::log::Log as _;
use groundswell::log::sled::SledLog;
use groundswell::vault::Vault;
use std::path::Path;
use uuid::Uuid;

/// Calls of a season.
pub const RALLIES: u64 = 40;
/// Events in one append, as group commit packs them in a busy minute.
const BATCH: usize = 1_000;
/// One gift in so many comes from somebody who gave before.
const AGAIN: u64 = 4;

const FIRST: [&str; 12] =
    ["Joan", "Omar", "Zoë", "Miguel", "Priya", "Wei", "Aaliyah", "Søren", "Mary Ann", "نور", "Dmitri", "Kim"];
const LAST: [&str; 12] = [
    "O’Neil",
    "Petrie",
    "Díaz-Rivera",
    "Nguyen",
    "van der Berg",
    "Smith, Jr.",
    "Al-Sayed",
    "Müller",
    "Washington",
    "Okafor",
    "Łukasz",
    "Lee",
];
const CITIES: [(&str, &str, &str); 6] = [
    ("New York", "NY", "10027"),
    ("Lansing", "MI", "48901"),
    ("Phoenix", "AZ", "85001"),
    ("Atlanta", "GA", "30303"),
    ("San José", "CA", "95112"),
    ("Milwaukee", "WI", "53202"),
];
const WORK: [(&str, &str); 6] = [
    ("Not employed", "Retired"),
    ("Riverside Clinic", "Nurse"),
    ("Lincoln High School", "Teacher"),
    ("Self-employed", "Carpenter"),
    ("Acme \"Anvils\" & Co", "Engineer"),
    ("City of Lansing", "Bus driver"),
];

/// xorshift64*.
pub struct Draw(pub u64);

impl Draw {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    fn id(&mut self) -> Uuid {
        Uuid::from_u64_pair(self.next(), self.next())
    }
}

struct Season<'a> {
    vault: &'a Vault,
    draw: Draw,
    seq: u64,
    at: DateTime<Utc>,
    lines: Vec<Vec<u8>>,
    donors: Vec<(PersonId, u64)>,
}

/// Writes a log with so many donations into an empty data folder.
pub fn build(data: &Path, donations: u64) {
    std::fs::create_dir_all(data).unwrap();
    let vault = Vault::open(&data.join("vault")).unwrap();
    let mut log = SledLog::open(&data.join("log")).unwrap();
    let at = DateTime::from_timestamp(1_721_600_000, 0).unwrap();
    let mut season =
        Season { vault: &vault, draw: Draw(0x9e37_79b9_7f4a_7c15), seq: 0, at, lines: vec![], donors: vec![] };
    season.put("start:1".into(), Event::Ledger(Ledger::Opened(Opened { mode: Mode::Test })));
    season.put("start:1".into(), Event::Ledger(Ledger::Started(Started {})));
    for number in 0..RALLIES {
        let rally = season.rally(number);
        for _ in 0..donations / RALLIES {
            season.person(rally);
            season.gift(rally);
            if season.lines.len() >= BATCH {
                vault.commit().unwrap();
                log.append(&season.lines).unwrap();
                season.lines.clear();
            }
        }
        season.at += TimeDelta::hours(30);
    }
    vault.commit().unwrap();
    log.append(&season.lines).unwrap();
}

impl Season<'_> {
    fn put(&mut self, key: String, event: Event) {
        self.seq += 1;
        self.at += TimeDelta::microseconds(90_000);
        let recorded = Recorded { seq: self.seq, at: self.at, event };
        self.lines.push(codec::encode(&recorded, &key, "server").unwrap());
    }

    fn rally(&mut self, number: u64) -> RallyId {
        let rally = RallyId(Uuid::from_u128(0xa000 + u128::from(number)));
        let details = Details {
            slug: format!("call-{number:02}"),
            title: format!("Call number {number}, everybody’s"),
            starts_at: self.at,
            timezone: "America/New_York".into(),
            description: "One evening, many neighbours.".into(),
            goal_minor: Some(150_000_000),
            currency: Currency::USD,
            suggested_minor: vec![1_500, 2_500, 5_000, 10_000, 25_000],
            paid_for_by: "Paid for by Rivera for Senate".into(),
            accent: "#d6301f".into(),
            committee: CommitteeId::FIRST,
        };
        self.put(format!("rally:{number}"), Event::Rally(Rally::Created(Announced { rally, details })));
        self.put(format!("open:{number}"), Event::Rally(Rally::DoorsOpened(RallyNamed { rally })));
        rally
    }

    fn person(&mut self, rally: RallyId) {
        let person = PersonId(self.draw.id());
        let profile = Attendee { name: "Ana Maria Nunes".into(), email: "ana.nunes@example.org".into(), postal: None };
        let profile = serde_json::to_vec(&profile).unwrap();
        let profile = self.vault.seal(person, ATTENDEE, &profile).unwrap();
        let joined = Joined { rally, person, profile, came: None };
        self.put(format!("join:{rally}:{person}"), Event::Attendance(Attendance::Joined(joined)));
        let (key, present) = (format!("presence:{}", self.draw.id()), Present { rally, person });
        self.put(key, Event::Attendance(Attendance::Entered(present)));
    }

    fn donor(&mut self) -> (PersonId, u64) {
        if !self.donors.is_empty() && self.draw.below(AGAIN) == 0 {
            let at = self.draw.below(self.donors.len() as u64) as usize;
            return self.donors[at];
        }
        let donor = (PersonId(self.draw.id()), self.draw.next());
        self.donors.push(donor);
        donor
    }

    fn gift(&mut self, rally: RallyId) {
        let (donor, shape) = self.donor();
        let donation = DonationId(self.draw.id());
        let minor = self.draw.one(&[1_500, 2_500, 5_000, 5_000, 10_000, 25_000]);
        let amount = Money::new(minor, Currency::USD);
        let fee = Money::new(minor * 29 / 1000 + 30, Currency::USD);
        let mut like = Draw(shape | 1);
        let ((city, region, postal), (employer, occupation)) = (like.one(&CITIES), like.one(&WORK));
        let (first_name, last_name) = (like.one(&FIRST), like.one(&LAST));
        let contact = Contact {
            first_name: first_name.into(),
            last_name: last_name.into(),
            email: format!("donor{:x}@example.org", shape >> 20),
            line: format!("{} Maple Street", like.below(9_000)),
            city: city.into(),
            region: region.into(),
            postal: postal.into(),
            country: "US".into(),
            employer: employer.into(),
            occupation: occupation.into(),
            passport: None,
        };
        let contact = self.vault.seal(donor, CONTACT, &serde_json::to_vec(&contact).unwrap()).unwrap();
        let shown = self.vault.seal(donor, SHOWN, &[b'x'; 60]).unwrap();
        let pledged = Pledged {
            donation,
            rally,
            donor,
            amount,
            contact,
            shown,
            attestations: ATTESTATIONS.iter().map(|(id, _)| (*id).to_owned()).collect(),
            refcode: (self.draw.below(3) == 0).then(|| "text-tuesday".into()),
            likeness: Some(PersonId(Uuid::from_u64_pair(shape, shape))),
            covers_fee: None,
            came: None,
            on_program: None,
            traces: Traces::default(),
        };
        self.put(format!("pledge:{donation}"), Event::Donation(Donation::Pledged(pledged)));
        let method = format!("pm_1Q{:022x}", self.draw.next());
        let requested = PaymentRequested { donation, attempt: 1, method, customer: None, parts: Box::default() };
        self.put(format!("pay:{donation}:1"), Event::Donation(Donation::PaymentRequested(requested)));
        let payment = PaymentId(format!("pi_3Q{:022x}", self.draw.next()));
        let card = Some(Card { brand: "visa".into(), last4: "4242".into() });
        let settled = Settled { donation, rally, donor, payment: payment.clone(), amount, fee: Some(fee), card };
        self.put(format!("settled:{payment}:true"), Event::Donation(Donation::Settled(settled)));
        self.webhook();
        match self.draw.below(1_000) {
            0..10 => {
                let processor_refund = ProcessorRefundId(format!("re_3Q{:022x}", self.draw.next()));
                let key = format!("refunded:{processor_refund}");
                let refunded = Refunded { donation, rally, donor, payment, processor_refund, refund: None, amount };
                self.put(key, Event::Donation(Donation::Refunded(refunded)));
            }
            10 => {
                let dispute = DisputeId(format!("dp_3Q{:022x}", self.draw.next()));
                let key = format!("withdrawn:{dispute}");
                let withdrawn = DisputeMoved { donation, rally, donor, payment, dispute, amount };
                self.put(key, Event::Donation(Donation::DisputeWithdrawn(withdrawn)));
            }
            _ => {}
        }
    }

    fn webhook(&mut self) {
        let notice = NoticeId(format!("evt_3Q{:022x}", self.draw.next()));
        let sealed_for = PersonId(self.draw.id());
        let bytes: Vec<u8> = (0..140).flat_map(|_| self.draw.next().to_le_bytes()).collect();
        let received = Received {
            committee: CommitteeId::FIRST,
            notice: notice.clone(),
            what: "payment_intent.succeeded".into(),
            sealed_for,
            body: groundswell::domain::sealed::Sealed::new(&bytes),
        };
        self.put(format!("webhook:{notice}"), Event::Inbox(Inbox::Received(received)));
        let interpreted = Interpreted { notice: notice.clone(), outcome: "known already".into() };
        self.put(format!("interpreted:{notice}"), Event::Inbox(Inbox::Interpreted(interpreted)));
    }
}
