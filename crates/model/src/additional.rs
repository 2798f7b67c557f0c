//! Columns that only the target has: what the text of their type says.
//!
//! Owns which types they may have, as a column and as a clause of SQL that every server reads alike.
//! Their values are expressions of the language of scripts, which this crate does not know.

use crate::name::quote;
use crate::table::{Column, ColumnKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a value is made of that depends on more than the row. As in scripts, letters count.
const TIMED_WORDS: [&str; 3] = ["__COMMIT_TIMESTAMP__", "__SCN__", "dt_now"];

/// Character sets in which values can be written.
const CHARSETS: [&str; 4] = ["utf8mb4", "utf8mb3", "latin1", "ascii"];

/// Of UTF-8; every server has it.
const USUAL_COLLATION: &str = "utf8mb4_general_ci";

const SET_LABEL_COUNT_MAX: usize = 64;

/// One column, as the task file has it.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Additional {
    /// Its name in the target.
    pub name: String,
    /// Like `VARCHAR(64) NOT NULL`.
    #[serde(rename = "type")]
    pub column_type: String,
    /// An expression of the ETL language, without actions.
    pub value: String,
}

/// What the type of a column says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Described {
    column: Column,
    clause: String,
}

impl Additional {
    /// Why the type cannot be taken, as a fragment.
    pub fn type_mistake(&self) -> Option<String> {
        self.described().err()
    }

    /// True where the value depends on more than the row, so that both sides cannot be compared.
    /// Also where one of the words stands in a text: then nothing is lost but that comparison.
    pub fn is_timed(&self) -> bool {
        TIMED_WORDS.iter().any(|word| self.value.contains(word))
    }

    /// The column as the target has it.
    pub(crate) fn column(&self) -> Column {
        self.known().column
    }

    /// The column as a clause of `CREATE TABLE`.
    pub fn clause(&self) -> String {
        self.known().clause
    }

    /// A type that is not taken with the task file makes a column that takes no value.
    fn known(&self) -> Described {
        self.described().unwrap_or_else(|_| Described {
            column: Parser::new(&self.name, Vec::new()).column(ColumnKind::Geometry, "geometry"),
            clause: format!("{} geometry", quote(&self.name)),
        })
    }

