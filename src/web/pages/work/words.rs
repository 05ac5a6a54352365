//! What each item asks of a person, in a sentence, and where that is done.

use crate::domain::id::MismatchId;
use crate::domain::money::Money;
use crate::domain::work::{Item, Kind};
use crate::projections::Projections;
use crate::web::pages::periods::period_in_words;
use crate::web::pages::reconciliation::mismatches;

/// What is to be done, and where.
pub(super) struct Words {
    /// A sentence.
    pub what: String,
    /// The page on which it is done.
    pub href: String,
}

/// A kind, as the list names it: of one, and of several.
pub(super) fn name(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Held => ("Gift held", "Gifts held"),
        Kind::Card => ("Card that stands out", "Cards that stand out"),
        Kind::Dispute => ("Dispute", "Disputes"),
        Kind::Mismatch => ("Mismatch", "Mismatches with the processor’s books"),
        Kind::Refund => ("Refund to approve", "Refunds to approve"),
        Kind::Report => ("Report to file", "Reports to file"),
        Kind::Duplicate => ("Possible duplicate", "Possible duplicates"),
    }
}

/// What stands in place of a donor where an item is about none.
pub(super) fn about_nobody(kind: Kind) -> &'static str {
    match kind {
        Kind::Held | Kind::Card | Kind::Dispute | Kind::Refund => "A donor",
        Kind::Duplicate => "Two donors",
        Kind::Mismatch => "The processor’s books",
        Kind::Report => "The FEC",
    }
}

/// What an item asks for now, or asked for before it was done.
pub(super) fn words(world: &Projections, item: &Item) -> Words {
    let gift = item.donation().and_then(|id| world.state.donations.get(id));
    let sum = |minor: Option<i64>| {
        let sum = gift.map(|gift| Money::new(minor.unwrap_or(gift.amount.minor), gift.amount.currency));
        sum.map(Money::to_exact).unwrap_or_default()
    };
    match item.kind {
        Kind::Held => Words {
            what: format!("Let the gift of {} go on, or turn it away.", sum(None)),
            href: "/finance/held".into(),
        },
        Kind::Card => Words {
            what: format!("Look at the card that paid {}: give it back, or say why it is fine.", sum(None)),
            href: "/finance/held#cards".into(),
        },
        Kind::Dispute => dispute(world, item),
        Kind::Duplicate => Words {
            what: "Say whether this donor and another who looks alike are one person.".into(),
            href: "/finance/duplicates".into(),
        },
        Kind::Refund => {
            let waiting = item.donation().and_then(|id| world.state.refunds.of(id));
            let amount = waiting.map(|(_, waiting)| waiting.amount.to_exact());
            let amount = amount.unwrap_or_else(|| sum(None));
            let what = format!("Approve the refund of {amount}, or turn it down; not who asked for it.");
            Words { what, href: "/finance/refunds".into() }
        }
        Kind::Report => {
            let closed = item.period().and_then(|id| world.state.periods.get(id)).map(|period| &period.closed);
            let title = closed.map(period_in_words).unwrap_or_default();
            let what = format!("File the report that period {} was closed with, and mark it: {title}.", item.of);
            Words { what, href: format!("/finance/periods/{}", item.of) }
        }
        Kind::Mismatch => {
            let open = world.state.audit.get(&MismatchId(item.of.as_ref().into()));
            let what = open.map(|open| mismatches::words(open.finding.what).0);
            Words {
                what: match what {
                    Some(what) => format!("{what}: find out why, and say so."),
                    None => "Find out why the books differ, and say so.".into(),
                },
                href: "/finance/reconciliation#mismatches".into(),
            }
        }
    }
}

fn dispute(world: &Projections, item: &Item) -> Words {
    let known = item.dispute().and_then(|(donation, dispute)| {
        let gift = world.state.donations.get(donation)?;
        let (_, dispute) = gift.disputes().find(|(id, _)| **id == dispute)?;
        Some((donation, dispute.amount.to_exact(), dispute.reason.clone()))
    });
    match known {
        Some((donation, amount, reason)) => Words {
            what: format!("Answer the bank, which disputes {amount} ({reason}), on the processor’s pages."),
            href: format!("/finance/donations/{donation}"),
        },
        None => {
            Words { what: "Answer the bank on the processor’s pages.".into(), href: "/finance/reconciliation".into() }
        }
    }
}
