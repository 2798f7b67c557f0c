//! The tree of a script, with places. Functions are known by name and count of arguments, tables are not.

use crate::fault::Span;
use crate::signature::Signature;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) form: Form,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Form {
    Integer(i128),
    Fraction(String),
    Text(String),
    Bool(bool),
    Null,
    Column(String),
    Variable(Variable),
    Negative(Box<Node>),
    /// `+ - * /`.
    Sign(char, Box<[Node; 2]>),
    Choice(Box<[Node; 3]>),
    Call(Call),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) signature: &'static Signature,
    pub(crate) arguments: Vec<Node>,
    pub(crate) named: Vec<(&'static str, Node)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variable {
    Database,
    Table,
    Operation,
    Insert,
    Update,
    Delete,
    CommitTime,
    Position,
    Before,
    After,
    New,
}
