//! Where a session connects, and as whom.

use std::fmt;
use std::time::Duration;
use wherry_model::task::TlsSpec;

/// Limit for reaching the server and logging in.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest wait for an answer. Building an index can take this long.
pub const READ_TIMEOUT: Duration = Duration::from_secs(3600);

/// A server and the account to use there.
#[derive(Debug, Clone)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: Option<Secret>,
    pub tls: TlsSpec,
    pub connect_timeout: Duration,
    /// After so long without an answer the connection counts as lost.
    pub read_timeout: Duration,
}

impl Endpoint {
    /// An endpoint without a password, with the default TLS mode and limits.
    pub fn new(host: impl Into<String>, port: u16, user: impl Into<String>) -> Endpoint {
        Endpoint {
            host: host.into(),
            port,
            user: user.into(),
            password: None,
            tls: TlsSpec::default(),
            connect_timeout: CONNECT_TIMEOUT,
            read_timeout: READ_TIMEOUT,
        }
    }

    /// `host:port`, an IPv6 address in brackets.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// A password. Nothing of it is ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Secret {
        Secret(value.into())
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
