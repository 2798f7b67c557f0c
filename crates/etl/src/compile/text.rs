//! Functions of texts: which kinds they take, and what must be a constant.

use regex::{Regex, RegexBuilder};

use super::{Compiled, Compiler, fold, kinds};
use crate::expression::{Code, Expr};
use crate::fault::{Mistake, ScriptError, Span};
use crate::signature::Function;
use crate::syntax::{Call, Form, Node};
use crate::value::{Kind, Value};

/// Bounds of a regular expression: memory of the compiled one, nesting, and how many a script has.
const REGEX_BYTES_MAX: usize = 1 << 20;
const REGEX_DEPTH_MAX: u32 = 50;
const REGEX_COUNT_MAX: usize = 100;

impl Compiler<'_> {
    pub(super) fn text_function(&mut self, call: &Call, span: Span) -> Compiled {
        let arguments = &call.arguments;
        match call.signature.function {
            Function::Concatenate => {
                let parts: Result<Vec<Expr>, ScriptError> =
                    arguments.iter().map(|part| self.expression(part)).collect();
                kinds::concatenation(parts?, span)
            }
            Function::Format => self.format(arguments, span),
            Function::RegexMatch => self.regex_match(call, span),
            Function::IsText => self.is_text(&arguments[0], span),
            Function::Mask => self.mask(arguments, span),
            function => {
                let (wanted, result) = kinds_of(function);
                let mut values = Vec::with_capacity(arguments.len());
                for (argument, kind) in arguments.iter().zip(wanted) {
                    values.push(self.wanted(argument, *kind)?);
                }
                fold(Expr::new(result, Code::Text(function, values.into()), span))
            }
        }
    }

    fn format(&mut self, arguments: &[Node], span: Span) -> Compiled {
        let text = self.constant_text(&arguments[0], "the format")?;
        let pieces: Box<[String]> = text.split("{}").map(str::to_owned).collect();
        let places = pieces.len() - 1;
        if places != arguments.len() - 1 {
            return Err(Mistake::Arguments.at(
                arguments[0].span,
                format!(
                    "the format has {places} places for {} values",
                    arguments.len() - 1
                ),
                "Write {} once for each value.",
            ));
        }
        let mut values = Vec::with_capacity(places);
        for argument in &arguments[1..] {
            let value = self.expression(argument)?;
            if matches!(value.kind, Kind::Bytes | Kind::Operation) {
                return Err(Mistake::Type.at(
                    argument.span,
                    format!("a value of type {} has no text", value.kind.name()),
                    "Leave it out of the format.",
                ));
            }
            values.push(value);
        }
        fold(Expr::new(
            Kind::Text,
            Code::Format(pieces, values.into()),
            span,
        ))
    }

    fn regex_match(&mut self, call: &Call, span: Span) -> Compiled {
        let text = self.wanted(&call.arguments[0], Kind::Text)?;
        let pattern = self.constant_text(&call.arguments[1], "the regular expression")?;
        let full = match call.named.first() {
            Some((_, value)) => constant_bool(value)?,
            None => false,
        };
        let pattern = if full {
            format!(r"\A(?:{pattern})\z")
        } else {
            pattern
        };
        self.regex_count += 1;
        if self.regex_count > REGEX_COUNT_MAX {
            return Err(Mistake::Bound.at(
                span,
                format!("the script has more than {REGEX_COUNT_MAX} regular expressions"),
                "Join some of them with '|'.",
            ));
        }
        let regex = Box::new(compile_regex(&pattern, call.arguments[1].span)?);
        fold(Expr::new(
            Kind::Bool,
            Code::Match(Box::new(text), regex),
            span,
        ))
    }

    /// Of a column whose type a script cannot read, too: that is no text.
    fn is_text(&mut self, node: &Node, span: Span) -> Compiled {
        let no = Expr::constant(Kind::Bool, Value::Bool(false), span);
        let opaque = match self.plain_column(node)? {
            Some((column, _)) => crate::reader::Reader::of(&self.table.columns[column]).is_err(),
            None => false,
        };
        if opaque {
            return Ok(no);
        }
        let value = self.expression(node)?;
        match value.kind {
            Kind::Text => fold(Expr::new(Kind::Bool, Code::IsText(Box::new(value)), span)),
            _ => Ok(no),
        }
    }

    fn mask(&mut self, arguments: &[Node], span: Span) -> Compiled {
        let text = self.wanted(&arguments[0], Kind::Text)?;
        let first = self.wanted(&arguments[1], Kind::Integer)?;
        let last = self.wanted(&arguments[2], Kind::Integer)?;
        let letters = self.constant_text(&arguments[3], "the mask")?;
        let mut letters = letters.chars();
        let (Some(letter), None) = (letters.next(), letters.next()) else {
            return Err(Mistake::Constant.at(
                arguments[3].span,
                "the mask must be one character",
                "Write it like '*'.",
            ));
        };
        if let (Some(Value::Integer(first)), Some(Value::Integer(last))) =
            (first.value(), last.value())
            && (*first < 0 || first > last)
        {
            return Err(Mistake::Constant.at(
                arguments[1].span.to(arguments[2].span),
                "the positions of the mask are not in order",
                "Write the first position, from 0 on, and the last one; both are masked.",
            ));
        }
        let parts = Box::new([text, first, last]);
        fold(Expr::new(Kind::Text, Code::Mask { parts, letter }, span))
    }
}

/// What each argument must be, and what the function gives.
fn kinds_of(function: Function) -> (&'static [Kind], Kind) {
    const T: Kind = Kind::Text;
    const N: Kind = Kind::Integer;
    match function {
        Function::Replace => (&[T, T, T, N], T),
        Function::TextToLong => (&[T], N),
        Function::LongToText => (&[N], T),
        Function::Count | Function::Find => (&[T, T], N),
        Function::Contains => (&[T, T], Kind::Bool),
        Function::IsAlphabetic | Function::IsDigits => (&[T], Kind::Bool),
        _ => (&[T, T, T], T),
    }
}

pub(super) fn constant_bool(node: &Node) -> Result<bool, ScriptError> {
    match node.form {
        Form::Bool(value) => Ok(value),
        _ => Err(Mistake::Constant.at(node.span, "expected true or false", "Write true or false.")),
    }
}

fn compile_regex(pattern: &str, span: Span) -> Result<Regex, ScriptError> {
    RegexBuilder::new(pattern)
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_BYTES_MAX)
        .nest_limit(REGEX_DEPTH_MAX)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => Mistake::Bound.at(
                span,
                "the regular expression is too large",
                "Write a smaller one, with fewer or smaller repetitions.",
            ),
            error => Mistake::Constant.at(
                span,
                "the regular expression is not valid",
                // The last line tells what is wrong; those before draw the expression again.
                error
                    .to_string()
                    .lines()
                    .last()
                    .map(|line| format!("Correct it: {}.", line.trim_start_matches("error: ")))
                    .unwrap_or_default(),
            ),
        })
}
