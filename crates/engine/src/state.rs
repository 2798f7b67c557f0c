//! What a task stores in its target, as the engine sees it.

use serde::{Deserialize, Serialize};
use wherry_model::{Phase, Position, Row, Table, TableName};

/// Everything stored for a task, read at once.
#[derive(Debug, Clone)]
pub struct StoredTask {
    pub phase: Phase,
    /// Of the source as the task first saw it; another one is refused.
    pub source_id: String,
    /// Where the stream reading begins; set with the first start.
    pub checkpoint: Option<Checkpoint>,
    /// End of the replay that is idempotent; set when the load is done.
    pub end: Option<Position>,
    pub tables: Vec<TableState>,
}

impl StoredTask {
    /// True where the replay that makes the load whole is in.
    pub fn has_passed_end(&self) -> bool {
        match (&self.checkpoint, &self.end) {
            (Some(checkpoint), Some(end)) => checkpoint.applied_to.reaches(end),
            _ => false,
        }
    }
}

/// A stored place from which a restart is safe.
///
/// `read_from` never passes the prepare of an XA transaction that is still open; everything up
/// to `applied_to` is in the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub read_from: Position,
    pub applied_to: Position,
}

impl Checkpoint {
    pub fn at(position: Position) -> Checkpoint {
        Checkpoint {
            read_from: position.clone(),
            applied_to: position,
        }
    }
}

/// A selected table with its start. Changes and DDL up to `start` are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableState {
    pub table: Table,
    pub start: Position,
    pub stage: TableStage,
    /// Why the table stopped and where; it keeps its place for the day it goes on.
    pub stopped: Option<Stopped>,
    /// Set while the table is loaded beside the stream, which does not follow it then.
    pub lane: Option<LaneMark>,
}

impl TableState {
    /// True where the main stream follows the table.
    pub fn is_followed(&self) -> bool {
        self.stopped.is_none() && self.lane.is_none()
    }

    /// True where it stopped for a reason that somebody must mend.
    pub fn is_in_trouble(&self) -> bool {
        self.stopped.as_ref().is_some_and(|stopped| !stopped.left)
    }

    /// True where it is no longer followed because `operations` says so.
    pub fn is_left(&self) -> bool {
        self.stopped.as_ref().is_some_and(|stopped| stopped.left)
    }

    pub(crate) fn is_in_open_lane(&self) -> bool {
        self.lane.as_ref().is_some_and(|mark| mark.open)
    }
}

/// A table that is loaded beside the stream, in the task's lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneMark {
    /// It belongs to the open lane; else it waits for the next one.
    pub open: bool,
    /// Why it is loaded, as a sentence fragment.
    pub reason: String,
    /// It is not loaded: it goes on from here, with the rows that it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Checkpoint>,
}

impl LaneMark {
    pub fn waiting(reason: impl Into<String>) -> LaneMark {
        LaneMark {
            open: false,
            reason: reason.into(),
            from: None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    pub code: String,
    pub reason: String,
    pub position: Position,
    /// Where its own cursor stands: before a definition change that may be tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Checkpoint>,
    /// Nothing is wrong: `operations` leaves out what became of it, and it stays as it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left: bool,
}

/// What is to happen in the place of a statement that has paused a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub table: TableName,
    /// Where the statement begins.
    pub position: Position,
    pub action: ChoiceAction,
    /// The table as the source has it behind the statement.
    pub after: Table,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChoiceAction {
    Skip,
    /// This statement is run instead.
    Replace(String),
}

/// | stage | set when |
/// |---|---|
/// | `Planned` | the catalog was read and the start is known |
/// | `Created` | the table exists in the target without deferred indexes |
/// | `Copied` | every row of the load is in |
/// | `Indexed` | deferred indexes are there |
/// | `Complete` | foreign keys are there as well; set after the end, for a family before its first change |
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TableStage {
    Planned,
    Created,
    Copied,
    Indexed,
    Complete,
}

impl TableStage {
    pub const ALL: [TableStage; 5] = [
        TableStage::Planned,
        TableStage::Created,
        TableStage::Copied,
        TableStage::Indexed,
        TableStage::Complete,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            TableStage::Planned => "planned",
            TableStage::Created => "created",
            TableStage::Copied => "copied",
            TableStage::Indexed => "indexed",
            TableStage::Complete => "complete",
        }
    }

    pub fn parse(text: &str) -> Option<TableStage> {
        TableStage::ALL
            .into_iter()
            .find(|stage| stage.as_str() == text)
    }
}

/// Keys in (lower, upper] of a table's identity; `None` is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    pub lower: Option<Row>,
    pub upper: Option<Row>,
}

impl KeyRange {
    pub fn all() -> KeyRange {
        KeyRange {
            lower: None,
            upper: None,
        }
    }
}

/// A key range of one table with its place in the order of cutting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    pub number: u64,
    pub range: KeyRange,
    pub done: bool,
    pub row_count: u64,
    pub byte_count: u64,
}

/// A key that a removal or a left-out row owes to the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    pub table: TableName,
    pub key: Row,
}
