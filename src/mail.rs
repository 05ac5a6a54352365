//! Letters out: what the ledger asked for goes to a mail server, and what became of it goes back into the ledger.
//!
//! No address is in an event, in an error or in a line of the server's own log: a letter is named by its id, what a mail server
//! says is told by its number alone.

pub mod letter;
pub mod postman;
pub mod smtp;
