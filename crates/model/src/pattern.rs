//! How a task file names databases, tables and columns: one exact name, a name with `*` and `?`,
//! or a regular expression between slashes.
//!
//! Owns reading such a name, what it matches, and names that are made of what was matched. Which
//! of several rules holds says `select`.

use crate::name::{TableName, parse_part};
use regex::{Regex, RegexBuilder};
use std::fmt;

/// One name, or a description of many. Compiled once; compares equal by its text.
#[derive(Clone)]
pub enum Pattern {
    Exact(String),
    Shape(Box<Shape>),
}

/// A description of many names.
#[derive(Clone)]
pub struct Shape {
    text: String,
    /// Matches whole names.
    whole: Regex,
    /// Finds a name somewhere in a text; `None` where only whole names can be judged.
    anywhere: Option<Regex>,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PatternError {
    /// It does not name what it is about: parts are missing, empty or too many.
    Form,
    /// It begins with a slash and has no regular expression behind it; a fragment says why.
    Expression(String),
}

impl Pattern {
    /// Reads a name that stands alone, in which a point is a letter like others.
    pub fn alone(text: &str) -> Result<Pattern, PatternError> {
        if text.starts_with(['`', '/']) {
            let (pattern, rest) = part(text, false)?;
            return match rest {
                "" => Ok(pattern),
                _ => Err(PatternError::Form),
            };
        }
        match text {
            "" => Err(PatternError::Form),
            _ => plain(text, false),
        }
    }

    /// Reads a name of which a point ends a part, as where a table may stand too.
    pub fn part(text: &str) -> Result<Pattern, PatternError> {
        match part(text, false)? {
            (pattern, "") => Ok(pattern),
            _ => Err(PatternError::Form),
        }
    }

    pub fn is_exact(&self) -> bool {
        matches!(self, Pattern::Exact(_))
    }

    /// The name, where there can be only one.
    pub fn exact(&self) -> Option<&str> {
        match self {
            Pattern::Exact(name) => Some(name),
            Pattern::Shape(_) => None,
        }
    }

    pub fn matches(&self, name: &str) -> bool {
        match self {
            Pattern::Exact(own) => own == name,
            Pattern::Shape(shape) => shape.whole.is_match(name),
        }
    }

    /// What the groups hold where the name matches.
    pub fn capture(&self, name: &str) -> Option<Vec<String>> {
        match self {
            Pattern::Exact(own) => (own == name).then(Vec::new),
            Pattern::Shape(shape) => {
                let found = shape.whole.captures(name)?;
                let groups = found.iter().skip(1);
                let text = |group: Option<regex::Match<'_>>| {
                    group.map_or_else(String::new, |it| it.as_str().to_owned())
                };
                Some(groups.map(text).collect())
            }
        }
    }

    pub fn group_count(&self) -> usize {
        match self {
            Pattern::Exact(_) => 0,
            Pattern::Shape(shape) => shape.whole.captures_len() - 1,
        }
    }

    /// True where a text may hold such a name, in whatever letters. Never false by mistake.
    pub fn may_stand_in(&self, text: &[u8]) -> bool {
        match self {
            Pattern::Exact(name) => holds_ignoring_case(text, name.as_bytes()),
            Pattern::Shape(shape) => match &shape.anywhere {
                Some(anywhere) => anywhere.is_match(&String::from_utf8_lossy(text)),
                None => true,
            },
        }
    }
}

fn holds_ignoring_case(text: &[u8], word: &[u8]) -> bool {
    !word.is_empty()
        && text
            .windows(word.len())
            .any(|window| window.eq_ignore_ascii_case(word))
}

/// One part at the head of a text, and what follows it.
fn part(text: &str, folds: bool) -> Result<(Pattern, &str), PatternError> {
    if let Some(rest) = text.strip_prefix('/') {
        let end = end_of_expression(rest).ok_or_else(|| {
            PatternError::Expression("the slash that ends it is missing".to_owned())
        })?;
        let pattern = expression(&rest[..end], folds)?;
        return Ok((pattern, &rest[end + 1..]));
    }
    let (name, rest) = parse_part(text).ok_or(PatternError::Form)?;
    if text.starts_with('`') {
        return Ok((Pattern::Exact(name), rest));
    }
    Ok((plain(&name, folds)?, rest))
}

/// The first slash without a backslash before it.
fn end_of_expression(text: &str) -> Option<usize> {
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => drop(letters.next()),
            '/' => return Some(at),
            _ => {}
        }
    }
    None
}

/// A name without quotes: `*` stands for any letters and is a group, `?` for one letter.
fn plain(text: &str, folds: bool) -> Result<Pattern, PatternError> {
    if !text.contains(['*', '?']) {
        return Ok(Pattern::Exact(text.to_owned()));
    }
    let mut expression = String::new();
    for letter in text.chars() {
        match letter {
            '*' => expression.push_str("(.*)"),
            '?' => expression.push('.'),
            letter => expression.push_str(&regex::escape(letter.encode_utf8(&mut [0; 4]))),
        }
    }
    shape(text, &expression, folds)
}

