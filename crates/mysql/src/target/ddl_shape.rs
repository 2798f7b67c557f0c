//! Definition changes of tables of which not everything moves.
//!
//! Owns what a statement means that concerns only what stays behind, and what a new name means that
//! has another rule. All else goes the way of `ddl_names`, where the table is projected.

use super::Inner;
use super::ddl_restart::Entered;
use super::definition_change::{Plan, Request};
use super::leaving::cannot_load_anew;
use super::shadow::ShadowFault;
use super::store::{Dialect, StoredTable};
use crate::ddl::may_concern;
use crate::filter::Filter;
use crate::script::RowProgram;
use wherry_model::{Fault, Table, TableName};

const OTHER_SHAPE: &str = "under its new name another rule says what of it moves";

impl Request<'_> {
    /// True where the target's table holds, or is to hold, another part of the source's table.
    pub(super) fn is_shaped(&self, before: &Table, after: &TableName) -> bool {
        is_partial(before) || !self.names.shapes_alike(&before.name, after)
    }

    /// Why a table cannot get a new name with another rule, under which it would be loaded anew.
    pub(super) fn loses_rows(
        &self,
        origin: &TableName,
        old: &TableName,
        new: &TableName,
    ) -> Option<Fault> {
        let stored = self.stored.get(origin)?;
        let is_other = stored.state.table.is_leaving() && !self.names.shapes_alike(old, new);
        is_other.then(|| cannot_load_anew(old, OTHER_SHAPE))
    }

    /// Why a statement may change which rows of a table are selected, or what a script makes of them:
    /// their values may change without a word in the binlog.
    pub(super) fn changes_what_is_looked_at(&self, table: &Table) -> Option<&'static str> {
        if table.script().is_some() {
            let has = |name: &str| {
                let mut columns = table.source_columns().iter();
                columns.any(|column| column.name.to_lowercase() == name.to_lowercase())
            };
            return may_concern(&self.ddl.statement, &self.statement, &has)
                .then_some("it may change columns that its script looks at");
        }
        let concerns = |columns: Vec<&str>| {
            let decides = |name: &str| {
                let mut columns = columns.iter();
                columns.any(|column| column.to_lowercase() == name.to_lowercase())
            };
            may_concern(&self.ddl.statement, &self.statement, &decides)
        };
        if let Some(filter) = Filter::of(table).ok().flatten() {
            let columns = filter.columns().iter();
            if concerns(
                columns
                    .map(|index| table.columns[*index].name.as_str())
                    .collect(),
            ) {
                return Some("it may change columns that its filter looks at");
            }
        }
        let values = RowProgram::of(table).ok().flatten()?;
        concerns(values.looked_at(table).collect())
            .then_some("it may change columns that values of additional columns are made of")
    }

    /// True where the statement names a column of the table that moves, but for its place.
    fn names_a_moving_column(&self, table: &Table) -> bool {
        let moves = |name: &str| {
            let mut columns = table.columns.iter().enumerate();
            columns.any(|(index, column)| {
                !table.is_unselected(index) && column.name.to_lowercase() == name.to_lowercase()
            })
        };
        may_concern(&self.ddl.statement, &self.statement, &moves)
    }
}

fn is_partial(table: &Table) -> bool {
    table.shape.as_ref().is_some_and(|shape| shape.is_partial())
}

/// Why the rows that the target has are not those that the script would write now.
pub(super) fn written_otherwise(before: &Table, after: &Table) -> Option<&'static str> {
    let written = |table: &Table| -> Vec<String> {
        let program = RowProgram::of(table).ok().flatten();
        let names = program.iter().flat_map(|program| program.written(table));
        names.map(str::to_owned).collect()
    };
    (written(before) != written(after)).then_some("its script writes other columns now")
}

impl Inner {
    /// True where an ALTER changes nothing of what moves, neither definition nor rows.
    pub(super) async fn concerns_what_stays(
        &self,
        request: &Request<'_>,
        stored: &StoredTable,
        after: &Table,
    ) -> Result<bool, ShadowFault> {
        let before = &stored.state.table;
        let same_name = before.name == after.name;
        if !is_partial(before) || !same_name || request.names_a_moving_column(before) {
            return Ok(false);
        }
        let was = self
            .translate(&before.definition, &before.name, stored.dialect)
            .await?;
        let is = self
            .translate(&after.definition, &after.name, Dialect::Target)
            .await?;
        let was = self.named(&before.name, &was).await?;
        let is = self.named(&after.name, &is).await?;
        let there = request.names.table(&before.name);
        let difference = self.difference(&was, &is, &there, after.added());
        Ok(difference.await?.is_none())
    }

    /// A table whose new name has another rule: what the target has of it is not what is to move,
    /// so it is loaded anew under that name. False where both names have the same.
    pub(super) fn plan_other_shape(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        (old, origin): (&TableName, &TableName),
        new: &TableName,
        entered: &mut Entered,
    ) -> bool {
        if request.names.shapes_alike(old, new) {
            return false;
        }
        self.plan_gone(request, plan, old, origin);
        entered.add(request, new);
        true
    }

    /// The same for an ALTER that renames.
    pub(super) fn plan_altered_shape(
        &self,
        request: &Request<'_>,
        plan: &mut Plan,
        subject: &TableName,
        renamed: &TableName,
    ) -> Result<bool, Fault> {
        let mut entered = Entered::default();
        let names = (subject, subject);
        let is_other = self.plan_other_shape(request, plan, names, renamed, &mut entered);
        self.plan_entered(request, plan, &entered, OTHER_SHAPE)?;
        Ok(is_other)
    }
}
