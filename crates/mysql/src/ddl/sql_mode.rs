//! The bits of `sql_mode` as binlogs carry them.

pub(super) const ANSI_QUOTES: u64 = 1 << 2;
pub(super) const NO_BACKSLASH_ESCAPES: u64 = 1 << 20;

/// The same bits with backslashes that escape.
pub fn with_backslash_escapes(bits: u64) -> u64 {
    bits & !NO_BACKSLASH_ESCAPES
}

/// True for a `CREATE TABLE ... SELECT` as servers log it beside its rows: by the columns that it
/// made. They escape its texts by backslashes whatever the `sql_mode` of the session (seen on 9.7,
/// 5.6 and MariaDB 10.11, whose own replicas read them otherwise).
pub fn is_written_by_server(statement: &str, rows_follow: bool) -> bool {
    rows_follow || statement.trim_end().ends_with(" START TRANSACTION")
}
const STRICT_TRANS_TABLES: u64 = 1 << 21;
const STRICT_ALL_TABLES: u64 = 1 << 22;

/// True where a server refuses what it would otherwise change with a warning.
pub fn is_strict(bits: u64) -> bool {
    bits & (STRICT_TRANS_TABLES | STRICT_ALL_TABLES) != 0
}

/// One mode that is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqlMode {
    pub name: &'static str,
    /// False where MySQL 8.0 and later refuse the name.
    pub accepted: bool,
}

/// Bits in MySQL's order. Names after `NOT_USED` placeholders keep their place.
const NAMES: [&str; 34] = [
    "REAL_AS_FLOAT",
    "PIPES_AS_CONCAT",
    "ANSI_QUOTES",
    "IGNORE_SPACE",
    "NOT_USED",
    "ONLY_FULL_GROUP_BY",
    "NO_UNSIGNED_SUBTRACTION",
    "NO_DIR_IN_CREATE",
    "POSTGRESQL",
    "ORACLE",
    "MSSQL",
    "DB2",
    "MAXDB",
    "NO_KEY_OPTIONS",
    "NO_TABLE_OPTIONS",
    "NO_FIELD_OPTIONS",
    "MYSQL323",
    "MYSQL40",
    "ANSI",
    "NO_AUTO_VALUE_ON_ZERO",
    "NO_BACKSLASH_ESCAPES",
    "STRICT_TRANS_TABLES",
    "STRICT_ALL_TABLES",
    "NO_ZERO_IN_DATE",
    "NO_ZERO_DATE",
    "ALLOW_INVALID_DATES",
    "ERROR_FOR_DIVISION_BY_ZERO",
    "TRADITIONAL",
    "NO_AUTO_CREATE_USER",
    "HIGH_NOT_PRECEDENCE",
    "NO_ENGINE_SUBSTITUTION",
    "PAD_CHAR_TO_FULL_LENGTH",
    "TIME_TRUNCATE_FRACTIONAL",
    "INTERPRET_UTF8_AS_UTF8MB4",
];

/// Modes that MySQL 8.0 removed, and MariaDB's own.
const REFUSED: [&str; 16] = [
    "NOT_USED",
    "POSTGRESQL",
    "ORACLE",
    "MSSQL",
    "DB2",
    "MAXDB",
    "NO_KEY_OPTIONS",
    "NO_TABLE_OPTIONS",
    "NO_FIELD_OPTIONS",
    "MYSQL323",
    "MYSQL40",
    "NO_AUTO_CREATE_USER",
    "IGNORE_BAD_TABLE_OPTIONS",
    "EMPTY_STRING_IS_NULL",
    "SIMULTANEOUS_ASSIGNMENT",
    "TIME_ROUND_FRACTIONAL",
];

/// The modes set in `bits`, in bit order.
///
/// Source: MySQL manual, "Server SQL Modes", and the order of `sql_mode_names`; MariaDB has the
/// same order up to bit 31, then its own names.
pub fn sql_mode_names(bits: u64, mariadb: bool) -> Vec<SqlMode> {
    (0..64)
        .filter(|bit| bits & (1 << bit) != 0)
        .filter_map(|bit| name_of(bit, mariadb))
        .filter(|name| *name != "NOT_USED")
        .map(|name| SqlMode {
            name,
            accepted: !REFUSED.contains(&name),
        })
        .collect()
}

/// The modes of a text that a server of this dialect takes, and those that it does not.
pub fn sql_mode_at(text: &str, to: super::Dialect) -> (String, Vec<String>) {
    let is_taken = |name: &str| {
        if to.mariadb || to.version < 80_000 {
            name != "TIME_TRUNCATE_FRACTIONAL"
        } else {
            !REFUSED.contains(&name)
        }
    };
    let names = text
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_ascii_uppercase);
    let (kept, dropped): (Vec<String>, Vec<String>) = names.partition(|name| is_taken(name));
    (kept.join(","), dropped)
}

fn name_of(bit: usize, mariadb: bool) -> Option<&'static str> {
    match (mariadb, bit) {
        (true, 4) => Some("IGNORE_BAD_TABLE_OPTIONS"),
        (true, 32) => Some("EMPTY_STRING_IS_NULL"),
        (true, 33) => Some("SIMULTANEOUS_ASSIGNMENT"),
        (true, 34) => Some("TIME_ROUND_FRACTIONAL"),
        _ => NAMES.get(bit).copied(),
    }
}
