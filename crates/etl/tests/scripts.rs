//! Whole scripts: what becomes of changes, by operation, image and policy.

use crate::fixture::{CONTEXT, STRICT, compile, compile_with, place, row, row_with, table};
use wherry_etl::{ErrorPolicy, Images, Options, Program, Purity, Reason, RowOutcome, Script};
use wherry_model::{ChangeKind, Exactness, Row};

const PRE: Options = Options {
    images: Images::Pre,
    ..STRICT
};
const SKIP: Options = Options {
    errors: ErrorPolicy::Skip,
    ..STRICT
};

/// A change in short: `+` inserts, `-` deletes, `~` updates; the images are the values of one column.
fn short(change: Option<&ChangeKind>, column: &str) -> String {
    let value = |row: &Row| {
        let value = row.get(place(column)).unwrap();
        value.map_or("NULL".to_owned(), |value| {
            String::from_utf8_lossy(value).into_owned()
        })
    };
    match change {
        None => "nothing".to_owned(),
        Some(ChangeKind::Insert { after }) => format!("+{}", value(after)),
        Some(ChangeKind::Delete { before }) => format!("-{}", value(before)),
        Some(ChangeKind::Update { before, after }) => {
            format!("~{} {}", value(before), value(after))
        }
    }
}

fn run(program: &Program, change: &ChangeKind, column: &str) -> String {
    let outcome = program.run(change, &CONTEXT).unwrap();
    short(outcome.change.as_ref(), column)
}

fn insert(column: &str, value: &str) -> ChangeKind {
    let after = row_with(&[(column, Some(value.as_bytes()))]);
    ChangeKind::Insert { after }
}

fn update(column: &str, old: &str, new: &str) -> ChangeKind {
    ChangeKind::Update {
        before: row_with(&[(column, Some(old.as_bytes()))]),
        after: row_with(&[(column, Some(new.as_bytes()))]),
    }
}

fn delete(column: &str, value: &str) -> ChangeKind {
    let before = row_with(&[(column, Some(value.as_bytes()))]);
    ChangeKind::Delete { before }
}

/// Insert, update from `one` to `two`, delete of `two`; a load of `one`.
#[track_caller]
fn check(script: &str, column: &str, (one, two): (&str, &str), expected: [&str; 4]) {
    let program = compile(script).unwrap();
    let changes = [
        insert(column, one),
        update(column, one, two),
        delete(column, two),
    ];
    let mut found = changes
        .map(|change| run(&program, &change, column))
        .to_vec();
    let mut out = Vec::new();
    let loaded = row_with(&[(column, Some(one.as_bytes()))]);
    found.push(
        match program
            .run_row(loaded.encoded(), &CONTEXT, &mut out)
            .unwrap()
        {
            RowOutcome::Dropped => "nothing".to_owned(),
            RowOutcome::Unchanged => short(Some(&ChangeKind::Insert { after: loaded }), column),
            RowOutcome::Changed => {
                let after = Row::from_encoded(out.into());
                short(Some(&ChangeKind::Insert { after }), column)
            }
            RowOutcome::Skipped(error) => panic!("{error}"),
        },
    );
    assert_eq!(found, expected, "{script}");
}

#[test]
fn rows_are_dropped_by_number_text_and_date() {
    let drop = "e_if(op_gt(`id`, 10000), e_drop())";
    check(drop, "id", ("10001", "10002"), ["nothing"; 4]);
    check(drop, "id", ("1", "2"), ["+1", "~1 2", "-2", "+1"]);
    let drop = r#"e_if(str_contains(`name`, "hangzhou"), e_drop())"#;
    check(drop, "name", ("a hangzhou", "hangzhou"), ["nothing"; 4]);
    let drop = r#"e_if(op_lt(`created`, "2015-02-23 23:54:55"), e_drop())"#;
    check(
        drop,
        "created",
        ("2015-02-23 23:54:54", "2015-02-23 23:54:55"),
        [
            "nothing",
            "+2015-02-23 23:54:55",
            "-2015-02-23 23:54:55",
            "nothing",
        ],
    );
    let drop = r#"e_if(op_and(str_contains(`name`, "hang"), op_gt(`id`, 1000)), e_drop())"#;
    check(
        drop,
        "id",
        ("1000", "1001"),
        ["+1000", "-1000", "nothing", "+1000"],
    );
    check(
        "e_keep(op_gt(`id`, 10))",
        "id",
        ("10", "11"),
        ["nothing", "+11", "-11", "nothing"],
    );
    check(
        "e_keep(op_eq(`empty`, 'x'))",
        "id",
        ("10", "11"),
        ["nothing"; 4],
    );
}

