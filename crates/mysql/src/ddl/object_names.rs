//! The names inside views, routines, triggers and events: what they are called in the target.
//!
//! Owns the decision what a name means. A view is printed by a server with every name quoted and
//! qualified, so each can be told; a body is free text, and only those names are replaced that
//! can mean nothing else. Where a name could be a renamed thing or something else, the object is
//! refused. Read on in `scan` for where names stand.

use super::lexer::{Lexed, Token, TokenKind, lex};
use super::object::behind_name;
use super::scan::{Place, places};
use super::statement::Context;
use crate::object::{bytes_of, one_character_a_byte};
use std::collections::BTreeSet;
use wherry_model::name::quote;
use wherry_model::{NameMap, ObjectKind, TableName};

/// A name in a body may or may not be that of a renamed thing.
pub const UNPROVED: &str = "OBJ-020";
/// The same in a view, or the target understands the view in another way.
pub const UNPROVED_VIEW: &str = "OBJ-021";
/// Two objects would have one name in the target.
pub const ONE_NAME: &str = "OBJ-022";

/// Character sets in which the second byte of a character can be a quote or a backslash.
const TWISTED: [&str; 5] = ["big5", "cp932", "gb18030", "gbk", "sjis"];

/// Words with which a text may become SQL.
const MAKES_SQL: [&str; 4] = ["PREPARE", "EXECUTE", "CONCAT", "CONCAT_WS"];

/// Words with which a text may be compared with names.
const SPEAKS_OF_NAMES: [&str; 7] = [
    "DATABASE",
    "SCHEMA",
    "INFORMATION_SCHEMA",
    "PERFORMANCE_SCHEMA",
    "MYSQL",
    "SYS",
    "SHOW",
];

/// Of one object.
#[derive(Clone, Copy)]
pub struct ObjectNames<'a> {
    pub names: &'a NameMap,
    /// The database of the object at the source, to which names without one belong.
    pub database: &'a str,
    /// The database that it gets in the target.
    pub home: &'a str,
    /// The table of a trigger, at the source.
    pub table: Option<&'a TableName>,
    /// Names of the functions and procedures of its database, in lower case.
    pub routines: &'a BTreeSet<String>,
    /// The character set of the statement.
    pub charset: &'a str,
}

/// Why the names of an object cannot be told: the name, and what about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproved {
    pub name: String,
    pub why: &'static str,
}

pub(super) const EITHER: &str = "may or may not be what gets another name";

impl Unproved {
    pub(super) fn new(name: impl Into<String>, why: &'static str) -> Unproved {
        Unproved {
            name: name.into(),
            why,
        }
    }
}

/// The statement with every name in it as the target has it; its own name and the table of a
/// trigger stay. Given and returned as one character for each byte.
pub fn rename_object(
    sql: &str,
    kind: ObjectKind,
    context: &Context<'_>,
    of: &ObjectNames<'_>,
) -> Result<String, Unproved> {
    let unreadable = || Unproved::new("CREATE", "begins a definition that Wherry cannot read");
    let start = behind_name(sql, kind, context).ok_or_else(unreadable)?;
    let twisted = TWISTED
        .iter()
        .any(|name| of.charset.eq_ignore_ascii_case(name));
    if twisted && !sql[start..].is_ascii() {
        let why = "is a character set in which names cannot be told from other characters";
        return Err(Unproved::new(of.charset, why));
    }
    let text = Text::new(sql, start, context, of)?;
    let edits = match kind {
        ObjectKind::View => super::view_names::edits(&text)?,
        _ => super::body_names::edits(&text)?,
    };
    // Two of them at one place: what is there is not understood.
    super::edit::replace(sql, edits).map_err(|_| Unproved::new(of.charset, EITHER))
}

/// Every table and column that a view names, each once, in lower case: what it means, whatever
/// words it has. `None` where it cannot be told.
pub fn view_references(sql: &str, context: &Context<'_>) -> Option<BTreeSet<String>> {
    let start = behind_name(sql, ObjectKind::View, context)?;
    let nothing = NameMap::default();
    let of = ObjectNames {
        names: &nothing,
        database: "",
        home: "",
        table: None,
        routines: &BTreeSet::new(),
        charset: "utf8mb4",
    };
    let text = Text::new(sql, start, context, &of).ok()?;
    Some(super::view_names::references(&text))
}

