//! How each column of a table is read from row images.
//!
//! Compares the catalog's columns with the table map: count, types, lengths, signedness and,
//! where the source sends them, names, character sets and labels.

use super::table_map::{TableMap, WireColumn, column_type as wire};
use crate::catalog::digits_in_parentheses;
use crate::member::travels_by_number;
use wherry_model::{Column, ColumnKind, Table};

/// Collation id of binary data.
const BINARY_COLLATION: u32 = 63;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("the source sends {found} columns, the table has {wanted}")]
    ColumnCount { wanted: usize, found: usize },
    #[error("column `{column}` is `{wanted}`, the source sends {found}")]
    Type {
        column: String,
        wanted: String,
        found: String,
    },
    #[error("column `{wanted}` is called `{found}` at the source")]
    Name { wanted: String, found: String },
    #[error("the labels of column `{column}` differ from the source's")]
    Labels { column: String },
}

/// How one column is read. Widths of ZEROFILL are 0 without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Codec {
    Integer {
        bytes: usize,
        unsigned: bool,
        zerofill: usize,
    },
    Decimal {
        precision: usize,
        scale: usize,
        zerofill: usize,
    },
    Float,
    Double,
    Bit {
        bytes: usize,
    },
    Year {
        short: bool,
    },
    Date,
    Time {
        fraction: u8,
    },
    Datetime {
        fraction: u8,
    },
    Timestamp {
        fraction: u8,
    },
    OldTime,
    OldDatetime,
    OldTimestamp,
    HiresTime {
        fraction: u8,
    },
    HiresDatetime {
        fraction: u8,
    },
    HiresTimestamp {
        fraction: u8,
    },
    /// Taken as it is, behind its length.
    Bytes {
        length_bytes: usize,
    },
    /// Padded with zero bytes to its full width.
    Binary {
        length_bytes: usize,
        width: usize,
    },
    Json {
        length_bytes: usize,
    },
    Enum {
        bytes: usize,
        labels: Vec<Vec<u8>>,
    },
    Set {
        bytes: usize,
        labels: Vec<Vec<u8>>,
    },
}

/// Plans every column; `Err` says which one differs and how.
pub(super) fn plan_columns(table: &Table, map: &TableMap) -> Result<Vec<Codec>, PlanError> {
    let columns = table.source_columns();
    if columns.len() != map.columns.len() {
        return Err(PlanError::ColumnCount {
            wanted: columns.len(),
            found: map.columns.len(),
        });
    }
    let codecs = columns
        .iter()
        .zip(&map.columns)
        .map(|(column, wire)| plan_column(column, *wire))
        .collect::<Result<Vec<_>, _>>()?;
    check_names(table, map)?;
    check_labels(table, &codecs, map)?;
    Ok(codecs)
}

fn check_names(table: &Table, map: &TableMap) -> Result<(), PlanError> {
    let Some(names) = &map.column_names else {
        return Ok(());
    };
    for (column, name) in table.columns.iter().zip(names) {
        if column.name.as_bytes() != name.as_slice() {
            return Err(PlanError::Name {
                wanted: column.name.clone(),
                found: String::from_utf8_lossy(name).into_owned(),
            });
        }
    }
    Ok(())
}

fn check_labels(table: &Table, codecs: &[Codec], map: &TableMap) -> Result<(), PlanError> {
    let mut enums = map.enum_labels.iter().flatten();
    let mut sets = map.set_labels.iter().flatten();
    for (column, codec) in table.columns.iter().zip(codecs) {
        let (sent, labels) = match &column.kind {
            ColumnKind::Enum { labels } => (enums.next(), labels),
            ColumnKind::Set { labels } => (sets.next(), labels),
            _ => continue,
        };
        let differs = sent.is_some_and(|sent| match codec {
            Codec::Enum { labels, .. } | Codec::Set { labels, .. } => sent != labels,
            // They come in the column's character set; the catalog has them in UTF-8.
            _ => sent.len() != labels.len(),
        });
        if differs {
            return Err(PlanError::Labels {
                column: column.name.clone(),
            });
        }
    }
    Ok(())
}

