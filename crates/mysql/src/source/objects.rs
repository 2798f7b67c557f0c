//! Whether the account may see every view, routine, trigger and event, and their bodies.
//!
//! A server leaves out of its lists what an account may not see, so that what is missing there
//! would stay behind without a word. Grants are read, and tried where that changes nothing.

use super::selected::left_behind;
use crate::object::{UNREADABLE, read_objects};
use crate::session::{Endpoint, Session, SessionKind};
use wherry_model::name::quote;
use wherry_model::task::SelectSpec;
use wherry_model::{CheckItem, Fault, ObjectKind, SchemaObject};

const ID: &str = "source-objects";

/// What is there and what stays behind, or the grant that is missing to see it.
pub(super) async fn check(
    endpoint: &Endpoint,
    session: &mut Session,
    selection: &SelectSpec,
    databases: &[String],
) -> Result<Vec<CheckItem>, Fault> {
    let grants = Grants::read(session).await?;
    for database in databases {
        for privilege in ["TRIGGER", "EVENT"] {
            if !grants.has(privilege, database) {
                return Ok(vec![CheckItem::fail(
                    ID,
                    format!(
                        "the account may not see the {}s of database `{database}`",
                        privilege.to_lowercase()
                    ),
                    format!(
                        "GRANT TRIGGER, EVENT ON {}.* to the account, as an administrator",
                        quote(database)
                    ),
                )]);
            }
        }
    }
    if let Some(item) = routines_hidden(session, &grants).await? {
        return Ok(vec![item]);
    }
    let mut reading = Session::connect(endpoint, SessionKind::Read).await?;
    let mut objects = read_objects(&mut reading, databases).await?;
    reading.close().await;
    let left = left_behind(selection, &objects);
    objects.retain(|object| selection.includes_object(object));
    let mut items = vec![of_objects(&objects)];
    items.extend(left);
    Ok(items)
}

fn of_objects(objects: &[SchemaObject]) -> CheckItem {
    let unreadable = objects
        .iter()
        .find(|object| object.refused.as_deref() == Some(UNREADABLE));
    if let Some(object) = unreadable {
        return CheckItem::fail(
            ID,
            format!("the account may not read the body of {}", object.name),
            format!(
                "GRANT SHOW VIEW, TRIGGER, EVENT ON {}.* and the right to see routines to the account, as an administrator",
                quote(&object.name.database)
            ),
        );
    }
    let words = [
        (ObjectKind::View, "views"),
        (ObjectKind::Procedure, "procedures"),
        (ObjectKind::Function, "functions"),
        (ObjectKind::Trigger, "triggers"),
        (ObjectKind::Event, "events"),
    ];
    let count = |kind| {
        objects
            .iter()
            .filter(|object| object.name.kind == kind)
            .count()
    };
    let found: Vec<String> = words
        .into_iter()
        .map(|(kind, words)| (count(kind), words))
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    let found = match found.is_empty() {
        true => "no views, routines, triggers or events".to_owned(),
        false => found.join(", "),
    };
    CheckItem::pass(ID, found)
}

/// `None` where every routine is seen with its body.
///
/// Source: MySQL manual, "SHOW CREATE PROCEDURE Statement"; MariaDB, "SHOW CREATE PROCEDURE".
async fn routines_hidden(
    session: &mut Session,
    grants: &Grants,
) -> Result<Option<CheckItem>, Fault> {
    if grants.has_everywhere("SHOW_ROUTINE") || grants.has_everywhere("SELECT") {
        return Ok(None);
    }
    let fix = if session.version().has_show_routine() {
        "GRANT SHOW_ROUTINE ON *.* to the account, as an administrator"
    } else {
        match session.query("SELECT 1 FROM mysql.proc LIMIT 0").await {
            Ok(_) => return Ok(None),
            Err(error) if error.server_code().is_some() => {}
            Err(error) => return Err(error.into_fault()),
        }
        "GRANT SELECT ON mysql.proc to the account, as an administrator"
    };
    Ok(Some(CheckItem::fail(
        ID,
        "the account may not see every procedure and function",
        fix,
    )))
}

