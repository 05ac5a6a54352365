//! PURE: the few fields of codec bytes that a server which never decodes must read.

pub mod aac;
pub mod annexb;
pub mod cea;
pub mod flv;
pub mod h264;
pub mod mp4;
pub mod silence;

pub use aac::AudioConfig;
pub use h264::VideoConfig;

/// What is wrong with codec bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes end too early.
    #[error("the {what} ends too early")]
    Short {
        /// Which structure.
        what: &'static str,
    },
    /// A field has a value that the format does not allow, or that players do not take.
    #[error("{what} can't be used")]
    Unusable {
        /// Which field.
        what: &'static str,
    },
}
