//! `groundswell reconcile`: reads the processor's list of events and its own books now, by way of the server that runs.

use super::{DataArgs, control};
use crate::engine::Engine;
use crate::payments::cashier::{BooksRead, Cashier, CaughtUp};
use crate::payments::cashiers::Cashiers;
use anyhow::bail;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use std::io::Write;

/// Runs the subcommand.
pub async fn run(args: DataArgs) -> anyhow::Result<()> {
    let config = args.config()?;
    let mut said = vec![];
    let take = |bytes: &[u8]| {
        said.extend_from_slice(bytes);
        Ok(())
    };
    if control::ask(&config.data, "POST", "/reconcile", vec![], take).await?.is_none() {
        bail!("no server runs on {}: start it, and it does this by itself", config.data.display());
    }
    let mut out = std::io::stdout().lock();
    out.write_all(&said)?;
    Ok(writeln!(out)?)
}

/// The running server's side.
pub fn routes(engine: Engine, cashiers: Cashiers) -> Router {
    Router::new().route("/reconcile", post(reconcile)).with_state((engine, cashiers))
}

async fn reconcile(State((engine, cashiers)): State<(Engine, Cashiers)>) -> Response {
    let (mut said, mut status) = (vec![], StatusCode::OK);
    for cashier in cashiers.iter() {
        let name = engine.world().state.committees.name(cashier.committee()).to_owned();
        let outcome = read(cashier).await;
        if outcome.is_err() {
            status = StatusCode::BAD_GATEWAY;
        }
        let (Ok(words) | Err(words)) = outcome;
        said.push(if cashiers.iter().nth(1).is_some() { format!("{name}:\n{words}") } else { words });
    }
    (status, said.join("\n\n")).into_response()
}

/// What came of reading an account's lists, in words.
async fn read(cashier: &Cashier) -> Result<String, String> {
    let events = cashier.catch_up().await.map(in_words).map_err(|trouble| trouble.to_string())?;
    // The books are compared with what the list brought.
    cashier.interpret_all().await;
    match cashier.read_books().await {
        Ok(done) => Ok(format!("{events}\n{}", books_in_words(done))),
        Err(trouble) => Err(format!("{events}\nThe balance and payouts could not be read to their end: {trouble}")),
    }
}

fn books_in_words(done: Option<BooksRead>) -> String {
    let Some(done) = done else {
        return "This processor keeps no list of its balance: there is nothing to compare with.".into();
    };
    let BooksRead { since, listed, taken, repaired, fees, payouts, found, settled, .. } = done;
    let differs = match (found, settled) {
        (0, 0) => "Nothing new differs.".into(),
        (found, settled) => {
            format!("{found} new differences, {settled} that are none any more: see /finance/reconciliation.")
        }
    };
    format!(
        "{listed} movements of its balance since {}: {taken} of ours were new, {repaired} of them were missing in the ledger and \
         are in it now, {fees} fees were learned. {payouts} payouts. {differs}",
        since.format("%Y-%m-%d %H:%M UTC")
    )
}

fn in_words(done: Option<CaughtUp>) -> String {
    let Some(CaughtUp { since, listed, taken, refused }) = done else {
        return "This processor keeps no list of events: there is nothing to compare with.".into();
    };
    let refused = match refused {
        0 => String::new(),
        refused => format!(" {refused} were not for this ledger (another account, or test beside live money)."),
    };
    format!(
        "{listed} events since {}: {taken} had not come by webhook and are taken in.{refused}",
        since.format("%Y-%m-%d %H:%M UTC")
    )
}
