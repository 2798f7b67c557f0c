//! Writing to an adopted table: the target's own table, whose rows stay or give way as `OwnRows` says.
//!
//! Under the policy `keep` the load leaves a row alone whose key is there, else it overwrites it; the
//! stream overwrites it always. Only the columns that both sides have are written, so a row is changed
//! in place and not removed and put back. A row that meets another one on a further unique key stops
//! the table under `keep`: who is right cannot be known. Else that other row gives way. If it is one of
//! the source, the source has changed it since it was read, and the stream brings it back: the argument
//! of idempotent replay in ARCHITECTURE.md, which needs the same unique keys on both sides.

use super::Inner;
use super::fault;
use super::idempotent::identity_list;
use super::statement::{
    count_keys, delete_keys, insert_head, insert_rows, key_of, push_row, select_holders,
    update_by_key,
};
use super::writer::{WriteFault, Writer, row_too_large};
use crate::session::PooledSession;
use wherry_engine::pipe::RowReceiver;
use wherry_engine::ports::{ApplyMode, LoadOutcome};
use wherry_model::name::quote;
use wherry_model::{Change, ChangeKind, Fault, OwnRows, Row, RowBatch, Table};

/// Times that rows are made to give way to one batch: others load beside it.
const GIVE_WAY_TRIES: usize = 3;

/// In the loss ledger: the load found rows with keys of the source, and left or replaced them.
const KEPT: &str = "TGT-051";
const REPLACED: &str = "TGT-053";
/// In the loss ledger: rows of the target gave way to others of the source.
const GAVE_WAY: &str = "TGT-054";

/// What the load met in the target.
#[derive(Default)]
struct Met {
    /// Rows with a key of the source.
    present: u64,
    /// Rows with another unique value of the source.
    removed: u64,
}

impl Inner {
    /// Writes rows into a table of the target's own; how many were there already is remembered.
    pub(super) async fn insert_kept(
        &self,
        session: &mut PooledSession,
        table: &Table,
        rows: &mut RowReceiver,
    ) -> Result<LoadOutcome, Fault> {
        let mut outcome = LoadOutcome::default();
        let mut met = Met::default();
        session.set_label(format!("load {}", table.name));
        while let Some(batch) = rows.next().await? {
            outcome.row_count += batch.row_count() as u64;
            outcome.byte_count += batch.byte_count() as u64;
            self.insert_kept_batch(session, table, &batch, &mut met)
                .await?;
        }
        let (present, removed) = (met.present, met.removed);
        let mut losses = Vec::new();
        if present > 0 && gives_way(table) {
            let reason = format!("{present} rows of the target were replaced by the load");
            losses.push((REPLACED, reason));
        } else if present > 0 {
            let reason = format!("{present} rows of the load were left as the target had them");
            losses.push((KEPT, reason));
        }
        if removed > 0 {
            losses.push((GAVE_WAY, gave_way(removed)));
        }
        let position = self.last_position();
        for (code, reason) in losses {
            let sql = self.state.add_loss(&table.name, code, &reason, &position);
            let added = session.execute(sql).await;
            added.map_err(|error| self.state_fault(error))?;
        }
        Ok(outcome)
    }

    async fn insert_kept_batch(
        &self,
        session: &mut PooledSession,
        table: &Table,
        batch: &RowBatch,
        met: &mut Met,
    ) -> Result<(), Fault> {
        let mut begin = 0;
        for (mut sql, count) in insert_rows(table, batch.iter()) {
            let encoded = (begin..begin + count).map(|index| batch.encoded(index));
            let rows: Vec<Row> = encoded
                .map(|row| Row::from_encoded(bytes::Bytes::copy_from_slice(row)))
                .collect();
            let keys = keys_of(table, &rows)?;
            begin += count;
            if sql.len() >= self.packet_bytes_max() {
                return Err(row_too_large(table, sql.len(), self.packet_bytes_max()));
            }
            if gives_way(table) && has_further_key(table) {
                replace_rows(session, table, &sql, &rows, &keys, met).await?;
                continue;
            }
            push_on_duplicate(&mut sql, table);
            met.present += count_present(session, table, &keys).await?;
            session
                .execute(sql)
                .await
                .map_err(|error| fault::row_fault(error, &table.name))?;
            if count_present(session, table, &keys).await? != keys.len() as u64 {
                return Err(conflict(table));
            }
        }
        Ok(())
    }
}

