//! Servers that do not keep to the protocol, played by a few lines.

use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wherry_model::task::TlsMode;
use wherry_mysql::session::{Endpoint, Secret, Session, SessionError, SessionKind};

/// Speaks one packet.
async fn say(stream: &mut TcpStream, sequence: u8, payload: &[u8]) {
    let mut packet = (payload.len() as u32).to_le_bytes()[..3].to_vec();
    packet.push(sequence);
    packet.extend_from_slice(payload);
    stream.write_all(&packet).await.expect("said");
}

/// Hears one packet; `None` at the end of the connection.
async fn hear(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).await.ok()?;
    let mut payload = vec![0; usize::from(header[0]) | usize::from(header[1]) << 8];
    stream.read_exact(&mut payload).await.ok()?;
    Some(payload)
}

fn greeting() -> Vec<u8> {
    greeting_with(0xF7)
}

/// A greeting with this second byte of capabilities.
fn greeting_with(capabilities: u8) -> Vec<u8> {
    let mut greeting = b"\x0A8.0.99\0\x01\0\0\0abcdefgh\0".to_vec();
    // Everything but TLS, utf8mb4, autocommit.
    greeting.extend_from_slice(&[0xFF, capabilities, 45, 2, 0, 0xFF, 0xFF, 21]);
    greeting.extend_from_slice(&[0; 10]);
    greeting.extend_from_slice(b"ijklmnopqrst\0mysql_native_password\0");
    greeting
}

/// What a session says about a server that greets, hears, and then says this.
async fn check(answer: &[u8]) -> SessionError {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut endpoint = Endpoint::new(
        "127.0.0.1",
        listener.local_addr().expect("an address").port(),
        "mover",
    );
    endpoint.password = Some(Secret::new("pass-word"));
    endpoint.tls.mode = TlsMode::Off;
    endpoint.connect_timeout = Duration::from_secs(5);
    let serving = async {
        let (mut stream, _) = listener.accept().await.expect("a client");
        say(&mut stream, 0, &greeting()).await;
        hear(&mut stream).await;
        say(&mut stream, 2, answer).await;
        // What the client sends after it must never be a password as it is, nor a file.
        while let Some(heard) = hear(&mut stream).await {
            assert!(
                !heard.windows(9).any(|part| part == b"pass-word"),
                "{heard:?}"
            );
            say(&mut stream, 1, b"\xFB/etc/passwd").await;
        }
    };
    let (opened, ()) = tokio::join!(Session::connect(&endpoint, SessionKind::Read), serving);
    opened.err().expect("a refusal")
}

#[tokio::test]
async fn a_server_gets_no_file_and_no_password() {
    let ok = b"\0\0\0\x02\0\0\0";
    let error = check(ok).await;
    assert!(
        matches!(&error, SessionError::Protocol { detail } if detail.contains("file")),
        "{error:?}"
    );
    assert_eq!(error.into_fault().code, "CONN-022");
    let error = check(b"\xFEmysql_clear_password\0").await;
    assert_eq!(error.into_fault().code, "CONN-011");
    let error = check(b"\xFEauth_gssapi_client\0x").await;
    assert_eq!(error.into_fault().code, "CONN-010");
    let error = check(b"\xFE").await;
    assert_eq!(error.into_fault().code, "CONN-010");
}

#[tokio::test]
async fn broken_packets_are_errors() {
    for answer in [
        &b"\x01"[..],
        b"\x01\x04",
        b"\x77",
        b"",
        b"\0\xFC",
        b"\xFF",
        b"\xFEcaching_sha2_password\0",
    ] {
        let error = check(answer).await;
        assert!(
            matches!(
                error,
                SessionError::Protocol { .. }
                    | SessionError::Io { .. }
                    | SessionError::Connect { .. }
            ),
            "{error:?}"
        );
    }
}

/// A server that sends a key which is none.
#[tokio::test]
async fn a_broken_key_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut endpoint = Endpoint::new(
        "127.0.0.1",
        listener.local_addr().expect("an address").port(),
        "mover",
    );
    endpoint.password = Some(Secret::new("pass-word"));
    endpoint.tls.mode = TlsMode::Off;
    let serving = async {
        let (mut stream, _) = listener.accept().await.expect("a client");
        say(&mut stream, 0, &greeting()).await;
        hear(&mut stream).await;
        say(
            &mut stream,
            2,
            b"\xFEcaching_sha2_password\0abcdefghijklmnopqrst\0",
        )
        .await;
        hear(&mut stream).await;
        say(&mut stream, 4, b"\x01\x04").await;
        assert_eq!(hear(&mut stream).await.as_deref(), Some(&[2u8][..]));
        say(
            &mut stream,
            6,
            b"\x01-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----",
        )
        .await;
        assert_eq!(hear(&mut stream).await, None);
    };
    let (opened, ()) = tokio::join!(Session::connect(&endpoint, SessionKind::Read), serving);
    let error = opened.err().expect("a refusal");
    assert_eq!(error.into_fault().code, "CONN-022");
}

/// What a session says about a server that meets the TLS handshake with these bytes and an end.
async fn check_handshake(mode: TlsMode, answer: &[u8]) -> SessionError {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let mut endpoint = Endpoint::new("127.0.0.1", port, "mover");
    endpoint.tls.mode = mode;
    let serving = async {
        let (mut stream, _) = listener.accept().await.expect("a client");
        say(&mut stream, 0, &greeting_with(0xFF)).await;
        assert_eq!(
            hear(&mut stream).await.map(|request| request.len()),
            Some(32)
        );
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).await.expect("a hello");
        stream.write_all(answer).await.expect("said");
        stream.shutdown().await.expect("an end");
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        if mode != TlsMode::Preferred {
            return;
        }
        // The second attempt asks for no TLS.
        let (mut stream, _) = listener.accept().await.expect("the client again");
        say(&mut stream, 0, &greeting_with(0xFF)).await;
        assert!(
            hear(&mut stream)
                .await
                .is_some_and(|response| response.len() > 32)
        );
        say(&mut stream, 2, b"\xFF\x15\x04#28000no").await;
    };
    let (opened, ()) = tokio::join!(Session::connect(&endpoint, SessionKind::Read), serving);
    opened.err().expect("a refusal")
}

#[tokio::test]
async fn servers_with_old_tls_say_so() {
    // A fatal alert: the protocol version.
    let alert = b"\x15\x03\x01\x00\x02\x02\x46";
    for answer in [&alert[..], b""] {
        let error = check_handshake(TlsMode::Required, answer).await;
        assert_eq!(error.into_fault().code, "CONN-013");
        let error = check_handshake(TlsMode::Preferred, answer).await;
        assert_eq!(error.into_fault().code, "CONN-006");
    }
}
