//! A letter as it goes out: what the ledger knows of a payment or refund, in text and in HTML, with the proof attached.
//!
//! It is made anew for each try and comes out the same: its Message-ID, date and boundaries follow from what was asked for.

mod asked;
mod facts;
mod held;
mod mime;
mod note;
mod plan;

use crate::config::Config;
use crate::config::mail::Outgoing;
use crate::domain::id::{DonationId, MailId};
use crate::domain::ledger::Mode;
use crate::domain::mail::{Kind, Waiting};
use crate::engine::{self, Engine};
use askama::Template;
use lettre::Address;
use lettre::message::Mailbox;
use thiserror::Error;

/// Writes letters for one site.
pub struct Writer {
    /// Who writes.
    pub from: Mailbox,
    /// Who reads answers.
    pub reply_to: Option<Mailbox>,
    /// The address people see, without a slash at its end.
    pub public_url: String,
    /// The campaign's name.
    pub site: String,
}

/// A letter, ready for a mail server.
#[derive(Clone)]
pub struct Letter {
    /// Which.
    pub mail: MailId,
    /// Where it goes.
    pub to: Address,
    /// Headers and body (RFC 5322), in lines that end with CR LF.
    pub bytes: Vec<u8>,
}

/// Why there is none. No message names anybody.
#[derive(Debug, Error)]
pub enum Fault {
    /// The log.
    #[error(transparent)]
    Log(#[from] engine::Fault),
    /// What was typed can't be read any more.
    #[error("what was typed has been erased")]
    Gone,
    /// What was typed is there and no contact.
    #[error("what was typed can't be opened")]
    Sealed,
    /// The ledger does not know what it tells of.
    #[error("the ledger has no such payment")]
    Unknown,
    /// What was typed is no address.
    #[error("mail can't be sent to the address that was typed")]
    Address,
    /// A template.
    #[error("the letter can't be drawn: {0}")]
    Template(#[from] askama::Error),
    /// The form of mail.
    #[error("the letter can't be put into the form of mail")]
    Form,
}

/// What a letter says in words of its own: of a recurring gift, of one that was held, or of what a gift lacks.
#[derive(Clone, Debug)]
pub struct Note {
    /// What a letter about it alone begins with; empty on a receipt.
    pub lead: String,
    /// What happened and what comes next, a paragraph an entry.
    pub paragraphs: Vec<String>,
    /// What may be done, and where.
    pub actions: Vec<(&'static str, String)>,
}

/// What a letter says, whatever its kind.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Which letter.
    pub mail: MailId,
    /// What it is.
    pub kind: Kind,
    /// The letter of the same payment that went before.
    pub after: Option<MailId>,
    /// When what it tells of happened, in seconds since 1970.
    pub at: i64,
    /// `SIMULATED` or `TEST`; empty for real money.
    pub mark: &'static str,
    /// The donor's address.
    pub email: String,
    /// The donor's name, as typed.
    pub name: String,
    /// Street; city, region and postal code; country: as typed.
    pub address: Vec<String>,
    /// The sum with its currency: `$50.00`.
    pub amount: String,
    /// On a notice of a refund, what had been given.
    pub given: String,
    /// How a gift is shared out among committees: name and sum of each; empty where one has all of it.
    pub parts: Vec<(String, String)>,
    /// `Tuesday, July 25, 2028, 9:14 pm EDT`, where the rally is.
    pub date: String,
    /// The rally's title.
    pub rally: String,
    /// The rally's legal line.
    pub paid_for_by: String,
    /// `Visa 4242`; empty where it is not known.
    pub card: String,
    /// Which donation: the receipt's number.
    pub donation: DonationId,
    /// The donation's page.
    pub href: String,
    /// What the donor attested, in the wording that was shown.
    pub statements: Vec<&'static str>,
    /// That the donation stands in the ledger, as JSON; empty where no proof can be had.
    pub proof: String,
    /// The ledger's head by which the proof is checked, 64 hex digits.
    pub head: String,
    /// Of the recurring gift it is about or of which the payment is one, of the gift that was held, or of what it lacks.
    pub note: Option<Note>,
}

impl Facts {
    fn proof_name(&self) -> String {
        format!("proof-{}.json", self.donation)
    }

    fn is_refund(&self) -> bool {
        self.kind == Kind::RefundNotice
    }

    /// What stands above it in a list of letters.
    fn subject(&self) -> String {
        let mark = if self.mark.is_empty() { String::new() } else { format!("{}: ", self.mark) };
        match self.kind {
            Kind::Receipt => format!("{mark}Your receipt for {}: {}", self.amount, self.rally),
            Kind::RefundNotice => format!("{mark}Your refund of {}: {}", self.amount, self.rally),
            Kind::InstalmentRefused | Kind::PlanEnded | Kind::Released | Kind::TurnedAway | Kind::WorkAsked => {
                let lead = self.note.as_ref().map(|note| note.lead.as_str()).unwrap_or_default();
                format!("{mark}{}: {}", lead.trim_end_matches('.'), self.rally)
            }
        }
    }
}

#[derive(Template)]
#[template(path = "mail/letter.html")]
struct Html<'a> {
    facts: &'a Facts,
    site: &'a str,
    subject: &'a str,
    public_url: &'a str,
}

#[derive(Template)]
#[template(path = "mail/letter.txt")]
struct Text<'a> {
    facts: &'a Facts,
    site: &'a str,
    public_url: &'a str,
}

impl Writer {
    /// Writes as the settings have it.
    pub fn new(config: &Config, outgoing: &Outgoing) -> Self {
        let (from, reply_to) = (outgoing.from.clone(), outgoing.reply_to.clone());
        Self { from, reply_to, public_url: config.public_url(), site: config.site_name.clone() }
    }

    /// Writes the letter that was asked for, as the ledger is now.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn write(&self, engine: &Engine, waiting: &Waiting) -> Result<Letter, Fault> {
        self.put_together(&facts::gather(engine, waiting, &self.public_url)?)
    }

    /// The letter that says this.
    ///
    /// # Errors
    /// [`Fault::Address`], [`Fault::Template`], [`Fault::Form`].
    pub fn put_together(&self, facts: &Facts) -> Result<Letter, Fault> {
        let subject = facts.subject();
        let (site, public_url) = (self.site.as_str(), self.public_url.as_str());
        let (html, text) = match facts.note.as_ref().filter(|note| !note.lead.is_empty()) {
            Some(note) => {
                let html = note::Html { facts, note, site, subject: &subject }.render()?;
                (html, note::Text { facts, note, site, public_url }.render()?)
            }
            None => {
                let html = Html { facts, site, subject: &subject, public_url }.render()?;
                (html, Text { facts, site, public_url }.render()?)
            }
        };
        mime::put_together(self, facts, &subject, html, text)
    }
}

/// How money that is worth nothing is marked.
pub fn mark(mode: Option<Mode>) -> &'static str {
    match mode {
        Some(Mode::Live) => "",
        Some(Mode::Test) => "TEST",
        Some(Mode::Simulated) | None => "SIMULATED",
    }
}

#[cfg(test)]
mod tests;
