//! The connection behind the stream: dial, check, read ahead.
//!
//! One task owns the connection and stays a bounded number of bytes ahead of the decoder, so
//! that the socket is read while rows are decoded and applied. Dropping the link ends the task.

use crate::binlog::fault;
use crate::binlog::gtid::{GtidSet, GtidState};
use crate::binlog::place::Boundary;
use crate::binlog::position;
use crate::flavour::ServerVersion;
use crate::session::{BinlogConnection, DumpRequest, Endpoint, Session, SessionError, SessionKind};
use bytes::Bytes;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::task::AbortOnDropHandle;
use wherry_engine::pipe::Budget;
use wherry_model::{Class, Fault};

/// Bytes of events that wait between socket and decoder.
const READ_AHEAD_BYTES: u64 = 16 << 20;

/// The source says so often that it is there; lag is known as exactly.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Silence after which the connection counts as lost. Far above the heartbeat: with GTIDs an old
/// server looks for the place without a word.
const SILENCE_MAX: Duration = Duration::from_secs(120);

/// Server errors that only say that the connection was ended: killed, shut down, interrupted.
const ENDED_CODES: [u16; 4] = [1053, 1152, 1317, 1927];

/// The server's answer when it cannot send the binlog from the place asked for.
const CANNOT_SEND_CODE: u16 = 1236;

/// How to reach the source, and what it must be.
#[derive(Debug, Clone)]
pub struct Dialer {
    pub endpoint: Endpoint,
    pub server_id: u32,
}

/// What the source said about itself when it was first reached.
#[derive(Debug, Clone)]
pub struct SourceFacts {
    pub version: ServerVersion,
    /// UUID, or server id where there is none.
    pub identity: String,
    pub gtid_mode_on: bool,
    pub lower_case_names: bool,
    /// What a statement ran under where the binlog does not say it.
    pub explicit_defaults_for_timestamp: Option<bool>,
    /// Rows that cascades of foreign keys change are not in its binlog.
    pub hides_cascades: bool,
}

/// An event, or why there are no more; bytes count until the permit is dropped.
pub type Arrival = (Result<Bytes, Fault>, Option<OwnedSemaphorePermit>);

#[derive(Debug)]
pub struct Link {
    arrivals: mpsc::UnboundedReceiver<Arrival>,
    _task: AbortOnDropHandle<()>,
}

impl Link {
    /// Reads ahead on a connection that is already there.
    pub fn over(connection: BinlogConnection) -> Link {
        Link::spawn(|sender| async move { read_ahead(connection, &sender).await })
    }

    /// Waits, dials again and reads ahead. A source that cannot be reached is an arrival too.
    pub fn redial(dialer: Dialer, from: Boundary, facts: SourceFacts, delay: Duration) -> Link {
        Link::spawn(move |sender| async move {
            tokio::time::sleep(delay).await;
            match dialer.dial(&from, Some(&facts)).await {
                Ok((connection, _)) => read_ahead(connection, &sender).await,
                Err(fault) => drop(sender.send((Err(fault), None))),
            }
        })
    }

    fn spawn<F>(work: impl FnOnce(mpsc::UnboundedSender<Arrival>) -> F) -> Link
    where
        F: Future<Output = ()> + Send + 'static,
    {
        // The channel itself has no bound: the budget bounds its bytes, and counts at least
        // 1 KiB for each event.
        let (sender, arrivals) = mpsc::unbounded_channel();
        let task = AbortOnDropHandle::new(tokio::spawn(work(sender)));
        Link {
            arrivals,
            _task: task,
        }
    }

    /// The next arrival; `None` when the task ended. Cancel: safe.
    pub async fn next(&mut self) -> Option<Arrival> {
        self.arrivals.recv().await
    }

    /// The next arrival if there is one at once.
    pub fn try_next(&mut self) -> Option<Arrival> {
        self.arrivals.try_recv().ok()
    }
}

