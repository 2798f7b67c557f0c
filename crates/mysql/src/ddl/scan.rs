//! Where names stand in the text of a view, routine, trigger or event.
//!
//! Owns what can be told from tokens alone: a place where only a table can be named, its alias,
//! a chain of names with points between, and a name alone. What a name means is decided by
//! `object_names`.

use super::lexer::{Token, TokenKind};

/// A name, by the tokens of its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Tokens of the names, without the points.
    pub parts: Vec<usize>,
    pub role: PlaceRole,
    /// A parenthesis opens behind it.
    pub called: bool,
    /// It goes on with `.*`.
    pub star: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PlaceRole {
    /// Only a table can stand here.
    Table,
    /// Declared behind a table (by the index of its place) or behind a derived table.
    Alias(Option<usize>),
    /// Behind `CALL`.
    Routine,
    /// Behind `AS` in a list of expressions.
    Label,
    Other,
}

/// Words that are no name unless they are quoted or stand behind a point, in every version.
///
/// Source: MySQL 5.6 manual, "Keywords and Reserved Words"; each is reserved in MariaDB and in later versions too.
const RESERVED: &str = " ADD ALL ALTER ANALYZE AND AS ASC BEFORE BETWEEN BIGINT BINARY BLOB BOTH BY CALL CASCADE CASE \
CHANGE CHAR CHARACTER CHECK COLLATE COLUMN CONDITION CONSTRAINT CONTINUE CONVERT CREATE CROSS CURRENT_DATE CURRENT_TIME \
CURRENT_TIMESTAMP CURRENT_USER CURSOR DATABASE DATABASES DECIMAL DECLARE DEFAULT DELAYED DELETE DESC DESCRIBE DETERMINISTIC \
DISTINCT DISTINCTROW DIV DOUBLE DROP DUAL EACH ELSE ELSEIF ENCLOSED ESCAPED EXISTS EXIT EXPLAIN FALSE FETCH FLOAT FOR FORCE \
FOREIGN FROM FULLTEXT GRANT GROUP HAVING HIGH_PRIORITY IF IGNORE IN INDEX INFILE INNER INOUT INSENSITIVE INSERT INT INTEGER \
INTERVAL INTO IS ITERATE JOIN KEY KEYS KILL LEADING LEAVE LEFT LIKE LIMIT LINES LOAD LOCALTIME LOCALTIMESTAMP LOCK LONG LONGBLOB \
LONGTEXT LOOP LOW_PRIORITY MATCH MEDIUMBLOB MEDIUMINT MEDIUMTEXT MOD MODIFIES NATURAL NOT NULL NUMERIC ON OPTIMIZE OPTION OR \
ORDER OUT OUTER OUTFILE PARTITION PRECISION PRIMARY PROCEDURE RANGE READ READS REAL REFERENCES REGEXP RELEASE RENAME REPEAT \
REPLACE REQUIRE RESIGNAL RESTRICT RETURN REVOKE RIGHT RLIKE SCHEMA SCHEMAS SELECT SET SHOW SIGNAL SMALLINT SPATIAL SQL \
SQLEXCEPTION SQLSTATE SQLWARNING STARTING STRAIGHT_JOIN TABLE TERMINATED THEN TINYBLOB TINYINT TINYTEXT TO TRAILING TRIGGER \
TRUE UNDO UNION UNIQUE UNLOCK UNSIGNED UPDATE USAGE USE USING UTC_DATE UTC_TIME UTC_TIMESTAMP VALUES VARBINARY VARCHAR VARYING \
WHEN WHERE WHILE WITH WRITE XOR YEAR_MONTH ZEROFILL ";

/// Words behind which a list of tables is at its end.
const ENDS: &str = " WHERE GROUP HAVING ORDER LIMIT SET VALUES VALUE SELECT UNION INTERSECT EXCEPT INTO WINDOW FOR DO THEN ELSE \
BEGIN END PROCEDURE LOOP REPEAT WHILE RETURN CALL DECLARE FETCH OPEN CLOSE IF ";

/// Words that may stand between the word before a table and its name.
const BETWEEN: &str =
    " LOW_PRIORITY HIGH_PRIORITY DELAYED IGNORE QUICK INTO TABLE IF NOT EXISTS LATERAL ";

