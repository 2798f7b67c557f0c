//! What of a table goes to the target, where that is not all of it.

use crate::table::Table;
use crate::task::TableRule;
use serde::{Deserialize, Serialize};

/// Stored with the table it is about, so that a task knows what it has planned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Indices into `Table::columns` of those that the rule of the table leaves out. The target
    /// does not have them, and their value is NULL in every row that was read.
    #[serde(default)]
    pub left_out: Vec<usize>,
}

impl Shape {
    /// What a rule makes of a table as the source has it; `None` where all of it goes.
    pub(crate) fn of(rule: &TableRule, table: &Table) -> Option<Box<Shape>> {
        let columns = table.columns.iter().enumerate();
        let shape = Shape {
            left_out: columns
                .filter(|(_, column)| rule.leaves_out(&column.name))
                .map(|(index, _)| index)
                .collect(),
        };
        (shape != Shape::default()).then(|| Box::new(shape))
    }
}

impl TableRule {
    /// True where a column of this name does not go to the target.
    pub fn leaves_out(&self, column: &str) -> bool {
        // Servers do not tell the letters of columns apart.
        let names = |list: &[String]| {
            list.iter()
                .any(|name| name.to_lowercase() == column.to_lowercase())
        };
        let unwanted = self.columns.as_deref().is_some_and(|list| !names(list));
        unwanted || self.without.as_deref().is_some_and(names)
    }

    /// True where not all of the table goes to the target.
    pub fn shapes(&self) -> bool {
        self.columns.is_some() || self.without.is_some()
    }

    /// True where both send the same of a table, whatever its columns are.
    pub fn shapes_like(&self, other: &TableRule) -> bool {
        self.columns == other.columns && self.without == other.without
    }
}
