//! Triggers: behind the fence, or before it with a guard; always in the source's order.

use super::object_make::{UNREADABLE, drop_object, make};
use super::object_rules::guarded;
use super::object_state::Memory;
use super::objects::{Syncing, intent};
use std::collections::BTreeMap;
use wherry_model::{Fault, ObjectName, SchemaObject, TableName};

impl Syncing<'_> {
    /// Triggers wait for the fence; that they can be made there is tried out now.
    pub(super) async fn keep_for_release(
        &mut self,
        triggers: Vec<SchemaObject>,
    ) -> Result<(), Fault> {
        let mut fresh = Vec::new();
        for trigger in &triggers {
            if !self.clear_place(&trigger.name).await? {
                self.trouble(
                    &trigger.name,
                    "the target has a trigger of this name already, which fires on Wherry's writes; drop it there",
                );
                continue;
            }
            let known = self.memories.get(&trigger.name);
            if known.is_none_or(|memory| memory.wanted != *trigger || memory.trouble.is_some()) {
                fresh.push(trigger);
            }
        }
        let results = self.inner.try_triggers(&fresh).await?;
        let mut memories = Vec::new();
        for (trigger, result) in fresh.into_iter().zip(results) {
            if let Err(reason) = &result {
                self.trouble(&trigger.name, reason.as_str());
            }
            memories.push(Memory {
                made: false,
                trouble: result.err(),
                ..intent(trigger)
            });
        }
        self.remember(&memories).await
    }

    /// Before the fence no trigger of this name may be there: one that an earlier policy made goes.
    /// False where it is not this task's.
    async fn clear_place(&mut self, name: &ObjectName) -> Result<bool, Fault> {
        if !self.there.contains_key(name) {
            return Ok(true);
        }
        if self.is_foreign(name) {
            return Ok(false);
        }
        let gone = drop_object(self.road.session(), name).await?.is_ok();
        if gone {
            self.there.remove(name);
        }
        Ok(gone)
    }

    /// Makes triggers before the fence so that they do not fire in Wherry's own sessions.
    pub(super) async fn make_guarded(&mut self, triggers: &[SchemaObject]) -> Result<(), Fault> {
        let mut guards = Vec::new();
        for trigger in triggers {
            match guarded(trigger, self.to) {
                Some(guard) => guards.push(guard),
                None => self.trouble(&trigger.name, UNREADABLE),
            }
        }
        self.make_triggers(&guards).await
    }

    /// Makes each table's triggers in the source's order. Where one of an order is not as it
    /// should be, all of this task in it are made anew.
    pub(super) async fn make_triggers(&mut self, triggers: &[SchemaObject]) -> Result<(), Fault> {
        let mut orders: BTreeMap<(TableName, &str, &str), Vec<&SchemaObject>> = BTreeMap::new();
        for trigger in triggers {
            if let Some(place) = &trigger.trigger {
                let table = TableName::new(trigger.name.database.as_str(), place.table.as_str());
                let order = (table, place.timing.as_str(), place.event.as_str());
                orders.entry(order).or_default().push(trigger);
            }
        }
        for mut order in orders.into_values() {
            order.sort_by_key(|trigger| trigger.trigger.as_ref().map(|place| place.order));
            if !self.is_in_order(&order) {
                self.make_order(&order).await?;
            }
        }
        Ok(())
    }

    /// True where the target has all of these as they should be, one behind the other.
    fn is_in_order(&self, order: &[&SchemaObject]) -> bool {
        let places: Vec<Option<u64>> = order
            .iter()
            .map(|trigger| {
                let there = self.there.get(&trigger.name)?.trigger.as_ref()?;
                self.is_current(trigger).then_some(there.order)
            })
            .collect();
        places.iter().all(Option::is_some) && places.is_sorted()
    }

    async fn make_order(&mut self, order: &[&SchemaObject]) -> Result<(), Fault> {
        for trigger in order {
            if self.is_foreign(&trigger.name) {
                self.trouble(
                    &trigger.name,
                    "the target has another trigger of this name that is not Wherry's; drop it there",
                );
                return Ok(());
            }
        }
        let intents: Vec<Memory> = order.iter().map(|trigger| intent(trigger)).collect();
        self.remember(&intents).await?;
        for trigger in order {
            // All go before the first comes, so that their order is that of their making.
            if let Err(reason) = drop_object(self.road.session(), &trigger.name).await? {
                self.trouble(&trigger.name, reason);
                return Ok(());
            }
        }
        let (mut made, mut failed) = (Vec::new(), Vec::new());
        for trigger in order {
            match make(self.road.session(), trigger).await? {
                Ok(()) => made.push((*trigger).clone()),
                Err(reason) => failed.push(((*trigger).clone(), reason)),
            }
        }
        self.record(made, failed).await
    }
}
