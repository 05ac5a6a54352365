//! Group commit: take what has queued up while the last sync ran, so that one sync serves everybody in it.

use tokio::sync::mpsc::Receiver;

/// Drains a bounded channel into batches, on a thread of its own.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// The most items in one batch.
    pub max_items: usize,
    /// The size (as measured by the caller's function, usually bytes) at which a batch is full.
    pub max_size: usize,
}

impl Default for Group {
    /// 1,024 items or 256 KiB: about what one sync of a usual drive covers without making the first in line wait longer for
    /// compression than for the drive.
    fn default() -> Self {
        Self { max_items: 1024, max_size: 256 * 1024 }
    }
}

impl Group {
    /// Blocks for the first item, then takes what is already there up to the limits, in order. `None` when every sender is
    /// gone and the channel is empty.
    pub fn next<T>(&self, queue: &mut Receiver<T>, size: impl Fn(&T) -> usize) -> Option<Vec<T>> {
        let mut batch = vec![queue.blocking_recv()?];
        self.fill(&mut batch, queue, size);
        Some(batch)
    }

    /// Adds to a batch what is there by now, up to the limits, and says whether it is full: a full one has nothing to wait
    /// for, another should wait for the disk to be free and be filled again.
    pub fn fill<T>(&self, batch: &mut Vec<T>, queue: &mut Receiver<T>, size: impl Fn(&T) -> usize) -> bool {
        let mut total = batch.iter().map(&size).fold(0, usize::saturating_add);
        while batch.len() < self.max_items && total < self.max_size {
            let Ok(item) = queue.try_recv() else { return false };
            total = total.saturating_add(size(&item));
            batch.push(item);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc::channel;

    #[test]
    fn takes_what_is_there_up_to_the_limits_in_order() {
        let (sender, mut queue) = channel(16);
        (0..7).for_each(|n| sender.try_send(n).unwrap());
        drop(sender);
        let group = Group { max_items: 3, max_size: 100 };
        let mut next = || group.next(&mut queue, |_| 1);
        assert_eq!(next(), Some(vec![0, 1, 2]));
        assert_eq!(next(), Some(vec![3, 4, 5]));
        assert_eq!(next(), Some(vec![6]));
        assert_eq!(next(), None);
    }

    #[test]
    fn a_batch_that_is_not_full_takes_what_has_come_since() {
        let (sender, mut queue) = channel(16);
        let group = Group { max_items: 3, max_size: 100 };
        let mut batch = vec![0];
        assert!(!group.fill(&mut batch, &mut queue, |_| 1));
        (1..5).for_each(|n| sender.try_send(n).unwrap());
        assert!(group.fill(&mut batch, &mut queue, |_| 1));
        assert_eq!(batch, [0, 1, 2]);
        assert!(Group { max_items: 9, max_size: 3 }.fill(&mut batch, &mut queue, |_| 1));
        assert_eq!(batch, [0, 1, 2]);
    }

    #[test]
    fn stops_at_the_size_limit_but_never_refuses_the_first() {
        let (sender, mut queue) = channel(16);
        [90, 5, 50, 60].into_iter().for_each(|n| sender.try_send(n).unwrap());
        drop(sender);
        let group = Group { max_items: 10, max_size: 95 };
        assert_eq!(group.next(&mut queue, |n| *n), Some(vec![90, 5]));
        assert_eq!(group.next(&mut queue, |n| *n), Some(vec![50, 60]));
    }
}
