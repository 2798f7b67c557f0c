//! What `information_schema` says about the tables of a database, by name and value.
//!
//! Shares no code with Wherry. Values that servers print in different ways are brought into one form; nothing is
//! left out that a definition can say, but for what servers keep to themselves.

use super::expression::{charset, column_type, number, plain, unquoted};
use super::quoted;
use crate::failure::Result;
use crate::flavour::Flavour;
use crate::server::Server;
use std::collections::BTreeMap;

/// Facts of one table, like `column 3 type`.
pub type Facts = BTreeMap<String, String>;

/// Facts of every base table of a database, by the name of the table.
pub async fn facts(server: &Server, database: &str) -> Result<BTreeMap<String, Facts>> {
    let mut book = Book {
        server,
        flavour: server.flavour(),
        database,
        tables: BTreeMap::new(),
    };
    book.tables().await?;
    book.columns().await?;
    book.keys().await?;
    book.foreign_keys().await?;
    book.checks().await?;
    book.partitions().await?;
    book.texts().await?;
    Ok(book.tables)
}

struct Book<'a> {
    server: &'a Server,
    flavour: Flavour,
    database: &'a str,
    tables: BTreeMap<String, Facts>,
}

type Row = Vec<Option<String>>;

fn text(row: &Row, at: usize) -> String {
    row.get(at).cloned().flatten().unwrap_or_default()
}

/// The text whose UTF-8 was printed with each byte as a letter of its own.
fn bytes_as_letters(printed: &str) -> Option<String> {
    let bytes: Option<Vec<u8>> = printed.chars().map(|one| u8::try_from(one).ok()).collect();
    String::from_utf8(bytes?).ok()
}

