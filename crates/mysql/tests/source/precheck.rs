//! Precheck.
