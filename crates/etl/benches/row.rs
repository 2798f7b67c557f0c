//! One mask of one column, by the language and by hand, over the same encoded rows.
//!
//! `cargo bench -p wherry-etl` prints the times of both for each shape of a row, and their ratio.

use std::hint::black_box;
use std::time::{Duration, Instant};

use wherry_etl::{Context, ErrorPolicy, Images, Options, Program, RowOutcome, Script};
use wherry_model::row::{Values, push_value};
use wherry_model::{Column, ColumnKind, Exactness, Row, RowBatch, Table, TableName};

const SCRIPT: &str = "e_if(op_gt(`id`, 10), e_set(`name`, str_mask(`name`, 1, 4, '*')))";
const ROWS: usize = 10_000;
const NAME: usize = 1;
/// Columns behind the two that the script names.
const SHAPES: [usize; 2] = [4, 18];

fn main() {
    ratio();
    divan::main();
}

#[divan::bench(args = SHAPES)]
fn script(bencher: divan::Bencher, others: usize) {
    let (program, rows) = (program(others), rows(others));
    bencher.bench(|| by_script(&program, &rows));
}

#[divan::bench(args = SHAPES)]
fn hand(bencher: divan::Bencher, others: usize) {
    let rows = rows(others);
    bencher.bench(|| by_hand(&rows));
}

fn by_script(program: &Program, rows: &RowBatch) -> usize {
    let context = Context::default();
    let mut out = Vec::new();
    let mut bytes = 0;
    for row in rows.iter() {
        out.clear();
        match program.run_row(black_box(row), &context, &mut out) {
            Ok(RowOutcome::Changed) => bytes += black_box(&out).len(),
            Ok(_) => bytes += row.len(),
            Err(error) => panic!("{error}"),
        }
    }
    bytes
}

/// What an engineer would write for this one table: with the same checks of number, text, positions and length.
fn by_hand(rows: &RowBatch) -> usize {
    let mut out = Vec::new();
    let mut masked = String::new();
    let mut bytes = 0;
    for row in rows.iter() {
        out.clear();
        let row = black_box(row);
        let mut values = Values::of(row);
        let id = values
            .next()
            .flatten()
            .map(|id| std::str::from_utf8(id).unwrap().parse::<i64>().unwrap());
        if id.is_none_or(|id| id <= 10) {
            bytes += row.len();
            continue;
        }
        let begin = row.len() - values.rest().len();
        out.extend_from_slice(&row[..begin]);
        let name = values
            .next()
            .flatten()
            .map(|name| std::str::from_utf8(name).unwrap());
        match name {
            None => push_value(&mut out, None),
            Some(name) => {
                masked.clear();
                masked.extend(name.chars().enumerate().map(|(place, letter)| {
                    if (1..=4).contains(&place) {
                        '*'
                    } else {
                        letter
                    }
                }));
                let length = masked.chars().count();
                assert!((5..=40).contains(&length));
                push_value(&mut out, Some(masked.as_bytes()));
            }
        }
        out.extend_from_slice(values.rest());
        bytes += black_box(&out).len();
    }
    bytes
}

/// Prints the quotient of the fastest of many runs of each.
fn ratio() {
    for others in SHAPES {
        let (program, rows) = (program(others), rows(others));
        assert_eq!(by_script(&program, &rows), by_hand(&rows));
        let (mut script, mut hand) = (Duration::MAX, Duration::MAX);
        for _ in 0..200 {
            script = script.min(timed(|| by_script(&program, &rows)));
            hand = hand.min(timed(|| by_hand(&rows)));
        }
        let per_row = |time: Duration| time.as_nanos() as usize / ROWS;
        let percent = script.as_nanos() * 100 / hand.as_nanos();
        eprintln!(
            "{} columns: script {} ns a row, by hand {} ns, ratio {}.{:02}",
            others + 2,
            per_row(script),
            per_row(hand),
            percent / 100,
            percent % 100
        );
    }
}

fn timed(work: impl Fn() -> usize) -> Duration {
    let begin = Instant::now();
    black_box(work());
    begin.elapsed()
}

fn column(name: String, kind: ColumnKind, charset: Option<&str>) -> Column {
    Column {
        name,
        kind,
        column_type: String::new(),
        nullable: true,
        charset: charset.map(str::to_owned),
        collation: None,
        generated: false,
        auto_increment: false,
        in_target: None,
    }
}

fn table(others: usize) -> Table {
    let text = || ColumnKind::Varchar { length: 40 };
    let integer = ColumnKind::Integer {
        bytes: 8,
        unsigned: false,
    };
    let mut columns = vec![
        column("id".to_owned(), integer, None),
        column("name".to_owned(), text(), Some("utf8mb4")),
    ];
    columns.extend((0..others).map(|index| column(format!("c{index}"), text(), Some("utf8mb4"))));
    Table {
        name: TableName::new("shop", "customers"),
        engine: "innodb".to_owned(),
        columns,
        keys: Vec::new(),
        exactness: Exactness::Keyless,
        definition: String::new(),
        row_count_estimate: 0,
        byte_count_estimate: 0,
        adopted: None,
        shape: None,
        in_target: None,
    }
}

fn program(others: usize) -> Program {
    let options = Options {
        errors: ErrorPolicy::Fail,
        images: Images::Both,
    };
    let script = Script::parse(SCRIPT).expect("the script is valid");
    let program = script
        .compile(&table(others), options)
        .expect("the script fits the table");
    assert_eq!(program.assigned_columns().collect::<Vec<usize>>(), [NAME]);
    program
}

fn rows(others: usize) -> RowBatch {
    let mut batch = RowBatch::default();
    for index in 0..ROWS {
        let mut values = vec![index.to_string(), format!("customer {index}")];
        values.extend((0..others).map(|other| format!("value {other} of {index}")));
        let row = Row::from_values(values.iter().map(|value| Some(value.as_bytes())));
        batch.push_encoded(row.encoded());
    }
    batch
}
