//! Scripts, their programs for single tables, and what a program makes of a change.

use bytes::Bytes;
use wherry_model::{ChangeKind, Row, Table};

use crate::compile::Compiler;
use crate::evaluate::{Flow, Manner};
use crate::expression::Action;
use crate::fault::{RunError, ScriptError};
use crate::parse;
use crate::purity::{Purity, Survey};
use crate::record::{Context, Record};
use crate::syntax::Node;
use crate::value::Operation;

/// A script that was read, for all tables of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    root: Node,
}

/// What becomes of a value that cannot be computed or stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorPolicy {
    /// The change is an error.
    Fail,
    /// The row is left out, as if it was dropped, and reported.
    Skip,
    /// The assigned column becomes NULL; a condition that cannot be computed is not true.
    Null,
}

/// Which image of an UPDATE decides whether the row is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Images {
    /// Each its own row: one that begins to be kept is inserted, one that begins to be dropped is deleted.
    Both,
    /// The before image, for both.
    Pre,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    pub errors: ErrorPolicy,
    pub images: Images,
}

/// A script for one table, ready to run.
#[derive(Debug)]
pub struct Program {
    action: Action,
    survey: Survey,
    options: Options,
}

/// What a change becomes.
#[derive(Debug)]
pub struct Outcome {
    /// `None` where nothing is left of it. Images that the script did not change are those of the change.
    pub change: Option<ChangeKind>,
    /// Why a row was left out under [`ErrorPolicy::Skip`].
    pub skipped: Option<RunError>,
}

/// What a row of a load becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowOutcome {
    Dropped,
    /// Left out under [`ErrorPolicy::Skip`].
    Skipped(RunError),
    /// Nothing was written: the row is as it was.
    Unchanged,
    /// The new row was appended to the given bytes.
    Changed,
}

/// What is left of one image.
enum ImageOutcome {
    Gone(Option<RunError>),
    Kept(Row),
}

impl Script {
    /// Reads a script; the prefix `script:` of older ones is passed over.
    pub fn parse(text: &str) -> Result<Script, ScriptError> {
        let root = parse::parse(text)?;
        Ok(Script { root })
    }

    /// Resolves names, checks types and computes constants for one table of the source.
    ///
    /// Conditions on `__DB__` and `__TB__` are computed here, and what they rule out is not looked at.
    pub fn compile(&self, table: &Table, options: Options) -> Result<Program, ScriptError> {
        let mut compiler = Compiler {
            table,
            sees_record: true,
            null_errors: options.errors == ErrorPolicy::Null,
            regex_count: 0,
        };
        let action = compiler.action(&self.root)?;
        let survey = Survey::of(&action);
        survey.check_keys(table)?;
        Ok(Program {
            action,
            survey,
            options,
        })
    }
}

impl Program {
    /// True where the script does nothing for this table.
    pub fn is_empty(&self) -> bool {
        matches!(self.action, Action::Nothing)
    }

    /// True where the target's row is a function of the source's row and of nothing else, so that the two can be
    /// compared. Generated columns of the target may differ even then, where they are made of assigned ones.
    pub fn is_row_function(&self) -> bool {
        self.purity() == Purity::Row
    }

    /// What the target's rows depend on.
    pub fn purity(&self) -> Purity {
        let drops_as_rows = self.options.images == Images::Both;
        self.survey.purity(drops_as_rows, self.skips())
    }

