//! Arrows between crates: who may know whom. A new arrow needs a line here and one in ARCHITECTURE.md.

use serde_json::Value;

/// Crate, what it may depend on, and what only its tests may.
const ARROWS: [(&str, &[&str], &[&str]); 7] = [
    ("wherry-model", &[], &[]),
    ("wherry-etl", &["wherry-model"], &[]),
    ("wherry-engine", &["wherry-model"], &["wherry-testkit"]),
    (
        "wherry-mysql",
        &["wherry-model", "wherry-engine", "wherry-etl"],
        &["wherry-testkit"],
    ),
    (
        "wherry-cli",
        &[
            "wherry-model",
            "wherry-engine",
            "wherry-etl",
            "wherry-mysql",
        ],
        &["wherry-testkit"],
    ),
    ("wherry-testkit", &[], &[]),
    ("xtask", &["wherry-testkit"], &[]),
];

pub fn findings(metadata: &Value) -> Vec<String> {
    let empty = Vec::new();
    let packages = metadata["packages"].as_array().unwrap_or(&empty);
    let own: Vec<&Value> = packages
        .iter()
        .filter(|package| package["source"].is_null())
        .collect();
    let names: Vec<&str> = own
        .iter()
        .filter_map(|package| package["name"].as_str())
        .collect();
    let mut findings = Vec::new();
    for package in &own {
        let name = package["name"].as_str().unwrap_or("?");
        let Some((_, always, in_tests)) =
            ARROWS.iter().find(|(crate_name, ..)| *crate_name == name)
        else {
            findings.push(format!(
                "crate {name}: has no line in tidy's list of arrows"
            ));
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap_or(&empty) {
            let to = dependency["name"].as_str().unwrap_or("?");
            let for_tests = dependency["kind"].as_str() == Some("dev");
            let allowed = always.contains(&to) || (for_tests && in_tests.contains(&to));
            if names.contains(&to) && !allowed {
                findings.push(format!("crate {name}: must not know {to}"));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Value {
        let dependencies: Vec<Value> = dependencies
            .iter()
            .map(|(name, kind)| json!({"name": name, "kind": kind}))
            .collect();
        json!({"name": name, "source": null, "dependencies": dependencies})
    }

    #[test]
    fn allowed_arrows_pass() {
        let mysql = package(
            "wherry-mysql",
            &[
                ("wherry-model", None),
                ("wherry-testkit", Some("dev")),
                ("bytes", None),
            ],
        );
        let metadata = json!({"packages": [mysql, package("wherry-model", &[]), package("wherry-testkit", &[])]});
        assert_eq!(findings(&metadata), Vec::<String>::new());
    }

    #[test]
    fn arrows_that_point_up_or_ship_the_testkit_are_found() {
        let model = package("wherry-model", &[("wherry-engine", None)]);
        let engine = package("wherry-engine", &[("wherry-testkit", None)]);
        let metadata = json!({"packages": [model, engine, package("wherry-testkit", &[("wherry-model", Some("dev"))]), package("new", &[])]});
        let found = findings(&metadata);
        assert_eq!(found.len(), 4, "{found:?}");
    }
}
