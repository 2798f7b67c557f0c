//! From the task file's endpoint to one that can be connected: URL and password.
//!
//! Owns the codes `CONN-030` to `CONN-039`. No error repeats the part of a URL that may hold a
//! password, nor what a password's command printed.

use super::endpoint::{Endpoint, Secret};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::timeout;
use wherry_model::Fault;
use wherry_model::task::{EndpointSpec, SecretSpec};

const PORT_DEFAULT: u16 = 3306;

/// How long a command may take to print a password.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest password, and longest output of a command: far above what servers take.
const SECRET_BYTES_MAX: usize = 64 << 10;

/// Characters of a failed command's standard error that are shown.
const ERROR_TEXT_MAX: usize = 500;

/// Reads the URL and fetches the password.
///
/// Errors: class `Input`, never with any part of the password.
pub async fn resolve(spec: &EndpointSpec) -> Result<Endpoint, Fault> {
    let url = parse_url(&spec.url.0)?;
    let mut endpoint = Endpoint::new(url.host, url.port, url.user);
    endpoint.tls = spec.tls.clone();
    endpoint.password = match &spec.password {
        Some(secret) => Some(Secret::new(fetch(secret).await?)),
        None => url.password.map(Secret::new),
    };
    Ok(endpoint)
}

#[derive(Debug, PartialEq, Eq)]
struct Url {
    user: String,
    password: Option<String>,
    host: String,
    port: u16,
}

fn parse_url(text: &str) -> Result<Url, Fault> {
    let Some(rest) = text.strip_prefix("mysql://") else {
        return Err(
            Fault::input("CONN-030", "the URL does not begin with `mysql://`")
                .hint("Write the URL as `mysql://user@host:3306`."),
        );
    };
    // The last `@` ends the account, so that one inside a password does no harm.
    let Some((account, place)) = rest.rsplit_once('@') else {
        return Err(Fault::input("CONN-030", "the URL names no user")
            .hint("Write the URL as `mysql://user@host:3306`."));
    };
    if place.contains(['?', '#']) {
        return Err(
            Fault::input("CONN-031", "the URL has options, which are not read").hint(
                "Remove what follows `?`; TLS is set up in the `tls` section of the endpoint.",
            ),
        );
    }
    let place = match place.split_once('/') {
        None | Some((_, "")) => place.trim_end_matches('/'),
        Some(_) => {
            return Err(Fault::input("CONN-031", "the URL names a database").hint(
                "Remove what follows the host and port; databases stand in `select.databases`.",
            ));
        }
    };
    let (user, password) = match account.split_once(':') {
        Some((user, password)) => (user, Some(decode(password)?)),
        None => (account, None),
    };
    let (host, port) = parse_place(place)?;
    let user = decode(user)?;
    if user.is_empty() {
        return Err(Fault::input("CONN-030", "the URL names no user")
            .hint("Write the URL as `mysql://user@host:3306`."));
    }
    Ok(Url {
        user,
        password: password.filter(|password| !password.is_empty()),
        host,
        port,
    })
}

/// Host and port of `host`, `host:port`, `[v6]` or `[v6]:port`.
fn parse_place(place: &str) -> Result<(String, u16), Fault> {
    let (host, port) = match place
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some((host, "")) => (host, None),
        Some((host, after)) => (host, Some(after.strip_prefix(':').unwrap_or("no port"))),
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let is_v6 = place.starts_with('[');
    let valid = |c: char| c.is_alphanumeric() || "-._".contains(c) || (is_v6 && ":%".contains(c));
    if host.is_empty() || !host.chars().all(valid) {
        return Err(Fault::input("CONN-032", "the URL has no valid host").hint(
            "Write the URL as `mysql://user@host:3306`, an IPv6 address in square brackets.",
        ));
    }
    let port = match port {
        None => PORT_DEFAULT,
        Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or_else(|| {
            Fault::input("CONN-032", "the URL has no valid port")
                .hint("Give a port between 1 and 65535, or leave it out for 3306.")
        })?,
    };
    Ok((host.to_owned(), port))
}

