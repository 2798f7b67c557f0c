//! From an address to a connection that the server has accepted.
//!
//! Owns TCP, the greeting, TLS and the exchange of the password in all its forms. The password
//! leaves only as a scramble, encrypted with the server's key, or inside TLS.

use super::endpoint::{Endpoint, Secret};
use super::error::{AuthReason, ConnectReason, SessionError, TlsReason};
use super::packet::{
    Cursor, EOF_MARK, ERROR_MARK, Greeting, OK_MARK, capability, parse_error, parse_ok, put_string,
    server_error,
};
use super::tls;
use super::wire::{Transport, Wire};
use mysql_common::scramble::{scramble_native, scramble_sha256};
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use wherry_model::task::TlsMode;

const NATIVE: &str = "mysql_native_password";
const CACHING_SHA2: &str = "caching_sha2_password";
const SHA256: &str = "sha256_password";
const CLEAR: &str = "mysql_clear_password";

/// First probe of a silent connection; with the system's nine probes a dead peer is noticed
/// after 60 + 9 * 10 s.
const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// Collation utf8mb4_general_ci, which every server since 5.5 knows.
const COLLATION: u8 = 45;

/// Largest packet that we say we take: 1 GiB, the most a server can be set to.
const PACKET_SIZE_MAX: u32 = 1 << 30;

/// Rounds of the password exchange before a server counts as mad.
const ROUNDS_MAX: usize = 10;

const WANTED: u32 = capability::LONG_PASSWORD
    | capability::FOUND_ROWS
    | capability::LONG_FLAG
    | capability::LOCAL_FILES
    | capability::PROTOCOL_41
    | capability::TRANSACTIONS
    | capability::SECURE_CONNECTION
    | capability::MULTI_STATEMENTS
    | capability::MULTI_RESULTS
    | capability::PLUGIN_AUTH
    | capability::PLUGIN_AUTH_LENENC
    | capability::CONNECT_ATTRS;

/// What every server since MySQL 5.6 offers, and what this client cannot do without.
const NEEDED: u32 = capability::PROTOCOL_41
    | capability::SECURE_CONNECTION
    | capability::MULTI_STATEMENTS
    | capability::PLUGIN_AUTH;

/// A connection that is logged in but not set up.
pub(super) struct Accepted {
    pub wire: Wire,
    pub connection_id: u32,
    pub version: String,
    pub status: u16,
}

/// Connects and logs in. With mode `preferred` a server whose TLS fails is tried again without.
pub(super) async fn log_in(endpoint: &Endpoint) -> Result<Accepted, SessionError> {
    let attempt = Attempt {
        endpoint,
        use_tls: endpoint.tls.mode != TlsMode::Off,
    };
    match attempt.run().await {
        Err(SessionError::Tls { reason, .. })
            if endpoint.tls.mode == TlsMode::Preferred
                && !matches!(reason, TlsReason::Settings(_)) =>
        {
            tracing::warn!(address = endpoint.address(), %reason, "TLS failed, going on without it");
            Attempt {
                endpoint,
                use_tls: false,
            }
            .run()
            .await
        }
        other => other,
    }
}

struct Attempt<'a> {
    endpoint: &'a Endpoint,
    use_tls: bool,
}

