//! Which operations of the source are carried to the target.
//!
//! Owns the words of the key `operations` and what a list of them means. Which rule holds for a
//! table says `SelectSpec::carries`.

use crate::change::DdlKind;
use crate::object::ObjectKind;
use schemars::JsonSchema;
use serde::Deserialize;

/// What can be carried or left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    Insert,
    Update,
    Delete,
    CreateTable,
    AlterTable,
    DropTable,
    RenameTable,
    TruncateTable,
    CreateIndex,
    DropIndex,
    CreateDatabase,
    AlterDatabase,
    DropDatabase,
    View,
    Procedure,
    Function,
    Trigger,
    Event,
}

impl Operation {
    pub const ALL: [Operation; 18] = [
        Operation::Insert,
        Operation::Update,
        Operation::Delete,
        Operation::CreateTable,
        Operation::AlterTable,
        Operation::DropTable,
        Operation::RenameTable,
        Operation::TruncateTable,
        Operation::CreateIndex,
        Operation::DropIndex,
        Operation::CreateDatabase,
        Operation::AlterDatabase,
        Operation::DropDatabase,
        Operation::View,
        Operation::Procedure,
        Operation::Function,
        Operation::Trigger,
        Operation::Event,
    ];

    /// Its word in a task file.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Insert => "insert",
            Operation::Update => "update",
            Operation::Delete => "delete",
            Operation::CreateTable => "create-table",
            Operation::AlterTable => "alter-table",
            Operation::DropTable => "drop-table",
            Operation::RenameTable => "rename-table",
            Operation::TruncateTable => "truncate-table",
            Operation::CreateIndex => "create-index",
            Operation::DropIndex => "drop-index",
            Operation::CreateDatabase => "create-database",
            Operation::AlterDatabase => "alter-database",
            Operation::DropDatabase => "drop-database",
            Operation::View => "view",
            Operation::Procedure => "procedure",
            Operation::Function => "function",
            Operation::Trigger => "trigger",
            Operation::Event => "event",
        }
    }

    /// Changes rows.
    pub fn is_dml(self) -> bool {
        matches!(
            self,
            Operation::Insert | Operation::Update | Operation::Delete
        )
    }

    /// Concerns a whole database, so that a rule for one table says nothing about it.
    pub fn is_of_database(self) -> bool {
        !self.is_dml() && !self.is_of_table()
    }

    fn is_of_table(self) -> bool {
        matches!(
            self,
            Operation::CreateTable
                | Operation::AlterTable
                | Operation::DropTable
                | Operation::RenameTable
                | Operation::TruncateTable
                | Operation::CreateIndex
                | Operation::DropIndex
        )
    }

    /// The operation of a statement about tables or databases; `None` for others. `CREATE INDEX`
    /// and `DROP INDEX` are told by whoever has read the statement.
    pub fn of(kind: DdlKind) -> Option<Operation> {
        match kind {
            DdlKind::CreateTable | DdlKind::CreateTableSelect => Some(Operation::CreateTable),
            DdlKind::AlterTable => Some(Operation::AlterTable),
            DdlKind::DropTable => Some(Operation::DropTable),
            DdlKind::RenameTable => Some(Operation::RenameTable),
            DdlKind::TruncateTable => Some(Operation::TruncateTable),
            DdlKind::CreateDatabase => Some(Operation::CreateDatabase),
            DdlKind::AlterDatabase => Some(Operation::AlterDatabase),
            DdlKind::DropDatabase => Some(Operation::DropDatabase),
            DdlKind::Object | DdlKind::Unsupported => None,
        }
    }

    /// `None` for what is never carried.
    pub fn of_object(kind: ObjectKind) -> Option<Operation> {
        match kind {
            ObjectKind::View => Some(Operation::View),
            ObjectKind::Procedure => Some(Operation::Procedure),
            ObjectKind::Function => Some(Operation::Function),
            ObjectKind::Trigger => Some(Operation::Trigger),
            ObjectKind::Event => Some(Operation::Event),
            ObjectKind::Sequence | ObjectKind::Package => None,
        }
    }
}

/// The operations that are carried: a list of words, read from left to right. `-` before a word
/// takes it away; a list that begins so begins with all.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<String>")]
#[schemars(with = "Vec<String>")]
pub struct Operations {
    words: Vec<String>,
    carried: u32,
}

impl Default for Operations {
    fn default() -> Operations {
        Operations {
            words: Vec::new(),
            carried: ALL,
        }
    }
}

impl Operations {
    pub fn carries(&self, operation: Operation) -> bool {
        self.carried & bit(operation) != 0
    }

    /// The operations that the list names by their own words.
    pub fn named(&self) -> impl Iterator<Item = Operation> + '_ {
        self.words.iter().filter_map(|word| {
            let word = word.trim_start_matches('-');
            Operation::ALL.into_iter().find(|one| one.as_str() == word)
        })
    }
}

impl TryFrom<Vec<String>> for Operations {
    type Error = String;

    fn try_from(words: Vec<String>) -> Result<Operations, String> {
        let from_all = words.first().is_none_or(|word| word.starts_with('-'));
        let mut carried = if from_all { ALL } else { 0 };
        if words.is_empty() {
            return Err("`operations` is empty; leave the key out to carry all".to_owned());
        }
        for word in &words {
            match word.strip_prefix('-') {
                Some(word) => carried &= !bits(word)?,
                None => carried |= bits(word)?,
            }
        }
        Ok(Operations { words, carried })
    }
}

const ALL: u32 = (1 << Operation::ALL.len()) - 1;

fn bit(operation: Operation) -> u32 {
    1 << operation as u32
}

fn bits(word: &str) -> Result<u32, String> {
    let sum = |wanted: fn(Operation) -> bool| {
        let operations = Operation::ALL.into_iter().filter(|one| wanted(*one));
        operations.map(bit).sum()
    };
    Ok(match word {
        "all" => ALL,
        "dml" => sum(Operation::is_dml),
        "ddl" => sum(|one| !one.is_dml()),
        _ => match Operation::ALL.into_iter().find(|one| one.as_str() == word) {
            Some(operation) => bit(operation),
            None => return Err(unknown(word)),
        },
    })
}

fn unknown(word: &str) -> String {
    let words: Vec<&str> = Operation::ALL.iter().map(|one| one.as_str()).collect();
    format!(
        "unknown operation `{}`, expected all, dml, ddl, {}, each also with `-` before it",
        word.escape_debug(),
        words.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &[&str], carried: &[Operation], left_out: &[Operation]) {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let operations = Operations::try_from(words).expect("known words");
        for operation in carried {
            assert!(operations.carries(*operation), "{operation:?}");
        }
        for operation in left_out {
            assert!(!operations.carries(*operation), "{operation:?}");
        }
    }

    #[test]
    fn lists_are_read_from_left_to_right() {
        use Operation as It;
        check(&["all"], &It::ALL, &[]);
        check(
            &["all", "-drop-table"],
            &[It::CreateTable, It::Insert],
            &[It::DropTable],
        );
        check(
            &["-view", "-ddl", "create-table"],
            &[It::CreateTable, It::Delete],
            &[It::View],
        );
        check(
            &["dml", "create-index"],
            &[It::Insert, It::Update, It::Delete, It::CreateIndex],
            &[It::DropIndex, It::Event],
        );
        let wrong = Operations::try_from(vec!["drop".to_owned()]).expect_err("no such word");
        assert!(wrong.contains("unknown operation `drop`"), "{wrong}");
        assert!(Operations::try_from(Vec::new()).is_err());
        check(&["-create-table", "create-table"], &It::ALL, &[]);
    }
}
