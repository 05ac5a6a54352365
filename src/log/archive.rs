//! The way out: every frame once more, in plain files that need no sled to be read.
//!
//! `archive/` in the log's folder holds segments, each named by its first event. A segment is frames one after the other,
//! each written so that zstd's own program skips the header: `cat archive/*.gswf | zstd -dc` prints the events. A thread
//! follows the log and copies what is synced; no append waits for it or fails because of it, and what it misses it catches
//! up with at the next start.

mod follow;
pub mod read;
mod segment;
mod write;

pub use follow::{Archive, Caught, State};

use super::frame::{Break, Damage};

/// The folder of segments in the log's folder.
pub const FOLDER: &str = "archive";
/// Length at which a segment is closed: few enough files for years of events, small enough to copy again when one is torn.
pub const SEGMENT_MAX_BYTES: u64 = 64 * 1024 * 1024;
/// How a zstd frame begins that decompressors skip (RFC 8878, 3.1.2); ours holds a frame's header.
const SKIPPABLE: [u8; 4] = 0x184D_2A50_u32.to_le_bytes();

/// What is wrong with a segment.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The file ends before the frame does.
    #[error("the file ends in the middle of it, {bytes} bytes after the last whole frame")]
    Torn {
        /// Bytes after the last whole frame.
        bytes: u64,
    },
    /// The bytes there are not the beginning of a record.
    #[error("no frame begins where it should")]
    Record,
    /// The frame is damaged.
    #[error("{0}")]
    Damage(Damage),
    /// The frame does not continue the one before it.
    #[error("it does not follow the frame before it: {0}")]
    Break(Break),
    /// The file's name is not the frame's first event.
    #[error("the file's name says that it begins with event {name}")]
    Name {
        /// The number in the name.
        name: u64,
    },
    /// The log holds another frame in that place.
    #[error("the log holds another frame there")]
    Disagrees,
    /// The log holds nothing in that place.
    #[error("the log does not hold it")]
    Ahead,
}
