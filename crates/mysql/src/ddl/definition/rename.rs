//! The same definition under other names.
//!
//! Servers print every column of an expression in backticks, so a quoted name inside parentheses
//! is a column; only older servers leave the names in `PARTITION BY` as the user wrote them. What
//! could be something else is refused, never guessed.

use super::{Definition, ForeignKey};
use crate::ddl::edit::{Edit, replace};
use crate::ddl::lexer::{Token, TokenKind, lex};
use crate::ddl::refusal::{Refusal, UNPROVED_NAME};
use crate::ddl::statement::Context;
use std::collections::HashMap;
use wherry_model::name::quote;
use wherry_model::{NameMap, TableName};

/// Words that an expression may hold without meaning a column of that name.
const AMBIGUOUS: [&str; 30] = [
    "AND",
    "AS",
    "BINARY",
    "CASE",
    "DAY",
    "DIV",
    "ELSE",
    "END",
    "FROM",
    "HOUR",
    "INTERVAL",
    "IS",
    "MICROSECOND",
    "MINUTE",
    "MOD",
    "MONTH",
    "NOT",
    "NULL",
    "OR",
    "QUARTER",
    "SECOND",
    "SIGNED",
    "THEN",
    "UNSIGNED",
    "WEEK",
    "WHEN",
    "XOR",
    "YEAR",
    "DATE",
    "TIME",
];

impl Definition {
    /// The definition of this table of the source with the target's names for the table, its
    /// columns and the tables and columns that its foreign keys point to. Names of keys and
    /// constraints stay. A foreign key to itself points to the table's name in the text.
    ///
    /// Errors: `NAM-001` where a name may or may not be that of a column.
    pub fn map_names(
        &self,
        table: &TableName,
        names: &NameMap,
        context: &Context,
    ) -> Result<Definition, Refusal> {
        let own = self.columns.iter().filter_map(|column| {
            let target = names.column(table, &column.name);
            (target != column.name).then(|| (column.name.to_lowercase(), target))
        });
        let columns = Columns {
            own: own.collect(),
            context,
        };
        let mut mapped = self.clone();
        mapped.name = names.table(table);
        for column in &mut mapped.columns {
            column.text = columns.of_column(&column.text)?;
            columns.rename(&mut column.name);
        }
        for key in mapped.primary_key.iter_mut().chain(&mut mapped.keys) {
            key.text = columns.of_list(&key.text)?;
            for column in key.columns.iter_mut().flatten() {
                columns.rename(column);
            }
        }
        for check in &mut mapped.checks {
            check.text = columns.of_expressions(&check.text)?;
        }
        for key in &mut mapped.foreign_keys {
            columns.foreign_key(key, names)?;
        }
        if let Some(partitions) = &mut mapped.partitions {
            *partitions = columns.of_partitions(partitions)?;
        }
        Ok(mapped)
    }
}

/// The columns of one table that get another name, by their names in lower case.
struct Columns<'a> {
    own: HashMap<String, String>,
    context: &'a Context<'a>,
}

