//! Gifts that a person looks at first: held when their donor comes to the card step, and where a card was offered in the
//! instant in which the rules changed.

use super::{Cashier, Standing, Trouble};
use crate::domain::donation::{self, Verdict};
use crate::domain::id::DonationId;
use crate::domain::{Refusal, donation::Refusal as OfGift};
use crate::engine::Failure;
use crate::projections::Projections;

/// What the log says of a gift that was held; `None` where a card may be offered for all it says.
pub(super) fn standing(world: &Projections, donation: DonationId) -> Option<Standing> {
    match world.state.donations.verdict(donation)? {
        Verdict::Open => Some(Standing::Held),
        Verdict::TurnedAway => Some(Standing::TurnedAway),
        Verdict::Released => None,
    }
}

impl Cashier {
    /// Holds a gift that is to be held, before its donor is offered a card; how it stands, where no card is offered.
    pub(super) async fn hold_back(&self, donation: DonationId) -> Result<Option<Standing>, Trouble> {
        let is_to_be_held = donation::is_to_be_held(&self.engine.world().state, donation);
        if is_to_be_held {
            let command = donation::Command::Hold { donation };
            self.tell(command, format!("hold:{donation}"), &format!("donor:{donation}")).await?;
        }
        let standing = self.standing(donation);
        Ok(matches!(standing, Standing::Held | Standing::TurnedAway).then_some(standing))
    }

    /// A card that the rules refused because a person is to look first: the token is let go.
    pub(super) async fn or_held(
        &self,
        donation: DonationId,
        begun: Result<Standing, Trouble>,
    ) -> Result<Standing, Trouble> {
        let Err(Trouble::Failure(Failure::Refused(Refusal::Donation(OfGift::Held | OfGift::TurnedAway)))) = begun
        else {
            return begun;
        };
        // Rules that were loosened in the same instant: the card step again.
        Ok(self.hold_back(donation).await?.unwrap_or_else(|| self.standing(donation)))
    }
}
