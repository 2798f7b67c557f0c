//! The tables that an online-DDL tool makes beside the one it changes, known by their names.
//!
//! Owns how they are told and what the task file says of them. What is done with them stands in
//! `mysql::target`.

use crate::name::TableName;
use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt;
use std::sync::LazyLock;

/// What becomes of the tables of an online-DDL tool.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct OnlineDdlSpec {
    pub mode: OnlineDdlMode,
    /// Whose names the tables have, where the expressions are not given.
    pub names: OnlineDdlNames,
    /// Tells the copies that tools fill; group 1 is the name of the table that changes.
    pub shadow: Option<NamePattern>,
    /// Tells the tools' other tables; group 1 is the name of the table that changes.
    pub useless: Option<NamePattern>,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum OnlineDdlMode {
    /// They are tables like all others.
    #[default]
    Tables,
    /// They are left out, and the table gets the change when the tool puts its copy in its place.
    FinalChange,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum OnlineDdlNames {
    /// `_t_gho`, `_t_ghc` and `_t_del` of gh-ost, `_t_new` and `_t_old` of pt-online-schema-change.
    #[default]
    GhOst,
    /// `tp_1_ogt_t`, `tp_1_ogl_t` and `tp_1_del_t` of Alibaba's Data Management.
    Dms,
}

impl OnlineDdlNames {
    /// Shadow tables first, useless ones second.
    const fn expressions(self) -> [&'static str; 2] {
        match self {
            OnlineDdlNames::GhOst => ["^_(.+)_(?:gho|new)$", "^_(.+)_(?:ghc|del|old)$"],
            OnlineDdlNames::Dms => ["^tp_\\d+_ogt_(.+)$", "^tp_\\d+_(?:ogl|del)_(.+)$"],
        }
    }
}

/// A regular expression over names of tables, with a group for the name inside.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct NamePattern(Regex);

impl NamePattern {
    /// What group 1 holds, where the whole expression matches.
    fn inner_name<'n>(&self, name: &'n str) -> Option<&'n str> {
        let inner = self.0.captures(name)?.get(1)?.as_str();
        (!inner.is_empty()).then_some(inner)
    }
}

impl TryFrom<String> for NamePattern {
    type Error = String;

    fn try_from(text: String) -> Result<NamePattern, String> {
        let regex = Regex::new(&text)
            .map_err(|error| format!("`{text}` is not a regular expression: {error}"))?;
        if regex.captures_len() < 2 {
            return Err(format!(
                "`{text}` has no group, and group 1 must be the name of the table that changes"
            ));
        }
        Ok(NamePattern(regex))
    }
}

impl fmt::Debug for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0.as_str(), f)
    }
}

impl PartialEq for NamePattern {
    fn eq(&self, other: &NamePattern) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for NamePattern {}

/// What a table is to an online-DDL tool, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnlineRole {
    /// The copy that will stand in the place of this table.
    Shadow(TableName),
    /// The tool's own notes about a table, or the table that it has put aside.
    Useless,
}

/// Tells the tables of online-DDL tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnlineTables {
    mode: OnlineDdlMode,
    shadow: NamePattern,
    useless: NamePattern,
}

static USUAL: LazyLock<OnlineTables> =
    LazyLock::new(|| OnlineTables::new(&OnlineDdlSpec::default()));

impl Default for OnlineTables {
    fn default() -> OnlineTables {
        USUAL.clone()
    }
}

impl OnlineTables {
    pub fn new(spec: &OnlineDdlSpec) -> OnlineTables {
        let [shadow, useless] = spec.names.expressions().map(|text| {
            NamePattern::try_from(text.to_owned()).expect("the usual expressions are right")
        });
        OnlineTables {
            mode: spec.mode,
            shadow: spec.shadow.clone().unwrap_or(shadow),
            useless: spec.useless.clone().unwrap_or(useless),
        }
    }

    /// True where these tables are left out and their change is carried instead.
    pub fn carries_final_change(&self) -> bool {
        self.mode == OnlineDdlMode::FinalChange
    }

    /// `None` for a table that is none of a tool's.
    pub fn role(&self, table: &TableName) -> Option<OnlineRole> {
        if let Some(base) = self.shadow.inner_name(&table.table) {
            let base = TableName::new(table.database.as_str(), base);
            return Some(OnlineRole::Shadow(base));
        }
        self.useless
            .inner_name(&table.table)
            .map(|_| OnlineRole::Useless)
    }

    /// True for a table that the task leaves out.
    pub fn leaves_out(&self, table: &TableName) -> bool {
        self.carries_final_change() && self.role(table).is_some()
    }

    /// The table whose change a left-out table will bring.
    pub fn shadowed(&self, table: &TableName) -> Option<TableName> {
        match self.role(table) {
            Some(OnlineRole::Shadow(base)) if self.carries_final_change() => Some(base),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(names: OnlineDdlNames, mode: OnlineDdlMode) -> OnlineTables {
        OnlineTables::new(&OnlineDdlSpec {
            mode,
            names,
            ..OnlineDdlSpec::default()
        })
    }

    fn check(tables: &OnlineTables, name: &str, expected: Option<OnlineRole>) {
        assert_eq!(tables.role(&TableName::new("d", name)), expected, "{name}");
    }

    fn shadow(base: &str) -> Option<OnlineRole> {
        Some(OnlineRole::Shadow(TableName::new("d", base)))
    }

    #[test]
    fn names_of_both_tools_are_told_by_default() {
        let tables = OnlineTables::default();
        check(&tables, "_orders_gho", shadow("orders"));
        check(&tables, "_orders_new", shadow("orders"));
        check(&tables, "__a_new_gho", shadow("_a_new"));
        check(&tables, "_orders_ghc", Some(OnlineRole::Useless));
        check(&tables, "_orders_del", Some(OnlineRole::Useless));
        check(&tables, "_orders_old", Some(OnlineRole::Useless));
        for name in [
            "orders",
            "orders_new",
            "_new",
            "__new",
            "_orders_newer",
            "x_orders_gho",
        ] {
            check(&tables, name, None);
        }
        assert!(!tables.leaves_out(&TableName::new("d", "_orders_gho")));
    }

    #[test]
    fn names_of_data_management_are_told_where_asked_for() {
        let tables = spec(OnlineDdlNames::Dms, OnlineDdlMode::FinalChange);
        check(&tables, "tp_4711_ogt_orders", shadow("orders"));
        check(&tables, "tp_4711_ogl_orders", Some(OnlineRole::Useless));
        check(&tables, "tp_4711_del_orders", Some(OnlineRole::Useless));
        check(&tables, "tp_x_ogt_orders", None);
        check(&tables, "_orders_gho", None);
        assert!(tables.leaves_out(&TableName::new("d", "tp_1_del_t")));
    }

    #[test]
    fn an_expression_needs_a_group() {
        let error = NamePattern::try_from("^tmp_".to_owned()).expect_err("no group");
        assert!(error.contains("has no group"), "{error}");
        assert!(NamePattern::try_from("^(".to_owned()).is_err());
        let own = OnlineTables::new(&OnlineDdlSpec {
            shadow: Some(NamePattern::try_from("^(.*)_shadow$".to_owned()).expect("right")),
            ..OnlineDdlSpec::default()
        });
        check(&own, "orders_shadow", shadow("orders"));
        check(&own, "_shadow", None);
        check(&own, "_orders_gho", None);
    }
}
