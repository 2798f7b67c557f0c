//! Says at the target what a statement means at its source.
//!
//! Only what a newer MySQL would take in another sense without a word; what it refuses is left
//! as it is, because a refusal is seen. Read on in `rules` for whole definitions.

use super::alter::clauses;
use super::edit::Edit;
use super::lexer::{Token, TokenKind};
use super::rules::default_collation;
use super::statement::{Statement, StatementKind};
use std::ops::Range;
use wherry_model::name::quote;

/// The clauses that had no effect at the source, as ranges of tokens without their commas: before
/// MySQL 8.0.16 a CHECK was read and forgotten, and 5.6 takes the last of several conversions.
pub(super) fn forgotten(sql: &str, statement: &Statement) -> Vec<Range<usize>> {
    let text = Text::new(sql, statement);
    let mut forgotten = text.overridden();
    if !forgets_checks(statement) {
        return forgotten;
    }
    let parts = match statement.kind {
        StatementKind::CreateTable | StatementKind::CreateTableSelect => text.created(),
        StatementKind::AlterTable => text.altered(),
        _ => return forgotten,
    };
    let checks = parts.into_iter().filter(|part| text.is_check(part));
    forgotten.extend(checks.map(|part| part.clause));
    forgotten
}

fn forgets_checks(statement: &Statement) -> bool {
    let source = statement.dialect;
    !source.mariadb && source.version < 80_016
}

/// Edits of one statement, in no order.
pub(super) fn edits(sql: &str, statement: &Statement) -> Vec<Edit> {
    let text = Text::new(sql, statement);
    let parts = match statement.kind {
        StatementKind::CreateTable | StatementKind::CreateTableSelect => text.created(),
        StatementKind::AlterTable => text.altered(),
        StatementKind::CreateIndex => {
            let whole = statement.body..text.tokens.len();
            return text.key_parts(&whole);
        }
        StatementKind::CreateDatabase | StatementKind::AlterDatabase => {
            let whole = statement.start..text.tokens.len();
            return text.collations(std::slice::from_ref(&whole));
        }
        _ => return Vec::new(),
    };
    let mut edits = Vec::new();
    let source = statement.dialect;
    for part in &parts {
        if source.mariadb {
            edits.extend(text.json(part));
            edits.extend(text.bare_default(part));
            edits.extend(text.on_update(part));
        }
        if !part.column {
            edits.extend(text.key_parts(&part.span));
        }
        if !source.mariadb && source.version < 90_000 {
            edits.extend(text.column_reference(part));
        }
        if forgets_checks(statement) {
            edits.extend(text.column_check(part));
        }
    }
    let mut scopes: Vec<Range<usize>> = parts.into_iter().map(|part| part.span).collect();
    match statement.kind {
        StatementKind::AlterTable => {
            let clauses = clauses(statement);
            edits.extend(clauses.iter().flat_map(|clause| text.index_clause(clause)));
            scopes.extend(clauses);
        }
        _ => scopes.push(text.options()..text.tokens.len()),
    }
    scopes.sort_by_key(|scope| scope.len());
    edits.extend(text.collations(&scopes));
    edits
}

/// The definition of a column or constraint, as ranges of tokens.
pub(super) struct Part {
    /// From its name or first word to its end.
    pub(super) span: Range<usize>,
    /// With the words that go where it goes, like `ADD`.
    pub(super) clause: Range<usize>,
    pub(super) column: bool,
}

pub(super) struct Text<'a> {
    pub(super) sql: &'a str,
    pub(super) statement: &'a Statement,
    pub(super) tokens: &'a [Token],
}

