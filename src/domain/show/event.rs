//! What happens in a run of show.

use super::Plan;
use crate::domain::id::{ItemId, RallyId};
use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Event {
    ItemAdded(ItemPlanned),
    ItemRevised(ItemPlanned),
    ItemMoved(ItemMoved),
    ItemRemoved(ItemNamed),
    ItemStarted(ItemNamed),
    ItemStopped(ItemNamed),
    Undone(Undone),
}

impl Event {
    /// Whose run.
    pub fn rally(&self) -> RallyId {
        match self {
            Self::ItemAdded(data) | Self::ItemRevised(data) => data.rally,
            Self::ItemMoved(data) => data.rally,
            Self::ItemRemoved(data) | Self::ItemStarted(data) | Self::ItemStopped(data) => data.rally,
            Self::Undone(data) => data.rally,
        }
    }
}

/// An item and what is planned of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemPlanned {
    /// Whose run.
    pub rally: RallyId,
    /// Which item.
    pub item: ItemId,
    /// All of it, also what did not change.
    pub plan: Plan,
}

/// An item has another place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemMoved {
    /// Whose run.
    pub rally: RallyId,
    /// Which item.
    pub item: ItemId,
    /// Its place, counted from 0.
    pub position: u32,
}

/// Something about one item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemNamed {
    /// Whose run.
    pub rally: RallyId,
    /// Which item.
    pub item: ItemId,
}

/// The last turn was taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Undone {
    /// Whose run.
    pub rally: RallyId,
    /// Whose start was taken back; none for an item's end.
    pub item: Option<ItemId>,
}
