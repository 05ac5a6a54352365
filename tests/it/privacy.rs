//! Personal data over time, on real folders and servers: erasing a person, what is left of them, and reading the log.

mod notices;
mod reading;
mod retention;

use crate::server::{
    House, PASSWORD, Server, Staff, csv_rows, gift, give, pay, pledge, run, run_with_input, said, state,
};
use groundswell::domain::id::PersonId;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

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

#[test]
fn help_has_an_example() {
    let folder = tempfile::tempdir().unwrap();
    for command in [&["erase", "--help"][..], &["log", "tail", "--help"], &["log", "show", "--help"]] {
        let output = run(command, folder.path());
        assert!(output.status.success() && said(&output).contains("Example"), "{}", said(&output));
    }
}

#[tokio::test]
async fn nothing_that_everybody_sees_names_a_donation_by_its_address() {
    let house = House::new().await;
    let donation = give(&house.server, "25", JOAN).await;
    let id = donation.rsplit('/').next().unwrap();
    for path in ["/r/call", "/r/call/live.json", "/r/call/overlay/feed", "/", "/r/call/donate"] {
        let text = house.server.get(path).await.text();
        assert!(!text.contains(id), "{path} tells the address of the donor's own pages: {text}");
    }
    let feed = house.server.get("/r/call/live.json").await.text();
    assert!(feed.contains("data-id"), "the feed has its donor: {feed}");
}
