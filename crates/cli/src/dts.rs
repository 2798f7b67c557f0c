//! From the object list of Alibaba Cloud DTS (`DbList`, in JSON) to a task file.
//!
//! Owns reading the list and what each of its fields becomes. Each field is carried, or named with the
//! reason why it is not. Read on in `draft` for the text that is printed.

mod draft;

use crate::exit::Exit;
use crate::output::Output;
use crate::report::Failure;
use crate::wire;
use draft::{Draft, TableEntry, quoted};
use serde_json::{Map, Value, json};
use std::path::Path;
use wherry_model::pattern::{Pattern, PatternError};
use wherry_model::{Additional, Fault};

/// Kinds of statements that DTS names, and their words in a task file.
const OPERATIONS: [(&str, &str); 7] = [
    ("ALTERTABLE", "alter-table"),
    ("CREATEINDEX", "create-index"),
    ("CREATETABLE", "create-table"),
    ("DROPINDEX", "drop-index"),
    ("DROPTABLE", "drop-table"),
    ("RENAMETABLE", "rename-table"),
    ("TRUNCATETABLE", "truncate-table"),
];

/// The letters of `dml_op`.
const CHANGES: [(char, &str); 3] = [('I', "insert"), ('U', "update"), ('D', "delete")];

/// Those that a task file chooses per database alone, where they are kept like the source's.
const OF_OBJECTS: [&str; 4] = [
    "ALTERVIEW",
    "CREATEVIEW",
    "CREATEFUNCTION",
    "CREATEPROCEDURE",
];

/// Reads the list and prints the task file.
pub fn print(path: &Path, output: Output) -> Result<Exit, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Fault::input("DTS-001", format!("could not read `{}`", path.display()))
            .hint("Check the path and its permissions; the file must be UTF-8 text.")
            .cause(error)
    })?;
    let draft = convert(&text)?;
    let yaml = draft.yaml();
    let left: Vec<Value> = draft
        .not_carried
        .iter()
        .map(|(place, reason)| json!({"place": place, "reason": reason}))
        .collect();
    let value = json!({"type": "import", "task_file": yaml, "not_carried": left});
    output.result(yaml.trim_end(), &value);
    Ok(Exit::Done)
}

/// Errors: `DTS-002` where the text is no JSON, `DTS-003` where it is no such list.
pub fn convert(text: &str) -> Result<Draft, Fault> {
    let list: Value = serde_json::from_str(text).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        Fault::input(
            "DTS-002",
            format!("the list is no JSON: it breaks at {place}"),
        )
        .hint("Save the value of `DbList` as it is, without quotes around it.")
    })?;
    let wrong = |what: String| {
        Fault::input("DTS-003", what).hint(
            "The list maps each database to an object like {\"name\": \"shop\", \"all\": true}; lists of the old API begin with a bracket and must be entered again by hand.",
        )
    };
    let Value::Object(databases) = list else {
        return Err(wrong(
            "the list does not map names of databases to objects".to_owned(),
        ));
    };
    let mut import = Import::default();
    for (key, value) in &databases {
        let Value::Object(fields) = value else {
            return Err(wrong(format!(
                "database `{}` is no object",
                key.escape_debug()
            )));
        };
        import.database(key, fields);
    }
    Ok(import.draft)
}

#[derive(Default)]
struct Import {
    draft: Draft,
}

/// How an object is chosen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    White,
    Black,
    Gray,
}

impl Import {
    fn leave(&mut self, place: &str, reason: &str) {
        let entry = (place.to_owned(), reason.to_owned());
        self.draft.not_carried.push(entry);
    }

