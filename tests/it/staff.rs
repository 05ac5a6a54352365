//! Who may do what: sessions, roles, forms from elsewhere, and doors that must not be guessed open.

use crate::server::{House, PASSWORD, Staff, encode, gift, give, run_with_input, said};

fn add(house: &House, email: &str, role: &str) {
    let added = run_with_input(
        &["staff", "add", "--email", email, "--name", "Somebody", "--role", role],
        &house.data(),
        &format!("{PASSWORD}\n"),
    );
    assert!(added.status.success(), "{}", said(&added));
}

#[tokio::test]
async fn each_role_opens_its_own_doors_only() {
    let house = House::new().await;
    let server = &house.server;
    let donation = give(server, "25", "joan@example.org").await;
    add(&house, "host@example.org", "host");
    add(&house, "finance@example.org", "finance");
    let host = Staff::sign_in(server, "host@example.org").await;
    let finance = Staff::sign_in(server, "finance@example.org").await;
    let refund = format!("/finance/donations/{}/refund", donation.rsplit('/').next().unwrap());
    for (path, of_host, of_finance) in [
        ("/host", 200, 403),
        ("/host/new", 200, 403),
        ("/host/r/call", 200, 403),
        ("/host/r/call/edit", 200, 403),
        ("/host/r/call/live.json", 200, 403),
        ("/finance", 403, 200),
        ("/finance/donations.csv", 403, 200),
    ] {
        assert_eq!(server.get_as(&host.cookie, path).await.status, of_host, "host at {path}");
        assert_eq!(server.get_as(&finance.cookie, path).await.status, of_finance, "finance at {path}");
        assert_eq!(server.get_as(&house.owner.cookie, path).await.status, 200, "owner at {path}");
        let stranger = server.get(path).await;
        assert_eq!(stranger.status, 303, "stranger at {path}");
        assert_eq!(stranger.header("location"), format!("/host/sign-in?next={path}"));
        let program = server.send("GET", path, &[("accept", "application/json")], b"").await;
        assert_eq!((program.status, program.json()["type"].as_str().unwrap()), (401, "/problems/sign-in"));
    }
    assert_eq!(finance.post(server, "/host/r/call/open", &[]).await.status, 403);
    assert_eq!(host.post(server, &refund, &[("amount", "25")]).await.status, 403);
    let question = finance.post(server, &refund, &[("amount", "10")]).await;
    assert!(question.status == 200 && question.text().contains("undone"), "{}", question.text());
    assert_eq!(crate::server::state(server).await["raised_minor"], 2500, "asked first");
    let (id, sent) = ("0192f3c4-9999-7c8d-9e0f-aabbccddeeff", "10");
    for amount in ["-1", "0", "25.01", "x", "1e1"] {
        let answer = finance.post(server, &refund, &[("refund", id), ("amount", amount)]).await;
        assert!([400, 409].contains(&answer.status), "{amount}: {}", answer.status);
    }
    // The button pressed twice is one refund.
    for _ in 0..2 {
        assert_eq!(finance.post(server, &refund, &[("refund", id), ("amount", sent)]).await.status, 303);
    }
    assert_eq!(crate::server::state(server).await["raised_minor"], 1500);
    house.server.is_well().await;
}

