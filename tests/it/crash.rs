//! `kill -9` in the middle of writing: what was acknowledged is there, once.

use crate::server::{House, Server, csv_rows, encode, gift, minor, pay, run, said, state, try_send};
use groundswell::domain::profile::Attendee;
use groundswell::domain::seals::ATTENDEE;
use groundswell::domain::{Event, attendance};
use groundswell::engine::Engine;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Crashes of one run, each at another moment.
const ROUNDS: u64 = 4;
/// People who act at the same time.
const AT_ONCE: u64 = 8;

/// What the test knows, from the answers it got and those it did not get.
#[derive(Default)]
struct Known {
    /// Cookies of people who were told that they joined.
    joined: BTreeSet<String>,
    joins_asked: BTreeSet<String>,
    /// Donations that the server gave an address, with their amounts.
    pledged: BTreeMap<String, i64>,
    /// Those whose donor saw "settled".
    settled: BTreeSet<String>,
    /// Forms whose answer never came, with their amounts: sent again, they must become one donation.
    unanswered: Vec<(String, i64)>,
}

async fn act(to: SocketAddr, person: String, cents: i64, known: Arc<Mutex<Known>>) -> Option<()> {
    known.lock().unwrap().joins_asked.insert(person.clone());
    let email = format!("{person}@example.org");
    let join = encode(&[("name", person.as_str()), ("email", email.as_str())]);
    let answer = try_send(to, "POST", "/r/call/join", &[], join.as_bytes()).await?;
    assert_eq!(answer.status, 303, "{}", answer.text());
    known.lock().unwrap().joined.insert(answer.cookie());
    let amount = format!("{}.{:02}", cents / 100, cents % 100);
    let form = encode(&gift(&amount, &email));
    known.lock().unwrap().unanswered.push((form.clone(), cents));
    let answer = try_send(to, "POST", "/r/call/donate", &[], form.as_bytes()).await?;
    assert_eq!(answer.status, 303, "{}", answer.text());
    let donation = answer.header("location");
    {
        let mut known = known.lock().unwrap();
        known.unanswered.retain(|(sent, _)| *sent != form);
        known.pledged.insert(donation.clone(), cents);
    }
    let card = br#"{"method":"simulated_ok"}"#;
    let kind = [("content-type", "application/json")];
    let answer = try_send(to, "POST", &format!("{donation}/pay"), &kind, card).await?;
    assert_eq!(answer.json()["state"], "settled", "{}", answer.text());
    known.lock().unwrap().settled.insert(donation);
    Some(())
}

async fn crowd(to: SocketAddr, round: u64, crowd: u64, known: Arc<Mutex<Known>>) {
    for number in 0.. {
        let cents = 100 + i64::try_from(round * 1000 + crowd * 100 + number).unwrap();
        let person = format!("p{round}-{crowd}-{number}");
        if act(to, person, cents, known.clone()).await.is_none() {
            return;
        }
    }
}

/// Opens what every join sealed, with nobody serving the folder; how many there were.
async fn unsealed_joins(data: &Path) -> usize {
    let (engine, mut writer) = Engine::open(data).unwrap();
    let mut joins = 0;
    let mut lines = engine.lines();
    for seq in 1..=engine.world().seq {
        if let Some(Event::Attendance(attendance::Event::Joined(joined))) = lines.event(seq).unwrap() {
            let opened = engine.vault().unseal(joined.person, ATTENDEE, &joined.profile);
            let opened = opened.unwrap().unwrap_or_else(|| panic!("event {seq}: the key is gone"));
            let profile: Attendee = serde_json::from_slice(&opened).unwrap();
            assert_eq!(engine.vault().person_id(&profile.email), joined.person);
            joins += 1;
        }
    }
    // The folder is held until the last of its threads is gone.
    drop((lines, engine));
    writer.ended().await.unwrap();
    joins
}

