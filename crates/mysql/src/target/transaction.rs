//! Transactions in the target: each reads its epoch row first and ends when another runner took over.
//!
//! Owns how a transaction begins, commits and is given up. Nothing else in this module's
//! neighbours may start one, except the claim itself.

use super::Inner;
use super::fault;
use crate::session::{Outcome, PooledSession, SessionError};
use std::sync::atomic::Ordering;
use wherry_model::Fault;

/// Seconds after which the server ends a session that sits in a transaction: a runner that was
/// stopped holds its epoch row no longer than this. Shorter than `claim::EPOCH_WAIT_MAX`.
const IDLE_SECONDS_MAX: u32 = 60;

/// Pooled sessions may have died of idleness; so many are tried before the server counts as gone.
const BEGIN_TRIES_MAX: usize = 6;

/// What the epoch row must say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard {
    /// The epoch that this runner took.
    Epoch(u64),
    /// The task is cut over; only forward steps remain.
    AfterFence,
}

/// An open transaction that holds its epoch row. Dropped before its end it closes the connection,
/// because the pool takes no session back that is in a transaction; so the server rolls back.
pub(super) struct Transaction {
    session: Option<PooledSession>,
}

/// A COMMIT that did not succeed.
pub(super) enum CommitFault {
    /// The server said that nothing was committed.
    RolledBack(Fault),
    /// The answer was lost; a locking read tells.
    Unknown(Fault),
}

impl CommitFault {
    pub(super) fn into_fault(self) -> Fault {
        match self {
            CommitFault::RolledBack(fault) | CommitFault::Unknown(fault) => fault,
        }
    }
}

impl Inner {
    pub(super) fn guard(&self) -> Result<Guard, Fault> {
        match self.epoch.load(Ordering::SeqCst) {
            0 => Err(fault::not_claimed()),
            epoch => Ok(Guard::Epoch(epoch)),
        }
    }

    /// Begins a transaction under the epoch of this runner.
    pub(super) async fn begin(&self) -> Result<Transaction, Fault> {
        self.begin_with(self.guard()?, "").await
    }

    /// Begins a transaction and runs `extra`, which begins with a semicolon, in the same packet.
    pub(super) async fn begin_with(&self, guard: Guard, extra: &str) -> Result<Transaction, Fault> {
        // The ROLLBACK is for a session that came back to the pool from a cancelled transaction:
        // START TRANSACTION alone would commit what that one had written.
        let sql = format!(
            "ROLLBACK;\
             SET SESSION wait_timeout={IDLE_SECONDS_MAX},net_read_timeout={IDLE_SECONDS_MAX},character_set_results=NULL,foreign_key_checks=0;\
             START TRANSACTION;{}{extra}",
            self.state.read_epoch(guard)
        );
        let mut tries = 0;
        loop {
            tries += 1;
            let mut session = self.session().await?;
            match session.execute_many(&sql).await {
                Ok(outcomes) => return opened(session, &outcomes),
                // Nothing was written yet, so another session may be tried at once.
                Err(error) if fault::is_lost(&error) && tries < BEGIN_TRIES_MAX => {}
                Err(error) => return Err(self.state_fault(error)),
            }
        }
    }

    pub(super) async fn session(&self) -> Result<PooledSession, Fault> {
        self.pool.get().await.map_err(SessionError::into_fault)
    }

    /// Runs statements on Wherry's own tables in one transaction of their own.
    pub(super) async fn write_state(&self, statements: &[String]) -> Result<Vec<Outcome>, Fault> {
        let guard = self.guard()?;
        self.write_state_guarded(guard, statements).await
    }

    pub(super) async fn write_state_guarded(
        &self,
        guard: Guard,
        statements: &[String],
    ) -> Result<Vec<Outcome>, Fault> {
        let mut transaction = self.begin_with(guard, "").await?;
        let result = transaction
            .session()
            .execute_many(statements.join(";"))
            .await;
        match result {
            Ok(outcomes) => {
                transaction
                    .commit()
                    .await
                    .map_err(CommitFault::into_fault)?;
                Ok(outcomes)
            }
            Err(error) => {
                transaction.rollback().await;
                Err(self.state_fault(error))
            }
        }
    }

    /// A refused statement on Wherry's own tables.
    pub(super) fn state_fault(&self, error: SessionError) -> Fault {
        match error.server_code() {
            Some(fault::UNKNOWN_DATABASE | fault::UNKNOWN_TABLE) => Fault::operator(
                "TGT-006",
                format!(
                    "Wherry's state database `{}` is gone from the target",
                    self.state.database()
                ),
            )
            .hint("Restore the state database, or start the task anew in an empty target."),
            _ => error.into_fault(),
        }
    }
}

fn opened(session: PooledSession, outcomes: &[Outcome]) -> Result<Transaction, Fault> {
    /// ROLLBACK, SET and START TRANSACTION come before the read of the epoch.
    const EPOCH_STATEMENT: usize = 3;
    let held = outcomes
        .get(EPOCH_STATEMENT)
        .is_some_and(|outcome| outcome.affected_rows == 1);
    if held {
        return Ok(Transaction {
            session: Some(session),
        });
    }
    Err(fault::taken_over())
}

impl Transaction {
    pub(super) fn session(&mut self) -> &mut PooledSession {
        self.session
            .as_mut()
            .expect("the session is there until commit or rollback")
    }

    /// Commits; the session goes back to the pool.
    pub(super) async fn commit(mut self) -> Result<(), CommitFault> {
        match self.session().execute("COMMIT").await {
            Ok(_) => {
                self.session = None;
                Ok(())
            }
            Err(error) => Err(self.failed_commit(error)),
        }
    }

    /// Runs `sql`, whose last statement is COMMIT.
    pub(super) async fn commit_with(mut self, sql: &str) -> Result<Vec<Outcome>, CommitError> {
        match self.session().execute_many(sql).await {
            Ok(outcomes) => {
                self.session = None;
                Ok(outcomes)
            }
            Err(error) if fault::is_answered(&error) => {
                self.rollback().await;
                Err(CommitError::Refused(error))
            }
            Err(error) => Err(CommitError::Lost(self.failed_commit(error).into_fault())),
        }
    }

    /// Ends without a trace. A connection that does not answer is closed.
    pub(super) async fn rollback(mut self) {
        if self.session().execute("ROLLBACK").await.is_ok() {
            self.session = None;
        }
    }

    fn failed_commit(&mut self, error: SessionError) -> CommitFault {
        if fault::is_answered(&error) {
            return CommitFault::RolledBack(error.into_fault());
        }
        let mut unknown = error.into_fault();
        unknown.class = wherry_model::Class::Transient;
        CommitFault::Unknown(unknown)
    }
}

/// Why `Transaction::commit_with` failed.
pub(super) enum CommitError {
    Refused(SessionError),
    Lost(Fault),
}
