//! Rewrites statements in place: what is not edited stays byte by byte.

use super::alter::must_copy;
use super::lexer::{Token, TokenKind};
use super::refusal::{OVERLAP, Refusal};
use super::statement::{NameKind, Statement, StatementKind};
use super::translate;
use std::ops::Range;
use wherry_model::TableName;
use wherry_model::name::quote;

/// The statement with every table name qualified, quoted and mapped, and every database name as
/// that of a table without a name; the rest unchanged.
pub fn rewrite_names(
    sql: &str,
    statement: &Statement,
    map: &dyn Fn(&TableName) -> TableName,
) -> Result<String, Refusal> {
    replace(sql, name_edits(statement, map))
}

/// The statement without what only the source's server needs to know.
///
/// Goes: `ALGORITHM`, `LOCK`, `WAIT`, `NOWAIT`, `ONLINE`, `OFFLINE`, a `SET STATEMENT ... FOR`
/// before it, and the `START TRANSACTION` of an atomic `CREATE TABLE ... SELECT`. `OR REPLACE`
/// of a table goes too: where `or_replace` is set, the caller drops the old table first.
pub fn strip_hints(sql: &str, statement: &Statement) -> Result<String, Refusal> {
    let mut edits = hint_edits(sql, statement);
    edits.extend(clause_edits(sql, statement, Vec::new()));
    replace(sql, edits)
}

/// The statement as it is to run on the target: both edits at once, and what another MySQL would
/// take in another sense said so that it does not.
///
/// Errors: `DDL-130` where two edits want the same place to say different things.
pub fn carried(
    sql: &str,
    statement: &Statement,
    map: &dyn Fn(&TableName) -> TableName,
) -> Result<String, Refusal> {
    let mut edits = hint_edits(sql, statement);
    let forgotten = translate::forgotten(sql, statement);
    edits.extend(clause_edits(sql, statement, forgotten));
    edits.extend(translate::edits(sql, statement));
    edits.extend(name_edits(statement, map));
    if must_copy(sql, statement) {
        let first = statement.tokens.get(statement.body);
        edits.extend(first.map(|first| (first.start..first.start, BY_COPY.to_owned())));
    }
    // Whether the content of a version comment is code was decided by the source.
    let unwrapped = statement.marks.iter();
    edits.extend(unwrapped.map(|mark| (mark.clone(), " ".to_owned())));
    replace(sql, edits)
}

const BY_COPY: &str = "ALGORITHM=COPY, ";

/// An `ALTER TABLE` that copies the table, whatever the server would choose.
pub fn by_copy(sql: &str, statement: &Statement) -> String {
    match statement.tokens.get(statement.body) {
        Some(first) if statement.kind == StatementKind::AlterTable => {
            let (head, clauses) = sql.split_at(first.start);
            let clauses = clauses.strip_prefix(BY_COPY).unwrap_or(clauses);
            format!("{head}{BY_COPY}{clauses}")
        }
        _ => sql.to_owned(),
    }
}

pub(super) type Edit = (Range<usize>, String);

/// Applies all edits. What is cut out needs no other edit inside; two equal ones are one.
///
/// Errors: `DDL-130` where edits overlap otherwise: one of them would be lost.
pub(super) fn replace(text: &str, mut edits: Vec<Edit>) -> Result<String, Refusal> {
    // Behind an insertion at its place; of those that begin together the widest comes first.
    edits.sort_by_key(|(span, _)| (span.start, !span.is_empty(), std::cmp::Reverse(span.end)));
    edits.dedup();
    let mut out = String::with_capacity(text.len() + 64);
    let (mut at, mut cuts) = (0, true);
    for (span, new) in edits {
        if span.start < at {
            if cuts && span.end <= at {
                continue;
            }
            return Err(overlap());
        }
        out.push_str(&text[at..span.start]);
        out.push_str(&new);
        at = span.end;
        cuts = new.trim().is_empty();
    }
    out.push_str(&text[at..]);
    Ok(out)
}

fn overlap() -> Refusal {
    Refusal {
        code: OVERLAP,
        message: "two changes that the target needs meet at one place of the text".to_owned(),
        hint: "Report this with the statement; until then say it in a simpler form at the source.",
    }
}

