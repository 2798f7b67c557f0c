//! Compares the meaning of two definitions.

use super::charset::{charset_name, charset_of, collation_name, default_collation};
use super::column::without_width;
use super::{AppliedRule, Difference, Flavours, apply_to, is_lossy, normal, read};
use crate::ddl::definition::{
    AttributeKind, CheckClause, ColumnClause, ColumnParts, Definition, ForeignKey, KeyClause,
};
use crate::ddl::lexer::lex;
use crate::ddl::refusal::Refusal;
use crate::ddl::statement::{Context, Dialect};
use std::collections::BTreeMap;
use wherry_model::TableName;

/// Compares the meaning of two `SHOW CREATE TABLE` texts: `source` of a `from` server and
/// `target` of a `to` server. Names and AUTO_INCREMENT counters are ignored.
pub fn diff(
    source: &str,
    target: &str,
    table: &TableName,
    flavours: Flavours,
) -> Result<Vec<Difference>, Refusal> {
    let Flavours { from, to, .. } = flavours;
    let (source, applied) = apply_to(&read(source, table, from)?, flavours)?;
    let target = read(target, table, to)?;
    let (source_side, target_side) = (Side::new(&source, from, to), Side::new(&target, to, to));
    let mut found = Found::default();
    found.columns(&source_side, &target_side);
    found.keys(&source, &target, &source_side, &target_side);
    found.foreign_keys(&source, &target);
    found.checks(&source_side, &target_side);
    found.options(&source_side, &target_side);
    found
        .differences
        .extend(applied.iter().filter_map(explained));
    Ok(found.differences)
}

fn explained(applied: &AppliedRule) -> Option<Difference> {
    is_lossy(applied.rule).then(|| Difference {
        description: applied.description(),
        foreign_key: false,
        rule: Some(applied.rule),
    })
}

/// One definition, and how its text is to be read.
struct Side<'a> {
    definition: &'a Definition,
    /// Who wrote the text.
    dialect: Dialect,
    charset: Option<String>,
    collation: Option<String>,
}

impl<'a> Side<'a> {
    fn new(definition: &'a Definition, dialect: Dialect, to: Dialect) -> Side<'a> {
        let charset = definition
            .option("CHARSET")
            .map(|name| charset_name(name, true));
        let collation = definition
            .option("COLLATE")
            .map(|name| collation_name(name, true))
            .or_else(|| default_collation(charset.as_deref()?, to));
        Side {
            definition,
            dialect,
            charset,
            collation,
        }
    }

    /// What a column means, as a list of named properties.
    fn column(&self, column: &ColumnClause) -> BTreeMap<&'static str, String> {
        let mut means = BTreeMap::new();
        let context = Context::new("", self.dialect);
        let Some(parts) = ColumnParts::parse(&column.text, &context) else {
            means.insert("clause", column.text.clone());
            return means;
        };
        let type_name = parts.type_name();
        means.insert(
            "type",
            normal::column_type(&without_width(parts.column_type()), self.dialect),
        );
        if parts.has_text() {
            means.insert("collation", self.collation(&parts));
        }
        let required = parts.has(AttributeKind::NotNull) || self.in_primary_key(&parts.name);
        means.insert("nullable", (!required).to_string());
        let default = parts
            .value(AttributeKind::Default)
            .filter(|_| !parts.has(AttributeKind::Generated))
            .and_then(|value| normal::default(value, &type_name, self.dialect));
        means.insert("default", default.unwrap_or_else(|| "NULL".to_owned()));
        for (name, kind) in [
            ("on update", AttributeKind::OnUpdate),
            ("comment", AttributeKind::Comment),
        ] {
            if let Some(value) = parts.value(kind) {
                means.insert(name, normal::expression(value, self.dialect));
            }
        }
        if let Some(generated) = parts.value(AttributeKind::Generated) {
            means.insert("expression", generated_expression(generated, self.dialect));
        }
        for (name, kind) in [
            ("auto_increment", AttributeKind::AutoIncrement),
            ("invisible", AttributeKind::Invisible),
        ] {
            if parts.has(kind) {
                means.insert(name, "yes".to_owned());
            }
        }
        let others = parts
            .attributes
            .iter()
            .filter(|found| found.kind == AttributeKind::Other);
        let others: Vec<String> = others
            .map(|other| normal::expression(&other.text, self.dialect))
            .collect();
        if !others.is_empty() {
            means.insert("attributes", others.join(" "));
        }
        means
    }

