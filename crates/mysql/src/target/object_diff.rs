//! Compares the objects of both sides: every difference, with the rule that explains it.

use super::Inner;
use super::object_rules::{Rules, Wanted, guarded, same, target_name, wanted};
use super::object_state::Memory;
use wherry_engine::ports::SchemaDifference;
use wherry_model::task::{EventPolicy, SchemaSpec, SelectSpec, TriggerPolicy};
use wherry_model::{Fault, ObjectKind, ObjectName, SchemaObject, TableName};

impl Inner {
    pub(super) async fn object_diff(
        &self,
        objects: &[SchemaObject],
        selection: &SelectSpec,
        schema: &SchemaSpec,
    ) -> Result<Vec<SchemaDifference>, Fault> {
        let rules = self.rules(schema, objects).await?;
        let mut there = self
            .objects_there(&self.databases_there(selection).await?)
            .await?;
        let memories = self.memories().await?;
        let mut found = Vec::new();
        for object in objects {
            let name = &object.name;
            let target = target_name(object, &rules.names);
            let there = there.remove(&target);
            if schema.leaves_out(name) {
                found.push(difference(name, "stays behind", Some("left-out")));
                continue;
            }
            found.extend(differences(
                object,
                &rules,
                memories.get(&target),
                there.as_ref(),
            ));
        }
        for name in there.into_keys() {
            found.push(only_in_target(&name));
        }
        Ok(found)
    }
}

/// What differs of one object.
fn differences(
    source: &SchemaObject,
    rules: &Rules<'_>,
    memory: Option<&Memory>,
    there: Option<&SchemaObject>,
) -> Vec<SchemaDifference> {
    let name = &source.name;
    let Wanted {
        mut object,
        changes,
    } = match wanted(source, rules) {
        Ok(wanted) => wanted,
        Err(reason) => return vec![difference(name, &reason, None)],
    };
    let waits = name.kind == ObjectKind::Trigger;
    let trouble = memory.and_then(|memory| memory.trouble.as_deref());
    let Some(there) = there else {
        if waits && rules.schema.triggers == TriggerPolicy::AtCutover && trouble.is_none() {
            let why = "is made at the cutover, so that nothing fires twice";
            return vec![difference(name, why, Some("triggers-at-cutover"))];
        }
        let why = format!(
            "is missing in the target: {}",
            trouble.unwrap_or("nobody made it")
        );
        return vec![difference(name, &why, None)];
    };
    let mut found: Vec<SchemaDifference> = changes
        .iter()
        .map(|change| {
            let text = format!("{} became {}", shown(&change.before), shown(&change.after));
            difference(name, &text, Some(change.rule))
        })
        .collect();
    if waits && let Some(guard) = guarded(&object, rules.to) {
        if rules.schema.triggers == TriggerPolicy::AtCutover {
            let why = "is in the target before the cutover, where it fires on Wherry's writes";
            return vec![difference(name, why, None)];
        }
        object = guard;
        let why = "does not fire in Wherry's sessions until the cutover";
        found.push(difference(name, why, Some("triggers-guarded")));
    }
    found.extend(event_difference(source, rules, there));
    if same(&object, there, rules.to) {
        return found;
    }
    let as_made = memory
        .is_some_and(|memory| memory.wanted == object && memory.printed.as_ref() == Some(there));
    if as_made {
        let why = "the target prints the same statement in other words";
        found.push(difference(name, why, Some("printing")));
    } else {
        found.push(difference(name, "is another in the target", None));
    }
    found
}

/// An event that runs in the target before the fence runs twice.
fn event_difference(
    source: &SchemaObject,
    rules: &Rules<'_>,
    there: &SchemaObject,
) -> Option<SchemaDifference> {
    let name = &source.name;
    if there.enabled {
        return Some(difference(name, "is enabled in the target already", None));
    }
    let (why, rule) = match rules.schema.events {
        EventPolicy::AtCutover => (
            "is enabled at the cutover, so that nothing runs twice",
            "events-at-cutover",
        ),
        EventPolicy::Disabled | EventPolicy::Skip => ("stays disabled", "events-disabled"),
    };
    source.enabled.then(|| difference(name, why, Some(rule)))
}

fn shown(text: &str) -> &str {
    if text.is_empty() { "nothing" } else { text }
}

/// One that nobody made for the source is the target's own; a trigger would fire on Wherry's rows.
fn only_in_target(name: &ObjectName) -> SchemaDifference {
    let rule = (name.kind != ObjectKind::Trigger).then_some("only-in-target");
    difference(name, "is only in the target", rule)
}

fn difference(name: &ObjectName, what: &str, rule: Option<&'static str>) -> SchemaDifference {
    SchemaDifference {
        table: TableName::new(name.database.as_str(), name.name.as_str()),
        foreign_key: false,
        description: format!("{} {what}", name.kind.as_str()),
        rule,
    }
}
