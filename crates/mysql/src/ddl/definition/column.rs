//! A column clause in its parts.

use super::parse::whole_text;
use crate::ddl::cursor::Cursor;
use crate::ddl::lexer::lex;
use crate::ddl::statement::Context;
use wherry_model::name::quote;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ddl) enum AttributeKind {
    Type,
    Charset,
    Collate,
    Generated,
    NotNull,
    Null,
    Default,
    OnUpdate,
    AutoIncrement,
    Invisible,
    Comment,
    Check,
    Other,
}

/// One attribute: its text, and of that the part behind the keyword.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ddl) struct Attribute {
    pub kind: AttributeKind,
    pub text: String,
    pub value: String,
}

impl Attribute {
    pub fn new(kind: AttributeKind, keyword: &str, value: &str) -> Attribute {
        Attribute {
            kind,
            text: format!("{keyword} {value}"),
            value: value.to_owned(),
        }
    }
}

/// A column clause as a list of attributes, the type first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ddl) struct ColumnParts {
    pub name: String,
    pub attributes: Vec<Attribute>,
}

impl ColumnParts {
    /// Reads a column clause of `SHOW CREATE TABLE`.
    pub fn parse(text: &str, context: &Context) -> Option<ColumnParts> {
        let lexed = lex(text, context);
        let mut cursor = Cursor::new(text, &lexed.tokens, context);
        let name = cursor.identifier()?;
        let mut parts = ColumnParts {
            name,
            attributes: Vec::new(),
        };
        while !cursor.is_end() {
            let begin = cursor.at;
            let kind = if begin == 1 {
                column_type(&mut cursor)?;
                AttributeKind::Type
            } else {
                attribute(&mut cursor)
            };
            let end = cursor.at.min(lexed.tokens.len());
            let value_begin = (begin + keyword_count(kind)).min(end - 1);
            parts.attributes.push(Attribute {
                kind,
                text: whole_text(text, &lexed.tokens, begin, end),
                value: text[lexed.tokens[value_begin].start..lexed.tokens[end - 1].end].to_owned(),
            });
        }
        (!parts.attributes.is_empty()).then_some(parts)
    }

    pub fn get(&self, kind: AttributeKind) -> Option<&Attribute> {
        self.attributes
            .iter()
            .find(|attribute| attribute.kind == kind)
    }

    pub fn get_mut(&mut self, kind: AttributeKind) -> Option<&mut Attribute> {
        self.attributes
            .iter_mut()
            .find(|attribute| attribute.kind == kind)
    }

    pub fn has(&self, kind: AttributeKind) -> bool {
        self.get(kind).is_some()
    }

    /// The value of an attribute.
    pub fn value(&self, kind: AttributeKind) -> Option<&str> {
        self.get(kind).map(|attribute| attribute.value.as_str())
    }

    /// The type as the clause has it, like `int(10) unsigned`.
    pub fn column_type(&self) -> &str {
        self.attributes
            .first()
            .map_or("", |attribute| attribute.text.as_str())
    }

    /// The first word of the type, in lower case.
    pub fn type_name(&self) -> String {
        self.column_type()
            .chars()
            .take_while(|letter| letter.is_ascii_alphanumeric())
            .collect::<String>()
            .to_ascii_lowercase()
    }

    /// True where the type has a character set.
    pub fn has_text(&self) -> bool {
        let name = self.type_name();
        name.ends_with("char") || name.ends_with("text") || matches!(name.as_str(), "enum" | "set")
    }

    pub fn render(&self) -> String {
        let mut out = quote(&self.name);
        for attribute in &self.attributes {
            out.push(' ');
            out.push_str(&attribute.text);
        }
        out
    }
}

/// How many tokens stand before the value.
fn keyword_count(kind: AttributeKind) -> usize {
    match kind {
        AttributeKind::Charset | AttributeKind::OnUpdate => 2,
        AttributeKind::Collate
        | AttributeKind::Default
        | AttributeKind::Comment
        | AttributeKind::Check => 1,
        _ => 0,
    }
}

fn column_type(cursor: &mut Cursor) -> Option<()> {
    if cursor.word().is_empty() {
        return None;
    }
    if cursor.at_symbol(b'(') {
        cursor.skip();
    }
    while cursor.eat_any(&["UNSIGNED", "SIGNED", "ZEROFILL"]) {}
    Some(())
}

/// Passes over one attribute.
fn attribute(cursor: &mut Cursor) -> AttributeKind {
    let word = cursor.word();
    match word.as_str() {
        "CHARACTER" if cursor.eat(&["SET"]) => {
            cursor.at += 1;
            AttributeKind::Charset
        }
        "COLLATE" => {
            cursor.at += 1;
            AttributeKind::Collate
        }
        "GENERATED" | "AS" => {
            cursor.eat(&["ALWAYS"]);
            cursor.eat(&["AS"]);
            if cursor.eat(&["ROW"]) {
                cursor.at += 1;
                return AttributeKind::Other;
            }
            cursor.skip();
            cursor.eat_any(&["VIRTUAL", "STORED", "PERSISTENT"]);
            AttributeKind::Generated
        }
        "NOT" if cursor.eat(&["NULL"]) => AttributeKind::NotNull,
        "NULL" => AttributeKind::Null,
        "DEFAULT" => {
            value(cursor);
            AttributeKind::Default
        }
        "ON" if cursor.eat(&["UPDATE"]) => {
            value(cursor);
            AttributeKind::OnUpdate
        }
        "AUTO_INCREMENT" => AttributeKind::AutoIncrement,
        "INVISIBLE" => AttributeKind::Invisible,
        "COMMENT" => {
            cursor.at += 1;
            AttributeKind::Comment
        }
        "CHECK" => {
            cursor.skip();
            AttributeKind::Check
        }
        "SRID" | "STORAGE" | "COLUMN_FORMAT" => {
            cursor.at += 1;
            AttributeKind::Other
        }
        "REF_SYSTEM_ID" | "ENGINE_ATTRIBUTE" | "SECONDARY_ENGINE_ATTRIBUTE" => {
            cursor.eat_symbol(b'=');
            cursor.at += 1;
            AttributeKind::Other
        }
        "" => {
            // A quoted option of a MariaDB engine, or something unknown.
            cursor.skip();
            if cursor.eat_symbol(b'=') {
                cursor.skip();
            }
            AttributeKind::Other
        }
        _ => AttributeKind::Other,
    }
}

/// Passes over a value: tokens without a gap, or a group in parentheses.
fn value(cursor: &mut Cursor) {
    loop {
        cursor.skip();
        let Some(last) = cursor
            .at
            .checked_sub(1)
            .and_then(|at| cursor.tokens.get(at))
        else {
            return;
        };
        match cursor.peek(0) {
            Some(next) if next.start == last.end && !next.is_symbol(b',') => {}
            _ => return,
        }
    }
}
