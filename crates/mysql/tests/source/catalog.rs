//! The catalog of a table zoo, and what it refuses.

use super::{FLAVOURS, control, source, start};
use wherry_engine::ports::{Catalog, Source};
use wherry_model::task::SelectSpec;
use wherry_model::{Column, ColumnKind, Exactness, Scope as FaultScope, Table, TableName};
use wherry_mysql::catalog::{Scope, read_table, read_tables, survey};
use wherry_testkit::{Flavour, Server};

const TYPES: &str = "CREATE TABLE types (
    id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    i1 TINYINT(1), i2 SMALLINT UNSIGNED ZEROFILL, i3 MEDIUMINT, i8 BIGINT UNSIGNED,
    n DECIMAL(20,4), f FLOAT, f2 FLOAT(7,3), d DOUBLE, b BIT(9), y YEAR,
    da DATE, ti TIME(3), dt DATETIME(6), ts TIMESTAMP(2) NULL,
    c CHAR(5) CHARACTER SET latin1, vc VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    tx MEDIUMTEXT CHARACTER SET utf8mb4, bi BINARY(4), vb VARBINARY(9), bl LONGBLOB,
    e ENUM('b','it''s','c,d','back\\\\slash','é') CHARACTER SET utf8mb4, s SET('x','y') CHARACTER SET latin1,
    g GEOMETRY, p POINT,
    KEY i1_c (i1, c(3)), UNIQUE KEY u (i8), KEY pre (tx(10))
) ENGINE=InnoDB COMMENT='it''s'";

const KEYLESS: &str = "CREATE TABLE keyless (a INT, b INT, UNIQUE KEY (a)) ENGINE=InnoDB";

const UNIQUE: &str = "CREATE TABLE uniq (a INT NOT NULL, b INT, c TEXT NOT NULL, \
    UNIQUE KEY a_nullable (b), UNIQUE KEY b_prefix (c(3)), UNIQUE KEY z (a)) ENGINE=InnoDB";

async fn make(server: &Server, statements: &[&str]) {
    let sql = format!(
        "SET NAMES utf8mb4, SESSION sql_mode = ''; CREATE DATABASE zoo; USE zoo; {}",
        statements.join(";")
    );
    server.sql(&sql).await.expect("a zoo");
}

async fn table(server: &Server, name: &str) -> Table {
    let mut session = control(server).await;
    read_table(&mut session, &TableName::new("zoo", name))
        .await
        .expect("a catalog")
        .unwrap_or_else(|| panic!("no table {name}"))
}

fn column<'a>(table: &'a Table, name: &str) -> &'a Column {
    table
        .columns
        .iter()
        .find(|column| column.name == name)
        .unwrap_or_else(|| panic!("no column {name}"))
}

fn texts(labels: &[&str]) -> Vec<String> {
    labels.iter().map(|&label| label.to_owned()).collect()
}

fn check_types(table: &Table) {
    let kind = |name: &str| column(table, name).kind.clone();
    let integer = |bytes, unsigned| ColumnKind::Integer { bytes, unsigned };
    assert_eq!(table.columns.len(), 25);
    assert_eq!(kind("id"), integer(4, true));
    assert!(column(table, "id").auto_increment && !column(table, "id").nullable);
    assert_eq!(kind("i1"), integer(1, false));
    assert_eq!(kind("i2"), integer(2, true));
    assert_eq!(kind("i3"), integer(3, false));
    assert_eq!(kind("i8"), integer(8, true));
    assert_eq!(
        kind("n"),
        ColumnKind::Decimal {
            precision: 20,
            scale: 4
        }
    );
    assert_eq!(
        (kind("f"), kind("f2"), kind("d")),
        (ColumnKind::Float, ColumnKind::Float, ColumnKind::Double)
    );
    assert_eq!(kind("b"), ColumnKind::Bit { bits: 9 });
    assert_eq!(
        (kind("y"), kind("da")),
        (ColumnKind::Year, ColumnKind::Date)
    );
    assert_eq!(kind("ti"), ColumnKind::Time { fraction: 3 });
    assert_eq!(kind("dt"), ColumnKind::Datetime { fraction: 6 });
    assert_eq!(kind("ts"), ColumnKind::Timestamp { fraction: 2 });
    assert_eq!(kind("c"), ColumnKind::Char { length: 5 });
    assert_eq!(column(table, "c").charset.as_deref(), Some("latin1"));
    assert_eq!(kind("vc"), ColumnKind::Varchar { length: 20 });
    assert_eq!(
        column(table, "vc").collation.as_deref(),
        Some("utf8mb4_bin")
    );
    assert_eq!(
        (kind("tx"), kind("bl")),
        (ColumnKind::Text, ColumnKind::Blob)
    );
    assert_eq!(kind("bi"), ColumnKind::Binary { length: 4 });
    assert_eq!(kind("vb"), ColumnKind::Varbinary { length: 9 });
    assert_eq!(column(table, "bi").charset, None);
    let labels = texts(&["b", "it's", "c,d", "back\\slash", "é"]);
    assert_eq!(kind("e"), ColumnKind::Enum { labels });
    assert_eq!(
        kind("s"),
        ColumnKind::Set {
            labels: texts(&["x", "y"])
        }
    );
    assert_eq!(
        (kind("g"), kind("p")),
        (ColumnKind::Geometry, ColumnKind::Geometry)
    );

    assert_eq!(table.engine, "innodb");
    assert!(
        table.definition.starts_with("CREATE TABLE `types` (\n"),
        "{}",
        table.definition
    );
}

