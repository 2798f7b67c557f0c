//! What `SHOW GRANTS` prints, read and said again for the names of the target.

use super::lexer::{Lexed, Token, TokenKind, lex};
use super::statement::{Context, Dialect};
use wherry_model::name::quote;
use wherry_model::{NameMap, TableName};

/// What becomes of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// The statement for the target, without the account: to be put between the two parts.
    Carried { before: String, behind: String },
    /// It stays behind; the line up to the account, and why.
    Left { what: String, why: &'static str },
    /// It grants nothing.
    Nothing,
}

const GLOBAL: &str = "is about the whole server";
const OTHER: &str = "is about what is not selected";
const PATTERN: &str = "is about a pattern of databases";
const SPREAD: &str = "is about a database that is not one database in the target";
const UNKNOWN: &str = "is not understood";
const ROLE: &str = "is a role, or is for one";

/// Reads a line of `SHOW GRANTS`. The account's own identification in it is never kept.
pub fn grant(line: &str, dialect: Dialect, names: &NameMap) -> Grant {
    let context = Context::new("", dialect);
    let Lexed { tokens, .. } = lex(line, &context);
    let text = Line {
        line,
        tokens: &tokens,
        names,
    };
    let left = |why| Grant::Left {
        what: text.shown(),
        why,
    };
    if text.is(0, "REVOKE") {
        return left(GLOBAL);
    }
    let Some(on) = text.outside("ON", 1) else {
        return left(ROLE);
    };
    let Some(to) = text.outside("TO", on) else {
        return left(ROLE);
    };
    let is_usage = on == 2 && text.is(1, "USAGE");
    let grants_on = (to..tokens.len()).any(|at| text.is(at, "GRANT") && text.is(at + 1, "OPTION"));
    let mut scope = on + 1;
    let kind = ["TABLE", "FUNCTION", "PROCEDURE"]
        .into_iter()
        .find(|word| text.is(scope, word));
    scope += usize::from(kind.is_some());
    let (Some(first), Some(last)) = (tokens.get(scope), tokens.get(scope + 2)) else {
        return left(OTHER);
    };
    if first.is_symbol(b'*') {
        return match is_usage && !grants_on {
            true => Grant::Nothing,
            false => left(GLOBAL),
        };
    }
    let place = match text.place(first, last, kind) {
        Ok(place) => place,
        Err(why) => return left(why),
    };
    let table = (!last.is_symbol(b'*') && kind.is_none_or(|kind| kind == "TABLE"))
        .then(|| TableName::new(first.name(line), last.name(line)));
    let Some(privileges) = text.privileges(on, table.as_ref()) else {
        return left(UNKNOWN);
    };
    Grant::Carried {
        before: format!(
            "{privileges} ON {}{place} TO ",
            kind.map_or_else(String::new, |kind| format!("{kind} "))
        ),
        behind: if grants_on { " WITH GRANT OPTION" } else { "" }.to_owned(),
    }
}

struct Line<'a> {
    line: &'a str,
    tokens: &'a [Token],
    names: &'a NameMap,
}

impl Line<'_> {
    fn is(&self, at: usize, word: &str) -> bool {
        self.tokens
            .get(at)
            .is_some_and(|token| token.is_word(self.line, word))
    }

    /// The next word like this outside of parentheses.
    fn outside(&self, word: &str, from: usize) -> Option<usize> {
        let mut depth = 0usize;
        for at in from..self.tokens.len() {
            depth += usize::from(self.tokens[at].is_symbol(b'('));
            depth = depth.saturating_sub(usize::from(self.tokens[at].is_symbol(b')')));
            if depth == 0 && self.is(at, word) {
                return Some(at);
            }
        }
        None
    }

    /// The line without the account and what follows, which may hold a password.
    fn shown(&self) -> String {
        let ends = ["TO", "FROM", "FOR"];
        let end = ends.iter().find_map(|word| self.outside(word, 0));
        let end = end.map_or(0, |end| self.tokens[end].start);
        self.line
            .get(..end)
            .unwrap_or_default()
            .trim_end()
            .to_owned()
    }

    /// The scope in the target.
    fn place(
        &self,
        first: &Token,
        last: &Token,
        kind: Option<&str>,
    ) -> Result<String, &'static str> {
        let printed = first.name(self.line);
        let routine = kind.is_some_and(|kind| kind != "TABLE");
        let whole = last.is_symbol(b'*');
        // Only a grant on a whole database is a pattern.
        let database = match whole {
            true => plain(&printed).ok_or(PATTERN)?,
            false => printed,
        };
        let selected = match whole || routine {
            true => self.names.selects_whole(&database),
            false => {
                let table = TableName::new(database.as_str(), last.name(self.line));
                self.names.selects_table(&table)
            }
        };
        if !selected {
            return Err(OTHER);
        }
        let target = self.names.database(&database);
        if whole {
            let spread = self.names.databases_of(&database).len() > 1;
            if spread || self.names.is_shared(&database, &target) {
                return Err(SPREAD);
            }
            return Ok(format!("{}.*", quote(&pattern(&target))));
        }
        let name = last.name(self.line);
        if routine {
            return Ok(format!("{}.{}", quote(&target), quote(&name)));
        }
        Ok(self
            .names
            .table(&TableName::new(database, name))
            .to_string())
    }

    /// The list of privileges, with the target's names of columns.
    fn privileges(&self, on: usize, table: Option<&TableName>) -> Option<String> {
        let mut edits = Vec::new();
        for token in &self.tokens[1..on] {
            if let (TokenKind::Quoted, Some(table)) = (token.kind, table) {
                let name = self.names.column(table, &token.name(self.line));
                edits.push((token.start..token.end, quote(&name)));
            }
        }
        let end = self.tokens[on - 1].end;
        super::edit::replace(&self.line[..end], edits).ok()
    }
}

