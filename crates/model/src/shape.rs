//! What of a table goes to the target, where that is not all of it.

use crate::additional::Additional;
use crate::table::Table;
use crate::task::TableRule;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// Stored with the table it is about, so that a task knows what it has planned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Indices into `Table::columns` of those that the rule of the table leaves out. The target
    /// does not have them, and their value is NULL in every row that was read.
    #[serde(default)]
    pub left_out: Vec<usize>,
    /// Only rows for which this holds move.
    #[serde(default)]
    pub filter: Option<String>,
    /// Changes the rows that move.
    #[serde(default)]
    pub script: Option<RowScript>,
    /// Columns that only the target has. They are the last ones of `Table::columns`, and NULL in
    /// every row until their values are computed.
    #[serde(default)]
    pub added: Vec<Additional>,
    /// Indices of columns whose values a verification cannot compare; set for it alone.
    #[serde(skip)]
    pub uncompared: Vec<usize>,
    /// What of its changes does not move.
    #[serde(default, skip_serializing_if = "Leaves::is_nothing")]
    pub leaves: Leaves,
}

/// Kinds of changes of rows that do not reach the target, from the end of a table's load on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Leaves {
    pub insert: bool,
    pub update: bool,
    pub delete: bool,
    /// Updates whose row the filter selects behind them alone (`filter_updates: pre-image`).
    pub entering: bool,
}

impl Leaves {
    pub fn is_nothing(&self) -> bool {
        *self == Leaves::default()
    }

    /// True where the source may get rows that the target does not have, also under another key.
    pub fn misses_rows(&self) -> bool {
        self.insert || self.update || self.entering
    }

    /// True where the target may keep rows that the source has no more.
    pub fn keeps_rows(&self) -> bool {
        self.delete || self.update
    }
}

/// A script in the ETL language, as the task file had it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowScript {
    pub text: String,
    pub errors: EtlErrors,
}

/// A script in the ETL language; either `script` or `file` stands there.
#[derive(Debug, Clone, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct EtlSpec {
    #[serde(default)]
    pub script: Option<String>,
    /// A file that holds it.
    #[serde(default)]
    pub file: Option<String>,
    /// What becomes of a row whose new values cannot be computed or stored.
    #[serde(default, deserialize_with = "errors_or_null")]
    pub errors: EtlErrors,
}

/// The word `null` is YAML's NULL where it stands without quotes.
fn errors_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<EtlErrors, D::Error> {
    let errors = Option::<EtlErrors>::deserialize(deserializer)?;
    Ok(errors.unwrap_or(EtlErrors::Null))
}

#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum EtlErrors {
    /// It stops its table.
    #[default]
    Fail,
    /// It is left out of the target, and counted.
    Skip,
    /// The column becomes NULL.
    Null,
}

/// Which image of an update its filter is about.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum FilterUpdates {
    /// Both: a row that enters the selection is inserted, one that leaves it is deleted.
    #[default]
    BothImages,
    /// The row before the update, as DTS does it: a row that enters the selection does not move.
    PreImage,
}

impl Shape {
    /// What a rule makes of a table as the source has it, with the kinds of changes that are left
    /// out; `None` where all of it goes.
    pub(crate) fn of(rule: &TableRule, leaves: Leaves, table: &Table) -> Option<Box<Shape>> {
        let columns = table.columns.iter().enumerate();
        let shape = Shape {
            left_out: columns
                .filter(|(_, column)| rule.leaves_out(&column.name))
                .map(|(index, _)| index)
                .collect(),
            filter: rule.filter.clone(),
            script: rule.etl.as_ref().map(|etl| RowScript {
                text: etl.script.clone().unwrap_or_default(),
                errors: etl.errors,
            }),
            leaves: Leaves {
                entering: rule.ignores_entering(),
                ..leaves
            },
            added: rule.add.clone().unwrap_or_default(),
            uncompared: Vec::new(),
        };
        (shape != Shape::default()).then(|| Box::new(shape))
    }
}

