//! The names of one task, resolved once its target has said how it stores names.
//!
//! Shared by both ends: the source writes target names into every table that it reads, so that a
//! [`Table`] carries them from its beginning; the target asks for the names of what it has no table of.

use crate::session::{Endpoint, Session, SessionKind};
use std::sync::Arc;
use tokio::sync::OnceCell;
use wherry_model::task::SelectSpec;
use wherry_model::{Fault, NameMap, Table};

/// How source names become target names. Without rules, every name stays.
#[derive(Debug, Default)]
pub struct Names {
    select: SelectSpec,
    target: Option<Endpoint>,
    known: OnceCell<Arc<NameMap>>,
}

impl Names {
    /// Asks the target for its letter case when the first name is needed.
    pub fn new(select: &SelectSpec, target: Endpoint) -> Names {
        Names {
            select: select.clone(),
            target: Some(target),
            known: OnceCell::new(),
        }
    }

    pub(crate) async fn map(&self) -> Result<Arc<NameMap>, Fault> {
        let resolve = || async {
            let folds = match &self.target {
                Some(target) => folds_names(target).await?,
                None => false,
            };
            NameMap::new(&self.select, folds)
                .map(Arc::new)
                .map_err(|rule| {
                    Fault::input(
                        "NAM-002",
                        format!("`{rule}` in select.mapping does not name what it is about"),
                    )
                    .hint("Write tables like shop.orders and columns like shop.orders.note.")
                })
        };
        self.known.get_or_try_init(resolve).await.cloned()
    }

    pub(crate) async fn apply(&self, tables: &mut [Table]) -> Result<(), Fault> {
        let map = self.map().await?;
        for table in tables {
            map.apply(table);
        }
        Ok(())
    }
}

/// True where the server does not tell the letters of database and table names apart.
async fn folds_names(endpoint: &Endpoint) -> Result<bool, Fault> {
    let mut session = Session::connect(endpoint, SessionKind::Control).await?;
    let rows = session.query("SELECT @@lower_case_table_names").await?;
    session.close().await;
    Ok(rows.text(0, 0).is_some_and(|mode| mode != "0"))
}
