//! Files for finance: one file a format, pure: what to write comes in, bytes go out.

pub mod actblue;
pub mod csv;
pub mod fec;
pub mod payouts;
pub mod row;
pub mod text;
pub mod xlsx;
