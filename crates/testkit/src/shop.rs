//! A shop's database: the tables that most tests, the demo and the benchmark move.
//!
//! Twelve tables with the shapes that matter: composite and string keys, nullable unique keys, foreign keys without
//! cascades, JSON, DECIMAL, DATETIME(6), ENUM and SET, BIT, BLOB, utf8mb4 text, and two tables without any key.

mod values;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::failure::{Failure, Result};
use crate::flavour::Flavour;
use crate::random::Random;
pub(crate) use values::Values;

/// Rows put into one INSERT while filling.
const FILL_ROWS: u64 = 400;

/// The tables in an order in which foreign keys allow to fill them, with their share of a thousand rows.
pub const TABLES: [(&str, u64); 12] = [
    ("customers", 80),
    ("addresses", 90),
    ("products", 30),
    ("orders", 180),
    ("order_items", 355),
    ("payments", 155),
    ("images", 10),
    ("reviews", 60),
    ("coupons", 10),
    ("shelves", 5),
    ("visits", 10),
    ("audit_log", 15),
];

/// What to create.
#[derive(Clone, Debug)]
pub struct Shop {
    pub database: String,
    /// Rows over all tables, about.
    pub rows: u64,
    /// Without it JSON columns are text, as servers before 5.7 need.
    pub json: bool,
    /// FLOAT values of six digits only: `mysqldump` and other readers of the plain text lose the others.
    pub short_floats: bool,
    pub seed: u64,
}

impl Shop {
    pub fn new(flavour: Flavour, rows: u64) -> Shop {
        Shop {
            database: "shop".to_owned(),
            rows,
            json: flavour.has_json(),
            short_floats: false,
            seed: 1,
        }
    }

    /// Rows that a table gets.
    pub fn row_count(&self, table: &str) -> u64 {
        let share = TABLES
            .iter()
            .find(|(name, _)| *name == table)
            .map_or(0, |(_, share)| *share);
        (self.rows * share / 1000).max(4)
    }

    /// Creates the database and fills it, with two connections.
    pub async fn create(&self, url: &str) -> Result<()> {
        let mut connection = connect(url).await?;
        let database = &self.database;
        for statement in [
            format!("CREATE DATABASE `{database}` DEFAULT CHARACTER SET utf8mb4"),
            format!("USE `{database}`"),
        ] {
            connection
                .query_drop(&statement)
                .await
                .map_err(|error| Failure::because(&statement, error))?;
        }
        for statement in self.table_statements() {
            connection
                .query_drop(&statement)
                .await
                .map_err(|error| Failure::because(&statement, error))?;
        }
        let mut other = connect(url).await?;
        other.query_drop(format!("USE `{database}`")).await?;
        let (even, odd) = tokio::join!(self.fill(&mut connection, 0), self.fill(&mut other, 1));
        even.and(odd)?;
        connection.disconnect().await?;
        other.disconnect().await?;
        Ok(())
    }

    /// Fills every second block of every table, beginning with block `which`.
    async fn fill(&self, connection: &mut Conn, which: u64) -> Result<()> {
        connection
            .query_drop("SET foreign_key_checks = 0, unique_checks = 0")
            .await?;
        for (number, (table, _)) in TABLES.iter().enumerate() {
            let total = self.row_count(table);
            let mut values = Values::new(
                self.clone(),
                Random::new(self.seed ^ (number as u64) << 20 ^ which << 40),
            );
            let mut first = 1 + which * FILL_ROWS;
            while first <= total {
                let rows = first..(first + FILL_ROWS).min(total + 1);
                let tuples: Vec<String> = rows.map(|row| values.tuple(table, row)).collect();
                let statement = format!("INSERT INTO {table} VALUES {}", tuples.join(","));
                let failed = |error| Failure::because(format!("could not fill {table}"), error);
                connection.query_drop(statement).await.map_err(failed)?;
                first += 2 * FILL_ROWS;
            }
        }
        Ok(())
    }

    fn table_statements(&self) -> Vec<String> {
        let json = if self.json { "JSON" } else { "TEXT" };
        let statements = include_str!("shop/tables.sql")
            .split(';')
            .map(str::trim)
            .filter(|statement| !statement.is_empty());
        statements
            .map(|statement| statement.replace("{json}", json))
            .collect()
    }
}

pub(crate) async fn connect(url: &str) -> Result<Conn> {
    let options = mysql_async::Opts::from_url(url)
        .map_err(|error| Failure::because("not a server address", error))?;
    let options = mysql_async::OptsBuilder::from_opts(options)
        .prefer_socket(false)
        .max_allowed_packet(Some(1 << 30));
    let mut connection = Conn::new(options).await?;
    connection.query_drop("SET NAMES utf8mb4").await?;
    connection
        .query_drop("SET sql_mode = 'STRICT_ALL_TABLES', time_zone = '+00:00'")
        .await?;
    Ok(connection)
}
