//! Shadow tables: a statement of the source runs on an empty copy first, and the copy is read back.
//!
//! Owns the shadow database. A dry run finds what the target refuses before the real table is
//! touched, and what the columns are afterwards without guessing. One shadow at a time per server.

use super::Inner;
use super::claim::{release_lock, take_lock};
use super::fault;
use super::road::Road;
use super::schema::{neutral_definition, settle_for_definitions};
use super::store::StoredTable;
use crate::ServerVersion;
use crate::catalog::{read_databases, read_table};
use crate::ddl::definition::{Definition, Keys, RenderOptions};
use crate::ddl::{Context, Dialect, Refusal, Role, Statement, carried, sql_mode_names};
use crate::session::{Session, SessionError, SessionKind};
use wherry_model::change::DdlSession;
use wherry_model::name::quote;
use wherry_model::{Ddl, Fault, Table, TableName};

/// Another task on this server may be in a dry run; one takes a moment.
const LOCK_TRIES_MAX: u32 = 60;
const LOCK_STEP_SECONDS: u64 = 5;

/// Modes under which a server refuses zero dates. The second one stands for a list of modes, which
/// are in the binlog beside it.
const FORBIDS_ZERO_DATES: [&str; 2] = ["NO_ZERO_DATE", "TRADITIONAL"];

/// The name of the copy that a `LIKE` points to; its own could be the new table's.
const LIKE_NAME: &str = "wherry_like";

/// What a dry run is to do.
pub(super) struct DryRun<'a> {
    pub(super) ddl: &'a Ddl,
    pub(super) statement: &'a Statement,
    /// The table that the statement makes or changes.
    pub(super) subject: &'a TableName,
    /// The name it has afterwards.
    pub(super) renamed: &'a TableName,
    /// The subject before the statement; `None` where it is made by it.
    pub(super) before: Option<&'a StoredTable>,
    /// The table that `LIKE` names.
    pub(super) like: Option<&'a StoredTable>,
}

/// Why the shadow does not have what the statement says.
pub(super) enum ShadowFault {
    /// The target refuses the statement; the table is to stop.
    Refused(Fault),
    Failed(Fault),
}

impl From<Refusal> for ShadowFault {
    fn from(refusal: Refusal) -> ShadowFault {
        ShadowFault::Refused(refusal.into())
    }
}

impl From<Fault> for ShadowFault {
    fn from(fault: Fault) -> ShadowFault {
        match fault.class {
            wherry_model::Class::Operator => ShadowFault::Refused(fault),
            _ => ShadowFault::Failed(fault),
        }
    }
}

impl Inner {
    pub(super) fn shadow_database(&self) -> String {
        format!("{}_shadow", self.state.database())
    }

    /// Runs the statement on an empty copy; the table as it is afterwards, under its real name.
    pub(super) async fn dry_run(&self, run: &DryRun<'_>) -> Result<Table, ShadowFault> {
        let mut session = self.open_shadow(run.subject).await?;
        let result = self.dry_run_locked(&mut session, run).await;
        self.give_shadow(session)
            .await
            .map_err(ShadowFault::Failed)?;
        result
    }

    /// A session that has the shadow database for itself, until `give_shadow`.
    pub(super) async fn open_shadow(&self, subject: &TableName) -> Result<Session, ShadowFault> {
        let mut session = self.own_session(SessionKind::Write).await?;
        session.set_label(format!("try a definition of {subject}"));
        self.take_shadow(&mut session)
            .await
            .map_err(ShadowFault::Failed)?;
        Ok(session)
    }

    fn shadow_lock(&self) -> String {
        format!(
            "wherry/shadow/{:x}",
            xxhash_rust::xxh3::xxh3_64(self.state.database().as_bytes())
        )
    }

    /// Waits until no other task uses the shadow database.
    pub(super) async fn take_shadow(&self, session: &mut Session) -> Result<(), Fault> {
        let mut tries = 0;
        while !take_lock(session, &self.shadow_lock(), LOCK_STEP_SECONDS).await? {
            tries += 1;
            if tries == LOCK_TRIES_MAX {
                return Err(Fault::transient(
                    "TGT-042",
                    "another task has used the shadow database for minutes",
                ));
            }
        }
        Ok(())
    }

