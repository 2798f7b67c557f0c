//! Definition changes under other names: what a statement of the source is called in the target.
//!
//! Owns the proof: the statement runs on one shadow under the source's names and, rewritten, on a
//! second one under the target's. Only where both leave the same table, apart from the names, is
//! the real one touched. Planning goes on in `ddl_plan`.

use super::Inner;
use super::ddl_differs::requires_moments;
use super::ddl_plan::cannot_carry;
use super::definition_change::{Leg, NEUTRAL_MODE, Request, Test};
use super::shadow::{ShadowFault, apply_session};
use super::store::{Dialect, StoredTable};
use crate::ddl::definition::{Definition, Keys, RenderOptions};
use crate::ddl::{Columns, Context, by_copy, carried, classify, renamed, rules};
use crate::session::Session;
use wherry_model::name::quote;
use wherry_model::{Additional, Column, Fault, NameMap, Table, TableName};

impl Inner {
    /// The statements that do to the target's table what an ALTER did to the source's, which is
    /// `after` now.
    pub(super) async fn legs_of_alter(
        &self,
        request: &Request<'_>,
        stored: &StoredTable,
        after: &Table,
    ) -> Result<Vec<Leg>, ShadowFault> {
        let names = request.names.as_ref();
        let subject = &stored.state.table.name;
        let (there, there_after) = (names.table(subject), names.table(&after.name));
        let tables = |name: &TableName| names.table(name);
        let leg = |sql| Leg {
            sql,
            table: subject.clone(),
            there: there.clone(),
            test: if there == there_after {
                Test::Changed(there.clone())
            } else {
                Test::Renamed(there.clone(), there_after.clone())
            },
            own: false,
        };
        let statement = &request.ddl.statement;
        let before = &stored.state.table;
        let copies = requires_moments(before, after);
        let copied = |sql: String| match copies {
            true => by_copy(&sql, &classify(&sql, &request.context)),
            false => sql,
        };
        if names.is_identity() {
            let sql = carried(statement, &request.statement, &tables)?;
            return Ok(vec![leg(copied(sql))]);
        }
        if self.concerns_what_stays(request, stored, after).await? {
            return Ok(Vec::new());
        }
        if let Some(column) = named_anew(names, before, &after.name) {
            let reason = format!(
                "under its new name the mapping gives column `{column}` another name, which the statement does not"
            );
            return Err(ShadowFault::Refused(cannot_carry(subject, &reason)));
        }
        let both = before.source_columns().iter().chain(after.source_columns());
        let columns = Columns::of(names, subject, both.map(|column| column.name.as_str()));
        let sql = renamed(statement, &request.context, &columns, names, &tables)?;
        let mut legs = vec![leg(copied(sql))];
        let proof = Proof {
            request,
            stored,
            after,
            columns: &columns,
        };
        if let Some(fix) = self.prove(&proof).await? {
            legs.push(Leg {
                sql: format!("ALTER TABLE {there_after} {}", fix.clauses.join(", ")),
                table: subject.clone(),
                there: there_after.clone(),
                test: Test::Left(there_after, fix.wrong),
                own: true,
            });
        }
        Ok(legs)
    }

    /// The clauses that are still needed behind the rewritten statement: names that the server
    /// gives by itself, to keys and constraints, follow from the names of tables and columns.
    async fn prove(&self, proof: &Proof<'_>) -> Result<Option<Fix>, ShadowFault> {
        let mut session = self.open_shadow(&proof.after.name).await?;
        let result = self.prove_in(&mut session, proof).await;
        self.give_shadow(session)
            .await
            .map_err(ShadowFault::Failed)?;
        result
    }

