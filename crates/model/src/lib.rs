//! The nouns of Wherry: what every other crate talks about.
//!
//! Owns names, tables, rows, changes, positions, phases, the task specification and the error
//! shape. Must not do I/O, spawn work or read a clock. Read on in `engine::ports` for who
//! produces and consumes these types.

pub mod account;
pub mod additional;
pub mod change;
pub mod check;
pub mod double;
pub mod fault;
pub mod loss;
pub mod name;
pub mod names;
pub mod object;
pub mod online;
pub mod operation;
pub mod pattern;
pub mod phase;
pub mod phases;
pub mod position;
pub mod reason;
pub mod row;
pub mod rule_change;
pub mod select;
pub mod shape;
pub mod skipped;
pub mod table;
pub mod task;

pub use account::{Account, AccountChoice};
pub use additional::Additional;
pub use change::{Change, ChangeKind, Ddl, DdlKind};
pub use check::{CheckItem, Verdict};
pub use fault::{Class, Fault, Scope};
pub use loss::Loss;
pub use name::TableName;
pub use names::NameMap;
pub use object::{ObjectContext, ObjectKind, ObjectName, SchemaObject, TriggerPlace};
pub use operation::{Operation, Operations};
pub use phase::Phase;
pub use position::Position;
pub use row::{Row, RowBatch, RowWriter};
pub use rule_change::RuleChange;
pub use shape::{Leaves, RowScript, Shape};
pub use skipped::{Skipped, SkippedRows};
pub use table::{
    Adopted, Apart, Column, ColumnKind, Exactness, Family, Key, KeyPart, OwnRows, Table,
};