fn gives_way(table: &Table) -> bool {
    table.own_rows().is_some_and(OwnRows::give_way)
}

fn gave_way(count: u64) -> String {
    format!("{count} rows of the target gave way to others of the source on a unique key")
}

/// What an INSERT does with a row whose key is there. Values pass from column to column of one type,
/// unseen by any function.
fn push_on_duplicate(sql: &mut Vec<u8>, table: &Table) {
    let name = |column: usize| quote(table.columns[column].target_name());
    let there = table.target_name();
    let set: Vec<String> = match gives_way(table) {
        true => table
            .written_columns()
            .map(|column| format!("{0}=VALUES({0})", name(column)))
            .collect(),
        // Sets a column to itself, which changes nothing: unlike IGNORE it hides no error.
        false => table
            .written_columns()
            .take(1)
            .map(|column| format!("{0}={there}.{0}", name(column)))
            .collect(),
    };
    sql.extend_from_slice(format!(" ON DUPLICATE KEY UPDATE {}", set.join(",")).as_bytes());
}

/// True where a row may meet another one than that with its key.
fn has_further_key(table: &Table) -> bool {
    let identity = table.identity().map(|key| &key.name);
    let mut keys = table.keys.iter();
    keys.any(|key| key.unique && Some(&key.name) != identity)
}

/// Writes rows over what is there; where they meet something, one by one. `insert` inserts all of them.
async fn replace_rows(
    session: &mut PooledSession,
    table: &Table,
    insert: &[u8],
    rows: &[Row],
    keys: &[Row],
    met: &mut Met,
) -> Result<(), Fault> {
    if run(session, table, insert).await?.is_some() {
        return Ok(());
    }
    for (row, key) in rows.iter().zip(keys) {
        let mut one = insert_head(table);
        push_row(&mut one, table, row.encoded());
        for left in (0..=GIVE_WAY_TRIES).rev() {
            match run(session, table, &update_by_key(table, key, row)).await? {
                Some(1) => {
                    met.present += 1;
                    break;
                }
                Some(_) if run(session, table, &one).await?.is_some() => break,
                _ if left == 0 => return Err(conflict(table)),
                _ => met.removed += make_way(session, table, row, key).await?,
            }
        }
    }
    Ok(())
}

/// The number of rows that a statement matched; `None` where a row met another one.
async fn run(session: &mut PooledSession, table: &Table, sql: &[u8]) -> Result<Option<u64>, Fault> {
    match session.execute(sql).await {
        Ok(outcome) => Ok(Some(outcome.affected_rows)),
        Err(error) if error.server_code() == Some(fault::DUPLICATE_KEY) => Ok(None),
        Err(error) => Err(fault::row_fault(error, &table.name)),
    }
}

/// Removes what holds a unique value of this row and is another row; how many there were.
async fn make_way(
    session: &mut PooledSession,
    table: &Table,
    row: &Row,
    key: &Row,
) -> Result<u64, Fault> {
    let list = identity_list(table, session.version())
        .ok_or_else(|| fault::state_moved("an adopted table has no key"))?;
    let mut others = Vec::new();
    for sql in select_holders(table, &[row], &list) {
        let found = session.query(sql).await;
        let found = found.map_err(|error| fault::row_fault(error, &table.name))?;
        others.extend(found.rows.into_iter().filter(|other| other != key));
    }
    let mut removed = 0;
    for (sql, _) in delete_keys(table, &others) {
        removed += run(session, table, &sql).await?.unwrap_or(0);
    }
    Ok(removed)
}

fn keys_of(table: &Table, rows: &[Row]) -> Result<Vec<Row>, Fault> {
    let key =
        |row| key_of(table, row).ok_or_else(|| fault::state_moved("an adopted table has no key"));
    rows.iter().map(key).collect()
}

async fn count_present(
    session: &mut PooledSession,
    table: &Table,
    keys: &[Row],
) -> Result<u64, Fault> {
    let mut present = 0;
    for (sql, _) in count_keys(table, keys) {
        let rows = session
            .query(sql)
            .await
            .map_err(|error| fault::row_fault(error, &table.name))?;
        present += crate::catalog::number(&rows, 0, 0)
            .ok_or_else(|| fault::unreadable_state("a number of rows"))?;
    }
    Ok(present)
}

