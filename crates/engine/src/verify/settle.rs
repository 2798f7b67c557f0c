//! Decides about keys that differ at first sight, on a source that goes on changing.
//!
//! What a row must be at a position is known for sure: the last image that the binlog holds of
//! it, or, where the binlog holds none since a position that was surely visible, what a read of
//! the source shows. A look therefore reads the source, lets the stream pass the end read after
//! it, reads the target, and then reads the binlog: a key that changed behind that end is looked
//! at again, any other is equal or a mismatch. What the source showed must be among the rows that the
//! binlog tells of that key: otherwise target and binlog agree on something that the source is not.
//!
//! Of a family with cascades the binlog holds only a part. There a key is a mismatch when the
//! source shows the same row at several looks in a row, and the target another one at each.

use super::hash::row_hash;
use super::report::{Mismatch, MismatchKind, TableReport};
use super::watch::{Seen, each_change, lies_behind};
use super::{Verify, key_of};
use crate::state::TableState;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};
use wherry_model::{Change, Fault, Position, Row, Table};

/// Looks at a key that changes at each of them before it is reported as unsettled.
const LOOK_COUNT_MAX: usize = 8;
/// Looks at which a row of a family stays as it is at the source before a difference counts.
const STEADY_LOOK_COUNT: usize = 3;
/// How long the stream may take to pass a position before the keys count as unsettled.
const PASS_WAIT_MAX: Duration = Duration::from_secs(120);
const PASS_POLL: Duration = Duration::from_millis(50);
/// Keys looked at together.
const KEY_BATCH_COUNT: usize = 2000;

const UNEXPLAINED: &str = "the source holds another row than its binlog says, and the target the one of the binlog: was it changed with sql_log_bin = 0?";
const NOT_PASSED: &str = "the stream did not pass the source's position in time; is the runner up?";

impl Verify {
    /// Sorts suspects into equal, mismatch and unsettled; the last two go into the report.
    pub(super) async fn settle(
        &self,
        state: &TableState,
        suspects: Vec<Row>,
        report: &mut TableReport,
    ) -> Result<(), Fault> {
        for batch in suspects.chunks(KEY_BATCH_COUNT) {
            if state.table.is_cascading() {
                self.settle_family(state, batch.to_vec(), report).await?;
            } else {
                self.settle_batch(state, batch.to_vec(), report).await?;
            }
        }
        Ok(())
    }

    async fn settle_family(
        &self,
        state: &TableState,
        mut keys: Vec<Row>,
        report: &mut TableReport,
    ) -> Result<(), Fault> {
        let table = &state.table;
        // What the source showed at the last look, and for how many looks.
        let mut steady: HashMap<Row, (Option<Row>, usize)> = HashMap::new();
        for _ in 0..LOOK_COUNT_MAX {
            let source_rows = by_key(table, self.source.read_keys(table, &keys).await?);
            let end = self.source.end().await?;
            if !self.wait_until_passed(&end).await? {
                return unsettled(report, keys, NOT_PASSED);
            }
            let target_rows = by_key(table, self.target.read_keys(table, &keys).await?);
            keys.retain(|key| source_rows.get(key) != target_rows.get(key));
            let mut open = Vec::new();
            for key in keys {
                let source = source_rows.get(&key);
                let seen = steady.entry(key.clone()).or_insert((None, 0));
                let looks = if seen.0.as_ref() == source { seen.1 } else { 0 };
                *seen = (source.cloned(), looks + 1);
                if looks + 1 == STEADY_LOOK_COUNT {
                    let found = mismatch(table, &key, source, target_rows.get(&key));
                    report.mismatches.push(found);
                } else {
                    open.push(key);
                }
            }
            keys = open;
            if keys.is_empty() {
                return Ok(());
            }
        }
        unsettled(report, keys, "the row changed at every look")
    }

    async fn settle_batch(
        &self,
        state: &TableState,
        mut keys: Vec<Row>,
        report: &mut TableReport,
    ) -> Result<(), Fault> {
        let table = &state.table;
        for _ in 0..LOOK_COUNT_MAX {
            let visible = self.source.start().await?;
            let source_rows = by_key(table, self.source.read_keys(table, &keys).await?);
            let end = self.source.end_behind(table).await?;
            if !self.wait_until_passed(&end).await? {
                return unsettled(report, keys, NOT_PASSED);
            }
            let target_rows = by_key(table, self.target.read_keys(table, &keys).await?);
            keys.retain(|key| {
                let (there, here) = (source_rows.get(key), target_rows.get(key));
                let is_explained = |report: &mut TableReport| {
                    !table.leaves().is_nothing()
                        && report.explains(table, there.is_some(), here.is_some())
                };
                there != here && !is_explained(report)
            });
            if keys.is_empty() {
                return Ok(());
            }
            let images = self.images(state, &keys, (&visible, &end)).await?;
            if images.redefined {
                return unsettled(
                    report,
                    keys,
                    "the table's definition changed while it was compared",
                );
            }
            let mut unexplained = Vec::new();
            for key in keys.iter().filter(|key| !images.later.contains(*key)) {
                let source = source_rows.get(key);
                let expected = images.last.get(key).map_or(source, Option::as_ref);
                if expected != target_rows.get(key) {
                    report
                        .mismatches
                        .push(mismatch(table, key, expected, target_rows.get(key)));
                } else if !images.explain(key, source) {
                    unexplained.push(key.clone());
                }
            }
            unsettled(report, unexplained, UNEXPLAINED)?;
            keys.retain(|key| images.later.contains(key));
            if keys.is_empty() {
                return Ok(());
            }
        }
        unsettled(report, keys, "the row changed at every look")
    }

