//! The form of mail (RFC 5322, 2045 to 2047): headers, both parts, the attachment.

use super::{Facts, Fault, Letter, Writer};
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, Message, MultiPart, SinglePart};
use lettre::{Address, Message as Mail};
use std::time::{Duration, SystemTime};

/// Characters of a name or subject in a header: a longer one hides the rest of the line in most mail programs.
const HEADER_CHARS_MAX: usize = 150;

pub(super) fn put_together(
    writer: &Writer,
    facts: &Facts,
    subject: &str,
    html: String,
    text: String,
) -> Result<Letter, Fault> {
    let to: Address = facts.email.parse().map_err(|_| Fault::Address)?;
    let domain = writer.from.email.domain();
    let id = |mail| format!("<{mail}@{domain}>");
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(facts.at).unwrap_or_default());
    let mut builder = Message::builder()
        .from(writer.from.clone())
        .to(Mailbox::new(Some(one_line(&facts.name)).filter(|name| !name.is_empty()), to.clone()))
        .subject(one_line(subject))
        .date(at)
        .message_id(Some(id(facts.mail)))
        // RFC 3834: nobody's absence note answers it.
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".into()));
    if let Some(reply_to) = &writer.reply_to {
        builder = builder.reply_to(reply_to.clone());
    }
    if let Some(after) = facts.after {
        builder = builder.in_reply_to(id(after)).references(id(after));
    }
    let both = MultiPart::alternative()
        .boundary(format!("b-{}", facts.mail))
        .singlepart(SinglePart::plain(text))
        .singlepart(SinglePart::html(html));
    let message: Mail = if facts.proof.is_empty() {
        builder.multipart(both)
    } else {
        let kind = ContentType::parse("application/json").map_err(|_| Fault::Form)?;
        let proof = Attachment::new(facts.proof_name()).body(facts.proof.clone(), kind);
        let all = MultiPart::mixed().boundary(format!("a-{}", facts.mail)).multipart(both).singlepart(proof);
        builder.multipart(all)
    }
    .map_err(|_| Fault::Form)?;
    Ok(Letter { mail: facts.mail, to, bytes: message.formatted() })
}

/// What a header may hold: no line ends and no other control characters, so that a name stays a name.
fn one_line(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() || c.is_whitespace() { ' ' } else { c }).collect();
    let words: Vec<&str> = spaced.split(' ').filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(HEADER_CHARS_MAX).collect()
}
