//! The exit codes, in one place.

use wherry_engine::{cutover, policy};
use wherry_model::{Class, Fault};

/// How the process ends. The numbers are documented in `docs/operations.md` and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done,
    Bug,
    Input,
    Operator,
    Differences,
    Fenced,
    Stopped,
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Bug => 1,
            Exit::Input => 2,
            Exit::Operator => 3,
            Exit::Differences => 4,
            Exit::Fenced => 5,
            Exit::Stopped => 130,
        }
    }

    /// A transient fault that reaches the edge has used up its retries, so it is the operator's.
    pub fn of(fault: &Fault) -> Exit {
        // Two faults of the operator's class have a number of their own.
        match fault.code {
            policy::CANCELLED => return Exit::Stopped,
            cutover::DIFFERENCES => return Exit::Differences,
            _ => {}
        }
        match fault.class {
            Class::Transient | Class::Operator => Exit::Operator,
            Class::Input => Exit::Input,
            Class::Fenced => Exit::Fenced,
            Class::Bug => Exit::Bug,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_has_its_code() {
        let check = |class: Class, code: u8| {
            assert_eq!(Exit::of(&Fault::new("CLI-000", class, "x")).code(), code);
        };
        check(Class::Bug, 1);
        check(Class::Input, 2);
        check(Class::Operator, 3);
        check(Class::Transient, 3);
        check(Class::Fenced, 5);
        assert_eq!(Exit::of(&policy::cancelled()).code(), 130);
        assert_eq!(
            Exit::of(&Fault::operator(cutover::DIFFERENCES, "x")).code(),
            4
        );
        assert_eq!(Exit::Done.code(), 0);
        assert_eq!(Exit::Differences.code(), 4);
        assert_eq!(Exit::Stopped.code(), 130);
    }
}
