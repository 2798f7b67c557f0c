//! From tokens to a tree.

use crate::fault::{Mistake, ScriptError, Span};
use crate::lexer::{Lexer, Token};
use crate::signature;
use crate::syntax::{Call, Form, Node, Variable};

/// Deeper nesting is refused, so that no script exhausts the stack.
const DEPTH_MAX: usize = 64;
/// Longer scripts are refused.
const SCRIPT_BYTES_MAX: usize = 64 * 1024;
/// The prefix of older scripts.
const PREFIX: &str = "script:";

const VARIABLES: [(&str, Variable); 11] = [
    ("__DB__", Variable::Database),
    ("__TB__", Variable::Table),
    ("__OPERATION__", Variable::Operation),
    ("__OP_INSERT__", Variable::Insert),
    ("__OP_UPDATE__", Variable::Update),
    ("__OP_DELETE__", Variable::Delete),
    ("__COMMIT_TIMESTAMP__", Variable::CommitTime),
    ("__SCN__", Variable::Position),
    ("__BEFORE__", Variable::Before),
    ("__AFTER__", Variable::After),
    ("NEW", Variable::New),
];

/// Reads one expression, up to the end of the text.
pub(crate) fn parse(text: &str) -> Result<Node, ScriptError> {
    if text.len() > SCRIPT_BYTES_MAX {
        return Err(Mistake::Bound.at(
            Span::new(SCRIPT_BYTES_MAX, text.len()),
            format!("the script is longer than {SCRIPT_BYTES_MAX} bytes"),
            "Write a shorter script.",
        ));
    }
    let space = text.len() - text.trim_start().len();
    let prefix = match text[space..].starts_with(PREFIX) {
        true => space + PREFIX.len(),
        false => 0,
    };
    let mut parser = Parser::new(text, prefix)?;
    let node = parser.expression()?;
    match parser.token {
        Token::End => Ok(node),
        Token::Sign(_) => Err(parser.unexpected("the end of the script")),
        _ => Err(Mistake::SeveralExpressions.at(
            parser.span,
            "a second expression begins here",
            "A script is one expression: combine several with e_compose(a, b).",
        )),
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token,
    span: Span,
    /// Of the token before.
    last: Span,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, at: usize) -> Result<Parser<'a>, ScriptError> {
        let mut lexer = Lexer::new(text, at);
        let (token, span) = lexer.next()?;
        Ok(Parser {
            lexer,
            token,
            span,
            last: Span::new(at, at),
            depth: 0,
        })
    }

    fn take(&mut self) -> Result<Token, ScriptError> {
        let (token, span) = self.lexer.next()?;
        self.last = std::mem::replace(&mut self.span, span);
        Ok(std::mem::replace(&mut self.token, token))
    }

    fn eat(&mut self, sign: char) -> Result<bool, ScriptError> {
        let found = self.token == Token::Sign(sign);
        if found {
            self.take()?;
        }
        Ok(found)
    }

    fn expect(&mut self, sign: char) -> Result<(), ScriptError> {
        match self.eat(sign)? {
            true => Ok(()),
            false => Err(self.unexpected(&format!("'{sign}'"))),
        }
    }

    fn unexpected(&self, wanted: &str) -> ScriptError {
        Mistake::Syntax.at(
            self.span,
            format!("expected {wanted}, found {}", self.token.name()),
            "Check commas and parentheses before this place.",
        )
    }

    /// `sum`, or `condition ? a : b`.
    fn expression(&mut self) -> Result<Node, ScriptError> {
        self.enter()?;
        let condition = self.sum()?;
        let node = if self.eat('?')? {
            let yes = self.expression()?;
            self.expect(':')?;
            let no = self.expression()?;
            let span = condition.span.to(no.span);
            Node {
                span,
                form: Form::Choice(Box::new([condition, yes, no])),
            }
        } else {
            condition
        };
        self.depth -= 1;
        Ok(node)
    }

    fn enter(&mut self) -> Result<(), ScriptError> {
        self.depth += 1;
        match self.depth > DEPTH_MAX {
            true => Err(Mistake::Bound.at(
                self.span,
                format!("expressions are nested deeper than {DEPTH_MAX}"),
                "Write the expression flatter: e_compose, e_switch and op_add take many arguments.",
            )),
            false => Ok(()),
        }
    }

    fn sum(&mut self) -> Result<Node, ScriptError> {
        self.chain(&['+', '-'], Parser::product)
    }

    fn product(&mut self) -> Result<Node, ScriptError> {
        self.chain(&['*', '/'], Parser::negative)
    }

    /// Operands with signs between them, grouped from the left; the tree may be as deep as an expression.
    fn chain(
        &mut self,
        signs: &[char],
        operand: fn(&mut Parser<'a>) -> Result<Node, ScriptError>,
    ) -> Result<Node, ScriptError> {
        let mut left = operand(self)?;
        let depth = self.depth;
        while let Token::Sign(sign) = self.token {
            if !signs.contains(&sign) {
                break;
            }
            self.take()?;
            self.enter()?;
            let right = operand(self)?;
            let span = left.span.to(right.span);
            left = Node {
                span,
                form: Form::Sign(sign, Box::new([left, right])),
            };
        }
        self.depth = depth;
        Ok(left)
    }

    fn negative(&mut self) -> Result<Node, ScriptError> {
        let start = self.span;
        if !self.eat('-')? {
            return self.primary();
        }
        self.enter()?;
        let inner = self.negative()?;
        self.depth -= 1;
        let span = start.to(inner.span);
        let form = match inner.form {
            Form::Integer(number) if number > 0 => Form::Integer(-number),
            Form::Fraction(digits) if !digits.starts_with('-') => {
                Form::Fraction(format!("-{digits}"))
            }
            form => Form::Negative(Box::new(Node { form, ..inner })),
        };
        Ok(Node { span, form })
    }

    fn primary(&mut self) -> Result<Node, ScriptError> {
        let span = self.span;
        if self.token == Token::Sign('(') {
            self.take()?;
            let inner = self.expression()?;
            self.expect(')')?;
            return Ok(Node {
                span: span.to(self.last),
                ..inner
            });
        }
        if matches!(self.token, Token::Sign(_) | Token::End) {
            return Err(self.unexpected("a value or a function"));
        }
        let form = match self.take()? {
            Token::Integer(number) => Form::Integer(integer(number, span)?),
            Token::Fraction(digits) => Form::Fraction(digits),
            Token::Text(text) => Form::Text(text),
            Token::Column(name) => Form::Column(name),
            Token::Word(word) if self.token == Token::Sign('(') => self.call(&word, span)?,
            Token::Word(word) => word_form(&word, span)?,
            Token::Sign(_) | Token::End => return Err(self.unexpected("a value")),
        };
        Ok(Node {
            span: span.to(self.last),
            form,
        })
    }

    fn call(&mut self, name: &str, span: Span) -> Result<Form, ScriptError> {
        let signature = signature::find(name, span)?;
        self.expect('(')?;
        let mut call = Call {
            signature,
            arguments: Vec::new(),
            named: Vec::new(),
        };
        if !self.eat(')')? {
            loop {
                self.argument(&mut call)?;
                if self.eat(')')? {
                    break;
                }
                if !self.eat(',')? {
                    return Err(self.unexpected("',' or ')'"));
                }
            }
        }
        signature.check(&call, span.to(self.last))?;
        Ok(Form::Call(call))
    }

    fn argument(&mut self, call: &mut Call) -> Result<(), ScriptError> {
        let value = match (&self.token, self.name_ahead()) {
            (Token::Word(word), true) => {
                let (name, span) = (call.signature.named(word, self.span)?, self.span);
                self.take()?;
                self.expect('=')?;
                let value = self.expression()?;
                if call.named.iter().any(|(other, _)| *other == name) {
                    return Err(Mistake::Arguments.at(
                        span,
                        format!("argument '{name}' is given twice"),
                        "Give each argument once.",
                    ));
                }
                call.named.push((name, value));
                return Ok(());
            }
            _ => self.expression()?,
        };
        if let Some((name, _)) = call.named.first() {
            return Err(Mistake::Arguments.at(
                value.span,
                format!("an argument without a name stands behind '{name}='"),
                "Give arguments with names last.",
            ));
        }
        call.arguments.push(value);
        Ok(())
    }

    /// True where the token behind this one is `=`.
    fn name_ahead(&self) -> bool {
        self.lexer.peek_sign('=')
    }
}

fn integer(number: u128, span: Span) -> Result<i128, ScriptError> {
    match u64::try_from(number) {
        Ok(number) => Ok(number.into()),
        Err(_) => Err(Mistake::Literal.at(
            span,
            "a number is larger than a BIGINT UNSIGNED can be",
            "Write it with a point, like 1.0, to compute with a DECIMAL or a float.",
        )),
    }
}

fn word_form(word: &str, span: Span) -> Result<Form, ScriptError> {
    match word {
        "true" => return Ok(Form::Bool(true)),
        "false" => return Ok(Form::Bool(false)),
        "null" | "NULL" => return Ok(Form::Null),
        "__ROW_ID__" => {
            return Err(Mistake::NotHere.at(
                span,
                "MySQL has no row id",
                "Use the columns of the primary key.",
            ));
        }
        _ => {}
    }
    if let Some((_, variable)) = VARIABLES.iter().find(|(name, _)| *name == word) {
        return Ok(Form::Variable(*variable));
    }
    let hint = match signature::exists(word) {
        true => format!("A function needs parentheses, like {word}()."),
        false => format!("A column stands in backticks, like `{word}`, a text in quotes."),
    };
    Err(Mistake::UnknownVariable.at(span, format!("nothing is called '{word}'"), hint))
}
