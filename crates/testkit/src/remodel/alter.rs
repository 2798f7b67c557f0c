//! Clauses of `ALTER TABLE` on columns, keys and options.

use super::columns::{any_definition, any_type};
use super::picture::{Column, Scene, Table, one};
use crate::flavour::Flavour;
use crate::random::Random;

/// Makes a clause for a table; nothing where it does not suit it.
pub(super) type Clause = fn(&Scene, &Table, &mut Random) -> Option<String>;

/// Clauses that may stand beside others.
pub(super) const CLAUSES: [(&str, Clause); 38] = [
    ("add column", add_column),
    ("add column first", add_column_first),
    ("add column after", add_column_after),
    ("add columns in parentheses", add_columns),
    ("add column not null", add_column_not_null),
    ("drop column", drop_column),
    ("drop column", drop_column),
    ("modify type", modify_type),
    ("widen integer", widen_integer),
    ("lengthen text", lengthen_text),
    ("modify nullability", modify_nullability),
    ("modify place", modify_place),
    ("append label", append_label),
    ("reorder labels", reorder_labels),
    ("change column", change_column),
    ("rename column", rename_column),
    ("swap column names", swap_columns),
    ("add index", add_index),
    ("add descending index", add_descending_index),
    ("add unique", add_unique),
    ("add fulltext", add_fulltext),
    ("add spatial", add_spatial),
    ("add functional index", add_functional_index),
    ("index visibility", index_visibility),
    ("drop index", drop_index),
    ("rename index", rename_index),
    ("add primary key", add_primary_key),
    ("replace primary key", replace_primary_key),
    ("add numbered column", add_numbered),
    ("add generated column", add_generated),
    ("change generated column", change_generated),
    ("add check", add_check),
    ("drop check", drop_check),
    ("set default", set_default),
    ("drop default", drop_default),
    ("table option", table_option),
    ("convert character set", convert_charset),
    ("column visibility", column_visibility),
];

/// Elsewhere a column may be renamed though partitions depend on it, which MySQL 8.0 refuses.
fn renames(scene: &Scene, table: &Table) -> bool {
    scene.flavour == Flavour::MySql97 || table.partitions.is_empty()
}

fn fresh(letter: &str, random: &mut Random) -> String {
    format!("{letter}{}", random.below(12))
}

fn add_column(scene: &Scene, _: &Table, random: &mut Random) -> Option<String> {
    let word = random.pick(&["ADD", "ADD COLUMN"]);
    let definition = any_definition(scene.flavour, random);
    Some(format!("{word} `{}` {definition}", fresh("c", random)))
}

fn add_column_first(scene: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    Some(format!("{} FIRST", add_column(scene, table, random)?))
}

fn add_column_after(scene: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let after = one(&table.columns, random)?.name.clone();
    Some(format!(
        "{} AFTER `{after}`",
        add_column(scene, table, random)?
    ))
}

fn add_columns(scene: &Scene, _: &Table, random: &mut Random) -> Option<String> {
    let one = any_definition(scene.flavour, random);
    let other = any_definition(scene.flavour, random);
    Some(format!(
        "ADD COLUMN (`{}` {one}, `{}` {other})",
        fresh("c", random),
        fresh("d", random)
    ))
}

fn add_column_not_null(scene: &Scene, _: &Table, random: &mut Random) -> Option<String> {
    let kind = any_type(scene.flavour, random).replace(" NULL", "");
    (kind != "POINT").then(|| format!("ADD `{}` {kind} NOT NULL", fresh("c", random)))
}

fn drop_column(_: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let column = one(&table.columns, random)?;
    let word = random.pick(&["DROP", "DROP COLUMN"]);
    (table.columns.len() > 2).then(|| format!("{word} `{}`", column.name))
}

fn modify(column: &Column, definition: &str) -> String {
    format!("MODIFY COLUMN `{}` {definition}", column.name)
}

fn is_shape(column: &Column) -> bool {
    ["point", "geometry"].contains(&column.kind.as_str())
}

/// MySQL 5.6 makes a geometry of any value, also one that is none, and both it and MariaDB leave
/// the column in keys with others: what later servers refuse, see `docs/limits.md`.
fn makes_a_shape(scene: &Scene, column: &Column, definition: &str) -> bool {
    scene.flavour != Flavour::MySql97 && definition.starts_with("POINT") && !is_shape(column)
}

/// Older servers forget NULL in a primary key, which MySQL 8.0 refuses.
fn type_for(scene: &Scene, table: &Table, column: &Column, random: &mut Random) -> String {
    let kind = any_type(scene.flavour, random);
    if table.primary.contains(&column.name) {
        return kind.replace(" NULL", "");
    }
    kind.to_owned()
}

