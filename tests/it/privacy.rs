//! Personal data over time, on real folders and servers: erasing a person, what is left of them, and reading the log.

use crate::sample::details;
use crate::server::{
    House, PASSWORD, Server, Staff, csv_rows, gift, give, pay, pledge, program, run, run_with_input, said, state, until,
};
use crate::webhooks::{DEAD, hook, raised, succeeded};
use groundswell::domain::donation::{self, ATTESTATIONS, Pledged, Settled};
use groundswell::domain::id::{DonationId, ErasureId, PaymentId, PersonId, RallyId};
use groundswell::domain::ledger::{self, Mode};
use groundswell::domain::money::{Currency, Money};
use groundswell::domain::privacy::{self, Erase};
use groundswell::domain::rally::{self, Announced, Details};
use groundswell::domain::seals::{CONTACT, SHOWN};
use groundswell::domain::{Command, Event, Recorded, codec};
use groundswell::engine::{Engine, Failure};
use groundswell::log::Log;
use groundswell::log::sled::SledLog;
use groundswell::vault::Vault;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Output;
use std::time::Duration;
use uuid::Uuid;

const JOAN: &str = "joan.petrie@example.org";
const OTHER: &str = "other@example.org";

fn files(dir: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), found);
        } else if entry.file_type().unwrap().is_file() {
            found.push((entry.path().display().to_string(), std::fs::read(entry.path()).unwrap()));
        }
    }
}

/// Whether the bytes stand anywhere in the folder; names the file.
fn find(dir: &Path, needle: &[u8]) -> Option<String> {
    let mut all = vec![];
    files(dir, &mut all);
    let within = |bytes: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    all.into_iter().find(|(_, bytes)| within(bytes)).map(|(path, _)| path)
}

/// A person's key in use, from the slots of the key file.
fn key_of(data: &Path, person: PersonId) -> Option<Vec<u8>> {
    let bytes = std::fs::read(data.join("vault/keys")).unwrap();
    let slots = bytes.chunks_exact(64).filter(|slot| &slot[..16] == person.0.as_bytes());
    slots.map(|slot| slot[16..48].to_vec()).rfind(|key| key.iter().any(|byte| *byte != 0))
}

/// Every event, as `log tail` prints it.
fn events(data: &Path) -> Vec<serde_json::Value> {
    tail(data, "10000")
}

