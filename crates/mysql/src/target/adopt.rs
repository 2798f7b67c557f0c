//! Tables that the target has already, under the policy `keep`: used as they are, never made anew.
//!
//! Owns which differences between both definitions are harmless. What could lose or change a
//! value, or hide a row from its key, refuses the table before anything is written.

use super::Inner;
use crate::catalog::{Scope, digits_in_parentheses, survey};
use crate::session::{Session, SessionError, SessionKind};
use wherry_engine::state::TableState;
use wherry_model::task::SelectSpec;
use wherry_model::{Adopted, Column, ColumnKind, Fault, Key, OwnRows, Table, TableName};

/// How a table of the target suits the source's.
pub(super) struct Fit {
    pub(super) adopted: Adopted,
    /// Differences to know about, each a lowercase fragment.
    pub(super) notes: Vec<String>,
    /// Differences that make the table unusable.
    pub(super) problems: Vec<String>,
}

impl Inner {
    /// Marks the tables whose own version in the target is to be used. Safe to repeat.
    pub(super) async fn adopt(
        &self,
        selection: &SelectSpec,
        states: &mut [TableState],
    ) -> Result<(), Fault> {
        let mut session = self.own_session(SessionKind::Control).await?;
        for state in states {
            let name = &state.table.name;
            let Some(rows) = selection.adopts(name) else {
                continue;
            };
            if self.stored_table(name).await?.is_some_and(|it| it.made) {
                continue;
            }
            let Some(fit) = fit_in(&mut session, &state.table, rows).await? else {
                if selection.phases.uses_given_tables() {
                    return Err(unusable(name, &[NOT_THERE.to_owned()]));
                }
                continue;
            };
            if !fit.problems.is_empty() {
                return Err(unusable(name, &fit.problems));
            }
            state.table.adopted = Some(fit.adopted);
        }
        session.close().await;
        Ok(())
    }
}

/// Compares a table with the target's own; `None` where the target has none.
pub(super) async fn fit_in(
    session: &mut Session,
    table: &Table,
    rows: OwnRows,
) -> Result<Option<Fit>, Fault> {
    let name = table.target_name();
    let mut found = survey(session, Scope::Tables(std::slice::from_ref(name))).await?;
    if let Some(fault) = found.refused.pop() {
        return Ok(Some(Fit {
            adopted: Adopted::default(),
            notes: Vec::new(),
            problems: vec![fault.message],
        }));
    }
    let Some(own) = found.tables.pop() else {
        return Ok(None);
    };
    let mut fit = fit(table, &own, rows);
    let alone = required_alone(session, table).await?;
    fit.problems.extend(alone.iter().map(only_in_target));
    if has_triggers(session, name).await? {
        fit.problems
            .push("it has triggers, which would fire for every row that is written".to_owned());
    }
    Ok(Some(fit))
}

/// A table of this task behind a statement that was left out.
pub(super) struct Difference {
    /// As the source has it, adopted.
    pub(super) table: Table,
    /// Names of the columns that the target does not have.
    pub(super) left_out: Vec<String>,
}

/// What the target has of a table that the source has changed to `after`; the inner error says why
/// its rows cannot be written as they come. Both are read from the same server, so that columns
/// that the statement has not touched are the same to the letter.
pub(super) async fn apart_of(
    session: &mut Session,
    mut after: Table,
) -> Result<Result<Difference, String>, Fault> {
    let name = after.target_name().clone();
    let mut found = survey(session, Scope::Tables(std::slice::from_ref(&name))).await?;
    let Some(own) = found.tables.pop() else {
        return Ok(Err("the table is missing in the target".to_owned()));
    };
    let mut fit = Fit {
        adopted: Adopted::default(),
        notes: Vec::new(),
        problems: Vec::new(),
    };
    check_identity(&after, &own, &mut fit);
    let mut left_out = Vec::new();
    for (index, column) in after.columns.iter().enumerate() {
        match column_of(&own, column.target_name()) {
            _ if after.is_unselected(index) => {}
            None => {
                fit.adopted.left_out.push(index);
                left_out.push(column.name.clone());
            }
            Some(_) if after.is_added(index) => {}
            Some(there) if !is_same(column, there) => fit
                .problems
                .push(format!("column `{}` is another one behind it", column.name)),
            Some(_) => {}
        }
    }
    let alone = required_alone(session, &after).await?;
    fit.problems.extend(
        alone.iter().map(|column| {
            format!("column `{column}` stays in the target, where it has no default")
        }),
    );
    if !fit.problems.is_empty() {
        return Ok(Err(fit.problems.join("; ")));
    }
    after.adopted = Some(fit.adopted);
    Ok(Ok(Difference {
        table: after,
        left_out,
    }))
}

