//! Whether any key may be owed, so that apply does not ask the server for nothing.

use std::sync::atomic::{AtomicU64, Ordering};

/// A marker that is only ever wrong in the safe direction: it may say "maybe" for too long.
#[derive(Debug, Default)]
pub(super) struct OwedMark {
    /// 0: surely none. Otherwise the number of the last time that a key was noted.
    noted: AtomicU64,
    count: AtomicU64,
}

impl OwedMark {
    /// To be called before a key is written and again after its commit.
    pub(super) fn note(&self) {
        let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        self.noted.store(number, Ordering::SeqCst);
    }

    pub(super) fn any(&self) -> bool {
        self.noted.load(Ordering::SeqCst) != 0
    }

    /// To be read before the table is; `clear` takes it.
    pub(super) fn read(&self) -> u64 {
        self.noted.load(Ordering::SeqCst)
    }

    /// Nothing was owed when the table was read; keys noted since `seen` keep the mark.
    pub(super) fn clear(&self, seen: u64) {
        let _ = self
            .noted
            .compare_exchange(seen, 0, Ordering::SeqCst, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_noted_meanwhile_keeps_the_mark() {
        let mark = OwedMark::default();
        assert!(!mark.any());
        mark.note();
        let seen = mark.read();
        mark.note();
        mark.clear(seen);
        assert!(mark.any());
        mark.clear(mark.read());
        assert!(!mark.any());
    }
}
