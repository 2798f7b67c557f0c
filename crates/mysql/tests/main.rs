//! Tests of the `mysql` crate on real servers.

mod source;
