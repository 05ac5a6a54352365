//! What letters say of a gift that was held: that it can be paid, or that it is not taken.

use super::Note;

/// A person let it through; `href` is where a card is asked for.
pub(super) fn released(amount: &str, href: &str) -> Note {
    let paragraphs = vec![
        "A person of the campaign has looked at it, as at every gift of this size. Thank you for waiting.".into(),
        "Nothing was charged so far. Enter your card on your gift’s page, when it suits you.".into(),
    ];
    let actions = vec![("Pay this gift", href.into())];
    Note { lead: format!("Your gift of {amount} can go on."), paragraphs, actions }
}

/// A person decided against it.
pub(super) fn turned_away(amount: &str, href: &str) -> Note {
    let paragraphs = vec![
        "Thank you for wanting to give. A person of the campaign has looked at this gift, and the campaign can’t take it."
            .into(),
        "Nothing was charged, and nothing will be.".into(),
    ];
    let actions = vec![("Your gift’s page", href.into())];
    Note { lead: format!("We could not take your gift of {amount}."), paragraphs, actions }
}