fn plan_column(column: &Column, found: WireColumn) -> Result<Codec, PlanError> {
    let codec = match &column.kind {
        ColumnKind::Integer { bytes, unsigned } => integer(column, *bytes, *unsigned, found),
        ColumnKind::Decimal { precision, scale } => {
            let meta = u16::from(*precision) | u16::from(*scale) << 8;
            fits(found, wire::NEWDECIMAL, meta).then(|| Codec::Decimal {
                precision: usize::from(*precision),
                scale: usize::from(*scale),
                zerofill: zerofill_width(column, usize::from(*precision)),
            })
        }
        ColumnKind::Float => fits(found, wire::FLOAT, 4).then_some(Codec::Float),
        ColumnKind::Double => fits(found, wire::DOUBLE, 8).then_some(Codec::Double),
        ColumnKind::Bit { bits } => {
            let meta = u16::from(bits % 8) | u16::from(bits / 8) << 8;
            fits(found, wire::BIT, meta).then(|| Codec::Bit {
                bytes: usize::from(bits.div_ceil(8)),
            })
        }
        ColumnKind::Year => (found.kind == wire::YEAR).then(|| Codec::Year {
            short: column.column_type.starts_with("year(2)"),
        }),
        ColumnKind::Date => matches!(found.kind, wire::DATE | wire::NEWDATE).then_some(Codec::Date),
        ColumnKind::Time { .. } | ColumnKind::Datetime { .. } | ColumnKind::Timestamp { .. } => {
            temporal_kind(&column.kind, found)
        }
        ColumnKind::Char { .. }
        | ColumnKind::Varchar { .. }
        | ColumnKind::Text
        | ColumnKind::Binary { .. }
        | ColumnKind::Varbinary { .. }
        | ColumnKind::Blob => string(column, found),
        ColumnKind::Enum { labels } | ColumnKind::Set { labels } => members(column, labels, found),
        ColumnKind::Json => (found.kind == wire::JSON).then(|| Codec::Json {
            length_bytes: usize::from(found.meta.min(8)),
        }),
        ColumnKind::Geometry => blob(found, wire::GEOMETRY),
        ColumnKind::Vector => blob(found, wire::VECTOR),
    };
    codec.ok_or_else(|| PlanError::Type {
        column: column.name.clone(),
        wanted: column.column_type.clone(),
        found: describe(found),
    })
}

fn temporal_kind(kind: &ColumnKind, found: WireColumn) -> Option<Codec> {
    match *kind {
        ColumnKind::Time { fraction } => {
            let codecs = (
                Codec::Time { fraction },
                old(fraction, Codec::OldTime, Codec::HiresTime { fraction }),
            );
            temporal(found, fraction, (wire::TIME2, wire::TIME), codecs)
        }
        ColumnKind::Datetime { fraction } => {
            let codecs = (
                Codec::Datetime { fraction },
                old(
                    fraction,
                    Codec::OldDatetime,
                    Codec::HiresDatetime { fraction },
                ),
            );
            temporal(found, fraction, (wire::DATETIME2, wire::DATETIME), codecs)
        }
        ColumnKind::Timestamp { fraction } => {
            let codecs = (
                Codec::Timestamp { fraction },
                old(
                    fraction,
                    Codec::OldTimestamp,
                    Codec::HiresTimestamp { fraction },
                ),
            );
            temporal(found, fraction, (wire::TIMESTAMP2, wire::TIMESTAMP), codecs)
        }
        _ => None,
    }
}

/// ENUM and SET: ordinals or bits on the wire, labels in the row unless they say too little.
fn members(column: &Column, labels: &[String], found: WireColumn) -> Option<Codec> {
    let is_enum = matches!(column.kind, ColumnKind::Enum { .. });
    let (kind, bytes) = match labels.len() {
        count if is_enum => (wire::ENUM, if count < 256 { 1 } else { 2 }),
        count @ 0..=32 => (wire::SET, count.div_ceil(8).max(1)),
        _ => (wire::SET, 8),
    };
    if !fits(found, kind, bytes as u16) {
        return None;
    }
    if travels_by_number(column) {
        return Some(Codec::Integer {
            bytes,
            unsigned: true,
            zerofill: 0,
        });
    }
    let labels = labels
        .iter()
        .map(|label| label.as_bytes().to_vec())
        .collect();
    Some(if is_enum {
        Codec::Enum { bytes, labels }
    } else {
        Codec::Set { bytes, labels }
    })
}

fn fits(found: WireColumn, kind: u8, meta: u16) -> bool {
    found.kind == kind && found.meta == meta
}

fn integer(column: &Column, bytes: u8, unsigned: bool, found: WireColumn) -> Option<Codec> {
    let kind = match bytes {
        1 => wire::TINY,
        2 => wire::SHORT,
        3 => wire::INT24,
        4 => wire::LONG,
        8 => wire::LONGLONG,
        _ => return None,
    };
    let same_sign = found.unsigned.is_none_or(|sent| sent == unsigned);
    (found.kind == kind && same_sign).then(|| Codec::Integer {
        bytes: usize::from(bytes),
        unsigned,
        zerofill: zerofill_width(column, 0),
    })
}

