//! Makes single objects in the target, each under the settings it was made with at the source.
//!
//! The inner error of every function here is the server's refusal, as a reason for people.

use super::Inner;
use super::fault;
use super::object_rules::{account_sql, raw};
use super::schema::settle_for_definitions;
use crate::ddl::{Dialect, ObjectEdit, edit_object, object_context};
use crate::literal::push_quoted;
use crate::object::bytes_of;
use crate::session::{Session, SessionError, SessionKind};
use wherry_model::name::quote;
use wherry_model::{Fault, ObjectKind, ObjectName, SchemaObject, TableName};

pub(super) const UNREADABLE: &str = "Wherry cannot read its definition";

type Made = Result<Result<(), String>, Fault>;

/// Function creators that the server does not trust while it logs statements.
const UNTRUSTED: [u16; 2] = [1418, 1419];

/// Makes an object anew; a view replaces the one that is there.
pub(super) async fn make(session: &mut Session, object: &SchemaObject) -> Made {
    session.set_label(format!("make {}", object.name));
    if let Err(reason) = settle(session, object, &object.name.database).await? {
        return Ok(Err(reason));
    }
    let name = object.name.quoted();
    let statement = &object.statement;
    if let Err(reason) = check_collation(session, object).await? {
        return Ok(Err(reason));
    }
    if object.name.kind == ObjectKind::View {
        let behind = statement.strip_prefix("CREATE").unwrap_or(statement);
        return run(session, bytes_of(&format!("CREATE OR REPLACE{behind}"))).await;
    }
    if let Err(reason) = drop_object(session, &object.name).await? {
        return Ok(Err(reason));
    }
    if let Err(reason) = run(session, bytes_of(statement)).await? {
        return Ok(Err(reason));
    }
    let routine = match object.name.kind {
        ObjectKind::Procedure => "PROCEDURE",
        ObjectKind::Function => "FUNCTION",
        _ => return Ok(Ok(())),
    };
    if !object.invoker {
        return Ok(Ok(()));
    }
    run(
        session,
        bytes_of(&raw(&format!(
            "ALTER {routine} {name} SQL SECURITY INVOKER"
        ))),
    )
    .await
}

/// A routine, trigger or event takes the collation of texts that say none from its database at the
/// moment when it is made; nothing in its statement could say another one.
async fn check_collation(session: &mut Session, object: &SchemaObject) -> Made {
    let wanted = &object.context.database_collation;
    if wanted.is_empty() {
        return Ok(Ok(()));
    }
    let rows = session.query("SELECT @@collation_database").await?;
    let there = rows.text(0, 0).unwrap_or_default();
    if there.eq_ignore_ascii_case(wanted) {
        return Ok(Ok(()));
    }
    Ok(Err(format!(
        "it was made when its database had the collation {wanted}, and the target's has {there}; make it again at the source, or alter the database"
    )))
}

pub(super) async fn drop_object(session: &mut Session, name: &ObjectName) -> Made {
    let what = match name.kind {
        ObjectKind::Procedure => "PROCEDURE",
        ObjectKind::Function => "FUNCTION",
        ObjectKind::View => "VIEW",
        ObjectKind::Trigger => "TRIGGER",
        ObjectKind::Event => "EVENT",
        ObjectKind::Sequence | ObjectKind::Package => return Ok(Ok(())),
    };
    let sql = format!("DROP {what} IF EXISTS {}", name.quoted());
    run(session, sql.into_bytes()).await
}

/// Enables an event. It becomes that of whoever alters it unless its definer is said again.
pub(super) async fn enable(session: &mut Session, event: &SchemaObject) -> Made {
    session.set_label(format!("enable {}", event.name));
    if let Err(reason) = settle(session, event, &event.name.database).await? {
        return Ok(Err(reason));
    }
    let sql = format!(
        "ALTER DEFINER={} EVENT {} ENABLE",
        account_sql(&event.definer),
        event.name.quoted()
    );
    run(session, sql.into_bytes()).await
}

async fn run(session: &mut Session, sql: Vec<u8>) -> Made {
    match session.execute(sql).await {
        Ok(_) => Ok(Ok(())),
        Err(error) if fault::is_retry(&error) || !fault::is_answered(&error) => {
            Err(error.into_fault())
        }
        Err(error) => Ok(Err(reason_of(&error))),
    }
}

/// Definitions are no row values, so the server's words are shown as they are: they name what it
/// does not understand.
fn reason_of(error: &SessionError) -> String {
    let SessionError::Server { code, message, .. } = error else {
        return error.to_string();
    };
    let next = if UNTRUSTED.contains(code) {
        "; SET GLOBAL log_bin_trust_function_creators = ON in the target"
    } else {
        ""
    };
    format!("server error {code}: {message}{next}")
}