fn expression(text: &str, folds: bool) -> Result<Pattern, PatternError> {
    if text.is_empty() {
        return Err(PatternError::Expression("it is empty".to_owned()));
    }
    shape(&format!("/{text}/"), text, folds)
}

fn shape(text: &str, expression: &str, folds: bool) -> Result<Pattern, PatternError> {
    let build = |expression: &str, folds: bool| {
        let mut builder = RegexBuilder::new(expression);
        let built = builder.case_insensitive(folds).dot_matches_new_line(true);
        built
            .build()
            .map_err(|error| PatternError::Expression(reason(&error)))
    };
    // Alone first, so that brackets cannot reach out of the group around it.
    build(expression, folds)?;
    let whole = build(&format!(r"\A(?:{expression})\z"), folds)?;
    // What looks at the ends of a name sees other ends inside a text.
    let looks_around = ["^", "$", r"\b", r"\B", r"\A", r"\z"];
    let anywhere = match looks_around.iter().any(|mark| expression.contains(mark)) {
        true => None,
        false => Some(build(expression, true)?),
    };
    Ok(Pattern::Shape(Box::new(Shape {
        text: text.to_owned(),
        whole,
        anywhere,
    })))
}

/// The last line of what the library says: the one with the reason.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or("it cannot be read");
    last.trim().trim_start_matches("error: ").to_owned()
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Exact(name) => f.write_str(name),
            Pattern::Shape(shape) => f.write_str(&shape.text),
        }
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Exact(name) => f.debug_tuple("Exact").field(name).finish(),
            Pattern::Shape(shape) => f.debug_tuple("Shape").field(&shape.text).finish(),
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        match (self, other) {
            (Pattern::Exact(one), Pattern::Exact(other)) => one == other,
            (Pattern::Shape(one), Pattern::Shape(other)) => {
                one.text == other.text && one.whole.as_str() == other.whole.as_str()
            }
            _ => false,
        }
    }
}

impl Eq for Pattern {}

/// A table, or many, like `shop.orders`, `shop.log_*` or `/shard_(\d+)/./log_(\d+)/`. Groups are
/// counted through both parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TablePattern {
    pub database: Pattern,
    pub table: Pattern,
}

impl TablePattern {
    pub fn parse(text: &str) -> Result<TablePattern, PatternError> {
        let (found, rest) = TablePattern::head(text)?;
        match rest {
            "" => Ok(found),
            _ => Err(PatternError::Form),
        }
    }

    /// Reads a column in its table, like `shop.*.note`. Servers do not tell the letters of columns
    /// apart, so neither does its part.
    pub fn parse_column(text: &str) -> Result<(TablePattern, Pattern), PatternError> {
        let (table, rest) = TablePattern::head(text)?;
        let rest = rest.strip_prefix('.').ok_or(PatternError::Form)?;
        match part(rest, true)? {
            (column, "") => Ok((table, column)),
            _ => Err(PatternError::Form),
        }
    }

    fn head(text: &str) -> Result<(TablePattern, &str), PatternError> {
        let (database, rest) = part(text, false)?;
        let rest = rest.strip_prefix('.').ok_or(PatternError::Form)?;
        let (table, rest) = part(rest, false)?;
        Ok((TablePattern { database, table }, rest))
    }

    pub fn is_exact(&self) -> bool {
        self.database.is_exact() && self.table.is_exact()
    }

    /// The table, where there can be only one.
    pub fn exact(&self) -> Option<TableName> {
        Some(TableName::new(self.database.exact()?, self.table.exact()?))
    }

    pub fn matches(&self, name: &TableName) -> bool {
        self.database.matches(&name.database) && self.table.matches(&name.table)
    }

    pub fn capture(&self, name: &TableName) -> Option<Vec<String>> {
        let mut groups = self.database.capture(&name.database)?;
        groups.extend(self.table.capture(&name.table)?);
        Some(groups)
    }

    pub fn group_count(&self) -> usize {
        self.database.group_count() + self.table.group_count()
    }
}

impl fmt::Display for TablePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.database, self.table)
    }
}

/// A name with places like `{1}` for what the groups of a pattern hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// Counted from 1.
    Group(usize),
}

impl Template {
    /// Braces around anything but a number are letters like others.
    pub fn parse(text: &str) -> Template {
        let mut pieces = Vec::new();
        let mut rest = text;
        let mut literal = String::new();
        while let Some(at) = rest.find('{') {
            let (before, behind) = rest.split_at(at);
            literal.push_str(before);
            let number = behind[1..].split_once('}').and_then(|(inside, after)| {
                let digits = !inside.is_empty() && inside.bytes().all(|it| it.is_ascii_digit());
                Some((inside.parse().ok().filter(|_| digits)?, after))
            });
            match number {
                Some((group, after)) => {
                    pieces.push(Piece::Text(std::mem::take(&mut literal)));
                    pieces.push(Piece::Group(group));
                    rest = after;
                }
                None => {
                    literal.push('{');
                    rest = &behind[1..];
                }
            }
        }
        literal.push_str(rest);
        pieces.push(Piece::Text(literal));
        Template { pieces }
    }

