//! What webhooks missed: the processor's own list of its events, read on a schedule and by command, and taken in by the
//! door that webhooks come through. An event that came as a webhook is known by its name and changes nothing.

use super::{Cashier, Trouble};
use crate::domain::Command;
use crate::domain::id::NoticeId;
use crate::domain::inbox;
use crate::payments::Fault;
use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// How often the list is read: what a lost webhook costs at most. It is a call or two, where Stripe takes 25 a second.
pub(super) const EVERY: Duration = Duration::from_secs(15 * 60);
/// How far each reading goes back behind the one before: a processor's clock is not ours, and an event may be listed some
/// time after it was made.
const OVERLAP: TimeDelta = TimeDelta::hours(1);
/// How far the first reading goes back: Stripe lists events for 30 days. <https://docs.stripe.com/api/events>
const FARTHEST: TimeDelta = TimeDelta::days(30);
/// Pages of one reading: a million events, ten times a month of the largest rally.
const PAGES_MAX: usize = 10_000;
/// How often a reading that found nothing is recorded: a start goes back no farther than this and the overlap.
const RECORD_EVERY: TimeDelta = TimeDelta::hours(6);

/// What came of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaughtUp {
    /// Events made since then were listed.
    pub since: DateTime<Utc>,
    /// How many there were.
    pub listed: u64,
    /// Those that no webhook had brought.
    pub taken: u64,
    /// Those that are not for this ledger: of another account, or of another kind of money.
    pub refused: u64,
}

impl Cashier {
    /// Reads the processor's list of events and takes in what is not known; `None` where it keeps no list.
    ///
    /// # Errors
    /// [`Trouble`]: what was taken in stays, and the next reading goes back as far again.
    pub async fn catch_up(&self) -> Result<Option<CaughtUp>, Trouble> {
        // One at a time: two would list the same.
        let mut read_until = self.read_until.lock().await;
        let now = self.engine.clock().now();
        let recorded = self.engine.world().state.inbox.caught_up(self.committee);
        let before = read_until.or(recorded).map_or(now - FARTHEST, |until| until - OVERLAP);
        let since = before.max(now - FARTHEST);
        let mut done = CaughtUp { since, listed: 0, taken: 0, refused: 0 };
        let mut after = None;
        let mut pages = 0;
        loop {
            let Some(page) = self.processor.events(since.timestamp(), after.as_deref()).await? else { return Ok(None) };
            for body in &page.events {
                done.listed = done.listed.saturating_add(1);
                self.take_listed(body, &mut done).await?;
            }
            after = page.next;
            pages += 1;
            if after.is_none() {
                break;
            }
            if pages >= PAGES_MAX {
                return Err(Fault::Unknown { cause: "a list of events without an end".into() }.into());
            }
        }
        *read_until = Some(now);
        if done.taken > 0 || recorded.is_none_or(|until| now - until >= RECORD_EVERY) {
            let CaughtUp { listed, taken, .. } = done;
            let read = inbox::CaughtUp { committee: self.committee, since, until: now, listed, taken };
            let key = format!("caught-up:{}{}", self.mark(), now.timestamp_micros());
            self.engine.execute(Command::Inbox(inbox::Command::CatchUp(read)), key, "server").await?;
        }
        Ok(Some(done))
    }

    async fn take_listed(&self, body: &[u8], done: &mut CaughtUp) -> Result<(), Trouble> {
        let event = match self.processor.read_event(body) {
            Ok(event) => event,
            Err(refusal) => {
                self.turned_away(&refusal).await?;
                done.refused = done.refused.saturating_add(1);
                return Ok(());
            }
        };
        if self.engine.world().state.inbox.knows(&NoticeId(event.event_id.clone())) {
            return Ok(());
        }
        self.store(event, body).await?;
        done.taken = done.taken.saturating_add(1);
        Ok(())
    }

    /// Reads the list again and again, until dropped.
    pub(super) async fn keep_up(&self) {
        loop {
            let read = self.catch_up().await;
            match &read {
                Ok(None | Some(CaughtUp { taken: 0, .. })) => {}
                Ok(Some(done)) => {
                    tracing::warn!(taken = done.taken, "events came by the processor's list, not by webhook")
                }
                Err(trouble) => tracing::warn!(%trouble, "the processor's list of events could not be read"),
            }
            // After what the list brought is in the ledger: instalments and books are compared with that.
            self.interpret_all().await;
            if read.is_ok() {
                self.schedule.is_told();
            }
            self.keep_books().await;
            tokio::time::sleep(EVERY).await;
        }
    }
}
