//! Scripts of the ETL language at the source's end: rows change behind the filter, in the load, in the
//! stream and for `verify` alike. Before a script runs, added columns get their values.
//!
//! Owns what a script must be for that: which rows there are depends on the source's rows alone, and it
//! leaves alone whatever rows are found or tied by. Values may depend on when and how a row came; those are not verified. What scripts mean is the business of crate `etl`.

use crate::additional::{self, Moment, Values as AddedValues};
use crate::ddl::definition::Definition;
use crate::ddl::{Context, Dialect};
use wherry_etl::{
    ErrorPolicy, Images, Options, Program, Purity, RowOutcome, RunError, Script, ScriptError,
};
use wherry_model::row::Values;
use wherry_model::task::EtlErrors;
use wherry_model::{Change, ChangeKind, Fault, Row, RowBatch, RowScript, SkippedRows, Table};

/// What changes the rows of one table, ready to run. It suits rows that hold every column of the source.
#[derive(Debug)]
pub(crate) struct RowProgram {
    added: AddedValues,
    script: Option<(Program, RowScript)>,
}

/// What became of a row.
enum Pushed {
    Kept,
    Dropped,
    Skipped(RunError),
}

impl RowProgram {
    /// What a table has of it, be it a script that does nothing for it: whole rows are read
    /// for it, of which it gives on what moves.
    pub fn of(table: &Table) -> Result<Option<RowProgram>, Fault> {
        if !table.is_rewritten() {
            return Ok(None);
        }
        let added = AddedValues::of(table)?;
        let script = match table.script() {
            Some(script) => Some((compiled(script, table)?, script.clone())),
            None => None,
        };
        Ok(Some(RowProgram { added, script }))
    }

    /// True where rows may be left out, because the script drops them or since it cannot change them.
    pub fn may_drop(&self) -> bool {
        let program = self.program();
        program.is_some_and(Program::may_drop)
    }

    fn program(&self) -> Option<&Program> {
        self.script.as_ref().map(|(program, _)| program)
    }

    fn assigned(&self) -> impl Iterator<Item = usize> {
        self.program()
            .into_iter()
            .flat_map(Program::assigned_columns)
    }

    /// Names of the columns that the script may write.
    pub fn written<'t>(&'t self, table: &'t Table) -> impl Iterator<Item = &'t str> {
        self.assigned()
            .map(|column| table.columns[column].name.as_str())
    }

    /// Names of the columns that values of added ones are made of.
    pub fn looked_at<'t>(&'t self, table: &'t Table) -> impl Iterator<Item = &'t str> {
        let columns = self.added.columns();
        columns.map(|column| table.columns[column].name.as_str())
    }

    /// What the rows become, and how many of them are skipped.
    pub fn batch(&self, table: &Table, rows: &RowBatch) -> Result<RowBatch, Fault> {
        let moment = Moment::of_reading();
        let mut batch = RowBatch::default();
        let mut scratch = Vec::new();
        for row in rows.iter() {
            scratch.clear();
            match self.push(table, row, moment, &mut scratch)? {
                Pushed::Kept => batch.push_encoded(&scratch),
                Pushed::Dropped => {}
                Pushed::Skipped(error) => batch.skipped.note(|| self.reason(&error)),
            }
        }
        Ok(batch)
    }

    /// What one row becomes; `None` where it is left out.
    pub fn row(&self, table: &Table, row: &Row) -> Result<Option<Row>, Fault> {
        let mut out = Vec::with_capacity(row.encoded().len());
        let pushed = self.push(table, row.encoded(), Moment::of_reading(), &mut out)?;
        Ok(match pushed {
            Pushed::Kept => Some(Row::from_encoded(out.into())),
            Pushed::Dropped | Pushed::Skipped(_) => None,
        })
    }

    /// Why a row is skipped, without its values.
    fn reason(&self, error: &RunError) -> String {
        let text = self.script.as_ref().map(|(_, script)| script.text.as_str());
        format!(
            "{} at {}: {}",
            error.reason.code(),
            place(text.unwrap_or_default(), error.span.start),
            error.reason.message()
        )
    }

