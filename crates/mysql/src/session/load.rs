//! `LOAD DATA LOCAL INFILE` fed from memory.

use async_trait::async_trait;
use wherry_model::Fault;

/// Gives the bytes of a `LOAD DATA LOCAL INFILE` statement, piece by piece.
#[async_trait]
pub trait LoadFeed: Send {
    /// Appends the next bytes to `out`, which comes empty; about 1 MiB a time is right. Returns
    /// false when these were the last. A fault aborts the statement and drops the connection.
    async fn fill(&mut self, out: &mut Vec<u8>) -> Result<bool, Fault>;
}
