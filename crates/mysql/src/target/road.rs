//! The DDL road: the one way in which definitions in the target are changed.
//!
//! Owns the order of named lock and epoch. Whoever takes the task over first raises the epoch and
//! then waits for the lock; whoever changes a definition first takes the lock and then reads the
//! epoch. So a change never runs after its runner was replaced.

use super::Inner;
use super::claim::{release_lock, take_lock};
use super::fault;
use super::transaction::Guard;
use crate::session::{Endpoint, Outcome, Session, SessionError, SessionKind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::MutexGuard;
use wherry_model::{Fault, TableName};

/// An earlier session of this task may still be building an index although its client is gone.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(3600);
const LOCK_STEP_SECONDS: u64 = 5;

/// Building the indexes of a large table takes hours, in silence.
const STATEMENT_WAIT_MAX: Duration = Duration::from_secs(48 * 3600);

/// Waiting for users of a table who hold its metadata lock; the engine tries again.
const METADATA_WAIT_SECONDS: u32 = 300;

/// A session that may change definitions. Dropping it frees the lock when its statement has ended.
pub(super) struct Road<'a> {
    session: Session,
    lock: String,
    _turn: MutexGuard<'a, ()>,
}

impl Inner {
    pub(super) async fn open_road(&self) -> Result<Road<'_>, Fault> {
        self.open_road_under(self.guard()?).await
    }

    pub(super) async fn open_road_under(&self, guard: Guard) -> Result<Road<'_>, Fault> {
        let turn = self.road.lock().await;
        let endpoint = Endpoint {
            read_timeout: STATEMENT_WAIT_MAX,
            ..self.pool.endpoint().clone()
        };
        let mut session = Session::connect(&endpoint, SessionKind::Write)
            .await
            .map_err(SessionError::into_fault)?;
        session.set_activity(Arc::clone(&self.activity));
        session.set_label("wait for the lock of definitions");
        session
            .execute(format!(
                "SET SESSION wait_timeout=28800,lock_wait_timeout={METADATA_WAIT_SECONDS}"
            ))
            .await
            .map_err(SessionError::into_fault)?;
        let lock = self.state.ddl_lock();
        let begin = Instant::now();
        while !take_lock(&mut session, &lock, LOCK_STEP_SECONDS).await? {
            self.check_epoch(&mut session, guard).await?;
            if begin.elapsed() > LOCK_WAIT_MAX {
                return Err(Fault::transient(
                    "TGT-041",
                    "an earlier change of a definition still holds the lock",
                )
                .hint(
                    "Look for the statement in the target's process list; wait for it or end it.",
                ));
            }
        }
        self.check_epoch(&mut session, guard).await?;
        Ok(Road {
            session,
            lock,
            _turn: turn,
        })
    }

    async fn check_epoch(&self, session: &mut Session, guard: Guard) -> Result<(), Fault> {
        let rows = session
            .query(self.state.select_epoch())
            .await
            .map_err(|error| self.state_fault(error))?;
        let stored: Option<u64> = rows.text(0, 0).and_then(|text| text.parse().ok());
        let holds = match guard {
            Guard::Epoch(epoch) => stored == Some(epoch),
            Guard::AfterFence => !rows.is_empty() && rows.bytes(0, 0).is_none(),
        };
        if holds {
            Ok(())
        } else {
            Err(fault::taken_over())
        }
    }
}

impl Road<'_> {
    pub(super) fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    pub(super) async fn run(
        &mut self,
        label: &str,
        sql: impl AsRef<[u8]>,
    ) -> Result<Outcome, SessionError> {
        self.session.set_label(label);
        self.session.execute(sql).await
    }

    /// Runs a definition change that is not the source's own.
    pub(super) async fn change(
        &mut self,
        table: &TableName,
        sql: impl AsRef<[u8]>,
    ) -> Result<(), Fault> {
        let label = format!("change the definition of {table}");
        match self.run(&label, sql).await {
            Ok(_) => Ok(()),
            Err(error) => Err(fault::ddl_fault(error, table)),
        }
    }

    pub(super) async fn close(mut self) -> Result<(), Fault> {
        release_lock(&mut self.session, &self.lock).await?;
        self.session.close().await;
        Ok(())
    }
}