    /// Drops the shadow database and lets others use it.
    pub(super) async fn give_shadow(&self, mut session: Session) -> Result<(), Fault> {
        if session.is_broken() {
            return Ok(());
        }
        let gone = format!("DROP DATABASE IF EXISTS {}", quote(&self.shadow_database()));
        session.execute(gone).await?;
        release_lock(&mut session, &self.shadow_lock()).await?;
        session.close().await;
        Ok(())
    }

    /// Runs a statement in the shadow database; `table` stops where the server refuses it.
    pub(super) async fn try_in_shadow(
        &self,
        session: &mut Session,
        sql: String,
        table: &TableName,
    ) -> Result<(), ShadowFault> {
        let done = session.execute(sql).await;
        done.map(drop).map_err(|error| refused(error, table))
    }

    async fn dry_run_locked(
        &self,
        session: &mut Session,
        run: &DryRun<'_>,
    ) -> Result<Table, ShadowFault> {
        let shadow = self.shadow_database();
        let names = self.names.map().await?;
        let like_database = names.table(run.subject).database;
        self.make_shadow_database(session, &shadow, &like_database)
            .await?;
        // A server that folds names would call the copy otherwise than it was asked to.
        let in_shadow = |name: &TableName| match names.target_folds() {
            true => TableName::new(shadow.as_str(), name.table.to_lowercase()),
            false => TableName::new(shadow.as_str(), name.table.as_str()),
        };
        let subject = in_shadow(run.subject);
        let renamed = in_shadow(run.renamed);
        let like = TableName::new(shadow.as_str(), LIKE_NAME);
        let mut others = Others::of(&shadow, run);
        if let Some(before) = run.before {
            let copy = self.in_own_words(before).await?;
            others.add(copy.foreign_keys.iter().map(|key| &key.references));
            let copy = copy.map_references(&|name| others.alias_of(name));
            self.make_from(session, &copy, &subject).await?;
        }
        if let Some(source) = run.like {
            // No LIKE copies a foreign key.
            let mut copy = self.in_own_words(source).await?;
            copy.foreign_keys.clear();
            if self.source_dialect().copies_check_names() {
                self.make_from(session, &copy, &subject).await?;
                return self.read_back(&subject, run.subject).await;
            }
            self.make_from(session, &copy, &like).await?;
        }
        apply_session(session, &run.ddl.session, &self.source_version).await?;
        let like_name = run.like.map(|stored| &stored.state.table.name);
        let map = |name: &TableName| {
            if name == run.subject {
                subject.clone()
            } else if name == run.renamed {
                renamed.clone()
            } else if Some(name) == like_name {
                like.clone()
            } else {
                others.alias_of(name)
            }
        };
        let sql = carried(&run.ddl.statement, run.statement, &map)?;
        self.try_in_shadow(session, sql, run.subject).await?;
        let back = |reference: &TableName| others.real(reference);
        self.read_back_with(&renamed, run.renamed, &back).await
    }

    /// With the character set of the real database, which a CREATE TABLE may take its own from.
    pub(super) async fn make_shadow_database(
        &self,
        session: &mut Session,
        shadow: &str,
        like: &str,
    ) -> Result<(), Fault> {
        let found = read_databases(session, &[like.to_owned()]).await?;
        let charset = found.first().map_or_else(String::new, |database| {
            format!(
                " DEFAULT CHARACTER SET {} COLLATE {}",
                quote(&database.charset),
                quote(&database.collation)
            )
        });
        for sql in [
            format!("DROP DATABASE IF EXISTS {}", quote(shadow)),
            format!("CREATE DATABASE {}{charset}", quote(shadow)),
            format!("USE {}", quote(shadow)),
        ] {
            if let Err(error) = session.execute(sql).await {
                let denied = error.server_code() == Some(1044);
                let fault = error.into_fault();
                return Err(if denied {
                    fault.hint(format!(
                        "Grant ALL on database `{shadow}` to the account of the target."
                    ))
                } else {
                    fault
                });
            }
        }
        Ok(())
    }

    async fn in_own_words(&self, stored: &StoredTable) -> Result<Definition, Fault> {
        let table = &stored.state.table;
        self.translate(&table.definition, &table.name, stored.dialect)
            .await
    }

