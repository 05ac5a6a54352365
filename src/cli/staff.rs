//! `groundswell staff add`: an account from the shell, whether or not the server runs.

use super::control::{self, NewStaff};
use super::{DataArgs, serve};
use crate::domain::profile::Account;
use crate::domain::seals::ACCOUNT;
use crate::domain::staff::Role;
use crate::domain::{Command, staff};
use crate::engine::Engine;
use crate::web::fresh_key;
use crate::web::pages::sign_in::{PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN, hash_blocking};
use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand};
use std::io::{BufRead, IsTerminal};

#[derive(Args)]
pub struct StaffArgs {
    #[command(subcommand)]
    command: StaffCommand,
}

#[derive(Subcommand)]
enum StaffCommand {
    /// Make an account; the password is read from standard input, or made up and printed.
    #[command(
        after_help = "Example:\n  echo 'a long pass phrase' | groundswell staff add --email ana@example.org --name 'Ana Ruiz' --role host"
    )]
    Add(AddArgs),
}

#[derive(Args)]
struct AddArgs {
    #[command(flatten)]
    data: DataArgs,
    /// E-mail address, to sign in with.
    #[arg(long)]
    email: String,
    /// Name, as shown on staff pages.
    #[arg(long)]
    name: String,
    /// owner, host or finance.
    #[arg(long, default_value = "owner")]
    role: Role,
}

/// Runs the subcommand.
pub async fn run(args: StaffArgs) -> anyhow::Result<()> {
    let StaffCommand::Add(args) = args.command;
    let config = args.data.config()?;
    let (password, made_up) = password()?;
    if password.chars().count() < PASSWORD_CHARS_MIN || password.len() > PASSWORD_BYTES_MAX {
        bail!("a password has at least {PASSWORD_CHARS_MIN} characters; a few words are fine");
    }
    let password_hash =
        hash_blocking(&password).map_err(|error| anyhow!("the password could not be hashed: {error}"))?;
    let staff = NewStaff { name: args.name, email: args.email.clone(), role: args.role, password_hash };
    let body = serde_json::to_vec(&staff)?;
    if control::ask(&config.data, "POST", "/staff", body, |_| Ok(())).await?.is_none() {
        let data = config.data.clone();
        let (engine, mut writer) = tokio::task::spawn_blocking(move || serve::open(&data)).await??;
        add(&engine, staff).await?;
        drop(engine);
        writer.ended().await?;
    }
    println!("{} may sign in now.", args.email);
    if made_up {
        println!("Password: {password}");
    }
    Ok(())
}

fn password() -> anyhow::Result<(String, bool)> {
    let mut line = String::new();
    if !std::io::stdin().is_terminal() {
        std::io::stdin().lock().read_line(&mut line).context("the password can't be read from standard input")?;
    }
    let typed = line.trim_end_matches(['\r', '\n']);
    Ok(if typed.is_empty() { (made_up_password()?, true) } else { (typed.to_owned(), false) })
}

/// A password that is easy to type: four groups of five letters and digits, 100 bits.
///
/// # Errors
/// Where the system gives no randomness.
pub fn made_up_password() -> anyhow::Result<String> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0; 20];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("no randomness: {error}"))?;
    let letter = |byte: &u8| LETTERS.get(usize::from(*byte % 32)).copied().map_or('a', char::from);
    let groups: Vec<String> = bytes.chunks(5).map(|group| group.iter().map(letter).collect()).collect();
    Ok(groups.join("-"))
}

/// Makes an account.
///
/// # Errors
/// The refusal or fault, in words.
pub async fn add(engine: &Engine, staff: NewStaff) -> anyhow::Result<()> {
    let NewStaff { name, email, role, password_hash } = staff;
    let (name, email) = (name.trim().to_owned(), email.trim().to_owned());
    if name.is_empty() || !email.contains('@') {
        bail!("a name and an e-mail address are needed");
    }
    let id = engine.vault().person_id(&email);
    let account = serde_json::to_vec(&Account { name, email, password_hash })?;
    let account = engine.vault().seal(id, ACCOUNT, &account)?;
    let command = staff::Command::Add { staff: id, role, account, first: false };
    engine.execute(Command::Staff(command), fresh_key("staff"), "shell").await?;
    Ok(())
}