#[test]
fn phones_are_masked() {
    let mask = "e_set(`phone`, str_mask(`phone`, 7, 10, '*'))";
    check(
        mask,
        "phone",
        ("13800001234", "13900005678"),
        [
            "+1380000****",
            "~1380000**** 1390000****",
            "-1390000****",
            "+1380000****",
        ],
    );
}

#[test]
fn the_commit_time_is_stamped() {
    let stamp =
        "e_if(op_or(op_or(op_eq(__OPERATION__,__OP_INSERT__), op_eq(__OPERATION__,__OP_UPDATE__)),
        op_eq(__OPERATION__,__OP_DELETE__)), e_set(`created`, __COMMIT_TIMESTAMP__))";
    let (old, new) = ("2000-01-01 00:00:00", "2000-01-02 00:00:00");
    let stamped = "2021-01-01 10:10:01";
    let expected = [
        format!("+{stamped}"),
        format!("~{old} {stamped}"),
        format!("-{stamped}"),
        format!("+{stamped}"),
    ];
    check(
        stamp,
        "created",
        (old, new),
        expected.each_ref().map(String::as_str),
    );
    let one_table = |name: &str| {
        format!(
            "e_if(op_and(op_eq(__TB__,'{name}'), op_or(op_eq(__OPERATION__,__OP_INSERT__), op_eq(__OPERATION__,__OP_UPDATE__))), e_set(`created`, __COMMIT_TIMESTAMP__))"
        )
    };
    let [insert, update, _, load] = expected;
    let expected = [insert, update, format!("-{new}"), load];
    check(
        &one_table("user_7"),
        "created",
        (old, new),
        expected.each_ref().map(String::as_str),
    );
    assert!(compile(&one_table("user_8")).unwrap().is_empty());
}

#[test]
fn changes_become_an_audit_trail() {
    let audit = compile(
        "e_compose(
        e_switch(op_eq(__OPERATION__,__OP_DELETE__), e_set(`name`,'DELETE'),
                 op_eq(__OPERATION__,__OP_UPDATE__), e_set(`name`,'UPDATE'),
                 op_eq(__OPERATION__,__OP_INSERT__), e_set(`name`,'INSERT')),
        e_set(`created`, __COMMIT_TIMESTAMP__),
        e_set(__OPERATION__, __OP_INSERT__))",
    )
    .unwrap();
    for (change, expected) in [
        (insert("id", "1"), "+INSERT"),
        (update("id", "1", "2"), "+UPDATE"),
        (delete("id", "2"), "+DELETE"),
    ] {
        assert_eq!(run(&audit, &change, "name"), expected);
        assert_eq!(run(&audit, &change, "created"), "+2021-01-01 10:10:01");
    }
    assert_eq!(audit.purity(), Purity::Record);
}

#[test]
fn actions_follow_one_another() {
    // Each condition of e_if is looked at; the second sees what the first assigned.
    check(
        "e_if(op_eq(`id`, 1), e_set(`id`, 2), op_eq(`id`, 2), e_set(`id`, 3))",
        "id",
        ("1", "4"),
        ["+3", "~3 4", "-4", "+3"],
    );
    check(
        "e_if(true, e_drop(), true, e_set(`id`, 2))",
        "id",
        ("1", "2"),
        ["nothing"; 4],
    );
    check(
        "e_if_else(op_eq(`id`, 1), e_set(`id`, 10), e_set(`id`, 20))",
        "id",
        ("1", "2"),
        ["+10", "~10 20", "-20", "+10"],
    );
    check(
        "e_switch(op_eq(`id`, 1), e_set(`id`, 2), op_eq(`id`, 2), e_set(`id`, 3), default=e_set(`id`, 9))",
        "id",
        ("1", "5"),
        ["+2", "~2 9", "-9", "+2"],
    );
    check(
        "e_compose(e_set(`id`, `id` + 1), e_set(`id`, `id` * 2))",
        "id",
        ("1", "2"),
        ["+4", "~4 6", "-6", "+4"],
    );
    check(
        "e_compose(e_drop(), e_set(`id`, 1 / `id`))",
        "id",
        ("0", "0"),
        ["nothing"; 4],
    );
    // Several columns, assigned in another order than they have.
    let program =
        compile("e_compose(e_set(`needed`, 'z'), e_set(`id`, 7), e_set(`name`, `needed`))")
            .unwrap();
    let change = insert("id", "1");
    assert_eq!(
        ["id", "name", "needed", "email"].map(|column| run(&program, &change, column)),
        ["+7", "+z", "+z", "+a@b.c"]
    );
}

