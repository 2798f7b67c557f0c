//! Rules for table options.

use super::charset::{charset_name, collation_at, default_collation, says_utf8mb3};
use super::{Rules, engine, refused};
use crate::ddl::definition::{Definition, TableOption};
use crate::ddl::refusal::{
    FOREIGN_ENGINE, FOREIGN_OPTION, Refusal, SEQUENCE, UNKNOWN_COLLATION, VERSIONING,
};

/// Engines that both flavours have.
const SHARED_ENGINES: [&str; 9] = [
    "INNODB",
    "XENGINE",
    "MYISAM",
    "MEMORY",
    "CSV",
    "ARCHIVE",
    "BLACKHOLE",
    "MRG_MYISAM",
    "FEDERATED",
];

/// Options that MariaDB shares with MySQL.
const SHARED_OPTIONS: [&str; 20] = [
    "ENGINE",
    "AUTO_INCREMENT",
    "CHARSET",
    "COLLATE",
    "COMMENT",
    "ROW_FORMAT",
    "KEY_BLOCK_SIZE",
    "MIN_ROWS",
    "MAX_ROWS",
    "AVG_ROW_LENGTH",
    "PACK_KEYS",
    "CHECKSUM",
    "DELAY_KEY_WRITE",
    "STATS_PERSISTENT",
    "STATS_AUTO_RECALC",
    "STATS_SAMPLE_PAGES",
    "INSERT_METHOD",
    "UNION",
    "PASSWORD",
    "STORAGE",
];

pub(super) fn apply(rules: &mut Rules, definition: &mut Definition) -> Result<(), Refusal> {
    engine::apply(rules, definition)?;
    refuse_foreign(rules, definition)?;
    drop_places(rules, definition);
    drop_formats(rules, definition);
    charsets(rules, definition)
}

/// What only MariaDB has.
fn refuse_foreign(rules: &Rules, definition: &Definition) -> Result<(), Refusal> {
    if !rules.leaves_mariadb() {
        return Ok(());
    }
    if definition.option("SEQUENCE").is_some() {
        return Err(refused(
            SEQUENCE,
            "sequences are MariaDB's alone".to_owned(),
        ));
    }
    if definition.option("WITH SYSTEM VERSIONING").is_some() {
        return Err(refused(
            VERSIONING,
            "system versioning is MariaDB's alone".to_owned(),
        ));
    }
    let engine = definition.option("ENGINE").unwrap_or("InnoDB");
    if !SHARED_ENGINES.contains(&engine.to_ascii_uppercase().as_str()) {
        return Err(refused(
            FOREIGN_ENGINE,
            format!("engine {engine} is MariaDB's alone"),
        ));
    }
    let known = |option: &&TableOption| {
        SHARED_OPTIONS.contains(&option.name.as_str())
            || place_rule(&option.name).is_some()
            || harmless(&option.name)
    };
    match definition.options.iter().find(|option| !known(option)) {
        Some(option) => Err(refused(
            FOREIGN_OPTION,
            format!("table option {} is MariaDB's alone", option.name),
        )),
        None => Ok(()),
    }
}

/// Options of MariaDB that mean nothing outside of the engine Aria.
fn harmless(name: &str) -> bool {
    matches!(name, "TRANSACTIONAL" | "PAGE_CHECKSUM")
}

/// The rule that drops an option which says where the source keeps a table.
fn place_rule(name: &str) -> Option<&'static str> {
    match name {
        "TABLESPACE" | "STORAGE" => Some("tablespace"),
        "DATA DIRECTORY" => Some("data-directory"),
        "INDEX DIRECTORY" => Some("index-directory"),
        "CONNECTION" => Some("connection"),
        "ENCRYPTION" => Some("encryption"),
        "SECONDARY_ENGINE" | "SECONDARY_ENGINE_ATTRIBUTE" => Some("secondary-engine"),
        _ => None,
    }
}

fn drop_places(rules: &mut Rules, definition: &mut Definition) {
    let leaves_mariadb = rules.leaves_mariadb();
    definition.options.retain(|option| {
        let rule = place_rule(&option.name)
            .or_else(|| (leaves_mariadb && harmless(&option.name)).then_some("mariadb-option"));
        // The text of a connection may hold a password, so reports get the name alone.
        if let Some(rule) = rule {
            rules.note(rule, &option.name, "");
        }
        rule.is_none()
    });
}

/// Formats that InnoDB refuses in its strict mode, and ignored before.
fn drop_formats(rules: &mut Rules, definition: &mut Definition) {
    let engine = definition.option("ENGINE").unwrap_or("InnoDB");
    if !engine.eq_ignore_ascii_case("InnoDB") {
        return;
    }
    let format = definition
        .option("ROW_FORMAT")
        .unwrap_or("")
        .to_ascii_uppercase();
    let blocks = definition.option("KEY_BLOCK_SIZE").is_some();
    definition.options.retain(|option| {
        let rule = match option.name.as_str() {
            "ROW_FORMAT" if matches!(format.as_str(), "FIXED" | "PAGE") => "row-format",
            "KEY_BLOCK_SIZE" if blocks && !matches!(format.as_str(), "" | "COMPRESSED") => {
                "key-block-size"
            }
            _ => return true,
        };
        rules.note(rule, &option.text, "");
        false
    });
}

fn charsets(rules: &mut Rules, definition: &mut Definition) -> Result<(), Refusal> {
    let Some(at) = definition
        .options
        .iter()
        .position(|option| option.name == "CHARSET")
    else {
        return Ok(());
    };
    let charset = definition.options[at].value.clone();
    let named = charset_name(&charset, says_utf8mb3(rules.flavours.to));
    if named != charset {
        let after = format!("DEFAULT CHARSET={named}");
        rules.note("utf8mb3-name", &definition.options[at].text, &after);
        definition.options[at].value = named.clone();
        definition.options[at].text = after;
    }
    if let Some(option) = definition
        .options
        .iter_mut()
        .find(|option| option.name == "COLLATE")
    {
        let name = collation(rules, &option.value)?;
        if name != option.value {
            option.text = format!("COLLATE={name}");
            option.value = name;
        }
        return Ok(());
    }
    if let Some(name) = missing_collation(rules, &charset)? {
        rules.note(
            "default-collation",
            &named,
            &format!("{named} COLLATE={name}"),
        );
        definition.options.insert(
            at + 1,
            TableOption {
                name: "COLLATE".to_owned(),
                text: format!("COLLATE={name}"),
                value: name,
            },
        );
    }
    Ok(())
}

/// The collation to name where a text names a character set alone; `None` where both ends choose
/// the same.
pub(super) fn missing_collation(
    rules: &mut Rules,
    charset: &str,
) -> Result<Option<String>, Refusal> {
    let own = default_collation(charset, rules.flavours.from);
    if own == default_collation(charset, rules.flavours.to) {
        return Ok(None);
    }
    own.map(|name| collation(rules, &name)).transpose()
}

/// The target's name for a collation.
pub(super) fn collation(rules: &mut Rules, name: &str) -> Result<String, Refusal> {
    let Some(after) = collation_at(name, rules.flavours.from, rules.flavours.to) else {
        let message = format!("the target has no collation that sorts like {name}");
        return Err(refused(UNKNOWN_COLLATION, message));
    };
    if after != name {
        let spelling = after.replace("utf8mb3_", "utf8_") == name.replace("utf8mb3_", "utf8_");
        let rule = if spelling {
            "utf8mb3-name"
        } else {
            "collation-name"
        };
        rules.note(rule, name, &after);
    }
    Ok(after)
}
