//! The tree over a frame's lines, of the shape of RFC 6962: neighbours are joined two by two, level by level, and an odd one
//! at the end of a level goes up as it is.

/// Keys that keep the hash of a line, that of a node and that of a header apart. Keys instead of a prefix byte, because a
/// node of two hashes then fills exactly one block of BLAKE3.
const LEAF_KEY: &[u8; 32] = b"groundswell log frame v2 / line ";
const NODE_KEY: &[u8; 32] = b"groundswell log frame v2 / node ";

/// The hash of a line, which comes without its line feed.
pub fn leaf(line: &[u8]) -> [u8; 32] {
    *blake3::keyed_hash(LEAF_KEY, line).as_bytes()
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut both = [0_u8; 64];
    let (first, second) = both.split_at_mut(32);
    first.copy_from_slice(left);
    second.copy_from_slice(right);
    *blake3::keyed_hash(NODE_KEY, &both).as_bytes()
}

fn level_above(level: &[[u8; 32]]) -> Vec<[u8; 32]> {
    let (pairs, odd) = level.as_chunks::<2>();
    pairs.iter().map(|[left, right]| node(left, right)).chain(odd.iter().copied()).collect()
}

/// The root over the hashes of at least one line; zeros over none.
pub fn root(mut level: Vec<[u8; 32]>) -> [u8; 32] {
    while level.len() > 1 {
        level = level_above(&level);
    }
    level.first().copied().unwrap_or([0; 32])
}

/// The hashes that lead from leaf `index` (from 0) to the root, lowest first; `None` when there is no such leaf.
pub fn path(mut level: Vec<[u8; 32]>, mut index: usize) -> Option<Vec<[u8; 32]>> {
    level.get(index)?;
    let mut path = Vec::new();
    while level.len() > 1 {
        path.extend(level.get(index ^ 1));
        level = level_above(&level);
        index /= 2;
    }
    Some(path)
}

/// The root that leaf `index` of `count` and its path lead to; `None` when the path is not as long as it must be.
pub fn climb(leaf: [u8; 32], mut index: u32, mut count: u32, path: &[[u8; 32]]) -> Option<[u8; 32]> {
    if index >= count {
        return None;
    }
    let (mut hash, mut path) = (leaf, path.iter());
    while count > 1 {
        if index % 2 == 1 {
            hash = node(path.next()?, &hash);
        } else if index < count.saturating_sub(1) {
            hash = node(&hash, path.next()?);
        }
        index /= 2;
        count = count.div_ceil(2);
    }
    if path.next().is_none() { Some(hash) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6962, section 2.1, as it is written: split at the largest power of two below the number of leaves.
    fn by_the_book(leaves: &[[u8; 32]]) -> [u8; 32] {
        match leaves {
            [one] => *one,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node(&by_the_book(left), &by_the_book(right))
            }
        }
    }

    #[test]
    fn every_line_leads_to_the_root_and_no_other_place_does() {
        for count in 1..70_u32 {
            let leaves: Vec<_> = (0..count).map(|n| leaf(&n.to_le_bytes())).collect();
            let root = root(leaves.clone());
            assert_eq!(root, by_the_book(&leaves));
            for (index, own) in (0..).zip(leaves.iter().copied()) {
                let path = path(leaves.clone(), usize::try_from(index).unwrap()).unwrap();
                assert_eq!(climb(own, index, count, &path), Some(root), "{index} of {count}");
                let others = (0..count + 1).filter(|other| *other != index);
                assert!(others.map(|other| climb(own, other, count, &path)).all(|found| found != Some(root)));
                assert_eq!(climb(own, index, count, &[path.as_slice(), &[[0; 32]]].concat()), None);
                assert!(path.is_empty() || climb(own, index, count, &path[1..]).is_none());
            }
            assert_eq!(path(leaves.clone(), leaves.len()), None);
        }
    }

    #[test]
    fn a_line_is_no_node_and_a_node_is_no_line() {
        let (a, b) = (leaf(b"a"), leaf(b"b"));
        assert_ne!(leaf(&[a, b].concat()), node(&a, &b));
        assert_ne!(*blake3::hash(b"a").as_bytes(), a);
    }
}
