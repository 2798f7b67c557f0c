//! Whole statements of the random program: `ALTER TABLE` with its clauses, and all others.

use super::alter::{self, Clause};
use super::partition;
use super::picture::{Scene, Table, one};
use crate::flavour::Flavour;
use crate::random::Random;

/// What the first tables hold: keys of several kinds, and none. Unique ones are BTREE by name, here
/// and in all statements: without that MariaDB makes them of whole texts, when a column becomes one
/// at the same time, which MySQL does not have.
pub(super) const FIRST_TABLES: [&str; 8] = [
    "(id INT PRIMARY KEY, v INT, s VARCHAR(30))",
    "(id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, u INT NULL, UNIQUE KEY u (u) USING BTREE, e ENUM('a','b','c'), n INT)",
    "(a INT, b INT, s VARCHAR(20), d DATETIME(3) NULL, PRIMARY KEY (a, b))",
    "(v INT, s VARCHAR(20), t TEXT)",
    "(k VARCHAR(20) NOT NULL, n DECIMAL(10,2), UNIQUE KEY uk (k) USING BTREE)",
    "(id INT PRIMARY KEY, v INT) PARTITION BY RANGE (id) (PARTITION p1 VALUES LESS THAN (20), PARTITION p2 VALUES LESS THAN (60), PARTITION p3 VALUES LESS THAN (2000000))",
    "(id INT PRIMARY KEY, v INT, w INT, KEY (v)) PARTITION BY HASH (id) PARTITIONS 3",
    "(id INT PRIMARY KEY, ts TIMESTAMP NULL, g POINT NULL, x BLOB, b BIT(7))",
];

const TABLES_MIN: usize = 7;
const TABLES_MAX: usize = 16;

type Whole = fn(&Scene, &mut Random) -> Option<String>;

const WHOLES: [(&str, Whole); 29] = [
    ("create table", create),
    ("create table", create),
    ("create table like", create_like),
    ("create table select", create_select),
    ("create or replace", create_or_replace),
    ("drop table", drop_table),
    ("drop list", drop_list),
    ("drop if exists", drop_if_exists),
    ("truncate", truncate),
    ("truncate", truncate),
    ("rename table", rename),
    ("rename swap", rename_swap),
    ("rename swap", rename_swap),
    ("rename chain", rename_chain),
    ("alter rename", alter_rename),
    ("create index", create_index),
    ("drop index statement", drop_index),
    ("create database", create_database),
    ("alter database", alter_database),
    ("drop database", drop_database),
    ("add foreign key", add_foreign_key),
    ("drop foreign key", drop_foreign_key),
    ("order by", order_by),
    ("outside table", outside),
    ("outside table", outside),
    ("temporary table", temporary),
    ("upkeep", upkeep),
    ("account", account),
    ("many sessions' comment", version_comment),
];

/// A statement with its kind.
pub(super) fn choose(scene: &Scene, random: &mut Random) -> Option<(&'static str, String)> {
    match random.below(20) {
        0..10 => {
            let table = scene.table.as_ref()?;
            let (kind, clause) = alter::CLAUSES[random.below(alter::CLAUSES.len() as u64) as usize];
            Some((
                kind,
                altered(scene, table, &clause(scene, table, random)?, random),
            ))
        }
        10..12 => several_clauses(scene, random),
        12..14 => {
            let table = scene.table.as_ref()?;
            let place = random.below(partition::CLAUSES.len() as u64) as usize;
            let (kind, clause) = partition::CLAUSES[place];
            let clause = clause(scene, table, random)?;
            Some((kind, format!("ALTER TABLE {} {clause}", table.name)))
        }
        _ => {
            let (kind, whole) = WHOLES[random.below(WHOLES.len() as u64) as usize];
            Some((kind, whole(scene, random)?))
        }
    }
}

fn several_clauses(scene: &Scene, random: &mut Random) -> Option<(&'static str, String)> {
    let table = scene.table.as_ref()?;
    let mut clauses = Vec::new();
    for _ in 0..2 + random.below(3) {
        let (_, clause): (_, Clause) =
            alter::CLAUSES[random.below(alter::CLAUSES.len() as u64) as usize];
        clauses.extend(clause(scene, table, random));
    }
    let statement = altered(scene, table, &clauses.join(", "), random);
    (!clauses.is_empty()).then_some(("several clauses", statement))
}