impl Columns<'_> {
    fn rename(&self, name: &mut String) {
        if let Some(target) = self.own.get(&name.to_lowercase()) {
            name.clone_from(target);
        }
    }

    fn of_column(&self, text: &str) -> Result<String, Refusal> {
        let tokens = lex(text, self.context).tokens;
        let mut edits = self.quoted(text, &tokens, usize::MAX)?;
        if let Some(first) = tokens.first()
            && let Some(target) = self.own.get(&first.name(text).to_lowercase())
        {
            edits.push((first.start..first.end, quote(target)));
        }
        Ok(replace(text, edits))
    }

    fn of_expressions(&self, text: &str) -> Result<String, Refusal> {
        let tokens = lex(text, self.context).tokens;
        Ok(replace(text, self.quoted(text, &tokens, usize::MAX)?))
    }

    /// The first list in parentheses alone; behind it may stand the name of a parser.
    fn of_list(&self, text: &str) -> Result<String, Refusal> {
        let tokens = lex(text, self.context).tokens;
        Ok(replace(text, self.quoted(text, &tokens, 1)?))
    }

    /// Edits of the quoted names inside the first `group_count` groups in parentheses.
    fn quoted(
        &self,
        text: &str,
        tokens: &[Token],
        group_count: usize,
    ) -> Result<Vec<Edit>, Refusal> {
        let mut edits = Vec::new();
        let mut depth = 0usize;
        let mut groups = 0usize;
        for (at, token) in tokens.iter().enumerate() {
            match token.kind {
                TokenKind::Symbol(b'(') => {
                    groups += usize::from(depth == 0);
                    depth += 1;
                }
                TokenKind::Symbol(b')') => depth = depth.saturating_sub(1),
                TokenKind::Quoted if depth > 0 && groups <= group_count => {
                    edits.extend(self.edit(text, tokens, at)?);
                }
                _ => {}
            }
        }
        Ok(edits)
    }

    fn edit(&self, text: &str, tokens: &[Token], at: usize) -> Result<Option<Edit>, Refusal> {
        let token = &tokens[at];
        let name = token.name(text);
        let Some(target) = self.own.get(&name.to_lowercase()) else {
            return Ok(None);
        };
        let is = |place: Option<usize>, symbol| {
            place
                .and_then(|place| tokens.get(place))
                .is_some_and(|token| token.is_symbol(symbol))
        };
        let before = at.checked_sub(1);
        if is(Some(at + 1), b'(') && token.kind == TokenKind::Word {
            return Ok(None);
        }
        let qualified = is(before, b'.') || is(Some(at + 1), b'.');
        if qualified || is(Some(at + 1), b'(') && token.kind == TokenKind::Quoted {
            // Letters alone do not decide which column is meant.
            return match name.to_lowercase() == target.to_lowercase() {
                true => Ok(None),
                false => Err(unproved(&name)),
            };
        }
        Ok(Some((token.start..token.end, quote(target))))
    }

    fn foreign_key(&self, key: &mut ForeignKey, names: &NameMap) -> Result<(), Refusal> {
        let span = key.references_span.clone();
        let head = self.of_list(&key.text[..span.start])?;
        let parent = Columns {
            own: key
                .referenced_columns
                .iter()
                .map(|column| (column.to_lowercase(), names.column(&key.references, column)))
                .collect(),
            context: self.context,
        };
        let tail = parent.of_list(&key.text[span.end..])?;
        for column in &mut key.columns {
            self.rename(column);
        }
        for column in &mut key.referenced_columns {
            parent.rename(column);
        }
        key.references = names.table(&key.references);
        let name = key.references.to_string();
        key.references_span = head.len()..head.len() + name.len();
        key.text = format!("{head}{name}{tail}");
        Ok(())
    }

    /// Only the lists and expressions behind `HASH`, `KEY`, `RANGE` and `LIST`; the names of
    /// partitions are others.
    fn of_partitions(&self, text: &str) -> Result<String, Refusal> {
        let tokens = lex(text, self.context).tokens;
        let mut edits = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            let by = tokens[at].is_word(text, "BY")
                && at.checked_sub(1).is_some_and(|before| {
                    ["PARTITION", "SUBPARTITION"]
                        .iter()
                        .any(|word| tokens[before].is_word(text, word))
                });
            at += 1;
            if !by {
                continue;
            }
            let head = at;
            while at < tokens.len() && !tokens[at].is_symbol(b'(') {
                at += 1;
            }
            let is_list = tokens[head..at]
                .iter()
                .any(|token| token.is_word(text, "KEY") || token.is_word(text, "COLUMNS"));
            at = self.partition_group(text, &tokens, at, is_list, &mut edits)?;
        }
        Ok(replace(text, edits))
    }

    /// Edits the names of the group that opens at token `open`; the token behind it.
    fn partition_group(
        &self,
        text: &str,
        tokens: &[Token],
        open: usize,
        is_list: bool,
        edits: &mut Vec<Edit>,
    ) -> Result<usize, Refusal> {
        let mut depth = 0usize;
        for (at, token) in tokens.iter().enumerate().skip(open) {
            match token.kind {
                TokenKind::Symbol(b'(') => depth += 1,
                TokenKind::Symbol(b')') => depth = depth.saturating_sub(1),
                TokenKind::Quoted => edits.extend(self.edit(text, tokens, at)?),
                TokenKind::Word => {
                    let ambiguous =
                        !is_list && AMBIGUOUS.iter().any(|word| token.is_word(text, word));
                    match self.edit(text, tokens, at)? {
                        Some((_, target)) if ambiguous => {
                            let name = token.text(text);
                            if !target.eq_ignore_ascii_case(&quote(name)) {
                                return Err(unproved(name));
                            }
                        }
                        edit => edits.extend(edit),
                    }
                }
                _ => {}
            }
            if depth == 0 {
                return Ok(at + 1);
            }
        }
        Ok(tokens.len())
    }
}

