//! What is signed, stored and read back: webhooks, and the events in them.

use super::*;
use groundswell::domain::donation::{DisputeNews, DisputeOutcome, ReturnNews};
use groundswell::domain::id::{DisputeId, PaymentId};
use groundswell::payments::{SIGNATURE_BYTES_MAX, WEBHOOK_BYTES_MAX, Webhook, WebhookRefusal};

fn signed(body: &str, secret: &str, at: i64) -> String {
    stripe_webhook::Webhook::generate_test_header(body, secret, Some(at))
}

#[test]
fn webhooks_are_believed_only_with_our_signature_and_only_now() {
    let body = fixture("payment_intent.succeeded.json");
    let good = signed(&body, WEBHOOK_SECRET, NOW);
    let event = || Webhook {
        event_id: "evt_payment_intent_succeeded".into(),
        kind: "payment_intent.succeeded".into(),
        livemode: false,
    };
    let digits = good.split_once("v1=").unwrap().1;
    for (case, signature, at, expected) in [
        ("right", good.clone(), NOW, Ok(event())),
        ("at the edge", good.clone(), NOW + 300, Ok(event())),
        ("while the secret is rotated", format!("t={NOW},v1={},v1={digits}", "0".repeat(64)), NOW, Ok(event())),
        ("with an older scheme beside", format!("{good},v0=abc"), NOW, Ok(event())),
        ("stale", good.clone(), NOW + 301, Err(WebhookRefusal::Stale { seconds_off: 301 })),
        ("from the future", good.clone(), NOW - 301, Err(WebhookRefusal::Stale { seconds_off: -301 })),
        ("another secret", signed(&body, "whsec_other", NOW), NOW, Err(WebhookRefusal::BadSignature)),
        ("another body", signed("{}", WEBHOOK_SECRET, NOW), NOW, Err(WebhookRefusal::BadSignature)),
        ("another time", good.replace("t=1", "t=2"), NOW, Err(WebhookRefusal::BadSignature)),
        ("empty", String::new(), NOW, Err(WebhookRefusal::BadSignature)),
        ("no pairs", "nonsense".into(), NOW, Err(WebhookRefusal::BadSignature)),
        ("no time", format!("v1={digits}"), NOW, Err(WebhookRefusal::BadSignature)),
        ("no signature", format!("t={NOW}"), NOW, Err(WebhookRefusal::BadSignature)),
        ("a time that is none", format!("t=soon,v1={digits}"), NOW, Err(WebhookRefusal::BadSignature)),
        ("a huge time", format!("t={},v1={digits}", i64::MIN), NOW, Err(WebhookRefusal::BadSignature)),
        ("a cut signature", format!("t={NOW},v1={}", &digits[..62]), NOW, Err(WebhookRefusal::BadSignature)),
        ("only an older scheme", format!("t={NOW},v0={digits}"), NOW, Err(WebhookRefusal::BadSignature)),
        (
            "a huge header",
            format!("{good}{}", ",v1=00".repeat(SIGNATURE_BYTES_MAX)),
            NOW,
            Err(WebhookRefusal::TooLarge),
        ),
    ] {
        assert_eq!(stripe().verify_webhook(body.as_bytes(), &signature, at), expected, "{case}");
    }
}