    /// The first group that is named and not among this many.
    pub fn group_beyond(&self, count: usize) -> Option<usize> {
        self.pieces.iter().find_map(|piece| match piece {
            Piece::Group(group) if *group == 0 || *group > count => Some(*group),
            Piece::Group(_) | Piece::Text(_) => None,
        })
    }

    /// A group that is not there is empty; whoever reads rules has refused it.
    pub fn fill(&self, groups: &[String]) -> String {
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Group(group) => {
                let at = group.checked_sub(1);
                at.and_then(|at| groups.get(at)).map_or("", String::as_str)
            }
        });
        pieces.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, matching: &[&str], others: &[&str]) {
        let pattern = Pattern::alone(pattern).expect("a pattern");
        for name in matching {
            assert!(pattern.matches(name), "{pattern} and {name}");
        }
        for name in others {
            assert!(!pattern.matches(name), "{pattern} and {name}");
        }
    }

    #[test]
    fn names_are_exact_shaped_or_expressions() {
        check("shop", &["shop"], &["Shop", "shop2", "sho"]);
        check("a.b", &["a.b"], &["axb"]);
        check(
            "shop_*",
            &["shop_", "shop_1", "shop_a\nb"],
            &["shop", "xshop_1", "Shop_1"],
        );
        check("s?op", &["shop", "söop"], &["sop", "shhop"]);
        check("a.*", &["a.b"], &["axb"]);
        check("`shop_*`", &["shop_*"], &["shop_1"]);
        check("`a``b`", &["a`b"], &["a``b"]);
        check(
            r"/shard_\d+/",
            &["shard_1", "shard_12"],
            &["shard_", "my_shard_1", "shard_1x"],
        );
        check("/a|b/", &["a", "b"], &["ab", "xb", "ax"]);
        check(r"/a\/b/", &["a/b"], &["ab"]);
        check("a/b", &["a/b"], &[]);
    }

    #[test]
    fn a_slash_begins_an_expression_that_must_end() {
        for text in ["/shop", "/(/", "/a)|(b/", "//", r"/a\/"] {
            let error = Pattern::alone(text).expect_err("no expression");
            assert!(
                matches!(error, PatternError::Expression(_)),
                "{text}: {error:?}"
            );
        }
        for text in ["", "`a", "`a`b", "/a/b"] {
            assert_eq!(Pattern::alone(text), Err(PatternError::Form), "{text}");
        }
    }

    #[test]
    fn tables_have_two_parts_with_groups_through_both() {
        let pattern = TablePattern::parse(r"/shard_(\d+)/./log_(\d+)\.(.)/").expect("a pattern");
        let groups = pattern.capture(&TableName::new("shard_7", "log_12.x"));
        assert_eq!(groups, Some(vec!["7".into(), "12".into(), "x".into()]));
        assert_eq!(pattern.group_count(), 3);
        assert!(!pattern.matches(&TableName::new("shard_7", "log_12")));
        let exact = TablePattern::parse("`a.b`.c").expect("a name");
        assert_eq!(exact.exact(), Some(TableName::new("a.b", "c")));
        let mixed = TablePattern::parse("shop.*_log").expect("a pattern");
        assert!(mixed.matches(&TableName::new("shop", "a_log")));
        assert!(!mixed.matches(&TableName::new("shop2", "a_log")));
        for text in ["shop", "shop.", "a.b.c", "/a/", "/a/b", "a.`b"] {
            assert_eq!(TablePattern::parse(text), Err(PatternError::Form), "{text}");
        }
        let (table, column) = TablePattern::parse_column("shop.*.Note_*").expect("a column");
        assert!(table.matches(&TableName::new("shop", "x")));
        assert_eq!(column.capture("nOTE_x"), Some(vec!["x".to_owned()]));
    }

    #[test]
    fn templates_take_what_groups_hold() {
        let groups = ["7".to_owned(), "x".to_owned()];
        let fill = |text: &str| Template::parse(text).fill(&groups);
        assert_eq!(fill("shard_{1}_{2}{1}"), "shard_7_x7");
        assert_eq!(fill("a{b}{}{1"), "a{b}{}{1");
        assert_eq!(Template::parse("{1}{3}").group_beyond(2), Some(3));
        assert_eq!(Template::parse("{0}").group_beyond(2), Some(0));
        assert_eq!(Template::parse("{2}").group_beyond(2), None);
    }

    #[test]
    fn a_text_that_may_hold_a_name_is_not_passed_over() {
        let may = |pattern: &str, text: &str| {
            let pattern = Pattern::alone(pattern).expect("a pattern");
            pattern.may_stand_in(text.as_bytes())
        };
        assert!(may("shop", "ALTER SHOP.x"));
        assert!(!may("shop", "ALTER sho.x"));
        assert!(may("shop_*", "ALTER Shop_1.x"));
        assert!(!may("shop_*", "ALTER crm.x"));
        assert!(may("/^shard$/", "anything: ends cannot be told"));
    }
}