pub(super) fn name_edits(
    statement: &Statement,
    map: &dyn Fn(&TableName) -> TableName,
) -> Vec<Edit> {
    statement
        .names
        .iter()
        .filter_map(|name| {
            let new = match name.kind {
                NameKind::Table => map(&name.table()?).to_string(),
                NameKind::Database => {
                    quote(&map(&TableName::new(name.database.as_str(), "")).database)
                }
                NameKind::Other => return None,
            };
            Some((name.span.clone(), new))
        })
        .collect()
}

fn hint_edits(sql: &str, statement: &Statement) -> Vec<Edit> {
    let tokens = &statement.tokens;
    let mut cuts: Vec<Range<usize>> = Vec::new();
    if statement.start > 0 {
        cuts.push(0..statement.start);
    }
    match statement.kind {
        StatementKind::AlterTable => {
            cuts.extend(verb_words(sql, statement));
            cuts.extend(waits(sql, statement));
        }
        StatementKind::CreateIndex | StatementKind::DropIndex => {
            cuts.extend(verb_words(sql, statement));
            cuts.extend(waits(sql, statement));
            let from = statement.body.max(statement.start);
            cuts.extend((from..tokens.len()).filter_map(|at| hint_at(sql, tokens, at)));
        }
        StatementKind::DropTable | StatementKind::RenameTable | StatementKind::TruncateTable => {
            cuts.extend(waits(sql, statement));
        }
        StatementKind::CreateTable
        | StatementKind::CreateTableLike
        | StatementKind::CreateTableSelect => {
            cuts.extend(or_replace(sql, statement));
            cuts.extend(start_transaction(sql, tokens));
        }
        _ => {}
    }
    cuts.into_iter()
        .filter_map(|cut| Some((cut_bytes(sql, tokens, cut)?, String::new())))
        .collect()
}

/// The bytes of a run of tokens, with the blanks behind it where there are blanks before it.
fn cut_bytes(sql: &str, tokens: &[Token], cut: Range<usize>) -> Option<Range<usize>> {
    let (first, last) = (tokens.get(cut.start)?, tokens.get(cut.end.checked_sub(1)?)?);
    let rest = &sql[last.end..];
    let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    let apart = sql[..first.start].ends_with([' ', '\t', '\n', '\r']) || first.start == 0;
    Some(first.start..last.end + if apart { blanks } else { 0 })
}

fn verb_words(sql: &str, statement: &Statement) -> Option<Range<usize>> {
    let at = statement.start + 1;
    let token = statement.tokens.get(at)?;
    (token.is_word(sql, "ONLINE") || token.is_word(sql, "OFFLINE")).then_some(at..at + 1)
}

fn or_replace(sql: &str, statement: &Statement) -> Option<Range<usize>> {
    let at = statement.start + 1;
    let found = statement.or_replace && statement.tokens.get(at)?.is_word(sql, "OR");
    found.then_some(at..at + 2)
}

fn start_transaction(sql: &str, tokens: &[Token]) -> Option<Range<usize>> {
    let mut end = tokens.len();
    if end > 0 && tokens[end - 1].is_symbol(b';') {
        end -= 1;
    }
    let begin = end.checked_sub(2)?;
    let found = tokens[begin].is_word(sql, "START") && tokens[end - 1].is_word(sql, "TRANSACTION");
    found.then_some(begin..end)
}

/// `WAIT n` and `NOWAIT` outside of parentheses and names.
fn waits(sql: &str, statement: &Statement) -> Vec<Range<usize>> {
    let tokens = &statement.tokens;
    let mut cuts = Vec::new();
    let mut depth = 0i32;
    for (at, token) in tokens.iter().enumerate().skip(statement.start) {
        if token.is_symbol(b'(') {
            depth += 1;
        } else if token.is_symbol(b')') {
            depth -= 1;
        }
        let is_name = statement
            .names
            .iter()
            .any(|name| name.span.contains(&token.start));
        if depth != 0 || is_name || follows_name_word(sql, tokens, at) {
            continue;
        }
        let number = tokens
            .get(at + 1)
            .is_some_and(|next| next.kind == TokenKind::Number);
        if token.is_word(sql, "WAIT") && number {
            cuts.push(at..at + 2);
        } else if token.is_word(sql, "NOWAIT") {
            cuts.push(at..at + 1);
        }
    }
    cuts
}

