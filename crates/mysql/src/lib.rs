//! MySQL and MariaDB: the one crate that speaks their wire protocol.
//!
//! Owns sessions, the binlog, definitions and the two ports' implementations. Must not decide
//! what happens next: that is the engine's. Read on in `session`, then `flavour`.

pub mod accounts;
pub mod additional;
pub mod binlog;
pub mod catalog;
pub mod ddl;
pub mod filter;
pub mod flavour;
mod json;
pub mod literal;
mod member;
mod merge;
pub mod names;
pub mod object;
pub mod reader;
pub mod script;
pub mod session;
mod shape;
pub mod source;
pub mod target;
pub mod watch;

pub use flavour::{Flavour, ServerVersion};
