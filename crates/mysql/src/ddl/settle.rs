//! Settles what a statement leaves to the server that runs it: conditions, and invented defaults.
//!
//! MariaDB's `IF [NOT] EXISTS` inside clauses is decided by the table as it is, because MySQL has no
//! such words. What MySQL before 5.7 adds to columns of a primary key is said, because later ones
//! add nothing. Pure; the caller knows the table.

use super::alter::clauses;
use super::definition::{ColumnParts, Definition, KeyKind};
use super::edit::{Edit, replace};
use super::lexer::{Token, lex};
use super::refusal::Refusal;
use super::statement::{Context, Dialect, Statement, StatementKind};
use super::translate::{Part, Text};
use std::ops::Range;
use wherry_model::name::quote;

/// A statement without conditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// It has none.
    Same,
    /// Nothing of it remains to be done.
    Nothing,
    Text(String),
    /// It cannot be said.
    Refused(Refusal),
}

impl Settled {
    fn of(text: Result<String, Refusal>) -> Settled {
        text.map_or_else(Settled::Refused, Settled::Text)
    }
}

/// `before` is the table that the statement changes, as it is; `None` where it makes one.
pub fn settle(sql: &str, statement: &Statement, before: Option<&Definition>) -> Settled {
    let text = Text::new(sql, statement);
    let mut edits = match (statement.kind.clone(), before) {
        (StatementKind::CreateIndex | StatementKind::DropIndex, Some(before)) => {
            return text.index_statement(before);
        }
        (StatementKind::AlterTable, Some(before)) => match text.conditions(before) {
            Some(edits) => edits,
            None => return Settled::Nothing,
        },
        _ => Vec::new(),
    };
    if statement.dialect.forgets_null_in_keys() {
        edits.extend(text.key_defaults(before));
    }
    if edits.is_empty() {
        return Settled::Same;
    }
    Settled::of(replace(sql, edits))
}

/// What a name behind a condition stands for.
#[derive(Clone, Copy)]
enum Thing {
    Column,
    Index,
    Constraint,
    Partition,
}

