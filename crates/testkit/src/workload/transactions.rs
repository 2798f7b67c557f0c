//! The transactions of one writer: each a short list of statements that a real shop could send.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};

use super::{LastError, WorkloadOptions};
use crate::failure::Result;
use crate::random::Random;
use crate::shop::{self, Shop, Values};

/// Tables whose new rows get a number from the server.
const NUMBERED: [&str; 8] = [
    "customers",
    "addresses",
    "products",
    "orders",
    "payments",
    "images",
    "reviews",
    "shelves",
];

/// How a transaction ended.
pub(super) enum Outcome {
    Committed,
    /// On purpose.
    RolledBack,
    /// The server answered with an error; nothing of the transaction stands.
    Refused,
    /// The connection went before the commit was sent.
    Lost,
    /// The connection went while the commit was under way.
    Unknown,
}

/// The highest numbers in use, so that writers also touch rows that are new.
#[derive(Default)]
pub(super) struct Ids {
    highest: BTreeMap<&'static str, AtomicU64>,
    pub last_error: LastError,
}

impl Ids {
    pub async fn read(url: &str, shop: &Shop) -> Result<Ids> {
        let mut connection = shop::connect(url).await?;
        let mut ids = Ids::default();
        for table in NUMBERED {
            let query = format!(
                "SELECT COALESCE(MAX(id), 1) FROM `{}`.{table}",
                shop.database
            );
            let highest: Option<u64> = connection.query_first(query).await?;
            ids.highest
                .insert(table, AtomicU64::new(highest.unwrap_or(1)));
        }
        connection.disconnect().await?;
        Ok(ids)
    }

    fn highest(&self, table: &str) -> u64 {
        self.highest
            .get(table)
            .map_or(1, |highest| highest.load(Ordering::Relaxed))
    }

    fn raise(&self, table: &str, id: u64) {
        if let Some(highest) = self.highest.get(table) {
            highest.fetch_max(id, Ordering::Relaxed);
        }
    }
}

/// One writer's choices and what it appended.
pub(super) struct Writer {
    number: u32,
    pub options: WorkloadOptions,
    ids: Arc<Ids>,
    random: Random,
    sequence: u64,
    /// Sequence numbers in `audit_log`, and whether their commit was confirmed.
    pub appended: BTreeMap<u64, bool>,
}

impl Writer {
    pub fn new(number: u32, options: WorkloadOptions, ids: Arc<Ids>, random: Random) -> Writer {
        Writer {
            number,
            options,
            ids,
            random,
            sequence: 0,
            appended: BTreeMap::new(),
        }
    }

    /// Runs one random transaction to its end.
    pub async fn transaction(&mut self, connection: &mut Conn) -> Outcome {
        let alone = self.random.one_in(8);
        let statements = if alone { Vec::new() } else { self.choose() };
        let appends = alone || self.random.one_in(2);
        let rolls_back = !alone && self.random.one_in(40);
        let begun = if alone {
            Ok(())
        } else {
            connection.query_drop("START TRANSACTION").await
        };
        if let Err(error) = begun {
            return self.failed(error);
        }
        for statement in &statements {
            if let Err(error) = self.execute(connection, statement).await {
                return self.failed(error);
            }
        }
        if rolls_back {
            return connection
                .query_drop("ROLLBACK")
                .await
                .map_or_else(|error| self.failed(error), |()| Outcome::RolledBack);
        }
        if appends {
            self.sequence += 1;
            let append = format!(
                "INSERT INTO audit_log VALUES ({},{},'writer',NOW(6))",
                self.number, self.sequence
            );
            if let Err(error) = connection.query_drop(append).await {
                // Alone, the statement is a transaction of its own, and nobody knows whether it stands.
                return if alone && !is_answer(&error) {
                    self.unanswered()
                } else {
                    self.failed(error)
                };
            }
        }
        let ended = if alone {
            Ok(())
        } else {
            connection.query_drop("COMMIT").await
        };
        match ended {
            Ok(()) => {
                if appends {
                    self.appended.insert(self.sequence, true);
                }
                Outcome::Committed
            }
            Err(error) if is_answer(&error) => self.failed(error),
            Err(_) if appends => self.unanswered(),
            Err(_) => Outcome::Unknown,
        }
    }

