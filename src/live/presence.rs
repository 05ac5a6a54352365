//! Who is in the room: a person is here while at least one of their pages holds its live connection.

use crate::domain::id::{PersonId, RallyId};
use crate::domain::{Command, attendance};
use crate::engine::Engine;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// How long a person may be gone before they count as gone: a reload or a change of network is not leaving.
const GRACE: Duration = Duration::from_secs(12);

type Seat = (RallyId, PersonId);

#[derive(Default)]
struct Open {
    pages: u32,
    /// Rises with each page that opens, so that a waiting departure knows it was overtaken.
    arrivals: u64,
}

/// The open pages of every person. Cheap to clone.
#[derive(Clone)]
pub struct Presence {
    engine: Engine,
    open: Arc<Mutex<HashMap<Seat, Open>>>,
}

/// One open page; dropping it closes it.
pub struct Page {
    presence: Presence,
    seat: Seat,
}

impl Presence {
    /// Nobody is here.
    pub fn new(engine: Engine) -> Self {
        Self { engine, open: Arc::default() }
    }

    /// A page of a person who joined opened its live connection.
    pub fn enter(&self, rally: RallyId, person: PersonId) -> Page {
        let seat = (rally, person);
        let mut open = self.open.lock();
        let entry = open.entry(seat).or_default();
        entry.pages = entry.pages.saturating_add(1);
        entry.arrivals = entry.arrivals.saturating_add(1);
        if entry.pages == 1 {
            // Told under the lock, so that coming and going are decided in the order in which they happened.
            self.tell(attendance::Command::Enter { rally, person }, person);
        }
        drop(open);
        Page { presence: self.clone(), seat }
    }

    fn leave(&self, seat: Seat) {
        let arrivals = {
            let mut open = self.open.lock();
            let Some(entry) = open.get_mut(&seat) else { return };
            entry.pages = entry.pages.saturating_sub(1);
            if entry.pages > 0 {
                return;
            }
            entry.arrivals
        };
        let presence = self.clone();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            tokio::time::sleep(GRACE).await;
            let mut open = presence.open.lock();
            let stayed_away = open.get(&seat).is_some_and(|entry| entry.pages == 0 && entry.arrivals == arrivals);
            if stayed_away {
                open.remove(&seat);
                let (rally, person) = seat;
                presence.tell(attendance::Command::Leave { rally, person }, person);
            }
        });
    }

    fn tell(&self, command: attendance::Command, person: PersonId) {
        let key = format!("presence:{}", Uuid::now_v7());
        // A refusal here has nobody to be told to, and the next page that opens or closes says it again.
        if let Err(failure) = self.engine.submit(Command::Attendance(command), key, &format!("attendee:{person}")) {
            tracing::warn!(%failure, "presence was not recorded");
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.presence.leave(self.seat);
    }
}
