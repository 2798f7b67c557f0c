//! The names that databases, tables and columns have in the target.
//!
//! Owns how `select.mapping` and `select.capitalization` become one answer for each name of the
//! source, and which columns move at all. Everything outside the SQL for the target's own tables
//! speaks of source names.

use crate::additional::Additional;
use crate::name::TableName;
use crate::operation::Operation;
use crate::pattern::{Pattern, PatternError, TablePattern, Template};
use crate::select::{Capitalization, SelectSpec, TableRule};
use crate::shape::{Leaves, Shape};
use crate::table::{Exactness, Table};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Names of the source by the names of the target. An explicit rule wins over the capitalization;
/// the names of databases that are not selected stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameMap {
    select: SelectSpec,
    databases: HashMap<String, String>,
    /// Rules for many databases, the one that wins first; so are the others.
    database_patterns: Vec<(Pattern, Template)>,
    tables: HashMap<TableName, TableName>,
    table_patterns: Vec<(TablePattern, TableTemplate)>,
    /// By the name of the column in lower case: servers do not tell the case of columns apart.
    columns: HashMap<TableName, HashMap<String, String>>,
    column_patterns: Vec<ColumnRule>,
    known: Known,
    /// Of databases and tables.
    table_letters: Letters,
    column_letters: Letters,
    target_folds: bool,
}

/// A rule for columns of many tables, or for many columns.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ColumnRule {
    table: TablePattern,
    column: Pattern,
    target: Template,
}

impl ColumnRule {
    fn target_of(&self, table: &TableName, column: &str) -> Option<String> {
        let mut groups = self.table.capture(table)?;
        groups.extend(match self.column.exact() {
            Some(own) if own.to_lowercase() == column.to_lowercase() => Vec::new(),
            Some(_) => return None,
            None => self.column.capture(column)?,
        });
        Some(self.target.fill(&groups))
    }
}

/// The target of a rule for many tables.
#[derive(Debug, Clone, PartialEq, Eq)]
struct TableTemplate {
    database: Template,
    table: Template,
}

/// What the source has, for questions that patterns alone cannot answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    pub databases: BTreeSet<String>,
    /// Tables with their columns.
    pub tables: BTreeMap<TableName, Vec<String>>,
}

/// A rule of `select.mapping` that cannot be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingProblem {
    /// `databases`, `tables` or `columns`.
    pub part: &'static str,
    /// Its left side, as the user wrote it.
    pub rule: String,
    pub why: MappingFault,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MappingFault {
    /// It does not name what it is about; this text of it.
    Form(String),
    /// Its regular expression cannot be read, for this reason.
    Expression(String),
    /// The right side takes a group that the left side does not have.
    Group { wanted: usize, count: usize },
    /// The database on the right side takes a group of the table's name.
    GroupOfTable(usize),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Letters {
    #[default]
    AsSource,
    Lower,
    Upper,
}

impl Letters {
    /// One letter for one letter, as servers fold names; a name keeps its length.
    fn fold(self, name: &str) -> String {
        fn one(letter: char, mut folded: impl Iterator<Item = char>) -> char {
            match (folded.next(), folded.next()) {
                (Some(folded), None) => folded,
                _ => letter,
            }
        }
        let letters = name.chars();
        match self {
            Letters::AsSource => name.to_owned(),
            Letters::Lower => letters.map(|c| one(c, c.to_lowercase())).collect(),
            Letters::Upper => letters.map(|c| one(c, c.to_uppercase())).collect(),
        }
    }
}

/// Why a server takes this for no name of a database, table or column; `None` where it does.
///
/// Source: MySQL manual, "Schema Object Names" and "Identifier Length Limits".
pub fn problem_of(name: &str) -> Option<&'static str> {
    /// Of every kind of name.
    const CHARACTERS_MAX: usize = 64;
    if name.is_empty() {
        Some("is empty")
    } else if name.chars().count() > CHARACTERS_MAX {
        Some("is longer than 64 characters")
    } else if name.ends_with(' ') {
        Some("ends with a blank")
    } else if name
        .chars()
        .any(|letter| letter == '\0' || letter > '\u{FFFF}')
    {
        Some("holds a character that no name may have")
    } else {
        None
    }
}

