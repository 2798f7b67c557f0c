//! Reads the text of `SHOW CREATE TABLE` by spans.

use super::column::{AttributeKind, ColumnParts};
use super::{
    CheckClause, ColumnClause, Definition, DefinitionError, ForeignKey, KeyClause, KeyKind,
    TableOption,
};
use crate::ddl::cursor::Cursor;
use crate::ddl::lexer::{Token, TokenKind, lex};
use crate::ddl::statement::{Context, NameKind, Role};
use wherry_model::TableName;

pub(super) fn definition(text: &str, context: &Context) -> Result<Definition, DefinitionError> {
    let lexed = lex(text, context);
    let mut reader = Reader {
        cursor: Cursor::new(text, &lexed.tokens, context),
        context,
    };
    let unreadable = |reason: &str, at: usize| DefinitionError::Unreadable {
        database: context.default_database.to_owned(),
        reason: format!("{reason} near byte {at}"),
    };
    if !lexed.complete {
        return Err(unreadable("unfinished string or comment", text.len()));
    }
    match reader.definition() {
        Ok(definition) => Ok(definition),
        Err(reason) => {
            let at = reader
                .cursor
                .peek(0)
                .map_or(text.len(), |token| token.start);
            Err(unreadable(reason, at))
        }
    }
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    context: &'a Context<'a>,
}

type Read<T> = Result<T, &'static str>;

impl<'a> Reader<'a> {
    fn definition(&mut self) -> Read<Definition> {
        self.cursor.eat(&["CREATE"]);
        self.cursor.eat(&["TEMPORARY"]);
        if !self.cursor.eat(&["TABLE"]) {
            return Err("no CREATE TABLE");
        }
        let name = self
            .cursor
            .qualified(NameKind::Table, Role::Subject)
            .ok_or("no table name")?;
        let mut definition = Definition {
            name: TableName::new(name.database, name.name),
            columns: Vec::new(),
            primary_key: None,
            keys: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            others: Vec::new(),
            options: Vec::new(),
            partitions: None,
        };
        if !self.cursor.eat_symbol(b'(') {
            return Err("no opening parenthesis");
        }
        loop {
            self.element(&mut definition)?;
            if self.cursor.eat_symbol(b')') {
                break;
            }
            if !self.cursor.eat_symbol(b',') {
                return Err("no end of the column list");
            }
        }
        self.options(&mut definition)?;
        Ok(definition)
    }

    /// Reads one element and stops at the comma or parenthesis behind it.
    fn element(&mut self, definition: &mut Definition) -> Read<()> {
        let begin = self.cursor.at;
        while !self.cursor.is_end() && !self.cursor.at_symbol(b',') && !self.cursor.at_symbol(b')')
        {
            self.cursor.skip();
        }
        let (Some(first), Some(stop)) = (self.cursor.tokens.get(begin), self.cursor.peek(0)) else {
            return Err("no element");
        };
        let end = self.cursor.at;
        let text = self.cursor.sql[first.start..stop.start].trim_end();
        self.cursor.at = begin;
        let read = self.one_element(definition, text, first);
        if read.is_ok() {
            self.cursor.at = end;
        }
        read
    }

    fn one_element(
        &mut self,
        definition: &mut Definition,
        text: &'a str,
        first: &Token,
    ) -> Read<()> {
        let kind = match self.cursor.peek_word().as_str() {
            "PRIMARY" => KeyKind::Primary,
            "UNIQUE" => KeyKind::Unique,
            "KEY" | "INDEX" => KeyKind::Plain,
            "FULLTEXT" => KeyKind::Fulltext,
            "SPATIAL" => KeyKind::Spatial,
            "CONSTRAINT" | "FOREIGN" | "CHECK" => return self.constraint(definition, text, first),
            "PERIOD" | "VECTOR" => {
                definition.others.push(text.to_owned());
                return Ok(());
            }
            _ => {
                definition.columns.push(self.column(text)?);
                return Ok(());
            }
        };
        let key = self.key(kind, text)?;
        if kind == KeyKind::Primary {
            definition.primary_key = Some(key);
        } else {
            definition.keys.push(key);
        }
        Ok(())
    }

    fn column(&mut self, text: &str) -> Read<ColumnClause> {
        let parts = ColumnParts::parse(text, self.context).ok_or("column was not understood")?;
        Ok(ColumnClause {
            auto_increment: parts.has(AttributeKind::AutoIncrement),
            generated: parts.has(AttributeKind::Generated),
            invisible: parts.has(AttributeKind::Invisible),
            name: parts.name,
            text: text.to_owned(),
        })
    }

    fn key(&mut self, kind: KeyKind, text: &str) -> Read<KeyClause> {
        if kind != KeyKind::Plain {
            self.cursor.at += 1;
        }
        self.cursor.eat_any(&["KEY", "INDEX"]);
        let name = if kind == KeyKind::Primary || self.cursor.at_symbol(b'(') {
            String::new()
        } else {
            self.cursor.identifier().ok_or("no key name")?
        };
        if self.cursor.eat(&["USING"]) {
            self.cursor.at += 1;
        }
        Ok(KeyClause {
            kind,
            name,
            columns: self.key_parts()?,
            text: text.to_owned(),
        })
    }

