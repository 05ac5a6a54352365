//! Receipts by mail, over a real mail server, read by Python's own parser.

use crate::mail_server::{MailServer, header, part};
use crate::server::{House, Server, encode, gift, give, pay, run, said, until};
use std::process::Command;
use std::time::{Duration, Instant};

const FROM: &str = "Rivera for Senate <receipts@rivera.example>";

/// The settings that send through this mail server.
fn settings(smtp: &str) -> Vec<(&'static str, String)> {
    vec![
        ("GROUNDSWELL_MAIL_SMTP", smtp.into()),
        ("GROUNDSWELL_MAIL_FROM", FROM.into()),
        ("GROUNDSWELL_MAIL_REPLY_TO", "help@rivera.example".into()),
    ]
}

fn env<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    settings.iter().map(|(key, value)| (*key, value.as_str())).collect()
}

async fn house(mail: &MailServer) -> House {
    House::with(&env(&settings(&mail.smtp()))).await
}

/// Gives as somebody of this name; the donation's address.
async fn give_as(server: &Server, first: &str, last: &str, email: &str) -> String {
    let form: Vec<(&str, &str)> = gift("25", email)
        .into_iter()
        .map(|(name, value)| match name {
            "first_name" => (name, first),
            "last_name" => (name, last),
            _ => (name, value),
        })
        .collect();
    let answer = server.post("/r/call/donate", &form).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    let donation = answer.header("location");
    assert_eq!(pay(server, &donation, "simulated_ok").await["state"], "settled");
    donation
}

async fn says(server: &Server, page: &str, text: &str) {
    until(&format!("{page} never says {text}"), || async { server.get(page).await.text().contains(text) }).await;
}

/// Every event of these kinds, as `log tail` prints them.
fn events(house: &House, kind: &str) -> Vec<serde_json::Value> {
    let output = run(&["log", "tail", "-n", "10000"], &house.data());
    assert!(output.status.success(), "{}", said(&output));
    let lines = String::from_utf8(output.stdout).unwrap();
    let events = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    events.filter(|event| event["kind"] == kind).collect()
}

async fn refund(house: &House, donation: &str, amount: &str) {
    let id = donation.rsplit('/').next().unwrap();
    let refund = "01934f2a-108f-7fea-b1f7-beee59b66dd6";
    let form = [("refund", refund), ("amount", amount)];
    let answer = house.owner.post(&house.server, &format!("/finance/donations/{id}/refund"), &form).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
}

