//! Whole files: golden ones, and what `hardmoney` says of each.

use super::check::Checker;
use super::cover::{Sums, Totals, amounts};
use super::finding::{Finding, Findings, Weight};
use super::history::History;
use super::test_kit::*;
use super::*;
use crate::domain::committee::filer::Form;
use crate::projections::ledger::Kind;
use hardmoney::{Filing, Table};

/// The file of a report, and what a person is told about it.
fn file(report: &Report, book: &Book, history: &History) -> (Vec<u8>, Findings) {
    let totals = Totals::of(report, history);
    let mut bytes = vec![];
    let mut checker = Checker::new();
    let written = write(
        report,
        &totals,
        history,
        &Stands { seq: 7, head: "ab".repeat(32) },
        |places| Ok::<_, NoSuchField>(book.details(places)),
        |chunk| {
            checker.read(&chunk);
            bytes.extend(chunk);
            Ok(())
        },
    );
    let mut findings = written.unwrap();
    findings.extend(checker.finish());
    (bytes, findings)
}

fn made(report: &Report, book: &Book) -> (String, Vec<Finding>) {
    let (bytes, findings) = file(report, book, &book.history());
    let filing = Filing::parse_bytes(&bytes).unwrap();
    let validation = filing.validate();
    assert_eq!(validation.error_count(), 0, "{validation}");
    assert!(filing.reconcile().unwrap().balances(), "{}", filing.reconcile().unwrap());
    assert!(!findings.stops);
    // What was found in stretches of lines is what is found in the whole.
    let findings = findings.in_order();
    for observation in filing.review().observations {
        let is_told = findings.iter().any(|finding| finding.what == observation.detail || finding.who == lines::ERASED);
        assert!(is_told, "{observation}");
    }
    (String::from_utf8(bytes).unwrap(), findings)
}

fn golden(path: &str, text: &str) {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&path).unwrap());
}

/// An evening in July and what followed: everything that a line can be.
fn book() -> Book {
    let odd = Contact {
        first_name: "\"Bo\" 🐎".into(),
        last_name: "O’Neil-Łukaszewicz, Jr.\r\nF3XN\u{1c}C00000000".into(),
        line: "1234 Martin Luther King Junior Boulevard, Apartment 12".into(),
        employer: String::new(),
        ..Contact::example()
    };
    let abroad = Contact {
        first_name: "ليلى".into(),
        last_name: "حداد".into(),
        city: "القاهرة".into(),
        region: "Cairo".into(),
        postal: "11511".into(),
        country: "EG".into(),
        ..Contact::example()
    };
    let silent = Contact { first_name: "🎉".into(), ..Contact::example() };
    Book::default()
        .gift(1, "2026-03-31", 15_000)
        .settled("2026-03-31", 465)
        .gift(1, "2026-06-30", 10_000)
        .settled("2026-07-02", 320)
        .gift(2, "2026-07-25", 350_000)
        .settled("2026-07-25", 10_180)
        .by(Some(odd))
        .gift(3, "2026-07-25", 5_000)
        .settled("2026-07-25", 175)
        .gift(4, "2026-07-25", 25_000)
        .by(Some(abroad))
        .gift(5, "2026-07-26", 30_000)
        .by(None)
        .gift(6, "2026-07-26", 40_000)
        .by(Some(silent))
        .then(2, Kind::Refund, "2026-08-01", -50_000)
        .then(2, Kind::RefundReversed, "2026-08-20", 50_000)
        .then(3, Kind::Refund, "2026-08-02", -5_000)
        .then(4, Kind::Dispute, "2026-08-03", -25_000)
        .settled("2026-08-03", 1_500)
        .then(4, Kind::DisputeReversed, "2026-09-03", 25_000)
        .settled("2026-09-03", -1_500)
        .then(1, Kind::Return, "2026-08-05", -10_000)
        .gift(7, "2026-09-30", 60_000)
        .through("Rivera Victory Fund")
        .gift(8, "2026-10-01", 99_999)
}

