//! Statements and definitions as text: locate, classify, rewrite. Pure, no connections.
//!
//! Works on tokens with byte spans. What is not understood is said to be unknown; text that is
//! not touched stays byte by byte as the user wrote it. Read on in `statement` for the types,
//! `definition` for `SHOW CREATE TABLE`, `rules` for what differs between server flavours.

pub mod definition;
pub mod rules;

mod alter;
mod body_names;
mod classify;
mod columns;
mod conversion;
mod cursor;
mod database;
mod dml;
mod edit;
mod grant;
mod lexer;
mod login;
mod mention;
mod object;
mod object_names;
mod online;
mod refusal;
mod scan;
mod session_charset;
mod settle;
mod sql_mode;
mod statement;
mod transaction;
mod translate;
mod translate_keys;
mod view_names;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_said;

pub use alter::{AlterNotes, converts_moments, names_engine, plain_alter};
pub use classify::classify;
pub use columns::{Columns, renamed};
pub use conversion::{
    changes_a_column, converts_nothing, converts_table, converts_twice, converts_what_it_changes,
    may_convert_nothing,
};
pub use database::database_options;
pub use edit::{by_copy, carried, rewrite_names, strip_hints};
pub use grant::{Grant, grant};
pub use login::{Login, login};
pub use mention::may_concern;
pub use object::{ObjectEdit, SESSION_MARK, comparable, edit_object, object_context, unguarded};
pub use object_names::{
    ONE_NAME, ObjectNames, UNPROVED, UNPROVED_VIEW, Unproved, rename_object, view_references,
};
pub use online::{copies_otherwise, moves_values, sets_counter_only};
pub use refusal::Refusal;
pub use session_charset::takes_session_charset;
pub use settle::{Settled, settle};
pub use sql_mode::{
    SqlMode, is_strict, is_written_by_server, sql_mode_at, sql_mode_names, with_backslash_escapes,
};
pub use statement::{
    Context, Dialect, NameKind, NamedObject, OtherObject, Role, Statement, StatementKind, XaVerb,
    Xid,
};
pub use transaction::{SavepointVerb, savepoint};
