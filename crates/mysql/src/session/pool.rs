//! Sessions that are used again.

use super::activity::Activity;
use super::endpoint::Endpoint;
use super::error::SessionError;
use super::setup::{IDLE_SECONDS, WRITE_IDLE_SECONDS};
use super::{Session, SessionKind};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A session that was idle for longer is asked for a sign of life before it is handed out.
const PING_AFTER: Duration = Duration::from_secs(1);

/// Up to `max` sessions of one kind to one server. Cloning shares it.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
    activity: Option<Arc<Activity>>,
}

struct Shared {
    endpoint: Endpoint,
    kind: SessionKind,
    permits: Arc<Semaphore>,
    /// Idle sessions, the one used last at the end.
    idle: Mutex<Vec<(Session, Instant)>>,
}

impl Shared {
    fn take_idle(&self) -> Option<(Session, Instant)> {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
    }

    fn put_idle(&self, session: Session) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(_, since)| since.elapsed() < self.idle_max());
        idle.push((session, Instant::now()));
    }

    /// Half of what the server allows, so that no session is handed out as the server drops it.
    fn idle_max(&self) -> Duration {
        let server_limit = match self.kind {
            SessionKind::Control | SessionKind::Read => IDLE_SECONDS,
            SessionKind::Write => WRITE_IDLE_SECONDS,
        };
        Duration::from_secs(server_limit / 2)
    }
}

impl Pool {
    pub fn new(endpoint: Endpoint, kind: SessionKind, max: usize) -> Pool {
        Pool {
            shared: Arc::new(Shared {
                endpoint,
                kind,
                permits: Arc::new(Semaphore::new(max.max(1))),
                idle: Mutex::new(Vec::new()),
            }),
            activity: None,
        }
    }

    /// Notes the statements of all sessions of this pool there.
    #[must_use]
    pub fn with_activity(mut self, activity: Arc<Activity>) -> Pool {
        self.activity = Some(activity);
        self
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.shared.endpoint
    }

    /// A session that is ready; waits while all are out. Transactions and table locks are never
    /// left over from an earlier user, user variables may be.
    pub async fn get(&self) -> Result<PooledSession, SessionError> {
        let permit = self
            .shared
            .permits
            .clone()
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let mut session = match self.reuse().await {
            Some(session) => session,
            None => Session::connect(&self.shared.endpoint, self.shared.kind).await?,
        };
        if let Some(activity) = &self.activity {
            session.set_activity(activity.clone());
        }
        Ok(PooledSession {
            session: Some(session),
            shared: self.shared.clone(),
            _permit: permit,
        })
    }

    async fn reuse(&self) -> Option<Session> {
        while let Some((mut session, since)) = self.shared.take_idle() {
            let idle = since.elapsed();
            if idle >= self.shared.idle_max() {
                continue;
            }
            if idle < PING_AFTER || session.ping().await.is_ok() {
                return Some(session);
            }
        }
        None
    }
}

/// A session that goes back to its pool when dropped, unless it is broken or in a transaction.
///
/// Whoever takes table locks or named locks, or changes a session variable, must undo it or call
/// [`PooledSession::discard`].
pub struct PooledSession {
    session: Option<Session>,
    shared: Arc<Shared>,
    _permit: OwnedSemaphorePermit,
}

impl PooledSession {
    /// Closes the session instead of giving it back.
    pub async fn discard(mut self) {
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }
}

impl Drop for PooledSession {
    fn drop(&mut self) {
        if let Some(mut session) = self.session.take()
            && session.is_reusable()
        {
            session.set_label("");
            self.shared.put_idle(session);
        }
    }
}

impl Deref for PooledSession {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.session.as_ref().expect("taken only when dropped")
    }
}

impl DerefMut for PooledSession {
    fn deref_mut(&mut self) -> &mut Session {
        self.session.as_mut().expect("taken only when dropped")
    }
}
