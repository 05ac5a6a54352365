//! What no honest browser sends, by table: each is refused clearly, the server lives on, nothing is lost, memory is flat.

use crate::server::{Answer, House, Server, csv_rows, encode, gift, give, pay, pledge, run, state};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long an answer to nonsense is waited for.
const BRIEFLY: Duration = Duration::from_secs(5);
/// What thousands of bad requests may leave behind in memory.
const GROWTH_KIB_MAX: u64 = 40 * 1024;

fn with<'a>(form: &[(&'a str, &'a str)], field: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let others = form.iter().copied().filter(|(name, _)| *name != field);
    others.chain([(field, value)]).collect()
}

#[tokio::test]
async fn amounts_that_are_none_are_refused_with_everything_typed_kept() {
    let house = House::new().await;
    let server = &house.server;
    let form = gift("25", "joan@example.org");
    for amount in [
        "",
        "-5",
        "0",
        "0.00",
        "0.99",
        "-0",
        "1000000",
        "999999.995",
        "99999999999999999999999",
        "NaN",
        "Infinity",
        "1e9",
        "0x10",
        "5.001",
        "25 EUR",
        "€25",
        "£25",
        "25;30",
        "२५",
        "２５",
        "1/2",
        "--5",
        "5-",
        "$-5",
        ".",
        "1.2.3",
        "null",
        "' OR 1=1",
    ] {
        let answer = server.post("/r/call/donate", &with(&form, "amount_other", amount)).await;
        let page = answer.text();
        assert_eq!(answer.status, 422, "{amount:?}: {}", answer.header("location"));
        assert!(page.contains("amount_other-error"), "{amount:?} is named as the fault");
        for kept in ["Joan", "Petrie", "joan@example.org", "1 Main Street", "Duluth", "55802", "Nurse"] {
            assert!(page.contains(&format!("value=\"{kept}\"")), "{amount:?}: {kept} is gone");
        }
    }
    for (amount, cents) in
        [("1", 100), ("$25", 2500), ("1,250.50", 125_050), (" 7.5 ", 750), ("999,999.99", 99_999_999)]
    {
        let email = format!("d{cents}@example.org");
        let before = state(server).await["raised_minor"].as_i64().unwrap();
        give(server, amount, &email).await;
        assert_eq!(state(server).await["raised_minor"].as_i64().unwrap() - before, cents, "{amount:?}");
    }
    // Another currency can be asked for, but no field takes it.
    let answer = server.post("/r/call/donate", &with(&form, "currency", "JPY")).await;
    let page = server.get(&answer.header("location")).await.text();
    assert!(page.contains("$25") && !page.contains('¥'), "{page}");
    server.is_well().await;
}

#[tokio::test]
async fn missing_and_absurd_fields_are_named() {
    let house = House::new().await;
    let server = &house.server;
    let form = gift("25", "joan@example.org");
    let long = "x".repeat(5_000);
    for (field, value) in [
        ("first_name", ""),
        ("first_name", " \u{202e} "),
        ("last_name", "\0"),
        ("email", ""),
        ("email", "joan"),
        ("email", "joan@"),
        ("email", "a@b.co,c@d.co"),
        ("address", ""),
        ("city", ""),
        ("region", ""),
        ("postal", ""),
        ("country", ""),
        ("country", "XX"),
        ("country", "us"),
        ("employer", ""),
        ("occupation", ""),
        ("first_name", &long),
        ("last_name", &long),
        ("address", &long),
        ("postal", &long),
        ("message", &long),
        ("email", &long),
        ("employer", &long),
    ] {
        let answer = server.post("/r/call/donate", &with(&form, field, value)).await;
        assert_eq!(answer.status, 422, "{field}");
        assert!(answer.text().contains(&format!("{field}-error")), "{field} is named");
    }
    let without: Vec<_> = form.iter().copied().filter(|(_, value)| *value != "own-card-1").collect();
    let answer = server.post("/r/call/donate", &without).await;
    assert!(answer.status == 422 && answer.text().contains("attest-error"));
    let refcode = "r".repeat(65);
    assert_eq!(server.post("/r/call/donate", &with(&form, "refcode", &refcode)).await.status, 422);
    assert_eq!(server.post("/r/call/donate", &[]).await.status, 422);
    for (name, email, postal) in [
        ("", "a@b.co", ""),
        ("Joan", "", ""),
        ("Joan", "nobody", ""),
        (&long[..121], "a@b.co", ""),
        ("Joan", "a@b.co", &long[..17]),
    ] {
        let answer = server.post("/r/call/join", &[("name", name), ("email", email), ("postal", postal)]).await;
        assert_eq!(answer.status, 422, "{name:.9} {email} {postal:.9}");
        assert!(answer.text().contains("-error"));
    }
    assert_eq!(state(server).await["joined"], 0);
    server.is_well().await;
}

