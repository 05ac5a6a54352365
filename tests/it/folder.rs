//! One folder: one server, one kind of money, the shell's commands with and without a server, and nobody's data in the open.

use crate::server::{
    House, PASSWORD, PATIENCE, Server, csv_rows, encode, gift, give, pledge, program, run, run_with_input, said,
};
use std::path::Path;
use std::time::Instant;

#[tokio::test]
async fn a_second_server_on_a_folder_is_told_what_to_do() {
    let house = House::new().await;
    let data = house.data();
    let second = Server::try_start(&data, &[]).map(|_| ()).unwrap_err();
    assert!(second.contains("held by another process") && second.contains("--data"), "{second}");
    let second = run(&["serve", "--listen", "127.0.0.1:0", "--rtmp", "127.0.0.1:0", "--webrtc", "127.0.0.1:0"], &data);
    assert_eq!(second.status.code(), Some(1), "{}", said(&second));
    house.server.is_well().await;
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let house = House::new().await;
    let other = tempfile::tempdir().unwrap();
    let taken = house.server.http.to_string();
    for (flag, free) in [("--listen", "--rtmp"), ("--rtmp", "--listen")] {
        let output = run(&["serve", flag, &taken, free, "127.0.0.1:0", "--webrtc", "127.0.0.1:0"], other.path());
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains(&taken) && said(&output).contains(flag), "{}", said(&output));
    }
}

fn commands_work(data: &Path, email: &str, donations: usize) {
    let add = ["staff", "add", "--email", email, "--name", "Cem Aydın", "--role", "finance"];
    let added = run_with_input(&add, data, &format!("{PASSWORD}\n"));
    assert!(added.status.success() && said(&added).contains(email), "{}", said(&added));
    let twice = run_with_input(&add, data, &format!("{PASSWORD}\n"));
    assert_eq!(twice.status.code(), Some(1), "{}", said(&twice));
    let made_up = run_with_input(&["staff", "add", "--email", &format!("b{email}"), "--name", "B"], data, "");
    assert!(made_up.status.success() && said(&made_up).contains("Password: "), "{}", said(&made_up));

    let csv = run(&["export", "csv", "--rally", "call"], data);
    assert!(csv.status.success(), "{}", said(&csv));
    assert_eq!(csv_rows(&csv.stdout).len(), donations);
    let none = run(&["export", "csv", "--to", "2020-01-01"], data);
    assert_eq!(csv_rows(&none.stdout).len(), 0);

    let verified = run(&["verify"], data);
    assert!(verified.status.success(), "{}", said(&verified));
    let text = String::from_utf8(verified.stdout).unwrap();
    let head = text.lines().last().unwrap();
    assert!(head.len() == 64 && head.bytes().all(|byte| byte.is_ascii_hexdigit()), "{text}");
}

#[tokio::test]
async fn the_shells_commands_work_with_and_without_a_server() {
    let house = House::new().await;
    give(&house.server, "25", "joan@example.org").await;
    commands_work(&house.data(), "cem@example.org", 1);
    crate::server::Staff::sign_in(&house.server, "cem@example.org").await;
    let house = house.again(Server::stop);
    give(&house.server, "26", "joan@example.org").await;
    let house = stopped(house, |data| commands_work(data, "dora@example.org", 2));
    crate::server::Staff::sign_in(&house.server, "dora@example.org").await;
}

/// Does something with the folder while nobody serves it.
pub fn stopped(house: House, act: impl FnOnce(&Path)) -> House {
    let data = house.data();
    house.again(|server| {
        server.stop();
        act(&data);
    })
}

#[test]
fn commands_on_a_folder_that_is_none_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(&["verify"], &dir.path().join("nothing"));
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("--data"), "{}", said(&output));
}

const STRIPE: &[(&str, &str)] = &[
    ("GROUNDSWELL_PROCESSOR", "stripe"),
    ("GROUNDSWELL_STRIPE_SECRET_KEY", "sk_test_51Secret"),
    ("GROUNDSWELL_STRIPE_PUBLISHABLE_KEY", "pk_test_51Public"),
    ("GROUNDSWELL_STRIPE_WEBHOOK_SECRET", "whsec_Secret"),
];

