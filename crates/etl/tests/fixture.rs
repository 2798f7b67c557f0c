//! One table with a column of every kind, one row of it, and short ways to run scripts on them.

use wherry_etl::{
    Context, ErrorPolicy, Expression, Images, Options, Program, RunError, Script, ScriptError,
};
use wherry_model::{Column, ColumnKind, Exactness, Key, KeyPart, Row, Table, TableName};

pub const STRICT: Options = Options {
    errors: ErrorPolicy::Fail,
    images: Images::Both,
};

/// 2021-01-01 10:10:01.234567 and 2024-02-29 12:00:00.987654, UTC.
pub const CONTEXT: Context<'static> = Context {
    commit_micros: 1_609_495_801_234_567,
    now_micros: 1_709_208_000_987_654,
    position: "binlog.7:4",
};

pub fn column(name: &str, column_type: &str, kind: ColumnKind, charset: Option<&str>) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        column_type: column_type.to_owned(),
        nullable: true,
        charset: charset.map(str::to_owned),
        collation: None,
        generated: false,
        auto_increment: false,
        in_target: None,
    }
}

/// Name, declared type, kind, character set, and the value in the one row.
type Spec = (
    &'static str,
    &'static str,
    ColumnKind,
    Option<&'static str>,
    Option<&'static [u8]>,
);

fn specs() -> Vec<Spec> {
    [numbers(), times(), texts(), others()].concat()
}

fn numbers() -> Vec<Spec> {
    use ColumnKind as K;
    let integer = |bytes, unsigned| K::Integer { bytes, unsigned };
    let decimal = |precision, scale| K::Decimal { precision, scale };
    vec![
        ("id", "bigint", integer(8, false), None, Some(b"42")),
        (
            "amount",
            "decimal(10,2)",
            decimal(10, 2),
            None,
            Some(b"12.50"),
        ),
        ("ratio", "double", K::Double, None, Some(b"0.5")),
        (
            "single",
            "float",
            K::Float,
            None,
            Some(b"0.10000000149011612"),
        ),
        (
            "flag",
            "tinyint(3) unsigned",
            integer(1, true),
            None,
            Some(b"1"),
        ),
        (
            "filled",
            "int(6) unsigned zerofill",
            integer(4, true),
            None,
            Some(b"000007"),
        ),
        (
            "bits",
            "bit(10)",
            K::Bit { bits: 10 },
            None,
            Some(b"\x02\x01"),
        ),
        ("made", "year", K::Year, None, Some(b"1999")),
        (
            "large",
            "decimal(65,0)",
            decimal(65, 0),
            None,
            Some(&[b'9'; 60]),
        ),
    ]
}

fn times() -> Vec<Spec> {
    use ColumnKind as K;
    let datetime = |fraction| K::Datetime { fraction };
    let stamp = K::Timestamp { fraction: 0 };
    let micros = Some(&b"2021-03-04 05:06:07.123456"[..]);
    vec![
        (
            "created",
            "datetime",
            datetime(0),
            None,
            Some(b"2021-03-04 05:06:07"),
        ),
        ("precise", "datetime(6)", datetime(6), None, micros),
        (
            "stamp",
            "timestamp",
            stamp,
            None,
            Some(b"2021-03-04 05:06:07"),
        ),
        ("day", "date", K::Date, None, Some(b"2021-03-04")),
        (
            "clock",
            "time(3)",
            K::Time { fraction: 3 },
            None,
            Some(b"-01:02:03.500"),
        ),
        (
            "zero",
            "datetime",
            datetime(0),
            None,
            Some(b"0000-00-00 00:00:00"),
        ),
    ]
}

fn texts() -> Vec<Spec> {
    let varchar = |length| ColumnKind::Varchar { length };
    let char = |length| ColumnKind::Char { length };
    let utf8 = Some("utf8mb4");
    vec![
        ("name", "varchar(20)", varchar(20), utf8, Some(b"hangzhou")),
        ("phone", "char(12)", char(12), utf8, Some(b"13800001234")),
        (
            "western",
            "text",
            ColumnKind::Text,
            Some("latin1"),
            Some(b"caf\xE9 \x80"),
        ),
        (
            "plain",
            "varchar(5)",
            varchar(5),
            Some("ascii"),
            Some(b"abc"),
        ),
        (
            "basic",
            "varchar(5)",
            varchar(5),
            Some("utf8mb3"),
            Some(b"abc"),
        ),
        (
            "chinese",
            "varchar(9)",
            varchar(9),
            Some("gbk"),
            Some(b"\xC4\xE3"),
        ),
        ("chinese2", "varchar(9)", varchar(9), Some("gbk"), None),
        ("empty", "varchar(9)", varchar(9), utf8, None),
        ("email", "varchar(40)", varchar(40), utf8, Some(b"a@b.c")),
        ("made_of", "varchar(9)", varchar(9), utf8, Some(b"x")),
        ("broken", "varchar(9)", varchar(9), utf8, Some(b"\xFF")),
        ("needed", "varchar(9)", varchar(9), utf8, Some(b"n")),
    ]
}