impl Attempt<'_> {
    async fn run(&self) -> Result<Accepted, SessionError> {
        let stream = connect_tcp(self.endpoint).await?;
        let mut wire = Wire::new(Box::new(stream), self.endpoint.connect_timeout);
        let payload = wire.read().await?;
        if payload.first() == Some(&ERROR_MARK) {
            return Err(self.refused(payload));
        }
        let greeting = Greeting::parse(payload)
            .ok_or_else(|| SessionError::protocol("no MySQL server's greeting"))?;
        if greeting.capabilities & NEEDED != NEEDED {
            return Err(SessionError::protocol("a server older than MySQL 5.6"));
        }
        let mut capabilities = WANTED & (greeting.capabilities | capability::LONG_PASSWORD);
        let mut protected = false;
        if self.use_tls {
            if greeting.capabilities & capability::SSL != 0 {
                capabilities |= capability::SSL;
                wire = self.protect(wire, capabilities).await?;
                protected = true;
            } else if self.endpoint.tls.mode != TlsMode::Preferred {
                return Err(self.tls_error(TlsReason::NotOffered));
            }
        }
        let mut exchange = Exchange {
            attempt: self,
            protected,
            plugin: known_or_native(&greeting.plugin),
            nonce: greeting.nonce,
        };
        exchange.answer_greeting(&mut wire, capabilities).await?;
        let status = exchange
            .run(&mut wire)
            .await
            .map_err(|error| self.unwrap_tls(error))?;
        Ok(Accepted {
            wire,
            connection_id: greeting.connection_id,
            version: greeting.version,
            status,
        })
    }

    /// Asks for TLS and shakes hands.
    async fn protect(&self, mut wire: Wire, capabilities: u32) -> Result<Wire, SessionError> {
        let config =
            tls::client_config(&self.endpoint.tls).map_err(|reason| self.tls_error(reason))?;
        let name = self.server_name()?;
        wire.send(&response_head(capabilities), b"").await?;
        let (stream, sequence) = wire.into_stream()?;
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector.connect(name, stream).await.map_err(|error| {
            self.tls_error(tls::reason_of(&error).unwrap_or(match error.kind() {
                // Servers with TLS 1.0 or 1.1 alone often just hang up.
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => TlsReason::HungUp,
                _ => TlsReason::Other(error.to_string()),
            }))
        })?;
        let stream: Box<dyn Transport> = Box::new(stream);
        let mut wire = Wire::new(stream, self.endpoint.connect_timeout);
        wire.continue_at(sequence);
        Ok(wire)
    }

    /// The name that the certificate is held against. Where nobody looks at it, any will do.
    fn server_name(&self) -> Result<ServerName<'static>, SessionError> {
        match ServerName::try_from(self.endpoint.host.clone()) {
            Ok(name) => Ok(name),
            Err(_) if self.endpoint.tls.mode != TlsMode::VerifyIdentity => {
                Ok(ServerName::try_from("mysql.invalid").expect("a valid name"))
            }
            Err(_) => Err(self.tls_error(TlsReason::Settings(
                "the host is no name that a certificate could hold".to_owned(),
            ))),
        }
    }

    fn tls_error(&self, reason: TlsReason) -> SessionError {
        SessionError::Tls {
            address: self.endpoint.address(),
            reason,
        }
    }

    /// With TLS 1.3 a server refuses a client certificate only after the handshake.
    fn unwrap_tls(&self, error: SessionError) -> SessionError {
        match error {
            SessionError::Io { source, doing } => match tls::reason_of(&source) {
                Some(reason) => self.tls_error(reason),
                None => SessionError::Io { source, doing },
            },
            other => other,
        }
    }

    fn auth_error(&self, reason: AuthReason) -> SessionError {
        SessionError::Auth {
            address: self.endpoint.address(),
            user: self.endpoint.user.clone(),
            reason,
        }
    }

    /// An error packet during the login: about the account, or about the server's state.
    fn refused(&self, payload: &[u8]) -> SessionError {
        match parse_error(payload) {
            Some((code, _, message)) if is_about_account(code) => {
                self.auth_error(AuthReason::Refused { code, message })
            }
            _ => server_error(payload, 0),
        }
    }
}

/// Access denied in its forms, locked, expired, plugin troubles, host not allowed, TLS demanded.
fn is_about_account(code: u16) -> bool {
    matches!(
        code,
        1044 | 1045 | 1129 | 1130 | 1251 | 1524 | 1698 | 1820 | 1862 | 3118 | 3159 | 3955 | 4151
    )
}

fn known_or_native(plugin: &str) -> String {
    match plugin {
        NATIVE | CACHING_SHA2 | SHA256 => plugin.to_owned(),
        // The server then asks for the plugin that the account really uses.
        _ => NATIVE.to_owned(),
    }
}

/// The part that the request for TLS and the answer to the greeting have in common.
fn response_head(capabilities: u32) -> Vec<u8> {
    let mut head = Vec::with_capacity(32);
    head.extend_from_slice(&capabilities.to_le_bytes());
    head.extend_from_slice(&PACKET_SIZE_MAX.to_le_bytes());
    head.push(COLLATION);
    // Zeros also where MariaDB would look for its own capabilities.
    head.extend_from_slice(&[0; 23]);
    head
}

