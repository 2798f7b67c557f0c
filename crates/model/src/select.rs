//! What moves, and which rule of the task file holds for what.
//!
//! Owns the key `select`: its form, and the one answer for each database and table. The deepest
//! rule wins: a table's over its database's over that for all; an exact name over a pattern; of two
//! patterns the later one. `exclude` wins over everything. Read on in `pattern` and `names`.

use crate::additional::Additional;
use crate::name::TableName;
use crate::names::NameMap;
use crate::object::{ObjectKind, SchemaObject};
use crate::online::OnlineTables;
use crate::operation::{Operation, Operations};
use crate::pattern::{Pattern, TablePattern};
use crate::phases::{Phases, StreamFrom};
use crate::shape::{EtlSpec, FilterUpdates};
use crate::task::{EngineRule, RefusedDdl};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

const SYSTEM_DATABASES: [&str; 4] = ["mysql", "information_schema", "performance_schema", "sys"];

/// True for databases that belong to the server itself. Servers compare these names in any letter case.
pub fn is_system_database(name: &str) -> bool {
    SYSTEM_DATABASES
        .iter()
        .any(|system| system.eq_ignore_ascii_case(name))
}

/// What moves.
#[derive(Debug, Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(from = "SelectFile")]
pub struct SelectSpec {
    /// Whole databases, as the user wrote them.
    pub databases: Vec<String>,
    /// Single tables of databases that are not selected as a whole.
    pub include: Vec<String>,
    /// Databases and tables that stay behind, whatever else is said.
    pub exclude: Vec<String>,
    /// What happens where the target has a selected table already.
    pub policy: ConflictPolicy,
    /// What is carried of the source's operations.
    pub operations: Operations,
    /// Rules for databases; they win over those of all.
    pub database_rules: Vec<DatabaseRule>,
    /// Rules for tables; they win over those of databases.
    pub tables: Vec<TableRule>,
    /// Other names in the target.
    pub mapping: MappingSpec,
    /// Tables of the target that several tables of the source go to.
    pub merge: Vec<String>,
    /// Letters of names in the target that no mapping gives.
    pub capitalization: Capitalization,
    /// Tables of online-DDL tools, as `stream.online_ddl` says.
    pub online: OnlineTables,
    /// As `stream.refused_ddl` says.
    pub refused_ddl: RefusedDdl,
    /// As `schema.engine` says, where no rule says it.
    pub engine: EngineRule,
    /// As `phases` says.
    pub phases: Phases,
    /// As `stream.from` says.
    pub from: Option<StreamFrom>,
    /// Wherry's own databases in the target, and that of its heartbeat at the source; no pattern means
    /// them.
    pub own_databases: Vec<String>,
    /// Everything above, ready for use from the first question on.
    pub compiled: Compiled,
}

/// The selection as it stands in a task file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SelectSpec")]
pub(crate) struct SelectFile {
    /// Whole databases, by name or with a rule.
    #[serde(default)]
    databases: Vec<DatabaseEntry>,
    /// Single tables of databases that are not selected as a whole.
    #[serde(default)]
    include: Vec<String>,
    /// Databases and tables that stay behind.
    #[serde(default)]
    exclude: Vec<String>,
    /// What happens where the target has a selected table already.
    #[serde(default)]
    policy: ConflictPolicy,
    /// What is carried of the source's operations.
    #[serde(default)]
    operations: Operations,
    /// Rules for tables; they win over those of databases and of all.
    #[serde(default)]
    tables: Vec<TableRule>,
    /// Other names in the target.
    #[serde(default)]
    mapping: MappingSpec,
    /// Tables of the target that several tables of the source go to.
    #[serde(default)]
    merge: Vec<String>,
    /// Letters of names in the target that no mapping gives.
    #[serde(default)]
    capitalization: Capitalization,
}