#[tokio::test]
async fn what_the_page_sends_along_refuses_nobody_and_is_believed_in_nothing() {
    let house = House::new().await;
    let server = &house.server;
    let long = "x".repeat(5_000);
    let mut expected = 0;
    for field in ["via", "opened", "known", "form_token", "effort", "solution", "cover_fee", "show_as", "not_employed"]
    {
        for value in ["", "nonsense", "\u{202e}\0", &long] {
            let email = format!("{field}{}@example.org", value.len());
            let answer = server.post("/r/call/donate", &with(&gift("25", &email), field, value)).await;
            assert_eq!(answer.status, 303, "{field} {value:.20?}: {}", answer.text());
            expected += 1;
        }
    }
    let events = run(&["log", "tail", "-n", "1000"], &house.data());
    let events = String::from_utf8(events.stdout).unwrap();
    let pledges: Vec<serde_json::Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let pledges: Vec<_> = pledges.iter().filter(|event| event["kind"] == "donation.pledged").collect();
    assert_eq!(pledges.len(), expected);
    for pledge in pledges {
        assert!(pledge["data"]["came"].is_null(), "nobody saw them come: {pledge}");
        assert!(!pledge.to_string().contains("nonsense") && !pledge.to_string().contains("xxx"), "{pledge}");
    }
    for (field, value) in [
        ("alias", ""),
        ("alias", &long[..41]),
        ("region", &long),
        ("city", &long),
        ("occupation", &long),
        ("attest", "own-card-1"),
        ("amount", "-1"),
        ("refcode", &long[..65]),
    ] {
        let mut form = with(&gift("25", "joan@example.org"), field, value);
        if field == "alias" {
            form = with(&form, "show_as", "alias");
        }
        let answer = server.post("/r/call/donate", &form).await;
        let named = if ["amount", "refcode"].contains(&field) { "amount_other" } else { field };
        assert_eq!(answer.status, 422, "{field}");
        assert!(answer.text().contains(&format!("{named}-error")), "{field}: {}", answer.text());
        assert!(answer.text().contains("value=\"Petrie\""), "{field}: what was typed is gone");
    }
    let mut abroad = with(&gift("25", "joan@example.org"), "country", "DE");
    for passport in ["", "1", "no passport!", &long] {
        let answer = server.post("/r/call/donate", &with(&abroad, "passport", passport)).await;
        assert!(answer.status == 422 && answer.text().contains("passport-error"), "{passport:.20}");
    }
    abroad.push(("passport", "C01234567"));
    assert_eq!(server.post("/r/call/donate", &abroad).await.status, 303);
    server.is_well().await;
}