/// What `SHOW GRANTS` lists for the account and its active roles.
struct Grants {
    lines: Vec<String>,
}

impl Grants {
    async fn read(session: &mut Session) -> Result<Grants, Fault> {
        let mut sql = "SHOW GRANTS".to_owned();
        if session.version().has_roles_in_grants() {
            let roles = session.query("SELECT CURRENT_ROLE()").await?;
            match roles.text(0, 0) {
                None | Some("" | "NONE") => {}
                Some(roles) => sql = format!("SHOW GRANTS FOR CURRENT_USER() USING {roles}"),
            }
        }
        let rows = session.query(sql).await?;
        let lines = (0..rows.rows.len())
            .filter_map(|row| rows.text(row, 0))
            .map(str::to_owned)
            .collect();
        Ok(Grants { lines })
    }

    fn has_everywhere(&self, privilege: &str) -> bool {
        self.lines
            .iter()
            .any(|line| grants(line, privilege).is_some_and(|scope| scope == "*.*"))
    }

    fn has(&self, privilege: &str, database: &str) -> bool {
        self.lines.iter().any(|line| {
            grants(line, privilege).is_some_and(|scope| scope == "*.*" || covers(scope, database))
        })
    }
}

/// The scope of a line that grants this privilege, like `*.*` or `` `shop`.* ``.
fn grants<'a>(line: &'a str, privilege: &str) -> Option<&'a str> {
    let (list, rest) = line.strip_prefix("GRANT ")?.split_once(" ON ")?;
    let has = list
        .split(',')
        .map(str::trim)
        .any(|word| word == privilege || word == "ALL PRIVILEGES");
    let scope = rest.rsplit_once(" TO ")?.0;
    has.then_some(scope)
}

/// True where a scope like `` `shop\_%`.* `` is one of whole databases and this is among them.
fn covers(scope: &str, database: &str) -> bool {
    let Some(pattern) = scope
        .strip_suffix(".*")
        .and_then(|name| name.strip_prefix('`')?.strip_suffix('`'))
    else {
        return false;
    };
    let pattern: Vec<char> = pattern.replace("``", "`").chars().collect();
    let name: Vec<char> = database.chars().collect();
    matches(&pattern, &name)
}

/// The patterns of `LIKE`.
fn matches(pattern: &[char], name: &[char]) -> bool {
    match pattern {
        [] => name.is_empty(),
        ['%', rest @ ..] => (0..=name.len()).any(|skip| matches(rest, &name[skip..])),
        ['\\', first, rest @ ..] => name.first() == Some(first) && matches(rest, &name[1..]),
        ['_', rest @ ..] => !name.is_empty() && matches(rest, &name[1..]),
        [first, rest @ ..] => name.first() == Some(first) && matches(rest, &name[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_understood() {
        let line =
            r"GRANT SELECT, TRIGGER, SHOW VIEW ON `a\_b%`.* TO `mover`@`%` WITH GRANT OPTION";
        assert_eq!(grants(line, "TRIGGER"), Some(r"`a\_b%`.*"));
        assert_eq!(grants(line, "EVENT"), None);
        let has = |database| covers(r"`a\_b%`.*", database);
        assert!(has("a_b") && has("a_bc") && !has("axb") && !has("b"));
        assert_eq!(
            grants(
                "GRANT ALL PRIVILEGES ON *.* TO 'm'@'%' IDENTIFIED BY PASSWORD '*0' WITH GRANT OPTION",
                "EVENT"
            ),
            Some("*.*")
        );
        assert!(!covers("`a`.`b`", "a"));
        // MySQL prints these without blanks.
        let line = "GRANT XA_RECOVER_ADMIN,SHOW_ROUTINE ON *.* TO `mover`@`%`";
        assert_eq!(grants(line, "SHOW_ROUTINE"), Some("*.*"));
    }
}
