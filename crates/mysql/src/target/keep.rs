//! Writing to an adopted table: the target's own table, whose rows stay (policy `keep`).
//!
//! The load leaves a row alone whose key is there; the stream overwrites it. Only the columns that
//! both sides have are written, so a row is changed in place and never removed and put back. A row
//! that meets another one on a further unique key stops the table: who is right cannot be known.

use super::Inner;
use super::fault;
use super::statement::{
    count_keys, delete_keys, insert_head, insert_rows, key_of, push_row, update_by_key,
};
use super::writer::{WriteFault, Writer, row_too_large};
use crate::session::PooledSession;
use wherry_engine::pipe::RowReceiver;
use wherry_engine::ports::{ApplyMode, LoadOutcome};
use wherry_model::name::quote;
use wherry_model::{Change, ChangeKind, Fault, Row, RowBatch, Table};

impl Inner {
    /// Inserts the rows whose keys are not there; the number of those that are is remembered.
    pub(super) async fn insert_kept(
        &self,
        session: &mut PooledSession,
        table: &Table,
        rows: &mut RowReceiver,
    ) -> Result<LoadOutcome, Fault> {
        let mut outcome = LoadOutcome::default();
        let mut kept = 0;
        session.set_label(format!("load {}", table.name));
        while let Some(batch) = rows.next().await? {
            outcome.row_count += batch.row_count() as u64;
            outcome.byte_count += batch.byte_count() as u64;
            kept += self.insert_kept_batch(session, table, &batch).await?;
        }
        if kept > 0 {
            let reason = format!("{kept} rows of the load were left as the target had them");
            let position = self.last_position().to_string();
            session
                .execute(
                    self.state
                        .add_loss(&table.name, "TGT-051", &reason, &position),
                )
                .await
                .map_err(|error| self.state_fault(error))?;
        }
        Ok(outcome)
    }

    async fn insert_kept_batch(
        &self,
        session: &mut PooledSession,
        table: &Table,
        batch: &RowBatch,
    ) -> Result<u64, Fault> {
        let mut kept = 0;
        let mut begin = 0;
        for (mut sql, count) in insert_rows(table, batch.iter()) {
            let rows = (begin..begin + count).map(|index| batch.encoded(index));
            let keys = keys_of(table, rows)?;
            begin += count;
            // Sets a column to itself, which changes nothing: unlike IGNORE it hides no error.
            if let Some(column) = table.written_columns().next() {
                let name = quote(table.columns[column].target_name());
                sql.extend_from_slice(
                    format!(
                        " ON DUPLICATE KEY UPDATE {name}={}.{name}",
                        table.target_name()
                    )
                    .as_bytes(),
                );
            }
            if sql.len() >= self.packet_bytes_max() {
                return Err(row_too_large(table, sql.len(), self.packet_bytes_max()));
            }
            kept += count_present(session, table, &keys).await?;
            session
                .execute(sql)
                .await
                .map_err(|error| fault::row_fault(error, &table.name))?;
            if count_present(session, table, &keys).await? != keys.len() as u64 {
                return Err(conflict(table));
            }
        }
        Ok(kept)
    }
}

fn keys_of<'r>(table: &Table, rows: impl Iterator<Item = &'r [u8]>) -> Result<Vec<Row>, Fault> {
    rows.map(|encoded| {
        let row = Row::from_encoded(bytes::Bytes::copy_from_slice(encoded));
        key_of(table, &row).ok_or_else(|| fault::state_moved("an adopted table has no key"))
    })
    .collect()
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
                self.overwrite(table, &key(after)?, after).await?;
                true
            }
            ChangeKind::Delete { before } => self.delete_kept(table, key(before)?).await?,
            ChangeKind::Update { before, after } => {
                let (old, new) = (key(before)?, key(after)?);
                match self.one(table, &update_by_key(table, &old, after)).await? {
                    Some(1) => true,
                    Some(_) => {
                        self.overwrite(table, &new, after).await?;
                        false
                    }
                    // Another row has the new key, or another unique value, already.
                    None => {
                        let found = self.delete_kept(table, old).await?;
                        self.overwrite(table, &new, after).await?;
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
    ) -> Result<(), WriteFault> {
        match self.one(table, &update_by_key(table, key, row)).await? {
            Some(1) => return Ok(()),
            Some(_) => {}
            None => return Err(conflict(table).into()),
        }
        let mut sql = insert_head(table);
        push_row(&mut sql, table, row.encoded());
        match self.one(table, &sql).await? {
            Some(_) => Ok(()),
            None => Err(conflict(table).into()),
        }
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
            "a row of table {} meets another row of the target on a unique key beside its own, and \
             nothing says which one is right",
            table.name
        ),
    )
    .hint(
        "Remove the target's row or its unique key, or load the table anew: one of the policy `keep` emptied and in a new task, one with left out `operations` with `wherry resync`.",
    )
    .table(&table.name)
}