/// The one database that a pattern means; `None` where it must mean several. Most people who
/// write `_` mean the letter, and less is granted so.
fn plain(pattern: &str) -> Option<String> {
    let mut name = String::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '%' => return None,
            '\\' => name.extend(letters.next()),
            letter => name.push(letter),
        }
    }
    Some(name)
}

/// The pattern that means this database alone.
fn pattern(name: &str) -> String {
    let mut pattern = String::new();
    for letter in name.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;
    use wherry_model::task::{MappingSpec, SelectSpec};

    fn check(line: &str, expected: Result<&str, &str>) {
        let rules = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
                .collect()
        };
        let select = SelectSpec {
            databases: vec!["shop".to_owned(), "my_crm".to_owned(), "both".to_owned()],
            mapping: MappingSpec {
                databases: rules(&[("shop", "shop_new")]),
                tables: rules(&[("both.orders", "archive.orders2")]),
                columns: rules(&[("both.orders.note", "remark")]),
            },
            ..SelectSpec::default()
        };
        let names = NameMap::new(&select, false).expect("rules");
        let found = match grant(line, Dialect::mysql(50_624), &names) {
            Grant::Carried { before, behind } => Ok(format!("{before}?{behind}")),
            Grant::Left { why, what } => {
                assert!(!what.contains("SECRET"), "{what}");
                Err(why)
            }
            Grant::Nothing => Err("nothing"),
        };
        assert_eq!(found.as_deref().map_err(|why| *why), expected, "{line}");
    }

    #[test]
    fn grants_are_said_again_for_the_target() {
        check(
            "GRANT USAGE ON *.* TO 'a'@'%' IDENTIFIED BY PASSWORD '*SECRET'",
            Err("nothing"),
        );
        check("GRANT SELECT, PROCESS ON *.* TO `a`@`%`", Err(GLOBAL));
        check("GRANT BACKUP_ADMIN ON *.* TO `a`@`%`", Err(GLOBAL));
        check(
            "GRANT SELECT, INSERT ON `shop`.* TO `a`@`%` WITH GRANT OPTION",
            Ok(r"GRANT SELECT, INSERT ON `shop\_new`.* TO ? WITH GRANT OPTION"),
        );
        check(
            r"GRANT ALL PRIVILEGES ON `my\_crm`.* TO 'a'@'%' IDENTIFIED BY PASSWORD '*SECRET'",
            Ok(r"GRANT ALL PRIVILEGES ON `my\_crm`.* TO ?"),
        );
        check(
            "GRANT SELECT ON `my_crm`.* TO `a`@`%`",
            Ok(r"GRANT SELECT ON `my\_crm`.* TO ?"),
        );
        check("GRANT SELECT ON `sh%`.* TO `a`@`%`", Err(PATTERN));
        check("GRANT SELECT ON `both`.* TO `a`@`%`", Err(SPREAD));
        check("GRANT SELECT ON `other`.* TO `a`@`%`", Err(OTHER));
        check(
            "GRANT SELECT (`note`, `id`), UPDATE ON `both`.`orders` TO `a`@`%`",
            Ok("GRANT SELECT (`remark`, `id`), UPDATE ON `archive`.`orders2` TO ?"),
        );
        check(
            "GRANT EXECUTE ON PROCEDURE `shop`.`p` TO `a`@`%`",
            Ok("GRANT EXECUTE ON PROCEDURE `shop_new`.`p` TO ?"),
        );
        check("REVOKE INSERT ON `shop`.* FROM `a`@`%`", Err(GLOBAL));
        check("GRANT `reader`@`%` TO `a`@`%`", Err(ROLE));
        check("GRANT PROXY ON ''@'' TO 'a'@'%'", Err(OTHER));
    }
}
