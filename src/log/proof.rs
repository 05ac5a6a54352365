//! A proof that one line is in the chain, checked with nothing but a published head. Pure; its JSON form is described in
//! `FRAME.md`.
//!
//! It shows the line, the hashes that lead from it to its frame's `lines_root`, and the headers of the frames that link the
//! head's frame to that frame: nobody else's lines.

use super::Head;
use super::frame::{merkle, v2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

/// The form written and read.
const VERSION: u32 = 1;
/// The most bytes of a proof as JSON: a line whose every byte is escaped, with all the headers and hashes there can be.
pub const MAX_BYTES: usize = 512 * 1024;
/// The most headers: the longest walk there is between two of 2^64 frames.
const MAX_HEADERS: usize = 193;
/// The most hashes from a line to its frame's root: a frame's count has 32 bits.
const MAX_PATH: usize = 32;

/// Why a proof is not believed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// It is longer than any proof.
    #[error("it has {bytes} bytes, and a proof has at most {MAX_BYTES}: this is not a proof")]
    Long {
        /// Its length.
        bytes: usize,
    },
    /// It is not in the form described in `FRAME.md`.
    #[error("it is not a proof as this program writes them ({what}): get the receipt again")]
    Form {
        /// What is wrong with its form.
        what: String,
    },
    /// It was written by a newer program.
    #[error(
        "it is a proof of version {found}, and this program reads version {VERSION}: check it with the newer program"
    )]
    Version {
        /// The version it claims.
        found: u32,
    },
    /// It ends in another head than the one it is held against.
    #[error(
        "it leads to the head {} of event {}, not to the head it is checked against: look up the head published for event {} or later, or ask for a proof for the head you have", .0, .0.seq, .0.seq
    )]
    OtherHead(Head),
    /// Two of its headers do not link.
    #[error("its header {at} is not one that the header before it links to: it was changed, and proves nothing")]
    Link {
        /// The header's place in the proof, from 0.
        at: usize,
    },
    /// The head it names is not that of its first header.
    #[error(
        "it names a head of event {named}, and its first header is another one, of event {found}: it was changed, and proves nothing"
    )]
    Named {
        /// The number it names.
        named: u64,
        /// The number in the frame.
        found: u64,
    },
    /// The line is not where the proof says.
    #[error("event {seq} with this content is not in the frame it leads to: it was changed, and proves nothing")]
    Line {
        /// The event it claims to be about.
        seq: u64,
    },
}

/// That a line has a place in the chain that ends with a head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    seq: u64,
    line: String,
    head: Head,
    /// From the head's frame to the line's.
    headers: Vec<[u8; v2::SEALED_BYTES]>,
    /// From the line to its frame's root.
    path: Vec<[u8; 32]>,
}

/// The proof as JSON; hashes are hex digits, headers base64.
#[derive(Serialize, Deserialize)]
struct Form {
    groundswell_proof: u32,
    seq: u64,
    line: String,
    head: HeadForm,
    headers: Vec<String>,
    path: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct HeadForm {
    seq: u64,
    hash: String,
}

impl Proof {
    pub(super) fn new(
        seq: u64,
        line: String,
        head: Head,
        headers: Vec<[u8; v2::SEALED_BYTES]>,
        path: Vec<[u8; 32]>,
    ) -> Self {
        Self { seq, line, head, headers, path }
    }

    /// The head that it leads to, by its own account.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Checks that the line is in the chain that ends with the head of this hash, and returns its number and bytes.
    ///
    /// # Errors
    /// [`Flaw`]: what is wrong and what to do.
    pub fn verify(&self, head: &[u8; 32]) -> Result<(u64, &[u8]), Flaw> {
        let mut wanted = [*head, *head];
        let mut frame = None;
        for (at, sealed) in self.headers.iter().enumerate() {
            let flaw = if at == 0 { Flaw::OtherHead(self.head) } else { Flaw::Link { at } };
            let Some((header, fields)) = v2::read_sealed(sealed).and_then(|header| Some((header, header.proof?)))
            else {
                return Err(flaw);
            };
            if !wanted.contains(&header.hash) {
                return Err(flaw);
            }
            if at == 0 && (header.head().seq, header.hash) != (self.head.seq, self.head.hash) {
                return Err(Flaw::Named { named: self.head.seq, found: header.head().seq });
            }
            wanted = [header.previous, fields.skip];
            frame = Some((header, fields));
        }
        let (header, fields) = frame.ok_or(Flaw::OtherHead(self.head))?;
        let place = self.seq.checked_sub(header.first_seq).and_then(|place| u32::try_from(place).ok());
        let leaf = merkle::leaf(self.line.as_bytes());
        let root = place.and_then(|place| merkle::climb(leaf, place, header.count, &self.path));
        if root == Some(fields.lines_root) {
            Ok((self.seq, self.line.as_bytes()))
        } else {
            Err(Flaw::Line { seq: self.seq })
        }
    }

    /// The proof as JSON.
    pub fn to_json(&self) -> String {
        let form = Form {
            groundswell_proof: VERSION,
            seq: self.seq,
            line: self.line.clone(),
            head: HeadForm { seq: self.head.seq, hash: self.head.to_string() },
            headers: self.headers.iter().map(|header| BASE64.encode(header)).collect(),
            path: self.path.iter().map(|hash| Head { seq: 0, hash: *hash }.to_string()).collect(),
        };
        // Numbers, strings and lists of strings: nothing that JSON cannot hold.
        serde_json::to_string(&form).unwrap_or_default()
    }

    /// Reads what a stranger gives as a proof; it says nothing until it is verified.
    ///
    /// # Errors
    /// [`Flaw::Long`], [`Flaw::Form`], [`Flaw::Version`].
    pub fn parse(json: &[u8]) -> Result<Self, Flaw> {
        if json.len() > MAX_BYTES {
            return Err(Flaw::Long { bytes: json.len() });
        }
        let wrong = |what: &str| Flaw::Form { what: what.to_owned() };
        let form: Form = serde_json::from_slice(json).map_err(|error| wrong(&error.to_string()))?;
        if form.groundswell_proof != VERSION {
            return Err(Flaw::Version { found: form.groundswell_proof });
        }
        if form.headers.len() > MAX_HEADERS || form.path.len() > MAX_PATH {
            return Err(wrong("it has more headers or hashes than a walk can need"));
        }
        let header = |text: &String| BASE64.decode(text).ok()?.try_into().ok();
        let headers: Option<Vec<_>> = form.headers.iter().map(header).collect();
        let path: Option<Vec<_>> = form.path.iter().map(|text| hash(text)).collect();
        Ok(Self {
            seq: form.seq,
            line: form.line,
            head: Head { seq: form.head.seq, hash: hash(&form.head.hash).ok_or_else(|| wrong("the head's hash"))? },
            headers: headers.ok_or_else(|| wrong("a header"))?,
            path: path.ok_or_else(|| wrong("a hash of the path"))?,
        })
    }
}

/// A hash from its 64 hex digits.
pub fn hash(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0_u8; 32];
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    if !odd.is_empty() || pairs.len() != hash.len() {
        return None;
    }
    for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
        let digit = |digit: &u8| char::from(*digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(high)?.wrapping_shl(4) | digit(low)?;
    }
    Some(hash)
}
