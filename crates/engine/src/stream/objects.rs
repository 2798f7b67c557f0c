//! When the stream syncs views, routines, triggers and events.

use std::time::{Duration, Instant};

/// Objects are synced when nothing has come for so long after a definition change.
pub(super) const OBJECTS_AFTER_QUIET: Duration = Duration::from_millis(300);

/// On a busy stream syncs take at most this share of the time, as one part of so many.
const BUSY_SHARE: u32 = 10;
const BUSY_PAUSE_MIN: Duration = Duration::from_secs(2);

/// A definition change asks for a sync; many of them in a row share one.
pub(super) struct ObjectTurn {
    /// A definition changed since the last sync began.
    pub(super) changed: bool,
    began: Instant,
    /// On a busy stream not before this.
    next: Instant,
}

impl ObjectTurn {
    /// The runner before may have passed a change and ended before it synced.
    pub(super) fn new() -> ObjectTurn {
        let now = Instant::now();
        ObjectTurn {
            changed: true,
            began: now,
            next: now,
        }
    }

    /// True where a sync is wanted although the stream does not rest.
    pub(super) fn is_due(&self) -> bool {
        self.changed && Instant::now() >= self.next
    }

    pub(super) fn begin(&mut self) {
        self.began = Instant::now();
    }

    pub(super) fn end(&mut self) {
        let pause = (self.began.elapsed() * BUSY_SHARE).max(BUSY_PAUSE_MIN);
        self.next = Instant::now() + pause;
        self.changed = false;
    }
}
