//! Taking a task over, and giving it up for ever.
//!
//! Owns the epoch: who raises it, and who may still be writing when it was raised. The rule that
//! every transaction reads it stands in `transaction`.

use super::fault;
use super::state::FORMAT_VERSION;
use super::transaction::{CommitFault, Guard};
use super::{DEFAULT_PACKET_BYTES, Inner};
use crate::literal::push_quoted;
use crate::session::{Session, SessionError, SessionKind};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use wherry_model::{Class, Fault, Phase};

/// How long a takeover waits for transactions of the runner before it. A session of that runner
/// ends by itself after 60 s in silence, see `transaction`.
const EPOCH_WAIT_MAX: Duration = Duration::from_secs(90);

/// How long a takeover waits for a definition that the runner before is changing, until it ends
/// that statement: the change is rolled back by the server and done again by the journal.
const DDL_WAIT_MAX: Duration = Duration::from_secs(60);

/// After ending the connection that held the lock, the server needs a moment to undo its work.
const DDL_UNDO_WAIT_MAX: Duration = Duration::from_secs(600);

/// One wait at the server; between two of them the log says what is waited for.
const STEP_SECONDS: u64 = 5;

impl Inner {
    pub(super) async fn claim(&self) -> Result<(), Fault> {
        check_task_name(self.state.task_name())?;
        let mut session = Session::connect(self.pool.endpoint(), SessionKind::Write)
            .await
            .map_err(SessionError::into_fault)?;
        session.set_activity(self.activity.clone());
        session.set_label("take the task over");
        self.check_names().await?;
        self.create_state(&mut session).await?;
        let epoch = self.raise_epoch(&mut session).await?;
        for view in [self.state.of_stream(), self.state.of_lane()] {
            self.wait_for_ddl(&mut session, &view.ddl_lock()).await?;
        }
        self.read_limits(&mut session).await?;
        session.close().await;
        self.epoch.store(epoch, Ordering::SeqCst);
        Ok(())
    }

    async fn create_state(&self, session: &mut Session) -> Result<(), Fault> {
        for sql in self.state.create_format() {
            self.admin(session, &sql).await?;
        }
        let rows = session
            .query(self.state.select_format())
            .await
            .map_err(SessionError::into_fault)?;
        let version: u32 = rows
            .text(0, 0)
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| fault::unreadable_state("the format version"))?;
        if version > FORMAT_VERSION {
            return Err(Fault::input(
                "TGT-007",
                format!("the state in the target has format {version}, this program knows up to {FORMAT_VERSION}"),
            )
            .hint("Use the newer program that wrote it."));
        }
        for sql in self.state.create() {
            self.admin(session, &sql).await?;
        }
        self.admin(session, &self.state.add_epoch()).await
    }

    async fn admin(&self, session: &mut Session, sql: &str) -> Result<(), Fault> {
        match session.execute(sql).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let refused = matches!(error.server_code(), Some(1044 | 1142 | 1227));
                let fault = error.into_fault();
                if refused {
                    let database = self.state.database();
                    return Err(fault.hint(format!(
                        "Grant ALL on the state database `{database}` to the account of the target."
                    )));
                }
                Err(fault)
            }
        }
    }

    /// The new epoch. Waits for transactions that hold the old one.
    async fn raise_epoch(&self, session: &mut Session) -> Result<u64, Fault> {
        session
            .execute(format!(
                "SET SESSION innodb_lock_wait_timeout={STEP_SECONDS}"
            ))
            .await
            .map_err(SessionError::into_fault)?;
        let begin = Instant::now();
        loop {
            match session.execute(self.state.raise_epoch()).await {
                Ok(outcome) if outcome.affected_rows == 1 => return Ok(outcome.last_insert_id),
                Ok(_) => return Err(fault::cut_over()),
                Err(error) if fault::is_retry(&error) => {
                    let seconds = begin.elapsed().as_secs();
                    if begin.elapsed() > EPOCH_WAIT_MAX {
                        return Err(Fault::transient(
                            "TGT-008",
                            format!("the runner before still holds the task after {seconds} s"),
                        )
                        .hint("Stop the other runner, or end its sessions in the target."));
                    }
                    tracing::warn!(
                        seconds,
                        "waiting for a transaction of the runner that had this task"
                    );
                }
                Err(error) => return Err(error.into_fault()),
            }
        }
    }

    /// Returns when no statement of the runner before changes a definition any more.
    async fn wait_for_ddl(&self, session: &mut Session, lock: &str) -> Result<(), Fault> {
        let begin = Instant::now();
        let mut killed = false;
        loop {
            if take_lock(session, lock, STEP_SECONDS).await? {
                return release_lock(session, lock).await;
            }
            let waited = begin.elapsed();
            let holder = lock_holder(session, lock).await?;
            tracing::warn!(
                seconds = waited.as_secs(),
                connection = holder,
                "waiting for a definition that the runner before is changing"
            );
            if waited > DDL_WAIT_MAX && !killed {
                if let Some(connection) = holder {
                    kill(session, connection).await?;
                }
                killed = true;
            }
            if waited > DDL_WAIT_MAX + DDL_UNDO_WAIT_MAX {
                return Err(Fault::transient(
                    "TGT-009",
                    "the server is still undoing a definition change of the runner before",
                )
                .hint("Wait until that statement has left the target's process list, then start again."));
            }
        }
    }

    async fn read_limits(&self, session: &mut Session) -> Result<(), Fault> {
        let rows = session
            .query("SELECT @@max_allowed_packet")
            .await
            .map_err(SessionError::into_fault)?;
        let bytes = rows.text(0, 0).and_then(|text| text.parse().ok());
        self.packet_bytes
            .store(bytes.unwrap_or(DEFAULT_PACKET_BYTES), Ordering::Relaxed);
        let rows = session
            .query(self.state.select_any_owed())
            .await
            .map_err(SessionError::into_fault)?;
        if !rows.is_empty() {
            self.owed.note();
        }
        *self.version.lock().await = Some(session.version().clone());
        Ok(())
    }

    /// The point of no return.
    pub(super) async fn fence(&self) -> Result<(), Fault> {
        let guard = self.guard()?;
        let mut transaction = self.begin_with(guard, "").await?;
        let sql = format!(
            "{};{}",
            self.state
                .set_phase(Phase::Stream.as_str(), Phase::Cutover.as_str()),
            self.state.bury_epoch()
        );
        let outcomes = transaction
            .session()
            .execute_many(sql)
            .await
            .map_err(|error| self.state_fault(error))?;
        if outcomes.iter().any(|outcome| outcome.affected_rows != 1) {
            transaction.rollback().await;
            return Err(fault::state_moved("the task is not in phase stream"));
        }
        match transaction.commit().await {
            Ok(()) => {}
            Err(CommitFault::RolledBack(fault)) => return Err(fault),
            Err(CommitFault::Unknown(lost)) => self.resolve_fence(lost).await?,
        }
        self.fenced.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// A locking read waits until the lost transaction has ended.
    async fn resolve_fence(&self, lost: Fault) -> Result<(), Fault> {
        match self.begin_with(Guard::AfterFence, "").await {
            Ok(transaction) => {
                transaction.rollback().await;
                Ok(())
            }
            Err(fault) if fault.class == Class::Fenced => {
                // Not fenced: either still ours, then the step may be repeated, or taken over.
                self.begin().await?.rollback().await;
                Err(lost)
            }
            Err(fault) => Err(fault),
        }
    }
}

