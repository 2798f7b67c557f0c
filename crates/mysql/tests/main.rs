//! Tests of this crate on real servers.

mod ddl;
mod session;
mod source;
mod target;
