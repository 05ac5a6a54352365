//! Gifts over a limit: found, given back, redesignated and reattributed, and what limits and reports make of it.

use crate::filing::{filer, set};
use crate::server::{House, Staff, gift, pay, run, run_with_input, said, until};
use crate::work;
use chrono::{Datelike, NaiveDate, TimeDelta};

const LIST: &str = "/finance/excess";

fn id(donation: &str) -> &str {
    donation.rsplit('/').next().unwrap()
}

fn today() -> NaiveDate {
    chrono::Utc::now().with_timezone(&chrono_tz::America::New_York).date_naive()
}

fn in_days(days: i64) -> String {
    (today() + TimeDelta::days(days)).to_string()
}

async fn list(house: &House) -> String {
    let answer = house.server.get_as(&house.owner.cookie, LIST).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

/// A primary in ten days, and a general in twenty, of $3,500 each; a candidate's committee that files.
async fn limited(house: &House) {
    let days = [in_days(-100), in_days(10), in_days(11), in_days(20)];
    let mut form = vec![("abroad", "with_passport"), ("hold_currency", "USD")];
    for (at, name) in [("1", "primary"), ("2", "general")] {
        let (from, until) = if at == "1" { (&days[0], &days[1]) } else { (&days[2], &days[3]) };
        let fields: [(&str, &str); 5] = match at {
            "1" => [
                ("limit_name_1", name),
                ("limit_amount_1", "3500"),
                ("limit_currency_1", "USD"),
                ("limit_from_1", from),
                ("limit_until_1", until),
            ],
            _ => [
                ("limit_name_2", name),
                ("limit_amount_2", "3500"),
                ("limit_currency_2", "USD"),
                ("limit_from_2", from),
                ("limit_until_2", until),
            ],
        };
        form.extend(fields);
    }
    let answer = house.owner.post(&house.server, "/finance/rules", &form).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gift_over_two_limits_is_told_of_twice_and_has_one_address() {
    let house = House::new().await;
    let donation = give_from(&house, "5000", "ruth@example.org").await;
    let (from, until) = (in_days(-100), in_days(10));
    let form = [
        ("abroad", "with_passport"),
        ("hold_currency", "USD"),
        ("limit_name_1", "primary"),
        ("limit_amount_1", "3500"),
        ("limit_currency_1", "USD"),
        ("limit_from_1", from.as_str()),
        ("limit_until_1", until.as_str()),
        ("limit_name_2", "season"),
        ("limit_amount_2", "4000"),
        ("limit_currency_2", "USD"),
        ("limit_from_2", from.as_str()),
        ("limit_until_2", until.as_str()),
    ];
    let answer = house.owner.post(&house.server, "/finance/rules", &form).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    let listed = list(&house).await;
    assert!(listed.contains("$1,500.00 over: ") && listed.contains("$1,000.00 over: "), "{listed}");
    assert_eq!(listed.matches(&format!("id=\"gift-{}\"", id(&donation))).count(), 1, "{listed}");
    assert!(work::page(&house, "kind=excess").await.contains("Over a limit (1)"));
}

async fn files(house: &House) {
    let (primary, general) = (in_days(10), in_days(20));
    let (of_primary, of_general) = (format!("P{}", &primary[..4]), format!("G{}", &general[..4]));
    let mut form: Vec<(&str, &str)> = filer().into_iter().filter(|(name, _)| *name != "form").collect();
    form.extend([
        ("form", "F3"),
        ("candidate_id", "S6MI00301"),
        ("candidate_first", "Ana"),
        ("candidate_last", "Rivera"),
        ("office", "S"),
        ("candidate_state", "MI"),
        ("election_code_1", &of_primary),
        ("election_date_1", &primary),
        ("election_state_1", "MI"),
        ("election_code_2", &of_general),
        ("election_date_2", &general),
        ("election_state_2", "MI"),
    ]);
    let answer = set(house, &form).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
}

/// A gift of somebody with a home of their own.
async fn give_from(house: &House, amount: &str, email: &str) -> String {
    let mut form = gift(amount, email);
    form.retain(|(name, _)| *name != "address");
    let street = format!("{} {email} Street", email.len());
    form.push(("address", &street));
    let answer = house.server.post("/r/call/donate", &form).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    let donation = answer.header("location");
    assert_eq!(pay(&house.server, &donation, "simulated_ok").await["state"], "settled");
    donation
}

async fn over() -> (House, String) {
    let house = House::new().await;
    let donation = give_from(&house, "5000", "ruth@example.org").await;
    assert!(list(&house).await.contains("No limits"));
    limited(&house).await;
    files(&house).await;
    (house, donation)
}

/// The lines of Schedule A: id, first name, election, cents and memo.
async fn report(house: &House) -> Vec<[String; 5]> {
    let (from, to) = (format!("{}-01-01", today().year()), format!("{}-12-31", today().year()));
    let path = format!("/finance/filing/report.fec?code=YE&from={from}&to={to}&committee=0");
    let answer = house.server.get_as(&house.owner.cookie, &path).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = answer.text();
    let lines = text.lines().filter(|line| line.starts_with("SA11AI"));
    let cells = lines.map(|line| line.split('\u{1c}').map(str::to_owned).collect::<Vec<_>>());
    cells.map(|cells| [2, 8, 17, 20, 42].map(|at: usize| cells[at].clone())).collect()
}

async fn preview(house: &House) -> String {
    let (from, to) = (format!("{}-01-01", today().year()), format!("{}-12-31", today().year()));
    let path = format!("/finance/filing?code=YE&from={from}&to={to}&committee=0");
    house.server.get_as(&house.owner.cookie, &path).await.text()
}

#[tokio::test(flavor = "multi_thread")]
async fn just_what_is_over_is_given_back() {
    let (house, donation) = over().await;
    let (server, owner) = (&house.server, &house.owner);
    let listed = list(&house).await;
    for wanted in ["$1,500.00 over", "primary, $3,500", "$5,000.00 on", "60 days left", "ruth@example.org"] {
        assert!(listed.contains(wanted), "{wanted}: {listed}");
    }
    let open = work::page(&house, "kind=excess").await;
    for wanted in ["The gift of $5,000.00 went over a limit", "Joan Petrie", "Nobody has it.", "Over a limit (1)"] {
        assert!(open.contains(wanted), "{wanted}: {open}");
    }
    let taken = work::send(&house, owner, &listed, "/finance/work/assign", &[]).await;
    let back = format!("{LIST}?committee=0&done=assigned#gift-{}", id(&donation));
    assert_eq!((taken.status, taken.header("location")), (303, back));
    assert!(work::page(&house, "mine=yes").await.contains("went over a limit"));
    let refund = format!("/finance/donations/{}/refund", id(&donation));
    let asked = owner.post(server, &refund, &[("amount", "1500.00"), ("back", "0")]).await.text();
    assert!(asked.contains("Refund $1,500.00 to Joan Petrie?"), "{asked}");
    let form = [("amount", "1500.00"), ("back", "0"), ("refund", "0193a1d2-5e70-7a80-9b1c-2d3e4f5061a1")];
    let done = owner.post(server, &refund, &form).await;
    assert_eq!((done.status, done.header("location")), (303, format!("{LIST}?committee=0&done=refunded")));
    until("it is not mended", || async { list(&house).await.contains("Nobody is over a limit") }).await;
    let listed = list(&house).await;
    assert!(listed.contains("$1,500.00 given back on") && listed.contains("by Ana Ruiz"), "{listed}");
    until("the work is not done", || async { work::page(&house, "").await.contains("Nothing is open") }).await;
    let done = work::page(&house, "show=done&mine=yes").await;
    assert!(done.contains("The money went back.") && done.contains("Ana Ruiz"), "who asked for it did it: {done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_redesignated_counts_for_the_other_election_until_that_is_undone() {
    let (house, donation) = over().await;
    let (server, owner) = (&house.server, &house.owner);
    let path = format!("{LIST}/{}/redesignate", id(&donation));
    let now = today().to_string();
    let form = |amount: &'static str, limit: &'static str, day: &str| {
        let fields = [("committee", "0"), ("amount", amount), ("limit", limit), ("consent", "written")];
        let fields = fields.map(|(name, value)| (name, value.to_owned()));
        fields.into_iter().chain([("day", day.to_owned())]).collect::<Vec<_>>()
    };
    let send = async |form: Vec<(&'static str, String)>| {
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        owner.post(server, &path, &form).await
    };
    for (form, words) in [
        (form("a lot", "general", &now), "in digits"),
        (form("5000.01", "general", &now), "At most $5,000.00 of this gift can be moved"),
        (form("3500.01", "general", &now), "The general has no room for that"),
        (form("1500", "primary", &now), "counts for the primary already"),
        (form("1500", "special", &now), "The rules have no such limit"),
        (form("1500", "general", ""), "Write the day"),
        (form("1500", "general", &in_days(1)), "not after today"),
        (form("1500", "general", &in_days(-1)), "after the gift"),
    ] {
        let typed = form[1].1.clone();
        let answer = send(form).await;
        let text = answer.text();
        assert!(answer.status == 422 && text.contains(words), "{words}: {text}");
        assert!(text.contains(&format!("name=\"amount\" value=\"{typed}\"")), "what was typed is kept: {text}");
    }
    let year = today().year();
    let first = in_days(-10);
    let close = [("code", "YE"), ("from", first.as_str()), ("to", now.as_str()), ("cash", "0"), ("early", "yes")];
    assert_eq!(owner.post(server, "/finance/filing/close", &close).await.status, 303);
    let done = send(form("1500", "general", &now)).await;
    assert_eq!((done.status, done.header("location")), (303, format!("{LIST}?committee=0&done=redesignated")));
    let listed = list(&house).await;
    assert!(listed.contains("Nobody is over a limit") && listed.contains("recorded by Ana Ruiz"), "{listed}");
    assert!(listed.contains("$1,500.00 redesignated to the general, in writing of"), "{listed}");

    // The closed report did not have it; that of now has it as memos, and nothing to ask.
    let period = async || server.get_as(&owner.cookie, "/finance/periods/1").await.text();
    assert!(period().await.contains("A part was redesignated to another election"), "{}", period().await);
    let (primary, general) = (format!("P{}", &in_days(10)[..4]), format!("G{}", &in_days(20)[..4]));
    let lines = report(&house).await;
    assert_eq!(lines.len(), 4, "{lines:?}");
    let told: Vec<[&str; 3]> = lines
        .iter()
        .map(|[_, _, election, amount, memo]| [election.as_str(), amount.as_str(), memo.as_str()])
        .collect();
    assert_eq!(
        told,
        [
            [&primary, "5000.00", ""],
            [&primary, "5000.00", "X"],
            [&primary, "-1500.00", "X"],
            [&general, "1500.00", "X"]
        ]
    );
    assert!(!preview(&house).await.contains("per-election limit"));
    let work = work::page(&house, "show=done").await;
    assert!(work.contains("$1,500.00 redesignated to the general.") && work.contains("Ana Ruiz"), "{work}");
    let page = server.get_as(&owner.cookie, &format!("/finance/donations/{}", id(&donation))).await.text();
    assert!(page.contains("$1,500.00 of it counts for the general: as the donor wrote on"), "{page}");

    // Undone, it is over again; by the shell as of before, it is not.
    let before = newest(&house);
    let remedy = listed.split("/finance/excess/undo/").nth(1).unwrap().split('"').next().unwrap();
    let undo = format!("{LIST}/undo/{remedy}");
    let undone = owner.post(server, &undo, &[("committee", "0")]).await;
    assert_eq!(undone.header("location"), format!("{LIST}?committee=0&done=undone"));
    assert!(list(&house).await.contains("$1,500.00 over"));
    assert_eq!(report(&house).await.len(), 1);
    assert!(period().await.contains("these days are what they were"), "{}", period().await);
    let again = owner.post(server, &undo, &[("committee", "0")]).await;
    assert!(again.status == 409 && again.text().contains("undone already"), "{}", again.text());
    let (from, to, as_of) = (format!("{year}-01-01"), format!("{year}-12-31"), before.to_string());
    let then = ["export", "fec", "--code", "YE", "--from", &from, "--to", &to, "--as-of", &as_of];
    let then = run(&then, &house.data());
    assert_eq!(said(&then).matches("SA11AI\u{1c}").count() - said(&then).matches("\u{1c}SA11AI\u{1c}").count(), 4);
    let replayed = run(&["replay"], &house.data());
    assert!(replayed.status.success(), "{}", said(&replayed));
}

fn newest(house: &House) -> u64 {
    let events = String::from_utf8(run(&["export", "jsonl"], &house.data()).stdout).unwrap();
    let last: serde_json::Value = serde_json::from_str(events.lines().last().unwrap()).unwrap();
    last["seq"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_reattributed_counts_as_the_others_and_is_sealed_under_their_key() {
    let (house, donation) = over().await;
    let (server, owner) = (&house.server, &house.owner);
    let path = format!("{LIST}/{}/reattribute", id(&donation));
    let now = today().to_string();
    let spouse = |change: (&'static str, &'static str)| {
        let fields = [
            ("committee", "0"),
            ("amount", "1500"),
            ("first_name", "Zebulon"),
            ("last_name", "Petrie"),
            ("email", "zebulon@example.org"),
            ("address", "12 Maple Street"),
            ("city", "Lansing"),
            ("region", "MI"),
            ("postal", "48933"),
            ("employer", "Ironworks"),
            ("occupation", "Smith"),
            ("signed", "yes"),
        ];
        let fields = fields.into_iter().filter(move |(name, _)| *name != change.0);
        fields.chain([change]).filter(|(_, value)| *value != "-").collect::<Vec<_>>()
    };
    let send = async |form: Vec<(&'static str, &'static str)>| {
        owner.post(server, &path, &[&form[..], &[("day", now.as_str())]].concat()).await
    };
    for (change, words) in [
        (("first_name", ""), "Write their first name"),
        (("email", "nobody"), "e-mail"),
        (("email", "ruth@example.org"), "gift is reattributed to another person"),
        (("signed", "-"), "Only what both have signed"),
        (("amount", "4000"), "The primary has no room for that"),
    ] {
        let answer = send(spouse(change)).await;
        assert!(answer.status == 422 && answer.text().contains(words), "{words}: {}", answer.text());
        assert!(answer.text().contains("value=\"Ironworks\""), "what was typed is kept");
    }
    let done = send(spouse(("amount", "1500"))).await;
    assert_eq!((done.status, done.header("location")), (303, format!("{LIST}?committee=0&done=reattributed")));
    let listed = list(&house).await;
    assert!(listed.contains("Nobody is over a limit"), "{listed}");
    assert!(listed.contains("$1,500.00 reattributed to Zebulon Petrie, in writing of"), "{listed}");
    let lines = report(&house).await;
    let names: Vec<&str> = lines.iter().map(|[_, first, ..]| first.as_str()).collect();
    assert_eq!(names, ["Joan", "Joan", "Joan", "Zebulon"], "{lines:?}");
    assert!(!preview(&house).await.contains("per-election limit"));
    let work = work::page(&house, "show=done").await;
    assert!(work.contains("$1,500.00 reattributed to another person.") && work.contains("Ana Ruiz"), "{work}");
    // It counts for the other's limit: $2,000 are left to them.
    let mut form = gift("2000.01", "zebulon@example.org");
    form.retain(|(name, _)| *name != "address");
    form.push(("address", "9 Elsewhere"));
    let pledged = server.post("/r/call/donate", &form).await.header("location");
    let refused = pay(server, &pledged, "simulated_ok").await;
    assert!(refused.to_string().contains("you can still give $2,000"), "{refused}");

    // The other's data is theirs: erased, it is gone, and the sums stay.
    let raw = String::from_utf8(run(&["export", "jsonl"], &house.data()).stdout).unwrap();
    assert!(raw.contains("remedy.reattributed") && !raw.contains("Zebulon") && !raw.contains("Ironworks"), "{raw}");
    let erased = run(&["erase", "zebulon@example.org", "--reason", "letter 7", "--yes"], &house.data());
    assert!(erased.status.success(), "{}", said(&erased));
    let lines = report(&house).await;
    assert!(lines.len() == 4 && !format!("{lines:?}").contains("Zebulon"), "{lines:?}");
    assert!(list(&house).await.contains("Nobody is over a limit"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_finance_mends_and_only_what_there_is() {
    let (house, donation) = over().await;
    let (server, owner) = (&house.server, &house.owner);
    let stranger = server.get(LIST).await;
    assert!(stranger.status == 303 && stranger.header("location").starts_with("/host/sign-in"));
    let path = format!("{LIST}/{}/redesignate", id(&donation));
    let forged = server.post_as(&owner.cookie, &path, &[("csrf", "forged"), ("amount", "1")]).await;
    assert_eq!(forged.status, 403, "{}", forged.text());
    let host = ["staff", "add", "--email", "host@example.org", "--name", "Host", "--role", "host"];
    let added = run_with_input(&host, &house.data(), &format!("{}\n", crate::server::PASSWORD));
    assert!(added.status.success(), "{}", said(&added));
    let host = Staff::sign_in(server, "host@example.org").await;
    assert_eq!(server.get_as(&host.cookie, LIST).await.status, 403);
    assert_eq!(host.post(server, &path, &[]).await.status, 403);
    for path in ["x/redesignate", "0193a1d2-5e70-7a80-9b1c-2d3e4f5061a1/reattribute", "undo/x"] {
        assert_eq!(owner.post(server, &format!("{LIST}/{path}"), &[]).await.status, 404, "{path}");
    }
    assert_eq!(server.get_as(&owner.cookie, &format!("{LIST}?committee=9")).await.status, 404);
}