/// The exchange that proves the password.
struct Exchange<'a> {
    attempt: &'a Attempt<'a>,
    protected: bool,
    plugin: String,
    nonce: Vec<u8>,
}

impl Exchange<'_> {
    async fn answer_greeting(
        &self,
        wire: &mut Wire,
        capabilities: u32,
    ) -> Result<(), SessionError> {
        let mut response = response_head(capabilities);
        let user = self.attempt.endpoint.user.as_bytes();
        if user.contains(&0) {
            return Err(SessionError::protocol("a user name with a zero byte"));
        }
        response.extend_from_slice(user);
        response.push(0);
        let proof = self.proof()?;
        if capabilities & capability::PLUGIN_AUTH_LENENC != 0 {
            put_string(&mut response, &proof);
        } else {
            let length = u8::try_from(proof.len())
                .map_err(|_| SessionError::protocol("the password is too long for this server"))?;
            response.push(length);
            response.extend_from_slice(&proof);
        }
        response.extend_from_slice(self.plugin.as_bytes());
        response.push(0);
        if capabilities & capability::CONNECT_ATTRS != 0 {
            let mut attributes = Vec::new();
            for (name, value) in [
                ("program_name", "wherry"),
                ("_client_name", "wherry"),
                ("_client_version", env!("CARGO_PKG_VERSION")),
                ("_os", std::env::consts::OS),
            ] {
                put_string(&mut attributes, name.as_bytes());
                put_string(&mut attributes, value.as_bytes());
            }
            put_string(&mut response, &attributes);
        }
        wire.send(&response, b"").await
    }

    /// Answers until the server accepts; returns its status flags.
    async fn run(&mut self, wire: &mut Wire) -> Result<u16, SessionError> {
        for _ in 0..ROUNDS_MAX {
            let payload = wire.read().await?;
            match payload.first() {
                Some(&OK_MARK) => {
                    let (_, status) = parse_ok(payload)
                        .ok_or_else(|| SessionError::protocol("a broken OK packet"))?;
                    return Ok(status);
                }
                Some(&ERROR_MARK) => return Err(self.attempt.refused(payload)),
                Some(&EOF_MARK) => {
                    self.switch(&payload[1..])?;
                    let proof = self.proof()?;
                    wire.send(&proof, b"").await?;
                }
                Some(&1) => {
                    let data = payload[1..].to_vec();
                    self.continue_with(&data, wire).await?;
                }
                _ => return Err(SessionError::protocol("an unknown packet during the login")),
            }
        }
        Err(SessionError::protocol("an endless login"))
    }

    /// Takes over the plugin that the server asks for.
    fn switch(&mut self, request: &[u8]) -> Result<(), SessionError> {
        let mut cursor = Cursor(request);
        let Some(plugin) = cursor.zero_terminated() else {
            // Without a name it is the hash from before MySQL 4.1.
            return Err(self.unknown_plugin("mysql_old_password"));
        };
        let plugin = String::from_utf8_lossy(plugin).into_owned();
        if !matches!(plugin.as_str(), NATIVE | CACHING_SHA2 | SHA256 | CLEAR) {
            return Err(self.unknown_plugin(&plugin));
        }
        self.plugin = plugin;
        self.nonce = cursor.0.strip_suffix(&[0]).unwrap_or(cursor.0).to_vec();
        Ok(())
    }

    fn unknown_plugin(&self, plugin: &str) -> SessionError {
        self.attempt
            .auth_error(AuthReason::UnknownPlugin(plugin.to_owned()))
    }

    fn password(&self) -> &str {
        self.attempt
            .endpoint
            .password
            .as_ref()
            .map_or("", Secret::expose)
    }

    /// The first answer of the present plugin.
    fn proof(&self) -> Result<Vec<u8>, SessionError> {
        let password = self.password();
        if password.is_empty() && self.plugin != CLEAR && self.plugin != SHA256 {
            return Ok(Vec::new());
        }
        match self.plugin.as_str() {
            NATIVE => Ok(scramble_native(&self.nonce, password.as_bytes())
                .map_or_else(Vec::new, |scramble| scramble.to_vec())),
            CACHING_SHA2 => Ok(scramble_sha256(&self.nonce, password.as_bytes())
                .map_or_else(Vec::new, |scramble| scramble.to_vec())),
            SHA256 if password.is_empty() => Ok(vec![0]),
            // One byte asks for the server's key.
            SHA256 if !self.protected => Ok(vec![1]),
            CLEAR if !self.protected => Err(self
                .attempt
                .auth_error(AuthReason::NeedsTls(CLEAR.to_owned()))),
            _ => Ok(self.terminated_password()),
        }
    }

    fn terminated_password(&self) -> Vec<u8> {
        let mut bytes = self.password().as_bytes().to_vec();
        bytes.push(0);
        bytes
    }

    /// Answers a packet with more data of the present plugin.
    async fn continue_with(&self, data: &[u8], wire: &mut Wire) -> Result<(), SessionError> {
        const FAST_PATH_DONE: &[u8] = &[3];
        const FULL_EXCHANGE: &[u8] = &[4];
        const KEY_REQUEST: &[u8] = &[2];
        match (self.plugin.as_str(), data) {
            (CACHING_SHA2, FAST_PATH_DONE) => Ok(()),
            (CACHING_SHA2, FULL_EXCHANGE) if self.protected => {
                wire.send(&self.terminated_password(), b"").await
            }
            (CACHING_SHA2, FULL_EXCHANGE) => wire.send(KEY_REQUEST, b"").await,
            (CACHING_SHA2 | SHA256, key) if !self.protected => {
                let encrypted = self.encrypt(key).await?;
                wire.send(&encrypted, b"").await
            }
            _ => Err(SessionError::protocol("an unknown step of the login")),
        }
    }

    /// Encrypts the password with the server's key, masked with the nonce.
    async fn encrypt(&self, key: &[u8]) -> Result<Vec<u8>, SessionError> {
        if self.nonce.is_empty() {
            return Err(SessionError::protocol("a login without a nonce"));
        }
        let mut masked = self.terminated_password();
        for (byte, mask) in masked.iter_mut().zip(self.nonce.iter().cycle()) {
            *byte ^= mask;
        }
        let key = key.to_vec();
        // The library panics on a broken key; on a thread of its own that is an error like any.
        tokio::task::spawn_blocking(move || mysql_common::crypto::encrypt(&masked, &key))
            .await
            .map_err(|_| SessionError::protocol("the server's public key could not be used"))
    }
}

