//! Column names inside statements and definitions: where they stand, and their other names.
//! Of constraints those that follow the table's.
//!
//! Two ways. In what a server prints, every column of an expression is quoted, so a quoted name
//! inside parentheses is a column, and what could be something else is refused. In what a user
//! wrote it cannot be told so surely; whoever runs such a statement must prove its result.

use super::alter::clauses;
use super::definition::{GENERATED_CHECK, GENERATED_KEY, generated_name};
use super::edit::{Edit, name_edits, replace};
use super::lexer::{Token, TokenKind};
use super::refusal::{Refusal, UNPROVED_NAME};
use super::statement::{Context, Statement, StatementKind};
use super::{carried, classify};
use std::collections::HashMap;
use std::ops::Range;
use wherry_model::name::quote;
use wherry_model::{NameMap, TableName};

/// Words that an expression may hold without meaning a column of that name.
const AMBIGUOUS: [&str; 30] = [
    "AND",
    "AS",
    "BINARY",
    "CASE",
    "DATE",
    "DAY",
    "DIV",
    "ELSE",
    "END",
    "FROM",
    "HOUR",
    "INTERVAL",
    "IS",
    "MICROSECOND",
    "MINUTE",
    "MOD",
    "MONTH",
    "NOT",
    "NULL",
    "OR",
    "QUARTER",
    "SECOND",
    "SIGNED",
    "THEN",
    "TIME",
    "UNSIGNED",
    "WEEK",
    "WHEN",
    "XOR",
    "YEAR",
];

/// The statement as it is to run on the target under other names: `tables` says what each table
/// is called, `columns` which columns of the altered table get another name.
///
/// For `ALTER TABLE` and indexes. Not proved: an identifier is taken for a column where one may stand.
pub fn renamed(
    sql: &str,
    context: &Context,
    columns: &Columns,
    names: &NameMap,
    tables: &dyn Fn(&TableName) -> TableName,
) -> Result<String, Refusal> {
    // What is said differently for the target's flavour may name columns, too.
    let plain = carried(sql, &classify(sql, context), &TableName::clone)?;
    let statement = classify(&plain, context);
    let text = Text {
        sql: &plain,
        tokens: &statement.tokens,
        statement: &statement,
        columns,
        names,
        generated: statement.subjects().next().map(|table| {
            let there = tables(&table);
            (table.table, there.table)
        }),
    };
    let mut edits = name_edits(&statement, tables);
    match statement.kind {
        StatementKind::AlterTable => {
            for clause in clauses(&statement) {
                text.clause(clause, &mut edits);
            }
        }
        StatementKind::CreateIndex => {
            text.key_parts(statement.body, statement.tokens.len(), &mut edits);
        }
        _ => {}
    }
    replace(&plain, edits)
}

/// The columns of one table that get another name, by their names in lower case.
#[derive(Debug, Clone, Default)]
pub struct Columns {
    own: HashMap<String, String>,
}