#[test]
fn the_golden_files_stay_as_they_are() {
    let (text, _) =
        made(&Report { cash_minor: 1_234_500, ..report(Form::F3X, "Q3", "2026-07-01", "2026-09-30") }, &book());
    golden("fixtures/exports/f3x.fec", &text);
    let election = Filer::example(Form::F3).elections[2].clone();
    let amended =
        Report { amends: AMENDS, election: Some(election), ..report(Form::F3, "12G", "2026-07-01", "2026-10-14") };
    let (text, _) = made(&amended, &book());
    golden("fixtures/exports/f3.fec", &text);
    let (text, _) = made(&Report { mode: Mode::Test, ..report(Form::F3P, "M8", "2026-07-01", "2026-07-31") }, &book());
    golden("fixtures/exports/f3p.fec", &text);
}

#[test]
fn the_cover_is_what_the_ledger_comes_to() {
    let book = book();
    let quarter = Report { cash_minor: 100_000, ..report(Form::F3X, "Q3", "2026-07-01", "2026-09-30") };
    let totals = Totals::of(&quarter, &book.history());
    // Given in the quarter: 3,500 + 50 + 250 + 300 + 400, of which 50 is from a donor of less than $200; taken back is 100
    // of a gift of the quarter before, whose donor is named by it; refunds are 500 and 50 less the 500 that failed.
    assert_eq!(totals.period, Sums { itemized: 435_000, unitemized: 5_000, refunds: 5_000, fees: 10_675 });
    assert_eq!(totals.to_date, Sums { itemized: 445_000, unitemized: 20_000, refunds: 5_000, fees: 11_140 });
    assert_eq!(
        (totals.receipt_lines, totals.unitemized_receipts, totals.refund_lines, totals.memo_lines),
        (7, 1, 2, 1)
    );
    let all = amounts(&quarter, &totals);
    let of = |line: &str, is_to_date| {
        all.iter().find(|amount| amount.line == line && amount.is_to_date == is_to_date).unwrap().minor
    };
    assert_eq!(of("6(c)", false), 440_000);
    assert_eq!(of("8", false), 100_000 + 440_000 - 5_000 - 10_675);
    assert_eq!(of("8", true), of("8", false), "the year ends with the same cash");
    let nobody = Report { filer: Filer { payee: None, ..quarter.filer.clone() }, ..quarter };
    assert_eq!(Totals::of(&nobody, &book.history()).to_date.fees, 0, "no fees without whom they are paid to");
}

/// Reports one after the other come to the last one's column B, and to its cash.
#[test]
fn reports_of_a_year_hang_together() {
    let book = book();
    let quarter = |code, from, through, cash_minor| Report { cash_minor, ..report(Form::F3X, code, from, through) };
    let read = |report: &Report| Filing::parse(&made(report, &book).0).unwrap();
    let first = quarter("Q1", "2026-01-01", "2026-03-31", 50_000);
    let closed = |report: &Report| report.cash_minor + Totals::of(report, &book.history()).period.net();
    let second = quarter("Q2", "2026-04-01", "2026-06-30", closed(&first));
    let third = quarter("Q3", "2026-07-01", "2026-09-30", closed(&second));
    let (first, second, third) = (read(&first), read(&second), read(&third));
    let chain = hardmoney::parser::reconcile::ReportChain::new(&third, [&first, &second]).unwrap();
    assert!(chain.gaps().is_empty());
    assert!(chain.reconcile().balances(), "{}", chain.reconcile());
}

