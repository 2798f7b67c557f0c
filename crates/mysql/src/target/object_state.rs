//! What a task remembers of objects: what it made, and how the target printed it.

use super::Inner;
use super::fault;
use super::state::{State, text};
use super::store::to_text;
use crate::session::RowSet;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use wherry_model::{Fault, ObjectKind, ObjectName, SchemaObject};

/// One object as the task knows it.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    /// As it is to be made.
    pub(super) wanted: SchemaObject,
    /// As the target printed it right after it was made; `None` while that is not known.
    pub(super) printed: Option<SchemaObject>,
    /// The one in the target is this task's; written before it is made.
    pub(super) made: bool,
    /// Why the target does not have it.
    pub(super) trouble: Option<String>,
}

pub(super) type Memories = BTreeMap<ObjectName, Memory>;

impl State {
    fn select_objects(&self) -> String {
        format!(
            "SELECT kind, database_name, object_name, wanted, printed, made, trouble FROM {} WHERE {}",
            self.table("object"),
            self.mine()
        )
    }

    fn object(&self, name: &ObjectName) -> String {
        format!(
            "{} AND kind={} AND database_name={} AND object_name={}",
            self.mine(),
            text(name.kind.as_str()),
            text(&name.database),
            text(&name.name)
        )
    }

    pub(super) fn put_object(&self, memory: &Memory) -> Result<String, Fault> {
        let name = &memory.wanted.name;
        let printed = match &memory.printed {
            Some(printed) => text(&to_text(printed)?),
            None => "NULL".to_owned(),
        };
        let values = format!(
            "wanted={}, printed={printed}, made={}, trouble={}",
            text(&to_text(&memory.wanted)?),
            u8::from(memory.made),
            memory
                .trouble
                .as_deref()
                .map_or_else(|| "NULL".to_owned(), text)
        );
        Ok(format!(
            "INSERT INTO {} SET task={}, kind={}, database_name={}, object_name={}, {values} ON DUPLICATE KEY UPDATE {values}",
            self.table("object"),
            text(self.task_name()),
            text(name.kind.as_str()),
            text(&name.database),
            text(&name.name)
        ))
    }

    pub(super) fn forget_object(&self, name: &ObjectName) -> String {
        format!(
            "DELETE FROM {} WHERE {}",
            self.table("object"),
            self.object(name)
        )
    }
}

impl Inner {
    /// What is stored; nothing where Wherry's tables are older than objects.
    pub(super) async fn memories(&self) -> Result<Memories, Fault> {
        let Some(rows) = self.read_if_there(&self.state.select_objects()).await? else {
            return Ok(Memories::new());
        };
        let mut memories = Memories::new();
        for row in 0..rows.rows.len() {
            let unreadable = || fault::unreadable_state("an object");
            let kind = rows.text(row, 0).and_then(ObjectKind::parse);
            let database = rows.text(row, 1).ok_or_else(unreadable)?;
            let name = rows.text(row, 2).ok_or_else(unreadable)?;
            let name = ObjectName::new(kind.ok_or_else(unreadable)?, database, name);
            let memory = Memory {
                wanted: parse(&rows, row, 3)?.ok_or_else(unreadable)?,
                printed: parse(&rows, row, 4)?,
                made: rows.text(row, 5) == Some("1"),
                trouble: rows.text(row, 6).map(str::to_owned),
            };
            memories.insert(name, memory);
        }
        Ok(memories)
    }
}

fn parse<T: DeserializeOwned>(
    rows: &RowSet,
    row: usize,
    column: usize,
) -> Result<Option<T>, Fault> {
    rows.text(row, column)
        .map(serde_json::from_str)
        .transpose()
        .map_err(|error| fault::unreadable_state("an object").cause(error))
}
