//! Bounded pipes of rows: every queue is bounded by batches and by bytes.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use wherry_model::{Fault, RowBatch, Skipped};

/// Batches that may wait in one pipe. One is on the way while one is being written.
const PIPE_BATCH_COUNT_MAX: usize = 2;

/// Rows are gathered into batches of about this size; a larger row is a batch of its own.
pub const BATCH_BYTES: usize = 256 << 10;

const UNIT: usize = 1 << 10;

/// Bytes of rows that may be under way at once, over all pipes.
#[derive(Debug, Clone)]
pub struct Budget {
    permits: Arc<Semaphore>,
    units_max: u32,
}

impl Budget {
    pub fn new(bytes_max: u64) -> Budget {
        let units_max = u32::try_from(bytes_max / UNIT as u64)
            .unwrap_or(u32::MAX >> 4)
            .max(1);
        Budget {
            permits: Arc::new(Semaphore::new(units_max as usize)),
            units_max,
        }
    }

    /// Waits until `bytes` fit. More than the whole budget waits for all of it.
    pub async fn acquire(&self, bytes: usize) -> OwnedSemaphorePermit {
        let units = u32::try_from(bytes.div_ceil(UNIT))
            .unwrap_or(u32::MAX)
            .clamp(1, self.units_max);
        let permits = Arc::clone(&self.permits).acquire_many_owned(units).await;
        permits.expect("the budget's semaphore is never closed")
    }
}

/// A pipe for rows, bounded by batches and by `budget`.
pub fn row_pipe(budget: &Budget) -> (RowSender, RowReceiver) {
    let (sender, receiver) = mpsc::channel(PIPE_BATCH_COUNT_MAX);
    (
        RowSender {
            sender,
            budget: budget.clone(),
        },
        RowReceiver {
            receiver,
            held: None,
            skipped: Skipped::default(),
        },
    )
}

/// Runs a reading into a pipe beside the work that takes its rows, and returns what the work
/// returns. A reading that fails makes the work fail: it meets the fault where rows should come.
pub async fn carry<R, W, T>(
    budget: &Budget,
    read: impl FnOnce(RowSender) -> R,
    work: impl FnOnce(RowReceiver) -> W,
) -> Result<T, Fault>
where
    R: Future<Output = Result<(), Fault>>,
    W: Future<Output = Result<T, Fault>>,
{
    let (sender, receiver) = row_pipe(budget);
    let reading = read(sender.clone());
    let reading = async move {
        if let Err(fault) = reading.await {
            sender.fail(fault).await;
        }
    };
    let ((), worked) = tokio::join!(reading, work(receiver));
    worked
}

#[derive(Debug, Clone)]
pub struct RowSender {
    sender: mpsc::Sender<Result<(RowBatch, OwnedSemaphorePermit), Fault>>,
    budget: Budget,
}

impl RowSender {
    /// Sends a batch; waits while the pipe or the budget is full. False: the receiver is gone.
    pub async fn send(&self, batch: RowBatch) -> bool {
        let permit = self.budget.acquire(batch.byte_count()).await;
        self.sender.send(Ok((batch, permit))).await.is_ok()
    }

    /// Ends the pipe with a failure, so that the receiver does not take the end for success.
    pub async fn fail(&self, fault: Fault) {
        let _ = self.sender.send(Err(fault)).await;
    }
}

#[derive(Debug)]
pub struct RowReceiver {
    receiver: mpsc::Receiver<Result<(RowBatch, OwnedSemaphorePermit), Fault>>,
    held: Option<OwnedSemaphorePermit>,
    skipped: Skipped,
}

impl RowReceiver {
    /// The next batch with rows; `None` at the end. The batch's share of the budget is given back when
    /// the next one is asked for.
    pub async fn next(&mut self) -> Result<Option<RowBatch>, Fault> {
        self.held = None;
        while let Some(sent) = self.receiver.recv().await {
            let (mut batch, permit) = sent?;
            self.skipped.add(std::mem::take(&mut batch.skipped));
            if !batch.is_empty() {
                self.held = Some(permit);
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    /// What was left out beside the batches since this was asked last.
    pub fn take_skipped(&mut self) -> Skipped {
        std::mem::take(&mut self.skipped)
    }
}