#[test]
fn what_a_person_is_to_look_at_is_told() {
    let (text, findings) = made(&report(Form::F3, "Q3", "2026-07-01", "2026-09-30"), &book());
    let has = |id: &str, word: &str| {
        let found =
            findings.iter().any(|finding| finding.transaction.as_deref() == Some(id) && finding.what.contains(word));
        assert!(found, "{id} {word}: {findings:#?}");
    };
    has("A1005", "erased");
    has("A1006", "format’s letters");
    has("A1002", "employer");
    assert!(text.contains(lines::ERASED) && text.contains("Not legible"));
    let (_, findings) =
        made(&report(Form::F3, "YE", "2026-11-04", "2026-12-31"), &Book::default().gift(1, "2026-11-05", 40_000));
    assert!(findings.iter().any(|finding| finding.what.contains("No election")), "{findings:#?}");
    let over = Book::default().gift(1, "2026-07-01", 350_000).gift(1, "2026-07-02", 100);
    let (_, findings) = made(&report(Form::F3, "Q3", "2026-07-01", "2026-09-30"), &over);
    assert!(
        findings.iter().any(|finding| finding.what.contains("limit") && finding.weight == Weight::Mend),
        "{findings:#?}"
    );
}

/// What was moved stands in three memos, which are in no sum: the receipt, less the part, and the part where it belongs.
#[test]
fn what_was_redesignated_or_reattributed_is_told_in_memos_and_is_over_no_limit_any_more() {
    let over = || Book::default().gift(1, "2026-07-05", 500_000);
    let third = report(Form::F3, "Q3", "2026-07-01", "2026-09-30");
    let is_over = |findings: &[Finding]| findings.iter().any(|finding| finding.what.contains("limit"));
    assert!(is_over(&made(&third, &over()).1));
    for (how, counts_on, to, election, words) in [
        (Moved::Redesignated, "2026-08-05", 1, "G2026", "Redesignation to"),
        (Moved::Presumed, "2026-08-05", 1, "G2026", "Presumptive redesignation to"),
        (Moved::Reattributed, "2026-07-05", 2, "P2026", "Reattribution to"),
    ] {
        let book = over().moved(0, 150_000, "2026-08-20", how, counts_on, to);
        let (text, findings) = made(&third, &book);
        assert_eq!(findings, vec![], "{how:?}");
        let filing = Filing::parse(&text).unwrap();
        assert!(filing.reconcile().unwrap().balances() && filing.validate().error_count() == 0);
        let lines: Vec<[String; 8]> = filing
            .lines_for(Table::SchA)
            .map(|line| {
                let fields = [
                    "transaction_id",
                    "back_reference_tran_id",
                    "contributor_first_name",
                    "election_code",
                    "contribution_date",
                    "contribution_amount",
                    "memo_code",
                    "memo_text",
                ];
                fields.map(|field| line.get(field).unwrap_or_default().to_owned())
            })
            .collect();
        let cell = |line: usize, cell: usize| lines[line][cell].as_str();
        assert_eq!(lines.len(), 4, "{lines:#?}");
        assert_eq!(lines[0][..7], ["A1000", "", "Donor1", "P2026", "20260705", "5000.00", ""]);
        assert_eq!(lines[1][..7], ["R2000O", "", "Donor1", "P2026", "20260705", "5000.00", "X"]);
        assert_eq!(lines[2][..7], ["R2000F", "R2000O", "Donor1", "P2026", "20260820", "-1500.00", "X"]);
        let donor = format!("Donor{to}");
        assert_eq!(lines[3][..7], ["R2000T", "R2000O", &donor, election, "20260820", "1500.00", "X"]);
        assert!(cell(1, 7).contains("A1000 of 07/05/2026 as originally disclosed"), "{lines:#?}");
        assert!(cell(3, 7).starts_with(words), "{lines:#?}");
        let totals = Totals::of(&third, &book.history());
        assert_eq!((totals.period.itemized, totals.receipt_lines, totals.memo_lines), (500_000, 1, 3));
    }
    // The report of the day of the writing has them, whenever the gift was reported.
    let later = over().moved(0, 150_000, "2026-10-02", Moved::Redesignated, "2026-08-05", 1);
    assert_eq!(made(&third, &later).0.matches("R2000").count(), 0);
    let (text, findings) = made(&report(Form::F3, "12G", "2026-10-01", "2026-10-14"), &later);
    assert_eq!(text.lines().filter(|line| line.starts_with("SA11AI")).count(), 3, "{text}");
    assert_eq!(findings.iter().filter(|finding| finding.weight == Weight::Stops).count(), 0, "{findings:#?}");
}