impl Shape {
    /// True where the target has another part of the rows, or other rows, than the source.
    pub fn is_partial(&self) -> bool {
        !self.left_out.is_empty() || self.filter.is_some() || self.script.is_some()
    }
}

impl TableRule {
    /// True where an update that lets a row enter the selection does not move.
    fn ignores_entering(&self) -> bool {
        self.filter.is_some() && self.filter_updates == Some(FilterUpdates::PreImage)
    }

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

    /// Takes over the keys that this rule does not have.
    pub(crate) fn inherit_shape(&mut self, other: &TableRule) {
        if self.columns.is_none() && self.without.is_none() {
            self.columns.clone_from(&other.columns);
            self.without.clone_from(&other.without);
        }
        if self.filter.is_none() {
            self.filter.clone_from(&other.filter);
            self.filter_updates = other.filter_updates;
        }
        if self.etl.is_none() {
            self.etl.clone_from(&other.etl);
        }
        if self.add.is_none() {
            self.add.clone_from(&other.add);
        }
    }

    /// True where the script or a value may be another one for a table of another name.
    pub(crate) fn looks_at_names(&self) -> bool {
        let script = self.etl.as_ref().and_then(|etl| etl.script.as_ref());
        let values = self.add.iter().flatten().map(|column| &column.value);
        let mut texts = script.into_iter().chain(values);
        texts.any(|text| text.contains("__TB__") || text.contains("__DB__"))
    }

    /// True where not all of the table goes to the target, or more than that.
    pub fn shapes(&self) -> bool {
        self.columns.is_some()
            || self.without.is_some()
            || self.filter.is_some()
            || self.etl.is_some()
            || self.add.is_some()
    }

    /// True where both send the same of a table, whatever its columns are.
    pub fn shapes_like(&self, other: &TableRule) -> bool {
        self.columns == other.columns
            && self.without == other.without
            && self.filter == other.filter
            && self.ignores_entering() == other.ignores_entering()
            && self.etl == other.etl
            && self.add == other.add
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::TableName;
    use crate::names::NameMap;
    use crate::select::SelectSpec;

    fn names(tables: Vec<TableRule>) -> NameMap {
        let select = SelectSpec {
            databases: vec!["shop".to_owned()],
            tables,
            ..SelectSpec::default()
        };
        NameMap::new(&select, false).expect("rules")
    }

    fn alike(names: &NameMap, one: &str, other: &str) -> bool {
        let table = |name: &str| TableName::new("shop", name);
        names.shapes_alike(&table(one), &table(other))
    }

    #[test]
    fn each_key_is_that_of_the_first_rule_that_has_it() {
        let filter = || Some("a > 1".to_owned());
        let without = || Some(vec!["x".to_owned()]);
        let names = names(vec![
            TableRule {
                filter: filter(),
                ..TableRule::of("shop.*")
            },
            TableRule {
                without: without(),
                ..TableRule::of("shop.one")
            },
            TableRule {
                without: without(),
                filter: filter(),
                ..TableRule::of("shop.other")
            },
            TableRule {
                columns: without(),
                ..TableRule::of("shop.third")
            },
        ]);
        assert!(alike(&names, "one", "other"));
        assert!(!alike(&names, "one", "none"));
        assert!(!alike(&names, "one", "third"));
        assert!(names.leaves_out(&TableName::new("shop", "one"), "X"));
        assert!(!names.leaves_out(&TableName::new("shop", "third"), "X"));
    }

    #[test]
    fn a_script_that_looks_at_names_does_another_thing_for_each() {
        let rule = |table: &str, script: &str| TableRule {
            etl: Some(EtlSpec {
                script: Some(script.to_owned()),
                file: None,
                errors: EtlErrors::Fail,
            }),
            ..TableRule::of(table)
        };
        let names = names(vec![
            rule("shop.a*", "e_set(`n`, 1)"),
            rule("shop.b*", "e_if(op_eq(__TB__, 'b1'), e_drop())"),
        ]);
        assert!(alike(&names, "a1", "a2"));
        assert!(alike(&names, "b1", "b1"));
        assert!(!alike(&names, "b1", "b2"));
    }
}
