//! What can go wrong in a session, and what the operator should do about it.
//!
//! Owns the codes `CONN-001` to `CONN-029` and `CONN-040` on; `secret` has those between. No text
//! here holds a row value, a password or a connection string.

use std::io;
use std::time::Duration;
use wherry_model::{Class, Fault};

/// A failure of a session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error("could not connect to {address}: {reason}")]
    Connect {
        address: String,
        reason: ConnectReason,
    },
    #[error("could not protect the connection to {address} with TLS: {reason}")]
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
    #[error("the server speaks neither TLS 1.2 nor TLS 1.3")]
    TooOld,
    #[error("the server hung up during the TLS handshake")]
    HungUp,
    #[error("the server's certificate is not signed by a trusted CA")]
    Untrusted,
    #[error("the server's certificate does not name this host")]
    NameMismatch,
    #[error("the server's certificate has expired or is not valid yet")]
    Expired,
    /// The server's alert.
    #[error("the server refused the client certificate: {0}")]
    ClientCertificate(String),
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
    #[error("the account uses `{0}`, which sends the password as it is and so needs TLS")]
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
            SessionError::Server { code, .. }
            | SessionError::Auth {
                reason: AuthReason::Refused { code, .. },
                ..
            } => Some(*code),
            _ => None,
        }
    }

    /// True where the same work can succeed later, on a new session.
    pub fn is_transient(&self) -> bool {
        match self {
            SessionError::Connect { reason, .. } => !matches!(reason, ConnectReason::UnknownHost),
            SessionError::Io { .. } | SessionError::Timeout { .. } => true,
            SessionError::Server { code, .. } => {
                is_busy(*code) || is_conflict(*code) || is_interrupted(*code)
            }
            SessionError::Feed(fault) => fault.is_transient(),
            SessionError::Tls { .. }
            | SessionError::Auth { .. }
            | SessionError::Protocol { .. }
            | SessionError::Setting { .. } => false,
        }
    }

    /// True where the server closes the connection after this error.
    pub(crate) fn ends_session(&self) -> bool {
        match self {
            // 1317 ends only the statement.
            SessionError::Server { code, .. } => {
                (is_interrupted(*code) && *code != QUERY_INTERRUPTED) || *code == PACKET_TOO_LARGE
            }
            _ => true,
        }
    }

    /// The fault for the engine, with a code and the next action.
    pub fn into_fault(self) -> Fault {
        if let SessionError::Feed(fault) = self {
            return fault;
        }
        let message = self.to_string();
        let (code, class, hint) = match &self {
            SessionError::Connect { reason, .. } => connect_advice(reason),
            SessionError::Tls { reason, .. } => tls_advice(reason),
            SessionError::Auth { reason, .. } => auth_advice(reason),
            SessionError::Server { code, message, .. } => server_advice(*code, message),
            SessionError::Io { .. } => (
                "CONN-020",
                Class::Transient,
                "Check that the server is up and that no firewall or proxy ends connections.",
            ),
            SessionError::Timeout { .. } => (
                "CONN-021",
                Class::Transient,
                "Check that the server is not stopped, that its disk is not full and that no lock blocks the statement.",
            ),
            SessionError::Protocol { .. } => (
                "CONN-022",
                Class::Bug,
                "Check that the address is a MySQL 5.6 or later, or a MariaDB, server; if it is, please report this with the log.",
            ),
            SessionError::Setting { .. } => (
                "CONN-023",
                Class::Operator,
                "Connect to the server itself instead of through a proxy that shares or filters session variables.",
            ),
            SessionError::Feed(_) => unreachable!("returned above"),
        };
        let fault = Fault::new(code, class, message).hint(hint);
        match self {
            SessionError::Io { source, .. } => fault.cause(source),
            _ => fault,
        }
    }
}

impl From<SessionError> for Fault {
    fn from(error: SessionError) -> Fault {
        error.into_fault()
    }
}

const QUERY_INTERRUPTED: u16 = 1317;
const PACKET_TOO_LARGE: u16 = 1153;

/// No connection or resource is free for the account or the server.
fn is_busy(code: u16) -> bool {
    matches!(code, 1040 | 1203 | 1226)
}

