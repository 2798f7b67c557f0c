//! The groups of columns, by family of types.

use super::draw::Draw;
use super::{Column, Flavour, Group, Identity, drawn, generated, group, is_mysql97, listed, texts};

const INTEGERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "127",
    "-128",
    "128",
    "255",
    "32767",
    "-32768",
    "65535",
    "8388607",
    "-8388608",
    "16777215",
    "2147483647",
    "-2147483648",
    "4294967295",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
];
const DECIMALS: &[&str] = &[
    "0",
    "-0.0",
    "1",
    "-1",
    "0.5",
    "-0.5",
    "1.005",
    "-1.005",
    "12345.67891",
    "-99999999.99",
    "0.00001",
    "-0.00001",
    "99999999999999999999999999999999999.999999999999999999999999999999",
    "-99999999999999999999999999999999999.999999999999999999999999999999",
    "0.000000000000000000000000000001",
    "1000000000",
    "-1000000000.000000001",
    "123456789.123456789",
    "900000000",
];
const FLOATS: &[&str] = &[
    "0",
    "'-0'",
    "1",
    "-1.5",
    "0.1",
    "0.3333333333",
    "3.4028234663852886e38",
    "-3.4028234663852886e38",
    "1.1754943508222875e-38",
    "1.401298464324817e-45",
    "-1.401298464324817e-45",
    "1.1754942106924411e-38",
    "16777216",
    "16777217",
    "123456789",
    "1e15",
    "1e-15",
    "8388608.5",
    "0.30000001192092896",
];
const DOUBLES: &[&str] = &[
    "0",
    "'-0'",
    "1",
    "-1.5",
    "0.1",
    "1e14",
    "1e15",
    "1e16",
    "1e20",
    "1e22",
    "1e23",
    "123456789012345",
    "1234567890123456",
    "1234567890123456.7",
    "1e-14",
    "1e-15",
    "1e-16",
    "1.5e-10",
    "1.2345678901234567e-10",
    "1.7976931348623157e308",
    "-1.7976931348623157e308",
    "2.2250738585072014e-308",
    "2.225073858507201e-308",
    "5e-324",
    "-5e-324",
    "9007199254740993",
    "9007199254740992",
    "0.30000000000000004",
    "123456789.12345678",
    "5e-1",
    "4.35",
    "1.005",
];
const DATES: &[&str] = &[
    "'0000-00-00'",
    "'1000-01-01'",
    "'9999-12-31'",
    "'2024-02-29'",
    "'2024-00-00'",
    "'2024-05-00'",
    "'2024-02-31'",
    "'0000-01-01'",
    "'0001-01-01'",
    "'0000-00-01'",
];
const DATETIMES: &[&str] = &[
    "'0000-00-00 00:00:00'",
    "'1000-01-01 00:00:00'",
    "'9999-12-31 23:59:59.499999'",
    "'2024-02-29 12:34:56.789012'",
    "'2024-00-10 01:02:03.1'",
    "'2024-02-00 00:00:00.000001'",
    "'2024-02-31 23:59:59'",
    "'0001-01-01 00:00:00.5'",
    "'2024-03-31 02:30:00'",
];
/// The hour that a clock in central Europe shows twice is at 00:30 and at 01:30 here.
const TIMESTAMPS: &[&str] = &[
    "'0000-00-00 00:00:00'",
    "'1970-01-01 00:00:01'",
    "'2038-01-19 03:14:07'",
    "'2038-01-19 03:14:07.499999'",
    "'2024-10-27 00:30:00.999999'",
    "'2024-10-27 01:30:00.999999'",
    "'2024-03-31 01:00:00'",
    "'2000-02-29 23:59:59.5'",
    "'2024-12-31 00:00:00.000001'",
];
const TIMES: &[&str] = &[
    "'00:00:00'",
    "'-838:59:59'",
    "'838:59:59'",
    "'-00:00:00.000001'",
    "'-00:00:00.1'",
    "'-00:00:01.5'",
    "'12:34:56.789012'",
    "'-12:34:56.999999'",
    "'100:00:00.01'",
    "'-00:00:01'",
    "'-01:00:00.000001'",
];
const BYTES: &[&str] = &[
    "''",
    "X'00'",
    "X'610000'",
    "X'FF00FE'",
    "X'2020'",
    "X'0000000000'",
    "X'30'",
    "X'5C27220A0D1A09'",
    "X'61'",
    "X'6120'",
];
const BITS: &[&str] = &[
    "b'0'",
    "b'1'",
    "b'1010101'",
    "b'1111111111111'",
    "9223372036854775808",
    "18446744073709551615",
];
const YEARS: &[&str] = &["0", "1901", "2155", "2024", "'0000'", "70", "1970", "'00'"];

