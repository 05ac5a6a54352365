//! Tests over real sockets and processes.

#[path = "../support/localstripe.rs"]
mod localstripe;
mod stripe;