/// Where a CHECK compares the column with a number, whether a text meets it is up to the `sql_mode`
/// (MySQL 9), and such a table stops; see `docs/limits.md`.
fn may_be_text(table: &Table) -> bool {
    table.checks.is_empty()
}

/// True where every writer leaves the column a number, so that a condition on it may be added
/// meanwhile.
fn stays_number(column: &Column) -> bool {
    column.is_number() && column.name.starts_with(['v', 'n', 'u', 'w'])
}

/// A column that may get another type. Elsewhere one that partitions depend on gets types that MySQL
/// 8.0 refuses for them, and a number of the primary key may become such a one meanwhile.
fn retyped<'t>(scene: &Scene, table: &'t Table, random: &mut Random) -> Option<&'t Column> {
    let column = table.column(random, |column| {
        !column.generated && !column.numbered && !stays_number(column)
    })?;
    let may_part = column.is_number() && table.primary.contains(&column.name);
    (scene.flavour == Flavour::MySql97 || !may_part).then_some(column)
}

fn modify_type(scene: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    if !may_be_text(table) {
        return None;
    }
    let column = retyped(scene, table, random)?;
    let kind = type_for(scene, table, column, random);
    (!makes_a_shape(scene, column, &kind)).then(|| modify(column, &kind))
}

fn widen_integer(_: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let column = table.column(random, |column| column.is_number() && !column.generated)?;
    let counter = if column.numbered {
        " NOT NULL AUTO_INCREMENT"
    } else {
        ""
    };
    let sign = if column.definition.contains("unsigned") {
        " UNSIGNED"
    } else {
        ""
    };
    Some(modify(column, &format!("BIGINT{sign}{counter}")))
}

fn lengthen_text(_: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let column = table.column(random, |column| {
        column.kind == "varchar" && !column.generated
    })?;
    let length = column.length + random.below(250);
    let null = if column.nullable { "NULL" } else { "NOT NULL" };
    Some(modify(column, &format!("VARCHAR({length}) {null}")))
}

fn modify_nullability(_: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let column = key_column(table, random)?;
    let null = if column.nullable { "NOT NULL" } else { "NULL" };
    Some(modify(column, &format!("{} {null}", column.definition)))
}

fn modify_place(_: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let column = key_column(table, random)?;
    let after = one(&table.columns, random)?;
    let place = if random.one_in(2) {
        "FIRST".to_owned()
    } else {
        format!("AFTER `{}`", after.name)
    };
    let null = if column.nullable { "NULL" } else { "NOT NULL" };
    Some(modify(
        column,
        &format!("{} {null} {place}", column.definition),
    ))
}

fn labelled(column: &Column) -> bool {
    (column.kind == "enum" || column.kind == "set") && !column.generated
}

fn append_label(_: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let column = table.column(random, labelled)?;
    let inside = column.definition.strip_suffix(')')?;
    Some(modify(
        column,
        &format!("{inside},'n{}')", random.below(1000)),
    ))
}

fn reorder_labels(_: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let column = table.column(random, labelled)?;
    let (kind, labels) = column.definition.split_once('(')?;
    let labels = labels.strip_suffix(')')?;
    let (first, rest) = labels.split_once("',")?;
    let moved = if rest.contains("b,b") {
        return None;
    } else {
        format!("{rest},{first}'")
    };
    Some(modify(column, &format!("{kind}({moved})")))
}

fn change_column(scene: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    if !renames(scene, table) || !may_be_text(table) {
        return None;
    }
    let column = retyped(scene, table, random)?;
    let definition = if table.primary.contains(&column.name) {
        type_for(scene, table, column, random)
    } else {
        any_definition(scene.flavour, random)
    };
    let name = fresh("c", random);
    (!makes_a_shape(scene, column, &definition))
        .then(|| format!("CHANGE `{}` `{name}` {definition}", column.name))
}

fn rename_column(scene: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let column = one(&table.columns, random)?;
    let known = scene.flavour != Flavour::MySql56 && renames(scene, table);
    let letter = if stays_number(column) { "n" } else { "r" };
    let name = fresh(letter, random);
    known.then(|| format!("RENAME COLUMN `{}` TO `{name}`", column.name))
}

/// Both names in one statement, so that each is used before it is free.
fn swap_columns(scene: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let (one, other) = (table.plain_column(random)?, table.plain_column(random)?);
    let stays = stays_number(one) == stays_number(other);
    if one.name == other.name || !stays || !renames(scene, table) {
        return None;
    }
    let (a, b) = (&one.name, &other.name);
    if scene.flavour != Flavour::MySql56 && random.one_in(2) {
        return Some(format!(
            "RENAME COLUMN `{a}` TO `{b}`, RENAME COLUMN `{b}` TO `{a}`"
        ));
    }
    // A key that the same statement adds is on the column that gets the name.
    let mixes = scene.flavour != Flavour::MySql97 && is_shape(one) != is_shape(other);
    (!mixes).then(|| {
        format!(
            "CHANGE `{a}` `{b}` {}, CHANGE `{b}` `{a}` {}",
            one.definition, other.definition
        )
    })
}