fn is_one_of(list: &str, word: &str) -> bool {
    !word.is_empty() && list.contains(&format!(" {word} "))
}

/// What is known inside one pair of parentheses.
#[derive(Debug, Clone, Copy, Default)]
struct Group {
    /// `FROM` names tables here, and does not belong to a function.
    query: bool,
    /// Inside a list of tables: a comma goes on with another one.
    list: bool,
    /// A table is named next.
    expect: bool,
    /// The table that is expected may be followed by a list of columns.
    columns: bool,
    /// It was opened where a table is expected, so that an alias may follow it.
    derived: bool,
}

/// Finds every name from token `from` on.
pub(super) fn places(sql: &str, tokens: &[Token], from: usize) -> Vec<Place> {
    let base = Group {
        query: true,
        ..Group::default()
    };
    let mut scan = Scan {
        sql,
        tokens,
        at: from,
        groups: vec![base],
        verb: String::new(),
        rows: false,
        places: Vec::new(),
    };
    while scan.at < tokens.len() {
        scan.step();
    }
    scan.places
}

struct Scan<'a> {
    sql: &'a str,
    tokens: &'a [Token],
    at: usize,
    groups: Vec<Group>,
    /// The last word that began a statement about tables.
    verb: String,
    /// The parenthesis that follows belongs to a function whose rows are read.
    rows: bool,
    places: Vec<Place>,
}

