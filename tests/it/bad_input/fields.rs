//! Fields of a form: amounts that are none, what is missing or absurd, what nobody typed, and names of every script.

use super::with;
use crate::server::{House, csv_rows, gift, give, pay, run, state};

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
    let csv = run(&["export", "csv"], &house.data());
    let rows = csv_rows(&csv.stdout);
    let names: Vec<_> = rows.iter().map(|row| row["first_name"].as_str()).collect();
    assert_eq!(names[..5], ["Zoë 🩺", "ليلى", "👩🏽\u{200d}⚕\u{fe0f}", "नमस्ते", "evil"]);
}
