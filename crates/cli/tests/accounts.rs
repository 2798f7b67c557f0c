//! Accounts and grants, where the task asks for them.

use crate::runner::{Finished, Wherry};
use mysql_async::prelude::Queryable;
use wherry_testkit::{Flavour, Server, ServerOptions};

async fn start(flavour: Flavour) -> Server {
    let options = ServerOptions {
        arguments: vec!["--log-bin-trust-function-creators=ON".to_owned()],
        ..ServerOptions::default()
    };
    Server::start(flavour, options).await.expect("a server")
}

const TABLES: &str = "CREATE DATABASE shop; CREATE DATABASE other;
    CREATE TABLE shop.item (id INT PRIMARY KEY, name VARCHAR(9)) ENGINE=InnoDB;
    CREATE TABLE shop.secret (id INT PRIMARY KEY) ENGINE=InnoDB;
    INSERT INTO shop.item VALUES (1, 'one'), (2, 'two');
    CREATE TRIGGER shop.t BEFORE INSERT ON shop.item FOR EACH ROW SET NEW.name = 'new';
    CREATE PROCEDURE shop.p() SELECT 1;";

const ACCOUNTS: &str = "CREATE ROLE reader; GRANT SELECT ON shop.* TO reader;
    CREATE USER app@'%' IDENTIFIED BY 'app-password' DEFAULT ROLE reader REQUIRE NONE WITH MAX_USER_CONNECTIONS 7 COMMENT 'ACCOUNT UNLOCK';
    GRANT SELECT (id), INSERT ON shop.item TO app@'%';
    GRANT EXECUTE ON PROCEDURE shop.p TO app@'%';
    GRANT PROCESS ON *.* TO app@'%'; GRANT SELECT ON other.* TO app@'%';
    CREATE USER closed@'%' IDENTIFIED BY 'app-password' ACCOUNT LOCK; GRANT SELECT ON shop.* TO closed@'%';
    CREATE USER known@'%' IDENTIFIED BY 'here'; GRANT ALL ON shop.* TO known@'%' WITH GRANT OPTION;
    CREATE USER same@'%' IDENTIFIED BY 'x'; GRANT INSERT, SELECT ON shop.* TO same@'%';
    CREATE USER bare@'%' IDENTIFIED BY ''; GRANT SELECT ON shop.* TO bare@'%';
    CREATE USER admin@'%' IDENTIFIED BY 'x'; GRANT SELECT ON *.* TO admin@'%'";

const ALL: &str = "schema: {accounts: all}\ncutover: {stop_writes: read-only}";
const MAPPING: &str = "mapping: {databases: {shop: shop_new}}";

fn explained(finished: &Finished) -> String {
    finished.of_type("verify")[0]["schema_explained"].to_string()
}

fn item(finished: &Finished) -> String {
    let checks = finished.of_type("check");
    let item = checks.iter().find(|item| item["id"] == "target-accounts");
    item.map_or_else(String::new, ToString::to_string)
}

#[track_caller]
fn assert_says(text: &str, all: &[&str]) {
    for words in all {
        assert!(text.contains(words), "{words} in {text}");
    }
}

/// Name, lock, limit and hash of the accounts with these names.
async fn accounts(server: &Server, users: &str) -> Vec<Vec<Option<String>>> {
    let query = format!(
        "SELECT User, account_locked, max_user_connections, HEX(authentication_string) FROM mysql.user WHERE User IN ({users}) ORDER BY 1"
    );
    server.rows(&query).await.expect("accounts")
}

/// Asks as the account, with its own password; the server's error number where it may not.
async fn asked(server: &Server, user: &str, query: &str) -> Result<Option<i64>, u16> {
    let url = server.url("mover");
    let url = url.replace("mover:mover@", &format!("{user}:app-password@"));
    let code = |error: mysql_async::Error| match error {
        mysql_async::Error::Server(error) => error.code,
        error => panic!("{error}"),
    };
    let options = mysql_async::Opts::from_url(&url).expect("an address");
    let mut session = mysql_async::Conn::new(options).await.map_err(code)?;
    session.query_first(query).await.map_err(code)
}

async fn wait_for(server: &Server, query: &str) {
    while server.value(query).await.unwrap_or_default().as_deref() != Some("1") {}
}

const ACCESS_DENIED: u16 = 1045;
const COLUMN_DENIED: u16 = 1143;
const TABLE_DENIED: u16 = 1142;
const LOCKED: u16 = 3118;
const SUM: &str = "SELECT SUM(id) FROM shop_new.item";

