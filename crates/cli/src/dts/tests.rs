//! Lists with the task files that they become; the files are read back and checked as a user's would be.

use super::*;
use crate::args::{StopArgs, TaskArgs};
use crate::task::Task;

#[track_caller]
fn check(list: &str, expected: &str) {
    let yaml = convert(list).expect("a list").yaml();
    let begin = "# Made from a DbList of DTS. Fill in both addresses and the passwords.\n";
    let ends = "source:\n  url: mysql://USER@SOURCE:3306\n  password: {env: SOURCE_PASSWORD}\n\
                target:\n  url: mysql://USER@TARGET:3306\n  password: {env: TARGET_PASSWORD}\n";
    let shown = yaml.replace(begin, "").replace(ends, "");
    assert_eq!(shown, expected, "{shown}");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("task.yaml");
    std::fs::write(&file, &yaml).expect("the task file can be written");
    let args = TaskArgs {
        file: Some(file),
        ..TaskArgs::default()
    };
    let read = Task::from_args(&args, &StopArgs::default());
    if let Err(failure) = read {
        panic!("{}\n{yaml}", failure.page(false));
    }
}

#[test]
fn whole_databases() {
    check(
        r#"{"shop": {"name": "shop", "all": true}, "crm": {"name": "crm_new"}, "a.b*": {"all": true, "state": "normal"}}"#,
        "#\n# Not carried:\n# - a.b*.state: it tells how the DTS task was, not what moves\n\
         select:\n  databases:\n    - '`a.b*`'\n    - 'crm'\n    - 'shop'\n  mapping:\n    databases:\n      'crm': 'crm_new'\n",
    );
}

#[test]
fn single_tables_with_other_names() {
    check(
        r#"{"srcdb": {"name": "dstdb", "all": false, "Table": {
            "t1": {"name": "t1new", "all": true},
            "t.2": {"name": "t2", "all": true, "column": {"id": {"name": "uid"}, "c": {"name": "c"}}}},
            "View": {"v": {"name": "v"}}}}"#,
        "select:\n  include:\n    - 'srcdb.`t.2`'\n    - 'srcdb.t1'\n    - 'srcdb.v'\n  mapping:\n    databases:\n      'srcdb': 'dstdb'\n    \
         tables:\n      'srcdb.`t.2`': 'dstdb.t2'\n      'srcdb.t1': 'dstdb.t1new'\n    columns:\n      'srcdb.`t.2`.id': 'uid'\n",
    );
}

#[test]
fn patterns_keep_their_groups() {
    check(
        r#"{"shard_(\\d+)": {"name": "all_{1}", "patternType": "REGEX", "all": true, "Table": {
            "log_(.*)": {"patternType": "REGEX", "name": "l_{1}"},
            "tmp_[!a-c]?.*": {"patternType": "FNMATCH", "filterType": "BLACK"}}},
          "old/.*": {"patternType": "REGEX", "filterType": "BLACK"}}"#,
        "select:\n  databases:\n    - '/shard_(\\d+)/'\n  exclude:\n    - '/old\\/.*/'\n    - '/shard_(\\d+)/./tmp_[^a-c].\\..*/'\n  \
         mapping:\n    databases:\n      '/shard_(\\d+)/': 'all_{1}'\n    tables:\n      '/shard_(\\d+)/./log_(.*)/': 'all_{1}.l_{2}'\n",
    );
}

#[test]
fn tables_that_become_one_are_merged() {
    check(
        r#"{"srcdb": {"name": "dstdb", "all": false, "Table": {
            "a": {"name": "one", "all": true}, "b": {"name": "one", "all": true}, "c": {"name": "two", "all": true}}},
          "shard_(\\d+)": {"name": "all", "patternType": "REGEX", "all": false, "Table": {
            "log_(.*)": {"patternType": "REGEX", "name": "log"}}}}"#,
        "select:\n  include:\n    - '/shard_(\\d+)/./log_(.*)/'\n    - 'srcdb.a'\n    - 'srcdb.b'\n    - 'srcdb.c'\n  mapping:\n    databases:\n      '/shard_(\\d+)/': 'all'\n      'srcdb': 'dstdb'\n    \
         tables:\n      '/shard_(\\d+)/./log_(.*)/': 'all.log'\n      'srcdb.a': 'dstdb.one'\n      'srcdb.b': 'dstdb.one'\n      'srcdb.c': 'dstdb.two'\n  \
         merge:\n    - 'all.log'\n    - 'dstdb.one'\n",
    );
}