    fn described(&self) -> Result<Described, String> {
        Parser::new(&self.name, tokens(&self.column_type)?).describe()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// In lower case.
    Word(String),
    Number(String),
    Text(String),
    Symbol(char),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(first) = rest.next() {
        let mut run = |first: char, belongs: fn(char) -> bool| {
            let mut run = String::from(first);
            while let Some(next) = rest.next_if(|next| belongs(*next)) {
                run.push(next);
            }
            run
        };
        tokens.push(match first {
            _ if first.is_whitespace() => continue,
            'a'..='z' | 'A'..='Z' | '_' => {
                let word = run(first, |next| next.is_ascii_alphanumeric() || next == '_');
                Token::Word(word.to_ascii_lowercase())
            }
            '0'..='9' | '-' => {
                let number = run(first, |next| next.is_ascii_digit() || next == '.');
                if !is_number(&number) {
                    return Err(format!("`{number}` is no number"));
                }
                Token::Number(number)
            }
            '\'' => Token::Text(quoted(&mut rest)?),
            '(' | ')' | ',' => Token::Symbol(first),
            other => return Err(format!("`{}` has no place in it", other.escape_debug())),
        });
    }
    Ok(tokens)
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let mut parts = digits.split('.');
    let has_digits = |part: &str| !part.is_empty() && part.bytes().all(|one| one.is_ascii_digit());
    parts.by_ref().take(2).all(has_digits) && parts.next().is_none()
}

/// A text behind its first quote. What servers read by their `sql_mode` is not taken.
fn quoted(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, String> {
    let mut text = String::new();
    while let Some(letter) = rest.next() {
        match letter {
            '\'' if rest.next_if_eq(&'\'').is_none() => return Ok(text),
            '\\' => return Err("a text holds a backslash".to_owned()),
            _ if letter.is_control() => return Err("a text holds a control character".to_owned()),
            _ => text.push(letter),
        }
    }
    Err("a text has no end".to_owned())
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

struct Parser<'t> {
    name: &'t str,
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
}

type Read<T> = Result<T, String>;

impl<'t> Parser<'t> {
    fn new(name: &'t str, tokens: Vec<Token>) -> Parser<'t> {
        let tokens = tokens.into_iter().peekable();
        Parser { name, tokens }
    }

    fn column(&self, kind: ColumnKind, column_type: &str) -> Column {
        Column {
            name: self.name.to_owned(),
            kind,
            column_type: column_type.to_owned(),
            nullable: true,
            charset: None,
            collation: None,
            generated: false,
            auto_increment: false,
            in_target: None,
        }
    }

    fn describe(mut self) -> Read<Described> {
        let (kind, text) = self.kind()?;
        let mut column = self.column(kind, &text);
        let attributes = self.attributes()?;
        column.nullable = !attributes.required;
        let mut clause = format!("{} {text}", quote(self.name));
        if has_characters(&column.kind) {
            let charset = charset(&attributes)?;
            clause.push_str(&format!(" CHARACTER SET {charset}"));
            // What a server takes by itself depends on its version and on the session.
            let usual = (charset == CHARSETS[0]).then(|| USUAL_COLLATION.to_owned());
            column.collation = attributes.collation.or(usual);
            if let Some(collation) = &column.collation {
                clause.push_str(&format!(" COLLATE {collation}"));
            }
            column.charset = Some(charset);
        } else if attributes.charset.is_some() || attributes.collation.is_some() {
            return Err("only texts have a character set".to_owned());
        }
        clause.push_str(if attributes.required {
            " NOT NULL"
        } else {
            " NULL"
        });
        if let Some(default) = &attributes.default {
            clause.push_str(&format!(" DEFAULT {}", default_of(&column.kind, default)?));
        }
        if let Some(comment) = &attributes.comment {
            clause.push_str(&format!(" COMMENT {}", literal(comment)));
        }
        Ok(Described { column, clause })
    }

    fn kind(&mut self) -> Read<(ColumnKind, String)> {
        let Some(Token::Word(word)) = self.tokens.next() else {
            return Err("it does not begin with a type".to_owned());
        };
        let integer = match word.as_str() {
            "tinyint" => Some((1, "tinyint")),
            "smallint" => Some((2, "smallint")),
            "mediumint" => Some((3, "mediumint")),
            "int" | "integer" => Some((4, "int")),
            "bigint" => Some((8, "bigint")),
            _ => None,
        };
        if let Some((bytes, name)) = integer {
            // The width of a number says nothing of its values.
            self.length(0..=255)?;
            let unsigned = self.unsigned();
            let text = with_sign(name.to_owned(), unsigned);
            return Ok((ColumnKind::Integer { bytes, unsigned }, text));
        }
        match word.as_str() {
            "bool" | "boolean" => {
                let (bytes, unsigned) = (1, false);
                Ok((
                    ColumnKind::Integer { bytes, unsigned },
                    "tinyint(1)".to_owned(),
                ))
            }
            "decimal" | "dec" | "numeric" => self.decimal(),
            "float" => Ok((ColumnKind::Float, "float".to_owned())),
            "double" => {
                self.word("precision");
                Ok((ColumnKind::Double, "double".to_owned()))
            }
            "bit" => {
                let bits = self.length(1..=64)?.unwrap_or(1);
                let kind = ColumnKind::Bit { bits: bits as u8 };
                Ok((kind, format!("bit({bits})")))
            }
            "year" => Ok((ColumnKind::Year, word)),
            "date" => Ok((ColumnKind::Date, word)),
            "time" | "datetime" | "timestamp" => self.moment(&word),
            "enum" | "set" => self.labels(&word),
            _ => self.string(&word),
        }
    }

    fn decimal(&mut self) -> Read<(ColumnKind, String)> {
        let numbers = self.numbers()?;
        let (precision, scale) = match numbers.as_slice() {
            [] => (10, 0),
            [precision] => (*precision, 0),
            [precision, scale] => (*precision, *scale),
            _ => return Err("a decimal has two numbers at most".to_owned()),
        };
        if !(1..=65).contains(&precision) || scale > 30 || scale > precision {
            return Err(format!(
                "no decimal has {precision} digits and {scale} behind the point"
            ));
        }
        let unsigned = self.unsigned();
        let kind = ColumnKind::Decimal {
            precision: precision as u8,
            scale: scale as u8,
        };
        Ok((
            kind,
            with_sign(format!("decimal({precision},{scale})"), unsigned),
        ))
    }

    fn moment(&mut self, word: &str) -> Read<(ColumnKind, String)> {
        let digits = self.length(0..=6)?.unwrap_or(0);
        let fraction = digits as u8;
        let kind = match word {
            "time" => ColumnKind::Time { fraction },
            "datetime" => ColumnKind::Datetime { fraction },
            _ => ColumnKind::Timestamp { fraction },
        };
        let text = match digits {
            0 => word.to_owned(),
            digits => format!("{word}({digits})"),
        };
        Ok((kind, text))
    }

    fn string(&mut self, word: &str) -> Read<(ColumnKind, String)> {
        let counted = |length: Option<u64>| {
            let length = length.ok_or_else(|| format!("{word} needs a length"))?;
            Ok::<_, String>((length as u32, format!("{word}({length})")))
        };
        match word {
            "char" | "binary" => {
                let (length, text) = counted(Some(self.length(0..=255)?.unwrap_or(1)))?;
                let kind = match word {
                    "char" => ColumnKind::Char { length },
                    _ => ColumnKind::Binary { length },
                };
                Ok((kind, text))
            }
            "varchar" | "varbinary" => {
                let (length, text) = counted(self.length(0..=65_535)?)?;
                let kind = match word {
                    "varchar" => ColumnKind::Varchar { length },
                    _ => ColumnKind::Varbinary { length },
                };
                Ok((kind, text))
            }
            "tinytext" | "text" | "mediumtext" | "longtext" => {
                Ok((ColumnKind::Text, word.to_owned()))
            }
            "tinyblob" | "blob" | "mediumblob" | "longblob" => {
                Ok((ColumnKind::Blob, word.to_owned()))
            }
            other => Err(format!("`{other}` is no type that it can have")),
        }
    }

    fn labels(&mut self, word: &str) -> Read<(ColumnKind, String)> {
        let mut labels = Vec::new();
        if !self.symbol('(') {
            return Err(format!("{word} needs a list of labels"));
        }
        loop {
            match self.tokens.next() {
                // Of an empty one nobody could say whether it is a label.
                Some(Token::Text(label)) if !label.is_empty() => labels.push(label),
                _ => return Err(format!("{word} needs a list of labels")),
            }
            if self.symbol(')') {
                break;
            }
            if !self.symbol(',') {
                return Err(format!("{word} needs a list of labels"));
            }
        }
        let texts: Vec<String> = labels.iter().map(|label| literal(label)).collect();
        let text = format!("{word}({})", texts.join(","));
        let kind = match word {
            "enum" => ColumnKind::Enum { labels },
            _ if labels.len() > SET_LABEL_COUNT_MAX => {
                return Err(format!("a set has {SET_LABEL_COUNT_MAX} labels at most"));
            }
            _ => ColumnKind::Set { labels },
        };
        Ok((kind, text))
    }

    fn unsigned(&mut self) -> bool {
        let unsigned = self.word("unsigned");
        if !unsigned {
            self.word("signed");
        }
        unsigned
    }

    /// One number in parentheses, where one stands there.
    fn length(&mut self, range: std::ops::RangeInclusive<u64>) -> Read<Option<u64>> {
        match self.numbers()?.as_slice() {
            [] => Ok(None),
            [length] if range.contains(length) => Ok(Some(*length)),
            _ => Err(format!(
                "the number in parentheses is not one from {} to {}",
                range.start(),
                range.end()
            )),
        }
    }

    fn numbers(&mut self) -> Read<Vec<u64>> {
        let mut numbers = Vec::new();
        if !self.symbol('(') {
            return Ok(numbers);
        }
        loop {
            let number = match self.tokens.next() {
                Some(Token::Number(number)) => number.parse().ok(),
                _ => None,
            };
            numbers.push(number.ok_or("a whole number is missing in its parentheses")?);
            if self.symbol(')') {
                return Ok(numbers);
            }
            if !self.symbol(',') {
                return Err("its parentheses are not closed".to_owned());
            }
        }
    }

    fn attributes(&mut self) -> Read<Attributes> {
        let mut found = Attributes::default();
        let mut seen = Vec::new();
        while let Some(token) = self.tokens.next() {
            let Token::Word(word) = token else {
                return Err("something stands behind the type that is no attribute".to_owned());
            };
            let kind = match word.as_str() {
                "null" => "not",
                "character" => "charset",
                other => other,
            };
            if seen.contains(&kind.to_owned()) {
                return Err(format!("`{word}` is said twice"));
            }
            seen.push(kind.to_owned());
            match word.as_str() {
                "null" => {}
                "not" if self.word("null") => found.required = true,
                "character" if self.word("set") => found.charset = Some(self.name()?),
                "charset" => found.charset = Some(self.name()?),
                "collate" => found.collation = Some(self.name()?),
                "comment" => match self.tokens.next() {
                    Some(Token::Text(text)) => found.comment = Some(text),
                    _ => return Err("a comment is a text".to_owned()),
                },
                "default" => {
                    found.default = Some(self.tokens.next().ok_or("DEFAULT says nothing")?)
                }
                other => {
                    return Err(format!(
                        "`{other}` cannot be said of it: only NULL or NOT NULL, CHARACTER SET, COLLATE, DEFAULT with a constant, and COMMENT can"
                    ));
                }
            }
        }
        Ok(found)
    }

    fn name(&mut self) -> Read<String> {
        match self.tokens.next() {
            Some(Token::Word(name)) => Ok(name),
            _ => Err("the name of a character set or collation is missing".to_owned()),
        }
    }

    fn word(&mut self, word: &str) -> bool {
        let is_it = |token: &Token| matches!(token, Token::Word(found) if found == word);
        self.tokens.next_if(is_it).is_some()
    }

    fn symbol(&mut self, symbol: char) -> bool {
        self.tokens.next_if_eq(&Token::Symbol(symbol)).is_some()
    }
}

#[derive(Debug, Default)]
struct Attributes {
    required: bool,
    charset: Option<String>,
    collation: Option<String>,
    default: Option<Token>,
    comment: Option<String>,
}

fn with_sign(text: String, unsigned: bool) -> String {
    match unsigned {
        true => format!("{text} unsigned"),
        false => text,
    }
}

fn has_characters(kind: &ColumnKind) -> bool {
    use ColumnKind::*;
    matches!(
        kind,
        Char { .. } | Varchar { .. } | Text | Enum { .. } | Set { .. }
    )
}

/// Without any word about it UTF-8, whatever the table's own is: which bytes a value has must be
/// known without a server.
fn charset(attributes: &Attributes) -> Read<String> {
    let modern = |name: &str| match name {
        "utf8" => "utf8mb3".to_owned(),
        other => other.to_owned(),
    };
    let of_collation = attributes.collation.as_deref().map(|collation| {
        let prefix = collation.split('_').next().unwrap_or_default();
        modern(prefix)
    });
    let named = attributes.charset.as_deref().map(modern);
    let charset = match (named, of_collation) {
        (Some(named), Some(of_collation)) if named != of_collation => {
            return Err(format!("the collation is not one of character set {named}"));
        }
        (Some(charset), _) | (None, Some(charset)) => charset,
        (None, None) => CHARSETS[0].to_owned(),
    };
    if !CHARSETS.contains(&charset.as_str()) {
        return Err(format!(
            "values cannot be written in character set {charset}, only in {}",
            CHARSETS.join(", ")
        ));
    }
    Ok(charset)
}

/// The default in SQL. Moments are to be written as servers print them, so that definitions can be
/// compared.
fn default_of(kind: &ColumnKind, default: &Token) -> Read<String> {
    use ColumnKind::*;
    let is_number = matches!(
        kind,
        Integer { .. } | Decimal { .. } | Float | Double | Year
    );
    let form = match kind {
        Date => Some("0000-00-00".to_owned()),
        Time { fraction } => Some(fractioned("00:00:00", *fraction)),
        Datetime { fraction } | Timestamp { fraction } => {
            Some(fractioned("0000-00-00 00:00:00", *fraction))
        }
        _ => None,
    };
    match (default, form) {
        (Token::Word(word), _) if word == "null" => Ok("NULL".to_owned()),
        (Token::Number(number), _) if is_number => Ok(number.clone()),
        (Token::Text(text), Some(form)) if shape_of(text) == form => Ok(literal(text)),
        (_, Some(form)) => Err(format!("its default has not the form '{form}'")),
        (Token::Text(text), None)
            if has_characters(kind) && *kind != Text || matches!(kind, Varbinary { .. }) =>
        {
            Ok(literal(text))
        }
        _ => Err("it cannot have this default".to_owned()),
    }
}

fn fractioned(form: &str, fraction: u8) -> String {
    match fraction {
        0 => form.to_owned(),
        digits => format!("{form}.{}", "0".repeat(digits.into())),
    }
}

fn shape_of(text: &str) -> String {
    let shape = |letter: char| match letter {
        digit if digit.is_ascii_digit() => '0',
        other => other,
    };
    text.chars().map(shape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(column_type: &str) -> Result<Described, String> {
        Additional {
            name: "a`b".to_owned(),
            column_type: column_type.to_owned(),
            value: "1".to_owned(),
        }
        .described()
    }

    #[test]
    fn types_become_clauses() {
        let check = |column_type: &str, clause: &str| {
            let described = of(column_type).expect(column_type);
            assert_eq!(described.clause, format!("`a``b` {clause}"));
        };
        check(
            "VARCHAR(64)",
            "varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NULL",
        );
        check("INT NOT NULL", "int NOT NULL");
        check("INTEGER(11) UNSIGNED null", "int unsigned NULL");
        check("bool default 1", "tinyint(1) NULL DEFAULT 1");
        check(
            "DECIMAL(9) NOT NULL DEFAULT -1.5 COMMENT 'it''s'",
            "decimal(9,0) NOT NULL DEFAULT -1.5 COMMENT 'it''s'",
        );
        check("DATETIME(0)", "datetime NULL");
        check(
            "datetime(3) default '2020-01-02 03:04:05.678'",
            "datetime(3) NULL DEFAULT '2020-01-02 03:04:05.678'",
        );
        check(
            "enum('a','b,)') charset latin1 not null default 'a'",
            "enum('a','b,)') CHARACTER SET latin1 NOT NULL DEFAULT 'a'",
        );
        check(
            "TEXT COLLATE utf8mb4_bin",
            "text CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL",
        );
        check("double precision", "double NULL");
        check(
            "CHAR",
            "char(1) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NULL",
        );
    }

    #[test]
    fn kinds_come_with_their_sizes() {
        let kind = |column_type: &str| of(column_type).expect("a type").column.kind;
        let unsigned = true;
        assert_eq!(
            kind("BIGINT UNSIGNED"),
            ColumnKind::Integer { bytes: 8, unsigned }
        );
        let decimal = ColumnKind::Decimal {
            precision: 10,
            scale: 2,
        };
        assert_eq!(kind("NUMERIC(10,2)"), decimal);
        assert_eq!(kind("TIMESTAMP(6)"), ColumnKind::Timestamp { fraction: 6 });
        let required = of("INT NOT NULL").expect("a type").column;
        assert!(!required.nullable);
    }

    #[test]
    fn everything_else_is_refused() {
        for column_type in [
            "",
            "64",
            "VARCHAR",
            "VARCHAR(64",
            "VARCHAR(70000)",
            "INT PRIMARY KEY",
            "INT AUTO_INCREMENT",
            "INT NOT NULL NULL",
            "INT, b INT",
            "INT AS (1)",
            "INT REFERENCES t (id)",
            "INT CHARACTER SET utf8mb4",
            "INT DEFAULT 'x'",
            "INT DEFAULT (1)",
            "INT DEFAULT 1.",
            "INT DEFAULT 1.2.3",
            "INT DEFAULT --1",
            "DATETIME DEFAULT CURRENT_TIMESTAMP",
            "DATETIME DEFAULT '2020-01-02'",
            "DATETIME ON UPDATE CURRENT_TIMESTAMP",
            "DECIMAL(70,2)",
            "DECIMAL(5,9)",
            "VARCHAR(9) CHARACTER SET gbk",
            "VARCHAR(9) CHARACTER SET latin1 COLLATE utf8mb4_bin",
            "ENUM('a', '')",
            "ENUM()",
            "VARCHAR(9) COMMENT 'a\\'",
            "VARCHAR(9) COMMENT 'a",
            "JSON",
            "GEOMETRY",
            "INT; DROP TABLE t",
            "INT -- x",
            "`INT`",
        ] {
            assert!(of(column_type).is_err(), "{column_type}");
        }
    }

    #[test]
    fn values_tell_whether_they_depend_on_the_time() {
        let timed = |value: &str| {
            Additional {
                name: "a".to_owned(),
                column_type: "INT".to_owned(),
                value: value.to_owned(),
            }
            .is_timed()
        };
        assert!(timed("dt_now_millis()"));
        assert!(timed("__COMMIT_TIMESTAMP__"));
        assert!(!timed("__TB__ + `dt`"));
    }
}