    fn database(&mut self, key: &str, fields: &Map<String, Value>) {
        let Some(name) = self.pattern(key, key, fields) else {
            return;
        };
        match choice(fields) {
            Choice::Black => {
                self.draft.exclude.push(name.part());
                return self.rest(key, fields, &["filterType", "patternType", "name", "all"]);
            }
            Choice::Gray => return self.leave(key, GRAY),
            Choice::White => {}
        }
        let operations = Words {
            changes: changes(fields),
            statements: self.statements(key, fields),
        };
        let whole = is_all(fields);
        if whole {
            self.draft.databases.push((name.alone(), operations.list()));
        }
        if let Some(target) = renamed(key, fields) {
            self.draft
                .mapped_databases
                .push((name.alone(), target.to_owned()));
        }
        let target = text(fields, "name").unwrap_or(key).to_owned();
        let count = self.draft.include.len();
        let parent = Parent {
            name,
            target,
            whole,
            operations,
        };
        for kind in ["Table", "View"] {
            if let Some(Value::Object(tables)) = fields.get(kind) {
                self.tables(&format!("{key}.{kind}"), &parent, tables, kind);
            }
        }
        if !whole && self.draft.include.len() == count {
            self.leave(
                key,
                "it selects nothing: `all` is false, and no table is listed",
            );
        }
        let known = [
            "name",
            "all",
            "dml_op",
            "ddl_op",
            "Table",
            "View",
            "filterType",
            "patternType",
        ];
        self.rest(key, fields, &known);
    }

    fn tables(&mut self, place: &str, parent: &Parent, tables: &Map<String, Value>, kind: &str) {
        let mut excluded: Vec<Pattern> = Vec::new();
        let mut named: Vec<String> = Vec::new();
        for (key, value) in tables {
            let place = format!("{place}.{key}");
            let Value::Object(fields) = value else {
                self.leave(&place, "it is no object");
                continue;
            };
            let Some(name) = self.pattern(&place, key, fields) else {
                continue;
            };
            let full = format!("{}.{}", parent.name.part(), name.part());
            match choice(fields) {
                Choice::Gray => self.leave(&place, GRAY),
                Choice::Black => {
                    excluded.extend(Pattern::part(&name.part()).ok());
                    self.draft.exclude.push(full);
                    self.rest(
                        &place,
                        fields,
                        &["filterType", "patternType", "name", "all"],
                    );
                }
                Choice::White => {
                    if name.is_plain {
                        named.push(key.clone());
                    }
                    self.table(&place, parent, &name, fields, kind);
                }
            }
        }
        for name in named
            .iter()
            .filter(|name| excluded.iter().any(|it| it.matches(name)))
        {
            self.leave(
                &format!("{place}.{name}"),
                "an excluded pattern matches it too, and `exclude` wins; write that pattern so that it passes over this table",
            );
            // No rule may be about a table that does not move.
            let full = format!("{}.{}", parent.name.part(), quoted_part(name));
            self.draft.tables.retain(|entry| entry.table != full);
        }
    }

    fn table(
        &mut self,
        place: &str,
        parent: &Parent,
        name: &Name,
        fields: &Map<String, Value>,
        kind: &str,
    ) {
        let full = format!("{}.{}", parent.name.part(), name.part());
        if !parent.whole {
            self.draft.include.push(full.clone());
        }
        if let Some(target) = renamed(&name.key, fields) {
            let target = shifted(target, parent.name.group_count());
            let target = format!("{}.{}", quoted_part(&parent.target), quoted_part(&target));
            self.draft.mapped_tables.push((full.clone(), target));
        }
        if kind == "Table" {
            let own = Words {
                changes: changes(fields),
                statements: self.statements(place, fields),
            };
            let operations = own.of_table(parent);
            let columns = self.columns(place, parent, name, &full, fields);
            let add = self.added(place, fields);
            let filter = self.filter(place, fields);
            if operations.is_some() || columns.is_some() || filter.is_some() || !add.is_empty() {
                self.draft.tables.push(TableEntry {
                    table: full,
                    operations,
                    columns,
                    add,
                    filter,
                });
            }
        }
        let known = [
            "name",
            "all",
            "dml_op",
            "ddl_op",
            "column",
            "filter",
            "filterType",
            "patternType",
        ];
        self.rest(place, fields, &known);
    }

    /// The row filter, where Wherry's language has it.
    fn filter(&mut self, place: &str, fields: &Map<String, Value>) -> Option<String> {
        let filter = text(fields, "filter")?.trim();
        if filter.is_empty() {
            return None;
        }
        let Some(fault) = wire::filter_mistake(filter) else {
            return Some(filter.to_owned());
        };
        let reason = format!("all rows would move: {fault} ({})", fault.code);
        self.leave(&format!("{place}.filter"), &reason);
        None
    }

