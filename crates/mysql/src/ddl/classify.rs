//! Tells what a statement is and finds its names.
//!
//! Reads only as much grammar as the names need; the server that ran the statement has proved
//! that the rest is right.

use super::cursor::Cursor;
use super::dml;
use super::lexer::{Token, lex};
use super::statement::{
    Context, NameKind, NamedObject, OtherObject, Role, Statement, StatementKind,
};
use super::transaction;

/// Classifies one statement. Never fails: what is not understood is `StatementKind::Unknown`.
pub fn classify(sql: &str, context: &Context) -> Statement {
    let lexed = lex(sql, context);
    let mut parser = Parser {
        cursor: Cursor::new(sql, &lexed.tokens, context),
        statement: Statement {
            kind: StatementKind::Unknown,
            names: Vec::new(),
            if_exists: false,
            temporary: false,
            or_replace: false,
            tokens: Vec::new(),
            marks: Vec::new(),
            dialect: context.dialect(),
            body: 0,
            start: 0,
            only_renames: false,
        },
    };
    let kind = parser.statement().unwrap_or(StatementKind::Unknown);
    let mut statement = parser.statement;
    let one = matches!(kind, StatementKind::Other(_)) || is_one(&lexed.tokens);
    statement.kind = if lexed.complete && one {
        kind
    } else {
        StatementKind::Unknown
    };
    statement.tokens = lexed.tokens;
    statement.marks = lexed.marks;
    statement
}

/// True where nothing follows a semicolon.
fn is_one(tokens: &[Token]) -> bool {
    tokens
        .iter()
        .position(|token| token.is_symbol(b';'))
        .is_none_or(|index| index + 1 == tokens.len())
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    statement: Statement,
}

/// `None` anywhere below means that the statement is not understood.
type Found = Option<StatementKind>;