/// What a donor left out is missing until they were asked, and then the line says that they were (11 CFR 104.7(b)).
#[test]
fn an_employer_that_was_asked_for_is_claimed_as_best_efforts() {
    let silent = |occupation: &str| {
        Some(Contact { employer: "n/a".into(), occupation: occupation.into(), ..Contact::example() })
    };
    let cells = |book: &Book| {
        let (text, findings) = made(&report(Form::F3, "Q3", "2026-07-01", "2026-09-30"), book);
        let filing = Filing::parse(&text).unwrap();
        let line = filing.lines_for(Table::SchA).next().unwrap();
        let cell = |field: &str| line.get(field).unwrap().to_owned();
        (cell("contributor_employer"), cell("contributor_occupation"), findings)
    };
    let gift = |occupation| Book::default().gift(1, "2026-07-05", 50_000).by(silent(occupation));
    let (employer, occupation, findings) = cells(&gift("none"));
    assert_eq!((employer.as_str(), occupation.as_str()), ("", ""));
    assert!(
        findings.iter().any(|finding| finding.weight == Weight::Mend && finding.todo.contains("missing employers"))
    );
    let (employer, occupation, findings) = cells(&gift("none").asked());
    assert_eq!((employer.as_str(), occupation.as_str()), (lines::BEST_EFFORTS, lines::BEST_EFFORTS));
    assert_eq!(findings.iter().map(|finding| finding.weight).collect::<Vec<_>>(), [Weight::Look]);
    let (employer, occupation, _) = cells(&gift("Nurse").asked());
    assert_eq!((employer.as_str(), occupation.as_str()), (lines::BEST_EFFORTS, "Nurse"));
    let (employer, occupation, findings) = cells(&gift("Retired").asked());
    assert_eq!((employer.as_str(), occupation.as_str(), findings.len()), ("", "Retired", 0), "nothing is missing");
}

#[test]
fn a_file_of_money_that_is_worth_nothing_says_so_twice() {
    for (mode, word) in [(Mode::Simulated, "SIMULATED MONEY"), (Mode::Test, "TEST MONEY")] {
        let (text, _) = made(&Report { mode, ..report(Form::F3X, "Q3", "2026-07-01", "2026-09-30") }, &book());
        let marked: Vec<&str> = text.lines().filter(|line| line.contains(word)).collect();
        assert!(marked.len() == 2 && marked[0].starts_with("HDR") && marked[1].starts_with("TEXT"), "{marked:?}");
    }
    let (text, _) = made(&report(Form::F3X, "Q3", "2026-07-01", "2026-09-30"), &book());
    assert!(!text.contains("MONEY") && !text.contains("TEXT"));
}

#[test]
fn an_amendment_says_of_what() {
    let (text, _) = made(&Report { amends: AMENDS, ..report(Form::F3X, "Q3", "2026-07-01", "2026-09-30") }, &book());
    let filing = Filing::parse(&text).unwrap();
    assert_eq!((filing.raw_form_type.as_str(), filing.amends_filing), ("F3XA", Some(1_234_567)));
    assert_eq!(filing.header.amendment_number(), Some(2));
    // The same lines have the same ids in both.
    let (before, _) = made(&report(Form::F3X, "Q3", "2026-07-01", "2026-09-30"), &book());
    assert_eq!(text.lines().skip(2).collect::<Vec<_>>(), before.lines().skip(2).collect::<Vec<_>>());
}

