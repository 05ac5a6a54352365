//! Writes a season of 40 calls into a new data folder, to look at its pages: `cargo run --example season -- FOLDER [ONE_IN]`.
//! Of each so many people and gifts that were reported there is one, of each hundred where nothing is said.
#![allow(clippy::as_conversions, clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

#[path = "../tests/support/season.rs"]
mod season;

use groundswell::domain::codec;
use groundswell::domain::id::PersonId;
use groundswell::domain::sealed::Sealed;
use groundswell::log::Log as _;
use groundswell::log::sled::SledLog;
use groundswell::vault::Vault;
use std::path::PathBuf;

/// Events in one append.
const BATCH: usize = 1_000;

/// The keys that the server will open them with.
struct Keys(Vault);

impl season::Seals for Keys {
    fn person(&self, email: &str) -> PersonId {
        self.0.person_id(email)
    }

    fn seal(&self, person: PersonId, context: &str, bytes: &[u8]) -> Sealed {
        self.0.seal(person, context, bytes).unwrap()
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let data = PathBuf::from(arguments.next().expect("name a folder"));
    let one_in = arguments.next().map_or(100, |number| number.parse().expect("a number"));
    std::fs::create_dir_all(&data).unwrap();
    let keys = Keys(Vault::open(&data.join("vault")).unwrap());
    let events = season::events(&season::calls(7), one_in, &keys);
    keys.0.commit().unwrap();
    let mut log = SledLog::open(&data.join("log")).unwrap();
    for batch in events.chunks(BATCH) {
        let lines: Vec<_> = batch
            .iter()
            .map(|event| codec::encode(event, &format!("season:{}", event.seq), "shell").unwrap())
            .collect();
        log.append(&lines).unwrap();
    }
    println!("{} events", events.len());
}
