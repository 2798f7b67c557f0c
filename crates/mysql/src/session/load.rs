//! `LOAD DATA LOCAL INFILE` fed from memory.

use super::error::SessionError;
use super::{Answer, COMMAND_QUERY, Outcome, Session};
use async_trait::async_trait;
use wherry_model::Fault;

/// Capacity of the buffer that the feed fills, and largest packet that is made of it: below any
/// server's `max_allowed_packet`. A buffer that grew beyond twice this is given back.
const FEED_BYTES: usize = 1 << 20;

/// Gives the bytes of a `LOAD DATA LOCAL INFILE` statement, piece by piece.
#[async_trait]
pub trait LoadFeed: Send {
    /// Appends the next bytes to `out`, which comes empty; about 1 MiB a time is right. Returns
    /// false when these were the last. A fault aborts the statement and drops the connection.
    async fn fill(&mut self, out: &mut Vec<u8>) -> Result<bool, Fault>;
}

impl Session {
    /// Runs a `LOAD DATA LOCAL INFILE` statement; its bytes come from the feed.
    ///
    /// Use it inside a transaction: when the connection is lost in the middle, a server may keep
    /// the rows that it has under autocommit.
    ///
    /// Errors: a fault of the feed is `Feed`; the connection is then dropped, so that the server
    /// rolls the transaction back.
    pub async fn load_data(
        &mut self,
        sql: impl AsRef<[u8]>,
        feed: &mut dyn LoadFeed,
    ) -> Result<Outcome, SessionError> {
        self.begin(COMMAND_QUERY, sql.as_ref(), "loading data")
            .await?;
        match self.answer(0).await? {
            Answer::LocalFile => {}
            Answer::Done(outcome) => {
                self.drain_results(1).await?;
                return Ok(outcome);
            }
            Answer::Rows(_) => {
                return Err(SessionError::protocol("rows instead of a request for data"));
            }
        }
        let mut buffer = Vec::with_capacity(FEED_BYTES);
        loop {
            buffer.clear();
            self.unwatch();
            let more = match feed.fill(&mut buffer).await {
                Ok(more) => more,
                Err(fault) => {
                    self.wire.cut();
                    return Err(SessionError::Feed(fault));
                }
            };
            self.watch();
            for piece in buffer.chunks(FEED_BYTES) {
                self.send(b"", piece).await?;
            }
            if buffer.capacity() > 2 * FEED_BYTES {
                buffer = Vec::with_capacity(FEED_BYTES);
            }
            if !more {
                break;
            }
        }
        drop(buffer);
        self.send(b"", b"").await?;
        match self.answer(0).await? {
            Answer::Done(outcome) => {
                self.drain_results(1).await?;
                Ok(outcome)
            }
            _ => Err(SessionError::protocol("no outcome after the data")),
        }
    }
}
