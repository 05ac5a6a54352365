//! Who may be one person though their addresses differ: a person of the finance team looks at them side by side. The rules are few,
//! so that whoever looks finds mostly the same people.

use super::nicknames::formal;
use super::{postal, words};
use crate::domain::profile::Contact;

/// One mail host under two names.
const SAME_HOST: (&str, &str) = ("googlemail.com", "gmail.com");

/// An e-mail address without what many servers ignore before the sign: dots, and whatever follows a plus sign (RFC 5233 calls it
/// the detail; Gmail, Outlook, iCloud and others deliver it all to one mailbox). Two people may have such addresses with a host
/// that does look at dots.
pub fn mailbox(email: &str) -> String {
    let email = email.trim().to_lowercase();
    let Some((local, host)) = email.rsplit_once('@') else { return email };
    let plain: String = local.split('+').next().unwrap_or_default().chars().filter(|c| *c != '.').collect();
    let host = if host == SAME_HOST.0 { SAME_HOST.1 } else { host };
    // Nothing is left of an address that was all detail.
    if plain.is_empty() { email } else { format!("{plain}@{host}") }
}

/// The name that stands behind a nickname, family name, house number and postal code, as one text: street and flat are written in
/// more ways than rules know of. `None` where no number is in the street address. It is personal data: hash it with a key.
pub fn namesake(contact: &Contact) -> Option<String> {
    let first = words(&contact.first_name).into_iter().next()?;
    let last = words(&contact.last_name).join(" ");
    let number = words(&contact.line).into_iter().find(|word| word.starts_with(|c: char| c.is_numeric()))?;
    // A line break can't be typed into any of them.
    Some([formal(&first), &last, &number, &postal(contact), &contact.country].join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_mail_servers_ignore_is_left_out() {
        for other in [
            "joan.petrie@gmail.com",
            "J.O.A.N.Petrie+rally@Gmail.com",
            " joanpetrie+a+b@googlemail.com",
            "joanpetrie@GMAIL.com",
        ] {
            assert_eq!(mailbox(other), "joanpetrie@gmail.com", "{other}");
        }
        for apart in ["joan-petrie@gmail.com", "joanpetrie1@gmail.com", "joanpetrie@example.org"] {
            assert_ne!(mailbox(apart), "joanpetrie@gmail.com", "{apart}");
        }
        for odd in ["", "@", "joan", "+@example.org", "..@example.org"] {
            assert_eq!(mailbox(odd), odd, "nothing is made of nothing");
        }
    }

    fn contact(first: &str, last: &str, line: &str) -> Contact {
        Contact { first_name: first.into(), last_name: last.into(), line: line.into(), ..Contact::example() }
    }

    #[test]
    fn nicknames_and_ways_to_write_a_street_are_one() {
        let bob = namesake(&contact("Robert", "O’Hara", "12 Maple Street, Apt. 4"));
        for other in [
            contact("Bob", "OHara", "12 Maple St. #4"),
            contact("Bobby J.", "o'hara", "Apt 12 Maplestreet"),
            contact("ROB", "O'Hara", "12, maple str."),
        ] {
            assert_eq!(namesake(&other), bob, "{}", other.line);
        }
        let nine = Contact { postal: "10027-1234".into(), ..contact("Robert", "OHara", "12 Maple Street") };
        assert_eq!(namesake(&nine), bob);
    }

    #[test]
    fn people_of_one_house_stay_apart() {
        let joan = namesake(&contact("Joan", "Petrie", "12 Maple Street"));
        for other in [
            contact("John", "Petrie", "12 Maple Street"),
            contact("Joan", "Petrie Jr.", "12 Maple Street"),
            contact("Joan", "Smith", "12 Maple Street"),
            contact("Joan", "Petrie", "14 Maple Street"),
            Contact { postal: "10028".into(), ..contact("Joan", "Petrie", "12 Maple Street") },
            Contact { country: "CA".into(), ..contact("Joan", "Petrie", "12 Maple Street") },
        ] {
            assert_ne!(namesake(&other), joan, "{} {} {}", other.first_name, other.last_name, other.line);
        }
        assert_eq!(namesake(&contact("Joan", "Petrie", "Maple House")), None);
        assert_eq!(namesake(&contact("…", "Petrie", "12 Maple Street")), None);
    }
}
