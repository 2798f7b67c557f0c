//! One item of a precheck.

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
}

impl CheckItem {
    pub fn pass(id: &'static str, evidence: impl Into<String>) -> CheckItem {
        CheckItem {
            id,
            verdict: Verdict::Pass,
            evidence: evidence.into(),
            fix: String::new(),
        }
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
        }
    }
}