/// The text of an object, with the names that mean another thing in the target.
pub(super) struct Text<'a> {
    pub sql: &'a str,
    pub tokens: Vec<Token>,
    pub places: Vec<Place>,
    pub of: &'a ObjectNames<'a>,
    pub renamed: Renamed,
}

/// Names in lower case that mean another thing in the target.
#[derive(Debug, Default)]
pub(super) struct Renamed {
    pub databases: BTreeSet<String>,
    /// Databases of the target that may be others at the source.
    pub new_databases: BTreeSet<String>,
    pub tables: BTreeSet<String>,
    /// Old and new names of columns.
    pub columns: BTreeSet<String>,
    pub new_columns: BTreeSet<String>,
}

impl Renamed {
    /// What an object can mean that has names of these databases in it.
    fn of(names: &NameMap, is_near: &dyn Fn(&str) -> bool) -> Renamed {
        let mut renamed = Renamed::default();
        for (from, to) in names.renamed_databases() {
            renamed.databases.insert(from.to_lowercase());
            renamed.new_databases.insert(to.to_lowercase());
        }
        let tables = names.renamed_tables();
        let tables = tables.into_iter();
        for (from, to) in tables.filter(|(from, _)| is_near(&from.database)) {
            renamed.tables.insert(from.table.to_lowercase());
            renamed.new_databases.insert(to.database.to_lowercase());
        }
        let columns = names.renamed_columns().into_iter();
        for (_, from, to) in columns.filter(|(table, _, _)| is_near(&table.database)) {
            renamed.columns.insert(from);
            renamed.columns.insert(to.to_lowercase());
            renamed.new_columns.insert(to.to_lowercase());
        }
        let old = &renamed.databases;
        let is_other = |name: &String| !old.contains(name) && !names.selects(name);
        renamed.new_databases.retain(is_other);
        renamed
    }
}