    /// Columns that only the target has: those with a value.
    fn added(&mut self, place: &str, fields: &Map<String, Value>) -> Vec<Additional> {
        let Some(Value::Object(columns)) = fields.get("column") else {
            return Vec::new();
        };
        let mut added = Vec::new();
        for (key, fields) in columns {
            let place = format!("{place}.column.{key}");
            let Value::Object(fields) = fields else {
                continue;
            };
            if !fields.contains_key("value") {
                continue;
            }
            let (Some(column_type), Some(value)) = (text(fields, "type"), text(fields, "value"))
            else {
                self.leave(
                    &place,
                    "it is an additional column, and the list does not tell its type and value: write it under `add`",
                );
                continue;
            };
            let column = Additional {
                name: renamed(key, fields).unwrap_or(key).to_owned(),
                column_type: column_type.to_owned(),
                value: value.to_owned(),
            };
            let mistake = column.type_mistake();
            let mistake = mistake.or_else(|| {
                wire::value_mistake(value).map(|fault| format!("{fault} ({})", fault.code))
            });
            match mistake {
                Some(why) => {
                    self.leave(
                        &place,
                        &format!("an additional column is not carried: {why}"),
                    );
                }
                None => added.push(column),
            }
            self.rest(&place, fields, &["name", "type", "value"]);
        }
        added
    }

    fn columns(
        &mut self,
        place: &str,
        parent: &Parent,
        name: &Name,
        full: &str,
        fields: &Map<String, Value>,
    ) -> Option<Vec<String>> {
        let Some(Value::Object(columns)) = fields.get("column") else {
            return None;
        };
        let mut moving = Vec::new();
        let mut all_plain = true;
        for (key, value) in columns {
            let place = format!("{place}.column.{key}");
            let Value::Object(fields) = value else {
                self.leave(&place, "it is no object");
                continue;
            };
            if fields.contains_key("value") {
                continue;
            }
            let Some(column) = self.pattern(&place, key, fields) else {
                continue;
            };
            all_plain &= column.is_plain && choice(fields) == Choice::White;
            moving.push(key.clone());
            if let Some(target) = renamed(key, fields) {
                let before = parent.name.group_count() + name.group_count();
                let rule = (format!("{full}.{}", column.part()), shifted(target, before));
                self.draft.mapped_columns.push(rule);
            }
            self.rest(&place, fields, &["name", "patternType"]);
        }
        let only_added = moving.is_empty() && all_plain && !columns.is_empty();
        if is_all(fields) || only_added {
            return None;
        }
        if !all_plain || moving.is_empty() {
            let reason =
                "all columns move: those that are chosen are not all given by their exact names";
            self.leave(&format!("{place}.column"), reason);
            return None;
        }
        Some(moving)
    }

    /// Kinds of statements in `ddl_op`; `None` where all are carried.
    fn statements(&mut self, place: &str, fields: &Map<String, Value>) -> Option<Vec<String>> {
        let listed = text(fields, "ddl_op")?;
        let place = format!("{place}.ddl_op");
        let mut words = Vec::new();
        for one in listed
            .split(',')
            .map(str::trim)
            .filter(|one| !one.is_empty())
        {
            let letters: String = one.chars().filter(char::is_ascii_alphabetic).collect();
            let letters = letters.to_uppercase();
            match OPERATIONS.iter().find(|(theirs, _)| *theirs == letters) {
                Some((_, word)) => words.push((*word).to_owned()),
                None if OF_OBJECTS.contains(&letters.as_str()) => {}
                None => self.leave(
                    &format!("{place} `{one}`"),
                    "no kind of statement has this name",
                ),
            }
        }
        if words.is_empty() {
            self.leave(&place, "it names no statement about tables, and what that means is not documented: all are carried");
            return None;
        }
        self.leave(
            &format!("{place} (what it does not name)"),
            "databases, views, routines, triggers and events are kept like the source's all the same; take words out of `operations` to change that",
        );
        let others = [
            "create-database",
            "alter-database",
            "drop-database",
            "view",
            "procedure",
            "function",
            "trigger",
            "event",
        ];
        words.extend(others.map(str::to_owned));
        Some(words)
    }

