use super::*;
use crate::domain::test_kit::usd;

const SENATE: CommitteeId = CommitteeId(1);
const PARTY: CommitteeId = CommitteeId(2);
const PAC: CommitteeId = CommitteeId(3);

fn formula(in_turn: bool, shares: &[u16]) -> Formula {
    let partners = [SENATE, PARTY, PAC].into_iter().zip(shares);
    let partners = partners.map(|(committee, share)| Partner { committee, basis_points: *share }).collect();
    Formula { in_turn, partners }
}

fn room(left: i64) -> PartnerRoom {
    Some(Room { limit: "year".into(), most: usd(500_000), left: usd(left) })
}

/// What each of three gets, and `None` where it does not fit.
fn split(formula: &Formula, minor: i64, rooms: [PartnerRoom; 3]) -> Option<[i64; 3]> {
    let parts = formula.parts(usd(minor), &rooms)?;
    let of = |committee| parts.iter().find(|part| part.committee == committee).map_or(0, |part| part.amount.minor);
    Some([of(SENATE), of(PARTY), of(PAC)])
}

#[test]
fn each_has_its_share_and_the_last_cent_is_somebodys() {
    let thirds = formula(false, &[3_333, 3_333, 3_334]);
    assert_eq!(split(&thirds, 10_000, [None, None, None]), Some([3_333, 3_333, 3_334]));
    assert_eq!(split(&thirds, 100, [None, None, None]), Some([33, 33, 34]));
    assert_eq!(split(&thirds, 1, [None, None, None]), Some([0, 0, 1]));
    let halves = formula(false, &[6_000, 3_000, 1_000]);
    assert_eq!(split(&halves, 5_001, [None, None, None]), Some([3_000, 1_500, 501]));
}

#[test]
fn what_one_may_not_take_goes_to_the_others_by_their_shares() {
    let formula = formula(false, &[6_000, 3_000, 1_000]);
    // Sixty of a hundred, of which it may take twenty: forty go three to one.
    assert_eq!(split(&formula, 10_000, [room(2_000), None, None]), Some([2_000, 6_000, 2_000]));
    assert_eq!(split(&formula, 10_000, [room(0), room(1_000), None]), Some([0, 1_000, 9_000]));
    assert_eq!(split(&formula, 10_000, [room(9_000), room(500), room(500)]), Some([9_000, 500, 500]));
    assert_eq!(split(&formula, 10_001, [room(9_000), room(500), room(500)]), None);
    assert_eq!(split(&formula, 100, [room(0), room(0), room(0)]), None);
}

#[test]
fn in_turn_each_takes_all_it_may() {
    let formula = formula(true, &[0, 0, 0]);
    assert_eq!(split(&formula, 10_000, [None, None, None]), Some([10_000, 0, 0]));
    assert_eq!(split(&formula, 10_000, [room(3_300), room(5_000), None]), Some([3_300, 5_000, 1_700]));
    assert_eq!(split(&formula, 10_000, [room(3_300), room(5_000), room(1_699)]), None);
}

#[test]
fn all_together_have_the_room_of_all() {
    let formula = formula(true, &[0, 0, 0]);
    let all = formula.room(&[room(100), room(0), room(50)], Currency::USD).unwrap();
    assert_eq!((all.most, all.left), (usd(1_500_000), usd(150)));
    assert_eq!(formula.room(&[room(100), None, room(50)], Currency::USD), None);
}

#[test]
fn any_sum_is_shared_out_to_the_last_unit_and_nobody_takes_more_than_they_may() {
    let mut seed = 7_u64;
    let mut draw = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((seed >> 33) % below).unwrap()
    };
    for _ in 0..20_000 {
        let first = 1 + draw(9_997);
        let second = 1 + draw(9_998 - u64::try_from(first).unwrap());
        let shares = [first, second, 10_000 - first - second].map(|share| u16::try_from(share).unwrap());
        let formula = formula(draw(2) == 0, &shares);
        let minor = 1 + draw(1_000_000);
        let rooms = [0; 3].map(|_| if draw(3) == 0 { None } else { room(draw(500_000)) });
        let most = formula.room(&rooms, Currency::USD).map_or(i64::MAX, |room| room.left.minor);
        match split(&formula, minor, rooms.clone()) {
            None => assert!(minor > most, "{formula:?} {minor} {rooms:?}"),
            Some(parts) => {
                assert_eq!(parts.iter().sum::<i64>(), minor);
                for (part, room) in parts.into_iter().zip(&rooms) {
                    assert!((0..=room.as_ref().map_or(i64::MAX, |room| room.left.minor)).contains(&part));
                }
            }
        }
        let back = draw(1_000_000);
        let weights = [draw(100), draw(100), 1 + draw(100)];
        let shares = in_proportion(back, &weights).unwrap();
        assert_eq!(shares.iter().sum::<i64>(), back);
        for (share, weight) in shares.iter().zip(weights) {
            let exact = i128::from(back) * i128::from(weight) / i128::from(weights.iter().sum::<i64>());
            assert!((i128::from(*share) - exact).abs() <= 1, "{back} {weights:?} {shares:?}");
        }
    }
    assert_eq!(in_proportion(5, &[0, 0]), None);
}
