//! The last transaction of a group: exact changes, the keyed ones of a small group, and the checkpoint.
//!
//! Everything in it and the new position are committed together or not at all. Low latency:
//! beginning is one packet, moving the checkpoint with COMMIT is another.

use super::Inner;
use super::fault;
use super::store::{checkpoint_of, checkpoint_texts};
use super::transaction::{CommitError, Transaction};
use super::writer::{WriteFault, Writer};
use async_trait::async_trait;
use std::sync::Arc;
use wherry_engine::ports::{ApplyMode, ApplyOutcome, GroupCommit};
use wherry_engine::state::Checkpoint;
use wherry_model::{Change, Class, Fault, SkippedRows};

/// Where the changes of one `add` began, to do them again one at a time.
const SAVEPOINT: &str = "SAVEPOINT wherry_part";
const ROLLBACK_TO_SAVEPOINT: &str = "ROLLBACK TO SAVEPOINT wherry_part";

pub(super) struct Group {
    inner: Arc<Inner>,
    transaction: Transaction,
    mode: ApplyMode,
    /// A savepoint was set and nothing was written since.
    fresh: bool,
    owes: bool,
    /// Changes or counts that must not be done twice are in the transaction.
    holds_exact: bool,
    /// See `Writer`; a group may come in several parts.
    cascaded: bool,
}

pub(super) async fn open(inner: Arc<Inner>, mode: ApplyMode) -> Result<Group, Fault> {
    let extra = format!(";{};{SAVEPOINT}", inner.state.lock_checkpoint());
    let transaction = inner.begin_with(inner.guard()?, &extra).await?;
    Ok(Group {
        inner,
        transaction,
        mode,
        fresh: true,
        owes: false,
        holds_exact: false,
        cascaded: false,
    })
}

impl Group {
    async fn write(
        &mut self,
        changes: &[&Change],
        careful: bool,
    ) -> Result<ApplyOutcome, WriteFault> {
        // Exact tables have no row in common with the others, and no foreign key that is checked,
        // so the two orders are independent.
        let (exact, keyed): (Vec<&Change>, Vec<&Change>) = changes
            .iter()
            .partition(|change| change.table.is_applied_once());
        self.holds_exact |= !exact.is_empty();
        let mut writer = Writer::new(&self.inner, self.transaction.session());
        writer.cascaded = self.cascaded;
        writer.keyed(&keyed, self.mode, careful).await?;
        writer.exact(&exact).await?;
        let outcome = writer.outcome;
        self.owes |= writer.owes;
        self.cascaded = writer.cascaded;
        Ok(outcome)
    }

    async fn savepoint(&mut self) -> Result<(), Fault> {
        if !self.fresh {
            self.transaction
                .session()
                .execute(SAVEPOINT)
                .await
                .map_err(|error| error.into_fault())?;
        }
        self.fresh = false;
        Ok(())
    }
}

#[async_trait]
impl GroupCommit for Group {
    async fn add(&mut self, changes: &[Change]) -> Result<ApplyOutcome, Fault> {
        if changes.is_empty() {
            return Ok(ApplyOutcome::default());
        }
        let changes: Vec<&Change> = changes.iter().collect();
        self.savepoint().await?;
        let fault = match self.write(&changes, false).await {
            Ok(outcome) => return Ok(outcome),
            Err(WriteFault::Diverged) => {
                self.transaction
                    .session()
                    .execute(ROLLBACK_TO_SAVEPOINT)
                    .await
                    .map_err(|error| error.into_fault())?;
                match self.write(&changes, true).await {
                    Ok(outcome) => return Ok(outcome),
                    Err(WriteFault::Diverged) => fault::state_moved("a careful part miscounted"),
                    Err(WriteFault::Retry(fault) | WriteFault::Failed(fault)) => fault,
                }
            }
            Err(WriteFault::Retry(mut fault)) => {
                // A deadlock ended the whole transaction, with what earlier calls had added.
                fault.class = Class::Transient;
                fault
            }
            Err(WriteFault::Failed(fault)) => fault,
        };
        Err(fault)
    }

    async fn note_skipped(&mut self, skipped: &SkippedRows) -> Result<(), Fault> {
        self.fresh = false;
        self.holds_exact = true;
        for (table, skipped) in skipped.iter() {
            let session = self.transaction.session();
            self.inner.add_skipped(session, table, skipped).await?;
        }
        Ok(())
    }

    async fn finish(self: Box<Self>, before: &Checkpoint, after: &Checkpoint) -> Result<(), Fault> {
        let group = *self;
        if group.holds_exact && before == after {
            return Err(fault::state_moved(
                "what must happen once was to be committed without a new position",
            ));
        }
        let (from, to) = (checkpoint_texts(before)?, checkpoint_texts(after)?);
        let sql = format!(
            "{};COMMIT",
            group
                .inner
                .state
                .move_checkpoint([&from[0], &from[1]], [&to[0], &to[1]])
        );
        let inner = group.inner;
        match group.transaction.commit_with(&sql).await {
            Ok(outcomes)
                if outcomes
                    .first()
                    .is_some_and(|first| first.affected_rows == 1) => {}
            Ok(_) => return Err(fault::state_moved("the task has no checkpoint")),
            Err(CommitError::Refused(error))
                if error.server_code() == Some(fault::NULL_NOT_ALLOWED) =>
            {
                return Err(fault::state_moved(
                    "the checkpoint was moved by someone else",
                ));
            }
            Err(CommitError::Refused(error)) => return Err(error.into_fault()),
            Err(CommitError::Lost(lost)) => inner.resolve_commit(lost, before, after).await?,
        }
        if group.owes {
            inner.owed.note();
        }
        inner.note_checkpoint(after);
        Ok(())
    }
}

impl Inner {
    /// Tells whether a transaction whose answer was lost was committed. The locking read waits
    /// until it has ended; a plain one would show the old value while it still commits.
    pub(super) async fn resolve_commit(
        &self,
        lost: Fault,
        before: &Checkpoint,
        after: &Checkpoint,
    ) -> Result<(), Fault> {
        let mut transaction = self.begin().await?;
        let sql = format!("{} FOR UPDATE", self.state.select_checkpoint());
        let rows = transaction
            .session()
            .query(sql)
            .await
            .map_err(|error| self.state_fault(error))?;
        let stored = checkpoint_of(&rows)?;
        transaction.rollback().await;
        match stored {
            Some(stored) if stored == *after => Ok(()),
            Some(stored) if stored == *before => Err(lost),
            _ => Err(fault::state_moved(
                "the checkpoint was moved by someone else",
            )),
        }
    }
}
