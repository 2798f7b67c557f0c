//! The keys `phases` and `stream.from`: which combinations there are.

use super::Problem;
use wherry_model::task::TaskSpec;

const COMBINATION: &str = "CLI-055";
const PLACE: &str = "CLI-056";

pub fn check(spec: &TaskSpec) -> Result<(), Problem> {
    let phases = spec.phases;
    if let Some(from) = &spec.stream.from {
        if phases.load || !phases.stream {
            return Err(Problem::new(
                COMBINATION,
                "stream.from",
                format!("`stream.from` stands in a task with the phases {phases}"),
                "It is for tasks that stream and do not load, like `phases: [stream]`; a task that loads knows where its stream begins.",
            ));
        }
        if let Err(reason) = from.begin() {
            return Err(Problem::new(
                PLACE,
                "stream.from",
                reason,
                "Give one of {position: \"FILE:OFFSET\"}, {gtid: \"...\"} and {timestamp: \"2026-11-30T12:00:00Z\"}.",
            ));
        }
    }
    let makes_and_loads = phases.schema && phases.load;
    if !spec.select.merge.is_empty() && !makes_and_loads {
        return Err(Problem::new(
            COMBINATION,
            "select.merge",
            format!("tables are merged, and the task has the phases {phases} alone"),
            "Merged tables are made and loaded by the task: give it schema and load.",
        ));
    }
    Ok(())
}
