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
use crate::state::{StoredTask, TableState};
use wherry_model::{Fault, Position, Row, Table};

/// Comparisons of a family's table before its writers count as never pausing.
const FAMILY_TRIES: usize = 5;

/// How one comparison ended.
enum Compared {
    Equal,
    Different(MismatchKind),
    Unsettled(&'static str),
    /// A table of the family changed in between, and its cascades are not in the binlog.
    Again,
}

impl Verify {
    pub(super) async fn exact_table(&self, state: &TableState) -> Result<TableReport, Fault> {
        let mut report = TableReport::new(&state.table);
        report.ranges = 1;
        let mut compared = Compared::Again;
        for _ in 0..FAMILY_TRIES {
            compared = self.compare_exact(state, &mut report).await?;
            if !matches!(compared, Compared::Again) {
                break;
            }
        }
        match compared {
            Compared::Equal => {}
            Compared::Different(kind) => report.mismatches.push(Mismatch {
                key: Row::from_values([]),
                kind,
                columns: Vec::new(),
            }),
            Compared::Unsettled(reason) => report
                .unsettled
                .push((Row::from_values([]), reason.to_owned())),
            Compared::Again => report.unsettled.push((
                Row::from_values([]),
                "the table has no key, and its family of foreign keys changed at every look"
                    .to_owned(),
            )),
        }
        Ok(report)
    }

    async fn compare_exact(
        &self,
        state: &TableState,
        report: &mut TableReport,
    ) -> Result<Compared, Fault> {
        let table = &state.table;
        let task = self.ready_task().await?;
        let parts = parts(&task, state);
        let (mut source, skipped, source_at) = self.exact_source(&parts).await?;
        report.skipped = skipped;
        report.rows = source.rows;
        report.bytes = source.bytes;
        if !self.wait_until_passed(&source_at).await? {
            return Ok(Compared::Unsettled(
                "the stream did not pass the snapshot's position in time; is the runner up?",
            ));
        }
        let (target, target_at) = self.exact_target(table).await?;
        let (mut redefined, mut cascaded) = (false, false);
        each_change(
            self.source.as_ref(),
            &self.selection,
            &relatives(&task, state),
            (&source_at, &target_at),
            |seen| match seen {
                Seen::Change { change, .. } if change.table.is_cascading() => cascaded = true,
                Seen::Change { change, .. } => {
                    if let Some(before) = change.before() {
                        source.remove(before.encoded());
                    }
                    if let Some(after) = change.after() {
                        source.add(after.encoded());
                    }
                }
                Seen::Redefined(name) => {
                    redefined |= parts.iter().any(|part| part.table.name == *name);
                }
            },
        )
        .await?;
        Ok(if redefined {
            Compared::Unsettled("the table's definition changed while it was compared")
        } else if cascaded {
            Compared::Again
        } else if source == target {
            Compared::Equal
        } else {
            Compared::Different(MismatchKind::Multiset {
                source_rows: source.rows,
                target_rows: target.rows,
            })
        })
    }

    /// The rows of all parts together, how many are skipped, and where they stand.
    async fn exact_source(&self, parts: &[TableState]) -> Result<(SetHash, u64, Position), Fault> {
        let tables: Vec<Table> = parts.iter().map(|part| part.table.clone()).collect();
        let mut snapshot = self.source.exact_snapshot(&tables).await?;
        let position = snapshot.position().clone();
        let (mut sum, mut skipped) = (SetHash::default(), 0);
        for table in &tables {
            let snapshot = &mut *snapshot;
            let (hash, more) = carry(
                &self.budget,
                |sender| async move { snapshot.read_all(table, &sender).await },
                hash_rows,
            )
            .await?;
            sum.join(hash);
            skipped += more;
        }
        Ok((sum, skipped, position))
    }

    async fn exact_target(&self, table: &Table) -> Result<(SetHash, Position), Fault> {
        let mut checkpoint = None;
        let place = &mut checkpoint;
        let (hash, _) = carry(
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

/// The tables of the source whose rows together are this table of the target.
pub(super) fn parts(task: &StoredTask, state: &TableState) -> Vec<TableState> {
    if !state.table.is_merged() {
        return vec![state.clone()];
    }
    let family = state.table.family();
    let is_part = |other: &&TableState| other.table.family() == family;
    super::live(task).filter(is_part).cloned().collect()
}

/// The tables whose changes may change rows of this one.
fn relatives(task: &StoredTask, state: &TableState) -> Vec<TableState> {
    if !state.table.is_cascading() {
        return parts(task, state);
    }
    let family = |state: &&TableState| state.table.is_cascading();
    super::live(task).filter(family).cloned().collect()
}
