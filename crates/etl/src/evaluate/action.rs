//! Runs actions over one record.

use std::borrow::Cow;

use super::text::replace_from_end;
use crate::expression::{Action, Set, Source, TailReplace};
use crate::fault::{Reason, RunError};
use crate::record::{Image, Record};
use crate::value::Value;

/// What an action left of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Continue,
    Dropped,
}

/// How actions treat what goes wrong, and drops.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// A value that cannot be computed or stored becomes NULL, a condition not true.
    pub(crate) null_errors: bool,
    /// `e_drop` and `e_keep` do nothing.
    pub(crate) keeps_all: bool,
}

impl Action {
    pub(crate) fn run(&self, record: &mut Record<'_>, manner: Manner) -> Result<Flow, RunError> {
        match self {
            Action::Nothing => {}
            Action::Drop if manner.keeps_all => {}
            Action::Drop => return Ok(Flow::Dropped),
            Action::Set(set) => {
                let value = match set.value(record) {
                    Err(error) if !manner.null_errors => return Err(error),
                    value => value.unwrap_or(None),
                };
                record.assign(set.column, value);
            }
            Action::SetOperation(value) => {
                if let Value::Operation(operation) = value.compute(record)? {
                    record.operation = operation;
                }
            }
            Action::Choose { cases, otherwise } => {
                for (condition, action) in cases {
                    match condition.holds(record) {
                        Ok(true) => return action.run(record, manner),
                        Err(error) if !manner.null_errors => return Err(error),
                        _ => {}
                    }
                }
                return otherwise.run(record, manner);
            }
            Action::Sequence(actions) => {
                for action in actions {
                    if action.run(record, manner)? == Flow::Dropped {
                        return Ok(Flow::Dropped);
                    }
                }
            }
            Action::TailReplace(replace) => replace.run(record, manner)?,
        }
        Ok(Flow::Continue)
    }
}

impl Set {
    /// The column's new bytes.
    fn value(&self, record: &Record<'_>) -> Result<Option<Vec<u8>>, RunError> {
        let here = |reason: Reason| reason.at(self.span);
        match &self.source {
            Source::Constant(value) => Ok(value.clone()),
            Source::Copy {
                column,
                image,
                nullable,
            } => match record.column(*column, *image) {
                None if !nullable => Err(here(Reason::Null)),
                value => Ok(value.map(<[u8]>::to_vec)),
            },
            Source::Computed(expression, writer) => {
                let value = expression.compute(record)?;
                let bytes = writer.render(value).map_err(here)?;
                Ok(bytes.map(Cow::into_owned))
            }
        }
    }
}

impl TailReplace {
    fn run(&self, record: &mut Record<'_>, manner: Manner) -> Result<(), RunError> {
        let search = self.search.compute(record)?.into_owned();
        let replacement = self.replacement.compute(record)?.into_owned();
        let (Value::Text(search), Value::Text(replacement)) = (search, replacement) else {
            return Ok(());
        };
        for (column, reader, writer) in &self.columns {
            let changed = match record.column(*column, Image::Current) {
                Some(bytes) => reader.read(bytes).and_then(|value| {
                    let Value::Text(text) = value else {
                        return Ok(None);
                    };
                    let Some(text) = replace_from_end(&text, &search, &replacement, self.all)?
                    else {
                        return Ok(None);
                    };
                    let bytes = writer.render(Value::Text(Cow::Owned(text)))?;
                    Ok(Some(bytes.map(Cow::into_owned)))
                }),
                None => Ok(None),
            };
            match changed {
                Ok(Some(value)) => record.assign(*column, value),
                Ok(None) => {}
                Err(_) if manner.null_errors => record.assign(*column, None),
                Err(reason) => return Err(reason.at(self.span)),
            }
        }
        Ok(())
    }
}