/// Source and target, which has two accounts of the source's names already: one is the same.
async fn servers() -> (Server, Server) {
    let (source, target) = (start(Flavour::MySql97).await, start(Flavour::MySql97).await);
    source.sql(TABLES).await.expect("tables");
    source.sql(ACCOUNTS).await.expect("accounts");
    let there = "CREATE USER known@'%' IDENTIFIED BY 'there'";
    target.sql(there).await.expect("an account");
    let hash = accounts(&source, "'same'").await[0][3].clone();
    let same = format!(
        r"CREATE USER same@'%' IDENTIFIED WITH caching_sha2_password AS 0x{}; GRANT SELECT, INSERT ON `shop\_new`.* TO same@'%'",
        hash.expect("a hash")
    );
    target.sql(&same).await.expect("the same account");
    (source, target)
}

#[track_caller]
fn assert_planned(item: &str) {
    assert_says(
        item,
        &[
            "app@% (GRANT",
            "INSERT ON `shop_new`.`item`",
            r"closed@% (GRANT SELECT ON `shop\\_new`.*)",
            "known@%: the target has it already and keeps its own password, which is another",
            "known@%: the target has it already and keeps its own rights, without `GRANT ALL PRIVILEGES ON",
            "bare@%: it is a role or has no password",
            "reader@%: it is a role or has no password",
            "admin@%: it has no grants on what is selected alone",
            "`GRANT PROCESS ON *.*` is about the whole server",
            "`GRANT SELECT ON `other`.*` is about what is not selected",
            "app@%: `GRANT `reader`@`%`` is a role, or is for one",
        ],
    );
    assert!(!item.contains("same@"), "{item}");
}

/// A cutover that fails between an account and its grants, one that is killed behind the fence
/// while the trigger waits for its table, and one that needs the target alone.
async fn cut_over(wherry: &Wherry, source: &Server, target: &Server) -> [Finished; 3] {
    let revoke = "REVOKE GRANT OPTION ON *.* FROM mover@'%'";
    target.sql(revoke).await.expect("fewer rights");
    let refused = wherry.finish(&["cutover"]).expect_code(3);
    assert_eq!(refused.error_code(), "TGT-162");
    assert_eq!(asked(target, "app", SUM).await, Err(LOCKED));
    let grant = "GRANT ALL ON *.* TO mover@'%' WITH GRANT OPTION";
    target.sql(grant).await.expect("all rights");

    let mut holder = target.connect().await.expect("a session");
    let held = "START TRANSACTION; SELECT COUNT(*) INTO @held FROM shop_new.item";
    holder.query_drop(held).await.expect("a lock");
    let running = wherry.start(&["cutover"]);
    let fenced = "SELECT COUNT(*) FROM wherry.task WHERE phase = 'cutover'";
    wait_for(target, fenced).await;
    running.signal("KILL");
    let killed = running.wait();
    let early = asked(target, "app", SUM).await;
    assert_eq!(early, Err(LOCKED), "before the end");
    holder.query_drop("ROLLBACK").await.expect("no lock");
    source.stop().await.expect("the source is gone");
    let finished = wherry.finish(&["cutover"]).expect_code(0);
    source.restart().await.expect("a source");
    [refused, killed, finished]
}