    fn unanswered(&mut self) -> Outcome {
        self.appended.insert(self.sequence, false);
        Outcome::Unknown
    }

    fn failed(&self, error: Error) -> Outcome {
        let answered = is_answer(&error);
        self.ids.last_error.set(error.to_string());
        if answered {
            Outcome::Refused
        } else {
            Outcome::Lost
        }
    }

    async fn execute(
        &self,
        connection: &mut Conn,
        statement: &str,
    ) -> std::result::Result<(), Error> {
        connection.query_drop(statement).await?;
        if let Some(id) = connection.last_insert_id() {
            let table = statement
                .strip_prefix("INSERT INTO ")
                .and_then(|rest| rest.split([' ', '(']).next());
            self.ids.raise(table.unwrap_or(""), id);
        }
        Ok(())
    }

    fn choose(&mut self) -> Vec<String> {
        match self
            .random
            .below(if self.options.keyless_changes { 24 } else { 22 })
        {
            0..4 => self.place_order(),
            4..6 => self.cancel_order(),
            6..9 => self.change_customer(),
            9 => self.new_customer(),
            10 => self.swap_emails(),
            11..13 => self.change_product(),
            13 => self.replace_image(),
            14..16 => self.change_review(),
            16 => self.change_coupon(),
            17 => self.swap_shelves(),
            18..20 => self.move_item(),
            20 => self.pay(),
            21 => self.come_back(),
            _ => self.change_visits(),
        }
    }

    /// A fresh literal; the numbers it refers to are those of the filled tables.
    fn literal(&mut self, make: impl FnOnce(&mut Values) -> String) -> String {
        make(&mut Values::new(
            self.options.shop.clone(),
            Random::new(self.random.number()),
        ))
    }

    fn id(&mut self, table: &str) -> u64 {
        1 + self.random.below(self.ids.highest(table))
    }

    /// Distinct over all writers and runs of one seed.
    fn unique(&mut self) -> String {
        format!("w{}-{:x}", self.number, self.random.number())
    }

    fn place_order(&mut self) -> Vec<String> {
        let order = self.literal(Values::order);
        let columns = "(customer_id, address_id, status, total, note, placed_at)";
        let mut statements = vec![
            format!("INSERT INTO orders {columns} VALUES ({order})"),
            "SET @o = LAST_INSERT_ID()".to_owned(),
        ];
        let lines = 1 + self.random.below(4);
        let items: Vec<String> = (1..=lines)
            .map(|line| format!("(@o,{line},{})", self.literal(Values::item)))
            .collect();
        statements.push(format!(
            "INSERT INTO order_items VALUES {}",
            items.join(",")
        ));
        let product = self.id("products");
        statements.push(format!(
            "UPDATE products SET stock = stock - {lines} WHERE id = {product}"
        ));
        if self.random.one_in(2) {
            let payment = self.literal(Values::payment);
            statements.push(format!("INSERT INTO payments (order_id, amount, flags, paid_at, took) VALUES (@o,{payment})"));
        }
        statements
    }

    fn cancel_order(&mut self) -> Vec<String> {
        let order = self.id("orders");
        [
            "payments WHERE order_id",
            "order_items WHERE order_id",
            "orders WHERE id",
        ]
        .map(|what| format!("DELETE FROM {what} = {order}"))
        .to_vec()
    }

    fn change_customer(&mut self) -> Vec<String> {
        let (id, amount) = (
            self.id("customers"),
            self.literal(|values| values.decimal(6, 2)),
        );
        let score = self.literal(Values::score);
        let name = self.literal(|values| values.text(4));
        let phone = if self.random.one_in(3) {
            "NULL".to_owned()
        } else {
            format!("'+{}'", self.unique())
        };
        vec![match self.random.below(3) {
            0 => format!(
                "UPDATE customers SET balance = balance + {amount}, updated_at = NOW(3) WHERE id = {id}"
            ),
            1 => format!(
                "UPDATE customers SET score = {score}, rating = rating * 1.1, name = {name} WHERE id = {id}"
            ),
            _ => format!(
                "UPDATE customers SET phone = {phone}, birthday = NULL WHERE id BETWEEN {id} AND {id} + 0"
            ),
        }]
    }

