//! Changes of exact tables: each once, in source order, in the transaction that moves the checkpoint.
//!
//! A row without a key is found by all its bytes, and one of several equal rows is as good as
//! another. Changes of a family are made with foreign keys checked, so that the target cascades
//! where the source did; a row of it is never removed to make room, which would cascade too. What a
//! change means to a table that leaves out kinds of changes stands in `leaving`.

use super::idempotent::insert_pieces;
use super::statement::{delete_exact, delete_keys, key_of, update_by_key, update_exact};
use super::writer::{Piece, Sent, WriteFault, Writer};
use wherry_model::{Change, ChangeKind, Fault, Row, Table};

impl Writer<'_> {
    pub(super) async fn exact(&mut self, changes: &[&Change]) -> Result<(), WriteFault> {
        let mut rest = changes;
        while let Some(first) = rest.first() {
            let same = rest
                .iter()
                .take_while(|change| {
                    change.table.name == first.table.name
                        && is_insert(change) == is_insert(first)
                        && is_checked(change) == is_checked(first)
                })
                .count();
            let (now, later) = rest.split_at(same);
            rest = later;
            self.check_foreign_keys(is_checked(first)).await?;
            if first.table.is_leaving() {
                self.leaving(&first.table, now).await?;
            } else if is_insert(first) {
                self.insert_exact(&first.table, now).await?;
            } else {
                for change in now {
                    self.change_exact(&first.table, change).await?;
                    self.cascaded |= is_checked(change);
                }
            }
            self.outcome.row_count += now.len() as u64;
        }
        self.note_left().await?;
        self.check_foreign_keys(false).await
    }

    /// Switches the checks where they are not as wanted.
    async fn check_foreign_keys(&mut self, on: bool) -> Result<(), WriteFault> {
        if self.checks_on == on {
            return Ok(());
        }
        let sql = format!("SET SESSION foreign_key_checks={}", u8::from(on));
        self.session.execute(sql).await.map_err(Fault::from)?;
        self.checks_on = on;
        Ok(())
    }

    async fn insert_exact(&mut self, table: &Table, changes: &[&Change]) -> Result<(), WriteFault> {
        let rows: Vec<&Row> = changes.iter().filter_map(|change| change.after()).collect();
        let pieces: Vec<Piece> = insert_pieces(table, &rows);
        let mut from = 0;
        loop {
            match self.send(table, &pieces, from).await? {
                Sent::All => return Ok(()),
                Sent::Duplicate(index) if table.identity().is_some() => {
                    // The failed statement left nothing behind.
                    for row in &pieces[index].rows {
                        self.put_exact(table, row).await?;
                    }
                    from = index + 1;
                }
                Sent::Duplicate(_) | Sent::Miscounted => return Err(in_the_way(table).into()),
            }
        }
    }

    /// Inserts a row; one that has its key becomes it, which is a divergence.
    pub(super) async fn put_exact(&mut self, table: &Table, row: &Row) -> Result<(), WriteFault> {
        for piece in insert_pieces(table, &[row]) {
            if self.one(table, &piece.sql).await? == Some(1) {
                return Ok(());
            }
        }
        if table.is_merged() {
            // The row that is there may be that of another table.
            return Err(clash(table).into());
        }
        let key = key_of(table, row).ok_or_else(|| in_the_way(table))?;
        self.diverged(table, "insert met a row", &key).await?;
        match self.one(table, &update_by_key(table, &key, row)).await? {
            Some(1) => Ok(()),
            _ => Err(in_the_way(table).into()),
        }
    }

    async fn change_exact(&mut self, table: &Table, change: &Change) -> Result<(), WriteFault> {
        let (statements, kind) = match &change.kind {
            ChangeKind::Insert { .. } => return Ok(()),
            ChangeKind::Update { before, after } => {
                let sql = match key_of(table, before) {
                    Some(key) => update_by_key(table, &key, after),
                    None => update_exact(table, before, after),
                };
                (vec![sql], "update found no row")
            }
            ChangeKind::Delete { before } => {
                let sql = match key_of(table, before) {
                    Some(key) => delete_keys(table, &[key])
                        .into_iter()
                        .map(|(sql, _)| sql)
                        .collect(),
                    None => vec![delete_exact(table, before)],
                };
                (sql, "delete found no row")
            }
        };
        self.session
            .set_label(format!("apply changes to {}", table.name));
        for sql in &statements {
            match self.one(table, sql).await? {
                Some(1) => {}
                Some(_) => return self.missed_exact(table, change, kind).await,
                None if table.is_merged() => return Err(clash(table).into()),
                None => return Err(in_the_way(table).into()),
            }
        }
        Ok(())
    }

    /// A row that was to be changed is not there.
    async fn missed_exact(
        &mut self,
        table: &Table,
        change: &Change,
        kind: &str,
    ) -> Result<(), WriteFault> {
        // A statement on several tables logs the child behind its parent, also where the cascade
        // has taken it by then (seen on 9.7 with `innodb_native_foreign_keys`).
        if self.cascaded && change.after().is_none() {
            return Ok(());
        }
        if let Some(before) = change.before() {
            let key = key_of(table, before);
            self.diverged(table, kind, key.as_ref().unwrap_or(before))
                .await?;
        }
        match change.after() {
            Some(_) => self.insert_exact(table, &[change]).await,
            None => Ok(()),
        }
    }
}

fn is_insert(change: &Change) -> bool {
    matches!(change.kind, ChangeKind::Insert { .. })
}

/// True where the source checked foreign keys and cascaded, and did not log what it cascaded.
fn is_checked(change: &Change) -> bool {
    change.table.is_cascading() && !change.unchecked
}

/// Two tables that become one have rows of the same key.
pub(super) fn clash(table: &Table) -> Fault {
    Fault::operator(
        "MRG-003",
        format!(
            "a row of table {} meets a row of another table under a unique key of {}, which both become",
            table.name,
            table.target_name()
        ),
    )
    .hint("Compare the keys of these tables at the source and make them differ, or leave one of the tables out in a new task; then load them anew with `wherry resync`.")
    .table(&table.name)
}

fn in_the_way(table: &Table) -> Fault {
    Fault::operator(
        "TGT-024",
        format!(
            "a row of exact table {} meets another row on a unique key of the target",
            table.name
        ),
    )
    .hint("Remove the row or the key that the source does not have, then start the table again.")
    .table(&table.name)
}
