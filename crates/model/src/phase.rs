//! The phases of a task and which may follow which.

use serde::{Deserialize, Serialize};

/// What a task is doing. Stored in the target with the task.
///
/// | phase | set by | what may follow |
/// |---|---|---|
/// | `Precheck` | the first runner that takes the task | `Schema` |
/// | `Schema` | the runner, after a precheck without failures | `Load` |
/// | `Load` | the runner, when every table exists in the target | `Stream` |
/// | `Stream` | the runner, when every chunk is in and the end is recorded | `Cutover` |
/// | `Cutover` | `wherry cutover`, at the fence | nothing; only forward steps |
/// | `Done` | `wherry cutover`, when the last forward step is done | nothing |
///
/// `verify` is not a phase of the task: it may run at any time beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    Precheck,
    Schema,
    Load,
    Stream,
    Cutover,
    Done,
}

impl Phase {
    pub const ALL: [Phase; 6] = [
        Phase::Precheck,
        Phase::Schema,
        Phase::Load,
        Phase::Stream,
        Phase::Cutover,
        Phase::Done,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Precheck => "precheck",
            Phase::Schema => "schema",
            Phase::Load => "load",
            Phase::Stream => "stream",
            Phase::Cutover => "cutover",
            Phase::Done => "done",
        }
    }

    pub fn parse(text: &str) -> Option<Phase> {
        Phase::ALL.into_iter().find(|phase| phase.as_str() == text)
    }

    /// True where a task in this phase may go to `next`.
    pub fn may_become(self, next: Phase) -> bool {
        next as u8 == self as u8 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_go_forward_one_at_a_time() {
        for (index, phase) in Phase::ALL.iter().enumerate() {
            assert_eq!(Phase::parse(phase.as_str()), Some(*phase));
            for (other_index, other) in Phase::ALL.iter().enumerate() {
                assert_eq!(phase.may_become(*other), other_index == index + 1);
            }
        }
    }
}
