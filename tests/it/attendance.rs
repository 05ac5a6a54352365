//! Attendance over sockets: who registered, came and left, what the files say of them, who may have the files, and who agreed.

use crate::server::{
    Answer, House, PASSWORD, Server, Staff, give, rally_form, run, run_with_input, said, state, until,
};
use std::collections::HashMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const AGREES: (&str, &str) = ("agree", "updates-1");

/// Registers at a rally; the cookie by which the visitor is known.
async fn register(server: &Server, rally: &str, name: &str, email: &str, more: &[(&str, &str)]) -> String {
    let form = [&[("name", name), ("email", email)], more].concat();
    let answer = server.post(&format!("/r/{rally}/join"), &form).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.cookie()
}

/// Opens a rally's page and its live connection, which lasts as long as this value.
async fn come(server: &Server, rally: &str, cookie: &str) -> TcpStream {
    let mut socket = TcpStream::connect(server.http).await.unwrap();
    let head = format!("GET /r/{rally}/live HTTP/1.0\r\nhost: {}\r\ncookie: {cookie}\r\n\r\n", server.http);
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 512];
    assert!(socket.read(&mut first).await.unwrap() > 0);
    socket
}

async fn here(server: &Server) -> u64 {
    state(server).await["here"].as_u64().unwrap()
}

type Row = HashMap<String, String>;

fn rows(file: &Answer) -> Vec<Row> {
    assert_eq!(
        (file.status, file.header("content-type").as_str()),
        (200, "text/csv; charset=utf-8"),
        "{}",
        file.text()
    );
    csv::Reader::from_reader(file.body.as_slice()).deserialize().map(Result::unwrap).collect()
}

async fn file(house: &House, path: &str) -> Vec<Row> {
    rows(&house.server.get_as(&house.owner.cookie, path).await)
}

fn of<'a>(rows: &'a [Row], column: &str) -> Vec<&'a str> {
    rows.iter().map(|row| row[column].as_str()).collect()
}

#[tokio::test]
async fn the_attendee_report_says_who_came_when_and_from_where() {
    let house = House::new().await;
    let server = &house.server;
    let names = [
        ("Jean \"JJ\" O’Neil, Jr.", "jean@example.org"),
        ("=HYPERLINK(\"http://x\")", "formula@example.org"),
        ("ليلى حداد 👩‍🏫", "layla@example.org"),
    ];
    let link = [("via", "shared"), ("refcode", "@nurses"), ("postal", "01234")];
    let first = register(server, "call", names[0].0, names[0].1, &link).await;
    let second = register(server, "call", names[1].0, names[1].1, &[("via", "qr")]).await;
    register(server, "call", names[2].0, names[2].1, &[]).await;
    // Two pages of one person are one person; who waits at the closed doors is in the room when they open.
    let (page, other) = (come(server, "call", &first).await, come(server, "call", &first).await);
    until("she waits", || async { here(server).await == 1 }).await;
    assert_eq!(house.owner.post(server, "/host/r/call/open", &[]).await.status, 303);
    let late = come(server, "call", &second).await;
    until("both are here", || async { here(server).await == 2 }).await;
    drop(other);
    assert_eq!(house.owner.post(server, "/host/r/call/end", &[]).await.status, 303);
    let report = file(&house, "/finance/exports/attendance?rally=call").await;
    assert_eq!(of(&report, "attended"), ["Yes", "Yes", "No"]);
    assert_eq!(of(&report, "name"), [names[0].0, "'=HYPERLINK(\"http://x\")", names[2].0]);
    assert_eq!(of(&report, "refcode"), ["'@nurses", "", ""]);
    assert_eq!(of(&report, "source"), ["link", "qr", "rally"]);
    assert_eq!(of(&report, "postal"), ["01234", "", ""]);
    for row in &report[..2] {
        assert!(!row["join_time"].is_empty() && row["join_time"] <= row["leave_time"], "{row:?}");
        assert!(row["minutes"].parse::<u64>().unwrap() <= 1 && row["time_zone"] == "America/New_York", "{row:?}");
    }
    assert_eq!((&report[2]["join_time"], &report[2]["minutes"]), (&String::new(), &String::new()));
    assert!(report.iter().all(|row| row["is_guest"] == "Yes" && row["registration_time"].len() == 19));
    let page_text = server.get_as(&house.owner.cookie, "/host/r/call/attendance").await.text();
    assert!(page_text.contains("ref @nurses") && page_text.contains("QR code on the picture"), "{page_text}");
    drop((page, late));
    house.server.is_well().await;
}

