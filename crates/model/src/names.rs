//! The names that databases, tables and columns have in the target.
//!
//! Owns how `select.mapping` and `select.capitalization` become one answer for each name of the
//! source, and which columns move at all. Everything outside the SQL for the target's own tables
//! speaks of source names.

use crate::name::TableName;
use crate::shape::Shape;
use crate::table::Table;
use crate::task::{Capitalization, SelectSpec, TableRule};
use std::collections::{BTreeSet, HashMap};

/// Names of the source by the names of the target. An explicit rule wins over the capitalization;
/// the names of databases that are not selected stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameMap {
    selected: BTreeSet<String>,
    databases: HashMap<String, String>,
    tables: HashMap<TableName, TableName>,
    /// By the name of the column in lower case: servers do not tell the case of columns apart.
    columns: HashMap<TableName, HashMap<String, String>>,
    /// Of databases and tables.
    table_letters: Letters,
    column_letters: Letters,
    target_folds: bool,
    /// For the rules of tables of which not everything moves.
    select: SelectSpec,
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
    /// Errors: the first rule that does not name what it is about, as the user wrote it.
    pub fn new(select: &SelectSpec, target_folds: bool) -> Result<NameMap, String> {
        let (table_letters, column_letters) = match select.capitalization {
            Capitalization::Default if target_folds => (Letters::Lower, Letters::AsSource),
            Capitalization::Default | Capitalization::Source => {
                (Letters::AsSource, Letters::AsSource)
            }
            Capitalization::Upper => (Letters::Upper, Letters::Upper),
            Capitalization::Lower => (Letters::Lower, Letters::Lower),
        };
        let mut map = NameMap {
            selected: select.databases.iter().cloned().collect(),
            databases: select.mapping.databases.clone().into_iter().collect(),
            table_letters,
            column_letters,
            target_folds,
            select: select.clone(),
            ..NameMap::default()
        };
        for (from, to) in &select.mapping.tables {
            let source = TableName::parse(from).ok_or_else(|| from.clone())?;
            let target = TableName::parse(to).ok_or_else(|| to.clone())?;
            map.tables.insert(source, target);
        }
        for (from, to) in &select.mapping.columns {
            let (table, column) = TableName::parse_column(from).ok_or_else(|| from.clone())?;
            let columns = map.columns.entry(table).or_default();
            columns.insert(column.to_lowercase(), to.clone());
        }
        Ok(map)
    }

    pub fn database(&self, name: &str) -> String {
        match self.databases.get(name) {
            _ if !self.selected.contains(name) => name.to_owned(),
            Some(mapped) => mapped.clone(),
            None => self.table_letters.fold(name),
        }
    }

    pub fn table(&self, name: &TableName) -> TableName {
        match self.tables.get(name) {
            _ if !self.selected.contains(&name.database) => name.clone(),
            Some(mapped) => mapped.clone(),
            None => TableName::new(
                self.database(&name.database),
                self.table_letters.fold(&name.table),
            ),
        }
    }

    pub fn column(&self, table: &TableName, name: &str) -> String {
        let rules = self.columns.get(table);
        match rules.and_then(|rules| rules.get(&name.to_lowercase())) {
            _ if !self.selected.contains(&table.database) => name.to_owned(),
            Some(mapped) => mapped.clone(),
            None => self.column_letters.fold(name),
        }
    }

    /// Every database of the target that tables of this one go to, its own first.
    pub fn databases_of(&self, name: &str) -> Vec<String> {
        let mut databases = vec![self.database(name)];
        let mut others: Vec<&str> = self
            .tables
            .iter()
            .filter(|(source, _)| source.database == name)
            .map(|(_, target)| target.database.as_str())
            .collect();
        others.sort_unstable();
        for other in others {
            if !databases.iter().any(|known| known == other) {
                databases.push(other.to_owned());
            }
        }
        databases
    }

    /// True where the target does not tell the letters of database and table names apart.
    pub fn target_folds(&self) -> bool {
        self.target_folds
    }

    /// True where a table of another database than this one goes to this database of the target.
    pub fn is_shared(&self, name: &str, target: &str) -> bool {
        self.selected
            .iter()
            .filter(|other| *other != name)
            .any(|other| self.databases_of(other).iter().any(|to| to == target))
    }

    /// True where no rule can give any name another one.
    pub fn is_identity(&self) -> bool {
        self.databases.iter().all(|(from, to)| from == to)
            && self.tables.iter().all(|(from, to)| from == to)
            && self.columns.is_empty()
            && self.table_letters == Letters::AsSource
            && self.column_letters == Letters::AsSource
            && !self.select.tables.iter().any(TableRule::shapes)
    }

    /// The rule of a table of which not everything moves.
    fn shaping_rule(&self, table: &TableName) -> Option<&TableRule> {
        let rule = self.select.rule_of(table);
        rule.filter(|rule| rule.shapes() && self.selected.contains(&table.database))
    }

    /// True where a column of this table does not move.
    pub fn leaves_out(&self, table: &TableName, column: &str) -> bool {
        let rule = self.shaping_rule(table);
        rule.is_some_and(|rule| rule.leaves_out(column))
    }

    /// True where the same of a table moves under both names.
    pub fn shapes_alike(&self, one: &TableName, other: &TableName) -> bool {
        match (self.shaping_rule(one), self.shaping_rule(other)) {
            (None, None) => true,
            (Some(one), Some(other)) => one.shapes_like(other),
            _ => false,
        }
    }

    /// Selected databases whose name means another one in the target, with what they become.
    pub fn renamed_databases(&self) -> impl Iterator<Item = (&str, String)> {
        let pairs = self.selected.iter();
        pairs
            .map(|name| (name.as_str(), self.database(name)))
            .filter(|(from, to)| self.differ(from, to))
    }

    /// Rules that give a single table another name or database.
    pub fn renamed_tables(&self) -> impl Iterator<Item = (&TableName, &TableName)> {
        self.tables.iter().filter(|(from, to)| {
            self.differ(&from.database, &to.database) || self.differ(&from.table, &to.table)
        })
    }

    /// Rules that give a column another name, with the source's in lower case.
    pub fn renamed_columns(&self) -> impl Iterator<Item = (&TableName, &str, &str)> {
        let all = self.columns.iter().flat_map(|(table, rules)| {
            let rules = rules.iter();
            rules.map(move |(from, to)| (table, from.as_str(), to.as_str()))
        });
        all.filter(|(_, from, to)| *from != to.to_lowercase())
    }

    pub fn selects(&self, database: &str) -> bool {
        self.selected.contains(database)
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
        for column in &mut table.columns {
            let target = self.column(&table.name, &column.name);
            column.in_target = (target != column.name).then_some(target);
        }
        table.in_target = (target != table.name).then(|| Box::new(target));
        let rule = self.shaping_rule(&table.name);
        table.shape = rule.and_then(|rule| Shape::of(rule, table));
        if let Some(shape) = &table.shape {
            let moves = |part: &crate::KeyPart| !shape.left_out.contains(&part.column);
            table.keys.retain(|key| key.parts.iter().all(moves));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::MappingSpec;

    fn select(capitalization: Capitalization) -> SelectSpec {
        let rules = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
                .collect()
        };
        SelectSpec {
            databases: vec!["shop".to_owned(), "Crm".to_owned()],
            mapping: MappingSpec {
                databases: rules(&[("shop", "shop_new")]),
                tables: rules(&[("shop.orders", "archive.Orders2")]),
                columns: rules(&[("shop.orders.note", "Remark"), ("shop.`a.b`.`x.y`", "z")]),
            },
            capitalization,
            ..SelectSpec::default()
        }
    }

    fn names(capitalization: Capitalization, folds: bool) -> NameMap {
        NameMap::new(&select(capitalization), folds).expect("rules")
    }

    #[track_caller]
    fn check(names: &NameMap, database: &str, table: &str, column: &str, expected: [&str; 3]) {
        let source = TableName::new(database, table);
        let target = names.table(&source);
        let column = names.column(&source, column);
        assert_eq!([&*target.database, &*target.table, &*column], expected);
    }

    #[test]
    fn a_rule_wins_and_the_rest_keeps_its_letters() {
        let names = names(Capitalization::Default, false);
        check(
            &names,
            "shop",
            "orders",
            "NOTE",
            ["archive", "Orders2", "Remark"],
        );
        check(&names, "shop", "Item", "Note", ["shop_new", "Item", "Note"]);
        check(&names, "shop", "a.b", "x.y", ["shop_new", "a.b", "z"]);
        check(&names, "Crm", "Orders", "note", ["Crm", "Orders", "note"]);
        check(
            &names,
            "other",
            "orders",
            "note",
            ["other", "orders", "note"],
        );
        assert_eq!(names.databases_of("shop"), ["shop_new", "archive"]);
        assert!(!names.is_identity());
    }

    #[test]
    fn letters_change_where_no_rule_speaks() {
        let folding = names(Capitalization::Default, true);
        check(&folding, "Crm", "Orders", "Note", ["crm", "orders", "Note"]);
        check(
            &folding,
            "shop",
            "orders",
            "note",
            ["archive", "Orders2", "Remark"],
        );
        let upper = names(Capitalization::Upper, false);
        check(&upper, "Crm", "Größe", "note", ["CRM", "GRÖßE", "NOTE"]);
        check(
            &upper,
            "other",
            "orders",
            "note",
            ["other", "orders", "note"],
        );
        let lower = names(Capitalization::Lower, false);
        check(&lower, "shop", "Item", "NOTE", ["shop_new", "item", "note"]);
        let source = names(Capitalization::Source, true);
        check(&source, "Crm", "Orders", "Note", ["Crm", "Orders", "Note"]);
    }

    #[test]
    fn without_rules_nothing_changes() {
        let plain = SelectSpec {
            databases: vec!["Shop".to_owned()],
            ..SelectSpec::default()
        };
        assert!(NameMap::new(&plain, false).expect("no rule").is_identity());
        assert!(!NameMap::new(&plain, true).expect("no rule").is_identity());
    }

    #[test]
    fn names_have_limits() {
        assert_eq!(problem_of(&"ä".repeat(64)), None);
        assert!(problem_of(&"ä".repeat(65)).is_some());
        for name in ["", "a ", "a\0b", "\u{1F600}"] {
            assert!(problem_of(name).is_some(), "{name:?}");
        }
    }

    #[test]
    fn a_rule_must_say_what_it_is_about() {
        let mut select = select(Capitalization::Default);
        select
            .mapping
            .columns
            .insert("shop.orders".to_owned(), "x".to_owned());
        assert_eq!(NameMap::new(&select, false), Err("shop.orders".to_owned()));
    }
}
