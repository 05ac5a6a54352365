//! Hash maps and sets of the state. Each has a seed of its own and hashes quickly: a replay looks things up a dozen times an
//! event, and nobody chooses the ids freely (ours are keyed hashes, and the processor's are its own).

use foldhash::fast::RandomState;

/// A map in no order.
pub type HashMap<Key, Value> = std::collections::HashMap<Key, Value, RandomState>;
/// A set in no order.
pub type HashSet<Key> = std::collections::HashSet<Key, RandomState>;