#[test]
fn a_gift_settled_late_changes_a_period_that_was_closed() {
    let on_time = Book::default().gift(1, "2026-06-29", 30_000);
    let late = Book::default().gift(1, "2026-06-29", 30_000).gift(2, "2026-06-30", 70_000).settled("2026-07-02", 0);
    let second = report(Form::F3X, "Q2", "2026-04-01", "2026-06-30");
    assert_eq!(Totals::of(&second, &on_time.history()).period.itemized, 30_000);
    assert_eq!(Totals::of(&second, &late.history()).period.itemized, 100_000);
    let third = report(Form::F3X, "Q3", "2026-07-01", "2026-09-30");
    assert_eq!(Totals::of(&third, &late.history()).period, Sums::default());
}

#[test]
fn parts_of_joint_gifts_are_memos_and_in_no_sum() {
    let book = Book::default()
        .gift(1, "2026-07-01", 15_000)
        .through("Rivera Victory Fund")
        .gift(1, "2026-07-02", 10_000)
        .gift(2, "2026-07-03", 50_000)
        .through("Rivera Victory Fund")
        .then(2, Kind::Refund, "2026-07-04", -50_000);
    for (form, token) in [(Form::F3, "SA12"), (Form::F3X, "SA12"), (Form::F3P, "SA18")] {
        let report = report(form, "Q3", "2026-07-01", "2026-09-30");
        let report = Report { filer: Filer { conduit: None, ..report.filer.clone() }, ..report };
        let (text, _) = made(&report, &book);
        let filing = Filing::parse(&text).unwrap();
        let memos: Vec<_> = filing.lines_for(Table::SchA).filter(|line| line.is_memo()).collect();
        // The first was of less than $200; the own gift after it is of more, with it.
        let said: Vec<_> =
            memos.iter().map(|line| (line.raw_form_type.as_str(), line.get("contribution_amount").unwrap())).collect();
        assert_eq!(said, [(token, "500.00"), (token, "-500.00")]);
        assert!(memos.iter().all(|line| line.get("memo_text").unwrap().contains("Rivera Victory Fund")));
        assert_eq!(Totals::of(&report, &book.history()).period, Sums { itemized: 10_000, ..Sums::default() });
    }
}

#[test]
fn whom_gifts_came_through_stands_beside_each_and_in_no_sum() {
    let straight = report(Form::F3P, "M8", "2026-07-01", "2026-07-31");
    assert!(straight.filer.conduit.is_some());
    let nobody = Report { filer: Filer { conduit: None, ..straight.filer.clone() }, ..straight.clone() };
    let ((with, _), (without, _)) = (made(&straight, &book()), made(&nobody, &book()));
    let cells = |line: &str| line.split('\u{1c}').map(str::to_owned).collect::<Vec<_>>();
    let memos: Vec<Vec<String>> = with.lines().map(cells).filter(|cells| cells[2].starts_with('C')).collect();
    let gifts: Vec<Vec<String>> = with.lines().map(cells).filter(|cells| cells[2].starts_with('A')).collect();
    assert!(!memos.is_empty() && memos.len() == gifts.iter().filter(|cells| !cells[20].starts_with('-')).count());
    for memo in &memos {
        let gift = gifts.iter().find(|gift| gift[2] == memo[3]).unwrap();
        assert_eq!((&gift[19..21], &memo[42]), (&memo[19..21], &"X".to_owned()), "{memo:?}");
        assert_eq!(gift[43], "Earmarked through Neighbors for Rivera PAC");
        assert_eq!((memo[5].as_str(), memo[6].as_str()), ("PAC", "Neighbors for Rivera PAC"));
        assert_eq!(memo[25], "C00456789");
    }
    // The sum goes on over those who are not named, from the cycle's first day: $150, $100, then each of July.
    let sums: Vec<&str> = memos.iter().map(|memo| memo[21].as_str()).collect();
    assert_eq!(sums, ["3750.00", "4050.00", "4350.00", "4750.00"]);
    let rest = |text: &str| {
        let lines = text.lines().filter(|line| !line.contains("\u{1c}C1"));
        lines.map(|line| line.replace("Earmarked through Neighbors for Rivera PAC", "")).collect::<Vec<_>>()
    };
    assert_eq!(rest(&with), rest(&without), "the cover and all other lines are the same");
    // A part of a joint gift came by the joint committee, and a joint committee's own memo says so.
    let (quarter, _) = made(
        &Report { filer: straight.filer.clone(), ..report(Form::F3P, "M10", "2026-09-01", "2026-09-30") },
        &book(),
    );
    assert!(quarter.contains("share of a gift to Rivera Victory Fund") && !quarter.contains("Earmarked through"));
}