/// A key part that most types allow.
fn part(column: &Column) -> String {
    let long =
        column.kind.ends_with("text") || column.kind.ends_with("blob") || column.length > 100;
    let prefix = if long { "(8)" } else { "" };
    format!("`{}`{prefix}", column.name)
}

/// Servers differ in what a key on a geometry is.
fn key_column<'a>(table: &'a Table, random: &mut Random) -> Option<&'a Column> {
    let column = table.plain_column(random)?;
    (!is_shape(column)).then_some(column)
}

fn add_index(_: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let (one, other) = (key_column(table, random)?, key_column(table, random)?);
    let word = random.pick(&["INDEX", "KEY"]);
    let name = fresh("k", random);
    if one.name == other.name {
        return Some(format!("ADD {word} `{name}` ({})", part(one)));
    }
    let comment = random.pick(&["", " USING BTREE", " COMMENT 'k'"]);
    Some(format!(
        "ADD {word} `{name}` ({}, {}){comment}",
        part(one),
        part(other)
    ))
}

fn add_descending_index(_: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let (one, other) = (key_column(table, random)?, key_column(table, random)?);
    let name = fresh("k", random);
    (one.name != other.name).then(|| {
        format!(
            "ADD INDEX `{name}` ({} DESC, {} ASC)",
            part(one),
            part(other)
        )
    })
}

fn add_unique(_: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let (one, other) = (key_column(table, random)?, key_column(table, random)?);
    let name = fresh("u", random);
    (one.name != other.name).then(|| {
        format!(
            "ADD UNIQUE KEY `{name}` USING BTREE ({}, {})",
            part(one),
            part(other)
        )
    })
}

/// MariaDB partitions tables with such keys, which MySQL 8.0 refuses.
fn add_fulltext(scene: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    if scene.flavour == Flavour::MariaDb && !table.partitions.is_empty() {
        return None;
    }
    let column = table.column(random, Column::is_text)?;
    Some(format!(
        "ADD FULLTEXT KEY `{}` (`{}`)",
        fresh("f", random),
        column.name
    ))
}

/// Only 9.7 refuses it where there are rows; elsewhere they get a geometry that is none.
fn add_spatial(scene: &Scene, _: &Table, random: &mut Random) -> Option<String> {
    let (column, key) = (fresh("g", random), fresh("s", random));
    (scene.flavour == Flavour::MySql97)
        .then(|| format!("ADD `{column}` GEOMETRY NOT NULL, ADD SPATIAL KEY `{key}` (`{column}`)"))
}

fn add_functional_index(scene: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let column = table.column(random, |column| column.is_number())?;
    (scene.flavour == Flavour::MySql97).then(|| {
        format!(
            "ADD INDEX `{}` ((`{}` + 1), (`{}` * 2) DESC)",
            fresh("x", random),
            column.name,
            column.name
        )
    })
}

fn index_visibility(scene: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    if scene.flavour == Flavour::MariaDb && table.primary.is_empty() {
        // MySQL refuses to hide what it takes for a primary key; see `docs/limits.md`.
        return None;
    }
    let index = one(&table.indexes, random)?;
    let word = match scene.flavour {
        Flavour::MySql97 => random.pick(&["INVISIBLE", "VISIBLE"]),
        Flavour::MariaDb => random.pick(&["IGNORED", "NOT IGNORED"]),
        Flavour::MySql56 => return None,
    };
    Some(format!("ALTER INDEX `{index}` {word}"))
}

fn drop_index(scene: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let index = one(&table.indexes, random)?;
    let exists = if scene.flavour == Flavour::MariaDb && random.one_in(2) {
        " IF EXISTS"
    } else {
        ""
    };
    Some(format!("DROP INDEX{exists} `{index}`"))
}

fn rename_index(scene: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let index = one(&table.indexes, random)?;
    let known = scene.flavour != Flavour::MySql56;
    known.then(|| format!("RENAME INDEX `{index}` TO `{}`", fresh("n", random)))
}

fn add_primary_key(_: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let column = key_column(table, random)?;
    table
        .primary
        .is_empty()
        .then(|| format!("ADD PRIMARY KEY ({})", part(column)))
}

fn replace_primary_key(_: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    if table.primary.is_empty() {
        return None;
    }
    let old: Vec<String> = table
        .primary
        .iter()
        .map(|name| format!("`{name}`"))
        .collect();
    let column = key_column(table, random)?;
    match random.below(3) {
        0 => Some("DROP PRIMARY KEY".to_owned()),
        1 if !table.primary.contains(&column.name) => Some(format!(
            "DROP PRIMARY KEY, ADD PRIMARY KEY ({}, {})",
            old.join(","),
            part(column)
        )),
        _ => Some(format!(
            "DROP PRIMARY KEY, ADD UNIQUE KEY `{}` USING BTREE ({})",
            fresh("p", random),
            old.join(",")
        )),
    }
}