impl From<SelectFile> for SelectSpec {
    fn from(file: SelectFile) -> SelectSpec {
        let mut databases = Vec::new();
        let mut database_rules = Vec::new();
        for entry in file.databases {
            match entry {
                DatabaseEntry::Name(name) => databases.push(name),
                DatabaseEntry::Rule(rule) => {
                    databases.push(rule.database.clone());
                    database_rules.push(rule);
                }
            }
        }
        SelectSpec {
            databases,
            include: file.include,
            exclude: file.exclude,
            policy: file.policy,
            operations: file.operations,
            database_rules,
            tables: file.tables,
            mapping: file.mapping,
            merge: file.merge,
            capitalization: file.capitalization,
            ..SelectSpec::default()
        }
    }
}

/// A database: its name, or what is special about it.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
enum DatabaseEntry {
    Name(String),
    Rule(DatabaseRule),
}

/// What is special about one database, or about many.
#[derive(Debug, Clone, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct DatabaseRule {
    pub database: String,
    #[serde(default)]
    pub policy: Option<ConflictPolicy>,
    #[serde(default)]
    pub operations: Option<Operations>,
    /// The engine of tables that Wherry makes.
    #[serde(default)]
    pub engine: Option<EngineRule>,
}

/// Written by hand, so that an unknown key is told as one.
impl<'de> Deserialize<'de> for DatabaseEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<DatabaseEntry, D::Error> {
        deserializer.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = DatabaseEntry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a database or `{database: NAME, operations: [...]}`")
    }

    fn visit_str<E>(self, name: &str) -> Result<DatabaseEntry, E> {
        Ok(DatabaseEntry::Name(name.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DatabaseEntry, A::Error> {
        DatabaseRule::deserialize(MapAccessDeserializer::new(map)).map(DatabaseEntry::Rule)
    }
}

/// Names of the source and what they become in the target. Names with a point stand in backticks.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct MappingSpec {
    /// Like `shop: shop_new`.
    pub databases: Mapping,
    /// Like `shop.orders: shop_new.orders2`.
    pub tables: Mapping,
    /// Like `shop.orders.note: remark`.
    pub columns: Mapping,
}

/// Rules from left to right, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, JsonSchema)]
#[schemars(with = "BTreeMap<String, String>")]
pub struct Mapping(Vec<(String, String)>);

impl Mapping {
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(from, to)| (from.as_str(), to.as_str()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, String)> for Mapping {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(rules: I) -> Mapping {
        Mapping(rules.into_iter().collect())
    }
}

/// Written by hand, so that the order of the file stays.
impl<'de> Deserialize<'de> for Mapping {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Mapping, D::Error> {
        struct Rules;

        impl<'de> Visitor<'de> for Rules {
            type Value = Mapping;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names of the source with those of the target, like `shop: shop_new`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Mapping, A::Error> {
                let mut rules = Vec::new();
                while let Some(rule) = map.next_entry()? {
                    rules.push(rule);
                }
                Ok(Mapping(rules))
            }
        }
        deserializer.deserialize_map(Rules)
    }
}

/// How names are written in the target where no mapping says it.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Capitalization {
    /// Databases and tables in lower case where the target folds names, else as the source.
    #[default]
    Default,
    /// As the source.
    Source,
    /// Databases, tables and columns in upper case.
    Upper,
    /// Databases, tables and columns in lower case.
    Lower,
}

/// What is special about one table, or about many.
#[derive(Debug, Clone, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct TableRule {
    /// `database.table`; names with a point stand in backticks.
    pub table: String,
    #[serde(default)]
    pub policy: Option<ConflictPolicy>,
    /// What is carried of the source's operations.
    #[serde(default)]
    pub operations: Option<Operations>,
    /// The columns that move; all where neither this nor `without` stands.
    #[serde(default)]
    pub columns: Option<Vec<String>>,
    /// The columns that do not move.
    #[serde(default)]
    pub without: Option<Vec<String>>,
    /// Only rows for which this holds move; an SQL condition like `status = 'paid' AND total > 10`.
    #[serde(default)]
    pub filter: Option<String>,
    /// What an update becomes whose row the filter selects before or after it alone.
    #[serde(default)]
    pub filter_updates: Option<FilterUpdates>,
    /// A script that changes its rows, behind the filter.
    #[serde(default)]
    pub etl: Option<EtlSpec>,
    /// The engine that the table gets where Wherry makes it.
    #[serde(default)]
    pub engine: Option<EngineRule>,
    /// Columns that only the target has.
    #[serde(default)]
    pub add: Option<Vec<Additional>>,
}

