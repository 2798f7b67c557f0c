//! How an object of the source is to be in the target: the named rules for objects.
//!
//! | rule | what it does |
//! |---|---|
//! | `definer` | gives it the definer that the policy says |
//! | `sql-security` | a view or routine runs with the rights of its caller |
//! | `sql-mode` | leaves out modes that the target does not have |
//! | `utf8mb3-name`, `collation-name` | uses the target's names |
//! | `left-out`, `triggers-at-cutover`, `triggers-guarded`, `events-at-cutover` | as the task file says |
//! | `names` | it, or what it names, is called otherwise in the target |
//! | `printing` | the target prints the statement that Wherry gave it in other words |
//! | `only-in-target` | the target had it before |
//!
//! Pure: who makes it stands in `object_make`.

use crate::ddl::rules::{charset_at, collation_at};
use crate::ddl::{
    Dialect, ObjectEdit, ObjectNames, UNPROVED, UNPROVED_VIEW, comparable, edit_object,
    object_context, rename_object, sql_mode_at, unguarded,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wherry_engine::objects::ObjectChange;
use wherry_model::name::quote;
use wherry_model::task::{DefinerPolicy, SchemaSpec};
use wherry_model::{
    NameMap, ObjectContext, ObjectKind, ObjectName, SchemaObject, TableName, TriggerPlace,
};

/// What decides how objects become those of the target.
pub(super) struct Rules<'a> {
    pub(super) schema: &'a SchemaSpec,
    /// The account of the target, as `user@host`.
    pub(super) account: String,
    pub(super) from: Dialect,
    pub(super) to: Dialect,
    pub(super) names: Arc<NameMap>,
    /// Names of the functions and procedures of each database, in lower case.
    pub(super) routines: BTreeMap<String, BTreeSet<String>>,
    /// Objects that another one would meet under its name in the target, with the reason.
    pub(super) doubles: BTreeMap<ObjectName, String>,
}

/// An object as it is to be in the target.
pub(super) struct Wanted {
    pub(super) object: SchemaObject,
    pub(super) changes: Vec<ObjectChange>,
}

/// The object for the target, or why the target cannot have it.
pub(super) fn wanted(source: &SchemaObject, rules: &Rules<'_>) -> Result<Wanted, String> {
    let refused = rules.doubles.get(&source.name).or(source.refused.as_ref());
    if let Some(reason) = refused {
        return Err(reason.clone());
    }
    let name = target_name(source, &rules.names);
    let mut changes = Changes {
        object: &source.name,
        found: Vec::new(),
    };
    let context = context_for(source, rules, &mut changes)?;
    let definer = definer_for(&source.definer, rules);
    changes.note("definer", &source.definer, &definer);
    let may_say = !matches!(source.name.kind, ObjectKind::Trigger | ObjectKind::Event);
    let forced = rules.schema.definer == DefinerPolicy::Invoker && may_say;
    if forced && !source.invoker {
        changes.note("sql-security", "DEFINER", "INVOKER");
    }
    let place = place_in_target(source, &rules.names);
    let table = place.as_ref().map(|place| place.table.as_str());
    check_names(source, &[&name.name, &name.database, table.unwrap_or("")])?;
    let reading = object_context(&source.context.sql_mode, rules.from);
    let named = renamed(source, rules, &name)?;
    if named != source.statement || name != source.name {
        changes.note("names", &source.name.quoted(), &name.quoted());
    }
    let table = table.map(|table| raw(&TableName::new(name.database.as_str(), table).to_string()));
    let (account, qualified) = (raw(&account_sql(&definer)), raw(&name.quoted()));
    let edit = ObjectEdit {
        definer: Some(&account),
        invoker: forced,
        name: &qualified,
        table: table.as_deref(),
        guarded: false,
    };
    let statement = edit_object(&named, name.kind, &reading, &edit)
        .ok_or("Wherry cannot read its definition")?;
    let object = SchemaObject {
        name,
        trigger: place,
        statement,
        definer,
        invoker: source.invoker || forced,
        context,
        ..source.clone()
    };
    Ok(Wanted {
        object,
        changes: changes.found,
    })
}

/// What the object is called in the target: a view as a table is, a trigger with its table.
pub(super) fn target_name(source: &SchemaObject, names: &NameMap) -> ObjectName {
    let own = &source.name;
    let (database, name) = match (own.kind, &source.trigger) {
        (ObjectKind::View, _) => {
            let table = names.table(&TableName::new(own.database.as_str(), own.name.as_str()));
            (table.database, table.table)
        }
        (_, Some(place)) => {
            let table = TableName::new(own.database.as_str(), place.table.as_str());
            (names.table(&table).database, own.name.clone())
        }
        _ => (names.database(&own.database), own.name.clone()),
    };
    ObjectName::new(own.kind, database, name)
}

fn place_in_target(source: &SchemaObject, names: &NameMap) -> Option<TriggerPlace> {
    let place = source.trigger.as_ref()?;
    let table = TableName::new(source.name.database.as_str(), place.table.as_str());
    Some(TriggerPlace {
        table: names.table(&table).table,
        ..place.clone()
    })
}

