//! Fees that could not be learned when their payment settled: asked for again until they are known.

use super::Cashier;
use crate::domain::id::DonationId;
use std::time::Duration;

/// How often: a fee is no hurry, and a processor that was away has come back by then or will by the next.
const EVERY: Duration = Duration::from_secs(10 * 60);
/// Payments that are looked up at a time in the ledger, and asked for one after another at the processor's pace.
const ROUND_MAX: usize = 100;

impl Cashier {
    /// Asks for what is not known, from the start on, for what waited in memory is gone with the process before; again and
    /// again, until dropped.
    pub(super) async fn ask_fees(&self) {
        loop {
            let mut last = 0;
            loop {
                let round = self.unknown_fees(last);
                let Some((seq, ..)) = round.last() else { break };
                last = *seq;
                for (_, donation, payment) in round {
                    self.learn_fee(donation, &payment).await;
                }
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// The next payments without a fee, with the events they settled by: those after `last`.
    fn unknown_fees(&self, last: u64) -> Vec<(u64, DonationId, String)> {
        let world = self.engine.world();
        let rows = world.ledger.unknown_fees().filter(|row| row.seq > last && row.committee == self.committee);
        rows.take(ROUND_MAX).map(|row| (row.seq, row.donation, row.payment.0.clone())).collect()
    }
}
