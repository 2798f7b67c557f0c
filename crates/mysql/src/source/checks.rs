//! Precheck items that follow from the source's settings alone. Pure.

use super::precheck::Cloud;
use super::settings::Settings;
use crate::flavour::{Flavour, ServerVersion};
use wherry_model::{CheckItem, Table};

/// Bytes a load is expected to move in a second; low, since the estimate is for a warning.
const LOAD_BYTES_PER_SECOND: u64 = 20 << 20;

/// A load may take this many times its estimate before the binlog runs out.
const RETENTION_SAFETY: u64 = 3;

/// Shortest time for which any load is taken.
const LOAD_SECONDS_MIN: u64 = 600;

/// What Aurora keeps where `binlog retention hours` is not set.
const AURORA_RETENTION_HOURS: u64 = 24;

pub(super) fn version(version: &ServerVersion) -> CheckItem {
    let id = "source-version";
    let known = match version.flavour {
        Flavour::MySql => version.at_least(5, 6, 0),
        Flavour::MariaDb => version.at_least(10, 2, 0),
    };
    if known {
        CheckItem::pass(id, version.text.clone())
    } else {
        CheckItem::fail(
            id,
            format!("version {} is too old", version.text),
            "Upgrade the source to MySQL 5.6 or MariaDB 10.2, or move from an upgraded replica.",
        )
    }
}

/// The items about the binlog and the server's role.
pub(super) fn settings(settings: &Settings, cloud: &Cloud) -> Vec<CheckItem> {
    let mut items = vec![binlog(settings, cloud)];
    if settings.is_on("log_bin") {
        items.push(format(settings, cloud));
        items.push(row_image(settings, cloud));
        items.extend(compression(settings));
        items.push(sync_binlog(settings));
    }
    items.push(server_id(settings));
    items.push(writer(settings));
    items
}

/// The words for a parameter that a managed service keeps in a group.
fn set(cloud: &Cloud, parameter: &str, value: &str) -> String {
    if cloud.aurora.is_some() {
        format!(
            "Set {parameter} = {value} in the DB cluster parameter group and reboot the writer instance."
        )
    } else if cloud.is_managed() {
        format!("Set {parameter} = {value} in the DB parameter group and reboot the instance.")
    } else {
        format!(
            "SET GLOBAL {parameter} = {value}; reconnect all clients, and put it into the configuration file"
        )
    }
}

fn binlog(settings: &Settings, cloud: &Cloud) -> CheckItem {
    let id = "source-binlog";
    if settings.is_on("log_bin") {
        return CheckItem::pass(id, "the binlog is on");
    }
    let fix = if cloud.aurora.is_some() {
        set(cloud, "binlog_format", "ROW")
    } else if cloud.is_managed() {
        "Switch automated backups of the instance on; they switch the binlog on.".to_owned()
    } else {
        "Put log_bin = binlog and a server_id into the configuration file and restart the server."
            .to_owned()
    };
    CheckItem::fail(id, "the binlog is off", fix)
}

fn format(settings: &Settings, cloud: &Cloud) -> CheckItem {
    let id = "source-binlog-format";
    match settings.upper("binlog_format").as_str() {
        // A server without the variable knows rows only.
        "ROW" | "" => CheckItem::pass(id, "binlog_format is ROW"),
        other => CheckItem::fail(
            id,
            format!("binlog_format is {other}"),
            set(cloud, "binlog_format", "ROW"),
        ),
    }
}

fn row_image(settings: &Settings, cloud: &Cloud) -> CheckItem {
    let id = "source-binlog-row-image";
    match settings.upper("binlog_row_image").as_str() {
        "FULL" | "FULL_NODUP" | "" => CheckItem::pass(id, "row images are full"),
        other => CheckItem::fail(
            id,
            format!("binlog_row_image is {other}"),
            set(cloud, "binlog_row_image", "FULL"),
        ),
    }
}

/// MariaDB only.
fn compression(settings: &Settings) -> Option<CheckItem> {
    let id = "source-log-bin-compress";
    settings.get("log_bin_compress")?;
    Some(if settings.is_on("log_bin_compress") {
        CheckItem::fail(
            id,
            "events are compressed (log_bin_compress is ON), which Wherry does not read yet",
            "SET GLOBAL log_bin_compress = OFF; then FLUSH BINARY LOGS",
        )
    } else {
        CheckItem::pass(id, "events are not compressed")
    })
}

