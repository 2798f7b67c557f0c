//! Logins: every flavour, plugin and TLS mode, and the error for each that cannot work.

use super::{ALL, endpoint, mover, start, start_with, text};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;
use wherry_model::Class;
use wherry_model::task::TlsMode;
use wherry_mysql::session::{Endpoint, Secret, Session, SessionKind};
use wherry_testkit::{Flavour, Server};

/// A CA, a server certificate for `localhost` and 127.0.0.1, a client certificate, another CA.
struct Certificates {
    folder: TempDir,
}

impl Certificates {
    fn make(server_names: &[&str]) -> Certificates {
        let folder = tempfile::tempdir().expect("a folder");
        let made = Certificates { folder };
        let ca = made.authority("ca");
        made.signed("server", server_names, &ca);
        made.signed("client", &["mover"], &ca);
        made.authority("other-ca");
        made
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn authority(&self, name: &str) -> Issuer<'static, KeyPair> {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        fs::write(self.path(&format!("{name}.pem")), certificate.pem()).expect("written");
        Issuer::new(params, key)
    }

    fn signed(&self, name: &str, names: &[&str], ca: &Issuer<'static, KeyPair>) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("parameters");
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
        let certificate = params.signed_by(&key, ca).expect("a certificate");
        fs::write(self.path(&format!("{name}.pem")), certificate.pem()).expect("written");
        fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).expect("written");
    }

    fn arguments(&self) -> Vec<String> {
        vec![
            format!("--ssl-ca={}", text(&self.path("ca.pem"))),
            format!("--ssl-cert={}", text(&self.path("server.pem"))),
            format!("--ssl-key={}", text(&self.path("server.key"))),
        ]
    }
}

/// Logs in, and returns whether the connection is protected.
async fn log_in(endpoint: &Endpoint) -> bool {
    let mut session = Session::connect(endpoint, SessionKind::Read)
        .await
        .unwrap_or_else(|error| panic!("{:?}: {error:?}", endpoint.tls));
    let cipher = session
        .query("SHOW STATUS LIKE 'Ssl_cipher'")
        .await
        .expect("the cipher");
    session.close().await;
    cipher.text(0, 1).is_some_and(|cipher| !cipher.is_empty())
}

/// Expects a refused login with this code, whose texts hold no password.
async fn check_refused(endpoint: &Endpoint, code: &str) {
    let fault = match Session::connect(endpoint, SessionKind::Write).await {
        Ok(_) => panic!("no {code} for {endpoint:?}"),
        Err(error) => error.into_fault(),
    };
    assert_eq!(fault.code, code, "{fault:?}");
    assert!(!fault.hint.is_empty());
    assert!(!format!("{fault:?}").contains("pass-word"), "{fault:?}");
}

fn trusting(server: &Server, mode: TlsMode, host: &str, ca: PathBuf) -> Endpoint {
    let mut endpoint = endpoint(server, "mover", "mover", mode);
    endpoint.host = host.to_owned();
    endpoint.tls.ca = Some(text(&ca));
    endpoint
}

async fn check_tls_modes(server: &Server, certificates: &Certificates) {
    assert!(!log_in(&endpoint(server, "mover", "mover", TlsMode::Off)).await);
    assert!(log_in(&endpoint(server, "mover", "mover", TlsMode::Preferred)).await);
    assert!(log_in(&endpoint(server, "mover", "mover", TlsMode::Required)).await);
    let (ca, other) = (
        certificates.path("ca.pem"),
        certificates.path("other-ca.pem"),
    );
    for mode in [TlsMode::VerifyCa, TlsMode::VerifyIdentity] {
        assert!(log_in(&trusting(server, mode, "localhost", ca.clone())).await);
        check_refused(
            &trusting(server, mode, "localhost", other.clone()),
            "CONN-014",
        )
        .await;
        // The system's roots do not know our CA.
        let mut system = endpoint(server, "mover", "mover", mode);
        system.host = "localhost".to_owned();
        let error = Session::connect(&system, SessionKind::Read)
            .await
            .err()
            .expect("refused");
        let code = error.into_fault().code;
        assert!(matches!(code, "CONN-014" | "CONN-017"), "{code}");
    }
    // 127.0.0.2 is the same server under a name that the certificate does not hold.
    let pinned = certificates.path("server.pem");
    assert!(
        log_in(&trusting(
            server,
            TlsMode::VerifyCa,
            "127.0.0.1",
            ca.clone()
        ))
        .await
    );
    assert!(log_in(&trusting(server, TlsMode::VerifyCa, "127.0.0.1", pinned)).await);
    let wrong_name = trusting(server, TlsMode::VerifyIdentity, "127.0.0.1", ca);
    check_refused(&wrong_name, "CONN-015").await;
    let missing = trusting(
        server,
        TlsMode::VerifyCa,
        "localhost",
        certificates.path("none.pem"),
    );
    check_refused(&missing, "CONN-017").await;
}

