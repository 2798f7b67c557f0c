//! Filters, values of added columns and scripts in the stream: behind the decoder, before identities
//! are attached.
//!
//! An update whose row enters the selection becomes an insert, one whose row leaves it a delete; with
//! `filter_updates: pre-image` one whose row enters is dropped, once the table's load has ended. A
//! table with a row that its script cannot change is given up from there on.

use super::{Answers, Filter, Questions};
use crate::flavour::ServerVersion;
use crate::script::{self, RowProgram};
use crate::session::{Endpoint, Session};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use wherry_model::{Change, ChangeKind, Fault, Row, SkippedRows, Table, TableName};

pub(crate) struct Filters {
    endpoint: Endpoint,
    /// The source calls `utf8mb3` only `utf8`.
    old_names: bool,
    answers: Answers,
    compiled: HashMap<TableName, Compiled>,
    /// Tables whose changes are passed over since their script failed.
    given_up: HashSet<TableName>,
}

/// What became of changes beside those that are kept.
#[derive(Default)]
pub(crate) struct Filtered {
    /// One for each table that is given up.
    pub faults: Vec<Fault>,
    pub skipped: SkippedRows,
}

struct Compiled {
    table: Arc<Table>,
    filter: Option<Filter>,
    program: Option<RowProgram>,
}

impl Filters {
    /// `endpoint` is the source, which is asked about texts.
    pub fn new(endpoint: Endpoint, version: &ServerVersion) -> Filters {
        Filters {
            old_names: !version.has_utf8mb3_collations(),
            endpoint,
            answers: Answers::default(),
            compiled: HashMap::new(),
            given_up: HashSet::new(),
        }
    }

    /// The table is followed anew.
    pub fn track(&mut self, table: &TableName) {
        self.given_up.remove(table);
    }

    /// Keeps of the changes of a transaction what is about selected rows, as their scripts write them,
    /// without the columns that stay behind.
    ///
    /// Errors: a source that does not answer is transient.
    /// Cancel: safe; nothing is changed before the last await.
    pub async fn apply(
        &mut self,
        changes: &mut Vec<Change>,
        committed_at_us: u64,
    ) -> Result<Filtered, Fault> {
        if !changes.iter().any(|change| change.table.is_looked_at()) {
            return Ok(Filtered::default());
        }
        self.answers.bound();
        for change in changes.iter() {
            self.compile(&change.table)?;
        }
        let selected = loop {
            let mut questions = Questions::default();
            let selected: Vec<[bool; 2]> = changes
                .iter()
                .map(|change| self.images(change, &mut questions))
                .collect();
            if questions.asked.is_empty() {
                break selected;
            }
            let mut session = Session::connect_beside_stream(&self.endpoint).await?;
            self.answers.ask(&mut session, &questions).await?;
            session.close().await;
        };
        let all = std::mem::take(changes).into_iter().zip(selected);
        let (mut faults, mut skipped) = (Vec::new(), SkippedRows::default());
        for (change, selected) in all {
            let table = Arc::clone(&change.table);
            if self.given_up.contains(&table.name) {
                continue;
            }
            match self.moving(change, selected, committed_at_us, &mut skipped) {
                Ok(change) => changes.extend(change),
                Err(fault) => {
                    self.given_up.insert(table.name.clone());
                    faults.push(fault.table(&table.name));
                }
            }
        }
        if !faults.is_empty() {
            changes.retain(|change| !self.given_up.contains(&change.table.name));
            for table in &self.given_up {
                skipped.remove(table);
            }
        }
        Ok(Filtered { faults, skipped })
    }

    /// What of a change goes to the target.
    fn moving(
        &self,
        change: Change,
        selected: [bool; 2],
        committed_at_us: u64,
        skipped: &mut SkippedRows,
    ) -> Result<Option<Change>, Fault> {
        if !change.table.is_looked_at() {
            return Ok(Some(change));
        }
        let Some(change) = keep(change, selected) else {
            return Ok(None);
        };
        let compiled = self.compiled.get(&change.table.name);
        let change = match compiled.and_then(|compiled| compiled.program.as_ref()) {
            Some(program) => program.change(change, committed_at_us, skipped)?,
            None => Some(change),
        };
        Ok(change.map(without_left_out))
    }

    fn compile(&mut self, table: &Arc<Table>) -> Result<(), Fault> {
        let known = self.compiled.get(&table.name);
        if known.is_some_and(|compiled| Arc::ptr_eq(&compiled.table, table)) {
            return Ok(());
        }
        if !table.is_looked_at() {
            self.compiled.remove(&table.name);
            return Ok(());
        }
        let filter = Filter::of(table)?.map(|filter| match self.old_names {
            true => filter.with_old_names(),
            false => filter,
        });
        let compiled = Compiled {
            table: Arc::clone(table),
            filter,
            program: RowProgram::of(table)?,
        };
        self.compiled.insert(table.name.clone(), compiled);
        Ok(())
    }

    /// Whether the row before and the row after are selected; one that is not there is not.
    fn images(&self, change: &Change, questions: &mut Questions) -> [bool; 2] {
        let compiled = self.compiled.get(&change.table.name);
        let filter = compiled.and_then(|compiled| compiled.filter.as_ref());
        [change.before(), change.after()].map(|row| match (row, filter) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(row), Some(filter)) => {
                let values: Vec<Option<&[u8]>> = row.values().collect();
                let selects = filter.selects(&values, &self.answers, questions);
                selects.unwrap_or(false)
            }
        })
    }
}

/// What the filter leaves of a change, whole rows.
fn keep(change: Change, selected: [bool; 2]) -> Option<Change> {
    if change.table.filter().is_none() {
        return Some(change);
    }
    let (before, after) = match change.kind {
        ChangeKind::Insert { after } => (None, Some(after)),
        ChangeKind::Update { before, after } => (Some(before), Some(after)),
        ChangeKind::Delete { before } => (Some(before), None),
    };
    let enters = before.is_some() && !selected[0];
    if enters && change.table.is_leaving() && change.table.leaves().entering {
        return None;
    }
    let image = |row: Option<Row>, selected: bool| row.filter(|_| selected);
    let kind = match (image(before, selected[0]), image(after, selected[1])) {
        (Some(before), Some(after)) => ChangeKind::Update { before, after },
        (Some(before), None) => ChangeKind::Delete { before },
        (None, Some(after)) => ChangeKind::Insert { after },
        (None, None) => return None,
    };
    Some(Change { kind, ..change })
}

/// The change without the columns that stay behind.
fn without_left_out(change: Change) -> Change {
    let moving = |row: Row| script::moving(&change.table, row.encoded()).unwrap_or(row);
    let kind = match change.kind {
        ChangeKind::Insert { after } => ChangeKind::Insert {
            after: moving(after),
        },
        ChangeKind::Update { before, after } => ChangeKind::Update {
            before: moving(before),
            after: moving(after),
        },
        ChangeKind::Delete { before } => ChangeKind::Delete {
            before: moving(before),
        },
    };
    Change { kind, ..change }
}
