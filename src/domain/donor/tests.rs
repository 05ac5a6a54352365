use super::*;
use crate::domain::test_kit::*;
use crate::domain::{donation, mail, privacy};

#[test]
fn an_answer_is_told_from_none() {
    for typed in ["Not employed", "Retired", "Self", "Nurse", "IBM", "3M", "Xerox", "会社", "Nona’s Bakery"] {
        assert!(is_answer(typed), "{typed}");
    }
    for typed in [
        "",
        " ",
        "-",
        "n/a",
        "N.A.",
        "None",
        "requested",
        "Information Requested",
        "XXX",
        "Unknown",
        "Refused",
        "INFORMATION REQUESTED PER BEST EFFORTS",
        "Best efforts",
        "prefer not to say",
        "?!",
    ] {
        assert!(!is_answer(typed), "{typed}");
    }
    for (employer, occupation, words) in [
        ("Clinic", "Nurse", ""),
        ("", "Nurse", "employer"),
        ("Clinic", "n/a", "occupation"),
        ("none", "requested", "employer and occupation"),
        ("", "Retired", ""),
        ("Not employed", "-", ""),
    ] {
        assert_eq!(Lacks::of(employer, occupation).words(), words, "{employer}, {occupation}");
    }
}

#[test]
fn an_answer_fills_in_what_was_left_out_and_nothing_else() {
    let mut contact = Contact { employer: "n/a".into(), occupation: "Nurse".into(), ..Contact::example() };
    contact.complete(Work { employer: "Clinic".into(), occupation: "Doctor".into() });
    assert_eq!((contact.employer.as_str(), contact.occupation.as_str()), ("Clinic", "Nurse"));
}

#[test]
fn the_sentence_names_the_year_or_the_cycle() {
    assert!(statutory_sentence(Some(Form::F3)).ends_with("$200 in an election cycle."));
    assert!(statutory_sentence(Some(Form::F3X)).ends_with("$200 in a calendar year."));
    assert!(statutory_sentence(None).contains("best efforts to collect and report the name, mailing address"));
}

fn day() -> NaiveDate {
    "2026-09-24".parse().unwrap()
}

fn ask(how: How) -> Command {
    Command::Ask { donation: DONATION, how, day: day() }
}

fn answer() -> Command {
    Command::Answer { donation: DONATION, work: sealed(7) }
}

fn asked(how: How) -> Event {
    Event::Asked(Asked { donation: DONATION, person: PERSON, how, day: day() })
}

fn answered() -> Event {
    Event::Answered(Answered { donation: DONATION, person: PERSON, work: sealed(7) })
}

fn paid() -> Given {
    let settled = donation::Command::RecordSettled {
        donation: DONATION,
        payment: payment("pi_1"),
        amount: usd(25_000),
        fee: None,
        card: None,
    };
    let offer = donation::Command::RequestPayment { donation: DONATION, method: "tok".into() };
    given([created()]).done([donation::Command::Pledge(pledge()), offer, settled])
}

#[test]
fn whoever_paid_is_asked_and_answers() {
    given_nothing().when(ask(How::Phone)).refuses(Refusal::Unknown);
    let pledged = given([created()]).done([donation::Command::Pledge(pledge())]);
    pledged.when(ask(How::Phone)).refuses(Refusal::NotPaid);
    pledged.when(answer()).refuses(Refusal::NotPaid);
    let by_phone = paid().when(ask(How::Phone)).then([asked(How::Phone)]);
    let by_post = by_phone.when(ask(How::Post)).then([asked(How::Post)]);
    let told = by_post.when(answer()).then([answered()]);
    let _ = told.when(answer()).then([answered()]);
}

#[test]
fn a_letter_is_asked_for_once_and_only_while_mail_is_on() {
    paid().when(ask(How::Letter)).refuses(Refusal::NoMail);
    let on = paid().done([mail::Command::Switch { on: true }]);
    let letter = mail::Requested {
        mail: MailId::work_asked(DONATION),
        letter: mail::Kind::WorkAsked,
        person: PERSON,
        donation: DONATION,
        payment: payment(""),
        refund: None,
        amount: usd(5_000),
    };
    let wanted: [super::super::Event; 2] = [asked(How::Letter).into(), mail::Event::Requested(letter).into()];
    let sent = on.when(ask(How::Letter)).then(wanted);
    sent.when(ask(How::Letter)).refuses(Refusal::LetterSent);
    // By phone there is no letter.
    let _ = on.when(ask(How::Phone)).then([asked(How::Phone)]);
}

#[test]
fn nobody_is_asked_without_end() {
    let many = paid().done((0..TIMES_MAX).map(|_| ask(How::Phone)));
    many.when(ask(How::Phone)).refuses(Refusal::TooOften);
    let told = many.done((0..TIMES_MAX).map(|_| answer()));
    told.when(answer()).refuses(Refusal::TooOften);
}

#[test]
fn who_was_erased_is_not_asked() {
    let erase = privacy::Erase {
        erasure: crate::domain::id::ErasureId(uuid::Uuid::from_u128(9)),
        person: PERSON,
        reason: "letter 7".into(),
        notices: vec![],
        now: at(100),
        retention_years: 3,
    };
    let gone = paid().done([ask(How::Phone)]).done([privacy::Command::Erase(erase)]);
    gone.when(ask(How::Phone)).refuses(Refusal::Erased);
    gone.when(answer()).refuses(Refusal::Erased);
    assert_eq!(gone.state.donors, Donors::default());
}
