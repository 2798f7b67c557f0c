//! Other names in the target: source and target are databases of one server here, so a statement
//! under a source's name would find the wrong table, and the source's rows tell.

use super::*;
use wherry_engine::pipe::row_pipe;
use wherry_engine::ports::{ApplyMode, DatabaseDefinition, RowReader};
use wherry_engine::state::{Chunk, KeyRange};
use wherry_model::Phase;
use wherry_model::task::{MappingSpec, SelectSpec};
use wherry_mysql::names::Names;

fn selection() -> SelectSpec {
    let rules = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter();
        pairs
            .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
            .collect()
    };
    SelectSpec {
        databases: vec!["d".to_owned()],
        mapping: MappingSpec {
            databases: rules(&[("d", "e")]),
            tables: rules(&[("d.t", "f.u")]),
            // Swapped, so that a name that was left as it is means another column.
            columns: rules(&[
                ("d.t.id", "a"),
                ("d.t.a", "b"),
                ("d.t.b", "id"),
                ("d.bare.v", "w"),
            ]),
        },
        ..SelectSpec::default()
    }
}

fn named(server: &Server, version: ServerVersion) -> MysqlTarget {
    let options = TargetOptions {
        task: "t".to_owned(),
        state_database: "wherry".to_owned(),
        workers: 2,
        writers: 2,
        source_version: version,
        select: SelectSpec::default(),
    };
    let names = Arc::new(Names::new(&selection(), endpoint(server)));
    MysqlTarget::with_names(endpoint(server), options, names)
}

async fn read_named(server: &Server, name: &str) -> Arc<Table> {
    let mut table = read(server, name).await.as_ref().clone();
    let names = wherry_model::NameMap::new(&selection(), false).expect("rules");
    names.apply(&mut table);
    Arc::new(table)
}

async fn prepared(server: &Server) -> (MysqlTarget, Arc<Table>, Arc<Table>) {
    server
        .sql(
            "CREATE DATABASE d; USE d; \
             CREATE TABLE t (id INT NOT NULL AUTO_INCREMENT, a INT, b VARCHAR(20), up INT, \
               PRIMARY KEY (id), UNIQUE KEY a (a), KEY b (b), \
               CONSTRAINT up FOREIGN KEY (up) REFERENCES t (id)) ENGINE=InnoDB AUTO_INCREMENT=70; \
             INSERT INTO t VALUES (50, 60, 'source', NULL); \
             CREATE TABLE bare (v INT, w2 VARCHAR(9)) ENGINE=InnoDB; \
             INSERT INTO bare VALUES (1, 'source')",
        )
        .await
        .expect("a source");
    let target = named(server, version(server).await);
    target.claim().await.expect("a claim");
    target.create_task("source").await.expect("a task");
    target.set_checkpoint(&at(1)).await.expect("a checkpoint");
    target
        .create_database(&DatabaseDefinition {
            name: "d".to_owned(),
            charset: "utf8mb4".to_owned(),
            collation: "utf8mb4_bin".to_owned(),
            comment: String::new(),
        })
        .await
        .expect("databases");
    let tables = [
        read_named(server, "t").await,
        read_named(server, "bare").await,
    ];
    for table in &tables {
        let state = TableState {
            table: table.as_ref().clone(),
            start: position(1),
            stage: TableStage::Planned,
            stopped: None,
            lane: None,
        };
        target.plan_table(&state).await.expect("a plan");
        target.create_table(table, true).await.expect("a table");
    }
    let [t, bare] = tables;
    (target, t, bare)
}

async fn load(target: &MysqlTarget, table: &Table, values: &[Row]) {
    let chunk = Chunk {
        number: 0,
        range: KeyRange::all(),
        done: false,
        row_count: 0,
        byte_count: 0,
    };
    target
        .plan_chunk(&table.name, &chunk)
        .await
        .expect("a plan");
    let mut outcome = target.load_chunk(table, &chunk, rows(values).await).await;
    if outcome.as_ref().is_ok_and(|outcome| outcome.needs_care) {
        outcome = target
            .load_chunk_careful(table, &chunk, rows(values).await)
            .await;
    }
    let outcome = outcome.expect("a chunk");
    assert_eq!(outcome.row_count + outcome.left_out, values.len() as u64);
}