    fn new_customer(&mut self) -> Vec<String> {
        let unique = self.unique();
        let customer = self.literal(|values| values.customer(&unique));
        let street = self.literal(|values| values.text(8));
        vec![
            format!(
                "INSERT INTO customers (email, name, phone, balance, score, rating, birthday, created_at, updated_at) VALUES ({customer})"
            ),
            format!(
                "INSERT INTO addresses (customer_id, country, city, street) VALUES (LAST_INSERT_ID(),'DE','x',{street})"
            ),
        ]
    }

    /// Two rows change places on a unique key, through a value that nobody keeps.
    fn swap_emails(&mut self) -> Vec<String> {
        let (a, b) = (self.id("customers"), self.id("customers"));
        if a == b {
            return Vec::new();
        }
        let (a, b) = (a.min(b), a.max(b));
        let between = self.unique();
        vec![
            format!("SELECT email INTO @a FROM customers WHERE id = {a} FOR UPDATE"),
            format!("SELECT email INTO @b FROM customers WHERE id = {b} FOR UPDATE"),
            format!(
                "UPDATE customers SET email = '{between}' WHERE id = {a} AND @a IS NOT NULL AND @b IS NOT NULL"
            ),
            format!(
                "UPDATE customers SET email = @a WHERE id = {b} AND @a IS NOT NULL AND @b IS NOT NULL"
            ),
            format!(
                "UPDATE customers SET email = @b WHERE id = {a} AND @a IS NOT NULL AND @b IS NOT NULL"
            ),
            "SET @a = NULL, @b = NULL".to_owned(),
        ]
    }

    fn change_product(&mut self) -> Vec<String> {
        let id = self.id("products");
        let unique = self.unique();
        vec![match self.random.below(4) {
            0 => format!(
                "UPDATE products SET attributes = {} WHERE id = {id}",
                self.literal(Values::attributes)
            ),
            1 => format!(
                "UPDATE products SET price = price * 1.01, tags = 'sale', status = 'active' WHERE id BETWEEN {id} AND {id} + 9"
            ),
            2 => format!("UPDATE products SET sku = '{unique}', tags = NULL WHERE id = {id}"),
            _ => {
                let product = self.literal(|values| values.product(&unique));
                format!(
                    "INSERT INTO products (sku, name, price, stock, attributes, tags, status, weight) VALUES ({product})"
                )
            }
        }]
    }

    /// The same key with another content: deleted and inserted again in one transaction, or updated.
    fn replace_image(&mut self) -> Vec<String> {
        let id = self.id("images");
        if self.random.one_in(2) {
            return vec![format!(
                "UPDATE images SET data = {} WHERE id = {id}",
                self.literal(Values::blob)
            )];
        }
        let image = self.literal(Values::image);
        vec![
            format!("DELETE FROM images WHERE id = {id}"),
            format!("INSERT INTO images VALUES ({id},{image})"),
        ]
    }

    fn change_review(&mut self) -> Vec<String> {
        let id = self.id("reviews");
        vec![match self.random.below(3) {
            0 => {
                let review = self.literal(Values::review);
                format!(
                    "INSERT INTO reviews (product_id, customer_id, stars, season, body) VALUES ({review})"
                )
            }
            1 => format!(
                "UPDATE reviews SET body = {}, stars = stars % 5 + 1 WHERE id = {id}",
                self.literal(|values| values.text(30))
            ),
            _ => format!("DELETE FROM reviews WHERE id = {id}"),
        }]
    }

