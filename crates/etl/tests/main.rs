//! The language through its public face: every function, every mistake, whole scripts, random expressions.

mod columns;
mod errors;
mod fixture;
mod functions;
mod json;
mod random;
mod scripts;
