//! One item of a precheck.

use crate::rule_change::RuleChange;
use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Pass,
    Warn,
    Fail,
}

/// What was checked, what was seen, and the statement that mends it.
#[derive(Debug, Clone, Serialize)]
pub struct CheckItem {
    /// Stable and documented, like `source-binlog-format`.
    pub id: &'static str,
    pub verdict: Verdict,
    /// What was seen, as one sentence fragment.
    pub evidence: String,
    /// A statement or an action; empty where the item passed.
    pub fix: String,
    /// What rules change on the way, where that is what was checked.
    pub changes: Vec<RuleChange>,
}

impl CheckItem {
    pub fn pass(id: &'static str, evidence: impl Into<String>) -> CheckItem {
        CheckItem {
            id,
            verdict: Verdict::Pass,
            evidence: evidence.into(),
            fix: String::new(),
            changes: Vec::new(),
        }
    }

    #[must_use]
    pub fn changes(mut self, changes: Vec<RuleChange>) -> CheckItem {
        self.changes = changes;
        self
    }

    pub fn warn(
        id: &'static str,
        evidence: impl Into<String>,
        fix: impl Into<String>,
    ) -> CheckItem {
        CheckItem {
            id,
            verdict: Verdict::Warn,
            evidence: evidence.into(),
            fix: fix.into(),
            changes: Vec::new(),
        }
    }

    pub fn fail(
        id: &'static str,
        evidence: impl Into<String>,
        fix: impl Into<String>,
    ) -> CheckItem {
        CheckItem {
            id,
            verdict: Verdict::Fail,
            evidence: evidence.into(),
            fix: fix.into(),
            changes: Vec::new(),
        }
    }
}
