//! Letters to words.

use super::{iso, time_seconds};
use crate::domain::id::{DonationId, MailId, PaymentId};
use crate::domain::mail::{Kind, Standing};
use crate::domain::money::group_thousands;
use crate::projections::Projections;
use crate::projections::totals::timezone;
use crate::web::view::letters::{FailedLetter, Letters, ReceiptMail};

/// Failed letters on the page.
const FAILED_MAX: usize = 10;

/// What became of a payment's receipt by mail. `None` where none was asked for, or none is sent any more.
pub fn receipt(world: &Projections, donation: DonationId, payment: &PaymentId) -> Option<ReceiptMail> {
    let mail = &world.state.mail;
    match mail.standing(MailId::receipt(donation, payment))? {
        // A server without mail does not promise any.
        Standing::Waiting => mail.is_on().then_some(ReceiptMail::OnItsWay),
        Standing::Sent => Some(ReceiptMail::Sent),
        Standing::Failed(failure) => Some(ReceiptMail::Failed { reason: failure.reason.clone() }),
    }
}

/// What waits and what failed.
pub fn letters(world: &Projections) -> Letters {
    let mail = &world.state.mail;
    let waiting = mail.waiting_count();
    let count = |number: usize| group_thousands(u64::try_from(number).unwrap_or(u64::MAX));
    let asleep = if mail.is_on() { "" } else { " This server has no [mail] settings: they stay until it has." };
    let waiting = match waiting {
        0 => String::new(),
        1 => format!("1 letter waits to be sent.{asleep}"),
        many => format!("{} letters wait to be sent.{asleep}", count(many)),
    };
    let failures = mail.failures();
    let more = failures.len().saturating_sub(FAILED_MAX);
    let failed = failures.take(FAILED_MAX).filter_map(|failure| {
        let rally = world.state.donations.get(failure.donation)?.rally;
        let zone = timezone(&world.state, rally);
        let slug = &world.state.rallies.get(rally)?.details.slug;
        Some(FailedLetter {
            when: format!("{} {}", failure.at.with_timezone(&zone).format("%b %-d,"), time_seconds(failure.at, zone)),
            when_iso: iso(failure.at),
            what: match failure.letter {
                Kind::Receipt => "Receipt".into(),
                Kind::RefundNotice => "Refund notice".into(),
                Kind::InstalmentRefused => "Notice of a refused gift".into(),
                Kind::PlanEnded => "Notice of a recurring gift’s end".into(),
                Kind::Released => "Word that a held gift can be paid".into(),
                Kind::TurnedAway => "Word that a held gift is not taken".into(),
                Kind::WorkAsked => "Question for employer and occupation".into(),
            },
            donation: failure.donation.to_string(),
            href: format!("/r/{slug}/donate/{}", failure.donation),
            reason: failure.reason.clone(),
        })
    });
    let more = if more == 0 { String::new() } else { format!("And {} before them.", count(more)) };
    Letters { waiting, failed: failed.collect(), more }
}
