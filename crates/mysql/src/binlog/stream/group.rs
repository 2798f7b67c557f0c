//! A transaction while it is read: its changes, its savepoints, and what a rollback leaves of it.
//!
//! A source logs what it rolled back where it cannot leave it out: MariaDB writes `ROLLBACK TO`
//! behind rows once a temporary table was made or another engine written to. Changes of tables
//! that are not transactional stay at the source, so they stay here.

use crate::binlog::gtid::{Gtid, MariaGtid};
use crate::ddl::Xid;
use wherry_model::{Change, Position};

/// A transaction whose end was not read yet.
#[derive(Debug)]
pub struct Group {
    pub begin: Position,
    pub gtid: Option<AnyGtid>,
    pub committed_at_us: Option<u64>,
    /// `BEGIN` was read: it ends with a commit, not with its first statement.
    pub opened: bool,
    pub xa: Option<Xid>,
    pub changes: Vec<Change>,
    pub byte_count: usize,
    /// Row events so far, of whatever table.
    pub row_event_count: u64,
    /// Row events whose changes were given out in parts.
    pub delivered_count: u64,
    /// Changes that were given out in parts.
    given_out: usize,
    savepoints: Vec<Savepoint>,
}

#[derive(Debug)]
struct Savepoint {
    name: String,
    /// Row events before it.
    row_event_count: u64,
    /// Changes before it, of those that this reading has decoded.
    change_count: usize,
}

#[derive(Debug, Clone)]
pub enum AnyGtid {
    MySql(Gtid),
    MariaDb(MariaGtid),
}

/// Why a savepoint cannot be gone back to.
#[derive(Debug, PartialEq, Eq)]
pub enum NoWayBack {
    /// A part behind it was given out already.
    GivenOut,
    /// The transaction has no savepoint of this name.
    Unknown,
}

impl Group {
    pub fn at(begin: Position) -> Group {
        Group {
            begin,
            gtid: None,
            committed_at_us: None,
            opened: true,
            xa: None,
            changes: Vec::new(),
            byte_count: 0,
            row_event_count: 0,
            delivered_count: 0,
            given_out: 0,
            savepoints: Vec::new(),
        }
    }

    pub fn add(&mut self, changes: Vec<Change>) {
        self.byte_count += changes.iter().map(Change::byte_count).sum::<usize>();
        self.changes.extend(changes);
    }

    /// Takes out the changes so far, to be given out as a part.
    pub fn give_out(&mut self) -> (Vec<Change>, usize) {
        self.delivered_count = self.row_event_count;
        self.given_out += self.changes.len();
        let changes = std::mem::take(&mut self.changes);
        (changes, std::mem::take(&mut self.byte_count))
    }

    /// Sets a savepoint; one of the same name is forgotten.
    pub fn set_savepoint(&mut self, name: String) {
        self.savepoints.retain(|known| known.name != name);
        self.savepoints.push(Savepoint {
            name,
            row_event_count: self.row_event_count,
            change_count: self.given_out + self.changes.len(),
        });
    }

    pub fn roll_back_to(&mut self, name: &str) -> Result<(), NoWayBack> {
        let place = self.savepoints.iter().position(|known| known.name == name);
        let Some(place) = place else {
            return Err(NoWayBack::Unknown);
        };
        let savepoint = &self.savepoints[place];
        if savepoint.row_event_count < self.delivered_count {
            return Err(NoWayBack::GivenOut);
        }
        let kept = savepoint.change_count.saturating_sub(self.given_out);
        self.savepoints.truncate(place + 1);
        self.take_back(kept);
        Ok(())
    }

    /// Takes back every change but those that a rollback leaves at the source.
    pub fn roll_back(&mut self) {
        self.savepoints.clear();
        self.take_back(0);
    }

    /// Removes changes of one table.
    pub fn forget(&mut self, table: &wherry_model::TableName) {
        self.retain(|_, change| change.table.name != *table);
    }

    fn take_back(&mut self, kept: usize) {
        self.retain(|index, change| index < kept || !change.table.is_transactional());
    }

