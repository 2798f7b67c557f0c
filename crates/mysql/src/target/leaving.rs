//! Tables that leave out inserts, updates or deletes once their load has ended.
//!
//! Owns from where on kinds are left out, and what the others mean where rows may be missing or
//! stay. The same change twice is not the same as once there: a row may have moved on, and whether
//! one is to be made cannot be seen any more. So each is applied once, in the source's order, in
//! the transaction that moves the checkpoint, like a change of an exact table.

use super::Inner;
use super::fault;
use super::idempotent::insert_pieces;
use super::statement::{key_of, update_by_key};
use super::writer::{Sent, WriteFault, Writer};
use wherry_engine::ports::ApplyMode;
use wherry_engine::state::TableState;
use wherry_model::{Change, ChangeKind, Fault, Loss, Operation, Row, Table, TableName};

/// Why a table that leaves out changes is not loaded anew by itself.
pub(super) fn cannot_load_anew(table: &TableName, reason: &str) -> Fault {
    Fault::operator(
        "TGT-171",
        format!("a definition change of table {table} asks for a new load ({reason}), which would undo what `operations` or `filter_updates` has left out of its rows"),
    )
    .hint("Load it anew with `wherry resync` if it may become like the source's; what was left out is then counted from there on.")
    .table(table)
}

/// Of the entries about changes of rows that were left out.
const LEFT_CHANGES: &str = "TGT-170";

impl Inner {
    /// From the checkpoint of this view on, its tables leave out what their rules say.
    pub(super) async fn begin_leaving(&self) -> Result<(), Fault> {
        let Some(task) = self.stored().await? else {
            return Err(fault::state_moved("the task is not stored"));
        };
        let mut statements = Vec::new();
        for mut state in task.tables.into_iter().filter(TableState::is_followed) {
            if state.table.is_leaving() || state.table.leaves().is_nothing() {
                continue;
            }
            state.table.begin_leaving();
            let dialect = self.dialect_of(&state).await?;
            statements.extend(self.put_table(&state, dialect)?);
        }
        if statements.is_empty() {
            return Ok(());
        }
        self.write_holding_checkpoint(&statements).await
    }

    /// What was left out of the changes of rows, one entry for each table and kind.
    pub(super) async fn left_changes(&self) -> Result<Vec<Loss>, Fault> {
        let Some(rows) = self
            .read_if_there(&self.state.select_left_changes())
            .await?
        else {
            return Ok(Vec::new());
        };
        let text = |row, column| rows.text(row, column).unwrap_or_default().to_owned();
        let loss = |row| Loss {
            table: TableName::new(text(row, 0), text(row, 1)),
            code: LEFT_CHANGES.to_owned(),
            reason: format!(
                "`operations` leaves out {}: so many changes of rows since then: {}",
                text(row, 2),
                text(row, 3)
            ),
            position: text(row, 4),
            chosen: true,
        };
        Ok((0..rows.rows.len()).map(loss).collect())
    }
}

impl Writer<'_> {
    /// Writes consecutive changes of one table, all inserts or none.
    pub(super) async fn leaving(
        &mut self,
        table: &Table,
        changes: &[&Change],
    ) -> Result<(), WriteFault> {
        let mut rows = Vec::new();
        for change in changes {
            let operation = operation_of(change);
            if leaves_out(table, operation) {
                let left = self.left.entry((table.name.clone(), operation));
                *left.or_default() += 1;
                continue;
            }
            match &change.kind {
                ChangeKind::Insert { after } => rows.push(after),
                ChangeKind::Update { before, after } => {
                    self.update_leaving(table, before, after).await?;
                }
                ChangeKind::Delete { before } => self.delete_leaving(table, before).await?,
            }
        }
        self.insert_leaving(table, &rows).await
    }

    /// An insert of a key that is there overwrites its row, which the source may have no more.
    async fn insert_leaving(&mut self, table: &Table, rows: &[&Row]) -> Result<(), WriteFault> {
        let pieces = insert_pieces(table, rows);
        let mut from = 0;
        loop {
            match self.send(table, &pieces, from).await? {
                Sent::All => return Ok(()),
                Sent::Duplicate(index) => {
                    // The failed statement left nothing behind.
                    for row in &pieces[index].rows {
                        match table.may_hold_more() {
                            true => {
                                let key = identity_of(table, row)?;
                                self.overwrite(table, &key, row, ApplyMode::Strict).await?
                            }
                            false => self.put_exact(table, row).await?,
                        }
                    }
                    from = index + 1;
                }
                Sent::Miscounted => {
                    return Err(
                        Fault::bug("TGT-022", "an insert hit another number of rows").into(),
                    );
                }
            }
        }
    }

    async fn update_leaving(
        &mut self,
        table: &Table,
        before: &Row,
        after: &Row,
    ) -> Result<(), WriteFault> {
        let old = identity_of(table, before)?;
        let kind = match self.one(table, &update_by_key(table, &old, after)).await? {
            Some(1) => return Ok(()),
            // Nobody can tell where the row was lost, if it was.
            Some(_) if table.may_miss_rows() => return Ok(()),
            Some(_) => "update found no row",
            None => {
                self.delete_kept(table, old.clone()).await?;
                "update met a row"
            }
        };
        if kind == "update found no row" || !table.may_hold_more() {
            self.diverged(table, kind, &old).await?;
        }
        let key = identity_of(table, after)?;
        self.overwrite(table, &key, after, ApplyMode::Strict).await
    }

    async fn delete_leaving(&mut self, table: &Table, before: &Row) -> Result<(), WriteFault> {
        let key = identity_of(table, before)?;
        let found = self.delete_kept(table, key.clone()).await?;
        if !found && !table.may_miss_rows() {
            self.diverged(table, "delete found no row", &key).await?;
        }
        Ok(())
    }

    /// Counts what was left out, together with the checkpoint.
    pub(super) async fn note_left(&mut self) -> Result<(), WriteFault> {
        let position = self.inner.last_position().to_string();
        for ((table, operation), count) in std::mem::take(&mut self.left) {
            let sql =
                self.inner
                    .state
                    .add_left_changes(&table, operation.as_str(), count, &position);
            self.state(sql).await?;
        }
        Ok(())
    }
}

fn operation_of(change: &Change) -> Operation {
    match change.kind {
        ChangeKind::Insert { .. } => Operation::Insert,
        ChangeKind::Update { .. } => Operation::Update,
        ChangeKind::Delete { .. } => Operation::Delete,
    }
}

fn leaves_out(table: &Table, operation: Operation) -> bool {
    let leaves = table.leaves();
    match operation {
        Operation::Insert => leaves.insert,
        Operation::Update => leaves.update,
        Operation::Delete => leaves.delete,
        _ => false,
    }
}

fn identity_of(table: &Table, row: &Row) -> Result<Row, Fault> {
    key_of(table, row)
        .ok_or_else(|| fault::state_moved("a table without a key leaves out changes of rows"))
}
