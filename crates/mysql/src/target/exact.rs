//! Changes of exact tables: each once, in source order, in the transaction that moves the checkpoint.
//!
//! A row without a key is found by all its bytes, and one of several equal rows is as good as
//! another.

use super::idempotent::insert_pieces;
use super::statement::{delete_exact, update_exact};
use super::writer::{Piece, Sent, WriteFault, Writer};
use wherry_model::{Change, ChangeKind, Row, Table};

impl Writer<'_> {
    pub(super) async fn exact(&mut self, changes: &[&Change]) -> Result<(), WriteFault> {
        let mut rest = changes;
        while let Some(first) = rest.first() {
            let same = rest
                .iter()
                .take_while(|change| {
                    change.table.name == first.table.name && is_insert(change) == is_insert(first)
                })
                .count();
            let (now, later) = rest.split_at(same);
            rest = later;
            if is_insert(first) {
                self.insert_exact(&first.table, now).await?;
            } else {
                for change in now {
                    self.change_exact(&first.table, change).await?;
                }
            }
            self.outcome.row_count += now.len() as u64;
        }
        Ok(())
    }

    async fn insert_exact(&mut self, table: &Table, changes: &[&Change]) -> Result<(), WriteFault> {
        let rows: Vec<&Row> = changes.iter().filter_map(|change| change.after()).collect();
        let pieces: Vec<Piece> = insert_pieces(table, &rows);
        match self.send(table, &pieces, 0).await? {
            Sent::All => Ok(()),
            Sent::Duplicate(_) | Sent::Miscounted => Err(wherry_model::Fault::operator(
                "TGT-024",
                format!(
                    "a row of exact table {} meets another row on a unique key of the target",
                    table.name
                ),
            )
            .hint("Remove the row or the key that the source does not have, then start the table again.")
            .table(&table.name)
            .into()),
        }
    }

    async fn change_exact(&mut self, table: &Table, change: &Change) -> Result<(), WriteFault> {
        let (sql, kind) = match &change.kind {
            ChangeKind::Insert { .. } => return Ok(()),
            ChangeKind::Update { before, after } => {
                (update_exact(table, before, after), "update found no row")
            }
            ChangeKind::Delete { before } => (delete_exact(table, before), "delete found no row"),
        };
        self.session
            .set_label(format!("apply changes to {}", table.name));
        if self.one(table, &sql).await? == Some(1) {
            return Ok(());
        }
        if let Some(before) = change.before() {
            self.diverged(table, kind, before).await?;
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
