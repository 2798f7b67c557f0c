//! What a server says about its accounts, for source and target alike.
//!
//! Must not change anything on the server, and never shows a hash: the texts of errors are those of
//! statements without one.

use crate::ddl::{Dialect, Login, login};
use crate::session::{RowSet, Session, SessionError};
use wherry_model::{Account, name::quote};

/// Accounts of servers and of those who run them for others.
const SYSTEM: [&str; 12] = [
    "",
    "root",
    "mysql",
    "mariadb.sys",
    "debian-sys-maint",
    "event_scheduler",
    "rdsadmin",
    "rdsrepladmin",
    "rds_superuser_role",
    "aliyun_root",
    "cloudsqladmin",
    "azure_superuser",
];

const NATIVE: &str = "mysql_native_password";
const MORE: &str = "it has limits or conditions beside its password";

const UNKNOWN: &str = "the server prints a definition that is not understood";

/// Lengths that the task can remember in the target.
const USER_LENGTH_MAX: usize = 64;
const HOST_LENGTH_MAX: usize = 190;

/// True for accounts that Wherry never reads or makes; anonymous ones are among them.
fn is_system(user: &str) -> bool {
    SYSTEM.contains(&user) || user.starts_with("mysql.")
}

/// The accounts for which `chosen` holds, without those of the system.
///
/// Errors: those of the server where the account may not read `mysql.user`.
pub async fn read_accounts(
    session: &mut Session,
    dialect: Dialect,
    chosen: &(dyn Fn(&Account) -> bool + Sync),
) -> Result<Vec<Account>, SessionError> {
    session.set_label("read accounts");
    if session.version().has_hashes_as_hex() {
        session
            .execute("SET SESSION print_identified_with_as_hex = ON")
            .await?;
    }
    let rows = session.query("SELECT * FROM mysql.user").await?;
    let mut accounts = Vec::new();
    for row in 0..rows.rows.len() {
        let mut account = account_of(&rows, row);
        if is_system(&account.user) || !chosen(&account) {
            continue;
        }
        if account.refused.is_none() && session.version().has_show_create_user() {
            read_login(session, dialect, &mut account).await?;
        }
        account.grants = read_grants(session, &account).await?;
        accounts.push(account);
    }
    accounts.sort_by_key(Account::name);
    Ok(accounts)
}

/// An account as SQL has it.
pub fn quoted(account: &Account) -> String {
    format!("{}@{}", quote(&account.user), quote(&account.host))
}

/// What `mysql.user` says, whose columns differ from server to server.
fn account_of(rows: &RowSet, row: usize) -> Account {
    let bytes = |name: &str| {
        let found = rows.column(name).and_then(|column| rows.bytes(row, column));
        found.map(<[u8]>::to_vec).unwrap_or_default()
    };
    let text = |name: &str| String::from_utf8_lossy(&bytes(name)).into_owned();
    let mut hash = bytes("authentication_string");
    if hash.is_empty() {
        hash = bytes("Password");
    }
    let mut plugin = text("plugin");
    if plugin.is_empty() {
        NATIVE.clone_into(&mut plugin);
    }
    let mut account = Account {
        user: text("User"),
        host: text("Host"),
        clauses: identified(&plugin, &hash),
        plugin,
        hash,
        ..Account::default()
    };
    let has_limits = [
        "max_questions",
        "max_updates",
        "max_connections",
        "max_user_connections",
    ]
    .iter()
    .any(|name| !matches!(text(name).as_str(), "" | "0"));
    let conditions = has_limits || !text("ssl_type").is_empty() || text("password_expired") == "Y";
    let refused = if text("is_role") == "Y" {
        Some("it is a role")
    } else if account.hash.is_empty() {
        Some("it is a role or has no password")
    } else if text("User_attributes").contains("additional_password") {
        Some("it has a second password")
    } else if account.user.len() > USER_LENGTH_MAX || account.host.len() > HOST_LENGTH_MAX {
        Some("its name is too long")
    } else if conditions && !says_conditions(rows) {
        Some(MORE)
    } else {
        None
    };
    account.refused = refused.map(str::to_owned);
    account
}

/// True for MySQL from 5.7 on, whose `SHOW CREATE USER` is said again with everything in it.
fn says_conditions(rows: &RowSet) -> bool {
    rows.column("account_locked").is_some()
}

fn identified(plugin: &str, hash: &[u8]) -> String {
    let mut sql = format!("IDENTIFIED WITH {} AS ", quote(plugin)).into_bytes();
    crate::literal::push_hex(&mut sql, hash);
    sql.extend(b" ACCOUNT LOCK");
    String::from_utf8_lossy(&sql).into_owned()
}

/// What the server prints behind the name. MySQL's is taken as it is; MariaDB's tells only whether
/// there is more than a password.
async fn read_login(
    session: &mut Session,
    dialect: Dialect,
    account: &mut Account,
) -> Result<(), SessionError> {
    let rows = session
        .query(format!("SHOW CREATE USER {}", quoted(account)))
        .await;
    let rows = match rows {
        Ok(rows) => rows,
        Err(error) if error.server_code().is_some() && !error.is_transient() => {
            account.refused = Some("its definition cannot be read".to_owned());
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    match rows.text(0, 0).and_then(|printed| login(printed, dialect)) {
        None => account.refused = Some(UNKNOWN.to_owned()),
        Some(Login { more: true, .. }) if session.version().is_mariadb() => {
            account.refused = Some(MORE.to_owned());
        }
        Some(_) if session.version().is_mariadb() => {}
        Some(Login {
            clauses,
            locked: Some(locked),
            ..
        }) => {
            account.clauses = clauses;
            account.locked = locked;
        }
        Some(Login { locked: None, .. }) => account.refused = Some(UNKNOWN.to_owned()),
    }
    Ok(())
}

/// Nothing where the account is gone since it was listed.
async fn read_grants(
    session: &mut Session,
    account: &Account,
) -> Result<Vec<String>, SessionError> {
    let rows = match session
        .query(format!("SHOW GRANTS FOR {}", quoted(account)))
        .await
    {
        Ok(rows) => rows,
        Err(error) if error.server_code().is_some() && !error.is_transient() => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let lines = (0..rows.rows.len()).filter_map(|row| rows.bytes(row, 0));
    Ok(lines
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_of_the_system_are_known() {
        for user in [
            "root",
            "",
            "mysql.sys",
            "mysql.session",
            "rdsadmin",
            "mariadb.sys",
        ] {
            assert!(is_system(user), "{user}");
        }
        assert!(!is_system("app") && !is_system("mysqlx") && !is_system("rdsreports"));
    }
}