fn check_keys(table: &Table) {
    let keys: Vec<(&str, bool, bool)> = table
        .keys
        .iter()
        .map(|key| (key.name.as_str(), key.primary, key.unique))
        .collect();
    let wanted = [
        ("PRIMARY", true, true),
        ("u", false, true),
        ("i1_c", false, false),
        ("pre", false, false),
    ];
    assert_eq!(keys, wanted);
    let parts: Vec<(usize, Option<u32>)> = table.keys[2]
        .parts
        .iter()
        .map(|part| (part.column, part.prefix))
        .collect();
    assert_eq!(parts, [(1, None), (15, Some(3))]);
    assert_eq!(table.exactness, Exactness::Keyed);
}

#[tokio::test]
async fn a_zoo_of_types_and_keys_is_read() {
    for flavour in FLAVOURS {
        let server = start(flavour, false).await;
        make(
            &server,
            &[
                TYPES,
                KEYLESS,
                UNIQUE,
                "CREATE VIEW v AS SELECT 1",
                "CREATE TABLE `we``ird tä` (id INT PRIMARY KEY)",
            ],
        )
        .await;
        let types = table(&server, "types").await;
        check_types(&types);
        check_keys(&types);
        assert_eq!(
            table(&server, "keyless").await.exactness,
            Exactness::Keyless
        );
        let unique = table(&server, "uniq").await;
        assert_eq!(unique.identity().map(|key| key.name.as_str()), Some("z"));
        assert_eq!(table(&server, "we`ird tä").await.columns.len(), 1);

        let selection = SelectSpec {
            databases: vec!["zoo".to_owned()],
            ..SelectSpec::default()
        };
        let catalog = source(&server)
            .catalog(&selection)
            .await
            .expect("a catalog");
        let names: Vec<&str> = catalog
            .tables
            .iter()
            .map(|table| table.name.table.as_str())
            .collect();
        assert_eq!(names, ["keyless", "types", "uniq", "we`ird tä"]);
        assert_eq!(catalog.databases[0].name, "zoo");

        let mut session = control(&server).await;
        let wanted = [
            TableName::new("zoo", "uniq"),
            TableName::new("zoo", "UNIQ"),
            TableName::new("none", "uniq"),
        ];
        let found = read_tables(&mut session, Scope::Tables(&wanted))
            .await
            .expect("tables");
        assert_eq!(found.len(), 1, "names are compared exactly");
    }
}

