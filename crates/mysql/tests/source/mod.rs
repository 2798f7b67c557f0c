//! The source on real servers: catalog, chunk walking, exact snapshots, precheck.

mod catalog;
mod exact;
mod filter;
mod keys;
mod precheck;
mod values;

use wherry_engine::pipe::{Budget, row_pipe};
use wherry_engine::ports::RowReader;
use wherry_engine::state::KeyRange;
use wherry_model::{Row, Table};
use wherry_mysql::session::{Endpoint, Secret, Session, SessionKind};
use wherry_mysql::source::{MysqlSource, SourceOptions};
use wherry_testkit::{Flavour, Server, ServerOptions};

const FLAVOURS: [Flavour; 3] = [Flavour::MySql97, Flavour::MySql56, Flavour::MariaDb];

async fn start(flavour: Flavour, gtid: bool) -> Server {
    let options = ServerOptions {
        gtid,
        ..ServerOptions::default()
    };
    Server::start(flavour, options).await.expect("a server")
}

fn endpoint(server: &Server) -> Endpoint {
    let mut endpoint = Endpoint::new("127.0.0.1", server.port(), "mover");
    endpoint.password = Some(Secret::new("mover"));
    endpoint
}

fn source(server: &Server) -> MysqlSource {
    MysqlSource::new(endpoint(server), SourceOptions { readers: 2 })
}

async fn control(server: &Server) -> Session {
    Session::connect(&endpoint(server), SessionKind::Control)
        .await
        .expect("a session")
}

/// All rows of a range, as the engine would get them.
async fn read_range(reader: &dyn RowReader, table: &Table, range: &KeyRange) -> Vec<Row> {
    let (sender, mut receiver) = row_pipe(&Budget::new(1 << 20));
    let send = async {
        let result = reader.read_range(table, range, &sender).await;
        drop(sender);
        result
    };
    let receive = async {
        let mut rows = Vec::new();
        while let Some(batch) = receiver.next().await.expect("no fault in the pipe") {
            rows.extend(
                batch
                    .iter()
                    .map(|row| Row::from_encoded(row.to_vec().into())),
            );
        }
        rows
    };
    let (sent, rows) = tokio::join!(send, receive);
    sent.expect("the range is read");
    rows
}
