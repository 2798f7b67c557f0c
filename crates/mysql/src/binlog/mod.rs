//! The binlog: from raw events to changes.
//!
//! Owns event formats, GTID sets, row decoding, starts and ends, the DDL scan and the stream.
//! Must not write anywhere and must not know the target. Read on in [`stream`] for how events
//! become transactions, then [`decode`] for rows and [`position`] for starts and ends.

pub mod cursor;
pub mod decode;
mod decimal;
pub mod event;
mod float;
pub mod gtid;
mod identity;
pub mod json;
pub mod payload;
mod plan;
pub mod query;
pub mod table_map;
mod temporal;
