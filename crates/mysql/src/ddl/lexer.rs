//! Tokens of MySQL's SQL with byte spans.
//!
//! Comments are gaps between tokens. A version comment whose version the server has reached is
//! unfolded: its content becomes tokens that remember the comment around them. Never fails; an
//! unfinished string or comment is reported by `complete`.

use super::statement::Context;
use std::ops::Range;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A keyword or an unquoted name.
    Word,
    /// A quoted name.
    Quoted,
    /// A string.
    Text,
    /// Digits, or a hexadecimal or binary number; a fraction is several tokens.
    Number,
    Symbol(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub kind: TokenKind,
    pub start: usize,
    pub end: usize,
    /// The outermost version comment around the token, with its marks.
    pub wrap: Option<(usize, usize)>,
}

impl Token {
    pub fn text<'a>(&self, sql: &'a str) -> &'a str {
        &sql[self.start..self.end]
    }

    pub fn is_word(&self, sql: &str, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text(sql).eq_ignore_ascii_case(word)
    }

    pub fn is_symbol(&self, symbol: u8) -> bool {
        self.kind == TokenKind::Symbol(symbol)
    }

    pub fn is_name(&self) -> bool {
        matches!(self.kind, TokenKind::Word | TokenKind::Quoted)
    }

    /// The name that a word or quoted token stands for.
    pub fn name(&self, sql: &str) -> String {
        let text = self.text(sql);
        match self.kind {
            TokenKind::Quoted => unquote(text),
            _ => text.to_owned(),
        }
    }
}

fn unquote(text: &str) -> String {
    let mark = &text[..1];
    let inner = text[1..].strip_suffix(mark).unwrap_or(&text[1..]);
    inner.replace(&mark.repeat(2), mark)
}

pub(crate) struct Lexed {
    pub tokens: Vec<Token>,
    /// False where a string, quoted name or comment has no end.
    pub complete: bool,
    /// The marks of version comments that are code, and whole ones that are not: a server of
    /// another version would decide otherwise.
    pub marks: Vec<Range<usize>>,
}

/// Cuts a text into tokens.
///
/// Source: MySQL manual, "Comments", "String Literals", "Schema Object Names"; MariaDB, "Comment
/// Syntax".
pub(crate) fn lex(sql: &str, context: &Context) -> Lexed {
    let mut lexer = Lexer {
        sql,
        bytes: sql.as_bytes(),
        context,
        at: 0,
        open: Vec::new(),
        tokens: Vec::new(),
        complete: true,
        marks: Vec::new(),
    };
    while lexer.at < lexer.bytes.len() {
        lexer.step();
    }
    Lexed {
        complete: lexer.complete && lexer.open.is_empty(),
        tokens: lexer.tokens,
        marks: lexer.marks,
    }
}

struct Lexer<'a> {
    sql: &'a str,
    bytes: &'a [u8],
    context: &'a Context<'a>,
    at: usize,
    /// Unfolded version comments: where each begins, and the number of tokens before it.
    open: Vec<(usize, usize)>,
    tokens: Vec<Token>,
    complete: bool,
    marks: Vec<Range<usize>>,
}