fn sync_binlog(settings: &Settings) -> CheckItem {
    let id = "source-sync-binlog";
    match settings.number("sync_binlog") {
        Some(1) => CheckItem::pass(id, "sync_binlog is 1"),
        other => CheckItem::warn(
            id,
            format!(
                "sync_binlog is {}: a crash of the source can take back what was already sent",
                other.map_or_else(|| "not known".to_owned(), |number| number.to_string())
            ),
            "SET GLOBAL sync_binlog = 1",
        ),
    }
}

fn server_id(settings: &Settings) -> CheckItem {
    let id = "source-server-id";
    match settings.number("server_id") {
        Some(0) | None => CheckItem::fail(
            id,
            "server_id is 0: the source refuses replication clients",
            "SET GLOBAL server_id = 1, or any number of its own; and put it into the configuration file",
        ),
        Some(number) => CheckItem::pass(id, format!("server_id is {number}")),
    }
}

fn writer(settings: &Settings) -> CheckItem {
    let id = "source-writer";
    if settings.is_on("innodb_read_only") {
        return CheckItem::fail(
            id,
            "the source is a reader (innodb_read_only is ON), whose binlog is not the writer's",
            "Use the address of the writer: on Aurora the cluster endpoint.",
        );
    }
    CheckItem::pass(id, "the source is no reader instance")
}

/// A database that the server keeps out of its binlog would never be streamed.
pub(super) fn binlog_filter(do_db: &str, ignore_db: &str, databases: &[String]) -> CheckItem {
    let id = "source-binlog-filter";
    let lists = |list: &str, name: &str| list.split(',').any(|entry| entry.trim() == name);
    let hidden: Vec<&str> = databases
        .iter()
        .map(String::as_str)
        .filter(|name| (!do_db.is_empty() && !lists(do_db, name)) || lists(ignore_db, name))
        .collect();
    if hidden.is_empty() {
        return CheckItem::pass(id, "no selected database is kept out of the binlog");
    }
    CheckItem::fail(
        id,
        format!(
            "changes of `{}` are kept out of the binlog",
            hidden.join("`, `")
        ),
        "Remove binlog_do_db and binlog_ignore_db from the configuration file and restart the server.",
    )
}

/// Compares how long the binlog is kept with how long the load may take.
pub(super) fn retention(settings: &Settings, cloud: &Cloud, tables: &[Table]) -> CheckItem {
    let id = "source-binlog-retention";
    let bytes: u64 = tables.iter().map(|table| table.byte_count_estimate).sum();
    let load = (bytes / LOAD_BYTES_PER_SECOND).max(LOAD_SECONDS_MIN);
    let needed = load.saturating_mul(RETENTION_SAFETY);
    let need = format!(
        "the load of about {} MiB is expected to take {} minutes, and the binlog should last {} times as long",
        bytes >> 20,
        load.div_ceil(60),
        RETENTION_SAFETY
    );
    let Some(kept) = retention_seconds(settings, cloud) else {
        return CheckItem::pass(id, "the binlog is kept without a limit of time");
    };
    if kept >= needed {
        return CheckItem::pass(id, format!("the binlog is kept for {} hours", kept / 3600));
    }
    let hours = needed.div_ceil(3600);
    let fix = if cloud.is_managed() {
        format!("CALL mysql.rds_set_configuration('binlog retention hours', {hours})")
    } else if settings.get("binlog_expire_logs_seconds").is_some() {
        format!("SET GLOBAL binlog_expire_logs_seconds = {}", hours * 3600)
    } else {
        format!("SET GLOBAL expire_logs_days = {}", hours.div_ceil(24))
    };
    CheckItem::warn(
        id,
        format!("the binlog is kept for {} minutes; {need}", kept / 60),
        fix,
    )
}

