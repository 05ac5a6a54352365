//! What a browser sees: pages, their live parts and the assets they load.

pub mod assets;
pub mod pages;
pub mod view;
