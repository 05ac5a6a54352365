//! Refunds that two people decide, over sockets.

use crate::server::{Answer, House, PASSWORD, Staff, csv_rows, give, run, run_with_input, said, state};
use uuid::Uuid;

/// A second member of the finance team.
async fn second(house: &House, email: &str, role: &str) -> Staff {
    let added = run_with_input(
        &["staff", "add", "--email", email, "--name", "Sam Roe", "--role", role],
        &house.data(),
        &format!("{PASSWORD}\n"),
    );
    assert!(added.status.success(), "{}", said(&added));
    Staff::sign_in(&house.server, email).await
}

fn id(donation: &str) -> &str {
    donation.rsplit('/').next().unwrap()
}

async fn refund(house: &House, by: &Staff, donation: &str, form: &[(&str, &str)]) -> Answer {
    by.post(&house.server, &format!("/finance/donations/{}/refund", id(donation)), form).await
}

/// Asks for all of a donation back; the refund's id.
async fn asks(house: &House, by: &Staff, donation: &str, amount: &str) -> String {
    let wanted = Uuid::now_v7().to_string();
    let form = [("refund", wanted.as_str()), ("amount", amount), ("reason", "asked by letter")];
    let answer = refund(house, by, donation, &form).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert!(answer.header("location").ends_with("done=refund-asked"), "{}", answer.header("location"));
    wanted
}

async fn raised(house: &House) -> i64 {
    state(&house.server).await["raised_minor"].as_i64().unwrap()
}

#[tokio::test]
async fn a_large_refund_waits_until_somebody_else_approves_it() {
    let house = House::new().await;
    let gift = give(&house.server, "2500", "joan@example.org").await;
    let alone = refund(&house, &house.owner, &gift, &[]).await.text();
    assert!(
        !alone.contains("second person") && alone.contains("Refund $2,500.00?")
            || alone.contains("Refund $2,500.00 to"),
        "{alone}"
    );
    let sam = second(&house, "sam@example.org", "finance").await;
    let question = refund(&house, &house.owner, &gift, &[]).await.text();
    assert!(question.contains("More than $1,000") && question.contains("Ask a second person"), "{question}");

    let wanted = Uuid::now_v7().to_string();
    let named = [("refund", wanted.as_str()), ("amount", "2500.00"), ("reason", "ask joan@example.org")];
    let named = refund(&house, &house.owner, &gift, &named).await;
    assert!(named.status == 422 && named.text().contains("ask joan@example.org"), "{}", named.text());
    let wanted = asks(&house, &house.owner, &gift, "2500.00").await;
    assert_eq!(raised(&house).await, 250_000, "nothing goes back before");
    let shown = house.server.get_as(&sam.cookie, &gift.replace("/r/call/donate/", "/finance/donations/")).await.text();
    assert!(shown.contains("asked by letter") && shown.contains("Approve"), "{shown}");
    let page = house.server.get_as(&house.owner.cookie, "/finance/refunds").await.text();
    assert!(page.contains("You asked for it") && !page.contains(">Approve<"), "{page}");
    assert!(house.server.get_as(&sam.cookie, "/finance").await.text().contains("Refunds to approve <span"));

    let approve = format!("/finance/refunds/{wanted}/approve");
    let own = house.owner.post(&house.server, &approve, &[]).await;
    assert!(own.status == 422 && own.text().contains("somebody else who sees money"), "{}", own.text());
    let host = second(&house, "host@example.org", "host").await;
    assert_eq!(host.post(&house.server, &approve, &[]).await.status, 403);
    let done = sam.post(&house.server, &approve, &[]).await;
    assert_eq!(done.status, 303, "{}", done.text());
    assert_eq!(raised(&house).await, 0);
    let late = sam.post(&house.server, &format!("/finance/refunds/{wanted}/turn-down"), &[("reason", "no")]).await;
    assert!(late.status == 422 && late.text().contains("approved it or turned it down"), "{}", late.text());
    let events = house.server.get_as(&sam.cookie, &gift.replace("/r/call/donate/", "/finance/donations/")).await.text();
    assert!(events.contains("refund.proposed") && events.contains("refund.approved"), "{events}");
}

