//! Filters select the same rows here as on the servers: random conditions over random rows.

use super::{FLAVOURS, control, endpoint, read_range, source, start};
use std::fmt::Write;
use wherry_engine::state::KeyRange;
use wherry_model::{Table, TableName};
use wherry_mysql::catalog::read_table;
use wherry_mysql::filter::{Answers, Filter, Questions};
use wherry_mysql::session::{Session, SessionKind};
use wherry_testkit::{Flavour, Random};

const ROWS: usize = 60;
const CONDITIONS: usize = 500;
const CONDITIONS_LONG: usize = 20_000;

const COLUMNS: &str = "id INT PRIMARY KEY, i INT, t TINYINT, u BIGINT UNSIGNED, n DECIMAL(12,3), y YEAR, \
    d DATE, dt DATETIME(3), ts TIMESTAMP NULL, tm TIME, \
    g VARCHAR(12) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci, \
    c VARCHAR(12) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci, \
    s VARCHAR(12) CHARACTER SET utf8mb4 COLLATE utf8mb4_spanish_ci, \
    b VARCHAR(12) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, \
    w VARCHAR(12) CHARACTER SET utf8mb4 COLLATE {native}, \
    z VARCHAR(12) CHARACTER SET utf8, l CHAR(12) CHARACTER SET latin1, \
    vb VARBINARY(12), bi BINARY(4), e ENUM('new','paid','Late') CHARACTER SET latin1";

const TEXTS: [&str; 26] = [
    "", " ", "a", "A", "b", "B ", "ab", "Ab%", "a_b", "ch", "cz", "a\tb", "\\", "zz", "10", "9",
    "paid", "NEW", "A'b", "ä", "Ä", "ß", "ss", "é", "日", "😀",
];
/// Those before this one are ASCII, and those before the other are in latin1.
const ASCII: usize = 19;
const LATIN: usize = 24;
const NUMBERS: [&str; 12] = [
    "0", "1", "2", "3", "-1", "7", "10", "99", "127", "-128", "255", "1.5",
];
const DAYS: [&str; 6] = [
    "2024-02-29",
    "2023-12-31",
    "1999-01-01",
    "2024-03-01",
    "2030-06-15",
    "2000-02-28",
];
const CLOCKS: [&str; 5] = [
    "00:00:00",
    "12:34:56",
    "23:59:59",
    "01:02:03",
    "07:08:09.250",
];
const OPERATORS: [&str; 7] = ["=", "<>", "!=", "<", "<=", ">", ">="];
const TEXT_COLUMNS: [(&str, usize); 9] = [
    ("g", 26),
    ("c", 26),
    ("s", 26),
    ("b", 26),
    ("w", 26),
    ("z", ASCII),
    ("l", ASCII),
    ("vb", 26),
    ("bi", ASCII),
];

struct Writer {
    random: Random,
}

impl Writer {
    fn below(&mut self, limit: usize) -> usize {
        self.random.below(limit as u64) as usize
    }

    fn one<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    fn quoted(&mut self, among: usize) -> String {
        let text = TEXTS[self.below(among)];
        format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
    }

    fn row(&mut self, id: usize) -> String {
        let mut row = format!("({id}");
        for column in 1..20 {
            let value = match column {
                _ if self.random.one_in(8) => "NULL".to_owned(),
                1 => self
                    .one(&["0", "1", "-1", "7", "2147483647", "-2147483648", "10"])
                    .to_owned(),
                2 => self.one(&["0", "1", "-1", "127", "-128", "2"]).to_owned(),
                3 => self
                    .one(&["0", "1", "18446744073709551615", "9223372036854775808", "7"])
                    .to_owned(),
                4 => self
                    .one(&["0", "1.5", "-1.500", "999999999.999", "10", "0.001"])
                    .to_owned(),
                5 => self.one(&["0", "1999", "2024", "2155", "2001"]).to_owned(),
                6 => format!(
                    "'{}'",
                    self.one(&[
                        "0000-00-00",
                        "2024-02-30",
                        "2024-02-29",
                        "1999-01-01",
                        "2030-06-15"
                    ])
                ),
                7 => format!("'{} {}'", self.one(&DAYS), self.one(&CLOCKS)),
                8 => format!("'{} {}'", self.one(&DAYS), self.one(&CLOCKS[..4])),
                9 => format!(
                    "'{}'",
                    self.one(&[
                        "-12:34:56",
                        "838:59:59",
                        "00:00:00",
                        "12:34:56",
                        "-00:00:01"
                    ])
                ),
                10..=14 => self.quoted(26),
                15 => self.quoted(LATIN + 1),
                16 => self.quoted(LATIN),
                17 => self.quoted(26),
                18 => format!("LEFT({}, 4)", self.quoted(ASCII)),
                _ => self.one(&["'new'", "'paid'", "'Late'"]).to_owned(),
            };
            let _ = write!(row, ",{value}");
        }
        row.push(')');
        row
    }

