//! The same definition without some of its columns, and with those that only the target has.

use super::{ColumnClause, Definition, KeyKind};
use crate::ddl::lexer::{TokenKind, lex};
use crate::ddl::refusal::{NEEDED_COLUMN, NEEDED_KEY, Refusal};
use crate::ddl::statement::Context;
use wherry_model::{Additional, TableName};

const KEEP_IT: &str = "Let the column move too, or change the definition at the source.";

impl Definition {
    /// The definition without the columns that `is_out` names, and without the keys over them.
    ///
    /// Errors: `TRF-001` for a column of the primary key, `TRF-002` for one that something else
    /// needs: an expression, a foreign key on either side, the partitions.
    pub(super) fn without(
        &self,
        is_out: &dyn Fn(&str) -> bool,
        parent_is_out: &dyn Fn(&TableName, &str) -> bool,
        context: &Context,
    ) -> Result<Definition, Refusal> {
        self.check_parents(parent_is_out)?;
        if !self.columns.iter().any(|column| is_out(&column.name)) {
            return Ok(self.clone());
        }
        let names = |columns: &[Option<String>]| columns.iter().flatten().any(|name| is_out(name));
        if let Some(key) = &self.primary_key
            && names(&key.columns)
        {
            return Err(Refusal {
                code: NEEDED_KEY,
                message: "a column of the primary key does not move".to_owned(),
                hint: "Let every column of the primary key move: rows are told apart by it.",
            });
        }
        let mut rest = self.clone();
        rest.columns.retain(|column| !is_out(&column.name));
        rest.keys.retain(|key| !names(&key.columns));
        rest.check_needs(is_out, context)?;
        Ok(rest)
    }

    /// The definition without added columns, as the source has it. No key has one by the task.
    #[must_use]
    pub fn without_added(mut self, added: &[Additional]) -> Definition {
        self.columns
            .retain(|column| !added.iter().any(|added| column.is_added(added)));
        self
    }

    /// The definition with its added columns behind all others: where they stand says nothing, since
    /// later ones of the source come behind them.
    #[must_use]
    pub fn with_added_last(mut self, added: &[Additional]) -> Definition {
        let place = |column: &ColumnClause| added.iter().position(|it| column.is_added(it));
        // `None` comes first, and the order of equals stays.
        self.columns.sort_by_key(place);
        self
    }

    /// The definition with added columns as the task file has them.
    #[must_use]
    pub fn with_added(self, added: &[Additional]) -> Definition {
        let mut made = self.without_added(added);
        made.columns.extend(added.iter().map(ColumnClause::added));
        made
    }

    /// True where the definition could not do without this column, but for its plain keys.
    pub fn needs(&self, column: &str, context: &Context) -> bool {
        let is_it = |name: &str| name.to_lowercase() == column.to_lowercase();
        self.without(&is_it, &|_, _| false, context).is_err()
    }

    fn check_parents(
        &self,
        parent_is_out: &dyn Fn(&TableName, &str) -> bool,
    ) -> Result<(), Refusal> {
        for key in &self.foreign_keys {
            let is_out = |column: &&String| parent_is_out(&key.references, column);
            if let Some(column) = key.referenced_columns.iter().find(is_out) {
                let user = format!("foreign key `{}` refers to it", key.name);
                return Err(needed(column, &user));
            }
        }
        Ok(())
    }

    /// Nothing that stays may use a column that does not.
    fn check_needs(&self, is_out: &dyn Fn(&str) -> bool, context: &Context) -> Result<(), Refusal> {
        for key in &self.foreign_keys {
            if let Some(column) = key.columns.iter().find(|column| is_out(column)) {
                return Err(needed(column, &format!("foreign key `{}`", key.name)));
            }
        }
        let columns = self.columns.iter().map(|column| {
            let text = column.text.as_str();
            (
                format!("column `{}`", column.name),
                text,
                Place::InParentheses,
            )
        });
        let keys = self.keys.iter().filter(|key| key.columns.contains(&None));
        let keys = keys.map(|key| {
            let text = key.text.as_str();
            (format!("key `{}`", key.name), text, Place::InParentheses)
        });
        let checks = self.checks.iter().map(|check| {
            let text = check.text.as_str();
            (
                format!("check `{}`", check.name),
                text,
                Place::InParentheses,
            )
        });
        let others = self.others.iter();
        let others = others.map(|text| ("a clause".to_owned(), text.as_str(), Place::Anywhere));
        let partitions = self.partitions.iter();
        let partitions = partitions.map(|text| {
            (
                "the partitioning".to_owned(),
                text.as_str(),
                Place::Anywhere,
            )
        });
        let all = columns
            .chain(keys)
            .chain(checks)
            .chain(others)
            .chain(partitions);
        for (user, text, place) in all {
            if let Some(column) = named(text, place, is_out, context) {
                return Err(needed(&column, &format!("{user} uses it")));
            }
        }
        let counts = self.columns.iter().any(|column| column.auto_increment);
        let is_key =
            |kind: KeyKind| matches!(kind, KeyKind::Primary | KeyKind::Unique | KeyKind::Plain);
        let has_key = self.primary_key.is_some() || self.keys.iter().any(|key| is_key(key.kind));
        if counts && !has_key {
            return Err(Refusal {
                code: NEEDED_COLUMN,
                message: "no key is left for the AUTO_INCREMENT column".to_owned(),
                hint: KEEP_IT,
            });
        }
        Ok(())
    }
}

