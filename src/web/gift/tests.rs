//! The form of a gift, field by field: what is wrong is said at the field, and a card's number is kept in none.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// A form that is right.
const RIGHT: &[(&str, &str)] = &[
    ("form_token", "b2d5"),
    ("refcode", "front-page"),
    ("via", "embed"),
    ("amount", "other"),
    ("amount_other", "25"),
    ("first_name", "Joan"),
    ("last_name", "Petrie"),
    ("email", "joan@example.org"),
    ("address", "1 Main Street"),
    ("city", "Duluth"),
    ("region", "MN"),
    ("postal", "55802"),
    ("country", "US"),
    ("employer", "St. Luke's"),
    ("occupation", "Nurse"),
    ("show_as", "full"),
    ("attest", CONFIRMS_ALL),
];

/// Fields that nobody types: they come with the page.
const HIDDEN: &[&str] = &[
    "form_token",
    "refcode",
    "via",
    "opened",
    "known",
    "effort",
    "solution",
    "cover_fee",
    "show_as",
    "attest",
    "country",
    "not_employed",
];

fn with(field: &str, value: &str) -> Vec<(String, String)> {
    let right = RIGHT.iter().filter(|(name, _)| *name != field);
    let right = right.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    right.chain([(field.to_owned(), value.to_owned())]).collect()
}

fn encoded(pairs: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// Reads a body as the page does.
fn read_body(body: &str, abroad: Abroad) -> (Form, Gift, Errors) {
    let mut errors = Errors::default();
    let form = without_card_numbers(Form::parse(body.as_bytes()), &mut errors);
    let rules = Rules { abroad, ..Rules::default() };
    let gift = read(&form, &rules, Currency::USD, &mut errors);
    (form, gift, errors)
}

/// The fields that are named as wrong.
fn wrong(pairs: &[(String, String)], abroad: Abroad) -> Vec<String> {
    read_body(&encoded(pairs), abroad).2.summary().into_iter().map(|error| error.field).collect()
}

#[test]
fn every_field_by_table() {
    let long = "x".repeat(5_000);
    let line = "x".repeat(LINE_CHARS_MAX + 1);
    let table: &[(&str, &[&str], &str)] = &[
        ("amount", &["", "-1", "1e9", "NaN", "२५", "100000000000000000000"], "amount_other"),
        ("amount_other", &["", "0.001", "--5", "$-5", "1/2", &long], "amount_other"),
        ("first_name", &["", " ", "\u{202e}", "\0", "\u{200b}\u{2060}", &line], "first_name"),
        ("last_name", &["", "\u{feff}", &line], "last_name"),
        ("email", &["", "joan", "joan@", "@b.co", "a b@c.co", "a@b.co,c@d.co", &long], "email"),
        ("address", &["", &line], "address"),
        ("city", &["", &line], "city"),
        ("region", &["", &line], "region"),
        ("postal", &["", "12345678901234567"], "postal"),
        ("country", &["", "us", "XX", "United States", "US\u{202e}X", &long], "country"),
        ("employer", &["", &line], "employer"),
        ("occupation", &["", &line], "occupation"),
        ("message", &[&"m".repeat(MESSAGE_CHARS_MAX + 1)], "message"),
        ("attest", &["", "yes", "own-card-1", "ALL", &long], "attest"),
    ];
    for (field, values, named) in table {
        for value in *values {
            let mut pairs = with(field, value);
            if *field == "amount" {
                pairs.retain(|(name, _)| name != "amount_other");
            }
            assert_eq!(wrong(&pairs, Abroad::WithPassport), [*named], "{field} {value:.40?}");
        }
    }
    for (alias, wrongs) in [("", vec!["alias"]), ("Zoë", vec![]), (&"a".repeat(ALIAS_CHARS_MAX + 1), vec!["alias"])] {
        let mut pairs = with("show_as", "alias");
        pairs.push(("alias".into(), alias.into()));
        assert_eq!(wrong(&pairs, Abroad::WithPassport), wrongs, "{alias}");
    }
    for (passport, wrongs) in [
        ("", vec!["passport"]),
        ("12345", vec!["passport"]),
        ("1234567890123", vec!["passport"]),
        ("C1234567!", vec!["passport"]),
        ("Ｃ01234567", vec!["passport"]),
        ("c 0123 4567", vec![]),
    ] {
        let mut pairs = with("country", "DE");
        pairs.push(("passport".into(), passport.into()));
        assert_eq!(wrong(&pairs, Abroad::WithPassport), wrongs, "{passport}");
        assert_eq!(wrong(&pairs, Abroad::Refused), ["country"], "{passport}");
        assert!(wrong(&pairs, Abroad::Taken).is_empty(), "{passport}");
    }
    // What the page sends along is no reason to refuse anybody, whatever became of it on the way.
    for field in HIDDEN.iter().filter(|field| !["attest", "country"].contains(field)) {
        for value in ["", "nonsense", "\0\u{202e}", "-1", &long] {
            assert!(wrong(&with(field, value), Abroad::WithPassport).is_empty(), "{field} {value:.40?}");
        }
    }
    let mut retired = with("not_employed", "on");
    retired.retain(|(name, _)| !["employer", "occupation"].contains(&name.as_str()));
    assert!(wrong(&retired, Abroad::WithPassport).is_empty());
}

/// Numbers that networks publish for tests.
const CARDS: &[&str] =
    &["4242424242424242", "5555555555554444", "378282246310005", "6011111111111117", "3056930009020004"];

/// A card's number as somebody might type it, with other words around it.
fn card() -> impl Strategy<Value = (String, String)> {
    let between = select(&["", " ", "-", " - ", "  ", ".", "–", "\u{a0}", "\u{0}", "\u{200b}", "\t", "/", "\n"][..]);
    let zero = select(&['0', '０', '٠', '०'][..]);
    let around = select(&["", "my card ", "n° ", "💳", "12/30 "][..]);
    let behind = select(&["", ", thanks", " 12/30", " 123", "!", " 12/30 123"][..]);
    (select(CARDS), between, zero, around, behind).prop_map(|(card, between, zero, around, behind)| {
        let digit = |c: char| char::from_u32(u32::from(zero) + c.to_digit(10).unwrap()).unwrap();
        let digits: Vec<char> = card.chars().map(digit).collect();
        let groups: Vec<String> = digits.chunks(4).map(|group| group.iter().collect()).collect();
        (card.to_owned(), format!("{around}{}{behind}", groups.join(between)))
    })
}

/// Anything that a field might hold.
fn anything() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => any::<String>(),
        2 => vec(select(&["\u{0}", "\u{7}", "\r\n", "\u{202e}", "\u{200b}", "a", "é", "👩🏽‍⚕️", "%", "&", "=", "+", "<b>", "\""][..]), 0..30).prop_map(|pieces| pieces.concat()),
        1 => (0..3_000_usize).prop_map(|length| "x".repeat(length)),
        1 => "[0-9 .,$-]{0,24}",
    ]
}

