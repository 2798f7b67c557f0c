//! Every mistake in a script, with its code and the place it points at: that between the marks.

use crate::fixture::{STRICT, compile, compile_with};
use wherry_etl::{ErrorPolicy, Options, Script};

#[track_caller]
fn check(code: &str, marked: &str) {
    check_with(code, marked, STRICT);
}

#[track_caller]
fn check_with(code: &str, marked: &str, options: Options) {
    let start = marked.find('«').expect("a mark");
    let script = marked.replacen('«', "", 1);
    let end = script.find('»').expect("a mark");
    let script = script.replacen('»', "", 1);
    let error = compile_with(&script, options).expect_err(&script);
    assert_eq!(error.code, code, "{script}: {error}");
    let found = (error.span.start, error.span.end);
    assert_eq!(found, (start, end), "{script}: {error}");
    assert!(
        !error.message.ends_with('.') && error.hint.ends_with(['.', '?']),
        "{error:?}"
    );
    assert!(
        !error.message.starts_with(char::is_uppercase)
            || error.message.starts_with("NEW")
            || error.message.starts_with("MySQL")
            || error.message.starts_with("NULL"),
        "{error:?}"
    );
}

#[test]
fn syntax() {
    check("ETL-001", "e_drop(«»");
    check("ETL-001", "e_if(op_eq(1, 1)«e_drop»())");
    check("ETL-001", "e_drop()«)»");
    check("ETL-001", "e_if(op_eq(`id` «>» 1, true), e_drop())");
    check("ETL-001", "e_set(`id`, «,» 1)");
    check("ETL-001", "e_set(`id`, (1 ? 2«)»)");
    check("ETL-001", "«»");
    check("ETL-001", "e_set(`name`, «é»)");
    check("ETL-002", "e_set(`name`, «'open)»");
    check("ETL-002", "e_set(«``», 1)");
    check("ETL-002", "e_set(«`id, 1)»");
    check("ETL-002", "e_set(`id`, «1.»)");
    check("ETL-002", "e_set(`id`, «12»ab)");
    check("ETL-002", "e_set(`id`, «18446744073709551616»)");
    check("ETL-002", "e_set(`ratio`, «1e999»)");
    check("ETL-004", "e_drop()«;» e_drop()");
    check("ETL-004", "e_drop()\n«e_drop»()");
}

#[test]
fn bounds() {
    let deep = format!("e_drop({}«(»1{})", "(".repeat(63), ")".repeat(64));
    check("ETL-003", &deep);
    let long = " ".repeat(64 * 1024);
    assert_eq!(
        Script::parse(&long).map(|_| ()).map_err(|error| error.code),
        Err("ETL-001")
    );
    assert_eq!(
        Script::parse(&(long + " "))
            .map_err(|error| error.code)
            .err(),
        Some("ETL-003")
    );
    check(
        "ETL-003",
        "e_keep(regex_match(`name`, «'(a{1000}){1000}'»))",
    );
    let many = vec!["regex_match(`name`, 'a')"; 101];
    let script = many.iter().fold(String::new(), |script, part| {
        format!("{script}e_keep({part}), ")
    });
    assert_eq!(
        compile(&format!("e_compose({script}e_drop())"))
            .unwrap_err()
            .code,
        "ETL-003"
    );
}

#[test]
fn functions_and_their_arguments() {
    check("ETL-005", "«e_dorp»()");
    assert!(compile("e_dorp()").unwrap_err().hint.contains("'e_drop'"));
    check("ETL-005", "«E_DROP»()");
    check("ETL-006", "«e_drop(1)»");
    check("ETL-006", "«e_if(true)»");
    check("ETL-006", "«e_if(true, e_drop(), true)»");
    check("ETL-006", "e_set(`name`, «str_lower('a', 'b')»)");
    check("ETL-006", "e_set(`name`, str_lower(«text»='b'))");
    check("ETL-006", "e_set(`created`, dt_add(dt_now(), «weeks»=1))");
    check(
        "ETL-006",
        "e_set(`created`, dt_add(dt_now(), days=1, «days»=1))",
    );
    check("ETL-006", "e_set(`created`, dt_add(days=1, «dt_now()»))");
    check("ETL-006", "e_set(`created`, «dt_add(dt_now())»)");
    check("ETL-006", "e_set(`name`, str_format(«'{} {}'», 1))");
    check("ETL-006", "e_set(`name`, 'a', «'b'»)");
    check("ETL-007", "«e_expand_bson_value»()");
    check("ETL-007", "e_set(`name`, «__ROW_ID__»)");
    check("ETL-008", "e_set(«name», 'a')");
    check("ETL-008", "e_set(`name`, «__TIMESTAMP__»)");
}

#[test]
fn names() {
    check("ETL-010", "e_set(«`nome`», 'a')");
    check("ETL-010", "e_set(`name`, «`Name`»)");
    assert!(
        compile("e_set(`Name`, 'a')")
            .unwrap_err()
            .hint
            .contains("`name`")
    );
    check("ETL-010", "e_if(op_is_null(«`nope`»), e_drop())");
}