    /// Puts what a row becomes into `out`, which is empty.
    fn push(
        &self,
        table: &Table,
        row: &[u8],
        moment: Moment,
        out: &mut Vec<u8>,
    ) -> Result<Pushed, Fault> {
        let filled = self.added.filled(table, row, moment)?;
        let outcome = match &self.script {
            Some((program, script)) => program
                .run_row(&filled, &moment.beside(), out)
                .map_err(|error| failed(table, script, &error))?,
            None => RowOutcome::Unchanged,
        };
        match outcome {
            RowOutcome::Changed => {}
            RowOutcome::Unchanged => out.extend_from_slice(&filled),
            RowOutcome::Dropped => return Ok(Pushed::Dropped),
            RowOutcome::Skipped(error) => return Ok(Pushed::Skipped(error)),
        }
        if let Some(moving) = moving(table, out) {
            out.clear();
            out.extend_from_slice(moving.encoded());
        }
        Ok(Pushed::Kept)
    }

    /// What a change becomes that was committed then; `None` where nothing is left of it.
    pub fn change(
        &self,
        change: Change,
        committed_at_us: u64,
        skipped: &mut SkippedRows,
    ) -> Result<Option<Change>, Fault> {
        let moment = Moment::of_commit(committed_at_us);
        let table = change.table;
        let filled = |row: Row| -> Result<Row, Fault> {
            if self.added.is_empty() {
                return Ok(row);
            }
            let filled = self.added.filled(&table, row.encoded(), moment)?;
            Ok(Row::from_encoded(filled.into_owned().into()))
        };
        let kind = match change.kind {
            ChangeKind::Insert { after } => ChangeKind::Insert {
                after: filled(after)?,
            },
            ChangeKind::Update { before, after } => ChangeKind::Update {
                before: filled(before)?,
                after: filled(after)?,
            },
            ChangeKind::Delete { before } => ChangeKind::Delete {
                before: filled(before)?,
            },
        };
        let kind = match &self.script {
            None => Some(kind),
            Some((program, script)) => {
                let outcome = program.run(&kind, &moment.beside());
                let outcome = outcome.map_err(|error| failed(&table, script, &error))?;
                if let Some(error) = &outcome.skipped {
                    skipped.note(&table.name, || self.reason(error));
                }
                outcome.change
            }
        };
        Ok(kind.map(|kind| Change {
            kind,
            table,
            ..change
        }))
    }
}

fn failed(table: &Table, script: &RowScript, error: &RunError) -> Fault {
    let message = format!(
        "the script of table {} failed for a row, at {}: {}",
        table.name,
        place(&script.text, error.span.start),
        error.reason.message()
    );
    Fault::operator(error.reason.code(), message)
        .table(&table.name)
        .hint(error.reason.hint())
}

fn compiled(script: &RowScript, table: &Table) -> Result<Program, Fault> {
    let errors = match script.errors {
        EtlErrors::Fail => ErrorPolicy::Fail,
        EtlErrors::Skip => ErrorPolicy::Skip,
        EtlErrors::Null => ErrorPolicy::Null,
    };
    let images = Images::Both;
    let visible = additional::for_scripts(table);
    Script::parse(&script.text)
        .and_then(|parsed| parsed.compile(&visible, Options { errors, images }))
        .map_err(|error| refused(table, script, &error))
}

/// The row with NULL in the place of columns that the target does not have; `None` where it is that
/// already.
pub(crate) fn moving(table: &Table, row: &[u8]) -> Option<Row> {
    if !(0..table.columns.len()).any(|column| table.is_left_out(column)) {
        return None;
    }
    let values = Values::of(row).enumerate();
    let moving = values.map(|(column, value)| value.filter(|_| !table.is_left_out(column)));
    Some(Row::from_values(moving))
}