impl<'a> Text<'a> {
    pub(super) fn new(sql: &'a str, statement: &'a Statement) -> Text<'a> {
        Text {
            sql,
            statement,
            tokens: &statement.tokens,
        }
    }

    pub(super) fn is(&self, at: usize, words: &[&str]) -> bool {
        self.tokens
            .get(at)
            .is_some_and(|token| words.iter().any(|word| token.is_word(self.sql, word)))
    }

    pub(super) fn is_symbol(&self, at: usize, symbol: u8) -> bool {
        self.tokens
            .get(at)
            .is_some_and(|token| token.is_symbol(symbol))
    }

    /// The token behind a group in parentheses, or behind one token.
    pub(super) fn behind(&self, mut at: usize) -> usize {
        let mut depth = 0usize;
        while at < self.tokens.len() {
            if self.is_symbol(at, b'(') {
                depth += 1;
            } else if self.is_symbol(at, b')') {
                depth = depth.saturating_sub(1);
            }
            at += 1;
            if depth == 0 {
                break;
            }
        }
        at
    }

    /// Parts of a list in parentheses that opens at token `open`.
    pub(super) fn list(&self, open: usize) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut begin = open + 1;
        let mut at = begin;
        while at < self.tokens.len() {
            if self.is_symbol(at, b',') || self.is_symbol(at, b')') {
                parts.push(self.part(begin..at, begin..at));
                begin = at + 1;
                if self.is_symbol(at, b')') {
                    break;
                }
                at += 1;
            } else {
                at = self.behind(at);
            }
        }
        parts
    }

    fn part(&self, span: Range<usize>, clause: Range<usize>) -> Part {
        let constraint = [
            "INDEX",
            "KEY",
            "UNIQUE",
            "PRIMARY",
            "FULLTEXT",
            "SPATIAL",
            "VECTOR",
            "CONSTRAINT",
            "FOREIGN",
            "CHECK",
            "PERIOD",
            "PARTITION",
            "SYSTEM",
            "LIKE",
        ];
        Part {
            column: !self.is(span.start, &constraint),
            span,
            clause,
        }
    }

    pub(super) fn created(&self) -> Vec<Part> {
        let open = self.statement.body;
        if self.is_symbol(open, b'(') && !self.is(open + 1, &["SELECT", "WITH", "TABLE", "VALUES"])
        {
            return self.list(open);
        }
        Vec::new()
    }

    /// Where the options of a CREATE TABLE begin.
    fn options(&self) -> usize {
        let body = self.statement.body;
        if self.is_symbol(body, b'(') {
            return self.behind(body);
        }
        body.min(self.tokens.len())
    }

    pub(super) fn altered(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        for clause in clauses(self.statement) {
            let mut at = clause.start + 1;
            let change = self.is(clause.start, &["CHANGE"]);
            if !change && !self.is(clause.start, &["ADD", "MODIFY"]) {
                continue;
            }
            at += usize::from(self.is(at, &["COLUMN"]));
            if self.is(at, &["IF"]) {
                at += if self.is(at + 1, &["NOT"]) { 3 } else { 2 };
            }
            if self.is_symbol(at, b'(') {
                parts.extend(self.list(at));
                continue;
            }
            let begin = at + usize::from(change);
            if begin < clause.end {
                parts.push(self.part(begin..clause.end, clause));
            }
        }
        parts
    }

    /// MariaDB's JSON is a LONGTEXT with a check; MySQL's would print the values otherwise.
    fn json(&self, part: &Part) -> Option<Edit> {
        let at = part.span.start + 1;
        if !part.column || at >= part.span.end || !self.is(at, &["JSON"]) {
            return None;
        }
        let mut text = "longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin".to_owned();
        // A changed column mostly was JSON before; a second check would stay for ever.
        if !self.is(part.clause.start, &["MODIFY", "CHANGE"]) {
            let name = quote(&self.tokens[part.span.start].name(self.sql));
            text.push_str(&format!(" CHECK (json_valid({name}))"));
        }
        let token = &self.tokens[at];
        Some((token.start..token.end, text))
    }

    /// Before MySQL 9.0 a REFERENCES inside a column definition had no effect.
    fn column_reference(&self, part: &Part) -> Option<Edit> {
        if !part.column {
            return None;
        }
        let begin = self.find(part, &["REFERENCES"])?;
        let mut end = begin + 2;
        if self.is_symbol(end, b'.') {
            end += 2;
        }
        if self.is_symbol(end, b'(') {
            end = self.behind(end);
        }
        loop {
            if self.is(end, &["MATCH"]) {
                end += 2;
            } else if self.is(end, &["ON"]) && self.is(end + 1, &["DELETE", "UPDATE"]) {
                end += 3 + usize::from(self.is(end + 2, &["SET", "NO"]));
            } else {
                break;
            }
        }
        self.cut(begin..end.min(part.span.end))
    }

    /// The CHECK inside a column definition.
    fn column_check(&self, part: &Part) -> Option<Edit> {
        let check = self.find(part, &["CHECK"]).filter(|_| part.column)?;
        let named = check
            .checked_sub(2)
            .filter(|at| self.is(*at, &["CONSTRAINT"]));
        let bare = check
            .checked_sub(1)
            .filter(|at| self.is(*at, &["CONSTRAINT"]));
        self.cut(named.or(bare).unwrap_or(check)..self.behind(check + 1))
    }

    /// True for a CHECK that is a clause of its own.
    fn is_check(&self, part: &Part) -> bool {
        !part.column
            && self.is(part.span.start, &["CHECK", "CONSTRAINT"])
            && self.find(part, &["CHECK"]).is_some()
    }

    /// The first of these words in a part, outside of parentheses; not its name.
    pub(super) fn find(&self, part: &Part, words: &[&str]) -> Option<usize> {
        let mut at = part.span.start + usize::from(part.column);
        while at < part.span.end {
            if self.is(at, words) {
                return Some(at);
            }
            at = self.behind(at);
        }
        None
    }

    pub(super) fn cut(&self, cut: Range<usize>) -> Option<Edit> {
        let (first, last) = (
            self.tokens.get(cut.start)?,
            self.tokens.get(cut.end.checked_sub(1)?)?,
        );
        Some((first.start..last.end, String::new()))
    }

    /// Names the collation where a text says `utf8mb4` alone and the source has another default
    /// than MySQL 8.0 and later. `scopes` go from narrow to wide: a COLLATE in the narrowest scope
    /// of a character set is the one that belongs to it.
    fn collations(&self, scopes: &[Range<usize>]) -> Vec<Edit> {
        let default = default_collation("utf8mb4", self.statement.dialect);
        let Some(collation) = default.filter(|name| name != "utf8mb4_0900_ai_ci") else {
            return Vec::new();
        };
        let mut edits = Vec::new();
        for at in self.statement.start..self.tokens.len() {
            let Some(value) = self.charset_value(at) else {
                continue;
            };
            let Some(scope) = scopes.iter().find(|scope| scope.contains(&at)) else {
                continue;
            };
            let named = scope.clone().any(|at| self.is(at, &["COLLATE"]));
            let token = &self.tokens[value];
            let name = token.name(self.sql);
            let name = name.trim_matches(['\'', '"']);
            if !named && name.eq_ignore_ascii_case("utf8mb4") {
                edits.push((token.end..token.end, format!(" COLLATE {collation}")));
            }
        }
        edits
    }

    /// The token of the name behind `CHARACTER SET` or `CHARSET` at token `at`.
    fn charset_value(&self, at: usize) -> Option<usize> {
        let words = match (
            self.is(at, &["CHARACTER", "CHAR"]),
            self.is(at, &["CHARSET"]),
        ) {
            (true, _) if self.is(at + 1, &["SET"]) => 2,
            (_, true) => 1,
            _ => return None,
        };
        let value = at + words + usize::from(self.is_symbol(at + words, b'='));
        let kind = self.tokens.get(value)?.kind;
        matches!(kind, TokenKind::Word | TokenKind::Text | TokenKind::Quoted).then_some(value)
    }
}