/// Rows of a table without a key would be numbered in an order of the server's own.
fn add_numbered(_: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let counted = table.columns.iter().any(|column| column.numbered);
    (!table.primary.is_empty() && !counted).then(|| {
        let (column, key) = (fresh("a", random), fresh("q", random));
        format!("ADD `{column}` INT NOT NULL AUTO_INCREMENT, ADD UNIQUE KEY `{key}` USING BTREE (`{column}`)")
    })
}

fn add_generated(scene: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let column = table.column(random, |column| stays_number(column) && !column.numbered)?;
    let stored = random.pick(&["VIRTUAL", "STORED"]);
    let name = fresh("v", random);
    let base = &column.name;
    (scene.flavour != Flavour::MySql56).then(|| match random.below(2) {
        0 => format!("ADD `{name}` BIGINT GENERATED ALWAYS AS (`{base}` % 10) {stored}"),
        _ => format!("ADD `{name}` VARCHAR(40) AS (CONCAT('n', `{base}`)) {stored}"),
    })
}

fn change_generated(_: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let column = table.column(random, |column| column.generated)?;
    let base = table.column(random, |column| {
        stays_number(column) && !column.generated && !column.numbered
    })?;
    Some(format!(
        "DROP `{}`, ADD `{}` INT AS (`{}` + 1) STORED",
        column.name, column.name, base.name
    ))
}

fn add_check(scene: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let column = table.column(random, |column| stays_number(column) && !column.numbered)?;
    let name = format!("chk_{}", random.below(100_000));
    let known = scene.flavour == Flavour::MySql97;
    let off = if known {
        random.pick(&["", " NOT ENFORCED"])
    } else {
        ""
    };
    Some(format!(
        "ADD CONSTRAINT `{name}` CHECK (`{}` < 100000000){off}",
        column.name
    ))
}

fn drop_check(scene: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let check = one(&table.checks, random)?;
    Some(match (scene.flavour, random.below(3)) {
        (Flavour::MySql97, 0) => format!("ALTER CHECK `{check}` NOT ENFORCED"),
        (Flavour::MySql97, 1) => format!("DROP CHECK `{check}`"),
        _ => format!("DROP CONSTRAINT `{check}`"),
    })
}

fn set_default(_: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let column = table.column(random, |column| {
        column.is_number() && !column.numbered && !column.generated
    })?;
    Some(format!(
        "ALTER COLUMN `{}` SET DEFAULT {}",
        column.name,
        random.below(100)
    ))
}

fn drop_default(_: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let column = table.plain_column(random)?;
    Some(format!("ALTER `{}` DROP DEFAULT", column.name))
}

fn table_option(scene: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let number = random.below(5000);
    // Of a partitioned table MySQL 5.6 does not keep a character set.
    let choices = match scene.flavour {
        Flavour::MySql56 if !table.partitions.is_empty() => 6,
        _ => 9,
    };
    Some(match random.below(choices) {
        0 => format!("COMMENT = 'no. {number}, it''s \"x\"'"),
        1 => format!("AUTO_INCREMENT = {number}"),
        2 => format!(
            "ROW_FORMAT = {}",
            random.pick(&["DYNAMIC", "COMPACT", "REDUNDANT"])
        ),
        3 => "ENGINE = InnoDB".to_owned(),
        4 => "FORCE".to_owned(),
        5 => "STATS_PERSISTENT = 1 STATS_AUTO_RECALC 0".to_owned(),
        6 => "DEFAULT CHARACTER SET = latin1".to_owned(),
        7 => "CHARSET utf8mb4 COLLATE utf8mb4_general_ci".to_owned(),
        _ if scene.flavour == Flavour::MySql97 => "DEFAULT COLLATE utf8mb4_0900_as_cs".to_owned(),
        _ => "DISABLE KEYS".to_owned(),
    })
}

/// Of a partitioned table without text MySQL 5.6 does not keep it.
fn convert_charset(scene: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    if scene.flavour == Flavour::MySql56 && !table.partitions.is_empty() {
        return None;
    }
    let to = random.pick(&["latin1", "utf8mb4", "utf8mb4 COLLATE utf8mb4_unicode_ci"]);
    Some(format!("CONVERT TO CHARACTER SET {to}"))
}

fn column_visibility(scene: &Scene, table: &Table, random: &mut Random) -> Option<String> {
    let column = one(&table.columns, random)?;
    let word = random.pick(&["INVISIBLE", "VISIBLE"]);
    (scene.flavour == Flavour::MySql97)
        .then(|| format!("ALTER COLUMN `{}` SET {word}", column.name))
}
