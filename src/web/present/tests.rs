//! The figure everybody looks at.

use super::*;
use crate::domain::test_kit::*;
use crate::projections::test_kit::{folded, pledged, settled};

#[test]
fn milestones_are_reached_at_their_mark() {
    // The goal is $250,000.
    for (minor, reached) in [
        (6_249_999, [false, false, false]),
        (6_250_000, [true, false, false]),
        (12_500_000, [true, true, false]),
        (18_750_000, [true, true, true]),
    ] {
        let world = folded([(0, created()), (1, pledged(1, minor, None)), (2, settled(1, minor))]);
        let total = total(&world, RALLY, world.state.rallies.get(RALLY).unwrap());
        let marks: Vec<_> = total.milestones.iter().map(|mark| (mark.percent, mark.reached)).collect();
        assert_eq!(marks, [25, 50, 75].into_iter().zip(reached).collect::<Vec<_>>(), "{minor}");
    }
}
