//! Cards that are tried for too many donors' gifts, or refused too often: refused before a charge, flagged for finance, and
//! known by no name of theirs.

use crate::sample::details;
use crate::server::{House, Server, give, run, said, state};
use async_trait::async_trait;
use groundswell::domain::donation::{ATTESTATIONS, CardFlagged, Command as Donation, Pledged, Traces, flagged};
use groundswell::domain::id::{CardId, DonationId, PersonId, RallyId};
use groundswell::domain::money::{Currency, Money};
use groundswell::domain::sealed::Sealed;
use groundswell::domain::{Command, ledger, rally};
use groundswell::engine::{Engine, Writer};
use groundswell::payments::card_form::CardForm;
use groundswell::payments::cashier::{Cashier, Standing};
use groundswell::payments::{
    CardSummary, Charge, Fault, Fingerprint, Mode, Notice, Outcome, Processor, Refund, RefundOutcome, Webhook,
    WebhookRefusal,
};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use uuid::Uuid;

const RALLY: RallyId = RallyId(Uuid::from_u128(1));
const WORN: &str = "This card was tried too often in the last hour. Nothing was charged.";

/// A bank whose tokens say what becomes of them: `pm_ok_RED` is paid with the red card, `pm_no_RED` is refused.
struct Bank {
    mode: Mode,
    charged: Mutex<Vec<String>>,
    looked: AtomicUsize,
    is_silent: AtomicBool,
}

impl Bank {
    fn open(mode: Mode) -> Arc<Self> {
        Arc::new(Self {
            mode,
            charged: Mutex::default(),
            looked: AtomicUsize::new(0),
            is_silent: AtomicBool::new(false),
        })
    }

    fn charges(&self) -> usize {
        self.charged.lock().unwrap().len()
    }

    fn looks(&self) -> usize {
        self.looked.load(Ordering::SeqCst)
    }
}

fn card_of(method: &str) -> Option<Fingerprint> {
    method.rsplit('_').next().map(|card| Fingerprint::new(format!("fingerprint of {card}")))
}

#[async_trait]
impl Processor for Bank {
    fn name(&self) -> &'static str {
        "bank"
    }

    fn mode(&self) -> Mode {
        self.mode
    }

    fn card_form(&self) -> CardForm {
        CardForm::Choices(&[])
    }

    async fn charge(&self, charge: &Charge) -> Result<Outcome, Fault> {
        self.charged.lock().unwrap().push(charge.key.clone());
        let (payment, fingerprint) = (format!("pi_{}", charge.key), card_of(&charge.method));
        if charge.method.starts_with("pm_no_") {
            let (code, reason) = ("card_declined".into(), "The bank said no.".into());
            return Ok(Outcome::Declined { payment: Some(payment), code, reason, fingerprint });
        }
        let card = Some(CardSummary { brand: "visa".into(), last4: "4242".into(), fingerprint });
        Ok(Outcome::Settled { payment, amount: charge.amount, fee: None, card })
    }

    async fn fingerprint(&self, method: &str) -> Result<Option<Fingerprint>, Fault> {
        self.looked.fetch_add(1, Ordering::SeqCst);
        if self.is_silent.load(Ordering::SeqCst) {
            return Err(Fault::Unknown { cause: "no answer in 30 s".into() });
        }
        Ok(card_of(method))
    }

    async fn look_up(&self, _: &str) -> Result<Outcome, Fault> {
        Err(Fault::Unknown { cause: "not asked".into() })
    }

    async fn cancel(&self, _: &str) -> Result<Outcome, Fault> {
        Err(Fault::Unknown { cause: "not asked".into() })
    }

    async fn refund(&self, _: &Refund) -> Result<RefundOutcome, Fault> {
        Err(Fault::Unknown { cause: "not asked".into() })
    }

    fn verify_webhook(&self, _: &[u8], _: &str, _: i64) -> Result<Webhook, WebhookRefusal> {
        Err(WebhookRefusal::Unsupported)
    }

    fn interpret(&self, _: &[u8]) -> Result<Vec<Notice>, Fault> {
        Ok(vec![])
    }
}

struct Till {
    engine: Engine,
    cashier: Cashier,
    writer: Writer,
}