#[tokio::test]
async fn a_gift_leads_to_one_receipt_that_says_what_the_law_wants() {
    let mail = MailServer::start();
    let house = house(&mail).await;
    let donation = give_as(&house.server, "יוֹאָנָה 🌻", "بيتري", "joan.petrie@example.org").await;
    let letter = mail.wait_for(1).await.remove(0);

    // The envelope and the headers.
    assert_eq!(letter["sender"], "receipts@rivera.example");
    assert_eq!(letter["recipients"], serde_json::json!(["joan.petrie@example.org"]));
    assert_eq!(letter["to"], serde_json::json!([["יוֹאָנָה 🌻 بيتري", "joan.petrie@example.org"]]));
    assert_eq!(letter["from"], serde_json::json!([["Rivera for Senate", "receipts@rivera.example"]]));
    assert_eq!(header(&letter, "Reply-To"), "help@rivera.example");
    assert_eq!(header(&letter, "Subject"), "SIMULATED: Your receipt for $25.00: Answer the call");
    assert_eq!(header(&letter, "Auto-Submitted"), "auto-generated");
    let requested = events(&house, "mail.requested").remove(0);
    let id = requested["data"]["mail"].as_str().unwrap().to_owned();
    assert_eq!(header(&letter, "Message-ID"), format!("<{id}@rivera.example>"));
    let date = chrono::DateTime::parse_from_rfc2822(&header(&letter, "Date")).unwrap();
    let asked: chrono::DateTime<chrono::Utc> = requested["at"].as_str().unwrap().parse().unwrap();
    assert_eq!(date.timestamp(), asked.timestamp());

    // The form.
    let shape = ["multipart/mixed", "multipart/alternative", "text/plain", "text/html", "application/json"];
    assert_eq!(letter["shape"], serde_json::json!(shape));
    assert_eq!(letter["defects"], serde_json::json!([]));
    assert!(letter["longest_line"].as_u64().unwrap() <= 998, "{}", letter["longest_line"]);
    assert!(mail.raw(1).is_ascii(), "any mail server on the way takes it");

    // What both parts say.
    let number = donation.rsplit('/').next().unwrap();
    for kind in ["text/plain", "text/html"] {
        let text = part(&letter, kind);
        for wanted in [
            "SIMULATED",
            "No money moved",
            "$25.00",
            "Answer the call",
            "יוֹאָנָה 🌻 بيتري",
            "1 Main Street",
            "Duluth MN 55802",
            "Paid for by Rivera for Senate",
            "not tax deductible",
            "I am not a federal contractor.",
            "Simulated 0000",
            number,
            &format!("http://{}{donation}", house.server.http),
            &format!("groundswell verify-receipt proof-{number}.json --head "),
        ] {
            assert!(text.contains(wanted), "{wanted} is not in {kind}: {text}");
        }
        // Where the rally is, and with the year.
        let there =
            asked.with_timezone(&chrono_tz::America::New_York).format("%A, %B %-d, %Y, %-I:%M %P %Z").to_string();
        assert!(text.contains(&there), "{there}: {text}");
    }

    // The proof that is attached stands up by itself.
    let proof = part(&letter, "application/json");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("proof.json");
    std::fs::write(&file, &proof).unwrap();
    let text = part(&letter, "text/plain");
    let head = text.split_once("--head ").unwrap().1.split_whitespace().next().unwrap();
    let program = env!("CARGO_BIN_EXE_groundswell");
    let checked =
        Command::new(program).args(["verify-receipt", file.to_str().unwrap(), "--head", head]).output().unwrap();
    assert!(checked.status.success(), "{}", said(&checked));
    assert!(said(&checked).contains("donation.settled") && said(&checked).contains(number), "{}", said(&checked));
    assert!(run(&["verify", "--head", head], &house.data()).status.success());

    // It is told on the page, it went once, and nobody's address is in the log of either kind.
    says(&house.server, &donation, "A copy was sent to <bdi>joan.petrie@example.org</bdi>").await;
    pay(&house.server, &donation, "simulated_ok").await;
    mail.no_more_than(1).await;
    assert_eq!((events(&house, "mail.requested").len(), events(&house, "mail.sent").len()), (1, 1));
    let log = run(&["log", "tail", "-n", "10000"], &house.data());
    assert!(!said(&log).contains("joan.petrie") && !house.server.printed().contains("joan.petrie"));
    let house = house.again_with(&env(&settings(&mail.smtp())), Server::stop);
    mail.no_more_than(1).await;
    house.server.is_well().await;
}

#[tokio::test]
async fn a_refund_leads_to_a_notice_beside_its_receipt() {
    let mail = MailServer::start();
    let house = house(&mail).await;
    let donation = give(&house.server, "50", "joan@example.org").await;
    let receipt = mail.wait_for(1).await.remove(0);
    refund(&house, &donation, "20.00").await;
    let notice = mail.wait_for(2).await.remove(1);
    assert_eq!(header(&notice, "Subject"), "SIMULATED: Your refund of $20.00: Answer the call");
    assert_eq!(header(&notice, "In-Reply-To"), header(&receipt, "Message-ID"));
    assert_ne!(header(&notice, "Message-ID"), header(&receipt, "Message-ID"));
    assert_eq!(notice["shape"], serde_json::json!(["multipart/alternative", "text/plain", "text/html"]));
    for kind in ["text/plain", "text/html"] {
        let text = part(&notice, kind);
        for wanted in ["$20.00 goes back to you", "$50.00", "Paid for by Rivera for Senate", "SIMULATED", &donation] {
            assert!(text.contains(wanted), "{wanted} is not in {kind}: {text}");
        }
        assert!(!text.contains("verify-receipt") && !text.contains("federal contractor"), "{text}");
    }
    mail.no_more_than(2).await;
}

