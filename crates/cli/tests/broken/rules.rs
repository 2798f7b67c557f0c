//! Broken task files: what stands under `select.tables`.

use super::{Case, Text::Select};

/// Cases as in `super`.
pub(crate) const CASES: &[Case] = &[
    // Filters, scripts and additional columns.
    (
        "FLT-001",
        "at character 5",
        Select("@tables: [{table: shop.a, filter: 'id >'}]"),
    ),
    (
        "FLT-001",
        "not taken",
        Select("@tables: [{table: 'shop.*', filter: 'id = 1; DROP TABLE x'}]"),
    ),
    (
        "FLT-003",
        "not taken",
        Select("@tables: [{table: shop.a, filter: 'id IN (SELECT 1)'}]"),
    ),
    (
        "CLI-004",
        "unknown value `after`",
        Select("@tables: [{table: shop.a, filter: 'id > 1', filter_updates: after}]"),
    ),
    (
        "ETL-005",
        "line 1, character 1",
        Select("@tables: [{table: shop.a, etl: {script: 'e_sett(`a`, 1)'}}]"),
    ),
    (
        "ETL-004",
        "not taken",
        Select("@tables: [{table: shop.a, etl: {script: 'e_drop(); e_drop()'}}]"),
    ),
    (
        "ETL-005",
        "line 1, character 3",
        Select("@tables: [{table: shop.a, etl: {script: '  e_skip()', errors: skip}}]"),
    ),
    (
        "TRF-007",
        "could not read script",
        Select("@tables: [{table: shop.a, etl: {file: nowhere.etl}}]"),
    ),
    (
        "TRF-010",
        "exactly one",
        Select("@tables: [{table: shop.a, etl: {errors: fail}}]"),
    ),
    (
        "CLI-004",
        "unknown value `ignore`",
        Select("@tables: [{table: shop.a, etl: {script: 'e_drop()', errors: ignore}}]"),
    ),
    (
        "ADD-001",
        "it is empty or too long",
        Select("@tables: [{table: shop.a, add: [{name: '', type: INT, value: '1'}]}]"),
    ),
    (
        "ADD-001",
        "another one has it",
        Select(
            "@tables: [{table: shop.a, add: [{name: x, type: INT, value: '1'}, {name: X, type: INT, value: '1'}]}]",
        ),
    ),
    (
        "ADD-002",
        "`primary` cannot be said of it",
        Select("@tables: [{table: shop.a, add: [{name: x, type: INT PRIMARY KEY, value: '1'}]}]"),
    ),
    (
        "ADD-002",
        "no type",
        Select("@tables: [{table: shop.a, add: [{name: x, type: JSON, value: '1'}]}]"),
    ),
    (
        "ETL-008",
        "line 1, character 5",
        Select("@tables: [{table: shop.a, add: [{name: x, type: INT, value: '1 + __TBL__'}]}]"),
    ),
    (
        "CLI-005",
        "missing key `value`",
        Select("@tables: [{table: shop.a, add: [{name: x, type: INT}]}]"),
    ),
    (
        "CLI-003",
        "unknown key `default`",
        Select("@tables: [{table: shop.a, add: [{name: x, type: INT, value: '1', default: 1}]}]"),
    ),
    (
        "TRF-010",
        "no `filter` beside it",
        Select("@tables: [{table: shop.a, filter_updates: both-images}]"),
    ),
    (
        "CLI-002",
        "expected string",
        Select("@tables: [{table: shop.a, filter: [id]}]"),
    ),
    // Rules.
    (
        "CLI-024",
        "not the name of a table",
        Select("@tables: [{table: orders}]"),
    ),
    (
        "CLI-024",
        "in no selected database",
        Select("@tables: [{table: hr.orders}]"),
    ),
    (
        "CLI-024",
        "in no selected database",
        Select("exclude: [shop.tmp]\n@  tables: [{table: shop.tmp}]"),
    ),
    (
        "CLI-024",
        "has two rules",
        Select("@tables: [{table: shop.a}, {table: shop.a}]"),
    ),
    (
        "CLI-024",
        "has two rules",
        Select("@tables: [{table: '*.a'}, {table: '*.a'}]"),
    ),
    (
        "SEL-001",
        "no regular expression",
        Select("@tables: [{table: 'shop./a(/'}]"),
    ),
    (
        "CLI-005",
        "missing key `table`",
        Select("@tables: [{policy: keep}]"),
    ),
    (
        "CLI-004",
        "unknown value `overwrite`",
        Select("@tables: [{table: shop.a, policy: overwrite}]"),
    ),
    (
        "CLI-004",
        "unknown value `myisam`",
        Select("@tables: [{table: shop.a, engine: myisam}]"),
    ),
    (
        "CLI-004",
        "unknown operation `drop`",
        Select("@tables: [{table: shop.a, operations: [drop]}]"),
    ),
    (
        "DDL-140",
        "nothing that one table can choose",
        Select("@tables: [{table: shop.a, operations: [all, -view]}]"),
    ),
    (
        "TRF-010",
        "stand together",
        Select("@tables: [{table: shop.a, columns: [id], without: [note]}]"),
    ),
    (
        "TRF-010",
        "no column would move",
        Select("@tables: [{table: 'shop.*', columns: []}]"),
    ),
];