impl NameMap {
    /// Resolves the rules of a task. `target_folds` is true where the target's
    /// `lower_case_table_names` is 1 or 2.
    ///
    /// Errors: the first rule that cannot be right.
    pub fn new(select: &SelectSpec, target_folds: bool) -> Result<NameMap, MappingProblem> {
        let (table_letters, column_letters) = match select.capitalization {
            Capitalization::Default if target_folds => (Letters::Lower, Letters::AsSource),
            Capitalization::Default | Capitalization::Source => {
                (Letters::AsSource, Letters::AsSource)
            }
            Capitalization::Upper => (Letters::Upper, Letters::Upper),
            Capitalization::Lower => (Letters::Lower, Letters::Lower),
        };
        let mut map = NameMap {
            select: select.clone(),
            table_letters,
            column_letters,
            target_folds,
            ..NameMap::default()
        };
        let rules = &select.mapping;
        let parts: [(_, _, AddRule); 3] = [
            ("databases", &rules.databases, NameMap::add_database),
            ("tables", &rules.tables, NameMap::add_table),
            ("columns", &rules.columns, NameMap::add_column),
        ];
        for (part, rules, add) in parts {
            for (from, to) in rules.iter() {
                add(&mut map, from, to).map_err(|why| MappingProblem {
                    part,
                    rule: from.to_owned(),
                    why,
                })?;
            }
        }
        map.database_patterns.reverse();
        map.table_patterns.reverse();
        map.column_patterns.reverse();
        Ok(map)
    }

    fn add_database(&mut self, from: &str, to: &str) -> Result<(), MappingFault> {
        let pattern = Pattern::alone(from).map_err(|error| fault_of(error, from))?;
        let target = template(to, pattern.group_count())?;
        match pattern {
            Pattern::Exact(name) => drop(self.databases.insert(name, to.to_owned())),
            pattern => self.database_patterns.push((pattern, target)),
        }
        Ok(())
    }

    fn add_table(&mut self, from: &str, to: &str) -> Result<(), MappingFault> {
        let pattern = TablePattern::parse(from).map_err(|error| fault_of(error, from))?;
        let target = TableName::parse(to).ok_or_else(|| MappingFault::Form(to.to_owned()))?;
        let count = pattern.group_count();
        let database = template(&target.database, count)?;
        let table = template(&target.table, count)?;
        // Which databases the target needs must be known before the tables are.
        if let Some(group) = database.group_beyond(pattern.database.group_count()) {
            return Err(MappingFault::GroupOfTable(group));
        }
        match pattern.exact() {
            Some(name) => drop(self.tables.insert(name, target)),
            None => {
                let target = TableTemplate { database, table };
                self.table_patterns.push((pattern, target));
            }
        }
        Ok(())
    }

    fn add_column(&mut self, from: &str, to: &str) -> Result<(), MappingFault> {
        let (table, column) =
            TablePattern::parse_column(from).map_err(|error| fault_of(error, from))?;
        let target = template(to, table.group_count() + column.group_count())?;
        match (table.exact(), column.exact()) {
            (Some(table), Some(column)) => {
                let columns = self.columns.entry(table).or_default();
                columns.insert(column.to_lowercase(), to.to_owned());
            }
            _ => self.column_patterns.push(ColumnRule {
                table,
                column,
                target,
            }),
        }
        Ok(())
    }

    /// Takes in what the source has now.
    #[must_use]
    pub fn knowing(mut self, known: Known) -> NameMap {
        self.known = known;
        self
    }

    pub fn known(&self) -> &Known {
        &self.known
    }

    /// True where some answers need to know what the source has.
    pub fn needs_to_know(&self) -> bool {
        !self.select.is_exact()
            || !self.database_patterns.is_empty()
            || !self.table_patterns.is_empty()
            || !self.column_patterns.is_empty()
            || !self.select.merge.is_empty()
    }

