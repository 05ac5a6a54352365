//! One of the FEC's files in an order, after it was made once and read again.

use super::Fault;
use super::asked::{self, Wrong};
use crate::engine::Engine;
use crate::report::as_of::AsOf;
use crate::report::closing::Unlike;
use crate::report::{Format, Order};
use thiserror::Error;

/// Why it can't be ordered.
#[derive(Debug, Error)]
pub enum NotOrdered {
    /// A committee reports on all of its rallies.
    #[error("a report is of a whole committee: leave out the rally")]
    OfARally,
    /// What was asked for, in sentences.
    #[error("{0}")]
    Wrong(String),
    /// What is in it, in sentences.
    #[error("the FEC would not take this file: {0}")]
    Stopped(String),
    /// Which closed period it is of, in a sentence.
    #[error("{0}")]
    Period(String),
    /// It does not come out as its period was closed.
    #[error(transparent)]
    Unlike(Unlike),
    /// It can't be made.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl Order {
    /// Says which of the FEC's files it is, by the fields that [`asked::report`] and [`asked::notice`] read.
    ///
    /// # Errors
    /// [`NotOrdered`].
    pub async fn of_filing(mut self, get: impl Fn(&str) -> String, engine: &Engine) -> Result<Self, NotOrdered> {
        if self.selection.rally.is_some() {
            return Err(NotOrdered::OfARally);
        }
        let now = engine.clock().now();
        let (filing, seq) = {
            let world = engine.world();
            let committee = self.selection.committee;
            let today = now.with_timezone(&self.selection.zone(&world)).date_naive();
            let seq = self.selection.as_of.map(|as_of| as_of.seq.to_string()).unwrap_or_default();
            let get = |name: &str| if name == "as_of" { seq.clone() } else { get(name) };
            let filing = if self.format == Format::Fec {
                asked::report(get, committee, &world, today)
            } else {
                asked::notice(get, committee, &world, today)
            };
            let said = |wrong: Vec<Wrong>| wrong.into_iter().map(|(_, what)| what).collect::<Vec<_>>().join(" ");
            (filing.map_err(|wrong| NotOrdered::Wrong(said(wrong)))?, self.selection.seq(&world))
        };
        if let Some((period, _)) = filing.closed {
            return self.of_period(&period.to_string(), engine).await;
        }
        let (engine, looked_at) = (engine.clone(), filing.clone());
        let looking = tokio::task::spawn_blocking(move || looked_at.findings(&engine, seq)).await;
        let findings = looking.map_err(Fault::Panicked)??;
        if findings.stops {
            let all = findings.in_order();
            let words: Vec<&str> = all.iter().map(|finding| finding.what.as_str()).collect();
            return Err(NotOrdered::Stopped(words.join(" ")));
        }
        self.filing = Some(filing);
        // What is taken is what was looked at.
        self.selection.as_of.get_or_insert(AsOf { seq, at: now });
        Ok(self)
    }
}
