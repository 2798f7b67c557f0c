//! The engine that a table gets in the target.
//!
//! Rows and checkpoint commit together, so a target table needs an engine with transactions.

use super::{Rules, refused};
use crate::ddl::definition::{AttributeKind, ColumnParts, Definition, KeyClause, KeyKind};
use crate::ddl::edit::replace;
use crate::ddl::lexer::lex;
use crate::ddl::refusal::{GROUP_NUMBERS, NO_TRANSACTIONS, Refusal, X_ENGINE_LACKS};
use crate::ddl::statement::Context;
use wherry_model::name::quote;
use wherry_model::task::EngineRule;

/// Engines without transactions whose tables InnoDB can hold.
const REPLACED_ENGINES: [&str; 3] = ["MYISAM", "ARIA", "MEMORY"];

/// As PolarDB for MySQL spells X-Engine.
pub const X_ENGINE: &str = "XENGINE";

/// Types of spatial values.
const SPATIAL_TYPES: [&str; 9] = [
    "geometry",
    "point",
    "linestring",
    "polygon",
    "multipoint",
    "multilinestring",
    "multipolygon",
    "geometrycollection",
    "geomcollection",
];

pub(super) fn apply(rules: &mut Rules, definition: &mut Definition) -> Result<(), Refusal> {
    let engine = definition
        .option("ENGINE")
        .unwrap_or("InnoDB")
        .to_ascii_uppercase();
    let replaced = REPLACED_ENGINES.contains(&engine.as_str());
    match rules.flavours.engine {
        EngineRule::Keep if replaced => Err(refused(
            NO_TRANSACTIONS,
            format!("engine {engine} has no transactions, and the rule for it is `keep`"),
        )),
        EngineRule::Innodb if replaced => become_engine(rules, definition, "InnoDB"),
        EngineRule::XEngine if engine != X_ENGINE && (replaced || engine == "INNODB") => {
            lacks(definition, &Context::new("", rules.flavours.from))?;
            become_engine(rules, definition, X_ENGINE)
        }
        EngineRule::Keep | EngineRule::Innodb | EngineRule::XEngine => Ok(()),
    }
}

fn become_engine(
    rules: &mut Rules,
    definition: &mut Definition,
    engine: &str,
) -> Result<(), Refusal> {
    if let Some(column) = numbers_in_groups(definition) {
        return Err(Refusal {
            code: GROUP_NUMBERS,
            message: format!(
                "column `{column}` is numbered within a key, which {engine} cannot do"
            ),
            hint: "Add a key that begins with this column at the source.",
        });
    }
    let compressed_pages = engine == X_ENGINE;
    definition
        .options
        .retain_mut(|option| match option.name.as_str() {
            "ENGINE" => {
                let after = format!("ENGINE={engine}");
                let before = std::mem::replace(&mut option.text, after.clone());
                engine.clone_into(&mut option.value);
                rules.note("engine", &before, &after);
                true
            }
            // Blocks of an index there, compressed pages here.
            "KEY_BLOCK_SIZE" => {
                rules.note("key-block-size", &option.text, "");
                false
            }
            "ROW_FORMAT" | "COMPRESSION" | "AUTOEXTEND_SIZE" if compressed_pages => {
                rules.note("row-format", &option.text, "");
                false
            }
            _ => true,
        });
    for key in definition
        .primary_key
        .iter_mut()
        .chain(&mut definition.keys)
    {
        rules.place = key_place(key);
        key.text = plain_key(rules, &key.text)?;
    }
    rules.place.clear();
    if let Some(partitions) = &mut definition.partitions {
        *partitions = partition_engines(rules, partitions, engine)?;
    }
    Ok(())
}

pub(super) fn key_place(key: &KeyClause) -> String {
    match key.kind {
        KeyKind::Primary => "primary key".to_owned(),
        _ => format!("key {}", quote(&key.name)),
    }
}

/// A key without what engines with transactions ignore: the size of its blocks, and that it is a hash.
fn plain_key(rules: &mut Rules, text: &str) -> Result<String, Refusal> {
    let tokens = lex(text, &Context::new("", rules.flavours.from)).tokens;
    let mut edits = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let (rule, mut last) = if token.is_word(text, "KEY_BLOCK_SIZE") {
            ("key-block-size", at + 1)
        } else if token.is_word(text, "USING")
            && tokens
                .get(at + 1)
                .is_some_and(|next| next.is_word(text, "HASH"))
        {
            ("engine", at + 1)
        } else {
            continue;
        };
        last += usize::from(tokens.get(last).is_some_and(|next| next.is_symbol(b'=')));
        let Some(last) = tokens.get(last) else {
            continue;
        };
        rules.note(rule, &text[token.start..last.end], "");
        edits.push((token.start..last.end, String::new()));
    }
    replace(text, edits)
}

/// Every partition names the engine once more.
fn partition_engines(rules: &mut Rules, text: &str, engine: &str) -> Result<String, Refusal> {
    let tokens = lex(text, &Context::new("", rules.flavours.from)).tokens;
    let mut edits = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let sign = tokens.get(at + 1).is_some_and(|next| next.is_symbol(b'='));
        if !token.is_word(text, "ENGINE") || !sign {
            continue;
        }
        if let Some(name) = tokens.get(at + 2) {
            edits.push((name.start..name.end, engine.to_owned()));
        }
    }
    replace(text, edits)
}

/// Refuses what X-Engine does not have.
///
/// Source: PolarDB for MySQL, "Usage of X-Engine", limits on features: no foreign keys, no generated columns
/// (a key on an expression is one), no spatial types, no spatial and no full-text indexes.
fn lacks(definition: &Definition, context: &Context) -> Result<(), Refusal> {
    let mut reasons = Vec::new();
    if !definition.foreign_keys.is_empty() {
        reasons.push("foreign keys".to_owned());
    }
    for key in &definition.keys {
        match key.kind {
            KeyKind::Fulltext => reasons.push(format!("the full-text key {}", quote(&key.name))),
            KeyKind::Spatial => reasons.push(format!("the spatial key {}", quote(&key.name))),
            _ if key.columns.iter().any(Option::is_none) => reasons.push(format!(
                "key {} on an expression, which is a generated column",
                quote(&key.name)
            )),
            _ => {}
        }
    }
    for column in &definition.columns {
        let Some(parts) = ColumnParts::parse(&column.text, context) else {
            continue;
        };
        if parts.has(AttributeKind::Generated) {
            reasons.push(format!("the generated column {}", quote(&column.name)));
        }
        if SPATIAL_TYPES.contains(&parts.type_name().as_str()) {
            reasons.push(format!("the spatial column {}", quote(&column.name)));
        }
    }
    if reasons.is_empty() {
        return Ok(());
    }
    Err(Refusal {
        code: X_ENGINE_LACKS,
        message: format!("X-Engine does not have {}", reasons.join(", ")),
        hint: "Drop this at the source, or use `schema.engine: innodb`, or leave the table out.",
    })
}

/// The AUTO_INCREMENT column where no key begins with it.
fn numbers_in_groups(definition: &Definition) -> Option<&str> {
    let column = definition
        .columns
        .iter()
        .find(|column| column.auto_increment)?;
    let begins = |key: &&KeyClause| {
        let first = key.columns.first().and_then(Option::as_deref);
        first.is_some_and(|first| first.eq_ignore_ascii_case(&column.name))
    };
    let mut keys = definition.primary_key.iter().chain(&definition.keys);
    keys.find(begins).is_none().then_some(column.name.as_str())
}