    pub fn database(&self, name: &str) -> String {
        if !self.selects(name) {
            return name.to_owned();
        }
        let of_pattern = || {
            let mut rules = self.database_patterns.iter();
            rules.find_map(|(pattern, target)| Some(self.filled(target, &pattern.capture(name)?)))
        };
        let mapped = self.databases.get(name).cloned().or_else(of_pattern);
        mapped.unwrap_or_else(|| self.table_letters.fold(name))
    }

    pub fn table(&self, name: &TableName) -> TableName {
        if !self.selects(&name.database) {
            return name.clone();
        }
        self.table_rule(name).unwrap_or_else(|| {
            TableName::new(
                self.database(&name.database),
                self.table_letters.fold(&name.table),
            )
        })
    }

    /// The name of a database. One that belongs to the server or to Wherry gets a blank, with which
    /// no server takes it: whatever would touch that database fails.
    fn filled(&self, database: &Template, groups: &[String]) -> String {
        let mut name = database.fill(groups);
        if self.select.belongs_to_others(&name) {
            name.push(' ');
        }
        name
    }

    /// True where this table becomes one with others.
    pub fn is_merged(&self, name: &TableName) -> bool {
        self.selects(&name.database) && self.select.merges(&self.table(name))
    }

    /// The tables of the source that become one with others, as far as they are known.
    pub fn merged(&self) -> impl Iterator<Item = TableName> + '_ {
        let known = self.known.tables.keys().chain(self.tables.keys());
        known.filter(|name| self.is_merged(name)).cloned()
    }

    /// What a rule says of this table.
    fn table_rule(&self, name: &TableName) -> Option<TableName> {
        let of_pattern = || {
            let mut rules = self.table_patterns.iter();
            rules.find_map(|(pattern, target)| {
                let groups = pattern.capture(name)?;
                let database = self.filled(&target.database, &groups);
                Some(TableName::new(database, target.table.fill(&groups)))
            })
        };
        self.tables.get(name).cloned().or_else(of_pattern)
    }

    /// The left side of the rule that names this table, as the user wrote it.
    pub(crate) fn table_rule_text(&self, name: &TableName) -> Option<String> {
        let exact = self.tables.contains_key(name).then(|| plain(name));
        let mut shaped = self.table_patterns.iter();
        exact.or_else(|| {
            let rule = shaped.find(|(pattern, _)| pattern.matches(name));
            rule.map(|(pattern, _)| pattern.to_string())
        })
    }

    /// As `table_rule_text`, for a database.
    pub(crate) fn database_rule_text(&self, name: &str) -> Option<String> {
        let exact = self.databases.contains_key(name).then(|| name.to_owned());
        let mut shaped = self.database_patterns.iter();
        exact.or_else(|| {
            let rule = shaped.find(|(pattern, _)| pattern.matches(name));
            rule.map(|(pattern, _)| pattern.to_string())
        })
    }

    pub fn column(&self, table: &TableName, name: &str) -> String {
        if !self.selects(&table.database) {
            return name.to_owned();
        }
        self.column_rule(table, name)
            .unwrap_or_else(|| self.column_letters.fold(name))
    }

    /// What a rule says of this column.
    fn column_rule(&self, table: &TableName, name: &str) -> Option<String> {
        let exact = self.columns.get(table);
        let exact = exact.and_then(|rules| rules.get(&name.to_lowercase()).cloned());
        let of_pattern = || {
            let mut rules = self.column_patterns.iter();
            rules.find_map(|rule| rule.target_of(table, name))
        };
        exact.or_else(of_pattern)
    }

    /// Every database of the target that tables of this one go to, its own first.
    pub fn databases_of(&self, name: &str) -> Vec<String> {
        let mut databases = vec![self.database(name)];
        let exact = self.tables.iter();
        let exact = exact
            .filter(|(source, _)| source.database == name)
            .map(|(_, target)| target.database.clone());
        // The target's database takes groups of the source's alone.
        let shaped = self.table_patterns.iter().filter_map(|(pattern, target)| {
            let groups = pattern.database.capture(name)?;
            Some(self.filled(&target.database, &groups))
        });
        let mut others: Vec<String> = exact.chain(shaped).collect();
        others.sort_unstable();
        for other in others {
            if !databases.contains(&other) {
                databases.push(other);
            }
        }
        databases
    }

    /// Selected databases: those given by name, and those known that patterns mean.
    pub fn selected(&self) -> BTreeSet<String> {
        let known = self.known.databases.iter().map(String::as_str);
        let all = known.chain(self.select.exact_databases());
        let selected = all.filter(|name| self.selects(name));
        selected.map(str::to_owned).collect()
    }

    /// True where the target does not tell the letters of database and table names apart.
    pub fn target_folds(&self) -> bool {
        self.target_folds
    }

    /// True where a table of another database than this one goes to this database of the target.
    /// Also where that is not known.
    pub fn is_shared(&self, name: &str, target: &str) -> bool {
        if self.needs_to_know() && self.known.databases.is_empty() {
            return true;
        }
        self.selected()
            .iter()
            .filter(|other| *other != name)
            .any(|other| self.databases_of(other).iter().any(|to| to == target))
    }

    /// True where no rule can give any name another one.
    pub fn is_identity(&self) -> bool {
        self.databases.iter().all(|(from, to)| from == to)
            && self.tables.iter().all(|(from, to)| from == to)
            && self.columns.is_empty()
            && self.database_patterns.is_empty()
            && self.table_patterns.is_empty()
            && self.column_patterns.is_empty()
            && self.table_letters == Letters::AsSource
            && self.column_letters == Letters::AsSource
            && !self.select.tables.iter().any(TableRule::shapes)
            && self.select.merge.is_empty()
    }

    /// What the rules of a table say about it of which not everything moves: of each key the first
    /// rule that has it holds.
    fn shaping_rule(&self, table: &TableName) -> Option<TableRule> {
        if !self.selects(&table.database) {
            return None;
        }
        let mut rules = self.select.rules_of(table).filter(|rule| rule.shapes());
        let mut first = rules.next()?.clone();
        rules.for_each(|rule| first.inherit_shape(rule));
        Some(first)
    }

    /// True where a column of this table does not move.
    pub fn leaves_out(&self, table: &TableName, column: &str) -> bool {
        let rule = self.shaping_rule(table);
        rule.is_some_and(|rule| rule.leaves_out(column))
    }

    /// Kinds of changes of rows that `operations` leaves out for this table.
    fn leaves_of(&self, table: &TableName) -> Leaves {
        let is_out =
            |operation| self.selects(&table.database) && !self.select.carries(operation, table);
        Leaves {
            insert: is_out(Operation::Insert),
            update: is_out(Operation::Update),
            delete: is_out(Operation::Delete),
            entering: false,
        }
    }

    /// Columns that only the target has of this table.
    pub fn added(&self, table: &TableName) -> Vec<Additional> {
        let rule = self.shaping_rule(table);
        rule.and_then(|rule| rule.add).unwrap_or_default()
    }

    /// True where the same of a table moves under both names.
    pub fn shapes_alike(&self, one: &TableName, other: &TableName) -> bool {
        if self.leaves_of(one) != self.leaves_of(other) {
            return false;
        }
        match (self.shaping_rule(one), self.shaping_rule(other)) {
            (None, None) => true,
            (Some(rule), Some(under_other)) => {
                rule.shapes_like(&under_other) && (one == other || !rule.looks_at_names())
            }
            _ => false,
        }
    }

    /// Selected databases whose name means another one in the target, with what they become.
    pub fn renamed_databases(&self) -> Vec<(String, String)> {
        let pairs = self.selected().into_iter().map(|name| {
            let target = self.database(&name);
            (name, target)
        });
        pairs.filter(|(from, to)| self.differ(from, to)).collect()
    }

    /// Tables to which a rule gives another name or database.
    pub fn renamed_tables(&self) -> Vec<(TableName, TableName)> {
        let known = self.known.tables.keys();
        let known =
            known.filter(|name| !self.tables.contains_key(name) && self.selects(&name.database));
        let shaped = known.filter_map(|name| Some((name.clone(), self.table_rule(name)?)));
        let exact = self
            .tables
            .iter()
            .map(|(from, to)| (from.clone(), to.clone()));
        let all = exact.chain(shaped).filter(|(from, to)| {
            self.differ(&from.database, &to.database) || self.differ(&from.table, &to.table)
        });
        all.collect()
    }

    /// Columns to which a rule gives another name, with the source's in lower case.
    pub fn renamed_columns(&self) -> Vec<(TableName, String, String)> {
        let exact = self.columns.iter().flat_map(|(table, rules)| {
            let rules = rules.iter();
            rules.map(move |(from, to)| (table.clone(), from.clone(), to.clone()))
        });
        let known = self.known.tables.iter();
        let known = known
            .filter(|(table, _)| !self.column_patterns.is_empty() && self.selects(&table.database));
        let shaped = known.flat_map(|(table, columns)| {
            columns.iter().filter_map(move |name| {
                let target = self.column_rule(table, name)?;
                Some((table.clone(), name.to_lowercase(), target))
            })
        });
        let mut all: Vec<_> = exact
            .chain(shaped)
            .filter(|(_, from, to)| *from != to.to_lowercase())
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    pub fn selects(&self, database: &str) -> bool {
        self.select.includes_database(database)
    }

    /// True where the database moves, and not only single tables of it.
    pub fn selects_whole(&self, database: &str) -> bool {
        self.select.includes_whole(database)
    }

    pub fn selects_table(&self, table: &TableName) -> bool {
        self.select.includes(table)
    }

    /// True where every table gets other letters, and the target tells letters apart.
    pub fn changes_letters(&self) -> bool {
        self.table_letters != Letters::AsSource && !self.target_folds
    }

    /// True where the target tells these names of databases or tables apart.
    pub fn differ(&self, one: &str, other: &str) -> bool {
        match self.target_folds {
            true => one.to_lowercase() != other.to_lowercase(),
            false => one != other,
        }
    }

    /// Writes into a table, as the source has it, how it and its columns are called in the target,
    /// and what of it moves. Keys over columns that do not move are taken away: the target does not
    /// have them.
    pub fn apply(&self, table: &mut Table) {
        let target = self.table(&table.name);
        // Those of another rule, or of this one, since a table is asked for again and again.
        table.columns.truncate(table.source_columns().len());
        for column in &mut table.columns {
            let target = self.column(&table.name, &column.name);
            column.in_target = (target != column.name).then_some(target);
        }
        table.in_target = (target != table.name).then(|| Box::new(target));
        let rule = self.shaping_rule(&table.name);
        let rule = rule.unwrap_or_else(|| TableRule::of(""));
        table.shape = Shape::of(&rule, self.leaves_of(&table.name), table);
        match (self.is_merged(&table.name), table.exactness) {
            (true, Exactness::Keyed | Exactness::Keyless) => table.exactness = Exactness::Merged,
            (false, Exactness::Merged) => table.exactness = Exactness::Keyed,
            _ => {}
        }
        if let Some(shape) = &table.shape {
            let moves = |part: &crate::KeyPart| !shape.left_out.contains(&part.column);
            table.keys.retain(|key| key.parts.iter().all(moves));
            table
                .columns
                .extend(shape.added.iter().map(Additional::column));
        }
    }
}

/// `shop.orders`, without quotes.
fn plain(name: &TableName) -> String {
    format!("{}.{}", name.database, name.table)
}

type AddRule = fn(&mut NameMap, &str, &str) -> Result<(), MappingFault>;

fn fault_of(error: PatternError, text: &str) -> MappingFault {
    match error {
        PatternError::Form => MappingFault::Form(text.to_owned()),
        PatternError::Expression(reason) => MappingFault::Expression(reason),
    }
}

fn template(text: &str, count: usize) -> Result<Template, MappingFault> {
    let template = Template::parse(text);
    match template.group_beyond(count) {
        Some(wanted) => Err(MappingFault::Group { wanted, count }),
        None => Ok(template),
    }
}

#[cfg(test)]
mod tests;