fn tail(data: &Path, count: &str) -> Vec<serde_json::Value> {
    let output = unheld(|| run(&["log", "tail", "-n", count], data));
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn kinds(events: &[serde_json::Value]) -> Vec<String> {
    events.iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
}

/// Whoever pledged first.
fn first_donor(data: &Path) -> PersonId {
    let events = events(data);
    let pledged = events.iter().find(|event| event["kind"] == "donation.pledged").unwrap();
    pledged["data"]["donor"].as_str().unwrap().parse().unwrap()
}

fn erase(data: &Path, who: &str) -> Output {
    unheld(|| run(&["erase", who, "--reason", "asked by letter 17", "--yes"], data))
}

/// Runs a command on a folder that this process wrote: other tests start programs, and until each of them runs, it holds a
/// copy of every lock that was held here.
fn unheld(mut command: impl FnMut() -> Output) -> Output {
    for _ in 0..500 {
        let output = command();
        if !said(&output).contains("held by another process") {
            return output;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    command()
}

fn erased(data: &Path, who: &str) -> String {
    let output = erase(data, who);
    assert!(output.status.success(), "{}", said(&output));
    said(&output)
}

/// The names that must be gone, as any page or file could spell them.
const GONE: [&str; 5] = ["Joan", "Petrie", JOAN, "1 Main Street", "Hello from Duluth"];

fn names_nobody(page: &str, text: &str) {
    for name in GONE {
        assert!(!text.contains(name), "{page} still says {name}");
    }
}

/// Joins and gives as Joan.
async fn joan_joins_and_gives(house: &House, token: &str) -> String {
    let join = [("name", "Joan Petrie"), ("email", JOAN), ("postal", "55802")];
    let answer = house.server.post("/r/call/join", &join).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    let mut form = gift("25", JOAN);
    form.push(("message", "Hello from Duluth"));
    form.push(("refcode", JOAN));
    form.push(("form_token", token));
    let answer = house.server.post("/r/call/donate", &form).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    let donation = answer.header("location");
    assert_eq!(pay(&house.server, &donation, "simulated_ok").await["state"], "settled");
    donation
}

/// Somebody else gives.
async fn zoe_gives(server: &Server, amount: &str) {
    let mut form = gift(amount, OTHER);
    for (name, value) in &mut form {
        match *name {
            "first_name" => *value = "Zoe",
            "last_name" => *value = "Adair",
            "address" => *value = "2 Side Road",
            _ => {}
        }
    }
    let answer = server.post("/r/call/donate", &form).await;
    assert_eq!(pay(server, &answer.header("location"), "simulated_ok").await["state"], "settled");
}

/// Every page and file that named Joan.
async fn pages(house: &House, donation: &str) -> Vec<(String, String)> {
    let mut pages = vec![];
    for path in ["/r/call", "/r/call/live.json", "/r/call/overlay/feed", "/r/call/overlay/total", "/", donation] {
        let answer = house.server.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        pages.push((path.to_owned(), answer.text()));
    }
    let again = format!("/r/call/donate?again={}", donation.rsplit('/').next().unwrap());
    pages.push((again.clone(), house.server.get(&again).await.text()));
    for path in ["/host", "/host/r/call", "/host/r/call/live.json", "/finance", "/finance/donations.csv"] {
        let answer = house.server.get_as(&house.owner.cookie, path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        pages.push((path.to_owned(), answer.text()));
    }
    let export = run(&["export", "csv"], &house.data());
    assert!(export.status.success(), "{}", said(&export));
    pages.push(("export csv".into(), String::from_utf8(export.stdout).unwrap()));
    pages
}

fn page<'a>(pages: &'a [(String, String)], path: &str) -> &'a str {
    &pages.iter().find(|(page, _)| page == path).unwrap().1
}

async fn figures(house: &House) -> [serde_json::Value; 4] {
    let state = state(&house.server).await;
    ["raised_minor", "donors", "joined", "here"].map(|name| state[name].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_person_is_gone_from_pages_files_and_keys_and_totals_stay() {
    let house = House::new().await;
    let data = house.data();
    assert_eq!(house.owner.post(&house.server, "/host/r/call/open", &[]).await.status, 303);
    let donation = joan_joins_and_gives(&house, "first").await;
    let joan = first_donor(&data);
    zoe_gives(&house.server, "10").await;
    let unpaid = pledge(&house.server, "40", JOAN).await;
    let before = figures(&house).await;
    let shown = pages(&house, &donation).await;
    assert!(page(&shown, "/r/call").contains("Hello from Duluth"));
    assert!(page(&shown, "/finance").contains("Joan Petrie") && page(&shown, &donation).contains("Thank you, "));
    let key = key_of(&data, joan).unwrap();
    for name in ["Petrie", JOAN, "Hello from Duluth"] {
        assert_eq!(find(&data, name.as_bytes()), None, "{name} stands in the data folder in the clear");
    }
    assert!(find(&data, &key).is_some());

    let asked = run(&["erase", JOAN, "--reason", "asked by letter 17"], &data);
    assert_eq!(asked.status.code(), Some(2), "{}", said(&asked));
    assert!(said(&asked).contains("--yes"), "{}", said(&asked));
    assert!(key_of(&data, joan).is_some());
    let told = erased(&data, JOAN);
    for line in ["joined     call", "gave       once, $25.00 in all, on 20", "pledged    once without paying"] {
        assert!(told.contains(line), "{told}");
    }
    assert!(told.contains("Erased. It is event ") && told.contains(&joan.to_string()), "{told}");
    names_nobody("erase", &told.replace(JOAN, ""));

    let mut house = house;
    for round in ["at once", "after a restart"] {
        assert_eq!(figures(&house).await, before, "{round}");
        for (path, text) in pages(&house, &donation).await {
            names_nobody(&format!("{path} {round}"), &text);
        }
        let shown = pages(&house, &donation).await;
        for path in ["/r/call", "/r/call/live.json", "/r/call/overlay/feed", "/finance", &donation] {
            assert!(page(&shown, path).contains("(erased)"), "{path} {round}: {}", page(&shown, path));
        }
        assert!(page(&shown, &donation).contains("Thank you."), "{round}");
        for file in ["/finance/donations.csv", "export csv"] {
            let rows = csv_rows(page(&shown, file).as_bytes());
            let row = rows.iter().find(|row| row["amount"] == "25.00").unwrap();
            let sealed = ["first_name", "last_name", "email", "address", "city", "employer", "occupation"];
            assert!(sealed.iter().all(|column| row[*column] == "(erased)"), "{row:?}");
            assert_eq!(row["refcode"], "", "an address in a link does not reach the log");
            assert_eq!(rows.iter().find(|row| row["amount"] == "10.00").unwrap()["email"], OTHER);
        }
        // What was pledged by a name that is gone is not paid any more.
        let answer = house.server.get(&unpaid).await;
        assert!(answer.status == 409 && answer.text().contains("erased"), "{}", answer.text());
        let answer = pay(&house.server, &unpaid, "simulated_ok").await;
        assert!(answer["detail"].as_str().unwrap().contains("start a new donation"), "{answer}");
        assert_eq!(key_of(&data, joan), None, "{round}");
        assert_eq!(find(&data, &key), None, "the key's bytes are still in the folder {round}");
        house.server.is_well().await;
        house = house.again(Server::stop);
    }
    let repeated = erased(&data, &joan.to_string());
    assert!(repeated.contains("Nothing was left to erase"), "{repeated}");
    assert!(run(&["verify"], &data).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_vault_or_a_crash_before_the_effect_brings_nobody_back() {
    let house = House::new().await;
    let data = house.data();
    let donation = joan_joins_and_gives(&house, "first").await;
    let joan = first_donor(&data);
    let key = key_of(&data, joan).unwrap();
    // The vault as a backup has it, and as a crash between the erasure's record and its effect leaves it.
    let older = std::fs::read(data.join("vault/keys")).unwrap();
    erased(&data, JOAN);
    let house = house.again(|server| {
        server.kill();
        std::fs::write(data.join("vault/keys"), &older).unwrap();
        assert!(find(&data, &key).is_some());
    });
    assert_eq!(find(&data, &key), None, "the start did not make the erasure good");
    assert!(house.server.printed().contains("destroyed now"), "{}", house.server.printed());
    for (path, text) in pages(&house, &donation).await {
        names_nobody(&path, &text);
    }
    // Coming back: a new key, which no start takes for the old one.
    let joined = figures(&house).await[2].as_u64().unwrap();
    let back = joan_joins_and_gives(&house, "second").await;
    assert_ne!(back, donation);
    assert_eq!(figures(&house).await[2], joined + 1);
    let mut house = house;
    for end in [Server::kill, Server::stop] {
        assert!(key_of(&data, joan).is_some_and(|new| new != key));
        let shown = pages(&house, &back).await;
        assert!(page(&shown, &back).contains("Thank you, <bdi>Joan"));
        assert!(page(&shown, "/finance").contains("Joan Petrie") && page(&shown, "/finance").contains("(erased)"));
        assert!(house.server.get(&donation).await.text().contains("(erased)"));
        house = house.again(end);
    }
    let told = erased(&data, &joan.to_string());
    assert!(told.contains("and came back since") && told.contains("gave       2 times, $50.00 in all"), "{told}");
    for (path, text) in pages(&house, &back).await {
        names_nobody(&path, &text);
    }
    assert_eq!(key_of(&data, joan), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_folder_is_erased_too_and_an_account_ends() {
    let house = House::new().await;
    let data = house.data();
    let last = erase(&data, "ana@example.org");
    assert_eq!(last.status.code(), Some(1));
    assert!(said(&last).contains("last owner"), "{}", said(&last));
    let add = ["staff", "add", "--email", "ben@example.org", "--name", "Ben Okri", "--role", "owner"];
    assert!(run_with_input(&add, &data, &format!("{PASSWORD}\n")).status.success());
    let ben = Staff::sign_in(&house.server, "ben@example.org").await;
    let named = run(&["erase", "ben@example.org", "--reason", "Okri has left us", "--yes"], &data);
    assert!(named.status.code() == Some(1) && said(&named).contains("leave their name out"), "{}", said(&named));
    let told = erased(&data, "ben@example.org");
    assert!(told.contains("works here as owner") && told.contains("Their account ends"), "{told}");
    assert_eq!(house.server.get_as(&ben.cookie, "/host").await.status, 303, "the session goes on");
    let form = [("email", "ben@example.org"), ("password", PASSWORD)];
    assert_eq!(house.server.post("/host/sign-in", &form).await.status, 422);
    // An account of the same address is another: the old cookie does not open it.
    assert!(run_with_input(&add, &data, &format!("{PASSWORD}\n")).status.success());
    assert_eq!(house.server.get_as(&ben.cookie, "/host").await.status, 303, "an old session came back");
    Staff::sign_in(&house.server, "ben@example.org").await;

    let donation = joan_joins_and_gives(&house, "first").await;
    let joan = first_donor(&data);
    let house = house.again(|server| {
        server.stop();
        let told = erased(&data, JOAN);
        assert!(told.contains("Erased. It is event "), "{told}");
        assert_eq!(key_of(&data, joan), None);
        let unknown = erase(&data, "nobody@example.org");
        assert!(
            unknown.status.code() == Some(1) && said(&unknown).contains("nobody of that name"),
            "{}",
            said(&unknown)
        );
        let malformed = erase(&data, "joan");
        assert!(malformed.status.code() == Some(2) && said(&malformed).contains("person id"), "{}", said(&malformed));
        let elsewhere = erase(&data.join("nowhere"), JOAN);
        assert!(elsewhere.status.code() == Some(1) && said(&elsewhere).contains("--data"), "{}", said(&elsewhere));
        assert!(!data.join("nowhere").exists());
    });
    for (path, text) in pages(&house, &donation).await {
        names_nobody(&path, &text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_notices_that_name_them_go_with_them() {
    let house = House::with(DEAD).await;
    let data = house.data();
    let (joans, others) = (pledge(&house.server, "25", JOAN).await, pledge(&house.server, "30", OTHER).await);
    let customer = serde_json::json!({
        "id": "evt_2", "object": "event", "type": "customer.created", "livemode": false,
        "data": { "object": { "id": "cus_1", "object": "customer", "email": "Joan.Petrie@Example.org" } },
    });
    assert_eq!(hook(&house, &succeeded("evt_1", &joans, "pi_3Q2fKdLkdIwHu7ix0a", 2_500)).await, 200);
    assert_eq!(hook(&house, &customer.to_string()).await, 200);
    assert_eq!(hook(&house, &succeeded("evt_3", &others, "pi_3Q2fKdLkdIwHu7ix0b", 3_000)).await, 200);
    raised(&house, 5_500).await;
    let read = |events: &[serde_json::Value]| kinds(events).iter().filter(|kind| *kind == "inbox.interpreted").count();
    until("the notices are not read", || async { read(&events(&data)) == 3 }).await;
    let joan = first_donor(&data);
    let notice = |name: &str| {
        let all = events(&data);
        let received = all.iter().filter(|event| event["kind"] == "inbox.received");
        let found = received.into_iter().find(|event| event["data"]["notice"] == name).unwrap().clone();
        let sealed_for: PersonId = found["data"]["sealed_for"].as_str().unwrap().parse().unwrap();
        (found["seq"].to_string(), sealed_for)
    };
    let keys = ["evt_1", "evt_2"].map(|name| key_of(&data, notice(name).1).unwrap());
    let told = erased(&data, &joan.to_string());
    assert!(told.contains("2 notices of the payment company went with it"), "{told}");
    assert!(keys.iter().all(|key| find(&data, key).is_none()));
    assert!(key_of(&data, notice("evt_3").1).is_some());
    let show = |name: &str| said(&run(&["log", "show", &notice(name).0, "--reveal", "--reason", "test"], &data));
    assert!(show("evt_1").contains("\"body\": \"erased\"") && show("evt_2").contains("\"body\": \"erased\""));
    assert!(show("evt_3").contains("pi_3Q2fKdLkdIwHu7ix0b"));
    raised(&house, 5_500).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sealed_before_an_erasure_is_not_recorded_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    live_ledger(&data, "2021-03-01T12:00:00Z");
    let busy = |_: &u32| std::thread::sleep(Duration::from_millis(10));
    let (engine, mut writer) = (0..500_u32).inspect(busy).find_map(|_| Engine::open(&data).ok()).unwrap();
    let joan = engine.vault().person_id(JOAN);
    let sealed = |context| engine.vault().seal(joan, context, b"{}").unwrap();
    let form = |number| Pledged {
        donation: DonationId(Uuid::from_u128(number)),
        rally: RallyId(Uuid::from_u128(1)),
        donor: joan,
        amount: Money::new(2_500, Currency::USD),
        contact: sealed(CONTACT),
        shown: sealed(SHOWN),
        attestations: ATTESTATIONS.iter().map(|(id, _)| (*id).to_owned()).collect(),
        refcode: None,
        likeness: None,
        covers_fee: None,
        came: None,
        on_program: None,
    };
    let submit = |number, form: Pledged| {
        let command = Command::Donation(donation::Command::Pledge(form));
        engine.submit(command, format!("pledge:{number}"), "donor").unwrap()
    };
    // On their way while the erasure is: one right behind it, one that comes after it was done.
    let (near, late) = (form(11), form(12));
    let erase = Erase {
        erasure: ErasureId(Uuid::now_v7()),
        person: joan,
        reason: "asked by letter 17".into(),
        notices: vec![],
        now: chrono::Utc::now(),
        retention_years: 3,
    };
    let erase = Command::Privacy(privacy::Command::Erase(erase));
    let erased = engine.submit(erase, "erase".into(), "shell").unwrap();
    let near = submit(11, near);
    assert_eq!(erased.await.unwrap().count, 1);
    assert!(matches!(near.await, Err(Failure::Erased)));
    assert!(matches!(submit(12, late).await, Err(Failure::Erased)));
    // Sent again, it is sealed with a new key.
    assert_eq!(submit(12, form(12)).await.unwrap().count, 1);
    drop(engine);
    writer.ended().await.unwrap();
}

/// A ledger of real money in which Joan gave at `at`.
fn live_ledger(data: &Path, at: &str) {
    let vault = Vault::open(&data.join("vault")).unwrap();
    let joan = vault.person_id(JOAN);
    let rally = RallyId(Uuid::from_u128(1));
    let gift = DonationId(Uuid::from_u128(2));
    let amount = Money::new(2_500, Currency::USD);
    let contact = vault.seal(joan, CONTACT, b"{}").unwrap();
    let shown = vault.seal(joan, SHOWN, b"{}").unwrap();
    vault.commit().unwrap();
    let details = Details { starts_at: at.parse().unwrap(), ..details("call") };
    let pledged = Pledged {
        donation: gift,
        rally,
        donor: joan,
        amount,
        contact,
        shown,
        attestations: ATTESTATIONS.iter().map(|(id, _)| (*id).to_owned()).collect(),
        refcode: None,
        likeness: None,
        covers_fee: None,
        came: None,
        on_program: None,
    };
    let payment = PaymentId("pi_1".into());
    let settled = Settled { donation: gift, rally, donor: joan, payment, amount, fee: None, card: None };
    let events = [
        Event::Ledger(ledger::Event::Opened(ledger::Opened { mode: Mode::Live })),
        Event::Rally(rally::Event::Created(Announced { rally, details })),
        Event::Donation(donation::Event::Pledged(pledged)),
        Event::Donation(donation::Event::Settled(settled)),
    ];
    let at = at.parse().unwrap();
    let lines = (1..)
        .zip(events)
        .map(|(seq, event)| codec::encode(&Recorded { seq, at, event }, &format!("k{seq}"), "server").unwrap());
    let lines: Vec<_> = lines.collect();
    SledLog::open(&data.join("log")).unwrap().append(&lines).unwrap();
}

#[test]
fn a_reportable_gift_is_kept_for_its_legal_period() {
    let folder = tempfile::tempdir().unwrap();
    let (young, old) = (folder.path().join("young"), folder.path().join("old"));
    live_ledger(&young, "2026-03-01T12:00:00Z");
    let refused = erase(&young, JOAN);
    let text = said(&refused);
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(text.contains("2026-03-01") && text.contains("2030-12-31"), "{text}");
    assert_eq!(kinds(&events(&young)).last().unwrap(), "donation.settled");
    live_ledger(&old, "2021-03-01T12:00:00Z");
    let longer = || {
        let mut command = program(&["erase", JOAN, "--reason", "letter 17", "--yes"], &old);
        command.env("GROUNDSWELL_RETENTION_YEARS", "50").output().unwrap()
    };
    let longer = unheld(longer);
    assert!(longer.status.code() == Some(1) && said(&longer).contains("2072-12-31"), "{}", said(&longer));
    erased(&old, JOAN);
    assert_eq!(kinds(&events(&old)).last().unwrap(), "privacy.erased");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_read_with_seals_closed_and_opened_only_for_a_recorded_reason() {
    let house = House::new().await;
    let data = house.data();
    joan_joins_and_gives(&house, "first").await;
    let all = events(&data);
    let numbers: Vec<u64> = all.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=all.len() as u64).collect::<Vec<_>>());
    let kinds_seen: BTreeSet<String> = kinds(&all).into_iter().collect();
    assert!(["staff.added", "attendance.joined", "donation.pledged"].iter().all(|kind| kinds_seen.contains(*kind)));
    names_nobody("log tail", &serde_json::to_string(&all).unwrap());
    let pledged = all.iter().find(|event| event["kind"] == "donation.pledged").unwrap();
    assert_eq!((&pledged["data"]["contact"], &pledged["data"]["shown"]), (&"sealed".into(), &"sealed".into()));
    let seq = pledged["seq"].to_string();
    let shown = run(&["log", "show", &seq], &data);
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.lines().count() > 10 && text.contains("\"contact\": \"sealed\""), "{text}");

    let missing = run(&["log", "show", "99999"], &data);
    assert_eq!(missing.status.code(), Some(1));
    assert!(said(&missing).contains(&format!("there is no event 99999: the log has events 1 to {}", all.len())));
    for wrong in [&["log", "show", &seq, "--reveal"][..], &["log", "show", &seq, "--reason", "x"], &["log"]] {
        assert_eq!(run(wrong, &data).status.code(), Some(2), "{wrong:?}");
    }
    let named = run(&["log", "show", &seq, "--reveal", "--reason", "for ann@example.org"], &data);
    assert!(named.status.code() == Some(1) && !said(&named).contains("Petrie"), "{}", said(&named));
    assert_eq!(events(&data).len(), all.len(), "nothing was recorded so far");

    let reveal = |more: &[&str]| run(&[&["log"], more, &["--reveal", "--reason", "ticket 311"]].concat(), &data);
    let opened = said(&reveal(&["show", &seq]));
    assert!(opened.contains("\"last_name\": \"Petrie\"") && opened.contains("Hello from Duluth"), "{opened}");
    let last = tail(&data, "1").pop().unwrap();
    assert_eq!(last["kind"], "privacy.disclosed");
    assert_eq!((&last["data"]["from_seq"], &last["data"]["to_seq"]), (&pledged["seq"], &pledged["seq"]));
    assert_eq!(last["data"]["reason"], "ticket 311");
    let who = last["data"]["who"].as_str().unwrap();
    assert!(who.starts_with("shell:") && who.len() > "shell:".len(), "{who}");
    let opened = said(&reveal(&["tail", "-n", "10000"]));
    assert!(opened.contains("Petrie") && opened.contains("\"password_hash\":\"hidden\""), "{opened}");
    assert!(!opened.contains("argon2"), "{opened}");

    // Followed, an event comes by itself; and who reads no more ends it.
    let mut follow = program(&["log", "tail", "-n", "1", "--follow"], &data).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("privacy.disclosed"));
    give(&house.server, "10", OTHER).await;
    assert!(lines.next().unwrap().unwrap().contains("donation.pledged"));
    drop(lines);
    give(&house.server, "11", OTHER).await;
    let mut stderr = String::new();
    follow.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert!(follow.wait().unwrap().success() && stderr.is_empty(), "{stderr}");

    erased(&data, JOAN);
    let mut following = program(&["log", "tail", "-n", "1", "--follow"], &data).spawn().unwrap();
    let mut rest = BufReader::new(following.stdout.take().unwrap()).lines();
    assert!(rest.next().unwrap().unwrap().contains("privacy.erased"));
    let house = house.again(|server| {
        server.stop();
        assert_eq!(rest.count(), 0);
        assert!(following.wait().unwrap().success(), "the stop ends those who follow");
        names_nobody("log tail", &serde_json::to_string(&events(&data)).unwrap());
        let opened = said(&reveal(&["show", &seq]));
        assert!(opened.contains("\"contact\": \"erased\""), "{opened}");
        assert_eq!(kinds(&tail(&data, "1")), ["privacy.disclosed"]);
        let follow = run(&["log", "tail", "--follow"], &data);
        assert!(follow.status.code() == Some(1) && said(&follow).contains("no server runs"), "{}", said(&follow));
    });
    house.server.is_well().await;
}

#[test]
fn a_closed_pipe_and_an_empty_log_are_no_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    live_ledger(&data, "2026-03-01T12:00:00Z");
    let closed = || {
        let mut tail = program(&["log", "tail"], &data).spawn().unwrap();
        drop(tail.stdout.take());
        tail.wait_with_output().unwrap()
    };
    let output = unheld(closed);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", said(&output));
    let empty = folder.path().join("empty");
    drop(SledLog::open(&empty.join("log")).unwrap());
    let output = unheld(|| run(&["log", "tail"], &empty));
    assert!(output.status.success() && output.stdout.is_empty(), "{}", said(&output));
    let output = run(&["log", "show", "1"], &empty);
    assert!(output.status.code() == Some(1) && said(&output).contains("the log is empty"), "{}", said(&output));
}

#[test]
fn help_has_an_example() {
    let folder = tempfile::tempdir().unwrap();
    for command in [&["erase", "--help"][..], &["log", "tail", "--help"], &["log", "show", "--help"]] {
        let output = run(command, folder.path());
        assert!(output.status.success() && said(&output).contains("Example"), "{}", said(&output));
    }
}