async fn read_ahead(mut connection: BinlogConnection, sender: &mpsc::UnboundedSender<Arrival>) {
    let budget = Budget::new(READ_AHEAD_BYTES);
    loop {
        match connection.next_event().await {
            Ok(Some(event)) => {
                let permit = budget.acquire(event.len()).await;
                if sender.send((Ok(event), Some(permit))).is_err() {
                    return;
                }
            }
            Ok(None) => {
                let _ = sender.send((Err(fault::dump_ended()), None));
                return;
            }
            Err(error) => {
                let _ = sender.send((Err(dump_fault(error)), None));
                return;
            }
        }
    }
}

/// A lost connection is transient, whatever ended it; a refusal is not.
pub(in crate::binlog) fn dump_fault(error: SessionError) -> Fault {
    match &error {
        SessionError::Server { code, message, .. } if *code == CANNOT_SEND_CODE => {
            fault::refused_dump(message)
        }
        SessionError::Server { code, .. } if ENDED_CODES.contains(code) => {
            fault::dump_ended().cause(error)
        }
        _ => error.into_fault(),
    }
}

impl Dialer {
    /// Connects and asks for the binlog behind `from`. `expected` is what the source was before.
    pub async fn dial(
        &self,
        from: &Boundary,
        expected: Option<&SourceFacts>,
    ) -> Result<(BinlogConnection, SourceFacts), Fault> {
        let mut endpoint = self.endpoint.clone();
        endpoint.read_timeout = endpoint.read_timeout.min(SILENCE_MAX);
        let connected = Session::connect(&endpoint, SessionKind::Control).await;
        let mut session = connected.map_err(|error| match (&error, expected) {
            // A source that was there before is starting again, or fails over.
            (SessionError::Connect { .. }, Some(_)) => Fault {
                class: Class::Transient,
                ..error.into_fault()
            },
            _ => error.into_fault(),
        })?;
        let facts = ask_facts(&mut session).await?;
        if let Some(expected) = expected
            && expected.identity != facts.identity
        {
            return Err(fault::other_server(&expected.identity, &facts.identity));
        }
        let gtids = match from.gtids() {
            Some(GtidState::MySql(set)) if facts.gtid_mode_on => Some(set),
            _ => None,
        };
        let request = self.request(&mut session, from, gtids).await?;
        let connection = session.binlog_dump(request).await.map_err(dump_fault)?;
        Ok((connection, facts))
    }

    async fn request(
        &self,
        session: &mut Session,
        from: &Boundary,
        gtids: Option<&GtidSet>,
    ) -> Result<DumpRequest, Fault> {
        let place = from.position();
        match gtids {
            Some(set) => position::check_gtids(session, set).await?,
            None => position::check_available(session, place).await?,
        }
        // The older dump command has 32 bits for the offset. From the begin of the file, what
        // was read before is passed over.
        let offset = if u32::try_from(place.offset).is_ok() {
            place.offset
        } else {
            position::FILE_BEGIN
        };
        Ok(DumpRequest {
            server_id: self.server_id,
            file: place.file.to_string(),
            offset,
            gtids: gtids.map(GtidSet::encode),
            heartbeat: HEARTBEAT,
            non_blocking: false,
        })
    }
}

pub(in crate::binlog) async fn ask_facts(session: &mut Session) -> Result<SourceFacts, Fault> {
    let version = session.version().clone();
    let identity_variable = if version.is_mariadb() {
        "server_id"
    } else {
        "server_uuid"
    };
    let query = format!("SELECT @@GLOBAL.{identity_variable}, @@GLOBAL.lower_case_table_names");
    let rows = session.query(query).await?;
    let identity = rows.text(0, 0).unwrap_or_default().to_owned();
    let lower_case_names = rows.text(0, 1) == Some("1");
    let rows = session
        .query("SHOW GLOBAL VARIABLES LIKE 'explicit\\_defaults\\_for\\_timestamp'")
        .await?;
    let explicit = rows.text(0, 1).map(|value| value == "ON" || value == "1");
    let gtid_mode_on = !version.is_mariadb() && position::gtid_mode_is_on(session).await?;
    Ok(SourceFacts {
        version,
        identity,
        gtid_mode_on,
        lower_case_names,
        explicit_defaults_for_timestamp: explicit,
        hides_cascades: !crate::catalog::cascades_are_logged(session).await?,
    })
}
