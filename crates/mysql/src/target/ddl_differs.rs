//! Where the same statement would give another table in the target than at the source.
//!
//! What can be said so that both do the same is said so; else the table is loaded anew.

use super::Inner;
use super::definition_change::Request;
use crate::binlog::plan::charset_bytes_max;
use crate::ddl::{
    AlterNotes, Dialect, changes_a_column, converts_table, converts_twice,
    converts_what_it_changes, is_strict, may_convert_nothing, takes_session_charset,
};
use wherry_model::{Column, ColumnKind, Fault, Key, KeyPart, Table, TableName};

const SHORTER_KEY: &str = "the source made a part of a key shorter than it was asked to";
const SESSION_CHARSET: &str = "it got the character set that the source's session had for its database, which no binlog tells";
const OTHER_VALUES: &str = "the source gave a column a type for which it makes other values";

/// The longest part of a key in the row formats that older servers have by default.
const PART_BYTES_MAX: u32 = 767;

/// Why the statement gives another table than at the source, so that it must be loaded anew.
pub(super) fn reload_reason(
    request: &Request<'_>,
    table: &Table,
    notes: &AlterNotes,
) -> Option<&'static str> {
    if request.takes_session_charset(false) {
        Some(SESSION_CHARSET)
    } else if numbers_anew(table, notes) {
        Some("AUTO_INCREMENT numbered its rows in an order of its own")
    } else if converts_what_it_changes(&request.ddl.statement, &request.statement) {
        Some("a column was changed and its table converted by one statement")
    } else if converts_twice(&request.ddl.statement, &request.statement) {
        Some("one statement named several character sets for it")
    } else if may_convert_nothing(&request.ddl.statement, &request.statement) {
        Some("it was converted by a statement that the source may have passed over")
    } else {
        None
    }
}

/// True where rows get numbers in the order of a scan that does not meet them in the same order on
/// both sides: in that of a key.
fn numbers_anew(table: &Table, notes: &AlterNotes) -> bool {
    let numbered = notes.numbered_column.as_deref().unwrap_or_default();
    let was_numbered =
        |column: &Column| column.auto_increment && column.name.eq_ignore_ascii_case(numbered);
    let in_key_order = table.identity().is_some() && table.is_transactional() && !notes.orders;
    notes.adds_auto_increment && !in_key_order && !table.columns.iter().any(was_numbered)
}

/// True where a TIMESTAMP that may be NULL becomes one that may not. A server that copies the table
/// puts the moment of the statement for NULL, under every `sql_mode`; one that does not refuses it.
///
/// Source: measured on MySQL 5.6.24, 9.7 and MariaDB 10.11. The source's binlog does not say which
/// way it went; without a NULL both give the same.
pub(super) fn requires_moments(before: &Table, after: &Table) -> bool {
    let is_moment = |column: &&Column| matches!(column.kind, ColumnKind::Timestamp { .. });
    let required = |table: &Table| -> Vec<String> {
        let moments = table.columns.iter().filter(is_moment);
        let required = moments.filter(|column| !column.nullable);
        required.map(|column| column.name.to_lowercase()).collect()
    };
    let had = required(before);
    let could_be_null = before
        .columns
        .iter()
        .filter(is_moment)
        .any(|it| it.nullable);
    could_be_null && required(after).iter().any(|name| !had.contains(name))
}

impl Request<'_> {
    fn takes_session_charset(&self, altered: bool) -> bool {
        let Request { ddl, statement, .. } = self;
        takes_session_charset(&ddl.statement, statement, &ddl.default_database, altered)
    }
}

impl Inner {
    /// Why a table that is made gets another default character set than at the source.
    pub(super) async fn made_unlike(
        &self,
        request: &Request<'_>,
        subject: &TableName,
    ) -> Result<Option<&'static str>, Fault> {
        let altered = self.state.select_altered(&subject.database);
        let altered = !self.read_state(&altered).await?.is_empty();
        Ok(request
            .takes_session_charset(altered)
            .then_some(SESSION_CHARSET))
    }

    /// Why the table behind the statement is not what the target's would be.
    pub(super) fn unlike(
        &self,
        request: &Request<'_>,
        before: Option<&Table>,
        after: &Table,
    ) -> Option<&'static str> {
        if self.shortens_a_key(request, before, after) {
            return Some(SHORTER_KEY);
        }
        let source = self.source_dialect();
        let strict = request.ddl.session.sql_mode.is_some_and(is_strict);
        let converts = source.always_copies_labels()
            && converts_table(&request.ddl.statement, &request.statement);
        let unlike = |(from, to): &(&Column, &Column)| {
            makes_other_values(source, from, to)
                || fills_otherwise(source, strict, from, to)
                || (converts && loses_labels(from, to))
        };
        let changes = changes(request, before?, after);
        changes.iter().any(unlike).then_some(OTHER_VALUES)
    }

    /// True where an older source has made a part of a key shorter, which its binlog does not say.
    fn shortens_a_key(&self, request: &Request<'_>, before: Option<&Table>, after: &Table) -> bool {
        let strict = request.ddl.session.sql_mode.is_some_and(is_strict);
        if strict || !self.source_dialect().shortens_keys() {
            return false;
        }
        let had = before.map(long_parts).unwrap_or_default();
        long_parts(after).iter().any(|part| !had.contains(part))
    }
}

