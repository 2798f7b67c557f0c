//! Idempotent apply: an after image means "this row is now so", a delete "no such row".
//!
//! Why it converges stands in ARCHITECTURE.md, handoff from load to stream.

use super::fault;
use super::statement::{delete_keys, insert_rows, key_of, push_row, select_holders};
use super::writer::{Piece, Sent, WriteFault, Writer};
use crate::reader::push_select_list;
use std::ops::Range;
use wherry_model::{Change, Fault, Row, Table};

/// What becomes of a row that is removed because it holds another row's unique value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removal {
    /// Its own change comes later and puts it back: its key is owed.
    Owed,
    /// No change will put it back: it should not be there.
    Divergence,
}

impl Writer<'_> {
    /// Writes changes of one table that do not touch each other.
    pub(super) async fn idempotent(
        &mut self,
        table: &Table,
        changes: &[&Change],
    ) -> Result<(), WriteFault> {
        self.upsert(table, changes, Removal::Owed).await
    }

    pub(super) async fn upsert(
        &mut self,
        table: &Table,
        changes: &[&Change],
        removal: Removal,
    ) -> Result<(), WriteFault> {
        let keys = touched_keys(table, changes)?;
        let rows: Vec<&Row> = changes.iter().filter_map(|change| change.after()).collect();
        let mut pieces: Vec<Piece> = delete_keys(table, &keys)
            .into_iter()
            .map(|(sql, _)| Piece {
                sql,
                expected: None,
                rows: Vec::new(),
            })
            .collect();
        pieces.extend(insert_pieces(table, &rows));
        let mut from = 0;
        loop {
            match self.send(table, &pieces, from).await? {
                Sent::All => break,
                Sent::Duplicate(index) => {
                    // The failed statement left nothing behind; its rows are written one by one.
                    for row in &pieces[index].rows {
                        self.place(table, row, removal).await?;
                    }
                    from = index + 1;
                }
                Sent::Miscounted => {
                    return Err(Fault::bug("TGT-022", "rows that may exist were counted").into());
                }
            }
        }
        self.pay(table, &keys).await
    }

    /// Inserts one row whose key is free; rows that hold one of its unique values give way.
    async fn place(
        &mut self,
        table: &Table,
        row: &Row,
        removal: Removal,
    ) -> Result<(), WriteFault> {
        let mut sql = super::statement::insert_head(table);
        push_row(&mut sql, table, row.encoded());
        if self.one(table, &sql).await?.is_some() {
            return Ok(());
        }
        self.remove_holders(table, row, removal).await?;
        match self.one(table, &sql).await? {
            Some(_) => Ok(()),
            None => Err(unexplained_conflict(table).into()),
        }
    }

    async fn remove_holders(
        &mut self,
        table: &Table,
        row: &Row,
        removal: Removal,
    ) -> Result<(), WriteFault> {
        let identity = table
            .identity()
            .ok_or_else(|| unexplained_conflict(table))?;
        let mut list = Vec::new();
        let columns = identity
            .parts
            .iter()
            .map(|part| &table.columns[part.column]);
        push_select_list(&mut list, columns, self.session.version());
        let list = String::from_utf8_lossy(&list).into_owned();
        for sql in select_holders(table, row, &list) {
            // A value of an expression is not in the image; what holds it cannot be looked up.
            let Some(sql) = sql else { continue };
            let found = self
                .session
                .query(sql)
                .await
                .map_err(|error| WriteFault::of(error, &table.name))?;
            let keys = found.rows;
            if keys.is_empty() {
                continue;
            }
            for (sql, _) in delete_keys(table, &keys) {
                self.one(table, &sql).await?;
            }
            self.outcome.removed += keys.len() as u64;
            match removal {
                Removal::Owed => self.owe(table, &keys).await?,
                Removal::Divergence => {
                    for key in &keys {
                        self.diverged(table, "row held another row's unique value", key)
                            .await?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn unexplained_conflict(table: &Table) -> Fault {
    Fault::operator(
        "TGT-023",
        format!(
            "a row meets another row on a unique key of target table {} that the source does not have so",
            table.name
        ),
    )
    .hint("Compare the unique keys and collations of both tables, remove the foreign row or key, then start the table again.")
    .table(&table.name)
}

/// Every key that the changes write or delete, each once per change.
fn touched_keys(table: &Table, changes: &[&Change]) -> Result<Vec<Row>, Fault> {
    let mut keys: Vec<Row> = Vec::with_capacity(changes.len());
    for change in changes {
        let before = change.before().map(|row| key_of(table, row));
        let after = change.after().map(|row| key_of(table, row));
        for key in [before, after].into_iter().flatten() {
            let key =
                key.ok_or_else(|| fault::state_moved("a keyless table has a keyed change"))?;
            if keys.last() != Some(&key) {
                keys.push(key);
            }
        }
    }
    Ok(keys)
}

pub(super) fn insert_pieces<'r>(table: &Table, rows: &[&'r Row]) -> Vec<Piece<'r>> {
    let mut taken = 0;
    insert_rows(table, rows.iter().map(|row| row.encoded()))
        .into_iter()
        .map(|(sql, count)| {
            let part: Range<usize> = taken..taken + count;
            taken += count;
            Piece {
                sql,
                expected: Some(count as u64),
                rows: rows[part].to_vec(),
            }
        })
        .collect()
}