/// Changes that a server may log in part; each table has ids from 500000 on in the stream.
const DOCUMENT_CHANGES: &[&str] = &[
    "UPDATE documents SET plain = JSON_REPLACE(plain, '$.b', 'changed', '$[1]', 7) WHERE id >= 500000",
    "UPDATE documents SET plain = JSON_REMOVE(plain, '$.a', '$[0]') WHERE id >= 500000 AND id % 2 = 0",
    "UPDATE documents SET plain = JSON_SET(plain, '$.k0', 18446744073709551615, '$.new', 'é😀') WHERE id >= 500000 AND id % 3 = 0",
];

/// All groups of a flavour.
pub fn groups(flavour: Flavour) -> Vec<Group> {
    let mut groups = vec![
        integers(),
        decimals(),
        approximate(),
        bits(),
        dates(),
        times(),
        binaries(),
        members(),
        geometries(flavour),
        identity_zero(),
        implied(),
    ];
    groups.extend(texts::groups(flavour));
    groups.push(groups[0].keyless("integers_loose"));
    groups.push(groups[2].keyless("approximate_loose"));
    groups.push(groups[4].keyless("dates_loose"));
    groups.push(groups[6].keyless("binaries_loose"));
    groups.push(groups[7].keyless("members_loose"));
    match flavour {
        Flavour::MySql97 => groups.extend(only_97()),
        Flavour::MariaDb => groups.extend(only_mariadb()),
        Flavour::MySql56 => {}
    }
    groups
}

fn integers() -> Group {
    let mut columns = Vec::new();
    for (name, bits) in [
        ("TINYINT", 8),
        ("SMALLINT", 16),
        ("MEDIUMINT", 24),
        ("INT", 32),
        ("BIGINT", 64),
    ] {
        for unsigned in [false, true] {
            let sign = if unsigned { " UNSIGNED" } else { "" };
            let column = format!(
                "{}{}",
                name.to_lowercase(),
                if unsigned { "_u" } else { "" }
            );
            columns.push(drawn(
                &column,
                format!("{name}{sign}"),
                INTEGERS,
                Draw::Integer { bits, unsigned },
            ));
        }
    }
    columns.push(listed("bool", "BOOL", &["0", "1", "2", "-128", "127"]));
    columns.push(listed(
        "tiny1",
        "TINYINT(1)",
        &["0", "1", "2", "-128", "127"],
    ));
    columns.push(listed("synonym", "INTEGER UNSIGNED", INTEGERS));
    columns.push(listed("zero_filled", "INT(7) ZEROFILL", INTEGERS));
    columns.push(listed("big_zero_filled", "BIGINT ZEROFILL", INTEGERS));
    columns.push(listed("required", "SMALLINT NOT NULL DEFAULT 7", INTEGERS));
    group("integers", columns)
}

fn decimals() -> Group {
    let column = |name: &str, definition: &str, digits, scale| {
        drawn(name, definition, DECIMALS, Draw::Decimal { digits, scale })
    };
    group(
        "decimals",
        vec![
            column("widest", "DECIMAL(65,30)", 65, 30),
            column("whole", "DECIMAL(65,0)", 65, 0),
            column("fraction", "DECIMAL(30,30)", 30, 30),
            column("money", "DECIMAL(10,2)", 10, 2),
            column("odd", "DECIMAL(19,9)", 19, 9),
            column("ten", "DECIMAL(20,10) UNSIGNED", 20, 10),
            column("one", "DECIMAL(1,0)", 1, 0),
            column("filled", "DECIMAL(10,3) ZEROFILL", 10, 3),
            column("standard", "NUMERIC", 10, 0),
        ],
    )
}

