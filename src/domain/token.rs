//! Tokens by which programs read the API: what each may read, and that it was revoked.
//!
//! A token's secret is shown once, to whoever made it. The log holds a keyed hash of it, by which it is found again.

use super::State;
use super::hash::HashMap;
use super::id::{PersonId, TokenId};
use chrono::serde::ts_microseconds;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::str::FromStr;
use thiserror::Error;

/// Tokens that work at once: a campaign has a handful of programs; each has its own.
pub const TOKENS_MAX: usize = 100;
/// Characters of a token's name: one line of a phone.
pub const NAME_CHARS_MAX: usize = 60;

/// What a token lets its program read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Sums by rally.
    Totals,
    /// The ledger's rows: sums and ids, nobody's name.
    Donations,
    /// Who gave: names, addresses, employers; and with [`Self::Attendance`] who came.
    Donors,
    /// How many people came.
    Attendance,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] = [Self::Totals, Self::Donations, Self::Donors, Self::Attendance];

    /// The word for it in forms and answers.
    pub fn word(self) -> &'static str {
        match self {
            Self::Totals => "totals",
            Self::Donations => "donations",
            Self::Donors => "donors",
            Self::Attendance => "attendance",
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|scope| scope.word() == text);
        found.ok_or_else(|| "a scope is totals, donations, donors or attendance".into())
    }
}

/// A keyed hash of a token's secret, in a form that nobody takes for sealed data.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretHash(Box<str>);

impl SecretHash {
    /// Wraps the hash's bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(format!("keyed:{}", blake3::Hash::from_bytes(*bytes).to_hex()).into())
    }
}

/// What may be asked.
#[derive(Clone, Debug)]
pub enum Command {
    /// Make a token.
    Create(Created),
    /// End a token.
    Revoke {
        /// Which.
        token: TokenId,
    },
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A token works from now on.
    Created(Created),
    /// It works no more.
    Revoked(Revoked),
}

/// A token was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Created {
    /// Which.
    pub token: TokenId,
    /// As staff calls it.
    pub name: String,
    /// What it lets its program read, in the order of [`Scope::ALL`].
    pub scopes: Vec<Scope>,
    /// By which it is found.
    pub hash: SecretHash,
    /// Who made it.
    pub by: PersonId,
}

/// A token works no more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Revoked {
    /// Which.
    pub token: TokenId,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Error)]
#[allow(missing_docs)]
pub enum Refusal {
    #[error("there is no such token: it was revoked")]
    Unknown,
    #[error("at most {TOKENS_MAX} tokens work at once: revoke one that nobody uses")]
    TooMany,
    #[error("give it a name of at most {NAME_CHARS_MAX} characters: which program it is for")]
    NameLength,
    #[error("choose what it may read: one thing at least")]
    NoScope,
    #[error("that secret is another token’s: make a new one")]
    Taken,
}

/// A token that works.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Token {
    /// As staff calls it.
    pub name: String,
    /// What it lets its program read.
    pub scopes: Vec<Scope>,
    /// Who made it.
    pub by: PersonId,
    /// When.
    #[serde(with = "ts_microseconds")]
    pub at: DateTime<Utc>,
    hash: SecretHash,
}

/// The tokens that work.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tokens {
    by_id: BTreeMap<TokenId, Token>,
    by_hash: HashMap<SecretHash, TokenId>,
}

impl Tokens {
    /// The token with this secret's hash.
    pub fn find(&self, hash: &SecretHash) -> Option<(TokenId, &Token)> {
        let id = self.by_hash.get(hash)?;
        Some((*id, self.by_id.get(id)?))
    }

    /// This token.
    pub fn get(&self, token: TokenId) -> Option<&Token> {
        self.by_id.get(&token)
    }

    /// All of them, by their ids.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (TokenId, &Token)> {
        self.by_id.iter().map(|(id, token)| (*id, token))
    }
}

