//! Whether the target can have every definition, tried before anything is made for good.
//!
//! Owns the items `target-definitions`, `target-rules`, `target-engine` and `target-constraint-names`. Each table is made once, empty and without foreign keys, in the shadow database: only the
//! server itself knows all of its limits (columns, row size, key lengths, partition functions, reserved words).

use super::Inner;
use super::fault;
use super::schema::settle_for_definitions;
use super::schema_diff::object_text;
use crate::ddl::definition::{Definition, Keys, RenderOptions};
use crate::ddl::rules::{self, AppliedRule, Flavours};
use crate::ddl::{Context, Refusal};
use crate::session::{Session, SessionError, SessionKind};
use std::collections::{BTreeMap, BTreeSet};
use wherry_engine::ports::{Catalog, DatabaseDefinition};
use wherry_model::name::quote;
use wherry_model::task::{EngineRule, SelectSpec};
use wherry_model::{CheckItem, Fault, RuleChange, TableName};

/// The name under which each definition is tried.
const TRIED_NAME: &str = "wherry_tried";

const NO_ENGINE: &str = "TGT-110";
const NOT_TAKEN: &str = "TGT-111";
const DOUBLED_NAMES: &str = "TGT-112";

/// A definition as the target is to have it.
struct Carried {
    /// At the source, as reports name it.
    name: TableName,
    /// In the target.
    there: TableName,
    definition: Definition,
}

impl Inner {
    /// Everything about definitions; nothing where no table is to be made.
    pub(super) async fn check_definitions(
        &self,
        session: &mut Session,
        selection: &SelectSpec,
        catalog: &Catalog,
        may_write: bool,
    ) -> Result<Vec<CheckItem>, Fault> {
        let mut changes = Vec::new();
        let mut refused = Vec::new();
        let mut carried = Vec::new();
        let flavours = self.flavours().await?;
        if selection.phases.schema {
            Self::check_databases(&catalog.databases, flavours, &mut changes, &mut refused);
        }
        let names = self.names.map().await?;
        for table in &catalog.tables {
            let name = &table.name;
            if selection.adopts(name).is_some() {
                continue;
            }
            let flavours = flavours.engine(self.select.engine_by(name).0);
            match rules::apply(&table.definition, name, flavours) {
                Ok((text, applied)) => {
                    note_changes(&mut changes, name, &applied);
                    let context = Context::new(&name.database, flavours.to);
                    let definition = Definition::parse(&text, &context)
                        .map_err(|error| Fault::from(error).table(name))?;
                    match self.named(name, &definition).await {
                        Ok(definition) => carried.push(Carried {
                            name: name.clone(),
                            there: names.table(name),
                            definition,
                        }),
                        Err(fault) => refused.push(CheckItem::fail(
                            "target-definitions",
                            format!("{}: table {name}: {}", fault.code, fault.message),
                            fault.hint,
                        )),
                    }
                }
                Err(refusal) => refused.push(refused_item(name, &refusal)),
            }
        }
        let mut items = Vec::new();
        items.extend(check_constraint_names(&carried, flavours.to.mariadb));
        let engines = self.check_engines(session, &carried).await?;
        let has_engines = engines.is_none();
        items.extend(engines);
        if may_write && has_engines {
            refused.extend(self.try_all(&carried).await?);
        }
        if refused.is_empty() {
            let evidence = format!("the target can have {} tables", carried.len());
            refused.push(CheckItem::pass("target-definitions", evidence));
        }
        items.extend(refused);
        items.push(rules_item(changes));
        Ok(items)
    }

    /// Makes each table empty in the shadow database, without foreign keys, and drops it again.
    async fn try_all(&self, carried: &[Carried]) -> Result<Vec<CheckItem>, Fault> {
        let Some(first) = carried.first() else {
            return Ok(Vec::new());
        };
        let mut session = self.own_session(SessionKind::Write).await?;
        session.set_label("try the definitions");
        self.take_shadow(&mut session).await?;
        let shadow = self.shadow_database();
        let made = self
            .make_shadow_database(&mut session, &shadow, &first.there.database)
            .await;
        let mut refused = Ok(Vec::new());
        if made.is_ok() {
            refused = self.try_each(&mut session, &shadow, carried).await;
        }
        self.give_shadow(session).await?;
        made?;
        refused
    }

    async fn try_each(
        &self,
        session: &mut Session,
        shadow: &str,
        carried: &[Carried],
    ) -> Result<Vec<CheckItem>, Fault> {
        settle_for_definitions(session).await?;
        let tried = TableName::new(shadow, TRIED_NAME);
        let mut refused = Vec::new();
        for Carried {
            name, definition, ..
        } in carried
        {
            let sql = definition.render(&RenderOptions {
                name: &tried,
                keys: Keys::All,
                foreign_keys: false,
                auto_increment: false,
            });
            match session.execute(sql).await {
                Ok(_) => {
                    session
                        .execute(format!("DROP TABLE {tried}"))
                        .await
                        .map_err(SessionError::into_fault)?;
                }
                Err(error) if fault::is_answered(&error) => refused.push(CheckItem::fail(
                    "target-definitions",
                    format!(
                        "{NOT_TAKEN}: table {name}: the target does not take its definition: {}",
                        fault::redacted(&error)
                    ),
                    "Change the table at the source so that the target takes it, or leave it out of the selection.",
                )),
                Err(error) => return Err(error.into_fault()),
            }
        }
        Ok(refused)
    }