fn approximate() -> Group {
    let float = |name: &str, definition: &str| drawn(name, definition, FLOATS, Draw::Float);
    let double = |name: &str, definition: &str| drawn(name, definition, DOUBLES, Draw::Double);
    let declared = |name: &str, definition: &str, digits, scale| {
        drawn(name, definition, DOUBLES, Draw::Decimal { digits, scale })
    };
    group(
        "approximate",
        vec![
            float("f", "FLOAT"),
            float("f_unsigned", "FLOAT UNSIGNED"),
            declared("f_declared", "FLOAT(10,3)", 10, 3),
            declared("f_wide", "FLOAT(30,10)", 30, 10),
            float("f_filled", "FLOAT ZEROFILL"),
            float("f_53", "FLOAT(24)"),
            double("d", "DOUBLE"),
            double("d_unsigned", "DOUBLE UNSIGNED"),
            declared("d_declared", "DOUBLE(14,4)", 14, 4),
            declared("d_whole", "DOUBLE(20,0)", 20, 0),
            declared("d_wide", "DOUBLE(40,20)", 40, 20),
            double("d_filled", "DOUBLE ZEROFILL"),
            double("d_real", "REAL"),
            double("d_53", "FLOAT(53)"),
        ],
    )
}

fn bits() -> Group {
    let column = |name: &str, bits: u32| {
        drawn(
            name,
            format!("BIT({bits})"),
            BITS,
            Draw::Integer {
                bits,
                unsigned: true,
            },
        )
    };
    let mut columns = vec![
        column("b1", 1),
        column("b7", 7),
        column("b8", 8),
        column("b9", 9),
        column("b13", 13),
        column("b63", 63),
        column("b64", 64),
    ];
    columns.push(listed("year_of", "YEAR", YEARS));
    group("bits", columns)
}

fn dates() -> Group {
    let mut columns = vec![
        drawn("da", "DATE", DATES, Draw::Date),
        drawn("da_required", "DATE NOT NULL", DATES, Draw::Date),
    ];
    for fraction in 0..=6 {
        columns.push(drawn(
            &format!("dt{fraction}"),
            format!("DATETIME({fraction})"),
            DATETIMES,
            Draw::Datetime,
        ));
        columns.push(drawn(
            &format!("ts{fraction}"),
            format!("TIMESTAMP({fraction}) NULL"),
            TIMESTAMPS,
            Draw::Timestamp,
        ));
    }
    columns.push(drawn(
        "ts_own",
        "TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP",
        TIMESTAMPS,
        Draw::Timestamp,
    ));
    group("dates", columns)
}

fn times() -> Group {
    let column = |fraction| {
        drawn(
            &format!("t{fraction}"),
            format!("TIME({fraction})"),
            TIMES,
            Draw::Time,
        )
    };
    group("times", (0..=6).map(column).collect())
}

fn binaries() -> Group {
    let column = |name: &str, definition: &str, longest| {
        drawn(name, definition, BYTES, Draw::Bytes { longest })
    };
    let mut columns = vec![
        column("bn", "BINARY(10)", 10),
        column("bn1", "BINARY", 1),
        column("bn255", "BINARY(255)", 255),
        listed("bn0", "BINARY(0)", &["''"]),
        column("vb", "VARBINARY(300)", 300),
        column("vb5", "VARBINARY(5)", 5),
        listed("vb0", "VARBINARY(0)", &["''"]),
        listed("ch0", "CHAR(0)", &["''"]),
        listed("vc0", "VARCHAR(0)", &["''"]),
        column("tb", "TINYBLOB", 255),
        column("bl", "BLOB", 400),
        listed("empty", "BLOB", &["''"]),
    ];
    columns.push(drawn(
        "mb",
        "MEDIUMBLOB",
        &[
            "''",
            "REPEAT(X'00FF', 40000)",
            "X'00'",
            "REPEAT(X'5C', 70000)",
            "REPEAT('\\n', 65536)",
        ],
        Draw::Bytes { longest: 600 },
    ));
    columns.push(drawn(
        "lb",
        "LONGBLOB",
        &[
            "REPEAT('x', 250)",
            "REPEAT('x', 251)",
            "REPEAT('x', 65535)",
            "REPEAT('x', 65536)",
            "REPEAT('\\t', 1048577)",
        ],
        Draw::Bytes { longest: 600 },
    ));
    columns.push(drawn(
        "tt",
        "TINYTEXT CHARACTER SET utf8mb4",
        &["''", "REPEAT('x', 255)", "REPEAT('ä', 127)"],
        Draw::Text { longest: 60 },
    ));
    columns.push(drawn(
        "mt",
        "MEDIUMTEXT CHARACTER SET utf8mb4",
        &["''", "REPEAT('日', 30000)"],
        Draw::Text { longest: 60 },
    ));
    columns.push(drawn(
        "lt",
        "LONGTEXT CHARACTER SET latin1",
        &["''", "REPEAT(X'E95C', 40000)"],
        Draw::Text { longest: 60 },
    ));
    group("binaries", columns)
}

