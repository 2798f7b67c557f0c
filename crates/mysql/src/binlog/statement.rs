//! What a statement in the binlog means to a stream of selected tables.
//!
//! The one place that asks the DDL classifier about binlog statements.

use super::query::QueryEvent;
use super::stream::SourceFacts;
use crate::ddl::{
    self, Context, Dialect, NameKind, OtherObject, SavepointVerb, StatementKind, XaVerb, Xid,
    savepoint,
};
use wherry_model::change::DdlSession;
use wherry_model::task::SelectSpec;
use wherry_model::{DdlKind, Fault, TableName};

/// How a statement is to be taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Meaning {
    Begin,
    Commit,
    Rollback,
    Savepoint {
        verb: SavepointVerb,
        name: String,
    },
    Xa {
        verb: XaVerb,
        xid: Xid,
    },
    /// Defines a selected table or database; every table named, pairs for renames.
    Ddl {
        kind: DdlKind,
        tables: Vec<TableName>,
    },
    /// Changes rows of these selected tables by statement.
    Dml {
        tables: Vec<TableName>,
    },
    /// May concern a selected table, but cannot be read.
    Unreadable,
    /// No selected table is concerned.
    Nothing,
}

/// Knows the selection and how the server reads its statements.
#[derive(Debug, Clone)]
pub struct Judge {
    selection: SelectSpec,
    dialect: Dialect,
    /// The server stores names in lower case however they are written.
    lower_case_names: bool,
    hides_cascades: bool,
    explicit_defaults_for_timestamp: Option<bool>,
}

impl Judge {
    pub fn new(selection: &SelectSpec, facts: &SourceFacts) -> Judge {
        let version = &facts.version;
        let number = u32::from(version.major) * 10_000
            + u32::from(version.minor) * 100
            + u32::from(version.patch);
        Judge {
            selection: selection.clone(),
            dialect: Dialect {
                mariadb: version.is_mariadb(),
                version: number,
            },
            lower_case_names: facts.lower_case_names,
            hides_cascades: facts.hides_cascades,
            explicit_defaults_for_timestamp: facts.explicit_defaults_for_timestamp,
        }
    }

    /// The session that a statement ran in, with what its server does not log.
    pub fn session_of(&self, query: &QueryEvent) -> DdlSession {
        DdlSession {
            hides_cascades: self.hides_cascades,
            explicit_defaults_for_timestamp: query
                .session
                .explicit_defaults_for_timestamp
                .or(self.explicit_defaults_for_timestamp),
            ..query.session.clone()
        }
    }

    /// A definition's text with the names of tables and databases as the server stores them. One
    /// that folds names logs the letters of the user; nobody behind this place knows of that.
    pub fn stored_statement(&self, query: &QueryEvent, text: String) -> Result<String, Fault> {
        if !self.lower_case_names {
            return Ok(text);
        }
        let statement = ddl::classify(&text, &self.context(query));
        let stored = ddl::rewrite_names(&text, &statement, &|name| self.stored(name.clone()));
        stored.map_err(Fault::from)
    }

    fn context<'q>(&self, query: &'q QueryEvent) -> Context<'q> {
        Context::new(&query.database, self.dialect).sql_mode(query.session.sql_mode.unwrap_or(0))
    }

    pub fn meaning(&self, query: &QueryEvent) -> Meaning {
        // By far the most frequent ones.
        match query.bytes() {
            b"BEGIN" => return Meaning::Begin,
            b"COMMIT" => return Meaning::Commit,
            _ => {}
        }
        let Some(text) = query.text() else {
            return self.unreadable(query);
        };
        let statement = ddl::classify(&text, &self.context(query));
        match &statement.kind {
            StatementKind::Begin => Meaning::Begin,
            StatementKind::Commit => Meaning::Commit,
            StatementKind::Rollback => Meaning::Rollback,
            StatementKind::Savepoint => match savepoint(&text, &statement) {
                Some((verb, name)) => Meaning::Savepoint { verb, name },
                None => self.unreadable(query),
            },
            StatementKind::Xa {
                verb,
                xid: Some(xid),
            } => Meaning::Xa {
                verb: *verb,
                xid: xid.clone(),
            },
            StatementKind::Dml => self.dml(&statement, query),
            StatementKind::Unknown => self.unreadable(query),
            StatementKind::Other(OtherObject::Server)
            | StatementKind::Set
            | StatementKind::Irrelevant
            | StatementKind::Xa { xid: None, .. } => Meaning::Nothing,
            _ => self.ddl(&statement),
        }
    }

    fn dml(&self, statement: &ddl::Statement, query: &QueryEvent) -> Meaning {
        let tables: Vec<TableName> = statement.subjects().map(|name| self.stored(name)).collect();
        if tables.is_empty() {
            return self.unreadable(query);
        }
        let tables: Vec<TableName> = tables
            .into_iter()
            .filter(|table| self.selection.includes(table))
            .collect();
        if tables.is_empty() {
            Meaning::Nothing
        } else {
            Meaning::Dml { tables }
        }
    }

    fn ddl(&self, statement: &ddl::Statement) -> Meaning {
        let Some(kind) = statement.ddl_kind().filter(|_| !statement.temporary) else {
            return Meaning::Nothing;
        };
        let names_table = statement
            .subjects()
            .any(|name| self.selection.watches(&self.stored(name)));
        let names_database = statement.names.iter().any(|name| {
            name.kind == NameKind::Database
                && self
                    .selection
                    .includes_database(&self.stored_text(name.database.clone()))
        });
        let names_object = statement.names.iter().any(|name| {
            name.kind == NameKind::Other
                && self
                    .selection
                    .includes_database(&self.stored_text(name.database.clone()))
        });
        if !names_table && !names_database && !names_object {
            return Meaning::Nothing;
        }
        let tables = statement.ddl_tables().into_iter();
        Meaning::Ddl {
            kind,
            tables: tables.map(|name| self.stored(name)).collect(),
        }
    }

    /// A statement that cannot be read concerns a selected table unless neither its default
    /// database nor its bytes name a selected database.
    fn unreadable(&self, query: &QueryEvent) -> Meaning {
        let default_selected = self
            .selection
            .includes_database(&self.stored_text(query.database.clone()));
        let named = self.selection.may_stand_in(query.bytes());
        if default_selected || named {
            Meaning::Unreadable
        } else {
            Meaning::Nothing
        }
    }

    pub fn is_selected(&self, table: &TableName) -> bool {
        self.selection.includes(table)
    }

    pub fn is_selected_database(&self, database: &str) -> bool {
        self.selection.includes_database(database)
    }

    fn stored(&self, name: TableName) -> TableName {
        TableName {
            database: self.stored_text(name.database),
            table: self.stored_text(name.table),
        }
    }

    pub fn stored_text(&self, name: String) -> String {
        if self.lower_case_names {
            name.to_lowercase()
        } else {
            name
        }
    }
}