#[test]
fn every_text_column_is_searched_from_its_end() {
    let mut table = table();
    for name in ["chinese", "chinese2", "broken"] {
        table.columns[place(name)].generated = true;
    }
    let compile = |text: &str| {
        Script::parse(text)
            .unwrap()
            .compile(&table, STRICT)
            .unwrap()
    };
    let change = ChangeKind::Insert {
        after: row_with(&[
            ("name", Some(b"aaa")),
            ("email", Some(b"xaax")),
            ("western", Some(b"\xE9aa")),
        ]),
    };
    let all = compile("tail_replace_string_field('aa', 'b', true)");
    assert_eq!(
        ["name", "email", "needed", "empty"].map(|column| run(&all, &change, column)),
        ["+ab", "+xbx", "+n", "+NULL"]
    );
    let last = compile("tail_replace_string_field('a', 'b', all=false)");
    assert_eq!(
        ["name", "email"].map(|column| run(&last, &change, column)),
        ["+aab", "+xabx"]
    );
    let Some(ChangeKind::Insert { after }) = all.run(&change, &CONTEXT).unwrap().change else {
        panic!()
    };
    assert_eq!(after.get(place("western")), Some(Some(&b"\xE9b"[..])));
}

#[test]
fn images_can_be_chosen() {
    let program = compile("e_set(`name`, v(`name`, __BEFORE__))").unwrap();
    assert_eq!(
        run(&program, &update("name", "old", "new"), "name"),
        "~old old"
    );
    assert_eq!(run(&program, &insert("name", "new"), "name"), "+NULL");
    assert_eq!(run(&program, &delete("name", "old"), "name"), "-old");
    let program = compile("e_set(`name`, v(`name`, __AFTER__) + '!')").unwrap();
    assert_eq!(
        run(&program, &update("name", "old", "new"), "name"),
        "~old new!"
    );
    assert_eq!(run(&program, &delete("name", "old"), "name"), "-NULL");
    let unchanged =
        compile("e_if(op_eq(v(`name`, __BEFORE__), v(`name`, __AFTER__)), e_drop())").unwrap();
    assert_eq!(
        run(&unchanged, &update("name", "old", "old"), "name"),
        "nothing"
    );
    assert_eq!(
        run(&unchanged, &update("name", "old", "new"), "name"),
        "~old new"
    );
    assert_eq!(unchanged.purity(), Purity::Record);
}

#[test]
fn operations_can_be_assigned() {
    let to = |operation: &str| {
        compile(&format!(
            "e_compose(e_set(`name`, 'x'), e_set(__OPERATION__, {operation}))"
        ))
        .unwrap()
    };
    let changes = || {
        [
            insert("name", "a"),
            update("name", "a", "b"),
            delete("name", "b"),
        ]
    };
    let run_all = |program: &Program| changes().map(|change| run(program, &change, "name"));
    assert_eq!(run_all(&to("__OP_INSERT__")), ["+x", "+x", "+x"]);
    assert_eq!(run_all(&to("__OP_UPDATE__")), ["~a x", "~a x", "~b x"]);
    assert_eq!(run_all(&to("__OP_DELETE__")), ["-x", "-a", "-x"]);
    let mut out = Vec::new();
    let loaded = to("__OP_DELETE__").run_row(row().encoded(), &CONTEXT, &mut out);
    assert_eq!(loaded, Ok(RowOutcome::Dropped));
    // A record that is not deleted at the target: DTS's way to keep rows.
    let program = compile("e_if(op_eq(__OPERATION__, __OP_DELETE__), e_drop())").unwrap();
    assert_eq!(run_all(&program), ["+a", "~a b", "nothing"]);
}

