//! Tables that combine at random every attribute that a flavour knows, and what a server says about them.
//!
//! Owns which attributes there are ([`samples`]), a few rows for each table, and facts about tables from
//! `information_schema` in a form that means the same on every flavour ([`facts`]). To add an attribute, add it
//! where a table draws it: columns in `columns`, keys and constraints in `keys`, the rest in `storage`; what
//! stands alone or must be refused is in `special`.

mod columns;
mod expression;
mod facts;
mod keys;
mod special;
mod storage;

use crate::flavour::Flavour;
use crate::random::Random;
use columns::Column;

pub use facts::{Facts, facts};

/// The database of the tables, and another one that holds a few of them and some parents.
pub const DATABASES: [&str; 2] = ["attr", "attr_two"];

/// What a session needs before it makes the tables.
pub const SESSION: &str = "SET NAMES utf8mb4; SET foreign_key_checks = 0, time_zone = '+00:00', \
    sql_mode = 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION', SESSION innodb_strict_mode = 0";

/// Rows of a table that draws its attributes.
const ROWS: usize = 4;

/// One table.
#[derive(Debug, Clone)]
pub struct Sample {
    pub database: &'static str,
    pub table: String,
    /// Statements that make it, for a session with its database as the default.
    pub create: Vec<String>,
    pub rows: Vec<String>,
    /// The code with which a move to MySQL 9.7 must be refused.
    pub refused: Option<&'static str>,
}

impl Sample {
    /// Database and table, quoted.
    pub fn name(&self) -> String {
        format!("`{}`.{}", self.database, quoted(&self.table))
    }
}

/// Statements that make the databases, each with a character set of its own.
pub fn databases(flavour: Flavour) -> Vec<String> {
    let first = match flavour {
        Flavour::MySql97 => "utf8mb4 COLLATE utf8mb4_0900_as_ci",
        Flavour::MySql56 => "utf8 COLLATE utf8_unicode_ci",
        Flavour::MariaDb => "utf8mb4 COLLATE utf8mb4_unicode_ci COMMENT 'it''s ours'",
    };
    vec![
        format!("CREATE DATABASE attr CHARACTER SET {first}"),
        "CREATE DATABASE attr_two CHARACTER SET latin1 COLLATE latin1_german1_ci".to_owned(),
    ]
}

/// `count` tables: those that stand alone, then as many random ones. Parents come last, so that foreign keys
/// refer to later tables. `folder` is one that the server may write to.
pub fn samples(flavour: Flavour, seed: u64, count: usize, folder: &str) -> Vec<Sample> {
    let mut all = special::samples(flavour, folder);
    let parents = special::parents();
    let random_count = count.saturating_sub(all.len() + parents.len());
    for number in 0..random_count {
        // Each table has a seed of its own, so that one of many can be made alone.
        let mut random = Random::new(seed.wrapping_add(number as u64 * 0x1_0001));
        all.push(draw(flavour, &mut random, number));
    }
    all.extend(parents);
    all
}

/// A table while its attributes are drawn.
struct Draft<'a> {
    flavour: Flavour,
    random: &'a mut Random,
    number: usize,
    columns: Vec<Column>,
    /// Keys, checks and foreign keys.
    parts: Vec<String>,
    options: Vec<String>,
    partitions: String,
    /// The table is to be partitioned by `id`, so every unique key holds it, and there are no foreign keys.
    partitioned: bool,
    is_innodb: bool,
}

fn draw(flavour: Flavour, random: &mut Random, number: usize) -> Sample {
    let partitioned = random.one_in(6);
    let is_innodb = partitioned || !random.one_in(12);
    let database = DATABASES[usize::from(random.one_in(5))];
    let mut draft = Draft {
        flavour,
        random,
        number,
        columns: Vec::new(),
        parts: Vec::new(),
        options: Vec::new(),
        partitions: String::new(),
        partitioned,
        is_innodb,
    };
    draft.draw_columns();
    draft.draw_keys();
    draft.draw_constraints();
    draft.draw_storage();
    let table = draft.table_name();
    let mut elements: Vec<String> = draft.columns.iter().map(Column::clause).collect();
    // A foreign key to the table itself was drawn before its name.
    elements.extend(
        draft
            .parts
            .iter()
            .map(|part| part.replace("{self}", &quoted(&table))),
    );
    let create = format!(
        "CREATE TABLE {} (\n  {}\n) {}{}",
        quoted(&table),
        elements.join(",\n  "),
        draft.options.join(" "),
        draft.partitions
    );
    let rows = (0..ROWS).map(|row| draft.row(&table, row)).collect();
    Sample {
        database,
        table,
        create: vec![create],
        rows,
        refused: None,
    }
}

/// Names that a careless quotation would break, and words that some version reserves.
const ODD_NAMES: [&str; 22] = [
    "a b",
    "c`d",
    "select",
    "rank",
    "groups",
    "lateral",
    "manual",
    "qualify",
    "ünï",
    "日本",
    "PRIMARY KEY (",
    "key",
    "$x",
    "1a",
    "a.b",
    "quo\"te",
    "quo'te",
    "back\\slash",
    "--",
    "/*",
    "#",
    "COMMENT '",
];

impl Draft<'_> {
    fn pick<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.random.below(list.len() as u64) as usize].clone()
    }

    fn is_97(&self) -> bool {
        self.flavour == Flavour::MySql97
    }

    fn is_mariadb(&self) -> bool {
        self.flavour == Flavour::MariaDb
    }

    fn table_name(&mut self) -> String {
        let number = self.number;
        match self.random.below(6) {
            0 => {
                let name = self.pick(&ODD_NAMES);
                // MariaDB names a foreign key after its table, and does not double this, see the sample `tick`.
                let has_parent = self.parts.iter().any(|part| part.contains("FOREIGN KEY"));
                let plain = has_parent && !self.is_97();
                let name = if plain {
                    name.replace('`', "")
                } else {
                    name.to_owned()
                };
                format!("{name} {number}")
            }
            1 => format!("Case{number}"),
            _ => format!("t{number}"),
        }
    }

    /// A comment, or nothing.
    fn comment(&mut self, sign: &str) -> String {
        if !self.random.one_in(4) {
            return String::new();
        }
        let text = self.pick(&[
            "plain",
            "it''s \"quoted\" `so`",
            "two\\nlines\\tand a tab",
            "back\\\\slash at the end\\\\",
            "-- no comment /* no */ # no",
            "ümläut, 日本語, ?",
            ") ENGINE=MyISAM COMMENT=''x''",
            "50% _ \\%",
        ]);
        format!(" COMMENT{sign}'{text}'")
    }

    fn row(&mut self, table: &str, row: usize) -> String {
        let written: Vec<&Column> = self
            .columns
            .iter()
            .filter(|column| !column.values.is_empty())
            .collect();
        let names: Vec<String> = written.iter().map(|column| quoted(&column.name)).collect();
        let values: Vec<String> = written
            .iter()
            .map(|column| match row {
                2 if column.nullable => "NULL".to_owned(),
                3 if column.has_default && !column.in_key => "DEFAULT".to_owned(),
                _ => column.values[row % column.values.len()].clone(),
            })
            .collect();
        // A row that breaks a unique key or fits no partition is left out.
        format!(
            "INSERT IGNORE INTO {} ({}) VALUES ({})",
            quoted(table),
            names.join(", "),
            values.join(", ")
        )
    }
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
