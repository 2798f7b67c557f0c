//! Strict apply: after the end every change must touch exactly its one row.
//!
//! First all at once, with counts checked. When a count is wrong, the caller rolls back and does
//! the same changes one at a time, so that the one that diverged is found, recorded and repaired.

use super::idempotent::{Removal, insert_pieces};
use super::statement::{delete_keys, insert_head, key_of, push_row, update_by_key};
use super::writer::{Piece, Sent, WriteFault, Writer};
use crate::literal::push_key_condition;
use wherry_model::{Change, ChangeKind, Fault, Row, Table};

impl Writer<'_> {
    /// Writes changes of one table that do not touch each other.
    pub(super) async fn strict(
        &mut self,
        table: &Table,
        changes: &[&Change],
    ) -> Result<(), WriteFault> {
        let mut deleted = Vec::new();
        let mut inserted = Vec::new();
        let mut pieces = Vec::new();
        let mut keys = Vec::new();
        for change in changes {
            match &change.kind {
                ChangeKind::Insert { after } => inserted.push(after),
                ChangeKind::Delete { before } => deleted.push(identity_of(table, before)?),
                ChangeKind::Update { before, after } => {
                    let key = identity_of(table, before)?;
                    pieces.push(Piece {
                        sql: update_by_key(table, &key, after),
                        expected: Some(1),
                        rows: Vec::new(),
                    });
                    keys.push(key);
                }
            }
        }
        let deletes = delete_keys(table, &deleted);
        pieces.extend(deletes.into_iter().map(|(sql, count)| Piece {
            sql,
            expected: Some(count as u64),
            rows: Vec::new(),
        }));
        pieces.extend(insert_pieces(table, &inserted));
        match self.send(table, &pieces, 0).await? {
            Sent::All => {}
            Sent::Duplicate(_) | Sent::Miscounted => return Err(WriteFault::Diverged),
        }
        if self.inner.owed.any() {
            keys.extend(deleted);
            for row in inserted {
                keys.push(identity_of(table, row)?);
            }
            self.pay(table, &keys).await?;
        }
        Ok(())
    }

    /// Writes one change; where the target is not as it should be, records that and mends it.
    pub(super) async fn strict_one(&mut self, change: &Change) -> Result<(), WriteFault> {
        let table = &change.table;
        self.outcome.row_count += 1;
        let kind = match &change.kind {
            ChangeKind::Insert { after } => {
                let mut sql = insert_head(table);
                push_row(&mut sql, table, after.encoded());
                match self.one(table, &sql).await? {
                    Some(1) => return Ok(()),
                    _ => "insert met a row",
                }
            }
            ChangeKind::Update { before, after } => {
                let key = identity_of(table, before)?;
                match self.one(table, &update_by_key(table, &key, after)).await? {
                    Some(1) => return Ok(()),
                    Some(_) => "update found no row",
                    None => "update met a row",
                }
            }
            ChangeKind::Delete { before } => {
                let key = identity_of(table, before)?;
                let mut sql = format!("DELETE FROM {} WHERE ", table.target_name()).into_bytes();
                push_key_condition(&mut sql, table, &key);
                match self.one(table, &sql).await? {
                    Some(1) => return Ok(()),
                    _ => "delete found no row",
                }
            }
        };
        let image = change.before().or(change.after());
        if let Some(image) = image {
            let key = identity_of(table, image)?;
            self.diverged(table, kind, &key).await?;
        }
        self.upsert(table, &[change], Removal::Divergence).await
    }
}

fn identity_of(table: &Table, row: &Row) -> Result<Row, Fault> {
    key_of(table, row)
        .ok_or_else(|| super::fault::state_moved("a keyless table has a keyed change"))
}