    /// The last image of each key between two positions, and the keys changed behind the second
    /// one up to the binlog's end: the target may hold such a change before its checkpoint does.
    async fn images(
        &self,
        state: &TableState,
        keys: &[Row],
        (visible, end): (&Position, &Position),
    ) -> Result<Images, Fault> {
        let table = &state.table;
        let to = self.source.end().await?;
        let wanted: HashSet<&Row> = keys.iter().collect();
        let mut images = Images::default();
        let tables = [state.clone()];
        each_change(
            self.source.as_ref(),
            &self.selection,
            &tables,
            (visible, &to),
            |seen| match seen {
                Seen::Change { change, part } => {
                    let sides = [(change.before(), None), (change.after(), change.after())];
                    for (image, left_behind) in sides {
                        let Some(key) = image.map(|image| key_of(table, image)) else {
                            continue;
                        };
                        if !wanted.contains(&key) {
                            continue;
                        }
                        if lies_behind(part, end) {
                            images.later.insert(key);
                        } else {
                            images.last.insert(key, left_behind.cloned());
                        }
                    }
                    images.add_states(table, change, &wanted);
                }
                Seen::Redefined(name) => images.redefined |= *name == table.name,
            },
        )
        .await?;
        Ok(images)
    }

    /// Waits until the stream has applied everything up to `position`.
    pub(super) async fn wait_until_passed(&self, position: &Position) -> Result<bool, Fault> {
        let begin = Instant::now();
        while begin.elapsed() < PASS_WAIT_MAX {
            if self.applied_to().await?.reaches(position) {
                return Ok(true);
            }
            tokio::time::sleep(PASS_POLL).await;
        }
        Ok(false)
    }

    async fn applied_to(&self) -> Result<Position, Fault> {
        let task = self.target.stored().await?.ok_or_else(super::not_loaded)?;
        Ok(task.checkpoint.ok_or_else(super::not_loaded)?.applied_to)
    }
}

#[derive(Default)]
struct Images {
    /// The inner `None`: the key's row was deleted or moved away.
    last: HashMap<Row, Option<Row>>,
    later: HashSet<Row>,
    /// Hashes of all that a key's row was or became, `None` for no row.
    states: HashMap<Row, HashSet<Option<u128>>>,
    redefined: bool,
}

impl Images {
    fn add_states(&mut self, table: &Table, change: &Change, wanted: &HashSet<&Row>) {
        let sides = [change.before(), change.after()];
        let keys = sides.map(|side| side.map(|row| key_of(table, row)));
        for key in keys.iter().flatten().filter(|key| wanted.contains(key)) {
            let states = self.states.entry(key.clone()).or_default();
            for (row, its_key) in sides.iter().zip(&keys) {
                let is_here = its_key.as_ref() == Some(key);
                states.insert(row.filter(|_| is_here).map(|row| row_hash(row.encoded())));
            }
        }
    }

    /// True where the binlog knows what a read of the source showed under this key. What it does
    /// not know was written past the binlog, or the binlog is misread: then target and binlog
    /// agree, and the source with neither.
    fn explain(&self, key: &Row, source: Option<&Row>) -> bool {
        let seen = source.map(|row| row_hash(row.encoded()));
        self.states
            .get(key)
            .is_none_or(|states| states.contains(&seen))
    }
}

fn unsettled(report: &mut TableReport, keys: Vec<Row>, reason: &str) -> Result<(), Fault> {
    report
        .unsettled
        .extend(keys.into_iter().map(|key| (key, reason.to_owned())));
    Ok(())
}

fn by_key(table: &Table, rows: Vec<Row>) -> HashMap<Row, Row> {
    rows.into_iter()
        .map(|row| (key_of(table, &row), row))
        .collect()
}

fn mismatch(table: &Table, key: &Row, source: Option<&Row>, target: Option<&Row>) -> Mismatch {
    let (kind, columns) = match (source, target) {
        (Some(_), None) => (MismatchKind::Missing, Vec::new()),
        (None, _) => (MismatchKind::Extra, Vec::new()),
        (Some(source), Some(target)) => {
            let pairs = source.values().zip(target.values()).zip(&table.columns);
            let names = pairs
                .filter(|((source, target), _)| source != target)
                .map(|(_, column)| column.name.clone());
            (MismatchKind::Different, names.collect())
        }
    };
    Mismatch {
        key: key.clone(),
        kind,
        columns,
    }
}