fn field() -> impl Strategy<Value = String> {
    let known: Vec<&str> = TYPED.iter().chain(HIDDEN).copied().collect();
    prop_oneof![12 => select(known).prop_map(String::from), 1 => any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// Whatever is sent is read without a fault, its faults have the names of fields, and what was typed is given back.
    #[test]
    fn anything_is_read(changes in vec((field(), anything()), 0..12), twice in any::<bool>()) {
        let mut pairs: Vec<(String, String)> = RIGHT.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        for (name, value) in changes {
            if !twice {
                pairs.retain(|(known, _)| *known != name);
            }
            pairs.push((name, value));
        }
        let (form, gift, errors) = read_body(&encoded(&pairs), Abroad::WithPassport);
        for error in errors.summary() {
            prop_assert!(TYPED.contains(&error.field.as_str()) || HIDDEN.contains(&error.field.as_str()), "{}", error.field);
            prop_assert!(!error.message.is_empty() && !error.message.chars().any(char::is_control), "{:?}", error.message);
        }
        if errors.is_empty() {
            for text in [&gift.contact.first_name, &gift.contact.city, &gift.shown.name] {
                prop_assert!(!text.is_empty() && text.chars().count() <= 2 * LINE_CHARS_MAX + 1, "{text:?}");
            }
        }
        for field in TYPED {
            let first = pairs.iter().find(|(name, _)| name == field);
            let named = if *field == "amount" { "amount_other" } else { field };
            let Some((_, first)) = first.filter(|_| errors.of(named).is_none_or(|word| !word.contains("card’s number"))) else { continue };
            let kept = form.get(field);
            let visible = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
            prop_assert_eq!(visible(&kept), visible(first), "{} lost something", field);
        }
    }

    /// A card's number is kept by no field, in no spelling, and the field that was typed in says so.
    #[test]
    fn no_field_keeps_a_card((number, typed) in card(), field in field(), second in any::<bool>()) {
        let mut pairs = with(&field, &typed);
        if second {
            let right = RIGHT.iter().find(|(name, _)| *name == field).map_or("", |(_, value)| value);
            pairs.insert(0, (field.clone(), right.into()));
        }
        let (form, gift, errors) = read_body(&encoded(&pairs), Abroad::WithPassport);
        let kept = form.all(&field).join(" ") + &form.get(&field);
        prop_assert!(kept.is_empty(), "{field} keeps {kept:?}");
        let digits: String = format!("{} {}", serde_json::to_string(&gift.contact).unwrap(), serde_json::to_string(&gift.shown).unwrap()).chars().filter(char::is_ascii_digit).collect();
        prop_assert!(!digits.contains(&number), "{digits}");
        if TYPED.contains(&field.as_str()) {
            let named = if field == "amount" { "amount_other" } else { field.as_str() };
            prop_assert!(errors.of(named).is_some_and(|word| word.contains("card’s number")), "{named}");
        }
    }
}

#[test]
fn whoever_was_asked_answers_with_more_than_n_a() {
    let answer = |pairs: &[(&'static str, &str)]| {
        let form = Form::from_pairs(pairs.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let mut errors = Errors::default();
        let work = read_answer(&form, &mut errors);
        (work, errors.of("employer").is_some(), errors.of("occupation").is_some())
    };
    let (work, ..) = answer(&[("not_employed", "yes"), ("employer", "n/a")]);
    assert_eq!((work.employer.as_str(), work.occupation.as_str()), (NOT_EMPLOYED, NOT_EMPLOYED));
    for (employer, occupation, wrong) in [
        ("Clinic", "Nurse", (false, false)),
        ("n/a", "Nurse", (true, false)),
        ("", "none", (true, true)),
        ("none", "Retired", (false, false)),
    ] {
        let (_, of_employer, of_occupation) = answer(&[("employer", employer), ("occupation", occupation)]);
        assert_eq!((of_employer, of_occupation), wrong, "{employer}, {occupation}");
    }
}