    async fn prove_in(
        &self,
        session: &mut Session,
        proof: &Proof<'_>,
    ) -> Result<Option<Fix>, ShadowFault> {
        let request = proof.request;
        let names = request.names.as_ref();
        let before = &proof.stored.state.table;
        let after = &proof.after.name;
        let (there, there_after) = (names.table(&before.name), names.table(after));
        let database = self.shadow_database();
        self.make_shadow_database(session, &database, &there.database)
            .await?;
        let copy = TableName::new(database.as_str(), there.table.as_str());
        let copy_after = TableName::new(database.as_str(), there_after.table.as_str());
        let definition = self
            .translate(&before.definition, &before.name, proof.stored.dialect)
            .await?;
        let definition = self.named(&before.name, &definition).await?;
        self.make_from(session, &definition, &copy).await?;
        apply_session(session, &request.ddl.session, &self.source_version).await?;
        let tables = |name: &TableName| match names.table(name) {
            name if name == there => copy.clone(),
            name if name == there_after => copy_after.clone(),
            name => name,
        };
        let (statement, columns) = (&request.ddl.statement, proof.columns);
        let sql = renamed(statement, &request.context, columns, names, &tables)?;
        self.try_in_shadow(session, sql, after).await?;
        let wanted = self
            .translate(&proof.after.definition, after, Dialect::Target)
            .await?;
        let wanted = self.named(after, &wanted).await?;
        let added = proof.after.added();
        let made = self.read_shadow(&copy_after, &there_after).await?;
        if self
            .difference(&wanted, &made, &there_after, added)
            .await?
            .is_none()
        {
            return Ok(None);
        }
        let fix = Fix::of(&wanted, &made);
        if !fix.clauses.is_empty() {
            self.try_in_shadow(session, NEUTRAL_MODE.to_owned(), after)
                .await?;
            let sql = format!("ALTER TABLE {copy_after} {}", fix.clauses.join(", "));
            self.try_in_shadow(session, sql, after).await?;
        }
        let made = self.read_shadow(&copy_after, &there_after).await?;
        match self.difference(&wanted, &made, &there_after, added).await? {
            None => Ok(Some(fix)),
            Some(difference) => {
                let reason = format!("under the names of the target {difference}");
                Err(ShadowFault::Refused(cannot_carry(after, &reason)))
            }
        }
    }

    async fn read_shadow(
        &self,
        copy: &TableName,
        there: &TableName,
    ) -> Result<Definition, ShadowFault> {
        let table = self.read_back(copy, there).await?;
        let context = Context::new(&there.database, self.dialect().await?);
        let made = Definition::parse(&table.definition, &context).map_err(Fault::from)?;
        Ok(made)
    }

    /// What is not the same in both, with the letters of columns and the names of checks, but for
    /// the place of added columns.
    pub(super) async fn difference(
        &self,
        wanted: &Definition,
        made: &Definition,
        there: &TableName,
        added: &[Additional],
    ) -> Result<Option<String>, Fault> {
        let (wanted, made) = (
            &wanted.clone().with_added_last(added),
            &made.clone().with_added_last(added),
        );
        let columns = |definition: &Definition| -> Vec<String> {
            let columns = definition.columns.iter();
            columns.map(|column| column.name.clone()).collect()
        };
        let (left, right) = (columns(wanted), columns(made));
        if left != right {
            let (left, right) = (left.join("`, `"), right.join("`, `"));
            return Ok(Some(format!("its columns are `{right}` and not `{left}`")));
        }
        let text = |definition: &Definition| {
            definition.render(&RenderOptions {
                name: there,
                keys: Keys::All,
                foreign_keys: true,
                auto_increment: false,
            })
        };
        let dialect = self.dialect().await?;
        let found = rules::diff(
            &text(wanted),
            &text(made),
            there,
            rules::Flavours::new(dialect, dialect),
        )?;
        Ok(found
            .into_iter()
            .find(|difference| matches!(difference.rule, None | Some("check-name")))
            .map(|difference| difference.description))
    }

    /// A `CREATE TABLE` in the target's SQL and names that makes the table as its shadow is.
    pub(super) async fn create_named(&self, table: &Table) -> Result<String, Fault> {
        let definition = self
            .translate(&table.definition, &table.name, Dialect::Target)
            .await?;
        let definition = self.named(&table.name, &definition).await?;
        Ok(definition.render(&RenderOptions {
            name: &self.target_name(&table.name).await?,
            keys: Keys::All,
            foreign_keys: true,
            auto_increment: true,
        }))
    }
}

/// An ALTER that is to be proved.
struct Proof<'a> {
    request: &'a Request<'a>,
    stored: &'a StoredTable,
    after: &'a Table,
    columns: &'a Columns,
}