    fn in_primary_key(&self, column: &str) -> bool {
        let key = self.definition.primary_key.as_ref();
        key.is_some_and(|key| key.columns.iter().flatten().any(|part| part == column))
    }

    fn collation(&self, parts: &ColumnParts) -> String {
        if let Some(name) = parts.value(AttributeKind::Collate) {
            return collation_name(name, true);
        }
        match parts.value(AttributeKind::Charset) {
            Some(charset) => match self.charset.as_deref() == Some(&charset_name(charset, true)) {
                true if self.collation.as_deref().map(charset_of).is_none() => charset.to_owned(),
                _ => default_collation(charset, self.dialect)
                    .map_or_else(|| charset.to_owned(), |name| collation_name(&name, true)),
            },
            None => self.collation.clone().unwrap_or_default(),
        }
    }

    /// Checks of the table and of its columns, by their expression.
    fn checks(&self) -> Vec<(Option<&'a CheckClause>, String)> {
        let context = Context::new("", self.dialect);
        let of_columns = self.definition.columns.iter().filter_map(|column| {
            let parts = ColumnParts::parse(&column.text, &context)?;
            let check = parts.value(AttributeKind::Check)?;
            Some((None, normal::expression(check, self.dialect)))
        });
        let of_table = self.definition.checks.iter().map(|check| {
            let tokens = lex(&check.text, &context).tokens;
            let begin = tokens
                .iter()
                .find(|token| token.is_word(&check.text, "CHECK"))
                .map_or(0, |token| token.end);
            (
                Some(check),
                normal::expression(&check.text[begin..], self.dialect),
            )
        });
        of_columns.chain(of_table).collect()
    }
}

fn generated_expression(text: &str, dialect: Dialect) -> String {
    let plain = normal::expression(text, dialect);
    let words: Vec<&str> = plain
        .split(' ')
        .filter(|word| !matches!(*word, "generated" | "always" | "virtual"))
        .map(|word| if word == "persistent" { "stored" } else { word })
        .collect();
    words.join(" ")
}

#[derive(Default)]
struct Found {
    differences: Vec<Difference>,
}

impl Found {
    fn real(&mut self, description: String) {
        self.differences.push(Difference {
            description,
            foreign_key: false,
            rule: None,
        });
    }

    /// Compares two sets of named things, each given as its meaning.
    fn named(
        &mut self,
        what: &str,
        source: &BTreeMap<String, String>,
        target: &BTreeMap<String, String>,
    ) {
        for (name, meaning) in source {
            match target.get(name) {
                None => self.real(format!("{what} {name} is missing in the target")),
                Some(other) if other != meaning => self.real(format!(
                    "{what} {name} is {meaning} in the source and {other} in the target"
                )),
                Some(_) => {}
            }
        }
        for name in target.keys().filter(|name| !source.contains_key(*name)) {
            self.real(format!("{what} {name} is only in the target"));
        }
    }

    fn columns(&mut self, source: &Side, target: &Side) {
        let names = |side: &Side| -> Vec<String> {
            let columns = side.definition.columns.iter();
            columns.map(|column| column.name.to_lowercase()).collect()
        };
        let (source_names, target_names) = (names(source), names(target));
        for (column, name) in source.definition.columns.iter().zip(&source_names) {
            let Some(at) = target_names.iter().position(|other| other == name) else {
                self.real(format!("column `{}` is missing in the target", column.name));
                continue;
            };
            let left = source.column(column);
            let right = target.column(&target.definition.columns[at]);
            let properties: std::collections::BTreeSet<_> =
                left.keys().chain(right.keys()).collect();
            for property in properties {
                let (left, right) = (left.get(property), right.get(property));
                if left != right {
                    let text =
                        |side: Option<&String>| side.map_or("none", String::as_str).to_owned();
                    self.real(format!(
                        "{property} of column `{}` is {} in the source and {} in the target",
                        column.name,
                        text(left),
                        text(right),
                    ));
                }
            }
        }
        for (column, name) in target.definition.columns.iter().zip(&target_names) {
            if !source_names.contains(name) {
                self.real(format!("column `{}` is only in the target", column.name));
            }
        }
        let common = |own: &[String], other: &[String]| -> Vec<String> {
            own.iter()
                .filter(|name| other.contains(name))
                .cloned()
                .collect()
        };
        if common(&source_names, &target_names) != common(&target_names, &source_names) {
            self.real("the columns stand in another order in the target".to_owned());
        }
    }

