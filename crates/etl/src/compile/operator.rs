//! Arithmetic, comparisons, conditions and membership.

use std::collections::HashSet;

use super::{Compiled, Compiler, fold, kinds, literal};
use crate::expression::{Code, Comparison, Expr, MemberValues, Members};
use crate::fault::{Mistake, ScriptError, Span};
use crate::number::{self, Arithmetic};
use crate::signature::Function;
use crate::syntax::{Call, Form, Node};
use crate::value::{Kind, Value};

impl Compiler<'_> {
    pub(super) fn operator(&mut self, call: &Call, span: Span) -> Compiled {
        use Function as F;
        let arguments = &call.arguments;
        match call.signature.function {
            F::Sum => self.arithmetic(Arithmetic::Add, arguments, span),
            F::Subtract => self.arithmetic(Arithmetic::Subtract, arguments, span),
            F::Multiply => self.arithmetic(Arithmetic::Multiply, arguments, span),
            F::Divide => self.arithmetic(Arithmetic::Divide, arguments, span),
            F::Modulo => self.arithmetic(Arithmetic::Modulo, arguments, span),
            F::Round => self.round(arguments, span),
            F::Equal => self.comparison(Comparison::Equal, arguments, span),
            F::NotEqual => self.comparison(Comparison::NotEqual, arguments, span),
            F::Greater => self.comparison(Comparison::Greater, arguments, span),
            F::Less => self.comparison(Comparison::Less, arguments, span),
            F::GreaterOrEqual => self.comparison(Comparison::GreaterOrEqual, arguments, span),
            F::LessOrEqual => self.comparison(Comparison::LessOrEqual, arguments, span),
            F::And => self.junction(arguments, false, span),
            F::Or => self.junction(arguments, true, span),
            F::Not => {
                let condition = Box::new(self.condition(&arguments[0])?);
                fold(Expr::new(Kind::Bool, Code::Not(condition), span))
            }
            F::In => self.membership(arguments, span),
            F::IsNull => self.null_test(&arguments[0], true, span),
            _ => self.null_test(&arguments[0], false, span),
        }
    }

    fn arithmetic(&mut self, kind: Arithmetic, arguments: &[Node], span: Span) -> Compiled {
        let (one, two) = (
            self.expression(&arguments[0])?,
            self.expression(&arguments[1])?,
        );
        kinds::arithmetic(kind, one, two, span)
    }

    fn round(&mut self, arguments: &[Node], span: Span) -> Compiled {
        let number = self.expression(&arguments[0])?;
        if !number.kind.is_number() && number.kind != Kind::Null {
            return Err(Mistake::Type.at(
                number.span,
                format!(
                    "expected a number, found a value of type {}",
                    number.kind.name()
                ),
                "Only numbers can be rounded.",
            ));
        }
        let places = self.wanted(&arguments[1], Kind::Integer)?;
        let kind = number.kind;
        fold(Expr::new(
            kind,
            Code::Round(Box::new([number, places])),
            span,
        ))
    }

    fn comparison(&mut self, comparison: Comparison, arguments: &[Node], span: Span) -> Compiled {
        let (one, two) = (
            self.expression(&arguments[0])?,
            self.expression(&arguments[1])?,
        );
        let (one, two) = kinds::unify(one, two, span)?;
        let equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        if one.kind == Kind::Operation && !equality {
            return Err(Mistake::Type.at(
                span,
                "operations have no order",
                "Compare them with op_eq or op_ne.",
            ));
        }
        fold(Expr::new(
            Kind::Bool,
            Code::Compare(comparison, Box::new([one, two])),
            span,
        ))
    }

    /// AND, or OR where `decisive` is true. A constant operand that decides makes the other one dead, so that
    /// its mistakes are those of other tables.
    fn junction(&mut self, arguments: &[Node], decisive: bool, span: Span) -> Compiled {
        let (one, two) = (self.condition(&arguments[0]), self.condition(&arguments[1]));
        let is = |operand: &Compiled, truth: bool| {
            let value = operand.as_ref().ok().and_then(Expr::value);
            matches!(value, Some(Value::Bool(value)) if *value == truth)
        };
        if is(&one, decisive) || is(&two, decisive) {
            return Ok(Expr::constant(Kind::Bool, Value::Bool(decisive), span));
        }
        if is(&one, !decisive) {
            return two;
        }
        if is(&two, !decisive) {
            return one;
        }
        let both = Box::new([one?, two?]);
        let code = if decisive {
            Code::Or(both)
        } else {
            Code::And(both)
        };
        fold(Expr::new(Kind::Bool, code, span))
    }

    /// A column is tested without reading its value, so that it may be of any type.
    fn null_test(&mut self, node: &Node, wanted: bool, span: Span) -> Compiled {
        let column = self.plain_column(node)?;
        let value = match column {
            Some(_) => None,
            None => Some(Box::new(self.expression(node)?)),
        };
        let code = Code::IsNull {
            wanted,
            column,
            value,
        };
        fold(Expr::new(Kind::Bool, code, span))
    }

    fn membership(&mut self, arguments: &[Node], span: Span) -> Compiled {
        let value = self.expression(&arguments[0])?;
        let members = self.json_array(&arguments[1])?;
        let list = arguments[1].span;
        let members = member_values(&members, value.kind, list)?;
        fold(Expr::new(
            Kind::Bool,
            Code::In(Box::new(value), members),
            span,
        ))
    }

    fn json_array(&mut self, node: &Node) -> Result<Vec<serde_json::Value>, ScriptError> {
        let hint = "Write op_in(value, json_array('[\"a\", \"b\"]')).";
        let text = match &node.form {
            Form::Call(call) if call.signature.function == Function::JsonArray => {
                self.constant_text(&call.arguments[0], "the argument of json_array")?
            }
            _ => {
                return Err(Mistake::Type.at(
                    node.span,
                    "op_in wants a list from json_array",
                    hint,
                ));
            }
        };
        serde_json::from_str(&text)
            .map_err(|_| Mistake::Constant.at(node.span, "this text is not a JSON array", hint))
    }
}