/// The statement with the names that the target has for what is in it.
fn renamed(source: &SchemaObject, rules: &Rules<'_>, name: &ObjectName) -> Result<String, String> {
    let names = rules.names.as_ref();
    if names.is_identity() {
        return Ok(source.statement.clone());
    }
    let own = TableName::new(source.name.database.as_str(), source.name.name.as_str());
    let is_view = source.name.kind == ObjectKind::View;
    let mut columns = names.renamed_columns().into_iter();
    if is_view && columns.any(|(table, _, _)| table == own) {
        return Err(format!(
            "{UNPROVED_VIEW}: a column of a view cannot get another name"
        ));
    }
    if let Some(merged) = merged_name(source, names) {
        let code = if is_view { UNPROVED_VIEW } else { UNPROVED };
        return Err(format!(
            "{code}: `{merged}` becomes one table with others in the target"
        ));
    }
    let table = source
        .trigger
        .as_ref()
        .map(|place| TableName::new(source.name.database.as_str(), place.table.as_str()));
    let nothing = BTreeSet::new();
    let of = ObjectNames {
        names,
        database: &source.name.database,
        home: &name.database,
        table: table.as_ref(),
        routines: rules
            .routines
            .get(&source.name.database)
            .unwrap_or(&nothing),
        charset: &source.context.character_set_client,
    };
    let reading = object_context(&source.context.sql_mode, rules.from);
    let code = if is_view { UNPROVED_VIEW } else { UNPROVED };
    rename_object(&source.statement, source.name.kind, &reading, &of)
        .map_err(|unproved| format!("{code}: `{}` {}", unproved.name, unproved.why))
}

/// A name in the object, or of a trigger's table, that may be that of a merged table: there it would
/// mean the rows of all.
fn merged_name(source: &SchemaObject, names: &NameMap) -> Option<String> {
    let database = source.name.database.as_str();
    let own = source.trigger.as_ref().map(|place| place.table.clone());
    let own = own.filter(|table| names.is_merged(&TableName::new(database, table.as_str())));
    own.or_else(|| {
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '$';
        let text = source.statement.to_lowercase();
        names.merged().map(|name| name.table).find(|name| {
            let name = name.to_lowercase();
            let mut places = text.match_indices(&name);
            places.any(|(at, _)| {
                let before = text[..at].chars().next_back();
                let behind = text[at + name.len()..].chars().next();
                !before.is_some_and(is_word) && !behind.is_some_and(is_word)
            })
        })
    })
}

/// The trigger as it is before the fence under the policy `guarded`; `None` where it cannot be read.
pub(super) fn guarded(trigger: &SchemaObject, to: Dialect) -> Option<SchemaObject> {
    let reading = object_context(&trigger.context.sql_mode, to);
    let name = raw(&trigger.name.quoted());
    let edit = ObjectEdit {
        definer: None,
        invoker: false,
        name: &name,
        table: None,
        guarded: true,
    };
    let statement = edit_object(&trigger.statement, ObjectKind::Trigger, &reading, &edit)?;
    Some(SchemaObject {
        statement,
        ..trigger.clone()
    })
}

/// The trigger as it is behind the fence.
pub(super) fn released(trigger: &SchemaObject) -> SchemaObject {
    SchemaObject {
        statement: unguarded(&trigger.statement),
        ..trigger.clone()
    }
}

/// True where both are the same object but for what the target decides alone: the order number of
/// a trigger, and whether an event is enabled.
pub(super) fn same(wanted: &SchemaObject, there: &SchemaObject, to: Dialect) -> bool {
    let form = |object: &SchemaObject| {
        let reading = object_context(&object.context.sql_mode, to);
        comparable(&object.statement, object.name.kind, &reading)
    };
    let place = |object: &SchemaObject| {
        let place = object.trigger.as_ref()?;
        Some((
            place.table.clone(),
            place.timing.clone(),
            place.event.clone(),
        ))
    };
    wanted.name == there.name
        && wanted.definer == there.definer
        && wanted.invoker == there.invoker
        && modes(&wanted.context) == modes(&there.context)
        && place(wanted) == place(there)
        && form(wanted).is_some()
        && form(wanted) == form(there)
}

/// The context with the words of its mode in one order.
fn modes(context: &ObjectContext) -> ObjectContext {
    let mut words: Vec<&str> = context.sql_mode.split(',').collect();
    words.sort_unstable();
    ObjectContext {
        sql_mode: words.join(","),
        ..context.clone()
    }
}

struct Changes<'a> {
    object: &'a ObjectName,
    found: Vec<ObjectChange>,
}

impl Changes<'_> {
    fn note(&mut self, rule: &'static str, before: &str, after: &str) {
        if before != after {
            self.found.push(ObjectChange {
                object: self.object.clone(),
                rule,
                before: before.to_owned(),
                after: after.to_owned(),
            });
        }
    }
}