/// Text as a page shows it.
fn escaped(text: &str) -> String {
    let escape = |c: char| match c {
        '<' | '>' | '&' | '"' | '\'' => format!("&#{};", u32::from(c)),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}

fn holds(dir: &Path, needle: &str) -> bool {
    std::fs::read_dir(dir).unwrap().flatten().any(|entry| {
        if entry.file_type().unwrap().is_dir() {
            return holds(&entry.path(), needle);
        }
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
    })
}

/// Fields with text of their own in the page, by what may stand in each.
const TEXTS: &[&str] =
    &["first_name", "last_name", "email", "address", "city", "region", "postal", "employer", "occupation", "alias"];

#[tokio::test]
async fn whatever_is_sent_is_answered_and_a_card_stays_nowhere() {
    let house = House::new().await;
    let server = &house.server;
    const CARDS: [&str; 4] = ["4242424242424242", "5555555555554444", "378282246310005", "6011111111111117"];
    let between = select(&["", " ", "-", " - ", "\u{a0}", "\u{0}", "–"][..]);
    let card = (select(&CARDS[..]), between, any::<bool>()).prop_map(|(card, between, behind)| {
        let digits: Vec<char> = card.chars().collect();
        let groups: Vec<String> = digits.chunks(4).map(|group| group.iter().collect()).collect();
        format!("{}{}", groups.join(between), if behind { " 12/30 123" } else { "" })
    });
    let text =
        prop_oneof![any::<String>(), "[a-z<>&'\"]{0,12}", (0..4_000_usize).prop_map(|length| "y".repeat(length))];
    let others =
        ["amount", "amount_other", "message", "country", "refcode", "form_token", "known", "opened", "via", "attest"];
    let fields: Vec<&str> = TEXTS.iter().chain(&others).copied().collect();
    let field = select(fields);
    let sent = (
        proptest::collection::vec((field.clone(), text), 0..5),
        proptest::option::weighted(0.6, (field, card)),
        any::<bool>(),
    );
    let mut runner = TestRunner::deterministic();
    let (mut seen, mut typed_cards) = (BTreeSet::new(), BTreeSet::new());
    for number in 0..80 {
        let (changes, card, doubled) = sent.new_tree(&mut runner).unwrap().current();
        let email = format!("donor{number}@example.org");
        let mut form: Vec<(&str, &str)> = gift("25", &email);
        for (name, value) in changes.iter().map(|(name, value)| (*name, value.as_str())) {
            form = if doubled { [form, vec![(name, value)]].concat() } else { with(&form, name, value) };
        }
        form.extend(card.iter().map(|(name, value)| (*name, value.as_str())));
        let answer = server.post("/r/call/donate", &form).await;
        let page = answer.text();
        assert!([303, 422].contains(&answer.status), "{}: {form:?}", answer.status);
        seen.insert(answer.status);
        if let Some((name, typed)) = &card {
            typed_cards.insert(typed.clone());
            assert!(!page.contains(&escaped(typed)) || typed.contains('\0'), "{name} is echoed: {typed:?}");
            assert!(!CARDS.iter().any(|card| page.contains(card)), "{name} is echoed: {typed:?}");
            let named = if *name == "amount" { "amount_other" } else { name };
            let is_typed = TEXTS.contains(name) || ["amount", "amount_other", "message"].contains(name);
            assert!(!is_typed || page.contains(&format!("{named}-error")), "{name} is not named: {typed:?}");
        }
        if answer.status == 422 {
            assert!(page.contains("-error\"") || page.contains("data-effort"), "no word on what is wrong: {form:?}");
            let parsed = groundswell::web::form::Form::parse(encode(&form).as_bytes());
            for name in TEXTS.iter().filter(|name| card.as_ref().is_none_or(|(held, _)| held != *name)) {
                let kept = format!("value=\"{}\"", escaped(&parsed.get(name)));
                assert!(page.contains(&kept), "{name} lost {kept:.60}");
            }
        }
    }
    assert_eq!(seen.len(), 2, "each answer is met");
    // In the address of the form, and in place of a card's token.
    let asked = server.get("/r/call/donate?first_name=4242%204242%204242%204242&amount=4242424242424242").await;
    assert!(asked.status == 200 && !asked.text().contains("4242 4242"), "{}", asked.text());
    let donation = pledge(server, "25", "joan@example.org").await;
    for method in ["4242424242424242", "4242-4242-4242-4242"] {
        let by_form = server.post(&format!("{donation}/pay"), &[("method", method)]).await;
        let kind = [("content-type", "application/json")];
        let body = serde_json::json!({ "method": method }).to_string();
        let by_script = server.send("POST", &format!("{donation}/pay"), &kind, body.as_bytes()).await;
        assert_eq!((by_form.status, by_script.status), (409, 409));
        assert!(!by_form.text().contains(method) && !by_script.text().contains(method));
    }
    server.is_well().await;
    let data = house.data();
    let csv = run(&["export", "csv"], &data);
    assert!(csv_rows(&csv.stdout).is_empty(), "nothing was paid");
    let printed = server.printed();
    let log = run(&["log", "tail", "-n", "10000"], &data);
    let log = String::from_utf8(log.stdout).unwrap();
    house.server.stop();
    for number in CARDS.iter().map(|card| (*card).to_owned()).chain(typed_cards) {
        assert!(!printed.contains(&number), "{number} was printed");
        assert!(!log.contains(&number), "{number} is in the log");
        assert!(!holds(&data, &number), "{number} is in the data folder");
    }
}

#[tokio::test]
async fn names_of_every_script_are_shown_right_and_tricks_are_taken_out() {
    let house = House::new().await;
    let server = &house.server;
    let table = [
        ("Zoë 🩺", "Zoë 🩺"),
        ("ليلى", "ليلى"),
        ("👩🏽\u{200d}⚕\u{fe0f}", "👩🏽\u{200d}⚕\u{fe0f}"),
        ("नमस्ते", "नमस्ते"),
        ("\u{202e}evil\u{2066}", "evil"),
        ("a\0b\u{7}c\u{feff}", "abc"),
        ("  two\t\u{a0}words  ", "two  words"),
        ("<b>&\"'", "&#60;b&#62;&#38;&#34;&#39;"),
    ];
    for (number, (typed, shown)) in table.into_iter().enumerate() {
        let email = format!("p{number}@example.org");
        let form = with(&gift("25", &email), "first_name", typed);
        let answer = server.post("/r/call/donate", &form).await;
        assert_eq!(answer.status, 303, "{typed:?}");
        let donation = answer.header("location");
        assert_eq!(pay(server, &donation, "simulated_ok").await["state"], "settled");
        let thanks = server.get(&donation).await.text();
        assert!(thanks.contains(&format!("Thank you, <bdi>{shown}</bdi>")), "{typed:?}: {thanks}");
        let feed = state(server).await["parts"]["feed"].as_str().unwrap().to_owned();
        assert!(feed.contains(shown), "{typed:?}: {feed}");
        let joined = server.post("/r/call/join", &[("name", typed), ("email", &email)]).await;
        let page = server.get_as(&joined.cookie(), "/r/call").await.text();
        assert!(page.contains(shown), "{typed:?}");
        for trick in ['\u{202e}', '\u{2066}', '\u{feff}', '\0', '\u{7}'] {
            assert!(!thanks.contains(trick) && !feed.contains(trick) && !page.contains(trick), "{typed:?}");
        }
    }
    let csv = crate::server::run(&["export", "csv"], &house.data());
    let rows = crate::server::csv_rows(&csv.stdout);
    let names: Vec<_> = rows.iter().map(|row| row["first_name"].as_str()).collect();
    assert_eq!(names[..5], ["Zoë 🩺", "ليلى", "👩🏽\u{200d}⚕\u{fe0f}", "नमस्ते", "evil"]);
}

#[tokio::test]
async fn bytes_that_are_no_form_change_nothing() {
    let house = House::new().await;
    let server = &house.server;
    let many: String = (0..10_000).map(|number| format!("f{number}=1&")).collect();
    let large = format!("name={}", "x".repeat(70_000));
    let pieces: &[(&str, &[u8], u16)] = &[
        ("malformed percent", b"name=%zz%&email=%", 422),
        ("invalid UTF-8", b"name=\xff\xfe&email=\xc3\x28", 422),
        ("encoded invalid UTF-8", b"name=%ff%fe&email=%c3%28", 422),
        ("binary", &[0, 1, 2, 255, 254, 10, 13], 422),
        ("JSON", br#"{"name":"Joan","email":"joan@example.org"}"#, 422),
        ("nothing", b"", 422),
        ("only separators", b"&&&===&=&", 422),
        ("too many fields", many.as_bytes(), 422),
        ("too large", large.as_bytes(), 413),
    ];
    for path in ["/r/call/join", "/r/call/donate", "/host/sign-in"] {
        for (case, body, status) in pieces {
            // 10,000 fields fit neither form: they are too large as well.
            let status = if body.len() > 64 * 1024 { 413 } else { *status };
            let answer = server.send("POST", path, &[], body).await;
            assert_eq!(answer.status, status, "{case} to {path}: {}", answer.text());
        }
    }
    let joined = format!("{}&name=Joan&email=joan@example.org", "f=1&".repeat(10_000));
    assert_eq!(
        server.send("POST", "/r/call/join", &[], joined.as_bytes()).await.status,
        422,
        "beyond the hundredth field"
    );
    let donation = pledge(server, "25", "joan@example.org").await;
    for (kind, body) in [
        ("application/json", &b"{"[..]),
        ("application/json", b"[7]"),
        ("application/json", b"{\"method\":7}"),
        ("application/json", b"\xff"),
        ("application/json", &[b'['; 60_000]),
    ] {
        let answer = server.send("POST", &format!("{donation}/pay"), &[("content-type", kind)], body).await;
        assert_eq!(answer.status, 400, "{:?}", String::from_utf8_lossy(&body[..body.len().min(20)]));
    }
    for method in ["", &"m".repeat(256)] {
        let answer = server.post(&format!("{donation}/pay"), &[("method", method)]).await;
        assert_eq!(answer.status, 409, "{method:.3}");
    }
    let strange = pay(server, &donation, "pm_\u{202e}").await;
    assert_eq!(strange["state"], "declined", "{strange}");
    assert_eq!(pay(server, &donation, "simulated_ok").await["state"], "settled");
    assert_eq!(state(server).await["raised_minor"], 2500);
    server.is_well().await;
}

#[tokio::test]
async fn addresses_that_lead_nowhere_or_elsewhere() {
    let house = House::new().await;
    let server = &house.server;
    house.owner.make_rally(server, "other").await;
    let donation = pledge(server, "25", "joan@example.org").await;
    let id = donation.rsplit('/').next().unwrap();
    let elsewhere = format!("/r/other/donate/{id}");
    let elsewhere_pay = format!("{elsewhere}/pay");
    assert_eq!(server.post(&elsewhere_pay, &[("method", "simulated_ok")]).await.status, 404);
    let unknown = "/r/call/donate/0192f3c4-5b6a-7c8d-9e0f-112233445566";
    assert_eq!(server.post(&format!("{unknown}/pay"), &[("method", "simulated_ok")]).await.status, 404);
    for path in [
        elsewhere.as_str(),
        unknown,
        "/r/call/donate/x",
        "/r/call/donate/..%2f..",
        "/r/none",
        "/r/none/live",
        "/r/none/live.json",
        "/r/%00",
        "/r/call%2f..",
        "/static/../Cargo.toml",
        "/static/..%2f..%2fCargo.toml",
        "/static/%2e%2e/x",
        "/static/",
        "/static//etc/passwd",
        "/static/....//x",
        "/r/call/program/../../secret",
        "/r/call/program/..%2f..%2fmaster.key",
        "/r/call/program/%2e%2e%2findex.m3u8",
        "/r/call/program/index.m3u8%00",
        "/r/call/program/x.mp4",
        "/.env",
        "/.git/config",
        "/wp-login.php",
        "/api/v2",
        "//evil.example",
        "/r/call/overlay/none",
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text().contains("There is nothing here"), "{path}: {}", answer.text());
        let program = server.send("GET", path, &[("accept", "application/json")], b"").await;
        assert_eq!(
            (program.status, program.header("content-type").as_str()),
            (404, "application/problem+json"),
            "{path}"
        );
    }
    for path in ["/r/%ff", "/r/call/donate/%ff"] {
        let status = server.get(path).await.status;
        assert!([400, 404].contains(&status), "{path}: {status}");
    }
    for (method, path) in [("DELETE", "/r/call"), ("PUT", "/host"), ("POST", "/r/call"), ("BREW", "/"), ("TRACE", "/")]
    {
        let answer = server.send(method, path, &[], b"").await;
        assert_eq!(answer.status, 405, "{method} {path}");
    }
    server.is_well().await;
}

/// A generator good enough for nonsense, the same in every run.
struct Noise(u64);

impl Noise {
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut next = || {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as u8
        };
        (0..length).map(|_| next()).collect()
    }
}