/// Sets what decides the meaning of the statement, and the default database.
async fn settle(session: &mut Session, object: &SchemaObject, database: &str) -> Made {
    // Names are UTF-8 whatever the last object left behind.
    session.execute("SET NAMES utf8mb4").await?;
    let sql = format!("USE {}", quote(database));
    if let Err(reason) = run(session, sql.into_bytes()).await? {
        return Ok(Err(reason));
    }
    let context = &object.context;
    let zone = if context.time_zone.is_empty() {
        "+00:00"
    } else {
        &context.time_zone
    };
    // A server makes no event whose end is in the past, unless it is not in its past.
    let has_end = object.name.kind == ObjectKind::Event
        && (object.statement.contains(" ENDS '") || object.statement.contains(" SCHEDULE AT '"));
    let timestamp = if has_end { "1" } else { "DEFAULT" };
    let settings = format!(
        "SET SESSION timestamp={timestamp}, SESSION time_zone={}, SESSION sql_mode={}, SESSION collation_connection={}, SESSION character_set_client={}",
        quoted(zone),
        quoted(&context.sql_mode),
        quoted(&context.collation_connection),
        quoted(&context.character_set_client)
    );
    run(session, settings.into_bytes()).await
}

/// The statement under another name.
fn renamed(
    object: &SchemaObject,
    name: &ObjectName,
    table: Option<&TableName>,
    to: Dialect,
) -> Option<String> {
    let reading = object_context(&object.context.sql_mode, to);
    let name = raw(&name.quoted());
    let table = table.map(|table| raw(&table.to_string()));
    let edit = ObjectEdit {
        definer: None,
        invoker: false,
        name: &name,
        table: table.as_deref(),
        guarded: false,
    };
    edit_object(&object.statement, object.name.kind, &reading, &edit)
}

fn quoted(text: &str) -> String {
    let mut out = Vec::new();
    push_quoted(&mut out, text.as_bytes());
    String::from_utf8_lossy(&out).into_owned()
}

impl Inner {
    /// Makes triggers on empty copies of their tables, which go again: a trigger that must not be
    /// there before the fence is sure to be possible behind it.
    pub(super) async fn try_triggers(
        &self,
        triggers: &[&SchemaObject],
    ) -> Result<Vec<Result<(), String>>, Fault> {
        if triggers.is_empty() {
            return Ok(Vec::new());
        }
        let mut session = self.own_session(SessionKind::Write).await?;
        self.take_shadow(&mut session).await?;
        let to = self.dialect().await?;
        let mut results = Vec::with_capacity(triggers.len());
        for trigger in triggers {
            results.push(self.try_trigger(&mut session, trigger, to).await?);
        }
        self.give_shadow(session).await?;
        Ok(results)
    }

    /// Makes procedures and functions in the shadow database, where they go again.
    pub(super) async fn try_routines(
        &self,
        routines: &[&SchemaObject],
    ) -> Result<Vec<Result<(), String>>, Fault> {
        if routines.is_empty() {
            return Ok(Vec::new());
        }
        let mut session = self.own_session(SessionKind::Write).await?;
        self.take_shadow(&mut session).await?;
        let shadow = self.shadow_database();
        self.make_shadow_database(&mut session, &shadow, "").await?;
        let to = self.dialect().await?;
        let mut results = Vec::with_capacity(routines.len());
        for routine in routines {
            let name = ObjectName {
                database: shadow.clone(),
                ..routine.name.clone()
            };
            let made = match renamed(routine, &name, None, to) {
                None => Err(UNREADABLE.to_owned()),
                Some(statement) => match settle(&mut session, routine, &shadow).await? {
                    Ok(()) => run(&mut session, bytes_of(&statement)).await?,
                    Err(reason) => Err(reason),
                },
            };
            // Procedures of several databases may have one name.
            drop_object(&mut session, &name).await?.ok();
            results.push(made);
        }
        self.give_shadow(session).await?;
        Ok(results)
    }

    async fn try_trigger(
        &self,
        session: &mut Session,
        trigger: &SchemaObject,
        to: Dialect,
    ) -> Made {
        let shadow = self.shadow_database();
        let place = trigger.trigger.as_ref().map_or("", |place| &place.table);
        let table = TableName::new(trigger.name.database.as_str(), place);
        let copy = TableName::new(shadow.as_str(), place);
        session.execute("SET NAMES utf8mb4").await?;
        self.make_shadow_database(session, &shadow, &table.database)
            .await?;
        settle_for_definitions(session).await?;
        let like = format!("CREATE TABLE {copy} LIKE {table}");
        if let Err(reason) = run(session, like.into_bytes()).await? {
            return Ok(Err(reason));
        }
        let name = ObjectName::new(ObjectKind::Trigger, shadow.as_str(), &trigger.name.name);
        let Some(statement) = renamed(trigger, &name, Some(&copy), to) else {
            return Ok(Err(UNREADABLE.to_owned()));
        };
        if let Err(reason) = settle(session, trigger, &shadow).await? {
            return Ok(Err(reason));
        }
        if let Err(reason) = check_collation(session, trigger).await? {
            return Ok(Err(reason));
        }
        run(session, bytes_of(&statement)).await
    }
}