/// Resolves `%41` forms.
fn decode(text: &str) -> Result<String, Fault> {
    let broken = || {
        Fault::input("CONN-032", "user or password in the URL hold a `%` that is not followed by two hexadecimal digits, or are not UTF-8")
            .hint("Write a percent sign in a URL as `%25`, or give the password by `password:`.")
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2).ok_or_else(broken)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(broken());
        }
        let digits = std::str::from_utf8(digits).map_err(|_| broken())?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| broken())?);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| broken())
}

async fn fetch(spec: &SecretSpec) -> Result<String, Fault> {
    match spec {
        SecretSpec::Env(name) => std::env::var(name)
            .ok()
            .filter(|value| !value.is_empty())
            .ok_or_else(|| {
                Fault::input(
                    "CONN-033",
                    format!("environment variable `{name}` holds no password"),
                )
                .hint("Set the variable, and export it to this process.")
            }),
        SecretSpec::File(path) => read_file(path).await,
        SecretSpec::Command(command) => run_command(command).await,
    }
}

async fn read_file(path: &str) -> Result<String, Fault> {
    let hint = "Give a readable file that holds the password and nothing else.";
    let read = async {
        let mut bytes = Vec::new();
        let file = tokio::fs::File::open(path).await?;
        file.take(SECRET_BYTES_MAX as u64 + 1)
            .read_to_end(&mut bytes)
            .await?;
        Ok::<_, std::io::Error>(bytes)
    };
    let bytes = read.await.map_err(|error| {
        Fault::input("CONN-034", format!("could not read password file `{path}`"))
            .hint(hint)
            .cause(error)
    })?;
    one_line_end_less(bytes).ok_or_else(|| {
        Fault::input(
            "CONN-034",
            format!("password file `{path}` is empty, too long or not UTF-8"),
        )
        .hint(hint)
    })
}

async fn run_command(command: &str) -> Result<String, Fault> {
    let hint =
        "Run the command by hand; it must print the password, end with status 0 and ask nothing.";
    let failed = |message: String| Fault::input("CONN-035", message).hint(hint);
    let running = Command::new("sh")
        .arg("-c")
        .arg(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let output = timeout(COMMAND_TIMEOUT, running)
        .await
        .map_err(|_| {
            failed(format!(
                "password command gave no answer within {} s",
                COMMAND_TIMEOUT.as_secs()
            ))
        })?
        .map_err(|error| failed("could not run the password command".to_owned()).cause(error))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let text: String = text.trim().chars().take(ERROR_TEXT_MAX).collect();
        return Err(failed(format!(
            "password command failed with {}: {text}",
            output.status
        )));
    }
    one_line_end_less(output.stdout)
        .ok_or_else(|| failed("password command printed nothing, too much or no UTF-8".to_owned()))
}

