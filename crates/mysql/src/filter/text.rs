//! Comparisons of texts, which a collation decides.
//!
//! Bytes, collations that compare bytes, and printable ASCII under collations without a language are
//! compared here. Everything else becomes a question to the source: the same comparison with
//! constants in the place of columns.

use super::Truth;
use super::node::holds;
use crate::literal::{push_hex, push_quoted};
use std::cmp::Ordering;
use wherry_model::Column;
use wherry_model::name::quote;

#[derive(Debug, Clone)]
pub(super) enum Operand {
    Column(usize),
    Constant(Vec<u8>),
}

#[derive(Debug, Clone)]
pub(super) enum TestKind {
    Compare(&'static str, Operand, Operand),
    /// The list without NULL.
    In(usize, Vec<Vec<u8>>),
    Like(usize, Vec<u8>, u8),
}

#[derive(Debug, Clone)]
pub(super) struct TextTest {
    pub kind: TestKind,
    pub comparison: Comparison,
    /// The list of an IN holds a NULL.
    pub null_in_list: bool,
}

/// How texts of a column are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comparison {
    pub charset: String,
    /// Empty for bytes.
    pub collation: String,
}

pub(super) enum Outcome {
    Known(Truth),
    Ask(String),
}

/// What is known of a collation without asking.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Byte by byte.
    Bytes {
        pads: bool,
    },
    /// Printable ASCII without case; where `ordered`, in the order of capital letters.
    Letters {
        pads: bool,
        ordered: bool,
    },
    Nothing,
}

/// Sets whose ASCII characters are their bytes.
const ASCII_SETS: [&str; 5] = ["ascii", "latin1", "utf8", "utf8mb3", "utf8mb4"];

impl Comparison {
    pub fn of(column: &Column) -> Option<Comparison> {
        Some(Comparison {
            charset: column.charset.clone()?,
            collation: column.collation.clone()?,
        })
    }

    pub fn bytes() -> Comparison {
        Comparison {
            charset: "binary".to_owned(),
            collation: String::new(),
        }
    }

    pub fn use_old_names(&mut self) {
        for name in [&mut self.charset, &mut self.collation] {
            if let Some(rest) = name.strip_prefix("utf8mb3") {
                *name = format!("utf8{rest}");
            }
        }
    }

    pub fn is_bytes(&self) -> bool {
        self.collation.is_empty()
    }

    fn known(&self) -> Known {
        if self.is_bytes() {
            return Known::Bytes { pads: false };
        }
        if !ASCII_SETS.contains(&self.charset.as_str()) {
            return Known::Nothing;
        }
        let ending = self
            .collation
            .strip_prefix(&self.charset)
            .unwrap_or_default();
        match ending {
            "_bin" => Known::Bytes { pads: true },
            "_0900_bin" => Known::Bytes { pads: false },
            "_general_ci" if self.charset != "latin1" => Known::Letters {
                pads: true,
                ordered: true,
            },
            "_swedish_ci" if self.charset == "latin1" => Known::Letters {
                pads: true,
                ordered: true,
            },
            "_unicode_ci" | "_unicode_520_ci" => Known::Letters {
                pads: true,
                ordered: false,
            },
            "_0900_ai_ci" => Known::Letters {
                pads: false,
                ordered: false,
            },
            _ => Known::Nothing,
        }
    }
}

impl TextTest {
    pub fn outcome(&self, row: &[Option<&[u8]>]) -> Outcome {
        let value = |column: usize| row.get(column).copied().flatten();
        let known = self.comparison.known();
        let local = match &self.kind {
            TestKind::Compare(operator, left, right) => {
                let of = |operand| match operand {
                    &Operand::Column(column) => value(column),
                    Operand::Constant(bytes) => Some(bytes.as_slice()),
                };
                match (of(left), of(right)) {
                    (Some(left), Some(right)) => {
                        compare(known, operator, left, right).map(Truth::of)
                    }
                    _ => Some(Truth::Unknown),
                }
            }
            TestKind::In(column, list) => match value(*column) {
                None => Some(Truth::Unknown),
                Some(text) => {
                    let equal = list.iter().map(|member| compare(known, "=", text, member));
                    let equal: Option<Vec<bool>> = equal.collect();
                    equal.map(|equal| self.with_null(Truth::of(equal.contains(&true))))
                }
            },
            TestKind::Like(column, pattern, escape) => match value(*column) {
                None => Some(Truth::Unknown),
                Some(text) => like(known, text, pattern, *escape).map(Truth::of),
            },
        };
        match local {
            Some(truth) => Outcome::Known(truth),
            None => {
                Outcome::Ask(self.sql(&|column| self.constant(value(column).unwrap_or_default())))
            }
        }
    }

    /// A NULL in a list leaves open whether something else is in it.
    pub fn with_null(&self, truth: Truth) -> Truth {
        match truth {
            Truth::False if self.null_in_list => Truth::Unknown,
            truth => truth,
        }
    }

