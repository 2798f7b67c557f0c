//! The one error shape that crosses a port: what failed, how bad it is, what to do next.
//!
//! Crates keep their own error enums inside and turn them into a [`Fault`] where they meet the
//! engine. The action taken for each class stands in `engine::policy`.

use crate::name::TableName;
use std::fmt;

/// How the engine reacts to a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Try again with backoff, up to a limit: a lost connection, a deadlock.
    Transient,
    /// The input is wrong and nothing was touched. Exit code 2.
    Input,
    /// The operator must act; the hint says how. Exit code 3.
    Operator,
    /// Another runner took the task, or it is cut over. Exit code 5.
    Fenced,
    /// A defect in Wherry. Exit code 1.
    Bug,
}

/// The smallest thing that must stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    Task,
    Table(TableName),
}

/// A failure with a stable code, a class, a scope and the next action.
///
/// `Display` prints itself, never its cause; `causes` gives the chain. Texts never hold row
/// values, passwords or connection strings.
#[derive(Debug)]
pub struct Fault {
    pub code: &'static str,
    pub class: Class,
    pub scope: Scope,
    /// A lowercase fragment without a final point.
    pub message: String,
    /// A full sentence with the next action.
    pub hint: String,
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Fault {
    pub fn new(code: &'static str, class: Class, message: impl Into<String>) -> Fault {
        Fault {
            code,
            class,
            scope: Scope::Task,
            message: message.into(),
            hint: String::new(),
            cause: None,
        }
    }

    pub fn operator(code: &'static str, message: impl Into<String>) -> Fault {
        Fault::new(code, Class::Operator, message)
    }

    pub fn input(code: &'static str, message: impl Into<String>) -> Fault {
        Fault::new(code, Class::Input, message)
    }

    pub fn transient(code: &'static str, message: impl Into<String>) -> Fault {
        Fault::new(code, Class::Transient, message)
    }

    pub fn bug(code: &'static str, message: impl Into<String>) -> Fault {
        Fault::new(code, Class::Bug, message).hint("Please report this with the log.")
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Fault {
        self.hint = hint.into();
        self
    }

    #[must_use]
    pub fn table(mut self, table: &TableName) -> Fault {
        self.scope = Scope::Table(table.clone());
        self
    }

    #[must_use]
    pub fn cause(mut self, cause: impl std::error::Error + Send + Sync + 'static) -> Fault {
        self.cause = Some(Box::new(cause));
        self
    }

    /// The table that it is about.
    pub fn table_name(&self) -> Option<&TableName> {
        match &self.scope {
            Scope::Table(table) => Some(table),
            Scope::Task => None,
        }
    }

    pub fn is_transient(&self) -> bool {
        self.class == Class::Transient
    }

    /// The causes, outermost first, each in its own words.
    pub fn causes(&self) -> Vec<String> {
        let mut texts = Vec::new();
        let mut next: Option<&(dyn std::error::Error + 'static)> = self
            .cause
            .as_deref()
            .map(|cause| cause as &(dyn std::error::Error + 'static));
        while let Some(cause) = next {
            texts.push(cause.to_string());
            next = cause.source();
        }
        texts
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause
            .as_deref()
            .map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}