#[tokio::test]
async fn two_approvals_at_once_give_back_once() {
    let house = House::new().await;
    let gift = give(&house.server, "2500", "joan@example.org").await;
    let (sam, ana) =
        (second(&house, "sam@example.org", "finance").await, second(&house, "eva@example.org", "owner").await);
    let wanted = asks(&house, &house.owner, &gift, "2500.00").await;
    let approve = format!("/finance/refunds/{wanted}/approve");
    let (one, other) = tokio::join!(sam.post(&house.server, &approve, &[]), ana.post(&house.server, &approve, &[]));
    let mut answers = [one.status, other.status];
    answers.sort_unstable();
    assert_eq!(answers, [303, 422], "{} {}", one.text(), other.text());
    let rows = csv_rows(&run(&["export", "csv"], &house.data()).stdout);
    assert_eq!(rows.iter().filter(|row| row["kind"] == "refund").count(), 1);
}

#[tokio::test]
async fn small_ones_do_not_add_up_past_the_sum_and_an_owner_sets_it() {
    let house = House::new().await;
    let gift = give(&house.server, "2500", "joan@example.org").await;
    let sam = second(&house, "sam@example.org", "finance").await;
    let part = |amount: &'static str| {
        let wanted = Uuid::now_v7().to_string();
        let (house, sam, gift) = (&house, &sam, &gift);
        async move {
            let form = [("refund", wanted.as_str()), ("amount", amount), ("reason", "a part of it")];
            refund(house, sam, gift, &form).await.header("location")
        }
    };
    assert_eq!(part("900.00").await, "/finance?done=refunded");
    assert!(part("101.00").await.ends_with("refund-asked"), "900 and 101 dollars are more than 1,000");
    assert_eq!(raised(&house).await, 160_000);

    let rule =
        async |by: &Staff, above: &str| by.post(&house.server, "/finance/rules/refunds", &[("above", above)]).await;
    assert_eq!(rule(&sam, "5000").await.status, 409, "an owner's word");
    let wrong = rule(&house.owner, "a lot").await;
    assert!(
        wrong.status == 422 && wrong.text().contains("a lot") && wrong.text().contains("whole dollars"),
        "{}",
        wrong.text()
    );
    assert_eq!(rule(&house.owner, "").await.status, 303);
    let page = house.server.get_as(&sam.cookie, "/finance/rules").await.text();
    assert!(page.contains("no sum is named") && page.contains("An owner sets this sum"), "{page}");
    assert_eq!(part("1000.00").await, "/finance?done=refunded");
    // What waits still does, and what is left of it is less than it asks for by now.
    assert_eq!(part("599.00").await, "/finance?done=refunded");
    let waiting = house.server.get_as(&house.owner.cookie, "/finance/refunds").await.text();
    let approve = waiting.split("action=\"").find(|part| part.contains("/approve\"")).unwrap();
    let approve = approve.split('"').next().unwrap();
    let gone = house.owner.post(&house.server, approve, &[]).await;
    assert!(gone.status == 422 && gone.text().contains("at most $1.00"), "{}", gone.text());
    let down = approve.replace("approve", "turn-down");
    let unsaid = house.owner.post(&house.server, &down, &[("reason", " ")]).await;
    assert!(
        unsaid.status == 422 && unsaid.text().contains("say why") || unsaid.text().contains("Say why"),
        "{}",
        unsaid.text()
    );
    assert_eq!(house.owner.post(&house.server, &down, &[("reason", "gave back otherwise")]).await.status, 303);
    assert!(house.server.get_as(&sam.cookie, "/finance/refunds").await.text().contains("Nothing waits"));
}
