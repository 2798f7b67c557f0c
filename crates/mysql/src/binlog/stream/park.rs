//! Prepared XA transactions: their changes wait here for the outcome.
//!
//! The rows of an XA transaction are in the binlog at its prepare, the outcome comes later and
//! alone. Nothing here is stored: after a restart, reading begins at the oldest open prepare.

use crate::ddl::Xid;
use std::collections::HashMap;
use wherry_model::{Change, Position};

/// Changes of all open prepared transactions together.
pub const PARKED_BYTES_MAX: usize = 64 << 20;

#[derive(Debug)]
pub struct Parked {
    /// Where the transaction begins; reading may not begin later while it is open.
    pub begin: Position,
    pub changes: Vec<Change>,
    pub byte_count: usize,
}

#[derive(Debug, Default)]
pub struct Parks {
    open: HashMap<XidKey, Parked>,
    byte_count: usize,
}

type XidKey = (u32, Vec<u8>, Vec<u8>);

fn key(xid: &Xid) -> XidKey {
    (xid.format, xid.gtrid.clone(), xid.bqual.clone())
}

impl Parks {
    /// False when there is no room.
    #[must_use]
    pub fn park(&mut self, xid: &Xid, parked: Parked) -> bool {
        self.release(xid);
        self.byte_count += parked.byte_count;
        self.open.insert(key(xid), parked);
        self.byte_count <= PARKED_BYTES_MAX
    }

    /// Takes a transaction out, for its outcome.
    pub fn release(&mut self, xid: &Xid) -> Option<Parked> {
        let parked = self.open.remove(&key(xid))?;
        self.byte_count -= parked.byte_count;
        Some(parked)
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Bytes that one more transaction may hold.
    pub fn room(&self) -> usize {
        PARKED_BYTES_MAX.saturating_sub(self.byte_count)
    }

    /// The begin of the oldest open transaction.
    pub fn oldest(&self) -> Option<&Position> {
        self.open
            .values()
            .map(|parked| &parked.begin)
            .min_by(|left, right| left.compare(right))
    }
}
