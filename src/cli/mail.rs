//! `groundswell mail test`: one sample letter, to see that settings and mail server are right.

use super::DataArgs;
use crate::clock;
use crate::domain::donation::ATTESTATIONS;
use crate::domain::id::{DonationId, MailId};
use crate::domain::mail::Kind;
use crate::mail::letter::{Facts, Writer};
use crate::mail::smtp::Server;
use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use uuid::Uuid;

#[derive(Args)]
pub struct MailArgs {
    #[command(subcommand)]
    command: MailCommand,
}

#[derive(Subcommand)]
enum MailCommand {
    /// Send a sample receipt, marked as a test, and say what the mail server made of it.
    #[command(
        after_help = "Example:\n  groundswell mail test ana@example.org --config /etc/groundswell/groundswell.toml\n\nThe server need not run, and nothing is recorded."
    )]
    Test(TestArgs),
}

#[derive(Args)]
struct TestArgs {
    /// Where it goes.
    #[arg(value_name = "ADDRESS")]
    to: String,
    #[command(flatten)]
    data: DataArgs,
}

/// Runs the subcommand.
pub async fn run(args: MailArgs) -> anyhow::Result<()> {
    let MailCommand::Test(args) = args.command;
    let config = args.data.config()?;
    let Some(outgoing) = config.mail.checked()? else {
        bail!("no mail server is set: give mail.smtp and mail.from in the settings file (--config) or the environment");
    };
    let letter = Writer::new(&config, &outgoing).put_together(&sample(args.to, config.public_url()))?;
    let mut line = Server::new(&outgoing)?.open().await?;
    line.send(&letter.to, &letter.bytes).await.context("the sample was not taken")?;
    line.close().await;
    println!("{}:{} took the sample. See that it arrives, and not in the spam folder.", outgoing.host, outgoing.port);
    Ok(())
}

fn sample(email: String, href: String) -> Facts {
    let now = clock::now();
    Facts {
        mail: MailId(Uuid::new_v4()),
        kind: Kind::Receipt,
        after: None,
        at: now.timestamp(),
        mark: "TEST",
        email,
        name: "Sample Donor".into(),
        address: vec!["1 Main Street".into(), "Duluth MN 55802".into(), "US".into()],
        amount: "$50.00".into(),
        given: String::new(),
        parts: vec![],
        date: now.format("%A, %B %-d, %Y, %-I:%M %P %Z").to_string(),
        rally: "A rally".into(),
        paid_for_by: "Paid for by your committee".into(),
        card: "Visa 4242".into(),
        donation: DonationId(Uuid::nil()),
        href,
        statements: ATTESTATIONS.iter().map(|(_, wording)| *wording).collect(),
        proof: String::new(),
        head: String::new(),
        note: None,
    }
}
