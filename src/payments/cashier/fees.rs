//! Fees that could not be learned when their payment settled: asked for again until they are known.

use super::Cashier;
use crate::domain::id::DonationId;
use std::time::Duration;

/// How often: a fee is no hurry, and a processor that was away has come back by then or will by the next.
const EVERY: Duration = Duration::from_secs(10 * 60);
/// Payments asked for in one round, one after another: some ten seconds of a processor's time.
const ROUND_MAX: usize = 100;

impl Cashier {
    /// Asks for what is not known, again and again, until dropped.
    pub(super) async fn ask_fees(&self) {
        // Where the last round ended: a fee that is never told must not keep the others waiting.
        let mut last = 0;
        loop {
            tokio::time::sleep(EVERY).await;
            let round = self.unknown_fees(last);
            last = round.last().map_or(0, |(seq, ..)| *seq);
            for (_, donation, payment) in round {
                self.learn_fee(donation, &payment).await;
            }
        }
    }

    /// The next payments without a fee, with the events they settled by: those after `last`, or the first where none is.
    fn unknown_fees(&self, last: u64) -> Vec<(u64, DonationId, String)> {
        let world = self.engine.world();
        let rows = || world.ledger.unknown_fees().map(|row| (row.seq, row.donation, row.payment.0.clone()));
        let round: Vec<_> = rows().filter(|(seq, ..)| *seq > last).take(ROUND_MAX).collect();
        if round.is_empty() { rows().take(ROUND_MAX).collect() } else { round }
    }
}
