//! Tests over real sockets and processes.

// clippy.toml allows these inside `#[test]` functions only; here everything is a test or serves one.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

#[path = "../support/localstripe.rs"]
mod localstripe;
mod stripe;
