//! Cuts a script into tokens.

use crate::fault::{Mistake, ScriptError, Span};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// Digits without a point.
    Integer(u128),
    /// The digits as they are written, with a point or an exponent.
    Fraction(String),
    Text(String),
    Column(String),
    Word(String),
    /// One of `( ) , ? : = + - * /`.
    Sign(char),
    End,
}

impl Token {
    /// What a message calls it.
    pub(crate) fn name(&self) -> String {
        match self {
            Token::Integer(_) | Token::Fraction(_) => "a number".to_owned(),
            Token::Text(_) => "a text".to_owned(),
            Token::Column(name) => format!("column `{name}`"),
            Token::Word(word) => format!("'{word}'"),
            Token::Sign(sign) => format!("'{sign}'"),
            Token::End => "the end of the script".to_owned(),
        }
    }
}

pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    /// Begins at byte `at`.
    pub(crate) fn new(text: &'a str, at: usize) -> Lexer<'a> {
        Lexer { text, at }
    }

    pub(crate) fn next(&mut self) -> Result<(Token, Span), ScriptError> {
        self.skip_space();
        let start = self.at;
        let Some(first) = self.peek() else {
            return Ok((Token::End, Span::new(start, start)));
        };
        let token = match first {
            '0'..='9' => self.number()?,
            '\'' | '"' => self.quoted(first)?,
            '`' => self.column()?,
            '_' | 'a'..='z' | 'A'..='Z' => self.word(),
            '(' | ')' | ',' | '?' | ':' | '=' | '+' | '-' | '*' | '/' => {
                self.at += 1;
                Token::Sign(first)
            }
            other => return Err(self.stray(other)),
        };
        Ok((token, Span::new(start, self.at)))
    }

    /// True where the next token is this sign.
    pub(crate) fn peek_sign(&self, sign: char) -> bool {
        self.text[self.at..].trim_start().starts_with(sign)
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn skip_while(&mut self, test: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&test) {
            self.take();
        }
    }

    /// Space, and comments from `#` to the end of the line.
    fn skip_space(&mut self) {
        loop {
            self.skip_while(char::is_whitespace);
            if self.peek() != Some('#') {
                return;
            }
            self.skip_while(|letter| letter != '\n');
        }
    }

    fn word(&mut self) -> Token {
        let start = self.at;
        self.skip_while(|letter| letter == '_' || letter.is_ascii_alphanumeric());
        Token::Word(self.text[start..self.at].to_owned())
    }

    fn number(&mut self) -> Result<Token, ScriptError> {
        let start = self.at;
        let digit = |letter: char| letter.is_ascii_digit();
        self.skip_while(digit);
        let mut fraction = false;
        if self.peek() == Some('.') {
            fraction = true;
            self.at += 1;
            self.skip_while(digit);
        }
        if matches!(self.peek(), Some('e' | 'E')) {
            fraction = true;
            self.at += 1;
            if matches!(self.peek(), Some('+' | '-')) {
                self.at += 1;
            }
            self.skip_while(digit);
        }
        let text = &self.text[start..self.at];
        let span = Span::new(start, self.at);
        let letter_follows = self
            .peek()
            .is_some_and(|letter| letter == '_' || letter.is_alphanumeric());
        if letter_follows || !text.ends_with(|letter: char| letter.is_ascii_digit()) {
            return Err(bad_number(span));
        }
        if fraction {
            return Ok(Token::Fraction(text.to_owned()));
        }
        let number = text.parse().map_err(|_| bad_number(span))?;
        Ok(Token::Integer(number))
    }

    /// A text in single or double quotes. Other escapes than the known ones keep their backslash, so that
    /// `'\d'` and `'\\d'` are the same.
    fn quoted(&mut self, quote: char) -> Result<Token, ScriptError> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        while let Some(letter) = self.take() {
            if letter == quote {
                return Ok(Token::Text(text));
            }
            if letter != '\\' {
                text.push(letter);
                continue;
            }
            match self.take() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('r') => text.push('\r'),
                Some('0') => text.push('\0'),
                Some(escaped @ ('\\' | '\'' | '"')) => text.push(escaped),
                Some(other) => {
                    text.push('\\');
                    text.push(other);
                }
                None => break,
            }
        }
        Err(Mistake::Literal.at(
            Span::new(start, self.at),
            "a text has no closing quote",
            format!("End the text with {quote}; a quote inside it is written \\{quote}."),
        ))
    }

    fn column(&mut self) -> Result<Token, ScriptError> {
        let start = self.at;
        self.at += 1;
        let mut name = String::new();
        while let Some(letter) = self.take() {
            if letter != '`' {
                name.push(letter);
            } else if self.peek() == Some('`') {
                self.at += 1;
                name.push('`');
            } else if name.is_empty() {
                break;
            } else {
                return Ok(Token::Column(name));
            }
        }
        Err(Mistake::Literal.at(
            Span::new(start, self.at),
            "a column name is empty or has no closing backtick",
            "Write the name between two backticks, like `id`.",
        ))
    }

    fn stray(&self, letter: char) -> ScriptError {
        let span = Span::new(self.at, self.at + letter.len_utf8());
        let (mistake, hint) = match letter {
            ';' => (
                Mistake::SeveralExpressions,
                "A script is one expression: combine several with e_compose(a, b).",
            ),
            '>' | '<' | '!' | '&' | '|' | '%' => (
                Mistake::Syntax,
                "Use a function: op_gt, op_lt, op_ge, op_le, op_eq, op_not, op_and, op_or, op_mod.",
            ),
            _ => (
                Mistake::Syntax,
                "Column names stand in backticks, texts in quotes.",
            ),
        };
        mistake.at(span, format!("'{letter}' has no place here"), hint)
    }
}

fn bad_number(span: Span) -> ScriptError {
    Mistake::Literal.at(
        span,
        "not a number",
        "Write digits, with one point at most, like 123 or 123.4.",
    )
}
