//! The value of one column, computed for each row: for columns that only the target has.

use std::borrow::Cow;

use wherry_model::{Column, Table};

use crate::compile::Compiler;
use crate::expression::{Code, Expr};
use crate::fault::{Mistake, RunError, ScriptError, Span};
use crate::parse;
use crate::record::{Context, Record};
use crate::render::Writer;
use crate::value::Operation;

/// An expression over one row. It knows neither operations nor other images, so that its value does not depend on
/// how the row came.
#[derive(Debug)]
pub struct Expression {
    value: Expr,
    writer: Writer,
    whole: Span,
}

impl Expression {
    /// Reads `text` for the rows of `table`, with the result as a value of `column`.
    pub fn compile(table: &Table, text: &str, column: &Column) -> Result<Expression, ScriptError> {
        let node = parse::parse(text)?;
        let whole = node.span;
        let mut compiler = Compiler {
            table,
            sees_record: false,
            null_errors: false,
            regex_count: 0,
        };
        let writer = Writer::of(column).map_err(|(mistake, reason)| {
            mistake.at(
                whole,
                format!("column `{}` cannot be computed: {reason}", column.name),
                "Give the column another type.",
            )
        })?;
        let value = compiler.assignable(&writer, column, &node)?;
        if let Some(constant) = value.value() {
            writer
                .render(constant.borrowed())
                .map_err(|reason| reason.in_script(whole))?;
        }
        Ok(Expression {
            value,
            writer,
            whole,
        })
    }

    /// Appends the value for one row in canonical form.
    pub fn push(
        &self,
        encoded: &[u8],
        context: &Context<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), RunError> {
        let record = Record::new(encoded, Operation::Insert, context);
        let value = self.value.compute(&record)?;
        let bytes: Option<Cow<'_, [u8]>> = self
            .writer
            .render(value)
            .map_err(|reason| reason.at(self.whole))?;
        wherry_model::row::push_value(out, bytes.as_deref());
        Ok(())
    }

    /// True where the value depends on the row alone.
    pub fn is_row_function(&self) -> bool {
        !depends_on_time(&self.value)
    }

    /// True where the value depends on the place in the log.
    pub fn knows_position(&self) -> bool {
        any(&self.value, &|code| matches!(code, Code::Position))
    }

    /// Indices of the columns that the value is made of.
    pub fn columns(&self) -> Vec<usize> {
        let mut columns = Vec::new();
        gather(&self.value, &mut columns);
        columns
    }

    /// Refuses a value that depends on the time, for a column by which rows are found.
    pub fn check_key(&self, column: &Column) -> Result<(), ScriptError> {
        match self.is_row_function() {
            true => Ok(()),
            false => Err(Mistake::VaryingKey.at(
                self.whole,
                format!(
                    "column `{}` identifies rows, and its value depends on the time",
                    column.name
                ),
                "Leave the column out of every unique key.",
            )),
        }
    }
}

fn depends_on_time(expression: &Expr) -> bool {
    any(expression, &|code| {
        matches!(code, Code::CommitTime | Code::Now { .. } | Code::Position)
    })
}

fn any(expression: &Expr, is_it: &dyn Fn(&Code) -> bool) -> bool {
    let inner = expression.inner();
    is_it(&expression.code) || inner.into_iter().any(|inner| any(inner, is_it))
}

fn gather(expression: &Expr, columns: &mut Vec<usize>) {
    match &expression.code {
        Code::Column { column, .. } => columns.push(*column),
        Code::IsNull { column, .. } => columns.extend(column.iter().map(|(column, _)| *column)),
        _ => {}
    }
    for inner in expression.inner() {
        gather(inner, columns);
    }
}
