use super::*;

fn with_vault(test: impl FnOnce(&Vault)) {
    let folder = tempfile::tempdir().unwrap();
    test(&Vault::open(folder.path()).unwrap());
}

fn from(address: &str) -> Sender {
    Sender(Some(address.parse().unwrap()))
}

#[test]
fn a_watch_party_gives_and_a_machine_is_asked_for_an_effort() {
    with_vault(|vault| {
        let screen = Screen::default();
        for guest in 0..ADDRESS_POINTS_MAX {
            assert_eq!(screen.verdict(vault, from("192.0.2.1"), 1_000), Verdict::Fine, "{guest}");
            screen.note(vault, from("192.0.2.1"), Sign::Form, 1_000);
        }
        assert_eq!(screen.verdict(vault, from("192.0.2.1"), 1_100), Verdict::Effort);
        assert_eq!(screen.verdict(vault, from("192.0.2.2"), 1_100), Verdict::Fine, "others are let alone");
        assert_eq!(screen.verdict(vault, from("192.0.2.1"), 1_600), Verdict::Fine, "the window is over");
        for _ in 0..6 {
            screen.note(vault, from("192.0.2.3"), Sign::HastyForm, 1_000);
        }
        assert_eq!(screen.verdict(vault, from("192.0.2.3"), 1_000), Verdict::Effort, "haste counts more");
        for _ in 0..100 {
            screen.note(vault, from("192.0.2.3"), Sign::Declined, 1_000);
        }
        assert_eq!(screen.verdict(vault, from("192.0.2.3"), 1_200), Verdict::Barred { seconds: 400 });
    });
}

#[test]
fn a_line_of_version_6_is_one_sender() {
    with_vault(|vault| {
        let screen = Screen::default();
        for last in 0..ADDRESS_POINTS_MAX {
            screen.note(vault, from(&format!("2001:db8:1:2::{last:x}")), Sign::Form, 0);
        }
        assert_eq!(screen.verdict(vault, from("2001:db8:1:2:ffff::1"), 0), Verdict::Effort);
        assert_eq!(screen.verdict(vault, from("2001:db8:1:3::1"), 0), Verdict::Fine);
    });
}

#[test]
fn proxies_are_believed_and_nobody_else() {
    let at = |address: &str| Some(address.parse::<IpAddr>().unwrap());
    let proxy = |address: IpAddr| address.to_string() == "10.0.0.5";
    for (peer, forwarded, expected) in [
        (at("203.0.113.9"), Some("192.0.2.1"), at("203.0.113.9")),
        (at("127.0.0.1"), Some("198.51.100.4, 192.0.2.1"), at("192.0.2.1")),
        (at("::ffff:127.0.0.1"), Some("192.0.2.1"), at("192.0.2.1")),
        (at("10.0.0.5"), Some("2001:db8::1"), at("2001:db8::1")),
        (at("127.0.0.1"), None, None),
        (at("127.0.0.1"), Some("unknown"), None),
        (None, Some("192.0.2.1"), None),
    ] {
        assert_eq!(Sender::new(peer, forwarded, proxy), Sender(expected), "{peer:?} {forwarded:?}");
    }
    with_vault(|vault| {
        let screen = Screen::default();
        for _ in 0..1_000 {
            screen.note(vault, Sender(None), Sign::Declined, 0);
        }
        assert_eq!(screen.verdict(vault, Sender(None), 0), Verdict::Fine, "a proxy that says nothing is not everybody");
    });
}

#[test]
fn a_wave_of_declined_cards_asks_everybody() {
    with_vault(|vault| {
        let screen = Screen::default();
        for _ in 0..WAVE_DECLINES_MIN {
            screen.tried(false, 1_000);
            screen.tried(true, 1_000);
        }
        assert_eq!(screen.verdict(vault, from("192.0.2.1"), 1_000), Verdict::Fine, "as many are taken");
        screen.tried(true, 1_059);
        assert_eq!(screen.verdict(vault, from("192.0.2.1"), 1_059), Verdict::Effort, "most are declined");
        assert_eq!(screen.verdict(vault, from("192.0.2.1"), 1_059 + WINDOW_SECONDS), Verdict::Fine);
        for _ in 0..WAVE_DECLINES_MIN - 1 {
            screen.tried(true, 3_000);
        }
        screen.tried(true, 3_060);
        assert_eq!(screen.verdict(vault, from("192.0.2.1"), 3_060), Verdict::Fine, "not within a minute");
    });
}

#[test]
fn an_effort_is_spent_once() {
    with_vault(|vault| {
        let screen = Screen::default();
        let effort = Effort { token: Effort::task(vault, "nonce", 1_000), solution: String::new() };
        assert!(!screen.spend(vault, &effort, 1_000), "not made yet");
        assert!(screen.spend(vault, &effort, 1_000 + WAIT_SECONDS));
        assert!(!screen.spend(vault, &effort, 1_001 + WAIT_SECONDS));
    });
}

#[test]
fn addresses_fill_no_memory() {
    with_vault(|vault| {
        let screen = Screen::default();
        for number in 0..u32::try_from(ADDRESSES_MAX + 10).unwrap() {
            screen.note(vault, Sender(Some(IpAddr::V4(number.into()))), Sign::Form, 0);
        }
        assert!(screen.0.lock().addresses.len() <= ADDRESSES_MAX);
    });
}