#[test]
fn kinds() {
    check("ETL-011", "e_if(«`id`», e_drop())");
    check("ETL-011", "e_if(«op_eq(`id`, 'a')», e_drop())");
    check("ETL-011", "e_if(«op_gt(`created`, `name`)», e_drop())");
    check("ETL-011", "e_set(`name`, str_lower(«`id`»))");
    check("ETL-011", "e_set(`id`, op_sum(«'a'», 1))");
    check("ETL-011", "e_set(`name`, 'a' + «`id`»)");
    check("ETL-011", "e_set(`name`, «op_eq(`id`, 1) ? 'a' : 2»)");
    check(
        "ETL-011",
        "e_if(«op_gt(__OPERATION__, __OP_INSERT__)», e_drop())",
    );
    check("ETL-011", "e_if(op_in(`id`, «'1'»), e_drop())");
    check(
        "ETL-011",
        "e_if(op_in(`id`, «json_array('[\"a\"]')»), e_drop())",
    );
    check("ETL-011", "e_set(«'name'», 'a')");
    check("ETL-011", "e_set(`name`, v(«'name'», __AFTER__))");
    check("ETL-011", "e_set(`name`, v(`name`, «1»))");
    check("ETL-011", "e_set(`name`, str_format('{}', «`data`»))");
    check("ETL-011", "e_set(__OPERATION__, «1»)");
    check("ETL-011", "e_set(`ratio`, op_round(«'a'», 1))");
    check("ETL-012", "e_set(`id`, «'a'»)");
    check("ETL-012", "e_set(`name`, «`created`»)");
    check("ETL-013", "e_set(«`made_of`», 'a')");
    check("ETL-013", "e_set(«`doc`», '[]')");
    check("ETL-014", "e_set(«`chinese`», 'a')");
    check("ETL-014", "e_if(op_eq(«`chinese`», 'a'), e_drop())");
    check("ETL-014", "«tail_replace_string_field('a', 'b', true)»");
    check("ETL-015", "e_if(op_eq(«`place`», 'a'), e_drop())");
    check("ETL-015", "e_if(op_eq(«`odd`», 'x'), e_drop())");
}

#[test]
fn constants() {
    check("ETL-016", "e_if(regex_match(`name`, «`phone`»), e_drop())");
    check("ETL-016", "e_if(regex_match(`name`, «'('»), e_drop())");
    check("ETL-016", "e_set(`name`, dt_str(`created`, «'YYYY'»))");
    check(
        "ETL-016",
        "e_set(`created`, dt_fromtimestamp(1, «'Mars/Phobos'»))",
    );
    check("ETL-016", "e_set(`created`, DATETIME(«'2021-13-01'»))");
    check("ETL-016", "e_if(op_gt(`created`, «'yesterday'»), e_drop())");
    check("ETL-016", "e_if(op_in(`id`, «json_array('{}')»), e_drop())");
    check("ETL-016", "e_set(`name`, str_mask(`name`, 0, 1, «'**'»))");
    check("ETL-016", "e_set(`name`, str_mask(`name`, «2, 1», '*'))");
    check("ETL-016", "e_keep(regex_match(`name`, 'a', full=«1»))");
    check("ETL-101", "e_set(`id`, «1 / 0»)");
    check("ETL-103", "e_set(`name`, «'123456789012345678901'»)");
    check("ETL-109", "e_set(`needed`, «null»)");
}

#[test]
fn places() {
    check("ETL-020", "«1»");
    check("ETL-020", "«`id`»");
    check("ETL-020", "«str_lower('a')»");
    check("ETL-020", "e_set(`name`, «e_drop()»)");
    check("ETL-020", "e_set(`name`, «__BEFORE__»)");
    check("ETL-020", "e_set(`name`, «json_array('[]')»)");
    check("ETL-021", "e_set(`name`, 1, «NEW»)");
}

#[test]
fn keys() {
    check("ETL-017", "«e_set(`id`, dt_parsetimestamp(dt_now()))»");
    check(
        "ETL-017",
        "«e_set(`email`, dt_str(__COMMIT_TIMESTAMP__, 'yyyy'))»",
    );
    check(
        "ETL-017",
        "e_compose(e_set(`created`, dt_now()), «e_set(`email`, dt_str(`created`, 'yyyy'))»)",
    );
    check(
        "ETL-017",
        "e_if(op_gt(dt_now(), '2021-01-01'), «e_set(`email`, 'x')»)",
    );
    check(
        "ETL-018",
        "e_if(op_eq(__OPERATION__, __OP_INSERT__), «e_set(`email`, 'x')»)",
    );
    check(
        "ETL-018",
        "e_compose(«e_set(`id`, 1)», e_set(`name`, v(`name`, __BEFORE__)))",
    );
    check(
        "ETL-018",
        "e_compose(«e_set(`id`, 1)», e_set(__OPERATION__, __OP_UPDATE__))",
    );
    assert!(compile("e_compose(e_set(`id`, 1), e_set(__OPERATION__, __OP_INSERT__))").is_ok());
    assert!(compile("e_set(`email`, str_lower(`email`))").is_ok());
}

#[test]
fn errors_that_become_null_need_a_column_that_takes_it() {
    let options = Options {
        errors: ErrorPolicy::Null,
        ..STRICT
    };
    check_with("ETL-019", "«e_set(`needed`, str_lower(`needed`))»", options);
    assert!(compile_with("e_set(`needed`, 'x')", options).is_ok());
    assert!(compile_with("e_set(`name`, str_lower(`name`))", options).is_ok());
}
