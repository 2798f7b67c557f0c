//! Columns: types with all their options, defaults, comments, character sets, and what is calculated.

use super::{Draft, ODD_NAMES, quoted};

/// What a column can be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Integer,
    Number,
    Bits,
    Time,
    Text,
    LongText,
    Bytes,
    LongBytes,
    Member,
    Json,
    Point,
    Vector,
}

#[derive(Debug, Clone)]
pub(super) struct Column {
    pub name: String,
    pub class: Class,
    /// Everything behind the name.
    pub definition: String,
    /// SQL of some values; none for a column that cannot be written.
    pub values: Vec<String>,
    pub nullable: bool,
    pub has_default: bool,
    pub in_key: bool,
    /// The character set, where one was named.
    pub charset: &'static str,
    pub srid: bool,
}

impl Column {
    pub fn clause(&self) -> String {
        format!("{} {}", quoted(&self.name), self.definition)
    }

    /// Written by statements, and not by a counter.
    pub fn is_free(&self) -> bool {
        !self.values.is_empty() && !self.definition.contains("AUTO_INCREMENT")
    }

    /// Can be a key part without a prefix.
    pub fn is_short(&self) -> bool {
        matches!(
            self.class,
            Class::Integer
                | Class::Number
                | Class::Bits
                | Class::Time
                | Class::Member
                | Class::Text
                | Class::Bytes
        )
    }
}

const INTEGERS: [&str; 6] = [
    "tinyint",
    "smallint",
    "mediumint",
    "int",
    "bigint",
    "tinyint(1)",
];
/// Of an ENUM; those of a SET have no comma.
const LABELS: [&str; 2] = ["'x','y,z','it''s','(b)'", "'','small','LARGE','ünï'"];

