//! Recurring gifts over the real server, whose clock is moved: charged once on their day across crashes and restored backups,
//! refused and tried again, changed, paused and stopped by their donor and by staff.

use crate::ahead::Ahead;
use crate::localstripe::{self, LocalStripe};
use crate::mail_server::{MailServer, header, part};
use crate::server::{House, Server, Staff, csv_rows, gift, give, pay, run, said, state, until};
use crate::stripe_at::{borrowed, env};
use chrono::{Months, NaiveDate, TimeDelta};
use std::path::Path;

async fn house(ahead: &Ahead, more: &[(&str, &str)]) -> House {
    let env = ahead.env();
    House::with(&all(&env, more)).await
}

fn all<'a>(env: &'a [(&'static str, String)], more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [borrowed(env), more.to_vec()].concat()
}

/// Pledges at `/r/call` for a gift that comes again; the first one's address.
pub async fn pledge_every(server: &Server, every: &str, amount: &str, email: &str) -> String {
    let form = [gift(amount, email), vec![("every", every)]].concat();
    let answer = server.post("/r/call/donate", &form).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.header("location")
}

/// Gives again and again with this card; the address by which it is changed, once it has begun.
async fn give_every(server: &Server, every: &str, amount: &str, card: &str) -> String {
    let donation = pledge_every(server, every, amount, "joan@example.org").await;
    assert_eq!(pay(server, &donation, card).await["state"], "settled");
    let manage = href(&server.get(&donation).await.text(), "/r/call/plan/");
    shows(server, &manage, "The next gift is charged on").await;
    manage
}

/// The first address on a page that begins so.
pub fn href(page: &str, begins: &str) -> String {
    let at = page.find(begins).unwrap_or_else(|| panic!("{begins} is not in {page}"));
    page[at..].split(['"', '?', '\r', '\n', ' ']).next().unwrap().to_owned()
}

/// Waits until a page has these words.
pub async fn shows(server: &Server, page: &str, text: &str) {
    until(&format!("{page} never shows {text}"), || async { server.get(page).await.text().contains(text) }).await;
}

/// Waits until this much is counted.
pub async fn raised(server: &Server, minor: i64) {
    until(&format!("{minor} are never raised"), || async { state(server).await["raised_minor"] == minor }).await;
}

/// A day as pages say it.
pub fn words(day: NaiveDate) -> String {
    day.format("%B %-d, %Y").to_string()
}

/// Every event of a kind, as `log tail` prints them.
pub fn events(data: &Path, kind: &str) -> Vec<serde_json::Value> {
    let output = run(&["log", "tail", "-n", "10000"], data);
    assert!(output.status.success(), "{}", said(&output));
    let lines = String::from_utf8(output.stdout).unwrap();
    let events = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    events.filter(|event| event["kind"] == kind).collect()
}

/// Two rounds of the schedule, in which it could do what it must not.
pub async fn two_rounds() {
    tokio::time::sleep(std::time::Duration::from_secs(21)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monthly_gift_is_charged_once_on_its_day_however_often_the_server_falls() {
    let ahead = Ahead::new();
    let house = house(&ahead, &[]).await;
    let begun = ahead.today();
    let page = pledge_every(&house.server, "month", "25", "joan@example.org").await;
    let card = house.server.get(&page).await.text();
    assert!(
        card.contains("Donate $25 each month") && card.contains("You agree that your card is charged $25.00 today"),
        "{card}"
    );
    let manage = give_every(&house.server, "month", "25", "simulated_ok").await;
    let due = begun + Months::new(1);
    shows(&house.server, &manage, &words(due)).await;
    raised(&house.server, 2_500).await;

    ahead.until(due - TimeDelta::days(1));
    let env = ahead.env();
    let house = house.again_with(&all(&env, &[]), Server::kill);
    two_rounds().await;
    raised(&house.server, 2_500).await;
    ahead.until(due);
    raised(&house.server, 5_000).await;
    let house = house.again_with(&all(&env, &[]), Server::kill);
    two_rounds().await;
    raised(&house.server, 5_000).await;
    let text = house.server.get(&manage).await.text();
    assert!(text.contains(&words(begun + Months::new(2))) && text.matches(">Received<").count() == 2, "{text}");

    // Three months without a server: one of them is charged.
    let after = begun + Months::new(4);
    let house = house.again_with(&all(&env, &[]), |server| {
        server.stop();
        ahead.until(after);
    });
    raised(&house.server, 7_500).await;
    two_rounds().await;
    raised(&house.server, 7_500).await;
    shows(&house.server, &manage, &words(begun + Months::new(5))).await;
    let skipped = events(&house.data(), "plan.skipped");
    assert_eq!((skipped.len(), &skipped[0]["data"]["count"]), (1, &serde_json::json!(2)), "{skipped:?}");
    // Each stands in the file with its donor, whose form was sent once.
    let rows = csv_rows(&run(&["export", "csv"], &house.data()).stdout);
    let numbers: Vec<_> = rows.iter().map(|row| row["recurring_number"].as_str()).collect();
    assert_eq!(numbers, ["1", "2", "3"]);
    assert!(rows.iter().all(|row| row["email"] == "joan@example.org" && row["amount"] == "25.00"), "{rows:?}");
    let replayed = run(&["replay"], &house.data());
    assert!(replayed.status.success(), "{}", said(&replayed));
    house.server.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_card_is_tried_again_told_of_replaced_or_given_up() {
    let (ahead, mail) = (Ahead::new(), MailServer::start());
    let smtp = mail.smtp();
    let more = [("GROUNDSWELL_MAIL_SMTP", smtp.as_str()), ("GROUNDSWELL_MAIL_FROM", "Rivera <gifts@rivera.example>")];
    let house = house(&ahead, &more).await;
    let begun = ahead.today();
    let manage = give_every(&house.server, "month", "25", "simulated_once").await;
    let receipt = mail.wait_for(1).await.remove(0);
    for kind in ["text/plain", "text/html"] {
        assert!(part(&receipt, kind).contains(&manage), "{kind}: {}", part(&receipt, kind));
    }
    let due = begun + Months::new(1);
    ahead.until(due);
    let refused = mail.wait_for(2).await.remove(1);
    assert_eq!(header(&refused, "Subject"), "SIMULATED: Your $25.00 did not go through: Answer the call");
    let text = part(&refused, "text/plain");
    assert!(text.contains(&words(due + TimeDelta::days(3))) && text.contains(&manage), "{text}");
    let instalment = href(&text, "/r/call/donate/");
    shows(&house.server, &manage, "We try again on").await;

    // Another card on that page pays it, and is charged from then on.
    let page = house.server.get(&instalment).await.text();
    assert!(page.contains("the one we charge from then on") && page.contains("joan@example.org"), "{page}");
    assert_eq!(pay(&house.server, &instalment, "simulated_ok").await["state"], "settled");
    raised(&house.server, 5_000).await;
    let receipt = mail.wait_for(3).await.remove(2);
    assert!(header(&receipt, "Subject").contains("Your receipt for $25.00"));
    until("the card is not changed", || async { events(&house.data(), "plan.card_changed").len() == 1 }).await;
    ahead.until(begun + Months::new(2));
    raised(&house.server, 7_500).await;
    mail.wait_for(4).await;

    // A card that stays refused: three more tries on their days, and the end.
    let manage = give_every(&house.server, "month", "40", "simulated_once").await;
    mail.wait_for(5).await;
    let due = ahead.today() + Months::new(1);
    for (letters, days) in [(7, 0), (8, 3), (9, 8)] {
        ahead.until(due + TimeDelta::days(days));
        // The first plan's own receipt comes between.
        mail.wait_for(letters).await;
    }
    ahead.until(due + TimeDelta::days(15));
    let ended = mail.wait_for(10).await.remove(9);
    assert_eq!(header(&ended, "Subject"), "SIMULATED: Your gift of $40.00 each month has ended: Answer the call");
    assert!(part(&ended, "text/plain").contains("refused the card each time"), "{}", part(&ended, "text/plain"));
    shows(&house.server, &manage, "It has ended").await;
    ahead.until(due + TimeDelta::days(16));
    two_rounds().await;
    mail.no_more_than(10).await;
    house.server.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_donor_changes_pauses_and_stops_it_and_nobody_else_does() {
    let ahead = Ahead::new();
    let house = house(&ahead, &[]).await;
    let server = &house.server;
    let manage = give_every(server, "month", "25", "simulated_ok").await;
    let post = |what: &'static str, form: Vec<(&'static str, String)>| {
        let path = format!("{manage}/{what}");
        async move {
            let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
            server.post(&path, &form).await
        }
    };
    for (what, form, wrong) in [
        ("change", vec![("amount", "0.50".to_owned()), ("every", "month".into())], "The smallest donation is $1"),
        ("change", vec![("amount", "ten".into())], "amount"),
        ("change", vec![("amount", "30".into()), ("every", "week".into())], "can’t be offered here"),
        ("pause", vec![("until", "2001-01-01".into())], "Choose a day after today"),
        ("pause", vec![("until", "soon".into())], "Enter a day"),
    ] {
        let answer = post(what, form.clone()).await;
        assert_eq!(answer.status, 422, "{what} {form:?}");
        let text = answer.text();
        assert!(text.contains(wrong) && text.contains(&form[0].1), "{what} {form:?}: {text}");
    }
    assert_eq!(post("change", vec![("amount", "30".into()), ("every", "month".into())]).await.status, 303);
    shows(server, &manage, "$30").await;
    let due = ahead.today() + Months::new(1);
    let goes_on = due + TimeDelta::days(1);
    assert_eq!(post("pause", vec![("until", goes_on.to_string())]).await.status, 303);
    ahead.until(due);
    two_rounds().await;
    raised(server, 2_500).await;
    ahead.until(goes_on);
    shows(server, &manage, "The next gift is charged on").await;
    ahead.until(due + Months::new(1));
    raised(server, 5_500).await;
    assert_eq!(post("stop", vec![]).await.status, 303);
    let text = server.get(&manage).await.text();
    assert!(text.contains("It has ended") && text.contains("Give again") && !text.contains("Stop this gift"), "{text}");
    assert_eq!(post("change", vec![("amount", "50".into())]).await.status, 409);
    ahead.until(due + Months::new(3));
    two_rounds().await;
    raised(server, 5_500).await;

    // A link is one plan's: neither its own id nor another's end lets anybody in.
    for wrong in
        [format!("{}0", &manage[..manage.len() - 1]), manage[..manage.len() - 32].to_owned(), format!("{manage}0")]
    {
        assert!(wrong == manage || server.get(&wrong).await.status == 404, "{wrong}");
        assert!(wrong == manage || server.post(&format!("{wrong}/stop"), &[]).await.status == 404, "{wrong}");
    }
    server.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_offers_it_keeps_it_and_finance_sees_and_stops_it() {
    let ahead = Ahead::new();
    let house = house(&ahead, &[]).await;
    let (server, owner) = (&house.server, &house.owner);
    let chosen = |page: &str, every: &str| {
        let at = page.find(&format!("name=\"every\" value=\"{every}\"")).unwrap_or_else(|| panic!("{every}: {page}"));
        page[at..].split('>').next().unwrap().contains("checked")
    };
    let plain = server.get("/r/call/donate").await.text();
    assert!(chosen(&plain, "once") && !plain.contains("value=\"week\""), "{plain}");
    assert!(chosen(&server.get("/r/call/donate?monthly=1&amount=25").await.text(), "month"));
    let bad = [gift("25", "not an address"), vec![("every", "month")]].concat();
    let refused = server.post("/r/call/donate", &bad).await;
    assert!(refused.status == 422 && chosen(&refused.text(), "month"));
    let weekly = [gift("25", "joan@example.org"), vec![("every", "week")]].concat();
    assert_eq!(server.post("/r/call/donate", &weekly).await.status, 422);
    let last = ahead.today() + TimeDelta::days(8);
    set_limit(server, owner, "100", last).await;
    let page = server.get("/r/call/donate?weekly=1").await.text();
    assert!(chosen(&page, "week") && page.contains(&format!("Every week until {}", words(last))), "{page}");

    // A single gift is offered as a monthly one, with what was typed.
    let once = give(server, "20", "zoe@example.org").await;
    let offer = href(&server.get(&once).await.text(), "/r/call/donate?monthly=1");
    assert!(offer.starts_with("/r/call/donate"), "{offer}");
    let id = once.rsplit('/').next().unwrap();
    let again = server.get(&format!("/r/call/donate?monthly=1&again={id}")).await.text();
    assert!(chosen(&again, "month") && again.contains("zoe@example.org"), "{again}");

    // Weekly: what the limit leaves bounds a change (who lives at one address by one name is one person), and the last day ends it.
    let manage = give_every(server, "week", "40", "simulated_ok").await;
    let over = server.post(&format!("{manage}/change"), &[("amount", "70")]).await;
    assert!(over.status == 422 && over.text().contains("you can still give $40"), "{}", over.text());
    let list = |text: &'static str| async move { shows_as(server, owner, "/finance/plans", text).await };
    list("Joan Petrie").await;
    list("active").await;
    ahead.until(ahead.today() + TimeDelta::days(7));
    let owner = Staff::sign_in(server, "ana@example.org").await;
    raised(server, 10_000).await;
    shows_as(server, &owner, "/finance/plans", "ended: its last day").await;

    ahead.until(last + TimeDelta::days(1));
    let owner = Staff::sign_in(server, "ana@example.org").await;
    let manage = give_every(server, "month", "5", "simulated_ok").await;
    let text = server.get_as(&owner.cookie, "/finance/plans").await.text();
    let stop = href(&text, "/finance/plans/");
    let stop = if stop.ends_with("/stop") { stop } else { panic!("{stop}") };
    assert!(owner.post(server, &stop, &[]).await.text().contains("Stop $5 each month?"));
    assert_eq!(server.post(&stop, &[("sure", "yes")]).await.status, 303, "a stranger is sent to sign in");
    assert!(server.get(&manage).await.text().contains("The next gift"));
    assert_eq!(owner.post(server, &stop, &[("sure", "yes")]).await.status, 303);
    shows(server, &manage, "It has ended").await;
    server.is_well().await;
}

async fn shows_as(server: &Server, staff: &Staff, page: &str, text: &str) {
    until(&format!("{page} never shows {text}"), || async {
        server.get_as(&staff.cookie, page).await.text().contains(text)
    })
    .await;
}

async fn set_limit(server: &Server, owner: &Staff, amount: &str, until: NaiveDate) {
    let until = until.to_string();
    let form = [
        ("limit_name_1", "test election"),
        ("limit_amount_1", amount),
        ("limit_currency_1", "USD"),
        ("limit_from_1", "2020-01-01"),
        ("limit_until_1", &until),
        ("abroad", "with_passport"),
        ("fee_percent", ""),
        ("fee_fixed", ""),
        ("fee_currency", "USD"),
    ];
    let answer = owner.post(server, "/finance/rules", &form).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_does_not_charge_again_what_was_paid_after_it() {
    let (ahead, local) = (Ahead::new(), LocalStripe::start());
    let stripe = env(&local.api_base());
    let more = borrowed(&stripe);
    let house = house(&ahead, &more).await;
    set_limit(&house.server, &house.owner, "1000", ahead.today() + TimeDelta::days(60)).await;
    let manage = give_every(&house.server, "week", "25", &local.card(localstripe::CARD_OK)).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let (to, made) = (elsewhere.path().join("backup"), elsewhere.path().join("made"));
    let backed_up = run(&["backup", to.to_str().unwrap()], &house.data());
    assert!(backed_up.status.success(), "{}", said(&backed_up));
    ahead.until(ahead.today() + TimeDelta::days(7));
    raised(&house.server, 5_000).await;
    assert_eq!(local.payments(), 2);
    house.server.stop();

    let restored = run(&["restore", to.to_str().unwrap()], &made);
    assert!(restored.status.success(), "{}", said(&restored));
    assert_eq!(events(&made, "donation.renewed").len(), 0, "the backup knows of no instalment");
    let env = ahead.env();
    let server = Server::start_with(&made, &all(&env, &more));
    raised(&server, 5_000).await;
    two_rounds().await;
    raised(&server, 5_000).await;
    assert_eq!(local.payments(), 2, "nothing was charged again");
    let text = server.get(&manage).await.text();
    assert!(text.matches(">Received<").count() == 2, "{text}");
    // And it goes on from there.
    ahead.until(ahead.today() + TimeDelta::days(7));
    raised(&server, 7_500).await;
    assert_eq!(local.payments(), 3);
    server.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_erased_is_charged_no_more() {
    let ahead = Ahead::new();
    let house = house(&ahead, &[]).await;
    let manage = give_every(&house.server, "month", "25", "simulated_ok").await;
    let erased = run(&["erase", "joan@example.org", "--reason", "asked by letter 17", "--yes"], &house.data());
    assert!(erased.status.success(), "{}", said(&erased));
    assert!(said(&erased).contains("recurring gift"), "{}", said(&erased));
    assert!(house.server.get(&manage).await.text().contains("It has ended"));
    ahead.until(ahead.today() + Months::new(2));
    two_rounds().await;
    raised(&house.server, 2_500).await;
    assert!(events(&house.data(), "donation.renewed").is_empty());
    house.server.is_well().await;
}