/// Old forms have no fraction; MariaDB before 10.1 had others for those with one.
fn old(fraction: u8, plain: Codec, hires: Codec) -> Codec {
    if fraction == 0 { plain } else { hires }
}

/// Chooses between the form of MySQL 5.6.4 and later and an older one.
fn temporal(
    found: WireColumn,
    fraction: u8,
    kinds: (u8, u8),
    codecs: (Codec, Codec),
) -> Option<Codec> {
    if fits(found, kinds.0, u16::from(fraction)) {
        Some(codecs.0)
    } else if found.kind == kinds.1 {
        Some(codecs.1)
    } else {
        None
    }
}

fn blob(found: WireColumn, kind: u8) -> Option<Codec> {
    (found.kind == kind && (1..=8).contains(&found.meta)).then(|| Codec::Bytes {
        length_bytes: usize::from(found.meta),
    })
}

fn string(column: &Column, found: WireColumn) -> Option<Codec> {
    let wants_binary = matches!(
        column.kind,
        ColumnKind::Binary { .. } | ColumnKind::Varbinary { .. } | ColumnKind::Blob
    );
    let sent_binary = found.collation.map(|id| id == BINARY_COLLATION);
    if sent_binary.is_some_and(|sent| sent != wants_binary) {
        return None;
    }
    let character_bytes = charset_bytes_max(column.charset.as_deref().unwrap_or_default());
    let length_bytes = if found.meta > 255 { 2 } else { 1 };
    match &column.kind {
        ColumnKind::Char { length } => {
            let meta = u16::try_from(length * character_bytes).ok()?;
            fits(found, wire::STRING, meta).then_some(Codec::Bytes { length_bytes })
        }
        ColumnKind::Varchar { length } => {
            let meta = u16::try_from(length * character_bytes).ok()?;
            fits(found, wire::VARCHAR, meta).then_some(Codec::Bytes { length_bytes })
        }
        ColumnKind::Varbinary { length } => {
            let meta = u16::try_from(*length).ok()?;
            fits(found, wire::VARCHAR, meta).then_some(Codec::Bytes { length_bytes })
        }
        ColumnKind::Binary { length } => {
            let meta = u16::try_from(*length).ok()?;
            fits(found, wire::STRING, meta).then_some(Codec::Binary {
                length_bytes,
                width: usize::from(meta),
            })
        }
        _ => {
            let length_bytes = match column.column_type.split(['(', ' ']).next() {
                Some("tinytext" | "tinyblob") => 1,
                Some("mediumtext" | "mediumblob") => 3,
                Some("longtext" | "longblob" | "json") => 4,
                _ => 2,
            };
            fits(found, wire::BLOB, length_bytes)
                .then(|| blob(found, wire::BLOB))
                .flatten()
        }
    }
}

/// Most bytes of one character, by character set.
pub(crate) fn charset_bytes_max(charset: &str) -> u32 {
    match charset {
        "utf8mb4" | "utf16" | "utf16le" | "utf32" | "gb18030" => 4,
        "utf8" | "utf8mb3" | "ujis" | "eucjpms" => 3,
        "ucs2" | "big5" | "gbk" | "gb2312" | "sjis" | "cp932" | "euckr" => 2,
        _ => 1,
    }
}

/// Width of a ZEROFILL column as the catalog prints it; `width` where it prints none.
fn zerofill_width(column: &Column, width: usize) -> usize {
    if !column.column_type.contains("zerofill") {
        return 0;
    }
    let (digits, decimals) = digits_in_parentheses(&column.column_type);
    let digits = digits.unwrap_or(width);
    match column.kind {
        // The point takes a place of its own, the digits in front of it keep theirs.
        ColumnKind::Decimal { .. } if decimals.is_some_and(|decimals| decimals > 0) => digits + 1,
        _ => digits,
    }
}

fn describe(found: WireColumn) -> String {
    let sign = match found.unsigned {
        Some(true) => ", unsigned",
        Some(false) => ", signed",
        None => "",
    };
    let collation = found
        .collation
        .map_or_else(String::new, |id| format!(", collation {id}"));
    let name = match found.kind {
        wire::VARCHAR_COMPRESSED | wire::BLOB_COMPRESSED => "a compressed column, type",
        _ => "type",
    };
    format!(
        "{name} {} with metadata {}{sign}{collation}",
        found.kind, found.meta
    )
}