    fn number(&mut self, depth: usize) -> String {
        if depth == 0 || self.random.one_in(3) {
            return match self.below(12) {
                0 => self
                    .one(&[
                        "CHAR_LENGTH(g)",
                        "LENGTH(c)",
                        "CHAR_LENGTH(l)",
                        "LENGTH(vb)",
                        "CHARACTER_LENGTH(z)",
                    ])
                    .to_owned(),
                1 => self
                    .one(&["YEAR(d)", "MONTH(dt)", "DAY(ts)", "DAYOFMONTH(d)", "y"])
                    .to_owned(),
                2 => self
                    .one(&[
                        "COALESCE(i,0)",
                        "IFNULL(t,i)",
                        "ABS(t)",
                        "ABS(n)",
                        "COALESCE(u,7)",
                    ])
                    .to_owned(),
                3..=6 => self.one(&NUMBERS).to_owned(),
                _ => self.one(&["i", "t", "`u`", "n", "I"]).to_owned(),
            };
        }
        let (left, right) = (self.number(depth - 1), self.number(depth - 1));
        match self.below(6) {
            0 => format!("({left} + {right})"),
            1 => format!("({left} - {right})"),
            2 => format!("{left} * {right}"),
            3 => format!("({left} % {right})"),
            4 => format!("({left} DIV {right})"),
            _ => format!("-({left})"),
        }
    }

    fn moment(&mut self) -> String {
        let column = self.one(&["d", "dt", "ts", "tm"]);
        let literal = |writer: &mut Writer| match column {
            "d" => format!("{}'{}'", writer.one(&["", "DATE "]), writer.one(&DAYS)),
            "tm" => format!(
                "{}'{}'",
                writer.one(&["", "TIME "]),
                writer.one(&["-12:34:56", "00:00:00", "12:34:56", "100:00:00.5"])
            ),
            _ if writer.random.one_in(3) => format!("'{}'", writer.one(&DAYS)),
            _ => format!(
                "{}'{} {}'",
                writer.one(&["", "TIMESTAMP "]),
                writer.one(&DAYS),
                writer.one(&CLOCKS)
            ),
        };
        let (one, other) = (literal(self), literal(self));
        match self.below(4) {
            0 => format!("{column} BETWEEN {one} AND {other}"),
            1 => format!("{column} IN ({one}, {other})"),
            2 => format!("{column} IS NULL"),
            _ => format!("{column} {} {one}", self.one(&OPERATORS)),
        }
    }

    fn text(&mut self) -> String {
        if self.random.one_in(10) {
            let operator = self.one(&["=", "<>"]);
            return format!(
                "e {operator} {}",
                self.one(&["'new'", "'PAID'", "'late '", "'x'"])
            );
        }
        let (column, among) = TEXT_COLUMNS[self.below(TEXT_COLUMNS.len())];
        let (one, other) = (self.quoted(among), self.quoted(among));
        let not = self.one(&["", "NOT "]);
        match self.below(6) {
            0 => format!("{column} {not}BETWEEN {one} AND {other}"),
            1 => format!(
                "{column} {not}IN ({one}, {other}{})",
                self.one(&["", ", NULL"])
            ),
            2 => {
                let patterns = [
                    "'a%'",
                    "'%B'",
                    "'_'",
                    "'%\\_%'",
                    "'Ab\\%'",
                    "'A_b'",
                    "'%'",
                    "''",
                    "'%s%'",
                    "'a|_b' ESCAPE '|'",
                ];
                format!("{column} {not}LIKE {}", self.one(&patterns))
            }
            3 => format!("{column} IS {not}NULL"),
            _ => format!("{column} {} {one}", self.one(&OPERATORS)),
        }
    }

