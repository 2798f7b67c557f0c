//! What a server can do, by flavour and version.
//!
//! Owns every "if 5.6" and "if MariaDB" decision, each as a named method of [`ServerVersion`].
//! Must not talk to a server: the session reads the text, this module judges it.

/// The family a server belongs to. Aurora, RDS and PolarDB are `MySql`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavour {
    MySql,
    MariaDb,
}

/// A server's version as it states it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerVersion {
    pub flavour: Flavour,
    pub major: u16,
    pub minor: u16,
    pub patch: u16,
    /// The whole text of `VERSION()`.
    pub text: String,
}

impl ServerVersion {
    /// Reads the text of `VERSION()` or of a handshake; `None` where it begins with no number.
    pub fn parse(text: &str) -> Option<ServerVersion> {
        let flavour = if text.to_ascii_lowercase().contains("mariadb") {
            Flavour::MariaDb
        } else {
            Flavour::MySql
        };
        // MariaDB puts "5.5.5-" before its version in the handshake for the sake of old replicas.
        let numbers = match flavour {
            Flavour::MariaDb => text.strip_prefix("5.5.5-").unwrap_or(text),
            Flavour::MySql => text,
        };
        let end = numbers
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(numbers.len());
        let mut parts = numbers[..end].split('.').map(str::parse::<u16>);
        Some(ServerVersion {
            flavour,
            major: parts.next()?.ok()?,
            minor: parts.next()?.ok()?,
            patch: parts.next().and_then(Result::ok).unwrap_or(0),
            text: text.to_owned(),
        })
    }

    pub fn is_mariadb(&self) -> bool {
        self.flavour == Flavour::MariaDb
    }

    /// True from this version on; says nothing of the flavour.
    pub fn at_least(&self, major: u16, minor: u16, patch: u16) -> bool {
        (self.major, self.minor, self.patch) >= (major, minor, patch)
    }

    fn mysql_since(&self, major: u16, minor: u16, patch: u16) -> bool {
        !self.is_mariadb() && self.at_least(major, minor, patch)
    }

    /// Name of the variable that holds a session's isolation level.
    pub fn isolation_variable(&self) -> &'static str {
        let renamed = match self.flavour {
            Flavour::MySql => self.at_least(5, 7, 20),
            Flavour::MariaDb => self.at_least(11, 1, 1),
        };
        if renamed {
            "transaction_isolation"
        } else {
            "tx_isolation"
        }
    }

    /// Name of the variable that ends long statements, where the server has one.
    pub fn statement_limit_variable(&self) -> Option<&'static str> {
        match self.flavour {
            Flavour::MySql if self.at_least(5, 7, 8) => Some("max_execution_time"),
            Flavour::MariaDb if self.at_least(10, 1, 1) => Some("max_statement_time"),
            _ => None,
        }
    }

    /// True where `CAST(f AS DOUBLE)` exists; elsewhere `f + 0e0` gives the same number.
    pub fn has_cast_as_double(&self) -> bool {
        self.mysql_since(8, 0, 17)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, flavour: Flavour, numbers: (u16, u16, u16)) {
        let version = ServerVersion::parse(text).expect("a version");
        assert_eq!(version.flavour, flavour, "{text}");
        assert_eq!(
            (version.major, version.minor, version.patch),
            numbers,
            "{text}"
        );
    }

    #[test]
    fn versions_of_every_flavour_are_read() {
        check("9.7.4", Flavour::MySql, (9, 7, 4));
        check("5.6.24-log", Flavour::MySql, (5, 6, 24));
        check("8.0.36-0ubuntu0.22.04.1", Flavour::MySql, (8, 0, 36));
        check(
            "10.11.19-MariaDB-0+deb12u1-log",
            Flavour::MariaDb,
            (10, 11, 19),
        );
        check("5.5.5-10.11.19-MariaDB", Flavour::MariaDb, (10, 11, 19));
        check("8.0", Flavour::MySql, (8, 0, 0));
        assert_eq!(ServerVersion::parse("unknown"), None);
        assert_eq!(ServerVersion::parse(""), None);
    }
}
