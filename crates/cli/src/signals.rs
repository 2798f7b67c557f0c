//! Ctrl-C and SIGTERM: the first one asks for a stop at a checkpoint, the second one ends the
//! process at once, which is safe too.

use crate::exit::Exit;
use std::io::Write as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that the first signal cancels.
pub fn watch() -> std::io::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        let _ = writeln!(
            std::io::stderr(),
            "stopping at a checkpoint; a second signal stops at once"
        );
        cancelled.cancel();
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        std::process::exit(i32::from(Exit::Stopped.code()));
    });
    Ok(token)
}
