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

    /// True where `CAST(f AS DOUBLE)` exists; elsewhere `f * 1e0` gives the same number,
    /// with its sign also where it is zero.
    /// Collations of `utf8mb3` have its name; before they have that of `utf8`.
    pub fn has_utf8mb3_collations(&self) -> bool {
        match self.is_mariadb() {
            true => self.at_least(10, 6, 1),
            false => self.at_least(8, 0, 30),
        }
    }

    pub fn has_cast_as_double(&self) -> bool {
        self.mysql_since(8, 0, 17)
    }

    /// True where `JSON_TABLE` exists, the only way to ask for the types in a whole document.
    pub fn has_json_table(&self) -> bool {
        self.mysql_since(8, 0, 4)
    }

    /// True where a table without a primary key may get a hidden one, `my_row_id`.
    pub fn has_generated_primary_keys(&self) -> bool {
        self.mysql_since(8, 0, 30)
    }

    /// True where a key part may be an expression and a key may be invisible.
    pub fn has_functional_keys(&self) -> bool {
        self.mysql_since(8, 0, 13)
    }

    /// True where the optimiser may be told to ignore a key.
    pub fn has_ignored_keys(&self) -> bool {
        self.is_mariadb() && self.at_least(10, 6, 0)
    }

    /// True where a database may have a comment.
    pub fn has_database_comments(&self) -> bool {
        self.is_mariadb() && self.at_least(10, 5, 0)
    }

    /// True where child rows changed by a foreign-key cascade are in the binlog, unless
    /// `innodb_native_foreign_keys` is on.
    pub fn can_log_cascades(&self) -> bool {
        self.mysql_since(9, 6, 0)
    }

    /// True where `gtid_executed` with `gtid_mode = ON` lists a transaction only when it is
    /// visible: a snapshot opened after reading it holds all of it.
    pub fn lists_gtids_when_visible(&self) -> bool {
        self.mysql_since(5, 7, 0)
    }

    /// True where `XA RECOVER` needs a privilege of its own.
    pub fn hides_prepared_xa(&self) -> bool {
        self.mysql_since(8, 0, 0)
    }

    /// True where `super_read_only` exists, which holds back accounts with SUPER too.
    pub fn has_super_read_only(&self) -> bool {
        self.mysql_since(5, 7, 8)
    }

    /// True where `SHOW CREATE USER` exists.
    pub fn has_show_create_user(&self) -> bool {
        match self.flavour {
            Flavour::MySql => self.at_least(5, 7, 6),
            Flavour::MariaDb => self.at_least(10, 2, 0),
        }
    }

    /// True where hashes of any bytes are printed and taken as hexadecimal numbers.
    pub fn has_hashes_as_hex(&self) -> bool {
        self.mysql_since(8, 0, 17)
    }

    /// True where a privilege of its own shows the bodies of routines.
    pub fn has_show_routine(&self) -> bool {
        self.mysql_since(8, 0, 20)
    }

    /// True where `SHOW GRANTS` lists what comes by roles only when they are named.
    pub fn has_roles_in_grants(&self) -> bool {
        self.mysql_since(8, 0, 0)
    }

    /// The statement that shows from whom this server replicates.
    pub fn replica_status_statement(&self) -> &'static str {
        match self.flavour {
            Flavour::MySql if self.at_least(8, 0, 22) => "SHOW REPLICA STATUS",
            Flavour::MySql => "SHOW SLAVE STATUS",
            Flavour::MariaDb => "SHOW ALL SLAVES STATUS",
        }
    }

    /// The statement that names the current end of the binlog.
    pub fn binlog_status_statement(&self) -> &'static str {
        if self.mysql_since(8, 2, 0) {
            "SHOW BINARY LOG STATUS"
        } else {
            "SHOW MASTER STATUS"
        }
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
