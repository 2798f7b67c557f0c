//! The binlog: from raw events to changes.
//!
//! Owns event formats, GTID sets, row decoding, starts and ends, the DDL scan and the stream.
//! Must not write anywhere and must not know the target. Read on in [`stream`] for how events
//! become transactions, then [`decode`] for rows and [`position`] for starts and ends.

pub mod cursor;
mod decimal;
pub mod decode;
pub mod event;
mod fault;
mod from;
pub mod gtid;
pub mod identity;
pub mod json;
pub mod json_diff;
pub mod payload;
mod place;
pub(crate) mod plan;
pub mod position;
pub mod query;
pub mod scan;
mod statement;
pub mod stream;
pub mod table_map;
mod temporal;

pub use from::begin;
pub use position::{end, start};
pub use scan::ddl_between;
pub use stream::{MysqlStream, StreamOptions};
