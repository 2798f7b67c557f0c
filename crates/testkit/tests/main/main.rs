//! Real servers start, answer, crash, come back and leave nothing behind; the oracle and the workload do their work.

mod oracle;
mod servers;
