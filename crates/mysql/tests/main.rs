//! Tests of this crate on real servers.

mod binlog;
mod ddl;
mod session;
mod source;
mod target;
