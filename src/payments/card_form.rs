//! What the page's card step needs of a processor, and how a page shows it.

use crate::domain::money::Money;

/// How the donor's card reaches the processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CardForm {
    /// No card at all: the donor picks what the simulation shall do. A plain form.
    Choices(&'static [Choice]),
    /// The processor's own script draws the card fields and gives our page a token.
    Scripted {
        /// Which steps `pay.js` takes: `stripe`.
        kind: &'static str,
        /// The key that may be public.
        publishable_key: String,
        /// Where the processor's script is.
        script_url: String,
        /// What the page's content security policy must let in.
        sources: Sources,
    },
}

/// One thing a simulation can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The token, sent as `method`.
    pub method: &'static str,
    /// What the donor reads.
    pub label: &'static str,
    /// What it leads to, in a few words.
    pub hint: &'static str,
}

/// Addresses for the page's content security policy; empty where the processor needs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// For `script-src`.
    pub script: Vec<String>,
    /// For `frame-src`.
    pub frame: Vec<String>,
    /// For `connect-src`.
    pub connect: Vec<String>,
    /// For `form-action`: where the processor keeps pages of its own, to which a form of ours leads on.
    pub form: Vec<String>,
}

impl CardForm {
    /// What the page's content security policy must let in beside the server itself.
    pub fn sources(&self) -> Sources {
        match self {
            Self::Choices(_) => Sources::default(),
            Self::Scripted { sources, .. } => sources.clone(),
        }
    }

    /// Whether the processor keeps pages of its own, where a donor pays whose browser shows no card fields.
    pub fn has_checkout(&self) -> bool {
        match self {
            Self::Choices(_) => false,
            Self::Scripted { sources, .. } => !sources.form.is_empty(),
        }
    }
}

/// The card step as `templates/parts/card_form.html` shows it, under the name `card`.
#[derive(Clone, Debug)]
pub struct CardFormView {
    /// `stripe`, `simulated`, or `simulated-action` for the simulated bank's question.
    pub kind: String,
    /// Where the form goes: `/r/{slug}/donate/{id}/pay`.
    pub action: String,
    /// The amount as the button names it: `$50`.
    pub amount: String,
    /// The same in minor units, for the processor's script.
    pub amount_minor: i64,
    /// The currency as that script writes it: `usd`.
    pub currency: String,
    /// Whether the card is to be kept and charged again.
    pub keeps: bool,
    /// The donor's name, for the processor's script to begin from; empty where it is not known.
    pub name: String,
    /// The donor's e-mail address, likewise.
    pub email: String,
    /// Hidden fields that go along, such as a token against forged requests: name and value.
    pub fields: Vec<(String, String)>,
    /// Why the last try failed, for the page without JavaScript; empty if nothing failed.
    pub error: String,
    /// The key that may be public; empty when simulated.
    pub publishable_key: String,
    /// Where the processor's script is; empty when simulated.
    pub script_url: String,
    /// Where the bank's question waits for this donor: what lets the processor's script ask it. Empty otherwise.
    pub client_secret: String,
    /// What the simulation can do; empty when not simulated.
    pub choices: Vec<Choice>,
    /// Where the form goes that leads to a page of the processor's own: `/r/{slug}/donate/{id}/checkout`; empty without one.
    pub checkout: String,
    /// Whether the donor has begun to pay there.
    pub at_checkout: bool,
    /// Whether that page must have a window of its own, since it lets nobody frame it.
    pub framed: bool,
}

impl CardFormView {
    /// The card step of a donation of `amount`, sent to `action`.
    pub fn new(form: CardForm, action: String, amount: Money) -> Self {
        let (kind, publishable_key, script_url, choices) = match form {
            CardForm::Choices(choices) => ("simulated", String::new(), String::new(), choices.to_vec()),
            CardForm::Scripted { kind, publishable_key, script_url, sources: _ } => {
                (kind, publishable_key, script_url, Vec::new())
            }
        };
        Self {
            kind: kind.into(),
            action,
            amount: amount.to_short(),
            amount_minor: amount.minor,
            currency: amount.currency.code().to_ascii_lowercase(),
            keeps: false,
            name: String::new(),
            email: String::new(),
            fields: Vec::new(),
            error: String::new(),
            publishable_key,
            script_url,
            client_secret: String::new(),
            choices,
            checkout: String::new(),
            at_checkout: false,
            framed: false,
        }
    }

    /// The simulated bank's question, for after [`super::Outcome::NeedsAction`].
    pub fn simulated_action(action: String, amount: Money) -> Self {
        let form = Self::new(CardForm::Choices(&[]), action, amount);
        Self { kind: "simulated-action".into(), ..form }
    }
}
