//! Programs that read the ledger: tokens with scopes, rows a page at a time, and a description that a fuzzer believes.

use crate::server::{Answer, House, PATIENCE, Server, give, pledge, run, said};
use serde_json::Value;
use std::process::Command;
use uuid::Uuid;

/// Makes a token as finance does; its secret.
async fn token(house: &House, name: &str, scopes: &[&str]) -> String {
    let answer = make(house, &Uuid::now_v7().to_string(), name, scopes).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    secret(&answer).expect("a token")
}

async fn make(house: &House, form: &str, name: &str, scopes: &[&str]) -> Answer {
    let scopes = scopes.iter().map(|scope| ("scope", *scope));
    let form: Vec<_> = [("name", name), ("form", form)].into_iter().chain(scopes).collect();
    house.owner.post(&house.server, "/finance/tokens", &form).await
}

fn secret(answer: &Answer) -> Option<String> {
    let text = answer.text();
    let (_, rest) = text.split_once("value=\"gsw_")?;
    Some(format!("gsw_{}", rest.split('"').next()?))
}

async fn ask(server: &Server, token: &str, path: &str) -> Answer {
    server.send("GET", path, &[("authorization", &format!("Bearer {token}"))], b"").await
}

async fn rows(server: &Server, token: &str, query: &str) -> Value {
    let answer = ask(server, token, &format!("/api/v1/donations{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Sees that an answer is this problem, for programs, in words that have these in them.
fn is_problem(answer: &Answer, status: u16, kind: &str, words: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let told = answer.json();
    assert_eq!(told["type"], format!("/problems/{kind}"));
    assert_eq!(told["status"], status);
    assert!(told["detail"].as_str().unwrap().contains(words), "{told}");
}

fn id(address: &str) -> &str {
    address.rsplit('/').next().unwrap()
}

#[tokio::test]
async fn a_token_reads_what_it_was_made_for_until_it_is_revoked() {
    let house = House::new().await;
    let sums = token(&house, "Dashboard", &["totals"]).await;
    let people = token(&house, "Door", &["attendance"]).await;
    let server = &house.server;
    is_problem(&server.get("/api/v1/totals").await, 401, "no-token", "Authorization: Bearer");
    assert_eq!(server.get("/api/v1/totals").await.header("www-authenticate"), "Bearer");
    is_problem(&ask(server, "gsw_nobodys", "/api/v1/totals").await, 401, "unknown-token", "revoked");
    // A token that was sent counts, not the session beside it.
    let both = [("authorization", "Bearer gsw_nobodys"), ("cookie", house.owner.cookie.as_str())];
    is_problem(&server.send("GET", "/api/v1/totals", &both, b"").await, 401, "unknown-token", "revoked");
    assert_eq!(ask(server, &sums, "/api/v1/totals").await.status, 200);
    assert_eq!(ask(server, &sums, "/api/v1/rallies").await.json()["rallies"][0]["rally"], "call");
    is_problem(&ask(server, &sums, "/api/v1/donations").await, 403, "no-scope", "“donations”");
    is_problem(&ask(server, &sums, "/api/v1/attendance").await, 403, "no-scope", "“attendance”");
    is_problem(&ask(server, &people, "/api/v1/totals").await, 403, "no-scope", "“totals”");
    assert_eq!(ask(server, &people, "/api/v1/attendance?rally=call").await.json()["rallies"][0]["joined"], 0);
    // A page of ours is no API.
    assert_eq!(ask(server, &sums, "/finance").await.status, 303);

    let house = house.again(Server::kill);
    let server = &house.server;
    assert_eq!(ask(server, &sums, "/api/v1/totals").await.status, 200, "the log knows it");
    let page = server.get_as(&house.owner.cookie, "/finance/tokens").await.text();
    assert!(page.contains("Dashboard") && page.contains("Door") && page.contains("Ana Ruiz"), "{page}");
    assert!(!page.contains(&sums), "a secret is told once");
    assert!(page.contains(" UTC") && page.contains("Not since the server started"), "{page}");
    let revoke = page.split("action=\"").find(|rest| rest.contains("/revoke\"")).unwrap().split('"').next().unwrap();
    // The newest is first.
    assert_eq!(house.owner.post(server, revoke, &[]).await.status, 303);
    is_problem(&ask(server, &people, "/api/v1/attendance").await, 401, "unknown-token", "revoked");
    assert_eq!(ask(server, &sums, "/api/v1/totals").await.status, 200);
    let journal = std::fs::read(house.data().join("log/journal")).unwrap();
    let holds = |text: &str| journal.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("token.revoked") && !holds(&sums) && !holds(&people));
    assert!(!server.printed().contains(&sums));
}

#[tokio::test]
async fn a_form_makes_one_token_and_what_is_wrong_is_said() {
    let house = House::new().await;
    let form = Uuid::now_v7().to_string();
    let none = make(&house, &form, "Dashboard", &[]).await;
    assert_eq!(none.status, 422);
    assert!(none.text().contains("one thing at least") && none.text().contains("Dashboard"), "{}", none.text());
    let alone = make(&house, &form, "", &["donors"]).await;
    assert_eq!(alone.status, 422);
    assert!(alone.text().contains("Say which program") && alone.text().contains("tick those too"));
    assert!(alone.text().contains(&form), "it is the same form still");
    let made = make(&house, &form, "Dashboard", &["totals"]).await;
    assert!(secret(&made).is_some(), "{}", made.text());
    let again = make(&house, &form, "Dashboard", &["totals"]).await;
    assert_eq!((again.status, secret(&again)), (303, None));
    let page = house.server.get_as(&house.owner.cookie, "/finance/tokens").await.text();
    assert_eq!(page.matches("/revoke\"").count(), 1);
    let odd = make(&house, &Uuid::now_v7().to_string(), "x", &["everything"]).await;
    assert_eq!(odd.status, 400, "{}", odd.text());
    for path in ["/finance/tokens/nothing/revoke", &format!("/finance/tokens/{}/revoke", Uuid::nil())] {
        assert!([404, 409].contains(&house.owner.post(&house.server, path, &[]).await.status));
    }
    assert_eq!(house.server.get("/finance/tokens").await.status, 303);
}

#[tokio::test]
async fn rows_come_a_page_at_a_time_and_contacts_to_who_may_see_them() {
    let house = House::new().await;
    let server = &house.server;
    let plain = token(&house, "Warehouse", &["donations"]).await;
    let full = token(&house, "CRM", &["donations", "donors"]).await;
    let first = give(server, "25", "joan@example.org").await;
    give(server, "50.50", "omar@example.org").await;
    let open = pledge(server, "5", "zoe@example.org").await;
    let refund = Uuid::now_v7().to_string();
    let back = [("refund", refund.as_str()), ("amount", "10.00")];
    let to = format!("/finance/donations/{}/refund", id(&first));
    assert_eq!(house.owner.post(server, &to, &back).await.status, 303);

    let all = rows(server, &plain, "").await;
    let amounts = |page: &Value| -> Vec<i64> {
        page["rows"].as_array().unwrap().iter().map(|row| row["amount_minor"].as_i64().unwrap()).collect()
    };
    assert_eq!((amounts(&all), &all["next"]), (vec![2_500, 5_050, -1_000], &Value::Null));
    assert_eq!(all["rows"][2]["kind"], "refund");
    assert_eq!((&all["rows"][0]["mode"], &all["rows"][0]["currency"]), (&"simulated".into(), &"USD".into()));
    assert!(!all.to_string().contains("Joan") && !all.to_string().contains("example.org"), "{all}");
    let begin = rows(server, &plain, "?limit=2").await;
    assert_eq!(amounts(&begin), [2_500, 5_050]);
    let rest = rows(server, &plain, &format!("?limit=2&after={}", begin["next"])).await;
    assert_eq!((amounts(&rest), &rest["next"]), (vec![-1_000], &Value::Null));
    let then = rows(server, &plain, &format!("?as_of={}", begin["rows"][1]["seq"])).await;
    assert_eq!(amounts(&then), [2_500, 5_050]);
    assert_eq!(amounts(&rows(server, &plain, "?rally=call&committee=0&from=2020-01-01").await).len(), 3);
    assert_eq!(amounts(&rows(server, &plain, "?to=2020-01-01").await).len(), 0);

    is_problem(&ask(server, &plain, "/api/v1/donations?contact=true").await, 403, "no-scope", "“donors”");
    let who = rows(server, &full, "?contact=true&limit=1").await;
    assert_eq!(who["rows"][0]["contact"]["email"], "joan@example.org");
    let journal = std::fs::read(house.data().join("log/journal")).unwrap();
    let looks = |text: &str| journal.windows(text.len()).filter(|window| *window == text.as_bytes()).count();
    assert_eq!(
        (looks("\"privacy.viewed\""), looks("\"by\":\"token:")),
        (1, 1),
        "the look is an event, of this program"
    );
    assert_eq!(rows(server, &full, "?limit=1").await["rows"][0]["contact"], Value::Null, "only where it is asked for");

    let one = ask(server, &plain, &format!("/api/v1/donations/{}", id(&first))).await.json();
    assert_eq!((amounts(&one), one["pledged_minor"].as_i64()), (vec![2_500, -1_000], Some(2_500)));
    let waiting = ask(server, &plain, &format!("/api/v1/donations/{}", id(&open))).await.json();
    assert_eq!(amounts(&waiting), [0_i64; 0]);
    for (path, words) in [
        ("donations/nothing", "that id"),
        ("donations?rally=nobody", "has that address"),
        ("donations?committee=7", "has that number"),
        ("totals?as_of=999999", "newest event is"),
    ] {
        let scope = if path.starts_with("totals") { token(&house, "sums", &["totals"]).await } else { plain.clone() };
        is_problem(&ask(server, &scope, &format!("/api/v1/{path}")).await, 404, "not-found", words);
    }
    for (query, words) in [
        ("ralley=call", "unknown field `ralley`, expected one of `rally`"),
        ("rally=", "leave it out"),
        ("from=tomorrow", "like 2028-07-25"),
        ("as_of=tomorrow", "write it like"),
        ("limit=0", "from 1 to 500"),
        ("limit=501", "from 1 to 500"),
        ("after=-1", "number of an event"),
        ("contact=perhaps", "true"),
        ("limit=5&limit=6", "duplicate"),
    ] {
        is_problem(&ask(server, &plain, &format!("/api/v1/donations?{query}")).await, 400, "malformed", words);
    }
    is_problem(&server.send("POST", "/api/v1/donations", &[], b"").await, 405, "method-not-allowed", "");
    is_problem(&ask(server, &plain, "/api/v1/nothing").await, 404, "not-found", "");
}

/// Runs the fuzzer over what the server says of itself; with `known`, what is asked for is there.
async fn fuzz(server: &Server, token: &str, known: &str, arguments: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("schemathesis.toml");
    std::fs::write(&settings, known).unwrap();
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/.venv/bin/python3");
    let mut command = Command::new(python);
    command
        .args(["-m", "schemathesis.cli", "--config-file", settings.to_str().unwrap(), "run"])
        .arg(format!("http://{}/api/openapi.json", server.http))
        .args(["--header", &format!("Authorization: Bearer {token}")])
        // Below what a token has in a minute: whoever is refused for that alone is not looked at.
        .args(["--checks", "all", "--seed", "1", "--no-color", "--continue-on-failure", "--rate-limit", "18/s"])
        .args(arguments)
        .current_dir(folder.path());
    let run = tokio::task::spawn_blocking(move || command.output());
    let output = tokio::time::timeout(PATIENCE * 5, run).await.expect("the fuzzer does not end").unwrap().unwrap();
    let words = said(&output);
    assert!(output.status.success() && words.contains("9 passed"), "{words}");
}

#[tokio::test]
async fn files_are_those_of_the_page_and_only_for_tokens_that_may_see_people() {
    let house = House::new().await;
    let server = &house.server;
    give(server, "25", "joan@example.org").await;
    give(server, "50.50", "omar@example.org").await;
    let rows = token(&house, "Warehouse", &["donations"]).await;
    let people = token(&house, "CRM", &["donations", "donors"]).await;
    let all = token(&house, "Archive", &["donations", "donors", "attendance"]).await;
    for kind in ["csv", "xlsx", "actblue-csv", "payouts", "access", "jsonl", "fec", "fec-notice"] {
        is_problem(&ask(server, &rows, &format!("/api/v1/exports/{kind}")).await, 403, "no-scope", "“donors”");
    }
    for kind in ["attendance", "contacts"] {
        is_problem(&ask(server, &people, &format!("/api/v1/exports/{kind}")).await, 403, "no-scope", "“attendance”");
    }
    is_problem(&server.get("/api/v1/exports/csv").await, 401, "no-token", "Bearer");
    is_problem(&ask(server, &all, "/api/v1/exports/pdf").await, 404, "not-found", "no such kind of file");
    is_problem(&ask(server, &all, "/api/v1/exports/csv?form=2020-01-01").await, 400, "malformed", "form");
    is_problem(
        &ask(server, &all, "/api/v1/exports/csv?rally=no-such").await,
        404,
        "not-found",
        "rally has that address",
    );
    let named = "/api/v1/exports/csv?reason=for+joan@example.org";
    is_problem(&ask(server, &all, named).await, 409, "refused", "leave the e-mail address out");
    for (path, words) in [
        ("/api/v1/exports/fec", "Write first who files"),
        ("/api/v1/exports/fec-notice?from=2026-01-01&to=2026-12-31", "Write first who files"),
    ] {
        is_problem(&ask(server, &all, path).await, 409, "refused", words);
    }

    // The last line says who took it and when.
    let body = |answer: &Answer| {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let text = answer.text();
        text.lines().filter(|line| !line.contains("ledger head")).map(str::to_owned).collect::<Vec<_>>()
    };
    let ours = ask(server, &people, "/api/v1/exports/csv?rally=call&reason=nightly+copy").await;
    let named = ours.header("content-disposition");
    assert!(named.starts_with("attachment; filename=\"donations-call-2") && named.ends_with(".csv\""), "{named}");
    let page = server.get_as(&house.owner.cookie, "/finance/exports/csv?rally=call").await;
    assert_eq!(body(&ours), body(&page));
    assert!(ours.text().contains("CRM") && ours.text().contains("nightly copy"), "{}", ours.text());
    let then = ask(server, &people, "/api/v1/exports/csv?to=2020-01-01").await;
    assert_eq!(body(&then).len(), 1, "the head alone: {}", then.text());
    for (kind, media_type) in [
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("actblue-csv?report=refunded", "text/csv; charset=utf-8"),
        ("payouts", "text/csv; charset=utf-8"),
        ("attendance", "text/csv; charset=utf-8"),
        ("contacts", "text/csv; charset=utf-8"),
        ("access", "text/csv; charset=utf-8"),
        ("jsonl", "application/jsonl"),
    ] {
        let file = ask(server, &all, &format!("/api/v1/exports/{kind}")).await;
        assert_eq!((file.status, file.header("content-type").as_str()), (200, media_type), "{}", file.text());
    }
    let log = run(&["export", "jsonl"], &house.data());
    let taken: Vec<Value> = String::from_utf8(log.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|event| event["kind"] == "privacy.exported")
        .collect();
    let by = |who: &str| taken.iter().filter(|event| event["by"].as_str().unwrap().starts_with(who)).count();
    assert_eq!((by("token:"), by("staff:"), by("shell:")), (9, 1, 1), "each is told, and nothing that was refused");
    assert_eq!(taken[0]["data"]["reason"], "nightly copy");
}

#[tokio::test]
async fn a_fuzzer_finds_no_fault_in_what_is_described() {
    let house = House::new().await;
    let server = &house.server;
    let donation = give(server, "25", "joan@example.org").await;
    give(server, "50", "omar@example.org").await;
    let token = token(&house, "Fuzzer", &["totals", "donations", "donors", "attendance"]).await;
    // Every boundary of every parameter, then what comes to a fuzzer's mind: a number of cases would cut the first short.
    fuzz(server, &token, "", &["--mode", "all", "--phases", "coverage"]).await;
    fuzz(server, &token, "", &["--mode", "all", "--phases", "fuzzing", "--max-examples", "25", "--max-time", "20"])
        .await;
    let known = ["path.id", "query.rally", "query.committee"].into_iter().zip([id(&donation), "call", "0"]);
    let known: String = known.map(|(name, value)| format!("\"{name}\" = \"{value}\"\n")).collect();
    let more = ["--mode", "positive", "--phases", "fuzzing", "--max-examples", "25", "--max-time", "15"];
    fuzz(server, &token, &format!("[parameters]\n{known}"), &more).await;
    server.is_well().await;
}
