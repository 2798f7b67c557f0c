//! Error pages: the one place where a failure becomes text or JSON.

use crate::exit::Exit;
use crate::taskfile::TaskFileError;
use miette::{GraphicalReportHandler, GraphicalTheme};
use serde_json::{Value, json};
use wherry_model::{Class, Fault};

/// Why a command did not do its work.
#[derive(Debug)]
pub enum Failure {
    Fault(Fault),
    TaskFile(Box<TaskFileError>),
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure::Fault(fault)
    }
}

impl Failure {
    pub fn exit(&self) -> Exit {
        match self {
            Failure::Fault(fault) => Exit::of(fault),
            Failure::TaskFile(_) => Exit::Input,
        }
    }

    /// The page for people, without a final line end.
    pub fn page(&self, colour: bool) -> String {
        match self {
            Failure::Fault(fault) => fault_page(fault),
            Failure::TaskFile(error) => task_file_page(error, colour),
        }
    }

    /// The same for machines; field names are stable.
    pub fn json(&self) -> Value {
        let exit_code = self.exit().code();
        match self {
            Failure::Fault(fault) => json!({
                "type": "error",
                "code": fault.code,
                "class": class_name(fault.class),
                "table": fault.table_name().map(ToString::to_string),
                "message": fault.message,
                "causes": fault.causes(),
                "hint": fault.hint,
                "exit_code": exit_code,
            }),
            Failure::TaskFile(error) => json!({
                "type": "error",
                "code": error.code,
                "class": class_name(Class::Input),
                "table": null,
                "message": error.message,
                "causes": [],
                "hint": error.hint,
                "file": error.file,
                "line": error.line,
                "column": error.column,
                "exit_code": exit_code,
            }),
        }
    }
}

fn fault_page(fault: &Fault) -> String {
    let mut page = format!("error [{}]: {}", fault.code, fault.message);
    let table = fault.table_name().map(ToString::to_string);
    if let Some(table) = table.filter(|table| !fault.message.contains(table)) {
        page.push_str(&format!("\n  table: {table}"));
    }
    for cause in fault.causes() {
        page.push_str(&format!("\n  caused by: {cause}"));
    }
    if !fault.hint.is_empty() {
        page.push_str(&format!("\n  next: {}", fault.hint));
    }
    page
}

fn task_file_page(error: &TaskFileError, colour: bool) -> String {
    let theme = if colour {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_links(false)
        .with_context_lines(1)
        .with_width(100);
    let mut page = String::new();
    match handler.render_report(&mut page, error) {
        Ok(()) => page.trim_end().to_owned(),
        Err(_) => format!("error [{}]: {error}\n  next: {}", error.code, error.hint),
    }
}

/// Words that stand in JSON; an exhaustive match, so that a new class must choose one.
pub fn class_name(class: Class) -> &'static str {
    match class {
        Class::Transient => "transient",
        Class::Input => "input",
        Class::Operator => "operator",
        Class::Fenced => "fenced",
        Class::Bug => "bug",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wherry_model::TableName;

    #[test]
    fn a_page_has_message_causes_and_next_step() {
        let cause = std::io::Error::other("server error 1264: value out of range");
        let fault = Fault::operator("LOAD-012", "could not write batch to `shop`.`orders`")
            .table(&TableName::new("shop", "orders"))
            .cause(cause)
            .hint("Widen the column, then resume the task.");
        assert_eq!(
            Failure::Fault(fault).page(false),
            "error [LOAD-012]: could not write batch to `shop`.`orders`\n  \
             caused by: server error 1264: value out of range\n  \
             next: Widen the column, then resume the task."
        );
    }

    #[test]
    fn a_table_is_named_where_the_message_does_not() {
        let fault = Fault::operator("STR-001", "stopped").table(&TableName::new("a", "b"));
        assert_eq!(
            Failure::Fault(fault).page(false),
            "error [STR-001]: stopped\n  table: `a`.`b`"
        );
    }

    #[test]
    fn json_has_the_exit_code() {
        let value = Failure::Fault(Fault::input("CLI-010", "x").hint("Y.")).json();
        assert_eq!(value["exit_code"], 2);
        assert_eq!(value["class"], "input");
        assert_eq!(value["hint"], "Y.");
    }
}
