//! What is done about a fault, by its class; and the one retry loop.

use crate::ports::Target;
use crate::progress::Board;
use std::future::Future;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use wherry_model::{Class, Fault, Position, TableName};

/// What the runner does about a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Go on from the last stored state after a pause.
    Retry,
    /// End the process with the class's exit code.
    End,
}

/// The class-to-action table.
pub fn action(class: Class) -> Action {
    match class {
        Class::Transient => Action::Retry,
        Class::Input | Class::Operator | Class::Fenced | Class::Bug => Action::End,
    }
}

/// Transient faults in a row are borne for this long; any stored progress starts it anew.
const RETRY_WINDOW: Duration = Duration::from_secs(60 * 60);
const BACKOFF_FIRST: Duration = Duration::from_millis(200);
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// An attempt that ran for this long counts as progress.
const ATTEMPT_PROGRESS: Duration = Duration::from_secs(60);

/// Code of the fault that means "stopped by the user at a checkpoint".
pub const CANCELLED: &str = "RUN-130";

pub fn cancelled() -> Fault {
    Fault::operator(CANCELLED, "stopped by the user at a checkpoint")
        .hint("Run the same command again to go on.")
}

/// Stops one table: stored, shown and logged with its reason.
pub(crate) async fn stop_table(
    target: &dyn Target,
    board: &Board,
    table: &TableName,
    fault: &Fault,
    position: &Position,
) -> Result<(), Fault> {
    tracing::error!(%table, code = fault.code, %position, "table stopped: {fault}");
    target.stop_table(fault, position).await?;
    board.stopped(table, &fault.message);
    Ok(())
}

/// Runs `attempt` until it succeeds, fails for good, or transient faults outlast the window.
/// Shows on the board what fails and since when.
///
/// Cancel: returns `RUN-130` at the next pause; `attempt` itself must watch the token.
pub async fn retry<T, F>(
    what: &str,
    board: &Board,
    cancel: &CancellationToken,
    mut attempt: impl FnMut() -> F,
) -> Result<T, Fault>
where
    F: Future<Output = Result<T, Fault>>,
{
    let mut failing_since: Option<Instant> = None;
    let mut backoff = BACKOFF_FIRST;
    loop {
        let began = Instant::now();
        let fault = match attempt().await {
            Ok(value) => return Ok(value),
            Err(fault) => fault,
        };
        if action(fault.class) == Action::End {
            return Err(fault);
        }
        if began.elapsed() > ATTEMPT_PROGRESS {
            failing_since = None;
            backoff = BACKOFF_FIRST;
        }
        let since = *failing_since.get_or_insert(began);
        if since.elapsed() > RETRY_WINDOW {
            return Err(fault);
        }
        let causes = fault.causes().join(": ");
        board.trouble(format!("{what}: {fault}"), since);
        tracing::warn!(code = fault.code, %causes, "{what} failed and is tried again: {fault}");
        tokio::select! {
            () = cancel.cancelled() => return Err(cancelled()),
            () = tokio::time::sleep(backoff) => {}
        }
        backoff = (backoff * 2).min(BACKOFF_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[tokio::test(start_paused = true)]
    async fn transient_faults_are_tried_again_and_others_are_not() {
        let cancel = CancellationToken::new();
        let board = Board::new("test");
        let tries = Cell::new(0);
        let result = retry("a test", &board, &cancel, || async {
            tries.set(tries.get() + 1);
            if tries.get() < 3 {
                Err(Fault::transient("RUN-990", "lost"))
            } else {
                Ok(tries.get())
            }
        });
        assert_eq!(result.await.expect("third try succeeds"), 3);
        let fault: Fault = retry("a test", &board, &cancel, || async {
            Err::<(), _>(Fault::operator("RUN-991", "no"))
        })
        .await
        .expect_err("operator faults end");
        assert_eq!(fault.code, "RUN-991");
    }
}
