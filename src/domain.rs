//! The pure core: what may happen (`Command`), what did happen (`Event`), and the rules between the two.

pub mod id;
pub mod money;
pub mod sealed;
