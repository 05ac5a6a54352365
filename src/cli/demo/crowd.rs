//! The demo's people: they join, stay, go and give through the same pages as anybody.

use anyhow::{Context, bail};
use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use hyper::{Request, Response, body::Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::net::SocketAddr;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// People in the room at the most: enough to look alive, few enough for a laptop.
const PEOPLE_MAX: u64 = 240;
/// People and gifts that are there when the addresses are printed, so that the first look is not at an empty room.
const PEOPLE_FIRST: u64 = 60;
const GIFTS_FIRST: u64 = 160;
/// Gifts at the most: a demo left running overnight must not fill the disk.
const GIFTS_MAX: u64 = 20_000;

const FIRST: [&str; 32] = [
    "Joan", "Priya", "Keisha", "Maya", "Tess", "Elena", "Ruth", "Dolores", "Hannah", "Aisha", "Mei", "Sofía", "Grace",
    "Naomi", "Leila", "Carmen", "Walt", "Andre", "Samir", "Jorge", "Kofi", "Dmitri", "Tom", "Luis", "Isaac", "Omar",
    "Pat", "Robin", "Nour", "Zoë", "Ngozi", "Yuki",
];
const LAST: [&str; 24] = [
    "Petrie",
    "Shah",
    "Johnson",
    "Reyes",
    "Kowalski",
    "O’Neil",
    "Cohen",
    "Nguyen",
    "Haddad",
    "Fischer",
    "Osei",
    "Garcia",
    "Brown",
    "Lindqvist",
    "Park",
    "Moreau",
    "Novak",
    "Silva",
    "Tanaka",
    "Adeyemi",
    "Walsh",
    "Kim",
    "Bianchi",
    "Schmidt",
];
const CITIES: [(&str, &str, &str); 12] = [
    ("Toledo", "OH", "43604"),
    ("Columbus", "OH", "43215"),
    ("Cleveland", "OH", "44114"),
    ("Dayton", "OH", "45402"),
    ("Akron", "OH", "44308"),
    ("Cincinnati", "OH", "45202"),
    ("Youngstown", "OH", "44503"),
    ("Lansing", "MI", "48933"),
    ("Pittsburgh", "PA", "15222"),
    ("Fort Wayne", "IN", "46802"),
    ("Tucson", "AZ", "85701"),
    ("Brooklyn", "NY", "11201"),
];
const WORK: [(&str, &str); 8] = [
    ("Lucas County Schools", "Teacher"),
    ("Mercy Health", "Nurse"),
    ("Self-employed", "Carpenter"),
    ("Ohio State University", "Librarian"),
    ("Kroger", "Cashier"),
    ("Jeep Assembly", "Machinist"),
    ("Legal Aid", "Attorney"),
    ("Riverside Bakery", "Baker"),
];
const MESSAGES: [&str; 12] = [
    "For my granddaughters.",
    "First time I ever gave.",
    "Match me, Dayton!",
    "My mother would have loved this.",
    "Let’s go, Ohio 💙",
    "Proud union family.",
    "Keep going, Marisol.",
    "From the night shift at Mercy.",
    "Every bit counts.",
    "Sound is great from Tucson.",
    "For the teachers.",
    "See you at the doors on Saturday.",
];
/// Whole dollars, as people give: many small, few large.
const GIFTS: [&str; 16] =
    ["15", "25", "25", "25", "10", "50", "50", "35", "100", "15", "20", "27", "250", "5", "75", "500"];
const CARDS: [&str; 12] = [
    "simulated_ok",
    "simulated_ok",
    "simulated_ok",
    "simulated_ok",
    "simulated_ok",
    "simulated_ok",
    "simulated_ok",
    "simulated_ok",
    "simulated_ok",
    "simulated_action",
    "simulated_ok",
    "simulated_declined",
];

/// A stream of numbers that is different each time (SplitMix64); nothing depends on its quality.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let mut seed = [0; 8];
        let _ = getrandom::fill(&mut seed);
        Self(u64::from_le_bytes(seed))
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides.max(1)
    }

    fn pick<'a, Item>(&mut self, items: &'a [Item]) -> Option<&'a Item> {
        let sides = u64::try_from(items.len()).unwrap_or(1);
        usize::try_from(self.roll(sides)).ok().and_then(|at| items.get(at))
    }
}

