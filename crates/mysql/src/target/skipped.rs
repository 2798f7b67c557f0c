//! Rows that scripts could not change and left out (`errors: skip`): how many the ledger tells.
//!
//! Owns that a count is written by whoever writes what was read beside the rows, in the same
//! transaction. It tells how often such a row was met, so it grows with every change of one.

use super::Inner;
use crate::session::PooledSession;
use wherry_model::{Fault, Loss, Skipped, TableName};

/// Of the ledger's entries for them.
const SKIPPED: &str = "TGT-172";

impl Inner {
    pub(super) async fn add_skipped(
        &self,
        session: &mut PooledSession,
        table: &TableName,
        skipped: &Skipped,
    ) -> Result<(), Fault> {
        if skipped.is_nothing() {
            return Ok(());
        }
        let position = self.last_position().to_string();
        let sql = self.state.add_skipped(table, skipped, &position);
        let added = session.execute(sql).await;
        added.map(drop).map_err(|error| self.state_fault(error))
    }

    /// One entry for each table.
    pub(super) async fn skipped_rows(&self) -> Result<Vec<Loss>, Fault> {
        let Some(rows) = self.read_if_there(&self.state.select_skipped()).await? else {
            return Ok(Vec::new());
        };
        let text = |row, column| rows.text(row, column).unwrap_or_default().to_owned();
        let loss = |row| Loss {
            table: TableName::new(text(row, 0), text(row, 1)),
            code: SKIPPED.to_owned(),
            reason: format!(
                "`errors: skip` leaves out rows that the script cannot change: so often until now: {}, first {}",
                text(row, 2),
                text(row, 3)
            ),
            position: text(row, 4),
            chosen: true,
        };
        Ok((0..rows.rows.len()).map(loss).collect())
    }
}