/// With the hints and dresses that a server of this kind takes.
fn altered(scene: &Scene, table: &Table, clauses: &str, random: &mut Random) -> String {
    let name = &table.name;
    match (scene.flavour, random.below(8)) {
        (_, 0) => format!("ALTER TABLE {name} {clauses}, ALGORITHM=COPY"),
        (_, 1) => format!("ALTER TABLE {name} ALGORITHM = INPLACE, LOCK = NONE, {clauses}"),
        (Flavour::MySql97, 2) => format!("ALTER TABLE {name} {clauses}, ALGORITHM=INSTANT"),
        (Flavour::MySql97, 3) => format!("/*!80013 ALTER */ TABLE {name} /*!50000 {clauses} */"),
        (Flavour::MySql97, 4) => format!("ALTER TABLE {name} WITH VALIDATION, {clauses}"),
        (Flavour::MariaDb, 2) => format!("ALTER TABLE IF EXISTS {name} WAIT 2 {clauses}"),
        (Flavour::MariaDb, 3) => format!("ALTER ONLINE TABLE {name} NOWAIT {clauses}"),
        (Flavour::MariaDb, 4) => {
            format!("SET STATEMENT lock_wait_timeout = 3 FOR ALTER TABLE {name} {clauses}")
        }
        (Flavour::MariaDb, 5) => format!("/*M!100000 ALTER */ TABLE {name} {clauses}"),
        _ => format!("ALTER TABLE {name} {clauses}"),
    }
}

fn room(scene: &Scene) -> bool {
    scene.names.len() < TABLES_MAX
}

fn spare(scene: &Scene) -> bool {
    scene.names.len() > TABLES_MIN
}

fn create(scene: &Scene, random: &mut Random) -> Option<String> {
    let body = random.pick(&FIRST_TABLES);
    let exists = random.pick(&["", "", " IF NOT EXISTS"]);
    let options = if body.contains("PARTITION") {
        ""
    } else {
        random.pick(&[
            "",
            " ROW_FORMAT=DYNAMIC COMMENT='a, ''b'''",
            " DEFAULT CHARSET=latin1",
            " /*!50100 COMMENT='x' */",
        ])
    };
    let name = scene.fresh_name(random);
    room(scene).then(|| format!("CREATE TABLE{exists} {name} {body}{options}"))
}

/// A table that others may be made like. With a CHECK MariaDB copies its name, which MySQL 8.0 refuses.
fn model(scene: &Scene) -> Option<&str> {
    let table = scene.table.as_ref()?;
    let copies = scene.flavour != Flavour::MariaDb || table.checks.is_empty();
    copies.then_some(table.name.as_str())
}

fn create_like(scene: &Scene, random: &mut Random) -> Option<String> {
    let model = model(scene)?;
    let name = scene.fresh_name(random);
    room(scene).then(|| match random.below(2) {
        0 => format!("CREATE TABLE {name} LIKE {model}"),
        _ => format!("CREATE TABLE IF NOT EXISTS {name} (LIKE {model})"),
    })
}

fn create_select(scene: &Scene, random: &mut Random) -> Option<String> {
    let table = scene.table.as_ref()?;
    let name = scene.fresh_name(random);
    let column = &table.plain_column(random)?.name;
    room(scene).then(|| match random.below(3) {
        0 => format!("CREATE TABLE {name} AS SELECT * FROM {}", table.name),
        1 => format!(
            "CREATE TABLE {name} (extra INT DEFAULT 4) SELECT `{column}` FROM {}",
            table.name
        ),
        _ => format!("CREATE TABLE {name} (PRIMARY KEY (n)) SELECT 1 AS n, 'x' AS s"),
    })
}

fn create_or_replace(scene: &Scene, random: &mut Random) -> Option<String> {
    let name = one(&scene.names, random)?;
    let model = model(scene)?;
    (scene.flavour == Flavour::MariaDb).then(|| match random.below(3) {
        0 => format!("CREATE OR REPLACE TABLE {name} (id INT PRIMARY KEY, z INT)"),
        1 => format!("CREATE OR REPLACE TABLE {name} LIKE {model}"),
        _ => format!("CREATE OR REPLACE TABLE {name} SELECT 1 AS id, 'y' AS s"),
    })
}