#[tokio::test]
async fn what_was_asked_for_arrives_after_kill_9_at_any_point() {
    // Before the mail server heard of it: it is away.
    let mail = MailServer::start();
    let (smtp, port) = (mail.smtp(), mail.port.to_string());
    let house = house(&mail).await;
    drop(mail);
    let donation = give(&house.server, "25", "joan@example.org").await;
    says(&house.server, &donation, "A copy is on its way to <bdi>joan@example.org</bdi>").await;
    until("it does not say why letters wait", || async {
        house.server.printed().contains("the mail server can't be used; letters wait")
    })
    .await;
    says_to_finance(&house, "1 letter waits to be sent.").await;
    let house = house.again_with(&env(&settings(&smtp)), Server::kill);
    let mail = MailServer::start_with(&["--port", &port]);
    mail.wait_for(1).await;
    says(&house.server, &donation, "A copy was sent").await;

    // While the mail server has it in hand: it comes twice under one name, which is how mailboxes know that it is one.
    let slow = give(&house.server, "25", "slow@example.org").await;
    mail.wait_for(2).await;
    let house = house.again_with(&env(&settings(&smtp)), Server::kill);
    says(&house.server, &slow, "A copy was sent").await;
    let letters = mail.letters();
    let ids: Vec<String> = letters[1..].iter().map(|letter| header(letter, "Message-ID")).collect();
    assert_eq!(letters.len(), 3, "{:?}", mail.tried());
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], header(&letters[0], "Message-ID"));
    mail.no_more_than(3).await;
}

async fn says_to_finance(house: &House, text: &str) {
    until(&format!("finance never says {text}"), || async {
        house.server.get_as(&house.owner.cookie, "/finance").await.text().contains(text)
    })
    .await;
}

#[tokio::test]
async fn a_letter_that_is_put_off_or_lost_goes_again_and_one_that_is_refused_does_not() {
    let mail = MailServer::start();
    let house = house(&mail).await;
    let refused = give(&house.server, "25", "nobody@example.org").await;
    let later = give(&house.server, "25", "later@example.org").await;
    let dropped = give(&house.server, "25", "drop@example.org").await;

    says(&house.server, &refused, "could not be delivered: there is no such mailbox (550 5.1.1)").await;
    says(&house.server, &refused, "This page is your receipt").await;
    for wanted in [refused.rsplit('/').next().unwrap(), "there is no such mailbox (550 5.1.1)"] {
        says_to_finance(&house, wanted).await;
    }
    says(&house.server, &later, "A copy is on its way").await;
    says(&house.server, &later, "A copy was sent").await;
    says(&house.server, &dropped, "A copy was sent").await;
    let tried = mail.tried();
    let times = |to: &str| tried.iter().filter(|tried| *tried == to).count();
    let counts = ["nobody@example.org", "later@example.org", "drop@example.org"].map(times);
    assert_eq!(counts, [1, 2, 2]);
    let letters = mail.letters();
    let of = |to: &str| letters.iter().filter(|letter| letter["recipients"][0] == to).collect::<Vec<_>>();
    assert_eq!(of("later@example.org").len(), 1);
    let twice = of("drop@example.org");
    assert_eq!(twice.len(), 2, "the first was stored and never answered");
    for name in ["Message-ID", "Date", "Subject", "Content-Type"] {
        assert_eq!(header(twice[0], name), header(twice[1], name));
    }
    let printed = house.server.printed();
    assert!(printed.contains("a letter can't be delivered"), "{printed}");
    assert!(!printed.contains("@example.org"), "{printed}");
    let failed = events(&house, "mail.failed").remove(0);
    assert!(!failed.to_string().contains("nobody@"), "{failed}");

    // A start later nothing is tried anew.
    let house = house.again_with(&env(&settings(&mail.smtp())), Server::stop);
    mail.no_more_than(3).await;
    assert_eq!(mail.tried().len(), 5);
    says(&house.server, &refused, "could not be delivered").await;
}