#[test]
fn a_file_that_does_not_agree_with_itself_is_stopped() {
    let (text, _) = made(&report(Form::F3X, "Q3", "2026-07-01", "2026-09-30"), &book());
    let found = |text: &str| {
        let mut checker = Checker::new();
        // However the bytes come.
        text.as_bytes().chunks(7).for_each(|chunk| checker.read(chunk));
        checker.finish()
    };
    assert!(!found(&text).stops);
    for (from, to) in [
        ("3500.00\u{1c}", "3500.01\u{1c}"),
        ("8.5\u{1c}", "0.5\u{1c}"),
        ("F3XN", "ZZZN"),
        ("\r\nSA11AI", "\r\nSQ11AI"),
        ("\u{1c}A1002\u{1c}", "\u{1c}A1004\u{1c}"),
        ("C00234567\u{1c}Great", "C0023456\u{1c}Great"),
    ] {
        assert!(text.contains(from), "{from}");
        assert!(found(&text.replacen(from, to, 1)).stops, "{from} -> {to}");
    }
    assert!(found("").stops && found(&"x".repeat(30_000)).stops);
}

/// The lengths that lines are cut to are the format's.
#[test]
fn nothing_is_longer_than_the_format_allows() {
    let long = |text: &str| text.repeat(60);
    let contact = Contact {
        first_name: long("ß"),
        last_name: long("Łu"),
        email: String::new(),
        line: long("street "),
        city: long("city"),
        region: long("NY"),
        postal: long("10027"),
        country: "US".into(),
        employer: long("work"),
        occupation: long("work"),
        passport: None,
    };
    let book =
        Book::default().gift(1, "2026-07-01", 30_000).by(Some(contact)).then(0, Kind::Refund, "2026-07-02", -30_000);
    let (_, findings) = made(&report(Form::F3X, "Q3", "2026-07-01", "2026-09-30"), &book);
    assert!(findings.iter().any(|finding| finding.what.contains("contributor_state")), "{findings:#?}");
}

#[test]
fn findings_are_bounded() {
    let mut findings = Findings::default();
    for at in 0..=finding::FINDINGS_MAX {
        let weight = if at == finding::FINDINGS_MAX { Weight::Stops } else { Weight::Look };
        let none = String::new;
        findings.add(Finding { weight, transaction: None, who: none(), what: none(), todo: "" });
    }
    assert!(findings.stops && findings.more == 1);
    assert_eq!(findings.in_order().len(), finding::FINDINGS_MAX);
}

/// A large report says in its header as of where it is; that of simulated money says so first, and all of it fits.
#[test]
fn a_large_report_says_as_of_which_event_it_is() {
    let gifts = |count: u128| (0..count).fold(Book::default(), |book, donor| book.gift(donor, "2026-07-04", 30_000));
    let header = |report: &Report, count| made(report, &gifts(count)).0.lines().next().unwrap().to_owned();
    let live = report(Form::F3X, "Q3", "2026-07-01", "2026-09-30");
    let large = header(&live, 1_000);
    assert!(large.ends_with(&format!("AS OF EVENT 7, LOG HEAD {}", "ab".repeat(32))), "{large}");
    assert!(!header(&live, 999).contains("EVENT"));
    let test = Report { mode: Mode::Simulated, ..live };
    let marked = header(&test, 1_000);
    assert!(marked.contains("DO NOT FILE IT. AS OF EVENT 7") && marked.ends_with(&"ab".repeat(32)), "{marked}");
}
