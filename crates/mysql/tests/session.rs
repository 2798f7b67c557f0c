//! Sessions against real servers, with `mysql_async` as the oracle.

mod dump;
mod hostile;
mod load;
mod login;
mod pool;
mod results;

use std::path::Path;
use wherry_model::task::TlsMode;
use wherry_mysql::session::{Endpoint, Secret};
use wherry_testkit::{Flavour, Server, ServerOptions};

const ALL: [Flavour; 3] = [Flavour::MySql97, Flavour::MySql56, Flavour::MariaDb];

async fn start(flavour: Flavour) -> Server {
    start_with(flavour, Vec::new()).await
}

async fn start_with(flavour: Flavour, arguments: Vec<String>) -> Server {
    let options = ServerOptions {
        arguments,
        ..ServerOptions::default()
    };
    Server::start(flavour, options).await.expect("a server")
}

/// The endpoint of an account; an empty password is none.
fn endpoint(server: &Server, user: &str, password: &str, mode: TlsMode) -> Endpoint {
    let mut endpoint = Endpoint::new("127.0.0.1", server.port(), user);
    endpoint.password = (!password.is_empty()).then(|| Secret::new(password));
    endpoint.tls.mode = mode;
    endpoint
}

fn mover(server: &Server) -> Endpoint {
    endpoint(server, "mover", "mover", TlsMode::Preferred)
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
