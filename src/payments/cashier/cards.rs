//! Cards that are tried for too many donors' gifts, or refused too often: the mark of whoever gives in the names of others, or
//! tries out what was stolen.
//!
//! A token tells nothing of its card; the processor's answer does, by a fingerprint. So the answer to one attempt is what the
//! next are judged by: while any card stands out, the processor is asked whose token it is before the charge, and a card that
//! stands out is refused without one. In quiet hours no call is added. Cards are kept as keyed hashes, in memory, for an hour;
//! what was paid with one that stands out is flagged for finance, in the log.
//!
//! Test money has a dozen cards, which everybody shares: they are not counted.

use super::{Cashier, Standing};
use crate::domain::donation::{self, CardFlagged};
use crate::domain::id::{CardId, DonationId, PersonId};
use crate::payments::{CardSummary, Fingerprint, Mode, Outcome};
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap};

/// How long a try counts, in seconds: whoever tries out cards, or gives for others, does it in one sitting.
const WINDOW_SECONDS: i64 = 3_600;
/// Donors for whom one card may be tried in that time: a couple, and parents who have lent theirs.
const DONORS_MAX: usize = 5;
/// Refusals of one card in that time: whoever mistypes has it right by then.
const DECLINES_MAX: usize = 10;
/// Tries remembered of one card, the latest; far fewer make it stand out.
const TRIES_MAX: usize = 64;
/// Cards remembered; beyond them those go that were not tried for an hour, and if there are none, all of them.
const CARDS_MAX: usize = 50_000;

const WORN: &str = "This card was tried too often in the last hour. Nothing was charged. Please use another card, or write to the \
                    campaign.";

/// One attempt to pay a gift with a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Try {
    at: i64,
    donation: DonationId,
    donor: PersonId,
    attempt: u32,
    declined: bool,
}

/// A card that stands out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Worn {
    card: CardId,
    donors: usize,
    declines: usize,
    /// What it was tried for.
    gifts: BTreeSet<DonationId>,
}

/// What is known of cards. Times are Unix seconds.
#[derive(Debug, Default)]
pub(super) struct Cards(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    tries: HashMap<CardId, Vec<Try>>,
    /// Until when some card stands out.
    worn_until: i64,
}

impl Cards {
    /// Notes a try, once however often it is told; what stands out about the card with it.
    fn note(&self, card: CardId, new: Try) -> Option<Worn> {
        let mut seen = self.0.lock();
        if seen.tries.len() >= CARDS_MAX && !seen.tries.contains_key(&card) {
            seen.tries.retain(|_, tries| tries.last().is_some_and(|last| is_recent(last, new.at)));
            if seen.tries.len() >= CARDS_MAX {
                seen.tries.clear();
            }
        }
        let tries = seen.tries.entry(card).or_default();
        match tries.iter_mut().find(|one| (one.donation, one.attempt) == (new.donation, new.attempt)) {
            // A payment that waited for its donor, and was refused then.
            Some(known) => known.declined |= new.declined,
            None => {
                if tries.len() >= TRIES_MAX {
                    tries.remove(0);
                }
                tries.push(new);
            }
        }
        let worn = worn(card, tries, new.at);
        if worn.is_some() {
            if new.at >= seen.worn_until {
                tracing::warn!("a card is tried too often: tokens are looked at before they are charged");
            }
            seen.worn_until = new.at.saturating_add(WINDOW_SECONDS);
        }
        worn
    }

    /// Whether any card stands out.
    fn any_is_worn(&self, now: i64) -> bool {
        now < self.0.lock().worn_until
    }

    fn is_worn(&self, card: CardId, now: i64) -> bool {
        self.0.lock().tries.get(&card).is_some_and(|tries| worn(card, tries, now).is_some())
    }
}

fn is_recent(one: &Try, now: i64) -> bool {
    (0..WINDOW_SECONDS).contains(&now.saturating_sub(one.at))
}

fn worn(card: CardId, tries: &[Try], now: i64) -> Option<Worn> {
    let recent = || tries.iter().filter(|one| is_recent(one, now));
    let donors = recent().map(|one| one.donor).collect::<BTreeSet<_>>().len();
    let declines = recent().filter(|one| one.declined).count();
    let gifts = || recent().map(|one| one.donation).collect();
    (donors > DONORS_MAX || declines >= DECLINES_MAX).then(|| Worn { card, donors, declines, gifts: gifts() })
}

impl Cashier {
    /// Whether a token is of a card that stands out: then no charge is asked for. Where the processor can't say, the gift goes
    /// on, and its answer counts.
    pub(super) async fn refuse_worn(&self, method: &str) -> Option<Standing> {
        let now = || self.engine.clock().now().timestamp();
        if !self.counts_cards() || !self.cards.any_is_worn(now()) {
            return None;
        }
        let fingerprint = match self.processor.fingerprint(method).await {
            Ok(fingerprint) => fingerprint?,
            Err(fault) => {
                tracing::warn!(%fault, "the processor does not say whose card a token is");
                return None;
            }
        };
        let is_worn = self.cards.is_worn(self.engine.vault().card_id(fingerprint.reveal()), now());
        is_worn.then(|| Standing::Open { declined: Some(WORN.into()) })
    }

