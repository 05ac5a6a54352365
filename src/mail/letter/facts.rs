//! What a letter says, from the ledger, the log and the vault.

use super::{Facts, Fault, Note, asked as work, held, mark, plan};
use crate::domain::committee::Committees;
use crate::domain::committee::joint::Part;
use crate::domain::donation::{self, ATTESTATIONS, Pledged};
use crate::domain::mail::{Kind, Waiting};
use crate::domain::money::Money;
use crate::domain::profile::Contact;
use crate::domain::seals::CONTACT;
use crate::domain::{Event, id::MailId};
use crate::engine::Engine;
use crate::projections::totals::timezone;

/// Gathers it. The log is read while nobody waits for the projections.
pub(super) fn gather(engine: &Engine, waiting: &Waiting, public_url: &str) -> Result<Facts, Fault> {
    let asked = &waiting.requested;
    let pledge_seq =
        engine.world().ledger.pledge(asked.donation).map(|pledge| pledge.contact.seq).ok_or(Fault::Unknown)?;
    let pledged = match engine.lines().event(pledge_seq)? {
        Some(Event::Donation(donation::Event::Pledged(pledged))) if pledged.donor == asked.person => pledged,
        Some(_) | None => return Err(Fault::Unknown),
    };
    let contact = contact(engine, &pledged)?;
    match asked.letter {
        Kind::Receipt | Kind::RefundNotice => {}
        Kind::InstalmentRefused | Kind::PlanEnded | Kind::Released | Kind::TurnedAway | Kind::WorkAsked => {
            return in_words(engine, waiting, public_url, contact);
        }
    }
    let (mut facts, settled_seq) = {
        let world = engine.world();
        let row = world.ledger.payment(asked.donation, &asked.payment).ok_or(Fault::Unknown)?;
        let rally = world.state.rallies.get(row.rally).ok_or(Fault::Unknown)?;
        let is_refund = asked.letter == Kind::RefundNotice;
        let gift = world.state.donations.get(asked.donation).ok_or(Fault::Unknown)?;
        let given = Money::new(gift.settled_minor(), row.amount.currency).to_exact();
        let zone = timezone(&world.state, row.rally);
        let attested = |id: &String| ATTESTATIONS.iter().find(|(known, _)| known == id).map(|(_, wording)| *wording);
        let facts = Facts {
            mail: asked.mail,
            kind: asked.letter,
            after: is_refund.then(|| MailId::receipt(asked.donation, &asked.payment)),
            at: waiting.at.timestamp(),
            mark: mark(world.state.mode),
            name: format!("{} {}", contact.first_name, contact.last_name),
            address: address(&contact),
            email: contact.email,
            amount: asked.amount.to_exact(),
            given: if is_refund { given } else { String::new() },
            parts: if is_refund { vec![] } else { parts(&world.state.committees, &row.parts) },
            date: waiting.at.with_timezone(&zone).format("%A, %B %-d, %Y, %-I:%M %P %Z").to_string(),
            rally: rally.details.title.clone(),
            paid_for_by: rally.details.paid_for_by.clone(),
            card: row.card.as_deref().map(in_capitals).unwrap_or_default(),
            donation: asked.donation,
            href: format!("{public_url}/r/{}/donate/{}", rally.details.slug, asked.donation),
            statements: if is_refund { vec![] } else { pledged.attestations.iter().filter_map(attested).collect() },
            proof: String::new(),
            head: String::new(),
            note: if is_refund { None } else { plan::of_receipt(engine, &world, asked.donation, public_url) },
        };
        (facts, row.seq)
    };
    // A notice of a refund is no receipt: what was given may be all back.
    if facts.kind == Kind::Receipt {
        match engine.reader().prove(settled_seq) {
            Ok(proof) => {
                facts.head = proof.head().to_string();
                facts.proof = proof.to_json();
            }
            Err(fault) => tracing::warn!(mail = %facts.mail, %fault, "a receipt goes out without its proof"),
        }
    }
    Ok(facts)
}

/// A letter in words of its own: no receipt, and no proof.
fn in_words(engine: &Engine, waiting: &Waiting, public_url: &str, contact: Contact) -> Result<Facts, Fault> {
    let asked = &waiting.requested;
    let world = engine.world();
    let gift = world.state.donations.get(asked.donation).ok_or(Fault::Unknown)?;
    let rally = world.state.rallies.get(gift.rally).ok_or(Fault::Unknown)?;
    let href = format!("{public_url}/r/{}/donate/{}", rally.details.slug, asked.donation);
    let amount = asked.amount.to_exact();
    let note: Option<Note> = match asked.letter {
        Kind::Released => Some(held::released(&amount, &href)),
        Kind::TurnedAway => Some(held::turned_away(&amount, &href)),
        Kind::WorkAsked => work::of_letter(engine, &world, asked, contact.lacks(), public_url),
        Kind::InstalmentRefused | Kind::PlanEnded | Kind::Receipt | Kind::RefundNotice => {
            plan::of_letter(engine, &world, asked, public_url)
        }
    };
    Ok(Facts {
        mail: asked.mail,
        kind: asked.letter,
        after: None,
        at: waiting.at.timestamp(),
        mark: mark(world.state.mode),
        name: format!("{} {}", contact.first_name, contact.last_name),
        address: vec![],
        email: contact.email,
        amount,
        given: String::new(),
        parts: vec![],
        date: String::new(),
        rally: rally.details.title.clone(),
        paid_for_by: rally.details.paid_for_by.clone(),
        card: String::new(),
        donation: asked.donation,
        href,
        statements: vec![],
        proof: String::new(),
        head: String::new(),
        note: Some(note.ok_or(Fault::Unknown)?),
    })
}

fn parts(committees: &Committees, parts: &[Part]) -> Vec<(String, String)> {
    parts.iter().map(|part| (committees.name(part.committee).to_owned(), part.amount.to_exact())).collect()
}

fn contact(engine: &Engine, pledged: &Pledged) -> Result<Contact, Fault> {
    let opened = engine.vault().unseal(pledged.donor, CONTACT, &pledged.contact).map_err(|_| Fault::Sealed)?;
    serde_json::from_slice(&opened.ok_or(Fault::Gone)?).map_err(|_| Fault::Sealed)
}

fn address(contact: &Contact) -> Vec<String> {
    let place = format!("{} {} {}", contact.city, contact.region, contact.postal);
    let lines = [contact.line.as_str(), place.trim(), &contact.country];
    lines.into_iter().filter(|line| !line.is_empty()).map(Into::into).collect()
}

/// `visa 4242` as a receipt says it.
fn in_capitals(card: &str) -> String {
    let mut rest = card.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}
