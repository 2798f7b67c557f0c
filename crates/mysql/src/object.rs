//! What a server says about objects without rows: views, routines, triggers, events.
//!
//! Owns reading them into [`SchemaObject`]s, for source and target alike. Must not change anything
//! on the server. Statements are read in the bytes of their own character set, so the session is
//! one of kind `Read`; it has no default database, so that every name in a view is qualified.

use crate::catalog::{names_in, number};
use crate::session::{RowSet, Session, SessionError};
use wherry_model::{Fault, ObjectContext, ObjectKind, ObjectName, SchemaObject, TriggerPlace};

/// Errors that mean that an object vanished after it was listed: routine, view, trigger, event.
const GONE: [u16; 4] = [1305, 1146, 1360, 1539];

/// Names in one list of a query.
const NAMES_PER_QUERY: usize = 500;

/// Reads every object of these databases, routines first, then views, triggers and events, each
/// kind in order of name.
pub async fn read_objects(
    session: &mut Session,
    databases: &[String],
) -> Result<Vec<SchemaObject>, Fault> {
    let mut found = Vec::new();
    for names in databases.chunks(NAMES_PER_QUERY) {
        let listed = list(session, names).await?;
        found.extend(listed.into_iter().filter(|object| {
            // A server may compare the names of databases without their case.
            names.contains(&object.name.database)
        }));
    }
    let mut objects = Vec::with_capacity(found.len());
    for mut object in found {
        if object.refused.is_none() && !read_statement(session, &mut object).await? {
            continue;
        }
        objects.push(object);
    }
    objects.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(objects)
}

/// Why the server itself cannot resolve a view; `None` where it can.
///
/// A statement that is prepared is resolved and not run.
pub async fn broken_view(
    session: &mut Session,
    view: &ObjectName,
) -> Result<Option<String>, Fault> {
    let sql = format!("SELECT * FROM {}", view.quoted()).replace('\'', "''");
    match session
        .execute(format!("PREPARE wherry_check FROM '{sql}'"))
        .await
    {
        Ok(_) => {
            session.execute("DEALLOCATE PREPARE wherry_check").await?;
            Ok(None)
        }
        Err(SessionError::Server { code, message, .. }) => {
            Ok(Some(format!("server error {code}: {message}")))
        }
        Err(error) => Err(error.into_fault()),
    }
}

async fn list(session: &mut Session, databases: &[String]) -> Result<Vec<SchemaObject>, Fault> {
    let mut found = list_routines(session, databases).await?;
    found.extend(list_views(session, databases).await?);
    found.extend(list_triggers(session, databases).await?);
    found.extend(list_events(session, databases).await?);
    if session.version().is_mariadb() {
        found.extend(list_sequences(session, databases).await?);
    }
    Ok(found)
}

async fn ask(
    session: &mut Session,
    columns: &str,
    from: &str,
    database: &str,
    databases: &[String],
) -> Result<RowSet, Fault> {
    let mut sql = format!("SELECT {columns} FROM information_schema.{from} WHERE ").into_bytes();
    sql.extend(names_in(database, databases));
    Ok(session.query(sql).await?)
}

fn object(rows: &RowSet, row: usize, kind: ObjectKind) -> SchemaObject {
    let text = |name: &str| rows.named(row, name).unwrap_or_default().to_owned();
    SchemaObject {
        name: ObjectName::new(kind, text("db"), text("name")),
        statement: String::new(),
        definer: text("DEFINER"),
        invoker: text("SECURITY_TYPE") == "INVOKER",
        context: ObjectContext {
            sql_mode: text("SQL_MODE"),
            character_set_client: text("CHARACTER_SET_CLIENT"),
            collation_connection: text("COLLATION_CONNECTION"),
            database_collation: text("DATABASE_COLLATION"),
            time_zone: text("TIME_ZONE"),
        },
        trigger: None,
        enabled: text("STATUS") == "ENABLED",
        refused: None,
    }
}

async fn list_routines(
    session: &mut Session,
    databases: &[String],
) -> Result<Vec<SchemaObject>, Fault> {
    let columns = "ROUTINE_SCHEMA AS db, ROUTINE_NAME AS name, ROUTINE_TYPE, DEFINER, \
                   SECURITY_TYPE, SQL_MODE, CHARACTER_SET_CLIENT, COLLATION_CONNECTION, \
                   DATABASE_COLLATION";
    let rows = ask(session, columns, "ROUTINES", "ROUTINE_SCHEMA", databases).await?;
    let mariadb = session.version().is_mariadb();
    let routine = |row| {
        let kind = match rows.named(row, "ROUTINE_TYPE") {
            Some("PROCEDURE") => ObjectKind::Procedure,
            Some("FUNCTION") => ObjectKind::Function,
            _ => ObjectKind::Package,
        };
        let mut found = object(&rows, row, kind);
        let oracle = mariadb
            && found
                .context
                .sql_mode
                .split(',')
                .any(|mode| mode == "ORACLE");
        if kind == ObjectKind::Package {
            found.refused = Some("packages exist in MariaDB only".to_owned());
        } else if oracle {
            found.refused = Some("it is written in MariaDB's Oracle mode".to_owned());
        }
        found
    };
    let mut found: Vec<SchemaObject> = (0..rows.rows.len()).map(routine).collect();
    // A package and its body are two rows of one name.
    found.dedup_by(|one, other| one.name == other.name);
    Ok(found)
}

