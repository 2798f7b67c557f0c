//! Walks the tokens of a statement.

use super::lexer::{Token, TokenKind};
use super::statement::{Context, NameKind, NamedObject, Role};

pub(super) struct Cursor<'a> {
    pub sql: &'a str,
    pub tokens: &'a [Token],
    pub at: usize,
    pub default_database: &'a str,
}

impl<'a> Cursor<'a> {
    pub fn new(sql: &'a str, tokens: &'a [Token], context: &Context<'a>) -> Cursor<'a> {
        Cursor {
            sql,
            tokens,
            at: 0,
            default_database: context.default_database,
        }
    }

    pub fn peek(&self, distance: usize) -> Option<&'a Token> {
        self.tokens.get(self.at + distance)
    }

    pub fn is_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// True where the next tokens are these words.
    pub fn at_words(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(distance, word)| {
            self.peek(distance)
                .is_some_and(|token| token.is_word(self.sql, word))
        })
    }

    /// True where the next token is one of these words.
    pub fn at_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.at_words(&[word]))
    }

    pub fn at_symbol(&self, symbol: u8) -> bool {
        self.peek(0).is_some_and(|token| token.is_symbol(symbol))
    }

    /// Passes over these words if all are there.
    pub fn eat(&mut self, words: &[&str]) -> bool {
        let found = self.at_words(words);
        if found {
            self.at += words.len();
        }
        found
    }

    pub fn eat_any(&mut self, words: &[&str]) -> bool {
        let found = self.at_any(words);
        self.at += usize::from(found);
        found
    }

    pub fn eat_symbol(&mut self, symbol: u8) -> bool {
        let found = self.at_symbol(symbol);
        self.at += usize::from(found);
        found
    }

    /// The next token as an upper-case word; empty where it is none. Passes over it.
    pub fn word(&mut self) -> String {
        let word = self.peek_word();
        self.at += usize::from(!word.is_empty());
        word
    }

    pub fn peek_word(&self) -> String {
        match self.peek(0) {
            Some(token) if token.kind == TokenKind::Word => {
                token.text(self.sql).to_ascii_uppercase()
            }
            _ => String::new(),
        }
    }

    /// Reads one name without a qualifier.
    pub fn identifier(&mut self) -> Option<String> {
        let token = self.peek(0).filter(|token| is_name(token))?;
        self.at += 1;
        Some(token.name(self.sql))
    }

    /// Reads a name with an optional database before it.
    pub fn qualified(&mut self, kind: NameKind, role: Role) -> Option<NamedObject> {
        let start = self.peek(0)?.start;
        let first = if self.at_symbol(b'.') {
            String::new()
        } else {
            self.identifier()?
        };
        let mut parts = (self.default_database.to_owned(), first);
        if self.eat_symbol(b'.') {
            let token = self
                .peek(0)
                .filter(|token| is_name(token) || token.kind == TokenKind::Number)?;
            self.at += 1;
            if !parts.1.is_empty() {
                parts.0 = parts.1;
            }
            parts.1 = token.name(self.sql);
        }
        Some(NamedObject {
            role,
            kind,
            database: parts.0,
            name: parts.1,
            span: start..self.tokens[self.at - 1].end,
        })
    }

    /// Passes over the next token, or over a whole group in parentheses.
    pub fn skip(&mut self) {
        let mut depth = 0usize;
        while let Some(token) = self.peek(0) {
            self.at += 1;
            if token.is_symbol(b'(') {
                depth += 1;
            } else if token.is_symbol(b')') {
                depth = depth.saturating_sub(1);
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// Passes over everything up to one of these words outside of parentheses.
    pub fn skip_to(&mut self, words: &[&str]) -> bool {
        while !self.is_end() {
            if self.at_any(words) {
                return true;
            }
            self.skip();
        }
        false
    }
}

fn is_name(token: &Token) -> bool {
    matches!(token.kind, TokenKind::Word | TokenKind::Quoted)
}