    /// The name as a task file has it; `None`, and told, where it cannot be carried.
    fn pattern(&mut self, place: &str, key: &str, fields: &Map<String, Value>) -> Option<Name> {
        let kind = text(fields, "patternType").unwrap_or("").to_uppercase();
        let name = Name::of(key, &kind);
        let Some(name) = name else {
            self.leave(
                &format!("{place}.patternType"),
                "no such kind of pattern is known; the object is left out",
            );
            return None;
        };
        let reason = match Pattern::alone(&name.alone()) {
            Ok(_) => return Some(name),
            Err(PatternError::Expression(reason)) => reason,
            Err(PatternError::Form) => "it is empty".to_owned(),
        };
        self.leave(
            place,
            &format!("its name or regular expression cannot be read, so it is left out: {reason}"),
        );
        None
    }

    /// Names every field that nobody has looked at.
    fn rest(&mut self, place: &str, fields: &Map<String, Value>, known: &[&str]) {
        for (field, value) in fields
            .iter()
            .filter(|(field, _)| !known.contains(&field.as_str()))
        {
            self.leave(&format!("{place}.{field}"), reason_for(field, value));
        }
    }
}

/// The database of a table.
struct Parent {
    name: Name,
    target: String,
    whole: bool,
    operations: Words,
}

/// What an object says of its operations, each part where it says something.
#[derive(Clone, Default, PartialEq, Eq)]
struct Words {
    /// Changes of rows.
    changes: Option<Vec<String>>,
    statements: Option<Vec<String>>,
}

impl Words {
    /// As a task file has them; `None` where everything is carried.
    fn list(&self) -> Option<Vec<String>> {
        let one = |word: &str| vec![word.to_owned()];
        let changes = self.changes.clone().unwrap_or_else(|| one("dml"));
        let statements = self.statements.clone().unwrap_or_else(|| one("ddl"));
        let list = [changes, statements].concat();
        (list != ["dml", "ddl"]).then_some(list)
    }

    /// The rule of a table: in a task file the deepest one holds alone, so what it does not say is
    /// that of its database. `None` where it needs none.
    fn of_table(self, parent: &Parent) -> Option<Vec<String>> {
        if parent.whole && self == Words::default() {
            return None;
        }
        let of_database = parent.operations.clone();
        let merged = Words {
            changes: self.changes.or(of_database.changes),
            statements: self.statements.or(of_database.statements),
        };
        let needed = parent.whole && parent.operations.list().is_some();
        let list = merged.list().map(of_table);
        list.or_else(|| needed.then(|| vec!["all".to_owned()]))
    }
}

/// Changes of rows in `dml_op`, which DTS searches for three letters; `None` where it says nothing.
fn changes(fields: &Map<String, Value>) -> Option<Vec<String>> {
    let letters = text(fields, "dml_op").filter(|it| !it.trim().is_empty())?;
    let letters = letters.to_uppercase();
    let carried = CHANGES
        .iter()
        .filter(|(letter, _)| letters.contains(*letter));
    let words: Vec<String> = carried.map(|(_, word)| (*word).to_owned()).collect();
    match words.len() == CHANGES.len() {
        true => Some(vec!["dml".to_owned()]),
        false => Some(words),
    }
}

/// A name or pattern, ready to be written.
struct Name {
    key: String,
    written: String,
    is_plain: bool,
}

impl Name {
    fn of(key: &str, kind: &str) -> Option<Name> {
        let written = match kind {
            "" | "NAME" | "EXACT" => None,
            "REGEX" => Some(format!("/{}/", escaped_slashes(key))),
            "FNMATCH" => Some(format!("/{}/", glob(key))),
            _ => return None,
        };
        Some(Name {
            key: key.to_owned(),
            is_plain: written.is_none(),
            written: written.unwrap_or_default(),
        })
    }

    /// Where a name stands alone, a point needs no backticks.
    fn alone(&self) -> String {
        match self.is_plain {
            true if self.key.contains(['*', '?']) || self.key.starts_with(['/', '`']) => {
                quoted(&self.key)
            }
            true => self.key.clone(),
            false => self.written.clone(),
        }
    }

    fn part(&self) -> String {
        match self.is_plain {
            true => quoted_part(&self.key),
            false => self.written.clone(),
        }
    }

    fn group_count(&self) -> usize {
        Pattern::alone(&self.alone()).map_or(0, |pattern| pattern.group_count())
    }
}

const GRAY: &str = "a GRAY rule lends the rules of another name; for tables of online-DDL tools use `stream.online_ddl`";

