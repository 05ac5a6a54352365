//! Ways in: one file a protocol, each yielding frames.

pub mod rtmp;
pub mod whip;
