//! Commits that hang between the binlog and the engine: a replication client has the change, no other session sees it.
//!
//! MySQL 9.7 and MariaDB do this through semi-synchronous replication without a replica, which waits 8 s for an
//! acknowledgement that never comes. MySQL 5.6 has no such plugin, so there a shim makes the binlog's sync sleep. With
//! `sync_binlog = 1` it holds the log's lock meanwhile, and nobody can read the change or the position; so it syncs
//! every second commit instead, and arming it makes the next commit the second one.

use crate::failure::Result;
use crate::flavour::Flavour;
use crate::server::{Server, ServerOptions};
use crate::shim::Shim;

/// A way to stall commits of one server. Keep it as long as the server.
pub struct CommitStall {
    shim: Option<Shim>,
}

impl CommitStall {
    /// Prepares options for a server whose commits can be stalled later.
    pub fn prepare(
        flavour: Flavour,
        options: ServerOptions,
    ) -> Result<(CommitStall, ServerOptions)> {
        if flavour != Flavour::MySql56 {
            return Ok((CommitStall { shim: None }, options));
        }
        let shim = Shim::binlog_sync_stall()?;
        let options = shim.add_to(ServerOptions {
            durable: true,
            ..options
        });
        Ok((CommitStall { shim: Some(shim) }, options))
    }

    /// From now on every commit on the server stalls, for 8 s each or until [`CommitStall::disarm`]; on MySQL 5.6
    /// every second one, beginning with the next.
    ///
    /// Arming again restarts the waiting that a timeout has switched off.
    pub async fn arm(&self, server: &Server) -> Result<()> {
        match (&self.shim, server.flavour()) {
            (Some(shim), _) => {
                server.sql(ARM_MYSQL56).await?;
                shim.switch_on()
            }
            (None, Flavour::MariaDb) => server.sql(ARM_MARIADB).await,
            (None, _) => {
                let loaded = "SELECT COUNT(*) FROM information_schema.plugins WHERE plugin_name = 'rpl_semi_sync_source'";
                if server.value(loaded).await?.as_deref() == Some("0") {
                    server
                        .sql("INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'")
                        .await?;
                }
                server.sql(ARM_MYSQL).await
            }
        }
    }

    /// Lets stalled commits finish and later ones pass.
    pub async fn disarm(&self, server: &Server) -> Result<()> {
        match (&self.shim, server.flavour()) {
            (Some(shim), _) => shim.switch_off(),
            (None, Flavour::MariaDb) => {
                server
                    .sql("SET GLOBAL rpl_semi_sync_master_enabled = 0")
                    .await
            }
            (None, _) => {
                server
                    .sql("SET GLOBAL rpl_semi_sync_source_enabled = 0")
                    .await
            }
        }
    }
}

/// The first FLUSH is synced and so begins the count, the second one is number one of two.
const ARM_MYSQL56: &str =
    "SET GLOBAL sync_binlog = 1; FLUSH STATUS; SET GLOBAL sync_binlog = 2; FLUSH STATUS";

const ARM_MYSQL: &str = "SET GLOBAL rpl_semi_sync_source_enabled = 0; SET GLOBAL rpl_semi_sync_source_timeout = 8000; \
    SET GLOBAL rpl_semi_sync_source_wait_point = AFTER_SYNC; SET GLOBAL rpl_semi_sync_source_wait_no_replica = ON; \
    SET GLOBAL rpl_semi_sync_source_enabled = 1";

const ARM_MARIADB: &str = "SET GLOBAL rpl_semi_sync_master_enabled = 0; SET GLOBAL rpl_semi_sync_master_timeout = 8000; \
    SET GLOBAL rpl_semi_sync_master_wait_point = AFTER_SYNC; SET GLOBAL rpl_semi_sync_master_wait_no_slave = ON; \
    SET GLOBAL rpl_semi_sync_master_enabled = 1";