#[test]
fn the_before_image_alone_can_decide() {
    let script = "e_if(op_gt(`id`, 10), e_drop())";
    let program = compile_with(script, PRE).unwrap();
    assert_eq!(run(&program, &update("id", "1", "11"), "id"), "~1 11");
    assert_eq!(run(&program, &update("id", "11", "1"), "id"), "nothing");
    assert_eq!(program.purity(), Purity::Record);
    assert_eq!(compile(script).unwrap().purity(), Purity::Row);
    // What is assigned behind the drop is assigned in the after image too.
    let program = compile_with(
        "e_compose(e_if(op_gt(`id`, 10), e_drop()), e_set(`name`, 'x'))",
        PRE,
    )
    .unwrap();
    assert_eq!(run(&program, &update("id", "1", "11"), "name"), "~x x");
}

#[test]
fn errors_follow_their_policy() {
    let script = "e_set(`flag`, `id` / (`id` - 5))";
    let change = update("id", "6", "5");
    let error = compile(script).unwrap().run(&change, &CONTEXT).unwrap_err();
    assert_eq!(
        (error.reason, error.span.start, error.span.end),
        (Reason::DivisionByZero, 14, 31)
    );
    let skip = compile_with(script, SKIP).unwrap();
    // A skipped row is not in the target: leaving it there as it was would be a stale row.
    let outcome = skip.run(&change, &CONTEXT).unwrap();
    assert_eq!(short(outcome.change.as_ref(), "id"), "-6");
    assert_eq!(outcome.skipped, Some(error));
    assert_eq!(run(&skip, &update("id", "5", "6"), "id"), "+6");
    assert_eq!(run(&skip, &delete("id", "5"), "id"), "nothing");
    let loaded = row_with(&[("id", Some(b"5"))]);
    let outcome = skip.run_row(loaded.encoded(), &CONTEXT, &mut Vec::new());
    assert_eq!(outcome, Ok(RowOutcome::Skipped(error)));
    let null = compile_with(
        script,
        Options {
            errors: ErrorPolicy::Null,
            ..STRICT
        },
    )
    .unwrap();
    assert_eq!(run(&null, &change, "flag"), "~6 NULL");
    let null = compile_with(
        "e_if(op_eq(`id` / 0, 1), e_drop())",
        Options {
            errors: ErrorPolicy::Null,
            ..STRICT
        },
    )
    .unwrap();
    assert_eq!(run(&null, &change, "id"), "~6 5");
}

#[test]
fn other_tables_parts_are_not_looked_at() {
    for script in [
        "e_if(op_eq(__TB__, 'other'), e_set(`nope`, 1))",
        "e_if(op_and(op_eq(__TB__, 'other'), op_gt(`nope`, 1)), e_drop())",
        "e_if(op_and(op_gt(`nope`, 1), op_eq(__DB__, 'other')), e_drop())",
        "e_if(op_not(op_or(op_eq(__TB__, 'user_7'), op_gt(`nope`, 1))), e_drop())",
        "e_switch(regex_match(__TB__, '^other_'), e_set(`nope`, 1))",
        "e_if(op_in(__TB__, json_array('[\"other\"]')), e_drop())",
        "e_keep(regex_match(__TB__, '^user_\\d+$'))",
        "e_compose(e_if(op_eq(__TB__, 'a'), e_drop()), e_if(op_eq(__TB__, 'b'), e_drop()))",
    ] {
        let program = compile(script).unwrap_or_else(|error| panic!("{script}: {error}"));
        assert!(program.is_empty(), "{script}");
    }
    let program =
        compile("e_if_else(op_eq(__TB__, 'user_7'), e_set(`name`, 'a'), e_set(`nope`, 1))")
            .unwrap();
    assert_eq!(run(&program, &insert("id", "1"), "name"), "+a");
    let program = compile("e_set(`name`, op_eq(__TB__, 'other') ? `nope` : 'b')").unwrap();
    assert_eq!(run(&program, &insert("id", "1"), "name"), "+b");
}

