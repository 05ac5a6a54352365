//! Who is named, and what they had given by then.

use super::*;
use crate::domain::committee::filer::Form;
use crate::export::fec::test_kit::{Book, day};

/// Each movement's cents, the aggregate with it, and whether it is itemized.
fn told(book: &Book, form: Form) -> Vec<(i64, i64, bool)> {
    let filer = Filer::example(form);
    let history = book.history();
    history.items(&filer, day("2027-12-31")).map(|item| (item.minor, item.aggregate_minor, item.is_itemized)).collect()
}

#[track_caller]
fn check(book: Book, form: Form, expected: &[(i64, i64, bool)]) {
    assert_eq!(told(&book, form), expected);
}

#[test]
fn a_donor_is_named_once_their_gifts_come_to_more_than_two_hundred_dollars() {
    check(Book::default().gift(1, "2026-02-01", 20_000), Form::F3X, &[(20_000, 20_000, false)]);
    check(Book::default().gift(1, "2026-02-01", 20_001), Form::F3X, &[(20_001, 20_001, true)]);
    let three =
        Book::default().gift(1, "2026-02-01", 15_000).gift(2, "2026-02-02", 10_000).gift(1, "2026-02-03", 5_001);
    check(three, Form::F3X, &[(15_000, 15_000, false), (10_000, 10_000, false), (5_001, 20_001, true)]);
}

#[test]
fn the_order_is_that_of_the_days_on_which_donors_gave() {
    // Settled after the second, given before it.
    let late = Book::default().gift(1, "2026-07-01", 15_000).gift(1, "2026-06-30", 10_000).settled("2026-07-03", 0);
    check(late, Form::F3X, &[(10_000, 10_000, false), (15_000, 25_000, true)]);
}

#[test]
fn a_committee_counts_by_the_year_and_a_candidate_by_the_cycle() {
    let gifts = || {
        Book::default().gift(1, "2024-11-05", 30_000).gift(1, "2024-11-06", 15_000).gift(1, "2025-12-31", 10_000).gift(
            1,
            "2026-01-01",
            10_000,
        )
    };
    check(
        gifts(),
        Form::F3X,
        &[(30_000, 30_000, true), (15_000, 45_000, true), (10_000, 10_000, false), (10_000, 10_000, false)],
    );
    check(
        gifts(),
        Form::F3,
        &[(30_000, 30_000, true), (15_000, 15_000, false), (10_000, 25_000, true), (10_000, 35_000, true)],
    );
    let after = gifts().gift(1, "2026-11-04", 100);
    assert_eq!(told(&after, Form::F3)[4], (100, 100, false), "a new cycle");
}

#[test]
fn one_person_by_mail_or_by_home_or_by_both_in_a_row() {
    // Mail 1 at home 91, mail 1 at home 92, mail 2 at home 92: one person; mail 3 at home 93 is another.
    let book = Book::default()
        .gift(1, "2026-02-01", 10_000)
        .at_home(91)
        .gift(2, "2026-02-02", 10_000)
        .at_home(92)
        .gift(3, "2026-02-03", 10_000)
        .at_home(93)
        .gift(1, "2026-02-04", 10_000)
        .at_home(92);
    // They are one from the first gift on, though only the last shows it.
    check(
        book,
        Form::F3X,
        &[(10_000, 10_000, false), (10_000, 20_000, false), (10_000, 10_000, false), (10_000, 30_000, true)],
    );
}

#[test]
fn who_somebody_says_is_one_person_is_one() {
    let book =
        || Book::default().gift(1, "2026-02-01", 10_000).gift(2, "2026-02-02", 5_000).gift(3, "2026-02-03", 10_001);
    let apart = [(10_000, 10_000, false), (5_000, 5_000, false), (10_001, 10_001, false)];
    check(book(), Form::F3X, &apart);
    check(book().merged(&[1, 4]), Form::F3X, &apart);
    let pair = [(10_000, 10_000, false), (5_000, 5_000, false), (10_001, 20_001, true)];
    // By way of one who gave nothing to this committee.
    for merged in [&[1, 3][..], &[4, 3, 1]] {
        check(book().merged(merged), Form::F3X, &pair);
    }
    let all = [(10_000, 10_000, false), (5_000, 15_000, false), (10_001, 25_001, true)];
    check(book().merged(&[1, 2, 3]), Form::F3X, &all);
    // Donor 2 lives where donor 1 does, and 3 is merged with 2.
    let home = Book::default().gift(1, "2026-02-01", 10_000).at_home(91).gift(2, "2026-02-02", 5_000).at_home(91).gift(
        3,
        "2026-02-03",
        10_001,
    );
    check(home.merged(&[2, 3]), Form::F3X, &all);
}

#[test]
fn what_banks_took_back_was_never_given_and_a_refund_was() {
    for (kind, left) in [(Kind::Dispute, 5_000), (Kind::Return, 5_000), (Kind::Refund, 25_000)] {
        let book = Book::default().gift(1, "2026-02-01", 20_000).then(0, kind, "2026-02-02", -20_000).gift(
            1,
            "2026-02-03",
            5_000,
        );
        check(
            book,
            Form::F3X,
            &[(20_000, 20_000, false), (-20_000, left - 5_000, false), (5_000, left, left > THRESHOLD_MINOR)],
        );
    }
    let won = Book::default()
        .gift(1, "2026-02-01", 15_000)
        .then(0, Kind::Dispute, "2026-02-02", -15_000)
        .then(0, Kind::DisputeReversed, "2026-03-02", 15_000)
        .gift(1, "2026-03-03", 5_001);
    check(
        won,
        Form::F3X,
        &[(15_000, 15_000, false), (-15_000, 0, false), (15_000, 15_000, false), (5_001, 20_001, true)],
    );
}

#[test]
fn whatever_follows_a_receipt_is_itemized_as_it_was() {
    let book = Book::default()
        .gift(1, "2025-12-01", 15_000)
        .gift(1, "2025-12-02", 15_000)
        .then(0, Kind::Refund, "2026-01-10", -15_000)
        .then(1, Kind::Refund, "2026-01-11", -15_000)
        .then(1, Kind::RefundReversed, "2026-01-20", 15_000)
        .then(0, Kind::RefundReversed, "2026-01-21", 15_000);
    let itemized: Vec<bool> = told(&book, Form::F3X).iter().map(|(_, _, itemized)| *itemized).collect();
    assert_eq!(itemized, [false, true, false, true, true, true], "also in the year after, and a failed refund always");
}

#[test]
fn fees_are_of_the_days_on_which_they_were_kept() {
    let book = Book::default()
        .gift(1, "2026-06-30", 10_000)
        .settled("2026-07-02", 320)
        .gift(1, "2026-07-31", 10_000)
        .settled("2026-07-31", 330);
    let history = book.history();
    assert_eq!(history.fees(day("2026-06-01"), day("2026-06-30")), 0);
    assert_eq!(history.fees(day("2026-07-01"), day("2026-07-31")), 650);
    assert_eq!(history.fees(day("2026-07-31"), day("2026-07-01")), 0);
}
