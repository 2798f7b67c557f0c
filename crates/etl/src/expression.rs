//! What the compiler makes of a script: expressions and actions with every name resolved.

use std::collections::HashSet;

use regex::Regex;

use crate::fault::Span;
use crate::number::Arithmetic;
use crate::pattern::Pattern;
use crate::reader::Reader;
use crate::record::Image;
use crate::render::Writer;
use crate::signature::Function;
use crate::value::{Kind, Value};
use crate::zone::Zone;

#[derive(Debug)]
pub(crate) struct Expr {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
    pub(crate) code: Code,
    /// Written as a constant in the script, so that it takes the kind that its place wants.
    pub(crate) literal: bool,
}

#[derive(Debug)]
pub(crate) enum Code {
    Constant(Value<'static>),
    Column {
        column: usize,
        reader: Reader,
        image: Image,
    },
    Operation,
    CommitTime,
    Position,
    /// Whole seconds, or milliseconds.
    Now {
        millis: bool,
    },
    And(Box<[Expr; 2]>),
    Or(Box<[Expr; 2]>),
    Not(Box<Expr>),
    /// True where the operand is NULL; `wanted` is false for the opposite.
    IsNull {
        wanted: bool,
        column: Option<(usize, Image)>,
        value: Option<Box<Expr>>,
    },
    /// True where the operand is not NULL; its kind was tested before.
    IsText(Box<Expr>),
    Compare(Comparison, Box<[Expr; 2]>),
    Choice(Box<[Expr; 3]>),
    Arithmetic(Arithmetic, Box<[Expr; 2]>),
    Round(Box<[Expr; 2]>),
    /// To the expression's kind.
    Convert(Box<Expr>),
    In(Box<Expr>, Members),
    Concatenate(Box<[Expr]>),
    /// Pieces with a value between each two.
    Format(Box<[String]>, Box<[Expr]>),
    /// A function of texts: NULL where an argument is NULL.
    Text(Function, Box<[Expr]>),
    Mask {
        parts: Box<[Expr; 3]>,
        letter: char,
    },
    Match(Box<Expr>, Box<Regex>),
    FromEpoch {
        value: Box<Expr>,
        zone: Zone,
        unit: i64,
    },
    ToEpoch {
        value: Box<Expr>,
        zone: Zone,
        unit: i64,
    },
    Print(Box<Expr>, Pattern),
    Read(Box<Expr>, Pattern),
    AddTime(Box<Expr>, Box<[(TimeUnit, Expr)]>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
}

/// What `dt_add` adds one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeUnit {
    Months(i64),
    Micros(i64),
}

/// The list of `op_in`; a NULL in it makes "not found" unknown.
#[derive(Debug)]
pub(crate) struct Members {
    pub(crate) has_null: bool,
    pub(crate) values: MemberValues,
}

#[derive(Debug)]
pub(crate) enum MemberValues {
    Texts(HashSet<Box<str>>),
    Integers(HashSet<i128>),
    Others(Vec<Value<'static>>),
}

#[derive(Debug)]
pub(crate) enum Action {
    Nothing,
    Drop,
    Set(Box<Set>),
    SetOperation(Expr),
    /// The action of the first condition that is true.
    Choose {
        cases: Vec<(Expr, Action)>,
        otherwise: Box<Action>,
    },
    Sequence(Vec<Action>),
    TailReplace(Box<TailReplace>),
}

#[derive(Debug)]
pub(crate) struct Set {
    pub(crate) column: usize,
    pub(crate) span: Span,
    pub(crate) source: Source,
}

#[derive(Debug)]
pub(crate) enum Source {
    /// Already in the column's canonical form.
    Constant(Option<Vec<u8>>),
    /// The bytes of a column of the same type.
    Copy {
        column: usize,
        image: Image,
        nullable: bool,
    },
    Computed(Expr, Writer),
}

#[derive(Debug)]
pub(crate) struct TailReplace {
    pub(crate) span: Span,
    pub(crate) columns: Vec<(usize, Reader, Writer)>,
    pub(crate) search: Expr,
    pub(crate) replacement: Expr,
    pub(crate) all: bool,
}

impl Expr {
    pub(crate) fn constant(kind: Kind, value: Value<'static>, span: Span) -> Expr {
        Expr {
            kind,
            span,
            code: Code::Constant(value),
            literal: false,
        }
    }

    pub(crate) fn new(kind: Kind, code: Code, span: Span) -> Expr {
        Expr {
            kind,
            span,
            code,
            literal: false,
        }
    }

    pub(crate) fn value(&self) -> Option<&Value<'static>> {
        match &self.code {
            Code::Constant(value) => Some(value),
            _ => None,
        }
    }

    /// The truth value of a constant condition; NULL is not true.
    pub(crate) fn truth(&self) -> Option<bool> {
        self.value().map(|value| matches!(value, Value::Bool(true)))
    }

    /// The expressions right inside this one.
    pub(crate) fn inner(&self) -> Vec<&Expr> {
        match &self.code {
            Code::Constant(_)
            | Code::Column { .. }
            | Code::Operation
            | Code::CommitTime
            | Code::Position
            | Code::Now { .. } => Vec::new(),
            Code::And(both)
            | Code::Or(both)
            | Code::Compare(_, both)
            | Code::Arithmetic(_, both)
            | Code::Round(both) => both.iter().collect(),
            Code::Choice(parts) | Code::Mask { parts, .. } => parts.iter().collect(),
            Code::IsNull { value, .. } => value.iter().map(|value| &**value).collect(),
            Code::Not(value)
            | Code::IsText(value)
            | Code::Convert(value)
            | Code::In(value, _)
            | Code::Match(value, _)
            | Code::FromEpoch { value, .. }
            | Code::ToEpoch { value, .. }
            | Code::Print(value, _)
            | Code::Read(value, _) => vec![value],
            Code::Concatenate(values) | Code::Format(_, values) | Code::Text(_, values) => {
                values.iter().collect()
            }
            Code::AddTime(value, deltas) => {
                let deltas = deltas.iter().map(|(_, delta)| delta);
                std::iter::once(&**value).chain(deltas).collect()
            }
        }
    }

    /// True where the value depends on nothing of the record.
    pub(crate) fn is_fixed(&self) -> bool {
        let own = matches!(
            self.code,
            Code::Column { .. }
                | Code::Operation
                | Code::CommitTime
                | Code::Position
                | Code::Now { .. }
                | Code::IsNull {
                    column: Some(_),
                    ..
                }
        );
        !own && self.inner().into_iter().all(Expr::is_fixed)
    }
}