impl Columns {
    /// Of these columns of a table.
    pub fn of<'n>(
        names: &NameMap,
        table: &TableName,
        columns: impl Iterator<Item = &'n str>,
    ) -> Columns {
        let own = columns.filter_map(|column| {
            let target = names.column(table, column);
            (target != column).then(|| (column.to_lowercase(), target))
        });
        Columns { own: own.collect() }
    }

    pub(super) fn get(&self, name: &str) -> Option<&String> {
        self.own.get(&name.to_lowercase())
    }

    pub(super) fn rename(&self, name: &mut String) {
        if let Some(target) = self.get(name) {
            name.clone_from(target);
        }
    }

    /// The edit of one token that stands where a column is named.
    pub(super) fn named(&self, sql: &str, token: &Token) -> Option<Edit> {
        let is_name = matches!(token.kind, TokenKind::Word | TokenKind::Quoted);
        let target = self.get(&token.name(sql)).filter(|_| is_name)?;
        Some((token.start..token.end, quote(target)))
    }

    /// Edits of the quoted names in the parentheses of a text that a server printed.
    pub(super) fn printed(&self, sql: &str, tokens: &[Token]) -> Result<Vec<Edit>, Refusal> {
        let mut edits = Vec::new();
        let mut depth = 0usize;
        for (at, token) in tokens.iter().enumerate() {
            match token.kind {
                TokenKind::Symbol(b'(') => depth += 1,
                TokenKind::Symbol(b')') => depth = depth.saturating_sub(1),
                TokenKind::Quoted if depth > 0 => edits.extend(self.proved(sql, tokens, at)?),
                _ => {}
            }
        }
        Ok(edits)
    }

    /// The same for the first list in parentheses alone, whose members are columns, each perhaps
    /// with the length of a prefix, which looks like a call, or expressions.
    pub(super) fn printed_list(&self, sql: &str, tokens: &[Token]) -> Result<Vec<Edit>, Refusal> {
        let mut edits = Vec::new();
        let mut depth = 0usize;
        for (at, token) in tokens.iter().enumerate() {
            let begins = |at: usize| matches!(tokens[at].kind, TokenKind::Symbol(b'(' | b','));
            match token.kind {
                TokenKind::Symbol(b'(') => depth += 1,
                TokenKind::Symbol(b')') if depth == 1 => break,
                TokenKind::Symbol(b')') => depth = depth.saturating_sub(1),
                TokenKind::Quoted if depth == 1 && begins(at - 1) => {
                    edits.extend(self.named(sql, token));
                }
                TokenKind::Quoted if depth > 0 => edits.extend(self.proved(sql, tokens, at)?),
                _ => {}
            }
        }
        Ok(edits)
    }

    /// Only the lists and expressions behind `HASH`, `KEY`, `RANGE` and `LIST`; the names of
    /// partitions are others. Older servers leave names here as the user wrote them.
    pub(super) fn partitions(&self, sql: &str, tokens: &[Token]) -> Result<Vec<Edit>, Refusal> {
        let mut edits = Vec::new();
        let mut at = 1;
        while at < tokens.len() {
            let by = tokens[at].is_word(sql, "BY")
                && (tokens[at - 1].is_word(sql, "PARTITION")
                    || tokens[at - 1].is_word(sql, "SUBPARTITION"));
            at += 1;
            if !by {
                continue;
            }
            let head = at;
            while at < tokens.len() && !tokens[at].is_symbol(b'(') {
                at += 1;
            }
            let is_list = tokens[head..at]
                .iter()
                .any(|token| token.is_word(sql, "KEY") || token.is_word(sql, "COLUMNS"));
            at = self.partition_group(sql, tokens, at, is_list, &mut edits)?;
        }
        Ok(edits)
    }

    /// Edits the names of the group that opens at token `open`; the token behind it.
    fn partition_group(
        &self,
        sql: &str,
        tokens: &[Token],
        open: usize,
        is_list: bool,
        edits: &mut Vec<Edit>,
    ) -> Result<usize, Refusal> {
        let mut depth = 0usize;
        for (at, token) in tokens.iter().enumerate().skip(open) {
            match token.kind {
                TokenKind::Symbol(b'(') => depth += 1,
                TokenKind::Symbol(b')') => depth = depth.saturating_sub(1),
                TokenKind::Quoted => edits.extend(self.proved(sql, tokens, at)?),
                TokenKind::Word => {
                    let ambiguous =
                        !is_list && AMBIGUOUS.iter().any(|word| token.is_word(sql, word));
                    match self.proved(sql, tokens, at)? {
                        Some((_, target)) if ambiguous => {
                            let name = token.text(sql);
                            if !target.eq_ignore_ascii_case(&quote(name)) {
                                return Err(unproved(name));
                            }
                        }
                        edit => edits.extend(edit),
                    }
                }
                _ => {}
            }
            if depth == 0 {
                return Ok(at + 1);
            }
        }
        Ok(tokens.len())
    }

    /// The edit of a name in an expression, where it can only be a column of the table itself.
    fn proved(&self, sql: &str, tokens: &[Token], at: usize) -> Result<Option<Edit>, Refusal> {
        let token = &tokens[at];
        let is = |place: Option<usize>, symbol| {
            place
                .and_then(|place| tokens.get(place))
                .is_some_and(|token| token.is_symbol(symbol))
        };
        let called = is(Some(at + 1), b'(');
        let Some(edit) = self.named(sql, token) else {
            return Ok(None);
        };
        if called && token.kind == TokenKind::Word {
            return Ok(None);
        }
        let qualified = is(at.checked_sub(1), b'.') || is(Some(at + 1), b'.');
        if !qualified && !called {
            return Ok(Some(edit));
        }
        // Where only letters change, it does not matter which one is meant.
        let name = token.name(sql);
        if edit.1.to_lowercase() == quote(&name).to_lowercase() {
            return Ok(None);
        }
        Err(unproved(&name))
    }
}

