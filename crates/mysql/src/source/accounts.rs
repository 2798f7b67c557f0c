//! The accounts of the source that the task chooses.

use crate::accounts::read_accounts;
use crate::session::{Endpoint, Session, SessionKind};
use wherry_model::{Account, AccountChoice, Fault};

/// All that are chosen but the one that reads them.
pub(super) async fn read(
    endpoint: &Endpoint,
    choice: &AccountChoice,
) -> Result<Vec<Account>, Fault> {
    let mut session = Session::connect(endpoint, SessionKind::Read).await?;
    let dialect = session.version().into();
    let is_chosen =
        |account: &Account| account.user != endpoint.user && choice.includes(&account.name());
    let accounts = read_accounts(&mut session, dialect, &is_chosen).await;
    session.close().await;
    accounts.map_err(|error| match error.server_code() {
        Some(code) if !error.is_transient() => Fault::operator(
            "SRC-090",
            format!("the account may not read the accounts of the source: server error {code}"),
        )
        .hint("GRANT SELECT ON mysql.* to the account of the source, as an administrator, or leave schema.accounts out."),
        _ => error.into_fault(),
    })
}
