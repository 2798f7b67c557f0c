//! Objects that hold no rows: views, routines, triggers and events are synced, not replayed.
//!
//! They have no data, so "as the source has them now" is always right. What cannot be made yet,
//! because the stream lags behind, is kept pending and tried again: after later definition
//! changes and at cutover, where nothing may be left but what the source cannot resolve either.

use crate::ports::{SchemaDifference, Source, Target};
use crate::progress::{Board, ObjectProgress};
use std::collections::BTreeMap;
use std::sync::Arc;
use wherry_model::task::{SchemaSpec, SelectSpec};
use wherry_model::{Class, Fault, ObjectKind, ObjectName};

/// Rule of a view that cannot be resolved at the source either.
pub const BROKEN_AT_SOURCE: &str = "broken-at-source";

/// What one sync did.
#[derive(Debug, Clone, Default)]
pub struct ObjectReport {
    pub made: Vec<ObjectName>,
    pub dropped: Vec<ObjectName>,
    /// What is other than at the source, with the rule that made it so.
    pub changes: Vec<ObjectChange>,
    pub troubles: Vec<ObjectTrouble>,
}

impl ObjectReport {
    /// Objects that could not be made although the source has them in order.
    pub fn pending(&self) -> impl Iterator<Item = &ObjectTrouble> {
        self.troubles.iter().filter(|trouble| !trouble.explained)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectChange {
    pub object: ObjectName,
    pub rule: &'static str,
    pub before: String,
    pub after: String,
}

/// An object that the target does not have as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectTrouble {
    pub object: ObjectName,
    pub reason: String,
    /// The source cannot resolve it either.
    pub explained: bool,
}

/// Makes the target's objects like the source's. Cheap to clone.
#[derive(Clone)]
pub struct ObjectSync {
    pub source: Arc<dyn Source>,
    pub target: Arc<dyn Target>,
    pub board: Arc<Board>,
    pub selection: SelectSpec,
    pub schema: SchemaSpec,
}

impl ObjectSync {
    /// One sync, shown on the board.
    ///
    /// Errors: transient ones, and what concerns all objects; a single one that cannot be made is
    /// in the report.
    pub async fn sync(&self) -> Result<ObjectReport, Fault> {
        let objects = self.source.objects(&self.selection).await?;
        let mut report = self
            .target
            .sync_objects(&objects, &self.selection, &self.schema)
            .await?;
        self.explain(&mut report).await?;
        self.show(&report);
        Ok(report)
    }

    /// A sync that is not needed to go on: what only the operator can mend waits for the cutover.
    pub async fn sync_if_possible(&self) -> Result<(), Fault> {
        match self.sync().await {
            Ok(_) => Ok(()),
            Err(fault) if fault.class == Class::Operator => {
                let causes = fault.causes().join(": ");
                tracing::error!(code = fault.code, %causes, "views, routines, triggers and events are not in the target yet: {fault}");
                self.board.objects(ObjectProgress {
                    pending: vec![fault.to_string()],
                    ..ObjectProgress::default()
                });
                Ok(())
            }
            Err(fault) => Err(fault),
        }
    }

    /// A sync after which nothing may be missing.
    ///
    /// Errors: `OBJ-001` names what is.
    pub async fn complete(&self) -> Result<ObjectReport, Fault> {
        let report = self.sync().await?;
        let pending: Vec<String> = report
            .pending()
            .map(|trouble| format!("{}: {}", trouble.object, trouble.reason))
            .collect();
        if pending.is_empty() {
            return Ok(report);
        }
        Err(Fault::operator(
            "OBJ-001",
            format!(
                "the target cannot have every object: {}",
                pending.join("; ")
            ),
        )
        .hint(
            "Mend the object at the source, or what it needs in the target; nothing was switched.",
        ))
    }

    /// Differences between the objects of both sides, each with the rule that explains it.
    pub async fn diff(&self) -> Result<Vec<SchemaDifference>, Fault> {
        let objects = self.source.objects(&self.selection).await?;
        let mut found = self
            .target
            .object_diff(&objects, &self.selection, &self.schema)
            .await?;
        let views: Vec<ObjectName> = found
            .iter()
            .filter(|difference| difference.rule.is_none())
            .map(|difference| {
                let name = &difference.table;
                ObjectName::new(ObjectKind::View, &name.database, &name.table)
            })
            .filter(|name| objects.iter().any(|object| object.name == *name))
            .collect();
        for (name, _) in self.source.broken_views(&views).await? {
            for difference in &mut found {
                let is_it = difference.table.database == name.database
                    && difference.table.table == name.name;
                if is_it && difference.rule.is_none() {
                    difference.rule = Some(BROKEN_AT_SOURCE);
                }
            }
        }
        found.extend(self.account_diff().await?);
        Ok(found)
    }

    async fn explain(&self, report: &mut ObjectReport) -> Result<(), Fault> {
        let views: Vec<ObjectName> = report
            .troubles
            .iter()
            .filter(|trouble| trouble.object.kind == ObjectKind::View)
            .map(|trouble| trouble.object.clone())
            .collect();
        for (name, reason) in self.source.broken_views(&views).await? {
            for trouble in &mut report.troubles {
                if trouble.object == name {
                    trouble.explained = true;
                    trouble.reason = format!("the source cannot resolve it either: {reason}");
                }
            }
        }
        Ok(())
    }

    fn show(&self, report: &ObjectReport) {
        for change in &report.changes {
            tracing::info!(object = %change.object, rule = change.rule, before = %change.before, after = %change.after, "an object was changed on the way");
        }
        for trouble in &report.troubles {
            if trouble.explained {
                tracing::warn!(object = %trouble.object, "an object cannot be used: {}", trouble.reason);
            } else {
                tracing::error!(object = %trouble.object, "an object is not in the target: {}", trouble.reason);
            }
        }
        let pending = report
            .pending()
            .map(|trouble| format!("{}: {}", trouble.object, trouble.reason))
            .collect();
        let mut changed = BTreeMap::new();
        for change in &report.changes {
            *changed.entry(change.rule.to_owned()).or_default() += 1;
        }
        self.board.objects(ObjectProgress {
            made: report.made.len() as u64,
            changed,
            pending,
        });
        if !report.made.is_empty() || !report.dropped.is_empty() {
            self.board.message(format!(
                "{} views, routines, triggers and events made, {} dropped",
                report.made.len(),
                report.dropped.len()
            ));
        }
    }
}
