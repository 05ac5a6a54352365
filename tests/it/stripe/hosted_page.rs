//! Stripe's own page: how it is asked for, and what its events say.

use super::*;

#[tokio::test]
async fn a_page_is_asked_for_in_these_words_and_no_others() {
    use groundswell::payments::checkout::{Checkout, Hosted, Visit};
    let server = MockServer::start().await;
    let json = |body: serde_json::Value| ResponseTemplate::new(200).set_body_json(body);
    let page = serde_json::json!({ "id": "cs_test_1", "object": "checkout.session", "status": "open", "url": "https://checkout.stripe.com/c/pay/cs_test_1#key" });
    Mock::given(method("POST"))
        .and(path("/v1/checkout/sessions"))
        .respond_with(json(page.clone()))
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(path("/v1/checkout/sessions/cs_test_1"))
        .respond_with(json(page))
        .mount(&server)
        .await;
    let expired = serde_json::json!({ "id": "cs_test_1", "status": "expired", "url": null, "payment_intent": null });
    let expire = Mock::given(method("POST")).and(path("/v1/checkout/sessions/cs_test_1/expire"));
    expire.and(header("idempotency-key", "expire-cs_test_1")).respond_with(json(expired)).mount(&server).await;
    let donation: DonationId = DONATION.parse().unwrap();
    let asked = Checkout {
        donation,
        attempt: 2,
        amount: usd(2500),
        key: groundswell::payments::checkout_key(donation, 2),
        rally: "opening-night".into(),
        repeats: None,
        title: "Donation to Opening & night".into(),
        email: "joan@example.org".into(),
        paid_href: "https://rally.example/r/a/donate/1?paid".into(),
        back_href: "https://rally.example/r/a/donate/1".into(),
        closes_at: NOW,
    };
    let stripe = stripe_at(&server.uri());
    let url = "https://checkout.stripe.com/c/pay/cs_test_1#key".to_owned();
    let hosted = Hosted { checkout: "cs_test_1".into(), url: url.clone() };
    assert_eq!(stripe.checkout(&asked).await, Ok(hosted.clone()));
    let request = &server.received_requests().await.unwrap()[0];
    assert_eq!(request.headers["idempotency-key"], format!("checkout-{DONATION}-2"));
    let mut sent: Vec<(String, String)> = form_urlencoded::parse(&request.body).into_owned().collect();
    sent.sort();
    let now = NOW.to_string();
    let expected = [
        ("adaptive_pricing[enabled]", "false"),
        ("cancel_url", "https://rally.example/r/a/donate/1"),
        ("customer_email", "joan@example.org"),
        ("expires_at", now.as_str()),
        ("line_items[0][price_data][currency]", "usd"),
        ("line_items[0][price_data][product_data][name]", "Donation to Opening & night"),
        ("line_items[0][price_data][unit_amount]", "2500"),
        ("line_items[0][quantity]", "1"),
        ("metadata[attempt]", "2"),
        ("metadata[donation]", DONATION),
        ("metadata[rally]", "opening-night"),
        ("mode", "payment"),
        ("payment_intent_data[metadata][donation]", DONATION),
        ("payment_intent_data[metadata][rally]", "opening-night"),
        ("submit_type", "donate"),
        ("success_url", "https://rally.example/r/a/donate/1?paid"),
    ];
    assert_eq!(sent, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    // A recurring gift's page keeps the card for a customer, or there would be nothing to charge next month.
    let repeats = Repeats { plan: DONATION.parse().unwrap(), number: 1, due: NaiveDate::MIN, customer: None };
    let recurring = Checkout { repeats: Some(repeats), ..asked.clone() };
    assert_eq!(stripe.checkout(&recurring).await, Ok(hosted.clone()));
    let request = &server.received_requests().await.unwrap()[1];
    let also: BTreeSet<(String, String)> = form_urlencoded::parse(&request.body).into_owned().collect();
    let also: Vec<&str> = also.iter().filter(|pair| !sent.contains(pair)).map(|(name, _)| name.as_str()).collect();
    let of_plan = ["due]", "gift_number]", "plan]"];
    let [on_page, on_payment] =
        ["metadata[", "payment_intent_data[metadata]["].map(|place| of_plan.map(|name| format!("{place}{name}")));
    let mut expected = vec!["customer_creation", "payment_intent_data[setup_future_usage]"];
    expected.extend(on_page.iter().chain(&on_payment).map(String::as_str));
    expected.sort_unstable();
    assert_eq!(also, expected);
    let open = stripe.look_up_checkout("cs_test_1").await.unwrap();
    assert_eq!(open, Visit::Open { url });
    assert!(
        matches!(stripe.close_checkout("cs_test_1").await, Ok(Visit::Closed { code, .. }) if code == "checkout_expired")
    );
    let shown = format!("{hosted:?} {open:?} {asked:?}");
    assert!(!shown.contains("#key") && !shown.contains("joan@"), "{shown}");
    for foreign in ["", "pi_1", "cs_1/../x", "cs_1?expand=y"] {
        assert!(matches!(stripe.look_up_checkout(foreign).await, Err(Fault::Rejected { .. })), "{foreign:?}");
        assert!(matches!(stripe.close_checkout(foreign).await, Err(Fault::Rejected { .. })), "{foreign:?}");
    }
    assert!(matches!(Simulated::new().checkout(&asked).await, Err(Fault::Rejected { .. })));
}

#[test]
fn events_of_a_page_are_about_its_donation_and_attempt() {
    let event = |kind: &str, change: serde_json::Value| {
        let mut session = serde_json::json!({
            "id": "cs_test_1", "object": "checkout.session", "amount_total": 2500, "currency": "usd", "status": "complete",
            "payment_status": "paid", "payment_intent": "pi_1", "metadata": { "donation": DONATION, "attempt": "3" },
        });
        for (name, value) in change.as_object().unwrap() {
            session[name] = value.clone();
        }
        let event = serde_json::json!({ "type": format!("checkout.session.{kind}"), "data": { "object": session } });
        stripe().interpret(event.to_string().as_bytes())
    };
    let (donation, payment): (DonationId, String) = (DONATION.parse().unwrap(), "pi_1".into());
    let none = serde_json::json!({});
    let settled = Notice::Settled { donation, payment: payment.clone(), amount: usd(2500), fee: None, card: None };
    assert_eq!(event("completed", none.clone()), Ok(vec![settled.clone()]));
    assert_eq!(event("async_payment_succeeded", none.clone()), Ok(vec![settled]));
    let unpaid = serde_json::json!({ "payment_status": "unpaid" });
    assert_eq!(event("completed", unpaid.clone()), Ok(vec![Notice::Processing { donation, payment: payment.clone() }]));
    let Ok(failed) = event("async_payment_failed", unpaid) else { panic!() };
    assert!(matches!(&failed[..], [Notice::Declined { .. }, Notice::CheckoutClosed { attempt: 3, .. }]), "{failed:?}");
    let expired = event("expired", serde_json::json!({ "status": "expired", "payment_intent": null }));
    assert!(
        matches!(&expired, Ok(notices) if matches!(&notices[..], [Notice::CheckoutClosed { attempt: 3, checkout, .. }] if checkout == "cs_test_1")),
        "{expired:?}"
    );
    for foreign in [serde_json::json!({ "metadata": {} }), serde_json::json!({ "metadata": null })] {
        for kind in ["completed", "expired", "async_payment_failed", "of_the_future"] {
            assert_eq!(event(kind, foreign.clone()), Ok(vec![]), "another program's page");
        }
    }
    let unreadable = event("completed", serde_json::json!({ "payment_intent": null }));
    assert!(matches!(unreadable, Err(Fault::Rejected { .. })));
}
