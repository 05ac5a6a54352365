//! Who is called when, and what those who wait are told.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use uuid::Uuid;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn attempt(number: usize) -> Attempt {
    (DonationId(Uuid::from_u64_pair(0, u64::try_from(number).unwrap())), 1)
}

fn line(rate: u32) -> Line {
    Line::new(NonZeroU32::new(rate))
}

fn enter(line: &mut Line, number: usize, now: Duration) -> Option<Ticket> {
    line.hold(attempt(number)).unwrap();
    line.enter(attempt(number), true, now)
}

fn place(line: &Line, number: usize, now: Duration) -> (u32, u32) {
    let place = line.place(attempt(number), now).unwrap();
    (place.ahead, place.seconds)
}

#[test]
fn a_token_is_used_at_once_and_then_people_wait_in_order() {
    let mut line = line(4);
    let at_once: Vec<_> = (1..=20).map(|number| enter(&mut line, number, ms(0)).is_some()).collect();
    assert_eq!(at_once.iter().filter(|called| **called).count(), 1);
    assert_eq!([2, 3, 6, 20].map(|number| place(&line, number, ms(0))), [(1, 1), (2, 1), (5, 2), (19, 5)]);
    assert_eq!(line.next(ms(0)), Next::After(ms(250)));
    let mut order = vec![];
    for at in 0..5000 {
        if let Next::Call(ticket) = line.next(ms(at)) {
            order.push((at, ticket.attempt));
        }
    }
    assert_eq!(
        order,
        (2..=20).map(|number| (250 * (u64::try_from(number).unwrap() - 1), attempt(number))).collect::<Vec<_>>()
    );
}

#[test]
fn who_comes_while_others_wait_is_not_called_before_them() {
    let mut line = line(1);
    enter(&mut line, 1, ms(0));
    enter(&mut line, 2, ms(0));
    // The token is there, and it is the other's.
    assert_eq!(enter(&mut line, 3, ms(1000)), None);
    assert!(matches!(line.next(ms(1000)), Next::Call(ticket) if ticket.attempt == attempt(2)));
}

#[test]
fn an_attempt_stands_here_once_until_it_is_through() {
    let mut line = line(1);
    assert!(enter(&mut line, 1, ms(0)).is_some());
    assert_eq!(line.hold(attempt(1)), Err(Refused::Here));
    line.leave(attempt(1));
    assert_eq!(line.hold(attempt(1)), Ok(()));
    assert_eq!(line.hold(attempt(1)), Err(Refused::Here), "at the door too");
    assert_eq!(line.place(attempt(1), ms(0)), None);
}

#[test]
fn a_refused_call_goes_back_to_where_it_stood_and_all_rest() {
    let mut line = line(20);
    let called: Vec<Ticket> = (1..=12).filter_map(|number| enter(&mut line, number, ms(0))).collect();
    assert_eq!(called.len(), 5);
    let before = [6, 12].map(|number| place(&line, number, ms(0)).0);
    line.put_back(called[3], ms(3000), ms(10));
    line.put_back(called[1], ms(3000), ms(10));
    assert_eq!([6, 12].map(|number| place(&line, number, ms(10)).0), before, "nobody falls back by it");
    // Only those of a lower number are ahead.
    assert_eq!([2, 4].map(|number| place(&line, number, ms(10))), [(1, 3), (3, 4)]);
    assert_eq!(line.next(ms(3009)), Next::After(ms(1)));
    let Next::Call(first) = line.next(ms(3010)) else { panic!("nobody") };
    assert_eq!((first.attempt, first.untried), (attempt(2), true));
    assert_eq!(line.next(ms(3010)), Next::After(ms(50)));
}

#[test]
fn a_processor_that_hangs_is_waited_for_and_the_time_is_told_as_it_is() {
    let mut line = line(2);
    for number in 1..=100 {
        enter(&mut line, number, ms(0));
    }
    let mut called = vec![attempt(1)];
    for at in 0..30_000 {
        if let Next::Call(ticket) = line.next(ms(at)) {
            called.push(ticket.attempt);
        }
    }
    assert_eq!(called.len(), 10, "five seconds' worth are under way");
    assert_eq!(line.next(ms(30_000)), Next::Nobody);
    // By the rate it would be 45 s; in 30 s it moved by nine.
    let (ahead, seconds) = place(&line, 100, ms(30_000));
    assert_eq!(ahead, 99);
    assert!((250..330).contains(&seconds), "{seconds}");
    line.leave(called[0]);
    assert!(matches!(line.next(ms(30_000)), Next::Call(_)));
}

#[test]
fn the_line_has_an_end() {
    let mut line = line(1);
    let let_in = (1..=10_000)
        .take_while(|number| line.hold(attempt(*number)).map(|()| line.wait(attempt(*number), true)).is_ok());
    assert_eq!(let_in.count(), 1800);
    assert_eq!(line.hold(attempt(10_001)), Err(Refused::Full));
    assert_eq!(line.hold(attempt(1)), Err(Refused::Here));
}

#[derive(Clone, Debug)]
enum Step {
    Enter,
    Serve,
    Through(prop::sample::Index),
    Throttled(prop::sample::Index),
}

fn any_step() -> impl Strategy<Value = (u64, Step)> {
    let step = prop_oneof![
        5 => Just(Step::Enter),
        6 => Just(Step::Serve),
        3 => any::<prop::sample::Index>().prop_map(Step::Through),
        1 => any::<prop::sample::Index>().prop_map(Step::Throttled),
    ];
    (0..120_u64, step)
}

proptest! {
    #[test]
    fn nobody_falls_back_nobody_overtakes_and_everybody_is_called(rate in 1..40_u32, steps in prop::collection::vec(any_step(), 1..300)) {
        let mut line = line(rate);
        let (mut now, mut people, mut called, mut through) = (0, 0, Vec::<Ticket>::new(), 0);
        let mut told = BTreeMap::<usize, u32>::new();
        let mut first_calls = vec![];
        let mut note = |ticket: Ticket, called: &mut Vec<Ticket>| {
            if !first_calls.contains(&ticket.attempt) {
                first_calls.push(ticket.attempt);
            }
            called.push(ticket);
        };
        for (wait, step) in steps {
            now += wait;
            match step {
                Step::Enter => {
                    people += 1;
                    if let Some(ticket) = enter(&mut line, people, ms(now)) {
                        note(ticket, &mut called);
                    }
                }
                Step::Serve => {
                    if let Next::Call(ticket) = line.next(ms(now)) {
                        note(ticket, &mut called);
                    }
                }
                Step::Through(index) if !called.is_empty() => {
                    line.leave(called.swap_remove(index.index(called.len())).attempt);
                    through += 1;
                }
                Step::Throttled(index) if !called.is_empty() => {
                    line.put_back(called.swap_remove(index.index(called.len())), ms(1000), ms(now));
                }
                Step::Through(_) | Step::Throttled(_) => {}
            }
            for number in 1..=people {
                let Some(place) = line.place(attempt(number), ms(now)) else { continue };
                let before = told.insert(number, place.ahead).unwrap_or(u32::MAX);
                prop_assert!(place.ahead <= before, "{number} stood at {before} and stands at {}", place.ahead);
            }
        }
        // Whoever is left is called in the end.
        while through < people {
            now += 1000;
            while let Next::Call(ticket) = line.next(ms(now)) {
                note(ticket, &mut called);
            }
            through += called.len();
            called.drain(..).for_each(|ticket| line.leave(ticket.attempt));
        }
        prop_assert!(line.is_empty());
        prop_assert_eq!(first_calls, (1..=people).map(attempt).collect::<Vec<_>>());
    }
}
