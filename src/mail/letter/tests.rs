use super::*;
use crate::domain::id::{DonationId, MailId};
use uuid::Uuid;

fn writer() -> Writer {
    Writer {
        from: "Rivera for Senate <receipts@rivera.example>".parse().unwrap(),
        reply_to: None,
        public_url: "https://rally.example".into(),
        site: "Rivera".into(),
    }
}

fn facts() -> Facts {
    Facts {
        mail: MailId(Uuid::from_u128(7)),
        kind: Kind::Receipt,
        after: None,
        at: 1_848_275_640,
        mark: "",
        email: "joan@example.org".into(),
        name: "Joan Petrie".into(),
        address: vec!["1 Main Street".into(), "Duluth MN 55802".into(), "US".into()],
        amount: "$50.00".into(),
        given: String::new(),
        parts: vec![("Rivera for Senate".into(), "$30.00".into()), ("State Party".into(), "$20.00".into())],
        date: "Tuesday, July 25, 2028, 9:14 pm EDT".into(),
        rally: "Answer the call".into(),
        paid_for_by: "Paid for by Rivera for Senate".into(),
        card: "Visa 4242".into(),
        donation: DonationId(Uuid::from_u128(9)),
        href: "https://rally.example/r/call/donate/9".into(),
        statements: vec!["I am at least 18 years old."],
        proof: "{}".into(),
        head: "5f".into(),
        note: None,
    }
}

fn written(facts: &Facts) -> String {
    String::from_utf8(writer().put_together(facts).unwrap().bytes).unwrap()
}

#[test]
fn the_same_letter_is_written_the_same_at_each_try() {
    assert_eq!(written(&facts()), written(&facts()));
    assert_ne!(written(&facts()), written(&Facts { mail: MailId(Uuid::from_u128(8)), ..facts() }));
}

#[test]
fn a_name_stays_a_name() {
    let name = "Joan\r\nBcc: everybody@example.org\r\n\r\nhello\n".repeat(20);
    let letter = writer().put_together(&Facts { name, rally: "a\r\nX-Evil: 1".into(), ..facts() }).unwrap();
    let text = String::from_utf8(letter.bytes).unwrap();
    let (head, _) = text.split_once("\r\n\r\n").unwrap();
    assert!(!head.lines().any(|line| line.starts_with("Bcc") || line.starts_with("X-Evil")), "{head}");
    assert_eq!(letter.to.to_string(), "joan@example.org");
    assert!(head.lines().all(|line| line.len() <= 998), "{head}");
}

#[test]
fn an_address_that_mail_does_not_know_is_refused() {
    for email in ["", "joan", "joan@example.org\r\nRCPT TO:<x@y.z>", "joan@example.org> <x@y.z", "a b@example.org"] {
        let outcome = writer().put_together(&Facts { email: email.into(), ..facts() });
        assert!(matches!(outcome, Err(Fault::Address)), "{email:?}");
    }
}

#[test]
fn money_that_is_worth_nothing_says_so_first() {
    for (mode, mark_wanted) in [(Mode::Simulated, "SIMULATED"), (Mode::Test, "TEST"), (Mode::Live, "")] {
        let text = written(&Facts { mark: mark(Some(mode)), ..facts() });
        let subject = text.lines().find(|line| line.starts_with("Subject: ")).unwrap();
        let plain = "Your receipt for $50.00: Answer the call";
        if mark_wanted.is_empty() {
            assert_eq!(subject, format!("Subject: {plain}"));
            assert!(!text.contains("No money moved"));
        } else {
            assert_eq!(subject, format!("Subject: {mark_wanted}: {plain}"));
            assert_eq!(text.matches("No money moved").count(), 2, "in both parts");
        }
    }
    assert_eq!(mark(None), "SIMULATED");
}

#[test]
fn nothing_is_loaded_from_anywhere_and_nothing_typed_is_markup() {
    let facts = Facts { name: "<img src=x>".into(), rally: "<b>&".into(), ..facts() };
    let html = Html { facts: &facts, site: "S", subject: "s", public_url: "https://rally.example" }.render().unwrap();
    for word in ["src=\"", "url(", "@import", "<link", "<script", "<img", "<b>&"] {
        assert!(!html.contains(word), "{word}: {html}");
    }
    assert!(html.contains("&#60;img"), "{html}");
}