fn member_values(
    members: &[serde_json::Value],
    kind: Kind,
    span: Span,
) -> Result<Members, ScriptError> {
    let mut has_null = false;
    let mut values = Vec::new();
    for member in members {
        match member_value(member, kind, span)? {
            Value::Null => has_null = true,
            value => values.push(value),
        }
    }
    let values = match kind {
        Kind::Text => MemberValues::Texts(values.iter().filter_map(text_of).collect()),
        Kind::Integer => MemberValues::Integers(
            values
                .iter()
                .filter_map(integer_of)
                .collect::<HashSet<i128>>(),
        ),
        _ => MemberValues::Others(values),
    };
    Ok(Members { has_null, values })
}

fn text_of(value: &Value<'_>) -> Option<Box<str>> {
    match value {
        Value::Text(text) => Some(text.as_ref().into()),
        _ => None,
    }
}

fn integer_of(value: &Value<'_>) -> Option<i128> {
    match value {
        Value::Integer(number) => Some(*number),
        _ => None,
    }
}

/// A member as a value of the kind that is looked for; numbers may stand in quotes.
fn member_value(
    member: &serde_json::Value,
    kind: Kind,
    span: Span,
) -> Result<Value<'static>, ScriptError> {
    use serde_json::Value as Json;
    let digits = match member {
        Json::Number(number) => Some(number.to_string()),
        Json::String(text) => Some(text.clone()),
        _ => None,
    };
    let number = digits.as_deref().map(str::as_bytes);
    let value = match (member, kind) {
        (Json::Null, _) | (_, Kind::Null) => Some(Value::Null),
        (Json::String(text), Kind::Text) => Some(Value::Text(text.clone().into())),
        (Json::Bool(value), Kind::Bool) => Some(Value::Bool(*value)),
        (_, Kind::Integer) => number.and_then(number::read_integer).map(Value::Integer),
        (_, Kind::Decimal) => number
            .and_then(|digits| crate::decimal::Decimal::parse(digits).ok())
            .map(Value::Decimal),
        (_, Kind::Float) => number.and_then(number::read_float).map(Value::Float),
        (Json::String(text), _) => {
            let constant = literal(Kind::Text, Value::Text(text.clone().into()), span);
            let fitted = kinds::fit(constant, kind)?.ok();
            fitted.and_then(|fitted| fitted.value().cloned())
        }
        _ => None,
    };
    value.ok_or_else(|| {
        Mistake::Type.at(
            span,
            format!("a member of the list is not of type {}", kind.name()),
            "The members must be of the type of the value that is looked for.",
        )
    })
}