    /// Makes an empty table of this name.
    pub(super) async fn make_from(
        &self,
        session: &mut Session,
        definition: &Definition,
        name: &TableName,
    ) -> Result<(), ShadowFault> {
        let sql = definition.render(&RenderOptions {
            name,
            keys: Keys::All,
            foreign_keys: true,
            auto_increment: false,
        });
        self.try_in_shadow(session, sql, &definition.name).await
    }

    /// Columns and definition of the shadow table, as if it stood at its real place.
    pub(super) async fn read_back(
        &self,
        shadow: &TableName,
        name: &TableName,
    ) -> Result<Table, ShadowFault> {
        self.read_back_with(shadow, name, &|_| None).await
    }

    /// As `read_back`; `real` knows what some references mean.
    async fn read_back_with(
        &self,
        shadow: &TableName,
        name: &TableName,
        real: &(dyn Fn(&TableName) -> Option<TableName> + Sync),
    ) -> Result<Table, ShadowFault> {
        let mut session = self.own_session(SessionKind::Control).await?;
        let found = read_table(&mut session, shadow).await?;
        let Some(mut table) = found else {
            return Err(ShadowFault::Failed(fault::state_moved(
                "the statement left no table",
            )));
        };
        session.close().await;
        let context = Context::new(&shadow.database, self.dialect().await?);
        let definition = Definition::parse(&table.definition, &context).map_err(Fault::from)?;
        let back = |reference: &TableName| match real(reference) {
            Some(real) => real,
            None if reference.database == shadow.database => {
                TableName::new(name.database.as_str(), reference.table.as_str())
            }
            None => reference.clone(),
        };
        table.definition = definition.map_references(&back).render(&RenderOptions {
            name,
            keys: Keys::All,
            foreign_keys: true,
            auto_increment: true,
        });
        table.name = name.clone();
        Ok(table)
    }

    /// What the definition of a table says, without its counter; two equal ones need no change.
    pub(super) async fn fingerprint(&self, name: &TableName) -> Result<String, Fault> {
        let mut session = self.own_session(SessionKind::Control).await?;
        let text = neutral_definition(&mut session, name).await?;
        session.close().await;
        let Some(text) = text else {
            return Ok("absent".to_owned());
        };
        let context = Context::new(&name.database, self.dialect().await?);
        let definition =
            Definition::parse(&text, &context).map_err(|error| Fault::from(error).table(name))?;
        let hash = xxhash_rust::xxh3::xxh3_128(definition.fingerprint_text().as_bytes());
        Ok(format!("{hash:032x}"))
    }
}

/// Tables that foreign keys of the copy point to, under names that no table has. The real ones may
/// have other columns than at this place, or under other names, and a server looks at what is there;
/// with its checks off it takes a table that is missing.
struct Others {
    shadow: String,
    real: Vec<TableName>,
}

impl Others {
    fn of(shadow: &str, run: &DryRun<'_>) -> Others {
        let mut others = Others {
            shadow: shadow.to_owned(),
            real: Vec::new(),
        };
        let named = run.statement.tables();
        let named: Vec<TableName> = named
            .filter(|(role, _)| *role == Role::Other)
            .map(|(_, name)| name)
            .collect();
        others.add(named.iter());
        others
    }

    fn add<'n>(&mut self, names: impl Iterator<Item = &'n TableName>) {
        for name in names {
            if !self.real.contains(name) {
                self.real.push(name.clone());
            }
        }
    }

    /// The name itself where it is not one of them.
    fn alias_of(&self, name: &TableName) -> TableName {
        let place = self.real.iter().position(|real| real == name);
        place.map_or_else(|| name.clone(), |place| self.name(place))
    }

    fn name(&self, place: usize) -> TableName {
        TableName::new(self.shadow.as_str(), format!("wherry_other_{place}"))
    }

    fn real(&self, alias: &TableName) -> Option<TableName> {
        let place = (0..self.real.len()).find(|place| self.name(*place) == *alias);
        place.map(|place| self.real[place].clone())
    }
}

fn refused(error: SessionError, table: &TableName) -> ShadowFault {
    if fault::is_answered(&error) && !fault::is_retry(&error) {
        ShadowFault::Refused(fault::ddl_fault(error, table))
    } else {
        ShadowFault::Failed(error.into_fault())
    }
}