    /// Indices of the columns that the script may assign.
    pub fn assigned_columns(&self) -> impl Iterator<Item = usize> + '_ {
        self.survey.assigned.keys().copied()
    }

    /// True where rows may be left out.
    pub fn may_drop(&self) -> bool {
        self.survey.may_drop || self.skips() && !self.is_empty()
    }

    fn skips(&self) -> bool {
        self.options.errors == ErrorPolicy::Skip
    }

    /// What a change becomes. An error only under [`ErrorPolicy::Fail`].
    pub fn run(&self, change: &ChangeKind, context: &Context<'_>) -> Result<Outcome, RunError> {
        if self.is_empty() {
            return Ok(Outcome {
                change: Some(change.clone()),
                skipped: None,
            });
        }
        match self.survey.once {
            true => self.run_record(change, context),
            false => self.run_images(change, context),
        }
    }

    /// What a row of a load becomes: an INSERT without a transaction. `encoded` is the row's canonical form.
    pub fn run_row(
        &self,
        encoded: &[u8],
        context: &Context<'_>,
        out: &mut Vec<u8>,
    ) -> Result<RowOutcome, RunError> {
        let mut record = Record::new(encoded, Operation::Insert, context);
        match self.apply(&mut record, false) {
            Err(error) => self.treat(error).map(RowOutcome::Skipped),
            Ok(Flow::Dropped) => Ok(RowOutcome::Dropped),
            // A row that was made a DELETE must not be there afterwards.
            Ok(Flow::Continue) if record.operation == Operation::Delete => Ok(RowOutcome::Dropped),
            Ok(Flow::Continue) if record.assigned.is_empty() => Ok(RowOutcome::Unchanged),
            Ok(Flow::Continue) => {
                record.write(out);
                Ok(RowOutcome::Changed)
            }
        }
    }

    /// Each image for itself, as the row that a load would have met.
    fn run_images(&self, change: &ChangeKind, context: &Context<'_>) -> Result<Outcome, RunError> {
        let pre = self.options.images == Images::Pre;
        let (change, skipped) = match change {
            ChangeKind::Insert { after } => {
                match self.image(after, Operation::Insert, context, false)? {
                    ImageOutcome::Kept(after) => (Some(ChangeKind::Insert { after }), None),
                    ImageOutcome::Gone(error) => (None, error),
                }
            }
            ChangeKind::Delete { before } => {
                match self.image(before, Operation::Delete, context, false)? {
                    ImageOutcome::Kept(before) => (Some(ChangeKind::Delete { before }), None),
                    // Such a row was left out when it came.
                    ImageOutcome::Gone(_) => (None, None),
                }
            }
            ChangeKind::Update { before, after } => {
                let before = self.image(before, Operation::Update, context, false)?;
                if pre && matches!(before, ImageOutcome::Gone(None)) {
                    (None, None)
                } else {
                    joined(before, self.image(after, Operation::Update, context, pre)?)
                }
            }
        };
        Ok(Outcome { change, skipped })
    }

    fn image(
        &self,
        row: &Row,
        operation: Operation,
        context: &Context<'_>,
        keeps_all: bool,
    ) -> Result<ImageOutcome, RunError> {
        let mut record = Record::new(row.encoded(), operation, context);
        match self.apply(&mut record, keeps_all) {
            Err(error) => self
                .treat(error)
                .map(|error| ImageOutcome::Gone(Some(error))),
            Ok(Flow::Dropped) => Ok(ImageOutcome::Gone(None)),
            Ok(Flow::Continue) => Ok(ImageOutcome::Kept(written(&record, row))),
        }
    }

    /// The whole record at once, as DTS does: what the script assigns is in the current image, the other one stays.
    fn run_record(&self, change: &ChangeKind, context: &Context<'_>) -> Result<Outcome, RunError> {
        let (current, before, operation) = match change {
            ChangeKind::Insert { after } => (after, None, Operation::Insert),
            ChangeKind::Update { before, after } => (after, Some(before), Operation::Update),
            ChangeKind::Delete { before } => (before, None, Operation::Delete),
        };
        let mut record = Record::new(current.encoded(), operation, context);
        record.before = before.map(Row::encoded);
        let flow = match self.apply(&mut record, false) {
            Ok(flow) => flow,
            Err(error) => {
                return Ok(Outcome {
                    change: None,
                    skipped: Some(self.treat(error)?),
                });
            }
        };
        let change = match (flow, record.operation) {
            (Flow::Dropped, _) => None,
            (_, Operation::Insert) => Some(ChangeKind::Insert {
                after: written(&record, current),
            }),
            (_, Operation::Update) => Some(ChangeKind::Update {
                before: before.unwrap_or(current).clone(),
                after: written(&record, current),
            }),
            (_, Operation::Delete) => Some(ChangeKind::Delete {
                before: match before {
                    Some(before) => before.clone(),
                    None => written(&record, current),
                },
            }),
        };
        Ok(Outcome {
            change,
            skipped: None,
        })
    }

    fn apply(&self, record: &mut Record<'_>, keeps_all: bool) -> Result<Flow, RunError> {
        let manner = Manner {
            null_errors: self.options.errors == ErrorPolicy::Null,
            keeps_all,
        };
        self.action.run(record, manner)
    }

    /// The error to report under `Skip`, or as an error.
    fn treat(&self, error: RunError) -> Result<RunError, RunError> {
        match self.options.errors {
            ErrorPolicy::Skip => Ok(error),
            ErrorPolicy::Fail | ErrorPolicy::Null => Err(error),
        }
    }
}

/// An UPDATE of what its images became. A row that was skipped is not in the target, like one that was dropped.
fn joined(before: ImageOutcome, after: ImageOutcome) -> (Option<ChangeKind>, Option<RunError>) {
    match (before, after) {
        (ImageOutcome::Kept(before), ImageOutcome::Kept(after)) => {
            (Some(ChangeKind::Update { before, after }), None)
        }
        (ImageOutcome::Gone(_), ImageOutcome::Kept(after)) => {
            (Some(ChangeKind::Insert { after }), None)
        }
        (ImageOutcome::Kept(before), ImageOutcome::Gone(error)) => {
            (Some(ChangeKind::Delete { before }), error)
        }
        (ImageOutcome::Gone(_), ImageOutcome::Gone(error)) => (None, error),
    }
}

/// The current image with what was assigned; `row` itself where nothing was.
fn written(record: &Record<'_>, row: &Row) -> Row {
    if record.assigned.is_empty() {
        return row.clone();
    }
    let mut out = Vec::new();
    record.write(&mut out);
    Row::from_encoded(Bytes::from(out))
}
