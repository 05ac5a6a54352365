//! How far a program has come, and where what somebody asks for stands.

/// How far a program has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    /// Number of the segment that grows, or comes next.
    pub next: u64,
    /// Its parts so far.
    pub parts: u64,
    /// Parts of the segment before.
    pub(super) before: u64,
    pub(super) begun: bool,
    pub(super) ended: bool,
}

/// Where something that was asked for stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::media::origin) enum Stands {
    /// It is there, or will never be.
    Decided,
    /// It comes.
    Comes,
    /// Nobody who has read a playlist asks for it.
    TooFarAhead,
}

impl Edge {
    /// Where the playlist stands that lists a part of a segment; `u64::MAX` means all of the segment.
    pub(in crate::media::origin) fn listed(&self, msn: u64, part: u64) -> Stands {
        let newest = if self.parts > 0 { self.next } else { self.next.saturating_sub(1) };
        // A part past a segment's last is the next segment's first.
        let (msn, part) = if part != u64::MAX && msn.saturating_add(1) == self.next && part >= self.before {
            (self.next, 0)
        } else {
            (msn, part)
        };
        if self.ended || !self.begun || msn < self.next || (msn == self.next && part < self.parts) {
            Stands::Decided
        } else if msn > newest.saturating_add(2) {
            Stands::TooFarAhead
        } else {
            Stands::Comes
        }
    }

    /// Where a part stands itself: only the one that the playlist hints at is waited for.
    pub(in crate::media::origin) fn part(&self, msn: u64, part: u64) -> Stands {
        if !self.ended && self.begun && (msn, part) == (self.next, self.parts) {
            Stands::Comes
        } else {
            Stands::Decided
        }
    }
}