async fn list_views(
    session: &mut Session,
    databases: &[String],
) -> Result<Vec<SchemaObject>, Fault> {
    let columns = "TABLE_SCHEMA AS db, TABLE_NAME AS name, DEFINER, SECURITY_TYPE, \
                   CHARACTER_SET_CLIENT, COLLATION_CONNECTION";
    let rows = ask(session, columns, "VIEWS", "TABLE_SCHEMA", databases).await?;
    let view = |row| object(&rows, row, ObjectKind::View);
    Ok((0..rows.rows.len()).map(view).collect())
}

async fn list_triggers(
    session: &mut Session,
    databases: &[String],
) -> Result<Vec<SchemaObject>, Fault> {
    let columns = "TRIGGER_SCHEMA AS db, TRIGGER_NAME AS name, EVENT_MANIPULATION AS event, \
                   EVENT_OBJECT_TABLE AS on_table, ACTION_TIMING AS timing, \
                   ACTION_ORDER AS place, SQL_MODE, DEFINER, CHARACTER_SET_CLIENT, \
                   COLLATION_CONNECTION, DATABASE_COLLATION";
    let rows = ask(session, columns, "TRIGGERS", "TRIGGER_SCHEMA", databases).await?;
    let trigger = |row| {
        let text = |name: &str| rows.named(row, name).unwrap_or_default().to_owned();
        let mut found = object(&rows, row, ObjectKind::Trigger);
        found.trigger = Some(TriggerPlace {
            table: text("on_table"),
            timing: text("timing"),
            event: text("event"),
            order: rows
                .column("place")
                .and_then(|place| number(&rows, row, place))
                .unwrap_or(0),
        });
        found
    };
    Ok((0..rows.rows.len()).map(trigger).collect())
}

async fn list_events(
    session: &mut Session,
    databases: &[String],
) -> Result<Vec<SchemaObject>, Fault> {
    let columns = "EVENT_SCHEMA AS db, EVENT_NAME AS name, DEFINER, TIME_ZONE, SQL_MODE, STATUS, \
                   CHARACTER_SET_CLIENT, COLLATION_CONNECTION, DATABASE_COLLATION";
    let rows = ask(session, columns, "EVENTS", "EVENT_SCHEMA", databases).await?;
    let event = |row| object(&rows, row, ObjectKind::Event);
    Ok((0..rows.rows.len()).map(event).collect())
}

async fn list_sequences(
    session: &mut Session,
    databases: &[String],
) -> Result<Vec<SchemaObject>, Fault> {
    let columns = "TABLE_SCHEMA AS db, TABLE_NAME AS name, TABLE_TYPE";
    let rows = ask(session, columns, "TABLES", "TABLE_SCHEMA", databases).await?;
    let sequence = |row| {
        let mut found = object(&rows, row, ObjectKind::Sequence);
        found.refused = Some("sequences exist in MariaDB only".to_owned());
        found
    };
    Ok((0..rows.rows.len())
        .filter(|row| rows.named(*row, "TABLE_TYPE") == Some("SEQUENCE"))
        .map(sequence)
        .collect())
}

/// Fills in the statement; false where the object is gone meanwhile.
async fn read_statement(session: &mut Session, object: &mut SchemaObject) -> Result<bool, Fault> {
    let (what, column) = match object.name.kind {
        ObjectKind::Procedure => ("PROCEDURE", "Create Procedure"),
        ObjectKind::Function => ("FUNCTION", "Create Function"),
        ObjectKind::View => ("VIEW", "Create View"),
        ObjectKind::Trigger => ("TRIGGER", "SQL Original Statement"),
        ObjectKind::Event => ("EVENT", "Create Event"),
        ObjectKind::Sequence | ObjectKind::Package => return Ok(true),
    };
    let sql = format!("SHOW CREATE {what} {}", object.name.quoted());
    let rows = match session.query(sql).await {
        Ok(rows) => rows,
        Err(error) if error.server_code().is_some_and(|code| GONE.contains(&code)) => {
            return Ok(false);
        }
        Err(SessionError::Server { code, message, .. }) => {
            object.refused = Some(format!(
                "its definition cannot be read: server error {code}: {message}"
            ));
            return Ok(true);
        }
        Err(error) => return Err(error.into_fault()),
    };
    let bytes = rows.column(column).and_then(|column| rows.bytes(0, column));
    match bytes {
        Some(bytes) => object.statement = one_character_a_byte(bytes),
        None => object.refused = Some(UNREADABLE.to_owned()),
    }
    Ok(true)
}

/// A server shows the head of a routine to who may run it, and the body to who may see it.
pub const UNREADABLE: &str = "the account may not read its body";

/// Each byte as the character of its number.
pub fn one_character_a_byte(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The bytes of such a text.
pub fn bytes_of(text: &str) -> Vec<u8> {
    text.chars()
        .map(|character| u8::try_from(u32::from(character)).unwrap_or(b'?'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(bytes_of(&one_character_a_byte(&bytes)), bytes);
    }
}
