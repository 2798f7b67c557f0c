//! Real servers start, answer, crash, come back and leave nothing behind; oracle, workload and faults do their work.

mod faults;
mod online;
mod oracle;
mod servers;
