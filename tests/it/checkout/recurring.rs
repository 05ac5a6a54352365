//! A gift that comes each month, begun on Stripe's own page: what that page keeps is what the schedule charges.

use super::{begin, env, go_back, sessions};
use crate::ahead::Ahead;
use crate::checkout_stand_in::StandIn;
use crate::plans::{events, href, pledge_every, raised, shows, two_rounds, words};
use crate::server::House;
use chrono::Months;
use serde_json::Value;
use std::collections::HashMap;

/// The charges that were asked for by a call, each by its fields: the page's own is none of them.
async fn charges(stand_in: &StandIn) -> Vec<HashMap<String, String>> {
    let calls = stand_in.calls("POST", "/v1/payment_intents").await;
    let fields =
        |call: &Value| form_urlencoded::parse(call["body"].as_str().unwrap().as_bytes()).into_owned().collect();
    calls.iter().map(fields).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_begins_on_the_page_is_charged_again_by_the_schedule_and_stopped_by_its_donor() {
    let (stand_in, ahead) = (StandIn::start(), Ahead::new());
    let settings = [stand_in.env(), ahead.env().to_vec()].concat();
    let house = House::with(&env(&settings)).await;
    let server = &house.server;
    let donation = pledge_every(server, "month", "25", "joan@example.org").await;
    let card_step = server.get(&donation).await.text();
    assert!(
        card_step.contains("Pay $25 each month on Stripe’s page")
            && card_step.contains("You agree that your card is charged $25.00 today"),
        "{card_step}"
    );
    let url = begin(server, &donation).await;
    let back = stand_in.press(&url, "pay").await.unwrap();
    let thanks = go_back(server, &back).await;
    raised(server, 2_500).await;
    let manage = href(&thanks, "/r/call/plan/");
    let due = ahead.today() + Months::new(1);
    shows(server, &manage, &format!("The next gift is charged on {}", words(due))).await;
    let started = events(&house.data(), "plan.started");
    assert_eq!(started.len(), 1, "{started:?}");
    assert!(charges(&stand_in).await.is_empty(), "the page took the first one");

    ahead.until(due);
    raised(server, 5_000).await;
    let asked = charges(&stand_in).await;
    assert_eq!(asked.len(), 1, "{asked:?}");
    let (saved, renewed) = (&started[0]["data"]["saved"], events(&house.data(), "donation.renewed"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for (field, value) in [
        ("customer", text(&saved["customer"])),
        ("payment_method", text(&saved["method"])),
        ("off_session", "true".into()),
        ("confirm", "true".into()),
        ("amount", "2500".into()),
        ("currency", "usd".into()),
        ("metadata[donation]", text(&renewed[0]["data"]["donation"])),
        ("metadata[gift_number]", "2".into()),
        ("metadata[due]", due.to_string()),
    ] {
        assert_eq!(asked[0].get(field), Some(&value), "{field} of {asked:?}");
    }
    shows(server, &manage, &words(due + Months::new(1))).await;
    let page = server.get(&manage).await.text();
    assert_eq!(page.matches(">Received<").count(), 2, "{page}");

    assert_eq!(server.post(&format!("{manage}/stop"), &[]).await.status, 303);
    shows(server, &manage, "It has ended").await;
    ahead.until(due + Months::new(3));
    two_rounds().await;
    raised(server, 5_000).await;
    assert_eq!((charges(&stand_in).await.len(), sessions(&stand_in).await), (1, 1));
    server.is_well().await;
}
