//! Decides whether the effect of a table statement on rows is the same on both ends.

use super::lexer::{Token, TokenKind};
use super::statement::{Statement, StatementKind};
use crate::ddl::refusal::{ALTER_IGNORE, NOT_UNDERSTOOD, Refusal, UNLOGGED_ROWS, UNSTABLE_DEFAULT};
use std::ops::Range;

/// What the caller must know about a statement that can be carried.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlterNotes {
    /// Gives a column AUTO_INCREMENT: rows of a table without an identity would be numbered in
    /// another order than at the source. Also set where the column had it before.
    pub adds_auto_increment: bool,
    /// The column that was there before and is given it.
    pub numbered_column: Option<String>,
    /// Says in which order the rows are to lie.
    pub orders: bool,
}

const RELOAD: &str = "Load this table anew: its rows at the target no longer follow the source.";

/// Says whether the effect of a table statement on the rows of the target is the same as at the
/// source. For CREATE, ALTER, DROP, RENAME and TRUNCATE TABLE and for indexes; others pass.
pub fn plain_alter(sql: &str, statement: &Statement) -> Result<AlterNotes, Refusal> {
    match statement.kind {
        StatementKind::AlterTable => {}
        StatementKind::Unknown => {
            return Err(refusal(
                NOT_UNDERSTOOD,
                "statement was not understood".to_owned(),
            ));
        }
        _ => return Ok(AlterNotes::default()),
    }
    let tokens = &statement.tokens;
    let subject = tokens.get(statement.start + 1);
    if subject.is_some_and(|token| token.is_word(sql, "IGNORE")) {
        let message = "ALTER IGNORE TABLE removes rows that the binlog does not name".to_owned();
        return Err(refusal(ALTER_IGNORE, message));
    }
    let mut notes = AlterNotes::default();
    for clause in clauses(statement) {
        let clause = Clause {
            sql,
            tokens: &tokens[clause],
        };
        clause.check()?;
        if clause.adds_auto_increment() {
            notes.adds_auto_increment = true;
            notes.numbered_column = clause.changed_column();
        }
        notes.orders |= clause.is(0, "ORDER");
    }
    Ok(notes)
}

/// True where a server that chooses by itself may refuse what it does when it is told to copy the
/// table: several FULLTEXT keys made at once, also by the rebuild for a new AUTO_INCREMENT column
/// (error 1795, seen on 9.7). What the source was told is not carried.
pub(super) fn must_copy(sql: &str, statement: &Statement) -> bool {
    let is_numbered = |clause: Range<usize>| {
        let tokens = &statement.tokens[clause];
        let clause = Clause { sql, tokens };
        clause.is(0, "ADD") && clause.adds_auto_increment()
    };
    let fulltext = statement.tokens.iter();
    let fulltext = fulltext.filter(|token| token.is_word(sql, "FULLTEXT"));
    statement.kind == StatementKind::AlterTable
        && (fulltext.count() > 1 || clauses(statement).into_iter().any(is_numbered))
}

/// True where moments other than that of the statement may be converted from or to its time zone:
/// values of columns that change, or a moment that is written out as a default.
pub fn converts_moments(sql: &str, statement: &Statement) -> bool {
    let changes = |token: &Token| token.is_word(sql, "MODIFY") || token.is_word(sql, "CHANGE");
    let altered = statement.kind == StatementKind::AlterTable
        && clauses(statement)
            .into_iter()
            .any(|clause| statement.tokens[clause].first().is_some_and(changes));
    let written = statement
        .tokens
        .windows(2)
        .any(|pair| pair[0].is_word(sql, "DEFAULT") && pair[1].kind == TokenKind::Text);
    altered || written
}

/// True where an `ALTER TABLE` says which engine the table is to have.
pub fn names_engine(sql: &str, statement: &Statement) -> bool {
    statement.kind == StatementKind::AlterTable
        && clauses(statement).into_iter().any(|clause| {
            statement.tokens[clause]
                .first()
                .is_some_and(|token| token.is_word(sql, "ENGINE"))
        })
}

fn refusal(code: &'static str, message: String) -> Refusal {
    Refusal {
        code,
        message,
        hint: RELOAD,
    }
}

/// The clauses of an `ALTER TABLE`, as ranges of tokens without their commas.
pub(super) fn clauses(statement: &Statement) -> Vec<Range<usize>> {
    let mut clauses = Vec::new();
    let mut depth = 0i32;
    let mut begin = statement.body;
    for (at, token) in statement.tokens.iter().enumerate().skip(statement.body) {
        if token.is_symbol(b'(') {
            depth += 1;
        } else if token.is_symbol(b')') {
            depth -= 1;
        }
        if depth == 0 && (token.is_symbol(b',') || token.is_symbol(b';')) {
            clauses.push(begin..at);
            begin = at + 1;
        }
    }
    if begin < statement.tokens.len() {
        clauses.push(begin..statement.tokens.len());
    }
    clauses.retain(|clause| !clause.is_empty());
    clauses
}

