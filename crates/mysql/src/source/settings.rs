//! The source's global variables, read once.

use crate::session::Session;
use std::collections::HashMap;
use wherry_model::Fault;

/// Global variables by name in lower case.
#[derive(Debug, Default)]
pub(super) struct Settings(HashMap<String, String>);

impl Settings {
    pub(super) async fn read(session: &mut Session) -> Result<Settings, Fault> {
        let rows = session.query("SHOW GLOBAL VARIABLES").await?;
        let mut settings = HashMap::new();
        for row in 0..rows.rows.len() {
            if let (Some(name), Some(value)) = (rows.text(row, 0), rows.text(row, 1)) {
                settings.insert(name.to_lowercase(), value.to_owned());
            }
        }
        Ok(Settings(settings))
    }

    /// The value; `None` where the server has no such variable.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value in upper case; empty where there is none.
    pub(super) fn upper(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_uppercase()
    }

    pub(super) fn is_on(&self, name: &str) -> bool {
        matches!(self.upper(name).as_str(), "ON" | "1" | "YES")
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    #[cfg(test)]
    pub(super) fn of(pairs: &[(&str, &str)]) -> Settings {
        let own = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        Settings(pairs.iter().map(own).collect())
    }
}
