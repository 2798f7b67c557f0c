//! A group: consecutive source transactions that are applied together.

use crate::ports::StreamItem;
use crate::progress::Age;
use crate::state::Checkpoint;
use tokio::sync::OwnedSemaphorePermit;
use wherry_model::{Change, SkippedRows};

/// Changes in source order, up to a checkpoint.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) changes: Vec<Change>,
    pub(super) skipped: SkippedRows,
    pub(super) byte_count: usize,
    /// Where the group ends; `None` while it ends inside a transaction.
    pub(super) checkpoint: Option<Checkpoint>,
    pub(super) ends_inside_transaction: bool,
    /// How old the last of it is.
    pub(super) age: Age,
    pub(super) transactions: u64,
    /// What follows the group and must stand alone.
    pub(super) barrier: Option<StreamItem>,
    /// Nothing of what comes behind the place at which the reading was to be cut is in the group,
    /// and it is the last one before it.
    pub(super) at_cut: bool,
    /// Shares of the byte budget, given back with the group.
    permits: Vec<OwnedSemaphorePermit>,
}

impl Group {
    /// Takes an item in, or gives it back where it is a barrier.
    pub(super) fn take_in(
        &mut self,
        item: StreamItem,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Option<StreamItem> {
        match item {
            StreamItem::Changes(part) => {
                self.byte_count += part.byte_count;
                self.changes.extend(part.changes);
                self.skipped.add(part.skipped);
                self.permits.extend(permit);
                if part.last {
                    self.age.committed_at_us = Some(part.committed_at_us);
                }
                self.age.caught_up = false;
                self.ends_inside_transaction = !part.last;
                if part.last {
                    self.checkpoint = Some(part.checkpoint);
                    self.transactions += 1;
                } else {
                    self.checkpoint = None;
                }
                None
            }
            StreamItem::Passed {
                checkpoint,
                committed_at_us,
                caught_up,
            } => {
                self.checkpoint = Some(checkpoint);
                self.age.committed_at_us = committed_at_us.or(self.age.committed_at_us);
                self.age.caught_up = caught_up;
                None
            }
            barrier @ (StreamItem::Ddl(_) | StreamItem::Refused { .. }) => Some(barrier),
        }
    }
}
