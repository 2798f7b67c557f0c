//! Every column type with the values at its edges, as SQL: what a differential test writes on a source.
//!
//! Owns which types a flavour has, their values, random values, and the statements that put them into the places
//! where the roads of a value begin: rows that are there before the start, and inserts, updates and deletes after
//! it. Later rows are copies of the first ones, made inside the server, so that a value is written as a literal
//! once only. To add a type, add a column to a [`Group`] in `families` (texts are in `texts`).

mod draw;
mod families;
mod texts;

use crate::flavour::Flavour;
use crate::random::Random;
use draw::Draw;

pub use families::groups;

/// Rows of one INSERT.
const ROWS_PER_STATEMENT: usize = 200;
/// Distance between the ids of two blocks.
const BLOCK: usize = 100_000;

/// Statements that a session needs before it writes odd values.
pub const SESSION: &str = "SET NAMES utf8mb4; SET time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO'; SET group_concat_max_len = 1000000";

/// How the rows of a table are told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Identity {
    /// `id INT PRIMARY KEY`.
    Primary,
    /// The same with `AUTO_INCREMENT`, which would give an id of 0 another value.
    Counter,
    /// `id` alone: the table is keyless.
    None,
    /// `my_row_id`, the primary key that MySQL makes by itself.
    Invisible,
}

/// Columns that stand in one table.
#[derive(Clone, Debug)]
pub struct Group {
    pub name: &'static str,
    pub columns: Vec<Column>,
    /// Further parts of the definition, like indexes; with a comma in front.
    pub parts: &'static str,
    pub identity: Identity,
    /// Statements before the CREATE, each with a semicolon.
    pub before: &'static str,
    /// Statements after it.
    pub after: &'static str,
    /// Further statements of the stream.
    pub changes: &'static [&'static str],
}

/// One column type and what is written into it.
#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub definition: String,
    /// SQL expressions; none for a generated column.
    pub edges: Vec<String>,
    draw: Draw,
}

impl Column {
    fn is_written(&self) -> bool {
        !self.edges.is_empty()
    }
}

impl Group {
    /// The same columns without a key, under another name.
    #[must_use]
    pub fn keyless(&self, name: &'static str) -> Group {
        Group {
            name,
            identity: Identity::None,
            ..self.clone()
        }
    }

    fn id(&self) -> &'static str {
        match self.identity {
            Identity::Invisible => "my_row_id",
            Identity::Primary | Identity::Counter | Identity::None => "id",
        }
    }

    fn written(&self) -> Vec<String> {
        let written = self.columns.iter().filter(|column| column.is_written());
        written.map(|column| format!("`{}`", column.name)).collect()
    }

    /// Makes the table in the current database.
    pub fn create(&self) -> String {
        let mut parts: Vec<String> = match self.identity {
            Identity::Primary => vec!["id INT NOT NULL PRIMARY KEY".to_owned()],
            Identity::Counter => vec!["id INT NOT NULL AUTO_INCREMENT PRIMARY KEY".to_owned()],
            Identity::None => vec!["id INT NOT NULL".to_owned()],
            Identity::Invisible => Vec::new(),
        };
        let column = |column: &Column| format!("`{}` {}", column.name, column.definition);
        parts.extend(self.columns.iter().map(column));
        format!(
            "{} CREATE TABLE `{}` ({}{}) ENGINE=InnoDB; {}",
            self.before,
            self.name,
            parts.join(", "),
            self.parts,
            self.after
        )
    }

    /// Rows before the start: a block that stays, one that is updated later and one that is deleted later.
    pub fn load(&self, random: &mut Random, random_rows: usize) -> Vec<String> {
        let edges = self.columns.iter().map(|column| column.edges.len());
        let rows = edges.max().unwrap_or(0) + 1 + random_rows;
        let tuples: Vec<String> = (0..rows)
            .map(|row| self.tuple(random, row, rows - random_rows))
            .collect();
        let head = format!(
            "INSERT INTO `{}` ({}, {}) VALUES ",
            self.name,
            self.id(),
            self.written().join(", ")
        );
        let inserts = tuples.chunks(ROWS_PER_STATEMENT);
        let mut statements: Vec<String> = inserts
            .map(|tuples| format!("{head}{}", tuples.join(", ")))
            .collect();
        statements.extend([self.copied(1), self.copied(2)]);
        statements
    }

    /// Row `row`: an edge of each column while there are any, one row of NULLs, then random values.
    fn tuple(&self, random: &mut Random, row: usize, edge_rows: usize) -> String {
        let mut values =
            vec![(row + usize::from(self.identity == Identity::Invisible)).to_string()];
        for column in self.columns.iter().filter(|column| column.is_written()) {
            let nullable = !column.definition.contains("NOT NULL");
            values.push(if row + 1 == edge_rows && nullable {
                "NULL".to_owned()
            } else if row < edge_rows {
                column.edges[row % column.edges.len()].clone()
            } else {
                let edge = random.below(column.edges.len() as u64) as usize;
                column
                    .draw
                    .value(random)
                    .unwrap_or_else(|| column.edges[edge].clone())
            });
        }
        format!("({})", values.join(", "))
    }

    /// Copies the first block to block `number`.
    pub fn copied(&self, number: usize) -> String {
        let (id, columns) = (self.id(), self.written().join(", "));
        format!(
            "INSERT INTO `{name}` ({id}, {columns}) SELECT {id} + {}, {columns} FROM `{name}` WHERE {id} < {BLOCK}",
            number * BLOCK,
            name = self.name,
        )
    }

    /// Gives each row of block `number` the values of the row after its original, one statement for all.
    pub fn updated(&self, number: usize) -> String {
        let (id, name, shift) = (self.id(), self.name, number * BLOCK);
        let set: Vec<String> = self
            .written()
            .iter()
            .map(|column| format!("a.{column} = b.{column}"))
            .collect();
        format!(
            "UPDATE `{name}` a JOIN `{name}` b ON b.{id} = a.{id} - {shift} + 1 AND b.{id} < {BLOCK} SET {} \
             WHERE a.{id} >= {shift} AND a.{id} < {shift} + {BLOCK}",
            set.join(", ")
        )
    }

    pub fn deleted(&self, number: usize) -> String {
        let (id, name, shift) = (self.id(), self.name, number * BLOCK);
        format!("DELETE FROM `{name}` WHERE {id} >= {shift} AND {id} < {shift} + {BLOCK}")
    }
}

/// A column whose random values are drawn.
fn drawn(name: &str, definition: impl Into<String>, edges: &[&str], draw: Draw) -> Column {
    Column {
        name: name.to_owned(),
        definition: definition.into(),
        edges: edges.iter().map(|edge| (*edge).to_owned()).collect(),
        draw,
    }
}

/// A column with its edges alone.
fn listed(name: &str, definition: impl Into<String>, edges: &[&str]) -> Column {
    drawn(name, definition, edges, Draw::Edge)
}

fn generated(name: &str, definition: &str) -> Column {
    listed(name, definition, &[])
}

fn group(name: &'static str, columns: Vec<Column>) -> Group {
    Group {
        name,
        columns,
        parts: "",
        identity: Identity::Primary,
        before: "",
        after: "",
        changes: &[],
    }
}

fn is_mysql97(flavour: Flavour) -> bool {
    flavour == Flavour::MySql97
}