/// Why rows of this table could not be written into the target's as it is now.
pub(super) async fn suits(session: &mut Session, table: &Table) -> Result<Vec<String>, Fault> {
    let name = table.target_name();
    let mut found = survey(session, Scope::Tables(std::slice::from_ref(name))).await?;
    let Some(own) = found.tables.pop() else {
        return Ok(vec!["the table is missing in the target".to_owned()]);
    };
    let mut problems = unsuitable(table, &own);
    let alone = required_alone(session, table).await?;
    problems.extend(alone.iter().map(only_in_target));
    Ok(problems)
}

/// As `suits`, for a table of the target that is known.
pub(super) fn unsuitable(source: &Table, own: &Table) -> Vec<String> {
    let mut problems = Vec::new();
    for (index, column) in source.columns.iter().enumerate() {
        let problem = match column_of(own, column.target_name()) {
            _ if source.is_unselected(index) => None,
            None => Some("is missing in the target".to_owned()),
            Some(_) if source.is_added(index) => None,
            Some(there) => column_problem(column, there, is_in_a_key(source, index)),
        };
        problems.extend(problem.map(|problem| format!("column `{}` {problem}", column.name)));
    }
    let is_shared = |key: &Key| {
        let mut others = source.keys.iter();
        others.any(|other| same_key(source, other, own, key))
    };
    let extra = own.keys.iter().filter(|key| key.unique && !is_shared(key));
    problems.extend(extra.map(|key| format!("unique key `{}` is only in the target", key.name)));
    let lost = source.identity().filter(|identity| {
        let has = |key: &Key| key.name == identity.name && same_key(source, identity, own, key);
        !own.keys.iter().any(has)
    });
    problems.extend(lost.map(|key| {
        format!(
            "it does not have the key `{}` over the same columns",
            key.name
        )
    }));
    problems
}

/// Apart from its name.
fn is_same(one: &Column, other: &Column) -> bool {
    let plain = |column: &Column| Column {
        name: String::new(),
        in_target: None,
        ..column.clone()
    };
    plain(one) == plain(other)
}

fn fit(source: &Table, own: &Table, rows: OwnRows) -> Fit {
    let mut fit = Fit {
        adopted: Adopted::default(),
        notes: Vec::new(),
        problems: Vec::new(),
    };
    if own.engine != "innodb" {
        fit.problems
            .push(format!("its engine is {} and not InnoDB", own.engine));
    }
    if !source.leaves().is_nothing() {
        fit.problems.push(
            "its rule leaves out changes of rows, and which rows those are about could not be told from the target's own".to_owned(),
        );
    }
    check_identity(source, own, &mut fit);
    for (index, column) in source.columns.iter().enumerate() {
        match column_of(own, column.target_name()) {
            _ if source.is_unselected(index) => {}
            None if is_key_column(source, index) => fit
                .problems
                .push(format!("key column `{}` is missing", column.name)),
            None => {
                fit.adopted.left_out.push(index);
                fit.notes
                    .push(format!("column `{}` is left out", column.name));
            }
            Some(there) => {
                if let Some(problem) = column_problem(column, there, is_in_a_key(source, index)) {
                    fit.problems
                        .push(format!("column `{}` {problem}", column.name));
                }
            }
        }
    }
    let added = own
        .columns
        .iter()
        .filter(|column| column_of(source, &column.name).is_none());
    fit.notes
        .extend(added.map(|column| format!("column `{}` is only in the target", column.name)));
    fit.adopted.rows = rows;
    if rows.give_way() {
        fit.problems.extend(other_unique_keys(source, own));
        return fit;
    }
    let stricter = own.keys.iter().filter(|key| {
        key.unique
            && !source
                .keys
                .iter()
                .any(|other| same_key(source, other, own, key))
    });
    fit.notes.extend(stricter.map(|key| {
        format!(
            "unique key `{}` is only in the target, and a row that meets another one on it stops the table",
            key.name
        )
    }));
    fit
}

