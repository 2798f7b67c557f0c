//! The filter in the stream: behind the decoder, before identities are attached.
//!
//! An update whose row enters the selection becomes an insert, one whose row leaves it a delete.

use super::{Answers, Filter, Questions};
use crate::flavour::ServerVersion;
use crate::session::{Endpoint, Session, SessionError, SessionKind};
use std::collections::HashMap;
use std::sync::Arc;
use wherry_model::{Change, ChangeKind, Class, Fault, Row, Table, TableName};

pub(crate) struct Filters {
    endpoint: Endpoint,
    /// The source calls `utf8mb3` only `utf8`.
    old_names: bool,
    answers: Answers,
    compiled: HashMap<TableName, (Arc<Table>, Filter)>,
}

impl Filters {
    /// `endpoint` is the source, which is asked about texts.
    pub fn new(endpoint: Endpoint, version: &ServerVersion) -> Filters {
        Filters {
            old_names: !version.has_utf8mb3_collations(),
            endpoint,
            answers: Answers::default(),
            compiled: HashMap::new(),
        }
    }

    /// Keeps of the changes what is about selected rows, without the columns that stay behind.
    ///
    /// Errors: a source that does not answer is transient.
    /// Cancel: safe; nothing is changed before the last await.
    pub async fn apply(&mut self, changes: &mut Vec<Change>) -> Result<(), Fault> {
        if changes.iter().all(|change| change.table.filter().is_none()) {
            return Ok(());
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
            let mut session = self.session().await?;
            self.answers.ask(&mut session, &questions).await?;
            session.close().await;
        };
        let all = std::mem::take(changes);
        let kept = all.into_iter().zip(selected);
        changes.extend(kept.filter_map(|(change, selected)| keep(change, selected)));
        Ok(())
    }

    fn compile(&mut self, table: &Arc<Table>) -> Result<(), Fault> {
        let known = self.compiled.get(&table.name);
        if known.is_some_and(|(compiled, _)| Arc::ptr_eq(compiled, table)) {
            return Ok(());
        }
        match Filter::of(table)? {
            Some(filter) => {
                let filter = if self.old_names {
                    filter.with_old_names()
                } else {
                    filter
                };
                let entry = (Arc::clone(table), filter);
                self.compiled.insert(table.name.clone(), entry);
            }
            None => drop(self.compiled.remove(&table.name)),
        }
        Ok(())
    }

    /// Whether the row before and the row after are selected; one that is not there is not.
    fn images(&self, change: &Change, questions: &mut Questions) -> [bool; 2] {
        let compiled = self.compiled.get(&change.table.name);
        [change.before(), change.after()].map(|row| match (row, compiled) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(row), Some((_, filter))) => {
                let values: Vec<Option<&[u8]>> = row.values().collect();
                let selects = filter.selects(&values, &self.answers, questions);
                selects.unwrap_or(false)
            }
        })
    }

    async fn session(&self) -> Result<Session, Fault> {
        let connected = Session::connect(&self.endpoint, SessionKind::Read).await;
        connected.map_err(|error| match error {
            // A source whose binlog is being read is starting again, or fails over.
            SessionError::Connect { .. } => Fault {
                class: Class::Transient,
                ..error.into_fault()
            },
            _ => error.into_fault(),
        })
    }
}

fn keep(change: Change, selected: [bool; 2]) -> Option<Change> {
    if change.table.filter().is_none() {
        return Some(change);
    }
    let (before, after) = match change.kind {
        ChangeKind::Insert { after } => (None, Some(after)),
        ChangeKind::Update { before, after } => (Some(before), Some(after)),
        ChangeKind::Delete { before } => (Some(before), None),
    };
    let table = &change.table;
    let image =
        |row: Option<Row>, selected: bool| row.filter(|_| selected).map(|row| moving(table, row));
    let kind = match (image(before, selected[0]), image(after, selected[1])) {
        (Some(before), Some(after)) => ChangeKind::Update { before, after },
        (Some(before), None) => ChangeKind::Delete { before },
        (None, Some(after)) => ChangeKind::Insert { after },
        (None, None) => return None,
    };
    Some(Change { kind, ..change })
}

/// The row with NULL in the place of columns that the target does not have.
fn moving(table: &Table, row: Row) -> Row {
    if !(0..table.columns.len()).any(|column| table.is_left_out(column)) {
        return row;
    }
    let values = row.values().enumerate();
    Row::from_values(values.map(|(column, value)| value.filter(|_| !table.is_left_out(column))))
}