async fn assert_rights(target: &Server) {
    assert_eq!(asked(target, "app", SUM).await, Ok(Some(3)));
    for (user, query, code) in [
        (
            "app",
            "SELECT COUNT(name) FROM shop_new.item",
            COLUMN_DENIED,
        ),
        ("app", "SELECT COUNT(*) FROM shop_new.secret", TABLE_DENIED),
        ("closed", "SELECT 1", LOCKED),
        ("known", "SELECT 1", ACCESS_DENIED),
    ] {
        assert_eq!(
            asked(target, user, query).await,
            Err(code),
            "{user} {query}"
        );
    }
    for (user, count) in [("known", 1), ("app", 3)] {
        let rights = target.rows(&format!("SHOW GRANTS FOR {user}@'%'")).await;
        assert_eq!(rights.expect("grants").len(), count, "{user}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_arrive_with_their_passwords_behind_the_fence() {
    let (source, target) = servers().await;
    let wherry = Wherry::new(&source, &target, &["shop"])
        .select(MAPPING)
        .extra(ALL);
    let checked = wherry.finish(&["precheck"]).expect_code(0);
    assert_planned(&item(&checked));
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let verified = wherry.finish(&["verify"]).expect_code(0);
    let rules = ["account-at-cutover", "account-left-out"];
    assert_says(&explained(&verified), &rules);
    let stopped = running.stop();
    let users = "'app', 'closed', 'bare', 'admin', 'reader'";
    assert_eq!(accounts(&target, users).await.len(), 0);
    let ends = cut_over(&wherry, &source, &target).await;
    assert_rights(&target).await;
    let moved = accounts(&source, "'app', 'closed'").await;
    assert_eq!(accounts(&target, users).await, moved);
    for finished in ends.iter().chain([&checked, &verified, &stopped]) {
        let all = format!("{:?}{}", finished.lines, finished.stderr);
        for account in &moved {
            let hash = account[3].as_deref().expect("a hash");
            assert!(!all.contains(hash), "a hash is shown");
        }
        let parts = ["$A$", "IDENTIFIED"];
        assert!(
            !parts.iter().any(|part| all.contains(part)),
            "a hash is shown"
        );
    }
}

/// A plugin that both servers have. The old one takes such a hash only through these settings.
const STRONG: &str = "CREATE USER strong@'%' IDENTIFIED WITH sha256_password;
    SET old_passwords = 2; SET PASSWORD FOR strong@'%' = PASSWORD('app-password'); SET old_passwords = 0;
    GRANT SELECT ON `sho_`.* TO strong@'%'; GRANT SELECT (id), UPDATE (name) ON shop.item TO strong@'%' WITH GRANT OPTION";

/// Grants in the words of MySQL 5.6, whose `mysql.user` is all there is to read.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_of_56_arrives_where_the_target_has_its_plugin() {
    let (source, target) = (start(Flavour::MySql56).await, start(Flavour::MySql97).await);
    source.sql(TABLES).await.expect("tables");
    source.sql(STRONG).await.expect("an account");
    let wherry = Wherry::new(&source, &target, &["shop"])
        .select(MAPPING)
        .extra(ALL);
    wherry.start(&["run"]).hear_strict();
    wherry.finish(&["cutover"]).expect_code(0);
    let hash = "SELECT HEX(authentication_string) FROM mysql.user WHERE User = 'strong'";
    let hash = source.value(hash).await.expect("a hash");
    let moved = accounts(&target, "'strong'").await;
    assert_eq!(moved[0][1].as_deref(), Some("N"));
    assert_eq!(moved[0][3], hash);
    let rights = target.rows("SHOW GRANTS FOR strong@'%'").await;
    let rights = format!("{:?}", rights.expect("grants"));
    let words = [
        "SELECT (`id`), UPDATE (`name`) ON `shop_new`.`item`",
        "WITH GRANT OPTION",
    ];
    assert_says(&rights, &words);
    assert!(!rights.contains("sho_`"), "{rights}");
}

/// The passwords of old servers are of a plugin that the target does not have.
async fn old_passwords_stay_behind(flavour: Flavour) {
    let (source, target) = (start(flavour).await, start(Flavour::MySql97).await);
    source.sql(TABLES).await.expect("tables");
    source
        .sql(
            "CREATE USER app@'10.%' IDENTIFIED BY 'app-password'; GRANT SELECT ON shop.* TO app@'10.%';
             CREATE USER other@'%' IDENTIFIED BY 'app-password'; GRANT SELECT ON shop.* TO other@'%'",
        )
        .await
        .expect("accounts");
    let extra =
        "schema: {accounts: [app@10.%, gone@%, mover@%]}\ncutover: {stop_writes: read-only}";
    let wherry = Wherry::new(&source, &target, &["shop"]).extra(extra);
    let words = [
        "its password is one of mysql_native_password, which the target does not have",
        "the source has no such account",
        "mover@%",
    ];
    let checked = wherry.finish(&["precheck"]).expect_code(0);
    assert_says(&item(&checked), &words);
    assert!(!item(&checked).contains("other@%"), "it is not listed");
    let running = wherry.start(&["run"]);
    running.hear_strict();
    let verified = wherry.finish(&["verify"]).expect_code(0);
    assert_says(&explained(&verified), &words);
    running.stop();
    let finished = wherry.finish(&["cutover"]).expect_code(0);
    assert_eq!(accounts(&target, "'app', 'other', 'gone'").await.len(), 0);
    let all = format!("{:?}{}{:?}", finished.lines, finished.stderr, checked.lines);
    let hash = source.value("SELECT PASSWORD('app-password')").await;
    let hash = hash.expect("a hash").expect("a hash");
    assert!(!all.contains(&hash[1..]), "a hash is shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_passwords_stay_behind_from_56() {
    old_passwords_stay_behind(Flavour::MySql56).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_passwords_stay_behind_from_mariadb() {
    old_passwords_stay_behind(Flavour::MariaDb).await;
}
