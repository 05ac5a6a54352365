//! Whatever is sent in whichever field is answered, and a card's number stays nowhere.

use super::with;
use crate::server::{House, csv_rows, encode, gift, pledge, run};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::BTreeSet;
use std::path::Path;

/// Fields with text of their own in the page, by what may stand in each.
const TEXTS: &[&str] =
    &["first_name", "last_name", "email", "address", "city", "region", "postal", "employer", "occupation", "alias"];

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