impl<'a> Text<'a> {
    fn new(
        sql: &'a str,
        start: usize,
        context: &Context<'_>,
        of: &'a ObjectNames<'a>,
    ) -> Result<Text<'a>, Unproved> {
        let Lexed {
            tokens, complete, ..
        } = lex(sql, context);
        if !complete {
            let why = "begins a definition that Wherry cannot read";
            return Err(Unproved::new("CREATE", why));
        }
        let first = tokens.partition_point(|token| token.start < start);
        let places = places(sql, &tokens, first);
        let tokens = tokens.into_iter().skip(first).collect();
        let places = places.into_iter().map(|mut place| {
            place.parts.iter_mut().for_each(|part| *part -= first);
            place
        });
        let mut text = Text {
            sql,
            tokens,
            places: places.collect(),
            of,
            renamed: Renamed::default(),
        };
        text.check_letters()?;
        text.renamed = Renamed::of(of.names, &|database| text.is_near(database));
        Ok(text)
    }

    /// True where the object can mean tables of this database: it is its own, or it is said.
    fn is_near(&self, database: &str) -> bool {
        let folded = database.to_lowercase();
        folded == self.of.database.to_lowercase()
            || self.tokens.iter().any(|token| {
                let bytes = bytes_of(token.text(self.sql));
                holds(&String::from_utf8_lossy(&bytes).to_lowercase(), &folded)
            })
    }

    /// A name in another character set than UTF-8 could be any name.
    fn check_letters(&self) -> Result<(), Unproved> {
        if self.of.charset.to_ascii_lowercase().starts_with("utf8") {
            return Ok(());
        }
        let mut parts = self.places.iter().flat_map(|place| &place.parts);
        match parts.find(|part| !self.tokens[**part].text(self.sql).is_ascii()) {
            None => Ok(()),
            Some(part) => Err(Unproved::new(
                self.name(*part),
                "is not ASCII, and not in UTF-8",
            )),
        }
    }

    /// The name that a token stands for.
    pub fn name(&self, token: usize) -> String {
        let bytes = bytes_of(&self.tokens[token].name(self.sql));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub fn folded(&self, token: usize) -> String {
        self.name(token).to_lowercase()
    }

    pub fn is_quoted(&self, token: usize) -> bool {
        self.tokens[token].kind == TokenKind::Quoted
    }

    /// The edit that puts SQL in the place of tokens `first` to `last`.
    pub fn edit(
        &self,
        first: usize,
        last: usize,
        sql: &str,
    ) -> Result<super::edit::Edit, Unproved> {
        let utf8 = self.of.charset.to_ascii_lowercase().starts_with("utf8");
        if !utf8 && !sql.is_ascii() {
            return Err(Unproved::new(
                sql,
                "cannot be said in the character set of the object",
            ));
        }
        let span = self.tokens[first].start..self.tokens[last].end;
        Ok((span, one_character_a_byte(sql.as_bytes())))
    }

    /// The table that a place names, and whether it names its database.
    pub fn table(&self, place: &Place) -> (TableName, bool) {
        match place.parts.as_slice() {
            [database, table, ..] => (
                TableName::new(self.name(*database), self.name(*table)),
                true,
            ),
            [table] => (TableName::new(self.of.database, self.name(*table)), false),
            [] => (TableName::new(self.of.database, ""), false),
        }
    }

    /// A database before a point: what it becomes, if another.
    pub fn database(&self, token: usize) -> Result<Option<String>, Unproved> {
        let name = self.name(token);
        let folded = name.to_lowercase();
        let target = self.of.names.database(&name);
        let known = self.of.names.differ(&name, &target);
        if self.renamed.new_databases.contains(&folded) && !known {
            return Err(Unproved::new(name, "is another database in the target"));
        }
        match known {
            true => Ok(Some(quote(&target))),
            // With other letters it may be the same database.
            false if self.renamed.databases.contains(&folded) => Err(Unproved::new(name, EITHER)),
            false => Ok(None),
        }
    }

    /// Refuses a literal that holds a name of these, where literals may become SQL or are
    /// compared with names.
    pub fn check_literals(&self, names: &BTreeSet<&str>, runs: bool) -> Result<(), Unproved> {
        let has = |words: &[&str]| {
            self.tokens.iter().any(|token| {
                let name = token.name(self.sql);
                let is_word = matches!(token.kind, TokenKind::Word | TokenKind::Quoted);
                is_word && words.iter().any(|word| name.eq_ignore_ascii_case(word))
            })
        };
        let has_pipes = || {
            self.tokens.windows(2).any(|pair| {
                let both = pair.iter().all(|token| token.is_symbol(b'|'));
                both && pair[0].end == pair[1].start
            })
        };
        let makes_sql = runs && (has(&MAKES_SQL) || has_pipes());
        if !makes_sql && !has(&SPEAKS_OF_NAMES) {
            return Ok(());
        }
        for token in &self.tokens {
            if token.kind != TokenKind::Text {
                continue;
            }
            let bytes = bytes_of(token.text(self.sql));
            let text = String::from_utf8_lossy(&bytes).to_lowercase();
            if let Some(name) = names.iter().find(|name| holds(&text, name)) {
                let why = "stands in a text that may become SQL or be compared with names";
                return Err(Unproved::new(*name, why));
            }
        }
        Ok(())
    }
}

/// True where the text holds the name, and not as a part of a longer word.
fn holds(text: &str, name: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '$';
    !name.is_empty()
        && text.match_indices(name).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let behind = text[at + name.len()..].chars().next();
            !before.is_some_and(is_part) && !behind.is_some_and(is_part)
        })
}

#[cfg(test)]
mod tests {
    use super::super::object::object_context;
    use super::super::statement::Dialect;
    use super::*;
    use wherry_model::task::{Capitalization, MappingSpec, SelectSpec};

    fn select(rules: [&[(&str, &str)]; 3]) -> SelectSpec {
        let [databases, tables, columns] = rules.map(|pairs| {
            let pairs = pairs.iter();
            pairs
                .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
                .collect()
        });
        SelectSpec {
            databases: vec!["shop".to_owned(), "crm".to_owned()],
            mapping: MappingSpec {
                databases,
                tables,
                columns,
            },
            ..SelectSpec::default()
        }
    }

