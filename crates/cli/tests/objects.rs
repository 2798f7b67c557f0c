//! Views, routines, triggers and events: they all arrive, mean the same, and nothing fires twice.

use crate::runner::Wherry;
use mysql_async::prelude::Queryable;
use wherry_testkit::{Flavour, Server, ServerOptions, compare};

async fn start(flavour: Flavour) -> Server {
    let arguments = vec!["--log-bin-trust-function-creators=ON".to_owned()];
    let options = ServerOptions {
        arguments,
        ..ServerOptions::default()
    };
    Server::start(flavour, options).await.expect("a server")
}

/// What `information_schema` says of every object, without definers and their security: shares
/// nothing with how Wherry reads and compares.
async fn objects(server: &Server, database: &str) -> Vec<Vec<Option<String>>> {
    let queries = [
        "SELECT 'view', TABLE_NAME, VIEW_DEFINITION, CHECK_OPTION, IS_UPDATABLE, CHARACTER_SET_CLIENT, COLLATION_CONNECTION FROM information_schema.VIEWS WHERE TABLE_SCHEMA = '{}' ORDER BY 2",
        "SELECT ROUTINE_TYPE, ROUTINE_NAME, ROUTINE_DEFINITION, DTD_IDENTIFIER, IS_DETERMINISTIC, SQL_DATA_ACCESS, SQL_MODE, ROUTINE_COMMENT, CHARACTER_SET_CLIENT, COLLATION_CONNECTION, DATABASE_COLLATION FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = '{}' ORDER BY 1, 2",
        "SELECT 'parameter', SPECIFIC_NAME, ORDINAL_POSITION, PARAMETER_MODE, PARAMETER_NAME, DTD_IDENTIFIER, CHARACTER_SET_NAME FROM information_schema.PARAMETERS WHERE SPECIFIC_SCHEMA = '{}' ORDER BY 2, 3",
        "SELECT 'trigger', TRIGGER_NAME, EVENT_MANIPULATION, EVENT_OBJECT_TABLE, ACTION_TIMING, ACTION_ORDER, ACTION_STATEMENT, SQL_MODE, CHARACTER_SET_CLIENT, COLLATION_CONNECTION FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = '{}' ORDER BY 2",
        "SELECT 'event', EVENT_NAME, EVENT_DEFINITION, EVENT_TYPE, EXECUTE_AT, INTERVAL_VALUE, INTERVAL_FIELD, STARTS, ENDS, STATUS, ON_COMPLETION, TIME_ZONE, SQL_MODE, EVENT_COMMENT, CHARACTER_SET_CLIENT, COLLATION_CONNECTION FROM information_schema.EVENTS WHERE EVENT_SCHEMA = '{}' ORDER BY 2",
    ];
    let mut found = Vec::new();
    for query in queries {
        let rows = server.rows(&query.replace("{}", database)).await;
        found.extend(rows.expect("a catalog"));
    }
    // A statement that came with others in one packet keeps its semicolon.
    for value in found.iter_mut().flatten().flatten() {
        value.truncate(value.trim_end_matches(';').len());
    }
    found
}

#[track_caller]
fn assert_same(source: &[Vec<Option<String>>], target: &[Vec<Option<String>>]) {
    for (one, other) in source.iter().zip(target) {
        assert_eq!(one, other);
    }
    assert_eq!(source.len(), target.len());
}

/// The statement of an object of `sys`, for `sys_copy`.
async fn statement(server: &Server, what: &str, name: &str, column: usize) -> String {
    let rows = server
        .rows(&format!("SHOW CREATE {what} sys.`{name}`"))
        .await
        .expect("a definition");
    let text = rows[0][column].clone().expect("a readable definition");
    text.replace("`sys`.", "`sys_copy`.")
        .replace(" sys.", " sys_copy.")
        .replace("(sys.", "(sys_copy.")
}

async fn names(server: &Server, query: &str) -> Vec<String> {
    let rows = server.rows(query).await.expect("names");
    rows.into_iter()
        .filter_map(|mut row| row.remove(0))
        .collect()
}

