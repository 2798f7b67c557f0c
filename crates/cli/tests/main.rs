//! The program on real servers, as a user runs it.
//!
//! Each module is one promise. Equality is always judged by `wherry_testkit::oracle`, which shares
//! no code with Wherry.

mod accounts;
mod additional;
mod attributes;
mod broken;
mod changes;
mod choices;
mod choose;
mod definitions;
mod definitions_56;
mod definitions_mariadb;
mod disk;
mod engines;
mod everything;
mod exact;
mod heartbeat;
mod json;
mod keep;
mod kill;
mod kill_ddl;
mod kinds;
mod lanes;
mod matrix;
mod merge;
mod modes;
mod names;
mod namesakes;
mod object_names;
mod objects;
mod odd_values;
mod online;
mod passed_over;
mod pending_keys;
mod plan;
mod planted;
mod race;
mod random;
mod refusals;
mod remodel;
mod replace;
mod roads;
mod rules;
mod runner;
mod scripts;
mod seeds;
mod shape;
mod skips;
mod takeover;
mod unlike;