impl TableRule {
    /// A rule that says nothing yet.
    pub fn of(table: &str) -> TableRule {
        TableRule {
            table: table.to_owned(),
            policy: None,
            operations: None,
            columns: None,
            without: None,
            filter: None,
            filter_updates: None,
            etl: None,
            engine: None,
            add: None,
        }
    }
}

/// What happens where the target has a selected table already.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum ConflictPolicy {
    /// A table that holds rows is refused; an empty one is made anew.
    #[default]
    Fail,
    /// The table is used as it is: the load keeps its rows, the stream overwrites them.
    Keep,
    /// The table is used as it is: load and stream overwrite its rows.
    Replace,
}

/// The patterns of a selection, compiled when the first question comes. The selection must not
/// change behind that.
#[derive(Debug, Clone, Default)]
pub struct Compiled(OnceLock<Arc<Patterns>>);

/// What it is made of decides.
impl PartialEq for Compiled {
    fn eq(&self, _: &Compiled) -> bool {
        true
    }
}

impl Eq for Compiled {}

/// What the user wrote and the source does not have.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Idle {
    /// Single tables by their exact names.
    pub missing: Vec<String>,
    pub patterns: Vec<String>,
}

#[derive(Debug)]
struct Patterns {
    databases: Vec<Pattern>,
    include: Vec<TablePattern>,
    excluded_databases: Vec<Pattern>,
    excluded_tables: Vec<TablePattern>,
    /// In the order of `database_rules` and `tables`.
    database_rules: Vec<Pattern>,
    tables: Vec<TablePattern>,
    merge: Vec<TablePattern>,
}

impl Patterns {
    /// What is no pattern was refused before; without that it is a name that nothing has.
    fn new(select: &SelectSpec) -> Patterns {
        let database = |text: &String| database_or_nothing(text);
        let table = |text: &String| table_or_nothing(text);
        let (excluded_tables, excluded_databases): (Vec<&String>, Vec<&String>) = select
            .exclude
            .iter()
            .partition(|text| TablePattern::parse(text).is_ok());
        let database_rules = select.database_rules.iter().map(|rule| &rule.database);
        Patterns {
            databases: select.databases.iter().map(database).collect(),
            include: select.include.iter().map(table).collect(),
            excluded_databases: excluded_databases
                .into_iter()
                .filter_map(|text| Pattern::part(text).ok())
                .collect(),
            excluded_tables: excluded_tables.into_iter().map(table).collect(),
            database_rules: database_rules.map(database).collect(),
            tables: select
                .tables
                .iter()
                .map(|rule| table(&rule.table))
                .collect(),
            merge: select.merge.iter().map(table).collect(),
        }
    }
}

fn database_or_nothing(text: &str) -> Pattern {
    Pattern::alone(text).unwrap_or_else(|_| Pattern::Exact(text.to_owned()))
}

fn table_or_nothing(text: &str) -> TablePattern {
    let nothing = || TablePattern {
        database: Pattern::Exact(text.to_owned()),
        table: Pattern::Exact(String::new()),
    };
    TablePattern::parse(text).unwrap_or_else(|_| nothing())
}

