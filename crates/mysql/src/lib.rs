//! Everything that speaks MySQL: sessions, catalog, reading, binlog, DDL and SQL writing.

pub mod literal;
