//! Every function with the results that the documentation gives.

use crate::fixture::{CONTEXT, column, compile, row, table, value};
use wherry_etl::Expression;
use wherry_model::{ColumnKind, Row};

#[track_caller]
fn check(expression: &str, expected: &str) {
    assert_eq!(value(expression), expected, "{expression}");
}

#[test]
fn constants_and_variables() {
    check("123", "123");
    check("-9223372036854775808", "-9223372036854775808");
    check("18446744073709551615", "18446744073709551615");
    check("123.4", "123.4");
    check("1e3", "1000");
    check("0.1234567890123456789", "0.1234567890123456789");
    check(r#""hello1_world""#, "hello1_world");
    check(r"'it\'s \\ \d'", r"it's \ \d");
    check("true", "true");
    check("null", "NULL");
    check("DATETIME('2021-01-01 10:10:01')", "2021-01-01 10:10:01");
    check("__DB__", "shop");
    check("__TB__", "user_7");
    check("__COMMIT_TIMESTAMP__", "2021-01-01 10:10:01");
    check("__SCN__", "binlog.7:4");
}

#[test]
fn columns_are_read_by_their_kind() {
    for (name, expected) in [
        ("id", "42"),
        ("name", "hangzhou"),
        ("amount", "12.50"),
        ("ratio", "0.5"),
        ("created", "2021-03-04 05:06:07"),
        ("precise", "2021-03-04 05:06:07.123456"),
        ("day", "2021-03-04 00:00:00"),
        ("clock", "-01:02:03.500000"),
        ("western", "caf\u{e9} \u{20AC}"),
        ("plain", "abc"),
        ("filled", "7"),
        ("bits", "513"),
        ("made", "1999"),
        ("status", "new"),
        ("tags", "a,c"),
        ("doc", r#"{"a": 1.0}"#),
        ("empty", "NULL"),
        ("zero", "0000-00-00 00:00:00"),
        ("broken", "ETL-107"),
        ("large", "ETL-100"),
    ] {
        check(&format!("`{name}`"), expected);
    }
}

#[test]
fn arithmetic() {
    check("op_sum(1, 2)", "3");
    check("1 + 2 * 3 - 4 / 2", "5");
    check("(1 + 2) * 3", "9");
    check("op_sum(1, 2.5)", "3.5");
    check("op_sub(1, 2)", "-1");
    check("op_mul(3, 4)", "12");
    check("op_div_true(15, 2)", "7");
    check("op_div_true(-15, 2)", "-7");
    check("15 / 2.0", "7.5");
    check("op_mod(23, 10)", "3");
    check("op_mod(-23, 10)", "-3");
    check("`amount` * 1.1", "13.750");
    check("`amount` + 1", "13.50");
    check("`amount` / 3", "4.166667");
    check("`ratio` * `amount`", "6.25");
    check("op_round(`amount` / 3, 2)", "4.17");
    check("op_round(2.5, 0)", "3");
    check("op_round(1250, -2)", "1300");
    check("-`id`", "-42");
    check("- -5", "5");
    check("op_sum(null, 1)", "NULL");
    check(
        "op_sum(`empty_is_no_number`, 1)",
        "ETL-010: table `shop`.`user_7` has no column `empty_is_no_number`",
    );
    check("`id` / 0", "ETL-101");
    check("op_mod(`id`, 0)", "ETL-101");
    check("`ratio` / 0.0", "ETL-101");
    check("`id` * 18446744073709551615", "ETL-100");
    check("`ratio` + 1e308 * (1.5 + `ratio`)", "ETL-100");
}

#[test]
fn comparisons() {
    check("op_eq(1, 1)", "true");
    check("op_ne(1, 1)", "false");
    check("op_gt(`id`, 41)", "true");
    check("op_lt(`id`, 42)", "false");
    check("op_ge(`id`, 42)", "true");
    check("op_le(`id`, 41)", "false");
    check("op_eq(`amount`, 12.5)", "true");
    check("op_gt(`amount`, 12)", "true");
    check("op_lt(1, 1.5)", "true");
    check("op_eq('a', 'A')", "false");
    check("op_lt('a', 'b')", "true");
    check("op_eq(`name`, 'hangzhou')", "true");
    check("op_lt(`created`, '2021-03-04 05:06:08')", "true");
    check("op_gt('2021-03-05', `day`)", "true");
    check("op_lt(`zero`, `created`)", "true");
    check("op_lt(`clock`, '00:00:00')", "true");
    check("op_eq(`data`, 'x')", "false");
    check("op_eq(`empty`, 'x')", "NULL");
    check("op_eq(null, null)", "NULL");
    check("op_eq(`status`, 'new')", "true");
}

#[test]
fn conditions_have_three_values() {
    let cases = [
        ("true", "true", "true", "true"),
        ("true", "false", "false", "true"),
        ("false", "false", "false", "false"),
        ("true", "null", "NULL", "true"),
        ("null", "false", "false", "NULL"),
        ("null", "null", "NULL", "NULL"),
    ];
    for (one, two, and, or) in cases {
        for (one, two) in [(one, two), (two, one)] {
            check(&format!("op_and({one}, {two})"), and);
            check(&format!("op_or({one}, {two})"), or);
            // The same at run time.
            let dynamic = |truth: &str| match truth {
                "true" => "op_eq(`id`, 42)",
                "false" => "op_eq(`id`, 1)",
                _ => "op_eq(`empty`, '')",
            };
            let (one, two) = (dynamic(one), dynamic(two));
            check(&format!("op_and({one}, {two})"), and);
            check(&format!("op_or({one}, {two})"), or);
        }
    }
    check("op_not(op_eq(`id`, 42))", "false");
    check("op_not(null)", "NULL");
    check("op_is_null(`empty`)", "true");
    check("op_is_not_null(`empty`)", "false");
    check("op_is_null(`place`)", "false");
    check("op_is_null(`name` + null)", "true");
    check("(op_gt(`id`, 10) ? 'big' : 'small')", "big");
    check("(op_eq(`empty`, 'x') ? 1 : 2)", "2");
    check("op_eq(`id`, 1) ? 'a' : op_eq(`id`, 42) ? 'b' : 'c'", "b");
    check("(op_gt(`id`, 10) ? 1 : 2.5)", "1");
}

#[test]
fn membership() {
    check(r#"op_in(`name`, json_array('["0","hangzhou"]'))"#, "true");
    check(r#"op_in(`id`, json_array('["0","42"]'))"#, "true");
    check(r#"op_in(`id`, json_array('[1, 2]'))"#, "false");
    check(r#"op_in(`id`, json_array('[1, null]'))"#, "NULL");
    check(r#"op_in(`id`, json_array('[42, null]'))"#, "true");
    check(r#"op_in(`empty`, json_array('["a"]'))"#, "NULL");
    check(r#"op_in(`amount`, json_array('[12.5]'))"#, "true");
    check(r#"op_in(`day`, json_array('["2021-03-04"]'))"#, "true");
    check(r#"op_in(`id`, json_array('[]'))"#, "false");
}

#[test]
fn texts_are_joined_and_formatted() {
    check("op_add('a', 'b', 'c')", "abc");
    check("'a' + ':' + `name`", "a:hangzhou");
    check("op_add('a', `empty`)", "NULL");
    check(
        "str_format('part1: {}, part2: {}', `name`, `id`)",
        "part1: hangzhou, part2: 42",
    );
    check("str_format('{}', `empty`)", "NULL");
    check("str_format('none')", "none");
    check(
        "str_format('{}{}{}', true, 1.5, `created`)",
        "true1.52021-03-04 05:06:07",
    );
}

#[test]
fn texts_are_replaced_stripped_and_changed() {
    check("str_replace('aba', 'a', 'b', 1)", "bba");
    check("str_replace('aba', 'a', 'b', -1)", "bbb");
    check("str_replace('aba', 'a', 'b')", "bbb");
    check("str_replace('aba', 'a', 'b', 0)", "aba");
    check("str_replace('aba', '', 'b', -1)", "aba");
    check("str_replace(`empty`, 'a', 'b', 1)", "NULL");
    check("str_strip('axbzb', 'ab')", "xbz");
    check("str_strip('aaa', 'a')", "");
    check("str_lower('AbC\u{c9}')", "abc\u{e9}");
    check("str_upper('abc\u{e9}\u{df}')", "ABC\u{c9}\u{df}");
}

#[test]
fn texts_and_numbers_become_each_other() {
    check("cast_string_to_long('-12')", "-12");
    check("cast_string_to_long(`name`)", "ETL-106");
    check("cast_string_to_long('1' + `empty`)", "NULL");
    check("cast_long_to_string(`id`) + 'x'", "42x");
}

#[test]
fn texts_are_searched() {
    check("str_count('abcabc', 'bc')", "2");
    check("str_count('aaa', 'aa')", "1");
    check("str_count('abc', '')", "0");
    check("str_find('abc', 'c')", "2");
    check("str_find('\u{e9}\u{e9}c', 'c')", "2");
    check("str_find('abc', 'x')", "-1");
    check("str_contains(`name`, 'hang')", "true");
    check("str_contains(`name`, 'Hang')", "false");
    check("str_contains(`empty`, 'x')", "NULL");
    check("str_isalpha('abc\u{e9}')", "true");
    check("str_isalpha('ab1')", "false");
    check("str_isalpha('')", "false");
    check("str_isdigit('123')", "true");
    check("str_isdigit('12a')", "false");
    check(r"regex_match(__TB__, 'user_\\d+')", "true");
    check(r"regex_match(__TB__, 'ser_\d')", "true");
    check(r"regex_match(__TB__, 'ser_\d', full=true)", "false");
    check(r"regex_match(`empty`, 'x')", "NULL");
    check("is_string_value(`name`)", "true");
    check("is_string_value(`empty`)", "false");
    check("is_string_value(`id`)", "false");
    check("is_string_value(`place`)", "false");
}

#[test]
fn texts_are_masked_and_cut() {
    check("str_mask(`phone`, 7, 10, '*')", "1380000****");
    check("str_mask(`phone`, 0, 0, '#')", "#3800001234");
    check("str_mask(`phone`, 7, 11, '*')", "ETL-108");
    check("str_mask('\u{e9}\u{e9}\u{e9}', 1, 2, '*')", "\u{e9}**");
    check("str_mask('abc', 1, 1, '\u{25cf}')", "a\u{25cf}c");
    check("str_mask(`empty`, 0, 1, '*')", "NULL");
    check("substring_after('a-b-c', '-')", "b-c");
    check("substring_after('abc', '-')", "");
    check("substring_before('a-b-c', '-')", "a");
    check("substring_before('abc', '-')", "abc");
    check("substring_between('a[b]c', '[', ']')", "b");
    check("substring_between('a[bc', '[', ']')", "NULL");
}

#[test]
fn times() {
    check("dt_now()", "2024-02-29 12:00:00");
    check("dt_now_millis()", "2024-02-29 12:00:00.987000");
    check("dt_fromtimestamp(0)", "1970-01-01 00:00:00");
    check("dt_fromtimestamp(0, 'GMT+08')", "1970-01-01 08:00:00");
    check("dt_fromtimestamp(-1)", "1969-12-31 23:59:59");
    check(
        "dt_fromtimestamp_millis(1500)",
        "1970-01-01 00:00:01.500000",
    );
    check(
        "dt_fromtimestamp_millis(0, 'Asia/Shanghai')",
        "1970-01-01 08:00:00",
    );
    check("dt_fromtimestamp(`id` * 100000000000)", "ETL-105");
    check(
        "dt_parsetimestamp(DATETIME('1970-01-01 08:00:00'), 'GMT+08')",
        "0",
    );
    check("dt_parsetimestamp('1970-01-01 00:00:10')", "10");
    check("dt_parsetimestamp_millis(`precise`)", "1614834367123");
    check("dt_parsetimestamp(`zero`)", "ETL-105");
    check(
        "dt_str(`created`, 'yyyy-MM-dd HH:mm:ss')",
        "2021-03-04 05:06:07",
    );
    check(
        "dt_str(`created`, \"yyyyMMdd'T'HHmmss\")",
        "20210304T050607",
    );
    check(
        "dt_strptime('04/03/2021 15:00', 'dd/MM/yyyy HH:mm')",
        "2021-03-04 15:00:00",
    );
    check("dt_strptime(`name`, 'yyyy')", "ETL-106");
    check("dt_add(`created`, days=1, hours=-1)", "2021-03-05 04:06:07");
    check("dt_add('2020-02-29', years=1)", "2021-02-28 00:00:00");
    check("dt_add('2021-01-31', months=1)", "2021-02-28 00:00:00");
    check(
        "dt_add('2021-01-01', minutes=-1, seconds=30)",
        "2020-12-31 23:59:30",
    );
    check("dt_add(`zero`, days=1)", "ETL-105");
    check("dt_add(`created`, years=9000)", "ETL-105");
    check("dt_add(null, days=1)", "NULL");
}

/// Every function that exists stands in the users' reference.
#[test]
fn the_reference_tells_every_function() {
    let reference = include_str!("../../../docs/etl.md");
    for name in wherry_etl::function_names() {
        assert!(
            reference.contains(&format!("`{name}(")),
            "{name} is not in docs/etl.md"
        );
    }
}

#[test]
fn an_additional_column_gets_its_value() {
    let shard = column(
        "shard",
        "varchar(10)",
        ColumnKind::Varchar { length: 10 },
        Some("utf8mb4"),
    );
    let push = |text: &str, of| {
        let expression = Expression::compile(&table(), text, of)?;
        let mut out = Vec::new();
        expression
            .push(row().encoded(), &CONTEXT, &mut out)
            .unwrap();
        let value = Row::from_encoded(out.into())
            .get(0)
            .unwrap()
            .map(<[u8]>::to_vec);
        Ok::<_, wherry_etl::ScriptError>((value, expression.is_row_function()))
    };
    assert_eq!(push("__TB__", &shard), Ok((Some(b"user_7".to_vec()), true)));
    assert_eq!(push("null", &shard), Ok((None, true)));
    let seen = column(
        "seen",
        "datetime",
        ColumnKind::Datetime { fraction: 0 },
        None,
    );
    assert_eq!(
        push("__COMMIT_TIMESTAMP__", &seen),
        Ok((Some(b"2021-01-01 10:10:01".to_vec()), false))
    );
    for (text, code) in [
        ("__OPERATION__", "ETL-022"),
        ("v(`name`, __AFTER__)", "ETL-022"),
        ("e_drop()", "ETL-020"),
        ("1", "ETL-012"),
        ("'a text that is too long'", "ETL-103"),
    ] {
        assert_eq!(push(text, &shard).unwrap_err().code, code, "{text}");
    }
    let known = |text: &str| {
        let expression = Expression::compile(&table(), text, &shard).unwrap();
        let columns = expression.columns().into_iter();
        let names: Vec<String> = columns
            .map(|index| table().columns[index].name.clone())
            .collect();
        (names.join(","), expression.knows_position())
    };
    assert_eq!(known("__TB__"), (String::new(), false));
    assert_eq!(
        known("(op_is_null(`name`) ? cast_long_to_string(`id`) : 'x')"),
        ("name,id".to_owned(), false)
    );
    assert_eq!(known("op_add('x', __SCN__)"), (String::new(), true));
    let time = Expression::compile(&table(), "dt_now()", &seen).unwrap();
    assert_eq!(time.check_key(&seen).unwrap_err().code, "ETL-017");
}

#[test]
fn older_scripts_have_a_prefix() {
    assert!(compile("script:e_if(op_gt(`id`, 3), e_drop())").is_ok());
    assert!(compile("  script: e_drop() # a comment").is_ok());
}