/// Those that match, the deepest first: exact ones, then patterns from the last one on.
fn ranked<'r, R, P>(
    rules: &'r [R],
    patterns: &'r [P],
    is_exact: impl Fn(&P) -> bool,
    matches: impl Fn(&P) -> bool,
) -> impl Iterator<Item = &'r R> {
    let found: Vec<(&R, bool)> = rules
        .iter()
        .zip(patterns)
        .filter(|(_, pattern)| matches(pattern))
        .map(|(rule, pattern)| (rule, is_exact(pattern)))
        .collect();
    let of = |exact: bool| {
        let found = found.clone().into_iter().rev();
        found.filter(move |(_, is_exact)| *is_exact == exact)
    };
    of(true).chain(of(false)).map(|(rule, _)| rule)
}

impl SelectSpec {
    fn patterns(&self) -> &Patterns {
        self.compiled
            .0
            .get_or_init(|| Arc::new(Patterns::new(self)))
    }

    /// True where this table moves.
    pub fn includes(&self, table: &TableName) -> bool {
        self.covers(table) && !self.online.leaves_out(table)
    }

    /// As `includes`, and also for tables of online-DDL tools that are left out.
    pub fn covers(&self, table: &TableName) -> bool {
        let patterns = self.patterns();
        let excluded = &patterns.excluded_tables;
        if excluded.iter().any(|pattern| pattern.matches(table)) {
            return false;
        }
        let included = |pattern: &TablePattern| {
            pattern.matches(table) && self.may_mean(&pattern.database, &table.database)
        };
        self.includes_whole(&table.database)
            || patterns.include.iter().any(included) && !self.excludes(&table.database)
    }

    /// True where definition changes of this table matter: also for one that is left out and
    /// whose change its table will get.
    pub fn watches(&self, table: &TableName) -> bool {
        let shadowed = self.online.shadowed(table);
        self.includes(table) || shadowed.is_some_and(|base| self.covers(&base))
    }

    /// True where this database, or any table that it has or gets, moves.
    pub fn includes_database(&self, database: &str) -> bool {
        let included = |pattern: &TablePattern| {
            pattern.database.matches(database) && self.may_mean(&pattern.database, database)
        };
        self.includes_whole(database)
            || self.patterns().include.iter().any(included) && !self.excludes(database)
    }

    /// True where this database moves, and not only single tables of it.
    pub fn includes_whole(&self, database: &str) -> bool {
        let selected =
            |pattern: &Pattern| pattern.matches(database) && self.may_mean(pattern, database);
        self.patterns().databases.iter().any(selected) && !self.excludes(database)
    }

    /// True where several tables of the source may become this table of the target.
    pub fn merges(&self, target: &TableName) -> bool {
        let merge = &self.patterns().merge;
        merge.iter().any(|pattern| pattern.matches(target))
    }

    /// As `merges`, for any of these tables of the source.
    pub fn merges_any(&self, tables: &[TableName]) -> bool {
        if self.merge.is_empty() {
            return false;
        }
        // What cannot be resolved was refused before; the letters of the target do not matter here.
        let names = NameMap::new(self, false);
        names.is_ok_and(|names| tables.iter().any(|table| names.is_merged(table)))
    }

    /// The entry of `databases` that selects this database, as the user wrote it.
    pub(crate) fn entry_of(&self, database: &str) -> Option<&str> {
        if !self.includes_whole(database) {
            return None;
        }
        let patterns = &self.patterns().databases;
        let matches = |pattern: &Pattern| pattern.matches(database);
        let mut found = ranked(&self.databases, patterns, Pattern::is_exact, matches);
        found.next().map(String::as_str)
    }

    /// As `entry_of`, for `include` and a table.
    pub(crate) fn include_of(&self, table: &TableName) -> Option<&str> {
        let patterns = &self.patterns().include;
        let matches = |pattern: &TablePattern| pattern.matches(table);
        let mut found = ranked(&self.include, patterns, TablePattern::is_exact, matches);
        found.next().map(String::as_str)
    }

