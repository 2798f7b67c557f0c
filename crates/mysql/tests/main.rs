//! Tests of this crate on real servers.

#![expect(
    clippy::too_many_lines,
    reason = "tables of cases and scenarios read best in one piece"
)]

mod binlog;
mod ddl;
mod session;
mod source;
mod target;