/// What is wrong with a script whatever its table is.
pub fn check_form(text: &str) -> Result<(), Fault> {
    Script::parse(text).map(drop).map_err(|error| {
        let place = place(text, error.span.start);
        let message = format!("the script is not taken at {place}: {}", error.message);
        Fault::operator(error.code, message).hint(error.hint)
    })
}

fn refused(table: &Table, script: &RowScript, error: &ScriptError) -> Fault {
    let message = format!(
        "the script of table {} is not taken at {}: {}",
        table.name,
        place(&script.text, error.span.start),
        error.message
    );
    Fault::operator(error.code, message)
        .table(&table.name)
        .hint(error.hint.as_str())
}

/// Where a byte of a script stands, as an editor counts.
pub(crate) fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let character = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    format!("line {line}, character {character}")
}

/// Why the rows of a table cannot be changed by its script.
pub(crate) fn problem(table: &Table, dialect: Dialect) -> Option<Fault> {
    let program = match RowProgram::of(table) {
        Ok(program) => program?,
        Err(fault) => return Some(fault),
    };
    if let Some(fault) = additional::problem(table, &program.added) {
        return Some(fault);
    }
    if let Some((script, RowScript { text, .. })) = &program.script {
        let cannot = |why: &str, hint: &str| {
            let message = format!("the script of table {} {why}", table.name);
            Some(
                Fault::operator("TRF-004", message)
                    .table(&table.name)
                    .hint(hint),
            )
        };
        if script.purity() == Purity::Record {
            return cannot(
                "makes it depend on the time, the operation or the other image which rows the target has",
                "Drop rows and choose operations by the columns alone; values may depend on the rest, with `errors: skip` only a time that its column can hold.",
            );
        }
        if text.contains("__SCN__") {
            return cannot(
                "looks at the place in the log, which a load does not have",
                "Use __COMMIT_TIMESTAMP__, or compute from the row.",
            );
        }
    }
    needed(&program, table, dialect)
}

/// Columns that the script of a table writes by more than the row: the time, the operation or the other
/// image.
pub(crate) fn varying_columns(table: &Table) -> Vec<usize> {
    let program = RowProgram::of(table).ok().flatten();
    match program
        .as_ref()
        .and_then(|program| Some(program.program()?.purity()))
    {
        Some(Purity::RowExcept(columns)) => columns,
        _ => Vec::new(),
    }
}

/// Rows are found by their keys, and the target computes from its own columns: what these need is
/// not to be written.
fn needed(program: &RowProgram, table: &Table, dialect: Dialect) -> Option<Fault> {
    let context = Context::new(&table.name.database, dialect);
    let definition = match Definition::parse(&table.definition, &context) {
        Ok(definition) => definition,
        Err(error) => return Some(Fault::from(error).table(&table.name)),
    };
    let keys = table.keys.iter().filter(|key| key.primary || key.unique);
    let key_columns: Vec<usize> = keys
        .flat_map(|key| key.parts.iter().map(|part| part.column))
        .collect();
    for column in program.assigned() {
        let name = &table.columns[column].name;
        if key_columns.contains(&column) || definition.needs(name, &context) {
            return Some(writes_needed(table, name));
        }
    }
    None
}

/// True where the script of a table may write one of these columns.
pub(crate) fn writes_one(table: &Table, columns: &[String]) -> bool {
    let Ok(Some(program)) = RowProgram::of(table) else {
        return false;
    };
    let is_one = |name: &str| {
        columns
            .iter()
            .any(|one| one.to_lowercase() == name.to_lowercase())
    };
    program.written(table).any(is_one)
}

pub(crate) fn writes_needed(table: &Table, column: &str) -> Fault {
    let message = format!(
        "the script of table {} writes column `{column}`, which something else needs: a primary or unique key, a foreign key, a generated column, a default, a CHECK or the partitions",
        table.name
    );
    Fault::operator("TRF-005", message)
        .table(&table.name)
        .hint("Let the script write other columns, or change the definition at the source.")
}
