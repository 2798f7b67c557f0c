//! The engine that a table gets in the target, by the deepest rule.

use crate::kinds::{assert_rows, pair};
use crate::runner::Wherry;
use wherry_testkit::Flavour;

const TABLES: &str = "CREATE DATABASE shop; CREATE DATABASE crm;
     CREATE TABLE shop.old (id INT PRIMARY KEY, v INT) ENGINE=MyISAM; INSERT INTO shop.old VALUES (1, 1);
     CREATE TABLE crm.old (id INT PRIMARY KEY, v INT) ENGINE=MyISAM; INSERT INTO crm.old VALUES (1, 1);
     CREATE TABLE crm.usual (id INT PRIMARY KEY)";

const ENGINES: &str = "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME, ' ', ENGINE) FROM information_schema.TABLES \
     WHERE TABLE_SCHEMA IN ('shop', 'crm') ORDER BY 1";

#[tokio::test(flavor = "multi_thread")]
async fn the_deepest_rule_says_the_engine() {
    let (source, target) = pair(Flavour::MySql97).await;
    source.sql(TABLES).await.expect("source tables");
    let refused = Wherry::new(
        &source,
        &target,
        &["shop", "{database: crm, engine: innodb}"],
    )
    .extra("schema: {engine: keep}")
    .finish(&["run"])
    .expect_code(3);
    let said = format!("{:?}", refused.of_type("error"));
    assert!(
        said.contains("`shop`.`old`") && !said.contains("`crm`.`old`"),
        "{said}"
    );

    // No server here has X-Engine: who asks for it is refused.
    let of_crm = "{database: crm, engine: innodb}";
    let with = |rules: &str| {
        Wherry::new(&source, &target, &["shop", of_crm])
            .select(rules)
            .extra("schema: {engine: x-engine}")
            .finish(&["precheck"])
    };
    with("tables: [{table: 'shop.*', engine: innodb}]").expect_code(0);
    let refused = with("policy: fail").expect_code(3);
    let said = format!("{:?}", refused.lines);
    assert!(said.contains("TGT-110"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_have_it_through_load_stream_and_verify() {
    let (source, target) = pair(Flavour::MySql97).await;
    source.sql(TABLES).await.expect("source tables");
    let wherry = Wherry::new(
        &source,
        &target,
        &["shop", "{database: crm, engine: innodb}"],
    )
    .select("tables: [{table: shop.old, engine: innodb}]")
    .extra("schema: {engine: keep}");
    let planned = wherry.finish(&["plan"]).expect_code(0);
    let by = |table: &str| {
        let planned = planned.of_type("plan-table");
        let found = planned.iter().find(|it| it["source"] == table);
        found.expect("the table")["engine_by"].to_string()
    };
    assert!(by("shop.old").contains("select.tables `shop.old`"));
    assert!(by("crm.usual").contains("select.databases `crm`"));
    let running = wherry.start(&["run"]);
    running.hear_strict();
    source
        .sql("ALTER TABLE shop.old ADD COLUMN w INT DEFAULT 3; INSERT INTO shop.old VALUES (2, 2, 2)")
        .await
        .expect("a definition change");
    wherry.finish(&["verify"]).expect_code(0);
    let engines = ["crm.old InnoDB", "crm.usual InnoDB", "shop.old InnoDB"];
    assert_rows(&target, ENGINES, &engines).await;
    assert_rows(
        &target,
        "SELECT * FROM shop.old ORDER BY 1",
        &["1/1/3", "2/2/2"],
    )
    .await;
    running.stop();
    wherry.finish(&["cutover"]).expect_code(0);
}