/// A row gives way to one of the source that has its unique value. That is right only where the
/// source has the same unique keys: with more of them two rows of the source could stand in each
/// other's way. What holds a row up is looked up by whole columns.
fn other_unique_keys(source: &Table, own: &Table) -> Vec<String> {
    let is_written = |key: &Key| key.parts.iter().all(|part| source.is_written(part.column));
    let lost = source.keys.iter().filter(|key| {
        let has = |other: &Key| same_key(source, key, own, other);
        key.unique && is_written(key) && !own.keys.iter().any(has)
    });
    let mut problems: Vec<String> = lost
        .map(|key| format!("it does not have the unique key `{}`", key.name))
        .collect();
    for key in own.keys.iter().filter(|key| key.unique) {
        let has = |other: &Key| same_key(source, other, own, key);
        if key.parts.iter().any(|part| part.prefix.is_some()) {
            problems.push(format!(
                "its unique key `{}` covers beginnings of values alone",
                key.name
            ));
        } else if !source.keys.iter().any(has) {
            problems.push(format!("unique key `{}` is only in the target", key.name));
        }
    }
    problems
}

/// Rows are found by the source's identity, whose index both sides are read by.
fn check_identity(source: &Table, own: &Table, fit: &mut Fit) {
    let Some(identity) = source.identity() else {
        fit.problems.push(
            "rows of a table without a key cannot be told from those that are kept".to_owned(),
        );
        return;
    };
    if source.is_exact() {
        fit.problems
            .push("an exact table must begin empty".to_owned());
    }
    let there = own
        .keys
        .iter()
        .any(|key| key.name == identity.name && key.unique && same_key(source, identity, own, key));
    if !there {
        fit.problems.push(format!(
            "it does not have the key `{}` over the same columns",
            identity.name
        ));
    }
}

fn same_key(source: &Table, key: &Key, own: &Table, other: &Key) -> bool {
    let names = |table: &Table, key: &Key| -> Vec<(String, Option<u32>)> {
        key.parts
            .iter()
            .map(|part| {
                let name = table.columns[part.column].target_name().to_lowercase();
                (name, part.prefix)
            })
            .collect()
    };
    key.unique == other.unique
        && !key.functional
        && !other.functional
        && names(source, key) == names(own, other)
}

fn is_key_column(table: &Table, column: usize) -> bool {
    table
        .identity()
        .is_some_and(|key| key.parts.iter().any(|part| part.column == column))
}

fn is_in_a_key(table: &Table, column: usize) -> bool {
    table
        .keys
        .iter()
        .filter(|key| key.unique)
        .any(|key| key.parts.iter().any(|part| part.column == column))
}

/// Both tables under the names of the target.
fn column_of<'t>(table: &'t Table, name: &str) -> Option<&'t Column> {
    table
        .columns
        .iter()
        .find(|column| column.target_name().eq_ignore_ascii_case(name))
}