impl Till {
    async fn open(data: &Path, bank: Arc<Bank>) -> Self {
        let (engine, writer) = Engine::open(data).unwrap();
        let start = Command::Ledger(ledger::Command::Start { mode: bank.mode });
        engine.execute(start, "start".into(), "server").await.unwrap();
        let create = Command::Rally(rally::Command::Create { rally: RALLY, details: details("call") });
        engine.execute(create, "rally".into(), "staff").await.unwrap();
        let cashier = Cashier::new(engine.clone(), bank);
        Self { engine, cashier, writer }
    }

    /// A gift of this donor, offered this token.
    async fn give(&self, donor: u128, gift: u128, method: &str) -> Standing {
        let donation = DonationId(Uuid::from_u128(gift));
        let pledge = Pledged {
            donation,
            rally: RALLY,
            donor: PersonId(Uuid::from_u128(donor)),
            amount: Money::new(2_500, Currency::USD),
            contact: Sealed::new(&[1]),
            shown: Sealed::new(&[1]),
            attestations: ATTESTATIONS.iter().map(|(id, _)| (*id).to_owned()).collect(),
            refcode: None,
            likeness: None,
            covers_fee: None,
            came: None,
            on_program: None,
            traces: Traces::default(),
        };
        let pledge = Command::Donation(Donation::Pledge(pledge));
        self.engine.execute(pledge, format!("pledge:{donation}"), "donor").await.unwrap();
        self.cashier.pay(donation, method.into()).await.unwrap()
    }

    fn flags(&self) -> Vec<(DonationId, u32, u32)> {
        let flags = flagged(&self.engine.world().state);
        let mut flags: Vec<_> = flags.into_iter().map(|(id, flag)| (id, flag.donors, flag.declines)).collect();
        flags.sort_unstable();
        flags
    }
}

fn is_worn(standing: &Standing) -> bool {
    matches!(standing, Standing::Open { declined: Some(reason) } if reason.contains(WORN))
}

#[tokio::test]
async fn a_card_for_more_than_five_donors_is_refused_without_a_charge_and_its_gifts_are_flagged() {
    let dir = tempfile::tempdir().unwrap();
    let bank = Bank::open(Mode::Live);
    let till = Till::open(dir.path(), bank.clone()).await;
    for donor in 1..=5 {
        assert!(till.give(donor, donor, "pm_ok_RED").await == Standing::Settled);
        assert!(till.give(donor, 100 + donor, "pm_ok_OTHER").await == Standing::Settled, "{donor}");
        assert_eq!(till.flags(), []);
    }
    // What the sixth is by, only the answer tells.
    assert!(till.give(6, 6, "pm_ok_RED").await == Standing::Settled);
    assert_eq!((bank.looks(), bank.charges()), (0, 11), "one call a gift");
    let six: Vec<_> = (1..=6).map(|number| (DonationId(Uuid::from_u128(number)), 6, 0)).collect();
    assert_eq!(till.flags(), six);
    assert!(is_worn(&till.give(7, 7, "pm_ok_RED").await));
    assert!(is_worn(&till.give(1, 8, "pm_ok_RED").await), "nor for one of those before");
    assert!(till.give(8, 9, "pm_ok_BLUE").await == Standing::Settled, "others give as ever");
    assert_eq!((bank.looks(), bank.charges()), (3, 12));
    // The same form takes another card.
    let donation = DonationId(Uuid::from_u128(7));
    assert!(till.cashier.pay(donation, "pm_ok_BLUE".into()).await.unwrap() == Standing::Settled);
    assert_eq!(till.flags(), six);
    // A processor that does not say whose token it is keeps nobody from giving; its answer flags.
    bank.is_silent.store(true, Ordering::SeqCst);
    assert!(till.give(9, 10, "pm_ok_RED").await == Standing::Settled);
    assert_eq!(till.flags().len(), 7);
    let Till { engine, cashier, mut writer } = till;
    drop((engine, cashier));
    writer.ended().await.unwrap();
    let log = said(&run(&["log", "tail", "-n", "1000"], dir.path()));
    assert!(log.contains("donation.card_flagged") && !log.contains("fingerprint of"), "{log}");
}