    fn condition(&mut self, depth: usize) -> String {
        if depth > 0 && !self.random.one_in(4) {
            let (left, right) = (self.condition(depth - 1), self.condition(depth - 1));
            return match self.below(9) {
                0 | 1 => format!("{left} AND {right}"),
                2 | 3 => format!("{left} OR {right}"),
                4 => format!("({left}) XOR {right}"),
                5 => format!("NOT {left}"),
                6 => format!(
                    "({left}) IS {}",
                    self.one(&[
                        "TRUE",
                        "NOT TRUE",
                        "FALSE",
                        "NOT FALSE",
                        "UNKNOWN",
                        "NOT UNKNOWN",
                        "NULL"
                    ])
                ),
                7 => format!("NOT ({left} AND {right})"),
                _ => format!("({left} OR {right})"),
            };
        }
        match self.below(6) {
            0 | 1 => self.text(),
            2 if self.random.one_in(6) => {
                let years = ["1999", "2024", "2155", "1901"];
                let (one, other) = (self.one(&years), self.one(&years));
                match self.below(3) {
                    0 => format!("y BETWEEN {one} AND {other}"),
                    1 => format!("y NOT IN ({one}, {other})"),
                    _ => format!("y {} {one}", self.one(&OPERATORS)),
                }
            }
            2 => self.moment(),
            3 => {
                let [value, low, high] = [0, 1, 2].map(|_| self.number(1));
                format!(
                    "{value} {}BETWEEN {low} AND {high}",
                    self.one(&["", "NOT "])
                )
            }
            4 => {
                let [value, one, other] = [0, 1, 2].map(|_| self.number(1));
                format!(
                    "{value} {}IN ({one}, {other}{})",
                    self.one(&["", "NOT "]),
                    self.one(&["", ", NULL"])
                )
            }
            _ => {
                let (left, right) = (self.number(2), self.number(2));
                format!("{left} {} {right}", self.one(&OPERATORS))
            }
        }
    }
}

struct Lab {
    session: Session,
    table: Table,
    rows: Vec<wherry_model::Row>,
    answers: Answers,
}

impl Lab {
    async fn new(flavour: Flavour, writer: &mut Writer) -> (wherry_testkit::Server, Lab) {
        let server = start(flavour, false).await;
        let native = match flavour {
            Flavour::MySql97 => "utf8mb4_0900_ai_ci",
            _ => "utf8mb4_unicode_520_ci",
        };
        let columns = COLUMNS.replace("{native}", native);
        let rows: Vec<String> = (0..ROWS).map(|id| writer.row(id)).collect();
        server
            .sql(&format!(
                "SET NAMES utf8mb4, time_zone = '+00:00', sql_mode = 'ALLOW_INVALID_DATES'; CREATE DATABASE zoo; \
                 CREATE TABLE zoo.t ({columns}) ENGINE=InnoDB; INSERT IGNORE INTO zoo.t VALUES {}",
                rows.join(",")
            ))
            .await
            .expect("rows");
        let mut session = control(&server).await;
        let table = read_table(&mut session, &TableName::new("zoo", "t")).await;
        let table = table.expect("a catalog").expect("a table");
        session.close().await;
        let rows = read_range(&source(&server), &table, &KeyRange::all()).await;
        assert_eq!(rows.len(), ROWS);
        let session = Session::connect(&endpoint(&server), SessionKind::Read).await;
        let lab = Lab {
            session: session.expect("a session"),
            table,
            rows,
            answers: Answers::default(),
        };
        (server, lab)
    }

    async fn selected_there(&mut self, condition: &str) -> Vec<String> {
        let sql = format!("SELECT id FROM zoo.t WHERE {condition} ORDER BY id");
        let rows = self.session.query(sql.clone()).await;
        let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let id = |row| rows.text(row, 0).expect("an id").to_owned();
        (0..rows.rows.len()).map(id).collect()
    }

    async fn selected_here(&mut self, filter: &Filter) -> Vec<String> {
        loop {
            let mut questions = Questions::default();
            let mut ids = Vec::new();
            for row in &self.rows {
                let values: Vec<Option<&[u8]>> = row.values().collect();
                if filter.selects(&values, &self.answers, &mut questions) == Some(true) {
                    ids.push(String::from_utf8_lossy(values[0].expect("an id")).into_owned());
                }
            }
            if questions.is_empty() {
                return ids;
            }
            let asked = self.answers.ask(&mut self.session, &questions).await;
            asked.expect("answers");
        }
    }
}

