//! The stand-in for Stripe's own payment page: `checkout_stand_in.py`, a process of its own. And a donor on that page.

use crate::server::try_send;
use crate::stripe_at::{self, WEBHOOK_SECRET};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running stand-in; it ends with this value.
pub struct StandIn {
    process: Child,
    address: SocketAddr,
}

impl StandIn {
    /// On a free port.
    pub fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/checkout_stand_in.py");
        let mut process = Command::new("python3")
            .arg(script)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs the stand-in");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port: u16 = line.trim().parse().expect("the stand-in prints its port");
        Self { process, address: ([127, 0, 0, 1], port).into() }
    }

    /// Where its API is.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The settings of a server that pays by it.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        stripe_at::env(&self.base())
    }

    /// What it is to do beyond Stripe's API.
    pub async fn config(&self, what: Value) {
        let answer = try_send(self.address, "POST", "/_config", &[], what.to_string().as_bytes()).await.unwrap();
        assert_eq!(answer.status, 200, "{what}");
    }

    /// Has its events sent to the server at this address, from now on.
    pub async fn tells(&self, server: SocketAddr) {
        let url = format!("http://{server}/webhooks/stripe");
        self.config(serde_json::json!({ "webhooks": { "url": url, "secret": WEBHOOK_SECRET } })).await;
    }

    /// The calls to its API so far, of this method and to a path that begins so.
    pub async fn calls(&self, method: &str, path: &str) -> Vec<Value> {
        let answer = try_send(self.address, "GET", "/_calls", &[], b"").await.unwrap();
        let calls: Vec<Value> = serde_json::from_slice(&answer.body).unwrap();
        calls
            .into_iter()
            .filter(|call| call["method"] == method && call["path"].as_str().unwrap().starts_with(path))
            .collect()
    }

    /// Presses a button on the page at `url`: where the donor is sent, or the page's words.
    pub async fn press(&self, url: &str, act: &str) -> Result<String, String> {
        let path = url.strip_prefix(&self.base()).unwrap_or_else(|| panic!("{url} is not the stand-in's"));
        let answer = try_send(self.address, "POST", path, &[], format!("act={act}").as_bytes()).await.unwrap();
        if answer.status == 303 { Ok(answer.header("location")) } else { Err(answer.text()) }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
