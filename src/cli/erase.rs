//! `groundswell erase`: a person's data made unreadable for good, whether or not the server runs.

mod subject;

use super::{DataArgs, control, serve, usage};
use crate::domain::id::ErasureId;
use crate::engine::Engine;
use anyhow::{Context, bail};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, IsTerminal, Write};
use uuid::Uuid;

#[derive(Args)]
pub struct EraseArgs {
    /// Whom: an e-mail address, or a person id as `groundswell log` shows it.
    #[arg(value_name = "EMAIL-OR-PERSON-ID")]
    who: String,
    #[command(flatten)]
    data: DataArgs,
    /// Why, without a name or address: it stays in the log for good.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Erase without asking.
    #[arg(long)]
    yes: bool,
}

/// What is asked of a server that runs.
#[derive(Clone, Serialize, Deserialize)]
pub struct Asked {
    /// An e-mail address or a person id.
    who: String,
    /// Why.
    reason: String,
    /// Which erasure this is.
    erasure: ErasureId,
}

/// What is said to whoever asked, line by line.
pub type Lines = Vec<String>;

/// Runs the subcommand.
pub async fn run(args: EraseArgs) -> anyhow::Result<()> {
    if !subject::is_well_formed(&args.who) {
        return Err(usage("give an e-mail address, or a person id like 07a7c433-57c3-89b3-ae9e-f43ef042d2a9"));
    }
    if !args.yes && !std::io::stdin().is_terminal() {
        return Err(usage("nobody can be asked here whether to go on: add --yes to erase without asking"));
    }
    let config = args.data.config()?;
    let years = config.retention_years;
    let asked = Asked { who: args.who, reason: args.reason, erasure: ErasureId(Uuid::now_v7()) };
    if let Some(found) = ask(&config.data, "/erase/look", &asked).await? {
        confirm(&found, args.yes)?;
        let done = ask(&config.data, "/erase", &asked).await?;
        return tell(&done.context("the server stopped meanwhile: nothing is known to be erased; try again")?);
    }
    anyhow::ensure!(
        config.data.join("log").is_dir(),
        "there is no log in {}: name the data folder with --data",
        config.data.display()
    );
    let data = config.data.clone();
    let (engine, mut writer) = tokio::task::spawn_blocking(move || serve::open(&data)).await??;
    confirm(&subject::look(&engine, &asked, years)?, args.yes)?;
    let done = subject::erase(&engine, &asked, years).await?;
    drop(engine);
    writer.ended().await?;
    tell(&done)
}

async fn ask(data: &std::path::Path, path: &str, asked: &Asked) -> anyhow::Result<Option<Lines>> {
    let mut answer = vec![];
    let take = |bytes: &[u8]| {
        answer.extend_from_slice(bytes);
        Ok(())
    };
    if control::ask(data, "POST", path, serde_json::to_vec(asked)?, take).await?.is_none() {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&answer).context("the server's answer can't be read")?))
}

fn confirm(found: &Lines, yes: bool) -> anyhow::Result<()> {
    tell(found)?;
    if yes {
        return Ok(());
    }
    let mut out = std::io::stdout();
    write!(out, "\nErase this person? There is no way back. [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    bail!("nothing was erased")
}

fn tell(lines: &Lines) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    Ok(())
}

#[derive(Clone)]
struct Door {
    engine: Engine,
    retention_years: u16,
}

/// The running server's side.
pub fn routes(engine: Engine, retention_years: u16) -> Router {
    Router::new()
        .route("/erase/look", post(look))
        .route("/erase", post(erase))
        .with_state(Door { engine, retention_years })
}

async fn look(State(door): State<Door>, Json(asked): Json<Asked>) -> Response {
    let looked = tokio::task::spawn_blocking(move || subject::look(&door.engine, &asked, door.retention_years)).await;
    answer(looked.unwrap_or_else(|error| Err(error.into())))
}

async fn erase(State(door): State<Door>, Json(asked): Json<Asked>) -> Response {
    answer(subject::erase(&door.engine, &asked, door.retention_years).await)
}

fn answer(lines: anyhow::Result<Lines>) -> Response {
    match lines {
        Ok(lines) => Json(lines).into_response(),
        Err(error) => (StatusCode::CONFLICT, format!("{error:#}")).into_response(),
    }
}
