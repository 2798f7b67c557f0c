//! Looks at a compiled script as a whole: what its results depend on, and which rules follow from that.

use std::collections::BTreeMap;

use wherry_model::{Key, KeyPart, Table};

use crate::expression::{Action, Code, Expr, Source};
use crate::fault::{Mistake, ScriptError, Span};
use crate::record::Image;
use crate::render::Writer;
use crate::value::{Operation, Value};

/// What a row of the target depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purity {
    /// On the source's row alone: target and source can be compared.
    Row,
    /// So, but for these columns (indices into `Table::columns`), which also depend on when and how the row came.
    RowExcept(Vec<usize>),
    /// On the changes that the row went through: even which rows the target has.
    Record,
}

/// What a value depends on beside the row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Taint {
    /// Its operation or its other image.
    record: bool,
    /// The time or the place in the log.
    time: bool,
}

impl Taint {
    fn any(self) -> bool {
        self.record || self.time
    }

    fn or(self, other: Taint) -> Taint {
        Taint {
            record: self.record || other.record,
            time: self.time || other.time,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Columns that the script assigns, each with the first place.
    pub(crate) assigned: BTreeMap<usize, Span>,
    varying: BTreeMap<usize, Taint>,
    pub(crate) may_drop: bool,
    /// Whether something can be computed or stored may depend on the time.
    fails_by_time: bool,
    /// The script is applied once for each record, instead of to each image.
    pub(crate) once: bool,
    changes_operation: bool,
    always_insert: bool,
}

impl Survey {
    pub(crate) fn of(action: &Action) -> Survey {
        let mut survey = Survey::default();
        survey.walk(action, Taint::default());
        survey.always_insert = always_insert(action) == Some(true);
        survey
    }

    fn walk(&mut self, action: &Action, condition: Taint) {
        match action {
            Action::Nothing => {}
            Action::Drop => {
                self.may_drop = true;
                self.once |= condition.any();
            }
            Action::Set(set) => {
                let (taint, is_safe) = match &set.source {
                    Source::Constant(_) => (Taint::default(), true),
                    Source::Copy { column, image, .. } => (self.column(*column, *image), false),
                    Source::Computed(expression, writer) => {
                        (self.taint(expression), takes_time(expression, writer))
                    }
                };
                self.fails_by_time |= !is_safe && condition.or(taint).time;
                self.assign(set.column, set.span, condition.or(taint));
            }
            Action::SetOperation(value) => {
                self.once = true;
                self.changes_operation = true;
                self.taint(value);
            }
            Action::Choose { cases, otherwise } => {
                let mut condition = condition;
                for (case, action) in cases {
                    condition = condition.or(self.taint(case));
                    self.fails_by_time |= condition.time;
                    self.walk(action, condition);
                }
                self.walk(otherwise, condition);
            }
            Action::Sequence(actions) => {
                for action in actions {
                    self.walk(action, condition);
                }
            }
            Action::TailReplace(replace) => {
                let taint = condition
                    .or(self.taint(&replace.search))
                    .or(self.taint(&replace.replacement));
                for (column, ..) in &replace.columns {
                    self.fails_by_time |= taint.or(self.column(*column, Image::Current)).time;
                    self.assign(*column, replace.span, taint);
                }
            }
        }
    }

    fn assign(&mut self, column: usize, span: Span, taint: Taint) {
        self.assigned.entry(column).or_insert(span);
        if taint.any() {
            let known = self.varying.entry(column).or_default();
            *known = known.or(taint);
        }
    }

    fn column(&mut self, column: usize, image: Image) -> Taint {
        if image != Image::Current {
            self.once = true;
            return Taint {
                record: true,
                time: false,
            };
        }
        self.varying.get(&column).copied().unwrap_or_default()
    }

    fn taint(&mut self, expression: &Expr) -> Taint {
        let own = match &expression.code {
            Code::Operation => {
                self.once = true;
                Taint {
                    record: true,
                    time: false,
                }
            }
            Code::CommitTime | Code::Now { .. } | Code::Position => Taint {
                record: false,
                time: true,
            },
            Code::Column { column, image, .. }
            | Code::IsNull {
                column: Some((column, image)),
                ..
            } => self.column(*column, *image),
            _ => Taint::default(),
        };
        let inner = expression.inner().into_iter();
        inner.fold(own, |taint, inner| taint.or(self.taint(inner)))
    }

    /// `drops_as_rows`: a drop looks at both images. `skips`: rows with errors are left out.
    pub(crate) fn purity(&self, drops_as_rows: bool, skips: bool) -> Purity {
        let record = if self.once {
            self.may_drop || skips || self.changes_operation
        } else {
            self.may_drop && !drops_as_rows
        };
        if record || skips && self.fails_by_time {
            return Purity::Record;
        }
        match self.varying.keys().copied().collect::<Vec<usize>>() {
            columns if columns.is_empty() => Purity::Row,
            columns => Purity::RowExcept(columns),
        }
    }

    /// A target's row is found by its key, so an assigned key must be the same whenever it is computed.
    pub(crate) fn check_keys(&self, table: &Table) -> Result<(), ScriptError> {
        if self.always_insert {
            return Ok(());
        }
        let keys = key_columns(table);
        for (column, span) in self
            .assigned
            .iter()
            .filter(|(column, _)| keys.contains(column))
        {
            let name = &table.columns[*column].name;
            if self.once {
                return Err(Mistake::KeyInOperationScript.at(
                    *span,
                    format!("column `{name}` identifies rows, and the script looks at operations or images"),
                    "Assign other columns, or compute the key from the row alone in a script that reads no \
                     __OPERATION__ and no v(), or make every record an INSERT.",
                ));
            }
            if self.varying.contains_key(column) {
                return Err(Mistake::VaryingKey.at(
                    *span,
                    format!("column `{name}` identifies rows, and its value depends on the time"),
                    "Assign the time to a column outside of every unique key; a table without a key has none.",
                ));
            }
        }
        Ok(())
    }
}

/// True where an expression is a time that the column can hold, whatever it is.
fn takes_time(expression: &Expr, writer: &Writer) -> bool {
    match expression.code {
        Code::Now { millis } => writer.takes_times(millis, false),
        // A source that does not know it says zero.
        Code::CommitTime => writer.takes_times(false, true),
        _ => false,
    }
}

/// Columns by which the target's rows are found or told apart: those of unique keys. All of them, where rows are
/// found by every value (exact tables), and where a unique key is made of an expression or a generated column.
fn key_columns(table: &Table) -> Vec<usize> {
    let unique: Vec<&Key> = table
        .keys
        .iter()
        .filter(|key| key.unique || key.primary)
        .collect();
    let generated = |part: &KeyPart| table.columns[part.column].generated;
    let computed = unique
        .iter()
        .any(|key| key.functional || key.parts.iter().any(generated));
    if computed || table.is_exact() || table.identity().is_none() {
        return (0..table.columns.len()).collect();
    }
    let parts = unique.iter().flat_map(|key| &key.parts);
    parts.map(|part| part.column).collect()
}

/// Whether every record leaves the action as an INSERT; `None` where the action leaves operations as they are.
fn always_insert(action: &Action) -> Option<bool> {
    match action {
        Action::SetOperation(value) => Some(matches!(
            value.value(),
            Some(Value::Operation(Operation::Insert))
        )),
        Action::Sequence(actions) => actions.iter().rev().find_map(always_insert),
        Action::Choose { cases, otherwise } => {
            let mut inner = cases.iter().map(|(_, action)| action).chain([&**otherwise]);
            inner
                .any(|action| always_insert(action).is_some())
                .then_some(false)
        }
        _ => None,
    }
}
