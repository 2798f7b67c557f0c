//! Makes views, routines, triggers and events of the target like those of the source.
//!
//! Owns what a sync does and in which order. What it makes is remembered before it is made, so a
//! runner that dies leaves nothing that the next one takes for the target's own; every step may be
//! repeated. Read on in `object_rules` for what is changed on the way, `object_make` for how.

use super::Inner;
use super::object_make::{drop_object, enable, make};
use super::object_names::{misunderstood, of_one_name, routines_of};
use super::object_rules::{Rules, Wanted, released, same, target_name, wanted};
use super::object_state::{Memories, Memory};
use super::road::Road;
use super::transaction::Guard;
use crate::ddl::Dialect;
use crate::object::{broken_view, read_objects};
use crate::session::SessionKind;
use std::collections::{BTreeMap, BTreeSet};
use wherry_engine::objects::{ObjectReport, ObjectTrouble};
use wherry_model::task::{EventPolicy, SchemaSpec, SelectSpec, TriggerPolicy};
use wherry_model::{Fault, ObjectKind, ObjectName, SchemaObject};

pub(super) type Objects = BTreeMap<ObjectName, SchemaObject>;

/// One sync under way.
pub(super) struct Syncing<'a> {
    pub(super) inner: &'a Inner,
    pub(super) road: Road<'a>,
    guard: Guard,
    pub(super) to: Dialect,
    pub(super) there: Objects,
    pub(super) memories: Memories,
    /// Names of the source by those of the target, where they are known.
    meant: BTreeMap<ObjectName, ObjectName>,
    report: ObjectReport,
}

impl Inner {
    pub(super) async fn sync_objects(
        &self,
        objects: &[SchemaObject],
        selection: &SelectSpec,
        schema: &SchemaSpec,
    ) -> Result<ObjectReport, Fault> {
        let guard = self.guard()?;
        let databases = self.databases_there(selection).await?;
        let mut sync = self.open_sync(guard, &databases).await?;
        let rules = self.rules(schema, objects).await?;
        let objects: Vec<&SchemaObject> = objects
            .iter()
            .filter(|object| !schema.leaves_out(&object.name))
            .collect();
        sync.meant = objects
            .iter()
            .map(|object| (target_name(object, &rules.names), object.name.clone()))
            .collect();
        sync.drop_gone().await?;
        let mut plan = Vec::new();
        for object in objects {
            match wanted(object, &rules) {
                Ok(found) => plan.push(sync.take_changes(found)),
                Err(reason) => sync.trouble(&object.name, reason),
            }
        }
        let (triggers, others): (Vec<SchemaObject>, Vec<SchemaObject>) = plan
            .into_iter()
            .partition(|object| object.name.kind == ObjectKind::Trigger);
        sync.make_all(others).await?;
        match schema.triggers {
            TriggerPolicy::AtCutover => sync.keep_for_release(triggers).await?,
            TriggerPolicy::Guarded => sync.make_guarded(&triggers).await?,
        }
        sync.check_views().await?;
        sync.close().await
    }

    pub(super) async fn release_objects(&self, schema: &SchemaSpec) -> Result<ObjectReport, Fault> {
        let memories = self.memories().await?;
        if memories.is_empty() {
            return Ok(ObjectReport::default());
        }
        let databases: BTreeSet<String> =
            memories.keys().map(|name| name.database.clone()).collect();
        let databases: Vec<String> = databases.into_iter().collect();
        let mut sync = self.open_sync(Guard::AfterFence, &databases).await?;
        let triggers: Vec<SchemaObject> = sync
            .memories
            .values()
            .filter(|memory| memory.wanted.name.kind == ObjectKind::Trigger)
            .map(|memory| released(&memory.wanted))
            .collect();
        sync.make_triggers(&triggers).await?;
        if schema.events == EventPolicy::AtCutover {
            sync.enable_events().await?;
        }
        sync.close().await
    }

