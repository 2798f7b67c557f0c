//! Writes changes inside an open transaction; knows the two meanings of a change.
//!
//! Owns how an ordered list of changes becomes runs whose members do not touch each other, and
//! how the statements of a run are sent and checked. Meanings stand in `idempotent`, `strict`
//! and `exact`. Must not begin or end transactions.

use super::Inner;
use super::fault;
use super::statement::STATEMENT_BYTES;
use crate::session::{PooledSession, SessionError};
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use wherry_engine::ports::{ApplyMode, ApplyOutcome};
use wherry_model::{Change, Fault, Operation, Row, Table, TableName};

/// Changes of one run. More do not make statements longer, only failures dearer.
const RUN_CHANGES_MAX: usize = 2000;

/// Changes of one part, to be written through one session inside its transaction.
pub(super) struct Writer<'a> {
    pub(super) inner: &'a Inner,
    pub(super) session: &'a mut PooledSession,
    pub(super) outcome: ApplyOutcome,
    /// Keys were written to `owed` in this transaction.
    pub(super) owes: bool,
    /// The session checks foreign keys now; a transaction begins without.
    pub(super) checks_on: bool,
    /// A row of a family was updated or deleted in this group, which may have taken others along.
    pub(super) cascaded: bool,
    /// Changes that were left out, by table and kind.
    pub(super) left: BTreeMap<(TableName, Operation), u64>,
}

/// Why a part was not written. The transaction is to be rolled back in every case.
#[derive(Debug)]
pub(super) enum WriteFault {
    /// Deadlock or lock timeout: the whole part may be done again.
    Retry(Fault),
    /// Strict: something touched another number of rows than its own.
    Diverged,
    Failed(Fault),
}

impl WriteFault {
    pub(super) fn of(error: SessionError, table: &TableName) -> WriteFault {
        if fault::is_retry(&error) {
            return WriteFault::Retry(error.into_fault());
        }
        WriteFault::Failed(fault::row_fault(error, table))
    }
}

impl From<Fault> for WriteFault {
    fn from(fault: Fault) -> WriteFault {
        WriteFault::Failed(fault)
    }
}

/// One statement of a run.
pub(super) struct Piece<'a> {
    pub(super) sql: Vec<u8>,
    /// Rows that must be hit; `None` where any number is right.
    pub(super) expected: Option<u64>,
    /// What an INSERT holds, to do it row by row.
    pub(super) rows: Vec<&'a Row>,
}

/// How a packet of statements ended.
pub(super) enum Sent {
    All,
    /// This piece met a row that holds one of its unique values.
    Duplicate(usize),
    /// This piece hit another number of rows than expected.
    Miscounted,
}

