//! Generated tables with every attribute in random combination: each arrives as it is, or changed by named rules, or
//! is refused for the expected reason.
//!
//! The tables come from `wherry_testkit::attributes`; the judges are the servers' `information_schema` and
//! `wherry_testkit::compare`, which share no code with Wherry. `WHERRY_SOAK=1` makes 300 tables a road instead of
//! 60; `WHERRY_ATTRIBUTES_SEED` makes those of an earlier run again.

use crate::runner::{Finished, Wherry};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use std::collections::{BTreeMap, BTreeSet};
use wherry_testkit::attributes::{DATABASES, Facts, SESSION, Sample, databases, facts, samples};
use wherry_testkit::{Flavour, Random, Server, ServerOptions, compare};

/// Prechecks until no table is refused any more: an end reads its tables only when the other has refused none.
const PRECHECK_ROUND_COUNT_MAX: usize = 6;

/// One table in so many may be refused by the server that it was drawn for.
const UNMADE_SHARE_MAX: usize = 5;

fn table_count() -> usize {
    match std::env::var_os("WHERRY_SOAK") {
        Some(_) => 300,
        None => 60,
    }
}

/// The short form makes the same tables each time: looking for new ones is the long form's.
const SHORT_SEED: u64 = 1;

fn seed() -> u64 {
    let given = std::env::var("WHERRY_ATTRIBUTES_SEED").ok();
    let given = given.and_then(|text| text.parse().ok());
    match std::env::var_os("WHERRY_SOAK") {
        Some(_) => given.unwrap_or_else(Random::fresh_seed),
        None => given.unwrap_or(SHORT_SEED),
    }
}

/// The server's answer to a statement, all of its results read.
async fn run(connection: &mut Conn, statement: &str) -> Result<(), mysql_async::Error> {
    let mut result = connection.query_iter(statement).await?;
    while !result.is_empty() {
        result.for_each(drop).await?;
    }
    Ok(())
}

/// Makes the tables; returns those that the server took.
async fn make(source: &Server, all: Vec<Sample>) -> Vec<Sample> {
    let flavour = source.flavour();
    let mut connection = source.connect().await.expect("a connection");
    for statement in databases(flavour) {
        run(&mut connection, &statement).await.expect(&statement);
    }
    if flavour == Flavour::MySql97 {
        let space = "CREATE TABLESPACE `shared space` ADD DATAFILE 'shared.ibd'";
        run(&mut connection, space).await.expect(space);
    }
    let (mut made, mut unmade, mut rows_refused) = (Vec::new(), Vec::new(), 0);
    for sample in all {
        let mut session = format!("{SESSION}; USE {}", sample.database);
        if flavour == Flavour::MySql97 {
            session.push_str("; SET SESSION sql_generate_invisible_primary_key = OFF");
        }
        run(&mut connection, &session).await.expect("a session");
        let mut refusal = None;
        for statement in &sample.create {
            if let Err(error) = run(&mut connection, statement).await {
                refusal = Some(format!("{statement}\n  {error}"));
            }
        }
        match refusal {
            Some(refusal) => unmade.push(refusal),
            None => {
                for statement in &sample.rows {
                    // MariaDB refuses a row that breaks a check also where it is told to ignore that.
                    rows_refused += usize::from(run(&mut connection, statement).await.is_err());
                }
                made.push(sample);
            }
        }
    }
    connection.disconnect().await.expect("a goodbye");
    let reasons = unmade.iter().filter_map(|refusal| refusal.lines().last());
    eprintln!(
        "{} tables; the source itself refused {}:\n{}",
        made.len(),
        unmade.len(),
        reasons.collect::<Vec<_>>().join("\n")
    );
    assert!(
        rows_refused * UNMADE_SHARE_MAX <= made.len(),
        "{rows_refused} rows were refused"
    );
    assert!(
        unmade.len() * UNMADE_SHARE_MAX <= made.len(),
        "the generator draws too much that its server refuses:\n{}",
        unmade.join("\n")
    );
    made
}