#[tokio::test]
async fn passwords_go_over_tls_to_the_right_server_alone() {
    let mail = MailServer::start_with(&["--tls", "start", "--login", "rivera:a secret"]);
    let authority = mail.authority();
    let starttls = format!("smtp://localhost:{}?tls=required", mail.port);
    let with = |user: &str, password: &str, ca: Option<&str>| {
        let mut settings = settings(&starttls);
        settings.push(("GROUNDSWELL_MAIL_USERNAME", user.into()));
        settings.push(("GROUNDSWELL_MAIL_PASSWORD", password.into()));
        settings.extend(ca.map(|ca| ("GROUNDSWELL_MAIL_CA_FILE", ca.into())));
        settings
    };
    // Nobody vouches for this certificate.
    let house = House::with(&env(&with("rivera", "a secret", None))).await;
    let donation = give(&house.server, "25", "joan@example.org").await;
    let refused = |server: &Server| server.printed().contains("the mail server can't be used");
    until("a stranger's certificate is believed", || async { refused(&house.server) }).await;
    let ca = authority.to_str().unwrap();
    let house = house.again_with(&env(&with("rivera", "wrong", Some(ca))), Server::stop);
    until("a wrong password is not told", || async { house.server.printed().contains("it answered 535") }).await;
    assert!(mail.tried().is_empty(), "{:?}", mail.tried());
    says(&house.server, &donation, "A copy is on its way").await;
    let right = with("rivera", "a secret", Some(ca));
    let house = house.again_with(&env(&right), Server::stop);
    let letter = mail.wait_for(1).await.remove(0);
    assert_eq!((letter["encrypted"].as_bool(), letter["signed_in"].as_bool()), (Some(true), Some(true)));
    says(&house.server, &donation, "A copy was sent").await;
    assert!(!house.server.printed().contains("a secret"));

    // TLS from the first byte.
    let whole = MailServer::start_with(&["--tls", "whole"]);
    let mut settings = settings(&format!("smtps://127.0.0.1:{}", whole.port));
    settings.push(("GROUNDSWELL_MAIL_CA_FILE", whole.authority().to_str().unwrap().into()));
    let house = house.again_with(&env(&settings), Server::stop);
    give(&house.server, "30", "omar@example.org").await;
    assert_eq!(whole.wait_for(1).await.remove(0)["recipients"][0], "omar@example.org");

    // A mail server that offers no encryption gets nothing where encryption is asked for.
    let plain = MailServer::start();
    let house = house.again_with(&env(&self::settings(&format!("{}?tls=required", plain.smtp()))), Server::stop);
    give(&house.server, "35", "zoe@example.org").await;
    until("a line in the clear is used", || async { refused(&house.server) }).await;
    assert!(plain.tried().is_empty());
}

#[tokio::test]
async fn without_settings_nothing_is_promised_and_old_gifts_are_not_written_about_later() {
    let mail = MailServer::start();
    let house = House::new().await;
    let old = give(&house.server, "25", "joan@example.org").await;
    let page = house.server.get(&old).await.text();
    assert!(!page.contains("joan@example.org") && !page.contains("A copy"), "{page}");
    assert!(!house.server.get_as(&house.owner.cookie, "/finance").await.text().contains("Letters"));
    let house = house.again_with(&env(&settings(&mail.smtp())), Server::stop);
    let new = give(&house.server, "30", "omar@example.org").await;
    says(&house.server, &new, "A copy was sent to <bdi>omar@example.org</bdi>").await;
    mail.no_more_than(1).await;
    assert!(!house.server.get(&old).await.text().contains("A copy"));
    // What stays unsent when the settings go is promised by nobody.
    let away = settings("smtp://127.0.0.1:1");
    let house = house.again_with(&env(&away), Server::stop);
    let stuck = give(&house.server, "35", "zoe@example.org").await;
    says(&house.server, &stuck, "A copy is on its way").await;
    let house = house.again(Server::stop);
    assert!(!house.server.get(&stuck).await.text().contains("A copy"));
    assert!(house.server.get(&new).await.text().contains("A copy was sent"));
    says_to_finance(&house, "they stay until it has").await;
}

