//! Cashiers side by side: what one left open is nothing to another, whose account would take the money a second time.

use super::*;
use groundswell::domain::id::{CommitteeId, PlanId};
use groundswell::domain::{committee, plan};
use tokio_util::sync::CancellationToken;

/// Another committee's cashier on the same ledger, and what its processor is asked.
async fn beside(engine: &Engine) -> (Cashier, Arc<Scripted>) {
    let found = committee::Command::Found { handles: vec!["party".into()] };
    engine.execute(Command::Committee(found), "found".into(), "server").await.unwrap();
    let scripted = Scripted::answering([]);
    (Cashier::of(engine.clone(), CommitteeId(1), scripted.clone()), scripted)
}

/// It does all it does, now and a minute later, and its processor is asked nothing.
async fn asks_nothing(other: &(Cashier, Arc<Scripted>)) {
    let (cashier, scripted) = other;
    let stop = CancellationToken::new();
    let running = tokio::time::timeout(Duration::from_millis(300), cashier.run(stop));
    assert!(running.await.is_err(), "it runs until it is stopped");
    let later = Utc::now() + TimeDelta::seconds(60);
    cashier.resolve(later).await;
    cashier.charge_due(later).await;
    assert_eq!(scripted.asked(), []);
}

#[tokio::test]
async fn anothers_charges_and_refunds_are_left_to_its_own_cashier() {
    let dir = tempfile::tempdir().unwrap();
    let scripted = Scripted::answering([Err(unknown()), Ok(paid("pi_1", 2500))]);
    let (engine, cashier, donation) = with_pledge(dir.path(), scripted.clone()).await;
    let other = beside(&engine).await;
    assert!(cashier.pay(donation, "pm_1".into()).await.unwrap() == Standing::Processing);
    asks_nothing(&other).await;
    let later = Utc::now() + TimeDelta::seconds(60);
    cashier.resolve(later).await;
    assert_eq!(engine.world().totals.sums(RALLY).raised_minor(), 2500);
    let back = RefundOutcome::Settled { processor_refund: "re_1".into(), amount: usd(2500) };
    scripted.refunds.lock().unwrap().extend([Err(unknown()), Ok(back)]);
    assert!(cashier.refund(donation, RefundId(id(6)), usd(2500), "staff").await.is_err(), "no clear answer");
    asks_nothing(&other).await;
    cashier.resolve(later).await;
    assert_eq!(engine.world().totals.sums(RALLY).raised_minor(), 0);
}

#[tokio::test]
async fn anothers_recurring_gifts_are_left_to_its_own_cashier() {
    let dir = tempfile::tempdir().unwrap();
    let (engine, _) = open(dir.path(), Mode::Test).await;
    let donation = DonationId(id(5));
    let Command::Donation(Donation::Pledge(pledge)) = pledged(donation, 2500) else { panic!("a pledge") };
    let rhythm = plan::Rhythm { every: plan::Every::Month, until: None };
    let asked = plan::Command::Pledge { pledge: Box::new(pledge), rhythm };
    engine.execute(Command::Plan(asked), "pledge".into(), "donor").await.unwrap();
    let cashier = Cashier::new(engine.clone(), Scripted::answering([Ok(paid("pi_1", 2500))]));
    assert!(cashier.pay(donation, "pm_1".into()).await.unwrap() == Standing::Settled);
    let other = beside(&engine).await;
    asks_nothing(&other).await;
    let standing = || engine.world().state.plans.get(PlanId::of(donation)).unwrap().standing();
    assert_eq!(standing(), plan::Standing::Asked);
    // Its own asks what the processor keeps, which is nothing.
    cashier.charge_due(Utc::now()).await;
    assert_eq!(standing(), plan::Standing::Ended { why: plan::Why::NotKept });
}
