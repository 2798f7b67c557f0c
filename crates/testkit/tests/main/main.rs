//! Real servers start, answer, crash, come back and leave nothing behind.

mod servers;
