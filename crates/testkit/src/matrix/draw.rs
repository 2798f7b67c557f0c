//! Random values of a type, as SQL expressions.

use crate::random::Random;

/// Beginnings of scripts that the servers' character sets cover between them; the rest of a text is drawn from
/// the characters that follow. A character that a set lacks becomes `?`, which is a value like another.
const SCRIPTS: [(u32, u64); 14] = [
    (0x20, 95),
    (0x01, 31),
    (0xC0, 64),
    (0x100, 128),
    (0x391, 57),
    (0x410, 64),
    (0x5D0, 27),
    (0x621, 26),
    (0xE01, 58),
    (0x3041, 86),
    (0x30A1, 86),
    (0x4E00, 20_000),
    (0xAC00, 11_000),
    (0x1F300, 700),
];

#[derive(Clone, Copy, Debug)]
pub(super) enum Draw {
    /// One of the column's edges.
    Edge,
    /// A whole number of so many bits, signed or not.
    Integer {
        bits: u32,
        unsigned: bool,
    },
    Decimal {
        digits: u32,
        scale: u32,
    },
    /// Any bit pattern that is a number.
    Float,
    Double,
    Bytes {
        longest: u64,
    },
    Text {
        longest: u64,
    },
    Date,
    Datetime,
    Timestamp,
    Time,
    /// An ordinal or a bit pattern of members.
    Member {
        limit: u64,
    },
    Json,
    Point {
        srid: u32,
    },
    Vector {
        dimensions: u32,
    },
}

impl Draw {
    pub(super) fn value(self, random: &mut Random) -> Option<String> {
        Some(match self {
            Draw::Edge => return None,
            Draw::Integer { bits, unsigned } => integer(random, bits, unsigned),
            Draw::Decimal { digits, scale } => decimal(random, digits, scale),
            Draw::Float => {
                let bits = random.number() as u32;
                number(f64::from(f32::from_bits(bits)))
            }
            Draw::Double => number(f64::from_bits(random.number())),
            Draw::Bytes { longest } => {
                let length = random.below(longest + 1);
                hex((0..length).map(|_| random.number() as u8))
            }
            Draw::Text { longest } => text(random, longest),
            Draw::Date => format!("'{}'", date(random)),
            Draw::Datetime => format!(
                "'{} {}.{}'",
                date(random),
                clock(random, 24),
                micros(random)
            ),
            Draw::Timestamp => format!(
                "FROM_UNIXTIME({}.{})",
                1 + random.below(i32::MAX as u64),
                micros(random)
            ),
            Draw::Time => {
                let sign = if random.one_in(2) { "-" } else { "" };
                format!("'{sign}{}.{}'", clock(random, 838), micros(random))
            }
            Draw::Member { limit } => random.below(limit).to_string(),
            Draw::Json => json(random, 3).replace('\\', "\\\\").replace('\'', "\\'"),
            Draw::Point { srid } => format!(
                "ST_GeomFromText('POINT({} {})', {srid})",
                coordinate(random),
                coordinate(random)
            ),
            Draw::Vector { dimensions } => vector(random, dimensions),
        })
        .map(|value| {
            if matches!(self, Draw::Json) {
                format!("'{value}'")
            } else {
                value
            }
        })
    }
}

fn integer(random: &mut Random, bits: u32, unsigned: bool) -> String {
    // Small numbers as often as large ones: drop a random count of bits.
    let kept = 1 + random.below(u64::from(bits)) as u32;
    let raw = random.number() >> (64 - kept);
    if unsigned || kept == 64 {
        return if unsigned {
            raw.to_string()
        } else {
            (raw as i64).to_string()
        };
    }
    let half = (raw as i64) >> u32::from(kept == bits);
    if random.one_in(2) {
        (-half).to_string()
    } else {
        half.to_string()
    }
}

fn decimal(random: &mut Random, digits: u32, scale: u32) -> String {
    let sign = if random.one_in(2) { "-" } else { "" };
    // Short ones as often as long ones.
    let whole = random.below(u64::from(digits - scale) + 1);
    let fraction = random.below(u64::from(scale) + 1);
    let mut run = |count: u64| -> String {
        (0..count)
            .map(|_| char::from(b'0' + random.below(10) as u8))
            .collect()
    };
    format!("{sign}0{}.{}0", run(whole), run(fraction))
}

fn number(value: f64) -> String {
    if value.is_finite() {
        format!("{value:e}")
    } else {
        "-0e0".to_owned()
    }
}

pub(super) fn hex(bytes: impl Iterator<Item = u8>) -> String {
    let digits: String = bytes.map(|byte| format!("{byte:02X}")).collect();
    format!("X'{digits}'")
}

fn text(random: &mut Random, longest: u64) -> String {
    let length = random.below(longest + 1);
    let mut text = String::new();
    let (mut start, mut count) = SCRIPTS[0];
    for _ in 0..length {
        if random.one_in(3) {
            (start, count) = SCRIPTS[random.below(SCRIPTS.len() as u64) as usize];
        }
        text.extend(char::from_u32(start + random.below(count) as u32));
    }
    if random.one_in(4) && length > 1 {
        text.pop();
        text.push(' ');
    }
    format!("_utf8mb4 {}", hex(text.bytes()))
}

fn date(random: &mut Random) -> String {
    let year = match random.below(4) {
        0 => random.below(10_000),
        _ => 1900 + random.below(200),
    };
    // Zero months and days, and days that the month does not have.
    format!("{year:04}-{:02}-{:02}", random.below(13), random.below(32))
}

fn clock(random: &mut Random, hours: u64) -> String {
    let hour = random.below(hours);
    format!("{hour:02}:{:02}:{:02}", random.below(60), random.below(60))
}

fn micros(random: &mut Random) -> String {
    match random.below(4) {
        0 => "000000".to_owned(),
        1 => "000001".to_owned(),
        _ => format!("{:06}", random.below(1_000_000)),
    }
}

/// A document whose members keep their type when they are printed and read again.
fn json(random: &mut Random, depth: u32) -> String {
    match random.below(if depth == 0 { 6 } else { 8 }) {
        0 => "null".to_owned(),
        1 => if random.one_in(2) { "true" } else { "false" }.to_owned(),
        2 => (random.number() as i64 >> random.below(64)).to_string(),
        3 => (random.number() >> random.below(64)).to_string(),
        4 => format!("{}.5", random.below(100_000)),
        5 => json_text(random),
        6 => {
            let members: Vec<String> = (0..random.below(5))
                .map(|_| json(random, depth - 1))
                .collect();
            format!("[{}]", members.join(", "))
        }
        _ => {
            let members: Vec<String> = (0..random.below(5))
                .map(|place| format!("\"k{place}\": {}", json(random, depth - 1)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
    }
}

fn json_text(random: &mut Random) -> String {
    let words = [
        "", "a", "é", "😀", "\\\"", "\\\\", "\\n", "\\u0001", "'", "日本", "x\\ty",
    ];
    let count = random.below(4);
    let text: String = (0..count).map(|_| random.pick(&words)).collect();
    format!("\"{text}\"")
}

fn coordinate(random: &mut Random) -> String {
    format!(
        "{}.{}",
        random.below(160) as i64 - 80,
        random.below(1_000_000_000)
    )
}

fn vector(random: &mut Random, dimensions: u32) -> String {
    let numbers: Vec<String> = (0..dimensions)
        .map(|_| format!("{}e-{}", random.number() as i32, random.below(30)))
        .collect();
    format!("STRING_TO_VECTOR('[{}]')", numbers.join(","))
}
