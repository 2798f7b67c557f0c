//! Cuts tables into chunks: key ranges in key order, sized by bytes.

use super::Load;
use crate::ports::RowReader;
use crate::state::{Chunk, KeyRange};
use std::sync::atomic::{AtomicU64, Ordering};
use wherry_model::{Fault, Row, Table};

/// A chunk holds about this many bytes of rows: small enough to redo after a crash without
/// pain, large enough that one `LOAD DATA` is not dominated by its round trips.
pub(crate) const CHUNK_BYTES: u64 = 8 << 20;

/// Row size assumed where neither the source's statistics nor a finished chunk tells.
const ROW_BYTES_GUESS: u64 = 256;
const CHUNK_ROW_COUNT_MAX: u64 = 100_000;

/// Row sizes seen so far, so that later chunks are cut better than the statistics allow.
#[derive(Debug, Default)]
pub(crate) struct SizeSeen {
    rows: AtomicU64,
    bytes: AtomicU64,
}

impl SizeSeen {
    pub(crate) fn add(&self, rows: u64, bytes: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Rows that make a chunk of `CHUNK_BYTES`.
    pub(crate) fn chunk_row_count(&self, table: &Table) -> u64 {
        let rows = self.rows.load(Ordering::Relaxed);
        let bytes = self.bytes.load(Ordering::Relaxed);
        let from_statistics = || {
            table
                .byte_count_estimate
                .checked_div(table.row_count_estimate)
        };
        let row_bytes = bytes
            .checked_div(rows)
            .or_else(from_statistics)
            .unwrap_or(ROW_BYTES_GUESS);
        (CHUNK_BYTES / row_bytes.max(1)).clamp(1, CHUNK_ROW_COUNT_MAX)
    }
}

/// Cuts a table into key ranges (lower, upper] in key order that cover every key exactly once.
/// The last range is open-ended, so rows inserted behind it meanwhile are in it.
#[derive(Debug)]
pub(crate) struct Cutter {
    next_number: u64,
    lower: Option<Row>,
    finished: bool,
}

impl Cutter {
    /// Goes on behind the chunks that are already cut.
    pub(crate) fn behind(chunks: &[Chunk]) -> Cutter {
        let last = chunks.last();
        Cutter {
            next_number: last.map_or(0, |chunk| chunk.number + 1),
            lower: last.and_then(|chunk| chunk.range.upper.clone()),
            finished: last.is_some_and(|chunk| chunk.range.upper.is_none()),
        }
    }

    /// The next range; `None` when the open-ended one was given.
    pub(crate) async fn next(
        &mut self,
        reader: &dyn RowReader,
        table: &Table,
        row_count: u64,
    ) -> Result<Option<Chunk>, Fault> {
        if self.finished {
            return Ok(None);
        }
        let upper = reader
            .key_after(table, self.lower.as_ref(), row_count)
            .await?;
        let chunk = Chunk {
            number: self.next_number,
            range: KeyRange {
                lower: self.lower.take(),
                upper: upper.clone(),
            },
            done: false,
            row_count: 0,
            byte_count: 0,
        };
        self.next_number += 1;
        self.finished = upper.is_none();
        self.lower = upper;
        Ok(Some(chunk))
    }
}

impl Load {
    /// Cuts and records the next chunk of a table.
    pub(crate) async fn cut(
        &self,
        cutter: &mut Cutter,
        table: &Table,
        seen: &SizeSeen,
    ) -> Result<Option<Chunk>, Fault> {
        let row_count = seen.chunk_row_count(table);
        let Some(chunk) = cutter.next(self.source.as_ref(), table, row_count).await? else {
            return Ok(None);
        };
        self.target.plan_chunk(&table.name, &chunk).await?;
        Ok(Some(chunk))
    }
}
