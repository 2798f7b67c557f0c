//! From tokens to a tree, with MySQL's precedence.
//!
//! Source: MySQL manual, "Operator Precedence" and "Expressions". What servers read differently by
//! their `sql_mode` (`||`, `!`) is refused.

use super::FilterError;
use super::lexer::{Placed, Token, lex};

/// Deeper trees are refused, so that none overflows the stack.
const DEPTH_MAX: usize = 100;

/// Operators in one filter: trees lean to the left.
const OPERATORS_MAX: usize = 500;

/// A longer filter is refused.
const BYTES_MAX: usize = 64 << 10;

#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub kind: Kind,
    pub at: usize,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Null,
    Boolean(bool),
    Text(String),
    Bytes(Vec<u8>),
    Integer(String),
    Decimal(String),
    Float,
    /// `DATE '...'`, `TIME '...'` or `TIMESTAMP '...'`.
    Moment(&'static str, String),
    Column(String),
    And(Box<Tree>, Box<Tree>),
    Or(Box<Tree>, Box<Tree>),
    Xor(Box<Tree>, Box<Tree>),
    Not(Box<Tree>),
    Negative(Box<Tree>),
    Compare(&'static str, Box<Tree>, Box<Tree>),
    Arithmetic(&'static str, Box<Tree>, Box<Tree>),
    IsNull(Box<Tree>),
    /// `None` is UNKNOWN.
    Is(Box<Tree>, Option<bool>),
    In(Box<Tree>, Vec<Tree>),
    Between(Box<Tree>, Box<Tree>, Box<Tree>),
    Like(Box<Tree>, Box<Tree>, Option<Box<Tree>>),
    Call(String, Vec<Tree>),
}

pub(super) fn parse(text: &str) -> Result<Tree, FilterError> {
    if text.len() > BYTES_MAX {
        return Err(FilterError::syntax(0, "it is longer than 64 KiB"));
    }
    let tokens = lex(text)?;
    let is_operator = |placed: &&Placed| match &placed.token {
        Token::Symbol(symbol) => !matches!(*symbol, "(" | ")" | ","),
        Token::Word(word) => ["AND", "OR", "XOR", "NOT", "IS", "MOD", "DIV"]
            .iter()
            .any(|operator| word.eq_ignore_ascii_case(operator)),
        _ => false,
    };
    if let Some(placed) = tokens.iter().filter(is_operator).nth(OPERATORS_MAX) {
        return Err(FilterError::syntax(
            placed.at,
            "it has more than 500 operators",
        ));
    }
    let mut parser = Parser {
        tokens: &tokens,
        next: 0,
        end: text.len(),
        depth: 0,
    };
    let tree = parser.expression()?;
    match parser.tokens.get(parser.next) {
        None => Ok(tree),
        Some(_) => Err(parser.unexpected("an operator or the end")),
    }
}

struct Parser<'t> {
    tokens: &'t [Placed],
    next: usize,
    end: usize,
    depth: usize,
}

type Parsed = Result<Tree, FilterError>;

impl Parser<'_> {
    fn at(&self) -> usize {
        self.tokens
            .get(self.next)
            .map_or(self.end, |token| token.at)
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|placed| &placed.token)
    }

    fn unexpected(&self, wanted: &str) -> FilterError {
        match self.peek() {
            None => FilterError::syntax(self.end, format!("it ends where {wanted} should stand")),
            Some(_) => FilterError::syntax(self.at(), format!("{wanted} should stand here")),
        }
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word))
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.next += usize::from(found);
        found
    }

    fn eat_symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Symbol(found)) if *found == symbol);
        self.next += usize::from(found);
        found
    }

    fn expect_symbol(&mut self, symbol: &str) -> Result<(), FilterError> {
        match self.eat_symbol(symbol) {
            true => Ok(()),
            false => Err(self.unexpected(&format!("`{symbol}`"))),
        }
    }

    fn deeper(&mut self, parse: fn(&mut Self) -> Parsed) -> Parsed {
        if self.depth == DEPTH_MAX {
            return Err(FilterError::syntax(self.at(), "it is nested too deeply"));
        }
        self.depth += 1;
        let tree = parse(self);
        self.depth -= 1;
        tree
    }

    fn expression(&mut self) -> Parsed {
        self.deeper(Parser::or)
    }

    fn or(&mut self) -> Parsed {
        let mut left = self.xor()?;
        loop {
            let at = self.at();
            if self.eat_word("OR") {
                left = two(Kind::Or, left, self.xor()?, at);
            } else if self.eat_symbol("||") {
                let reason = "servers take `||` for OR or for joining texts; write OR";
                return Err(FilterError::unsupported(at, reason));
            } else {
                return Ok(left);
            }
        }
    }

    fn xor(&mut self) -> Parsed {
        let mut left = self.and()?;
        loop {
            let at = self.at();
            if !self.eat_word("XOR") {
                return Ok(left);
            }
            left = two(Kind::Xor, left, self.and()?, at);
        }
    }

    fn and(&mut self) -> Parsed {
        let mut left = self.not()?;
        loop {
            let at = self.at();
            if !self.eat_word("AND") && !self.eat_symbol("&&") {
                return Ok(left);
            }
            left = two(Kind::And, left, self.not()?, at);
        }
    }

    fn not(&mut self) -> Parsed {
        let at = self.at();
        if self.eat_word("NOT") {
            let inner = self.deeper(Parser::not)?;
            return Ok(one(Kind::Not, inner, at));
        }
        let tree = self.comparison()?;
        let at = self.at();
        let begin = self.next;
        if !self.eat_word("IS") {
            return Ok(tree);
        }
        let negated = self.eat_word("NOT");
        let wanted = [
            ("TRUE", Some(true)),
            ("FALSE", Some(false)),
            ("UNKNOWN", None),
        ];
        let Some((_, value)) = wanted.iter().find(|(word, _)| self.is_word(word)) else {
            self.next = begin;
            return Err(self.unexpected("TRUE, FALSE, UNKNOWN or NULL behind IS"));
        };
        self.next += 1;
        let is = Tree {
            kind: Kind::Is(Box::new(tree), *value),
            at,
        };
        Ok(if negated { one(Kind::Not, is, at) } else { is })
    }

    fn comparison(&mut self) -> Parsed {
        let mut left = self.predicate()?;
        loop {
            let at = self.at();
            if let Some(operator) = self.comparison_operator()? {
                if self.is_word("ANY") || self.is_word("ALL") || self.is_word("SOME") {
                    return Err(FilterError::unsupported(
                        self.at(),
                        "subqueries are not taken",
                    ));
                }
                let right = self.predicate()?;
                left = Tree {
                    kind: Kind::Compare(operator, Box::new(left), Box::new(right)),
                    at,
                };
            } else if self.is_word("IS") {
                let begin = self.next;
                self.next += 1;
                let negated = self.eat_word("NOT");
                if !self.eat_word("NULL") {
                    self.next = begin;
                    return Ok(left);
                }
                left = one(Kind::IsNull, left, at);
                if negated {
                    left = one(Kind::Not, left, at);
                }
            } else {
                return Ok(left);
            }
        }
    }

    fn comparison_operator(&mut self) -> Result<Option<&'static str>, FilterError> {
        let Some(Token::Symbol(symbol)) = self.peek() else {
            return Ok(None);
        };
        let operator = match *symbol {
            "!=" => "<>",
            "=" | "<>" | "<" | "<=" | ">" | ">=" => symbol,
            "<=>" => {
                let reason =
                    "MySQL 5.6 gives NULL for `<=>` inside of conditions; use = and IS NULL";
                return Err(FilterError::unsupported(self.at(), reason));
            }
            _ => return Ok(None),
        };
        self.next += 1;
        Ok(Some(operator))
    }

    fn predicate(&mut self) -> Parsed {
        let left = self.sum()?;
        let at = self.at();
        let negated = self.eat_word("NOT");
        let tree = if self.eat_word("IN") {
            self.list(left, at)?
        } else if self.eat_word("BETWEEN") {
            let low = self.sum()?;
            if !self.eat_word("AND") {
                return Err(self.unexpected("AND"));
            }
            let high = self.deeper(Parser::predicate)?;
            Tree {
                kind: Kind::Between(Box::new(left), Box::new(low), Box::new(high)),
                at,
            }
        } else if self.eat_word("LIKE") {
            let pattern = self.simple()?;
            let escape = match self.eat_word("ESCAPE") {
                true => Some(Box::new(self.simple()?)),
                false => None,
            };
            Tree {
                kind: Kind::Like(Box::new(left), Box::new(pattern), escape),
                at,
            }
        } else if negated {
            return Err(self.unexpected("IN, BETWEEN or LIKE behind NOT"));
        } else {
            return Ok(left);
        };
        Ok(if negated {
            one(Kind::Not, tree, at)
        } else {
            tree
        })
    }

    fn list(&mut self, left: Tree, at: usize) -> Parsed {
        self.expect_symbol("(")?;
        let mut members = vec![self.expression()?];
        while self.eat_symbol(",") {
            members.push(self.expression()?);
        }
        self.expect_symbol(")")?;
        Ok(Tree {
            kind: Kind::In(Box::new(left), members),
            at,
        })
    }

    fn sum(&mut self) -> Parsed {
        let mut left = self.product()?;
        loop {
            let at = self.at();
            let operator = match self.peek() {
                Some(Token::Symbol(symbol @ ("+" | "-"))) => *symbol,
                _ => return Ok(left),
            };
            self.next += 1;
            left = arithmetic(operator, left, self.product()?, at);
        }
    }

    fn product(&mut self) -> Parsed {
        let mut left = self.simple()?;
        loop {
            let at = self.at();
            let operator = match self.peek() {
                Some(Token::Symbol(symbol @ ("*" | "/" | "%"))) => *symbol,
                Some(Token::Word(word)) if word.eq_ignore_ascii_case("DIV") => "DIV",
                Some(Token::Word(word)) if word.eq_ignore_ascii_case("MOD") => "%",
                _ => return Ok(left),
            };
            self.next += 1;
            left = arithmetic(operator, left, self.simple()?, at);
        }
    }

    fn simple(&mut self) -> Parsed {
        let at = self.at();
        if self.eat_symbol("-") {
            let inner = self.deeper(Parser::simple)?;
            return Ok(one(Kind::Negative, inner, at));
        }
        if self.eat_symbol("+") {
            return self.deeper(Parser::simple);
        }
        if self.eat_symbol("(") {
            let inner = self.expression()?;
            if self.eat_symbol(",") {
                return Err(FilterError::unsupported(at, "rows of values are not taken"));
            }
            self.expect_symbol(")")?;
            return Ok(inner);
        }
        let Some(token) = self.peek().cloned() else {
            return Err(self.unexpected("a value"));
        };
        let begin = self.next;
        self.next += 1;
        let kind = match token {
            Token::Text(text) => Kind::Text(text),
            Token::Bytes(bytes) => Kind::Bytes(bytes),
            Token::Integer(digits) => Kind::Integer(digits),
            Token::Decimal(digits) => Kind::Decimal(digits),
            Token::Float => Kind::Float,
            Token::Name(name) => Kind::Column(name),
            Token::Word(word) => self.word(&word, at)?,
            Token::Symbol(_) => {
                self.next = begin;
                return Err(self.unexpected("a value"));
            }
        };
        Ok(Tree { kind, at })
    }

    fn word(&mut self, word: &str, at: usize) -> Result<Kind, FilterError> {
        let upper = word.to_ascii_uppercase();
        if let Some(Token::Text(text)) = self.peek() {
            let kind = ["DATE", "TIME", "TIMESTAMP"]
                .into_iter()
                .find(|kind| *kind == upper);
            let Some(kind) = kind else {
                return Err(FilterError::unsupported(
                    at,
                    format!("`{word}` before a text is not taken"),
                ));
            };
            let text = text.clone();
            self.next += 1;
            return Ok(Kind::Moment(kind, text));
        }
        if self.eat_symbol("(") {
            let mut arguments = Vec::new();
            if !self.eat_symbol(")") {
                arguments.push(self.expression()?);
                while self.eat_symbol(",") {
                    arguments.push(self.expression()?);
                }
                self.expect_symbol(")")?;
            }
            return Ok(Kind::Call(upper, arguments));
        }
        Ok(match upper.as_str() {
            "NULL" => Kind::Null,
            "TRUE" => Kind::Boolean(true),
            "FALSE" => Kind::Boolean(false),
            _ if RESERVED.contains(&upper.as_str()) => {
                return Err(FilterError::unsupported(
                    at,
                    format!("`{word}` is not taken here"),
                ));
            }
            _ => Kind::Column(word.to_owned()),
        })
    }
}

/// Words that servers take for something else than a column.
const RESERVED: [&str; 31] = [
    "ALL",
    "AND",
    "ANY",
    "AS",
    "BETWEEN",
    "BINARY",
    "CASE",
    "COLLATE",
    "CONVERT",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "DEFAULT",
    "DIV",
    "EXISTS",
    "IN",
    "INTERVAL",
    "IS",
    "LIKE",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "MOD",
    "NOT",
    "OR",
    "REGEXP",
    "RLIKE",
    "SELECT",
    "UTC_DATE",
    "WHEN",
    "XOR",
];

fn one(kind: fn(Box<Tree>) -> Kind, inner: Tree, at: usize) -> Tree {
    Tree {
        kind: kind(Box::new(inner)),
        at,
    }
}

fn two(kind: fn(Box<Tree>, Box<Tree>) -> Kind, left: Tree, right: Tree, at: usize) -> Tree {
    Tree {
        kind: kind(Box::new(left), Box::new(right)),
        at,
    }
}

fn arithmetic(operator: &'static str, left: Tree, right: Tree, at: usize) -> Tree {
    Tree {
        kind: Kind::Arithmetic(operator, Box::new(left), Box::new(right)),
        at,
    }
}
