//! The bank's post: what it tells of, how often it arrives, and what the other side makes of it.

use super::{Back, Bank, Letter, State, rejected, usd};
use crate::chance::Chance;
use groundswell::payments::{CardSummary, Fault, Notice, Webhook, WebhookRefusal};
use serde_json::{Value, json};

/// How far a webhook's time may be from the receiver's, in seconds.
const TOLERANCE_S: i64 = 300;
const SECRET: &str = "signed by the bank";

impl Bank {
    pub(super) fn tell_of(&self, id: &str) {
        let (kind, body) = {
            let books = self.books();
            let payment = &books.payments[id];
            let kind = match payment.state {
                State::NeedsAction => "payment.asks",
                State::Processing => "payment.processing",
                State::Settled => "payment.settled",
                State::Declined => "payment.declined",
            };
            let body =
                json!({ "payment": id, "donation": payment.donation.to_string(), "minor": payment.amount.minor });
            (kind, body)
        };
        // A payment can also be asked for.
        self.send(kind, &body, false);
        if self.draw(|chance| chance.percent(20)) {
            self.send("customer.changed", &json!({}), false);
        }
    }

    pub(super) fn tell_of_refund(&self, id: &str) {
        let (kind, body) = {
            let books = self.books();
            let back = &books.refunds[id];
            let kind = if back.state == Back::Settled { "refund.settled" } else { "refund.failed" };
            let body = json!({
                "back": id, "payment": back.payment, "donation": back.donation.to_string(), "minor": back.amount.minor,
                "refund": back.refund.map(|refund| refund.to_string()),
            });
            (kind, body)
        };
        self.send(kind, &body, true);
        if self.draw(|chance| chance.percent(30)) {
            // The same news under another name.
            self.send(kind, &body, false);
        }
    }

    /// Puts an event into the post: in copies, late, or not at all.
    fn send(&self, kind: &str, about: &Value, must_arrive: bool) {
        let number = {
            let mut books = self.books();
            books.letters += 1;
            books.letters
        };
        let id = format!("evt_{number}");
        let padding = self.draw(|chance| if chance.percent(5) { chance.below(12_000) } else { chance.below(300) });
        // Noise that does not shrink, as real bodies have it.
        let mut noise = Chance::new(number);
        let padding: String = (0..padding / 16).map(|_| format!("{:016x}", noise.number())).collect();
        let body = json!({ "id": id, "kind": kind, "about": about, "padding": padding }).to_string();
        if !must_arrive && self.draw(|chance| chance.percent(15)) {
            return;
        }
        let copies = self.draw(|chance| if chance.percent(30) { chance.within(2..4) } else { 1 });
        for _ in 0..copies {
            let wait = self.draw(|chance| match chance.below(4) {
                0 => chance.millis(0..50),
                1 | 2 => chance.millis(50..5_000),
                _ => chance.seconds(5..900),
            });
            let _ = self.outbox.send(Letter { id: id.clone(), body: body.clone(), wait, must_arrive });
        }
    }

    /// The signature of a letter that leaves now.
    pub fn sign(&self, body: &str) -> String {
        signature(self.time.truth().timestamp(), body)
    }
}

fn signature(at: i64, body: &str) -> String {
    format!("{at} {}", blake3::hash(format!("{SECRET} {at} {body}").as_bytes()).to_hex())
}

fn parse(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body).ok()
}

/// Whether the bank wrote it, and lately.
pub fn verify(body: &[u8], given: &str, now: i64) -> Result<Webhook, WebhookRefusal> {
    let at: i64 = given.split(' ').next().and_then(|at| at.parse().ok()).ok_or(WebhookRefusal::BadSignature)?;
    let text = std::str::from_utf8(body).map_err(|_| WebhookRefusal::NotAnEvent)?;
    if given != signature(at, text) {
        return Err(WebhookRefusal::BadSignature);
    }
    if (now - at).abs() > TOLERANCE_S {
        return Err(WebhookRefusal::Stale { seconds_off: now - at });
    }
    let event = parse(body).ok_or(WebhookRefusal::NotAnEvent)?;
    let text = |name: &str| event[name].as_str().unwrap().to_owned();
    Ok(Webhook { event_id: text("id"), kind: text("kind"), livemode: false })
}

/// What it says, in our words.
pub fn interpret(body: &[u8]) -> Result<Vec<Notice>, Fault> {
    let event = parse(body).ok_or_else(|| rejected("not_json"))?;
    let about = &event["about"];
    let text = |name: &str| about[name].as_str().unwrap().to_owned();
    let amount = || usd(about["minor"].as_i64().unwrap());
    let donation = || text("donation").parse().unwrap();
    let refund = || about["refund"].as_str().map(|id| id.parse().unwrap());
    Ok(match event["kind"].as_str().unwrap() {
        "payment.settled" => {
            let card = Some(CardSummary { brand: "visa".into(), last4: "4242".into(), fingerprint: None });
            vec![Notice::Settled { donation: donation(), payment: text("payment"), amount: amount(), fee: None, card }]
        }
        "payment.processing" => vec![Notice::Processing { donation: donation(), payment: text("payment") }],
        "payment.declined" => {
            let (code, reason) = ("declined".into(), "The bank said no.".into());
            vec![Notice::Declined { donation: donation(), payment: text("payment"), code, reason }]
        }
        "refund.settled" => vec![Notice::Refunded {
            donation: Some(donation()),
            payment: text("payment"),
            processor_refund: text("back"),
            refund: refund(),
            amount: amount(),
        }],
        "refund.failed" => vec![Notice::RefundFailed {
            donation: Some(donation()),
            payment: text("payment"),
            processor_refund: text("back"),
            refund: refund(),
            amount: amount(),
            code: "card_gone".into(),
        }],
        _ => vec![],
    })
}