impl Writer<'_> {
    /// Writes changes of an adopted table one at a time, in order.
    pub(super) async fn kept(
        &mut self,
        table: &Table,
        changes: &[&Change],
        mode: ApplyMode,
    ) -> Result<(), WriteFault> {
        for change in changes {
            self.kept_one(table, change, mode).await?;
        }
        Ok(())
    }

    pub(super) async fn kept_one(
        &mut self,
        table: &Table,
        change: &Change,
        mode: ApplyMode,
    ) -> Result<(), WriteFault> {
        let key = |row| {
            key_of(table, row).ok_or_else(|| fault::state_moved("an adopted table has no key"))
        };
        let found = match &change.kind {
            ChangeKind::Insert { after } => {
                self.overwrite(table, &key(after)?, after, mode).await?;
                true
            }
            ChangeKind::Delete { before } => self.delete_kept(table, key(before)?).await?,
            ChangeKind::Update { before, after } => {
                let (old, new) = (key(before)?, key(after)?);
                match self.one(table, &update_by_key(table, &old, after)).await? {
                    Some(1) => true,
                    Some(_) => {
                        self.overwrite(table, &new, after, mode).await?;
                        false
                    }
                    None if old == new && gives_way(table) => {
                        self.overwrite(table, &new, after, mode).await?;
                        true
                    }
                    // Another row has the new key, or another unique value, already.
                    None => {
                        let found = self.delete_kept(table, old).await?;
                        self.overwrite(table, &new, after, mode).await?;
                        found
                    }
                }
            }
        };
        if !found
            && mode == ApplyMode::Strict
            && let Some(before) = change.before()
        {
            let kind = match change.kind {
                ChangeKind::Delete { .. } => "delete found no row",
                _ => "update found no row",
            };
            self.diverged(table, kind, &key(before)?).await?;
        }
        Ok(())
    }

    /// The row under this key now has these values, whatever it was.
    pub(super) async fn overwrite(
        &mut self,
        table: &Table,
        key: &Row,
        row: &Row,
        mode: ApplyMode,
    ) -> Result<(), WriteFault> {
        for _ in 0..=GIVE_WAY_TRIES {
            if self.put(table, key, row).await? {
                return Ok(());
            }
            if !gives_way(table) {
                break;
            }
            self.give_way(table, key, row, mode).await?;
        }
        Err(conflict(table).into())
    }

    /// False where another row stands in the way.
    async fn put(&mut self, table: &Table, key: &Row, row: &Row) -> Result<bool, WriteFault> {
        match self.one(table, &update_by_key(table, key, row)).await? {
            Some(1) => return Ok(true),
            Some(_) => {}
            None => return Ok(false),
        }
        let mut sql = insert_head(table);
        push_row(&mut sql, table, row.encoded());
        Ok(self.one(table, &sql).await?.is_some())
    }

    /// Removes the rows that hold another unique value of this one.
    async fn give_way(
        &mut self,
        table: &Table,
        key: &Row,
        row: &Row,
        mode: ApplyMode,
    ) -> Result<(), WriteFault> {
        let mut others = self.holders(table, &[row]).await?;
        others.retain(|other| other != key);
        for (sql, _) in delete_keys(table, &others) {
            self.one(table, &sql).await?;
        }
        let count = others.len() as u64;
        self.outcome.removed += count;
        if mode == ApplyMode::Strict && table.own_rows() == Some(OwnRows::Same) {
            for other in &others {
                self.diverged(table, "row held another row's unique value", other)
                    .await?;
            }
        } else if count > 0 {
            let position = self.inner.last_position();
            let state = &self.inner.state;
            let sql = state.add_loss(&table.name, GAVE_WAY, &gave_way(count), &position);
            self.state(sql).await?;
        }
        Ok(())
    }

    pub(super) async fn delete_kept(
        &mut self,
        table: &Table,
        key: Row,
    ) -> Result<bool, WriteFault> {
        let mut found = 0;
        for (sql, _) in delete_keys(table, &[key]) {
            found += self.one(table, &sql).await?.unwrap_or(0);
        }
        Ok(found > 0)
    }
}

fn conflict(table: &Table) -> Fault {
    Fault::operator(
        "TGT-052",
        format!(
            "a row of table {} meets another row of the target on a unique key beside its own, and {}",
            table.name,
            match gives_way(table) {
                true => "that does not go away",
                false => "nothing says which one is right",
            }
        ),
    )
    .hint(
        "Remove the target's row or its unique key, or load the table anew: one of the policy `keep` emptied and in a new task, one with left out `operations` with `wherry resync`.",
    )
    .table(&table.name)
}
