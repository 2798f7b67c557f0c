//! Columns that only the target has: their values, and whether a table can have them.
//!
//! Owns what a value may depend on so that load, stream and `verify` agree: the row and its names, or
//! the time, which `verify` leaves out. Which types there are is the business of `model::additional`.

use crate::script::place;
use std::borrow::Cow;
use std::time::{SystemTime, UNIX_EPOCH};
use wherry_etl::{Context as Surroundings, Expression, RunError, Script, ScriptError};
use wherry_model::task::SelectSpec;
use wherry_model::{Additional, Fault, Row, Table};

/// When a row was read or changed, in microseconds since 1970 UTC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    commit_micros: i64,
    now_micros: i64,
}

impl Moment {
    /// Of rows that are read: nobody knows when they were committed.
    pub fn of_reading() -> Moment {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = since.map_or(0, |since| micros(since.as_micros()));
        Moment {
            commit_micros: now,
            now_micros: now,
        }
    }

    pub fn of_commit(committed_at_us: u64) -> Moment {
        Moment {
            commit_micros: micros(committed_at_us.into()),
            ..Moment::of_reading()
        }
    }

    /// Values that depend on the place in the log are refused.
    pub fn beside(self) -> Surroundings<'static> {
        Surroundings {
            commit_micros: self.commit_micros,
            now_micros: self.now_micros,
            position: "",
        }
    }
}

fn micros(count: u128) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The values of a table's added columns, in their order.
#[derive(Debug)]
pub(crate) struct Values(Vec<Expression>);

impl Values {
    pub fn of(table: &Table) -> Result<Values, Fault> {
        if table.added().is_empty() {
            return Ok(Values(Vec::new()));
        }
        // A value is made of what the source has.
        let mut source = table.clone();
        source.columns.truncate(table.source_columns().len());
        let columns = &table.columns[source.columns.len()..];
        let pairs = table.added().iter().zip(columns);
        let values = pairs.map(|(added, column)| {
            Expression::compile(&source, &added.value, column)
                .map_err(|error| refused(table, added, &error))
        });
        Ok(Values(values.collect::<Result<_, _>>()?))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Indices of the columns that they are made of.
    pub fn columns(&self) -> impl Iterator<Item = usize> {
        self.0.iter().flat_map(Expression::columns)
    }

    /// The row with the values in the place of the NULLs that it has for them.
    pub fn filled<'r>(
        &self,
        table: &Table,
        row: &'r [u8],
        moment: Moment,
    ) -> Result<Cow<'r, [u8]>, Fault> {
        if self.is_empty() {
            return Ok(Cow::Borrowed(row));
        }
        // A NULL takes one byte.
        let source = &row[..row.len() - self.0.len()];
        let mut filled = Vec::with_capacity(row.len() + 32 * self.0.len());
        filled.extend_from_slice(source);
        let context = moment.beside();
        for (added, value) in table.added().iter().zip(&self.0) {
            value
                .push(source, &context, &mut filled)
                .map_err(|error| failed(table, added, &error))?;
        }
        Ok(Cow::Owned(filled))
    }
}

/// The table as scripts see it: without additional columns whose values depend on the time, so that
/// no other value can come to depend on it, and with those that they may write and a verification
/// leaves out.
pub fn for_scripts(table: &Table) -> Cow<'_, Table> {
    if table.timed_columns().next().is_none() && table.uncompared_columns().next().is_none() {
        return Cow::Borrowed(table);
    }
    let mut visible = table.clone();
    if let Some(shape) = &mut visible.shape {
        let uncompared = std::mem::take(&mut shape.uncompared);
        shape.left_out.retain(|column| !uncompared.contains(column));
    }
    let mut visible = visible.compared(&[]);
    for column in table.timed_columns() {
        // No script can write this name.
        visible.columns[column].name.clear();
    }
    Cow::Owned(visible)
}

/// A row with its values in the place of the NULLs that it has for added columns, as a load makes it.
pub fn filled(table: &Table, row: &Row) -> Result<Row, Fault> {
    let moment = Moment::of_reading();
    let values = Values::of(table)?;
    let filled = values.filled(table, row.encoded(), moment)?;
    Ok(Row::from_encoded(filled.into_owned().into()))
}