/// Lock wait timeout, deadlock, and the deadlock of an XA transaction.
fn is_conflict(code: u16) -> bool {
    matches!(code, 1205 | 1213 | 1614)
}

/// The server is going down, or somebody or a timeout ended the session or the statement.
fn is_interrupted(code: u16) -> bool {
    matches!(
        code,
        1053 | 1077 | 1078 | 1079 | 1080 | 1152 | 1158
            ..=1161 | QUERY_INTERRUPTED | 1927 | 2006 | 2013 | 3169 | 4031
    )
}

type Advice = (&'static str, Class, &'static str);

fn connect_advice(reason: &ConnectReason) -> Advice {
    match reason {
        ConnectReason::UnknownHost => (
            "CONN-001",
            Class::Operator,
            "Correct the host name in the URL, or add it to the name service of this machine.",
        ),
        ConnectReason::Refused => (
            "CONN-002",
            Class::Transient,
            "Check that the server is up and listens on this host and port, and that `bind_address` allows it.",
        ),
        ConnectReason::NoAnswer(_) => (
            "CONN-003",
            Class::Transient,
            "Check the address, and that firewall rules or security groups let this machine through.",
        ),
        ConnectReason::Other(_) => (
            "CONN-004",
            Class::Transient,
            "Check the address and the network between this machine and the server.",
        ),
        ConnectReason::NameService => (
            "CONN-005",
            Class::Transient,
            "Check the name service of this machine, or give the IP address in the URL.",
        ),
    }
}

fn tls_advice(reason: &TlsReason) -> Advice {
    match reason {
        TlsReason::NotOffered => (
            "CONN-012",
            Class::Operator,
            "Set up TLS at the server, or set `tls.mode` to `preferred` or `off` where the network is trusted.",
        ),
        TlsReason::TooOld | TlsReason::HungUp => (
            "CONN-013",
            Class::Operator,
            "Update the server's TLS to version 1.2; old MySQL 5.6 and 5.7 builds cannot, there set `tls.mode` to `off` where the network is trusted or use a tunnel.",
        ),
        TlsReason::Untrusted => (
            "CONN-014",
            Class::Operator,
            "Give the file with the CA that signed the server's certificate as `tls.ca`.",
        ),
        TlsReason::NameMismatch => (
            "CONN-015",
            Class::Operator,
            "Use the host name that stands in the certificate as a subject alternative name, or set `tls.mode` to `verify-ca`.",
        ),
        TlsReason::Expired => (
            "CONN-016",
            Class::Operator,
            "Renew the server's certificate, and check the clock of this machine.",
        ),
        TlsReason::Settings(_) => (
            "CONN-017",
            Class::Input,
            "Correct the `tls` section of the task; all files must be in PEM format and readable.",
        ),
        TlsReason::ClientCertificate(_) => (
            "CONN-018",
            Class::Operator,
            "Give a client certificate that the server trusts as `tls.certificate` and `tls.key`.",
        ),
        TlsReason::Other(_) => (
            "CONN-019",
            Class::Operator,
            "Check the server's TLS settings and certificate.",
        ),
    }
}

fn auth_advice(reason: &AuthReason) -> Advice {
    let code = match reason {
        AuthReason::UnknownPlugin(_) => {
            return (
                "CONN-010",
                Class::Operator,
                "Use an account with `caching_sha2_password`, `sha256_password` or `mysql_native_password`.",
            );
        }
        AuthReason::NeedsTls(_) => return NEEDS_TLS,
        AuthReason::Refused { code, .. } => *code,
    };
    match code {
        1044 => DATABASE_DENIED,
        1129 | 1130 => (
            "CONN-008",
            Class::Operator,
            "Allow the account to come from this machine's address; after many failed connections run `FLUSH HOSTS` at the server.",
        ),
        1820 | 1862 | 3118 | 3955 | 4151 => (
            "CONN-009",
            Class::Operator,
            "Unlock the account or give it a new password with `ALTER USER`.",
        ),
        3159 => NEEDS_TLS,
        1251 | 1524 => (
            "CONN-010",
            Class::Operator,
            "Give the account a password plugin that the server has loaded.",
        ),
        _ => (
            "CONN-006",
            Class::Operator,
            "Check user name and password, that the account may come from this machine, and whether it requires TLS.",
        ),
    }
}

