//! The engine: phases, pipeline and scheduler, over two ports.
//!
//! Owns the order of things. Must not know any driver, SQL or HTTP. Read on in `ports` for what
//! it needs of a source and a target, then in `run` for how a task goes through its phases.

pub mod accounts;
pub mod cutover;
mod family;
pub mod heartbeat;
pub mod lane;
pub mod load;
pub mod objects;
pub mod pipe;
pub mod plan;
pub mod policy;
pub mod ports;
pub mod progress;
pub mod run;
pub mod schema;
pub mod state;
pub mod stream;
pub mod verify;
