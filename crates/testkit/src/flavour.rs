//! The three kinds of server that tests run on, and what differs between them on the command line.

/// A kind of server, pinned to one release line.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Flavour {
    MySql97,
    MySql56,
    MariaDb,
}

impl Flavour {
    pub const ALL: [Flavour; 3] = [Flavour::MySql97, Flavour::MySql56, Flavour::MariaDb];

    /// Short name for folders and messages.
    pub fn name(self) -> &'static str {
        match self {
            Flavour::MySql97 => "mysql97",
            Flavour::MySql56 => "mysql56",
            Flavour::MariaDb => "mariadb",
        }
    }

    /// The environment variable that names an existing server program instead of a fetched one.
    pub fn override_variable(self) -> &'static str {
        match self {
            Flavour::MySql97 => "WHERRY_MYSQL97",
            Flavour::MySql56 => "WHERRY_MYSQL56",
            Flavour::MariaDb => "WHERRY_MARIADB",
        }
    }

    pub fn has_json(self) -> bool {
        self == Flavour::MySql97
    }

    /// A server from before generated columns, checks and hidden keys.
    pub fn is_old(self) -> bool {
        self == Flavour::MySql56
    }

    pub fn has_generated_columns(self) -> bool {
        !self.is_old()
    }

    /// Whether the server keeps GTIDs whatever the options say.
    pub fn always_gtid(self) -> bool {
        self == Flavour::MariaDb
    }

    pub(crate) fn binlog_arguments(self, gtid: bool) -> Vec<String> {
        let mut arguments = vec![
            "--log-bin=binlog".to_owned(),
            "--binlog-format=ROW".to_owned(),
            "--log-slave-updates=ON".to_owned(),
        ];
        let more: &[&str] = match (self, gtid) {
            (Flavour::MySql97, true) => &["--gtid-mode=ON", "--enforce-gtid-consistency=ON"],
            (Flavour::MySql97, false) => &["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"],
            (Flavour::MySql56, true) => &["--gtid-mode=ON", "--enforce-gtid-consistency"],
            (Flavour::MySql56, false) | (Flavour::MariaDb, false) => &[],
            (Flavour::MariaDb, true) => &["--gtid-strict-mode=ON"],
        };
        if self == Flavour::MySql97 {
            arguments[2] = "--log-replica-updates=ON".to_owned();
        }
        if self != Flavour::MariaDb || gtid {
            arguments.extend(more.iter().map(|text| (*text).to_owned()));
        }
        arguments.push("--binlog-row-image=FULL".to_owned());
        arguments
    }

    /// Arguments every server of this flavour needs in a test, sized for a small machine.
    pub(crate) fn base_arguments(self) -> &'static [&'static str] {
        match self {
            Flavour::MySql97 => &[
                "--mysqlx=OFF",
                "--secure-file-priv=",
                "--innodb-redo-log-capacity=64M",
                "--local-infile=ON",
            ],
            Flavour::MySql56 => &[
                "--secure-file-priv=",
                "--innodb-log-file-size=32M",
                "--local-infile=1",
                "--explicit-defaults-for-timestamp",
            ],
            Flavour::MariaDb => &[
                "--secure-file-priv=",
                "--innodb-log-file-size=32M",
                "--local-infile=ON",
            ],
        }
    }
}