fn exported(house: &House) -> BTreeMap<String, i64> {
    let output = run(&["export", "csv"], &house.data());
    assert!(output.status.success(), "{}", said(&output));
    let mut rows = BTreeMap::new();
    for row in csv_rows(&output.stdout) {
        let twice = rows.insert(format!("/r/call/donate/{}", row["donation"]), minor(&row["amount"]));
        assert_eq!(twice, None, "doubled: {row:?}");
        // The address was sealed: its key is as durable as what it seals.
        assert!(row["email"].ends_with("@example.org"), "{row:?}");
    }
    rows
}

async fn everything_acknowledged_is_there(house: &House, known: &Arc<Mutex<Known>>) {
    let server = &house.server;
    let rows = exported(house);
    let public = state(server).await;
    let known = known.lock().unwrap();
    for donation in &known.settled {
        assert_eq!(rows.get(donation), known.pledged.get(donation), "{donation} was acknowledged");
    }
    // A settlement may be on disk though its answer never reached the donor: whole, and of a pledge we know.
    for (donation, amount) in &rows {
        assert_eq!(known.pledged.get(donation), Some(amount), "{donation} comes from nowhere");
    }
    assert_eq!(public["raised_minor"], rows.values().sum::<i64>(), "the page and the file agree");
    let people = public["joined"].as_u64().unwrap();
    let (least, most) = (known.joined.len() as u64, known.joins_asked.len() as u64);
    assert!((least..=most).contains(&people), "{people} joined, {least} were told so, {most} asked");
}

/// Everybody whose answer was lost does what people do: sends it again.
async fn send_again(server: &Server, known: &Arc<Mutex<Known>>) {
    let unanswered = std::mem::take(&mut known.lock().unwrap().unanswered);
    for (form, cents) in unanswered {
        let answer = server.send("POST", "/r/call/donate", &[], form.as_bytes()).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        known.lock().unwrap().pledged.insert(answer.header("location"), cents);
    }
    let open: Vec<String> = {
        let known = known.lock().unwrap();
        known.pledged.keys().filter(|donation| !known.settled.contains(*donation)).cloned().collect()
    };
    for donation in open {
        assert_eq!(pay(server, &donation, "simulated_ok").await["state"], "settled");
        known.lock().unwrap().settled.insert(donation);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_or_doubled_by_kill_9() {
    let mut house = House::new().await;
    let known = Arc::new(Mutex::new(Known::default()));
    for round in 0..ROUNDS {
        let to = house.server.http;
        let crowds: Vec<_> = (0..AT_ONCE).map(|number| tokio::spawn(crowd(to, round, number, known.clone()))).collect();
        // Not a round number of anything the server does.
        tokio::time::sleep(Duration::from_millis(173 + 311 * round)).await;
        house = house.again(Server::kill);
        for crowd in crowds {
            crowd.await.unwrap();
        }
        everything_acknowledged_is_there(&house, &known).await;
        send_again(&house.server, &known).await;
        everything_acknowledged_is_there(&house, &known).await;
    }
    let rows = exported(&house);
    let (pledged, cookies) = {
        let known = known.lock().unwrap();
        assert!(known.settled.len() > 20, "only {} donations: the test proves little", known.settled.len());
        (known.pledged.clone(), known.joined.iter().cloned().collect::<Vec<_>>())
    };
    assert_eq!(rows, pledged, "every donation once, with its own amount");
    for cookie in cookies {
        let page = house.server.get_as(&cookie, "/r/call").await.text();
        assert!(!page.contains("action=\"/r/call/join\""), "somebody who joined is asked to join");
    }
    house.server.is_well().await;
    let data = house.data();
    house.server.stop();
    let told = known.lock().unwrap().joined.len();
    let opened = unsealed_joins(&data).await;
    assert!(opened >= told, "{opened} of {told} joins can be read");
    let verified = run(&["verify"], &data);
    assert!(verified.status.success(), "{}", said(&verified));
    let text = String::from_utf8(verified.stdout).unwrap();
    let head = text.lines().last().unwrap();
    assert!(head.len() == 64 && head.bytes().all(|byte| byte.is_ascii_hexdigit()), "{text}");
}
