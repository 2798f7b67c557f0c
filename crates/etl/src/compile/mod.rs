//! From the tree to expressions and actions: names become indices, kinds are checked, constants are computed.
//!
//! A part that can never run for this table is not looked at: a script tells tables apart by conditions on
//! `__TB__`, and names columns there that other tables do not have.

mod action;
mod assign;
mod column;
mod kinds;
mod operator;
mod text;
mod time;

use wherry_model::Table;

use crate::decimal::Decimal;
use crate::expression::{Code, Expr};
use crate::fault::{Mistake, ScriptError, Span};
use crate::number::{self, Arithmetic};
use crate::record::{Context, Image, Record};
use crate::signature::Function;
use crate::syntax::{Call, Form, Node, Variable};
use crate::value::{Kind, Operation, Value};

type Compiled = Result<Expr, ScriptError>;

/// More digits are not told apart by a float, so that a constant with more of them is a decimal.
const FLOAT_DIGITS_MAX: usize = 15;

pub(crate) struct Compiler<'t> {
    pub(crate) table: &'t Table,
    /// False in the expression of an additional column, which sees one row and no record.
    pub(crate) sees_record: bool,
    /// Values that cannot be computed become NULL.
    pub(crate) null_errors: bool,
    pub(crate) regex_count: usize,
}

impl Compiler<'_> {
    pub(crate) fn expression(&mut self, node: &Node) -> Compiled {
        let span = node.span;
        match &node.form {
            Form::Integer(number) => integer(*number, span),
            Form::Fraction(digits) => fraction(digits, span),
            Form::Text(text) => Ok(literal(Kind::Text, Value::Text(text.clone().into()), span)),
            Form::Bool(value) => Ok(literal(Kind::Bool, Value::Bool(*value), span)),
            Form::Null => Ok(literal(Kind::Null, Value::Null, span)),
            Form::Column(name) => self.read_column(name, Image::Current, span),
            Form::Variable(variable) => self.variable(*variable, span),
            Form::Negative(inner) => self.negative(inner, span),
            Form::Sign(sign, both) => self.sign(*sign, both, span),
            Form::Choice(parts) => self.choice(parts, span),
            Form::Call(call) => self.call(call, span),
        }
    }

    /// An expression that is true, false or NULL.
    pub(crate) fn condition(&mut self, node: &Node) -> Compiled {
        let condition = self.expression(node)?;
        match condition.kind {
            Kind::Bool | Kind::Null => Ok(condition),
            other => Err(Mistake::Type.at(
                node.span,
                format!(
                    "a condition must be a bool, this is a value of type {}",
                    other.name()
                ),
                "Compare it with a function like op_eq or op_gt.",
            )),
        }
    }

    /// An expression of one kind, with constants read as that kind.
    pub(crate) fn wanted(&mut self, node: &Node, kind: Kind) -> Compiled {
        let expression = self.expression(node)?;
        match kinds::fit(expression, kind)? {
            Ok(expression) => Ok(expression),
            Err(other) => Err(Mistake::Type.at(
                node.span,
                format!(
                    "expected a value of type {}, found {}",
                    kind.name(),
                    other.kind.name()
                ),
                kinds::conversion_hint(other.kind, kind),
            )),
        }
    }

    /// A text that stands in the script itself, or is made of such texts and names.
    pub(crate) fn constant_text(&mut self, node: &Node, what: &str) -> Result<String, ScriptError> {
        let expression = self.wanted(node, Kind::Text)?;
        match expression.value() {
            Some(Value::Text(text)) => Ok(text.to_string()),
            _ => Err(Mistake::Constant.at(
                node.span,
                format!("{what} must be a constant text"),
                "Write it in quotes; it is read once, before any row.",
            )),
        }
    }

    fn variable(&mut self, variable: Variable, span: Span) -> Compiled {
        let text =
            |text: &str| Expr::constant(Kind::Text, Value::Text(text.to_owned().into()), span);
        let operation =
            |operation| Expr::constant(Kind::Operation, Value::Operation(operation), span);
        if matches!(
            variable,
            Variable::Operation | Variable::Insert | Variable::Update | Variable::Delete
        ) {
            self.only_in_record(span)?;
        }
        Ok(match variable {
            Variable::Database => text(&self.table.name.database),
            Variable::Table => text(&self.table.name.table),
            Variable::Operation => Expr::new(Kind::Operation, Code::Operation, span),
            Variable::Insert => operation(Operation::Insert),
            Variable::Update => operation(Operation::Update),
            Variable::Delete => operation(Operation::Delete),
            Variable::CommitTime => Expr::new(Kind::Moment, Code::CommitTime, span),
            Variable::Position => Expr::new(Kind::Text, Code::Position, span),
            Variable::Before | Variable::After | Variable::New => {
                return Err(Mistake::Place.at(
                    span,
                    "this word is no value",
                    "__BEFORE__ and __AFTER__ stand in v(`column`, __AFTER__), NEW in e_set.",
                ));
            }
        })
    }

    fn negative(&mut self, inner: &Node, span: Span) -> Compiled {
        let zero = literal(Kind::Integer, Value::Integer(0), span);
        let inner = self.expression(inner)?;
        kinds::arithmetic(Arithmetic::Subtract, zero, inner, span)
    }

    fn sign(&mut self, sign: char, both: &[Node; 2], span: Span) -> Compiled {
        let (one, two) = (self.expression(&both[0])?, self.expression(&both[1])?);
        let texts = one.kind == Kind::Text || two.kind == Kind::Text;
        match sign {
            '+' if texts => kinds::concatenation(vec![one, two], span),
            '+' => kinds::arithmetic(Arithmetic::Add, one, two, span),
            '-' => kinds::arithmetic(Arithmetic::Subtract, one, two, span),
            '*' => kinds::arithmetic(Arithmetic::Multiply, one, two, span),
            _ => kinds::arithmetic(Arithmetic::Divide, one, two, span),
        }
    }

    fn choice(&mut self, parts: &[Node; 3], span: Span) -> Compiled {
        let condition = self.condition(&parts[0])?;
        if let Some(truth) = condition.truth() {
            return self.expression(&parts[if truth { 1 } else { 2 }]);
        }
        let (yes, no) = (self.expression(&parts[1])?, self.expression(&parts[2])?);
        let (yes, no) = kinds::unify(yes, no, span)?;
        let kind = yes.kind;
        Ok(Expr::new(
            kind,
            Code::Choice(Box::new([condition, yes, no])),
            span,
        ))
    }

    fn call(&mut self, call: &Call, span: Span) -> Compiled {
        use Function as F;
        match call.signature.function {
            F::If
            | F::IfElse
            | F::Switch
            | F::Compose
            | F::Drop
            | F::Keep
            | F::Set
            | F::TailReplace => Err(Mistake::Place.at(
                span,
                format!(
                    "'{}' acts on the record and has no value",
                    call.signature.name
                ),
                "Put it outside, like e_if(condition, e_set(`column`, value)).",
            )),
            F::Image => {
                let (name, image) = self.image(call)?;
                self.read_column(name, image, span)
            }
            F::Sum
            | F::Subtract
            | F::Multiply
            | F::Divide
            | F::Modulo
            | F::Round
            | F::Equal
            | F::NotEqual
            | F::Greater
            | F::Less
            | F::GreaterOrEqual
            | F::LessOrEqual
            | F::And
            | F::Or
            | F::Not
            | F::In
            | F::IsNull
            | F::IsNotNull => self.operator(call, span),
            F::Datetime
            | F::Now
            | F::NowMillis
            | F::FromSeconds
            | F::FromMillis
            | F::ToSeconds
            | F::ToMillis
            | F::PrintTime
            | F::ReadTime
            | F::AddTime => self.time_function(call, span),
            F::JsonArray => Err(Mistake::Place.at(
                span,
                "'json_array' stands only in op_in",
                "Write op_in(value, json_array('[\"a\", \"b\"]')).",
            )),
            _ => self.text_function(call, span),
        }
    }
}

