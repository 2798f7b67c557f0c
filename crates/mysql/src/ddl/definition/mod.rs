//! The definition of a table, read from the text of `SHOW CREATE TABLE`.
//!
//! Clauses keep their text; only what must be moved (keys, foreign keys, options) is taken apart.

mod column;
mod parse;
mod project;
mod rename;
#[cfg(test)]
mod tests;

pub(super) use column::{Attribute, AttributeKind, ColumnParts};
pub(super) use rename::{GENERATED_CHECK, GENERATED_KEY, generated_name};

use super::statement::Context;
use crate::ddl::refusal::UNREADABLE;
use std::ops::Range;
use wherry_model::name::quote;
use wherry_model::{Fault, TableName};

/// One table definition. Clause texts are as the server wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    pub name: TableName,
    pub columns: Vec<ColumnClause>,
    pub primary_key: Option<KeyClause>,
    pub keys: Vec<KeyClause>,
    pub foreign_keys: Vec<ForeignKey>,
    pub checks: Vec<CheckClause>,
    /// Elements that no MySQL has, like MariaDB's `PERIOD FOR SYSTEM_TIME`.
    pub others: Vec<String>,
    /// In order, each with its text.
    pub options: Vec<TableOption>,
    /// `PARTITION BY ...` with its version comment, untouched.
    pub partitions: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnClause {
    pub name: String,
    /// The whole clause with its name.
    pub text: String,
    pub auto_increment: bool,
    pub generated: bool,
    pub invisible: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    Primary,
    Unique,
    Plain,
    Fulltext,
    Spatial,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyClause {
    pub kind: KeyKind,
    /// Empty for the primary key.
    pub name: String,
    /// Names of the columns, prefixes left out; an expression part is `None`.
    pub columns: Vec<Option<String>>,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    pub name: String,
    pub columns: Vec<String>,
    pub references: TableName,
    pub referenced_columns: Vec<String>,
    /// Upper case, like `CASCADE`; `None` where the text has no clause.
    pub on_delete: Option<String>,
    pub on_update: Option<String>,
    pub text: String,
    /// The referenced table's name in `text`.
    pub references_span: Range<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckClause {
    pub name: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableOption {
    /// Upper case with single blanks, like `ENGINE`, `CHARSET`, `ROW_FORMAT`.
    pub name: String,
    pub value: String,
    pub text: String,
}

/// Which keys a rendered definition has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    All,
    /// Leaves out the secondary keys that are not unique and that no AUTO_INCREMENT column needs,
    /// and with them the foreign keys.
    WithoutDeferrable,
}

#[derive(Debug, Clone, Copy)]
pub struct RenderOptions<'a> {
    pub name: &'a TableName,
    pub keys: Keys,
    pub foreign_keys: bool,
    /// The `AUTO_INCREMENT=n` counter; the attribute of the column always stays.
    pub auto_increment: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    #[error("could not read a table definition of database `{database}`: {reason}")]
    Unreadable { database: String, reason: String },
}

impl From<DefinitionError> for Fault {
    fn from(error: DefinitionError) -> Fault {
        Fault::operator(UNREADABLE, error.to_string())
            .hint("Please report this with the output of SHOW CREATE TABLE.")
    }
}

impl Definition {
    /// Reads the text of `SHOW CREATE TABLE`. The context's database is the table's own.
    pub fn parse(text: &str, context: &Context) -> Result<Definition, DefinitionError> {
        parse::definition(text, context)
    }

    /// A complete `CREATE TABLE` statement.
    pub fn render(&self, options: &RenderOptions) -> String {
        self.text(&format!("CREATE TABLE {} ", options.name), options)
    }

    /// One `ALTER TABLE` that adds exactly the keys that `Keys::WithoutDeferrable` leaves out.
    pub fn deferred_keys_alter(&self, name: &TableName) -> Option<String> {
        let kept = self.kept_keys();
        let keys = self.keys.iter().zip(kept);
        let added = keys
            .filter(|(_, kept)| !kept)
            .map(|(key, _)| key.text.clone());
        alter(name, added)
    }

    /// One `ALTER TABLE` that adds every foreign key.
    pub fn foreign_keys_alter(&self, name: &TableName) -> Option<String> {
        alter(
            name,
            self.foreign_keys.iter().map(ForeignKey::qualified_text),
        )
    }

    /// The same definition with the tables that foreign keys point to mapped.
    #[must_use]
    pub fn map_references(&self, map: &dyn Fn(&TableName) -> TableName) -> Definition {
        let mut mapped = self.clone();
        for key in &mut mapped.foreign_keys {
            key.references = map(&key.references);
            let start = key.references_span.start;
            let text = key.qualified_text();
            key.references_span = start..start + key.references.to_string().len();
            key.text = text;
        }
        mapped
    }

    /// The `AUTO_INCREMENT=n` counter.
    pub fn auto_increment(&self) -> Option<u64> {
        self.option("AUTO_INCREMENT")?.parse().ok()
    }

    /// The value of a table option, by its name in upper case.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options
            .iter()
            .find(|option| option.name == name)
            .map(|option| option.value.as_str())
    }

    /// Names of keys and constraints.
    pub fn names_of_parts(&self) -> impl Iterator<Item = &String> {
        let keys = self.keys.iter().map(|key| &key.name);
        let foreign_keys = self.foreign_keys.iter().map(|key| &key.name);
        keys.chain(foreign_keys)
            .chain(self.checks.iter().map(|check| &check.name))
    }

    /// The text for fingerprints: the whole definition without name and counter.
    pub fn fingerprint_text(&self) -> String {
        let options = RenderOptions {
            name: &self.name,
            keys: Keys::All,
            foreign_keys: true,
            auto_increment: false,
        };
        self.text("", &options)
    }

    /// The whole definition behind `head`, with everything.
    pub(super) fn show_text(&self, head: &str) -> String {
        let options = RenderOptions {
            name: &self.name,
            keys: Keys::All,
            foreign_keys: true,
            auto_increment: true,
        };
        self.text(head, &options)
    }

    fn text(&self, head: &str, options: &RenderOptions) -> String {
        let all = options.keys == Keys::All;
        let kept = self.kept_keys();
        let mut elements: Vec<String> = Vec::new();
        elements.extend(self.columns.iter().map(|column| column.text.clone()));
        elements.extend(self.primary_key.iter().map(|key| key.text.clone()));
        let keys = self.keys.iter().zip(kept);
        elements.extend(
            keys.filter(|(_, kept)| all || *kept)
                .map(|(key, _)| key.text.clone()),
        );
        if options.foreign_keys && all {
            elements.extend(self.foreign_keys.iter().map(ForeignKey::qualified_text));
        }
        elements.extend(self.checks.iter().map(|check| check.text.clone()));
        elements.extend(self.others.iter().cloned());
        let mut out = format!("{head}(\n  {}\n)", elements.join(",\n  "));
        for option in &self.options {
            if option.name != "AUTO_INCREMENT" || options.auto_increment {
                out.push(' ');
                out.push_str(&option.text);
            }
        }
        if let Some(partitions) = &self.partitions {
            out.push('\n');
            out.push_str(partitions);
        }
        out
    }

    /// For each of `keys`, whether a definition without deferrable keys has it.
    ///
    /// An AUTO_INCREMENT column must be the first column of some key. Where only a plain key
    /// serves, the plain keys before it stay as well, so that adding the others afterwards gives
    /// the order of the source. InnoDB adds one FULLTEXT key per statement, so only the last one
    /// is left out.
    fn kept_keys(&self) -> Vec<bool> {
        let mut kept: Vec<bool> = self
            .keys
            .iter()
            .map(|key| key.kind == KeyKind::Unique)
            .collect();
        let is_fulltext = |key: &KeyClause| key.kind == KeyKind::Fulltext;
        let last_fulltext = self.keys.iter().rposition(is_fulltext);
        for (at, key) in self.keys.iter().enumerate() {
            kept[at] |= is_fulltext(key) && Some(at) != last_fulltext;
        }
        let Some(column) = self.columns.iter().find(|column| column.auto_increment) else {
            return kept;
        };
        let first = |key: &KeyClause| key.columns.first() == Some(&Some(column.name.clone()));
        let unique = self.primary_key.iter().chain(self.keys.iter());
        if unique
            .filter(|key| matches!(key.kind, KeyKind::Primary | KeyKind::Unique))
            .any(first)
        {
            return kept;
        }
        if let Some(index) = self.keys.iter().position(first) {
            kept[..=index].fill(true);
            return kept;
        }
        for (key, kept) in self.keys.iter().zip(&mut kept) {
            *kept |= key.columns.contains(&Some(column.name.clone()));
        }
        kept
    }
}