#[test]
fn a_signed_body_must_be_an_event_of_our_mode() {
    for (body, expected) in [
        ("", Err(WebhookRefusal::NotAnEvent)),
        ("hello", Err(WebhookRefusal::NotAnEvent)),
        ("[]", Err(WebhookRefusal::NotAnEvent)),
        (r#"{"id":"evt_1","livemode":false}"#, Err(WebhookRefusal::NotAnEvent)),
        (r#"{"id":7,"type":"a.b","livemode":false}"#, Err(WebhookRefusal::NotAnEvent)),
        (r#"{"id":"evt_1","type":"a.b"}"#, Err(WebhookRefusal::NotAnEvent)),
        (r#"{"id":"evt_1","type":"a.b","livemode":true}"#, Err(WebhookRefusal::WrongMode { livemode: true })),
        (
            r#"{"id":"evt_1","type":"a.b","livemode":false,"account":"acct_other"}"#,
            Err(WebhookRefusal::OtherAccount { account: "acct_other".into() }),
        ),
        (
            r#"{"id":"evt_1","type":"a.kind.of.the.future","livemode":false,"more":{}}"#,
            Ok(Webhook { event_id: "evt_1".into(), kind: "a.kind.of.the.future".into(), livemode: false }),
        ),
    ] {
        let signature = signed(body, WEBHOOK_SECRET, NOW);
        assert_eq!(stripe().verify_webhook(body.as_bytes(), &signature, NOW), expected, "{body}");
    }
    let nested = "[".repeat(100_000);
    let signature = signed(&nested, WEBHOOK_SECRET, NOW);
    assert_eq!(stripe().verify_webhook(nested.as_bytes(), &signature, NOW), Err(WebhookRefusal::NotAnEvent));
    let not_text = stripe().verify_webhook(&[0xff, 0xfe], &signature, NOW);
    assert_eq!(not_text, Err(WebhookRefusal::NotAnEvent));
    let huge = " ".repeat(WEBHOOK_BYTES_MAX + 1);
    let signature = signed(&huge, WEBHOOK_SECRET, NOW);
    assert_eq!(stripe().verify_webhook(huge.as_bytes(), &signature, NOW), Err(WebhookRefusal::TooLarge));

    let live = Settings::new(Secret::new("sk_live_1"), "pk_live_1".into(), Secret::new(WEBHOOK_SECRET));
    let live = Stripe::new(live).unwrap();
    assert_eq!(live.mode(), Mode::Live);
    let test_event = fixture("payment_intent.succeeded.json");
    let signature = signed(&test_event, WEBHOOK_SECRET, NOW);
    let refused = live.verify_webhook(test_event.as_bytes(), &signature, NOW);
    assert_eq!(refused, Err(WebhookRefusal::WrongMode { livemode: false }));
}

#[test]
fn stored_events_are_understood_in_every_shape() {
    let donation: DonationId = DONATION.parse().unwrap();
    let refund: RefundId = REFUND.parse().unwrap();
    let payment = || String::from("pi_3QGroundswell0001");
    let fingerprint = || Some(Fingerprint::new("AOB934RVNwzk6xtn".into()));
    let visa = || Some(CardSummary { brand: "visa".into(), last4: "4242".into(), fingerprint: fingerprint() });
    let settled = |card| vec![Notice::Settled { donation, payment: payment(), amount: usd(2500), fee: None, card }];
    let refunded = |id: &str, donation, refund, minor| Notice::Refunded {
        donation,
        payment: payment(),
        processor_refund: id.into(),
        refund,
        amount: usd(minor),
    };
    let declined = |code: &str, reason: &str| {
        vec![Notice::Declined { donation, payment: payment(), code: code.into(), reason: reason.into() }]
    };
    let no_money = "Your bank says there is not enough money for this on the card. Nothing was charged. Try a smaller \
                    amount or another card.";
    let given_up = "This payment was given up before it finished. Nothing was charged. You can start again.";
    let dispute = || DisputeNews {
        payment: PaymentId(payment()),
        dispute: DisputeId("dp_1QGroundswell0001".into()),
        amount: usd(2500),
        reason: "fraudulent".into(),
        due_by: chrono::DateTime::from_timestamp(1_725_999_999, 0),
        withdrawn: false,
        withdrawal_fee: None,
        reinstated: false,
        reinstatement_fee: None,
        closed: None,
    };
    let withdrawn = || DisputeNews { withdrawn: true, withdrawal_fee: Some(usd(1500)), ..dispute() };
    let won = || DisputeNews {
        reinstated: true,
        reinstatement_fee: Some(usd(-1500)),
        closed: Some(DisputeOutcome::Won),
        ..withdrawn()
    };
    let disputed = |news| vec![Notice::Disputed(news)];
    let returned = |fee| {
        let (payment, code) = (PaymentId(payment()), "insufficient_funds".into());
        vec![Notice::Returned(ReturnNews { payment, amount: usd(2500), code, fee })]
    };
    let table = [
        ("payment_intent.succeeded.json", settled(None)),
        ("payment_intent.succeeded.2020-08-27.json", settled(visa())),
        ("payment_intent.succeeded.unknown_fields.json", settled(None)),
        ("payment_intent.succeeded.foreign.json", vec![]),
        ("payment_intent.processing.json", vec![Notice::Processing { donation, payment: payment() }]),
        ("payment_intent.canceled.json", declined("canceled", given_up)),
        ("payment_intent.payment_failed.json", declined("insufficient_funds", no_money)),
        ("payment_intent.requires_action.json", vec![]),
        ("refund.created.json", vec![refunded("re_3QGroundswell0001", Some(donation), Some(refund), 1000)]),
        ("refund.created.elsewhere.json", vec![refunded("re_3QGroundswell0001", None, None, 1000)]),
        ("refund.updated.pending.json", vec![]),
        (
            "refund.failed.json",
            vec![Notice::RefundFailed {
                donation: Some(donation),
                payment: payment(),
                processor_refund: "re_3QGroundswell0001".into(),
                refund: Some(refund),
                amount: usd(1000),
                code: "lost_or_stolen_card".into(),
            }],
        ),
        ("charge.refunded.json", vec![]),
        (
            "charge.refunded.2019-12-03.json",
            vec![
                refunded("re_3QGroundswell0001", Some(donation), Some(refund), 1000),
                refunded("re_3QGroundswell0002", Some(donation), None, 1500),
            ],
        ),
        ("plan.created.json", vec![]),
        ("charge.dispute.created.json", vec![]),
        ("charge.dispute.created.inquiry.json", disputed(DisputeNews { reason: "general".into(), ..dispute() })),
        (
            "charge.dispute.closed.inquiry.json",
            disputed(DisputeNews { reason: "general".into(), closed: Some(DisputeOutcome::Dropped), ..dispute() }),
        ),
        ("charge.dispute.created.chargeback.json", disputed(withdrawn())),
        ("charge.dispute.funds_withdrawn.json", disputed(withdrawn())),
        ("charge.dispute.funds_reinstated.json", disputed(won())),
        ("charge.dispute.closed.won.json", disputed(won())),
        (
            "charge.dispute.closed.lost.2019-12-03.json",
            disputed(DisputeNews { withdrawn: true, closed: Some(DisputeOutcome::Lost), ..dispute() }),
        ),
        ("charge.dispute.updated.other_currency.json", disputed(DisputeNews { withdrawn: true, ..dispute() })),
        ("charge.dispute.created.debit_returned.json", returned(Some(usd(400)))),
        ("charge.failed.returned.json", returned(None)),
        ("charge.failed.declined.json", vec![]),
    ];
    for (name, expected) in table {
        let body = fixture(name);
        assert!(body.contains("\"_from\""), "{name} does not say where it comes from");
        assert_eq!(stripe().interpret(body.as_bytes()), Ok(expected), "{name}");
    }
}

#[test]
fn what_can_not_be_read_is_said_and_never_guessed() {
    let ours = fixture("payment_intent.succeeded.json");
    for (case, body) in [
        ("not text", "\u{0}".repeat(3)),
        ("not JSON", "hello".into()),
        ("no object", r#"{"type":"payment_intent.succeeded","data":{}}"#.into()),
        ("no amount", ours.replace("\"amount", "\"was_amount")),
        ("a currency no rally has", ours.replace("\"usd\"", "\"xyz\"")),
        ("an amount that is no integer", ours.replace("\"amount_received\": 2500", "\"amount_received\": 25.5")),
    ] {
        let answer = stripe().interpret(body.as_bytes());
        assert!(
            matches!(&answer, Err(Fault::Rejected { code, .. }) if code == "unreadable_event"),
            "{case}: {answer:?}"
        );
    }
    let foreign = fixture("payment_intent.succeeded.foreign.json").replace("\"usd\"", "\"xyz\"");
    assert_eq!(stripe().interpret(foreign.as_bytes()), Ok(vec![]));
}