fn reason_for(field: &str, value: &Value) -> &'static str {
    match field {
        "state" | "type" | "message_key" => "it tells how the DTS task was, not what moves",
        "srcSchema" | "destSchema" => "a database of MySQL has no schemas",
        "conflict" => "its values are not documented; see `policy` in docs/task-file.md",
        "grayName" | "grayNameMatchWay" => GRAY,
        "case_sen" => "names are compared with their letters",
        "sharedKey" => "Wherry finds the keys of a table by itself",
        "defaultValue" | "value" => "additional values are not part of this version",
        "filter" => "only tables have row filters",
        "Schema" => "a database of MySQL has no schemas",
        _ if field.starts_with("script") => {
            "scripts of single objects are not part of this version"
        }
        _ if value.is_object() => {
            "objects of this kind move with their whole database alone, or do not exist in MySQL"
        }
        _ => "Wherry does not know this field",
    }
}

fn text<'f>(fields: &'f Map<String, Value>, key: &str) -> Option<&'f str> {
    fields.get(key).and_then(Value::as_str)
}

/// True is what DTS takes where the field is missing.
fn is_all(fields: &Map<String, Value>) -> bool {
    match fields.get("all") {
        Some(Value::Bool(all)) => *all,
        Some(Value::String(text)) => !text.eq_ignore_ascii_case("false"),
        _ => true,
    }
}

fn choice(fields: &Map<String, Value>) -> Choice {
    match text(fields, "filterType").map(str::to_uppercase).as_deref() {
        Some("BLACK") => Choice::Black,
        Some("GRAY") => Choice::Gray,
        _ => Choice::White,
    }
}

/// The name in the target, where it is another one.
fn renamed<'f>(key: &str, fields: &'f Map<String, Value>) -> Option<&'f str> {
    text(fields, "name").filter(|name| !name.is_empty() && *name != key)
}

/// A part of a dotted name in backticks, where it would be read otherwise.
fn quoted_part(name: &str) -> String {
    match name.contains(['.', '`', '*', '?']) || name.starts_with('/') || name.is_empty() {
        true => quoted(name),
        false => name.to_owned(),
    }
}

/// Words that a rule for one table may have.
fn of_table(words: Vec<String>) -> Vec<String> {
    let fits = |word: &String| {
        let mut changes = CHANGES.iter().map(|(_, ours)| *ours);
        let mut statements = OPERATIONS.iter().map(|(_, ours)| *ours);
        ["dml", "ddl"].contains(&word.as_str())
            || changes.any(|ours| ours == word)
            || statements.any(|ours| ours == word)
    };
    words.into_iter().filter(fits).collect()
}

/// Groups are counted through all parts, so those of a later part come behind.
fn shifted(target: &str, by: usize) -> String {
    let mut shifted = String::new();
    let mut rest = target;
    while let Some((before, behind)) = rest.split_once('{') {
        shifted.push_str(before);
        match behind
            .split_once('}')
            .map(|(number, after)| (number.parse::<usize>(), after))
        {
            Some((Ok(number), after)) => {
                shifted.push_str(&format!("{{{}}}", number + by));
                rest = after;
            }
            _ => {
                shifted.push('{');
                rest = behind;
            }
        }
    }
    shifted + rest
}

fn escaped_slashes(expression: &str) -> String {
    let mut escaped = String::new();
    let mut after_backslash = false;
    for letter in expression.chars() {
        if letter == '/' && !after_backslash {
            escaped.push('\\');
        }
        escaped.push(letter);
        after_backslash = letter == '\\' && !after_backslash;
    }
    escaped
}

/// A glob as a regular expression: it may have sets of letters, which the task file's globs have not.
fn glob(text: &str) -> String {
    let mut expression = String::new();
    let mut letters = text.chars().peekable();
    let mut in_set = false;
    while let Some(letter) = letters.next() {
        match letter {
            '[' if !in_set => {
                in_set = true;
                expression.push('[');
                if letters.next_if(|it| matches!(*it, '!' | '^')).is_some() {
                    expression.push('^');
                }
            }
            ']' if in_set => {
                in_set = false;
                expression.push(']');
            }
            '-' if in_set => expression.push('-'),
            '*' if !in_set => expression.push_str(".*"),
            '?' if !in_set => expression.push('.'),
            letter if letter.is_alphanumeric() || letter == '_' => expression.push(letter),
            letter => {
                expression.push('\\');
                expression.push(letter);
            }
        }
    }
    expression
}

#[cfg(test)]
mod tests;