async fn rows_go_under_the_names_of_the_target(flavour: Flavour) {
    let server = start_with(flavour, &["--local-infile=1"]).await;
    let (target, t, bare) = prepared(&server).await;
    let wanted = [
        row(&["1", "10", "x", "NULL"]),
        row(&["2", "20", "y", "1"]),
        // Holds the same unique value: left out and owed.
        row(&["3", "20", "z", "NULL"]),
    ];
    load(&target, &t, &wanted).await;
    assert_eq!(target.owed().await.expect("owed keys").len(), 1);
    target.add_indexes(&t).await.expect("indexes");
    let changes = [
        update(&t, &["2", "20", "y", "1"], &["2", "21", "y", "1"]),
        insert(&t, &["3", "20", "z", "NULL"]),
        insert(&t, &["4", "40", "n", "NULL"]),
        // Meets row 4 on its unique value, which comes back later.
        update(&t, &["1", "10", "x", "NULL"], &["1", "40", "x", "NULL"]),
        update(&t, &["4", "40", "n", "NULL"], &["4", "10", "n", "NULL"]),
    ];
    let idempotent = target.apply(0, &changes, ApplyMode::Idempotent).await;
    idempotent.expect("an idempotent part");
    assert_eq!(target.owed().await.expect("owed keys"), []);
    let strict = target
        .apply(
            0,
            &[
                delete(&t, &["4", "10", "n", "NULL"]),
                update(&t, &["3", "20", "z", "NULL"], &["3", "30", "zz", "1"]),
                // Not there: a divergence, mended.
                update(&t, &["5", "50", "q", "NULL"], &["5", "51", "q", "NULL"]),
            ],
            ApplyMode::Strict,
        )
        .await
        .expect("a strict part");
    assert_eq!(strict.divergences, 1);
    assert_eq!(
        show(&server, "SELECT a, b, id, up FROM f.u ORDER BY a").await,
        "1,40,x,NULL;2,21,y,1;3,30,zz,1;5,51,q,NULL"
    );
    target.add_foreign_keys(&t).await.expect("foreign keys");
    target
        .raise_auto_increment(&t.name, 99)
        .await
        .expect("a counter");
    without_a_key(&target, &server, &bare).await;
    read_back(&target, &t).await;
    let differences = target
        .schema_diff(&[], &[t.as_ref().clone(), bare.as_ref().clone()])
        .await
        .expect("a comparison");
    assert!(differences.is_empty(), "{differences:?}");
    let definition = show(&server, "SHOW CREATE TABLE f.u").await;
    assert!(definition.contains("FOREIGN KEY (`up`) REFERENCES `u` (`a`)"));
    assert!(definition.contains("AUTO_INCREMENT=99"), "{definition}");
    target.drop_table(&t.name).await.expect("a drop");
    assert_eq!(
        show(
            &server,
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA='f'"
        )
        .await,
        ""
    );
    assert_eq!(
        show(
            &server,
            "SELECT * FROM d.t UNION ALL SELECT v, 0, w2, NULL FROM d.bare"
        )
        .await,
        "50,60,source,NULL;1,0,source,NULL"
    );
}

async fn without_a_key(target: &MysqlTarget, server: &Server, bare: &Arc<Table>) {
    target
        .empty_tables(&[bare.as_ref().clone()])
        .await
        .expect("an empty table");
    let copied = rows(&[row(&["1", "x"]), row(&["1", "x"]), row(&["2", "y"])]).await;
    target.load_exact(bare, copied).await.expect("rows");
    let mut commit = target
        .open_commit(ApplyMode::Strict)
        .await
        .expect("a commit");
    commit
        .add(&[
            delete(bare, &["1", "x"]),
            update(bare, &["2", "y"], &["3", "y"]),
        ])
        .await
        .expect("exact changes");
    commit.finish(&at(1), &at(2)).await.expect("a commit");
    assert_eq!(
        show(server, "SELECT w, w2 FROM e.bare ORDER BY w").await,
        "1,x;3,y"
    );
}

async fn read_back(target: &MysqlTarget, t: &Arc<Table>) {
    let keys = target
        .read_keys(t, &[row(&["3"])])
        .await
        .expect("a row by its key");
    assert_eq!(keys, [row(&["3", "30", "zz", "1"])]);
    let after = target.key_after(t, Some(&row(&["1"])), 2).await;
    assert_eq!(after.expect("a walk"), Some(row(&["3"])));
    let (sender, mut receiver) = row_pipe(&Budget::new(1 << 20));
    let range = KeyRange {
        lower: Some(row(&["1"])),
        upper: Some(row(&["3"])),
    };
    target
        .read_range(t, &range, &sender)
        .await
        .expect("a range");
    drop(sender);
    let batch = receiver.next().await.expect("rows").expect("a batch");
    assert_eq!(batch.row_count(), 2);
}

#[tokio::test]
async fn rows_go_under_the_names_of_the_target_on_mysql_97() {
    rows_go_under_the_names_of_the_target(Flavour::MySql97).await;
}

#[tokio::test]
async fn rows_go_under_the_names_of_the_target_on_mariadb() {
    rows_go_under_the_names_of_the_target(Flavour::MariaDb).await;
}

#[tokio::test]
async fn a_planned_table_keeps_its_names() {
    let server = start(Flavour::MySql97).await;
    let (target, ..) = prepared(&server).await;
    target
        .set_phase(Phase::Precheck, Phase::Schema)
        .await
        .expect("a phase");
    let again = named(&server, version(&server).await);
    again.claim().await.expect("the same names");
    let fault = unclaimed(&server)
        .await
        .claim()
        .await
        .expect_err("other names");
    assert_eq!(fault.code, "NAM-003");
    assert!(fault.message.contains("`e`.`bare`"), "{}", fault.message);
    // The refused one has taken nothing.
    again.set_checkpoint(&at(3)).await.expect("a checkpoint");
}
