//! What the log is measured against.

use crate::postgres_server::Postgres;
use groundswell::log::frame::chain::Chain;
use groundswell::log::frame::pack::Packer;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// More than a round can fill.
const PREALLOCATED_BYTES: u64 = 768 * 1024 * 1024;

/// A plain file, preallocated with zeros, synced with `fdatasync`.
pub struct Plain {
    file: File,
    offset: u64,
    buffer: Vec<u8>,
    /// With this the file gets the very frames that the log stores, which takes compression out of the comparison.
    packer: Option<(Packer, Chain)>,
}

impl Plain {
    pub fn create(path: &Path, packed: bool) -> Self {
        let file = File::options().create(true).truncate(false).write(true).open(path).unwrap();
        // Filled once: what is overwritten later is as preallocated as it was.
        if file.metadata().unwrap().len() < PREALLOCATED_BYTES {
            let zeros = vec![0_u8; 1024 * 1024];
            for offset in (0..PREALLOCATED_BYTES).step_by(zeros.len()) {
                file.write_all_at(&zeros, offset).unwrap();
            }
        }
        file.sync_all().unwrap();
        let packer = packed.then(|| (Packer::new().unwrap(), Chain::start()));
        Self { file, offset: 0, buffer: Vec::new(), packer }
    }

    pub fn append(&mut self, lines: &[Vec<u8>]) {
        self.buffer.clear();
        if let Some((packer, chain)) = &mut self.packer {
            let mut rest = lines;
            while !rest.is_empty() {
                let (frame, took) = packer.pack(chain, rest).unwrap();
                self.buffer.extend_from_slice(&frame);
                rest = &rest[took..];
            }
        } else {
            for line in lines {
                self.buffer.extend_from_slice(line);
                self.buffer.push(b'\n');
            }
        }
        self.file.write_all_at(&self.buffer, self.offset).unwrap();
        self.file.sync_data().unwrap();
        self.offset += self.buffer.len() as u64;
        assert!(self.offset < PREALLOCATED_BYTES, "the plain file is too short for a round");
    }
}

/// How a batch becomes rows.
#[derive(Clone, Copy)]
pub enum Rows {
    /// One prepared `INSERT ... SELECT FROM UNNEST` of arrays.
    Unnest,
    /// One `COPY ... FROM STDIN`.
    Copy,
}

/// A connection and its next key.
pub struct Table {
    client: postgres::Client,
    insert: postgres::Statement,
    rows: Rows,
    next: i64,
}

impl Table {
    /// An empty table.
    pub fn new(postgres: &Postgres, rows: Rows) -> Self {
        let mut client = postgres.connect().unwrap();
        let make = "DROP TABLE IF EXISTS events; CREATE TABLE events (seq bigint PRIMARY KEY, key text, line text); CHECKPOINT";
        client.batch_execute(make).unwrap();
        assert_eq!(client.query_one("SHOW synchronous_commit", &[]).unwrap().get::<_, &str>(0), "on");
        let insert = "INSERT INTO events SELECT * FROM UNNEST($1::bigint[], $2::text[], $3::text[])";
        let insert = client.prepare(insert).unwrap();
        Self { client, insert, rows, next: 1 }
    }

    pub fn append(&mut self, lines: Vec<Vec<u8>>) {
        let count = lines.len() as i64;
        let seqs: Vec<i64> = (self.next..self.next + count).collect();
        let lines: Vec<String> = lines.into_iter().map(|line| String::from_utf8(line).unwrap()).collect();
        let keys: Vec<&str> = lines.iter().map(|line| &line[54..86]).collect();
        match self.rows {
            Rows::Unnest => {
                let stored = self.client.execute(&self.insert, &[&seqs, &keys, &lines]).unwrap();
                assert_eq!(stored, lines.len() as u64);
            }
            Rows::Copy => {
                let mut text = Vec::with_capacity(lines.len() * 320);
                for ((seq, key), line) in seqs.iter().zip(&keys).zip(&lines) {
                    // Nothing in these lines needs COPY's escapes.
                    writeln!(text, "{seq}\t{key}\t{line}").unwrap();
                }
                let mut copy = self.client.copy_in("COPY events FROM STDIN").unwrap();
                copy.write_all(&text).unwrap();
                assert_eq!(copy.finish().unwrap(), lines.len() as u64);
            }
        }
        self.next += count;
    }
}