/// Code and table of everything that a precheck refuses.
fn refused_in(precheck: &Finished, tables: &[Sample]) -> BTreeMap<String, String> {
    let mut refused = BTreeMap::new();
    for item in precheck.of_type("check") {
        if item["verdict"] != "fail" {
            continue;
        }
        let evidence = item["evidence"].as_str().unwrap_or_default();
        let named: Vec<String> = tables
            .iter()
            .map(Sample::name)
            .filter(|name| evidence.contains(name.as_str()))
            .collect();
        assert!(!named.is_empty(), "the precheck fails for no table: {item}");
        let code: String = evidence.chars().take(7).collect();
        for name in named {
            refused
                .entry(name)
                .or_insert_with(|| format!("{code}: {evidence}"));
        }
    }
    refused
}

/// Prechecks, checks that exactly the expected tables are refused, and drops them.
async fn refuse(source: &Server, wherry: &Wherry, tables: &[Sample]) {
    let mut refused = BTreeMap::new();
    for _ in 0..PRECHECK_ROUND_COUNT_MAX {
        let precheck = wherry.finish(&["precheck"]);
        if precheck.code == 0 {
            break;
        }
        let found = refused_in(&precheck, tables);
        assert!(!found.is_empty(), "{precheck:?}");
        for name in found.keys() {
            let drop = format!("SET foreign_key_checks = 0; DROP TABLE IF EXISTS {name}");
            source.sql(&drop).await.expect("drop");
        }
        if found.keys().any(|name| name.contains("from_sequence")) {
            // What its table is refused for is an object that the target cannot have.
            source
                .sql("DROP SEQUENCE attr.numbers")
                .await
                .expect("drop");
        }
        refused.extend(found);
    }
    let mut problems = Vec::new();
    for table in tables {
        let name = table.name();
        let found = refused.get(&name);
        match (table.refused, found) {
            (None, None) => {}
            (Some(code), Some(reason)) if reason.starts_with(code) => {}
            (expected, found) => problems.push(format!(
                "{name}: expected refusal {expected:?}, found {found:?}\n{}",
                table.create.join("\n")
            )),
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

/// The rules that `verify` reports for each object, by the beginning of the object's name.
fn reported_rules(verified: &Finished) -> Vec<(String, String)> {
    let line = verified.of_type("verify")[0];
    let changes = line["rule_changes"].as_array().expect("a list of changes");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let mut rules: Vec<(String, String)> = changes
        .iter()
        .map(|change| (text(&change["object"]), text(&change["rule"])))
        .collect();
    for explained in line["schema_explained"]
        .as_array()
        .expect("a list of differences")
    {
        let explained = text(explained);
        if let Some((object, rule)) = explained.rsplit_once("(rule ") {
            rules.push((object.to_owned(), rule.trim_end_matches(')').to_owned()));
        }
    }
    rules
}

/// Rules that may explain that a fact differs.
fn explanations(fact: &str) -> &'static [&'static str] {
    match fact {
        "engine" => &["engine"],
        "option row_format" | "option key_block_size" => {
            &["row-format", "key-block-size", "engine"]
        }
        "option tablespace" => &["tablespace"],
        "option encryption" => &["encryption"],
        "option secondary_engine" | "option secondary_load" => &["secondary-engine"],
        "option transactional" | "option page_checksum" => &["mariadb-option"],
        "collation" => &["collation-name"],
        _ if fact.starts_with("column") && fact.ends_with(" collation") => &["collation-name"],
        _ if fact.starts_with("key") && fact.ends_with(" type") => &["engine"],
        _ => &[],
    }
}

fn differences(name: &str, source: &Facts, target: &Facts, rules: &BTreeSet<&str>) -> Vec<String> {
    let facts: BTreeSet<&String> = source.keys().chain(target.keys()).collect();
    let differ = facts
        .into_iter()
        .filter(|fact| source.get(*fact) != target.get(*fact));
    differ
        .filter(|fact| !explanations(fact).iter().any(|rule| rules.contains(rule)))
        .map(|fact| {
            format!(
                "{name} {fact}: {:?} in the source, {:?} in the target (rules {rules:?})",
                source.get(fact),
                target.get(fact)
            )
        })
        .collect()
}

/// The text of a definition where nothing differs: MySQL prints the character set of a column that has a collation
/// only where a statement named it.
fn spelled_once(definition: &str) -> String {
    let mut parts = definition.split(" CHARACTER SET ");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(part.trim_start_matches(|letter: char| letter.is_ascii_alphanumeric()));
    }
    // MySQL gives a constant of a check the character set of its column when it reads the text once more.
    for introducer in [
        "_utf8mb4'",
        "_utf8mb3'",
        "_latin1'",
        "_gbk'",
        "_sjis'",
        "_cp1251'",
        "_utf16'",
        "_ascii'",
    ] {
        out = out.replace(introducer, "'");
    }
    // One of UTF-16 is then printed as its bytes.
    out.replace("\\0", "")
}

async fn definition(server: &Server, name: &str) -> String {
    let rows = server
        .rows(&format!("SHOW CREATE TABLE {name}"))
        .await
        .expect("a definition");
    spelled_once(rows[0][1].as_deref().unwrap_or_default())
}

async fn compare_definitions(
    source: &Server,
    target: &Server,
    rules: &[(String, String)],
) -> usize {
    let mut problems = Vec::new();
    let mut count = 0;
    for database in DATABASES {
        let here = facts(source, database).await.expect("facts");
        let there = facts(target, database).await.expect("facts");
        count += here.len();
        for (table, mut left) in here {
            let name = format!("`{database}`.`{}`", table.replace('`', "``"));
            let Some(mut right) = there.get(&table).cloned() else {
                problems.push(format!("{name} is missing in the target"));
                continue;
            };
            let own: BTreeSet<&str> = rules
                .iter()
                .filter(|(object, _)| object.starts_with(&name))
                .map(|(_, rule)| rule.as_str())
                .collect();
            if source.flavour() != Flavour::MySql97 {
                // What only the target's catalog tells.
                for facts in [&mut left, &mut right] {
                    facts.retain(|fact, _| {
                        !fact.starts_with("check name") && !fact.ends_with(" srid")
                    });
                }
            } else if own.is_empty() {
                let (left, right) = (
                    definition(source, &name).await,
                    definition(target, &name).await,
                );
                if left != right {
                    problems.push(format!(
                        "{name}: the source says\n{left}\nand the target\n{right}"
                    ));
                }
            }
            problems.extend(differences(&name, &left, &right, &own));
        }
    }
    assert!(
        problems.is_empty(),
        "{} differences:\n{}",
        problems.len(),
        problems.join("\n")
    );
    count
}

async fn travel(flavour: Flavour) {
    let seed = seed();
    eprintln!("attributes seed {seed}, {flavour:?}");
    let folder = tempfile::tempdir().expect("a folder");
    let elsewhere = folder.path().display().to_string();
    let arguments = match flavour {
        Flavour::MySql97 => vec![format!("--innodb-directories={elsewhere}")],
        Flavour::MySql56 | Flavour::MariaDb => Vec::new(),
    };
    let options = ServerOptions {
        arguments,
        ..ServerOptions::default()
    };
    let source = Server::start(flavour, options).await.expect("source");
    let target = Server::start(Flavour::MySql97, ServerOptions::default())
        .await
        .expect("target");
    let tables = make(&source, samples(flavour, seed, table_count(), &elsewhere)).await;
    let wherry = Wherry::new(&source, &target, &DATABASES);
    refuse(&source, &wherry, &tables).await;
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let verified = wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    let compared = compare(&source.url("root"), &target.url("root"), &DATABASES)
        .await
        .expect("comparison");
    compared.assert_equal();
    let count = compare_definitions(&source, &target, &reported_rules(&verified)).await;
    assert!(
        count * 2 > table_count(),
        "only {count} tables were compared"
    );
    assert!(
        compared.rows as usize > count,
        "only {} rows in {count} tables",
        compared.rows
    );
    for database in DATABASES {
        let query = format!(
            "SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '{database}'"
        );
        let collation =
            |value: Option<String>| value.unwrap_or_default().replace("utf8_", "utf8mb3_");
        assert_eq!(
            collation(source.value(&query).await.expect("a collation")),
            collation(target.value(&query).await.expect("a collation"))
        );
    }
    eprintln!("{count} tables and {} rows are equal", compared.rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attribute_of_97_arrives() {
    travel(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attribute_of_56_arrives() {
    travel(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attribute_of_mariadb_arrives_or_is_refused() {
    travel(Flavour::MariaDb).await;
}