    /// Reads a list of key parts; an expression gives `None`.
    fn key_parts(&mut self) -> Read<Vec<Option<String>>> {
        if !self.cursor.eat_symbol(b'(') {
            return Err("no key columns");
        }
        let mut parts = Vec::new();
        loop {
            parts.push(self.cursor.identifier());
            while !self.cursor.at_symbol(b',') && !self.cursor.at_symbol(b')') {
                if self.cursor.is_end() {
                    return Err("no end of the key columns");
                }
                self.cursor.skip();
            }
            if self.cursor.eat_symbol(b')') {
                return Ok(parts);
            }
            self.cursor.at += 1;
        }
    }

    fn constraint(&mut self, definition: &mut Definition, text: &str, first: &Token) -> Read<()> {
        let mut name = String::new();
        if self.cursor.eat(&["CONSTRAINT"])
            && !self.cursor.at_any(&["CHECK"])
            && !self.cursor.at_words(&["FOREIGN", "KEY"])
        {
            name = self.cursor.identifier().ok_or("no constraint name")?;
        }
        if self.cursor.eat(&["CHECK"]) {
            let text = text.to_owned();
            definition.checks.push(CheckClause { name, text });
            return Ok(());
        }
        if !self.cursor.eat(&["FOREIGN", "KEY"]) {
            return Err("unknown constraint");
        }
        if !self.cursor.at_symbol(b'(') {
            self.cursor.identifier();
        }
        let columns = self.column_names()?;
        if !self.cursor.eat(&["REFERENCES"]) {
            return Err("no referenced table");
        }
        let parent = self
            .cursor
            .qualified(NameKind::Table, Role::Other)
            .ok_or("no referenced table")?;
        let mut key = ForeignKey {
            name,
            columns,
            references: TableName::new(parent.database, parent.name),
            referenced_columns: self.column_names()?,
            on_delete: None,
            on_update: None,
            text: text.to_owned(),
            references_span: parent.span.start - first.start..parent.span.end - first.start,
        };
        while self.cursor.eat(&["ON"]) {
            let event = self.cursor.word();
            let mut action = self.cursor.word();
            if matches!(action.as_str(), "SET" | "NO") {
                action = format!("{action} {}", self.cursor.word());
            }
            match event.as_str() {
                "DELETE" => key.on_delete = Some(action),
                "UPDATE" => key.on_update = Some(action),
                _ => return Err("unknown action of a foreign key"),
            }
        }
        definition.foreign_keys.push(key);
        Ok(())
    }

    fn column_names(&mut self) -> Read<Vec<String>> {
        self.key_parts()?
            .into_iter()
            .map(|part| part.ok_or("an expression in a foreign key"))
            .collect()
    }

    fn options(&mut self, definition: &mut Definition) -> Read<()> {
        while let Some(first) = self.cursor.peek(0) {
            if first.is_symbol(b';') {
                return Ok(());
            }
            if self.cursor.at_words(&["PARTITION", "BY"]) {
                let start = first.wrap.map_or(first.start, |(start, _)| start);
                let text = self.cursor.sql[start..].trim_end().trim_end_matches(';');
                definition.partitions = Some(text.trim_end().to_owned());
                return Ok(());
            }
            self.cursor.eat_symbol(b',');
            let option = self.option()?;
            definition.options.push(option);
        }
        Ok(())
    }

    fn option(&mut self) -> Read<TableOption> {
        let begin = self.cursor.at;
        if self.cursor.eat(&["WITH", "SYSTEM", "VERSIONING"]) {
            let name = "WITH SYSTEM VERSIONING".to_owned();
            return Ok(self.finish_option(begin, name, String::new()));
        }
        let mut words: Vec<String> = Vec::new();
        while let Some(word) = self.cursor.identifier() {
            words.push(word.to_ascii_uppercase());
            if matches!(word.to_ascii_uppercase().as_str(), "TABLESPACE" | "STORAGE") {
                break;
            }
        }
        if words.is_empty() {
            return Err("unknown table option");
        }
        let needs_sign = !matches!(words[0].as_str(), "TABLESPACE" | "STORAGE");
        if !self.cursor.eat_symbol(b'=') && needs_sign {
            return Err("table option without a value");
        }
        let value = self.cursor.at;
        self.cursor.skip();
        let (Some(from), Some(to)) = (
            self.cursor.tokens.get(value),
            self.cursor.tokens.get(self.cursor.at.wrapping_sub(1)),
        ) else {
            return Err("table option without a value");
        };
        let text = match from.kind {
            TokenKind::Quoted => from.name(self.cursor.sql),
            _ => self.cursor.sql[from.start..to.end].to_owned(),
        };
        words.retain(|word| word != "DEFAULT");
        let name = words.join(" ").replace("CHARACTER SET", "CHARSET");
        Ok(self.finish_option(begin, name, text))
    }

    fn finish_option(&self, begin: usize, name: String, value: String) -> TableOption {
        let text = whole_text(self.cursor.sql, self.cursor.tokens, begin, self.cursor.at);
        TableOption { name, value, text }
    }
}

/// The text of tokens `begin..end`, with the version comment around them if it holds no others.
pub(super) fn whole_text(sql: &str, tokens: &[Token], begin: usize, end: usize) -> String {
    let (first, last) = (&tokens[begin], &tokens[end - 1]);
    let alone = first.wrap.is_some()
        && first.wrap == last.wrap
        && (begin == 0 || tokens[begin - 1].wrap != first.wrap)
        && tokens.get(end).is_none_or(|next| next.wrap != first.wrap);
    match first.wrap {
        Some((start, end)) if alone => sql[start..end].to_owned(),
        _ => sql[first.start..last.end].to_owned(),
    }
}
