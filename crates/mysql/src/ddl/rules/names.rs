//! The names of all rules, as reports and `docs/rules.md` have them.

/// Each rule, and whether it changes more than the spelling: such a change is shown as a difference by rule.
pub const RULES: &[(&str, bool)] = &[
    ("check-name", false),
    ("choice", true),
    ("collation-name", true),
    ("column-check", false),
    ("connection", true),
    ("current-timestamp", false),
    ("data-directory", true),
    ("database-comment", true),
    ("default-collation", false),
    ("display-width", false),
    ("encryption", true),
    ("engine", true),
    ("expression-default", false),
    ("foreign-keys-later", true),
    ("generated-persistent", false),
    ("ignored-index", false),
    ("index-directory", true),
    ("keep", true),
    ("key-block-size", true),
    ("mariadb-option", true),
    ("operations", true),
    ("ref-system-id", true),
    ("row-format", true),
    ("secondary-engine", true),
    ("tablespace", true),
    ("target-only", true),
    ("text-default", false),
    ("utf8mb3-name", false),
];

pub(super) fn is_known(name: &str) -> bool {
    RULES.iter().any(|(rule, _)| *rule == name)
}

/// True where the rule leaves a difference between the two ends.
pub fn is_lossy(name: &str) -> bool {
    RULES.iter().any(|(rule, lossy)| *rule == name && *lossy)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For people.
    const PAGE: &str = include_str!("../../../../../docs/rules.md");

    #[test]
    fn every_rule_has_a_row_in_the_page_and_every_row_a_rule() {
        let rules = PAGE.split("\n## ").next().unwrap_or_default();
        let rows: Vec<&str> = rules
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
            .collect();
        let rules: Vec<&str> = RULES.iter().map(|(rule, _)| *rule).collect();
        assert_eq!(rows, rules);
    }
}
