//! Where frames are kept: by the number of their first event (8 bytes, big-endian).

use super::Fault;

/// A stored value; shared, not copied.
pub type Bytes = ::sled::IVec;
/// A key and its value.
pub type Pair = (Bytes, Bytes);
/// Pairs in order; after an `Err` there is nothing more.
pub type Range = Box<dyn Iterator<Item = Result<Pair, Fault>> + Send>;

/// A store of frames. In production it is sled; the simulation has one that forgets what was not synced.
pub trait Store: Send + Sync {
    /// Adds these pairs, all or none of which survive a crash, and never without what was added before; none does for
    /// certain before [`Store::sync`].
    ///
    /// # Errors
    /// [`Fault`]; what is stored of them is unknown then.
    fn add(&self, pairs: &[([u8; 8], Vec<u8>)]) -> Result<(), Fault>;

    /// Makes everything that was added durable.
    ///
    /// # Errors
    /// [`Fault`]; it is not to be tried again.
    fn sync(&self) -> Result<(), Fault>;

    /// The value of a key.
    ///
    /// # Errors
    /// [`Fault`] when the store can't be read.
    fn get(&self, key: [u8; 8]) -> Result<Option<Bytes>, Fault>;

    /// The pairs from one key to another, both included.
    fn range(&self, from: [u8; 8], until: [u8; 8]) -> Range;

    /// The last pair up to a key.
    ///
    /// # Errors
    /// [`Fault`] when the store can't be read.
    fn last_until(&self, key: [u8; 8]) -> Result<Option<Pair>, Fault>;

    /// The last pairs, in order.
    ///
    /// # Errors
    /// [`Fault`] when the store can't be read.
    fn last(&self, count: usize) -> Result<Vec<Pair>, Fault>;
}