    /// Notes which card an answer is about; a refusal of one that stands out is told in words of ours.
    pub(super) fn note_card(&self, donation: DonationId, mut outcome: Outcome) -> (Outcome, Option<Worn>) {
        let Some(fingerprint) = fingerprint_of(&outcome).filter(|_| self.counts_cards()) else {
            return (outcome, None);
        };
        let card = self.engine.vault().card_id(fingerprint.reveal());
        let known = self.engine.world().state.donations.get(donation).map(|known| (known.donor, known.attempts));
        let Some((donor, attempt)) = known else { return (outcome, None) };
        let (at, declined) = (self.engine.clock().now().timestamp(), matches!(outcome, Outcome::Declined { .. }));
        let worn = self.cards.note(card, Try { at, donation, donor, attempt, declined });
        if let (Some(_), Outcome::Declined { reason, .. }) = (&worn, &mut outcome) {
            *reason = WORN.into();
        }
        (outcome, worn)
    }

    /// Flags what was paid with a card that stands out, also what was paid before it did.
    pub(super) async fn flag(&self, worn: Worn) {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let (card, donors, declines) = (worn.card, count(worn.donors), count(worn.declines));
        for donation in worn.gifts {
            if self.engine.world().state.donations.is_flagged(donation) {
                continue;
            }
            let command = donation::Command::FlagCard(CardFlagged { donation, card, donors, declines });
            if let Err(trouble) = self.tell(command, format!("card-flagged:{donation}"), "server").await {
                tracing::warn!(%donation, %trouble, "a gift of a card that was tried too often is not flagged");
            }
        }
    }

    fn counts_cards(&self) -> bool {
        self.processor.mode() == Mode::Live
    }
}

fn fingerprint_of(outcome: &Outcome) -> Option<&Fingerprint> {
    match outcome {
        Outcome::Settled { card: Some(CardSummary { fingerprint, .. }), .. } => fingerprint.as_ref(),
        Outcome::Declined { fingerprint, .. } => fingerprint.as_ref(),
        Outcome::Settled { card: None, .. } | Outcome::NeedsAction { .. } | Outcome::Processing { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const CARD: CardId = CardId(Uuid::from_u128(0xca));

    fn one(at: i64, donor: u128, donation: u128, declined: bool) -> Try {
        let (donor, donation) = (PersonId(Uuid::from_u128(donor)), DonationId(Uuid::from_u128(donation)));
        Try { at, donation, donor, attempt: 1, declined }
    }

    #[test]
    fn six_donors_or_ten_refusals_in_an_hour_make_a_card_stand_out() {
        let cards = Cards::default();
        for donor in 1..=5 {
            assert_eq!(cards.note(CARD, one(0, donor, donor, false)), None);
            // The same donor's next gift, and the same answer told again.
            assert_eq!(cards.note(CARD, one(0, donor, 100 + donor, false)), None);
            assert_eq!(cards.note(CARD, one(0, donor, donor, false)), None);
        }
        assert!(!cards.any_is_worn(3_599));
        let worn = cards.note(CARD, one(3_599, 6, 6, false)).unwrap();
        assert_eq!((worn.donors, worn.declines, worn.gifts.len()), (6, 0, 11));
        assert!(cards.any_is_worn(3_600) && cards.is_worn(CARD, 3_599));
        assert!(!cards.is_worn(CARD, 3_600), "the first five are an hour old");
        assert!(!cards.is_worn(CardId(Uuid::from_u128(0xcb)), 3_599), "no other card is");

        let cards = Cards::default();
        for number in 1..=9 {
            assert_eq!(cards.note(CARD, one(0, 1, number, true)), None);
        }
        assert_eq!(cards.note(CARD, one(0, 1, 10, false)), None);
        let worn = cards.note(CARD, one(1, 1, 10, true)).unwrap();
        assert_eq!((worn.donors, worn.declines), (1, 10), "it waited for its donor, and was refused then");
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let cards = Cards::default();
        for number in 0..1_000 {
            cards.note(CARD, one(0, 1, number, false));
        }
        assert_eq!(cards.0.lock().tries[&CARD].len(), TRIES_MAX);
        let card = |number: usize| CardId(Uuid::from_u128(0x1000 + u128::try_from(number).unwrap()));
        let known = || cards.0.lock().tries.len();
        (1..CARDS_MAX).for_each(|number| drop(cards.note(card(number), one(1, 1, 1, false))));
        assert_eq!(known(), CARDS_MAX);
        cards.note(card(0), one(WINDOW_SECONDS, 1, 1, false));
        assert_eq!(known(), CARDS_MAX, "the one of an hour ago went");
        cards.note(card(CARDS_MAX), one(WINDOW_SECONDS, 1, 1, false));
        assert_eq!(known(), 1, "all were young");
    }
}
