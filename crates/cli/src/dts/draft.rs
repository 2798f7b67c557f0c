//! A task file in the making, and its text.

use std::collections::BTreeSet;
use wherry_model::Additional;
use wherry_model::pattern::{TablePattern, Template};

/// What was found in a list. Names are written as a task file has them.
#[derive(Debug, Default)]
pub struct Draft {
    /// Whole databases, with their operations where not all are carried.
    pub databases: Vec<(String, Option<Vec<String>>)>,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    pub tables: Vec<TableEntry>,
    pub mapped_databases: Vec<(String, String)>,
    pub mapped_tables: Vec<(String, String)>,
    pub mapped_columns: Vec<(String, String)>,
    /// Places in the list, each with the reason.
    pub not_carried: Vec<(String, String)>,
}

#[derive(Debug)]
pub struct TableEntry {
    pub table: String,
    pub operations: Option<Vec<String>>,
    /// The columns that move, where not all of them do.
    pub columns: Option<Vec<String>>,
    pub add: Vec<Additional>,
    /// The condition under which rows move.
    pub filter: Option<String>,
}

/// A name in backticks.
pub fn quoted(name: &str) -> String {
    wherry_model::name::quote(name)
}

impl Draft {
    /// The task file, with what was not carried as comments at its head.
    pub fn yaml(&self) -> String {
        let mut out = String::from(
            "# Made from a DbList of DTS. Fill in both addresses and the passwords.\n",
        );
        if !self.not_carried.is_empty() {
            out.push_str("#\n# Not carried:\n");
        }
        for (place, reason) in &self.not_carried {
            let place = place.escape_debug();
            out.push_str(&format!("# - {place}: {reason}\n"));
        }
        out.push_str(
            "source:\n  url: mysql://USER@SOURCE:3306\n  password: {env: SOURCE_PASSWORD}\n",
        );
        out.push_str(
            "target:\n  url: mysql://USER@TARGET:3306\n  password: {env: TARGET_PASSWORD}\n",
        );
        out.push_str("select:\n");
        self.push_databases(&mut out);
        push_list(&mut out, "include", &self.include);
        push_list(&mut out, "exclude", &self.exclude);
        self.push_tables(&mut out);
        self.push_mapping(&mut out);
        push_list(&mut out, "merge", &self.merged());
        out
    }

    /// Names that several tables get: those of two rules, and what a rule for many gives without a group.
    fn merged(&self) -> Vec<String> {
        let is_for_many = |from: &str| {
            let pattern = TablePattern::parse(from);
            pattern.is_ok_and(|pattern| !pattern.is_exact())
        };
        let mut merged = BTreeSet::new();
        let mut given = BTreeSet::new();
        for (from, to) in &self.mapped_tables {
            let is_fixed = Template::parse(to).group_beyond(0).is_none();
            if is_fixed && (!given.insert(to) || is_for_many(from)) {
                merged.insert(to.clone());
            }
        }
        merged.into_iter().collect()
    }

    fn push_databases(&self, out: &mut String) {
        if self.databases.is_empty() {
            return;
        }
        out.push_str("  databases:\n");
        for (name, operations) in &self.databases {
            let name = scalar(name);
            match operations {
                None => out.push_str(&format!("    - {name}\n")),
                Some(words) => {
                    let words = words.join(", ");
                    out.push_str(&format!(
                        "    - {{database: {name}, operations: [{words}]}}\n"
                    ));
                }
            }
        }
    }

    fn push_tables(&self, out: &mut String) {
        if self.tables.is_empty() {
            return;
        }
        out.push_str("  tables:\n");
        for entry in &self.tables {
            out.push_str(&format!("    - table: {}\n", scalar(&entry.table)));
            if let Some(words) = &entry.operations {
                out.push_str(&format!("      operations: [{}]\n", words.join(", ")));
            }
            if let Some(names) = &entry.columns {
                let names: Vec<String> = names.iter().map(|name| scalar(name)).collect();
                out.push_str(&format!("      columns: [{}]\n", names.join(", ")));
            }
            if !entry.add.is_empty() {
                out.push_str("      add:\n");
            }
            for column in &entry.add {
                out.push_str(&format!(
                    "        - {{name: {}, type: {}, value: {}}}\n",
                    scalar(&column.name),
                    scalar(&column.column_type),
                    scalar(&column.value)
                ));
            }
            if let Some(filter) = &entry.filter {
                out.push_str(&format!("      filter: {}\n", scalar(filter)));
            }
        }
    }

    fn push_mapping(&self, out: &mut String) {
        let parts = [
            ("databases", &self.mapped_databases),
            ("tables", &self.mapped_tables),
            ("columns", &self.mapped_columns),
        ];
        if parts.iter().all(|(_, rules)| rules.is_empty()) {
            return;
        }
        out.push_str("  mapping:\n");
        for (part, rules) in parts.into_iter().filter(|(_, rules)| !rules.is_empty()) {
            out.push_str(&format!("    {part}:\n"));
            for (from, to) in rules {
                out.push_str(&format!("      {}: {}\n", scalar(from), scalar(to)));
            }
        }
    }
}

fn push_list(out: &mut String, key: &str, names: &[String]) {
    if names.is_empty() {
        return;
    }
    out.push_str(&format!("  {key}:\n"));
    for name in names {
        out.push_str(&format!("    - {}\n", scalar(name)));
    }
}

/// A text that YAML reads as itself.
fn scalar(text: &str) -> String {
    if text.chars().any(char::is_control) {
        // JSON's form is one that YAML reads too.
        return serde_json::Value::from(text).to_string();
    }
    format!("'{}'", text.replace('\'', "''"))
}