fn drop_table(scene: &Scene, random: &mut Random) -> Option<String> {
    let name = one(&scene.names, random)?;
    spare(scene).then(|| format!("DROP TABLE {name}"))
}

fn drop_list(scene: &Scene, random: &mut Random) -> Option<String> {
    let (one_name, other) = (one(&scene.names, random)?, one(&scene.names, random)?);
    (spare(scene) && one_name != other).then(|| format!("DROP TABLES {one_name}, {other} CASCADE"))
}

fn drop_if_exists(scene: &Scene, random: &mut Random) -> Option<String> {
    let name = one(&scene.names, random)?;
    let outside = scene.outside_name(random);
    spare(scene)
        .then(|| format!("DROP TABLE IF EXISTS `mill`.`nothing`, {outside}, {name}, `nowhere`.`t`"))
}

fn truncate(scene: &Scene, random: &mut Random) -> Option<String> {
    let name = one(&scene.names, random)?;
    Some(format!("TRUNCATE{} {name}", random.pick(&["", " TABLE"])))
}

fn rename(scene: &Scene, random: &mut Random) -> Option<String> {
    Some(format!(
        "RENAME TABLE {} TO {}",
        one(&scene.names, random)?,
        scene.fresh_name(random)
    ))
}

fn rename_swap(scene: &Scene, random: &mut Random) -> Option<String> {
    let (a, b) = (one(&scene.names, random)?, one(&scene.names, random)?);
    (a != b)
        .then(|| format!("RENAME TABLE {a} TO `mill`.`aside`, {b} TO {a}, `mill`.`aside` TO {b}"))
}

/// Through names that are free only because of the legs before.
fn rename_chain(scene: &Scene, random: &mut Random) -> Option<String> {
    let (a, b) = (one(&scene.names, random)?, one(&scene.names, random)?);
    let fresh = scene.fresh_name(random);
    let outside = (scene.outside_name(random), scene.outside_name(random));
    (a != b && outside.0 != outside.1).then(|| {
        format!(
            "RENAME TABLE {a} TO {fresh}, {b} TO {a}, {} TO {}",
            outside.0, outside.1
        )
    })
}

fn alter_rename(scene: &Scene, random: &mut Random) -> Option<String> {
    let name = one(&scene.names, random)?;
    let to = scene.fresh_name(random);
    let with = random.pick(&["", ", ADD moved INT", ", COMMENT 'moved'"]);
    Some(format!(
        "ALTER TABLE {name} RENAME {}{to}{with}",
        random.pick(&["", "TO ", "AS "])
    ))
}

fn create_index(scene: &Scene, random: &mut Random) -> Option<String> {
    let table = scene.table.as_ref()?;
    let column = table.column(random, |column| column.is_number())?;
    let (kind, hint) = (
        random.pick(&["INDEX `", "UNIQUE INDEX `"]),
        random.pick(&["", " ALGORITHM=INPLACE LOCK=NONE", " USING BTREE"]),
    );
    let using = match kind.starts_with("UNIQUE") {
        true => "USING BTREE ",
        false => "",
    };
    Some(format!(
        "CREATE {kind}i{}` {using}ON {} (`{}`){hint}",
        random.below(9),
        table.name,
        column.name
    ))
}

fn drop_index(scene: &Scene, random: &mut Random) -> Option<String> {
    let table = scene.table.as_ref()?;
    let index = one(&table.indexes, random)?;
    Some(format!("DROP INDEX `{index}` ON {}", table.name))
}

fn create_database(_: &Scene, random: &mut Random) -> Option<String> {
    let exists = random.pick(&["", " IF NOT EXISTS"]);
    Some(format!(
        "CREATE DATABASE{exists} `shed` DEFAULT CHARACTER SET latin1"
    ))
}

fn alter_database(_: &Scene, random: &mut Random) -> Option<String> {
    let charset = random.pick(&["latin1", "utf8mb4"]);
    Some(format!(
        "ALTER DATABASE `{}` CHARACTER SET {charset}",
        random.pick(&["mill", "shed"])
    ))
}

fn drop_database(scene: &Scene, random: &mut Random) -> Option<String> {
    let exists = random.pick(&["", " IF EXISTS"]);
    (scene.free_databases && spare(scene)).then(|| format!("DROP DATABASE{exists} `shed`"))
}

