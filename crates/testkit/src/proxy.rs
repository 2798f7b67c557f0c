//! A TCP proxy that hurts connections on purpose: cuts, stalls, delays, resets, half-closes and refusals.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::failure::{Failure, Result};

/// Stands for "no cut is planned".
const NO_CUT: i64 = i64::MAX;

/// What happens to bytes that pass. It holds for open and new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Bytes pass as they come.
    None,
    /// Connections stay open, nothing passes in either direction.
    Stall,
    /// Each piece of data is held back for so long.
    Delay(Duration),
    /// New connections are closed at once; open ones go on.
    Refuse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Reset,
    /// The server's direction ends in an orderly way; the client may go on talking into the void.
    HalfClose,
}

struct Shared {
    server: (String, u16),
    fault: watch::Receiver<Fault>,
    ends: watch::Receiver<(u64, End)>,
    /// Bytes from the server that may still pass before everything is cut.
    until_cut: AtomicI64,
    connections: AtomicU64,
    bytes: AtomicU64,
}

/// A proxy in front of one server. Dropping it closes all connections.
pub struct FaultProxy {
    port: u16,
    shared: Arc<Shared>,
    fault: watch::Sender<Fault>,
    ends: watch::Sender<(u64, End)>,
    accepting: JoinHandle<()>,
}

impl FaultProxy {
    /// Listens on a free loopback port and forwards to the server's.
    pub async fn start(server_port: u16) -> Result<FaultProxy> {
        let failed = |error: std::io::Error| Failure::because("could not start a proxy", error);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let (fault, fault_seen) = watch::channel(Fault::None);
        let (ends, ends_seen) = watch::channel((0, End::Reset));
        let shared = Arc::new(Shared {
            server: ("127.0.0.1".to_owned(), server_port),
            fault: fault_seen,
            ends: ends_seen,
            until_cut: AtomicI64::new(NO_CUT),
            connections: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(FaultProxy {
            port,
            shared,
            fault,
            ends,
            accepting,
        })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Address through the proxy for the accounts that every test server has.
    pub fn url(&self, user: &str) -> String {
        let password = if user == "mover" { ":mover" } else { "" };
        format!("mysql://{user}{password}@127.0.0.1:{}", self.port)
    }

    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// Closes the connection on which the server's data passes this many further bytes, in the middle of its data.
    /// Then bytes pass again.
    pub fn cut_after(&self, bytes: u32) {
        self.shared
            .until_cut
            .store(i64::from(bytes), Ordering::SeqCst);
    }

    /// Resets all connections now.
    pub fn reset(&self) {
        self.ends
            .send_modify(|(round, end)| (*round, *end) = (*round + 1, End::Reset));
    }

    /// Ends the server's direction of all connections now, as a server does that shuts down.
    pub fn half_close(&self) {
        self.ends
            .send_modify(|(round, end)| (*round, *end) = (*round + 1, End::HalfClose));
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Bytes that came from the server so far.
    pub fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.reset();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        shared.connections.fetch_add(1, Ordering::Relaxed);
        if *shared.fault.borrow() == Fault::Refuse {
            reset(&client);
            continue;
        }
        tokio::spawn(forward(client, Arc::clone(&shared)));
    }
}

/// Carries one connection until either side or a fault ends it.
async fn forward(client: TcpStream, shared: Arc<Shared>) {
    let mut ends = shared.ends.clone();
    ends.mark_unchanged();
    let Ok(server) = TcpStream::connect((shared.server.0.as_str(), shared.server.1)).await else {
        return reset(&client);
    };
    let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let upstream = async {
        carry(&mut from_client, &mut to_server, &shared, false).await;
    };
    let downstream = async {
        carry(&mut from_server, &mut to_client, &shared, true).await;
    };
    let end = tokio::select! {
        () = upstream => None,
        () = downstream => None,
        changed = ends.changed() => changed.ok().map(|()| ends.borrow().1),
    };
    match end {
        Some(End::HalfClose) => {
            let _ = to_client.shutdown().await;
            drain(&mut from_client).await;
        }
        Some(End::Reset) => {
            if let Ok(whole) = from_client.reunite(to_client) {
                reset(&whole);
            }
        }
        None => {}
    }
}

/// Copies one direction under the current fault; ends at the first error, at the end of the data, or at a cut.
async fn carry(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    shared: &Shared,
    from_server: bool,
) {
    let mut fault = shared.fault.clone();
    let mut piece = vec![0; 16 * 1024];
    loop {
        let Ok(count @ 1..) = from.read(&mut piece).await else {
            return;
        };
        if fault
            .wait_for(|fault| *fault != Fault::Stall)
            .await
            .is_err()
        {
            return;
        }
        let delay = *fault.borrow();
        if let Fault::Delay(time) = delay {
            tokio::time::sleep(time).await;
        }
        let mut passing = count;
        if from_server {
            shared.bytes.fetch_add(count as u64, Ordering::Relaxed);
            passing = passing_before_cut(shared, count);
        }
        if to.write_all(&piece[..passing]).await.is_err() || passing < count {
            return;
        }
    }
}

/// How much of a piece still passes; less than all of it when the planned cut falls into it.
fn passing_before_cut(shared: &Shared, count: usize) -> usize {
    let count = count as i64;
    let take = |left: i64| {
        if left == NO_CUT {
            None
        } else {
            Some(if left < count { NO_CUT } else { left - count })
        }
    };
    match shared
        .until_cut
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
    {
        Ok(left) if left < count => left as usize,
        _ => count as usize,
    }
}

async fn drain(from: &mut OwnedReadHalf) {
    let mut piece = vec![0; 4096];
    while let Ok(1..) = from.read(&mut piece).await {}
}

/// Closes with a reset instead of an orderly end.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}