impl Book<'_> {
    /// An expression as it was written; 9.7 prints some with each byte as a letter.
    fn expression(&self, printed: &str) -> String {
        let letters = match self.flavour {
            Flavour::MySql97 => bytes_as_letters(printed),
            Flavour::MySql56 | Flavour::MariaDb => None,
        };
        plain(letters.as_deref().unwrap_or(printed))
    }

    async fn rows(&self, columns: &str, view: &str, schema: &str, order: &str) -> Result<Vec<Row>> {
        let sql = format!(
            "SELECT {columns} FROM information_schema.{view} WHERE {schema} = '{}' ORDER BY {order}",
            self.database
        );
        self.server.rows(&sql).await
    }

    fn note(&mut self, table: &str, fact: impl Into<String>, value: impl Into<String>) {
        if let Some(facts) = self.tables.get_mut(table) {
            facts.insert(fact.into(), value.into());
        }
    }

    async fn tables(&mut self) -> Result<()> {
        let columns =
            "TABLE_NAME, ENGINE, TABLE_COLLATION, TABLE_COMMENT, CREATE_OPTIONS, TABLE_TYPE";
        for row in self
            .rows(columns, "TABLES", "TABLE_SCHEMA", "TABLE_NAME")
            .await?
        {
            if !matches!(text(&row, 5).as_str(), "BASE TABLE" | "SYSTEM VERSIONED") {
                continue;
            }
            let name = text(&row, 0);
            self.tables.insert(name.clone(), Facts::new());
            self.note(&name, "engine", text(&row, 1).to_lowercase());
            self.note(&name, "collation", charset(&text(&row, 2)));
            self.note(&name, "comment", text(&row, 3));
            for option in text(&row, 4)
                .to_lowercase()
                .replace(['\'', '"', '`'], "")
                .split_whitespace()
            {
                let (option, value) = option.split_once('=').unwrap_or((option, "yes"));
                self.note(&name, format!("option {option}"), value);
            }
        }
        Ok(())
    }

    async fn columns(&mut self) -> Result<()> {
        let generated = if self.flavour.has_generated_columns() {
            "GENERATION_EXPRESSION"
        } else {
            "''"
        };
        let srid = if self.flavour == Flavour::MySql97 {
            "SRS_ID"
        } else {
            "NULL"
        };
        let columns = format!(
            "TABLE_NAME, ORDINAL_POSITION, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, CHARACTER_SET_NAME, COLLATION_NAME, \
             COLUMN_DEFAULT, EXTRA, COLUMN_COMMENT, {generated}, {srid}, DATA_TYPE"
        );
        for row in self
            .rows(
                &columns,
                "COLUMNS",
                "TABLE_SCHEMA",
                "TABLE_NAME, ORDINAL_POSITION",
            )
            .await?
        {
            let name = text(&row, 0);
            let extra = text(&row, 8).to_lowercase();
            let of = |fact: &str| format!("column {} {fact}", text(&row, 1));
            let kind = text(&row, 12).to_lowercase();
            self.note(&name, of("name"), text(&row, 2));
            self.note(&name, of("type"), column_type(&text(&row, 3)));
            self.note(&name, of("nullable"), text(&row, 4));
            self.note(&name, of("charset"), charset(&text(&row, 5)));
            self.note(&name, of("collation"), charset(&text(&row, 6)));
            self.note(&name, of("comment"), text(&row, 9));
            self.note(&name, of("expression"), self.expression(&text(&row, 10)));
            self.note(&name, of("srid"), text(&row, 11));
            let default = row[7].as_ref().filter(|_| text(&row, 10).is_empty());
            if let Some(default) = self.default(default, &extra, &kind) {
                self.note(&name, of("default"), default);
            }
            let extra = extra
                .replace("default_generated", "")
                .replace("persistent", "stored generated")
                .replace(',', " ")
                .replace("()", "");
            self.note(
                &name,
                of("extra"),
                extra.split_whitespace().collect::<Vec<_>>().join(" "),
            );
        }
        Ok(())
    }

    /// `None` where this view does not print it so that it can be compared: bytes.
    fn default(&self, text: Option<&String>, extra: &str, kind: &str) -> Option<String> {
        let Some(text) = text.filter(|text| self.flavour != Flavour::MariaDb || *text != "NULL")
        else {
            return Some("none".to_owned());
        };
        if kind.ends_with("binary") {
            return None;
        }
        let lower = text.to_lowercase();
        if lower.starts_with("current_timestamp") {
            return Some(lower.replace("()", ""));
        }
        let mariadb = self.flavour == Flavour::MariaDb;
        let literal = if mariadb {
            unquoted(text)
        } else {
            Some(text.clone())
        };
        let long = kind.ends_with("text") || kind.ends_with("blob") || kind == "json";
        let numeric = ["int", "decimal", "float", "double", "year"]
            .iter()
            .any(|one| kind.ends_with(one));
        if numeric && let Some(value) = number(literal.as_deref().unwrap_or(text)) {
            return Some(value);
        }
        if kind == "bit" {
            return Some(lower);
        }
        let expression = if mariadb {
            literal.is_none()
        } else {
            extra.contains("default_generated")
        };
        Some(match literal.filter(|_| !expression && !long) {
            Some(value) => format!("value {value}"),
            None => format!("expression {}", self.expression(text)),
        })
    }

    async fn keys(&mut self) -> Result<()> {
        let (visible, expression) = match self.flavour {
            Flavour::MySql97 => ("IS_VISIBLE", "EXPRESSION"),
            Flavour::MySql56 => ("'YES'", "NULL"),
            Flavour::MariaDb => ("IF(IGNORED = 'YES', 'NO', 'YES')", "NULL"),
        };
        let columns = format!(
            "TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, SUB_PART, COLLATION, NON_UNIQUE, INDEX_TYPE, INDEX_COMMENT, {visible}, {expression}"
        );
        for row in self
            .rows(
                &columns,
                "STATISTICS",
                "TABLE_SCHEMA",
                "TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX",
            )
            .await?
        {
            let (name, key, part) = (text(&row, 0), text(&row, 1), text(&row, 2));
            let kind = text(&row, 7);
            let prefix = if kind == "SPATIAL" {
                String::new()
            } else {
                text(&row, 4)
            };
            let order = text(&row, 5).replace('A', "");
            let what = format!(
                "{}{} {prefix} {order}",
                text(&row, 3),
                self.expression(&text(&row, 10))
            );
            self.note(&name, format!("key {key} part {part}"), what);
            self.note(&name, format!("key {key} unique"), text(&row, 6));
            self.note(&name, format!("key {key} type"), kind);
            self.note(&name, format!("key {key} comment"), text(&row, 8));
            self.note(&name, format!("key {key} visible"), text(&row, 9));
        }
        Ok(())
    }

    async fn foreign_keys(&mut self) -> Result<()> {
        let columns = "TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME";
        for row in self
            .rows(
                columns,
                "KEY_COLUMN_USAGE",
                "TABLE_SCHEMA",
                "TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION",
            )
            .await?
        {
            if row[5].is_none() {
                continue;
            }
            let fact = format!("foreign key {} part {}", text(&row, 1), text(&row, 2));
            let value = format!(
                "{} to {}.{}.{}",
                text(&row, 3),
                text(&row, 4),
                text(&row, 5),
                text(&row, 6)
            );
            self.note(&text(&row, 0), fact, value);
        }
        let columns = "TABLE_NAME, CONSTRAINT_NAME, UPDATE_RULE, DELETE_RULE";
        for row in self
            .rows(
                columns,
                "REFERENTIAL_CONSTRAINTS",
                "CONSTRAINT_SCHEMA",
                "TABLE_NAME, CONSTRAINT_NAME",
            )
            .await?
        {
            // InnoDB does the same for both.
            let action = |at| text(&row, at).replace("NO ACTION", "RESTRICT");
            let value = format!("update {} delete {}", action(2), action(3));
            self.note(
                &text(&row, 0),
                format!("foreign key {} actions", text(&row, 1)),
                value,
            );
        }
        Ok(())
    }

    /// By their conditions, since a flavour rule may leave a name to the server.
    async fn checks(&mut self) -> Result<()> {
        let sql = match self.flavour {
            Flavour::MySql56 => return Ok(()),
            Flavour::MySql97 => format!(
                "SELECT t.TABLE_NAME, c.CHECK_CLAUSE, t.ENFORCED, c.CONSTRAINT_NAME FROM information_schema.CHECK_CONSTRAINTS c \
                 JOIN information_schema.TABLE_CONSTRAINTS t ON t.CONSTRAINT_SCHEMA = c.CONSTRAINT_SCHEMA AND t.CONSTRAINT_NAME = c.CONSTRAINT_NAME \
                 AND t.CONSTRAINT_TYPE = 'CHECK' WHERE c.CONSTRAINT_SCHEMA = '{}' ORDER BY 1, 4",
                self.database
            ),
            Flavour::MariaDb => format!(
                "SELECT TABLE_NAME, CHECK_CLAUSE, 'YES', CONSTRAINT_NAME FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = '{}' ORDER BY 1, 4",
                self.database
            ),
        };
        for row in self.server.rows(&sql).await? {
            let fact = format!("check {}", self.expression(&text(&row, 1)));
            self.note(&text(&row, 0), fact, text(&row, 2));
            if self.flavour == Flavour::MySql97 {
                self.note(
                    &text(&row, 0),
                    format!("check name {}", text(&row, 3)),
                    "yes",
                );
            }
        }
        Ok(())
    }

    async fn partitions(&mut self) -> Result<()> {
        let columns = "TABLE_NAME, PARTITION_NAME, SUBPARTITION_NAME, PARTITION_METHOD, SUBPARTITION_METHOD, PARTITION_EXPRESSION, \
            SUBPARTITION_EXPRESSION, PARTITION_DESCRIPTION, PARTITION_COMMENT, PARTITION_ORDINAL_POSITION, SUBPARTITION_ORDINAL_POSITION";
        for row in self
            .rows(
                columns,
                "PARTITIONS",
                "TABLE_SCHEMA",
                "TABLE_NAME, PARTITION_ORDINAL_POSITION, SUBPARTITION_ORDINAL_POSITION",
            )
            .await?
        {
            if row[1].is_none() {
                continue;
            }
            let fact = format!("partition {} {}", text(&row, 9), text(&row, 10));
            let value = format!(
                "{} {} {} {} {} {} {} {}",
                text(&row, 1),
                text(&row, 2),
                text(&row, 3),
                text(&row, 4),
                plain(&text(&row, 5)),
                plain(&text(&row, 6)),
                text(&row, 7).replace('`', ""),
                text(&row, 8)
            );
            self.note(&text(&row, 0), fact, value);
        }
        Ok(())
    }

    /// What no view tells: the counter, the parser of a key, the algorithm of KEY partitions.
    async fn texts(&mut self) -> Result<()> {
        for name in self.tables.keys().cloned().collect::<Vec<_>>() {
            let sql = format!("SHOW CREATE TABLE `{}`.{}", self.database, quoted(&name));
            let rows = self.server.rows(&sql).await?;
            let definition = text(&rows[0], 1);
            for mark in [
                "WITH PARSER `ngram`",
                "ALGORITHM = 1",
                "COLUMN_FORMAT DYNAMIC",
                "STORAGE DISK",
                "NOT SECONDARY",
            ] {
                self.note(
                    &name,
                    format!("text {mark}"),
                    definition.matches(mark).count().to_string(),
                );
            }
            let counter = definition
                .rsplit(") ENGINE=")
                .next()
                .and_then(|options| options.split("AUTO_INCREMENT=").nth(1));
            let counter = counter
                .and_then(|rest| rest.split(' ').next())
                .unwrap_or("none");
            self.note(&name, "counter", counter);
        }
        Ok(())
    }
}