    fn whole() -> SelectSpec {
        select([&[("shop", "shop_new")], &[], &[]])
    }

    /// Every kind of rule; two tables swap their names.
    fn every() -> SelectSpec {
        select([
            &[("shop", "store")],
            &[
                ("shop.orders", "archive.orders2"),
                ("shop.left", "store.right"),
                ("shop.right", "store.left"),
            ],
            &[("shop.orders.note", "remark"), ("shop.right.v", "w")],
        ])
    }

    fn renamed(select: &SelectSpec, kind: ObjectKind, sql: &str) -> Result<String, String> {
        let names = NameMap::new(select, false).expect("rules");
        let table = TableName::new("shop", "orders");
        let is_trigger = kind == ObjectKind::Trigger;
        let home = match is_trigger {
            true => names.table(&table).database,
            false => names.database("shop"),
        };
        let routines = BTreeSet::from(["twice".to_owned()]);
        let of = ObjectNames {
            names: &names,
            database: "shop",
            home: &home,
            table: is_trigger.then_some(&table),
            routines: &routines,
            charset: "utf8mb4",
        };
        let raw = one_character_a_byte(sql.as_bytes());
        let context = object_context("", Dialect::mysql(90_704));
        rename_object(&raw, kind, &context, &of)
            .map(|text| String::from_utf8(bytes_of(&text)).expect("UTF-8"))
            .map_err(|unproved| unproved.name)
    }