/// Why values of one column cannot live in the other as they are.
pub(super) fn column_problem(source: &Column, own: &Column, in_key: bool) -> Option<String> {
    if source.generated != own.generated {
        return Some("is generated on one side only".to_owned());
    }
    if source.nullable && !own.nullable {
        return Some("is NOT NULL in the target only".to_owned());
    }
    if source.charset != own.charset {
        return Some(format!(
            "has the character set {} and not {}",
            own.charset.as_deref().unwrap_or("none"),
            source.charset.as_deref().unwrap_or("none")
        ));
    }
    if in_key && source.collation != own.collation {
        return Some(format!(
            "has the collation {} and not {}, which decides about its key",
            own.collation.as_deref().unwrap_or("none"),
            source.collation.as_deref().unwrap_or("none")
        ));
    }
    let zerofill = |column: &Column| column.column_type.contains("zerofill");
    if holds(source, own) && zerofill(source) == zerofill(own) {
        return None;
    }
    Some(format!(
        "is {} and may not hold every {} as it is",
        own.column_type, source.column_type
    ))
}

/// True where every value of `source` lives in `own` and is printed there as it is here.
fn holds(source: &Column, own: &Column) -> bool {
    use ColumnKind as Kind;
    match (&source.kind, &own.kind) {
        (
            Kind::Integer { bytes, unsigned },
            Kind::Integer {
                bytes: own_bytes,
                unsigned: own_unsigned,
            },
        ) => {
            if unsigned == own_unsigned {
                own_bytes >= bytes
            } else {
                *unsigned && own_bytes > bytes
            }
        }
        (
            Kind::Decimal { precision, scale },
            Kind::Decimal {
                precision: own_precision,
                scale: own_scale,
            },
        ) => own_scale == scale && own_precision >= precision,
        (Kind::Varchar { length } | Kind::Char { length }, Kind::Varchar { length: own })
        | (Kind::Char { length }, Kind::Char { length: own })
        | (Kind::Varbinary { length }, Kind::Varbinary { length: own }) => own >= length,
        (Kind::Text, Kind::Text) | (Kind::Blob, Kind::Blob) => {
            capacity(&own.column_type) >= capacity(&source.column_type)
        }
        (Kind::Set { labels }, Kind::Set { labels: own }) => own.starts_with(labels),
        // Declared digits round.
        (Kind::Float, Kind::Float) | (Kind::Double, Kind::Double) => {
            let declared = digits_in_parentheses(&own.column_type).1;
            declared.is_none() || declared == digits_in_parentheses(&source.column_type).1
        }
        (Kind::Geometry | Kind::Vector, _) => {
            source.kind == own.kind && source.column_type == own.column_type
        }
        (source, own) => source == own,
    }
}

/// Order of the four sizes of TEXT and BLOB.
fn capacity(column_type: &str) -> u8 {
    match column_type.to_lowercase() {
        text if text.starts_with("tiny") => 0,
        text if text.starts_with("medium") => 2,
        text if text.starts_with("long") => 3,
        _ => 1,
    }
}

/// Columns without a default that the target has and the table has not.
async fn required_alone(session: &mut Session, table: &Table) -> Result<Vec<String>, Fault> {
    let mut columns = required_columns(session, table.target_name()).await?;
    columns.retain(|name| column_of(table, name).is_none());
    Ok(columns)
}

fn only_in_target(column: &String) -> String {
    format!("column `{column}` is only in the target and has no default")
}

/// Columns of the target that an INSERT must name.
async fn required_columns(session: &mut Session, name: &TableName) -> Result<Vec<String>, Fault> {
    let sql = format!(
        "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA={} AND \
         TABLE_NAME={} AND IS_NULLABLE='NO' AND COLUMN_DEFAULT IS NULL AND EXTRA NOT LIKE \
         '%auto_increment%' AND EXTRA NOT LIKE '%GENERATED%'",
        super::state::text(&name.database),
        super::state::text(&name.table)
    );
    let rows = session.query(sql).await.map_err(SessionError::into_fault)?;
    Ok((0..rows.rows.len())
        .filter_map(|row| rows.text(row, 0).map(str::to_owned))
        .collect())
}

async fn has_triggers(session: &mut Session, name: &TableName) -> Result<bool, Fault> {
    let sql = format!(
        "SELECT 1 FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA={} AND \
         EVENT_OBJECT_TABLE={} LIMIT 1",
        super::state::text(&name.database),
        super::state::text(&name.table)
    );
    let rows = session.query(sql).await.map_err(SessionError::into_fault)?;
    Ok(!rows.is_empty())
}

