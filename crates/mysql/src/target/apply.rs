//! One worker's part of a group: keyed changes in one transaction.
//!
//! Owns when a part is done again: deadlocks and lock timeouts from its first statement, strict
//! parts that miscounted one change at a time.

use super::Inner;
use super::fault;
use super::transaction::CommitFault;
use super::writer::{WriteFault, Writer};
use std::time::Duration;
use wherry_engine::ports::{ApplyMode, ApplyOutcome};
use wherry_model::{Change, Fault};

/// Deadlocks and lock timeouts of one part before the engine is told.
const APPLY_TRIES_MAX: u32 = 10;

/// Doubles with each try: 20 ms, 40 ms, .. 5 s.
const BACKOFF_FIRST: Duration = Duration::from_millis(20);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

impl Inner {
    pub(super) async fn apply(
        &self,
        changes: &[Change],
        mode: ApplyMode,
    ) -> Result<ApplyOutcome, Fault> {
        if changes.is_empty() {
            return Ok(ApplyOutcome::default());
        }
        let changes: Vec<&Change> = changes.iter().collect();
        if changes.iter().any(|change| change.table.is_applied_once()) {
            return Err(fault::state_moved(
                "a worker was given a change that must be applied once",
            ));
        }
        let mut careful = false;
        let mut tries = 0;
        loop {
            match self.apply_once(&changes, mode, careful).await {
                Ok(outcome) => return Ok(outcome),
                Err(WriteFault::Failed(fault)) => return Err(fault),
                Err(WriteFault::Diverged) if careful => {
                    return Err(fault::state_moved("a careful part miscounted"));
                }
                Err(WriteFault::Diverged) => careful = true,
                Err(WriteFault::Retry(fault)) => {
                    tries += 1;
                    if tries == APPLY_TRIES_MAX {
                        return Err(fault);
                    }
                    tokio::time::sleep(backoff(tries)).await;
                }
            }
        }
    }

    async fn apply_once(
        &self,
        changes: &[&Change],
        mode: ApplyMode,
        careful: bool,
    ) -> Result<ApplyOutcome, WriteFault> {
        let mut transaction = self.begin().await?;
        let mut writer = Writer::new(self, transaction.session());
        let result = writer.keyed(changes, mode, careful).await;
        let (outcome, owes) = (writer.outcome, writer.owes);
        if let Err(fault) = result {
            transaction.rollback().await;
            return Err(fault);
        }
        match transaction.commit().await {
            Ok(()) => {
                if owes {
                    self.owed.note();
                }
                Ok(outcome)
            }
            // Whether it was committed does not matter: the engine goes on idempotently from the
            // stored checkpoint.
            Err(CommitFault::RolledBack(fault) | CommitFault::Unknown(fault)) => {
                self.owed.note();
                Err(fault.into())
            }
        }
    }
}

fn backoff(tries: u32) -> Duration {
    (BACKOFF_FIRST * (1 << tries.min(16))).min(BACKOFF_MAX)
}