    fn keys(&mut self, source: &Definition, target: &Definition, from: &Side, to: &Side) {
        let all = |definition: &Definition, dialect: Dialect| -> BTreeMap<String, String> {
            let keys = definition.primary_key.iter().chain(&definition.keys);
            keys.map(|key| (key_name(key), key_meaning(key, dialect)))
                .collect()
        };
        self.named("key", &all(source, from.dialect), &all(target, to.dialect));
    }

    fn foreign_keys(&mut self, source: &Definition, target: &Definition) {
        let all = |definition: &Definition| -> BTreeMap<String, String> {
            let keys = definition.foreign_keys.iter();
            keys.map(|key| (format!("`{}`", key.name), foreign_meaning(key)))
                .collect()
        };
        let before = self.differences.len();
        self.named("foreign key", &all(source), &all(target));
        for difference in &mut self.differences[before..] {
            difference.foreign_key = true;
        }
    }

    fn checks(&mut self, source: &Side, target: &Side) {
        let mut rest = target.checks();
        for (check, expression) in source.checks() {
            let name = check.map(|check| check.name.as_str());
            let same_name = rest.iter().position(|(other, text)| {
                *text == expression && other.map(|other| other.name.as_str()) == name
            });
            let place = same_name.or_else(|| rest.iter().position(|(_, text)| *text == expression));
            let Some(place) = place else {
                self.real(format!("check {expression} is missing in the target"));
                continue;
            };
            rest.remove(place);
            if same_name.is_none() {
                let rule = if name.is_none() {
                    "column-check"
                } else {
                    "check-name"
                };
                self.differences.push(Difference {
                    description: format!("check {expression} has another name in the target"),
                    foreign_key: false,
                    rule: Some(rule),
                });
            }
        }
        for (_, expression) in rest {
            self.real(format!("check {expression} is only in the target"));
        }
    }

    fn options(&mut self, source: &Side, target: &Side) {
        let all = |side: &Side| -> BTreeMap<String, String> {
            let mut options: BTreeMap<String, String> = side
                .definition
                .options
                .iter()
                .filter(|option| {
                    !matches!(
                        option.name.as_str(),
                        "AUTO_INCREMENT" | "CHARSET" | "COLLATE"
                    )
                })
                .map(|option| {
                    (
                        option.name.clone(),
                        option_value(&option.name, &option.value, side.dialect),
                    )
                })
                .collect();
            if let Some(collation) = &side.collation {
                options.insert("COLLATE".to_owned(), collation.clone());
            }
            if let Some(partitions) = &side.definition.partitions {
                let text = normal::expression(partitions, side.dialect);
                options.insert(
                    "PARTITION BY".to_owned(),
                    text.replace(" engine = innodb", ""),
                );
            }
            options
        };
        self.named("option", &all(source), &all(target));
    }
}

fn option_value(name: &str, value: &str, dialect: Dialect) -> String {
    match name {
        "COMMENT" => normal::expression(value, dialect),
        _ => value.trim_matches('\'').to_ascii_uppercase(),
    }
}

fn key_name(key: &KeyClause) -> String {
    match key.name.as_str() {
        "" => "PRIMARY".to_owned(),
        name => format!("`{name}`"),
    }
}

/// The key without its name; B-tree is what every server makes unless told otherwise.
fn key_meaning(key: &KeyClause, dialect: Dialect) -> String {
    let text = normal::clause(&key.text, dialect).replace(" using btree", "");
    let text = without_block_size(&text);
    let begin = text.find('(').unwrap_or(0);
    let parts = match key.columns.iter().all(Option::is_some) {
        true => text[begin..].to_owned(),
        false => normal::expression(&text[begin..], dialect),
    };
    format!("{:?} {parts}", key.kind)
}

/// InnoDB ignores the block size of a key, and 9.7 forgets it for some.
fn without_block_size(text: &str) -> String {
    const WORDS: &str = " key_block_size = ";
    let Some((before, behind)) = text.split_once(WORDS) else {
        return text.to_owned();
    };
    let digits = behind.bytes().take_while(u8::is_ascii_digit).count();
    format!("{before}{}", &behind[digits..])
}

/// Without an action, `NO ACTION` and `RESTRICT` mean the same to InnoDB.
fn foreign_meaning(key: &ForeignKey) -> String {
    let action = |action: &Option<String>| match action.as_deref() {
        None | Some("NO ACTION" | "RESTRICT") => "restrict".to_owned(),
        Some(other) => other.to_lowercase(),
    };
    format!(
        "({}) to {} ({}) on delete {} on update {}",
        key.columns.join(", "),
        key.references,
        key.referenced_columns.join(", "),
        action(&key.on_delete),
        action(&key.on_update),
    )
}