#[tokio::test]
async fn random_filters_select_what_the_servers_select() {
    let seed = Random::fresh_seed();
    eprintln!("filter seed {seed}");
    let wanted = match std::env::var_os("WHERRY_SOAK") {
        Some(_) => CONDITIONS_LONG,
        None => CONDITIONS,
    };
    for flavour in FLAVOURS {
        let mut writer = Writer {
            random: Random::new(seed),
        };
        let (_server, mut lab) = Lab::new(flavour, &mut writer).await;
        let (mut compared, mut refused, mut telling) = (0, 0, 0);
        while compared < wanted {
            let condition = writer.condition(3);
            let filter = match Filter::compile(&condition, &lab.table) {
                Ok(filter) => filter,
                Err(error) => {
                    // Ranges and kinds that do not fit, never the syntax.
                    assert!(
                        ["FLT-004", "FLT-005"].contains(&error.code),
                        "{condition}: {error:?}"
                    );
                    refused += 1;
                    assert!(refused < wanted * 4, "nearly nothing is taken");
                    continue;
                }
            };
            let there = lab.selected_there(&condition).await;
            let here = lab.selected_here(&filter).await;
            assert_eq!(here, there, "{flavour:?}, seed {seed}: {condition}");
            let again = lab.selected_there(filter.sql()).await;
            assert_eq!(
                again,
                there,
                "{flavour:?}, seed {seed}: {condition} as {}",
                filter.sql()
            );
            telling += usize::from(!there.is_empty() && there.len() < ROWS);
            compared += 1;
        }
        assert!(
            telling > compared / 4,
            "{telling} of {compared} tell rows apart"
        );
        lab.session.close().await;
    }
}

/// What cannot mean the same everywhere is refused, with its place.
#[tokio::test]
async fn other_filters_are_refused_with_their_place() {
    let mut writer = Writer {
        random: Random::new(1),
    };
    let (_server, lab) = Lab::new(Flavour::MySql97, &mut writer).await;
    let check = |text: &str, code: &str, at: usize| {
        let error = Filter::compile(text, &lab.table).expect_err(text);
        assert_eq!(
            (error.code, error.at),
            (code, at),
            "{text}: {}",
            error.message
        );
    };
    check("i = ", "FLT-001", 4);
    check("i = 1 2", "FLT-001", 6);
    check("i = 'a", "FLT-001", 4);
    check("i IS 5", "FLT-001", 2);
    check("i = 1 -- x", "FLT-001", 6);
    check("nothing = 1", "FLT-002", 0);
    check("i = 1 AND t.i = 2", "FLT-001", 11);
    check("i = 1 OR RAND() < 1", "FLT-003", 9);
    check("i = 1 || t = 1", "FLT-003", 6);
    check("i = (SELECT 1)", "FLT-003", 5);
    check("i = @x", "FLT-001", 4);
    check("dt < NOW()", "FLT-003", 5);
    check("g REGEXP 'a'", "FLT-001", 2);
    check("g = BINARY 'a'", "FLT-003", 4);
    check("i / 2 = 1", "FLT-003", 2);
    check("i <=> NULL", "FLT-003", 2);
    check("u IN (i, 1)", "FLT-004", 6);
    check("y = 24", "FLT-004", 2);
    check("tm BETWEEN '00:00:00' AND TIME '01:00:00'", "FLT-004", 3);
    check("i = 1e3", "FLT-003", 4);
    check("i = '1'", "FLT-004", 2);
    check("g = 1", "FLT-004", 2);
    check("i = NULL", "FLT-004", 2);
    check("g = c", "FLT-004", 2);
    check("1 = 1", "FLT-004", 2);
    check("d = '2024-02-30'", "FLT-004", 2);
    check("d = '2024-02-29 01:00:00'", "FLT-004", 2);
    check("z = 'é'", "FLT-004", 2);
    check("e < 'new'", "FLT-004", 2);
    check("g", "FLT-004", 0);
    check("u + 1 > 5", "FLT-005", 2);
    check("u - 1 > 5", "FLT-005", 2);
    check("-u < 0", "FLT-005", 0);
}
