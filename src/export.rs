//! Files for finance and hosts: one file a format, pure: what to write comes in, bytes go out.

pub mod access;
pub mod actblue;
pub mod attendance;
pub mod contacts;
pub mod csv;
pub mod fec;
pub mod payouts;
pub mod row;
pub mod text;
pub mod xlsx;
