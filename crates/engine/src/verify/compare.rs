//! Compares both sides range by range and finds the keys that differ.

use super::hash::{SetHash, row_hash};
use super::report::TableReport;
use super::{Verify, key_of};
use crate::pipe::{RowReceiver, carry};
use crate::ports::RowReader;
use crate::state::KeyRange;
use bytes::Bytes;
use std::collections::HashMap;
use wherry_model::{Fault, Row, Table};

/// A range holds about this many bytes of rows.
const RANGE_BYTES: u64 = 8 << 20;
const RANGE_ROW_COUNT_MAX: u64 = 100_000;
const ROW_BYTES_GUESS: u64 = 256;
/// An unequal range with more rows than this on one side is split before its keys are listed.
const LIST_ROW_COUNT_MAX: u64 = 20_000;
/// Differing keys listed for one table; beyond it the table is simply wrong.
const SUSPECT_COUNT_MAX: usize = 10_000;

impl Verify {
    /// Keys whose rows differ at first sight.
    pub(super) async fn compare_ranges(
        &self,
        table: &Table,
        report: &mut TableReport,
    ) -> Result<Vec<Row>, Fault> {
        let row_bytes = table
            .byte_count_estimate
            .checked_div(table.row_count_estimate)
            .unwrap_or(ROW_BYTES_GUESS);
        let row_count = (RANGE_BYTES / row_bytes.max(1)).clamp(1, RANGE_ROW_COUNT_MAX);
        let mut suspects = Vec::new();
        let mut lower = None;
        loop {
            let upper = self
                .source
                .key_after(table, lower.as_ref(), row_count)
                .await?;
            let range = KeyRange {
                lower: lower.take(),
                upper: upper.clone(),
            };
            let (source, target) = self.hash_both(table, &range).await?;
            let (source, skipped) = source;
            report.ranges += 1;
            report.skipped += skipped;
            report.rows += source.rows;
            report.bytes += source.bytes;
            if source != target {
                let rows = source.rows.max(target.rows);
                let found = (&mut *report, &mut suspects);
                self.narrow(table, range, rows, found).await?;
            }
            if upper.is_none() || suspects.len() >= SUSPECT_COUNT_MAX {
                return Ok(suspects);
            }
            lower = upper;
        }
    }

    /// Splits an unequal range until its keys can be listed, then lists those that differ and counts
    /// those that may.
    async fn narrow(
        &self,
        table: &Table,
        range: KeyRange,
        rows: u64,
        (report, suspects): (&mut TableReport, &mut Vec<Row>),
    ) -> Result<(), Fault> {
        let mut open = vec![(range, rows)];
        while let Some((range, rows)) = open.pop() {
            if suspects.len() >= SUSPECT_COUNT_MAX {
                break;
            }
            let middle = if rows > LIST_ROW_COUNT_MAX {
                self.middle(table, &range, rows).await?
            } else {
                None
            };
            let Some(middle) = middle else {
                suspects.extend(self.list(table, &range, report).await?);
                continue;
            };
            let low = KeyRange {
                lower: range.lower,
                upper: Some(middle.clone()),
            };
            let high = KeyRange {
                lower: Some(middle),
                upper: range.upper,
            };
            for half in [low, high] {
                let ((source, _), target) = self.hash_both(table, &half).await?;
                if source != target {
                    open.push((half, source.rows.max(target.rows)));
                }
            }
        }
        Ok(())
    }

    /// A key that splits the range, taken from the side that has one inside it.
    async fn middle(
        &self,
        table: &Table,
        range: &KeyRange,
        rows: u64,
    ) -> Result<Option<Row>, Fault> {
        let sides: [&dyn RowReader; 2] = [&*self.source, &*self.target];
        for side in sides {
            let key = side
                .key_after(table, range.lower.as_ref(), rows / 2)
                .await?;
            if let Some(key) = key
                && Some(&key) != range.upper.as_ref()
                && self.lies_inside(side, table, range, &key).await?
            {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    /// True where fewer rows lie between the range's lower bound and `key` than in the range, so
    /// that `key` is not behind its upper bound. Asks the server, which knows the key's order.
    async fn lies_inside(
        &self,
        side: &dyn RowReader,
        table: &Table,
        range: &KeyRange,
        key: &Row,
    ) -> Result<bool, Fault> {
        let Some(upper) = &range.upper else {
            return Ok(true);
        };
        let beyond = KeyRange {
            lower: Some(upper.clone()),
            upper: Some(key.clone()),
        };
        carry(
            &self.budget,
            |sender| async move { side.read_range(table, &beyond, &sender).await },
            |mut receiver| async move {
                let first = receiver.next().await?;
                Ok(first.is_none())
            },
        )
        .await
    }

    /// Both sides; beside the source's how many of its rows are skipped.
    async fn hash_both(
        &self,
        table: &Table,
        range: &KeyRange,
    ) -> Result<((SetHash, u64), SetHash), Fault> {
        let source = self.hash_side(&*self.source, table, range);
        let target = self.hash_side(&*self.target, table, range);
        let (source, target) = tokio::join!(source, target);
        Ok((source?, target?.0))
    }

    async fn hash_side(
        &self,
        side: &dyn RowReader,
        table: &Table,
        range: &KeyRange,
    ) -> Result<(SetHash, u64), Fault> {
        carry(
            &self.budget,
            |sender| async move { side.read_range(table, range, &sender).await },
            hash_rows,
        )
        .await
    }

    async fn list(
        &self,
        table: &Table,
        range: &KeyRange,
        report: &mut TableReport,
    ) -> Result<Vec<Row>, Fault> {
        let source = self.row_hashes(&*self.source, table, range);
        let target = self.row_hashes(&*self.target, table, range);
        let (source, target) = tokio::join!(source, target);
        let (source, mut target) = (source?, target?);
        let mut suspects = Vec::new();
        for (key, hash) in source {
            let there = target.remove(&key);
            if there != Some(hash) && !report.explains(table, true, there.is_some()) {
                suspects.push(key);
            }
        }
        for key in target.into_keys() {
            if !report.explains(table, false, true) {
                suspects.push(key);
            }
        }
        Ok(suspects)
    }

    async fn row_hashes(
        &self,
        side: &dyn RowReader,
        table: &Table,
        range: &KeyRange,
    ) -> Result<HashMap<Row, u128>, Fault> {
        carry(
            &self.budget,
            |sender| async move { side.read_range(table, range, &sender).await },
            |mut receiver| async move {
                let mut hashes = HashMap::new();
                while let Some(batch) = receiver.next().await? {
                    for encoded in batch.iter() {
                        let row = Row::from_encoded(Bytes::copy_from_slice(encoded));
                        hashes.insert(key_of(table, &row), row_hash(encoded));
                    }
                }
                Ok(hashes)
            },
        )
        .await
    }
}

/// All rows, and how many were skipped beside them.
pub(super) async fn hash_rows(mut receiver: RowReceiver) -> Result<(SetHash, u64), Fault> {
    let mut hash = SetHash::default();
    while let Some(batch) = receiver.next().await? {
        for encoded in batch.iter() {
            hash.add(encoded);
        }
    }
    Ok((hash, receiver.take_skipped().row_count))
}
