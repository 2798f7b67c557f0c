//! Objects of a schema that hold no rows: views, routines, triggers and events.

use crate::name::quote;
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectKind {
    Procedure,
    Function,
    View,
    Trigger,
    Event,
    /// MariaDB only; never carried.
    Sequence,
    /// MariaDB's Oracle mode only; never carried.
    Package,
}

impl ObjectKind {
    pub const ALL: [ObjectKind; 7] = [
        ObjectKind::Procedure,
        ObjectKind::Function,
        ObjectKind::View,
        ObjectKind::Trigger,
        ObjectKind::Event,
        ObjectKind::Sequence,
        ObjectKind::Package,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            ObjectKind::Procedure => "procedure",
            ObjectKind::Function => "function",
            ObjectKind::View => "view",
            ObjectKind::Trigger => "trigger",
            ObjectKind::Event => "event",
            ObjectKind::Sequence => "sequence",
            ObjectKind::Package => "package",
        }
    }

    pub fn parse(text: &str) -> Option<ObjectKind> {
        ObjectKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// An object in its database. A trigger's name is unique in its database, as a view's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectName {
    pub kind: ObjectKind,
    pub database: String,
    pub name: String,
}

impl ObjectName {
    pub fn new(
        kind: ObjectKind,
        database: impl Into<String>,
        name: impl Into<String>,
    ) -> ObjectName {
        ObjectName {
            kind,
            database: database.into(),
            name: name.into(),
        }
    }

    /// The qualified and quoted name, ready for SQL.
    pub fn quoted(&self) -> String {
        format!("{}.{}", quote(&self.database), quote(&self.name))
    }
}

/// Prints the kind and the quoted name, ready for messages.
impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.quoted())
    }
}

/// One object as a server prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaObject {
    pub name: ObjectName,
    /// The statement that makes it, one character (U+0000 to U+00FF) for each byte of its own
    /// character set: a body may hold bytes that are no text anywhere else. Empty where `refused`.
    pub statement: String,
    /// `user@host`.
    pub definer: String,
    /// Views and routines: they run with the rights of their caller.
    pub invoker: bool,
    pub context: ObjectContext,
    /// Triggers only.
    pub trigger: Option<TriggerPlace>,
    /// Events only: the scheduler runs it.
    pub enabled: bool,
    /// Why it cannot be carried whatever the target is.
    pub refused: Option<String>,
}

/// The session settings that decide what the statement means. Empty where a kind has none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectContext {
    pub sql_mode: String,
    pub character_set_client: String,
    pub collation_connection: String,
    pub database_collation: String,
    pub time_zone: String,
}

/// Where a trigger stands among those of its table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TriggerPlace {
    pub table: String,
    /// `BEFORE` or `AFTER`.
    pub timing: String,
    /// `INSERT`, `UPDATE` or `DELETE`.
    pub event: String,
    pub order: u64,
}