impl Scan<'_> {
    fn word(&self, at: usize) -> String {
        match self.tokens.get(at) {
            Some(token) if token.kind == TokenKind::Word => {
                token.text(self.sql).to_ascii_uppercase()
            }
            _ => String::new(),
        }
    }

    fn before(&self) -> String {
        self.at
            .checked_sub(1)
            .map_or_else(String::new, |at| self.word(at))
    }

    fn is_symbol(&self, at: usize, symbol: u8) -> bool {
        self.tokens
            .get(at)
            .is_some_and(|token| token.is_symbol(symbol))
    }

    fn group(&mut self) -> &mut Group {
        if self.groups.is_empty() {
            self.groups.push(Group::default());
        }
        let last = self.groups.len() - 1;
        &mut self.groups[last]
    }

    fn step(&mut self) {
        let kind = self.tokens[self.at].kind;
        match kind {
            TokenKind::Symbol(b'(') => self.open(),
            TokenKind::Symbol(b')') => self.close(),
            TokenKind::Symbol(b';') => {
                self.groups.truncate(1);
                *self.group() = Group {
                    query: true,
                    ..Group::default()
                };
            }
            TokenKind::Symbol(b',') => {
                let group = self.group();
                group.expect = group.list;
                group.columns = false;
            }
            TokenKind::Symbol(b'@') => return self.variable(),
            TokenKind::Symbol(b'.') if self.group().expect => return self.name(),
            TokenKind::Word | TokenKind::Quoted => {
                if kind == TokenKind::Quoted || !self.keyword() {
                    return self.name();
                }
            }
            _ => self.group().expect = false,
        }
        self.at += 1;
    }

    fn open(&mut self) {
        let outer = *self.group();
        self.group().expect = false;
        let inner = self.word(self.at + 1);
        let query = is_one_of(" SELECT WITH VALUES TABLE ", &inner);
        let tables = outer.expect && !query;
        self.groups.push(Group {
            query,
            list: tables,
            expect: tables,
            columns: false,
            derived: (outer.expect && query) || std::mem::take(&mut self.rows),
        });
    }

    fn close(&mut self) {
        let closed = match self.groups.len() {
            0 | 1 => Group::default(),
            _ => self.groups.pop().unwrap_or_default(),
        };
        if closed.derived {
            self.alias(None);
        }
    }

    /// A user variable, or a variable of the system with its scope.
    fn variable(&mut self) {
        self.group().expect = false;
        self.at += 1;
        while self.is_symbol(self.at, b'@') {
            self.at += 1;
        }
        self.at += 1;
        while self.is_symbol(self.at, b'.') {
            self.at += 2;
        }
    }

    /// Takes a word that decides where tables stand; false where it is a name.
    fn keyword(&mut self) -> bool {
        let word = self.word(self.at);
        let before = self.before();
        let called = self.is_symbol(self.at + 1, b'(');
        if self.group().expect && is_one_of(BETWEEN, &word) {
            return true;
        }
        let starts = match word.as_str() {
            "FROM" => self.group().query && !is_one_of(" FETCH NEXT ", &before),
            "JOIN" => before != "FOR",
            "STRAIGHT_JOIN" => self.group().list,
            "USING" => self.group().list && !called,
            "UPDATE" => !is_one_of(" KEY FOR ON ", &before),
            "INSERT" | "REPLACE" => !called && before != "OR",
            "TABLE" => true,
            "TABLES" => before == "LOCK",
            "TRUNCATE" => !called,
            "LIKE" => self.verb == "CREATE" && self.is_new_table(),
            _ => false,
        };
        if is_one_of(
            " SELECT INSERT REPLACE UPDATE DELETE CREATE ALTER DROP TRUNCATE ",
            &word,
        ) {
            self.verb.clone_from(&word);
        }
        if starts {
            let single = word == "TABLE" && is_one_of(" CREATE ALTER ", &self.verb);
            let columns = is_one_of(" INSERT REPLACE TABLE ", &word);
            let group = self.group();
            group.expect = true;
            group.columns = columns;
            group.list = !single && !is_one_of(" INSERT REPLACE LIKE ", &word);
            return true;
        }
        let reserved = is_one_of(RESERVED, &word);
        let names_a_table = self.group().expect && !reserved;
        if is_one_of(ENDS, &word) && !names_a_table {
            self.group().list = false;
        }
        self.group().expect = names_a_table;
        reserved
    }

    /// True right behind the table of a `CREATE TABLE`.
    fn is_new_table(&self) -> bool {
        self.places.last().is_some_and(|place| {
            let last = place.parts.last().map_or(0, |at| at + 1);
            place.role == PlaceRole::Table && last == self.at
        })
    }

    /// Names with points between, from here on.
    fn name(&mut self) {
        let before = self.before();
        let mut parts = Vec::new();
        let mut star = false;
        if !self.is_symbol(self.at, b'.') {
            parts.push(self.at);
            self.at += 1;
        }
        while self.is_symbol(self.at, b'.') {
            let is_name = |token: &Token| {
                matches!(
                    token.kind,
                    TokenKind::Word | TokenKind::Quoted | TokenKind::Number
                )
            };
            if self.tokens.get(self.at + 1).is_some_and(is_name) {
                parts.push(self.at + 1);
            } else {
                star = self.is_symbol(self.at + 1, b'*');
            }
            self.at += 2;
        }
        let called = self.is_symbol(self.at, b'(');
        let group = *self.group();
        self.group().expect = false;
        let role = match before.as_str() {
            _ if group.expect && (!called || group.columns) => PlaceRole::Table,
            "CALL" => PlaceRole::Routine,
            "AS" => PlaceRole::Label,
            _ => PlaceRole::Other,
        };
        let is_table = role == PlaceRole::Table;
        // A function whose rows are read has an alias as well.
        self.rows = group.expect && !is_table;
        self.places.push(Place {
            parts,
            role,
            called,
            star,
        });
        if is_table && group.list {
            let table = self.places.len() - 1;
            self.at -= 1;
            self.alias(Some(table));
            self.at += 1;
        }
    }

    /// Takes the alias behind the token that is looked at, and stays on its last token.
    fn alias(&mut self, table: Option<usize>) {
        let mut at = self.at + 1;
        at += usize::from(self.word(at) == "AS");
        let is_name = match self.tokens.get(at).map(|token| token.kind) {
            Some(TokenKind::Quoted) => true,
            Some(TokenKind::Word) => {
                let word = self.word(at);
                !is_one_of(RESERVED, &word) && !is_one_of(ENDS, &word)
            }
            _ => false,
        };
        // `USE INDEX` and the like are reserved words, so nothing else can stand here.
        if is_name && !self.is_symbol(at + 1, b'.') {
            self.places.push(Place {
                parts: vec![at],
                role: PlaceRole::Alias(table),
                called: false,
                star: false,
            });
            self.at = at;
        }
    }
}