impl<'a> Writer<'a> {
    pub(super) fn new(inner: &'a Inner, session: &'a mut PooledSession) -> Writer<'a> {
        Writer {
            inner,
            session,
            outcome: ApplyOutcome::default(),
            owes: false,
            checks_on: false,
            cascaded: false,
            left: BTreeMap::new(),
        }
    }

    /// Writes keyed changes in order. `careful` does strict changes one at a time and mends.
    pub(super) async fn keyed(
        &mut self,
        changes: &[&Change],
        mode: ApplyMode,
        careful: bool,
    ) -> Result<(), WriteFault> {
        if mode == ApplyMode::Strict && careful {
            for change in changes {
                if change.table.adopted.is_some() {
                    self.kept_one(&change.table, change, mode).await?;
                } else {
                    self.strict_one(change).await?;
                }
            }
            return Ok(());
        }
        for run in runs(changes) {
            for (table, members) in by_table(&changes[run]) {
                match mode {
                    _ if table.adopted.is_some() => self.kept(table, &members, mode).await?,
                    ApplyMode::Idempotent => self.idempotent(table, &members).await?,
                    ApplyMode::Strict => self.strict(table, &members).await?,
                }
                self.outcome.row_count += members.len() as u64;
            }
        }
        Ok(())
    }

    /// Sends pieces from `from` on in packets of bounded length.
    pub(super) async fn send(
        &mut self,
        table: &Table,
        pieces: &[Piece<'_>],
        mut from: usize,
    ) -> Result<Sent, WriteFault> {
        self.session
            .set_label(format!("apply changes to {}", table.name));
        while from < pieces.len() {
            let end = packet_end(pieces, from, self.inner.statement_bytes());
            self.inner.check_size(table, &pieces[from].sql)?;
            let result = match &pieces[from..end] {
                [large] => self.session.execute_many(&large.sql).await,
                several => self.session.execute_many(joined(several)).await,
            };
            match result {
                Ok(outcomes) => {
                    let wrong = pieces[from..end]
                        .iter()
                        .zip(&outcomes)
                        .any(|(piece, outcome)| {
                            piece
                                .expected
                                .is_some_and(|expected| outcome.affected_rows != expected)
                        });
                    if wrong {
                        return Ok(Sent::Miscounted);
                    }
                }
                Err(error) if error.server_code() == Some(fault::DUPLICATE_KEY) => {
                    return Ok(Sent::Duplicate(from + statement_index(&error)));
                }
                Err(error) => return Err(WriteFault::of(error, &table.name)),
            }
            from = end;
        }
        Ok(Sent::All)
    }

    /// Runs one statement; the number of rows it hit, or `None` where it met a unique value.
    pub(super) async fn one(
        &mut self,
        table: &Table,
        sql: &[u8],
    ) -> Result<Option<u64>, WriteFault> {
        self.inner.check_size(table, sql)?;
        match self.session.execute(sql).await {
            Ok(outcome) => Ok(Some(outcome.affected_rows)),
            Err(error) if error.server_code() == Some(fault::DUPLICATE_KEY) => Ok(None),
            Err(error) => Err(WriteFault::of(error, &table.name)),
        }
    }

    /// Keys that are written or deleted now are no longer owed.
    pub(super) async fn pay(&mut self, table: &Table, keys: &[Row]) -> Result<(), WriteFault> {
        if keys.is_empty() || !(self.owes || self.inner.owed.any()) {
            return Ok(());
        }
        for keys in keys.chunks(super::statement::STATEMENT_ROWS) {
            self.state(self.inner.state.pay_owed(&table.name, keys))
                .await?;
        }
        Ok(())
    }

    pub(super) async fn owe(&mut self, table: &Table, keys: &[Row]) -> Result<(), WriteFault> {
        if keys.is_empty() {
            return Ok(());
        }
        self.inner.owed.note();
        self.owes = true;
        for keys in keys.chunks(super::statement::STATEMENT_ROWS) {
            self.state(self.inner.state.add_owed(&table.name, keys))
                .await?;
        }
        Ok(())
    }

    /// Records that the target was not what a change of the source expects; `key` names the row:
    /// its identity, or the whole row where there is none.
    pub(super) async fn diverged(
        &mut self,
        table: &Table,
        kind: &str,
        key: &Row,
    ) -> Result<(), WriteFault> {
        tracing::warn!(table = %table.name, kind, "divergence: the target's rows are not what the source's were");
        let sql = self.inner.state.add_divergence(
            &table.name,
            kind,
            Some(key),
            &self.inner.last_position(),
        );
        self.outcome.divergences += 1;
        self.state(sql).await
    }

    pub(super) async fn state(&mut self, sql: String) -> Result<(), WriteFault> {
        match self.session.execute(sql).await {
            Ok(_) => Ok(()),
            Err(error) if fault::is_retry(&error) => Err(WriteFault::Retry(error.into_fault())),
            Err(error) => Err(WriteFault::Failed(self.inner.state_fault(error))),
        }
    }
}

impl Inner {
    /// Statements are cut at this length, so that a packet always fits.
    pub(super) fn statement_bytes(&self) -> usize {
        STATEMENT_BYTES.min(self.packet_bytes_max() / 2)
    }

    /// A statement that cannot be sent at all stops its table, with the setting to change. The
    /// server would close the connection instead of answering.
    fn check_size(&self, table: &Table, sql: &[u8]) -> Result<(), Fault> {
        let limit = self.packet_bytes_max();
        if sql.len() < limit {
            return Ok(());
        }
        Err(row_too_large(table, sql.len(), limit))
    }
}