/// Why a table cannot have its added columns, whatever else moves of it.
pub fn check(table: &Table) -> Result<(), Fault> {
    match problem(table, &Values::of(table)?) {
        Some(fault) => Err(fault),
        None => Ok(()),
    }
}

/// What is wrong with a value whatever its table is.
pub fn check_form(value: &str) -> Result<(), Fault> {
    Script::parse(value).map(drop).map_err(|error| {
        let place = place(value, error.span.start);
        let message = format!("the value is not taken at {place}: {}", error.message);
        Fault::operator(error.code, message).hint(error.hint)
    })
}

/// Why a table cannot have its added columns.
pub(crate) fn problem(table: &Table, values: &Values) -> Option<Fault> {
    for (added, value) in table.added().iter().zip(&values.0) {
        let name = &added.name;
        let wrong = |code, why: &str, hint: &str| {
            let message = format!(
                "table {} cannot have the additional column `{name}`: {why}",
                table.name
            );
            Some(Fault::operator(code, message).table(&table.name).hint(hint))
        };
        let is_same = |other: &str| other.to_lowercase() == name.to_lowercase();
        let mut own = table.source_columns().iter();
        if own.any(|column| is_same(&column.name) || is_same(column.target_name())) {
            return wrong(
                "ADD-003",
                "the table has a column of this name, or the mapping gives one this name",
                "Give the additional column another name.",
            );
        }
        if value.knows_position() {
            return wrong(
                "ADD-004",
                "its value depends on the place in the log, which a load does not have",
                "Use __COMMIT_TIMESTAMP__, or a value made of the row.",
            );
        }
        if !value.is_row_function() && !added.is_timed() {
            return wrong(
                "ADD-009",
                "its value depends on the time in a way that nothing here knows of",
                "Please report this with the value, and compute it from the row.",
            );
        }
        if added.is_timed() && table.identity().is_none() {
            return wrong(
                "ADD-005",
                "its value depends on the time, and rows of a table without a key are found by all their values",
                "Give the table a primary key at the source, or the column a value made of the row.",
            );
        }
        let made_of = value.columns();
        if made_of
            .iter()
            .any(|column| table.columns[*column].generated)
        {
            return wrong(
                "ADD-006",
                "its value is made of a generated column, which may not be in the binlog as the table has it",
                "Compute the value from the columns that the generated one is made of.",
            );
        }
        if table.is_cascading() && (added.is_timed() || !made_of.is_empty()) {
            return wrong(
                "ADD-007",
                "foreign keys tie the table to others whose cascades the source does not log, and its value is not the same for all rows",
                "Give it a value made of constants, __DB__ and __TB__ alone, or remove the foreign keys with CASCADE or SET NULL at the source.",
            );
        }
    }
    None
}

/// Why a table cannot have them where the user wants the target's own to be used.
pub(crate) fn kept(table: &Table, selection: &SelectSpec) -> Option<Fault> {
    let first = table.added().first()?;
    selection.adopts(&table.name)?;
    let message = format!(
        "table {} cannot have the additional column `{}`: its policy is `keep` or `replace`, or the task has no phase schema, so the target's table is used as it is",
        table.name, first.name
    );
    Some(
        Fault::operator("ADD-008", message)
            .table(&table.name)
            .hint("Leave the policy at `fail` and the phase schema in, or take the additional columns of this table away."),
    )
}

fn refused(table: &Table, added: &Additional, error: &ScriptError) -> Fault {
    let message = format!(
        "the value of the additional column `{}` of table {} is not taken at {}: {}",
        added.name,
        table.name,
        place(&added.value, error.span.start),
        error.message
    );
    Fault::operator(error.code, message)
        .table(&table.name)
        .hint(error.hint.as_str())
}

fn failed(table: &Table, added: &Additional, error: &RunError) -> Fault {
    let message = format!(
        "the value of the additional column `{}` of table {} failed for a row, at {}: {}",
        added.name,
        table.name,
        place(&added.value, error.span.start),
        error.reason.message()
    );
    Fault::operator(error.reason.code(), message)
        .table(&table.name)
        .hint(error.reason.hint())
}
