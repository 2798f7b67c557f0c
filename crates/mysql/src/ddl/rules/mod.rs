//! Flavour rules: what must be said differently so that another server means the same.
//!
//! Each rule has a stable name, which reports show. A feature that the target does not have is
//! refused with its reason, never dropped in silence.
//!
//! The rules are listed in `names`, for people in `docs/rules.md`.

mod charset;
mod column;
mod database;
mod diff;
mod engine;
mod names;
mod normal;
mod option;
#[cfg(test)]
mod tests;

pub(crate) use charset::{charset_at, collation_at};

use super::definition::{CheckClause, ColumnParts, Definition};
use super::edit::replace;
use super::lexer::lex;
use super::statement::{Context, Dialect};
use crate::ddl::refusal::{Refusal, UNREADABLE, VERSIONING};
use wherry_model::TableName;
use wherry_model::name::quote;
use wherry_model::task::EngineRule;

pub(super) use charset::{collation_name, default_collation};
pub use database::database;
pub use diff::diff;
pub use engine::X_ENGINE;
pub use names::{RULES, is_lossy};

/// Who wrote a definition, who is to read it, and the engine that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flavours {
    pub from: Dialect,
    pub to: Dialect,
    pub engine: EngineRule,
}

impl Flavours {
    pub const fn new(from: Dialect, to: Dialect) -> Flavours {
        Flavours {
            from,
            to,
            engine: EngineRule::Innodb,
        }
    }

    #[must_use]
    pub const fn engine(mut self, engine: EngineRule) -> Flavours {
        self.engine = engine;
        self
    }
}

/// A place where a rule changed the definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedRule {
    /// Like ``column `c` `` or ``key `k` ``; empty for the table itself.
    pub place: String,
    pub rule: &'static str,
    pub before: String,
    pub after: String,
}

impl AppliedRule {
    /// What the change did, for reports.
    pub fn description(&self) -> String {
        match self.after.as_str() {
            "" => format!("{} is left out", self.before),
            after => format!("{} became {after}", self.before),
        }
    }
}

/// A difference between two definitions of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub description: String,
    pub foreign_key: bool,
    /// The rule that explains it; `None` is a real difference.
    pub rule: Option<&'static str>,
}

/// Rewrites the `SHOW CREATE TABLE` text of a source so that the target accepts it and means the
/// same. Errors name the feature that the target lacks, code `DDL-1xx`.
pub fn apply(
    definition: &str,
    table: &TableName,
    flavours: Flavours,
) -> Result<(String, Vec<AppliedRule>), Refusal> {
    let definition = read(definition, table, flavours.from)?.renamed(table);
    let (definition, applied) = apply_to(&definition, flavours)?;
    let head = format!("CREATE TABLE {} ", quote(&table.table));
    Ok((definition.show_text(&head), applied))
}

/// Like [`apply`], for a definition that was read already.
pub fn apply_to(
    definition: &Definition,
    flavours: Flavours,
) -> Result<(Definition, Vec<AppliedRule>), Refusal> {
    let mut definition = definition.clone();
    let mut rules = Rules::new(flavours);
    if let Some(other) = definition.others.first() {
        let feature = other.split(['(', '`']).next().unwrap_or_default().trim();
        return Err(refused(VERSIONING, format!("{feature} is MariaDB's alone")));
    }
    option::apply(&mut rules, &mut definition)?;
    for column in &mut definition.columns {
        let context = Context::new("", flavours.from);
        rules.place = format!("column {}", quote(&column.name));
        let mut parts = ColumnParts::parse(&column.text, &context).ok_or_else(|| {
            refused(
                UNREADABLE,
                format!("column `{}` was not understood", column.name),
            )
        })?;
        if column::apply(&mut rules, &mut parts)? {
            column.text = parts.render();
        }
    }
    for key in definition
        .primary_key
        .iter_mut()
        .chain(&mut definition.keys)
    {
        rules.place = engine::key_place(key);
        key.text = rules.key(&key.text)?;
    }
    rules.place.clear();
    for check in &mut definition.checks {
        rules.check(check);
    }
    if let Some(partitions) = &mut definition.partitions {
        *partitions = rules.partitions(partitions)?;
    }
    Ok((definition, rules.applied))
}