impl ColumnClause {
    pub(super) fn added(added: &Additional) -> ColumnClause {
        ColumnClause {
            name: added.name.clone(),
            text: added.clause(),
            auto_increment: false,
            generated: false,
            invisible: false,
        }
    }

    fn is_added(&self, added: &Additional) -> bool {
        self.name.to_lowercase() == added.name.to_lowercase()
    }
}

/// Where names of columns stand in a text that a server printed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    InParentheses,
    Anywhere,
}

/// The first name of a column that does not move.
fn named(
    text: &str,
    place: Place,
    is_out: &dyn Fn(&str) -> bool,
    context: &Context,
) -> Option<String> {
    let mut depth = usize::from(place == Place::Anywhere);
    for token in &lex(text, context).tokens {
        match token.kind {
            TokenKind::Symbol(b'(') => depth += 1,
            TokenKind::Symbol(b')') => depth = depth.saturating_sub(1),
            _ if depth > 0 && token.is_name() && is_out(&token.name(text)) => {
                return Some(token.name(text));
            }
            _ => {}
        }
    }
    None
}

fn needed(column: &str, user: &str) -> Refusal {
    Refusal {
        code: NEEDED_COLUMN,
        message: format!("column `{column}` does not move, and {user}"),
        hint: KEEP_IT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ddl::statement::Dialect;

    fn without(body: &str, out: &[&str]) -> Result<String, &'static str> {
        let context = Context::new("shop", Dialect::mysql(90_704));
        let text = format!("CREATE TABLE `t` (\n  {body}\n) ENGINE=InnoDB");
        let definition = Definition::parse(&text, &context).expect("a definition");
        let is_out = |name: &str| out.contains(&name);
        let parent = |table: &TableName, name: &str| table.table == "p" && name == "gone";
        let rest = definition.without(&is_out, &parent, &context);
        rest.map(|rest| rest.show_text(""))
            .map_err(|refusal| refusal.code)
    }

    #[test]
    fn columns_go_with_their_keys() {
        let text = without(
            "`id` int NOT NULL,\n  `a` int,\n  `b` varchar(9) COMMENT '(`a`)',\n  `c` decimal(10,2),\n  \
             PRIMARY KEY (`id`),\n  UNIQUE KEY `u` (`a`,`b`),\n  KEY `k` (`b`),\n  KEY `c` (`c` DESC)",
            &["a", "c"],
        );
        assert_eq!(
            text.expect("a definition"),
            "(\n  `id` int NOT NULL,\n  `b` varchar(9) COMMENT '(`a`)',\n  PRIMARY KEY (`id`),\n  KEY `k` (`b`)\n) ENGINE=InnoDB"
        );
    }

    #[test]
    fn what_others_need_stays() {
        let check = |body: &str, code: &'static str| {
            let body = format!("`id` int NOT NULL,\n  `a` int,\n  {body}");
            assert_eq!(without(&body, &["a"]).expect_err("refused"), code, "{body}");
        };
        check("PRIMARY KEY (`id`,`a`)", "TRF-001");
        check("`g` int GENERATED ALWAYS AS ((`a` + 1)) VIRTUAL", "TRF-002");
        check("KEY `f` ((lower(`a`)))", "TRF-002");
        check("CONSTRAINT `c` CHECK ((`a` > 1))", "TRF-002");
        check(
            "CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `q` (`id`)",
            "TRF-002",
        );
        check(
            "CONSTRAINT `f` FOREIGN KEY (`id`) REFERENCES `p` (`gone`)",
            "TRF-002",
        );
        check(
            "`x` int\n) ENGINE=InnoDB\n/*!50100 PARTITION BY HASH (`a`) */ -- (",
            "TRF-002",
        );
        check("`x` int AUTO_INCREMENT,\n  KEY `k` (`x`,`a`)", "TRF-002");
    }
}