/// Puts a session into the state that the source ran the statement under. What this server or
/// account does not have is left as it is; statements are UTF-8, so the client's character set stays.
pub(super) async fn apply_session(
    session: &mut Session,
    state: &DdlSession,
    source: &ServerVersion,
) -> Result<(), Fault> {
    let mut settings = vec!["foreign_key_checks=0".to_owned()];
    // What an older source does not log comes first, so that what is logged wins.
    let dialect = Dialect::from(source);
    let unlogged = dialect.unlogged_settings();
    settings.extend(unlogged.iter().map(|setting| (*setting).to_owned()));
    if let Some(bits) = state.sql_mode {
        // What the source accepted is in the binlog, so the target need not forbid more.
        let lifted = |name: &str| dialect.adds_zero_dates() && FORBIDS_ZERO_DATES.contains(&name);
        let modes: Vec<&str> = sql_mode_names(bits, source.is_mariadb())
            .into_iter()
            .filter(|mode| mode.accepted && !lifted(mode.name))
            .map(|mode| mode.name)
            .collect();
        settings.push(format!("sql_mode='{}'", modes.join(",")));
    }
    if state.timestamp > 0 {
        settings.push(format!(
            "timestamp={}.{:06}",
            state.timestamp, state.microseconds
        ));
    }
    if let Some(zone) = &state.time_zone {
        set_zone(session, zone).await?;
    }
    if let Some([_, connection, server]) = state.charsets {
        settings.push(format!("collation_connection={connection}"));
        settings.push(format!("collation_server={server}"));
    }
    if let Some(collation) = state.default_collation_utf8mb4 {
        settings.push(format!("default_collation_for_utf8mb4={collation}"));
    }
    if let Some(explicit) = state.explicit_defaults_for_timestamp {
        settings.push(format!(
            "explicit_defaults_for_timestamp={}",
            u8::from(explicit)
        ));
    }
    for setting in settings {
        match session.execute(format!("SET SESSION {setting}")).await {
            Ok(_) => {}
            Err(error) if fault::is_answered(&error) => {
                tracing::debug!(setting, "the target does not take a setting of the source");
            }
            Err(error) => return Err(error.into_fault()),
        }
    }
    settle_for_definitions(session).await
}

/// A server logs the zone only where the statement used it, so without it values would differ.
async fn set_zone(session: &mut Session, zone: &str) -> Result<(), Fault> {
    let set = match is_zone(zone) {
        true => {
            session
                .execute(format!("SET SESSION time_zone='{zone}'"))
                .await
        }
        false => return Err(unknown_zone(zone)),
    };
    match set {
        Ok(_) => Ok(()),
        Err(error) if fault::is_answered(&error) => Err(unknown_zone(zone)),
        Err(error) => Err(error.into_fault()),
    }
}

fn unknown_zone(zone: &str) -> Fault {
    Fault::operator(
        "TGT-100",
        format!("the source ran a definition change in time zone `{zone}`, which the target does not know"),
    )
    .hint("Load the time zone tables into the target (mysql_tzinfo_to_sql), then load this table anew.")
}

/// True for what can be a zone's name.
fn is_zone(zone: &str) -> bool {
    zone != "SYSTEM"
        && zone
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-:/_".contains(&byte))
}

/// Puts the road's session into the statement's state, with the default database for it.
pub(super) async fn prepare_road(
    road: &mut Road<'_>,
    state: &DdlSession,
    database: &str,
    source: &ServerVersion,
) -> Result<(), Fault> {
    let session = road.session();
    match session.execute(format!("USE {}", quote(database))).await {
        Ok(_) => {}
        // The database is gone or not yet there; every name in the statement is qualified.
        Err(error) if fault::is_answered(&error) => {}
        Err(error) => return Err(error.into_fault()),
    }
    apply_session(session, state, source).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_cannot_leave_their_quotes() {
        assert!(is_zone("Europe/Berlin"));
        assert!(is_zone("+02:00"));
        assert!(!is_zone("SYSTEM"));
        assert!(!is_zone("x'; DROP TABLE t; --"));
    }
}
