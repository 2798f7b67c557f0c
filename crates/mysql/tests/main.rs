//! Tests of this crate on real servers.

mod session;