    /// String keys change, vanish and come; holders move between coupons.
    fn change_coupon(&mut self) -> Vec<String> {
        let row = 1 + self.random.below(self.options.shop.row_count("coupons"));
        let number = self.random.below(400);
        vec![match self.random.below(6) {
            0 => format!("UPDATE coupons SET code = 'moved-{number}' WHERE code = 'CODE-{row}'"),
            1 => format!("UPDATE coupons SET code = 'CODE-{row}' WHERE code = 'moved-{number}'"),
            2 => format!("UPDATE coupons SET holder_id = NULL WHERE code = 'CODE-{row}'"),
            3 => format!(
                "UPDATE coupons SET holder_id = {row} WHERE code = 'CODE-{}'",
                row + 1
            ),
            4 => format!("DELETE FROM coupons WHERE code = 'moved-{number}'"),
            _ => format!(
                "INSERT INTO coupons VALUES ('moved-{number}',NULL,{})",
                self.literal(Values::coupon)
            ),
        }]
    }

    fn swap_shelves(&mut self) -> Vec<String> {
        let (a, b) = (self.id("shelves"), self.id("shelves"));
        if a == b {
            return vec![format!(
                "UPDATE shelves SET label = CONCAT('renamed {}') WHERE id = {a}",
                self.unique()
            )];
        }
        let (a, b) = (a.min(b), a.max(b));
        vec![
            format!("SELECT position INTO @p FROM shelves WHERE id = {a} FOR UPDATE"),
            format!("SELECT position INTO @q FROM shelves WHERE id = {b} FOR UPDATE"),
            format!("UPDATE shelves SET position = -id WHERE id IN ({a}, {b})"),
            format!("UPDATE shelves SET position = @q WHERE id = {a}"),
            format!("UPDATE shelves SET position = @p WHERE id = {b}"),
        ]
    }

    /// Part of a composite primary key changes, there and back.
    fn move_item(&mut self) -> Vec<String> {
        let (order, line) = (self.id("orders"), 1 + self.random.below(3));
        vec![match self.random.below(3) {
            0 => format!(
                "UPDATE order_items SET line = line + 100 WHERE order_id = {order} AND line = {line}"
            ),
            1 => format!(
                "UPDATE order_items SET line = line - 100 WHERE order_id = {order} AND line > 100"
            ),
            _ => format!("UPDATE order_items SET quantity = quantity + 1 WHERE order_id = {order}"),
        }]
    }

    fn pay(&mut self) -> Vec<String> {
        let order = self.id("orders");
        let payment = self.literal(Values::payment);
        vec![
            format!("UPDATE orders SET status = 'paid', total = total + 0.01 WHERE id = {order}"),
            format!(
                "INSERT INTO payments (order_id, amount, flags, paid_at, took) VALUES ({order},{payment})"
            ),
        ]
    }

    /// A key is deleted in one transaction and inserted again, by another, later one.
    fn come_back(&mut self) -> Vec<String> {
        let id = 1 + self.random.below(self.options.shop.row_count("payments"));
        if self.random.one_in(2) {
            return vec![format!("DELETE FROM payments WHERE id = {id}")];
        }
        let (order, payment) = (self.id("orders"), self.literal(Values::payment));
        vec![format!(
            "INSERT IGNORE INTO payments VALUES ({id},{order},{payment})"
        )]
    }

    /// Rows of a table without a key: doubles come, one of several equal ones goes or changes.
    fn change_visits(&mut self) -> Vec<String> {
        let page = format!("'/page/{}'", self.random.below(40));
        vec![match self.random.below(4) {
            0 | 1 => format!("INSERT INTO visits VALUES {}", self.literal(Values::visit)),
            2 => format!(
                "UPDATE visits SET customer_id = {} WHERE page = {page} LIMIT 1",
                self.random.below(5)
            ),
            _ => format!("DELETE FROM visits WHERE page = {page} LIMIT 1"),
        }]
    }
}

/// Whether the server itself answered with an error; otherwise the connection is lost.
fn is_answer(error: &Error) -> bool {
    // 1053 comes while the server shuts down, and nobody knows what became of the commit.
    matches!(error, Error::Server(answer) if answer.code != 1053)
}