const NEEDS_TLS: Advice = (
    "CONN-011",
    Class::Operator,
    "Set `tls.mode` to `required` or a stricter mode.",
);

const DATABASE_DENIED: Advice = (
    "CONN-007",
    Class::Operator,
    "Grant the account the privileges on this database that the precheck lists.",
);

fn server_advice(code: u16, message: &str) -> Advice {
    match code {
        _ if is_busy(code) => (
            "CONN-024",
            Class::Transient,
            "Raise `max_connections` or the account's limits, or lower the numbers of readers, writers and workers.",
        ),
        _ if is_interrupted(code) => (
            "CONN-025",
            Class::Transient,
            "Check why the server is going down, or who ends its sessions.",
        ),
        _ if is_conflict(code) => (
            "CONN-026",
            Class::Transient,
            "Check which other sessions hold locks on these rows.",
        ),
        1290 | 1836 if code == 1836 || mentions_read_only(message) => (
            "CONN-027",
            Class::Operator,
            "Connect to the writable server of the cluster, or switch `read_only` off.",
        ),
        1044 => DATABASE_DENIED,
        1045 | 1142 | 1143 | 1227 | 1370 | 1698 => (
            "CONN-028",
            Class::Operator,
            "Grant the account the privilege that the server names.",
        ),
        1148 | 3948 | 4166 => (
            "CONN-029",
            Class::Operator,
            "Run `SET GLOBAL local_infile = ON` at the server.",
        ),
        PACKET_TOO_LARGE => (
            "CONN-041",
            Class::Operator,
            "Raise `max_allowed_packet` at the server to 1 GiB.",
        ),
        1021 | 1114 => (
            "CONN-042",
            // A server that waits for space and one that refuses for lack of it are the same to
            // the user: both go on once there is space.
            Class::Transient,
            "Free or add disk space at the server; the task then goes on by itself.",
        ),
        _ => (
            "CONN-040",
            Class::Operator,
            "Look up the server's error number in its manual and remove the cause.",
        ),
    }
}

fn mentions_read_only(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("read-only") || message.contains("read_only")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: u16, message: &str) -> SessionError {
        SessionError::Server {
            code,
            sqlstate: "HY000".to_owned(),
            message: message.to_owned(),
            statement_index: 0,
        }
    }

    fn check(error: SessionError, code: &str, class: Class) {
        let transient = error.is_transient();
        let fault = error.into_fault();
        assert_eq!(fault.code, code, "{fault}");
        assert_eq!(fault.class, class, "{fault}");
        assert_eq!(fault.is_transient(), transient, "{fault}");
        assert!(fault.hint.ends_with('.'), "{}", fault.hint);
    }

    #[test]
    fn server_errors_get_their_class() {
        check(server(1213, "Deadlock found"), "CONN-026", Class::Transient);
        check(
            server(1040, "Too many connections"),
            "CONN-024",
            Class::Transient,
        );
        check(
            server(1927, "Connection was killed"),
            "CONN-025",
            Class::Transient,
        );
        check(
            server(1836, "Running in read-only mode"),
            "CONN-027",
            Class::Operator,
        );
        check(
            server(
                1290,
                "The server is running with the --super-read-only option",
            ),
            "CONN-027",
            Class::Operator,
        );
        check(
            server(1290, "running with the --secure-file-priv option"),
            "CONN-040",
            Class::Operator,
        );
        check(server(1227, "Access denied"), "CONN-028", Class::Operator);
        check(
            server(1146, "Table 'a.b' doesn't exist"),
            "CONN-040",
            Class::Operator,
        );
    }

    #[test]
    fn lost_connections_are_transient() {
        let source = io::Error::from(io::ErrorKind::BrokenPipe);
        check(
            SessionError::Io {
                doing: "reading rows",
                source,
            },
            "CONN-020",
            Class::Transient,
        );
        let after = Duration::from_secs(9);
        check(
            SessionError::Timeout {
                doing: "reading rows",
                after,
            },
            "CONN-021",
            Class::Transient,
        );
    }
}
