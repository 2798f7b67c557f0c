//! One round of the load: a queue of jobs, worked off by a bounded number of hands.
//!
//! A job is one chunk of a keyed table, the whole of an exact table, or a whole family. Whoever finishes the last
//! chunk of a table adds its deferred indexes.

use super::chunker::{Cutter, SizeSeen};
use super::{Load, is_suspect, needs_load};
use crate::family;
use crate::pipe::carry;
use crate::policy::cancelled;
use crate::ports::{ExactSnapshot, LoadOutcome};
use crate::schema::set_stage;
use crate::state::{Chunk, TableStage, TableState};
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wherry_model::{Class, Fault, Table, TableName};

/// Jobs cut ahead of the hands that take them.
const JOB_QUEUE_COUNT_MAX: usize = 4;
/// Attempts at an exact table whose definition changes between plan and snapshot.
const STARTED_AGAIN: &str = "LOAD-003";

enum Job {
    Chunk { table: Arc<OpenTable>, chunk: Chunk },
    Exact { states: Vec<TableState> },
    Indexes { table: Arc<OpenTable> },
}

/// A keyed table whose chunks are under way. Counts jobs that are not finished, plus one while
/// it is still being cut.
struct OpenTable {
    table: Table,
    seen: SizeSeen,
    unfinished: AtomicUsize,
}

/// Loads what needs loading; returns tables that failed in a way a DDL may explain.
pub(super) async fn round(
    load: &Load,
    tables: &[TableState],
    cancel: &CancellationToken,
) -> Result<Vec<(TableName, Fault)>, Fault> {
    let mut waiting: Vec<TableState> = tables
        .iter()
        .filter(|state| needs_load(state))
        .cloned()
        .collect();
    let families = family::to_load(tables);
    let in_family = |state: &TableState| {
        let mut members = families.iter().flatten();
        members.any(|member| member.table.name == state.table.name)
    };
    waiting.retain(|state| !in_family(state));
    waiting.sort_by_key(|state| std::cmp::Reverse(state.table.byte_count_estimate));
    let (sender, receiver) = mpsc::channel(JOB_QUEUE_COUNT_MAX);
    let shared = Arc::new(Shared {
        load: load.clone(),
        queue: AsyncMutex::new(receiver),
        failed: Mutex::new(Failed::default()),
    });
    let mut hands = JoinSet::new();
    for _ in 0..load.job_count {
        hands.spawn(work(Arc::clone(&shared)));
    }
    let feeder = Arc::clone(&shared);
    hands.spawn(async move { feeder.feed(families, waiting, sender).await });
    let finished = async {
        while let Some(joined) = hands.join_next().await {
            joined
                .map_err(|panic| Fault::bug("LOAD-004", "a load worker panicked").cause(panic))??;
        }
        Ok(())
    };
    tokio::select! {
        () = cancel.cancelled() => Err(cancelled()),
        result = finished => result,
    }?;
    let failed = std::mem::take(&mut *shared.failed.lock().expect("no holder panics"));
    Ok(failed.faults)
}

struct Shared {
    load: Load,
    queue: AsyncMutex<mpsc::Receiver<Job>>,
    failed: Mutex<Failed>,
}

#[derive(Default)]
struct Failed {
    tables: HashSet<TableName>,
    faults: Vec<(TableName, Fault)>,
}

async fn work(shared: Arc<Shared>) -> Result<(), Fault> {
    loop {
        let job = shared.queue.lock().await.recv().await;
        let Some(job) = job else { return Ok(()) };
        let name = match &job {
            Job::Chunk { table, .. } | Job::Indexes { table } => table.table.name.clone(),
            Job::Exact { states } => states[0].table.name.clone(),
        };
        if shared.has_failed(&name) {
            continue;
        }
        let result = match job {
            Job::Chunk { table, chunk } => shared.load_chunk(&table, &chunk).await,
            Job::Exact { states } => shared.load_exact(states).await,
            Job::Indexes { table } => shared.finish_job(&table).await,
        };
        if let Err(fault) = result {
            shared.note_failure(name, fault)?;
        }
    }
}

impl Shared {
    fn has_failed(&self, table: &TableName) -> bool {
        self.failed
            .lock()
            .expect("no holder panics")
            .tables
            .contains(table)
    }

    /// Keeps a fault that a DDL may explain for the end of the round; others end it.
    fn note_failure(&self, table: TableName, fault: Fault) -> Result<(), Fault> {
        if !is_suspect(&fault) {
            return Err(fault);
        }
        // A job may be several tables.
        let table = fault.table_name().cloned().unwrap_or(table);
        tracing::warn!(%table, code = fault.code, "the load of a table failed: {fault}");
        let mut failed = self.failed.lock().expect("no holder panics");
        if failed.tables.insert(table.clone()) {
            failed.faults.push((table, fault));
        }
        Ok(())
    }

    async fn feed(
        &self,
        families: Vec<Vec<TableState>>,
        waiting: Vec<TableState>,
        sender: mpsc::Sender<Job>,
    ) -> Result<(), Fault> {
        for states in families {
            let _ = sender.send(Job::Exact { states }).await;
        }
        for state in waiting {
            let name = state.table.name.clone();
            if let Err(fault) = self.feed_table(state, &sender).await {
                self.note_failure(name, fault)?;
            }
        }
        Ok(())
    }

