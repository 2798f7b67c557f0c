//! The heartbeat: one row at the source, written again and again while a task streams.
//!
//! Owns the only task of Wherry that writes to the source. It ends with its handle. A cutover waits
//! for its end before it stops the writes, so that none of Wherry's own comes behind them.

use crate::ports::Source;
use crate::progress::Board;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use wherry_model::Fault;
use wherry_model::task::HeartbeatSpec;

/// How long the source may take to answer the last beat before a cutover gives up.
const LAST_BEAT_MAX: Duration = Duration::from_secs(60);

/// What a heartbeat works with.
#[derive(Clone)]
pub struct Heartbeat {
    pub source: Arc<dyn Source>,
    pub board: Arc<Board>,
    pub spec: HeartbeatSpec,
    pub task: String,
}

/// A heartbeat that is being written. Dropped, it ends at once; a beat under way may still be written.
pub(crate) struct Beating {
    heartbeat: Heartbeat,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Drop for Beating {
    fn drop(&mut self) {
        self.task.abort();
        self.heartbeat.board.beats(false);
    }
}

impl Heartbeat {
    /// Beats now, and then once each interval.
    pub(crate) fn begin(&self, cancel: &CancellationToken) -> Beating {
        self.board.beats(true);
        let stop = cancel.child_token();
        Beating {
            heartbeat: self.clone(),
            task: tokio::spawn(beat_until_stopped(self.clone(), stop.clone())),
            stop,
        }
    }
}

impl Beating {
    /// Ends it at once, with the stream.
    pub(crate) async fn end(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// Ends it; when this returns, no beat of it comes to the source any more.
    ///
    /// Errors: `CUT-014` where the source does not answer the last one.
    pub(crate) async fn stop(mut self) -> Result<(), Fault> {
        self.stop.cancel();
        if tokio::time::timeout(LAST_BEAT_MAX, &mut self.task)
            .await
            .is_ok()
        {
            return Ok(());
        }
        Err(Fault::operator(
            "CUT-014",
            "the source did not answer the last write of the heartbeat",
        )
        .hint("See what blocks writes at the source, then cut over again; nothing was switched."))
    }
}

/// A beat under way is never left alone: only then is it known to be the last one.
async fn beat_until_stopped(heartbeat: Heartbeat, stop: CancellationToken) {
    let Heartbeat {
        source,
        board,
        spec,
        task,
    } = heartbeat;
    let interval = Duration::from_secs(u64::from(spec.interval_seconds.max(1)));
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut fails = false;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match source.beat(&spec.database, &task).await {
            Ok(()) if fails => {
                fails = false;
                board.beat(None);
                tracing::info!("the heartbeat is written again");
            }
            Ok(()) => {}
            Err(fault) => {
                let mut words = fault.message.clone();
                for cause in fault.causes() {
                    words.push_str(": ");
                    words.push_str(&cause);
                }
                if !fails {
                    tracing::warn!(code = fault.code, next = %fault.hint, "{words}; the stream goes on, and it is tried again");
                }
                fails = true;
                board.beat(Some(words));
            }
        }
    }
}