/// `None` where time alone never removes a file.
fn retention_seconds(settings: &Settings, cloud: &Cloud) -> Option<u64> {
    match cloud.retention_hours {
        Some(Some(hours)) => return Some(hours * 3600),
        Some(None) if cloud.aurora.is_some() => return Some(AURORA_RETENTION_HOURS * 3600),
        // RDS removes a file as soon as it has backed it up.
        Some(None) => return Some(0),
        None => {}
    }
    if cloud.aurora.is_some() {
        return Some(AURORA_RETENTION_HOURS * 3600);
    }
    if matches!(
        settings.get("binlog_expire_logs_auto_purge"),
        Some("OFF" | "0")
    ) {
        return None;
    }
    let seconds = settings.number("binlog_expire_logs_seconds").unwrap_or(0);
    let days = settings
        .get("expire_logs_days")
        .and_then(|days| days.parse::<f64>().ok())
        .unwrap_or(0.0);
    match (seconds, (days * 86_400.0) as u64) {
        (0, 0) => None,
        (0, days) => Some(days),
        (seconds, _) => Some(seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wherry_model::{Exactness, TableName, Verdict};

    const GOOD: [(&str, &str); 7] = [
        ("log_bin", "ON"),
        ("binlog_format", "ROW"),
        ("binlog_row_image", "FULL"),
        ("binlog_row_value_options", ""),
        ("server_id", "7"),
        ("sync_binlog", "1"),
        ("innodb_read_only", "OFF"),
    ];

    fn with(name: &str, value: &str) -> Settings {
        let mut pairs = GOOD.to_vec();
        pairs.retain(|(other, _)| *other != name);
        pairs.push((name, value));
        Settings::of(&pairs)
    }

    fn check(name: &str, value: &str, id: &str, verdict: Verdict) {
        let items = settings(&with(name, value), &Cloud::default());
        for item in items {
            let expected = if item.id == id {
                verdict
            } else {
                Verdict::Pass
            };
            assert_eq!(item.verdict, expected, "{name}={value}: {item:?}");
            assert_eq!(item.fix.is_empty(), expected == Verdict::Pass, "{item:?}");
        }
    }

    #[test]
    fn each_setting_has_its_own_item() {
        check("log_bin", "ON", "", Verdict::Pass);
        check(
            "binlog_format",
            "STATEMENT",
            "source-binlog-format",
            Verdict::Fail,
        );
        check(
            "binlog_format",
            "MIXED",
            "source-binlog-format",
            Verdict::Fail,
        );
        check(
            "binlog_row_image",
            "MINIMAL",
            "source-binlog-row-image",
            Verdict::Fail,
        );
        check("server_id", "0", "source-server-id", Verdict::Fail);
        check("sync_binlog", "1000", "source-sync-binlog", Verdict::Warn);
        check("innodb_read_only", "ON", "source-writer", Verdict::Fail);
        check(
            "log_bin_compress",
            "ON",
            "source-log-bin-compress",
            Verdict::Fail,
        );
        check("log_bin", "OFF", "source-binlog", Verdict::Fail);
    }

    #[test]
    fn aurora_is_mended_in_its_parameter_group() {
        let cloud = Cloud {
            aurora: Some("3.8.0".to_owned()),
            retention_hours: None,
        };
        let items = settings(&with("binlog_format", "MIXED"), &cloud);
        let item = items
            .iter()
            .find(|item| item.verdict == Verdict::Fail)
            .expect("one fails");
        assert!(
            item.fix.contains("DB cluster parameter group"),
            "{}",
            item.fix
        );
    }

    #[test]
    fn filters_that_hide_a_database_fail() {
        let databases = vec!["shop".to_owned(), "crm".to_owned()];
        let check = |do_db, ignore_db, verdict| {
            assert_eq!(binlog_filter(do_db, ignore_db, &databases).verdict, verdict);
        };
        check("", "", Verdict::Pass);
        check("shop,crm", "", Verdict::Pass);
        check("shop", "", Verdict::Fail);
        check("", "crm,x", Verdict::Fail);
        check("", "x", Verdict::Pass);
    }

    #[test]
    fn retention_is_compared_with_the_load() {
        let table = |bytes| Table {
            name: TableName::new("shop", "a"),
            engine: "innodb".to_owned(),
            columns: Vec::new(),
            keys: Vec::new(),
            exactness: Exactness::Keyed,
            definition: String::new(),
            row_count_estimate: 0,
            byte_count_estimate: bytes,
            adopted: None,
            shape: None,
            in_target: None,
        };
        let plain = Cloud::default();
        let aurora = Cloud {
            aurora: Some("3".to_owned()),
            retention_hours: Some(None),
        };
        let rds = Cloud {
            aurora: None,
            retention_hours: Some(None),
        };
        let kept = |name, value| Settings::of(&[(name, value)]);
        let check = |settings: &Settings, cloud: &Cloud, bytes, verdict| {
            let item = retention(settings, cloud, &[table(bytes)]);
            assert_eq!(item.verdict, verdict, "{item:?}");
        };
        let days = kept("binlog_expire_logs_seconds", "2592000");
        check(&days, &plain, 100 << 30, Verdict::Pass);
        check(
            &kept("binlog_expire_logs_seconds", "0"),
            &plain,
            100 << 40,
            Verdict::Pass,
        );
        check(
            &kept("expire_logs_days", "1"),
            &plain,
            1 << 40,
            Verdict::Warn,
        );
        check(
            &kept("binlog_expire_logs_seconds", "600"),
            &plain,
            1,
            Verdict::Warn,
        );
        check(&days, &aurora, 1 << 30, Verdict::Pass);
        check(&days, &aurora, 1 << 40, Verdict::Warn);
        check(&days, &rds, 1, Verdict::Warn);
    }
}