    /// A value of a column as the source compares it.
    fn constant(&self, value: &[u8]) -> String {
        let mut hex = Vec::new();
        push_hex(&mut hex, value);
        let hex = String::from_utf8_lossy(&hex);
        let Comparison { charset, collation } = &self.comparison;
        match collation.as_str() {
            "" => format!("_binary {hex}"),
            _ => format!("_{charset} {hex} COLLATE {collation}"),
        }
    }

    pub fn sql_of_columns(&self, columns: &[Column]) -> String {
        let sql = self.sql(&|column| quote(&columns[column].name));
        match self.null_in_list {
            true => format!("{},NULL)", &sql[..sql.len() - 1]),
            false => sql,
        }
    }

    fn sql(&self, column: &dyn Fn(usize) -> String) -> String {
        let text = |bytes: &[u8]| self.literal(bytes);
        match &self.kind {
            TestKind::Compare(operator, left, right) => {
                let side = |operand: &Operand| match operand {
                    Operand::Column(index) => column(*index),
                    Operand::Constant(bytes) => text(bytes),
                };
                format!("{} {operator} {}", side(left), side(right))
            }
            TestKind::In(index, list) => {
                let list: Vec<String> = list.iter().map(|member| text(member)).collect();
                format!("{} IN ({})", column(*index), list.join(","))
            }
            TestKind::Like(index, pattern, escape) => {
                let escape = text(&[*escape]);
                format!("{} LIKE {} ESCAPE {escape}", column(*index), text(pattern))
            }
        }
    }

    fn literal(&self, bytes: &[u8]) -> String {
        let mut out = Vec::new();
        if self.comparison.is_bytes() {
            push_hex(&mut out, bytes);
        } else {
            push_quoted(&mut out, bytes);
        }
        String::from_utf8_lossy(&out).into_owned()
    }
}

fn is_printable(text: &[u8]) -> bool {
    text.iter().all(|byte| (0x20..=0x7E).contains(byte))
}

/// `None` where only the source knows.
fn compare(known: Known, operator: &str, left: &[u8], right: &[u8]) -> Option<bool> {
    let ordering = match known {
        Known::Bytes { pads } => padded(left, right, pads, |byte| byte),
        Known::Letters { pads, ordered } => {
            let printable = is_printable(left) && is_printable(right);
            let simple = ordered || matches!(operator, "=" | "<>");
            if !printable || !simple {
                return None;
            }
            padded(left, right, pads, |byte| byte.to_ascii_uppercase())
        }
        Known::Nothing => return None,
    };
    Some(holds(operator, ordering))
}

/// As if the shorter one had spaces behind it, where the collation pads.
fn padded(left: &[u8], right: &[u8], pads: bool, fold: fn(u8) -> u8) -> Ordering {
    let length = left.len().max(right.len());
    let at = |text: &[u8], place: usize| match text.get(place) {
        Some(byte) => Some(fold(*byte)),
        None if pads => Some(b' '),
        None => None,
    };
    (0..length)
        .map(|place| at(left, place).cmp(&at(right, place)))
        .find(|ordering| ordering.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Character by character; `None` where only the source knows.
fn like(known: Known, text: &[u8], pattern: &[u8], escape: u8) -> Option<bool> {
    let fold: fn(u8) -> u8 = match known {
        Known::Bytes { .. } => |byte| byte,
        Known::Letters { .. } => |byte| byte.to_ascii_uppercase(),
        Known::Nothing => return None,
    };
    let simple = is_printable(text) && is_printable(pattern);
    simple.then(|| matches(text, &pieces(pattern, escape, fold), fold))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    One(u8),
    Any,
    Rest,
}

fn pieces(pattern: &[u8], escape: u8, fold: fn(u8) -> u8) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut bytes = pattern.iter().copied();
    while let Some(byte) = bytes.next() {
        pieces.push(match byte {
            // An escape at the end stands for itself.
            byte if byte == escape => Piece::One(fold(bytes.next().unwrap_or(byte))),
            b'%' => Piece::Rest,
            b'_' => Piece::Any,
            byte => Piece::One(fold(byte)),
        });
    }
    pieces
}

/// Goes back to the last `%` where something does not match.
fn matches(text: &[u8], pieces: &[Piece], fold: fn(u8) -> u8) -> bool {
    let (mut at, mut next) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while at < text.len() {
        match pieces.get(next) {
            Some(Piece::Rest) => {
                back = Some((next, at));
                next += 1;
            }
            Some(Piece::Any) => {
                at += 1;
                next += 1;
            }
            Some(Piece::One(byte)) if *byte == fold(text[at]) => {
                at += 1;
                next += 1;
            }
            _ => match back {
                None => return false,
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    at = from + 1;
                    next = star + 1;
                }
            },
        }
    }
    pieces[next..].iter().all(|piece| *piece == Piece::Rest)
}
