//! Keys and defaults of statements, said so that MySQL 8.0 and later take them as the source did.

use super::edit::Edit;
use super::lexer::TokenKind;
use super::translate::{Part, Text};
use std::ops::Range;

/// Types to which MySQL gives no literal default.
const WITHOUT_LITERAL: [&str; 17] = [
    "TINYTEXT",
    "TEXT",
    "MEDIUMTEXT",
    "LONGTEXT",
    "TINYBLOB",
    "BLOB",
    "MEDIUMBLOB",
    "LONGBLOB",
    "JSON",
    "GEOMETRY",
    "POINT",
    "LINESTRING",
    "POLYGON",
    "MULTIPOINT",
    "MULTILINESTRING",
    "MULTIPOLYGON",
    "GEOMETRYCOLLECTION",
];

const NOW: [&str; 4] = ["CURRENT_TIMESTAMP", "NOW", "LOCALTIME", "LOCALTIMESTAMP"];

impl Text<'_> {
    /// `span` holds a key with its parts: `DESC` goes where the source forgot it, and MariaDB's
    /// `IGNORED` becomes MySQL's word.
    pub(super) fn key_parts(&self, span: &Range<usize>) -> Vec<Edit> {
        let mut edits = Vec::new();
        let mut depth = 0;
        for at in span.clone() {
            if self.is_symbol(at, b'(') {
                depth += 1;
            } else if self.is_symbol(at, b')') {
                depth -= 1;
            }
            let forgotten = depth == 1 && !self.statement.dialect.has_descending_keys();
            if forgotten && self.is(at, &["DESC"]) {
                edits.extend(self.cut(at..at + 1));
            }
            if depth == 0 {
                edits.extend(self.ignored(at));
            }
        }
        edits
    }

    /// `ALTER INDEX x IGNORED`.
    pub(super) fn index_clause(&self, clause: &Range<usize>) -> Vec<Edit> {
        let names_index =
            self.is(clause.start, &["ALTER"]) && self.is(clause.start + 1, &["INDEX", "KEY"]);
        if !names_index {
            return Vec::new();
        }
        let words = clause.start + 3..clause.end;
        words.filter_map(|at| self.ignored(at)).collect()
    }

    fn ignored(&self, at: usize) -> Option<Edit> {
        if !self.statement.dialect.mariadb || !self.is(at, &["IGNORED"]) {
            return None;
        }
        let not = at
            .checked_sub(1)
            .filter(|before| self.is(*before, &["NOT"]));
        let begin = self.tokens[not.unwrap_or(at)].start;
        let word = if not.is_some() {
            "VISIBLE"
        } else {
            "INVISIBLE"
        };
        Some((begin..self.tokens[at].end, word.to_owned()))
    }

    /// MariaDB's `DEFAULT uuid()` and `TEXT DEFAULT 'x'`: MySQL wants parentheses around what is
    /// not a literal, and around every default of a long type. `PERSISTENT` is its `STORED`.
    pub(super) fn bare_default(&self, part: &Part) -> Vec<Edit> {
        if !part.column {
            return Vec::new();
        }
        let mut edits = Vec::new();
        if let Some(at) = self.find(part, &["PERSISTENT"]) {
            let token = &self.tokens[at];
            edits.push((token.start..token.end, "STORED".to_owned()));
        }
        let value = self.find(part, &["DEFAULT"]).map(|at| self.value(at + 1));
        if let Some(value) = &value
            && let Some(moment) = self.moment(part, value)
        {
            edits.extend(self.said(value, moment));
            return edits;
        }
        let bare = value.filter(|value| self.needs_parentheses(part, value));
        if let Some(value) = bare {
            let (begin, end) = (
                self.tokens[value.start].start,
                self.tokens[value.end - 1].end,
            );
            edits.push((begin..begin, "(".to_owned()));
            edits.push((end..end, ")".to_owned()));
        }
        edits
    }

    /// MariaDB's `ON UPDATE now()` has the decimals of its column.
    pub(super) fn on_update(&self, part: &Part) -> Option<Edit> {
        let says = |at: &usize| self.is(*at, &["ON"]) && self.is(at + 1, &["UPDATE"]);
        let at = part.span.clone().find(says).filter(|_| part.column)?;
        let value = self.value(at + 2);
        let moment = self.moment(part, &value)?;
        self.said(&value, moment)
    }

    /// How MySQL says the moment of now that MariaDB takes this value for; `None` for other values
    /// and where both say it alike. Without decimals, or with more than its column, it has those of the column.
    fn moment(&self, part: &Part, value: &Range<usize>) -> Option<String> {
        let kind = part.span.start + 1;
        if !self.statement.dialect.mariadb || !self.is(kind, &["DATETIME", "TIMESTAMP"]) {
            return None;
        }
        let in_parentheses = self.is_symbol(value.start, b'(');
        let call = match in_parentheses {
            true => value.start + 1..value.end - 1,
            false => value.clone(),
        };
        if !self.is(call.start, &NOW) || self.value(call.start) != call {
            return None;
        }
        match (self.decimals(call.start), self.decimals(kind)) {
            (said, held) if said == held && !in_parentheses => None,
            (said, held) if said > 0 && said < held => Some(format!("(CURRENT_TIMESTAMP({said}))")),
            (_, 0) => Some("CURRENT_TIMESTAMP".to_owned()),
            (_, held) => Some(format!("CURRENT_TIMESTAMP({held})")),
        }
    }

    fn said(&self, value: &Range<usize>, text: String) -> Option<Edit> {
        let (first, last) = (
            self.tokens.get(value.start)?,
            self.tokens.get(value.end.checked_sub(1)?)?,
        );
        Some((first.start..last.end, text))
    }

    /// The tokens of a value that begins at `at`: a sign, a word with its arguments, a literal.
    fn value(&self, mut at: usize) -> Range<usize> {
        let begin = at;
        while self.is_symbol(at, b'-') || self.is_symbol(at, b'+') {
            at += 1;
        }
        let end = self.behind(at);
        let called = self
            .tokens
            .get(at)
            .is_some_and(|token| token.kind == TokenKind::Word)
            && self.is_symbol(end, b'(');
        let end = if called { self.behind(end) } else { end };
        begin..end.min(self.tokens.len())
    }

    /// The number in the parentheses behind a word; 0 without one.
    fn decimals(&self, at: usize) -> u8 {
        let number = self.tokens.get(at + 2);
        let number = number.filter(|_| self.is_symbol(at + 1, b'('));
        number.map_or(0, |token| token.text(self.sql).parse().unwrap_or(0))
    }

    fn needs_parentheses(&self, part: &Part, value: &Range<usize>) -> bool {
        let Some(first) = self.tokens.get(value.start).filter(|_| !value.is_empty()) else {
            return false;
        };
        if first.is_symbol(b'(') || self.is(value.start, &["NULL"]) {
            return false;
        }
        let kind = part.span.start + 1;
        if self.is(kind, &WITHOUT_LITERAL) {
            return true;
        }
        if self.is(value.start, &NOW) {
            return !self.is(kind, &["DATETIME", "TIMESTAMP"]);
        }
        let word = first.kind == TokenKind::Word;
        let introducer = first.text(self.sql).starts_with('_');
        let marked = self
            .tokens
            .get(value.start + 1)
            .is_some_and(|next| next.kind == TokenKind::Text && next.start == first.end);
        word && !introducer && !marked && !self.is(value.start, &["TRUE", "FALSE"])
    }
}
