//! `groundswell log`: events as JSON for a person to read, whether or not the server runs. Personal data stays sealed unless
//! somebody gives a reason, which is recorded before anything is shown.

mod line;

use super::{DataArgs, control, serve};
use crate::config::Config;
use crate::domain::privacy::{self, Disclosed};
use crate::domain::{Command, privacy as domain};
use crate::engine::Engine;
use crate::log::sled::{Reader, SledLog};
use crate::vault::Vault;
use crate::web::fresh_key;
use anyhow::{anyhow, bail};
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use std::io::{ErrorKind, Write};
use std::sync::Arc;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

/// Bytes of text that are sent at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks made ahead of a slow reader.
const CHUNKS_AHEAD: usize = 4;

#[derive(Args)]
pub struct LogArgs {
    #[command(subcommand)]
    command: LogCommand,
}

#[derive(Subcommand)]
enum LogCommand {
    /// Print the newest events, one a line.
    #[command(
        after_help = "Examples:\n  groundswell log tail -n 20\n  groundswell log tail --follow | jq -c '[.seq, .kind]'"
    )]
    Tail(TailArgs),
    /// Print one event over several lines.
    #[command(
        after_help = "Examples:\n  groundswell log show 1042\n  groundswell log show 1042 --reveal --reason 'the bank asks who gave, ticket 311'"
    )]
    Show(ShowArgs),
}

#[derive(Args)]
struct TailArgs {
    #[command(flatten)]
    data: DataArgs,
    /// How many events.
    #[arg(short = 'n', long = "lines", value_name = "N", default_value_t = 10)]
    lines: u64,
    /// Go on with every event that comes, until stopped with Ctrl-C.
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    reveal: Reveal,
}

#[derive(Args)]
struct ShowArgs {
    /// The event's number.
    seq: u64,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    reveal: Reveal,
}

#[derive(Args)]
struct Reveal {
    /// Open the seals; that you did, and why, becomes an event of its own.
    #[arg(long, requires = "reason")]
    reveal: bool,
    /// Why, without a name or address: it stays in the log for good.
    #[arg(long, value_name = "TEXT", requires = "reveal")]
    reason: Option<String>,
}

/// Which events, and how.
#[derive(Clone, Serialize, Deserialize)]
struct Wanted {
    which: Which,
    disclose: Option<Disclose>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Which {
    Last { count: u64, follow: bool },
    One { seq: u64 },
}

/// Why seals are to be opened, and for whom.
#[derive(Clone, Serialize, Deserialize)]
struct Disclose {
    who: String,
    reason: String,
}

/// A span of events that are there.
#[derive(Clone, Copy)]
struct Span {
    from: u64,
    to: u64,
}

impl Which {
    /// # Errors
    /// Where there is no such event.
    fn span(self, newest: u64) -> anyhow::Result<Span> {
        match self {
            Which::Last { count, .. } => Ok(Span { from: newest.saturating_sub(count).saturating_add(1), to: newest }),
            Which::One { seq } if (1..=newest).contains(&seq) => Ok(Span { from: seq, to: seq }),
            Which::One { seq } if newest == 0 => bail!("there is no event {seq}: the log is empty"),
            Which::One { seq } => bail!("there is no event {seq}: the log has events 1 to {newest}"),
        }
    }

    fn follows(self) -> bool {
        matches!(self, Which::Last { follow: true, .. })
    }

    fn style(self) -> line::Style {
        match self {
            Which::Last { .. } => line::Style::OneLine,
            Which::One { .. } => line::Style::Pretty,
        }
    }
}

/// Runs the subcommand.
pub async fn run(args: LogArgs) -> anyhow::Result<()> {
    let (which, data, reveal) = match args.command {
        LogCommand::Tail(args) => (Which::Last { count: args.lines, follow: args.follow }, args.data, args.reveal),
        LogCommand::Show(args) => (Which::One { seq: args.seq }, args.data, args.reveal),
    };
    let disclose = reveal.reason.filter(|_| reveal.reveal).map(|reason| Disclose { who: shell_user(), reason });
    if let Some(disclose) = &disclose {
        privacy::check_reason(&disclose.reason)?;
    }
    match print(&data.config()?, Wanted { which, disclose }).await {
        // Whoever reads has seen enough: `head` closes the pipe.
        Err(error) if error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == ErrorKind::BrokenPipe) => {
            Ok(())
        }
        result => result,
    }
}

/// Who types: as the system names them, or whom they were before they became root.
pub(super) fn shell_user() -> String {
    let name = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    format!("shell:{}", name.filter(|name| !name.is_empty()).unwrap_or_else(|| "unknown".into()))
}

