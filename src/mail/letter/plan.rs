//! What letters say of recurring gifts.

use super::Note;
use crate::domain::id::{DonationId, PlanId};
use crate::domain::mail::{Kind, Requested};
use crate::domain::plan::{self, Standing, Why};
use crate::engine::Engine;
use crate::projections::Projections;
use chrono::NaiveDate;

fn day(day: NaiveDate) -> String {
    day.format("%B %-d, %Y").to_string()
}

fn manage(engine: &Engine, world: &Projections, id: PlanId, plan: &plan::Plan, public_url: &str) -> Option<String> {
    let slug = &world.state.rallies.get(plan.rally)?.details.slug;
    Some(format!("{public_url}/r/{slug}/plan/{}", engine.vault().plan_link(id)))
}

/// What a receipt says of the plan that its gift is one of: how to change and to stop it.
pub(super) fn of_receipt(engine: &Engine, world: &Projections, donation: DonationId, public_url: &str) -> Option<Note> {
    let (id, plan) = world.state.plans.of_donation(donation)?;
    let href = manage(engine, world, id, plan, public_url)?;
    let each = format!("You give {} each {}.", plan.amount.to_exact(), plan.rhythm.every.word());
    let next = plan.next().map(|next| format!(" Your card is charged next on {}.", day(next))).unwrap_or_default();
    let says = if plan.is_over() { "This recurring gift has ended.".into() } else { format!("{each}{next}") };
    let actions = vec![("Change, pause or stop it, without an account", href)];
    Some(Note { lead: String::new(), paragraphs: vec![says], actions })
}

/// What a letter about a plan says, as it stands now.
pub(super) fn of_letter(engine: &Engine, world: &Projections, asked: &Requested, public_url: &str) -> Option<Note> {
    let (id, plan) = world.state.plans.of_donation(asked.donation)?;
    let slug = &world.state.rallies.get(plan.rally)?.details.slug;
    let manage = manage(engine, world, id, plan, public_url)?;
    let (amount, every) = (asked.amount.to_exact(), plan.rhythm.every.word());
    if asked.letter == Kind::InstalmentRefused {
        let again = match plan.standing() {
            Standing::PastDue { again: Some(again), .. } if plan.open() == Some(asked.donation) => {
                format!(" We try it again on {}.", day(again))
            }
            Standing::PastDue { .. }
            | Standing::Asked
            | Standing::Active
            | Standing::Paused { .. }
            | Standing::Ended { .. } => String::new(),
        };
        let paragraphs = vec![
            format!("Your bank did not let us charge your card for this {every}’s gift of {amount}. Nothing was charged.{again}"),
            "If your card is new, or your bank wants to hear from you first, pay this gift with the card you want: it is \
             the one we charge from then on."
                .into(),
        ];
        let pay = format!("{public_url}/r/{slug}/donate/{}", asked.donation);
        let actions = vec![("Pay this gift now", pay), ("Change, pause or stop", manage)];
        return Some(Note { lead: format!("Your {amount} did not go through."), paragraphs, actions });
    }
    let Standing::Ended { why } = plan.standing() else { return None };
    let reason = match why {
        Why::Donor => "You stopped it.",
        Why::Staff => "The campaign stopped it.",
        Why::Finished => "Its last day has come.",
        Why::Failures => "Your bank refused the card each time we tried.",
        Why::Limit => "With one more gift you would have given more than the law lets one person give.",
        Why::Disputed => "Your bank told us that you dispute one of its charges.",
        Why::NotKept => "Your bank or card does not allow charges that repeat. The gift you made stands.",
        Why::Erased => "What you gave us of you was erased.",
    };
    let lead = format!("Your gift of {amount} each {every} has ended.");
    let paragraphs = vec![format!("{reason} Nothing more will be charged. Thank you for all you gave.")];
    let again = format!("{public_url}/r/{slug}/donate");
    Some(Note {
        lead,
        paragraphs,
        actions: vec![("Your gifts, and what became of them", manage), ("Give again", again)],
    })
}