#[tokio::test]
async fn generated_hidden_and_functional_parts_are_told() {
    let server = start(Flavour::MySql97, false).await;
    make(
        &server,
        &[
            "CREATE TABLE g (id INT PRIMARY KEY, a INT DEFAULT (1 + 1), v INT AS (a + 1), s INT AS (a + 2) STORED, \
             h INT INVISIBLE, j JSON, ve VECTOR(3), KEY fx ((a * 2)), UNIQUE KEY mv ((CAST(j AS UNSIGNED ARRAY))), \
             UNIQUE KEY inv (h) INVISIBLE)",
            "SET sql_generate_invisible_primary_key = ON; CREATE TABLE gipk (a INT)",
        ],
    )
    .await;
    let g = table(&server, "g").await;
    let names: Vec<&str> = g
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(names, ["id", "a", "v", "s", "h", "j", "ve"]);
    let generated: Vec<bool> = g.columns.iter().map(|column| column.generated).collect();
    assert_eq!(generated, [false, false, true, true, false, false, false]);
    assert_eq!(column(&g, "j").kind, ColumnKind::Json);
    assert_eq!(column(&g, "ve").kind, ColumnKind::Vector);
    let functional: Vec<(&str, bool)> = g
        .keys
        .iter()
        .map(|key| (key.name.as_str(), key.functional))
        .collect();
    assert_eq!(
        functional,
        [
            ("PRIMARY", false),
            ("mv", true),
            ("inv", false),
            ("fx", true)
        ]
    );

    let gipk = table(&server, "gipk").await;
    assert_eq!(gipk.columns[0].name, "my_row_id");
    assert!(gipk.definition.contains("my_row_id"));
    assert_eq!(gipk.exactness, Exactness::Keyed);
}

#[tokio::test]
async fn what_only_mariadb_has_is_read_or_refused() {
    let maria = start(Flavour::MariaDb, false).await;
    make(
        &maria,
        &[
            "CREATE TABLE g (id INT PRIMARY KEY, a INT, v INT AS (a + 1) VIRTUAL, s INT AS (a + 2) PERSISTENT, j JSON, h INT INVISIBLE)",
            "CREATE TABLE u (id UUID PRIMARY KEY)",
            "CREATE TABLE z (id INT PRIMARY KEY, c TEXT COMPRESSED)",
            "CREATE TABLE ver (id INT PRIMARY KEY) WITH SYSTEM VERSIONING",
            "CREATE SEQUENCE seq",
        ],
    )
    .await;
    let g = table(&maria, "g").await;
    let generated: Vec<bool> = g.columns.iter().map(|column| column.generated).collect();
    assert_eq!(generated, [false, false, true, true, false, false]);
    assert_eq!(column(&g, "j").kind, ColumnKind::Text);
    let mut session = control(&maria).await;
    let survey = survey(&mut session, Scope::Databases(&["zoo".to_owned()]))
        .await
        .expect("a survey");
    assert_eq!(survey.tables.len(), 1);
    let refused: Vec<(&str, &str)> = survey
        .refused
        .iter()
        .map(|fault| (fault.code, fault.message.as_str()))
        .collect();
    assert_eq!(
        refused,
        [
            (
                "SRC-005",
                "column `id` of table `zoo`.`u` has the type UUID"
            ),
            ("SRC-003", "table `zoo`.`ver` is system-versioned"),
            (
                "SRC-005",
                "column `c` of table `zoo`.`z` is stored compressed"
            ),
        ]
    );
}

async fn refused(server: &Server, databases: &[&str]) -> Option<(&'static str, FaultScope)> {
    let selection = SelectSpec {
        databases: databases.iter().map(|&name| name.to_owned()).collect(),
        ..SelectSpec::default()
    };
    match source(server)
        .catalog(&selection)
        .await
        .and_then(Catalog::whole)
    {
        Ok(_) => None,
        Err(fault) => {
            assert!(!fault.hint.is_empty());
            Some((fault.code, fault.scope))
        }
    }
}

#[tokio::test]
async fn what_cannot_be_moved_is_refused() {
    let tables = "CREATE TABLE p (id INT PRIMARY KEY) ENGINE=InnoDB; CREATE TABLE c (id INT PRIMARY KEY, p INT, \
        CONSTRAINT fk FOREIGN KEY (p) REFERENCES p (id) ON DELETE SET NULL) ENGINE=InnoDB";
    for flavour in FLAVOURS {
        let server = start(flavour, false).await;
        make(
            &server,
            &[
                tables,
                "CREATE DATABASE other",
                "CREATE TABLE other.m (id INT PRIMARY KEY) ENGINE=MyISAM",
                "CREATE TABLE other.b (id INT NOT NULL) ENGINE=CSV",
            ],
        )
        .await;
        let on = |database: &str, table: &str| FaultScope::Table(TableName::new(database, table));
        assert_eq!(refused(&server, &["zoo"]).await, None, "{flavour:?}");
        assert_eq!(
            refused(&server, &["other"]).await,
            Some(("SRC-010", on("other", "b")))
        );
        // It may have been dropped while a task runs; the precheck of a new one names it.
        assert_eq!(refused(&server, &["nowhere"]).await, None);
        assert_eq!(
            refused(&server, &["mysql"]).await,
            Some(("SRC-014", FaultScope::Task))
        );
        server
            .sql("CREATE DATABASE kids; CREATE TABLE kids.k (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES zoo.p (id) ON DELETE CASCADE) ENGINE=InnoDB")
            .await
            .expect("a child elsewhere");
        assert_eq!(
            refused(&server, &["kids"]).await,
            Some(("SRC-012", on("kids", "k")))
        );
        assert_eq!(refused(&server, &["kids", "zoo"]).await, None);
    }
}