    /// What rules change of databases.
    fn check_databases(
        databases: &[DatabaseDefinition],
        flavours: Flavours,
        changes: &mut Vec<RuleChange>,
        refused: &mut Vec<CheckItem>,
    ) {
        for database in databases {
            let name = TableName::new(database.name.as_str(), "");
            match rules::database(database, flavours) {
                Ok((_, applied)) => note_changes(changes, &name, &applied),
                Err(refusal) => refused.push(refused_item(&name, &refusal)),
            }
        }
    }

    /// Whether the target has the engines that were asked for; `None` where it has them all.
    async fn check_engines(
        &self,
        session: &mut Session,
        carried: &[Carried],
    ) -> Result<Option<CheckItem>, Fault> {
        let is_usual = |table: &Carried| self.select.engine_by(&table.name).0 == EngineRule::Innodb;
        if carried.iter().all(is_usual) {
            return Ok(None);
        }
        let rows = session
            .query("SHOW ENGINES")
            .await
            .map_err(SessionError::into_fault)?;
        let transactional: BTreeSet<String> = (0..rows.rows.len())
            .filter(|row| matches!(rows.text(*row, 1), Some("YES" | "DEFAULT")))
            .filter(|row| rows.text(*row, 3) == Some("YES"))
            .filter_map(|row| Some(rows.text(row, 0)?.to_ascii_uppercase()))
            .collect();
        let lacking: BTreeSet<String> = carried
            .iter()
            .filter_map(|table| table.definition.option("ENGINE"))
            .map(str::to_ascii_uppercase)
            .filter(|engine| !transactional.contains(engine))
            .collect();
        if lacking.is_empty() {
            return Ok(None);
        }
        let lacking: Vec<String> = lacking.into_iter().collect();
        Ok(Some(CheckItem::fail(
            "target-engine",
            format!(
                "{NO_ENGINE}: the target has no engine {} with transactions",
                lacking.join(", ")
            ),
            "Enable the engine in the target, or use `schema.engine: innodb`.",
        )))
    }
}

fn refused_item(name: &TableName, refusal: &Refusal) -> CheckItem {
    let object = match name.table.as_str() {
        "" => object_text(name, ""),
        _ => format!("table {name}"),
    };
    CheckItem::fail(
        "target-definitions",
        format!("{}: {object}: {}", refusal.code, refusal.message),
        refusal.hint,
    )
}

fn note_changes(changes: &mut Vec<RuleChange>, name: &TableName, applied: &[AppliedRule]) {
    changes.extend(applied.iter().map(|applied| RuleChange {
        object: object_text(name, &applied.place),
        rule: applied.rule.to_owned(),
        before: applied.before.clone(),
        after: applied.after.clone(),
    }));
}

/// Names of checks and foreign keys are unique in a database of MySQL, and only in a table of MariaDB.
fn check_constraint_names(carried: &[Carried], to_mariadb: bool) -> Option<CheckItem> {
    if to_mariadb {
        return None;
    }
    let mut owners: BTreeMap<(String, &str, String), Vec<String>> = BTreeMap::new();
    let mut made = BTreeSet::new();
    for Carried {
        name,
        there,
        definition,
    } in carried
    {
        if !made.insert(there) {
            // Several tables become this one.
            continue;
        }
        let checks = definition.checks.iter().map(|check| ("check", &check.name));
        let keys = definition.foreign_keys.iter();
        let all = checks.chain(keys.map(|key| ("foreign key", &key.name)));
        for (kind, constraint) in all.filter(|(_, constraint)| !constraint.is_empty()) {
            let key = (there.database.clone(), kind, constraint.to_lowercase());
            owners.entry(key).or_default().push(name.to_string());
        }
    }
    let doubled: Vec<String> = owners
        .into_iter()
        .filter(|(_, tables)| tables.len() > 1)
        .map(|((_, kind, name), tables)| {
            format!("{kind} {} in {}", quote(&name), tables.join(" and "))
        })
        .collect();
    if doubled.is_empty() {
        return None;
    }
    Some(CheckItem::fail(
        "target-constraint-names",
        format!(
            "{DOUBLED_NAMES}: names of constraints are unique in a database of the target: {}",
            doubled.join("; ")
        ),
        "Give each constraint a name of its own at the source.",
    ))
}

fn rules_item(changes: Vec<RuleChange>) -> CheckItem {
    const ID: &str = "target-rules";
    let lossy = changes.iter().filter(|one| rules::is_lossy(&one.rule));
    let (lossy, all) = (lossy.count(), changes.len());
    let item = match (all, lossy) {
        (0, _) => CheckItem::pass(ID, "definitions arrive as they are"),
        (_, 0) => CheckItem::pass(
            ID,
            format!("rules change the spelling of definitions in {all} places"),
        ),
        _ => CheckItem::warn(
            ID,
            format!(
                "rules change definitions in {all} places, {lossy} of them in more than the spelling"
            ),
            "Read the list; docs/rules.md says what each rule does.",
        ),
    };
    item.changes(changes)
}
