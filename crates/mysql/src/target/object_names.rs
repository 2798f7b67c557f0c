//! Objects under other names: which become one, and whether the target understands them alike.

use super::object_rules::target_name;
use crate::ddl::{Dialect, ONE_NAME, UNPROVED_VIEW, object_context, view_references};
use std::collections::{BTreeMap, BTreeSet};
use wherry_model::{NameMap, ObjectKind, ObjectName, SchemaObject};

/// Objects of several databases that would have one name, with the reason.
pub(super) fn of_one_name(
    objects: &[&SchemaObject],
    names: &NameMap,
) -> BTreeMap<ObjectName, String> {
    let mut groups: BTreeMap<(ObjectKind, String, String), Vec<&SchemaObject>> = BTreeMap::new();
    for object in objects {
        let name = target_name(object, names);
        let folds = names.target_folds();
        let fold = |text: String, always: bool| match folds || always {
            true => text.to_lowercase(),
            false => text,
        };
        let key = (
            name.kind,
            fold(name.database, false),
            fold(name.name, name.kind != ObjectKind::View),
        );
        groups.entry(key).or_default().push(object);
    }
    let mut found = BTreeMap::new();
    for group in groups.into_values() {
        let databases: BTreeSet<&str> = group
            .iter()
            .map(|object| object.name.database.as_str())
            .collect();
        for object in group.iter().filter(|_| databases.len() > 1) {
            let others: Vec<String> = group
                .iter()
                .filter(|other| other.name != object.name)
                .map(|other| other.name.quoted())
                .collect();
            let reason = format!(
                "{ONE_NAME}: it and {} would have one name in the target",
                others.join(" and ")
            );
            found.insert(object.name.clone(), reason);
        }
    }
    found
}

/// Names of functions and procedures by their database, in lower case.
pub(super) fn routines_of(objects: &[SchemaObject]) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for object in objects {
        if matches!(
            object.name.kind,
            ObjectKind::Procedure | ObjectKind::Function
        ) {
            let names = found.entry(object.name.database.clone()).or_default();
            names.insert(object.name.name.to_lowercase());
        }
    }
    found
}

/// Why the target's view is not the one that was meant: it reads other tables or columns.
pub(super) fn misunderstood(
    wanted: &SchemaObject,
    printed: &SchemaObject,
    from: Dialect,
    to: Dialect,
) -> Option<String> {
    let read = |object: &SchemaObject, dialect| {
        view_references(
            &object.statement,
            &object_context(&object.context.sql_mode, dialect),
        )
    };
    let (Some(meant), Some(made)) = (read(wanted, from), read(printed, to)) else {
        return Some(format!(
            "{UNPROVED_VIEW}: Wherry cannot read it in the target"
        ));
    };
    let mut others = meant.symmetric_difference(&made);
    let other = others.next()?;
    let who = match meant.contains(other) {
        true => "does not",
        false => "does",
    };
    Some(format!(
        "{UNPROVED_VIEW}: in the target it {who} read {}",
        other.trim_end_matches('.')
    ))
}