#[tokio::test]
async fn whom_staff_invited_begins_the_funnel_and_stands_beside_its_link() {
    let house = House::new().await;
    let server = &house.server;
    let page = || async { server.get_as(&house.owner.cookie, "/host/r/call/attendance").await.text() };
    let at = "/host/r/call/attendance/invited";
    let count = |refcode: &'static str, people: &'static str| {
        let owner = &house.owner;
        async move { owner.post(server, at, &[("refcode", refcode), ("people", people)]).await }
    };
    assert!(page().await.contains("Nobody yet"));
    assert_eq!(count("nurses-23", "90,000").await.status, 303);
    assert_eq!(count("", "500").await.status, 303);
    register(server, "call", "Joan", "joan@example.org", &[("refcode", "nurses-23")]).await;
    // The last count of a link is the one that stands, also after a restart.
    assert_eq!(count("nurses-23", "84,000").await.status, 303);
    for wrong in ["many", "", "-5", "1000000001"] {
        let answer = count("a-link", wrong).await;
        let text = answer.text();
        assert_eq!(answer.status, 422, "{wrong}: {text}");
        assert!(text.contains("as a whole number") && text.contains("value=\"a-link\""), "{wrong}: {text}");
    }
    let long = "x".repeat(500);
    assert_eq!(house.owner.post(server, at, &[("refcode", &long), ("people", "5")]).await.status, 422);
    let before = page().await;
    let house = house.again(Server::kill);
    let text = house.server.get_as(&house.owner.cookie, "/host/r/call/attendance").await.text();
    for words in [
        "84,500",
        "of those who were invited",
        "ref nurses-23",
        "data-th=\"Invited\">84,000<",
        "data-th=\"Invited\">500<",
    ] {
        assert!(text.contains(words) && before.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("90,000"), "{text}");
    let stranger = house.server.post(at, &[("people", "5")]).await;
    assert!([303, 403].contains(&stranger.status), "only staff counts");
    assert!(!house.server.get_as(&house.owner.cookie, "/host/r/call/attendance").await.text().contains(">5<"));
}

#[tokio::test]
async fn a_crash_ends_stays_with_what_was_heard_last() {
    let house = House::new().await;
    let joan = register(&house.server, "call", "Joan", "joan@example.org", &[]).await;
    assert_eq!(house.owner.post(&house.server, "/host/r/call/open", &[]).await.status, 303);
    let page = come(&house.server, "call", &joan).await;
    until("she is here", || async { here(&house.server).await == 1 }).await;
    let before = file(&house, "/finance/exports/attendance?rally=call").await;
    assert_eq!((before.len(), before[0]["leave_time"].as_str()), (1, ""), "she is still there");
    let house = house.again(Server::kill);
    drop(page);
    let cut_off = file(&house, "/finance/exports/attendance?rally=call").await;
    assert_eq!((cut_off.len(), &cut_off[0]["join_time"]), (1, &before[0]["join_time"]));
    assert!(!cut_off[0]["leave_time"].is_empty());
    let back = come(&house.server, "call", &joan).await;
    until("she is back", || async { here(&house.server).await == 1 }).await;
    let report = file(&house, "/finance/exports/attendance?rally=call").await;
    assert_eq!((report.len(), report[1]["leave_time"].as_str()), (2, ""), "a line a stay");
    drop(back);
    house.server.stop();
}

#[tokio::test]
async fn only_who_agreed_stands_in_the_contacts_each_once() {
    let house = House::new().await;
    let server = &house.server;
    house.owner.make_rally(server, "second").await;
    let joan = register(server, "call", "Joan, \"J\" Petrie", "joan@example.org", &[AGREES]).await;
    let omar = register(server, "call", "Omar", "omar@example.org", &[]).await;
    register(server, "second", "Joan again", "joan@example.org", &[AGREES]).await;
    register(server, "second", "Zoë", "zoe@example.org", &[AGREES]).await;
    let at = |path: &'static str| file(&house, path);
    let agreed = at("/finance/exports/contacts?rally=call").await;
    assert_eq!((of(&agreed, "name"), of(&agreed, "wording")), (vec!["Joan, \"J\" Petrie"], vec!["updates-1"]));
    assert!(
        agreed[0]["words"].starts_with("E-mail me news") && agreed[0]["agreed_at_utc"].ends_with('Z'),
        "{agreed:?}"
    );
    assert_eq!(
        of(&at("/finance/exports/contacts?rally=second").await, "email"),
        ["joan@example.org", "zoe@example.org"]
    );
    assert_eq!(of(&at("/finance/exports/contacts").await, "email"), ["joan@example.org", "zoe@example.org"]);
    // They change their minds, each by the cookie of their own.
    let letters = |cookie: String, answer: &'static str| async move {
        server.post_as(&cookie, "/r/call/letters", &[("agree", answer)]).await
    };
    let yes = letters(omar.clone(), "updates-1").await;
    assert_eq!((yes.status, yes.header("location")), (303, "/r/call?letters=yes".into()));
    assert!(server.get_as(&omar, "/r/call?letters=yes").await.text().contains("we may e-mail you"));
    assert_eq!(letters(joan, "").await.status, 303);
    assert_eq!(of(&at("/finance/exports/contacts?rally=call").await, "email"), ["omar@example.org"]);
    // Who is not known, and words that nobody wrote, are refused in words.
    let stranger = letters(String::new(), "updates-1").await;
    assert!(stranger.status == 409 && stranger.text().contains("Join the rally first"), "{}", stranger.text());
    let forged = letters(omar.clone(), "everything").await;
    assert!(forged.status == 409 && forged.text().contains("load the page again"), "{}", forged.text());
    // Who comes with an address that joined before changes nothing of what its owner said.
    register(server, "call", "Mallory", "joan@example.org", &[AGREES]).await;
    assert_eq!(of(&at("/finance/exports/contacts?rally=call").await, "name"), ["Omar"]);
    // The erased stand in no contacts, and in the report without a name.
    let erased = run(&["erase", "omar@example.org", "--reason", "asked by letter 17", "--yes"], &house.data());
    assert!(erased.status.success(), "{}", said(&erased));
    assert!(at("/finance/exports/contacts?rally=call").await.is_empty());
    assert_eq!(of(&at("/finance/exports/attendance?rally=call").await, "name"), ["Joan, \"J\" Petrie", "(erased)"]);
    house.server.is_well().await;
}