async fn check_client_certificate(server: &Server, certificates: &Certificates) {
    server
        .sql(
            "CREATE USER 'signed'@'%' IDENTIFIED BY 'pass-word' REQUIRE X509; \
             CREATE USER 'protected'@'%' IDENTIFIED BY 'pass-word' REQUIRE SSL",
        )
        .await
        .expect("accounts");
    let mut signed = endpoint(server, "signed", "pass-word", TlsMode::Required);
    check_refused(&signed, "CONN-006").await;
    signed.tls.certificate = Some(text(&certificates.path("client.pem")));
    check_refused(&signed, "CONN-017").await;
    signed.tls.key = Some(text(&certificates.path("client.key")));
    assert!(log_in(&signed).await);
    let mut protected = endpoint(server, "protected", "pass-word", TlsMode::Off);
    check_refused(&protected, "CONN-006").await;
    protected.tls.mode = TlsMode::Preferred;
    assert!(log_in(&protected).await);
}

async fn check_refusals(server: &Server) {
    check_refused(
        &endpoint(server, "mover", "pass-word", TlsMode::Preferred),
        "CONN-006",
    )
    .await;
    check_refused(
        &endpoint(server, "mover", "", TlsMode::Preferred),
        "CONN-006",
    )
    .await;
    check_refused(
        &endpoint(server, "nobody", "pass-word", TlsMode::Off),
        "CONN-006",
    )
    .await;
}

#[tokio::test]
async fn mysql_97_takes_every_tls_mode() {
    let certificates = Certificates::make(&["localhost"]);
    let server = start_with(Flavour::MySql97, certificates.arguments()).await;
    check_tls_modes(&server, &certificates).await;
    check_client_certificate(&server, &certificates).await;
    check_refusals(&server).await;
}

#[tokio::test]
async fn mariadb_takes_every_tls_mode() {
    let certificates = Certificates::make(&["localhost"]);
    let server = start_with(Flavour::MariaDb, certificates.arguments()).await;
    check_tls_modes(&server, &certificates).await;
    check_client_certificate(&server, &certificates).await;
    check_refusals(&server).await;
}

#[tokio::test]
async fn certificates_may_name_addresses() {
    let certificates = Certificates::make(&["127.0.0.1"]);
    let server = start_with(Flavour::MySql97, certificates.arguments()).await;
    let ca = certificates.path("ca.pem");
    assert!(
        log_in(&trusting(
            &server,
            TlsMode::VerifyIdentity,
            "127.0.0.1",
            ca.clone()
        ))
        .await
    );
    check_refused(
        &trusting(&server, TlsMode::VerifyIdentity, "localhost", ca),
        "CONN-015",
    )
    .await;
}

#[tokio::test]
async fn mysql_56_logs_in_and_says_that_it_has_no_tls() {
    let server = start(Flavour::MySql56).await;
    assert!(!log_in(&mover(&server)).await);
    assert!(!log_in(&endpoint(&server, "root", "", TlsMode::Off)).await);
    for mode in [
        TlsMode::Required,
        TlsMode::VerifyCa,
        TlsMode::VerifyIdentity,
    ] {
        check_refused(&endpoint(&server, "mover", "mover", mode), "CONN-012").await;
    }
    check_refusals(&server).await;
}