#[tokio::test]
async fn nothing_typed_reaches_a_header_or_another_address() {
    let mail = MailServer::start();
    let house = house(&mail).await;
    for bad in [
        "joan@example.org\r\nBcc: all@example.org",
        "joan@example.org,all@example.org",
        "joan@example.org>\r\nRCPT TO:<all@example.org",
        "<joan@example.org>",
    ] {
        let form = gift("25", bad);
        let answer = house.server.send("POST", "/r/call/donate", &[], encode(&form).as_bytes()).await;
        assert_eq!(answer.status, 422, "{bad:?}");
    }
    let first = "Joan\r\nBcc: all@example.org\r\n\r\n.\r\nMAIL FROM:<x@example.org>";
    give_as(&house.server, first, "\"Petrie\" <x@y.z>,", "joan@example.org").await;
    let letter = mail.wait_for(1).await.remove(0);
    assert_eq!(letter["recipients"], serde_json::json!(["joan@example.org"]));
    assert_eq!(letter["to"].as_array().unwrap().len(), 1);
    assert_eq!(letter["to"][0][1], "joan@example.org");
    assert_eq!(header(&letter, "Bcc"), "");
    assert!(letter["to"][0][0].as_str().unwrap().contains("Bcc: all@example.org"), "{}", letter["to"]);
    assert_eq!(letter["defects"], serde_json::json!([]));
    mail.no_more_than(1).await;
}

#[tokio::test]
async fn nobody_who_was_erased_is_written_to() {
    let mail = MailServer::start();
    let (smtp, port) = (mail.smtp(), mail.port.to_string());
    let house = house(&mail).await;
    drop(mail);
    let donation = give(&house.server, "25", "joan@example.org").await;
    give(&house.server, "25", "omar@example.org").await;
    let erased = run(&["erase", "joan@example.org", "--reason", "asked by letter", "--yes"], &house.data());
    assert!(erased.status.success(), "{}", said(&erased));
    let mail = MailServer::start_with(&["--port", &port]);
    let house = house.again_with(&env(&settings(&smtp)), Server::stop);
    assert_eq!(mail.wait_for(1).await.remove(0)["recipients"][0], "omar@example.org");
    // Money that goes back to them later is told to nobody either.
    refund(&house, &donation, "25.00").await;
    mail.no_more_than(1).await;
    assert_eq!(mail.tried(), ["omar@example.org"]);
    assert!(!house.server.get(&donation).await.text().contains("A copy"));
    assert!(run(&["replay"], &house.data()).status.success());
}

#[tokio::test]
async fn a_stop_waits_for_no_mail_server() {
    let mail = MailServer::start();
    let house = house(&mail).await;
    give(&house.server, "25", "slow@example.org").await;
    mail.wait_for(1).await;
    let begun = Instant::now();
    let house = house.again_with(&env(&settings(&mail.smtp())), Server::stop);
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    // What was under way was finished and recorded, or is sent again under its name: never lost.
    until("it is lost", || async { events(&house, "mail.sent").len() == 1 }).await;
    assert!((1..=2).contains(&mail.letters().len()));
}

#[tokio::test]
async fn settings_are_tried_by_a_sample() {
    let mail = MailServer::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("groundswell.toml");
    let toml = format!("[mail]\nsmtp = \"{}\"\nfrom = \"{FROM}\"\n", mail.smtp());
    std::fs::write(&file, toml).unwrap();
    let sample = |to: &str| run(&["mail", "test", to, "--config", file.to_str().unwrap()], folder.path());
    let good = sample("ana@example.org");
    assert!(good.status.success() && said(&good).contains("took the sample"), "{}", said(&good));
    let letter = mail.wait_for(1).await.remove(0);
    assert!(header(&letter, "Subject").starts_with("TEST: "), "{letter}");
    let bad = sample("nobody@example.org");
    assert_eq!(bad.status.code(), Some(1));
    assert!(said(&bad).contains("there is no such mailbox (550 5.1.1)"), "{}", said(&bad));
    let unset = run(&["mail", "test", "ana@example.org"], folder.path());
    assert!(said(&unset).contains("mail.smtp") && unset.status.code() == Some(1), "{}", said(&unset));
    let wrong =
        Server::try_start(&folder.path().join("data"), &[("GROUNDSWELL_MAIL_SMTP", "smtps://u:hush@mail.example")]);
    let wrong = wrong.err().unwrap();
    assert!(wrong.contains("mail.username") && !wrong.contains("hush"), "{wrong}");
}