/// The text without one line end at its end; `None` where nothing usable is left.
fn one_line_end_less(mut bytes: Vec<u8>) -> Option<String> {
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    if bytes.is_empty() || bytes.len() > SECRET_BYTES_MAX {
        return None;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wherry_model::Class;
    use wherry_model::task::{SecretUrl, TlsSpec};

    fn check(text: &str, user: &str, password: Option<&str>, host: &str, port: u16) {
        let expected = Url {
            user: user.to_owned(),
            password: password.map(str::to_owned),
            host: host.to_owned(),
            port,
        };
        assert_eq!(parse_url(text).expect("a valid URL"), expected, "{text}");
    }

    fn check_refused(text: &str, code: &str) {
        let fault = parse_url(text).expect_err(text);
        assert_eq!(fault.code, code, "{text}");
        assert_eq!(fault.class, Class::Input);
        let shown = format!("{fault} {} {fault:?}", fault.hint);
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(!fault.hint.is_empty());
    }

    #[test]
    fn urls_are_read() {
        check("mysql://mover@db", "mover", None, "db", 3306);
        check("mysql://mover@db/", "mover", None, "db", 3306);
        check(
            "mysql://mover:s3cret@db:3307",
            "mover",
            Some("s3cret"),
            "db",
            3307,
        );
        check("mysql://mover:@db:3307/", "mover", None, "db", 3307);
        check(
            "mysql://a%40b:p%25%3A%2F@127.0.0.1:1",
            "a@b",
            Some("p%:/"),
            "127.0.0.1",
            1,
        );
        check(
            "mysql://mover:a@b/c:d@db",
            "mover",
            Some("a@b/c:d"),
            "db",
            3306,
        );
        check("mysql://mover@[::1]:3307", "mover", None, "::1", 3307);
        check("mysql://mover@[fe80::1]", "mover", None, "fe80::1", 3306);
    }

    #[test]
    fn broken_urls_are_refused_without_their_secret() {
        check_refused("postgres://mover:s3cret@db", "CONN-030");
        check_refused("mover:s3cret@db", "CONN-030");
        check_refused("mysql://db:3306", "CONN-030");
        check_refused("mysql://:s3cret@db:3306", "CONN-030");
        check_refused("mysql://mover:s3cret@db?ssl-mode=REQUIRED", "CONN-031");
        check_refused("mysql://mover:s3cret@db/shop", "CONN-031");
        check_refused("mysql://mover:s3cret@", "CONN-032");
        check_refused("mysql://mover:s3cret@db:x", "CONN-032");
        check_refused("mysql://mover:s3cret@db:70000", "CONN-032");
        check_refused("mysql://mover:s3cret@[::1", "CONN-032");
        check_refused("mysql://mover:s3cret@::1", "CONN-032");
        check_refused("mysql://mover:s3cret%4@db", "CONN-032");
        check_refused("mysql://mover:s3cret%+1@db", "CONN-032");
        check_refused("mysql://mover:s3cret%FF@db", "CONN-032");
    }

    fn spec(password: Option<SecretSpec>) -> EndpointSpec {
        EndpointSpec {
            heartbeat: None,
            url: SecretUrl("mysql://mover:from-url@db".to_owned()),
            password,
            tls: TlsSpec::default(),
        }
    }

    async fn password(secret: Option<SecretSpec>) -> Result<Option<Secret>, Fault> {
        resolve(&spec(secret))
            .await
            .map(|endpoint| endpoint.password)
    }

    #[tokio::test]
    async fn passwords_come_from_all_places() {
        let secret = |text: &str| Some(Secret::new(text));
        assert_eq!(password(None).await.expect("URL"), secret("from-url"));
        let command = SecretSpec::Command("echo ' from command '".to_owned());
        assert_eq!(
            password(Some(command)).await.expect("command"),
            secret(" from command ")
        );
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "from file\r\n").expect("written");
        let path = file.path().to_string_lossy().into_owned();
        assert_eq!(
            password(Some(SecretSpec::File(path))).await.expect("file"),
            secret("from file")
        );
        let home = std::env::var("HOME").expect("HOME is set");
        let env = SecretSpec::Env("HOME".to_owned());
        assert_eq!(password(Some(env)).await.expect("env"), secret(&home));
    }

    #[tokio::test]
    async fn failed_secrets_show_the_error_but_no_output() {
        let command = "echo s3cret; echo vault is sealed >&2; exit 3".to_owned();
        let fault = password(Some(SecretSpec::Command(command)))
            .await
            .expect_err("status 3");
        assert_eq!(fault.code, "CONN-035");
        assert!(fault.message.contains("vault is sealed"), "{fault}");
        assert!(!format!("{fault:?}").contains("s3cret"), "{fault:?}");
        for (secret, code) in [
            (SecretSpec::Command("true".to_owned()), "CONN-035"),
            (
                SecretSpec::Env("WHERRY_NO_SUCH_VARIABLE".to_owned()),
                "CONN-033",
            ),
            (SecretSpec::File("no/such/file".to_owned()), "CONN-034"),
            (SecretSpec::File("/dev/zero".to_owned()), "CONN-034"),
        ] {
            let fault = password(Some(secret)).await.expect_err(code);
            assert_eq!(fault.code, code);
        }
    }
}
