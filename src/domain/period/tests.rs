use super::*;
use crate::domain::committee::filer::{Election, Filer, Form};
use crate::domain::money::Currency;
use crate::domain::test_kit::*;
use crate::domain::work::Item;

const TODAY: &str = "2026-10-05";

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn books(from: &str, through: &str) -> Closed {
    Closed {
        period: PeriodId(1),
        committee: None,
        from: day(from),
        through: day(through),
        seq: 40,
        head: "ab".repeat(32),
        sums: vec![Sums { donations: 2, gross_minor: 15_000, ..Sums::nothing(Currency::USD) }],
        report: None,
        who: "staff:1".into(),
        note: String::new(),
    }
}

fn report(from: &str, through: &str) -> Closed {
    let report = Report {
        code: "Q3".into(),
        filer: Box::new(Filer::example(Form::F3)),
        election: None,
        signed: day(TODAY),
        cash_minor: 0,
        amends: None,
        column_a: Column { itemized: 15_000, ..Column::default() },
        column_b: Column::default(),
        itemized: 1,
        file: "cd".repeat(32),
    };
    Closed { committee: Some(CommitteeId::FIRST), report: Some(report), ..books(from, through) }
}

fn amendment(first: u32, filing: u64, number: u16) -> Closed {
    let mut closed = report("2026-07-01", "2026-09-30");
    let amends = Some(Amends { period: PeriodId(first), filing, number });
    closed.report = closed.report.map(|report| Report { amends, ..report });
    closed
}

fn close(closed: Closed) -> Command {
    Command::Close(Box::new(Close { closed, today: day(TODAY), is_early: false }))
}

#[test]
fn each_report_has_the_day_that_the_law_names() {
    let election = Election { code: "G2026".into(), date: day("2026-11-03"), state: "MI".into() };
    for (code, through, due) in [
        ("Q1", "2026-03-31", Some("2026-04-15")),
        ("Q3", "2026-09-30", Some("2026-10-15")),
        ("YE", "2026-12-31", Some("2027-01-31")),
        ("MY", "2026-06-30", Some("2026-07-31")),
        ("M2", "2026-01-31", Some("2026-02-20")),
        ("M12", "2026-11-30", Some("2026-12-20")),
        ("12G", "2026-10-14", Some("2026-10-22")),
        ("30G", "2026-11-23", Some("2026-12-03")),
        ("TER", "2026-11-23", None),
    ] {
        let mut closed = report("2026-01-01", through);
        let of = closed.report.as_mut().unwrap();
        (of.code, of.election) = (code.into(), code.ends_with('G').then(|| election.clone()));
        assert_eq!(closed.due(), due.map(day), "{code}");
    }
    assert_eq!(books("2026-07-01", "2026-09-30").due(), None, "the books are nobody's but ours");
}

fn numbered(number: u32, closed: Closed) -> Event {
    Event::Closed(Box::new(Closed { period: PeriodId(number), ..closed }))
}

fn filed(period: u32, filing: u64) -> Filed {
    Filed { period: PeriodId(period), filing, on: day("2026-10-04"), who: "staff:1".into() }
}

fn mark(filed: Filed) -> Command {
    Command::MarkFiled { filed, today: day(TODAY) }
}

fn withdrawn(period: u32) -> Withdrawn {
    Withdrawn { period: PeriodId(period), who: "staff:1".into(), reason: "closed a day too early".into() }
}

#[test]
fn a_period_is_closed_once_numbered_and_kept_by_a_snapshot() {
    let quarter = report("2026-07-01", "2026-09-30");
    let one = given_nothing().when(close(quarter.clone())).then([numbered(1, quarter.clone())]);
    // A month's books are another matter, and so is another committee's report.
    let two = one.when(close(books("2026-09-01", "2026-09-30"))).then([numbered(2, books("2026-09-01", "2026-09-30"))]);
    assert_eq!(two.state.periods.get(PeriodId(2)).unwrap().at, at(1));
    let kept: State = postcard::from_bytes(&postcard::to_stdvec(&two.state).unwrap()).unwrap();
    assert_eq!(kept, two.state);
    for (from, through) in [("2026-09-30", "2026-10-02"), ("2026-01-01", "2026-07-01"), ("2026-08-01", "2026-08-02")] {
        let overlaps = Refusal::Overlaps { period: PeriodId(1), from: day("2026-07-01"), through: day("2026-09-30") };
        one.when(close(report(from, through))).refuses(overlaps);
    }
    two.when(close(books("2026-09-30", "2026-10-02"))).refuses(Refusal::Overlaps {
        period: PeriodId(2),
        from: day("2026-09-01"),
        through: day("2026-09-30"),
    });
    // All accounts have those of one among them.
    two.when(close(Closed { committee: Some(CommitteeId::FIRST), ..books("2026-09-02", "2026-09-02") }))
        .refuses(Refusal::Overlaps { period: PeriodId(2), from: day("2026-09-01"), through: day("2026-09-30") });
    two.when(close(report("2026-10-01", "2026-10-04"))).then([numbered(3, report("2026-10-01", "2026-10-04"))]);
}

