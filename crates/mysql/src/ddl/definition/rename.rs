//! The same definition under other names.

use super::{ColumnClause, Definition, ForeignKey};
use crate::ddl::columns::Columns;
use crate::ddl::edit::replace;
use crate::ddl::lexer::lex;
use crate::ddl::refusal::Refusal;
use crate::ddl::statement::Context;
use wherry_model::name::quote;
use wherry_model::names::problem_of;
use wherry_model::{NameMap, TableName};

impl Definition {
    /// The definition of this table of the source with the target's names for the table, its
    /// columns and the tables and columns that its foreign keys point to. Names of keys and
    /// constraints stay, but for those that follow the table's name at a server, too. A foreign key to
    /// itself points to the table's name in the text. Columns that do not move are left out, and behind
    /// the others stand those that only the target has.
    ///
    /// Errors: `NAM-001` where a name may or may not be that of a column; those of `without`.
    pub fn map_names(
        &self,
        table: &TableName,
        names: &NameMap,
        context: &Context,
    ) -> Result<Definition, Refusal> {
        let moving = self.without(
            &|column| names.leaves_out(table, column),
            &|parent, column| names.leaves_out(parent, column),
            context,
        )?;
        let own = moving.columns.iter().map(|column| column.name.as_str());
        let text = Texts {
            columns: Columns::of(names, table, own),
            context,
        };
        let mut mapped = moving;
        mapped.name = names.table(table);
        for column in &mut mapped.columns {
            column.text = text.of_column(&column.text)?;
            text.columns.rename(&mut column.name);
        }
        let added = names.added(table);
        mapped.columns.extend(added.iter().map(ColumnClause::added));
        for key in mapped.primary_key.iter_mut().chain(&mut mapped.keys) {
            key.text = text.of_list(&key.text)?;
            for column in key.columns.iter_mut().flatten() {
                text.columns.rename(column);
            }
        }
        for check in &mut mapped.checks {
            check.text = text.of_expressions(&check.text)?;
        }
        // A RENAME in the target changes them, and tables that become one have one name of each.
        mapped.name_constraints_after(&table.table);
        for key in &mut mapped.foreign_keys {
            text.foreign_key(key, names)?;
        }
        if let Some(partitions) = &mut mapped.partitions {
            let tokens = lex(partitions, context).tokens;
            let edits = text.columns.partitions(partitions, &tokens)?;
            *partitions = replace(partitions, edits)?;
        }
        Ok(mapped)
    }

    /// The definition of a table that has got this name by a RENAME since it was printed.
    ///
    /// Source: MySQL manual, "RENAME TABLE Statement", on generated names; seen on 9.7.
    #[must_use]
    pub fn renamed(mut self, name: &TableName) -> Definition {
        let old = std::mem::replace(&mut self.name, name.clone());
        self.name_constraints_after(&old.table);
        self
    }

    /// Gives checks and foreign keys that the server named after the table `old` the names that it
    /// would have given them here.
    fn name_constraints_after(&mut self, old: &str) {
        let new = self.name.table.clone();
        for check in &mut self.checks {
            if let Some(name) = generated_name(&check.name, GENERATED_CHECK, old, &new) {
                check.text = check.text.replacen(&quote(&check.name), &quote(&name), 1);
                check.name = name;
            }
        }
        for key in &mut self.foreign_keys {
            if let Some(name) = generated_name(&key.name, GENERATED_KEY, old, &new) {
                let (before, after) = (quote(&key.name), quote(&name));
                key.text = key.text.replacen(&before, &after, 1);
                let longer = after.len() as isize - before.len() as isize;
                let moved = |at: usize| at.saturating_add_signed(longer);
                key.references_span =
                    moved(key.references_span.start)..moved(key.references_span.end);
                key.name = name;
            }
        }
    }
}

/// What a server puts between the name of a table and the number of a check or a foreign key.
pub(crate) const GENERATED_CHECK: &str = "_chk_";
pub(crate) const GENERATED_KEY: &str = "_ibfk_";

