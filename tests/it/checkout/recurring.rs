//! A gift that comes each month, begun on Stripe's own page: what that page keeps is what the schedule charges.

use super::{begin, env, go_back, sessions};
use crate::ahead::Ahead;
use crate::checkout_stand_in::StandIn;
use crate::plans::{events, href, pledge_every, raised, shows, two_rounds, words};
use crate::server::{House, until};
use chrono::{Months, NaiveDate, Utc};
use serde_json::{Value, json};
use std::collections::HashMap;

/// The charges that were asked for by a call, each by its fields: the page's own is none of them.
async fn charges(stand_in: &StandIn) -> Vec<HashMap<String, String>> {
    let calls = stand_in.calls("POST", "/v1/payment_intents").await;
    let fields =
        |call: &Value| form_urlencoded::parse(call["body"].as_str().unwrap().as_bytes()).into_owned().collect();
    calls.iter().map(fields).collect()
}

/// Whom a plan's event says the card is kept for, and the card.
fn saved(event: &Value) -> [String; 2] {
    ["customer", "method"].map(|name| event["data"]["saved"][name].as_str().unwrap().to_owned())
}

/// A server and a Stripe that tells it of everything, by clocks that go together.
struct Town {
    stand_in: StandIn,
    ahead: Ahead,
    house: House,
}

impl Town {
    async fn new() -> Self {
        let (stand_in, ahead) = (StandIn::start(), Ahead::new());
        let settings = [stand_in.env(), ahead.env().to_vec()].concat();
        let house = House::with(&env(&settings)).await;
        stand_in.tells(house.server.http).await;
        Self { stand_in, ahead, house }
    }

    /// Lets days pass until this one has come.
    async fn until(&self, day: NaiveDate) {
        self.ahead.until(day);
        self.stand_in.config(json!({ "ahead": (self.ahead.now() - Utc::now()).num_seconds() })).await;
    }

    /// Pays a donation on the page; what ours says afterwards.
    async fn pay(&self, donation: &str) -> String {
        let url = begin(&self.house.server, donation).await;
        let back = self.stand_in.press(&url, "pay").await.unwrap();
        go_back(&self.house.server, &back).await
    }

    /// Joan gives each month; the page on which she changes it, and the day of her next gift.
    async fn begins(&self) -> (String, NaiveDate) {
        let server = &self.house.server;
        let donation = pledge_every(server, "month", "25", "joan@example.org").await;
        let card_step = server.get(&donation).await.text();
        assert!(
            card_step.contains("Pay $25 each month on Stripe’s page")
                && card_step.contains("You agree that your card is charged $25.00 today"),
            "{card_step}"
        );
        let manage = href(&self.pay(&donation).await, "/r/call/plan/");
        raised(server, 2_500).await;
        let due = self.ahead.today() + Months::new(1);
        shows(server, &manage, &format!("The next gift is charged on {}", words(due))).await;
        assert!(charges(&self.stand_in).await.is_empty(), "the page took the first one");
        (manage, due)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_begins_on_the_page_is_charged_again_by_the_schedule_and_stopped_by_its_donor() {
    let town = Town::new().await;
    let (server, data) = (&town.house.server, town.house.data());
    let (manage, due) = town.begins().await;
    let started = events(&data, "plan.started");
    assert_eq!(started.len(), 1, "{started:?}");

    town.until(due).await;
    raised(server, 5_000).await;
    let asked = charges(&town.stand_in).await;
    assert_eq!(asked.len(), 1, "{asked:?}");
    let ([customer, method], renewed) = (saved(&started[0]), events(&data, "donation.renewed"));
    for (field, value) in [
        ("customer", customer),
        ("payment_method", method),
        ("off_session", "true".into()),
        ("confirm", "true".into()),
        ("amount", "2500".into()),
        ("currency", "usd".into()),
        ("metadata[donation]", renewed[0]["data"]["donation"].as_str().unwrap().into()),
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
    town.until(due + Months::new(3)).await;
    two_rounds().await;
    raised(server, 5_000).await;
    assert_eq!((charges(&town.stand_in).await.len(), sessions(&town.stand_in).await), (1, 1));
    server.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_card_refused_is_paid_on_the_page_and_that_card_is_charged_from_then_on() {
    let town = Town::new().await;
    let (server, data) = (&town.house.server, town.house.data());
    let (manage, due) = town.begins().await;
    town.stand_in.config(json!({ "decline": 1 })).await;
    town.until(due).await;
    shows(server, &manage, "We try again on").await;
    raised(server, 2_500).await;
    let renewed = events(&data, "donation.renewed");
    let instalment = format!("/r/call/donate/{}", renewed[0]["data"]["donation"].as_str().unwrap());
    let thanks = town.pay(&instalment).await;
    assert!(thanks.contains("Thank you"), "{thanks}");
    raised(server, 5_000).await;
    until("the card is not changed", || async { events(&data, "plan.card_changed").len() == 1 }).await;
    let [before, after] = ["plan.started", "plan.card_changed"].map(|kind| saved(&events(&data, kind)[0]));
    assert_ne!(before, after);
    town.until(due + Months::new(1)).await;
    raised(server, 7_500).await;
    let asked = charges(&town.stand_in).await;
    let cards: Vec<_> = asked.iter().map(|asked| ["customer", "payment_method"].map(|of| asked[of].clone())).collect();
    assert_eq!(cards, [before, after]);
    server.is_well().await;
}