    async fn feed_table(&self, state: TableState, sender: &mpsc::Sender<Job>) -> Result<(), Fault> {
        if state.table.is_exact() && state.stage < TableStage::Copied {
            let states = vec![state];
            let _ = sender.send(Job::Exact { states }).await;
            return Ok(());
        }
        let table = Arc::new(OpenTable {
            table: state.table,
            seen: SizeSeen::default(),
            unfinished: AtomicUsize::new(1),
        });
        if state.stage < TableStage::Copied {
            self.feed_chunks(&table, sender).await?;
        }
        let _ = sender.send(Job::Indexes { table }).await;
        Ok(())
    }

    async fn feed_chunks(
        &self,
        table: &Arc<OpenTable>,
        sender: &mpsc::Sender<Job>,
    ) -> Result<(), Fault> {
        let chunks = self.load.target.chunks(&table.table.name).await?;
        let mut cutter = Cutter::behind(&chunks);
        let send = |chunk: Chunk| {
            table.unfinished.fetch_add(1, Ordering::SeqCst);
            sender.send(Job::Chunk {
                table: Arc::clone(table),
                chunk,
            })
        };
        for chunk in chunks {
            if chunk.done {
                table.seen.add(chunk.row_count, chunk.byte_count);
            } else if send(chunk).await.is_err() {
                return Ok(());
            }
        }
        while let Some(chunk) = self
            .load
            .cut(&mut cutter, &table.table, &table.seen)
            .await?
        {
            if self.has_failed(&table.table.name) || send(chunk).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn load_chunk(&self, table: &OpenTable, chunk: &Chunk) -> Result<(), Fault> {
        let mut outcome = self.copy_chunk(&table.table, chunk, false).await?;
        if outcome.needs_care {
            outcome = self.copy_chunk(&table.table, chunk, true).await?;
        }
        if outcome.left_out > 0 {
            tracing::info!(
                table = %table.table.name,
                chunk = chunk.number,
                rows = outcome.left_out,
                "rows left to the stream, which brings them"
            );
        }
        table.seen.add(outcome.row_count, outcome.byte_count);
        self.load
            .board
            .load_more(&table.table.name, outcome.row_count, outcome.byte_count);
        self.finish_job(table).await
    }

    async fn copy_chunk(
        &self,
        table: &Table,
        chunk: &Chunk,
        careful: bool,
    ) -> Result<LoadOutcome, Fault> {
        let Load { source, target, .. } = &self.load;
        carry(
            &self.load.budget,
            |sender| async move { source.read_range(table, &chunk.range, &sender).await },
            |receiver| async move {
                if careful {
                    target.load_chunk_careful(table, chunk, receiver).await
                } else {
                    target.load_chunk(table, chunk, receiver).await
                }
            },
        )
        .await
    }

    /// The last unfinished job of a table marks it copied and adds its indexes.
    async fn finish_job(&self, table: &OpenTable) -> Result<(), Fault> {
        if table.unfinished.fetch_sub(1, Ordering::SeqCst) != 1 {
            return Ok(());
        }
        self.finish_table(&table.table).await
    }

    async fn finish_table(&self, table: &Table) -> Result<(), Fault> {
        self.set_stage(&table.name, TableStage::Copied).await?;
        self.load.target.add_indexes(table).await?;
        self.set_stage(&table.name, TableStage::Indexed).await
    }

    async fn set_stage(&self, table: &TableName, stage: TableStage) -> Result<(), Fault> {
        set_stage(self.load.target.as_ref(), &self.load.board, table, stage).await
    }

    /// Loads tables from one snapshot. They are emptied before it is opened, since it may hold a
    /// lock; and they count as copied all together or not at all.
    async fn load_exact(&self, states: Vec<TableState>) -> Result<(), Fault> {
        let Load { source, target, .. } = &self.load;
        let tables: Vec<Table> = states.iter().map(|state| state.table.clone()).collect();
        target.empty_tables(&tables).await?;
        let mut snapshot = source.exact_snapshot(&tables).await?;
        for table in &tables {
            // Behind the snapshot's place nobody looks for what lies before it.
            if !snapshot.is_as_planned(table)? {
                return Err(changed_under_snapshot(&table.name));
            }
        }
        let start = snapshot.position().clone();
        self.load.board.exact_snapshot(true);
        let copied = self.copy_exact(snapshot.as_mut(), &tables).await;
        self.load.board.exact_snapshot(false);
        copied?;
        let copied: Vec<TableState> = states
            .into_iter()
            .map(|state| TableState {
                start: start.clone(),
                stage: TableStage::Copied,
                ..state
            })
            .collect();
        target.finish_exact(&copied).await?;
        for table in &tables {
            self.finish_table(table).await?;
        }
        Ok(())
    }

    async fn copy_exact(
        &self,
        snapshot: &mut dyn ExactSnapshot,
        tables: &[Table],
    ) -> Result<(), Fault> {
        for table in tables {
            let snapshot = &mut *snapshot;
            let outcome = carry(
                &self.load.budget,
                |sender| async move { snapshot.read_all(table, &sender).await },
                |receiver| self.load.target.load_exact(table, receiver),
            )
            .await?;
            self.load
                .board
                .loaded(&table.name, outcome.row_count, outcome.byte_count);
        }
        Ok(())
    }
}

fn changed_under_snapshot(table: &TableName) -> Fault {
    Fault::new(
        STARTED_AGAIN,
        Class::Operator,
        format!("definition of table {table} changed before its snapshot"),
    )
    .hint("Wherry plans the table again with its new definition.")
    .table(table)
}