/// Each password plugin of MySQL 9.7: the first login goes the long way, the second the short.
#[tokio::test]
async fn mysql_97_takes_every_password_plugin() {
    let server = start(Flavour::MySql97).await;
    let long = "pass-word".repeat(20);
    server
        .sql(&format!(
            "CREATE USER 'caching'@'%' IDENTIFIED WITH caching_sha2_password BY 'pass-word'; \
             CREATE USER 'long'@'%' IDENTIFIED WITH caching_sha2_password BY '{long}'; \
             CREATE USER 'empty'@'%' IDENTIFIED WITH caching_sha2_password BY ''; \
             CREATE USER 'old'@'%' IDENTIFIED WITH sha256_password BY 'pass-word'; \
             CREATE USER 'old_empty'@'%' IDENTIFIED WITH sha256_password BY ''; \
             CREATE USER 'locked'@'%' IDENTIFIED BY 'pass-word' ACCOUNT LOCK"
        ))
        .await
        .expect("accounts");
    // MySQL signs a certificate by itself when it is given none.
    let own_ca = server.data_folder().join("ca.pem");
    let own = trusting(&server, TlsMode::VerifyCa, "127.0.0.1", own_ca.clone());
    assert!(log_in(&own).await);
    let named = trusting(&server, TlsMode::VerifyIdentity, "127.0.0.1", own_ca);
    check_refused(&named, "CONN-015").await;
    for mode in [TlsMode::Off, TlsMode::Required] {
        for _ in 0..2 {
            log_in(&endpoint(&server, "caching", "pass-word", mode)).await;
            log_in(&endpoint(&server, "long", &long, mode)).await;
            log_in(&endpoint(&server, "empty", "", mode)).await;
            log_in(&endpoint(&server, "old", "pass-word", mode)).await;
            log_in(&endpoint(&server, "old_empty", "", mode)).await;
        }
        for user in ["caching", "old", "empty"] {
            check_refused(&endpoint(&server, user, "pass-word-2", mode), "CONN-006").await;
        }
        check_refused(&endpoint(&server, "locked", "pass-word", mode), "CONN-009").await;
        // Forgets the fast path.
        server.sql("FLUSH PRIVILEGES").await.expect("flushed");
    }
}

#[tokio::test]
async fn servers_in_a_bad_state_say_so() {
    let server = start_with(Flavour::MySql97, vec!["--max-connections=2".to_owned()]).await;
    let endpoint = mover(&server);
    let mut held = Vec::new();
    let error = loop {
        match Session::connect(&endpoint, SessionKind::Control).await {
            Ok(session) => held.push(session),
            Err(error) => break error,
        }
        assert!(held.len() < 10, "no limit");
    };
    assert!(error.is_transient());
    assert_eq!(error.into_fault().code, "CONN-024");
    held.clear();
    server.kill9().expect("killed");
    let error = Session::connect(&endpoint, SessionKind::Control)
        .await
        .err()
        .expect("refused");
    assert!(error.is_transient());
    assert_eq!(error.into_fault().code, "CONN-002");
}

#[tokio::test]
async fn unknown_hosts_and_silent_ones_say_so() {
    let mut endpoint = Endpoint::new("no-such-host.invalid", 3306, "mover");
    endpoint.password = Some(Secret::new("pass-word"));
    let fault = Session::connect(&endpoint, SessionKind::Read)
        .await
        .err()
        .expect("unknown")
        .into_fault();
    assert!(matches!(fault.code, "CONN-001" | "CONN-005"), "{fault:?}");
    // Takes connections and says nothing.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    endpoint.host = "127.0.0.1".to_owned();
    endpoint.port = listener.local_addr().expect("an address").port();
    endpoint.connect_timeout = std::time::Duration::from_millis(300);
    let error = Session::connect(&endpoint, SessionKind::Read)
        .await
        .err()
        .expect("silent");
    let fault = error.into_fault();
    assert_eq!(fault.code, "CONN-003", "{fault:?}");
    assert_eq!(fault.class, Class::Transient);
}

#[tokio::test]
async fn every_kind_of_session_sets_up_everywhere() {
    for flavour in ALL {
        // Defaults that would change results or statements if sessions kept them.
        let odd = [
            "--sql-mode=ANSI_QUOTES,NO_BACKSLASH_ESCAPES",
            "--autocommit=0",
            "--transaction-isolation=SERIALIZABLE",
        ];
        let server = start_with(flavour, odd.map(str::to_owned).to_vec()).await;
        for kind in [SessionKind::Control, SessionKind::Read, SessionKind::Write] {
            let mut session = Session::connect(&mover(&server), kind)
                .await
                .expect("a session");
            assert_eq!(session.version().is_mariadb(), flavour == Flavour::MariaDb);
            assert_eq!(
                session.version().at_least(9, 0, 0),
                flavour != Flavour::MySql56
            );
            let found = session
                .query("SELECT CONNECTION_ID(), \"it\\'s\", @@autocommit")
                .await
                .expect("rows");
            assert_eq!(
                found.text(0, 0),
                Some(session.connection_id().to_string().as_str())
            );
            assert_eq!(found.text(0, 1), Some("it's"));
            assert_eq!(found.text(0, 2), Some("1"));
            session.close().await;
        }
    }
}