/// What a constraint that a server named after the table `old` is called after the table `new`; `None`
/// where it keeps its name.
pub(crate) fn generated_name(name: &str, kind: &str, old: &str, new: &str) -> Option<String> {
    let number = name.strip_prefix(old)?.strip_prefix(kind)?;
    let named = format!("{new}{kind}{number}");
    let follows = !number.is_empty() && old != new && problem_of(&named).is_none();
    follows.then_some(named)
}

/// Clauses as the server printed them.
struct Texts<'a> {
    columns: Columns,
    context: &'a Context<'a>,
}

impl Texts<'_> {
    fn of_column(&self, text: &str) -> Result<String, Refusal> {
        let tokens = lex(text, self.context).tokens;
        let mut edits = self.columns.printed(text, &tokens)?;
        let name = tokens.first();
        edits.extend(name.and_then(|token| self.columns.named(text, token)));
        replace(text, edits)
    }

    fn of_expressions(&self, text: &str) -> Result<String, Refusal> {
        let tokens = lex(text, self.context).tokens;
        let edits = self.columns.printed(text, &tokens)?;
        replace(text, edits)
    }

    /// The first list in parentheses alone; behind it may stand the name of a parser.
    fn of_list(&self, text: &str) -> Result<String, Refusal> {
        let tokens = lex(text, self.context).tokens;
        replace(text, self.columns.printed_list(text, &tokens)?)
    }

    fn foreign_key(&self, key: &mut ForeignKey, names: &NameMap) -> Result<(), Refusal> {
        let span = key.references_span.clone();
        let head = self.of_list(&key.text[..span.start])?;
        let referenced = key.referenced_columns.iter().map(String::as_str);
        let parent = Texts {
            columns: Columns::of(names, &key.references, referenced),
            context: self.context,
        };
        let tail = parent.of_list(&key.text[span.end..])?;
        for column in &mut key.columns {
            self.columns.rename(column);
        }
        for column in &mut key.referenced_columns {
            parent.columns.rename(column);
        }
        key.references = names.table(&key.references);
        let name = key.references.to_string();
        key.references_span = head.len()..head.len() + name.len();
        key.text = format!("{head}{name}{tail}");
        Ok(())
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
    fn generated_names_follow_a_rename() {
        let context = Context::new("d", Dialect::mysql(90_700));
        let text = "CREATE TABLE `a` (\n  `x` int,\n  KEY `x` (`x`),\n  CONSTRAINT `a_ibfk_1` FOREIGN KEY (`x`) REFERENCES `p` (`id`) ON DELETE CASCADE,\n  CONSTRAINT `own` FOREIGN KEY (`x`) REFERENCES `p` (`id`),\n  CONSTRAINT `a_chk_1` CHECK ((`x` > 0)),\n  CONSTRAINT `ab_chk_1` CHECK ((`x` > 1))\n) ENGINE=InnoDB";
        let definition = Definition::parse(text, &context).expect("a definition");
        let there = TableName::new("d", "longer");
        let renamed = definition.renamed(&there).map_references(&TableName::clone);
        let rendered = renamed.render(&RenderOptions {
            name: &there,
            keys: Keys::All,
            foreign_keys: true,
            auto_increment: true,
        });
        for part in [
            "CONSTRAINT `longer_ibfk_1` FOREIGN KEY (`x`) REFERENCES `d`.`p` (`id`) ON DELETE CASCADE",
            "CONSTRAINT `own` FOREIGN KEY (`x`) REFERENCES `d`.`p` (`id`)",
            "CONSTRAINT `longer_chk_1` CHECK",
            "CONSTRAINT `ab_chk_1` CHECK",
        ] {
            assert!(rendered.contains(part), "{part}: {rendered}");
        }
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
             UNIQUE KEY `b` (`b`(7),`c`(10) DESC) COMMENT '(`a`)',\n  \
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
             UNIQUE KEY `b` (`a`(7),`c`(10) DESC) COMMENT '(`a`)',\n  \
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