/// Columns as they were and are. Which one a `CHANGE` has given another name is not said, so each
/// that is gone is taken for each that is new.
fn changes<'t>(
    request: &Request<'_>,
    before: &'t Table,
    after: &'t Table,
) -> Vec<(&'t Column, &'t Column)> {
    let named = |table: &'t Table, name: &str| {
        let mut columns = table.columns.iter();
        columns.find(|column| column.name.to_lowercase() == name.to_lowercase())
    };
    let stayed = after.columns.iter();
    let mut pairs: Vec<_> = stayed
        .filter_map(|column| Some((named(before, &column.name)?, column)))
        .collect();
    if changes_a_column(&request.ddl.statement, &request.statement) {
        let gone = before.columns.iter();
        for gone in gone.filter(|column| named(after, &column.name).is_none()) {
            let new = after.columns.iter();
            pairs.extend(
                new.filter(|column| named(before, &column.name).is_none())
                    .map(|column| (gone, column)),
            );
        }
    }
    pairs
}

/// True where the source may make another value of what a column held than MySQL 9 does.
///
/// Source: measured with values of 19 types under three `sql_mode`s. MariaDB 10.11 cuts decimals of
/// moments off where MySQL rounds, and reads numbers and texts otherwise as moments, numbers and
/// labels; MySQL 5.6 differs for texts with the offset of a time zone.
fn makes_other_values(source: Dialect, before: &Column, after: &Column) -> bool {
    use ColumnKind::*;
    let (from, to) = (&before.kind, &after.kind);
    if from == to || before.generated || after.generated || source.reads_offsets() {
        return false;
    }
    let is_text = |kind: &ColumnKind| matches!(kind, Char { .. } | Varchar { .. } | Text);
    let is_bytes = |kind: &ColumnKind| matches!(kind, Binary { .. } | Varbinary { .. } | Blob);
    let is_moment = |kind: &ColumnKind| {
        matches!(
            kind,
            Date | Time { .. } | Datetime { .. } | Timestamp { .. }
        )
    };
    if !source.mariadb {
        return (is_text(from) || is_bytes(from)) && is_moment(to);
    }
    let alike = match (from, to) {
        (Integer { .. }, Integer { .. } | Decimal { .. }) | (Decimal { .. }, Decimal { .. }) => {
            true
        }
        (Bit { .. }, Bit { .. }) | (Enum { .. }, Enum { .. }) | (Set { .. }, Set { .. }) => true,
        (Float, Double) => true,
        (Time { fraction: had }, Time { fraction: has })
        | (Datetime { fraction: had }, Datetime { fraction: has })
        | (Timestamp { fraction: had }, Timestamp { fraction: has }) => had <= has,
        (Integer { .. } | Decimal { .. }, to) => is_text(to),
        (from, to) => (is_text(from) && is_text(to)) || (is_bytes(from) && is_bytes(to)),
    };
    !alike
}

/// True where a conversion of the table gives the column labels whose bytes no longer say the same.
/// A server that copies the table then stores the value without a label, one that does not keeps the
/// numbers.
fn loses_labels(before: &Column, after: &Column) -> bool {
    use ColumnKind::{Enum, Set};
    let (Enum { labels } | Set { labels }) = &before.kind else {
        return false;
    };
    before.charset != after.charset && !labels.iter().all(|label| label.is_ascii())
}

/// True where the source may put something else for NULL in a column that becomes NOT NULL than
/// MySQL does.
///
/// Source: measured on MariaDB 10.11: where it changes the table in place, NULL becomes the default
/// that the column had. A strict `sql_mode` refuses NULL, but not that of a TIMESTAMP.
fn fills_otherwise(source: Dialect, strict: bool, before: &Column, after: &Column) -> bool {
    let is_moment = matches!(before.kind, ColumnKind::Timestamp { .. });
    source.mariadb && before.nullable && !after.nullable && (is_moment || !strict)
}

/// Parts that are longer than an older server may take, as key, column and bytes.
fn long_parts(table: &Table) -> Vec<(String, String, u32)> {
    let plain = table
        .keys
        .iter()
        .filter(|key| !key.functional && !key.unique);
    let parts = plain.flat_map(|key: &Key| key.parts.iter().map(move |part| (key, part)));
    let long = parts.filter_map(|(key, part)| {
        let column = table.columns.get(part.column)?;
        let bytes = bytes_of(column, part);
        (bytes > PART_BYTES_MAX).then(|| (key.name.clone(), column.name.clone(), bytes))
    });
    long.collect()
}

fn bytes_of(column: &Column, part: &KeyPart) -> u32 {
    let length = match column.kind {
        ColumnKind::Char { length }
        | ColumnKind::Varchar { length }
        | ColumnKind::Binary { length }
        | ColumnKind::Varbinary { length } => part.prefix.unwrap_or(length),
        _ => part.prefix.unwrap_or_default(),
    };
    let charset = column.charset.as_deref().unwrap_or_default();
    length.saturating_mul(charset_bytes_max(charset))
}
