//! Columns of the table, by name and image.

use super::{Compiled, Compiler};
use crate::expression::{Code, Expr};
use crate::fault::{Mistake, ScriptError, Span};
use crate::reader::Reader;
use crate::record::Image;
use crate::signature::Function;
use crate::syntax::{Call, Form, Node, Variable};

impl Compiler<'_> {
    pub(crate) fn column(&self, name: &str, span: Span) -> Result<usize, ScriptError> {
        let columns = &self.table.columns;
        if let Some(index) = columns.iter().position(|column| column.name == name) {
            return Ok(index);
        }
        let other = columns
            .iter()
            .find(|column| column.name.to_lowercase() == name.to_lowercase());
        let hint = match other {
            Some(column) => format!("Write `{}`: letter case counts.", column.name),
            None => {
                "Write the source's name, or limit this part of the script to its tables, like \
                     e_if(op_eq(__TB__, 'name'), ...)."
                    .to_owned()
            }
        };
        Err(Mistake::UnknownColumn.at(
            span,
            format!("table {} has no column `{name}`", self.table.name),
            hint,
        ))
    }

    pub(super) fn read_column(&mut self, name: &str, image: Image, span: Span) -> Compiled {
        let index = self.column(name, span)?;
        let reader = Reader::of(&self.table.columns[index]).map_err(|(mistake, reason)| {
            mistake.at(
                span,
                format!("column `{name}`: {reason}"),
                "Copy it to a column of the same type, test it with op_is_null, or leave it out.",
            )
        })?;
        let code = Code::Column {
            column: index,
            reader,
            image,
        };
        Ok(Expr::new(reader.kind(), code, span))
    }

    /// A column and an image, where the node is nothing else.
    pub(crate) fn plain_column(&self, node: &Node) -> Result<Option<(usize, Image)>, ScriptError> {
        match &node.form {
            Form::Column(name) => Ok(Some((self.column(name, node.span)?, Image::Current))),
            Form::Call(call) if call.signature.function == Function::Image => {
                let (name, image) = self.image(call)?;
                Ok(Some((self.column(name, node.span)?, image)))
            }
            _ => Ok(None),
        }
    }

    /// The arguments of `v`.
    pub(super) fn image<'n>(&self, call: &'n Call) -> Result<(&'n str, Image), ScriptError> {
        let (first, second) = (&call.arguments[0], &call.arguments[1]);
        self.only_in_record(second.span)?;
        let Form::Column(name) = &first.form else {
            return Err(Mistake::Type.at(
                first.span,
                "the first argument of 'v' must be a column",
                "Write a column name in backticks.",
            ));
        };
        match second.form {
            Form::Variable(Variable::Before) => Ok((name, Image::Before)),
            Form::Variable(Variable::After) => Ok((name, Image::After)),
            _ => Err(Mistake::Type.at(
                second.span,
                "the second argument of 'v' must be an image",
                "Write __BEFORE__ or __AFTER__.",
            )),
        }
    }

    pub(super) fn only_in_record(&self, span: Span) -> Result<(), ScriptError> {
        match self.sees_record {
            true => Ok(()),
            false => Err(Mistake::RecordOnly.at(
                span,
                "the expression of a column sees one row, and neither an operation nor another image",
                "Compute the column from the row, or assign it in the script.",
            )),
        }
    }
}
