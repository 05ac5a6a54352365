//! Goals and matches, from the host's page to the frames that programs read.

use crate::server::{House, give, state};

const GOALS: &str = "/host/r/call/goals";

fn a_match<'a>(percent: &'a str, most: &'a str, from: &'a str, until: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("sponsor", "The Rivera family"), ("percent", percent), ("most", most), ("from", from), ("until", until)]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_match_rises_with_gifts_falls_with_refunds_and_is_never_received() {
    let house = House::new().await;
    let (server, owner) = (&house.server, &house.owner);
    let form = a_match("50", "40", "2020-01-01T00:00", "2099-01-01T00:00");
    let made = owner.post(server, &format!("{GOALS}/match"), &form).await;
    assert_eq!(made.status, 303, "{}", made.text());
    let donation = give(server, "60", "joan@example.org").await;
    let now = state(server).await;
    assert_eq!((now["raised_minor"].as_i64(), now["matched_minor"].as_i64()), (Some(6_000), Some(3_000)));
    let page = server.get("/r/call/donate").await.text();
    assert!(page.contains("50 % is added to every gift until") && page.contains("The Rivera family"), "{page}");
    let _ = give(server, "60", "ann@example.org").await;
    let now = state(server).await;
    assert_eq!((now["raised_minor"].as_i64(), now["matched_minor"].as_i64()), (Some(12_000), Some(4_000)), "the most");
    assert!(now["parts"]["drive"].as_str().unwrap().contains("Matched in full"));
    assert!(!server.get("/r/call/donate").await.text().contains("is added to every gift"), "nothing is left of it");
    let id = donation.rsplit('/').next().unwrap();
    let refund = [("refund", "0193a1d2-6e70-7a80-9b1c-2d3e4f5061c1"), ("amount", "60")];
    let answer = owner.post(server, &format!("/finance/donations/{id}/refund"), &refund).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    let now = state(server).await;
    assert_eq!((now["raised_minor"].as_i64(), now["matched_minor"].as_i64()), (Some(6_000), Some(3_000)));
    // It is found again after a restart.
    let house = house.again(|server| server.stop());
    assert_eq!(state(&house.server).await["matched_minor"].as_i64(), Some(3_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_at_its_field_and_nothing_typed_is_lost() {
    let house = House::new().await;
    let (server, owner) = (&house.server, &house.owner);
    assert_eq!(server.get(GOALS).await.status, 303, "staff only");
    for (form, words) in [
        (a_match("much", "40", "2020-01-01T00:00", "2099-01-01T00:00"), "100 doubles every gift"),
        (a_match("0", "40", "2020-01-01T00:00", "2099-01-01T00:00"), "1 to 1000 percent"),
        (a_match("100", "all", "2020-01-01T00:00", "2099-01-01T00:00"), "At most: "),
        (a_match("100", "0", "2020-01-01T00:00", "2099-01-01T00:00"), "upper limit"),
        (a_match("100", "40", "tomorrow", "2099-01-01T00:00"), "at which it begins"),
        (a_match("100", "40", "2020-01-01T00:00", "2020-01-01T00:00"), "ends after it begins"),
    ] {
        let answer = owner.post(server, &format!("{GOALS}/match"), &form).await;
        let page = answer.text();
        assert!(answer.status == 422 && page.contains(words) && page.contains("The Rivera family"), "{words}: {page}");
    }
    for (amount, speaker, words) in [
        ("many", "", "Goal 1: "),
        ("0", "", "more than nothing"),
        ("5", "nobody", "choose its speaker"),
        ("5", "0193a1d2-6e70-7a80-9b1c-2d3e4f5061c1", "not on this rally’s bill"),
    ] {
        let form = [("goal_name_1", "Ten buses"), ("goal_amount_1", amount), ("goal_speaker_1", speaker)];
        let answer = owner.post(server, GOALS, &form).await;
        let page = answer.text().replace("&#39;", "’").replace('\'', "’");
        assert!(answer.status == 422 && page.contains(words) && page.contains("Ten buses"), "{words}: {page}");
    }
    let form = [("goal_name_1", "Ten buses"), ("goal_amount_1", "1000")];
    assert_eq!(owner.post(server, GOALS, &form).await.status, 303);
    let _ = give(server, "250", "joan@example.org").await;
    let part = state(server).await["parts"]["drive"].as_str().unwrap().to_owned();
    assert!(part.contains("Ten buses") && part.contains("25 percent of $1,000"), "{part}");
}
