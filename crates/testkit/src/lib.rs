//! What tests need from the outside world: real servers, faults, workloads and an oracle.
//!
//! This crate shares no code with the shipped crates and must never depend on one, so that a mistake
//! there cannot hide itself here.

pub mod attributes;
mod cache;
mod churn;
mod failure;
mod fetch;
mod flavour;
pub mod matrix;
mod online;
mod oracle;
mod percona;
mod program;
mod proxy;
mod random;
mod remodel;
mod server;
mod shim;
mod shop;
mod stall;
mod supervisor;
mod workload;

pub use cache::cache_folder;
pub use churn::{Churn, ChurnOptions};
pub use failure::{Failure, Result};
pub use flavour::Flavour;
pub use online::{Ghost, TableWriters, make_table};
pub use oracle::{Comparison, Difference, Naming, Oracle, compare, compare_named};
pub use percona::{Percona, SchemaChange};
pub use program::Program;
pub use proxy::{Fault, FaultProxy};
pub use random::Random;
pub use remodel::{REMODEL_DATABASES, Remodel, RemodelOptions};
pub use server::{Server, ServerOptions};
pub use shim::Shim;
pub use shop::{Shop, TABLES as SHOP_TABLES};
pub use stall::CommitStall;
pub use workload::{AuditReport, Counters, Workload, WorkloadOptions, WorkloadReport};