/// Clauses of an ALTER that give keys and constraints the names that they are to have.
#[derive(Default)]
struct Fix {
    clauses: Vec<String>,
    /// The names that are gone behind it.
    wrong: Vec<String>,
}

impl Fix {
    fn of(wanted: &Definition, made: &Definition) -> Fix {
        let mut fix = Fix::default();
        let keys = pairs(
            &wanted.keys,
            &made.keys,
            |key| &key.name,
            |left, right| left.kind == right.kind && left.columns == right.columns,
        );
        for (wanted, made) in keys {
            let (from, to) = (quote(&made.name), quote(&wanted.name));
            fix.clauses.push(format!("RENAME INDEX {from} TO {to}"));
            fix.wrong.push(made.name.clone());
        }
        let ties = pairs(
            &wanted.foreign_keys,
            &made.foreign_keys,
            |key| &key.name,
            |left, right| {
                left.columns == right.columns
                    && left.references == right.references
                    && left.referenced_columns == right.referenced_columns
            },
        );
        for (wanted, made) in ties {
            fix.clauses
                .push(format!("DROP FOREIGN KEY {}", quote(&made.name)));
            fix.clauses.push(format!("ADD {}", wanted.qualified_text()));
            fix.wrong.push(made.name.clone());
        }
        let condition = |text: &str| {
            let begin = text.find(" CHECK ").or_else(|| text.find("CHECK "));
            text[begin.unwrap_or(0)..].trim().to_owned()
        };
        let checks = pairs(
            &wanted.checks,
            &made.checks,
            |check| &check.name,
            |left, right| condition(&left.text) == condition(&right.text),
        );
        for (wanted, made) in checks {
            fix.clauses
                .push(format!("DROP CONSTRAINT {}", quote(&made.name)));
            fix.clauses.push(format!("ADD {}", wanted.text));
            fix.wrong.push(made.name.clone());
        }
        fix
    }
}

/// Things that are the same apart from their names, each in one pair.
fn pairs<'d, T>(
    wanted: &'d [T],
    made: &'d [T],
    name: impl Fn(&T) -> &String,
    same: impl Fn(&T, &T) -> bool,
) -> Vec<(&'d T, &'d T)> {
    let only = |own: &'d [T], other: &'d [T]| -> Vec<&'d T> {
        own.iter()
            .filter(|one| !other.iter().any(|other| name(one) == name(other)))
            .collect()
    };
    let mut free = only(wanted, made);
    let mut pairs = Vec::new();
    for one in only(made, wanted) {
        if let Some(at) = free.iter().position(|other| same(other, one)) {
            pairs.push((free.remove(at), one));
        }
    }
    pairs
}

/// A column that the mapping calls otherwise once its table has this name.
fn named_anew<'t>(names: &NameMap, table: &'t Table, after: &TableName) -> Option<&'t str> {
    let columns = table.source_columns().iter();
    let mut columns = columns.map(|column| column.name.as_str());
    columns.find(|column| names.column(&table.name, column) != names.column(after, column))
}

/// One rename in the target, of the columns too whose names depend on the table's. `None` where
/// the target's names stay.
pub(super) fn rename_leg(
    request: &Request<'_>,
    old: &TableName,
    new: &TableName,
    columns: &[Column],
) -> Result<Option<Leg>, Fault> {
    let names = &request.names;
    let (from, to) = (names.table(old), names.table(new));
    let columns: Vec<String> = columns
        .iter()
        .map(|column| {
            (
                names.column(old, &column.name),
                names.column(new, &column.name),
            )
        })
        .filter(|(from, to)| from != to)
        .map(|(from, to)| format!(", RENAME COLUMN {} TO {}", quote(&from), quote(&to)))
        .collect();
    if from == to {
        let reason = "both its names are one name in the target, and those of its columns change";
        return match columns.is_empty() {
            true => Ok(None),
            false => Err(cannot_carry(old, reason)),
        };
    }
    let sql = match columns.is_empty() {
        true => format!("RENAME TABLE {from} TO {to}"),
        false => format!("ALTER TABLE {from} RENAME TO {to}{}", columns.concat()),
    };
    Ok(Some(Leg {
        sql,
        table: old.clone(),
        there: from.clone(),
        test: Test::Renamed(from, to),
        own: false,
    }))
}
