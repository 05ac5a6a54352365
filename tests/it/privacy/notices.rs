//! What the payment company told of a person goes with them.

use super::{JOAN, OTHER, erased, events, find, first_donor, key_of, kinds};
use crate::server::{House, pledge, run, said, until};
use crate::webhooks::{DEAD, hook, raised, succeeded};
use groundswell::domain::id::PersonId;

#[tokio::test(flavor = "multi_thread")]
async fn stored_notices_that_name_them_go_with_them() {
    let house = House::with(DEAD).await;
    let data = house.data();
    let (joans, others) = (pledge(&house.server, "25", JOAN).await, pledge(&house.server, "30", OTHER).await);
    let customer = serde_json::json!({
        "id": "evt_2", "object": "event", "type": "customer.created", "livemode": false,
        "data": { "object": { "id": "cus_1", "object": "customer", "email": "Joan.Petrie@Example.org" } },
    });
    assert_eq!(hook(&house, &succeeded("evt_1", &joans, "pi_3Q2fKdLkdIwHu7ix0a", 2_500)).await, 200);
    assert_eq!(hook(&house, &customer.to_string()).await, 200);
    assert_eq!(hook(&house, &succeeded("evt_3", &others, "pi_3Q2fKdLkdIwHu7ix0b", 3_000)).await, 200);
    raised(&house, 5_500).await;
    let read = |events: &[serde_json::Value]| kinds(events).iter().filter(|kind| *kind == "inbox.interpreted").count();
    until("the notices are not read", || async { read(&events(&data)) == 3 }).await;
    let joan = first_donor(&data);
    let notice = |name: &str| {
        let all = events(&data);
        let received = all.iter().filter(|event| event["kind"] == "inbox.received");
        let found = received.into_iter().find(|event| event["data"]["notice"] == name).unwrap().clone();
        let sealed_for: PersonId = found["data"]["sealed_for"].as_str().unwrap().parse().unwrap();
        (found["seq"].to_string(), sealed_for)
    };
    let keys = ["evt_1", "evt_2"].map(|name| key_of(&data, notice(name).1).unwrap());
    let told = erased(&data, &joan.to_string());
    assert!(told.contains("2 notices of the payment company went with it"), "{told}");
    assert!(keys.iter().all(|key| find(&data, key).is_none()));
    assert!(key_of(&data, notice("evt_3").1).is_some());
    let show = |name: &str| said(&run(&["log", "show", &notice(name).0, "--reveal", "--reason", "test"], &data));
    assert!(show("evt_1").contains("\"body\": \"erased\"") && show("evt_2").contains("\"body\": \"erased\""));
    assert!(show("evt_3").contains("pi_3Q2fKdLkdIwHu7ix0b"));
    raised(&house, 5_500).await;
}
