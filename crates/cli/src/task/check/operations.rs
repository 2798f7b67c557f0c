//! The key `operations`: what a list may say at its place.

use super::Problem;
use wherry_model::task::TaskSpec;
use wherry_model::{Operation, Operations};

pub fn check(spec: &TaskSpec) -> Result<(), Problem> {
    let select = &spec.select;
    for (index, rule) in select.tables.iter().enumerate() {
        let key = format!("select.tables.{index}.operations");
        let Some(operations) = &rule.operations else {
            continue;
        };
        if let Some(operation) = operations.named().find(|one| one.is_of_database()) {
            return Err(Problem::new(
                "DDL-140",
                key,
                format!(
                    "`{}` is nothing that one table can choose",
                    operation.as_str()
                ),
                "Write it under select.operations or in the rule of a database; `schema.leave_out` names single objects.",
            ));
        }
    }
    check_online(spec)
}

/// The tool's change is put together from several statements, so none of them may be left out.
fn check_online(spec: &TaskSpec) -> Result<(), Problem> {
    let select = &spec.select;
    if !select.online.carries_final_change() {
        return Ok(());
    }
    let needed = [
        Operation::CreateTable,
        Operation::AlterTable,
        Operation::RenameTable,
    ];
    let is_out = |list: &Operations| needed.iter().any(|one| !list.carries(*one));
    if select.operation_lists().any(is_out) {
        return Err(Problem::new(
            "DDL-142",
            "stream.online_ddl.mode",
            "`final-change` needs `create-table`, `alter-table` and `rename-table`, and `operations` leaves one of them out",
            "Use `mode: tables`, or let `operations` carry all three.",
        ));
    }
    Ok(())
}
