//! Which objects the target cannot have, before anything is made of them.
//!
//! Procedures and functions are made in the shadow database, where they go again: the server's own
//! syntax check is the proof. Views and triggers need their tables and are proved by each sync.

use super::Inner;
use super::object_rules::{Rules, Wanted, same, wanted};
use super::state::text;
use crate::session::{Session, SessionKind};
use std::collections::BTreeSet;
use wherry_model::task::{DefinerPolicy, SchemaSpec, SelectSpec};
use wherry_model::{CheckItem, Fault, ObjectKind, ObjectName, SchemaObject};

const ID: &str = "target-objects";
const DEFINERS: &str = "target-definers";

/// Names shown as evidence.
const NAMES_SHOWN_MAX: usize = 20;

impl Inner {
    pub(super) async fn precheck_objects(
        &self,
        objects: &[SchemaObject],
        selection: &SelectSpec,
        schema: &SchemaSpec,
    ) -> Result<Vec<CheckItem>, Fault> {
        let rules = self.rules(schema, objects).await?;
        let (mut plan, mut sources, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        for source in objects
            .iter()
            .filter(|object| !schema.leaves_out(&object.name))
        {
            match wanted(source, &rules) {
                Ok(Wanted { object, .. }) => {
                    plan.push(object);
                    sources.push(&source.name);
                }
                Err(reason) => problems.push(format!("{}: {reason}", source.name)),
            }
        }
        let databases = self.databases_there(selection).await?;
        let there = self.objects_there(&databases).await?;
        let memories = self.memories().await?;
        for (object, source) in plan.iter().zip(&sources) {
            let made = memories.get(&object.name).is_some_and(|memory| memory.made);
            let is_other = |there| !same(object, there, rules.to);
            if !made && there.get(&object.name).is_some_and(is_other) {
                problems.push(format!("{source}: the target has another one of this name"));
            }
        }
        let is_routine = |kind| matches!(kind, ObjectKind::Procedure | ObjectKind::Function);
        let (routines, names): (Vec<&SchemaObject>, Vec<&ObjectName>) = plan
            .iter()
            .zip(&sources)
            .filter(|(object, _)| is_routine(object.name.kind))
            .unzip();
        for (name, result) in names.iter().zip(self.try_routines(&routines).await?) {
            if let Err(reason) = result {
                problems.push(format!("{name}: {reason}"));
            }
        }
        let mut items = vec![match problems.is_empty() {
            true => CheckItem::pass(ID, format!("{} can be made", plan.len())),
            false => CheckItem::fail(
                ID,
                problems[..problems.len().min(NAMES_SHOWN_MAX)].join("; "),
                "Change these at the source or in the target, or name them under `schema.leave_out`.",
            ),
        }];
        items.extend(self.check_definers(&rules, &plan).await?);
        Ok(items)
    }

    /// Under a policy that keeps definers, each should be an account of the target.
    async fn check_definers(
        &self,
        rules: &Rules<'_>,
        plan: &[SchemaObject],
    ) -> Result<Option<CheckItem>, Fault> {
        if rules.schema.definer == DefinerPolicy::Invoker {
            return Ok(None);
        }
        let mut session = self.own_session(SessionKind::Control).await?;
        let definers: BTreeSet<&str> = plan.iter().map(|object| object.definer.as_str()).collect();
        let mut missing = Vec::new();
        for definer in definers {
            if !exists(&mut session, definer).await? {
                missing.push(definer);
            }
        }
        session.close().await;
        Ok(Some(match missing.is_empty() {
            true => CheckItem::pass(DEFINERS, "every definer is an account of the target"),
            false => CheckItem::warn(
                DEFINERS,
                format!(
                    "these definers are no accounts of the target, or cannot be seen there: {}",
                    missing.join(", ")
                ),
                "Create them in the target before the cutover, or map them under `schema.definer`; grant SET_ANY_DEFINER and ALLOW_NONEXISTENT_DEFINER to Wherry's account.",
            ),
        }))
    }
}

/// False also where the account may not see.
async fn exists(session: &mut Session, account: &str) -> Result<bool, Fault> {
    let (user, host) = account.rsplit_once('@').unwrap_or((account, ""));
    let sql = format!(
        "SELECT 1 FROM mysql.user WHERE CONVERT(User USING utf8mb4)={} AND CONVERT(Host USING utf8mb4)={}",
        text(user),
        text(host)
    );
    match session.query(sql).await {
        Ok(rows) => Ok(!rows.is_empty()),
        Err(error) if error.server_code().is_some() => Ok(false),
        Err(error) => Err(error.into_fault()),
    }
}