/// Makes `sys_copy` from the definitions of MySQL's own `sys` schema.
async fn make_sys_copy(server: &Server) {
    let table = statement(server, "TABLE", "sys_config", 1).await;
    let mut statements = vec![table];
    let routines = "SELECT CONCAT(ROUTINE_TYPE, ' ', ROUTINE_NAME) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = 'sys'";
    for routine in names(server, routines).await {
        let (kind, name) = routine.split_once(' ').expect("two words");
        statements.push(statement(server, kind, name, 2).await);
    }
    let triggers =
        "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'sys'";
    for trigger in names(server, triggers).await {
        statements.push(statement(server, "TRIGGER", &trigger, 2).await);
    }
    let views = "SELECT TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA = 'sys'";
    for view in names(server, views).await {
        statements.push(statement(server, "VIEW", &view, 1).await);
    }
    server
        .sql("CREATE DATABASE sys_copy")
        .await
        .expect("a database");
    while !statements.is_empty() {
        let before = statements.len();
        let mut left = Vec::new();
        for statement in statements {
            if server
                .sql(&format!("USE sys_copy; {statement}"))
                .await
                .is_err()
            {
                left.push(statement);
            }
        }
        assert!(left.len() < before, "no way to make {left:#?}");
        statements = left;
    }
    server
        .sql("GRANT ALL ON sys_copy.* TO `mysql.sys`@localhost; INSERT INTO sys_copy.sys_config (variable, value) SELECT variable, value FROM sys.sys_config")
        .await
        .expect("rows");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_sys_arrives_whole() {
    let (source, target) = (start(Flavour::MySql97).await, start(Flavour::MySql97).await);
    make_sys_copy(&source).await;
    let wherry =
        Wherry::new(&source, &target, &["sys_copy"]).extra("cutover: {stop_writes: read-only}");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();
    wherry.finish(&["cutover"]).expect_code(0);
    let (there, here) = (
        objects(&source, "sys_copy").await,
        objects(&target, "sys_copy").await,
    );
    assert!(there.len() > 150, "{} objects", there.len());
    assert_same(&there, &here);
    compare(&source.url("root"), &target.url("root"), &["sys_copy"])
        .await
        .expect("comparison")
        .assert_equal();
}

const TABLES: &str = "
    CREATE DATABASE shop DEFAULT CHARACTER SET utf8mb4;
    USE shop;
    CREATE TABLE item (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(50), price INT) ENGINE=InnoDB;
    CREATE TABLE audit (id INT PRIMARY KEY AUTO_INCREMENT, what VARCHAR(200)) ENGINE=InnoDB;
    CREATE TABLE gone (id INT PRIMARY KEY) ENGINE=InnoDB;
    CREATE TABLE words (id INT PRIMARY KEY, words TEXT, FULLTEXT KEY (words)) ENGINE=InnoDB;
    INSERT INTO words VALUES (1, 'every view arrives');
    CREATE TABLE places (id INT PRIMARY KEY, spot POINT NOT NULL, area GEOMETRY) ENGINE=InnoDB;
    INSERT INTO places VALUES (1, POINT(1, 2), NULL), (2, POINT(-3.5, 1e10), LINESTRING(POINT(0, 0), POINT(1, 1)));
    INSERT INTO item (name, price) VALUES ('one', 1), ('ten', 10);";

/// Names in an order in which nothing can be made at first, odd modes, charsets and names.
const OBJECTS: &str = "
    USE shop;
    CREATE FUNCTION twice(x INT) RETURNS INT DETERMINISTIC NO SQL RETURN x * 2;
    CREATE VIEW z_base AS SELECT id, name, price FROM item;
    CREATE VIEW m_middle AS SELECT id, price FROM z_base WHERE price > 5;
    CREATE VIEW a_top AS SELECT COUNT(*) AS n, shop.twice(MAX(price)) AS most FROM m_middle;
    CREATE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW `odd ``view` AS SELECT name AS `a b` FROM item WHERE name <> 'x' WITH CASCADED CHECK OPTION;
    CREATE VIEW v_words AS SELECT id FROM words WHERE MATCH (words) AGAINST ('view' IN BOOLEAN MODE);
    CREATE VIEW v_places AS SELECT id, ST_Contains(area, spot) AS inside FROM places;
    CREATE VIEW broken AS SELECT id FROM gone;
    DROP TABLE gone;
    SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES';
    CREATE FUNCTION \"odd name\"(a VARCHAR(10)) RETURNS VARCHAR(40) DETERMINISTIC NO SQL RETURN a || '\\' || 'x''y';
    SET sql_mode = DEFAULT;
    CREATE PROCEDURE add_item(IN what VARCHAR(40), OUT total INT) COMMENT 'adds' BEGIN
        DECLARE CONTINUE HANDLER FOR SQLEXCEPTION SET total = -1;
        INSERT INTO item (name, price) VALUES (what, 7);
        SELECT COUNT(*) INTO total FROM item; -- DEFINER=`x`@`y`
    END;
    SET NAMES latin1;
    CREATE FUNCTION latin() RETURNS VARCHAR(40) CHARSET utf8 DETERMINISTIC NO SQL RETURN CONCAT('\u{e9}', HEX('\u{e9}'), HEX(_binary '\u{e9}'));
    SET NAMES utf8mb4;
    CREATE TRIGGER item_b BEFORE INSERT ON item FOR EACH ROW SET NEW.name = CONCAT(NEW.name, '-b');
    CREATE TRIGGER logged AFTER INSERT ON item FOR EACH ROW BEGIN INSERT INTO audit (what) VALUES (CONCAT('new ', NEW.name)); END -- the end
    ;
    CREATE TRIGGER changed AFTER UPDATE ON item FOR EACH ROW lab: BEGIN
        IF NEW.price = OLD.price THEN LEAVE lab; END IF;
        INSERT INTO audit (what) VALUES (CONCAT('price ', NEW.price));
    END lab;
    SET time_zone = '+03:00';
    CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2020-01-01 03:00:00' ENDS '2037-01-01 00:00:00' ON COMPLETION PRESERVE COMMENT 'ENABLE' DO DELETE FROM audit WHERE id < 0;
    CREATE EVENT resting ON SCHEDULE EVERY 1 HOUR STARTS '2020-01-01 03:00:00' DISABLE DO DELETE FROM audit WHERE id < 0;
    SET timestamp = 1000000000;
    CREATE EVENT past ON SCHEDULE AT '2002-01-01 00:00:00' DISABLE DO DELETE FROM audit;
    SET timestamp = DEFAULT, time_zone = DEFAULT;";

/// What 5.6 does not know: a spatial key, and a second trigger for one event, made before the first
/// in name and behind it in order.
const SINCE_57: &str = "ALTER TABLE shop.places ADD SPATIAL KEY (spot); CREATE TRIGGER shop.item_a BEFORE INSERT ON shop.item FOR EACH ROW SET NEW.name = CONCAT(NEW.name, '-a')";

/// Object statements while the stream runs, between rows.
const CHANGES: &str = "
    USE shop;
    INSERT INTO item (name, price) VALUES ('three', 30);
    CREATE TABLE late (id INT PRIMARY KEY, v INT) ENGINE=InnoDB;
    CREATE VIEW v_late AS SELECT v FROM late;
    CREATE OR REPLACE VIEW m_middle AS SELECT id, price FROM z_base WHERE price > 6;
    DROP FUNCTION twice;
    CREATE FUNCTION twice(x INT) RETURNS INT DETERMINISTIC NO SQL RETURN x + x;
    INSERT INTO late VALUES (1, 1);
    CREATE VIEW v_brief AS SELECT 1 AS one;
    DROP VIEW v_brief;
    CREATE VIEW v_old AS SELECT 2 AS two;
    RENAME TABLE v_old TO v_new;
    DROP TRIGGER changed;
    CREATE TRIGGER changed BEFORE UPDATE ON item FOR EACH ROW SET NEW.name = CONCAT(NEW.name, '+');
    UPDATE item SET price = 31 WHERE name LIKE 'three%';
    ALTER EVENT resting ENABLE;
    DROP EVENT past;
    CREATE PROCEDURE fresh() SELECT 1";

/// Kind and name alone.
fn kinds(objects: &[Vec<Option<String>>]) -> Vec<String> {
    objects
        .iter()
        .filter(|row| row[0].as_deref() != Some("parameter") && row[1].as_deref() != Some("broken"))
        .map(|row| {
            row[..2]
                .iter()
                .flatten()
                .cloned()
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

/// What the objects do, as far as asking changes nothing.
async fn answers(server: &Server) -> Vec<Vec<Option<String>>> {
    let mut found = Vec::new();
    for query in [
        "SELECT * FROM shop.a_top",
        "SELECT * FROM shop.`odd ``view` ORDER BY 1",
        "SELECT * FROM shop.v_words",
        "SELECT shop.latin(), shop.twice(4)",
        "SELECT HEX(shop.`odd name`('q'))",
        "SELECT CONCAT(ACTION_TIMING, EVENT_MANIPULATION), SUBSTRING_INDEX(TRIM(TRAILING ';' FROM ACTION_STATEMENT), ' -- ', 1), TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'shop' ORDER BY 1, ACTION_ORDER",
        "SELECT EVENT_NAME, TRIM(TRAILING ';' FROM EVENT_DEFINITION), INTERVAL_VALUE, STARTS, ENDS, STATUS, ON_COMPLETION, TIME_ZONE, EVENT_COMMENT FROM information_schema.EVENTS WHERE EVENT_SCHEMA = 'shop' ORDER BY 1",
    ] {
        let rows = server.rows(query).await;
        found.extend(rows.unwrap_or_else(|error| panic!("{query}: {error}")));
    }
    found
}

async fn make_shop(source: &Server) {
    source.sql(TABLES).await.expect("tables");
    source.sql(OBJECTS).await.expect("objects");
    if source.flavour() != Flavour::MySql56 {
        source.sql(SINCE_57).await.expect("a second trigger");
    }
}

/// What runs in the target by itself: before the cutover there is nothing.
const EARLY: &str = "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'shop' UNION SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = 'shop' AND STATUS = 'ENABLED'";

async fn everything_arrives(flavour: Flavour) {
    let (source, target) = (start(flavour).await, start(Flavour::MySql97).await);
    make_shop(&source).await;
    let wherry =
        Wherry::new(&source, &target, &["shop"]).extra("cutover: {stop_writes: read-only}");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let verified = wherry.finish(&["verify"]).expect_code(0);
    let explained = verified.of_type("verify")[0]["schema_explained"].to_string();
    for rule in [
        "broken-at-source",
        "definer",
        "sql-security",
        "triggers-at-cutover",
        "events-at-cutover",
    ] {
        assert!(
            explained.contains(&format!("(rule {rule})")),
            "{rule}: {explained}"
        );
    }
    source.sql(CHANGES).await.expect("changes");
    wherry.finish(&["verify"]).expect_code(0);
    assert_eq!(target.rows(EARLY).await.expect("names").len(), 0);
    running.stop();
    wherry.finish(&["cutover"]).expect_code(0);
    compare(&source.url("root"), &target.url("root"), &["shop"])
        .await
        .expect("comparison")
        .assert_equal();
    let there = objects(&source, "shop").await;
    let here = objects(&target, "shop").await;
    assert_eq!(kinds(&there), kinds(&here));
    assert_eq!(answers(&source).await, answers(&target).await);
    if flavour == Flavour::MySql97 {
        let whole = |row: &&Vec<Option<String>>| row[1].as_deref() != Some("broken");
        let there: Vec<_> = there.iter().filter(whole).cloned().collect();
        assert_same(&there, &here);
    }
    target
        .sql("CALL shop.add_item('seven', @total)")
        .await
        .expect("a call");
    let order = match flavour {
        Flavour::MySql56 => "new seven-b",
        _ => "new seven-b-a",
    };
    let fired = "SELECT COUNT(*), MAX(what) FROM shop.audit WHERE what LIKE 'new seven%'";
    assert_eq!(
        target.rows(fired).await.expect("an audit"),
        [[Some("1".to_owned()), Some(order.to_owned())]]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_from_97() {
    everything_arrives(Flavour::MySql97).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_from_56() {
    everything_arrives(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_from_mariadb() {
    everything_arrives(Flavour::MariaDb).await;
}

async fn count(server: &Server, query: &str) -> u64 {
    // The table may not be there yet.
    let value = server.value(query).await.unwrap_or_default();
    value.and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_a_sync_and_behind_the_fence_it_goes_on() {
    let (source, target) = (start(Flavour::MySql97).await, start(Flavour::MySql97).await);
    make_shop(&source).await;
    let many: Vec<String> = (0..150)
        .map(|number| format!("CREATE PROCEDURE shop.many_{number}() SELECT {number}"))
        .collect();
    source.sql(&many.join(";")).await.expect("procedures");
    let wherry =
        Wherry::new(&source, &target, &["shop"]).extra("cutover: {stop_writes: read-only}");
    let under_way =
        "SELECT COUNT(*) FROM wherry.object WHERE made = 1 AND printed IS NULL AND trouble IS NULL";
    let running = wherry.start(&["run"]);
    while count(&target, under_way).await == 0 {}
    running.signal("KILL");
    running.wait();
    assert!(count(&target, under_way).await > 150, "killed in the sync");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    wherry.finish(&["verify"]).expect_code(0);
    running.stop();

    // Behind the fence the first trigger of this table waits for its lock.
    let mut holder = target.connect().await.expect("a session");
    let held = "START TRANSACTION; SELECT COUNT(*) INTO @held FROM shop.item";
    holder.query_drop(held).await.expect("a lock");
    let running = wherry.start(&["cutover"]);
    let fenced = "SELECT COUNT(*) FROM wherry.task WHERE phase = 'cutover'";
    while count(&target, fenced).await == 0 {}
    running.signal("KILL");
    running.wait();
    assert_eq!(target.rows(EARLY).await.expect("names").len(), 0);
    holder.query_drop("ROLLBACK").await.expect("no lock");
    // What is left needs the target alone.
    source.stop().await.expect("the source is gone");
    wherry.finish(&["cutover"]).expect_code(0);
    source.restart().await.expect("a source");
    assert_eq!(answers(&source).await, answers(&target).await);
    target
        .sql("INSERT INTO shop.item (name, price) VALUES ('late', 1)")
        .await
        .expect("a row");
    let fired = "SELECT COUNT(*) FROM shop.audit WHERE what = 'new late-b-a'";
    assert_eq!(count(&target, fired).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn guarded_triggers_fire_for_everybody_but_wherry() {
    let (source, target) = (start(Flavour::MySql97).await, start(Flavour::MySql97).await);
    make_shop(&source).await;
    let wherry = Wherry::new(&source, &target, &["shop"])
        .extra("cutover: {stop_writes: read-only}\nschema: {triggers: guarded, events: disabled}");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let triggers = "SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'shop'";
    assert_eq!(count(&target, triggers).await, 4);
    source.sql(CHANGES).await.expect("changes");
    let verified = wherry.finish(&["verify"]).expect_code(0);
    let explained = verified.of_type("verify")[0]["schema_explained"].to_string();
    assert!(explained.contains("(rule triggers-guarded)"), "{explained}");
    // Somebody else in the target.
    target
        .sql(
            "CREATE DATABASE probe; CREATE TABLE probe.fired (n INT); START TRANSACTION;
             INSERT INTO shop.item (name, price) VALUES ('other', 1);
             SET @n = (SELECT COUNT(*) FROM shop.audit WHERE what = 'new other-b-a');
             ROLLBACK; INSERT INTO probe.fired VALUES (@n)",
        )
        .await
        .expect("another writer");
    assert_eq!(count(&target, "SELECT n FROM probe.fired").await, 1);
    compare(&source.url("root"), &target.url("root"), &["shop"])
        .await
        .expect("comparison")
        .assert_equal();
    running.stop();
    wherry.finish(&["cutover"]).expect_code(0);
    source.sql("SET GLOBAL read_only = OFF; ALTER EVENT shop.nightly DISABLE; ALTER EVENT shop.resting DISABLE").await.expect("as in the target");
    assert_eq!(answers(&source).await, answers(&target).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_target_cannot_have_is_named_and_holds_back_the_cutover() {
    let (source, target) = (start(Flavour::MySql56).await, start(Flavour::MySql97).await);
    // `rank` is reserved in the target; the mode and the account are gone there.
    let ranks = "BEGIN DECLARE rank INT DEFAULT 1; SELECT rank; END";
    source
        .sql(&format!(
            "CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY) ENGINE=InnoDB;
             CREATE PROCEDURE shop.ranks() {ranks};
             CREATE DEFINER=`old`@`%` VIEW shop.v AS SELECT id FROM shop.t;
             CREATE DEFINER=`else`@`%` VIEW shop.w AS SELECT id FROM shop.t;
             SET sql_mode = 'NO_AUTO_CREATE_USER';
             CREATE PROCEDURE shop.old_mode() SELECT 1"
        ))
        .await
        .expect("objects");
    let plain = Wherry::new(&source, &target, &["shop"]).extra("schema: {definer: keep}");
    let finished = plain.finish(&["precheck"]).expect_code(3);
    let said = format!("{:?}{}", finished.lines, finished.stderr);
    assert!(said.contains("target-objects"), "{said}");
    assert!(
        said.contains("procedure `shop`.`ranks`: server error 1064"),
        "{said}"
    );
    assert!(said.contains("else@%, old@%"), "{said}");
    assert_eq!(plain.finish(&["run"]).error_code(), "RUN-001");

    let wherry = Wherry::new(&source, &target, &["shop"]).extra(
        "cutover: {stop_writes: read-only}\nschema: {leave_out: [shop.ranks], definer: {map: {\"old@%\": \"mover@%\", \"else@%\": \"mover@%\"}}}",
    );
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let verified = wherry.finish(&["verify"]).expect_code(0);
    let explained = verified.of_type("verify")[0]["schema_explained"].to_string();
    for rule in ["left-out", "definer", "sql-mode"] {
        assert!(
            explained.contains(&format!("(rule {rule})")),
            "{rule}: {explained}"
        );
    }
    let definers = "SELECT GROUP_CONCAT(DISTINCT DEFINER), GROUP_CONCAT(DISTINCT SECURITY_TYPE) FROM information_schema.VIEWS WHERE TABLE_SCHEMA = 'shop'";
    assert_eq!(
        target.rows(definers).await.expect("views"),
        [[Some("mover@%".to_owned()), Some("DEFINER".to_owned())]]
    );

    // One that comes while the stream runs is pending, and everything else goes on.
    source
        .sql(&format!(
            "CREATE PROCEDURE shop.more_ranks() {ranks}; INSERT INTO shop.t VALUES (1)"
        ))
        .await
        .expect("a procedure");
    let verified = wherry.finish(&["verify"]).expect_code(4);
    let differences = verified.of_type("verify")[0]["schema_differences"].to_string();
    assert!(
        differences.contains("`more_ranks`: procedure is missing in the target: server error 1064"),
        "{differences}"
    );
    let status = wherry.finish(&["status"]).expect_code(0);
    assert!(
        format!("{:?}", status.lines).contains("more_ranks"),
        "{status:?}"
    );
    running.stop();
    assert_eq!(
        wherry.finish(&["cutover"]).expect_code(3).error_code(),
        "OBJ-001"
    );
    source
        .sql("DROP PROCEDURE shop.more_ranks; INSERT INTO shop.t VALUES (2)")
        .await
        .expect("the source takes writes");
    wherry.finish(&["cutover"]).expect_code(0);
    assert_eq!(count(&target, "SELECT COUNT(*) FROM shop.v").await, 2);
}
