//! Flavour rules: what must be said differently so that another server means the same.
//!
//! Each rule has a stable name, which reports show. A feature that the target does not have is
//! refused with its reason, never dropped in silence.
//!
//! | rule | what it does |
//! |---|---|
//! | `utf8mb3-name` | spells `utf8` as the target does |
//! | `default-collation` | names a collation that the target would choose otherwise |
//! | `collation-name` | uses the target's name for the same collation |
//! | `display-width` | drops the width of integers and of `year(4)` |
//! | `current-timestamp` | spells `current_timestamp()` as MySQL does |
//! | `expression-default` | puts a default that is an expression in parentheses |
//! | `text-default` | turns the literal default of a TEXT or BLOB column into an expression |
//! | `generated-persistent` | says STORED for PERSISTENT |
//! | `ref-system-id` | drops `REF_SYSTEM_ID`, which checks nothing |
//! | `engine` | makes InnoDB of MyISAM, Aria and MEMORY: rows and checkpoint must commit together |
//! | `ignored-index` | says INVISIBLE for IGNORED |
//! | `row-format` | drops a row format that InnoDB does not have |
//! | `key-block-size` | drops a block size that only compressed tables have |
//! | `tablespace`, `data-directory`, `index-directory`, `connection`, `secondary-engine` | drops where the source keeps the table |
//! | `mariadb-option` | drops options of other MariaDB engines |
//! | `column-check` | the target keeps the check of a column as a check of the table |
//! | `check-name` | the target named a check by itself |

mod charset;
mod column;
mod diff;
mod normal;
mod option;
#[cfg(test)]
mod tests;

pub(crate) use charset::{charset_at, collation_at};

use super::definition::{ColumnParts, Definition};
use super::edit::replace;
use super::lexer::lex;
use super::statement::{Context, Dialect};
use crate::ddl::refusal::{Refusal, UNREADABLE, VERSIONING};
use wherry_model::TableName;
use wherry_model::name::quote;

pub(super) use charset::default_collation;
pub use diff::diff;

/// A place where a rule changed the definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedRule {
    pub rule: &'static str,
    pub before: String,
    pub after: String,
}

/// A difference between two definitions of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub description: String,
    /// The rule that explains it; `None` is a real difference.
    pub rule: Option<&'static str>,
}

/// Rewrites the `SHOW CREATE TABLE` text of a source so that the target accepts it and means the
/// same. Errors name the feature that the target lacks, code `DDL-1xx`.
pub fn apply(
    definition: &str,
    table: &TableName,
    from: Dialect,
    to: Dialect,
) -> Result<(String, Vec<AppliedRule>), Refusal> {
    let definition = read(definition, table, from)?;
    let (definition, applied) = apply_to(&definition, from, to)?;
    let head = format!("CREATE TABLE {} ", quote(&table.table));
    Ok((definition.show_text(&head), applied))
}

/// Like [`apply`], for a definition that was read already.
pub fn apply_to(
    definition: &Definition,
    from: Dialect,
    to: Dialect,
) -> Result<(Definition, Vec<AppliedRule>), Refusal> {
    let mut definition = definition.clone();
    let mut rules = Rules {
        from,
        to,
        applied: Vec::new(),
    };
    if let Some(other) = definition.others.first() {
        let feature = other.split(['(', '`']).next().unwrap_or_default().trim();
        return Err(refused(VERSIONING, format!("{feature} is MariaDB's alone")));
    }
    option::apply(&mut rules, &mut definition)?;
    for column in &mut definition.columns {
        let context = Context::new("", from);
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
        key.text = rules.key(&key.text)?;
    }
    if let Some(partitions) = &mut definition.partitions {
        *partitions = rules.partitions(partitions);
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
    from: Dialect,
    to: Dialect,
    applied: Vec<AppliedRule>,
}

impl Rules {
    fn note(&mut self, rule: &'static str, before: &str, after: &str) {
        self.applied.push(AppliedRule {
            rule,
            before: before.to_owned(),
            after: after.to_owned(),
        });
    }

    fn leaves_mariadb(&self) -> bool {
        self.from.mariadb && !self.to.mariadb
    }

    fn key(&mut self, text: &str) -> Result<String, Refusal> {
        if !self.leaves_mariadb() {
            return Ok(text.to_owned());
        }
        let tokens = lex(text, &Context::new("", self.from)).tokens;
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
        let after = replace(text, vec![edit]);
        self.note("ignored-index", text, &after);
        Ok(after)
    }

    /// Drops where the partitions are kept.
    fn partitions(&mut self, text: &str) -> String {
        let tokens = lex(text, &Context::new("", self.from)).tokens;
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