#[test]
fn what_can_not_be_closed_is_refused_in_words() {
    let nothing = given_nothing();
    let unknown = Closed { committee: Some(CommitteeId(7)), ..report("2026-07-01", "2026-09-30") };
    nothing.when(close(unknown)).refuses(Refusal::UnknownCommittee);
    nothing.when(close(Closed { committee: None, ..report("2026-07-01", "2026-09-30") })).refuses(Refusal::NoCommittee);
    nothing.when(close(books("2026-09-30", "2026-09-01"))).refuses(Refusal::Days);
    let open = books("2026-10-01", TODAY);
    nothing.when(close(open.clone())).refuses(Refusal::NotOver { through: day(TODAY) });
    let early = Command::Close(Box::new(Close { closed: open.clone(), today: day(TODAY), is_early: true }));
    nothing.when(early).then([numbered(1, open)]);
    for note in ["a\nb", "ask joan@example.org", &"x".repeat(REASON_CHARS_MAX + 1)] {
        nothing.when(close(Closed { note: note.into(), ..books("2026-09-01", "2026-09-30") })).refuses(Refusal::Words);
    }
    let many = (1..=2_000_u32).map(|number| numbered(number, books("2026-01-01", "2026-01-01")));
    given(many).when(close(books("2026-09-01", "2026-09-30"))).refuses(Refusal::TooMany);
}

#[test]
fn what_was_filed_stays_and_what_was_not_can_be_withdrawn() {
    let closed = given([numbered(1, report("2026-07-01", "2026-09-30"))]);
    let gone = closed.when(Command::Withdraw(withdrawn(1))).then([Event::Withdrawn(withdrawn(1))]);
    gone.when(Command::Withdraw(withdrawn(1))).changes_nothing();
    gone.when(mark(filed(1, 7))).refuses(Refusal::WasWithdrawn(PeriodId(1)));
    gone.when(close(report("2026-07-01", "2026-09-30"))).then([numbered(2, report("2026-07-01", "2026-09-30"))]);
    closed.when(Command::Withdraw(Withdrawn { reason: String::new(), ..withdrawn(1) })).refuses(Refusal::Words);
    closed.when(Command::Withdraw(withdrawn(2))).refuses(Refusal::Unknown);

    let filed_once = closed.when(mark(filed(1, 7))).then([Event::Filed(filed(1, 7))]);
    let work = Item::of_period(PeriodId(1));
    assert!(work.waits(&closed.state), "it stands on the work list until it is filed");
    assert!(!work.waits(&filed_once.state) && !work.waits(&gone.state));
    filed_once.when(Command::Withdraw(withdrawn(1))).refuses(Refusal::WasFiled(PeriodId(1)));
    filed_once.when(mark(filed(1, 7))).changes_nothing();
    // A typing error is mended.
    filed_once.when(mark(filed(1, 8))).then([Event::Filed(filed(1, 8))]);
    closed.when(mark(filed(1, 0))).refuses(Refusal::Filing);
    closed.when(mark(Filed { on: day("2026-10-06"), ..filed(1, 7) })).refuses(Refusal::FiledAhead);
    given([numbered(1, books("2026-07-01", "2026-09-30"))])
        .when(mark(filed(1, 7)))
        .refuses(Refusal::NoReport(PeriodId(1)));
    let two = filed_once.done([close(report("2026-10-01", "2026-10-04"))]);
    two.when(mark(filed(2, 7))).refuses(Refusal::FilingTaken { filing: 7, period: PeriodId(1) });
}

#[test]
fn an_amendment_follows_what_was_filed() {
    let closed = given([numbered(1, report("2026-07-01", "2026-09-30"))]);
    closed.when(close(amendment(1, 7, 1))).refuses(Refusal::NotFiled(PeriodId(1)));
    let filed_once = closed.done([mark(filed(1, 7))]);
    filed_once.when(close(amendment(1, 8, 1))).refuses(Refusal::OtherReport(PeriodId(1)));
    filed_once.when(close(amendment(1, 7, 2))).refuses(Refusal::OtherNumber(PeriodId(1)));
    filed_once.when(close(amendment(2, 7, 1))).refuses(Refusal::Unknown);
    let others_days = Closed { through: day("2026-09-29"), ..amendment(1, 7, 1) };
    filed_once.when(close(others_days)).refuses(Refusal::OtherReport(PeriodId(1)));

    let amended = filed_once.when(close(amendment(1, 7, 1))).then([numbered(2, amendment(1, 7, 1))]);
    assert_eq!(amended.state.periods.last_of(PeriodId(1)), PeriodId(2));
    assert_eq!(amended.state.periods.first_of(PeriodId(2)), PeriodId(1));
    // The next waits for this one; one of an amendment there is not.
    amended.when(close(amendment(1, 7, 2))).refuses(Refusal::NotFiled(PeriodId(2)));
    amended.when(mark(filed(1, 9))).refuses(Refusal::Amended(PeriodId(1)));
    let filed_twice = amended.clone().done([mark(filed(2, 12))]);
    filed_twice.when(close(amendment(2, 12, 1))).refuses(Refusal::OtherReport(PeriodId(2)));
    filed_twice.when(close(amendment(1, 7, 2))).then([numbered(3, amendment(1, 7, 2))]);
    // One that was withdrawn gives its number free.
    let gone = amended.done([Command::Withdraw(withdrawn(2))]);
    gone.when(close(amendment(1, 7, 1))).then([numbered(3, amendment(1, 7, 1))]);
}