/// Also for an account that may only read: MariaDB hides foreign keys from it in its catalog.
#[tokio::test]
async fn cascades_that_are_not_logged_make_a_family() {
    for flavour in FLAVOURS {
        let server = start(flavour, false).await;
        make(
            &server,
            &[
                "CREATE TABLE p (id INT PRIMARY KEY) ENGINE=InnoDB",
                "CREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id) ON UPDATE CASCADE) ENGINE=InnoDB",
                "CREATE TABLE plain (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES c (id)) ENGINE=InnoDB",
                "CREATE TABLE alone (id INT PRIMARY KEY) ENGINE=InnoDB",
                "CREATE USER reader@'%' IDENTIFIED BY 'reader'; GRANT SELECT ON zoo.* TO reader@'%'",
            ],
        )
        .await;
        let mut account = super::endpoint(&server);
        account.user = "reader".to_owned();
        account.password = Some(wherry_mysql::session::Secret::new("reader"));
        let options = wherry_mysql::source::SourceOptions { readers: 1 };
        let source = wherry_mysql::source::MysqlSource::new(account, options);
        let selection = SelectSpec {
            databases: vec!["zoo".to_owned()],
            ..SelectSpec::default()
        };
        let catalog = source.catalog(&selection).await.expect("a catalog");
        let family: Vec<&str> = catalog
            .tables
            .iter()
            .filter(|table| table.is_cascading())
            .map(|table| table.name.table.as_str())
            .collect();
        let expected: &[&str] = match flavour {
            Flavour::MySql97 => &[],
            _ => &["c", "p", "plain"],
        };
        assert_eq!(family, expected, "{flavour:?}");
    }
}

#[tokio::test]
async fn counters_identity_and_read_only_are_the_servers() {
    for flavour in FLAVOURS {
        let server = start(flavour, false).await;
        make(&server, &["CREATE TABLE a (id INT AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT=77 COMMENT=' AUTO_INCREMENT=5'", "CREATE TABLE b (id INT PRIMARY KEY)"]).await;
        let source = source(&server);
        let counter = |name: &'static str| TableName::new("zoo", name);
        assert_eq!(
            source
                .auto_increment(&counter("a"))
                .await
                .expect("a counter"),
            Some(77)
        );
        assert_eq!(
            source.auto_increment(&counter("b")).await.expect("none"),
            None
        );
        assert_eq!(
            source.auto_increment(&counter("gone")).await.expect("none"),
            None
        );

        let identity = source.identity().await.expect("an identity");
        if flavour == Flavour::MariaDb {
            assert_eq!(identity, format!("127.0.0.1:{}", server.port()));
        } else {
            assert_eq!(
                Some(identity),
                server.value("SELECT @@server_uuid").await.expect("an UUID")
            );
        }

        assert_eq!(
            source.prepared_xa().await.expect("a list"),
            Some(Vec::new())
        );
        // On 5.6 a prepared transaction ends with its connection.
        let mut writer = control(&server).await;
        for sql in [
            "XA START 'one'",
            "INSERT INTO zoo.b VALUES (1)",
            "XA END 'one'",
            "XA PREPARE 'one'",
        ] {
            writer.execute(sql).await.expect("a prepared transaction");
        }
        assert_eq!(
            source.prepared_xa().await.expect("a list"),
            Some(vec!["one".to_owned()])
        );
        writer
            .execute("XA ROLLBACK 'one'")
            .await
            .expect("rolled back");

        source.set_read_only(true).await.expect("read only");
        let state = "SELECT @@global.read_only + 0";
        assert_eq!(
            server.value(state).await.expect("a state").as_deref(),
            Some("1")
        );
        source.set_read_only(false).await.expect("writable");
        assert_eq!(
            server.value(state).await.expect("a state").as_deref(),
            Some("0")
        );
        server
            .sql("INSERT INTO zoo.b VALUES (2)")
            .await
            .expect("writable");
    }
}
