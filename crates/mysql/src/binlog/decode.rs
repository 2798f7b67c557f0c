//! Row images to canonical rows.
//!
//! A plan is made once per table map and table: it checks that both describe the same columns
//! and knows how each is read. A difference is an error, never a guess. Every value is printed
//! as the server prints it in the text protocol; see `wherry_model::row`.

use super::cursor::{Cursor, Truncated};
use super::event::{RowsEvent, RowsKind};
use super::json_diff::{DiffError, Documents};
use super::plan::{Codec, PlanError, plan_columns};
use super::table_map::TableMap;
use super::{decimal, temporal};
use crate::json::FormError;
use bytes::Bytes;
use std::ops::Range;
use std::sync::Arc;
use wherry_model::double::push_double;
use wherry_model::row::push_value;
use wherry_model::{Change, ChangeKind, Row, Table, TableName};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("a row event does not hold every column")]
    PartialImage,
    #[error("a row event has {found} columns, the table {wanted}")]
    ColumnCount { wanted: usize, found: usize },
    #[error("the rows of an event are damaged")]
    Damaged,
    #[error("an ENUM or SET value has no label")]
    UnknownLabel,
    #[error("column `{column}` cannot be carried: {what}")]
    Document { column: String, what: FormError },
    #[error("a partial update of column `{column}` does not fit the row before it: {what}")]
    PartialUpdate { column: String, what: DiffError },
}

impl From<Truncated> for DecodeError {
    fn from(_: Truncated) -> DecodeError {
        DecodeError::Damaged
    }
}

/// How the row events of one table are read.
#[derive(Debug)]
pub struct RowPlan {
    table: Arc<Table>,
    codecs: Vec<Codec>,
}

/// A decoded row that still lies in the event's output buffer.
struct Decoded {
    before: Option<Range<usize>>,
    after: Option<Range<usize>>,
}

impl RowPlan {
    /// Compares the table with what the source sends; `Err` says what differs.
    pub fn new(table: Arc<Table>, map: &TableMap) -> Result<RowPlan, PlanError> {
        Ok(RowPlan {
            codecs: plan_columns(&table, map)?,
            table,
        })
    }

    pub fn table_name(&self) -> &TableName {
        &self.table.name
    }

