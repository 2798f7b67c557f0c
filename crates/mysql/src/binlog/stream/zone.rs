//! The zone `SYSTEM` of a source, at the moment of a statement.
//!
//! A server logs the session's time zone with a statement that used it. `SYSTEM` means the zone of
//! the machine, which no other server knows by that name.

use crate::session::{Endpoint, Session, SessionKind};
use wherry_model::Fault;
use wherry_model::change::DdlSession;

/// What a server logs for a session that never set a zone.
const SYSTEM: &str = "SYSTEM";

/// Two moments in each of several years, in winter and in summer, as seconds since 1970.
const MOMENTS: [u32; 10] = [
    94_694_400,
    110_419_200,
    946_684_800,
    962_409_600,
    1_420_070_400,
    1_435_708_800,
    1_767_225_600,
    1_782_864_000,
    2_082_758_400,
    2_098_483_200,
];

/// Replaces `SYSTEM` by the offset that it stood for then.
pub(super) async fn resolve(endpoint: &Endpoint, state: &mut DdlSession) -> Result<(), Fault> {
    if state.time_zone.as_deref() != Some(SYSTEM) {
        return Ok(());
    }
    let mut session = Session::connect(endpoint, SessionKind::Control).await?;
    session.execute("SET time_zone='SYSTEM'").await?;
    let offset = |moment: u32| {
        format!(
            "TIMESTAMPDIFF(MINUTE, '1970-01-01' + INTERVAL {moment} SECOND, FROM_UNIXTIME({moment}))"
        )
    };
    let mut columns = vec![offset(state.timestamp)];
    columns.extend(MOMENTS.map(offset));
    let rows = session
        .query(format!("SELECT {}", columns.join(",")))
        .await?;
    session.close().await;
    let minutes: Vec<i32> = (0..columns.len())
        .filter_map(|column| rows.text(0, column)?.parse().ok())
        .collect();
    if let Some(then) = minutes.first() {
        state.zone_varies = minutes.iter().any(|other| other != then);
        state.time_zone = Some(text(*then));
    }
    Ok(())
}

fn text(minutes: i32) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.unsigned_abs();
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_written_as_servers_take_them() {
        assert_eq!(text(0), "+00:00");
        assert_eq!(text(120), "+02:00");
        assert_eq!(text(-210), "-03:30");
    }
}