fn context_for(
    source: &SchemaObject,
    rules: &Rules<'_>,
    changes: &mut Changes<'_>,
) -> Result<ObjectContext, String> {
    let given = &source.context;
    let (sql_mode, dropped) = sql_mode_at(&given.sql_mode, rules.to);
    if !dropped.is_empty() {
        changes.note("sql-mode", &given.sql_mode, &sql_mode);
    }
    let character_set_client = charset_at(&given.character_set_client, rules.to);
    changes.note(
        "utf8mb3-name",
        &given.character_set_client,
        &character_set_client,
    );
    let mut collation = |name: &str| -> Result<String, String> {
        if name.is_empty() {
            return Ok(String::new());
        }
        let there = collation_at(name, rules.from, rules.to).ok_or_else(|| {
            format!("the target has no collation like {name}, under which it was made")
        })?;
        changes.note("collation-name", name, &there);
        Ok(there)
    };
    Ok(ObjectContext {
        sql_mode,
        character_set_client,
        collation_connection: collation(&given.collation_connection)?,
        database_collation: collation(&given.database_collation)?,
        time_zone: given.time_zone.clone(),
    })
}

fn definer_for(source: &str, rules: &Rules<'_>) -> String {
    match &rules.schema.definer {
        DefinerPolicy::Invoker => rules.account.clone(),
        DefinerPolicy::Keep => source.to_owned(),
        DefinerPolicy::Map(map) => map.get(source).map_or(source, String::as_str).to_owned(),
    }
}

/// Servers print names as UTF-8 beside a body in another character set, so that only bodies of
/// names in ASCII can be told apart from them.
fn check_names(source: &SchemaObject, there: &[&str]) -> Result<(), String> {
    let charset = source.context.character_set_client.to_ascii_lowercase();
    let table = source.trigger.as_ref().map_or("", |place| &place.table);
    let here = [source.name.name.as_str(), &source.name.database, table];
    let mut names = here.iter().chain(there);
    let plain = names.all(|name| name.is_ascii());
    if plain || charset.starts_with("utf8") {
        return Ok(());
    }
    Err(format!(
        "its name is not ASCII and it was made by a client with character set {charset}"
    ))
}

/// An account as SQL has it.
pub(super) fn account_sql(account: &str) -> String {
    match account.rsplit_once('@') {
        Some((user, host)) => format!("{}@{}", quote(user), quote(host)),
        None => quote(account),
    }
}

/// UTF-8 text in the form that statements have, one character for each byte.
pub(super) fn raw(text: &str) -> String {
    crate::object::one_character_a_byte(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(definer: &str, sql_mode: &str) -> SchemaObject {
        SchemaObject {
            name: ObjectName::new(ObjectKind::Procedure, "d", "p"),
            statement: format!(
                "CREATE DEFINER={} PROCEDURE `p`()\nBEGIN END",
                account_sql(definer)
            ),
            definer: definer.to_owned(),
            invoker: false,
            context: ObjectContext {
                sql_mode: sql_mode.to_owned(),
                character_set_client: "utf8".to_owned(),
                collation_connection: "utf8_general_ci".to_owned(),
                database_collation: "latin1_swedish_ci".to_owned(),
                time_zone: String::new(),
            },
            trigger: None,
            enabled: false,
            refused: None,
        }
    }

    fn made(schema: &SchemaSpec, object: &SchemaObject) -> Wanted {
        let rules = Rules {
            schema,
            account: "mover@%".to_owned(),
            from: Dialect::mysql(50_624),
            to: Dialect::mysql(90_704),
            names: Arc::default(),
            routines: BTreeMap::new(),
            doubles: BTreeMap::new(),
        };
        wanted(object, &rules).expect("an object for the target")
    }

    #[test]
    fn every_change_has_its_rule() {
        let found = made(
            &SchemaSpec::default(),
            &source("old@host", "STRICT_TRANS_TABLES,NO_AUTO_CREATE_USER"),
        );
        let rules: Vec<&str> = found.changes.iter().map(|change| change.rule).collect();
        assert_eq!(
            rules,
            [
                "sql-mode",
                "utf8mb3-name",
                "collation-name",
                "definer",
                "sql-security"
            ]
        );
        assert_eq!(found.object.context.sql_mode, "STRICT_TRANS_TABLES");
        assert_eq!(found.object.context.character_set_client, "utf8mb3");
        assert!(
            found
                .object
                .statement
                .starts_with("CREATE DEFINER=`mover`@`%` PROCEDURE `d`.`p`()")
        );
    }

    #[test]
    fn definers_follow_the_policy() {
        let map = [("old@host".to_owned(), "a@b@c".to_owned())];
        let schema = SchemaSpec {
            definer: DefinerPolicy::Map(map.into_iter().collect()),
            ..SchemaSpec::default()
        };
        let found = made(&schema, &source("old@host", ""));
        assert!(found.object.statement.contains("DEFINER=`a@b`@`c` "));
        assert!(!found.object.invoker);
        let found = made(&schema, &source("other@host", ""));
        assert_eq!(found.object.definer, "other@host");
    }

    #[test]
    fn names_that_cannot_be_told_from_a_body_are_refused() {
        let mut object = source("a@b", "");
        object.name.name = "é".to_owned();
        assert!(check_names(&object, &[]).is_ok());
        object.context.character_set_client = "latin1".to_owned();
        assert!(check_names(&object, &[]).is_err());
    }
}