fn unproved(name: &str) -> Refusal {
    Refusal {
        code: UNPROVED_NAME,
        message: format!("`{name}` in an expression may or may not be the mapped column"),
        hint: "Leave this column out of select.mapping, or rename it at the source.",
    }
}

/// A statement as a user wrote it.
struct Text<'a> {
    sql: &'a str,
    tokens: &'a [Token],
    statement: &'a Statement,
    columns: &'a Columns,
    names: &'a NameMap,
    /// The altered table's name here and there, which names of its constraints may follow.
    generated: Option<(String, String)>,
}

impl Text<'_> {
    fn is(&self, at: usize, words: &[&str]) -> bool {
        self.tokens
            .get(at)
            .is_some_and(|token| words.iter().any(|word| token.is_word(self.sql, word)))
    }

    fn is_symbol(&self, at: usize, symbol: u8) -> bool {
        self.tokens
            .get(at)
            .is_some_and(|token| token.is_symbol(symbol))
    }

    fn name(&self, at: usize, edits: &mut Vec<Edit>) {
        let token = self.tokens.get(at);
        edits.extend(token.and_then(|token| self.columns.named(self.sql, token)));
    }

    fn constraint(&self, at: usize, edits: &mut Vec<Edit>) {
        let (Some(token), Some((old, new))) = (self.tokens.get(at), &self.generated) else {
            return;
        };
        let name = token.name(self.sql);
        let mut kinds = [GENERATED_CHECK, GENERATED_KEY].into_iter();
        let named = kinds.find_map(|kind| generated_name(&name, kind, old, new));
        edits.extend(named.map(|named| (token.start..token.end, quote(&named))));
    }

    /// The token behind `COLUMN` and `IF [NOT] EXISTS`.
    fn behind_modifiers(&self, mut at: usize) -> usize {
        at += usize::from(self.is(at, &["COLUMN"]));
        if self.is(at, &["IF"]) {
            at += if self.is(at + 1, &["NOT"]) { 3 } else { 2 };
        }
        at
    }

    fn clause(&self, clause: Range<usize>, edits: &mut Vec<Edit>) {
        let next = clause.start + 1;
        let at = self.behind_modifiers(next);
        if self.is(clause.start, &["ADD"]) {
            if self.is_symbol(at, b'(') {
                self.list(at, edits);
            } else {
                self.element(at..clause.end, edits);
            }
        } else if self.is(clause.start, &["MODIFY"]) {
            self.column(at..clause.end, edits);
        } else if self.is(clause.start, &["CHANGE"]) {
            self.name(at, edits);
            self.column(at + 1..clause.end, edits);
        } else if self.is(clause.start, &["DROP", "ALTER"]) {
            if self.is(next, &["CHECK", "CONSTRAINT"]) {
                self.constraint(self.behind_modifiers(next + 1), edits);
            } else if self.is(next, &["FOREIGN"]) {
                self.constraint(self.behind_modifiers(next + 2), edits);
            } else if !self.is(next, &NO_COLUMN) {
                self.column(at..clause.end, edits);
            }
        } else if self.is(clause.start, &["RENAME"]) && self.is(next, &["COLUMN"]) {
            self.name(at, edits);
            self.name(at + 2, edits);
        } else if self.is(clause.start, &["ORDER"]) {
            self.expression(next..clause.end, edits);
        } else if self.is(clause.start, &["PARTITION"]) && self.is(next, &["BY"]) {
            self.partitions(clause, edits);
        }
    }

    /// What cannot be told stays as it is: the proof of the result finds it.
    fn partitions(&self, clause: Range<usize>, edits: &mut Vec<Edit>) {
        let found = self
            .columns
            .partitions(self.sql, &self.tokens[clause.clone()]);
        match found {
            Ok(found) => edits.extend(found),
            Err(_) => self.expression(clause, edits),
        }
    }

    /// The elements of a list in parentheses that opens at token `open`.
    fn list(&self, open: usize, edits: &mut Vec<Edit>) {
        let mut begin = open + 1;
        let mut depth = 0usize;
        for at in open + 1..self.tokens.len() {
            let closes = self.is_symbol(at, b')');
            if depth == 0 && (closes || self.is_symbol(at, b',')) {
                self.element(begin..at, edits);
                begin = at + 1;
                if closes {
                    return;
                }
            }
            depth += usize::from(self.is_symbol(at, b'('));
            depth = depth.saturating_sub(usize::from(closes));
        }
    }

    /// A column, a key or a constraint.
    fn element(&self, span: Range<usize>, edits: &mut Vec<Edit>) {
        let mut at = span.start;
        if self.is(at, &["CONSTRAINT"]) {
            at += 1;
            if !self.is(at, &["PRIMARY", "UNIQUE", "FOREIGN", "CHECK"]) {
                self.constraint(at, edits);
                at += 1;
            }
        }
        if self.is(at, &["PARTITION", "PERIOD", "SYSTEM"]) {
            return;
        }
        let key = [
            "PRIMARY", "UNIQUE", "INDEX", "KEY", "FULLTEXT", "SPATIAL", "VECTOR", "FOREIGN",
            "CHECK",
        ];
        if !self.is(at, &key) {
            return self.column(at..span.end, edits);
        }
        if self.is(at, &["CHECK"]) {
            self.group(at, span.end, edits);
            return;
        }
        let behind = self.key_parts(at, span.end, edits);
        self.reference(behind..span.end, edits);
    }

    /// A column with its attributes, or its name alone.
    fn column(&self, span: Range<usize>, edits: &mut Vec<Edit>) {
        self.name(span.start, edits);
        let mut at = span.start + 1;
        while at < span.end {
            if self.is(at, &["AFTER"]) {
                self.name(at + 1, edits);
            } else if self.is(at, &["CONSTRAINT"]) {
                self.constraint(at + 1, edits);
            } else if self.is(at, &["REFERENCES"]) {
                return self.reference(at..span.end, edits);
            }
            let expression =
                self.is(at, &["AS", "DEFAULT", "CHECK"]) && self.is_symbol(at + 1, b'(');
            at = match (expression, self.is_symbol(at, b'(')) {
                (true, _) => self.group(at + 1, span.end, edits),
                // The length or the labels of a type.
                (_, true) => self.behind(at, span.end),
                _ => at + 1,
            };
        }
    }

    /// The columns of the table behind `REFERENCES`.
    fn reference(&self, span: Range<usize>, edits: &mut Vec<Edit>) {
        let Some(at) = span.clone().find(|at| self.is(*at, &["REFERENCES"])) else {
            return;
        };
        let behind = self.tokens[at].end;
        let parent = self
            .statement
            .names
            .iter()
            .find(|name| name.span.start >= behind)
            .and_then(super::NamedObject::table);
        let open = (at..span.end).find(|at| self.is_symbol(*at, b'('));
        let (Some(parent), Some(open)) = (parent, open) else {
            return;
        };
        let listed = &self.tokens[open..self.behind(open, span.end)];
        let names: Vec<String> = listed.iter().map(|token| token.name(self.sql)).collect();
        let columns = Columns::of(self.names, &parent, names.iter().map(String::as_str));
        edits.extend(
            listed
                .iter()
                .filter_map(|token| columns.named(self.sql, token)),
        );
    }

    /// The columns of the first group in parentheses from token `at` on, each perhaps with the
    /// length of a prefix, which looks like a call; the token behind the group.
    fn key_parts(&self, at: usize, end: usize, edits: &mut Vec<Edit>) -> usize {
        let Some(open) = (at..end).find(|at| self.is_symbol(*at, b'(')) else {
            return end;
        };
        let behind = self.behind(open, end);
        let mut at = open + 1;
        while at < behind {
            let first = at == open + 1 || self.is_symbol(at - 1, b',');
            let group = self.is_symbol(at, b'(');
            let next = if group {
                self.behind(at, behind)
            } else {
                at + 1
            };
            if first && group {
                self.expression(at..next, edits);
            } else if first {
                self.name(at, edits);
            }
            at = next;
        }
        behind
    }

    /// The names inside the first group in parentheses from token `at` on; the token behind it.
    fn group(&self, at: usize, end: usize, edits: &mut Vec<Edit>) -> usize {
        let Some(open) = (at..end).find(|at| self.is_symbol(*at, b'(')) else {
            return end;
        };
        let behind = self.behind(open, end);
        self.expression(open..behind, edits);
        behind
    }

    fn behind(&self, open: usize, end: usize) -> usize {
        let mut depth = 0usize;
        for at in open..end {
            depth += usize::from(self.is_symbol(at, b'('));
            if self.is_symbol(at, b')') {
                depth = depth.saturating_sub(1);
            }
            if depth == 0 {
                return at + 1;
            }
        }
        end
    }

    /// Every name that is no function.
    fn expression(&self, span: Range<usize>, edits: &mut Vec<Edit>) {
        for at in span {
            if !self.is_symbol(at + 1, b'(') {
                self.name(at, edits);
            }
        }
    }
}