pub(super) fn row_too_large(table: &Table, bytes: usize, limit: usize) -> Fault {
    Fault::operator(
        "TGT-021",
        format!(
            "a row of table {} makes a statement of {bytes} bytes, beyond the target's max_allowed_packet of {limit}",
            table.name
        ),
    )
    .hint("Raise max_allowed_packet at the target, then start the table again.")
    .table(&table.name)
}

/// Cuts changes into runs: inside one no two changes touch the same row or unique value, so their
/// order does not matter.
pub(super) fn runs(changes: &[&Change]) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut begin = 0;
    let mut seen: HashSet<u64> = HashSet::new();
    for (index, change) in changes.iter().enumerate() {
        let alone = change.identities.is_empty();
        let full = index - begin == RUN_CHANGES_MAX;
        let touches = change.identities.iter().any(|id| seen.contains(id));
        if index > begin && (alone || full || touches) {
            runs.push(begin..index);
            begin = index;
            seen.clear();
        }
        seen.extend(&change.identities);
        if alone {
            runs.push(begin..index + 1);
            begin = index + 1;
            seen.clear();
        }
    }
    if begin < changes.len() {
        runs.push(begin..changes.len());
    }
    runs
}

/// The members of a run by table, in the order in which tables first appear.
fn by_table<'c>(run: &[&'c Change]) -> Vec<(&'c Arc<Table>, Vec<&'c Change>)> {
    let mut tables: Vec<(&Arc<Table>, Vec<&Change>)> = Vec::new();
    for change in run {
        let found = tables.iter_mut().find(|(table, _)| {
            Arc::ptr_eq(table, &change.table) || table.name == change.table.name
        });
        match found {
            Some((_, members)) => members.push(change),
            None => tables.push((&change.table, vec![change])),
        }
    }
    tables
}

/// How far pieces from `from` on fit into one packet; at least one.
fn packet_end(pieces: &[Piece<'_>], from: usize, bytes_max: usize) -> usize {
    let mut bytes = 0;
    let mut end = from;
    while end < pieces.len() {
        bytes += pieces[end].sql.len() + 1;
        if end > from && bytes > bytes_max {
            break;
        }
        end += 1;
    }
    end
}

fn joined(pieces: &[Piece<'_>]) -> Vec<u8> {
    let mut sql = Vec::new();
    for piece in pieces {
        if !sql.is_empty() {
            sql.push(b';');
        }
        sql.extend_from_slice(&piece.sql);
    }
    sql
}

fn statement_index(error: &SessionError) -> usize {
    match error {
        SessionError::Server {
            statement_index, ..
        } => *statement_index,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wherry_model::{ChangeKind, Exactness};

    fn change(identities: &[u64]) -> Change {
        let table = Table {
            name: TableName::new("a", "t"),
            engine: String::new(),
            columns: Vec::new(),
            keys: Vec::new(),
            exactness: Exactness::Keyed,
            definition: String::new(),
            row_count_estimate: 0,
            byte_count_estimate: 0,
            adopted: None,
            shape: None,
            in_target: None,
        };
        Change {
            table: Arc::new(table),
            kind: ChangeKind::Insert {
                after: Row::from_values([]),
            },
            identities: identities.to_vec(),
            unchecked: false,
        }
    }

    fn check(identities: &[&[u64]], expected: &[(usize, usize)]) {
        let changes: Vec<Change> = identities.iter().map(|ids| change(ids)).collect();
        let changes: Vec<&Change> = changes.iter().collect();
        let found: Vec<(usize, usize)> = runs(&changes)
            .into_iter()
            .map(|run| (run.start, run.end))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_run_never_touches_a_row_twice() {
        check(&[], &[]);
        check(&[&[1], &[2], &[3]], &[(0, 3)]);
        check(&[&[1], &[2], &[1], &[3]], &[(0, 2), (2, 4)]);
        check(&[&[1, 1], &[2, 1]], &[(0, 1), (1, 2)]);
        check(&[&[1], &[], &[2]], &[(0, 1), (1, 2), (2, 3)]);
    }
}