/// First words of the clauses that are carried.
const KNOWN: [&str; 56] = [
    "ADD",
    "DROP",
    "MODIFY",
    "CHANGE",
    "ALTER",
    "RENAME",
    "CONVERT",
    "ORDER",
    "DISABLE",
    "ENABLE",
    "FORCE",
    "DEFAULT",
    "CHARACTER",
    "CHARSET",
    "CHAR",
    "COLLATE",
    "ENGINE",
    "AUTO_INCREMENT",
    "COMMENT",
    "ROW_FORMAT",
    "KEY_BLOCK_SIZE",
    "STATS_PERSISTENT",
    "STATS_AUTO_RECALC",
    "STATS_SAMPLE_PAGES",
    "MIN_ROWS",
    "MAX_ROWS",
    "AVG_ROW_LENGTH",
    "PACK_KEYS",
    "CHECKSUM",
    "DELAY_KEY_WRITE",
    "COMPRESSION",
    "ENCRYPTION",
    "INSERT_METHOD",
    "ALGORITHM",
    "LOCK",
    "WITH",
    "WITHOUT",
    "PARTITION",
    "REMOVE",
    "REORGANIZE",
    "COALESCE",
    "TRUNCATE",
    "ANALYZE",
    "CHECK",
    "OPTIMIZE",
    "REBUILD",
    "REPAIR",
    "AUTOEXTEND_SIZE",
    "ENGINE_ATTRIBUTE",
    "SECONDARY_ENGINE_ATTRIBUTE",
    "SECONDARY_ENGINE",
    "TRANSACTIONAL",
    "PAGE_CHECKSUM",
    "PASSWORD",
    "UNION",
    "CONNECTION",
];

/// Functions whose value differs from row to row or from server to server.
const UNSTABLE: [&str; 19] = [
    "UUID",
    "UUID_SHORT",
    "UUIDV4",
    "UUIDV7",
    "UUID_V4",
    "UUID_V7",
    "SYS_GUID",
    "RAND",
    "RANDOM_BYTES",
    "SYSDATE",
    "CONNECTION_ID",
    "USER",
    "CURRENT_USER",
    "SESSION_USER",
    "SYSTEM_USER",
    "LAST_INSERT_ID",
    "NEXTVAL",
    "LASTVAL",
    "VERSION",
];

struct Clause<'a> {
    sql: &'a str,
    tokens: &'a [Token],
}

impl Clause<'_> {
    fn is(&self, at: usize, word: &str) -> bool {
        self.tokens
            .get(at)
            .is_some_and(|token| token.is_word(self.sql, word))
    }

    fn has(&self, word: &str) -> bool {
        (0..self.tokens.len()).any(|at| self.is(at, word))
    }

    fn check(&self) -> Result<(), Refusal> {
        let message = if self.is(0, "EXCHANGE") || (self.is(0, "CONVERT") && !self.is(1, "TO")) {
            "a partition was exchanged with a table, which moves rows without the binlog"
        } else if self.is(0, "IMPORT") || self.is(0, "DISCARD") {
            "a tablespace was imported or discarded, which moves rows without the binlog"
        } else if self.has("SYSTEM_TIME") || self.has("VERSIONING") {
            "system versioning is MariaDB's alone"
        } else if let Some(function) = self.unstable_default() {
            let message = format!(
                "the default of an added column calls `{function}`, which gives other values at the target"
            );
            return Err(refusal(UNSTABLE_DEFAULT, message));
        } else if !KNOWN.iter().any(|word| self.is(0, word)) && !self.is_ignored_option() {
            return Err(refusal(
                NOT_UNDERSTOOD,
                format!("clause `{}` of ALTER TABLE was not understood", self.head()),
            ));
        } else {
            return Ok(());
        };
        Err(refusal(UNLOGGED_ROWS, message.to_owned()))
    }

    fn is_ignored_option(&self) -> bool {
        let directory = (self.is(0, "DATA") || self.is(0, "INDEX")) && self.is(1, "DIRECTORY");
        directory
            || [
                "TABLESPACE",
                "SECONDARY_LOAD",
                "SECONDARY_UNLOAD",
                "STORAGE",
            ]
            .iter()
            .any(|word| self.is(0, word))
    }

    /// The first words, for the message; never a value.
    fn head(&self) -> &str {
        self.tokens.first().map_or("", |token| token.text(self.sql))
    }

    fn defines_column(&self) -> bool {
        ["ADD", "MODIFY", "CHANGE"]
            .iter()
            .any(|word| self.is(0, word))
    }

    fn adds_auto_increment(&self) -> bool {
        self.defines_column() && self.has("AUTO_INCREMENT")
    }

    /// The name before the statement of a column that MODIFY or CHANGE names.
    fn changed_column(&self) -> Option<String> {
        if !self.is(0, "MODIFY") && !self.is(0, "CHANGE") {
            return None;
        }
        let at = 1 + usize::from(self.is(1, "COLUMN"));
        self.tokens.get(at).map(|token| token.name(self.sql))
    }

    fn unstable_default(&self) -> Option<&str> {
        if !self.defines_column() || !self.has("DEFAULT") {
            return None;
        }
        self.tokens.windows(2).find_map(|pair| {
            let text = pair[0].text(self.sql);
            let call = pair[1].is_symbol(b'(')
                && UNSTABLE.iter().any(|name| pair[0].is_word(self.sql, name));
            call.then_some(text)
        })
    }
}
