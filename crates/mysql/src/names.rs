//! The names of one task, resolved once its target has said how it stores names.
//!
//! Shared by both ends: the source writes target names into every table that it reads, so that a
//! [`Table`] carries them from its beginning; the target asks for the names of what it has no table of.

use crate::session::{Endpoint, Session, SessionKind};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::OnceCell;
use wherry_model::names::Known;
use wherry_model::task::SelectSpec;
use wherry_model::{Fault, NameMap, Table};

/// How source names become target names. Without rules, every name stays.
#[derive(Debug, Default)]
pub struct Names {
    select: SelectSpec,
    target: Option<Endpoint>,
    folds: OnceCell<bool>,
    map: RwLock<Option<Arc<NameMap>>>,
}

impl Names {
    /// Asks the target for its letter case when the first name is needed.
    pub fn new(select: &SelectSpec, target: Endpoint) -> Names {
        Names {
            select: select.clone(),
            target: Some(target),
            ..Names::default()
        }
    }

    pub(crate) async fn map(&self) -> Result<Arc<NameMap>, Fault> {
        let ready = self
            .map
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(map) = ready {
            return Ok(map);
        }
        let resolve = || async {
            match &self.target {
                Some(target) => folds_names(target).await,
                None => Ok(false),
            }
        };
        let folds = *self.folds.get_or_try_init(resolve).await?;
        let map = NameMap::new(&self.select, folds).map_err(|problem| {
            Fault::input(
                "NAM-002",
                format!("`{}` in select.mapping cannot be right", problem.rule),
            )
            .hint("Write tables like shop.orders and columns like shop.orders.note.")
        })?;
        Ok(self.put(map))
    }

    /// The names as they are known now, for reports.
    ///
    /// Errors: as for the first session to the target.
    pub async fn resolved(&self) -> Result<Arc<NameMap>, Fault> {
        self.map().await
    }

    fn put(&self, map: NameMap) -> Arc<NameMap> {
        let map = Arc::new(map);
        let mut place = self.map.write().unwrap_or_else(PoisonError::into_inner);
        *place = Some(Arc::clone(&map));
        map
    }

    /// Takes in what the source has now, where patterns need that.
    pub(crate) async fn learn(&self, known: Known) -> Result<(), Fault> {
        let map = self.map().await?;
        if map.needs_to_know() && *map.known() != known {
            self.put(NameMap::clone(&map).knowing(known));
        }
        Ok(())
    }

    /// Takes in a database that the source has made.
    pub(crate) async fn learn_database(&self, name: &str) -> Result<(), Fault> {
        let map = self.map().await?;
        let mut known = map.known().clone();
        known.databases.insert(name.to_owned());
        self.learn(known).await
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
