//! What is assigned to a column: a copy, a constant in its final bytes, or an expression with its writer.

use wherry_model::Column;

use super::{Compiler, kinds};
use crate::expression::{Expr, Source};
use crate::fault::{Mistake, Reason, ScriptError, Span};
use crate::render::Writer;
use crate::syntax::{Form, Node};

impl Compiler<'_> {
    pub(super) fn source(
        &mut self,
        column: usize,
        place: Span,
        value: &Node,
    ) -> Result<Source, ScriptError> {
        let target = &self.table.columns[column];
        if self.table.is_left_out(column) {
            return Err(not_assignable(
                target,
                place,
                "the target's table does not have it",
            ));
        }
        if !target.generated
            && let Some((from, image)) = self.plain_column(value)?
            && same_bytes(&self.table.columns[from], target)
        {
            let nullable = target.nullable;
            return Ok(Source::Copy {
                column: from,
                image,
                nullable,
            });
        }
        let writer = match Writer::of(target) {
            Ok(writer) => writer,
            Err((Mistake::NotAssignable, _)) if !target.generated && is_null(value) => {
                return null_constant(target, value.span);
            }
            Err((mistake, reason)) => {
                let name = &target.name;
                return Err(match mistake {
                    Mistake::NotAssignable => not_assignable(target, place, &reason),
                    mistake => mistake.at(
                        place,
                        format!("column `{name}`: {reason}"),
                        "Convert the column to utf8mb4 in the source, or leave it out.",
                    ),
                });
            }
        };
        let expression = self.assignable(&writer, target, value)?;
        let Some(constant) = expression.value() else {
            return Ok(Source::Computed(expression, writer));
        };
        let bytes = writer
            .render(constant.borrowed())
            .map_err(|reason| reason.in_script(value.span))?;
        Ok(Source::Constant(bytes.map(std::borrow::Cow::into_owned)))
    }

    /// The value, with constants read as the column's kind.
    pub(crate) fn assignable(
        &mut self,
        writer: &Writer,
        target: &Column,
        value: &Node,
    ) -> Result<Expr, ScriptError> {
        let expression = self.expression(value)?;
        // The writer converts numbers, because it knows which digits the column loses.
        if expression.kind.is_number() && writer.wanted().is_number() {
            return Ok(expression);
        }
        let expression = match kinds::fit(expression, writer.wanted())? {
            Ok(expression) => expression,
            Err(expression) if writer.takes(expression.kind) => expression,
            Err(expression) => {
                let hint = kinds::conversion_hint(expression.kind, writer.wanted());
                return Err(Mistake::ColumnType.at(
                    value.span,
                    format!(
                        "a value of type {} does not fit column `{}` of type {}",
                        expression.kind.name(),
                        target.name,
                        target.column_type
                    ),
                    hint,
                ));
            }
        };
        Ok(expression)
    }

    /// Where errors become NULL, the column must take it. Constants cannot fail, and copies of columns that are
    /// never NULL.
    pub(super) fn check_null_policy(
        &self,
        column: usize,
        source: &Source,
        span: Span,
    ) -> Result<(), ScriptError> {
        let target = &self.table.columns[column];
        let safe = match source {
            Source::Constant(_) => true,
            Source::Copy { column, .. } => !self.table.columns[*column].nullable,
            Source::Computed(..) => false,
        };
        if !self.null_errors || target.nullable || safe {
            return Ok(());
        }
        Err(Mistake::NullPolicy.at(
            span,
            format!(
                "errors become NULL, and column `{}` takes none",
                target.name
            ),
            "Choose the policy fail or skip, or make the column nullable.",
        ))
    }
}

fn is_null(node: &Node) -> bool {
    matches!(node.form, Form::Null)
}

/// NULL for a column that takes no other value from a script.
fn null_constant(target: &Column, span: Span) -> Result<Source, ScriptError> {
    match target.nullable {
        true => Ok(Source::Constant(None)),
        false => Err(Reason::Null.in_script(span)),
    }
}

/// True where the bytes of one column are a value of the other.
fn same_bytes(from: &Column, to: &Column) -> bool {
    from.kind == to.kind && from.column_type == to.column_type && from.charset == to.charset
}

fn not_assignable(column: &Column, span: Span, reason: &str) -> ScriptError {
    Mistake::NotAssignable.at(
        span,
        format!("column `{}` cannot be assigned: {reason}", column.name),
        "Assign another column, or copy one of the same type.",
    )
}