struct Person {
    first: &'static str,
    last: &'static str,
    email: String,
    city: (&'static str, &'static str, &'static str),
}

impl Person {
    fn new(number: u64, dice: &mut Dice) -> Self {
        let first = dice.pick(&FIRST).copied().unwrap_or("Joan");
        let last = dice.pick(&LAST).copied().unwrap_or("Petrie");
        let city = dice.pick(&CITIES).copied().unwrap_or(("Toledo", "OH", "43604"));
        Self { first, last, email: format!("supporter{number}@demo.example"), city }
    }
}

#[derive(Clone)]
struct Visit {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
    slug: &'static str,
}

/// Sends people until stopped.
pub async fn run(server: SocketAddr, slug: &'static str, stop: CancellationToken) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let visit = Visit { client, base: format!("http://{server}"), slug };
    let mut dice = Dice::new();
    let (mut people, mut gifts) = (0, 0);
    // Each person in the room is a future that ends when they go.
    let mut room = FuturesUnordered::new();
    loop {
        let first_look = gifts < GIFTS_FIRST;
        if people < PEOPLE_MAX || dice.roll(12) == 0 {
            people += 1;
            let person = Person::new(people, &mut dice);
            let stays = Duration::from_secs(120 + dice.roll(1800));
            room.push(attend(visit.clone(), person, stays));
        }
        if gifts < GIFTS_MAX && (first_look || dice.roll(3) == 0) {
            gifts += 1;
            let person = Person::new(1 + dice.roll(PEOPLE_MAX), &mut dice);
            if let Err(error) = give(&visit, &person, &mut dice).await {
                tracing::debug!(%error, "a simulated gift did not go through");
            }
        }
        let pause = if first_look || people < PEOPLE_FIRST { 10 } else { 300 + dice.roll(900) };
        let pause = tokio::time::sleep(Duration::from_millis(pause));
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = &mut pause => break,
                Some(result) = room.next() => if let Err(error) = result {
                    let error: anyhow::Error = error;
                    tracing::debug!(%error, "a simulated supporter was cut off");
                },
            }
        }
    }
}

impl Visit {
    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> anyhow::Result<Response<Incoming>> {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = Request::post(format!("{}{path}", self.base))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::new(Bytes::from(form)))?;
        Ok(self.client.request(request).await?)
    }
}

/// Joins, keeps the live connection of an open page for a while, and goes.
async fn attend(visit: Visit, person: Person, stays: Duration) -> anyhow::Result<()> {
    let Visit { slug, base, client } = &visit;
    let name = format!("{} {}", person.first, person.last);
    let fields = [("name", name.as_str()), ("email", &person.email), ("postal", person.city.2)];
    let joined = visit.post(&format!("/r/{slug}/join"), &fields).await?;
    let cookie = joined.headers().get(SET_COOKIE).context("joining gave no cookie")?.to_str()?;
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let request = Request::get(format!("{base}/r/{slug}/live")).header(COOKIE, cookie).body(Full::default())?;
    let mut live = client.request(request).await?.into_body();
    let watch = async { while live.frame().await.is_some_and(|frame| frame.is_ok()) {} };
    let _ = tokio::time::timeout(stays, watch).await;
    Ok(())
}

/// Fills in the form and pays.
async fn give(visit: &Visit, person: &Person, dice: &mut Dice) -> anyhow::Result<()> {
    let slug = visit.slug;
    let token = uuid::Uuid::new_v4().to_string();
    let amount = dice.pick(&GIFTS).copied().unwrap_or("25");
    let (employer, occupation) = dice.pick(&WORK).copied().unwrap_or(("Self-employed", "Carpenter"));
    let message = if dice.roll(3) == 0 { dice.pick(&MESSAGES).copied().unwrap_or_default() } else { "" };
    let shown = ["first", "first", "full", "anonymous"];
    let mut fields = vec![
        ("form_token", token.as_str()),
        ("amount", "other"),
        ("amount_other", amount),
        ("first_name", person.first),
        ("last_name", person.last),
        ("email", &person.email),
        ("address", "12 Demo Street"),
        ("city", person.city.0),
        ("region", person.city.1),
        ("postal", person.city.2),
        ("country", "US"),
        ("employer", employer),
        ("occupation", occupation),
        ("show_as", dice.pick(&shown).copied().unwrap_or("first")),
        ("message", message),
    ];
    fields.extend(crate::domain::donation::ATTESTATIONS.iter().map(|(id, _)| ("attest", *id)));
    let pledged = visit.post(&format!("/r/{slug}/donate"), &fields).await?;
    let Some(donation) = pledged.headers().get(LOCATION).and_then(|to| to.to_str().ok()) else {
        bail!("the form was answered with {}", pledged.status());
    };
    let pay = format!("{donation}/pay");
    let card = dice.pick(&CARDS).copied().unwrap_or("simulated_ok");
    visit.post(&pay, &[("method", card)]).await?;
    match card {
        "simulated_action" => visit.post(&pay, &[("confirmed", "true")]).await?,
        // Most people whose card is declined take another one.
        "simulated_declined" => visit.post(&pay, &[("method", "simulated_ok")]).await?,
        _ => return Ok(()),
    };
    Ok(())
}