fn others() -> Vec<Spec> {
    use ColumnKind as K;
    let labels = |labels: &[&str]| labels.iter().map(|&label| label.to_owned()).collect();
    let choice = |names: &[&str]| K::Enum {
        labels: labels(names),
    };
    let set = K::Set {
        labels: labels(&["a", "b", "c"]),
    };
    let varbinary = K::Varbinary { length: 6 };
    let utf8 = Some("utf8mb4");
    vec![
        ("data", "varbinary(6)", varbinary, None, Some(b"\x00\xFF")),
        (
            "fixed",
            "binary(4)",
            K::Binary { length: 4 },
            None,
            Some(b"ab\0\0"),
        ),
        (
            "status",
            "enum('new','done')",
            choice(&["new", "done"]),
            utf8,
            Some(b"new"),
        ),
        (
            "tags",
            "set('a','b','c')",
            set,
            Some("latin1"),
            Some(b"a,c"),
        ),
        ("odd", "enum('','x')", choice(&["", "x"]), utf8, Some(b"2")),
        ("doc", "json", K::Json, None, Some(b"\x01{\"a\": \x02d1.0}")),
        ("doc2", "json", K::Json, None, Some(b"[1]")),
        ("place", "point", K::Geometry, None, Some(b"\x00")),
    ]
}

/// Its primary key is `id`, and `email` is unique.
pub fn table() -> Table {
    let mut columns: Vec<Column> = specs()
        .into_iter()
        .map(|(name, column_type, kind, charset, _)| column(name, column_type, kind, charset))
        .collect();
    for column in &mut columns {
        column.nullable = !["id", "needed"].contains(&column.name.as_str());
        column.generated = column.name == "made_of";
    }
    let place = |name: &str| {
        columns
            .iter()
            .position(|column| column.name == name)
            .unwrap()
    };
    let keys =
        [("PRIMARY", "id", true), ("email", "email", false)].map(|(name, column, primary)| Key {
            name: name.to_owned(),
            primary,
            unique: true,
            parts: vec![KeyPart {
                column: place(column),
                prefix: None,
                descending: false,
            }],
            functional: false,
        });
    Table {
        name: TableName::new("shop", "user_7"),
        engine: "innodb".to_owned(),
        keys: keys.to_vec(),
        columns,
        exactness: Exactness::Keyed,
        definition: String::new(),
        row_count_estimate: 0,
        byte_count_estimate: 0,
        adopted: None,
        shape: None,
        in_target: None,
    }
}

pub fn place(name: &str) -> usize {
    table()
        .columns
        .iter()
        .position(|column| column.name == name)
        .unwrap()
}

pub fn row() -> Row {
    let specs = specs();
    Row::from_values(specs.iter().map(|(.., value)| *value))
}

/// The row with other values in some columns.
pub fn row_with(changes: &[(&str, Option<&[u8]>)]) -> Row {
    let specs = specs();
    Row::from_values(specs.iter().map(|(name, .., value)| {
        let change = changes.iter().find(|(changed, _)| changed == name);
        change.map_or(*value, |(_, value)| *value)
    }))
}

pub fn compile_with(text: &str, options: Options) -> Result<Program, ScriptError> {
    Script::parse(text)?.compile(&table(), options)
}

pub fn compile(text: &str) -> Result<Program, ScriptError> {
    compile_with(text, STRICT)
}

/// The value of an expression as text, `NULL` for NULL, or the code of its error.
pub fn value(expression: &str) -> String {
    match compute(&format!("str_format('{{}}', {expression})")) {
        Ok(Ok(Some(bytes))) => String::from_utf8(bytes).unwrap(),
        Ok(Ok(None)) => "NULL".to_owned(),
        Ok(Err(error)) => error.reason.code().to_owned(),
        Err(error) => format!("{}: {}", error.code, error.message),
    }
}

pub type Computed = Result<Result<Option<Vec<u8>>, RunError>, ScriptError>;

/// The value of an expression as that of a text column, over the one row.
pub fn compute(expression: &str) -> Computed {
    let text = column("t", "longtext", ColumnKind::Text, Some("utf8mb4"));
    let expression = Expression::compile(&table(), expression, &text)?;
    let mut out = Vec::new();
    let pushed = expression.push(row().encoded(), &CONTEXT, &mut out);
    Ok(pushed.map(|()| {
        let row = Row::from_encoded(out.into());
        row.get(0).unwrap().map(<[u8]>::to_vec)
    }))
}
