//! Tables that foreign keys point to and that get another name.
//!
//! A server follows such a name in the keys that it has. Keys of stored definitions may not be made
//! yet, and are to point to the same table when they are.

use super::Inner;
use super::definition_change::{Plan, Request};
use super::store::StoredTable;
use crate::ddl::definition::{Keys, RenderOptions};
use wherry_engine::state::TableState;
use wherry_model::{Fault, TableName};

impl Inner {
    /// Lets the stored keys of tables that the statement does not name follow it.
    pub(super) async fn follow_parents(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
    ) -> Result<(), Fault> {
        if request.in_lane || request.statement.renames().is_empty() {
            return Ok(());
        }
        let Some(task) = self.stored().await? else {
            return Ok(());
        };
        let points = |state: &&TableState| state.table.has_foreign_keys();
        let names = task.tables.iter().filter(points);
        let names = names.map(|state| &state.table.name);
        for name in names.filter(|name| !request.stored.contains_key(name)) {
            let Some(mut stored) = self.stored_table(name).await? else {
                continue;
            };
            if stored.state.start.reaches(&request.ddl.end) {
                continue;
            }
            if let Some(definition) = self.with_parents_behind(request, &stored).await? {
                stored.state.table.definition = definition;
                plan.states
                    .extend(self.put_table(&stored.state, stored.dialect)?);
            }
        }
        Ok(())
    }

    /// The stored text with its keys as they are behind the statement; `None` where they stay.
    pub(super) async fn with_parents_behind(
        &self,
        request: &Request<'_>,
        stored: &StoredTable,
    ) -> Result<Option<String>, Fault> {
        let Some((definition, _)) = self.stored_definition(stored).await? else {
            return Ok(None);
        };
        let follow = |name: &TableName| request.name_after(name);
        let mut keys = definition.foreign_keys.iter();
        if keys.all(|key| follow(&key.references) == key.references) {
            return Ok(None);
        }
        let behind = definition.map_references(&follow);
        // Its own name is that of the text still, which generated names follow later.
        Ok(Some(behind.render(&RenderOptions {
            name: &definition.name,
            keys: Keys::All,
            foreign_keys: true,
            auto_increment: true,
        })))
    }
}
