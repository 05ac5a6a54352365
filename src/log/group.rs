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
    /// 4,096 items or 1 MiB: a usual drive writes that in about the time that a sync of anything takes.
    fn default() -> Self {
        Self { max_items: 4096, max_size: 1024 * 1024 }
    }
}

impl Group {
    /// Blocks for the first item, then takes what is already there up to the limits, in order. `None` when every sender is
    /// gone and the channel is empty.
    pub fn next<T>(&self, queue: &mut Receiver<T>, size: impl Fn(&T) -> usize) -> Option<Vec<T>> {
        let first = queue.blocking_recv()?;
        let mut total = size(&first);
        let mut batch = vec![first];
        while batch.len() < self.max_items && total < self.max_size {
            let Ok(item) = queue.try_recv() else { break };
            total = total.saturating_add(size(&item));
            batch.push(item);
        }
        Some(batch)
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
    fn stops_at_the_size_limit_but_never_refuses_the_first() {
        let (sender, mut queue) = channel(16);
        [90, 5, 50, 60].into_iter().for_each(|n| sender.try_send(n).unwrap());
        drop(sender);
        let group = Group { max_items: 10, max_size: 95 };
        assert_eq!(group.next(&mut queue, |n| *n), Some(vec![90, 5]));
        assert_eq!(group.next(&mut queue, |n| *n), Some(vec![50, 60]));
    }
}