pub(crate) fn literal(kind: Kind, value: Value<'static>, span: Span) -> Expr {
    Expr {
        literal: true,
        ..Expr::constant(kind, value, span)
    }
}

fn integer(number: i128, span: Span) -> Compiled {
    number::integer(Some(number))
        .map(|number| literal(Kind::Integer, Value::Integer(number), span))
        .map_err(|reason| reason.in_script(span))
}

fn fraction(digits: &str, span: Span) -> Compiled {
    let invalid =
        || Mistake::Literal.at(span, "a number has too many digits", "Write fewer digits.");
    let significant = digits
        .bytes()
        .filter(u8::is_ascii_digit)
        .skip_while(|digit| *digit == b'0');
    if !digits.contains(['e', 'E']) && significant.count() > FLOAT_DIGITS_MAX {
        let number = Decimal::parse(digits.as_bytes()).map_err(|_| invalid())?;
        return Ok(literal(Kind::Decimal, Value::Decimal(number), span));
    }
    match number::read_float(digits.as_bytes()) {
        Some(number) => Ok(literal(Kind::Float, Value::Float(number), span)),
        None => Err(invalid()),
    }
}

/// Computes the expression where it depends on nothing of a record.
pub(crate) fn fold(expression: Expr) -> Compiled {
    let fixed = expression.value().is_none()
        && expression.is_fixed()
        && expression
            .inner()
            .iter()
            .all(|inner| inner.value().is_some());
    if !fixed {
        return Ok(expression);
    }
    let context = Context::default();
    let record = Record::new(&[], Operation::Insert, &context);
    let value = expression
        .compute(&record)
        .map_err(|error| error.reason.in_script(error.span))?
        .into_owned();
    Ok(Expr::constant(expression.kind, value, expression.span))
}
