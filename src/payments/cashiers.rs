//! The cashiers: one a committee, each with its own account at the processor and its own line before it.

use super::cashier::Cashier;
use super::{Mode, Processor};
use crate::domain::id::{CommitteeId, DonationId};
use crate::engine::Engine;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Every committee's cashier; there is always the first's. Cheap to clone.
#[derive(Clone)]
pub struct Cashiers {
    engine: Engine,
    first: Cashier,
    others: Arc<BTreeMap<CommitteeId, Cashier>>,
}

impl Cashiers {
    /// The first committee's alone.
    pub fn new(engine: Engine, first: Arc<dyn Processor>) -> Self {
        Self::with(engine, first, [])
    }

    /// The first committee's and those of others, by their committees.
    pub fn with(
        engine: Engine,
        first: Arc<dyn Processor>,
        others: impl IntoIterator<Item = (CommitteeId, Arc<dyn Processor>)>,
    ) -> Self {
        let others = others.into_iter().filter(|(committee, _)| !committee.is_first());
        let others =
            others.map(|(committee, processor)| (committee, Cashier::of(engine.clone(), committee, processor)));
        Self { first: Cashier::new(engine.clone(), first), others: Arc::new(others.collect()), engine }
    }

    /// The first committee's.
    pub fn first(&self) -> &Cashier {
        &self.first
    }

    /// A committee's; `None` where its account is not in the settings any more.
    pub fn of(&self, committee: CommitteeId) -> Option<&Cashier> {
        if committee.is_first() { Some(&self.first) } else { self.others.get(&committee) }
    }

    /// That of the committee a donation is to; `None` as above. For one that nobody knows it is the first's, who says so.
    pub fn of_donation(&self, donation: DonationId) -> Option<&Cashier> {
        let committee = self.engine.world().state.donations.get(donation).map(|donation| donation.committee);
        self.of(committee.unwrap_or_default())
    }

    /// All of them, the first first.
    pub fn iter(&self) -> impl Iterator<Item = &Cashier> {
        std::iter::once(&self.first).chain(self.others.values())
    }

    /// What this ledger's money is worth: the same for all.
    pub fn mode(&self) -> Mode {
        self.first.mode()
    }
}