#[tokio::test]
async fn a_card_that_was_refused_ten_times_is_refused_here() {
    let dir = tempfile::tempdir().unwrap();
    let bank = Bank::open(Mode::Live);
    let till = Till::open(dir.path(), bank.clone()).await;
    for gift in 1..=9 {
        let standing = till.give(1, gift, "pm_no_RED").await;
        assert!(
            matches!(standing, Standing::Open { declined: Some(reason) } if reason == "The bank said no."),
            "{gift}"
        );
    }
    assert!(is_worn(&till.give(1, 10, "pm_no_RED").await), "it says so at once");
    assert_eq!((bank.looks(), bank.charges()), (0, 10));
    assert!(is_worn(&till.give(2, 11, "pm_ok_RED").await));
    assert_eq!((bank.looks(), bank.charges()), (1, 10));
    assert_eq!(till.flags(), [], "nothing was paid with it");
}

#[tokio::test]
async fn test_cards_are_everybodys() {
    let dir = tempfile::tempdir().unwrap();
    let bank = Bank::open(Mode::Test);
    let till = Till::open(dir.path(), bank.clone()).await;
    for donor in 1..=8 {
        assert!(till.give(donor, donor, "pm_ok_RED").await == Standing::Settled);
    }
    assert_eq!((bank.looks(), till.flags()), (0, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn finance_gives_it_back_or_says_why_it_is_fine() {
    let house = House::new().await;
    let mut donations = vec![];
    for email in ["ruth@example.org", "ada@example.org"] {
        donations.push(give(&house.server, "25", email).await);
    }
    let id = |donation: &str| donation.rsplit('/').next().unwrap().to_owned();
    let ids: Vec<String> = donations.iter().map(|donation| id(donation)).collect();
    let data = house.data();
    let house = house.again(|server| {
        server.stop();
        let flag = async {
            let (engine, mut writer) = Engine::open(&data).unwrap();
            for id in &ids {
                let (donation, card) = (id.parse().unwrap(), CardId(Uuid::from_u128(7)));
                let flag = Donation::FlagCard(CardFlagged { donation, card, donors: 6, declines: 1 });
                engine.execute(Command::Donation(flag), format!("card-flagged:{id}"), "server").await.unwrap();
            }
            drop(engine);
            writer.ended().await.unwrap();
        };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(flag));
    });
    let (server, owner) = (&house.server, &house.owner);
    let finance = server.get_as(&owner.cookie, "/finance").await.text();
    assert!(finance.contains("Gifts to look at <span class=\"pill warn\">2</span>"), "{finance}");
    let list = server.get_as(&owner.cookie, "/finance/held").await.text();
    for wanted in [
        "Cards that stand out",
        "Card 1, simulated 0000",
        "ada@example.org",
        "the gifts of 6 donors, and refused 1 time.",
    ] {
        assert!(list.contains(wanted), "{wanted}: {list}");
    }
    assert!(!list.contains("Card 2"), "it is one card: {list}");
    let clear = format!("/finance/held/{}/clear", ids[0]);
    assert_eq!(server.post(&clear, &[("why", "fine")]).await.status, 303, "a stranger signs in first");
    assert_eq!(server.post_as(&owner.cookie, &clear, &[("why", "fine")]).await.status, 403);
    let empty = owner.post(server, &clear, &[("why", "")]).await;
    assert!(empty.status == 422 && empty.text().contains("Say why in 1 to 500 characters"), "{}", empty.text());
    let named = owner.post(server, &clear, &[("why", "ruth@example.org is her aunt")]).await;
    assert!(named.status == 422 && named.text().contains("ruth@example.org is her aunt"), "what was typed is kept");
    let unknown = "/finance/held/0193a1d2-5e70-7a80-9b1c-2d3e4f5061a1/clear";
    assert_eq!(owner.post(server, unknown, &[("why", "fine")]).await.status, 404);
    for _ in 0..2 {
        assert_eq!(owner.post(server, &clear, &[("why", "A family.")]).await.status, 303);
    }
    let refund = [("refund", "01934f2a-108f-7fea-b1f7-beee59b66dd6"), ("amount", "25.00")];
    assert_eq!(owner.post(server, &format!("/finance/donations/{}/refund", ids[1]), &refund).await.status, 303);
    let list = server.get_as(&owner.cookie, "/finance/held").await.text();
    assert!(!list.contains("Cards that stand out"), "{list}");
    assert_eq!(state(server).await["raised_minor"], 2_500);
    server.is_well().await;
    let _ = house.again(Server::stop);
}