async fn print(config: &Config, wanted: Wanted) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let body = serde_json::to_vec(&wanted)?;
    if control::ask(&config.data, "POST", "/log", body, |bytes| Ok(out.write_all(bytes)?)).await?.is_some() {
        return Ok(out.flush()?);
    }
    let dir = config.data.join("log");
    anyhow::ensure!(dir.is_dir(), "there is no log in {}: name the data folder with --data", config.data.display());
    if wanted.which.follows() {
        bail!("no server runs on {}, so nothing new will come: leave out --follow", config.data.display());
    }
    let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
    if let Some(disclose) = wanted.disclose {
        let data = config.data.clone();
        let (engine, mut writer) = tokio::task::spawn_blocking(move || serve::open(&data)).await??;
        let newest = *engine.newest().borrow();
        let span = wanted.which.span(newest)?;
        record(&engine, wanted.which, span, disclose).await?;
        let (reader, vault) = (engine.reader().clone(), engine.vault().clone());
        drop(engine);
        tokio::task::spawn_blocking(move || send(&reader, span, Some(&vault), wanted.which.style(), &sender));
        write_all(chunks).await?;
        return Ok(writer.ended().await?);
    }
    let reader = tokio::task::spawn_blocking(move || SledLog::open(&dir).map(|log| log.reader())).await??;
    let span = wanted.which.span(reader.newest())?;
    tokio::task::spawn_blocking(move || send(&reader, span, None, wanted.which.style(), &sender));
    write_all(chunks).await
}

async fn write_all(mut chunks: Receiver<anyhow::Result<Bytes>>) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    while let Some(chunk) = chunks.recv().await {
        out.write_all(&chunk?)?;
    }
    Ok(out.flush()?)
}

/// Says in the log who is about to see what, and why.
async fn record(engine: &Engine, which: Which, span: Span, disclose: Disclose) -> anyhow::Result<()> {
    let to_seq = Some(span.to).filter(|_| !which.follows());
    let disclosed = Disclosed { from_seq: span.from, to_seq, who: disclose.who, reason: disclose.reason };
    let command = Command::Privacy(domain::Command::Disclose(disclosed));
    engine.execute(command, fresh_key("disclose"), "shell").await?;
    Ok(())
}

/// Sends events as text; false where nobody takes them any more, or one can't be read.
fn send(
    reader: &Reader,
    span: Span,
    vault: Option<&Vault>,
    style: line::Style,
    to: &Sender<anyhow::Result<Bytes>>,
) -> bool {
    let mut chunk = String::new();
    if let Err(fault) = reader.bind() {
        let _ = to.blocking_send(Err(fault.into()));
        return false;
    }
    for frame in reader.frames_from(span.from) {
        let frame = match frame {
            Ok(frame) => frame,
            Err(fault) => {
                let _ = to.blocking_send(Err(fault.into()));
                return false;
            }
        };
        for (seq, text) in frame.lines().filter(|(seq, _)| (span.from..=span.to).contains(seq)) {
            match line::shown(text, vault, style) {
                Ok(text) => chunk.push_str(&text),
                Err(error) => {
                    let _ = to.blocking_send(Err(anyhow!("event {seq}: {error}")));
                    return false;
                }
            }
            chunk.push('\n');
            if chunk.len() >= CHUNK_BYTES && to.blocking_send(Ok(std::mem::take(&mut chunk).into())).is_err() {
                return false;
            }
        }
        if frame.first_seq.saturating_add(u64::from(frame.count)) > span.to {
            break;
        }
    }
    chunk.is_empty() || to.blocking_send(Ok(chunk.into())).is_ok()
}

#[derive(Clone)]
struct Door {
    engine: Engine,
    shutdown: CancellationToken,
}

/// The running server's side.
pub fn routes(engine: Engine, shutdown: CancellationToken) -> Router {
    Router::new().route("/log", post(show)).with_state(Door { engine, shutdown })
}

async fn show(State(door): State<Door>, Json(wanted): Json<Wanted>) -> Response {
    match chunks_of(door, wanted).await {
        Ok(chunks) => Body::from_stream(ReceiverStream::new(chunks)).into_response(),
        Err(error) => (StatusCode::CONFLICT, format!("{error:#}")).into_response(),
    }
}

async fn chunks_of(door: Door, wanted: Wanted) -> anyhow::Result<Receiver<anyhow::Result<Bytes>>> {
    let Wanted { which, disclose } = wanted;
    let mut newest = door.engine.newest();
    let mut span = which.span(*newest.borrow_and_update())?;
    let vault: Option<Arc<Vault>> = disclose.is_some().then(|| door.engine.vault().clone());
    if let Some(disclose) = disclose {
        record(&door.engine, which, span, disclose).await?;
    }
    let (sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
    let reader = door.engine.reader().clone();
    tokio::spawn(async move {
        loop {
            let (reader, vault, to) = (reader.clone(), vault.clone(), sender.clone());
            let sent = tokio::task::spawn_blocking(move || send(&reader, span, vault.as_deref(), which.style(), &to));
            if !sent.await.unwrap_or(false) || !which.follows() {
                return;
            }
            tokio::select! {
                () = door.shutdown.cancelled() => return,
                () = sender.closed() => return,
                changed = newest.changed() => if changed.is_err() {
                    return;
                },
            }
            span = Span { from: span.to.saturating_add(1), to: *newest.borrow_and_update() };
        }
    });
    Ok(chunks)
}
