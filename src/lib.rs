//! Groundswell: a self-hosted server for virtual rallies that raise money.

pub mod domain;
pub mod media;