impl Parser<'_> {
    fn statement(&mut self) -> Found {
        if self.cursor.is_end() {
            return Some(StatementKind::Irrelevant);
        }
        if self.cursor.eat(&["SET", "STATEMENT"]) {
            self.cursor.skip_to(&["FOR"]).then_some(())?;
            self.cursor.at += 1;
            self.statement.start = self.cursor.at;
        }
        if self.cursor.at_symbol(b'(') {
            return Some(StatementKind::Dml);
        }
        let verb = self.cursor.word();
        match verb.as_str() {
            "CREATE" => self.create(),
            "ALTER" => self.alter(),
            "DROP" => self.drop(),
            "RENAME" => self.rename(),
            "TRUNCATE" => self.truncate(),
            "INSERT" | "REPLACE" | "UPDATE" | "DELETE" | "LOAD" => {
                let (kind, names) = dml::written(&verb, &mut self.cursor);
                self.statement.names = names;
                Some(kind)
            }
            "CALL" | "DO" | "SELECT" | "VALUES" | "TABLE" | "WITH" | "EXECUTE" | "HANDLER" => {
                Some(StatementKind::Dml)
            }
            "BEGIN" | "START" | "COMMIT" | "ROLLBACK" | "SAVEPOINT" | "RELEASE" | "XA" => {
                transaction::kind(&verb, &mut self.cursor)
            }
            "SET" => Some(StatementKind::Set),
            "GRANT" | "REVOKE" | "ANALYZE" | "OPTIMIZE" | "CHECK" | "REPAIR" | "CHECKSUM"
            | "FLUSH" | "RESET" | "PURGE" | "INSTALL" | "UNINSTALL" | "KILL" | "SHOW"
            | "EXPLAIN" | "DESCRIBE" | "DESC" | "HELP" | "USE" | "CACHE" | "CHANGE" | "STOP"
            | "SHUTDOWN" | "RESTART" | "CLONE" | "PREPARE" | "DEALLOCATE" | "LOCK" | "UNLOCK"
            | "BACKUP" | "SIGNAL" | "RESIGNAL" | "GET" => Some(StatementKind::Irrelevant),
            _ => None,
        }
    }

    fn create(&mut self) -> Found {
        match self.object()?.as_str() {
            "TABLE" => self.create_table(),
            "INDEX" => self.create_index(),
            "DATABASE" | "SCHEMA" => {
                self.conditional();
                self.database()?;
                Some(StatementKind::CreateDatabase)
            }
            object => self.other(object),
        }
    }

    fn alter(&mut self) -> Found {
        match self.object()?.as_str() {
            "TABLE" => self.alter_table(),
            "DATABASE" | "SCHEMA" => {
                self.alter_database()?;
                Some(StatementKind::AlterDatabase)
            }
            object => self.other(object),
        }
    }

    fn drop(&mut self) -> Found {
        match self.object()?.as_str() {
            "TABLE" | "TABLES" => {
                self.conditional();
                self.table_list(Role::Subject)?;
                Some(StatementKind::DropTable)
            }
            "INDEX" => {
                self.conditional();
                self.cursor.identifier()?;
                self.cursor.eat(&["ON"]).then_some(())?;
                self.table(Role::Subject)?;
                Some(StatementKind::DropIndex)
            }
            "DATABASE" | "SCHEMA" => {
                self.conditional();
                self.database()?;
                Some(StatementKind::DropDatabase)
            }
            object => self.other(object),
        }
    }

    /// Passes over modifiers up to the kind of object, which it returns in upper case.
    fn object(&mut self) -> Option<String> {
        loop {
            let word = self.cursor.word();
            match word.as_str() {
                "OR" => {
                    self.cursor.eat(&["REPLACE"]).then_some(())?;
                    self.statement.or_replace = true;
                }
                "TEMPORARY" => self.statement.temporary = true,
                "ONLINE" | "OFFLINE" | "IGNORE" | "UNIQUE" | "FULLTEXT" | "VECTOR"
                | "AGGREGATE" | "UNDO" | "JSON" | "RELATIONAL" | "DUALITY" | "MATERIALIZED"
                | "EXTERNAL" => {}
                "SPATIAL" if self.cursor.at_any(&["REFERENCE"]) => return Some(word),
                "SPATIAL" => {}
                "ALGORITHM" => {
                    self.cursor.eat_symbol(b'=');
                    self.cursor.at += 1;
                }
                "DEFINER" => self.definer()?,
                "SQL" => self.cursor.at += 2,
                "" => return None,
                _ => return Some(word),
            }
        }
    }

    fn definer(&mut self) -> Option<()> {
        self.cursor.eat_symbol(b'=').then_some(())?;
        self.cursor.at += 1;
        if self.cursor.at_symbol(b'(') {
            self.cursor.skip();
        }
        if self.cursor.eat_symbol(b'@') {
            self.cursor.at += 1;
        }
        Some(())
    }

    /// `IF EXISTS` or `IF NOT EXISTS`.
    fn conditional(&mut self) {
        if self.cursor.eat(&["IF", "NOT", "EXISTS"]) || self.cursor.eat(&["IF", "EXISTS"]) {
            self.statement.if_exists = true;
        }
    }

    fn table(&mut self, role: Role) -> Option<()> {
        let name = self.cursor.qualified(NameKind::Table, role)?;
        self.statement.names.push(name);
        Some(())
    }

    fn table_list(&mut self, role: Role) -> Option<()> {
        self.table(role)?;
        while self.cursor.eat_symbol(b',') {
            self.table(role)?;
        }
        Some(())
    }

    fn database(&mut self) -> Option<()> {
        let start = self.cursor.peek(0)?.start;
        let database = self.cursor.identifier()?;
        self.push_database(database, start);
        Some(())
    }

    fn push_database(&mut self, database: String, start: usize) {
        let end = match self.cursor.at {
            0 => start,
            at => self.cursor.tokens[at - 1].end.max(start),
        };
        self.statement.names.push(NamedObject {
            role: Role::Subject,
            kind: NameKind::Database,
            database,
            name: String::new(),
            span: start..end,
        });
    }

    /// The name may be left out; it is then the default database, with an empty span.
    fn alter_database(&mut self) -> Option<()> {
        let options = [
            "DEFAULT",
            "CHARACTER",
            "CHARSET",
            "COLLATE",
            "ENCRYPTION",
            "READ",
            "COMMENT",
        ];
        if self.cursor.at_any(&options) {
            let start = self.cursor.peek(0)?.start;
            let database = self.cursor.default_database.to_owned();
            self.push_database(database, start);
            return Some(());
        }
        self.database()
    }

    fn create_table(&mut self) -> Found {
        self.conditional();
        self.table(Role::Subject)?;
        self.statement.body = self.cursor.at;
        let in_parentheses = self.cursor.at_symbol(b'(')
            && self
                .cursor
                .peek(1)
                .is_some_and(|token| token.is_word(self.cursor.sql, "LIKE"));
        if in_parentheses || self.cursor.at_any(&["LIKE"]) {
            self.cursor.at += 1 + usize::from(in_parentheses);
            self.table(Role::Other)?;
            return Some(StatementKind::CreateTableLike);
        }
        let select = self.find_select();
        self.references(select.unwrap_or(self.cursor.tokens.len()))?;
        let Some(select) = select else {
            return Some(StatementKind::CreateTable);
        };
        self.cursor.at = select;
        let read = dml::read(&mut self.cursor);
        self.statement.names.extend(read);
        Some(StatementKind::CreateTableSelect)
    }

    /// The token at which the query of a `CREATE TABLE` begins, or its `START TRANSACTION`.
    fn find_select(&mut self) -> Option<usize> {
        let begin = self.cursor.at;
        let mut found = None;
        while !self.cursor.is_end() && found.is_none() {
            let cursor = &self.cursor;
            let versioned = cursor.at_words(&["WITH", "SYSTEM"]);
            let in_parentheses = cursor.at_symbol(b'(')
                && cursor.tokens[cursor.at..]
                    .iter()
                    .find(|token| !token.is_symbol(b'('))
                    .is_some_and(|token| {
                        ["SELECT", "WITH", "TABLE", "VALUES"]
                            .iter()
                            .any(|word| token.is_word(cursor.sql, word))
                    });
            let query = cursor.at_any(&["SELECT", "AS", "WITH", "TABLE", "VALUES"]) && !versioned;
            if query || in_parentheses || cursor.at_words(&["START", "TRANSACTION"]) {
                found = Some(cursor.at);
            }
            self.cursor.skip();
        }
        self.cursor.at = begin;
        found
    }

    /// Tables behind `REFERENCES`, `UNION = (...)` and partition exchanges, up to token `end`.
    fn references(&mut self, end: usize) -> Option<()> {
        let mut depth = 0usize;
        while self.cursor.at < end {
            if self.cursor.eat(&["REFERENCES"]) {
                self.table(Role::Other)?;
                continue;
            }
            if depth == 0 && self.cursor.eat(&["UNION"]) {
                self.cursor.eat_symbol(b'=');
                if self.cursor.eat_symbol(b'(') && !self.cursor.at_symbol(b')') {
                    self.table_list(Role::Other)?;
                }
                continue;
            }
            if self.cursor.at_symbol(b'(') {
                depth += 1;
            } else if self.cursor.at_symbol(b')') {
                depth = depth.saturating_sub(1);
            }
            self.cursor.at += 1;
        }
        Some(())
    }

    fn create_index(&mut self) -> Found {
        self.conditional();
        self.cursor.skip_to(&["ON"]).then_some(())?;
        self.cursor.at += 1;
        self.table(Role::Subject)?;
        self.statement.body = self.cursor.at;
        Some(StatementKind::CreateIndex)
    }

    fn alter_table(&mut self) -> Found {
        self.conditional();
        self.table(Role::Subject)?;
        if self.cursor.eat(&["WAIT"]) {
            self.cursor.at += 1;
        }
        self.cursor.eat(&["NOWAIT"]);
        self.statement.body = self.cursor.at;
        let mut plain = 0;
        let mut renames = 0;
        let mut secondary = 0;
        while !self.cursor.is_end() {
            if self.rename_clause()? {
                renames += 1;
            } else if self.cursor.at_any(&["SECONDARY_LOAD", "SECONDARY_UNLOAD"]) {
                secondary += 1;
            } else if !self.cursor.at_any(&["ALGORITHM", "LOCK"]) && !self.cursor.at_symbol(b';') {
                plain += 1;
            }
            self.alter_clause()?;
        }
        self.statement.only_renames = renames == 1 && plain == 0;
        if secondary > 0 && plain + renames == 0 {
            return Some(StatementKind::Irrelevant);
        }
        Some(StatementKind::AlterTable)
    }

    /// Reads the names of one clause and passes over its comma.
    fn alter_clause(&mut self) -> Option<()> {
        let sql = self.cursor.sql;
        let moves_partition = self.cursor.at_words(&["EXCHANGE", "PARTITION"])
            || self.cursor.at_words(&["CONVERT", "PARTITION"])
            || self.cursor.at_words(&["CONVERT", "TABLE"]);
        let begin = self.cursor.at;
        while !self.cursor.is_end() && !self.cursor.at_symbol(b',') {
            if moves_partition && self.cursor.eat(&["TABLE"]) {
                self.table(Role::Subject)?;
                continue;
            }
            self.cursor.skip();
        }
        let end = self.cursor.at;
        let names_tables = self.cursor.tokens[begin..end]
            .iter()
            .any(|token| token.is_word(sql, "REFERENCES") || token.is_word(sql, "UNION"));
        if names_tables {
            self.cursor.at = begin;
            self.references(end)?;
        }
        self.cursor.at = end + 1;
        Some(())
    }

    /// `RENAME [TO | AS | =] name`; false where the clause is another one.
    fn rename_clause(&mut self) -> Option<bool> {
        if !self.cursor.at_any(&["RENAME"]) {
            return Some(false);
        }
        let next = |word| {
            self.cursor
                .peek(1)
                .is_some_and(|token| token.is_word(self.cursor.sql, word))
        };
        if next("COLUMN") || next("INDEX") || next("KEY") {
            return Some(false);
        }
        self.cursor.at += 1;
        if !self.cursor.eat_symbol(b'=') {
            self.cursor.eat_any(&["TO", "AS"]);
        }
        self.table(Role::RenameTo)?;
        self.statement.names[0].role = Role::RenameFrom;
        Some(true)
    }

    fn rename(&mut self) -> Found {
        if self.cursor.eat(&["USER"]) {
            return Some(StatementKind::Irrelevant);
        }
        self.cursor.eat_any(&["TABLE", "TABLES"]).then_some(())?;
        self.conditional();
        loop {
            self.table(Role::RenameFrom)?;
            if self.cursor.eat(&["WAIT"]) {
                self.cursor.at += 1;
            }
            self.cursor.eat(&["NOWAIT"]);
            self.cursor.eat(&["TO"]).then_some(())?;
            self.table(Role::RenameTo)?;
            if !self.cursor.eat_symbol(b',') {
                return Some(StatementKind::RenameTable);
            }
        }
    }

    fn truncate(&mut self) -> Found {
        self.cursor.eat(&["TABLE"]);
        self.table(Role::Subject)?;
        Some(StatementKind::TruncateTable)
    }

    /// Objects that hold no rows.
    fn other(&mut self, object: &str) -> Found {
        let other = match object {
            "VIEW" => OtherObject::View,
            "PROCEDURE" | "FUNCTION" => OtherObject::Routine,
            "TRIGGER" => OtherObject::Trigger,
            "EVENT" => OtherObject::Event,
            "SEQUENCE" => OtherObject::Sequence,
            "PACKAGE" => {
                self.cursor.eat(&["BODY"]);
                OtherObject::Package
            }
            "TABLESPACE" | "LOGFILE" | "SERVER" | "RESOURCE" | "LIBRARY" | "SPATIAL" => {
                return Some(StatementKind::Other(OtherObject::Server));
            }
            "USER" | "ROLE" | "INSTANCE" | "PREPARE" => return Some(StatementKind::Irrelevant),
            _ => return None,
        };
        self.conditional();
        let kind = match other {
            OtherObject::View => NameKind::Table,
            _ => NameKind::Other,
        };
        self.statement
            .names
            .push(self.cursor.qualified(kind, Role::Subject)?);
        while self.cursor.eat_symbol(b',') {
            let name = self.cursor.qualified(kind, Role::Subject)?;
            self.statement.names.push(name);
        }
        if other == OtherObject::Trigger && self.cursor.skip_to(&["ON"]) {
            self.cursor.at += 1;
            self.table(Role::Other)?;
        }
        Some(StatementKind::Other(other))
    }
}