#[tokio::test]
async fn heads_that_smuggle_or_break_are_refused() {
    let house = House::new().await;
    let server = &house.server;
    let huge = format!("GET / HTTP/1.1\r\nhost: a\r\ncookie: {}\r\n\r\n", "c".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "a: b\r\n".repeat(500));
    let long_path = format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "p".repeat(100_000));
    let hidden = "GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n";
    let both = format!(
        "POST /r/call/join HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"
    );
    let twice = format!(
        "POST /r/call/join HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\ncontent-length: {}\r\n\r\n{hidden}",
        hidden.len()
    );
    for (case, bytes) in [
        ("two lengths", twice.as_bytes()),
        ("length and chunks", both.as_bytes()),
        ("a negative length", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n"),
        ("a huge length", b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999999999999\r\n\r\n"),
        ("a space before the colon", b"GET / HTTP/1.1\r\nhost : a\r\n\r\n"),
        ("a folded header", b"GET / HTTP/1.1\r\nhost: a\r\n folded: b\r\n\r\n"),
        ("a NUL", b"GET / HTTP/1.1\r\nhost: a\0b\r\n\r\n"),
        ("no version", b"GET /\r\n\r\n"),
        ("another version", b"GET / HTTP/9.9\r\n\r\n"),
        ("another protocol", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        ("a chunk of no number", b"POST /r/call/join HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nx"),
        ("an unknown coding", b"POST /r/call/join HTTP/1.1\r\nhost: a\r\ntransfer-encoding: cow\r\n\r\n"),
        ("too large a head", huge.as_bytes()),
        ("too many headers", many.as_bytes()),
        ("too long a path", long_path.as_bytes()),
    ] {
        let bytes = server.raw(server.http, bytes, BRIEFLY).await;
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("200 OK") && !text.contains(" 303 "), "{case}: {text}");
        assert!(text.matches("HTTP/1.").count() <= 1, "{case}: answered more than one request: {text}");
        if let Some(answer) = Answer::read(&bytes) {
            assert!((400..=431).contains(&answer.status) || answer.status == 501, "{case}: {}", answer.head);
        }
    }
    assert_eq!(state(server).await["joined"], 0);
    server.is_well().await;
}

/// Waits until the server closes a connection; how long that took.
async fn closed(mut socket: TcpStream, what: &str) -> Duration {
    let begun = Instant::now();
    let mut rest = vec![];
    let ended = tokio::time::timeout(Duration::from_secs(40), socket.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "{what} is held open");
    begun.elapsed()
}

#[tokio::test]
async fn who_says_nothing_is_not_waited_for() {
    let house = House::new().await;
    let server = &house.server;
    let mut waiting = vec![];
    for (what, to, bytes) in [
        ("a silent connection", server.http, &b""[..]),
        ("one letter", server.http, b"G"),
        ("half a head", server.http, b"GET / HTTP/1.1\r\nhost: a\r\ncookie: "),
        ("half of HTTP/2", server.http, b"PRI * HTTP/2.0\r\n"),
        ("HTTP/2 without settings", server.http, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("a silent encoder", server.rtmp, b""),
        ("half a handshake", server.rtmp, b"\x03\0\0\0\0"),
    ] {
        let mut socket = TcpStream::connect(to).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        waiting.push(tokio::spawn(closed(socket, what)));
    }
    // Everybody else is served meanwhile.
    let begun = Instant::now();
    give(server, "25", "joan@example.org").await;
    assert!(begun.elapsed() < Duration::from_secs(10));
    for waiting in waiting {
        waiting.await.unwrap();
    }
    server.is_well().await;
}

async fn nonsense(server: &Server, rounds: usize, noise: &mut Noise) {
    let form = gift("-1", "joan@example.org");
    for round in 0..rounds {
        let bytes = noise.bytes(1 + round % 700);
        server.raw(server.http, &bytes, Duration::from_secs(20)).await;
        server
            .raw(server.rtmp, &[&b"\x03"[..], &noise.bytes(round * 7 % 3000)].concat(), Duration::from_millis(20))
            .await;
        server.send("POST", "/r/call/donate", &[], &noise.bytes(300)).await;
        server.send("POST", "/webhooks/stripe", &[("stripe-signature", "t=1,v1=00")], &noise.bytes(300)).await;
        assert_eq!(server.post("/r/call/donate", &form).await.status, 422);
        let path = format!("/r/call/donate/{:032x}", round);
        assert_eq!(server.get(&path).await.status, 404);
        let wrong = encode(&[("name", ""), ("email", &"e".repeat(round * 11 % 9000))]);
        assert_eq!(server.send("POST", "/r/call/join", &[], wrong.as_bytes()).await.status, 422);
    }
}

#[tokio::test]
async fn thousands_of_bad_requests_leave_memory_flat() {
    let house = House::new().await;
    let server = &house.server;
    give(server, "25", "joan@example.org").await;
    let mut noise = Noise(7);
    nonsense(server, 60, &mut noise).await;
    let before = server.memory_kib();
    nonsense(server, 500, &mut noise).await;
    let after = server.memory_kib();
    assert!(after < before + GROWTH_KIB_MAX, "{before} KiB before, {after} KiB after");
    assert_eq!(state(server).await["raised_minor"], 2500);
    server.is_well().await;
}
