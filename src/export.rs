//! Files for finance and hosts: one file a format, pure: what to write comes in, bytes go out.

pub mod attendance;
pub mod contacts;
pub mod csv;
mod sheet;
