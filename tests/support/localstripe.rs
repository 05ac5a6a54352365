//! The stand-in for Stripe: `localstripe`, a process of its own, from the virtual environment that `make test` makes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long it may take to start on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Settles.
pub const CARD_OK: &str = "4242424242424242";
/// Is declined; the only number the stand-in declines on a payment that asks nothing.
pub const CARD_DECLINED: &str = "4000000000000341";
/// Asks the donor (3-D Secure), then settles.
pub const CARD_ACTION: &str = "4000002500003155";
/// Asks the donor (3-D Secure), then is declined.
pub const CARD_ACTION_DECLINED: &str = "4000008400001629";

/// A running stand-in; it ends with this value.
pub struct LocalStripe {
    process: Child,
    port: u16,
}

impl LocalStripe {
    /// Starts it on a free port and waits until it answers.
    pub fn start() -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/localstripe");
        assert!(
            program.exists(),
            "{} is missing: run the tests with `make test`, which installs it",
            program.display()
        );
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(program)
            .args(["--port", &port.to_string(), "--from-scratch"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut started = Self { process, port };
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = started.process.try_wait().unwrap() {
                panic!("localstripe ended before it listened on port {port}: {status}");
            }
            assert!(begin.elapsed() < START_TIMEOUT, "localstripe does not listen on port {port}");
            std::thread::sleep(Duration::from_millis(50));
        }
        started
    }

    /// Where its API is.
    pub fn api_base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where its version of Stripe's script is.
    pub fn script_url(&self) -> String {
        format!("{}/js.stripe.com/v3/", self.api_base())
    }

    /// What its script does when a donor has typed a card: the token for the card.
    pub fn card(&self, number: &str) -> String {
        let body =
            format!("card[number]={number}&card[exp_month]=12&card[exp_year]=2030&card[cvc]=123&key=pk_test_stand");
        let token = self.post("/v1/tokens", "application/x-www-form-urlencoded", &body);
        token["card"]["id"].as_str().unwrap().to_owned()
    }

    /// What its script does when a donor has answered the bank's question.
    pub fn answer(&self, payment: &str, client_secret: &str, yes: bool) {
        let body = serde_json::json!({ "key": "pk_test_stand", "client_secret": client_secret }).to_string();
        self.post(&format!("/v1/payment_intents/{payment}/_authenticate?success={yes}"), "application/json", &body);
    }

    /// Has its events sent to `url`, signed with `secret`, a second after each.
    pub fn send_webhooks_to(&self, url: &str, secret: &str) {
        let body = serde_json::json!({ "url": url, "secret": secret }).to_string();
        self.post("/_config/webhooks/test", "application/json", &body);
    }

    /// How many payments it was asked for.
    pub fn payments(&self) -> usize {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(START_TIMEOUT)).unwrap();
        write!(
            stream,
            "GET /v1/payment_intents?limit=100 HTTP/1.0\r\nhost: localhost\r\nauthorization: Bearer sk_test_1\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.matches("\"object\": \"payment_intent\"").count()
    }

    fn post(&self, path: &str, kind: &str, body: &str) -> serde_json::Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(START_TIMEOUT)).unwrap();
        write!(
            stream,
            "POST {path} HTTP/1.0\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap_or_default()
    }
}

impl Drop for LocalStripe {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