#[test]
fn verify_learns_what_can_be_compared() {
    let purity = |script: &str| compile(script).unwrap().purity();
    let stamp = "e_set(`created`, __COMMIT_TIMESTAMP__)";
    assert_eq!(purity("e_set(`name`, 'x')"), Purity::Row);
    assert_eq!(purity(stamp), Purity::RowExcept(vec![place("created")]));
    assert_eq!(
        purity("e_compose(e_set(`created`, dt_now()), e_set(`precise`, `created`))"),
        Purity::RowExcept(vec![place("created"), place("precise")])
    );
    assert_eq!(
        purity("e_if(op_eq(__OPERATION__, __OP_INSERT__), e_set(`name`, 'x'))"),
        Purity::RowExcept(vec![place("name")])
    );
    assert_eq!(
        purity("e_if(op_eq(__OPERATION__, __OP_DELETE__), e_drop())"),
        Purity::Record
    );
    assert_eq!(
        purity("e_if(op_lt(`created`, dt_now()), e_drop())"),
        Purity::Record
    );
    let program =
        compile("e_if(op_gt(`id`, 1), e_set(`name`, 'x'), op_gt(`id`, 2), e_drop())").unwrap();
    assert!(program.is_row_function() && program.may_drop());
    assert_eq!(
        program.assigned_columns().collect::<Vec<usize>>(),
        [place("name")]
    );
    // Where rows with errors are left out, whether there is one must not depend on the time.
    let skipping = |script: &str| compile_with(script, SKIP).unwrap();
    let fails_always = "e_set(`flag`, `id` * 2)";
    assert_eq!(skipping(fails_always).purity(), Purity::Row);
    assert!(skipping(fails_always).may_drop() && !compile(fails_always).unwrap().may_drop());
    assert!(!skipping("e_if(op_eq(__TB__, 'other'), e_drop())").may_drop());
    let both = format!("e_compose({fails_always}, {stamp})");
    let varying = Purity::RowExcept(vec![place("created")]);
    assert_eq!(skipping(&both).purity(), varying);
    for script in [
        "e_set(`name`, str_format('{}', dt_now()))",
        "e_if(op_lt(`created`, dt_now()), e_set(`name`, 'x'))",
        "e_compose(e_set(`created`, dt_now()), e_set(`precise`, `created`))",
        "e_set(`created`, v(`created`, __BEFORE__))",
    ] {
        assert_eq!(skipping(script).purity(), Purity::Record, "{script}");
    }
    // The value of a unique key may be made of any column.
    let mut computed = table();
    computed.keys[1].functional = true;
    let script = Script::parse(stamp).unwrap();
    assert_eq!(
        script
            .compile(&computed, STRICT)
            .map(|_| ())
            .map_err(|error| error.code),
        Err("ETL-017")
    );
    // Rows of a table without a key are found by every value.
    let mut keyless = table();
    keyless.exactness = Exactness::Keyless;
    keyless.keys.clear();
    let compile = |text: &str| {
        Script::parse(text)
            .unwrap()
            .compile(&keyless, STRICT)
            .map(|_| ())
            .map_err(|error| error.code)
    };
    assert_eq!(compile(stamp), Err("ETL-017"));
    assert_eq!(compile("e_set(`name`, 'x')"), Ok(()));
    assert_eq!(
        compile("e_set(`name`, v(`name`, __BEFORE__))"),
        Err("ETL-018")
    );
}

#[test]
fn what_is_not_assigned_is_not_copied() {
    let program = compile("e_if(op_gt(`id`, 10000), e_set(`name`, 'x'))").unwrap();
    let before = row();
    let outcome = program
        .run(
            &ChangeKind::Delete {
                before: before.clone(),
            },
            &CONTEXT,
        )
        .unwrap();
    let Some(ChangeKind::Delete { before: same }) = outcome.change else {
        panic!()
    };
    assert!(std::ptr::eq(same.encoded(), before.encoded()));
}
