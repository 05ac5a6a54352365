//! Tests over real folders, processes and sockets.

// A panic is how a test fails.
#![allow(
    clippy::as_conversions,
    clippy::expect_used,
    clippy::float_arithmetic,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm
)]

mod access;
#[path = "../support/ahead.rs"]
mod ahead;
mod api;
mod archive;
mod attendance;
mod backup;
mod bad_input;
mod cards;
mod cashier;
mod catch_up;
mod checkout;
#[path = "../support/checkout_stand_in.rs"]
mod checkout_stand_in;
mod clips;
mod committees;
mod crash;
mod desk;
mod donordrive;
mod drive;
mod duplicates;
mod exports;
mod faults;
mod filing;
mod folder;
mod golden;
mod held;
mod hooks;
mod keeping;
mod ledger;
mod line;
mod live;
#[path = "../support/localstripe.rs"]
mod localstripe;
mod log;
mod mail;
#[path = "../support/mail_server.rs"]
mod mail_server;
mod media;
mod past;
mod periods;
mod permutations;
mod plans;
mod privacy;
mod program;
mod proof;
mod receipts;
mod reconcile;
mod refunds;
mod restream;
mod rules;
#[path = "../support/sample.rs"]
mod sample;
#[path = "../support/server.rs"]
mod server;
mod show;
mod sources;
mod staff;
mod stripe;
#[path = "../support/stripe_at.rs"]
mod stripe_at;
mod verify;
mod webhooks;
mod webrtc;
mod whip;
mod work;