    fn retain(&mut self, keep: impl Fn(usize, &Change) -> bool) {
        let before = std::mem::take(&mut self.changes);
        for (index, change) in before.into_iter().enumerate() {
            if keep(index, &change) {
                self.changes.push(change);
            } else {
                let behind = self.given_out + self.changes.len();
                // Savepoints count changes, of which there is now one less.
                for savepoint in &mut self.savepoints {
                    savepoint.change_count -= usize::from(savepoint.change_count > behind);
                }
            }
        }
        self.byte_count = self.changes.iter().map(Change::byte_count).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use wherry_model::{ChangeKind, Exactness, Row, Table, TableName};

    fn change(engine: &str, value: &str) -> Change {
        let table = Table {
            name: TableName::new("d", engine),
            engine: engine.to_owned(),
            columns: Vec::new(),
            keys: Vec::new(),
            exactness: Exactness::Keyed,
            definition: String::new(),
            row_count_estimate: 0,
            byte_count_estimate: 0,
            adopted: None,
            shape: None,
            in_target: None,
        };
        Change {
            table: Arc::new(table),
            kind: ChangeKind::Insert {
                after: Row::from_values([Some(value.as_bytes())]),
            },
            identities: Vec::new(),
            unchecked: false,
        }
    }

    fn group() -> Group {
        Group::at(Position::new("bin.000001", 4, None))
    }

    fn values(group: &Group) -> String {
        let text = |change: &Change| {
            let value = change.after().and_then(|row| row.get(0).flatten());
            String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
        };
        group.changes.iter().map(text).collect()
    }

    #[test]
    fn a_savepoint_takes_back_what_is_behind_it() {
        let mut group = group();
        group.add(vec![change("innodb", "a")]);
        group.set_savepoint("s".to_owned());
        group.add(vec![change("innodb", "b"), change("myisam", "c")]);
        group.set_savepoint("t".to_owned());
        group.add(vec![change("innodb", "d")]);
        assert_eq!(group.roll_back_to("t"), Ok(()));
        assert_eq!(values(&group), "abc");
        assert_eq!(group.roll_back_to("s"), Ok(()));
        assert_eq!(values(&group), "ac");
        assert_eq!(group.roll_back_to("t"), Err(NoWayBack::Unknown));
        group.add(vec![change("innodb", "e")]);
        assert_eq!(group.roll_back_to("s"), Ok(()));
        assert_eq!(values(&group), "ac");
        group.roll_back();
        assert_eq!(values(&group), "c");
    }

    #[test]
    fn a_later_savepoint_of_the_same_name_counts() {
        let mut group = group();
        group.set_savepoint("s".to_owned());
        group.add(vec![change("innodb", "a")]);
        group.set_savepoint("s".to_owned());
        group.add(vec![change("innodb", "b")]);
        assert_eq!(group.roll_back_to("s"), Ok(()));
        assert_eq!(values(&group), "a");
    }

    #[test]
    fn what_was_given_out_cannot_be_taken_back() {
        let mut group = group();
        let add = |group: &mut Group, value| {
            group.row_event_count += 1;
            group.add(vec![change("innodb", value)]);
        };
        add(&mut group, "a");
        group.set_savepoint("s".to_owned());
        add(&mut group, "b");
        group.give_out();
        group.set_savepoint("t".to_owned());
        add(&mut group, "c");
        assert_eq!(group.roll_back_to("t"), Ok(()));
        assert_eq!(values(&group), "");
        assert_eq!(group.roll_back_to("s"), Err(NoWayBack::GivenOut));
    }

    #[test]
    fn what_was_given_out_before_a_lost_connection_cannot_be_taken_back_either() {
        let mut group = group();
        group.row_event_count = 1;
        group.set_savepoint("s".to_owned());
        // Told again by the source, and not decoded again.
        group.row_event_count = 2;
        group.delivered_count = 2;
        group.set_savepoint("t".to_owned());
        group.row_event_count = 3;
        group.add(vec![change("innodb", "c")]);
        assert_eq!(group.roll_back_to("t"), Ok(()));
        assert_eq!(values(&group), "");
        assert_eq!(group.roll_back_to("s"), Err(NoWayBack::GivenOut));
    }

    #[test]
    fn a_forgotten_table_moves_the_savepoints() {
        let mut group = group();
        group.add(vec![change("aria", "a"), change("innodb", "b")]);
        group.set_savepoint("s".to_owned());
        group.add(vec![change("innodb", "c")]);
        group.forget(&TableName::new("d", "aria"));
        assert_eq!(group.roll_back_to("s"), Ok(()));
        assert_eq!(values(&group), "b");
    }
}
