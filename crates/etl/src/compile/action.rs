//! Functions that act on the record.

use wherry_model::ColumnKind;

use super::Compiler;
use super::text::constant_bool;
use crate::expression::{Action, Set, TailReplace};
use crate::fault::{Mistake, ScriptError, Span};
use crate::reader::Reader;
use crate::render::Writer;
use crate::signature::Function;
use crate::syntax::{Call, Form, Node, Variable};
use crate::value::{Kind, Value};

type Acting = Result<Action, ScriptError>;

impl Compiler<'_> {
    pub(crate) fn action(&mut self, node: &Node) -> Acting {
        let Form::Call(call) = &node.form else {
            return Err(not_an_action(node.span));
        };
        let arguments = &call.arguments;
        match call.signature.function {
            Function::If => self.all_of(arguments),
            Function::IfElse => self.first_of(&arguments[..2], Some(&arguments[2])),
            Function::Switch => {
                let default = call.named.first().map(|(_, node)| node);
                self.first_of(arguments, default)
            }
            Function::Compose => {
                let actions: Result<Vec<Action>, ScriptError> = arguments
                    .iter()
                    .map(|argument| self.action(argument))
                    .collect();
                Ok(sequence(actions?))
            }
            Function::Drop => Ok(Action::Drop),
            Function::Keep => self.keep(&arguments[0]),
            Function::Set => self.set(arguments, node.span),
            Function::TailReplace => self.tail_replace(call, node.span),
            _ => Err(not_an_action(node.span)),
        }
    }

    /// Every action whose condition is true.
    fn all_of(&mut self, arguments: &[Node]) -> Acting {
        let mut actions = Vec::new();
        for pair in arguments.chunks_exact(2) {
            let action = self.first_of(pair, None)?;
            actions.push(action);
        }
        Ok(sequence(actions))
    }

    /// The action of the first true condition. What stands behind a constant condition may be dead.
    fn first_of(&mut self, arguments: &[Node], default: Option<&Node>) -> Acting {
        let mut cases = Vec::new();
        let mut otherwise = default;
        for pair in arguments.chunks_exact(2) {
            let condition = self.condition(&pair[0])?;
            match condition.truth() {
                Some(false) => {}
                Some(true) => {
                    otherwise = Some(&pair[1]);
                    break;
                }
                None => cases.push((condition, self.action(&pair[1])?)),
            }
        }
        let otherwise = match otherwise {
            Some(node) => self.action(node)?,
            None => Action::Nothing,
        };
        if cases.is_empty() {
            return Ok(otherwise);
        }
        Ok(Action::Choose {
            cases,
            otherwise: Box::new(otherwise),
        })
    }

    fn keep(&mut self, condition: &Node) -> Acting {
        let condition = self.condition(condition)?;
        Ok(match condition.truth() {
            Some(true) => Action::Nothing,
            Some(false) => Action::Drop,
            None => Action::Choose {
                cases: vec![(condition, Action::Nothing)],
                otherwise: Box::new(Action::Drop),
            },
        })
    }

    fn set(&mut self, arguments: &[Node], span: Span) -> Acting {
        if let Some(third) = arguments.get(2) {
            return Err(retyping(third));
        }
        let (place, value) = (&arguments[0], &arguments[1]);
        let name = match &place.form {
            Form::Column(name) => name,
            Form::Variable(Variable::Operation) => return self.set_operation(value),
            _ => {
                return Err(Mistake::Type.at(
                    place.span,
                    "only a column or __OPERATION__ can be assigned",
                    "Write a column name in backticks.",
                ));
            }
        };
        let column = self.column(name, place.span)?;
        let source = self.source(column, place.span, value)?;
        self.check_null_policy(column, &source, span)?;
        Ok(Action::Set(Box::new(Set {
            column,
            span,
            source,
        })))
    }

    fn set_operation(&mut self, value: &Node) -> Acting {
        let value = self.wanted(value, Kind::Operation)?;
        match value.value() {
            Some(Value::Null) => Err(Mistake::Type.at(
                value.span,
                "an operation cannot be NULL",
                "Assign __OP_INSERT__, __OP_UPDATE__ or __OP_DELETE__.",
            )),
            _ => Ok(Action::SetOperation(value)),
        }
    }

    fn tail_replace(&mut self, call: &Call, span: Span) -> Acting {
        let search = self.wanted(&call.arguments[0], Kind::Text)?;
        let replacement = self.wanted(&call.arguments[1], Kind::Text)?;
        let named = call.named.first().map(|(_, node)| node);
        let all = match call.arguments.get(2).or(named) {
            Some(node) => constant_bool(node)?,
            None => true,
        };
        let mut columns = Vec::new();
        for (index, column) in self.table.columns.iter().enumerate() {
            let is_text = matches!(
                column.kind,
                ColumnKind::Char { .. } | ColumnKind::Varchar { .. } | ColumnKind::Text
            );
            if !is_text || column.generated || self.table.is_left_out(index) {
                continue;
            }
            let (reader, writer) = match (Reader::of(column), Writer::of(column)) {
                (Ok(reader), Ok(writer)) => (reader, writer),
                (Err((mistake, reason)), _) | (_, Err((mistake, reason))) => {
                    return Err(mistake.at(
                        span,
                        format!("column `{}`: {reason}", column.name),
                        "Replace in single columns with e_set and str_replace.",
                    ));
                }
            };
            if self.null_errors && !column.nullable {
                return Err(Mistake::NullPolicy.at(
                    span,
                    format!(
                        "errors become NULL, and column `{}` takes none",
                        column.name
                    ),
                    "Choose the policy fail or skip, or replace in single columns.",
                ));
            }
            columns.push((index, reader, writer));
        }
        Ok(Action::TailReplace(Box::new(TailReplace {
            span,
            columns,
            search,
            replacement,
            all,
        })))
    }
}

/// Actions in order, without those that do nothing for this table.
fn sequence(mut actions: Vec<Action>) -> Action {
    actions.retain(|action| !matches!(action, Action::Nothing));
    match actions.len() {
        0 => Action::Nothing,
        1 => actions.remove(0),
        _ => Action::Sequence(actions),
    }
}

fn not_an_action(span: Span) -> ScriptError {
    Mistake::Place.at(
        span,
        "a value stands where an action is expected",
        "Actions are e_if, e_if_else, e_switch, e_compose, e_set, e_drop, e_keep and tail_replace_string_field.",
    )
}

fn retyping(third: &Node) -> ScriptError {
    match third.form {
        Form::Variable(Variable::New) => Mistake::New.at(
            third.span,
            "NEW would give the column another type, and the target's column has the source's",
            "Leave NEW out, or add a column of the wanted type and assign that.",
        ),
        _ => Mistake::Arguments.at(
            third.span,
            "'e_set' got a third argument",
            "Give it a column and a value.",
        ),
    }
}