impl Lexer<'_> {
    fn peek(&self, distance: usize) -> u8 {
        self.bytes.get(self.at + distance).copied().unwrap_or(0)
    }

    fn step(&mut self) {
        let byte = self.peek(0);
        match byte {
            0..=b' ' => self.at += 1,
            b'#' => self.skip_line(),
            b'-' if self.peek(1) == b'-' && self.peek(2) <= b' ' => self.skip_line(),
            b'/' if self.peek(1) == b'*' => self.comment(),
            b'*' if self.peek(1) == b'/' && !self.open.is_empty() => self.close_comment(),
            b'`' => self.quoted(TokenKind::Quoted, byte, false),
            b'"' if self.context.ansi_quotes => self.quoted(TokenKind::Quoted, byte, false),
            b'"' | b'\'' => {
                self.quoted(TokenKind::Text, byte, !self.context.no_backslash_escapes);
            }
            b'$' if self.dollar_quoted() => {}
            _ if is_name_byte(byte) => self.word(),
            _ => self.push(TokenKind::Symbol(byte), 1),
        }
    }

    fn push(&mut self, kind: TokenKind, length: usize) {
        self.tokens.push(Token {
            kind,
            start: self.at,
            end: self.at + length,
            wrap: None,
        });
        self.at += length;
    }

    fn skip_line(&mut self) {
        let rest = &self.bytes[self.at..];
        self.at += memchr::memchr(b'\n', rest).map_or(rest.len(), |index| index + 1);
    }

    fn quoted(&mut self, kind: TokenKind, mark: u8, escapes: bool) {
        let mut length = 1;
        while self.at + length < self.bytes.len() {
            match self.peek(length) {
                b'\\' if escapes => length += 2,
                byte if byte == mark && self.peek(length + 1) == mark => length += 2,
                byte if byte == mark => return self.push(kind, length + 1),
                _ => length += 1,
            }
        }
        self.complete = false;
        self.push(kind, self.bytes.len() - self.at);
    }

    /// A body in `$$` or `$tag$`, which MySQL has for routines in other languages.
    fn dollar_quoted(&mut self) -> bool {
        if self.context.mariadb || self.context.version < 90_000 {
            return false;
        }
        let rest = &self.sql[self.at..];
        let tag_length = rest[1..]
            .bytes()
            .take_while(|byte| is_name_byte(*byte) && *byte != b'$')
            .count();
        if self.peek(1 + tag_length) != b'$' {
            return false;
        }
        let (tag, body) = rest.split_at(tag_length + 2);
        match body.find(tag) {
            Some(end) => {
                self.push(TokenKind::Text, tag.len() * 2 + end);
                true
            }
            None => false,
        }
    }

    fn word(&mut self) {
        let text = &self.bytes[self.at..];
        let length = text.iter().take_while(|byte| is_name_byte(**byte)).count();
        let kind = if is_number(&text[..length]) {
            TokenKind::Number
        } else {
            TokenKind::Word
        };
        self.push(kind, length);
    }

    fn comment(&mut self) {
        let mark_length = match (self.peek(2), self.peek(3)) {
            (b'!', _) => 3,
            (b'M', b'!') if self.context.mariadb => 4,
            _ => return self.skip_comment(false),
        };
        let digits = self.bytes[self.at + mark_length..]
            .iter()
            .take(6)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let digits = if digits < 5 { 0 } else { digits };
        let from = self.at + mark_length;
        let version = self.sql[from..from + digits].parse().unwrap_or(0);
        if self.is_code(version, mark_length == 4) {
            self.open.push((self.at, self.tokens.len()));
            self.marks.push(self.at..from + digits);
            self.at = from + digits;
        } else {
            let begin = self.at;
            self.skip_comment(true);
            self.marks.push(begin..self.at);
        }
    }

    /// MariaDB leaves MySQL's comments from 5.7 on alone, because their content is not its own.
    fn is_code(&self, version: u32, own: bool) -> bool {
        let foreign = self.context.mariadb && !own && (50_700..=99_999).contains(&version);
        version <= self.context.version && !foreign
    }

    fn skip_comment(&mut self, nested: bool) {
        let mut depth = 1;
        self.at += 2;
        while self.at < self.bytes.len() {
            match (self.peek(0), self.peek(1)) {
                (b'*', b'/') => {
                    self.at += 2;
                    depth -= 1;
                    if depth == 0 {
                        return;
                    }
                }
                (b'/', b'*') if nested => {
                    self.at += 2;
                    depth += 1;
                }
                _ => self.at += 1,
            }
        }
        self.complete = false;
    }

    fn close_comment(&mut self) {
        self.marks.push(self.at..self.at + 2);
        self.at += 2;
        if let Some((start, first)) = self.open.pop() {
            for token in &mut self.tokens[first..] {
                token.wrap = Some((start, self.at));
            }
        }
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn is_number(text: &[u8]) -> bool {
    match text {
        [b'0', b'x', digits @ ..] => !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit),
        [b'0', b'b', digits @ ..] => {
            !digits.is_empty() && digits.iter().all(|digit| matches!(digit, b'0' | b'1'))
        }
        _ => {
            let mut parts = text.splitn(2, |byte| matches!(byte, b'e' | b'E'));
            parts.all(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::statement::Dialect;
    use super::*;
    use proptest::prelude::*;

    fn texts(sql: &str, context: &Context) -> Vec<String> {
        lex(sql, context)
            .tokens
            .iter()
            .map(|token| token.text(sql).to_owned())
            .collect()
    }

    fn check(sql: &str, expected: &[&str]) {
        assert_eq!(
            texts(sql, &Context::new("d", Dialect::mysql(90_704))),
            expected,
            "{sql}"
        );
    }

    #[test]
    fn tokens_of_mysql() {
        check("a.b", &["a", ".", "b"]);
        check(
            "`a``b` 'c''d\\'e' \"f\"",
            &["`a``b`", "'c''d\\'e'", "\"f\""],
        );
        check("a -- b\nc --d", &["a", "c", "-", "-", "d"]);
        check("a # b\nc", &["a", "c"]);
        check("a /* b */ c", &["a", "c"]);
        check(
            "/*!80013 a */ b /*!99999 c /* d */ e */ f",
            &["a", "b", "f"],
        );
        check("/*!a b*/ /*M! c */ /*+ d */", &["a", "b"]);
        check("5*/*x*/3", &["5", "*", "3"]);
        check("1a 1e5 0x1F é$x", &["1a", "1e5", "0x1F", "é$x"]);
        check("AS $$ it's $$ b", &["AS", "$$ it's $$", "b"]);
    }

    #[test]
    fn modes_change_how_quotes_are_read() {
        let mut context = Context::new("d", Dialect::mysql(90_704));
        context.no_backslash_escapes = true;
        assert_eq!(texts("'a\\' b", &context), ["'a\\'", "b"]);
        context.ansi_quotes = true;
        let lexed = lex("\"a\"\"b\"", &context);
        assert_eq!(lexed.tokens[0].kind, TokenKind::Quoted);
        assert_eq!(lexed.tokens[0].name("\"a\"\"b\""), "a\"b");
    }

    #[test]
    fn mariadb_comments() {
        let context = Context::new("d", Dialect::mariadb(101_106));
        assert_eq!(
            texts(
                "/*M!100301 a*/ /*!80013 b*/ /*!50100 c*/ /*!100100 d*/",
                &context
            ),
            ["a", "c", "d"]
        );
    }

    #[test]
    fn unfinished_texts_are_reported() {
        let context = Context::new("d", Dialect::mysql(90_704));
        for sql in ["'a", "`a", "/* a", "/*!80000 a", "'a\\"] {
            assert!(!lex(sql, &context).complete, "{sql}");
        }
    }

    proptest! {
        #[test]
        fn spans_and_gaps_give_the_text(
            sql in r#"(CREATE|TABLE|`|'|"|/\*|\*/|/\*!80000 |-- |#|\n|\\|\.|,|é|\PC){0,40}"#,
            ansi in any::<bool>(),
            plain in any::<bool>(),
            mariadb in any::<bool>(),
        ) {
            let context = Context {
                default_database: "d", ansi_quotes: ansi, no_backslash_escapes: plain,
                version: 90_704, mariadb,
            };
            let mut joined = String::new();
            let mut at = 0;
            for token in lex(&sql, &context).tokens {
                prop_assert!(token.start >= at && token.end > token.start);
                joined.push_str(&sql[at..token.start]);
                joined.push_str(token.text(&sql));
                at = token.end;
            }
            joined.push_str(&sql[at..]);
            prop_assert_eq!(joined, sql);
        }

        #[test]
        fn random_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let sql = String::from_utf8_lossy(&bytes);
            lex(&sql, &Context::new("d", Dialect::mysql(90_704)));
        }
    }
}