impl Text<'_> {
    /// Edits that leave no condition; `None` where no clause is left.
    fn conditions(&self, before: &Definition) -> Option<Vec<Edit>> {
        let mut edits = Vec::new();
        let clauses = clauses(self.statement);
        let mut left = 0;
        for clause in &clauses {
            let Some((condition, wanted)) = self.condition(clause) else {
                left += 1;
                continue;
            };
            let name = self
                .tokens
                .get(condition.end)
                .map(|token| token.name(self.sql));
            let thing = self.thing(clause.start..condition.start);
            if name.is_some_and(|name| has(before, thing, &name)) == wanted {
                left += 1;
                edits.extend(self.cut(condition));
            } else {
                edits.extend(self.cut_clause(clause, left > 0));
            }
        }
        let head = self.statement.start..self.statement.body;
        if let Some((condition, _)) = self.condition(&head) {
            edits.extend(self.cut(condition));
        }
        (left > 0 || clauses.is_empty()).then_some(edits)
    }

    /// The tokens of `IF EXISTS` or `IF NOT EXISTS` near the begin of a clause, and whether the
    /// thing is to be there.
    fn condition(&self, clause: &Range<usize>) -> Option<(Range<usize>, bool)> {
        let near = clause.start..clause.end.min(clause.start + 5);
        let at = near
            .into_iter()
            .find(|at| self.is(*at, &["IF"]) && self.is(at + 1, &["EXISTS", "NOT"]))?;
        if self.is(at + 1, &["EXISTS"]) {
            return Some((at..at + 2, true));
        }
        self.is(at + 2, &["EXISTS"]).then_some((at..at + 3, false))
    }

    fn thing(&self, words: Range<usize>) -> Thing {
        let has = |names: &[&str]| words.clone().any(|at| self.is(at, names));
        if has(&["PARTITION"]) {
            Thing::Partition
        } else if has(&["CONSTRAINT", "FOREIGN"]) {
            Thing::Constraint
        } else if has(&["INDEX", "KEY", "UNIQUE", "FULLTEXT", "SPATIAL"]) {
            Thing::Index
        } else {
            Thing::Column
        }
    }

    /// The clause with one comma beside it: the one before it where a clause before it stays.
    fn cut_clause(&self, clause: &Range<usize>, follows: bool) -> Option<Edit> {
        let mut cut = clause.clone();
        if follows {
            cut.start -= 1;
        } else if self.is_symbol(cut.end, b',') {
            cut.end += 1;
        }
        self.cut(cut)
    }

    /// `CREATE [OR REPLACE] INDEX [IF NOT EXISTS]` and `DROP INDEX [IF EXISTS]`.
    fn index_statement(&self, before: &Definition) -> Settled {
        let end = self.tokens.len();
        let Some(on) = (self.statement.start..end).find(|at| self.is(*at, &["ON"])) else {
            return Settled::Same;
        };
        let head = self.statement.start..on;
        let condition = self.condition(&head);
        let at = condition.as_ref().map_or_else(
            || {
                head.clone()
                    .rev()
                    .find(|at| self.is(*at, &["INDEX", "KEY"]))
                    .map(|at| at + 1)
            },
            |(condition, _)| Some(condition.end),
        );
        let Some(name) = at.and_then(|at| self.tokens.get(at)) else {
            return Settled::Same;
        };
        let there = has(before, Thing::Index, &name.name(self.sql));
        match condition {
            Some((_, wanted)) if there != wanted => Settled::Nothing,
            Some((condition, _)) => {
                Settled::of(replace(self.sql, self.cut(condition).into_iter().collect()))
            }
            None if self.statement.or_replace => self.replaced_index(&head, on, there),
            None => Settled::Same,
        }
    }

    /// One statement for both steps, so that no reader sees the table without its key.
    fn replaced_index(&self, head: &Range<usize>, on: usize, there: bool) -> Settled {
        let text = |tokens: Range<usize>| match (
            self.tokens.get(tokens.start),
            self.tokens.get(tokens.end.wrapping_sub(1)),
        ) {
            (Some(first), Some(last)) if !tokens.is_empty() => &self.sql[first.start..last.end],
            _ => "",
        };
        // CREATE OR REPLACE kind name ON table rest
        let (kind, rest) = (
            text(head.start + 3..on),
            text(self.statement.body..self.tokens.len()),
        );
        let Some(table) = self.statement.names.first() else {
            return Settled::Same;
        };
        let name = (head.start..on)
            .find(|at| self.is(*at, &["INDEX", "KEY"]))
            .map(|at| text(at + 1..at + 2))
            .unwrap_or_default();
        let drop = if there {
            format!("DROP INDEX {name}, ")
        } else {
            String::new()
        };
        let table = &self.sql[table.span.clone()];
        Settled::Text(format!("ALTER TABLE {table} {drop}ADD {kind} {rest}"))
    }

    /// The default that a column of a primary key was given because it was not said to be NOT NULL.
    fn key_defaults(&self, before: Option<&Definition>) -> Vec<Edit> {
        let parts = match self.statement.kind {
            StatementKind::CreateTable | StatementKind::CreateTableSelect => self.created(),
            StatementKind::AlterTable => self.altered(),
            _ => return Vec::new(),
        };
        let mut names = self.key_columns(&parts);
        let mut edits = Vec::new();
        if names.is_empty()
            && let Some(key) = before.and_then(|before| before.primary_key.as_ref())
            && !self.drops_primary_key()
        {
            let there: Vec<String> = key.columns.iter().flatten().cloned().collect();
            edits.extend(
                parts
                    .iter()
                    .flat_map(|part| self.column_default(part, &there, true)),
            );
            return edits;
        }
        edits.extend(
            parts
                .iter()
                .flat_map(|part| self.column_default(part, &names, false)),
        );
        let said = |name: &String| {
            parts
                .iter()
                .any(|part| part.column && same(&self.name_of(part), name))
        };
        names.retain(|name| !said(name));
        let end = self.tokens.last().map_or(0, |token| token.end);
        if let Some(before) = before.filter(|_| self.statement.dialect.gives_keys_a_default()) {
            let clauses = names.iter().filter_map(|name| stored_default(before, name));
            edits.extend(clauses.map(|clause| (end..end, format!(", {clause}"))));
        }
        edits
    }

    fn drops_primary_key(&self) -> bool {
        clauses(self.statement).iter().any(|clause| {
            self.is(clause.start, &["DROP"]) && self.is(clause.start + 1, &["PRIMARY"])
        })
    }

    /// Columns of a primary key that the statement makes beside its columns.
    fn key_columns(&self, parts: &[Part]) -> Vec<String> {
        let mut names = Vec::new();
        for part in parts.iter().filter(|part| !part.column) {
            let Some(primary) = self.find(part, &["PRIMARY"]) else {
                continue;
            };
            let Some(open) = (primary..part.span.end).find(|at| self.is_symbol(*at, b'(')) else {
                continue;
            };
            let listed = self.list(open);
            names.extend(listed.iter().map(|part| self.name_of(part)));
        }
        names
    }

    fn name_of(&self, part: &Part) -> String {
        self.tokens
            .get(part.span.start)
            .map_or_else(String::new, |token| token.name(self.sql))
    }

    /// `old`: the names are those before the statement, which `CHANGE` may replace.
    fn column_default(&self, part: &Part, names: &[String], old: bool) -> Vec<Edit> {
        let changed = self.is(part.clause.start, &["CHANGE"]) && old;
        let at = part.span.start - usize::from(changed);
        let name = self.tokens.get(at).map(|token| token.name(self.sql));
        let adds = old && self.is(part.clause.start, &["ADD"]);
        let in_key = name.is_some_and(|name| names.iter().any(|key| same(key, &name)));
        let counted = ["AUTO_INCREMENT", "PRIMARY", "SERIAL"];
        if !part.column || adds || !in_key || self.find(part, &counted).is_some() {
            return Vec::new();
        }
        let (mut edits, said) = self.without_null(part);
        // One that is not said to be NULL has a default of another kind, also outside of keys.
        let said = said || (edits.is_empty() && self.is(part.span.start + 1, &["TIMESTAMP"]));
        if !said && self.statement.dialect.gives_keys_a_default() {
            edits.extend(self.not_null_default(part));
        }
        edits
    }

    /// Edits that take out `NULL` and `DEFAULT NULL`, and whether NOT NULL or a default remains.
    fn without_null(&self, part: &Part) -> (Vec<Edit>, bool) {
        let mut edits = Vec::new();
        let mut said = false;
        let mut at = part.span.start + 1;
        while at < part.span.end {
            let null_follows = self.is(at + 1, &["NULL"]) && at + 1 < part.span.end;
            if self.is(at, &["DEFAULT"]) && null_follows {
                edits.extend(self.cut(at..at + 2));
                at += 2;
            } else if self.is(at, &["NOT"]) && null_follows {
                said = true;
                at += 2;
            } else {
                said |= self.is(at, &["DEFAULT"]);
                if self.is(at, &["NULL"]) {
                    edits.extend(self.cut(at..at + 1));
                }
                at = self.behind(at);
            }
        }
        (edits, said)
    }

    /// Behind the type with what belongs to it.
    fn not_null_default(&self, part: &Part) -> Option<Edit> {
        let kind = part.span.start + 1;
        let value = implicit(self.sql, self.tokens.get(kind..)?)?;
        let mut at = kind + 1;
        if self.is_symbol(at, b'(') {
            at = self.behind(at);
        }
        while self.is(at, &["UNSIGNED", "SIGNED", "ZEROFILL", "BINARY"]) {
            at += 1;
        }
        if self.is(at, &["CHARACTER", "CHAR"]) && self.is(at + 1, &["SET"]) {
            at += 3;
        } else if self.is(at, &["CHARSET"]) {
            at += 2;
        }
        let end = self.tokens.get(at - 1)?.end;
        Some((end..end, format!(" NOT NULL DEFAULT {value}")))
    }
}

fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

fn stored_default(before: &Definition, name: &str) -> Option<String> {
    let column = before
        .columns
        .iter()
        .find(|column| same(&column.name, name))?;
    let context = Context::new("", Dialect::mysql(90_000));
    let parts = ColumnParts::parse(&column.text, &context)?;
    use super::definition::AttributeKind::{Default, NotNull};
    let given = parts
        .value(Default)
        .is_some_and(|value| !same(value, "NULL"));
    if parts.has(NotNull) || given || column.auto_increment {
        return None;
    }
    let kind = parts.column_type();
    let value = implicit(kind, &lex(kind, &context).tokens)?;
    Some(format!("ALTER COLUMN {} SET DEFAULT {value}", quote(name)))
}

/// The value that a type has where nothing was said; nothing for those that cannot be in such a key.
/// The tokens of `sql` begin with the type.
fn implicit<'s>(sql: &'s str, tokens: &[Token]) -> Option<&'s str> {
    let kind = tokens.first()?.text(sql).to_ascii_lowercase();
    Some(match kind.as_str() {
        "date" => "'0000-00-00'",
        "datetime" | "timestamp" => "'0000-00-00 00:00:00'",
        "time" => "'00:00:00'",
        "char" | "varchar" | "binary" | "varbinary" | "set" => "''",
        "enum" => tokens.get(2)?.text(sql),
        "bit" => "b'0'",
        "tinyint" | "smallint" | "mediumint" | "int" | "integer" | "bigint" | "decimal"
        | "numeric" | "dec" | "fixed" | "float" | "double" | "real" | "year" | "bool"
        | "boolean" => "0",
        _ => return None,
    })
}

fn has(table: &Definition, thing: Thing, name: &str) -> bool {
    match thing {
        Thing::Column => table.columns.iter().any(|column| same(&column.name, name)),
        Thing::Index => {
            table.keys.iter().any(|key| same(&key.name, name))
                || (same(name, "PRIMARY") && table.primary_key.is_some())
        }
        Thing::Constraint => {
            table.foreign_keys.iter().any(|key| same(&key.name, name))
                || table.checks.iter().any(|check| same(&check.name, name))
                || table
                    .keys
                    .iter()
                    .any(|key| key.kind == KeyKind::Unique && same(&key.name, name))
        }
        Thing::Partition => partition_names(table).iter().any(|known| same(known, name)),
    }
}

fn partition_names(table: &Definition) -> Vec<String> {
    let text = table.partitions.as_deref().unwrap_or_default();
    let tokens = lex(text, &Context::new("", Dialect::mysql(90_000))).tokens;
    let behind_word = tokens
        .windows(2)
        .filter(|pair| pair[0].is_word(text, "PARTITION") && !pair[1].is_word(text, "BY"));
    behind_word.map(|pair| pair[1].name(text)).collect()
}