/// Why a task without a schema cannot use a table.
pub(super) const NOT_THERE: &str =
    "it is missing, and the task makes no tables (`phases` without `schema`)";

fn unusable(name: &TableName, problems: &[String]) -> Fault {
    Fault::operator(
        "TGT-050",
        format!(
            "table {name} of the target cannot be used as it is: {}",
            problems.join("; ")
        ),
    )
    .hint("Change or make the table in the target, or let Wherry make it: drop it there, and give the task the phase schema.")
    .table(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wherry_model::{Exactness, KeyPart};

    fn column(name: &str, column_type: &str, kind: ColumnKind) -> Column {
        Column {
            name: name.to_owned(),
            kind,
            column_type: column_type.to_owned(),
            nullable: true,
            charset: None,
            collation: None,
            generated: false,
            auto_increment: false,
            in_target: None,
        }
    }

    fn int(name: &str, bytes: u8, unsigned: bool) -> Column {
        column(name, "", ColumnKind::Integer { bytes, unsigned })
    }

    fn table(columns: Vec<Column>) -> Table {
        Table {
            name: TableName::new("d", "t"),
            engine: "innodb".to_owned(),
            columns,
            keys: vec![Key {
                name: "PRIMARY".to_owned(),
                primary: true,
                unique: true,
                parts: vec![KeyPart {
                    column: 0,
                    prefix: None,
                    descending: false,
                }],
                functional: false,
            }],
            exactness: Exactness::Keyed,
            definition: String::new(),
            row_count_estimate: 0,
            byte_count_estimate: 0,
            adopted: None,
            shape: None,
            in_target: None,
        }
    }

    fn check(source: Vec<Column>, own: Vec<Column>, left_out: &[usize], problems: &[&str]) {
        let fit = fit(&table(source), &table(own), OwnRows::Kept);
        assert_eq!(fit.adopted.left_out, left_out);
        assert_eq!(fit.problems, problems);
    }

    #[test]
    fn wider_columns_and_missing_ones_are_harmless() {
        let id = || int("id", 4, true);
        check(
            vec![id(), int("a", 2, false), int("b", 1, true)],
            vec![
                int("ID", 8, false),
                int("B", 2, false),
                int("more", 4, false),
            ],
            &[1],
            &[],
        );
        let varchar = |length| column("v", "varchar", ColumnKind::Varchar { length });
        check(vec![id(), varchar(10)], vec![id(), varchar(20)], &[], &[]);
    }

    #[test]
    fn what_could_change_a_value_is_a_problem() {
        let id = || int("id", 4, true);
        let mut strict = int("a", 4, false);
        strict.nullable = false;
        check(
            vec![id(), int("a", 4, false)],
            vec![id(), strict],
            &[],
            &["column `a` is NOT NULL in the target only"],
        );
        check(
            vec![id(), column("a", "int unsigned", int("a", 4, true).kind)],
            vec![id(), column("a", "int", int("a", 4, false).kind)],
            &[],
            &["column `a` is int and may not hold every int unsigned as it is"],
        );
        let double = |column_type| column("d", column_type, ColumnKind::Double);
        check(
            vec![id(), double("double")],
            vec![id(), double("double(7,2)")],
            &[],
            &["column `d` is double(7,2) and may not hold every double as it is"],
        );
        let text = |column_type| column("t", column_type, ColumnKind::Text);
        check(
            vec![id(), text("longtext")],
            vec![id(), text("text")],
            &[],
            &["column `t` is text and may not hold every longtext as it is"],
        );
        let mut latin = text("text");
        latin.charset = Some("latin1".to_owned());
        check(
            vec![id(), text("text")],
            vec![id(), latin],
            &[],
            &["column `t` has the character set latin1 and not none"],
        );
        check(
            vec![id()],
            vec![int("other", 4, true)],
            &[],
            &[
                "it does not have the key `PRIMARY` over the same columns",
                "key column `id` is missing",
            ],
        );
    }
}