fn check_task_name(name: &str) -> Result<(), Fault> {
    let length = name.chars().count();
    if (1..=64).contains(&length) && name.trim() == name && !name.contains('\0') {
        return Ok(());
    }
    Err(Fault::input(
        "TGT-010",
        "the name of the task is empty, longer than 64 characters or begins or ends with a blank",
    )
    .hint("Give the task another name under the key `task`."))
}

/// Waits up to `seconds` for a named lock of the server.
pub(super) async fn take_lock(
    session: &mut Session,
    lock: &str,
    seconds: u64,
) -> Result<bool, Fault> {
    let sql = format!("SELECT GET_LOCK({}, {seconds})", quoted(lock));
    let rows = session.query(sql).await.map_err(SessionError::into_fault)?;
    Ok(rows.text(0, 0) == Some("1"))
}

pub(super) async fn release_lock(session: &mut Session, lock: &str) -> Result<(), Fault> {
    let sql = format!("SELECT RELEASE_LOCK({})", quoted(lock));
    session.query(sql).await.map_err(SessionError::into_fault)?;
    Ok(())
}

async fn lock_holder(session: &mut Session, lock: &str) -> Result<Option<u64>, Fault> {
    let rows = session
        .query(format!("SELECT IS_USED_LOCK({})", quoted(lock)))
        .await
        .map_err(SessionError::into_fault)?;
    Ok(rows.text(0, 0).and_then(|text| text.parse().ok()))
}

async fn kill(session: &mut Session, connection: u64) -> Result<(), Fault> {
    tracing::warn!(connection, "ending the connection that holds the lock");
    match session.execute(format!("KILL {connection}")).await {
        Ok(_) => Ok(()),
        // No such thread: it ended by itself.
        Err(error) if error.server_code() == Some(1094) => Ok(()),
        Err(error) => Err(error.into_fault()),
    }
}

fn quoted(text: &str) -> String {
    let mut out = Vec::new();
    push_quoted(&mut out, text.as_bytes());
    String::from_utf8_lossy(&out).into_owned()
}
