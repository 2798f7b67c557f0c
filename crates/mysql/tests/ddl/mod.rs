//! Definitions and statements on real servers.

mod meaning;
mod names;
mod roads;
mod round_trip;

use wherry_model::TableName;
use wherry_mysql::ServerVersion;
use wherry_mysql::ddl::Dialect;
use wherry_testkit::{Flavour, Server, ServerOptions};

async fn start(flavour: Flavour) -> Server {
    Server::start(flavour, ServerOptions::default())
        .await
        .expect("server")
}

async fn dialect(server: &Server) -> Dialect {
    let text = server
        .value("SELECT VERSION()")
        .await
        .expect("answer")
        .expect("version");
    Dialect::from(&ServerVersion::parse(&text).expect("version"))
}

async fn show_create(server: &Server, table: &TableName) -> String {
    let rows = server
        .rows(&format!("SHOW CREATE TABLE {table}"))
        .await
        .expect("table");
    rows[0][1].clone().expect("text")
}