/// What `DROP` and `ALTER` may name beside columns.
const NO_COLUMN: [&str; 6] = ["INDEX", "KEY", "PRIMARY", "PARTITION", "PERIOD", "SYSTEM"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddl::Dialect;
    use wherry_model::task::{MappingSpec, SelectSpec};

    fn names() -> NameMap {
        let rules = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            pairs
                .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
                .collect()
        };
        let select = SelectSpec {
            databases: vec!["d".to_owned()],
            mapping: MappingSpec {
                databases: rules(&[("d", "e")]),
                tables: rules(&[("d.t", "e.u")]),
                columns: rules(&[
                    ("d.t.a", "x"),
                    ("d.t.b", "a"),
                    ("d.t.after", "z"),
                    ("d.p.id", "key"),
                ]),
            },
            ..SelectSpec::default()
        };
        NameMap::new(&select, false).expect("rules")
    }

    fn check_on(dialect: Dialect, sql: &str, expected: &str) {
        let names = names();
        let table = TableName::new("d", "t");
        let columns = Columns::of(&names, &table, ["a", "b", "c", "after"].into_iter());
        let context = Context::new("d", dialect);
        let found = renamed(sql, &context, &columns, &names, &|name| names.table(name)).expect(sql);
        assert_eq!(found, expected, "{sql}");
    }

    fn check(body: &str, expected: &str) {
        check_on(
            Dialect::mysql(90_704),
            &format!("ALTER TABLE t {body}"),
            &format!("ALTER TABLE `e`.`u` {expected}"),
        );
    }

    #[test]
    fn columns_are_found_in_every_clause() {
        check(
            "ADD COLUMN a INT AFTER `b`, DROP b, DROP KEY a",
            "ADD COLUMN `x` INT AFTER `a`, DROP `a`, DROP KEY a",
        );
        check(
            "ADD (a INT, b ENUM('a') COMMENT 'a', KEY a (a, b DESC))",
            "ADD (`x` INT, `a` ENUM('a') COMMENT 'a', KEY a (`x`, `a` DESC))",
        );
        check(
            "CHANGE COLUMN a b INT, MODIFY `B` BIGINT FIRST, RENAME COLUMN b TO a",
            "CHANGE COLUMN `x` `a` INT, MODIFY `a` BIGINT FIRST, RENAME COLUMN `a` TO `x`",
        );
        check(
            "ALTER a SET DEFAULT 1, ALTER COLUMN b DROP DEFAULT, ALTER INDEX a INVISIBLE",
            "ALTER `x` SET DEFAULT 1, ALTER COLUMN `a` DROP DEFAULT, ALTER INDEX a INVISIBLE",
        );
        check(
            "ADD CONSTRAINT a FOREIGN KEY b (a, b) REFERENCES p (id, a) ON DELETE CASCADE",
            "ADD CONSTRAINT a FOREIGN KEY b (`x`, `a`) REFERENCES `e`.`p` (`key`, a) ON DELETE CASCADE",
        );
        check(
            "ADD CONSTRAINT CHECK (a > `c` AND abs(b) < 'a'), ADD g INT AS (a + b(1)) STORED",
            "ADD CONSTRAINT CHECK (`x` > `c` AND abs(`a`) < 'a'), ADD g INT AS (`x` + b(1)) STORED",
        );
        check(
            "ADD UNIQUE (a(10)), ADD FULLTEXT INDEX a (b) WITH PARSER a",
            "ADD UNIQUE (`x`(10)), ADD FULLTEXT INDEX a (`a`) WITH PARSER a",
        );
        check(
            "PARTITION BY RANGE (a) (PARTITION a VALUES LESS THAN (5))",
            "PARTITION BY RANGE (`x`) (PARTITION a VALUES LESS THAN (5))",
        );
        check("ORDER BY a DESC", "ORDER BY `x` DESC");
        check(
            "DROP CHECK t_chk_1, ALTER CONSTRAINT `t_chk_2` NOT ENFORCED, DROP FOREIGN KEY t_ibfk_1, DROP CONSTRAINT t_1",
            "DROP CHECK `u_chk_1`, ALTER CONSTRAINT `u_chk_2` NOT ENFORCED, DROP FOREIGN KEY `u_ibfk_1`, DROP CONSTRAINT t_1",
        );
        check(
            "ADD CONSTRAINT t_chk_3 CHECK (a > 0), ADD c INT CONSTRAINT t_chk_4 CHECK (c > 0) AFTER a, DROP INDEX t_chk_5",
            "ADD CONSTRAINT `u_chk_3` CHECK (`x` > 0), ADD c INT CONSTRAINT `u_chk_4` CHECK (c > 0) AFTER `x`, DROP INDEX t_chk_5",
        );
        check("ADD e INT AFTER after", "ADD e INT AFTER `z`");
        check(
            "RENAME TO a, ENGINE=InnoDB",
            "RENAME TO `e`.`a`, ENGINE=InnoDB",
        );
    }

    #[test]
    fn indexes_have_columns_too() {
        check_on(
            Dialect::mysql(90_704),
            "CREATE INDEX a ON d.t (a, (b + 1)) COMMENT 'a'",
            "CREATE INDEX a ON `e`.`u` (`x`, (`a` + 1)) COMMENT 'a'",
        );
        check_on(
            Dialect::mysql(90_704),
            "DROP INDEX a ON t",
            "DROP INDEX a ON `e`.`u`",
        );
    }

    #[test]
    fn what_the_flavour_adds_is_renamed_too() {
        check_on(
            Dialect::mariadb(101_100),
            "ALTER TABLE t ADD a JSON",
            "ALTER TABLE `e`.`u` ADD `x` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin \
             CHECK (json_valid(`x`))",
        );
    }
}