fn add_foreign_key(scene: &Scene, random: &mut Random) -> Option<String> {
    let (child, parent) = (scene.table.as_ref()?, scene.other.as_ref()?);
    let [key] = parent.primary.as_slice() else {
        return None;
    };
    let definition = &parent
        .columns
        .iter()
        .find(|column| column.name == *key)?
        .definition;
    let fits = |column: &&&super::picture::Column| column.definition == *definition;
    let plain = child.plain();
    // From MySQL 8 on a column cannot refer to itself, which means nothing.
    let other =
        |column: &&&super::picture::Column| child.name != parent.name || column.name != *key;
    let column = plain.iter().filter(other).find(fits)?;
    // Elsewhere its cascades are not in the binlog, which stops the table.
    let rule = if scene.flavour == Flavour::MySql97 {
        random.pick(&[
            "",
            " ON DELETE CASCADE",
            " ON DELETE SET NULL ON UPDATE CASCADE",
        ])
    } else {
        random.pick(&["", " ON DELETE RESTRICT"])
    };
    Some(format!(
        "ALTER TABLE {} ADD CONSTRAINT `fk_{}` FOREIGN KEY (`{}`) REFERENCES {} (`{key}`){rule}",
        child.name,
        random.below(100_000),
        column.name,
        parent.name
    ))
}

fn drop_foreign_key(scene: &Scene, random: &mut Random) -> Option<String> {
    let table = scene.table.as_ref()?;
    let key = one(&table.foreign_keys, random)?;
    Some(format!(
        "ALTER TABLE {} DROP FOREIGN KEY `{key}`",
        table.name
    ))
}

fn order_by(scene: &Scene, random: &mut Random) -> Option<String> {
    let table = scene.table.as_ref()?;
    let column = one(&table.columns, random)?;
    Some(format!(
        "ALTER TABLE {} ORDER BY `{}` DESC",
        table.name, column.name
    ))
}

/// What is not selected may change as it likes.
fn outside(scene: &Scene, random: &mut Random) -> Option<String> {
    let (name, other) = (scene.outside_name(random), scene.outside_name(random));
    Some(match random.below(8) {
        0 | 1 => format!("CREATE TABLE IF NOT EXISTS {name} (id INT PRIMARY KEY, v INT)"),
        2 => format!("CREATE TABLE {name} LIKE {}", one(&scene.names, random)?),
        3 => format!("DROP TABLE IF EXISTS {name}"),
        4 => format!("RENAME TABLE {name} TO {other}"),
        5 => format!("ALTER TABLE {name} ADD x INT, ADD KEY (v)"),
        6 => format!("TRUNCATE {name}"),
        _ => format!("INSERT INTO {name} (id) VALUES ({})", random.below(1000)),
    })
}

fn temporary(scene: &Scene, random: &mut Random) -> Option<String> {
    Some(match random.below(3) {
        0 => "CREATE TEMPORARY TABLE IF NOT EXISTS `mill`.`brief` (id INT PRIMARY KEY, v INT)"
            .to_owned(),
        1 => "DROP TEMPORARY TABLE IF EXISTS `mill`.`brief`".to_owned(),
        _ => format!(
            "INSERT INTO `mill`.`brief` (id) VALUES ({})",
            random.below(scene.names.len() as u64 + 9)
        ),
    })
}

fn upkeep(scene: &Scene, random: &mut Random) -> Option<String> {
    let name = one(&scene.names, random)?;
    Some(format!(
        "{} TABLE {name}",
        random.pick(&["ANALYZE", "OPTIMIZE", "CHECK", "REPAIR"])
    ))
}

fn account(_: &Scene, random: &mut Random) -> Option<String> {
    let number = random.below(4);
    Some(match random.below(4) {
        0 => format!("CREATE USER `someone{number}`@'%' IDENTIFIED BY 'Secret_1'"),
        1 => format!("DROP USER `someone{number}`@'%'"),
        2 => format!("GRANT SELECT ON `mill`.* TO `someone{number}`@'%'"),
        _ => "FLUSH TABLES".to_owned(),
    })
}

fn version_comment(scene: &Scene, random: &mut Random) -> Option<String> {
    let name = scene.fresh_name(random);
    room(scene).then(|| {
        format!("CREATE TABLE {name} /* a ; b */ (id INT /*!50000 NOT NULL */ PRIMARY KEY, -- c `d`\n v INT /*!99999 nonsense */) # end")
    })
}
