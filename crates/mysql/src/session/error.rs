//! What can go wrong in a session, and what the operator should do about it.

use std::io;
use std::time::Duration;
use wherry_model::Fault;

/// A failure of a session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error("could not connect to {address}: {reason}")]
    Connect {
        address: String,
        reason: ConnectReason,
    },
    #[error("could not protect the connection to {address}: {reason}")]
    Tls { address: String, reason: TlsReason },
    #[error("login of user `{user}` at {address} failed: {reason}")]
    Auth {
        address: String,
        user: String,
        reason: AuthReason,
    },
    #[error("connection lost while {doing}")]
    Io {
        doing: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("no answer for {} s while {doing}", after.as_secs())]
    Timeout {
        doing: &'static str,
        after: Duration,
    },
    /// The message is redacted: it holds no row values.
    #[error("server error {code}: {message}")]
    Server {
        code: u16,
        sqlstate: String,
        message: String,
        /// Which statement of several failed, counted from 0.
        statement_index: usize,
    },
    #[error("unexpected answer of the server: {detail}")]
    Protocol { detail: String },
    /// A session variable does not have the value that was just set.
    #[error("session variable `{name}` is `{found}` after it was set to `{wanted}`")]
    Setting {
        name: String,
        wanted: String,
        found: String,
    },
    /// The feed of a `LOAD DATA` failed; the connection is gone.
    #[error("{0}")]
    Feed(Fault),
}

#[derive(Debug, thiserror::Error)]
pub enum ConnectReason {
    #[error("unknown host")]
    UnknownHost,
    #[error("the name service does not answer")]
    NameService,
    #[error("connection refused")]
    Refused,
    #[error("no answer within {} s", .0.as_secs())]
    NoAnswer(Duration),
    #[error("{0}")]
    Other(String),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsReason {
    #[error("the server offers no TLS")]
    NotOffered,
    #[error("the server speaks no TLS 1.2 or 1.3")]
    TooOld,
    #[error("the server's certificate is not signed by a trusted CA")]
    Untrusted,
    #[error("the server's certificate does not name this host")]
    NameMismatch,
    #[error("the server's certificate has expired or is not valid yet")]
    Expired,
    #[error("{0}")]
    Settings(String),
    #[error("{0}")]
    Other(String),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthReason {
    /// The server's own words.
    #[error("server error {code}: {message}")]
    Refused { code: u16, message: String },
    #[error("the account uses `{0}`, which Wherry does not speak")]
    UnknownPlugin(String),
    #[error("the account uses `{0}`, which sends the password and so needs TLS")]
    NeedsTls(String),
}

impl SessionError {
    pub(crate) fn protocol(detail: impl Into<String>) -> SessionError {
        SessionError::Protocol {
            detail: detail.into(),
        }
    }

    /// The server's error number, where the server itself gave the error.
    pub fn server_code(&self) -> Option<u16> {
        match self {
            SessionError::Server { code, .. } => Some(*code),
            SessionError::Auth {
                reason: AuthReason::Refused { code, .. },
                ..
            } => Some(*code),
            _ => None,
        }
    }

    /// True where the same work can succeed later on a new session.
    pub fn is_transient(&self) -> bool {
        matches!(self, SessionError::Io { .. } | SessionError::Timeout { .. })
    }

    /// The fault for the engine, with a code and the next action.
    pub fn into_fault(self) -> Fault {
        Fault::operator("CONN-015", self.to_string())
    }
}

impl From<SessionError> for Fault {
    fn from(error: SessionError) -> Fault {
        error.into_fault()
    }
}