async fn connect_tcp(endpoint: &Endpoint) -> Result<TcpStream, SessionError> {
    let failed = |reason| SessionError::Connect {
        address: endpoint.address(),
        reason,
    };
    let limit = endpoint.connect_timeout;
    let found = timeout(limit, lookup_host((endpoint.host.as_str(), endpoint.port)))
        .await
        .map_err(|_| failed(ConnectReason::NameService))?
        .map_err(|error| failed(lookup_reason(&error)))?;
    let addresses: Vec<_> = found.collect();
    // A dead address, often the IPv6 one, must not use up the time of the others.
    let share = limit / u32::try_from(addresses.len().max(1)).unwrap_or(1);
    let mut last = ConnectReason::UnknownHost;
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                set_options(&stream)
                    .map_err(|error| failed(ConnectReason::Other(error.to_string())))?;
                return Ok(stream);
            }
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                last = ConnectReason::Refused;
            }
            Ok(Err(error)) => last = ConnectReason::Other(error.to_string()),
            Err(_) => last = ConnectReason::NoAnswer(limit),
        }
    }
    Err(failed(last))
}

fn lookup_reason(error: &io::Error) -> ConnectReason {
    if error.to_string().contains("Temporary failure") {
        ConnectReason::NameService
    } else {
        ConnectReason::UnknownHost
    }
}

fn set_options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keep_alive = TcpKeepalive::new()
        .with_time(KEEP_ALIVE_IDLE)
        .with_interval(KEEP_ALIVE_INTERVAL);
    SockRef::from(stream).set_tcp_keepalive(&keep_alive)
}
