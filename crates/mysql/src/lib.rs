//! Everything that knows MySQL: sessions, binlog, definitions, and the two ports on top.
//!
//! Must not decide the order of phases and must not print. Read on in `ddl` for statements and
//! definitions as text.

pub mod ddl;
