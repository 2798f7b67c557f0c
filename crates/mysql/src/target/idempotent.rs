//! Idempotent apply: an after image means "this row is now so", a delete "no such row".
//!
//! Why it converges stands in ARCHITECTURE.md, handoff from load to stream.

use super::fault;
use super::statement::{delete_keys, insert_or_find, insert_rows, key_of, select_holders};
use super::writer::{Piece, Sent, WriteFault, Writer};
use crate::flavour::ServerVersion;
use crate::literal::push_key_condition;
use crate::reader::push_select_list;
use std::collections::HashSet;
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
                    // The failed statement left nothing behind.
                    self.place(table, &pieces[index].rows, removal).await?;
                    from = index + 1;
                }
                Sent::Miscounted => {
                    return Err(Fault::bug("TGT-022", "rows that may exist were counted").into());
                }
            }
        }
        self.pay(table, &keys).await
    }

    /// Inserts rows of which some meet rows that hold their unique values; those give way.
    ///
    /// All holders that can be looked up by whole columns are found by one statement for each
    /// key. What a prefix or an expression holds up is then found row by row, by the server.
    async fn place(
        &mut self,
        table: &Table,
        rows: &[&Row],
        removal: Removal,
    ) -> Result<(), WriteFault> {
        let holders = self.holders(table, rows).await?;
        self.remove(table, &holders, removal).await?;
        if !holders.is_empty()
            && let Sent::All = self.send(table, &insert_pieces(table, rows), 0).await?
        {
            return Ok(());
        }
        let mut single = Vec::with_capacity(rows.len());
        for row in rows {
            single.extend(insert_pieces(table, std::slice::from_ref(row)));
        }
        let mut from = 0;
        while let Sent::Duplicate(index) = self.send(table, &single, from).await? {
            for row in &single[index].rows {
                self.place_one(table, row, removal).await?;
            }
            from = index + 1;
        }
        Ok(())
    }

    /// Inserts one row; the server tells which rows hold it up, one for each unique key at most.
    async fn place_one(
        &mut self,
        table: &Table,
        row: &Row,
        removal: Removal,
    ) -> Result<(), WriteFault> {
        let unique_count = table.keys.iter().filter(|key| key.unique).count();
        let list = self.identity_list(table)?;
        for _ in 0..=unique_count {
            let Some((insert, find)) = insert_or_find(table, row, &list) else {
                break;
            };
            self.one(table, &insert).await?;
            if self.is_there(table, row).await? {
                return Ok(());
            }
            let holder = self.ask(table, find).await?;
            if holder.is_empty() {
                break;
            }
            self.remove(table, &holder, removal).await?;
        }
        Err(unexplained_conflict(table).into())
    }

    /// True where a row has this one's key. It was deleted before, so then it is this one.
    async fn is_there(&mut self, table: &Table, row: &Row) -> Result<bool, WriteFault> {
        let key = key_of(table, row).ok_or_else(|| unexplained_conflict(table))?;
        let mut sql = format!("SELECT 1 FROM {} WHERE ", table.target_name()).into_bytes();
        push_key_condition(&mut sql, table, &key);
        sql.extend_from_slice(b" FOR UPDATE");
        Ok(!self.ask(table, sql).await?.is_empty())
    }

    /// Keys of rows that hold unique values of these rows, each once.
    pub(super) async fn holders(
        &mut self,
        table: &Table,
        rows: &[&Row],
    ) -> Result<Vec<Row>, WriteFault> {
        let list = self.identity_list(table)?;
        let mut holders = Vec::new();
        let mut seen = HashSet::new();
        for sql in select_holders(table, rows, &list) {
            for key in self.ask(table, sql).await? {
                if seen.insert(key.clone()) {
                    holders.push(key);
                }
            }
        }
        Ok(holders)
    }

    fn identity_list(&self, table: &Table) -> Result<String, WriteFault> {
        let list = identity_list(table, self.session.version());
        Ok(list.ok_or_else(|| unexplained_conflict(table))?)
    }

    async fn ask(&mut self, table: &Table, sql: Vec<u8>) -> Result<Vec<Row>, WriteFault> {
        let found = self.session.query(sql).await;
        let found = found.map_err(|error| WriteFault::of(error, &table.name))?;
        Ok(found.rows)
    }

    async fn remove(
        &mut self,
        table: &Table,
        keys: &[Row],
        removal: Removal,
    ) -> Result<(), WriteFault> {
        for (sql, _) in delete_keys(table, keys) {
            self.one(table, &sql).await?;
        }
        self.outcome.removed += keys.len() as u64;
        match removal {
            Removal::Owed => self.owe(table, keys).await,
            Removal::Divergence => {
                for key in keys {
                    self.diverged(table, "row held another row's unique value", key)
                        .await?;
                }
                Ok(())
            }
        }
    }
}

/// The columns of the identity, as they are selected; `None` without one.
pub(super) fn identity_list(table: &Table, version: &ServerVersion) -> Option<String> {
    let parts = table.identity()?.parts.iter();
    let columns = parts.map(|part| &table.columns[part.column]);
    let mut list = Vec::new();
    push_select_list(&mut list, columns, version);
    Some(String::from_utf8_lossy(&list).into_owned())
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