fn alter(name: &TableName, elements: impl Iterator<Item = String>) -> Option<String> {
    let clauses: Vec<String> = elements.map(|element| format!("ADD {element}")).collect();
    (!clauses.is_empty()).then(|| format!("ALTER TABLE {name}\n  {}", clauses.join(",\n  ")))
}

impl ForeignKey {
    /// The clause with the referenced table's name qualified.
    pub fn qualified_text(&self) -> String {
        let span = &self.references_span;
        format!(
            "{}{}{}",
            &self.text[..span.start],
            self.references,
            &self.text[span.end..]
        )
    }

    /// Counts the rows of `child` whose key has no NULL and no row in the referenced table.
    pub fn orphan_count_sql(&self, child: &TableName) -> String {
        let set = self
            .columns
            .iter()
            .map(|column| format!("c.{} IS NOT NULL", quote(column)));
        let pairs = self.columns.iter().zip(&self.referenced_columns);
        let equal = pairs.map(|(own, other)| format!("p.{} = c.{}", quote(other), quote(own)));
        format!(
            "SELECT COUNT(*) FROM {child} AS c WHERE {} AND NOT EXISTS (SELECT 1 FROM {} AS p WHERE {})",
            set.collect::<Vec<_>>().join(" AND "),
            self.references,
            equal.collect::<Vec<_>>().join(" AND "),
        )
    }
}
