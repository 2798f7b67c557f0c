//! Compares an exact table as a multiset, at positions that are exact on both sides.
//!
//! The source's snapshot stands at one position, the target's snapshot holds the checkpoint it
//! belongs to. The binlog between the two is added to the side that is behind: a multiset hash is
//! a sum, so a change adds its after image and takes its before image away.

use super::Verify;
use super::compare::hash_rows;
use super::hash::SetHash;
use super::report::{Mismatch, MismatchKind, TableReport};
use super::watch::{Seen, each_change};
use crate::pipe::carry;
use crate::state::TableState;
use wherry_model::{Fault, Position, Row, Table};

impl Verify {
    pub(super) async fn exact_table(&self, state: &TableState) -> Result<TableReport, Fault> {
        let table = &state.table;
        let mut report = TableReport::new(&table.name);
        report.ranges = 1;
        let (mut source, source_at) = self.exact_source(table).await?;
        report.rows = source.rows;
        report.bytes = source.bytes;
        if !self.wait_until_passed(&source_at).await? {
            let reason =
                "the stream did not pass the snapshot's position in time; is the runner up?";
            report
                .unsettled
                .push((Row::from_values([]), reason.to_owned()));
            return Ok(report);
        }
        let (target, target_at) = self.exact_target(table).await?;
        let mut redefined = false;
        let tables = [state.clone()];
        let between = (&source_at, &target_at);
        each_change(
            self.source.as_ref(),
            &self.selection,
            &tables,
            between,
            |seen| match seen {
                Seen::Change { change, .. } => {
                    if let Some(before) = change.before() {
                        source.remove(before.encoded());
                    }
                    if let Some(after) = change.after() {
                        source.add(after.encoded());
                    }
                }
                Seen::Redefined(name) => redefined |= *name == table.name,
            },
        )
        .await?;
        if redefined {
            let reason = "the table's definition changed while it was compared";
            report
                .unsettled
                .push((Row::from_values([]), reason.to_owned()));
        } else if source != target {
            let kind = MismatchKind::Multiset {
                source_rows: source.rows,
                target_rows: target.rows,
            };
            report.mismatches.push(Mismatch {
                key: Row::from_values([]),
                kind,
                columns: Vec::new(),
            });
        }
        Ok(report)
    }

    async fn exact_source(&self, table: &Table) -> Result<(SetHash, Position), Fault> {
        let mut snapshot = self.source.exact_snapshot(table).await?;
        let position = snapshot.position().clone();
        let hash = carry(
            &self.budget,
            |sender| async move { snapshot.read_all(&sender).await },
            hash_rows,
        )
        .await?;
        Ok((hash, position))
    }

    async fn exact_target(&self, table: &Table) -> Result<(SetHash, Position), Fault> {
        let mut checkpoint = None;
        let place = &mut checkpoint;
        let hash = carry(
            &self.budget,
            |sender| async move {
                *place = Some(self.target.read_exact(table, &sender).await?);
                Ok(())
            },
            hash_rows,
        )
        .await?;
        let checkpoint = checkpoint.ok_or_else(|| super::unknown_table(&table.name))?;
        Ok((hash, checkpoint.applied_to))
    }
}
