//! What the server has at one moment, as far as the random program needs to know it.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::{OUTSIDE, REMODEL_DATABASES};
use crate::failure::Result;
use crate::flavour::Flavour;
use crate::random::Random;

/// Two tables to work on, and the names of all.
#[derive(Debug)]
pub(super) struct Scene {
    pub flavour: Flavour,
    /// Qualified and quoted.
    pub names: Vec<String>,
    pub table: Option<Table>,
    pub other: Option<Table>,
    pub free_databases: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Table {
    /// Qualified and quoted.
    pub name: String,
    pub columns: Vec<Column>,
    /// Names of the indexes beside the primary key.
    pub indexes: Vec<String>,
    pub primary: Vec<String>,
    /// Names of CHECKs and foreign keys.
    pub checks: Vec<String>,
    pub foreign_keys: Vec<String>,
    pub has_fulltext: bool,
    /// Like `RANGE`; empty where it is not partitioned.
    pub method: String,
    pub partitions: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Column {
    pub name: String,
    /// Like `varchar`.
    pub kind: String,
    /// Like `varchar(20)`.
    pub definition: String,
    pub nullable: bool,
    pub generated: bool,
    pub numbered: bool,
    pub length: u64,
}

impl Column {
    pub fn is_number(&self) -> bool {
        self.kind.ends_with("int") && self.kind != "point"
    }

    pub fn is_text(&self) -> bool {
        self.kind.ends_with("char") || self.kind.ends_with("text")
    }
}

impl Table {
    /// Columns that can be written and changed freely.
    pub fn plain(&self) -> Vec<&Column> {
        let plain = |column: &&Column| !column.generated && !column.numbered;
        self.columns.iter().filter(plain).collect()
    }

    pub fn column(&self, random: &mut Random, wanted: fn(&Column) -> bool) -> Option<&Column> {
        let fitting: Vec<&Column> = self
            .columns
            .iter()
            .filter(|column| wanted(column))
            .collect();
        (!fitting.is_empty()).then(|| fitting[random.below(fitting.len() as u64) as usize])
    }

    pub fn plain_column(&self, random: &mut Random) -> Option<&Column> {
        self.column(random, |column| !column.generated && !column.numbered)
    }
}

/// One of a list, nothing where it is empty.
pub(super) fn one<'a, T>(list: &'a [T], random: &mut Random) -> Option<&'a T> {
    list.get(random.below(list.len() as u64) as usize)
}

impl Scene {
    pub async fn look(
        connection: &mut Conn,
        flavour: Flavour,
        random: &mut Random,
    ) -> Result<Scene> {
        let databases: Vec<String> = REMODEL_DATABASES.map(|name| format!("'{name}'")).into();
        let query = format!(
            "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA IN ({}) AND TABLE_TYPE = 'BASE TABLE'",
            databases.join(",")
        );
        let found: Vec<(String, String)> = connection.query(query).await?;
        let names = found
            .iter()
            .map(|(database, table)| format!("`{database}`.`{table}`"))
            .collect();
        let mut two = Vec::new();
        for _ in 0..2 {
            two.push(match one(&found, random) {
                Some((database, table)) => table_of(connection, database, table).await?,
                None => None,
            });
        }
        Ok(Scene {
            flavour,
            names,
            table: two.swap_remove(0),
            other: two.pop().flatten(),
            free_databases: false,
        })
    }

    /// A name that is most likely free, in a selected database.
    pub fn fresh_name(&self, random: &mut Random) -> String {
        let database = random.pick(&["mill", "yard", "yard", "mill", "shed"]);
        format!("`{database}`.`t{}`", random.below(40))
    }

    pub fn outside_name(&self, random: &mut Random) -> String {
        format!("`{OUTSIDE}`.`o{}`", random.below(6))
    }
}

/// Nothing where it has gone meanwhile.
async fn table_of(connection: &mut Conn, database: &str, table: &str) -> Result<Option<Table>> {
    let place = format!("TABLE_SCHEMA = '{database}' AND TABLE_NAME = '{table}'");
    let columns = columns_of(connection, &place).await?;
    if columns.is_empty() {
        return Ok(None);
    }
    let keys: Vec<(String, String, String)> = connection
        .query(format!(
            "SELECT INDEX_NAME, COALESCE(COLUMN_NAME, ''), INDEX_TYPE FROM information_schema.STATISTICS WHERE {place} ORDER BY INDEX_NAME, SEQ_IN_INDEX"
        ))
        .await?;
    let primary = keys.iter().filter(|(name, ..)| name == "PRIMARY");
    let primary = primary.map(|(_, column, _)| column.clone()).collect();
    let has_fulltext = keys.iter().any(|(.., kind)| kind == "FULLTEXT");
    let mut indexes: Vec<String> = keys.iter().map(|(name, ..)| name.clone()).collect();
    indexes.dedup();
    indexes.retain(|name| name != "PRIMARY");
    let constraints: Vec<(String, String)> = connection
        .query(format!(
            "SELECT CONSTRAINT_NAME, CONSTRAINT_TYPE FROM information_schema.TABLE_CONSTRAINTS WHERE {place}"
        ))
        .await?;
    let of_kind = |wanted: &str| -> Vec<String> {
        let kept = constraints.iter().filter(|(_, kind)| kind == wanted);
        kept.map(|(name, _)| name.clone()).collect()
    };
    let partitions: Vec<(String, String)> = connection
        .query(format!(
            "SELECT PARTITION_NAME, PARTITION_METHOD FROM information_schema.PARTITIONS WHERE {place} AND PARTITION_NAME IS NOT NULL"
        ))
        .await?;
    Ok(Some(Table {
        name: format!("`{database}`.`{table}`"),
        columns,
        indexes,
        primary,
        checks: of_kind("CHECK"),
        foreign_keys: of_kind("FOREIGN KEY"),
        has_fulltext,
        method: partitions
            .first()
            .map_or_else(String::new, |(_, method)| method.clone()),
        partitions: partitions.into_iter().map(|(name, _)| name).collect(),
    }))
}

async fn columns_of(connection: &mut Conn, place: &str) -> Result<Vec<Column>> {
    let rows: Vec<(String, String, String, String, String, Option<u64>)> = connection
        .query(format!(
            "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, EXTRA, CHARACTER_MAXIMUM_LENGTH FROM information_schema.COLUMNS WHERE {place} ORDER BY ORDINAL_POSITION"
        ))
        .await?;
    let column = |(name, kind, definition, nullable, extra, length): (
        String,
        String,
        String,
        String,
        String,
        Option<u64>,
    )| Column {
        name,
        kind: kind.to_lowercase(),
        definition,
        nullable: nullable == "YES",
        generated: extra.contains("VIRTUAL") || extra.contains("STORED"),
        numbered: extra.to_lowercase().contains("auto_increment"),
        length: length.unwrap_or(0),
    };
    Ok(rows.into_iter().map(column).collect())
}