fn unproved(name: &str) -> Refusal {
    Refusal {
        code: UNPROVED_NAME,
        message: format!("`{name}` in an expression may or may not be the mapped column"),
        hint: "Leave this column out of select.mapping, or rename it at the source.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddl::definition::{Keys, RenderOptions};
    use crate::ddl::statement::Dialect;
    use wherry_model::task::{Capitalization, MappingSpec, SelectSpec};

    fn names(tables: &[(&str, &str)], columns: &[(&str, &str)]) -> NameMap {
        let rules = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            pairs
                .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
                .collect()
        };
        let select = SelectSpec {
            databases: vec!["shop".to_owned()],
            mapping: MappingSpec {
                databases: rules(&[("shop", "shop_new")]),
                tables: rules(tables),
                columns: rules(columns),
            },
            capitalization: Capitalization::Default,
            ..SelectSpec::default()
        };
        NameMap::new(&select, false).expect("rules")
    }

    fn renamed(body: &str, names: &NameMap, dialect: Dialect) -> Result<String, Refusal> {
        let context = Context::new("shop", dialect);
        let text = format!("CREATE TABLE `t` (\n  {body}");
        let definition = Definition::parse(&text, &context).expect("a definition");
        let table = TableName::new("shop", "t");
        let mapped = definition.map_names(&table, names, &context)?;
        Ok(mapped.render(&RenderOptions {
            name: &mapped.name,
            keys: Keys::All,
            foreign_keys: true,
            auto_increment: true,
        }))
    }

    fn mysql() -> Dialect {
        Dialect::mysql(90_704)
    }

    #[test]
    fn columns_get_their_names_everywhere() {
        let names = names(
            &[("shop.t", "shop_new.u")],
            &[("shop.t.a", "x"), ("shop.t.B", "a"), ("shop.p.id", "key")],
        );
        let text = renamed(
            "`a` int NOT NULL DEFAULT '1' COMMENT 'the `a` of (`b`)',\n  \
             `b` int GENERATED ALWAYS AS ((`a` + 1)) VIRTUAL,\n  \
             `c` json DEFAULT (json_array(`a`,_utf8mb4'a')),\n  \
             PRIMARY KEY (`a`),\n  \
             UNIQUE KEY `b` (`b`,`c`(10) DESC) COMMENT '(`a`)',\n  \
             KEY `f` ((lower(`b`))) /*!80000 INVISIBLE */,\n  \
             CONSTRAINT `a` FOREIGN KEY (`a`) REFERENCES `p` (`id`) ON DELETE CASCADE,\n  \
             CONSTRAINT `self` FOREIGN KEY (`b`) REFERENCES `t` (`A`),\n  \
             CONSTRAINT `chk` CHECK ((`b` > `a`)) /*!80016 NOT ENFORCED */\n) ENGINE=InnoDB COMMENT='`a`'",
            &names,
            mysql(),
        );
        assert_eq!(
            text.expect("a definition"),
            "CREATE TABLE `shop_new`.`u` (\n  \
             `x` int NOT NULL DEFAULT '1' COMMENT 'the `a` of (`b`)',\n  \
             `a` int GENERATED ALWAYS AS ((`x` + 1)) VIRTUAL,\n  \
             `c` json DEFAULT (json_array(`x`,_utf8mb4'a')),\n  \
             PRIMARY KEY (`x`),\n  \
             UNIQUE KEY `b` (`a`,`c`(10) DESC) COMMENT '(`a`)',\n  \
             KEY `f` ((lower(`a`))) /*!80000 INVISIBLE */,\n  \
             CONSTRAINT `a` FOREIGN KEY (`x`) REFERENCES `shop_new`.`p` (`key`) ON DELETE CASCADE,\n  \
             CONSTRAINT `self` FOREIGN KEY (`a`) REFERENCES `shop_new`.`u` (`x`),\n  \
             CONSTRAINT `chk` CHECK ((`a` > `x`)) /*!80016 NOT ENFORCED */\n) ENGINE=InnoDB COMMENT='`a`'"
        );
    }

    #[test]
    fn a_parser_and_a_partition_are_no_columns() {
        let names = names(
            &[],
            &[
                ("shop.t.ngram", "x"),
                ("shop.t.p0", "y"),
                ("shop.t.id", "z"),
            ],
        );
        let text = renamed(
            "`ngram` text,\n  `p0` int,\n  `id` int,\n  \
             FULLTEXT KEY `k` (`ngram`) /*!50100 WITH PARSER `ngram` */ \n) ENGINE=InnoDB\n\
             /*!50100 PARTITION BY RANGE (id DIV `p0`)\nSUBPARTITION BY KEY (p0)\n\
             (PARTITION p0 VALUES LESS THAN (id) ENGINE = InnoDB) */",
            &names,
            Dialect::mysql(50_624),
        );
        let text = text.expect("a definition");
        assert!(text.contains("FULLTEXT KEY `k` (`x`) /*!50100 WITH PARSER `ngram` */"));
        assert!(text.contains(
            "PARTITION BY RANGE (`z` DIV `y`)\nSUBPARTITION BY KEY (`y`)\n(PARTITION p0 VALUES"
        ));
    }

    #[test]
    fn what_may_be_another_name_is_refused() {
        let names = names(&[], &[("shop.t.day", "d"), ("shop.t.id", "ID")]);
        let partitioned = |expression: &str| {
            let body = format!(
                "`day` date,\n  `id` int\n) ENGINE=InnoDB\n\
                 /*!50100 PARTITION BY HASH ({expression}) */"
            );
            renamed(&body, &names, Dialect::mysql(50_624))
        };
        let refusal = partitioned("extract(day from day)").expect_err("ambiguous");
        assert_eq!(refusal.code, "NAM-001");
        assert!(partitioned("to_days(`day`)").is_ok());
        assert!(partitioned("t.id").is_ok());
        let check = "`day` date,\n  CONSTRAINT `c` CHECK ((`t`.`day` > 1))\n) ENGINE=InnoDB";
        assert!(renamed(check, &names, mysql()).is_err());
    }
}