fn read(text: &str, table: &TableName, dialect: Dialect) -> Result<Definition, Refusal> {
    Definition::parse(text, &Context::new(&table.database, dialect)).map_err(|error| Refusal {
        code: UNREADABLE,
        message: format!("{error} (table {table})"),
        hint: "Please report this with the output of SHOW CREATE TABLE.",
    })
}

fn refused(code: &'static str, message: String) -> Refusal {
    Refusal {
        code,
        message,
        hint: "Change the table at the source, or leave it out of the selection.",
    }
}

/// The two ends, and what was changed so far.
struct Rules {
    flavours: Flavours,
    /// What is looked at: a column or a key; empty for the table itself.
    place: String,
    applied: Vec<AppliedRule>,
}

impl Rules {
    fn new(flavours: Flavours) -> Rules {
        Rules {
            flavours,
            place: String::new(),
            applied: Vec::new(),
        }
    }

    fn note(&mut self, rule: &'static str, before: &str, after: &str) {
        debug_assert!(names::is_known(rule), "rule {rule} is not listed");
        self.applied.push(AppliedRule {
            place: self.place.clone(),
            rule,
            before: before.to_owned(),
            after: after.to_owned(),
        });
    }

    fn leaves_mariadb(&self) -> bool {
        self.flavours.from.mariadb && !self.flavours.to.mariadb
    }

    fn key(&mut self, text: &str) -> Result<String, Refusal> {
        if !self.leaves_mariadb() {
            return Ok(text.to_owned());
        }
        let tokens = lex(text, &Context::new("", self.flavours.from)).tokens;
        if tokens.iter().any(|token| token.is_word(text, "OVERLAPS")) {
            return Err(refused(
                VERSIONING,
                "WITHOUT OVERLAPS is MariaDB's alone".to_owned(),
            ));
        }
        let Some(ignored) = tokens.iter().find(|token| token.is_word(text, "IGNORED")) else {
            return Ok(text.to_owned());
        };
        let edit = (ignored.start..ignored.end, "INVISIBLE".to_owned());
        let after = replace(text, vec![edit])?;
        self.note("ignored-index", text, &after);
        Ok(after)
    }

    /// MariaDB numbers the checks of each table anew; MySQL wants their names unique in a database,
    /// and gives such ones itself.
    fn check(&mut self, check: &mut CheckClause) {
        let numbered = check
            .name
            .strip_prefix("CONSTRAINT_")
            .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
        if !self.leaves_mariadb() || !numbered {
            return;
        }
        let head = format!("CONSTRAINT {} ", quote(&check.name));
        if let Some(rest) = check.text.strip_prefix(&head) {
            self.note("check-name", &check.text, rest);
            check.text = rest.to_owned();
            check.name.clear();
        }
    }

    /// Drops where the partitions are kept.
    fn partitions(&mut self, text: &str) -> Result<String, Refusal> {
        let tokens = lex(text, &Context::new("", self.flavours.from)).tokens;
        let mut edits = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            let directory = (token.is_word(text, "DATA") || token.is_word(text, "INDEX"))
                && tokens
                    .get(at + 1)
                    .is_some_and(|next| next.is_word(text, "DIRECTORY"));
            let keyword = match (directory, token.is_word(text, "TABLESPACE")) {
                (true, _) => 2,
                (_, true) => 1,
                _ => continue,
            };
            let sign = tokens
                .get(at + keyword)
                .is_some_and(|next| next.is_symbol(b'='));
            let Some(value) = tokens.get(at + keyword + usize::from(sign)) else {
                continue;
            };
            let rule = match directory {
                false => "tablespace",
                true if token.is_word(text, "DATA") => "data-directory",
                true => "index-directory",
            };
            self.note(rule, &text[token.start..value.end], "");
            edits.push((token.start..value.end, String::new()));
        }
        replace(text, edits)
    }
}
