//! What trackers of donations poll, in DonorDrive's shape.

use crate::server::{House, encode, gift, give, pay};
use serde_json::Value;

async fn asked(house: &House, path: &str) -> Value {
    let answer = house.server.get(path).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("cache-control"), "public, max-age=5");
    answer.json()
}

#[tokio::test]
async fn a_tracker_reads_sums_and_the_latest_donations_as_the_room_sees_them() {
    let house = House::new().await;
    let server = &house.server;
    let empty = asked(&house, "/api/events/call/donations").await;
    assert_eq!(empty, Value::Array(vec![]));
    let first = give(server, "25", "joan@example.org").await;
    let mut form = gift("50.50", "omar@example.org");
    form.retain(|(name, _)| *name != "show_as");
    form.extend([("show_as", "anonymous"), ("message", "For the nurses")]);
    let answer = server.send("POST", "/r/call/donate", &[], encode(&form).as_bytes()).await;
    assert_eq!(pay(server, &answer.header("location"), "simulated_ok").await["state"], "settled");

    let event = asked(&house, "/api/events/call").await;
    assert_eq!((&event["sumDonations"], &event["numDonations"]), (&serde_json::json!(75.5), &2.into()));
    assert_eq!((&event["fundraisingGoal"], &event["name"]), (&100_000.into(), &"Answer the call".into()));
    assert_eq!((&event["startDateUTC"], &event["mode"]), (&"2028-07-25T23:30:00.000+0000".into(), &"simulated".into()));
    let by_number = asked(&house, &format!("/api/events/{}", event["eventID"])).await;
    assert_eq!(by_number, event);
    let participant = asked(&house, "/api/participants/call").await;
    assert_eq!((&participant["displayName"], &participant["sumDonations"]), (&event["name"], &event["sumDonations"]));

    let all = asked(&house, "/api/events/call/donations").await;
    assert_eq!(asked(&house, "/api/participants/call/donations").await, all);
    assert_eq!((&all[0]["displayName"], &all[0]["amount"]), (&"Anonymous".into(), &serde_json::json!(50.5)));
    assert_eq!((&all[0]["message"], &all[1]["message"]), (&"For the nurses".into(), &Value::Null));
    assert_eq!((&all[1]["displayName"], &all[1]["amount"]), (&"Joan Petrie".into(), &25.into()));
    let text = all.to_string();
    for private in ["example.org", "Omar", "omar", "Main Street", first.rsplit('/').next().unwrap()] {
        assert!(!text.contains(private), "{private}: {text}");
    }
    assert_eq!(all[1]["donationID"].as_str().unwrap().len(), 16);
    assert_eq!(asked(&house, "/api/events/call/donations?limit=1&offset=1").await[0], all[1]);
    assert_eq!(server.get("/api/events/call/donations?offset=9").await.status, 204);
    assert_eq!(server.get("/api/events/call/donations?limit=x").await.status, 400);

    let tag = server.get("/api/events/call").await.header("etag");
    let again = server.send("GET", "/api/events/call", &[("if-none-match", &tag)], b"").await;
    assert_eq!((again.status, again.body.len()), (304, 0));
    give(server, "1", "joan@example.org").await;
    assert_eq!(server.send("GET", "/api/events/call", &[("if-none-match", &tag)], b"").await.status, 200);
    for path in ["/api/events/nothing", "/api/events/1/donations", "/api/participants/"] {
        let answer = server.get(path).await;
        assert_eq!(
            (answer.status, answer.header("content-type").as_str()),
            (404, "application/problem+json"),
            "{path}"
        );
    }
    server.is_well().await;
}