    /// Decodes every row of an event, in order. The rows share one buffer.
    pub fn decode<'a>(&self, event: &'a RowsEvent) -> Result<Vec<Change>, DecodeError> {
        self.check_presence(event)?;
        let mut cursor = Cursor::new(&event.rows);
        let mut out = Vec::with_capacity(event.rows.len() + event.rows.len() / 2);
        let mut scratch = Vec::new();
        let mut documents = Documents::new(&self.codecs);
        let mut decoded = Vec::new();
        while !cursor.is_empty() {
            let mut image = |cursor: &mut Cursor<'a>, out: &mut Vec<u8>, partial: bool| {
                documents.read_head(cursor, partial)?;
                self.image(cursor, out, &mut scratch, &mut documents)
            };
            let before = match event.kind {
                RowsKind::Write => None,
                RowsKind::Update | RowsKind::Delete => Some(image(&mut cursor, &mut out, false)?),
            };
            let after = match event.kind {
                RowsKind::Delete => None,
                RowsKind::Update | RowsKind::Write => {
                    Some(image(&mut cursor, &mut out, event.partial)?)
                }
            };
            decoded.push(Decoded { before, after });
        }
        // What the rows do not need would stay as long as they do.
        out.shrink_to_fit();
        let buffer = Bytes::from(out);
        Ok(decoded
            .into_iter()
            .map(|row| self.change(row, &buffer, event.unchecked))
            .collect())
    }

    fn check_presence(&self, event: &RowsEvent) -> Result<(), DecodeError> {
        let wanted = self.codecs.len();
        if event.column_count != wanted || wanted == 0 {
            return Err(DecodeError::ColumnCount {
                wanted,
                found: event.column_count,
            });
        }
        let whole = |bits: &[u8]| {
            (0..wanted).all(|column| {
                bits.get(column / 8)
                    .is_some_and(|byte| byte & (1 << (column % 8)) != 0)
            })
        };
        let after = event.present_after.as_deref();
        if whole(&event.present) && after.is_none_or(whole) {
            Ok(())
        } else {
            Err(DecodeError::PartialImage)
        }
    }

    /// Appends one row image; returns where it lies.
    fn image<'a>(
        &self,
        cursor: &mut Cursor<'a>,
        out: &mut Vec<u8>,
        scratch: &mut Vec<u8>,
        documents: &mut Documents<'a>,
    ) -> Result<Range<usize>, DecodeError> {
        let begin = out.len();
        let nulls = cursor.bytes(self.codecs.len().div_ceil(8))?;
        let mut json_number = 0;
        for (index, codec) in self.codecs.iter().enumerate() {
            let begin = out.len();
            let is_null = nulls[index / 8] & (1 << (index % 8)) != 0;
            match codec {
                Codec::Json { length_bytes } => {
                    let sent = match is_null {
                        true => None,
                        false => {
                            let length = cursor.unsigned(*length_bytes)? as usize;
                            Some(cursor.bytes(length)?)
                        }
                    };
                    let printed = documents.print(json_number, sent, scratch);
                    printed.map_err(|error| self.document_error(index, error))?;
                    json_number += 1;
                    push_value(out, sent.is_some().then_some(scratch.as_slice()));
                }
                _ if is_null => {}
                _ => codec.push(cursor, out, scratch)?,
            }
            // Filters and scripts may need what stays behind; it is taken away behind them.
            let stays = !self.table.is_looked_at() && self.table.is_left_out(index);
            if is_null || stays {
                out.truncate(begin);
                push_value(out, None);
            }
        }
        for _ in self.table.added() {
            push_value(out, None);
        }
        Ok(begin..out.len())
    }

    fn document_error(&self, column: usize, error: DiffError) -> DecodeError {
        let column = self.table.columns[column].name.clone();
        match error {
            DiffError::Document(FormError::Damaged) => DecodeError::Damaged,
            DiffError::Document(what) => DecodeError::Document { column, what },
            what => DecodeError::PartialUpdate { column, what },
        }
    }

    fn change(&self, row: Decoded, buffer: &Bytes, unchecked: bool) -> Change {
        let image = |range: Range<usize>| Row::from_encoded(buffer.slice(range));
        let kind = match (row.before.map(image), row.after.map(image)) {
            (Some(before), Some(after)) => ChangeKind::Update { before, after },
            (Some(before), None) => ChangeKind::Delete { before },
            (None, Some(after)) => ChangeKind::Insert { after },
            (None, None) => unreachable!("every kind of event has an image"),
        };
        Change {
            table: Arc::clone(&self.table),
            kind,
            // Attached behind the decoder, which does not know collations.
            identities: Vec::new(),
            unchecked,
        }
    }
}

impl Codec {
    /// Appends one value with its length.
    fn push(
        &self,
        cursor: &mut Cursor<'_>,
        out: &mut Vec<u8>,
        scratch: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        match self {
            Codec::Bytes { length_bytes } => {
                let length = cursor.unsigned(*length_bytes)? as usize;
                push_value(out, Some(cursor.bytes(length)?));
                return Ok(());
            }
            Codec::Binary {
                length_bytes,
                width,
            } => {
                // Trailing zero bytes are left out in row images.
                let length = cursor.unsigned(*length_bytes)? as usize;
                scratch.clear();
                scratch.extend_from_slice(cursor.bytes(length)?);
                scratch.resize((*width).max(length), 0);
            }
            Codec::Set { bytes, labels } => {
                let bits = cursor.unsigned(*bytes)?;
                scratch.clear();
                push_labels(bits, labels, scratch)?;
            }
            Codec::Enum { bytes, labels } => {
                let ordinal = cursor.unsigned(*bytes)? as usize;
                let label = match ordinal.checked_sub(1) {
                    // Ordinal 0 is the value that the server stores for an invalid one.
                    None => &[][..],
                    Some(index) => labels.get(index).ok_or(DecodeError::UnknownLabel)?,
                };
                push_value(out, Some(label));
                return Ok(());
            }
            _ => {
                // One byte of length is enough for nearly every value printed here.
                let begin = out.len() + 1;
                out.push(0);
                self.print(cursor, out)?;
                let length = out.len() - begin;
                if length <= 0xFA {
                    out[begin - 1] = length as u8;
                    return Ok(());
                }
                scratch.clear();
                scratch.extend_from_slice(&out[begin..]);
                out.truncate(begin - 1);
            }
        }
        push_value(out, Some(scratch));
        Ok(())
    }