/// True where the token stands in the place of a column or index name.
fn follows_name_word(sql: &str, tokens: &[Token], at: usize) -> bool {
    let words = [
        "COLUMN",
        "ADD",
        "DROP",
        "MODIFY",
        "CHANGE",
        "ALTER",
        "INDEX",
        "KEY",
        "TO",
        "AFTER",
        "CONSTRAINT",
        "PARTITION",
    ];
    at.checked_sub(1)
        .is_some_and(|before| words.iter().any(|word| tokens[before].is_word(sql, word)))
}

/// `ALGORITHM [=] x` or `LOCK [=] x` at token `at`.
fn hint_at(sql: &str, tokens: &[Token], at: usize) -> Option<Range<usize>> {
    let token = tokens.get(at)?;
    if !token.is_word(sql, "ALGORITHM") && !token.is_word(sql, "LOCK") {
        return None;
    }
    let value = at + 1 + usize::from(tokens.get(at + 1)?.is_symbol(b'='));
    (tokens.get(value)?.kind == TokenKind::Word).then_some(at..value + 1)
}

/// Cuts whole clauses out of their lists: those that the source forgot, and the hints of an ALTER.
fn clause_edits(sql: &str, statement: &Statement, forgotten: Vec<Range<usize>>) -> Vec<Edit> {
    let tokens = &statement.tokens;
    let hints = alter_hints(sql, statement);
    let mut gone = [hints.clone(), forgotten].concat();
    gone.sort_by_key(|clause| clause.start);
    let cuts = gone.iter().zip(with_commas(tokens, &gone));
    cuts.filter_map(|(clause, cut)| {
        let bytes = if hints.contains(clause) {
            cut_bytes(sql, tokens, cut)?
        } else {
            tokens.get(cut.start)?.start..tokens.get(cut.end.checked_sub(1)?)?.end
        };
        Some((bytes, String::new()))
    })
    .collect()
}

/// Each clause with its comma: the one before it where a clause before it stays, else the one behind.
fn with_commas(tokens: &[Token], gone: &[Range<usize>]) -> Vec<Range<usize>> {
    let is_comma = |at: usize| tokens.get(at).is_some_and(|token| token.is_symbol(b','));
    let mut cuts = Vec::new();
    let mut last: Option<(usize, bool)> = None;
    for clause in gone {
        let comma = clause.start.checked_sub(1).filter(|at| is_comma(*at));
        let stays_before = match last {
            Some((end, stays)) if Some(end) == comma => stays,
            _ => comma.is_some(),
        };
        last = Some((clause.end, stays_before));
        cuts.push(if stays_before {
            clause.start - 1..clause.end
        } else {
            clause.start..clause.end + usize::from(is_comma(clause.end))
        });
    }
    cuts
}

/// Hints that are clauses of their own.
fn alter_hints(sql: &str, statement: &Statement) -> Vec<Range<usize>> {
    if statement.kind != StatementKind::AlterTable {
        return Vec::new();
    }
    let tokens = &statement.tokens;
    let begins = |at: usize| at == statement.body || tokens[at - 1].is_symbol(b',');
    (statement.body..tokens.len())
        .filter(|at| begins(*at) && depth_at(tokens, *at) == 0)
        .filter_map(|at| hint_at(sql, tokens, at))
        .collect()
}

fn depth_at(tokens: &[Token], at: usize) -> i32 {
    tokens[..at]
        .iter()
        .fold(0, |depth, token| match token.kind {
            TokenKind::Symbol(b'(') => depth + 1,
            TokenKind::Symbol(b')') => depth - 1,
            _ => depth,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(edits: &[(Range<usize>, &str)], expected: Option<&str>) {
        let edits = edits
            .iter()
            .map(|(span, new)| (span.clone(), (*new).to_owned()));
        let text = replace("abcdef", edits.collect());
        assert_eq!(text.ok().as_deref(), expected);
    }

    #[test]
    fn no_edit_is_lost_in_silence() {
        check(&[(4..5, "E"), (0..1, "A")], Some("AbcdEf"));
        check(&[(1..3, "X"), (1..3, "X")], Some("aXdef"));
        check(&[(1..1, "+"), (1..3, "X"), (3..3, "+")], Some("a+X+def"));
        check(&[(1..4, ""), (2..3, "C"), (1..2, "")], Some("aef"));
        check(&[(1..3, "X"), (1..3, "Y")], None);
        check(&[(1..4, "X"), (2..3, "")], None);
        check(&[(1..3, ""), (2..4, "")], None);
        check(&[(1..4, "X"), (2..2, "+")], None);
    }
}
