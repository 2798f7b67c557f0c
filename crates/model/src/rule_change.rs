//! What a flavour rule changed on the way from source to target.

use serde::{Deserialize, Serialize};

/// One change of a definition by a named rule. Stored in the target with the task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleChange {
    /// What was changed: a table or database, or a column or key of one, quoted.
    pub object: String,
    /// Stable, like `utf8mb3-name`; `docs/rules.md` explains each.
    pub rule: String,
    pub before: String,
    /// Empty where something was left out.
    pub after: String,
}