    #[track_caller]
    fn body(select: &SelectSpec, text: &str, expected: Result<&str, &str>) {
        let head = "CREATE DEFINER=`shop`@`%` PROCEDURE `shop`() BEGIN ";
        let found = renamed(select, ObjectKind::Procedure, &format!("{head}{text}; END"));
        let expected = match expected {
            Ok(text) => Ok(format!("{head}{text}; END")),
            Err(name) => Err(name.to_owned()),
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_whole_database_changes_where_it_qualifies() {
        for (text, expected) in [
            ("SELECT a FROM item", "SELECT a FROM item"),
            (
                "INSERT INTO shop.item (a) SELECT shop.item.a, `shop`.twice(1) FROM shop . item, crm.c",
                "INSERT INTO `shop_new`.`item` (a) SELECT `shop_new`.`item`.a, `shop_new`.twice(1) FROM `shop_new`.`item`, crm.c",
            ),
            (
                "CALL shop.p(@shop); DELETE FROM shop.`a b` WHERE x = 'shop'",
                "CALL `shop_new`.p(@shop); DELETE FROM `shop_new`.`a b` WHERE x = 'shop'",
            ),
            (
                "SELECT CONCAT('shops ', 'my_shop', @@shop.x) /* shop.item */",
                "SELECT CONCAT('shops ', 'my_shop', @@shop.x) /* shop.item */",
            ),
            (
                "SELECT a FROM crm.shop WHERE shop.a = 1",
                "SELECT a FROM crm.shop WHERE shop.a = 1",
            ),
        ] {
            body(&whole(), text, Ok(expected));
        }
        for (text, name) in [
            ("SELECT shop FROM item", "shop"),
            ("SELECT a FROM item AS SHOP WHERE shop.a = 1", "SHOP"),
            ("SELECT a FROM Shop.item", "Shop"),
            ("SELECT a FROM crm.x WHERE shop.a = 1", "shop"),
            ("SELECT shop.a", "shop"),
            ("SHOW TABLES FROM shop", "shop"),
            ("SELECT a FROM shop_new.item", "shop_new"),
            ("PREPARE s FROM 'SELECT a FROM shop.item'", "shop"),
            ("SELECT CONCAT('DROP TABLE `Shop`.', x)", "shop"),
            (
                "SELECT 1 FROM information_schema.tables WHERE table_schema = 'shop'",
                "shop",
            ),
        ] {
            body(&whole(), text, Err(name));
        }
    }

    #[test]
    fn tables_change_where_only_a_table_can_stand() {
        for (text, expected) in [
            (
                "SELECT orders.a, EXTRACT(DAY FROM x) FROM orders LEFT JOIN item i ON orders.id = i.id, crm.c d",
                "SELECT `orders2`.a, EXTRACT(DAY FROM x) FROM `archive`.`orders2` LEFT JOIN item i ON `orders2`.id = i.id, crm.c d",
            ),
            (
                "UPDATE item, shop.orders SET a = LEFT(b, 1), shop.orders.c = RIGHT(b, 2)",
                "UPDATE item, `archive`.`orders2` SET a = LEFT(b, 1), `archive`.`orders2`.c = RIGHT(b, 2)",
            ),
            (
                "REPLACE orders (a) VALUES (1) ON DUPLICATE KEY UPDATE a = 1; TRUNCATE TABLE `left`",
                "REPLACE `archive`.`orders2` (a) VALUES (1) ON DUPLICATE KEY UPDATE a = 1; TRUNCATE TABLE `store`.`right`",
            ),
            (
                "SELECT a FROM (SELECT b AS a FROM (`left` l JOIN item)) q FOR UPDATE",
                "SELECT a FROM (SELECT b AS a FROM (`store`.`right` l JOIN item)) q FOR UPDATE",
            ),
            (
                "CREATE TEMPORARY TABLE x LIKE orders; DROP TABLE IF EXISTS y, orders",
                "CREATE TEMPORARY TABLE x LIKE `archive`.`orders2`; DROP TABLE IF EXISTS y, `archive`.`orders2`",
            ),
            (
                "DELETE FROM item USING item JOIN orders USING (id)",
                "DELETE FROM item USING item JOIN `archive`.`orders2` USING (id)",
            ),
        ] {
            body(&every(), text, Ok(expected));
        }
        for (text, name) in [
            ("DECLARE orders INT", "orders"),
            ("SELECT a INTO orders FROM item", "orders"),
            ("FETCH FROM orders INTO a", "orders"),
            ("SELECT a FROM ORDERS", "ORDERS"),
            ("SELECT orders.a FROM item orders", "orders"),
            ("WITH orders AS (SELECT 1) SELECT 1 FROM orders", "orders"),
            (
                "LOCK TABLES item READ, orders WRITE; DESCRIBE orders",
                "orders",
            ),
            (
                "SELECT 1 FROM orders, crm.orders WHERE orders.a = 1",
                "orders",
            ),
            ("SELECT note FROM item", "note"),
            ("SELECT i.remark FROM item i", "remark"),
            ("SELECT a FROM item NATURAL JOIN b", "NATURAL"),
            ("RENAME TABLE a TO b", "RENAME"),
            ("SET @s = CONCAT('SELECT * FROM ', 'orders')", "orders"),
        ] {
            body(&every(), text, Err(name));
        }
    }

    #[test]
    fn triggers_know_the_columns_of_their_table() {
        let check = |text: &str, expected: Result<&str, &str>| {
            let head = "CREATE DEFINER=`a`@`%` TRIGGER note BEFORE INSERT ON orders FOR EACH ROW ";
            let found = renamed(&every(), ObjectKind::Trigger, &format!("{head}{text}"));
            let expected = match expected {
                Ok(text) => Ok(format!("{head}{text}")),
                Err(name) => Err(name.to_owned()),
            };
            assert_eq!(found, expected, "{text}");
        };
        check(
            "BEGIN SET NEW.note = OLD.`note`; INSERT INTO audit VALUES (NEW.v); END",
            Ok(
                "BEGIN SET NEW.`remark` = OLD.`remark`; INSERT INTO `store`.`audit` VALUES (NEW.v); END",
            ),
        );
        check(
            "SET NEW.a = shop.twice(1)",
            Ok("SET NEW.a = `store`.twice(1)"),
        );
        // It moves to another database than its functions.
        check("SET NEW.a = twice(1)", Err("twice"));
        check("CALL twice(1)", Err("twice"));
        check("SET NEW.a = note", Err("note"));
    }

    #[test]
    fn views_know_every_name() {
        let check = |text: &str, expected: Result<&str, &str>| {
            let head = "CREATE ALGORITHM=UNDEFINED DEFINER=`shop`@`%` SQL SECURITY DEFINER VIEW `shop`.`v` AS ";
            let found = renamed(&every(), ObjectKind::View, &format!("{head}{text}"));
            let expected = match expected {
                Ok(text) => Ok(format!("{head}{text}")),
                Err(name) => Err(name.to_owned()),
            };
            assert_eq!(found, expected, "{text}");
        };
        check(
            "select `shop`.`orders`.`note` AS `note`,`left`.`note` AS `shop` from (`shop`.`orders` join `shop`.`right` `left` on((`left`.`v` = `shop`.`orders`.`id`))) order by `note`",
            Ok(
                "select `archive`.`orders2`.`remark` AS `note`,`left`.`note` AS `shop` from (`archive`.`orders2` join `store`.`left` `left` on((`left`.`w` = `archive`.`orders2`.`id`))) order by `note`",
            ),
        );
        check(
            "with `orders` as (select `shop`.`left`.`v` AS `note` from `shop`.`left`) select `orders`.`note` AS `note`,`shop`.`twice`(1) AS `x` from `orders`",
            Ok(
                "with `orders` as (select `store`.`right`.`v` AS `note` from `store`.`right`) select `orders`.`note` AS `note`,`store`.`twice`(1) AS `x` from `orders`",
            ),
        );
        check(
            "select `d`.`note` AS `n` from (select `shop`.`orders`.`note` AS `note` from `shop`.`orders`) `d` where `d`.`note` in (select `d`.`note` from `shop`.`orders` `d`)",
            Err("d.note"),
        );
        // So MySQL prints an alias of a view.
        check(
            "select `shop`.`orders`.`note` AS `note` from (`shop`.`base` `orders` join `archive`.`x` `shop` on((`archive`.`shop`.`id` = `shop`.`orders`.`id`)))",
            Err("archive"),
        );
        check(
            "select `shop`.`orders`.`note` AS `note`,`shop`.`left`.`v` AS `v` from (`shop`.`base` `orders` join `shop`.`left`)",
            Ok(
                "select `store`.`orders`.`note` AS `note`,`store`.`right`.`v` AS `v` from (`store`.`base` `orders` join `store`.`right`)",
            ),
        );
        check(
            "select `orders`.`note` AS `n` from `shop`.`right` `orders` where `orders`.`id` in (select `shop`.`orders`.`note` from `shop`.`orders`)",
            Err("orders.note"),
        );
        check(
            "select `o`.`id` AS `remark` from `shop`.`orders` `o` group by `remark`",
            Err("remark"),
        );
    }

    #[test]
    fn letters_change_in_every_table() {
        let upper = SelectSpec {
            capitalization: Capitalization::Upper,
            ..select([&[], &[], &[]])
        };
        body(
            &upper,
            "SELECT item.a, o.b FROM item JOIN ORDERS o",
            Ok("SELECT `ITEM`.a, o.b FROM `SHOP`.`ITEM` JOIN ORDERS o"),
        );
        body(&upper, "SELECT item.a FROM item, crm.b item", Err("item"));
        body(&upper, "PREPARE s FROM @x", Err("PREPARE"));
    }

    #[test]
    fn names_may_have_other_characters() {
        let select = select([&[], &[("shop.größe", "shop.`a``b`")], &[]]);
        body(
            &select,
            "SELECT größe.x FROM größe",
            Ok("SELECT `a``b`.x FROM `shop`.`a``b`"),
        );
        let names = NameMap::new(&select, false).expect("rules");
        let of = ObjectNames {
            names: &names,
            database: "shop",
            home: "shop",
            table: None,
            routines: &BTreeSet::new(),
            charset: "latin1",
        };
        let context = object_context("", Dialect::mysql(90_704));
        let found = |charset: &'static str, text: &str| {
            let of = ObjectNames { charset, ..of };
            let sql = format!("CREATE PROCEDURE p() SELECT {text}");
            rename_object(&sql, ObjectKind::Procedure, &context, &of).is_ok()
        };
        assert!(found("latin1", "'gr\u{f6}\u{df}e'"));
        assert!(!found("latin1", "x FROM gr\u{f6}\u{df}e"));
        assert!(!found("sjis", "'\u{95}\\'"));
    }
}