    async fn open_sync(&self, guard: Guard, databases: &[String]) -> Result<Syncing<'_>, Fault> {
        let road = self.open_road_under(guard).await?;
        Ok(Syncing {
            inner: self,
            road,
            guard,
            to: self.dialect().await?,
            there: self.objects_there(databases).await?,
            memories: self.memories().await?,
            meant: BTreeMap::new(),
            report: ObjectReport::default(),
        })
    }

    /// The target's objects in these databases.
    pub(super) async fn objects_there(&self, databases: &[String]) -> Result<Objects, Fault> {
        let mut session = self.own_session(SessionKind::Read).await?;
        session.set_label("read views, routines, triggers and events");
        let objects = read_objects(&mut session, databases).await?;
        session.close().await;
        Ok(objects
            .into_iter()
            .map(|object| (object.name.clone(), object))
            .collect())
    }

    pub(super) async fn rules<'a>(
        &self,
        schema: &'a SchemaSpec,
        objects: &[SchemaObject],
    ) -> Result<Rules<'a>, Fault> {
        let mut session = self.own_session(SessionKind::Control).await?;
        let rows = session.query("SELECT CURRENT_USER()").await?;
        session.close().await;
        let names = self.names.map().await?;
        let is_carried = |object: &&SchemaObject| !schema.leaves_out(&object.name);
        let carried: Vec<&SchemaObject> = objects.iter().filter(is_carried).collect();
        Ok(Rules {
            schema,
            account: rows.text(0, 0).unwrap_or_default().to_owned(),
            from: self.source_dialect(),
            to: self.dialect().await?,
            routines: routines_of(objects),
            doubles: of_one_name(&carried, &names),
            names,
        })
    }

    /// The target's databases that the selected ones become.
    pub(super) async fn databases_there(
        &self,
        selection: &SelectSpec,
    ) -> Result<Vec<String>, Fault> {
        let names = self.names.map().await?;
        let there: BTreeSet<String> = names
            .selected()
            .iter()
            .filter(|name| selection.includes_database(name))
            .flat_map(|name| names.databases_of(name))
            .collect();
        Ok(there.into_iter().collect())
    }
}

