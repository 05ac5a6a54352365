//! Groundswell: a self-hosted server for virtual rallies that raise money.
//!
//! One way round: a request is parsed (`web`, `media`, `payments`), becomes a `Command`, is decided by the one writer
//! (`engine`), is durable (`log`), is folded (`projections`) and only then shown (`web`, `live`).

pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod engine;
pub mod export;
pub mod hooks;
pub mod live;
pub mod log;
pub mod mail;
pub mod media;
pub mod payments;
pub mod projections;
pub mod report;
pub mod vault;
pub mod web;

// A fuzzer's own finds what is read past its end.
#[cfg(not(fuzzing))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