    fn excludes(&self, database: &str) -> bool {
        let excluded = &self.patterns().excluded_databases;
        excluded.iter().any(|pattern| pattern.matches(database))
    }

    /// Who writes a pattern does not mean what belongs to the server or to Wherry.
    fn may_mean(&self, pattern: &Pattern, database: &str) -> bool {
        pattern.is_exact() || !self.belongs_to_others(database)
    }

    /// True for databases of the server and Wherry's own.
    pub fn belongs_to_others(&self, database: &str) -> bool {
        let mut own = self.own_databases.iter();
        is_system_database(database) || own.any(|own| own.eq_ignore_ascii_case(database))
    }

    /// True where this view, routine, trigger or event moves: a trigger with its table, a view as a
    /// table of its name would, others with their whole database.
    pub fn includes_object(&self, object: &SchemaObject) -> bool {
        let name = &object.name;
        let in_database = |table: &str| self.covers(&TableName::new(name.database.as_str(), table));
        match (&object.trigger, name.kind) {
            (Some(place), _) => in_database(&place.table),
            (None, ObjectKind::View) => in_database(&name.name),
            (None, _) => self.includes_whole(&name.database),
        }
    }

    /// True where databases move whole, with every table.
    pub fn is_by_database(&self) -> bool {
        self.include.is_empty() && self.patterns().excluded_tables.is_empty()
    }

    /// What the user wrote that means none of these databases, and none of these tables and views.
    pub fn idle(&self, databases: &[String], tables: &[TableName]) -> Idle {
        let patterns = self.patterns();
        let no_database = |pattern: &Pattern| !databases.iter().any(|it| pattern.matches(it));
        let no_table = |pattern: &TablePattern| !tables.iter().any(|it| pattern.matches(it));
        let shaped = patterns.databases.iter().filter(|it| !it.is_exact());
        let of_databases = shaped.chain(&patterns.excluded_databases);
        let rules = patterns.tables.iter().filter(|it| !it.is_exact());
        let (missing, included): (Vec<&TablePattern>, Vec<&TablePattern>) = patterns
            .include
            .iter()
            .filter(|pattern| no_table(pattern))
            .partition(|pattern| pattern.is_exact());
        let of_tables = rules
            .chain(&patterns.excluded_tables)
            .filter(|it| no_table(it));
        let of_databases = of_databases.filter(|it| no_database(it));
        let all = of_tables.chain(included).map(ToString::to_string);
        Idle {
            missing: missing.iter().map(ToString::to_string).collect(),
            patterns: of_databases.map(ToString::to_string).chain(all).collect(),
        }
    }

    /// True where every database is given by its exact name.
    pub fn is_exact(&self) -> bool {
        let patterns = self.patterns();
        let tables = patterns.include.iter().map(|table| &table.database);
        patterns
            .databases
            .iter()
            .chain(tables)
            .all(Pattern::is_exact)
    }

