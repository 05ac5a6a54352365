//! `groundswell verify-receipt`: that a donation stands in the log, checked with nothing but the receipt and a published head.

use crate::log::proof::{self, Proof};
use anyhow::{Context, ensure};
use clap::Args;
use std::fs::File;
use std::io::Read as _;
use std::path::PathBuf;

/// The longest receipt that is read: a real one has some ten KiB.
const RECEIPT_BYTES_MAX: u64 = 1024 * 1024;

#[derive(Args)]
pub struct ReceiptArgs {
    /// The receipt's proof, as downloaded.
    receipt: PathBuf,
    /// A published head hash, 64 hex digits: the one the receipt names, from a source you trust.
    #[arg(long, value_name = "HASH")]
    head: String,
}

/// Runs the subcommand.
pub fn run(args: &ReceiptArgs) -> anyhow::Result<()> {
    let head = proof::hash(&args.head).context("--head is not 64 hex digits")?;
    let mut json = vec![];
    let file = File::open(&args.receipt).with_context(|| format!("{} can't be read", args.receipt.display()))?;
    file.take(RECEIPT_BYTES_MAX).read_to_end(&mut json)?;
    let proof = Proof::parse(&json).with_context(|| format!("{} is no proof", args.receipt.display()))?;
    let named = proof.head();
    ensure!(
        named.hash == head,
        "the receipt is proved against head {named} (event {}), not against the one given: compare that one with what was published",
        named.seq
    );
    let (seq, line) = proof.verify(&head)?;
    println!("Event {seq} stands in the log that ends at event {} with head {named}:", named.seq);
    println!("{}", String::from_utf8_lossy(line));
    Ok(())
}