pub(super) fn decide(state: &State, command: Command) -> Result<Vec<super::Event>, Refusal> {
    let tokens = &state.tokens;
    let event = match command {
        Command::Create(mut created) => {
            if tokens.get(created.token).is_some() {
                return Ok(vec![]);
            }
            if tokens.by_id.len() >= TOKENS_MAX {
                return Err(Refusal::TooMany);
            }
            if created.name.trim().is_empty() || created.name.chars().nth(NAME_CHARS_MAX).is_some() {
                return Err(Refusal::NameLength);
            }
            created.scopes.sort_unstable();
            created.scopes.dedup();
            if created.scopes.is_empty() {
                return Err(Refusal::NoScope);
            }
            if tokens.find(&created.hash).is_some() {
                return Err(Refusal::Taken);
            }
            Event::Created(created)
        }
        Command::Revoke { token } => {
            tokens.get(token).ok_or(Refusal::Unknown)?;
            Event::Revoked(Revoked { token })
        }
    };
    Ok(vec![super::Event::Token(event)])
}

pub(super) fn evolve(state: &mut State, event: &Event, at: DateTime<Utc>) {
    let tokens = &mut state.tokens;
    match event {
        Event::Created(Created { token, name, scopes, hash, by }) => {
            tokens.by_hash.insert(hash.clone(), *token);
            let (name, scopes, hash, by) = (name.clone(), scopes.clone(), hash.clone(), *by);
            tokens.by_id.insert(*token, Token { name, scopes, by, at, hash });
        }
        Event::Revoked(Revoked { token }) => {
            if let Some(gone) = tokens.by_id.remove(token) {
                tokens.by_hash.remove(&gone.hash);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::test_kit::*;
    use uuid::Uuid;

    const TOKEN: TokenId = TokenId(Uuid::from_u128(0x70));

    fn token(name: &str, scopes: &[Scope]) -> Created {
        let hash = SecretHash::new(&[7; 32]);
        Created { token: TOKEN, name: name.into(), scopes: scopes.to_vec(), hash, by: PERSON }
    }

    #[test]
    fn a_token_is_found_by_its_secret_until_it_is_revoked() {
        let asked = token("Data warehouse", &[Scope::Donors, Scope::Totals, Scope::Donors]);
        let sorted = token("Data warehouse", &[Scope::Totals, Scope::Donors]);
        let made = given_nothing().when(Command::Create(asked.clone())).then([Event::Created(sorted)]);
        made.when(Command::Create(asked)).changes_nothing();
        let (id, found) = made.state.tokens.find(&SecretHash::new(&[7; 32])).unwrap();
        assert_eq!((id, found.name.as_str(), found.by, found.at), (TOKEN, "Data warehouse", PERSON, at(0)));
        assert_eq!(made.state.tokens.find(&SecretHash::new(&[8; 32])), None);
        let gone = made.when(Command::Revoke { token: TOKEN }).then([Event::Revoked(Revoked { token: TOKEN })]);
        assert_eq!(gone.state.tokens, Tokens::default());
        gone.when(Command::Revoke { token: TOKEN }).refuses(Refusal::Unknown);
    }

    #[test]
    fn each_rule_has_its_refusal() {
        let nothing = given_nothing();
        nothing.when(Command::Create(token(" ", &[Scope::Totals]))).refuses(Refusal::NameLength);
        let long = "x".repeat(NAME_CHARS_MAX + 1);
        nothing.when(Command::Create(token(&long, &[Scope::Totals]))).refuses(Refusal::NameLength);
        nothing.when(Command::Create(token("x", &[]))).refuses(Refusal::NoScope);
        let many = |count: usize| {
            (0..count).map(|number| {
                let token_id = TokenId(Uuid::from_u128(0x100 + u128::try_from(number).unwrap()));
                let hash = SecretHash::new(blake3::hash(&number.to_be_bytes()).as_bytes());
                Event::Created(Created { token: token_id, hash, ..token("x", &[Scope::Totals]) })
            })
        };
        let full = given(many(TOKENS_MAX));
        full.when(Command::Create(token("x", &[Scope::Totals]))).refuses(Refusal::TooMany);
        let other = Created { token: TokenId(Uuid::from_u128(0x71)), ..token("x", &[Scope::Totals]) };
        given([Event::Created(other)]).when(Command::Create(token("y", &[Scope::Totals]))).refuses(Refusal::Taken);
    }

    #[test]
    fn every_scope_reads_its_word() {
        for scope in Scope::ALL {
            assert_eq!(scope.word().parse(), Ok(scope));
        }
        assert!("everything".parse::<Scope>().is_err());
    }
}
