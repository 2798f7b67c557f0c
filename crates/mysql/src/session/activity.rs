//! Which statements are under way, so that a server that does not answer can be named.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use wherry_engine::ports::Unanswered;

/// Longest label that is kept.
const LABEL_LENGTH_MAX: usize = 100;

/// The statements under way in all sessions that share this registry.
#[derive(Debug, Default)]
pub struct Activity {
    next: AtomicU64,
    running: Mutex<HashMap<u64, (String, Instant)>>,
}

impl Activity {
    /// Statements that have had no answer for at least `seconds`, the longest first.
    pub fn unanswered(&self, seconds: u64) -> Vec<Unanswered> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<Unanswered> = running
            .values()
            .map(|(label, since)| Unanswered {
                statement: label.clone(),
                since_seconds: since.elapsed().as_secs(),
            })
            .filter(|statement| statement.since_seconds >= seconds)
            .collect();
        found.sort_by_key(|statement| std::cmp::Reverse(statement.since_seconds));
        found
    }

    /// Notes that a statement began; the number ends it.
    pub(super) fn begin(&self, label: &str) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let label = label.chars().take(LABEL_LENGTH_MAX).collect();
        self.running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(number, (label, Instant::now()));
        number
    }

    pub(super) fn end(&self, number: u64) {
        self.running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_listed_while_they_run() {
        let activity = Activity::default();
        let load = activity.begin("load shop.orders chunk 3");
        let other = activity.begin(&"x".repeat(500));
        activity.end(other);
        let found = activity.unanswered(0);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].statement, "load shop.orders chunk 3");
        assert!(activity.unanswered(5).is_empty());
        activity.end(load);
        assert!(activity.unanswered(0).is_empty());
    }
}
