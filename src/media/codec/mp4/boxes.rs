//! Boxes within boxes.

/// A body's boxes, by name; it ends at the first that does not fit.
pub(super) fn children(mut body: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let head = super::head(body.get(..body.len().min(16))?).ok()?;
        let size = match head.size {
            Some(size) => usize::try_from(size).ok()?,
            None => body.len(),
        };
        let (this, rest) = body.split_at_checked(size)?;
        body = rest;
        let name = this.get(4..8)?.first_chunk::<4>()?;
        Some((name, this.get(usize::try_from(head.head).ok()?..)?))
    })
}

/// The first box of this name.
pub(super) fn find<'a>(body: &'a [u8], wanted: &[u8; 4]) -> Option<&'a [u8]> {
    children(body).find(|(name, _)| *name == wanted).map(|(_, body)| body)
}

/// A big-endian number of 32 bits at a place.
pub(super) fn u32_at(body: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*body.get(at..at.checked_add(4)?)?.first_chunk()?))
}

/// A big-endian number of 64 bits at a place.
pub(super) fn u64_at(body: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*body.get(at..at.checked_add(8)?)?.first_chunk()?))
}