    /// Appends the text of a value that is printed, without its length.
    fn print(&self, cursor: &mut Cursor<'_>, out: &mut Vec<u8>) -> Result<(), Truncated> {
        let begin = out.len();
        match self {
            Codec::Integer {
                bytes,
                unsigned,
                zerofill,
            } => {
                let raw = cursor.unsigned(*bytes)?;
                let mut digits = itoa::Buffer::new();
                let text = if *unsigned {
                    digits.format(raw)
                } else {
                    let shift = 64 - 8 * *bytes as u32;
                    digits.format(((raw << shift) as i64) >> shift)
                };
                out.extend_from_slice(text.as_bytes());
                fill(out, begin, *zerofill);
                Ok(())
            }
            Codec::Decimal {
                precision,
                scale,
                zerofill,
            } => {
                decimal::print(cursor, *precision, *scale, out)?;
                fill(out, begin, *zerofill);
                Ok(())
            }
            Codec::Float => {
                let number = f32::from_bits(cursor.u32()?);
                push_double(out, number.into());
                Ok(())
            }
            Codec::Double => {
                push_double(out, f64::from_bits(cursor.u64()?));
                Ok(())
            }
            Codec::Bit { bytes } => {
                out.extend_from_slice(cursor.bytes(*bytes)?);
                Ok(())
            }
            Codec::Year { short: false } => temporal::year(cursor, out),
            Codec::Year { short: true } => temporal::short_year(cursor, out),
            Codec::Date => temporal::date(cursor, out),
            Codec::Time { fraction } => temporal::time(cursor, *fraction, out),
            Codec::Datetime { fraction } => temporal::datetime(cursor, *fraction, out),
            Codec::Timestamp { fraction } => temporal::timestamp(cursor, *fraction, out),
            Codec::OldTime => temporal::old_time(cursor, out),
            Codec::OldDatetime => temporal::old_datetime(cursor, out),
            Codec::OldTimestamp => temporal::old_timestamp(cursor, out),
            Codec::HiresTime { fraction } => temporal::hires_time(cursor, *fraction, out),
            Codec::HiresDatetime { fraction } => temporal::hires_datetime(cursor, *fraction, out),
            Codec::HiresTimestamp { fraction } => temporal::hires_timestamp(cursor, *fraction, out),
            Codec::Bytes { .. }
            | Codec::Binary { .. }
            | Codec::Json { .. }
            | Codec::Enum { .. }
            | Codec::Set { .. } => unreachable!("these are copied, not printed"),
        }
    }
}

/// Puts zeros in front, as ZEROFILL columns have them.
fn fill(out: &mut Vec<u8>, begin: usize, width: usize) {
    let length = out.len() - begin;
    if length < width {
        out.splice(begin..begin, std::iter::repeat_n(b'0', width - length));
    }
}

/// Appends the labels whose bits are set, separated by commas.
fn push_labels(bits: u64, labels: &[Vec<u8>], out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let mut rest = bits;
    while rest != 0 {
        let index = rest.trailing_zeros() as usize;
        rest &= rest - 1;
        if !out.is_empty() || bits & ((1 << index) - 1) != 0 {
            out.push(b',');
        }
        out.extend_from_slice(labels.get(index).ok_or(DecodeError::UnknownLabel)?);
    }
    Ok(())
}
