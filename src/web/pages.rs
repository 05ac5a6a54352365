//! One file a page; each holds the page's askama struct, made of text that is already in its final form.

pub mod api;
pub mod card;
pub mod clips;
pub mod confirm;
pub mod donate;
pub mod files;
pub mod finance;
pub mod first_account;
pub mod golive;
pub mod health;
pub mod home;
pub mod host;
pub mod live;
pub mod message;
pub mod overlay;
pub mod program;
pub mod rally;
pub mod rally_form;
pub mod recording;
pub mod show;
pub mod sign_in;
pub mod speak;
pub mod studio;
pub mod thanks;
pub mod webhook;
pub mod whip;
