//! A clock that jumps back.

use super::open;
use crate::server::{House, Server};
use chrono::TimeDelta;
use groundswell::domain::Recorded;
use groundswell::domain::codec;
use groundswell::log::Log as _;
use groundswell::log::sled::SledLog;

fn recorded(log: &SledLog) -> Vec<Recorded> {
    super::lines_of(log).unwrap().iter().map(|(_, line)| codec::decode(line).unwrap().recorded).collect()
}

async fn join(server: &Server, name: &str) {
    let form = [("name", name), ("email", &format!("{name}@example.org"))];
    assert_eq!(server.post("/r/call/join", &form).await.status, 303);
}

/// The log ends an hour ahead of the clock, as it does when the clock has been set back by an hour.
#[tokio::test]
async fn no_event_is_older_than_the_one_before_though_the_clock_jumped_back() {
    let house = House::new().await;
    let data = house.data();
    join(&house.server, "early").await;
    house.server.stop();
    let mut log = open(&data.join("log")).unwrap();
    let last = recorded(&log).pop().unwrap();
    let later = last.at + TimeDelta::hours(1);
    let repeat = Recorded { seq: last.seq + 1, at: later, ..last };
    log.append(&[codec::encode(&repeat, "test:later", "server").unwrap()]).unwrap();
    drop(log);
    let server = Server::start(&data);
    join(&server, "late").await;
    server.stop();
    let all = recorded(&open(&data.join("log")).unwrap());
    assert!(all.len() as u64 > repeat.seq, "the second join is in the log");
    assert!(all.is_sorted_by_key(|recorded| recorded.at), "time went back in the log");
    assert!(all.last().unwrap().at >= later);
}