impl Draft<'_> {
    pub(super) fn draw_columns(&mut self) {
        let count = 2 + self.random.below(9) as usize;
        for number in 0..count {
            let mut column = self.written_column(number);
            self.finish(&mut column);
            self.columns.push(column);
        }
        if self.flavour.has_generated_columns() {
            for number in 0..self.random.below(3) {
                self.add_generated(number);
            }
        }
    }

    fn column_name(&mut self, number: usize) -> String {
        match self.random.below(5) {
            0 => format!("{} {number}", self.pick(&ODD_NAMES)),
            1 => format!("Col{number}"),
            _ => format!("c{number}"),
        }
    }

    /// A type with its values.
    fn written_column(&mut self, number: usize) -> Column {
        let mut column = Column {
            name: self.column_name(number),
            class: Class::Integer,
            definition: String::new(),
            values: Vec::new(),
            nullable: true,
            has_default: false,
            in_key: false,
            charset: "",
            srid: false,
        };
        let (class, definition, values) = self.typed(&mut column);
        column.class = class;
        column.definition = definition;
        column.values = values;
        column
    }

    /// Class, type and values.
    fn typed(&mut self, column: &mut Column) -> (Class, String, Vec<String>) {
        match self.random.below(17) {
            0..=3 => self.integer(),
            4 => self.decimal(),
            5 => {
                let kind = self.pick(&[
                    "float",
                    "double",
                    "float(7,3)",
                    "double(10,2)",
                    "float unsigned",
                ]);
                (
                    Class::Number,
                    kind.to_owned(),
                    strings(&["1.5", "0.25", "100"]),
                )
            }
            6 => {
                let bits = 1 + self.random.below(64);
                (
                    Class::Bits,
                    format!("bit({bits})"),
                    strings(&["b'1'", "b'0'"]),
                )
            }
            7 | 8 => self.time(),
            9 | 10 => self.text(column),
            11 => self.long_text(column),
            12 => {
                let kind = self.pick(&["binary(4)", "varbinary(30)", "binary(16)"]);
                (
                    Class::Bytes,
                    kind.to_owned(),
                    strings(&["x'00FF'", "'a'", "x'0000'"]),
                )
            }
            13 => {
                let kind = self.pick(&["tinyblob", "blob", "mediumblob", "longblob"]);
                (
                    Class::LongBytes,
                    kind.to_owned(),
                    strings(&["x'00FF'", "'abc'"]),
                )
            }
            14 => {
                let kind = self.pick(&["enum", "set"]);
                let labels = match kind {
                    "set" => "'x','y','it''s','(b)'",
                    _ => self.pick(&LABELS),
                };
                (
                    Class::Member,
                    format!("{kind}({labels})"),
                    strings(&["1", "2"]),
                )
            }
            15 => self.json(),
            // MariaDB has no spatial columns in partitions.
            _ if self.partitioned && self.is_mariadb() => self.integer(),
            _ => self.point(column),
        }
    }

    fn integer(&mut self) -> (Class, String, Vec<String>) {
        let mut kind = self.pick(&INTEGERS).to_owned();
        if self.random.one_in(4) && kind != "tinyint(1)" {
            kind.push_str(&format!("({})", 1 + self.random.below(20)));
        }
        kind.push_str(self.pick(&["", "", " unsigned", " zerofill", " unsigned zerofill"]));
        (Class::Integer, kind, strings(&["1", "2", "3", "100"]))
    }

    fn decimal(&mut self) -> (Class, String, Vec<String>) {
        let scale = self.random.below(10);
        let digits = scale + 4 + self.random.below(40);
        let unsigned = self.pick(&["", "", " unsigned", " zerofill"]);
        let kind = format!("decimal({digits},{scale}){unsigned}");
        (Class::Number, kind, strings(&["1.5", "20.25", "333"]))
    }

    fn time(&mut self) -> (Class, String, Vec<String>) {
        let fraction = match self.random.below(7) {
            0 => String::new(),
            digits => format!("({digits})"),
        };
        match self.random.below(5) {
            0 => (
                Class::Time,
                "date".to_owned(),
                strings(&["'2020-02-29'", "'1000-01-01'", "'0000-00-00'"]),
            ),
            1 => (
                Class::Time,
                format!("time{fraction}"),
                strings(&["'-838:59:59'", "'12:34:56.789'"]),
            ),
            2 => (
                Class::Time,
                format!("datetime{fraction}"),
                strings(&["'2020-02-29 12:34:56.789'", "'2021-01-01'"]),
            ),
            3 => (
                Class::Time,
                format!("timestamp{fraction}"),
                strings(&["'2020-02-29 12:34:56.789'", "'2021-01-01'"]),
            ),
            _ => (
                Class::Time,
                "year".to_owned(),
                strings(&["2020", "1999", "0"]),
            ),
        }
    }

    fn text(&mut self, column: &mut Column) -> (Class, String, Vec<String>) {
        let length = 1 + self.random.below(40);
        let kind = self.pick(&["char", "varchar"]);
        let charset = self.charset(column);
        (
            Class::Text,
            format!("{kind}({length}){charset}"),
            strings(&["'a'", "'B '", "''", "'z'"]),
        )
    }

    fn long_text(&mut self, column: &mut Column) -> (Class, String, Vec<String>) {
        let kind = self.pick(&["tinytext", "text", "mediumtext", "longtext", "varchar(500)"]);
        let charset = self.charset(column);
        (
            Class::LongText,
            format!("{kind}{charset}"),
            strings(&["'some words here'", "'other'"]),
        )
    }

    /// A character set, a collation, both, or nothing.
    fn charset(&mut self, column: &mut Column) -> String {
        if self.random.one_in(2) {
            return String::new();
        }
        let mut pairs = vec![
            ("latin1", "latin1_german2_ci"),
            ("latin1", "latin1_bin"),
            ("ascii", "ascii_bin"),
            ("utf8", "utf8_general_ci"),
            ("utf8", "utf8_unicode_ci"),
            ("utf8mb4", "utf8mb4_bin"),
            ("utf8mb4", "utf8mb4_general_ci"),
            ("utf8mb4", "utf8mb4_unicode_520_ci"),
            ("gbk", "gbk_chinese_ci"),
            ("sjis", "sjis_bin"),
            ("cp1251", "cp1251_general_cs"),
            ("utf16", "utf16_general_ci"),
        ];
        if self.is_97() {
            pairs.extend([
                ("utf8mb4", "utf8mb4_0900_ai_ci"),
                ("utf8mb4", "utf8mb4_ja_0900_as_cs"),
                ("utf8mb4", "utf8mb4_0900_bin"),
            ]);
        }
        let (charset, collation) = self.pick(&pairs);
        column.charset = charset;
        match self.random.below(3) {
            0 => format!(" CHARACTER SET {charset}"),
            1 => format!(" COLLATE {collation}"),
            _ => format!(" CHARACTER SET {charset} COLLATE {collation}"),
        }
    }

    fn json(&mut self) -> (Class, String, Vec<String>) {
        if self.is_97() && self.random.one_in(4) {
            return (
                Class::Vector,
                "vector(3)".to_owned(),
                strings(&["string_to_vector('[1,2,3]')"]),
            );
        }
        match self.flavour.has_json() {
            true => (
                Class::Json,
                "json".to_owned(),
                strings(&["'{\"k\": [1, 2, \"x\"]}'", "'[]'"]),
            ),
            false if self.is_mariadb() => (
                Class::LongText,
                "json".to_owned(),
                strings(&["'{\"k\": [1, 2]}'", "'[]'"]),
            ),
            false => (Class::LongText, "text".to_owned(), strings(&["'x'", "'y'"])),
        }
    }

    fn point(&mut self, column: &mut Column) -> (Class, String, Vec<String>) {
        let kind = self.pick(&["point", "geometry"]);
        if self.is_97() && self.is_innodb && self.random.one_in(2) {
            column.srid = true;
            let values = strings(&["ST_GeomFromText('POINT(1 2)', 4326)"]);
            return (Class::Point, format!("{kind} SRID 4326"), values);
        }
        let (kind, values) = if self.is_mariadb() && self.random.one_in(2) {
            (
                format!("{kind} REF_SYSTEM_ID=4326"),
                "ST_GeomFromText('POINT(1 2)', 4326)",
            )
        } else {
            (kind.to_owned(), "ST_GeomFromText('POINT(1 2)')")
        };
        (Class::Point, kind, strings(&[values]))
    }

    /// NULL, default, visibility, comment.
    fn finish(&mut self, column: &mut Column) {
        let required = self.random.one_in(3);
        column.nullable = !required;
        if required {
            column.definition.push_str(" NOT NULL");
        } else if column.definition.starts_with("timestamp") {
            // Old servers make a TIMESTAMP required unless it is said.
            column.definition.push_str(" NULL");
        }
        let default = self.default(column);
        column.has_default = !default.is_empty() || column.nullable;
        column.definition.push_str(&default);
        if !self.flavour.is_old() && self.random.one_in(10) && !self.columns.is_empty() {
            column.definition.push_str(" INVISIBLE");
            if default.is_empty() && required && self.is_mariadb() {
                // MariaDB wants a default there.
                column.definition = column.definition.replace(" INVISIBLE", "");
            }
        }
        column.definition.push_str(&self.comment(" "));
    }

    fn default(&mut self, column: &Column) -> String {
        if self.random.one_in(3) {
            return String::new();
        }
        if column.nullable && self.random.one_in(6) {
            return " DEFAULT NULL".to_owned();
        }
        let value = match column.class {
            Class::Integer if self.random.one_in(5) => self.expression("1 + 2", "7"),
            Class::Integer => self.pick(&["0", "'7'", "5", "'0'"]).to_owned(),
            Class::Number => self
                .pick(&["0", "'1.50'", "1.5", "'0.00'", "'1e1'"])
                .to_owned(),
            Class::Bits => self.pick(&["b'1'", "b'0'", "1"]).to_owned(),
            Class::Time => return self.time_default(&column.definition),
            Class::Text => self.text_default(),
            Class::Bytes => self.pick(&["'a'", "''", "x'6100'"]).to_owned(),
            Class::Member => self.pick(&["1", "2"]).to_owned(),
            Class::LongText if column.definition.starts_with("varchar") => self.text_default(),
            Class::LongText if self.flavour.is_old() => return String::new(),
            Class::LongText if column.definition.starts_with("json") => {
                "'{\"a\": [1, \"x''y\"]}'".to_owned()
            }
            Class::LongText => self.expression("concat('a', \",b)\", 'c')", "'it''s, (x)'"),
            Class::Json => "(json_object('k', 1, 'l', \"it's\"))".to_owned(),
            Class::LongBytes | Class::Point | Class::Vector => return String::new(),
        };
        // An ENUM takes a label.
        if column.class == Class::Member {
            let first = if column.definition.contains("small") {
                ["''", "'small'"]
            } else {
                ["'x'", "'it''s'"]
            };
            return format!(" DEFAULT {}", self.pick(&first));
        }
        format!(" DEFAULT {value}")
    }

    fn text_default(&mut self) -> String {
        // At most one character, so that it fits every length.
        if self.random.one_in(6) {
            return self.expression("lower('A')", "''");
        }
        self.pick(&[
            "''", "''''", "'\\\\'", "'\\n'", "'\"'", "'`'", "'0'", "' '", "')'",
        ])
        .to_owned()
    }

    /// A default that is calculated, where the flavour has such ones.
    fn expression(&mut self, text: &str, otherwise: &str) -> String {
        if self.is_97() || self.is_mariadb() {
            format!("({text})")
        } else {
            otherwise.to_owned()
        }
    }

    fn time_default(&mut self, definition: &str) -> String {
        let kind = definition.split(['(', ' ']).next().unwrap_or_default();
        let fraction = definition
            .split_once('(')
            .and_then(|(_, rest)| rest.split(')').next())
            .map_or_else(String::new, |digits| format!("({digits})"));
        match kind {
            "date" => format!(
                " DEFAULT {}",
                self.pick(&["'0000-00-00'", "'2020-01-02'", "'2020-00-00'"])
            ),
            "time" => format!(
                " DEFAULT {}",
                self.pick(&["'00:00:00'", "'-12:30:00'", "'100:00:00'"])
            ),
            "year" => format!(" DEFAULT {}", self.pick(&["2020", "'1999'", "0"])),
            _ => {
                let zero = self.pick(&["'0000-00-00 00:00:00'", "'2020-01-02 03:04:05'"]);
                let zero = if kind == "timestamp" && zero.starts_with("'0000") {
                    "'2020-01-02 03:04:05'"
                } else {
                    zero
                };
                match self.random.below(4) {
                    0 => format!(" DEFAULT {zero}"),
                    1 => format!(" DEFAULT CURRENT_TIMESTAMP{fraction}"),
                    2 => format!(
                        " DEFAULT CURRENT_TIMESTAMP{fraction} ON UPDATE CURRENT_TIMESTAMP{fraction}"
                    ),
                    _ => format!(" DEFAULT {zero} ON UPDATE CURRENT_TIMESTAMP{fraction}"),
                }
            }
        }
    }

    /// A column that is calculated from another.
    fn add_generated(&mut self, number: u64) {
        let bases: Vec<Column> = self
            .columns
            .iter()
            .filter(|column| {
                matches!(column.class, Class::Integer | Class::Text) && !column.values.is_empty()
            })
            .filter(|column| !column.definition.contains("zerofill"))
            .cloned()
            .collect();
        if bases.is_empty() {
            return;
        }
        let base = self.pick(&bases);
        let name = quoted(&base.name);
        let (class, kind, expression) = match base.class {
            Class::Integer => {
                let expression = self.pick(&[
                    "{} + 1",
                    "{} * 2 + 3",
                    "({} + 1) * ({} + 2)",
                    "if({} > 1, 5, 6)",
                    "{} % 7",
                ]);
                (Class::Integer, "bigint", expression.replace("{}", &name))
            }
            _ => {
                let expression = self.pick(&[
                    "concat({}, ',x)')",
                    "upper({})",
                    "concat('it''s', {})",
                    "left({}, 3)",
                ]);
                (Class::Text, "varchar(120)", expression.replace("{}", &name))
            }
        };
        let stored = self.pick(&["VIRTUAL", "STORED", ""]);
        let always = self.pick(&["GENERATED ALWAYS ", ""]);
        let mut definition = format!("{kind} {always}AS ({expression}) {stored}");
        definition.push_str(&self.comment(" "));
        self.columns.push(Column {
            name: format!("g{number}"),
            class,
            definition,
            values: Vec::new(),
            nullable: true,
            has_default: false,
            in_key: false,
            charset: "",
            srid: false,
        });
    }
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}