fn refused(data: &Path, env: &[(&str, &str)], reasons: &[&str]) {
    let said = Server::try_start(data, env).map(|_| ()).unwrap_err();
    for reason in reasons {
        assert!(said.contains(reason), "{reason}: {said}");
    }
    for secret in ["51Secret", "whsec_Secret"] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[tokio::test]
async fn test_money_and_real_money_are_never_in_one_ledger() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    Server::start(&data).stop();
    refused(&data, STRIPE, &["simulated", "test", "--data"]);
    let replaced = |name: &str, value: &'static str| -> Vec<(&str, &str)> {
        STRIPE.iter().map(|(key, old)| (*key, if *key == name { value } else { *old })).collect()
    };
    refused(&data, &replaced("GROUNDSWELL_STRIPE_SECRET_KEY", "sk_live_51Secret"), &["test key", "live key"]);
    refused(&data, &replaced("GROUNDSWELL_STRIPE_WEBHOOK_SECRET", ""), &["GROUNDSWELL_STRIPE_WEBHOOK_SECRET"]);
    let elsewhere = [
        replaced("GROUNDSWELL_STRIPE_SECRET_KEY", "sk_live_51Secret"),
        vec![
            ("GROUNDSWELL_STRIPE_PUBLISHABLE_KEY", "pk_live_51Public"),
            ("GROUNDSWELL_STRIPE_API_BASE", "http://127.0.0.1:1"),
            ("GROUNDSWELL_STRIPE_SCRIPT_URL", "http://127.0.0.1:1/v3/"),
        ],
    ];
    refused(&data, &elsewhere.concat(), &["live key is for"]);
    Server::start(&data).stop();
    let fresh = dir.path().join("fresh");
    Server::start_with(&fresh, STRIPE).stop();
    refused(&fresh, &[], &["test", "simulated", "--data"]);
}

/// Every event as the log holds it, one line of JSON each.
fn log_lines(data: &Path) -> String {
    let log = groundswell::log::sled::SledLog::open(&data.join("log")).unwrap();
    let frames: Vec<_> = log.reader().frames_from(1).map(Result::unwrap).collect();
    let lines =
        frames.iter().flat_map(|frame| frame.lines().map(|(_, line)| String::from_utf8(line.to_vec()).unwrap()));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn nobodys_data_and_no_secret_is_in_the_log_or_in_what_is_printed() {
    // The most that can be asked to be logged, of ours and of what we are built from.
    let house = House::with(&[("GROUNDSWELL_LOG", "trace")]).await;
    let server = &house.server;
    let join = [("name", "Ottoline Xyzzy"), ("email", "ottoline.xyzzy@example.org"), ("postal", "K9K-XYQ-7")];
    assert_eq!(server.post("/r/call/join", &join).await.status, 303);
    let mut form = gift("25", "ottoline.xyzzy@example.org");
    form.extend([("message", "Quuxly yours"), ("refcode", "mail-7")]);
    let form: Vec<_> = form
        .into_iter()
        .map(|(name, value)| match name {
            "first_name" => (name, "Ottoline"),
            "last_name" => (name, "Xyzzy"),
            "address" => (name, "77 Plugh Street"),
            "employer" => (name, "Frobozz Magic Company"),
            _ => (name, value),
        })
        .collect();
    let donation = server.post("/r/call/donate", &form).await.header("location");
    assert_eq!(crate::server::pay(server, &donation, "simulated_ok").await["state"], "settled");
    let wrong = [("email", "ottoline.xyzzy@example.org"), ("password", "her real pass phrase")];
    assert_eq!(server.post("/host/sign-in", &wrong).await.status, 422);
    let bad = [&encode(&form)[..], "&country=%00&email=xyzzy"].concat();
    server.send("POST", "/r/call/donate", &[], bad.as_bytes()).await;
    pledge(server, "30", "xyzzy@example.org").await;
    house.owner.post(server, "/host/r/call/speakers", &[("name", "Zed"), ("role", "Speaker")]).await;
    let studio = server.get_as(&house.owner.cookie, "/host/r/call").await.text();
    let (_, link) = studio.split_once("/host/r/call/speakers/").unwrap();
    let source: String = link.chars().take(36).collect();
    let golive = server.get_as(&house.owner.cookie, &format!("/host/r/call/speakers/{source}")).await.text();
    let mut keys = golive.split(|c: char| !c.is_ascii_alphanumeric());
    let key = keys.find(|word| word.len() == 26).expect("the page shows a stream key").to_owned();
    let printed = server.printed();
    let data = house.data();
    house.server.stop();
    let lines = log_lines(&data);
    assert!(lines.contains("donation.settled") && lines.contains("mail-7"), "the log was read");
    let session = house.owner.cookie.split_once('=').unwrap().1.to_owned();
    for secret in [
        "xyzzy", "ottoline", "plugh", "frobozz", "quuxly", "k9k-xyq", PASSWORD, "her real", "ana@", "ana ruiz", &key,
        &session,
    ] {
        let secret = secret.to_lowercase();
        let show = |text: &str| text.lines().find(|line| line.to_lowercase().contains(&secret)).map(str::to_owned);
        assert_eq!(show(&lines), None, "{secret} is in the log");
        assert_eq!(show(&printed), None, "{secret} was printed");
    }
    assert!(!printed.contains(&house.owner.csrf));
}

#[test]
fn whoever_stops_it_as_soon_as_it_listens_finds_it_ending_in_good_order() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let at = free.to_string();
        let args = ["serve", "--listen", &at, "--rtmp", "127.0.0.1:0", "--webrtc", "127.0.0.1:0"];
        let child = program(&args, folder.path()).spawn().unwrap();
        let begun = Instant::now();
        while std::net::TcpStream::connect(free).is_err() {
            assert!(begun.elapsed() < PATIENCE, "it does not listen");
        }
        assert!(
            std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success()
        );
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}: {}", output.status, said(&output));
    }
}
