//! What `source.heartbeat` says, as far as it can be judged without a server.

use super::Problem;
use std::ops::RangeInclusive;
use wherry_model::select::is_system_database;
use wherry_model::task::TaskSpec;

const CODE: &str = "CLI-058";
/// The limit of servers for the name of a database.
const DATABASE_CHARACTERS_MAX: usize = 64;
const INTERVAL_SECONDS: RangeInclusive<u32> = 1..=3600;

pub(super) fn check(spec: &TaskSpec) -> Result<(), Problem> {
    if spec.target.heartbeat.is_some() {
        return Err(Problem::new(
            CODE,
            "target.heartbeat",
            "a heartbeat is written to the source, never to the target",
            "Move it under `source`, or remove it.",
        ));
    }
    let Some(heartbeat) = &spec.source.heartbeat else {
        return Ok(());
    };
    let name = &heartbeat.database;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let usable = !name.is_empty()
        && name.len() <= DATABASE_CHARACTERS_MAX
        && name.chars().all(plain)
        && !is_system_database(name);
    if !usable {
        return Err(Problem::new(
            CODE,
            "source.heartbeat.database",
            format!(
                "`{}` cannot be the database of the heartbeat",
                name.escape_debug()
            ),
            format!(
                "Use 1 to {DATABASE_CHARACTERS_MAX} letters, digits or `_`, and no system database."
            ),
        ));
    }
    if !INTERVAL_SECONDS.contains(&heartbeat.interval_seconds) {
        return Err(Problem::new(
            CODE,
            "source.heartbeat.interval_seconds",
            format!(
                "a heartbeat every {} s is out of range",
                heartbeat.interval_seconds
            ),
            format!(
                "Use {} to {}.",
                INTERVAL_SECONDS.start(),
                INTERVAL_SECONDS.end()
            ),
        ));
    }
    Ok(())
}
