//! The variables that every session sets, and the proof that they hold.
//!
//! Owns the list per kind of session. A proxy between us and the server may drop or share
//! settings, so each one is read back once.

use super::error::SessionError;
use super::{Session, SessionKind};
use crate::ddl::SESSION_MARK;
use crate::flavour::ServerVersion;
use std::collections::BTreeSet;

/// How long the server keeps a silent write session, and with it its row locks. Twice this is
/// the longest that a stopped runner holds up the one that takes over.
pub(super) const WRITE_IDLE_SECONDS: u64 = 10;

/// How long the server keeps other silent sessions: its own default of eight hours.
pub(super) const IDLE_SECONDS: u64 = 28_800;

/// How long the server waits for us to take rows: longer than any pause of a full pipeline.
const ROW_WAIT_SECONDS: &str = "3600";

/// One variable: its name and the literal it is set to.
struct Setting {
    name: &'static str,
    literal: String,
}

fn setting(name: &'static str, literal: impl Into<String>) -> Setting {
    Setting {
        name,
        literal: literal.into(),
    }
}

/// What a session of this kind sets, besides `SET NAMES utf8mb4`.
fn settings(kind: SessionKind, version: &ServerVersion) -> Vec<Setting> {
    let mut list = vec![
        setting("time_zone", "'+00:00'"),
        setting("autocommit", "1"),
        setting("sql_mode", sql_mode(kind)),
        // Limits that an administrator may have set for people would cut results short.
        setting("sql_select_limit", "18446744073709551615"),
        setting("sql_safe_updates", "0"),
        setting("sql_auto_is_null", "0"),
        setting(version.isolation_variable(), isolation(kind)),
    ];
    if let Some(name) = version.statement_limit_variable() {
        list.push(setting(name, "0"));
    }
    match kind {
        SessionKind::Control => list.push(setting("wait_timeout", IDLE_SECONDS.to_string())),
        SessionKind::Read => {
            list.push(setting("character_set_results", "NULL"));
            list.push(setting("wait_timeout", IDLE_SECONDS.to_string()));
            list.push(setting("net_write_timeout", ROW_WAIT_SECONDS));
        }
        SessionKind::Write => {
            list.push(setting("foreign_key_checks", "0"));
            list.push(setting("unique_checks", "1"));
            list.push(setting("wait_timeout", WRITE_IDLE_SECONDS.to_string()));
            list.push(setting("net_read_timeout", "10"));
            list.push(setting("net_write_timeout", "60"));
            list.push(setting("innodb_lock_wait_timeout", "50"));
            // Guarded triggers do not fire where this is set.
            list.push(setting(SESSION_MARK, "1"));
        }
    }
    list
}

fn sql_mode(kind: SessionKind) -> &'static str {
    match kind {
        // Neither ANSI_QUOTES nor NO_BACKSLASH_ESCAPES may change what our statements mean.
        SessionKind::Control => "'NO_ENGINE_SUBSTITUTION'",
        // Bounds of a key may be dates like February 30 that the table holds.
        SessionKind::Read => "'ALLOW_INVALID_DATES'",
        SessionKind::Write => {
            "'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION'"
        }
    }
}

fn isolation(kind: SessionKind) -> &'static str {
    match kind {
        SessionKind::Control | SessionKind::Read => "'REPEATABLE-READ'",
        SessionKind::Write => "'READ-COMMITTED'",
    }
}

/// Reads the version, sets the variables and reads them back.
pub(super) async fn set_up(session: &mut Session, kind: SessionKind) -> Result<(), SessionError> {
    let stated = session.query("SELECT VERSION()").await?;
    session.version = stated
        .text(0, 0)
        .and_then(ServerVersion::parse)
        .ok_or_else(|| SessionError::protocol("no readable version"))?;
    let settings = settings(kind, &session.version);
    session.execute(statement(&settings)).await?;
    verify(session, &settings).await
}

fn statement(settings: &[Setting]) -> String {
    let list: Vec<String> = settings
        .iter()
        .map(|setting| match setting.name {
            name if name.starts_with('@') => format!("{name} = {}", setting.literal),
            name => format!("SESSION {name} = {}", setting.literal),
        })
        .collect();
    format!("SET NAMES utf8mb4, {}", list.join(", "))
}

async fn verify(session: &mut Session, settings: &[Setting]) -> Result<(), SessionError> {
    let mut names = vec!["character_set_client", "character_set_connection"];
    names.extend(settings.iter().map(|setting| setting.name));
    let list: Vec<String> = names
        .iter()
        .map(|name| match name {
            name if name.starts_with('@') => (*name).to_owned(),
            name => format!("@@SESSION.{name}"),
        })
        .collect();
    let found = session.query(format!("SELECT {}", list.join(", "))).await?;
    let wanted = ["'utf8mb4'", "'utf8mb4'"]
        .into_iter()
        .chain(settings.iter().map(|setting| setting.literal.as_str()));
    for (index, (name, literal)) in names.iter().zip(wanted).enumerate() {
        let found = found.text(0, index);
        if !holds(literal, found) {
            return Err(SessionError::Setting {
                name: (*name).to_owned(),
                wanted: literal.trim_matches('\'').to_owned(),
                found: found.unwrap_or("NULL").to_owned(),
            });
        }
    }
    Ok(())
}

/// True where a variable that reads as `found` has the value of `literal`.
fn holds(literal: &str, found: Option<&str>) -> bool {
    let Some(found) = found else {
        return literal == "NULL";
    };
    let wanted = literal.trim_matches('\'');
    if let (Ok(wanted), Ok(found)) = (wanted.parse::<f64>(), found.parse::<f64>()) {
        return wanted == found;
    }
    // Servers order the words of a mode as they like.
    let words = |text: &str| {
        text.to_ascii_uppercase()
            .split(',')
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
    };
    words(wanted) == words(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_by_meaning() {
        assert!(holds("NULL", None));
        assert!(!holds("1", None));
        assert!(holds("'a,b'", Some("B,A")));
        assert!(!holds("'a,b'", Some("a")));
        assert!(holds("0", Some("0.000000")));
        assert!(!holds("10", Some("28800")));
        assert!(holds("''", Some("")));
        assert!(holds("'+00:00'", Some("+00:00")));
    }

    #[test]
    fn old_servers_get_names_they_know() {
        let old = ServerVersion::parse("5.6.24").expect("a version");
        let sql = statement(&settings(SessionKind::Write, &old));
        assert!(sql.contains("SESSION tx_isolation = 'READ-COMMITTED'"));
        assert!(!sql.contains("max_"));
    }
}