fn members() -> Group {
    let labels = |count: usize| {
        let labels: Vec<String> = (0..count).map(|index| format!("'l{index}'")).collect();
        labels.join(",")
    };
    let member = |name: &str, definition: String, edges: &[&str], limit| {
        drawn(name, definition, edges, Draw::Member { limit })
    };
    group(
        "members",
        vec![
            member("e", "ENUM('a','b','ü','c,d','it''s','x\\\\y','tab\\t','12','0',' lead') CHARACTER SET utf8mb4".to_owned(), &["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "0", "'nope'"], 11),
            // The value without a label and a label that is empty are printed alike.
            member("e_empty", "ENUM('a','','b') CHARACTER SET utf8mb4".to_owned(), &["0", "1", "2", "3", "'nope'", "''"], 4),
            member("e_digits", "ENUM('0','00','1','','000') CHARACTER SET utf8mb4".to_owned(), &["0", "1", "2", "3", "4", "5"], 6),
            member("e_required", "ENUM('a','b') NOT NULL".to_owned(), &["0", "1", "2"], 3),
            member("e300", format!("ENUM({})", labels(300)), &["1", "255", "256", "257", "300", "0"], 301),
            member("s", "SET('a','b','ü','it''s','x\\\\y') CHARACTER SET utf8mb4".to_owned(), &["0", "1", "2", "3", "31", "16"], 32),
            member("s_empty", "SET('a','','b') CHARACTER SET utf8mb4".to_owned(), &["0", "1", "2", "3", "4", "5", "6", "7"], 8),
            member("s9", format!("SET({})", labels(9)), &["0", "256", "511", "1"], 512),
            member("s17", format!("SET({})", labels(17)), &["65536", "131071", "0"], 131_072),
            member("s64", format!("SET({})", labels(64)), &["18446744073709551615", "9223372036854775808", "1", "0"], u64::MAX),
        ],
    )
}

fn geometries(flavour: Flavour) -> Group {
    let text = if flavour == Flavour::MySql56 {
        "GeomFromText"
    } else {
        "ST_GeomFromText"
    };
    let shapes = |list: &[&str]| -> Vec<String> {
        let mut values = Vec::new();
        for shape in list {
            values.push(format!("{text}('{shape}')"));
            values.push(format!("{text}('{shape}', 4326)"));
        }
        values
    };
    let column = |name: &str, list: &[&str]| {
        let edges = shapes(list);
        let edges: Vec<&str> = edges.iter().map(String::as_str).collect();
        listed(name, name.to_uppercase(), &edges)
    };
    // Crosses itself: stored, and invalid.
    let bow = "POLYGON((0 0,2 2,2 0,0 2,0 0))";
    let mut columns = vec![
        column("geometry", &["POINT(1 2)", "LINESTRING(0 0,1 1,2 2)", bow]),
        column(
            "linestring",
            &["LINESTRING(0 0,1 1)", "LINESTRING(1 1,1 1)"],
        ),
        column(
            "polygon",
            &["POLYGON((0 0,0 3,3 3,3 0,0 0),(1 1,1 2,2 2,2 1,1 1))", bow],
        ),
        column("multipoint", &["MULTIPOINT(0 0,1 1)"]),
        column("multilinestring", &["MULTILINESTRING((0 0,1 1),(2 2,3 3))"]),
        column("multipolygon", &["MULTIPOLYGON(((0 0,0 3,3 3,3 0,0 0)))"]),
    ];
    let empty = if is_mysql97(flavour) {
        "GEOMETRYCOLLECTION EMPTY"
    } else {
        "GEOMETRYCOLLECTION(POINT(0 0))"
    };
    columns.push(column(
        "geometrycollection",
        &["GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))", empty],
    ));
    let mut point = column("point", &["POINT(1 2)", "POINT(-1.5 0.1)", "POINT(0 0)"]);
    point.edges.push(format!("{text}('POINT(-1.5 1e100)')"));
    if flavour != Flavour::MySql56 {
        point.draw = Draw::Point { srid: 0 };
    }
    columns.push(point);
    group("geometries", columns)
}

/// The counter would replace an id of 0.
fn identity_zero() -> Group {
    Group {
        identity: Identity::Counter,
        ..group(
            "identity_zero",
            vec![listed("v", "INT DEFAULT 5", &["1", "2"])],
        )
    }
}

/// TIMESTAMP columns that older settings fill by themselves.
fn implied() -> Group {
    group(
        "implied",
        vec![
            drawn(
                "first",
                "TIMESTAMP NULL DEFAULT NULL",
                TIMESTAMPS,
                Draw::Timestamp,
            ),
            drawn(
                "second",
                "TIMESTAMP(3) NULL DEFAULT '2020-01-01 00:00:00'",
                TIMESTAMPS,
                Draw::Timestamp,
            ),
            listed(
                "said",
                "VARCHAR(20) NOT NULL DEFAULT 'it''s \\\\ ü'",
                &["''", "'x'"],
            ),
            listed("flag", "BIT(3) NOT NULL DEFAULT b'101'", &["b'1'", "b'0'"]),
            listed("raw", "VARBINARY(8) DEFAULT 'a\\0b'", &["X'00'", "''"]),
        ],
    )
}

fn only_97() -> Vec<Group> {
    let mut invisible = group(
        "invisible_key",
        vec![
            listed("a", "INT", &["1", "1", "2"]),
            drawn("f", "FLOAT", FLOATS, Draw::Float),
        ],
    );
    invisible.identity = Identity::Invisible;
    invisible.before = "SET sql_generate_invisible_primary_key = ON;";
    invisible.after = "SET sql_generate_invisible_primary_key = OFF;";
    vec![
        group("vectors", vectors()),
        calculated().keyless("calculated_loose"),
        calculated(),
        spatial(),
        invisible,
        Group {
            changes: DOCUMENT_CHANGES,
            ..group("documents", documents())
        },
    ]
}

fn vectors() -> Vec<Column> {
    vec![
        drawn(
            "v3",
            "VECTOR(3)",
            &["STRING_TO_VECTOR('[1,2,3]')", "X'0000003F0000008001000000'"],
            Draw::Vector { dimensions: 3 },
        ),
        drawn(
            "v1",
            "VECTOR(1)",
            &["STRING_TO_VECTOR('[3.4e38]')", "STRING_TO_VECTOR('[-0.0]')"],
            Draw::Vector { dimensions: 1 },
        ),
        drawn(
            "v_any",
            "VECTOR",
            &["STRING_TO_VECTOR('[1]')", "STRING_TO_VECTOR('[1,2,3,4,5]')"],
            Draw::Vector { dimensions: 40 },
        ),
    ]
}

fn calculated() -> Group {
    let columns = vec![
        listed("a", "INT", &["1", "-1", "2147483647"]),
        listed("hidden", "VARCHAR(10) INVISIBLE", &["'x'", "''"]),
        generated("twice", "BIGINT GENERATED ALWAYS AS (a * 2) VIRTUAL"),
        listed("b", "VARCHAR(20) DEFAULT (UUID())", &["'ä'", "'A '"]),
        generated(
            "both",
            "VARCHAR(60) GENERATED ALWAYS AS (CONCAT(a, '-', b)) STORED NOT NULL",
        ),
        listed(
            "c",
            "JSON DEFAULT (JSON_ARRAY())",
            &["'{\"tags\": [1, 2]}'", "'{}'"],
        ),
        listed(
            "d",
            "DATE DEFAULT (CURRENT_DATE + INTERVAL 1 DAY)",
            &["'2024-02-29'"],
        ),
        generated(
            "hidden_sum",
            "INT GENERATED ALWAYS AS (a DIV 2) VIRTUAL INVISIBLE",
        ),
    ];
    Group {
        parts: ", KEY f ((a + 1)), KEY g ((LOWER(b)), a), KEY m ((CAST(c->'$.tags' AS UNSIGNED ARRAY))), KEY t (twice), KEY down (a DESC)",
        ..group("calculated", without_nulls(columns))
    }
}

fn spatial() -> Group {
    let columns = vec![
        listed(
            "p",
            "POINT NOT NULL SRID 4326",
            &[
                "ST_GeomFromText('POINT(10 20)', 4326)",
                "ST_GeomFromText('POINT(-89.5 179.5)', 4326)",
            ],
        ),
        listed(
            "g",
            "GEOMETRY SRID 0",
            &["ST_GeomFromText('POINT(500 700)')"],
        ),
    ];
    Group {
        parts: ", SPATIAL KEY (p)",
        ..group("spatial", columns)
    }
}

/// Documents whose text holds all there is to them. Those with inner types that text loses belong here, too:
/// as columns of their own, filled by expressions.
fn documents() -> Vec<Column> {
    vec![drawn(
        "plain",
        "JSON",
        &[
            "'null'",
            "'true'",
            "'0'",
            "'-1'",
            "'2147483648'",
            "'18446744073709551615'",
            "'-9223372036854775808'",
            "'1.5'",
            "'\"\"'",
            "'\"a\\\\\"b\\\\\\\\c\\\\n\\\\u0001é😀\"'",
            "'[]'",
            "'{}'",
            "'[1, [2, {\"a\": null}], \"x\"]'",
            "'{\"b\": 1, \"a\": {\"c\": [true, false]}, \"\": 2, \"ü\": 3}'",
            "CONCAT('[\"', REPEAT('x', 70000), '\", 1, 3000000000]')",
        ],
        Draw::Json,
    )]
}

fn only_mariadb() -> Vec<Group> {
    let calculated = vec![
        listed("a", "INT", &["1", "-1", "1000000000"]),
        listed("hidden", "VARCHAR(10) INVISIBLE", &["'x'", "''"]),
        generated("twice", "BIGINT GENERATED ALWAYS AS (a * 2) VIRTUAL"),
        listed("b", "VARCHAR(60) DEFAULT (UUID())", &["'ä'", "'A '"]),
        generated(
            "both",
            "VARCHAR(90) GENERATED ALWAYS AS (CONCAT(a, '-', b)) PERSISTENT",
        ),
        listed("j", "JSON", &["'{\"a\": 1}'", "'[]'"]),
    ];
    let old = vec![
        drawn("t", "TIME", TIMES, Draw::Time),
        drawn("dt", "DATETIME", DATETIMES, Draw::Datetime),
        drawn("ts", "TIMESTAMP NULL", TIMESTAMPS, Draw::Timestamp),
        drawn("d", "DATE", DATES, Draw::Date),
    ];
    let fractions = (1..=6).flat_map(|fraction| {
        [
            drawn(
                &format!("t{fraction}"),
                format!("TIME({fraction})"),
                TIMES,
                Draw::Time,
            ),
            drawn(
                &format!("dt{fraction}"),
                format!("DATETIME({fraction})"),
                DATETIMES,
                Draw::Datetime,
            ),
            drawn(
                &format!("ts{fraction}"),
                format!("TIMESTAMP({fraction}) NULL"),
                TIMESTAMPS,
                Draw::Timestamp,
            ),
        ]
    });
    let old: Vec<Column> = old.into_iter().chain(fractions).collect();
    let old = Group {
        before: "SET GLOBAL mysql56_temporal_format = OFF;",
        after: "SET GLOBAL mysql56_temporal_format = ON;",
        ..group("old_temporal", old)
    };
    vec![
        group("calculated", calculated),
        old.keyless("old_temporal_loose"),
        old,
    ]
}

/// NULL is no value of a column that a required expression depends on.
fn without_nulls(mut columns: Vec<Column>) -> Vec<Column> {
    for column in columns
        .iter_mut()
        .filter(|column| ["a", "b"].contains(&column.name.as_str()))
    {
        column.definition.push_str(" NOT NULL");
    }
    columns
}
