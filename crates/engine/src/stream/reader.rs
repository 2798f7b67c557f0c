//! Pulls items from the source's stream in a task of its own and gathers them into groups.

use super::group::Group;
use crate::pipe::Budget;
use crate::ports::{ChangeStream, StreamItem};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinHandle;
use wherry_model::{Fault, Position, Table, TableName};

/// Items read ahead of the scheduler; their bytes are bounded by the budget.
const ITEM_QUEUE_COUNT_MAX: usize = 8192;
/// A group takes in no more once it holds this many changes or bytes.
const GROUP_CHANGE_COUNT_MAX: usize = 8192;
const GROUP_BYTES_MAX: usize = 8 << 20;

/// What the stream is told before it goes on behind a barrier.
#[derive(Debug)]
pub(super) enum Reply {
    Track(Arc<Table>, Position),
    Untrack(TableName),
}

type Item = Result<(StreamItem, Option<OwnedSemaphorePermit>), Fault>;

/// The reading task and its queue. Dropping it ends the reading.
pub(super) struct Reader {
    items: mpsc::Receiver<Item>,
    replies: mpsc::Sender<Vec<Reply>>,
    task: JoinHandle<()>,
    /// An item that did not fit into the last group.
    next: Option<(StreamItem, Option<OwnedSemaphorePermit>)>,
    /// No group holds changes from both sides of this place.
    cut: Option<Position>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Reader {
    pub(super) fn spawn(
        stream: Box<dyn ChangeStream>,
        budget: Budget,
        cut: Option<Position>,
    ) -> Reader {
        let (item_sender, items) = mpsc::channel(ITEM_QUEUE_COUNT_MAX);
        let (replies, reply_receiver) = mpsc::channel(1);
        let task = tokio::spawn(read(stream, budget, item_sender, reply_receiver));
        Reader {
            items,
            replies,
            task,
            next: None,
            cut,
        }
    }

    /// Lets the reading go on behind a barrier.
    pub(super) fn go_on(&self, replies: Vec<Reply>) {
        // The queue holds one answer and each barrier is answered once; a reader that is gone
        // shows itself at the next item.
        let _ = self.replies.try_send(replies);
    }

    /// The next group: one item, and on a backlog as many more as fit. The last one before the cut
    /// may be empty, and none comes behind it.
    ///
    /// Cancel: safe; an item that was taken is kept for the next call.
    pub(super) async fn next_group(&mut self) -> Result<Group, Fault> {
        let mut group = Group::default();
        if self.next.is_none() {
            self.next = Some(self.receive().await?);
        }
        while let Some((item, permit)) = self.next.take() {
            if self.cut.as_ref().is_some_and(|cut| lies_behind(&item, cut)) {
                self.next = Some((item, permit));
                group.at_cut = true;
                break;
            }
            if let Some(barrier) = group.take_in(item, permit) {
                group.barrier = Some(barrier);
                break;
            }
            let reached = |cut| {
                let checkpoint = group.checkpoint.as_ref();
                checkpoint.is_some_and(|checkpoint| checkpoint.applied_to.reaches(cut))
            };
            if self.cut.as_ref().is_some_and(reached) {
                group.at_cut = true;
                break;
            }
            let full = group.changes.len() >= GROUP_CHANGE_COUNT_MAX
                || group.byte_count >= GROUP_BYTES_MAX;
            if full || group.ends_inside_transaction {
                break;
            }
            self.next = self.items.try_recv().ok().transpose()?;
        }
        Ok(group)
    }

    async fn receive(&mut self) -> Result<(StreamItem, Option<OwnedSemaphorePermit>), Fault> {
        match self.items.recv().await {
            Some(item) => item,
            None => Err(Fault::bug(
                "STR-003",
                "the stream's reading task ended without a fault",
            )),
        }
    }
}

/// True where an item holds changes from behind a place, which lies at the border of a transaction.
fn lies_behind(item: &StreamItem, place: &Position) -> bool {
    match item {
        StreamItem::Changes(part) if part.last => !place.reaches(&part.checkpoint.applied_to),
        StreamItem::Changes(part) => part.checkpoint.applied_to.reaches(place),
        StreamItem::Ddl(ddl) => !place.reaches(&ddl.end),
        StreamItem::Passed { .. } | StreamItem::Refused { .. } => false,
    }
}

async fn read(
    mut stream: Box<dyn ChangeStream>,
    budget: Budget,
    items: mpsc::Sender<Item>,
    mut replies: mpsc::Receiver<Vec<Reply>>,
) {
    loop {
        let item = match stream.next().await {
            Ok(item) => item,
            Err(fault) => {
                let _ = items.send(Err(fault)).await;
                return;
            }
        };
        let permit = match &item {
            StreamItem::Changes(part) => Some(budget.acquire(part.byte_count).await),
            _ => None,
        };
        let is_barrier = matches!(item, StreamItem::Ddl(_) | StreamItem::Refused { .. });
        if items.send(Ok((item, permit))).await.is_err() {
            return;
        }
        if !is_barrier {
            continue;
        }
        let Some(answers) = replies.recv().await else {
            return;
        };
        for answer in answers {
            match answer {
                Reply::Track(table, start) => stream.track(table, start),
                Reply::Untrack(table) => stream.untrack(&table),
            }
        }
    }
}