#[test]
fn what_is_not_carried_is_named() {
    check(
        r#"{"shop": {"all": false, "dml_op": "i,u", "conflict": "x", "Procedure": {"p": {"name": "p"}}, "Table": {
            "a": {"filter": "id>10 and name = 'it''s'", "ddl_op": "ALTER TABLE, create_index,CREATE VIEW,explode"},
            "b": {"all": false, "column": {"id": {"name": "id"}, "it's": {"name": "its"}, "extra": {"name": "extra", "value": "dt_now()"}}},
            "bb": {"all": false, "column": {"c_.*": {"patternType": "REGEX"}}},
            "_a_gho": {"filterType": "GRAY", "grayName": "a"},
            "c": {"name": "c", "filter": "id > "}, "c*": {"patternType": "FNMATCH", "filterType": "BLACK"},
            "d(": {"patternType": "REGEX"}, "e": {"patternType": "MAGIC"}}}}"#,
        "#\n# Not carried:\n\
         # - shop.Table._a_gho: a GRAY rule lends the rules of another name; for tables of online-DDL tools use `stream.online_ddl`\n\
         # - shop.Table.a.ddl_op `explode`: no kind of statement has this name\n\
         # - shop.Table.a.ddl_op (what it does not name): databases, views, routines, triggers and events are kept like the source's all the same; take words out of `operations` to change that\n\
         # - shop.Table.b.column.extra: it is an additional column, and the list does not tell its type and value: write it under `add`\n\
         # - shop.Table.bb.column: all columns move: those that are chosen are not all given by their exact names\n\
         # - shop.Table.c.filter: all rows would move: the filter is not taken at character 5: it ends where a value should stand (FLT-001)\n\
         # - shop.Table.d(: its name or regular expression cannot be read, so it is left out: unclosed group\n\
         # - shop.Table.e.patternType: no such kind of pattern is known; the object is left out\n\
         # - shop.Table.c: an excluded pattern matches it too, and `exclude` wins; write that pattern so that it passes over this table\n\
         # - shop.Procedure: objects of this kind move with their whole database alone, or do not exist in MySQL\n\
         # - shop.conflict: its values are not documented; see `policy` in docs/task-file.md\n\
         select:\n  include:\n    - 'shop.a'\n    - 'shop.b'\n    - 'shop.bb'\n    - 'shop.c'\n  exclude:\n    - 'shop./c.*/'\n  \
         tables:\n    - table: 'shop.a'\n      operations: [insert, update, alter-table, create-index]\n      filter: 'id>10 and name = ''it''''s'''\n    - table: 'shop.b'\n      operations: [insert, update, ddl]\n      columns: ['id', 'it''s']\n    - table: 'shop.bb'\n      operations: [insert, update, ddl]\n  \
         mapping:\n    columns:\n      'shop.b.it''s': 'its'\n",
    );
}

#[test]
fn additional_columns_are_added() {
    check(
        r#"{"shop": {"all": true, "Table": {
            "a": {"all": true, "column": {"shard": {"value": "__TB__", "type": "varchar(64)"}, "x": {"name": "y", "value": "it's", "type": "int"},
                "id": {"name": "uid"}, "bad": {"value": "1", "type": "INT PRIMARY KEY"}}}}}}"#,
        "#\n# Not carried:\n\
         # - shop.Table.a.column.bad: an additional column is not carried: `primary` cannot be said of it: only NULL or NOT NULL, CHARACTER SET, COLLATE, DEFAULT with a constant, and COMMENT can\n\
         # - shop.Table.a.column.x: an additional column is not carried: the value is not taken at line 1, character 3: a text has no closing quote (ETL-002)\n\
         select:\n  databases:\n    - 'shop'\n  \
         tables:\n    - table: 'shop.a'\n      add:\n        - {name: 'shard', type: 'varchar(64)', value: '__TB__'}\n  \
         mapping:\n    columns:\n      'shop.a.id': 'uid'\n",
    );
}

#[test]
fn operations_of_a_database() {
    check(
        r#"{"shop": {"all": true, "dml_op": "i,u,d", "ddl_op": "CREATE TABLE,DROP TABLE", "Table": {"a": {"ddl_op": "ALTER TABLE"}}}}"#,
        "#\n# Not carried:\n\
         # - shop.ddl_op (what it does not name): databases, views, routines, triggers and events are kept like the source's all the same; take words out of `operations` to change that\n\
         # - shop.Table.a.ddl_op (what it does not name): databases, views, routines, triggers and events are kept like the source's all the same; take words out of `operations` to change that\n\
         select:\n  databases:\n    - {database: 'shop', operations: [dml, create-table, drop-table, create-database, alter-database, drop-database, view, procedure, function, trigger, event]}\n  \
         tables:\n    - table: 'shop.a'\n      operations: [dml, alter-table]\n",
    );
}

#[test]
fn changes_of_rows_are_chosen_by_letters() {
    check(
        r#"{"shop": {"all": true, "dml_op": "I,U", "Table": {"a": {"dml_op": "d"}, "b": {"dml_op": "i,u,d"}, "c": {}, "d": {"dml_op": " "},
            "e": {"ddl_op": "DROP TABLE"}}},
          "crm": {"all": true, "dml_op": "iud"}, "old": {"all": false, "Table": {"a": {"dml_op": "u"}, "b": {}}}}"#,
        "#\n# Not carried:\n\
         # - shop.Table.e.ddl_op (what it does not name): databases, views, routines, triggers and events are kept like the source's all the same; take words out of `operations` to change that\n\
         select:\n  databases:\n    - 'crm'\n    - {database: 'shop', operations: [insert, update, ddl]}\n  include:\n    - 'old.a'\n    - 'old.b'\n  \
         tables:\n    - table: 'old.a'\n      operations: [update, ddl]\n    - table: 'shop.a'\n      operations: [delete, ddl]\n    - table: 'shop.b'\n      operations: [all]\n    \
         - table: 'shop.e'\n      operations: [insert, update, drop-table]\n",
    );
}

#[test]
fn what_is_no_list_is_refused() {
    let code = |text: &str| convert(text).expect_err("no list").code;
    assert_eq!(code("{"), "DTS-002");
    assert_eq!(code(r#"[{"DBName": "shop"}]"#), "DTS-003");
    assert_eq!(code(r#"{"shop": true}"#), "DTS-003");
}
