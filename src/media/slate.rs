//! The slate: the picture that stands on program when nobody is on, so that the program never stops.
//!
//! It is a source like any other, and attaches only while its program needs it. A card is encoded once and then repeated by
//! frames which say "as before", so a slate costs next to nothing; a countdown costs one keyframe a second.

mod canvas;
mod card;
mod letters;
mod press;

use super::switcher::{Feed, Standby, Switcher};
use super::{Frame, Track};
use card::Card;
pub use card::{Standing, Words};
use press::{Press, PressError, Print};
use std::sync::Weak;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

/// Pictures a second: each part of a third of a second has five.
const FRAMES_PER_S: u32 = 15;

/// From one picture to the next.
const FRAME_TIME: Duration = Duration::from_nanos(66_666_667);

/// From one picture to the next, in ticks.
const FRAME_TICKS: i64 = 6_000;

/// Pictures from one keyframe to the next: a second, which is also how often a countdown changes.
const GROUP_FRAMES: u32 = FRAMES_PER_S;

/// How often a program is looked at for whether it needs its slate: small beside the grace time.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The last words stand this long: long enough to be read and to clap.
const THANKS_TIME: Duration = Duration::from_secs(8);

/// A machine that slept so long goes on from now instead of sending what it missed.
const BEHIND_MAX: Duration = Duration::from_secs(1);

/// Stands by for a program until it has ended or nobody holds the words' other end any more.
pub(super) async fn stand_by(switcher: Weak<Switcher>, standby: Standby, mut words: watch::Receiver<Words>) {
    let mut slate = Slate::default();
    loop {
        tokio::select! {
            changed = words.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = standby.called.notified() => {}
            () = sleep(LOOK_EVERY) => {}
        }
        let Some(here) = switcher.upgrade() else { return };
        if !here.needs_slate(standby.program) {
            continue;
        }
        // Nobody else attaches under the program's own id.
        let Ok(mut feed) = here.attach(standby.source) else { continue };
        feed.without_sound();
        let left = slate.stand(&here, &standby, &mut feed, &mut words).await;
        // An encoder holds some megabytes; most of the time a program has somebody on.
        slate.press = None;
        match left {
            Ok(Left::Replaced) => {}
            Ok(Left::Over) => {
                drop(feed);
                here.end(standby.program);
                return;
            }
            Err(error) => {
                tracing::error!(%error, program = %standby.program, "the program stands still while nobody is on");
                return;
            }
        }
    }
}

/// Why a slate stands no more.
enum Left {
    /// Somebody is on.
    Replaced,
    /// The last words were said.
    Over,
}

/// What a slate keeps from one time to the next.
#[derive(Default)]
struct Slate {
    press: Option<Press>,
    printed: Option<(Card, Print)>,
}

impl Slate {
    /// Sends pictures until the program has somebody else.
    async fn stand(
        &mut self,
        switcher: &Switcher,
        standby: &Standby,
        feed: &mut Feed,
        words: &mut watch::Receiver<Words>,
    ) -> Result<Left, PressError> {
        let (mut due, mut at) = (Instant::now(), 0_i64);
        let mut thanked: Option<Instant> = None;
        loop {
            let said = words.borrow_and_update().clone();
            if said.standing == Standing::Thanks {
                let since = *thanked.get_or_insert_with(Instant::now);
                if since.elapsed() >= THANKS_TIME {
                    return Ok(Left::Over);
                }
            }
            let print = self.print(said.card(switcher.now_ms())).await?;
            feed.set_video(print.config.clone());
            for index in 0..GROUP_FRAMES {
                let data = if index == 0 { print.keyframe.clone() } else { print.repeat.frame(index) };
                let frame =
                    Frame { track: Track::Video, pts: at, dts: at, keyframe: index == 0, data, lower: Vec::new() };
                // It fails for want of pictures only, and this is one.
                let _ = feed.push(frame);
                at += FRAME_TICKS;
                due += FRAME_TIME;
                let now = Instant::now();
                if now.saturating_duration_since(due) > BEHIND_MAX {
                    due = now;
                }
                sleep_until(due).await;
                if !switcher.needs_slate(standby.program) {
                    return Ok(Left::Replaced);
                }
                if words.has_changed().unwrap_or(true) {
                    // New words stand on a keyframe of their own, at once.
                    break;
                }
            }
            if words.has_changed().is_err() {
                return Ok(Left::Replaced);
            }
        }
    }

    /// The card as video; made anew only if it says something else.
    async fn print(&mut self, card: Card) -> Result<Print, PressError> {
        if let Some((printed, print)) = &self.printed
            && *printed == card
        {
            return Ok(print.clone());
        }
        let mut press = match self.press.take() {
            Some(press) => press,
            None => Press::new()?,
        };
        // Ten milliseconds of computing stand in nobody's way on a thread of their own.
        let work = move || {
            let print = press.print(&card);
            (press, card, print)
        };
        let Ok((press, card, print)) = tokio::task::spawn_blocking(work).await else { return Err(PressError::Stopped) };
        self.press = Some(press);
        let print = print?;
        self.printed = Some((card, print.clone()));
        Ok(print)
    }
}
