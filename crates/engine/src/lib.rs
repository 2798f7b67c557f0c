//! The engine: phases, pipeline and scheduler, over two ports.
//!
//! Owns the order of things. Must not know any driver, SQL or HTTP. Read on in `ports`.

pub mod pipe;
pub mod ports;
pub mod state;
