//! What each item asks of a person, in a sentence, and where that is done.

use super::team;
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
        Kind::Amendment => ("Report to amend", "Reports to amend"),
        Kind::Duplicate => ("Possible duplicate", "Possible duplicates"),
        Kind::Employer => ("Missing employer", "Missing employers"),
        Kind::Excess => ("Over a limit", "Over a limit"),
    }
}

/// What stands in place of a donor where an item is about none.
pub(super) fn about_nobody(kind: Kind) -> &'static str {
    match kind {
        Kind::Held | Kind::Card | Kind::Dispute | Kind::Refund | Kind::Employer | Kind::Excess => "A donor",
        Kind::Duplicate => "Two donors",
        Kind::Mismatch => "The processor’s books",
        Kind::Report | Kind::Amendment => "The FEC",
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
        Kind::Report | Kind::Amendment => period(world, item),
        Kind::Employer => {
            let has_answered = gift.is_some_and(|gift| world.donors.answer(gift.donor, u64::MAX).is_some());
            let what = if has_answered {
                "Amend the report that was taken before this donor told their employer and occupation."
            } else {
                "Ask this donor for the employer and occupation that a report names, and note that you did."
            };
            Words { what: what.into(), href: on_its_list("employers", item) }
        }
        Kind::Excess => Words {
            what: format!("The gift of {} went over a limit: give back what is over, or move it as agreed.", sum(None)),
            href: on_its_list("excess", item),
        },
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

/// Where a list has the gift that an item is about.
fn on_its_list(list: &str, item: &Item) -> String {
    let committee = item.gift().map(|(_, committee)| committee.to_string()).unwrap_or_default();
    format!("/finance/{list}?committee={committee}#{}", team::anchor(item))
}

fn period(world: &Projections, item: &Item) -> Words {
    let Some(id) = item.period() else {
        return Words { what: "Look at the closed periods.".into(), href: "/finance/periods".into() };
    };
    let title = world.state.periods.get(id).map(|period| period_in_words(&period.closed)).unwrap_or_default();
    if item.kind == Kind::Report {
        let what = format!("File the report that period {id} was closed with, and mark it: {title}.");
        return Words { what, href: format!("/finance/periods/{id}") };
    }
    let what = format!("Something came to {title}, after its report was filed: amend it, or say why not.");
    Words { what, href: format!("/finance/periods/{id}#since") }
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
