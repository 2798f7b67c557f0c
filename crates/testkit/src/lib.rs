//! What tests need from the outside world: real servers, faults, workloads and an oracle.
//!
//! This crate shares no code with the shipped crates and must never depend on one, so that a mistake
//! there cannot hide itself here.

mod cache;
mod failure;
mod fetch;
mod flavour;
mod program;
mod server;
mod supervisor;

pub use cache::cache_folder;
pub use failure::{Failure, Result};
pub use flavour::Flavour;
pub use program::Program;
pub use server::{Server, ServerOptions};
