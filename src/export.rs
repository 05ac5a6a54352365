//! Files for finance: one file a format, pure: what to write comes in, bytes go out.

pub mod csv;
pub mod fec;