#[tokio::test]
async fn forms_from_elsewhere_are_turned_away() {
    let house = House::new().await;
    let (server, owner) = (&house.server, &house.owner);
    let own = format!("http://{}", server.http);
    let joan = encode(&[("name", "Joan"), ("email", "joan@example.org")]);
    for (name, value, status) in [
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
        ("origin", &format!("{own}.evil.example"), 403),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("sec-fetch-site", "same-origin", 303),
        ("sec-fetch-site", "none", 303),
        ("origin", &own, 303),
    ] {
        for path in ["/r/call/join", "/r/call/donate"] {
            let body = if path.ends_with("join") { joan.clone() } else { encode(&gift("25", "joan@example.org")) };
            let answer = server.send("POST", path, &[(name, value)], body.as_bytes()).await;
            assert_eq!(answer.status, status, "{name}: {value} to {path}");
        }
    }
    let cookie = owner.cookie.as_str();
    let new = [("name", "Zed"), ("role", "x")];
    for path in [
        "/host/new",
        "/host/r/call/edit",
        "/host/r/call/open",
        "/host/r/call/end",
        "/host/r/call/program",
        "/host/r/call/speakers",
        "/host/sign-out",
    ] {
        for csrf in [None, Some(""), Some("wrong"), Some(&owner.csrf[1..])] {
            let form: Vec<_> = new.iter().copied().chain(csrf.map(|csrf| ("csrf", csrf))).collect();
            let answer = server.post_as(cookie, path, &form).await;
            assert_eq!(answer.status, 403, "{path} with {csrf:?}");
        }
    }
    let page = server.get_as(cookie, "/host/r/call").await;
    assert_eq!(page.status, 200, "nobody was signed out");
    assert!(!page.text().contains("Zed") && page.text().contains("Open the doors"), "{}", page.text());
    for forged in [
        "groundswell_staff=",
        "groundswell_staff=a.b",
        "groundswell_staff=....",
        &format!("{cookie}x"),
        &cookie[..cookie.len() - 1],
    ] {
        assert_eq!(server.get_as(forged, "/host").await.status, 303, "{forged}");
    }
    assert_eq!(owner.post(server, "/host/sign-out", &[]).await.status, 303);
    assert_eq!(server.get_as(cookie, "/host").await.status, 303, "a session that was signed out");
}

#[tokio::test]
async fn signing_in_leads_only_to_our_own_pages() {
    let house = House::new().await;
    let server = &house.server;
    for (next, leads_to) in [
        ("/finance", "/finance"),
        ("/host/r/call?x=1", "/host/r/call?x=1"),
        ("", "/host"),
        ("//evil.example", "/host"),
        ("/\\evil.example", "/host"),
        ("https://evil.example", "/host"),
        ("\\\\evil.example", "/host"),
        ("javascript:alert(1)", "/host"),
        ("/\u{1}/evil.example", "/host"),
        ("\u{202e}//evil.example", "/host"),
        // A browser reads a space inside an address as part of our own path.
        ("/\t/evil.example", "/ /evil.example"),
        ("/%0d%0aset-cookie:a=b", "/%0d%0aset-cookie:a=b"),
    ] {
        let form = [("email", "ana@example.org"), ("password", PASSWORD), ("next", next)];
        let answer = server.post("/host/sign-in", &form).await;
        assert_eq!((answer.status, answer.header("location").as_str()), (303, leads_to), "{next:?}");
    }
    let page = server.get("/host/sign-in?next=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").await.text();
    assert!(!page.contains("<script>alert"), "{page}");
}

#[tokio::test]
async fn passwords_are_not_guessed_and_the_first_link_works_once() {
    let house = House::new().await;
    let server = &house.server;
    let printed = server.printed();
    let link = printed[printed.find("/host/first/").unwrap()..].split_whitespace().next().unwrap();
    let form = [("name", "Mallory"), ("email", "mallory@example.org"), ("password", PASSWORD)];
    for link in [link, "/host/first/", "/host/first/0000"] {
        assert!([404, 409].contains(&server.post(link, &form).await.status), "{link}");
    }
    let wrong = |email: &'static str| [("email", email), ("password", "not her pass phrase")];
    for _ in 0..10 {
        assert_eq!(server.post("/host/sign-in", &wrong("ana@example.org")).await.status, 422);
    }
    assert_eq!(server.post("/host/sign-in", &wrong("ana@example.org")).await.status, 429);
    let right = [("email", "ANA@example.org "), ("password", PASSWORD)];
    assert_eq!(server.post("/host/sign-in", &right).await.status, 429, "not even the right one, for a while");
    let nobody = server.post("/host/sign-in", &wrong("nobody@example.org")).await;
    assert_eq!(nobody.status, 422, "others still may try");
    let long = "p".repeat(60_000);
    assert_eq!(server.post("/host/sign-in", &[("email", "x@example.org"), ("password", &long)]).await.status, 422);
    assert_eq!(server.get_as(&house.owner.cookie, "/host").await.status, 200, "who is signed in stays so");
}