#[tokio::test]
async fn files_with_names_are_for_those_who_see_donors_and_figures_for_all_staff() {
    let house = House::new().await;
    let server = &house.server;
    register(server, "call", "Joan", "joan@example.org", &[AGREES]).await;
    give(server, "25", "joan@example.org").await;
    for role in ["host", "finance"] {
        let email = format!("{role}@example.org");
        let args = ["staff", "add", "--email", &email, "--name", "Somebody", "--role", role];
        let added = run_with_input(&args, &house.data(), &format!("{PASSWORD}\n"));
        assert!(added.status.success(), "{}", said(&added));
    }
    let host = Staff::sign_in(server, "host@example.org").await;
    let finance = Staff::sign_in(server, "finance@example.org").await;
    for (path, of_host) in [
        ("/host/r/call/attendance", 200),
        ("/finance/campaign", 200),
        ("/finance/exports/attendance?rally=call", 403),
        ("/finance/exports/contacts?rally=call", 403),
        ("/finance/exports/contacts", 403),
    ] {
        assert_eq!(server.get_as(&host.cookie, path).await.status, of_host, "host at {path}");
        assert_eq!(server.get_as(&finance.cookie, path).await.status, 200, "finance at {path}");
        let stranger = server.get(path).await;
        let address = path.split('?').next().unwrap();
        assert_eq!((stranger.status, stranger.header("location")), (303, format!("/host/sign-in?next={address}")));
        if of_host == 200 {
            let (of_host, of_finance) =
                (server.get_as(&host.cookie, path).await.text(), server.get_as(&finance.cookie, path).await.text());
            assert!(!of_host.contains("exports/contacts") && of_finance.contains("exports/contacts"), "{path}");
            assert!(!of_host.contains("Joan") && of_host.contains("$25"), "{of_host}");
        }
    }
    // Who takes one home stands in the log, and a shell gets the same.
    let log = said(&run(&["log", "tail", "-n", "50"], &house.data()));
    let taken = |what: &str| log.contains("privacy.exported") && log.contains(&format!("\"what\":\"{what}\""));
    assert!(taken("attendance") && taken("contacts") && !log.contains("Joan"), "{log}");
    let shell = run(&["export", "contacts", "--rally", "call"], &house.data());
    assert_eq!(shell.stdout, server.get_as(&finance.cookie, "/finance/exports/contacts?rally=call").await.body);
    for path in ["/host/r/none/attendance", "/finance/exports/people"] {
        assert_eq!(server.get_as(&house.owner.cookie, path).await.status, 404, "{path}");
    }
    house.server.is_well().await;
}

#[tokio::test]
async fn the_campaign_is_all_rallies_of_the_days_asked_for_in_one_currency() {
    let house = House::new().await;
    let server = &house.server;
    let in_euro: Vec<_> = rally_form("euro").into_iter().filter(|(name, _)| *name != "currency").collect();
    let in_euro = [in_euro, vec![("currency", "EUR")]].concat();
    assert_eq!(house.owner.post(server, "/host/new", &in_euro).await.status, 303);
    give(server, "25", "joan@example.org").await;
    give(server, "75", "omar@example.org").await;
    let cookie = &house.owner.cookie;
    let page = |query: &'static str| async move {
        let answer = server.get_as(cookie, &format!("/finance/campaign{query}")).await;
        assert_eq!(answer.status, 200);
        answer.text().replace('\u{a0}', " ")
    };
    let now = page("").await;
    assert!(now.contains("$100") && now.contains("100 %") && now.contains(">Average gift</dt>"), "{now}");
    assert!(now.contains("name=\"currency\"") && !now.contains("/host/r/euro/attendance"), "{now}");
    let euro = page("?currency=EUR").await;
    assert!(euro.contains("/host/r/euro/attendance") && !euro.contains("$100"), "{euro}");
    // The gifts are of today and the rally is of 2028.
    let rally_alone = page("?from=2028-07-25&to=2028-07-25").await;
    assert!(rally_alone.contains("/host/r/call/attendance") && !rally_alone.contains("$100"), "{rally_alone}");
    assert!(page("?from=2020-01-01&to=2020-01-02").await.contains("no rally on these days"));
    assert!(page("?from=yesterday&to=%F0%9F%A4%B7&currency=%00").await.contains("$100"));
    house.server.is_well().await;
}
