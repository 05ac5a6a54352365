//! The bank's question over the real server: what lets a browser ask it stands on its donor's page, and nowhere else.

use crate::localstripe::{self, LocalStripe};
use crate::server::{House, pay, pledge, run, said, state};
use crate::stripe_at::{borrowed, env};

#[tokio::test]
async fn what_asks_the_bank_is_its_donors_alone_and_gone_once_it_was_answered() {
    let local = LocalStripe::start();
    let house = House::with(&borrowed(&env(&local.api_base()))).await;
    let (server, owner) = (&house.server, &house.owner);
    let donation = pledge(server, "25", "joan@example.org").await;
    let other = pledge(server, "30", "zoe@example.org").await;
    let asked = pay(server, &donation, &local.card(localstripe::CARD_ACTION)).await;
    assert_eq!(asked["state"], "action", "{asked}");
    let secret = asked["client_secret"].as_str().unwrap();
    // The page that is opened anew, after a wait in line or on another day, goes on with it, and is kept by no cache.
    let page = server.get(&donation).await;
    assert!(page.text().contains(&format!("data-client-secret=\"{secret}\"")), "{}", page.text());
    assert_eq!(page.header("cache-control"), "no-store");
    for path in [&other, "/", "/r/call", "/r/call/donate", "/r/call/live.json", "/r/call/overlay/feed"] {
        assert!(!server.get(path).await.text().contains(secret), "{path}");
    }
    for path in ["/finance", "/finance/reconciliation", "/host/r/call"] {
        assert!(!server.get_as(&owner.cookie, path).await.text().contains(secret), "{path}");
    }
    let confirm = || async {
        let kind = [("content-type", "application/json")];
        server.send("POST", &format!("{donation}/pay"), &kind, br#"{"confirmed":true}"#).await.json()
    };
    let unanswered = confirm().await;
    assert_eq!((&unanswered["state"], &unanswered["client_secret"]), (&"action".into(), &secret.into()));
    assert_eq!(state(server).await["raised_minor"], 0, "a browser is not believed");
    local.answer(secret.split("_secret").next().unwrap(), secret, true);
    assert_eq!(confirm().await["state"], "settled");
    assert_eq!(state(server).await["raised_minor"], 2500);
    assert!(!server.get(&donation).await.text().contains(secret), "nothing is left to ask");
    for command in [["log", "tail", "-n", "1000"].as_slice(), &["export", "csv"]] {
        let told = said(&run(command, &house.data()));
        assert!(!told.is_empty() && !told.contains(secret), "{command:?}: {told}");
    }
    assert!(!server.printed().contains(secret));
    server.is_well().await;
}