    /// Databases that are given by their exact names, each once.
    pub fn exact_databases(&self) -> Vec<&str> {
        let patterns = self.patterns();
        let tables = patterns.include.iter().map(|table| &table.database);
        let mut names: Vec<&str> = patterns
            .databases
            .iter()
            .chain(tables)
            .filter_map(Pattern::exact)
            .filter(|name| !self.excludes(name))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// True where a text that nobody can read may be about a selected database.
    pub fn may_stand_in(&self, text: &[u8]) -> bool {
        let patterns = self.patterns();
        let tables = patterns.include.iter().map(|table| &table.database);
        let mut all = patterns.databases.iter().chain(tables);
        all.any(|pattern| pattern.may_stand_in(text))
    }

    /// The rules of this table alone, the one that wins first. Of each key the first rule that has it
    /// holds.
    pub fn rules_of(&self, table: &TableName) -> impl Iterator<Item = &TableRule> {
        let patterns = &self.patterns().tables;
        let matches = |pattern: &TablePattern| pattern.matches(table);
        ranked(&self.tables, patterns, TablePattern::is_exact, matches)
    }

    /// As `rules_of`, for a database.
    pub fn rules_of_database(&self, database: &str) -> impl Iterator<Item = &DatabaseRule> {
        let patterns = &self.patterns().database_rules;
        let matches = |pattern: &Pattern| pattern.matches(database);
        ranked(&self.database_rules, patterns, Pattern::is_exact, matches)
    }

    /// The table's own rule, else that of its database, else that of the whole selection.
    pub fn policy_of(&self, table: &TableName) -> ConflictPolicy {
        let own = self.rules_of(table).find_map(|rule| rule.policy);
        let of_database = || {
            let mut rules = self.rules_of_database(&table.database);
            rules.find_map(|rule| rule.policy)
        };
        own.or_else(of_database).unwrap_or(self.policy)
    }

    /// The table's own rule, else that of its database, else that of the whole selection.
    pub fn carries(&self, operation: Operation, table: &TableName) -> bool {
        let mut rules = self.rules_of(table);
        match rules.find_map(|rule| rule.operations.as_ref()) {
            Some(operations) => operations.carries(operation),
            None => self.carries_in(operation, &table.database),
        }
    }

    /// The database's own rule, else that of the whole selection.
    pub fn carries_in(&self, operation: Operation, database: &str) -> bool {
        let mut rules = self.rules_of_database(database);
        rules
            .find_map(|rule| rule.operations.as_ref())
            .unwrap_or(&self.operations)
            .carries(operation)
    }

    /// Every list of operations that a table or database can have.
    pub fn operation_lists(&self) -> impl Iterator<Item = &Operations> {
        let of_databases = self.database_rules.iter().map(|rule| &rule.operations);
        let of_tables = self.tables.iter().map(|rule| &rule.operations);
        let given = of_databases.chain(of_tables).flatten();
        given.chain(std::iter::once(&self.operations))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{ObjectContext, ObjectName, TriggerPlace};

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn select(databases: &[&str], include: &[&str], exclude: &[&str]) -> SelectSpec {
        SelectSpec {
            databases: list(databases),
            include: list(include),
            exclude: list(exclude),
            own_databases: list(&["wherry", "wherry_shadow"]),
            ..SelectSpec::default()
        }
    }

    #[track_caller]
    fn check(select: &SelectSpec, table: &str, selected: bool) {
        let name = TableName::parse(table).expect("a name");
        assert_eq!(select.includes(&name), selected, "{table}");
    }

    #[test]
    fn exclude_wins_over_everything() {
        let select = select(
            &["shop_*", "crm"],
            &["log.day_*", "log.users"],
            &["shop_old", "crm.tmp_*", r"/.*/./.*_bak/", "log.day_0"],
        );
        check(&select, "shop_1.a", true);
        check(&select, "shop_old.a", false);
        check(&select, "shop_1.a_bak", false);
        check(&select, "crm.a", true);
        check(&select, "crm.tmp_1", false);
        check(&select, "log.day_1", true);
        check(&select, "log.day_0", false);
        check(&select, "log.users", true);
        check(&select, "log.other", false);
        check(&select, "other.a", false);
        assert!(select.includes_database("log"));
        assert!(!select.includes_whole("log"));
        assert!(select.includes_whole("shop_1"));
        assert!(!select.includes_database("shop_old"));
    }

    #[test]
    fn no_pattern_means_what_belongs_to_others() {
        let select = select(&["*"], &["*.x"], &[]);
        for name in ["mysql", "SYS", "wherry", "wherry_shadow"] {
            assert!(!select.includes_database(name), "{name}");
            check(&select, &format!("{name}.x"), false);
        }
        check(&select, "any.x", true);
    }

    #[test]
    fn the_deepest_rule_wins_and_of_patterns_the_later_one() {
        let rule = |table: &str, policy, words: &[&str]| TableRule {
            policy,
            operations: Operations::try_from(list(words)).ok(),
            ..TableRule::of(table)
        };
        let keep = Some(ConflictPolicy::Keep);
        let fail = Some(ConflictPolicy::Fail);
        let select = SelectSpec {
            database_rules: vec![DatabaseRule {
                database: "shop_*".to_owned(),
                policy: keep,
                operations: Operations::try_from(list(&["all", "-drop-table"])).ok(),
                engine: None,
            }],
            tables: vec![
                rule("shop_1.exact", fail, &["all", "-truncate-table"]),
                rule("*.e*", keep, &["all"]),
                rule("shop_1.*t", None, &["all", "-alter-table"]),
            ],
            ..select(&["shop_*", "crm"], &[], &[])
        };
        let policy = |table: &str| select.policy_of(&TableName::parse(table).expect("a name"));
        assert_eq!(policy("shop_1.exact"), ConflictPolicy::Fail);
        assert_eq!(
            policy("shop_1.eat"),
            ConflictPolicy::Keep,
            "the later one says nothing"
        );
        assert_eq!(policy("shop_1.x"), ConflictPolicy::Keep, "of the database");
        assert_eq!(policy("crm.x"), ConflictPolicy::Fail);
        let carries = |operation, table: &str| {
            select.carries(operation, &TableName::parse(table).expect("a name"))
        };
        assert!(!carries(Operation::TruncateTable, "shop_1.exact"));
        assert!(carries(Operation::AlterTable, "shop_1.exact"));
        assert!(!carries(Operation::AlterTable, "shop_1.eat"));
        assert!(carries(Operation::DropTable, "shop_1.eat"));
        assert!(!carries(Operation::DropTable, "shop_1.x"));
    }

    #[test]
    fn objects_go_with_what_they_belong_to() {
        let select = select(
            &["shop"],
            &["crm.orders", "crm.v"],
            &["shop.tmp", "shop.old_view"],
        );
        let object = |kind, database: &str, name: &str, table: Option<&str>| SchemaObject {
            name: ObjectName::new(kind, database, name),
            statement: String::new(),
            definer: String::new(),
            invoker: false,
            context: ObjectContext::default(),
            trigger: table.map(|table| TriggerPlace {
                table: table.to_owned(),
                timing: String::new(),
                event: String::new(),
                order: 1,
            }),
            enabled: true,
            refused: None,
        };
        let check = |selected, kind, database: &str, name: &str, table| {
            let object = object(kind, database, name, table);
            assert_eq!(select.includes_object(&object), selected, "{}", object.name);
        };
        check(true, ObjectKind::View, "shop", "v", None);
        check(false, ObjectKind::View, "shop", "old_view", None);
        check(true, ObjectKind::View, "crm", "v", None);
        check(false, ObjectKind::View, "crm", "w", None);
        check(true, ObjectKind::Trigger, "shop", "t", Some("orders"));
        check(false, ObjectKind::Trigger, "shop", "t", Some("tmp"));
        check(true, ObjectKind::Trigger, "crm", "t", Some("orders"));
        check(false, ObjectKind::Trigger, "crm", "t", Some("users"));
        check(true, ObjectKind::Procedure, "shop", "p", None);
        check(false, ObjectKind::Event, "crm", "e", None);
    }

    #[test]
    fn what_means_nothing_is_told() {
        let select = select(
            &["a*", "x*"],
            &["b.c", "b.d", "b.e*"],
            &["b.f", "gone", "a1"],
        );
        let tables = [TableName::new("b", "c")];
        let idle = select.idle(&list(&["a1", "a2", "b"]), &tables);
        assert_eq!(idle.missing, ["b.d"]);
        assert_eq!(idle.patterns, ["x*", "gone", "b.f", "b.e*"]);
    }
}
