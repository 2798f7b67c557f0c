//! Tokens of a filter, with their places.

use super::FilterError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword or an unquoted name.
    Word(String),
    /// A name in backticks.
    Name(String),
    Text(String),
    Bytes(Vec<u8>),
    Integer(String),
    Decimal(String),
    Float,
    Symbol(&'static str),
}

#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub token: Token,
    /// Of its first byte.
    pub at: usize,
}

/// Longest first.
const SYMBOLS: [&str; 18] = [
    "<=>", "<=", ">=", "<>", "!=", "&&", "||", "<", ">", "=", "(", ")", ",", "+", "-", "*", "/",
    "%",
];

/// Cuts a filter into tokens. Names that are not quoted are ASCII letters, digits, `_` and `$`, or
/// anything beyond ASCII.
pub(super) fn lex(text: &str) -> Result<Vec<Placed>, FilterError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.blanks();
        let at = lexer.at;
        if at == text.len() {
            return Ok(tokens);
        }
        let token = lexer.token()?;
        tokens.push(Placed { token, at });
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|letter| !wanted(letter)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn blanks(&mut self) {
        self.take_while(|letter| letter.is_ascii_whitespace());
    }

    fn token(&mut self) -> Result<Token, FilterError> {
        let rest = self.rest();
        let first = rest.chars().next().unwrap_or(' ');
        let second = rest.chars().nth(1).unwrap_or(' ');
        if matches!(first, 'x' | 'X') && second == '\'' {
            return self.hexadecimal();
        }
        if first.is_ascii_digit() || first == '.' && second.is_ascii_digit() {
            return self.number();
        }
        match first {
            '\'' => self.quoted('\'').map(Token::Text),
            '"' => Err(FilterError::syntax(self.at, "texts stand in single quotes")),
            '`' => self.quoted('`').map(Token::Name),
            '#' => Err(FilterError::syntax(self.at, "comments are not taken")),
            '-' if rest.starts_with("--") => {
                Err(FilterError::syntax(self.at, "`--` would begin a comment"))
            }
            '/' if second == '*' => Err(FilterError::syntax(self.at, "comments are not taken")),
            letter if is_letter(letter) => Ok(Token::Word(self.take_while(is_letter).to_owned())),
            _ => match SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
                Some(symbol) => {
                    self.at += symbol.len();
                    Ok(Token::Symbol(symbol))
                }
                None => Err(FilterError::syntax(
                    self.at,
                    format!("`{first}` has no meaning here"),
                )),
            },
        }
    }

    fn number(&mut self) -> Result<Token, FilterError> {
        let begin = self.at;
        self.take_while(|letter| letter.is_ascii_digit());
        let mut token: fn(String) -> Token = Token::Integer;
        if self.rest().starts_with('.') {
            self.at += 1;
            self.take_while(|letter| letter.is_ascii_digit());
            token = Token::Decimal;
        }
        if self.rest().starts_with(['e', 'E']) {
            self.at += 1;
            if self.rest().starts_with(['+', '-']) {
                self.at += 1;
            }
            if self.take_while(|letter| letter.is_ascii_digit()).is_empty() {
                return Err(FilterError::syntax(self.at, "an exponent has digits"));
            }
            token = |_| Token::Float;
        }
        if self.rest().starts_with(is_letter) {
            return Err(FilterError::syntax(
                self.at,
                "a number ends before a letter",
            ));
        }
        Ok(token(self.text[begin..self.at].to_owned()))
    }

    fn hexadecimal(&mut self) -> Result<Token, FilterError> {
        let begin = self.at;
        self.at += 1;
        let digits = self.quoted('\'')?;
        let pairs = digits.as_bytes().chunks(2).map(|pair| {
            let text = std::str::from_utf8(pair)
                .ok()
                .filter(|pair| pair.len() == 2)?;
            u8::from_str_radix(text, 16).ok()
        });
        let bytes: Option<Vec<u8>> = pairs.collect();
        bytes
            .map(Token::Bytes)
            .ok_or_else(|| FilterError::syntax(begin, "a hexadecimal text has pairs of digits"))
    }

    /// In a text `\%` and `\_` keep their backslash, for LIKE.
    fn quoted(&mut self, mark: char) -> Result<String, FilterError> {
        let begin = self.at;
        self.at += 1;
        let mut out = String::new();
        loop {
            let mut letters = self.rest().chars();
            let Some(letter) = letters.next() else {
                return Err(FilterError::syntax(begin, "a quote is not closed"));
            };
            self.at += letter.len_utf8();
            if letter == mark {
                if letters.next() != Some(mark) {
                    return Ok(out);
                }
                self.at += mark.len_utf8();
                out.push(mark);
            } else if letter == '\\' && mark == '\'' {
                let Some(escaped) = letters.next() else {
                    continue;
                };
                self.at += escaped.len_utf8();
                match escaped {
                    '0' => out.push('\0'),
                    'b' => out.push('\u{8}'),
                    'n' => out.push('\n'),
                    'r' => out.push('\r'),
                    't' => out.push('\t'),
                    'Z' => out.push('\u{1A}'),
                    '%' | '_' => out.extend(['\\', escaped]),
                    other => out.push(other),
                }
            } else {
                out.push(letter);
            }
        }
    }
}

fn is_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '$') || !letter.is_ascii()
}
