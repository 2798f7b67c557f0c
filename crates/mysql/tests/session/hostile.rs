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
    let mut greeting = b"\x0A8.0.99\0\x01\0\0\0abcdefgh\0".to_vec();
    // Everything but TLS, utf8mb4, autocommit.
    greeting.extend_from_slice(&[0xFF, 0xF7, 45, 2, 0, 0xFF, 0xFF, 21]);
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
