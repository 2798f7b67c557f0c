//! Accounts of a server, with what they may do.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor, value::SeqAccessDeserializer};
use std::borrow::Cow;
use std::fmt;

/// An account as a server has it. Its hash is never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Account {
    pub user: String,
    pub host: String,
    pub plugin: String,
    /// The stored hash of its password.
    pub hash: Vec<u8>,
    /// What stands behind `CREATE USER` and the name, for an account that is locked at first.
    pub clauses: String,
    /// At its own server.
    pub locked: bool,
    /// What `SHOW GRANTS` lists.
    pub grants: Vec<String>,
    /// Why it cannot be carried whatever the target is.
    pub refused: Option<String>,
}

impl Account {
    /// `user@host`, as definers are written.
    pub fn name(&self) -> String {
        format!("{}@{}", self.user, self.host)
    }
}

/// Shows no hash, and nothing that may hold one.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("name", &self.name())
            .field("plugin", &self.plugin)
            .finish_non_exhaustive()
    }
}

/// Which accounts of the source are made in the target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AccountChoice {
    /// Nothing about accounts is read.
    #[default]
    None,
    All,
    /// As `user@host`, letter by letter.
    Listed(Vec<String>),
}

impl AccountChoice {
    pub fn includes(&self, name: &str) -> bool {
        match self {
            AccountChoice::None => false,
            AccountChoice::All => true,
            AccountChoice::Listed(names) => names.iter().any(|listed| listed == name),
        }
    }
}

/// Written by hand, so that a wrong value is told with what is meant.
impl<'de> Deserialize<'de> for AccountChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AccountChoice, D::Error> {
        deserializer.deserialize_any(ChoiceVisitor)
    }
}

impl JsonSchema for AccountChoice {
    fn schema_name() -> Cow<'static, str> {
        "AccountChoice".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [
            {"enum": ["none", "all"]},
            {"type": "array", "items": {"type": "string"}}
        ]})
    }
}

struct ChoiceVisitor;

impl<'de> Visitor<'de> for ChoiceVisitor {
    type Value = AccountChoice;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`none`, `all` or a list of accounts like `[app@%]`")
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<AccountChoice, E> {
        match word {
            "none" => Ok(AccountChoice::None),
            "all" => Ok(AccountChoice::All),
            _ => Err(E::invalid_value(serde::de::Unexpected::Str(word), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, names: A) -> Result<AccountChoice, A::Error> {
        let names = Vec::<String>::deserialize(SeqAccessDeserializer::new(names))?;
        if let Some(name) = names.iter().find(|name| !name.contains('@')) {
            let problem = format!("an account is written `user@host`, not `{name}`");
            return Err(serde::de::Error::custom(problem));
        }
        Ok(AccountChoice::Listed(names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_never_shown() {
        let account = Account {
            user: "app".to_owned(),
            host: "%".to_owned(),
            hash: b"SECRET".to_vec(),
            clauses: "AS 'SECRET'".to_owned(),
            grants: vec!["GRANT USAGE IDENTIFIED BY PASSWORD 'SECRET'".to_owned()],
            ..Account::default()
        };
        let shown = format!("{account:?}{:?}", account.hash.len());
        assert!(
            shown.contains("app@%") && !shown.contains("SECRET"),
            "{shown}"
        );
        assert!(!shown.contains("83, 69"), "{shown}");
    }
}