impl Syncing<'_> {
    fn take_changes(&mut self, wanted: Wanted) -> SchemaObject {
        self.report.changes.extend(wanted.changes);
        wanted.object
    }

    /// Takes the object's name at either end; reports speak of the source's.
    pub(super) fn trouble(&mut self, object: &ObjectName, reason: impl Into<String>) {
        self.report.troubles.push(ObjectTrouble {
            object: self.meant.get(object).unwrap_or(object).clone(),
            reason: reason.into(),
            explained: false,
        });
    }

    async fn close(self) -> Result<ObjectReport, Fault> {
        self.road.close().await?;
        Ok(self.report)
    }

    pub(super) async fn remember(&mut self, memories: &[Memory]) -> Result<(), Fault> {
        let statements: Vec<String> = memories
            .iter()
            .map(|memory| self.inner.state.put_object(memory))
            .collect::<Result<_, Fault>>()?;
        if statements.is_empty() {
            return Ok(());
        }
        let written = self.inner.write_state_guarded(self.guard, &statements);
        written.await.map(drop)
    }

    /// Drops what this task made and the source has no more.
    async fn drop_gone(&mut self) -> Result<(), Fault> {
        let gone: Vec<Memory> = self
            .memories
            .iter()
            .filter(|(name, _)| !self.meant.contains_key(name))
            .map(|(_, memory)| memory.clone())
            .collect();
        let mut statements = Vec::new();
        for memory in gone {
            let name = memory.wanted.name;
            if memory.made && self.there.contains_key(&name) {
                if let Err(reason) = drop_object(self.road.session(), &name).await? {
                    self.trouble(&name, format!("it is gone at the source: {reason}"));
                    continue;
                }
                self.there.remove(&name);
                self.report.dropped.push(name.clone());
            }
            self.memories.remove(&name);
            statements.push(self.inner.state.forget_object(&name));
        }
        if !statements.is_empty() {
            let written = self.inner.write_state_guarded(self.guard, &statements);
            written.await?;
        }
        Ok(())
    }

    /// True where the target has the object as it is to be.
    pub(super) fn is_current(&self, wanted: &SchemaObject) -> bool {
        let Some(there) = self.there.get(&wanted.name) else {
            return false;
        };
        if there.enabled && self.guard != Guard::AfterFence {
            // It would run beside the source's.
            return false;
        }
        let as_made = self.memories.get(&wanted.name).is_some_and(|memory| {
            memory.wanted == *wanted && memory.printed.as_ref() == Some(there)
        });
        as_made || same(wanted, there, self.to)
    }

    /// True where the target has another object of this name that is not this task's.
    pub(super) fn is_foreign(&self, name: &ObjectName) -> bool {
        let made = self.memories.get(name).is_some_and(|memory| memory.made);
        self.there.contains_key(name) && !made
    }

    /// What is to be remembered of one that the target has as it should; nothing where it is known.
    fn found_current(&self, wanted: SchemaObject) -> Option<Memory> {
        let known = self.memories.get(&wanted.name);
        let printed = self.there.get(&wanted.name).cloned();
        let is_known = known.is_some_and(|memory| {
            memory.wanted == wanted && memory.printed == printed && memory.trouble.is_none()
        });
        (!is_known).then(|| Memory {
            made: known.is_some_and(|memory| memory.made),
            wanted,
            printed,
            trouble: None,
        })
    }

    /// Makes these where they are not as they should be: routines first, then views in as many
    /// rounds as bring something, since a view may need another one.
    async fn make_all(&mut self, objects: Vec<SchemaObject>) -> Result<(), Fault> {
        let mut left = Vec::new();
        let mut found = Vec::new();
        for object in objects {
            if self.is_current(&object) {
                found.extend(self.found_current(object));
                continue;
            }
            if self.is_foreign(&object.name) {
                self.trouble(
                    &object.name,
                    "the target has another one of this name that is not Wherry's; drop it there",
                );
                continue;
            }
            left.push(object);
        }
        found.extend(left.iter().map(intent));
        self.remember(&found).await?;
        let mut made = Vec::new();
        let mut failed = Vec::new();
        loop {
            let before = left.len();
            for object in std::mem::take(&mut left) {
                match make(self.road.session(), &object).await? {
                    Ok(()) => made.push(object),
                    Err(reason) => failed.push((object, reason)),
                }
            }
            if failed.is_empty() || failed.len() == before {
                break;
            }
            left = failed.drain(..).map(|(object, _)| object).collect();
        }
        self.record(made, failed).await
    }

    /// Writes down what was made, as the target prints it, and what was not.
    pub(super) async fn record(
        &mut self,
        made: Vec<SchemaObject>,
        failed: Vec<(SchemaObject, String)>,
    ) -> Result<(), Fault> {
        let mut memories = Vec::new();
        if !made.is_empty() {
            let databases: BTreeSet<String> = made
                .iter()
                .map(|object| object.name.database.clone())
                .collect();
            let databases: Vec<String> = databases.into_iter().collect();
            self.there
                .extend(self.inner.objects_there(&databases).await?);
        }
        for object in made {
            let mut printed = self.there.get(&object.name).cloned();
            let trouble = match &printed {
                Some(there) => self.misunderstood(&object, there).await?,
                None => Some("the target took its statement and does not have it".to_owned()),
            };
            if trouble.is_some() {
                printed = None;
            }
            if let Some(reason) = &trouble {
                self.trouble(&object.name, reason.as_str());
            } else {
                self.report.made.push(object.name.clone());
            }
            memories.push(Memory {
                trouble,
                printed,
                ..intent(&object)
            });
        }
        for (object, reason) in failed {
            self.trouble(&object.name, reason.as_str());
            memories.push(Memory {
                trouble: Some(reason),
                ..intent(&object)
            });
        }
        self.remember(&memories).await?;
        for memory in memories {
            self.memories.insert(memory.wanted.name.clone(), memory);
        }
        Ok(())
    }

    /// A view that means something else under the names of the target does not stay there.
    async fn misunderstood(
        &mut self,
        wanted: &SchemaObject,
        there: &SchemaObject,
    ) -> Result<Option<String>, Fault> {
        let names = self.inner.names.map().await?;
        if wanted.name.kind != ObjectKind::View || names.is_identity() {
            return Ok(None);
        }
        let Some(reason) = misunderstood(wanted, there, self.inner.source_dialect(), self.to)
        else {
            return Ok(None);
        };
        drop_object(self.road.session(), &wanted.name).await?.ok();
        self.there.remove(&wanted.name);
        Ok(Some(reason))
    }

    /// Every view must be usable, also one that was made when all was well.
    async fn check_views(&mut self) -> Result<(), Fault> {
        let mut session = self.inner.own_session(SessionKind::Control).await?;
        let names: Vec<ObjectName> = self
            .there
            .keys()
            .filter(|name| name.kind == ObjectKind::View && self.memories.contains_key(name))
            .cloned()
            .collect();
        for name in names {
            if self
                .report
                .troubles
                .iter()
                .any(|known| self.meant.get(&name) == Some(&known.object))
            {
                continue;
            }
            if let Some(reason) = broken_view(&mut session, &name).await? {
                self.trouble(&name, reason);
            }
        }
        session.close().await;
        Ok(())
    }

    /// Enables what the source had enabled.
    async fn enable_events(&mut self) -> Result<(), Fault> {
        let events: Vec<SchemaObject> = self
            .memories
            .values()
            .map(|memory| &memory.wanted)
            .filter(|wanted| wanted.name.kind == ObjectKind::Event && wanted.enabled)
            .cloned()
            .collect();
        for event in events {
            let enabled = self.there.get(&event.name).map(|there| there.enabled);
            match enabled {
                Some(true) => {}
                Some(false) => match enable(self.road.session(), &event).await? {
                    Ok(()) => self.report.made.push(event.name.clone()),
                    Err(reason) => self.trouble(&event.name, reason),
                },
                None => self.trouble(&event.name, "the event is gone from the target"),
            }
        }
        Ok(())
    }
}

/// What is remembered before an object is made.
pub(super) fn intent(object: &SchemaObject) -> Memory {
    Memory {
        wanted: object.clone(),
        printed: None,
        made: true,
        trouble: None,
    }
}
