//! The finance team's list of work: what stands on it, who takes it, and what takes it off.

use crate::reconcile::bank::Bank;
use crate::server::{House, PASSWORD, Server, Staff, pay, pledge, run, run_with_input, said, until};
use crate::stripe_at::{borrowed, env};
use crate::webhooks::{DEAD, dispute, hook, succeeded};

const WORK: &str = "/finance/work";

pub async fn page(house: &House, query: &str) -> String {
    let answer = house.server.get_as(&house.owner.cookie, &format!("{WORK}?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

/// The hidden fields of the first form on a page that is sent there.
fn fields(page: &str, action: &str) -> Vec<(String, String)> {
    let form = page.split_once(&format!("action=\"{action}")).unwrap_or_else(|| panic!("{action}: {page}")).1;
    let form = form.split_once("</form>").unwrap().0;
    let hidden = form.split("<input type=\"hidden\" name=\"").skip(1).map(|rest| {
        let (name, rest) = rest.split_once("\" value=\"").unwrap();
        (name.to_owned(), rest.split('"').next().unwrap().to_owned())
    });
    hidden.filter(|(name, _)| name != "csrf").collect()
}

/// Sends such a form with further fields.
pub async fn send(
    house: &House,
    staff: &Staff,
    page: &str,
    action: &str,
    more: &[(&str, &str)],
) -> crate::server::Answer {
    let hidden = fields(page, action);
    let form: Vec<(&str, &str)> = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let form: Vec<(&str, &str)> =
        form.into_iter().filter(|(name, _)| !more.iter().any(|(one, _)| one == name)).collect();
    staff.post(&house.server, action, &[&form, more].concat()).await
}

async fn finance(house: &House, email: &str, name: &str, role: &str) -> Staff {
    let add = ["staff", "add", "--email", email, "--name", name, "--role", role];
    let added = run_with_input(&add, &house.data(), &format!("{PASSWORD}\n"));
    assert!(added.status.success(), "{}", said(&added));
    Staff::sign_in(&house.server, email).await
}

/// A gift above the sum that the rules name waits.
async fn holding() -> (House, String) {
    let house = House::new().await;
    let rules = [("abroad", "with_passport"), ("hold_above", "100"), ("hold_currency", "USD")];
    assert_eq!(house.owner.post(&house.server, "/finance/rules", &rules).await.status, 303);
    let donation = pledge(&house.server, "200", "ruth@example.org").await;
    assert_eq!(house.server.get(&donation).await.status, 200);
    (house, donation)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_gift_is_taken_given_on_and_done_by_its_release() {
    let (house, donation) = holding().await;
    let (server, owner) = (&house.server, &house.owner);
    let doors = server.get_as(&owner.cookie, "/finance").await.text();
    assert!(doors.contains("Work list <span class=\"pill warn\">1</span>"), "{doors}");
    let open = page(&house, "").await;
    for wanted in ["Let the gift of $200.00 go on", "Joan Petrie", "Nobody has it.", "href=\"/finance/held\"", "1 open"]
    {
        assert!(open.contains(wanted), "{wanted}: {open}");
    }
    assert!(!open.contains("Say that it is done"), "a fact does it");
    let answer = send(&house, owner, &open, "/finance/work/assign", &[]).await;
    assert!(answer.status == 303 && answer.header("location").ends_with("done=assigned"), "{}", answer.text());
    let mine = page(&house, "mine=yes").await;
    assert!(mine.contains("You have it.") && mine.contains("Give back"), "{mine}");
    let ben = finance(&house, "ben@example.org", "Ben Okafor", "finance").await;
    let open = page(&house, "").await;
    let (before, _) = open.split_once("\">Ben Okafor</option>").unwrap();
    let id = before.rsplit("value=\"").next().unwrap();
    assert_eq!(send(&house, owner, &open, "/finance/work/assign", &[("to", id)]).await.status, 303);
    let open = page(&house, "").await;
    assert!(open.contains("<bdi>Ben Okafor</bdi> has it."), "{open}");
    assert!(page(&house, "mine=yes").await.contains("Nothing waits for anybody here."));
    assert!(page(&house, "kind=dispute").await.contains("Nothing waits for anybody here."));
    assert!(page(&house, "kind=held").await.contains("Joan Petrie"));

    let release = format!("/finance/held/{}/release", donation.rsplit('/').next().unwrap());
    assert_eq!(ben.post(server, &release, &[("note", "Called her.")]).await.status, 303);
    let open = page(&house, "").await;
    assert!(open.contains("Nothing is open") && !open.contains("Joan Petrie"), "{open}");
    let done = page(&house, "show=done").await;
    for wanted in ["Joan Petrie", "Released. Called her.", "Ben Okafor"] {
        assert!(done.contains(wanted), "{wanted}: {done}");
    }
    assert!(!done.contains("/finance/work/reopen"), "a fact is not taken back");
    assert!(!page(&house, "show=done&mine=yes").await.contains("Called her."));
    // It is all in the log, and a start reads it from there.
    let house = house.again(Server::kill);
    assert!(page(&house, "show=done").await.contains("Ben Okafor"));
    house.server.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_sees_money_sees_and_takes_and_only_what_there_is() {
    let (house, _) = holding().await;
    let (server, owner) = (&house.server, &house.owner);
    let open = page(&house, "").await;
    let host = finance(&house, "host@example.org", "Hal", "host").await;
    assert_eq!(server.get_as(&host.cookie, WORK).await.status, 403);
    assert_eq!(send(&house, &host, &open, "/finance/work/assign", &[]).await.status, 403);
    assert!(server.get(WORK).await.header("location").starts_with("/host/sign-in"));
    let hidden = fields(&open, "/finance/work/assign");
    let form: Vec<(&str, &str)> = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    for csrf in ["", "forged"] {
        let form = [&form[..], &[("csrf", csrf)]].concat();
        assert_eq!(server.post_as(&owner.cookie, "/finance/work/assign", &form).await.status, 403);
    }
    let nobody = "4c102969-7ee3-8871-9d3a-14a2add817c4";
    for (field, value, status) in [
        ("item", "chores", 404),
        ("item", "dispute", 409),
        ("of", "", 409),
        ("of", nobody, 409),
        ("to", "me", 404),
        ("to", nobody, 409),
    ] {
        let answer = send(&house, owner, &open, "/finance/work/assign", &[(field, value)]).await;
        assert_eq!(answer.status, status, "{field} {value}: {}", answer.text());
    }
    let answer = owner.post(server, "/finance/work/finish", &[&form[..], &[("note", "Done.")]].concat()).await;
    assert!(answer.status == 409 && answer.text().contains("leaves the list by itself"), "{}", answer.text());
    let answer = owner.post(server, "/finance/work/reopen", &form).await;
    assert!(answer.status == 409 && answer.text().contains("open already"), "{}", answer.text());
    assert!(page(&house, "").await.contains("Nobody has it."));
    for odd in ["kind=chores", "mine=perhaps&show=all", "%ff=%00", "done=nothing"] {
        assert!(page(&house, odd).await.contains("Joan Petrie"), "{odd}");
    }
    house.server.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_is_called_done_and_opened_again_and_its_end_is_a_fact() {
    let house = House::with(DEAD).await;
    let owner = &house.owner;
    let donation = pledge(&house.server, "25", "joan@example.org").await;
    assert_eq!(hook(&house, &succeeded("evt_1", &donation, "pi_1", 2500)).await, 200);
    assert_eq!(hook(&house, &dispute("evt_2", "created", "needs_response", &[(-2500, 1500)])).await, 200);
    until("the dispute is not listed", || async { page(&house, "").await.contains("Answer the bank") }).await;
    let open = page(&house, "kind=dispute").await;
    for wanted in ["which disputes $25.00 (fraudulent)", "Joan Petrie", "December 31", "Disputes (1)"] {
        assert!(open.contains(wanted), "{wanted}: {open}");
    }
    let finish = "/finance/work/finish";
    let refused = send(&house, owner, &open, finish, &[("note", "to ruth@example.org")]).await;
    assert!(refused.status == 422 && refused.text().contains("to ruth@example.org"), "what was typed is kept");
    assert!(refused.text().contains("Say what was done in 1 to 500 characters"), "{}", refused.text());
    assert_eq!(send(&house, owner, &open, finish, &[("note", "Evidence handed in.")]).await.status, 303);
    assert!(page(&house, "").await.contains("Nothing is open"));
    let done = page(&house, "show=done").await;
    assert!(done.contains("Evidence handed in.") && done.contains("Ana Ruiz"), "{done}");
    assert_eq!(send(&house, owner, &done, "/finance/work/reopen", &[]).await.status, 303);
    assert!(page(&house, "").await.contains("Answer the bank"));
    assert!(!page(&house, "show=done").await.contains("Evidence handed in."));
    assert_eq!(hook(&house, &dispute("evt_3", "closed", "lost", &[(-2500, 1500)])).await, 200);
    until("the dispute is not over", || async { page(&house, "").await.contains("Nothing is open") }).await;
    let done = page(&house, "show=done").await;
    assert!(done.contains("the donor keeps the money") && !done.contains("/finance/work/reopen"), "{done}");
    let log = String::from_utf8(run(&["log", "tail", "-n", "50"], &house.data()).stdout).unwrap();
    assert!(log.contains("\"what\":\"work\""), "who looked is recorded: {log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mismatch_leaves_by_the_note_that_reconciliation_has() {
    let bank = Bank::open().await;
    let env = env(&bank.server.uri());
    let house = House::with(&borrowed(&env)).await;
    let gift = pledge(&house.server, "25", "joan@example.org").await;
    pay(&house.server, &gift, "pm_card_visa").await;
    bank.change(|books| books.pay_out("po_1", "paid", 7));
    assert!(run(&["reconcile"], &house.data()).status.success());
    let open = page(&house, "kind=mismatch").await;
    assert!(open.contains("A payout is not the sum of what is in it: find out why"), "{open}");
    assert!(open.contains("<bdi>The processor’s books</bdi>"), "{open}");
    let note = [("mismatch", "payout:po_1"), ("note", "Seven cents of interest.")];
    assert_eq!(house.owner.post(&house.server, "/finance/reconciliation/note", &note).await.status, 303);
    assert!(page(&house, "").await.contains("Nothing is open"));
    assert!(page(&house, "show=done").await.contains("Said to be fine: Seven cents of interest."));
}
