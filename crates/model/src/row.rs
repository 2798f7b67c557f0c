//! Rows as bytes: the one canonical form of a value.
//!
//! A row is the payload of a row packet of MySQL's text protocol: per column either the byte
//! 0xFB for NULL, or a length-encoded string with the text that the server sends under
//! `character_set_results = NULL` (FLOAT and declared digits as plain DOUBLE, some ENUM and SET columns as
//! numbers, see `mysql::member`, JSON with marks where its text hides a type). The load passes these
//! bytes through, the binlog decoder prints them, transform and verify parse them lazily.

use crate::skipped::Skipped;
use bytes::Bytes;

const NULL_MARK: u8 = 0xFB;

/// One row in canonical form. Cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Row(Bytes);

impl Row {
    /// Wraps bytes that are already in canonical form.
    pub fn from_encoded(bytes: Bytes) -> Row {
        Row(bytes)
    }

    pub fn from_values<'a>(values: impl IntoIterator<Item = Option<&'a [u8]>>) -> Row {
        let mut writer = RowWriter::default();
        for value in values {
            writer.push(value);
        }
        writer.finish()
    }

    pub fn encoded(&self) -> &[u8] {
        &self.0
    }

    pub fn values(&self) -> Values<'_> {
        Values { rest: &self.0 }
    }

    /// The value of column `index`; the outer `None` means that the row is shorter.
    pub fn get(&self, index: usize) -> Option<Option<&[u8]>> {
        self.values().nth(index)
    }
}

/// Walks the values of an encoded row.
#[derive(Debug, Clone)]
pub struct Values<'a> {
    rest: &'a [u8],
}

impl<'a> Values<'a> {
    /// Walks the bytes of one encoded row.
    pub fn of(encoded: &'a [u8]) -> Values<'a> {
        Values { rest: encoded }
    }

    /// The bytes of the values that were not walked yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Option<&'a [u8]>> {
        let (&first, rest) = self.rest.split_first()?;
        let (length, rest) = match first {
            NULL_MARK => {
                self.rest = rest;
                return Some(None);
            }
            0xFC => (little_endian(&rest[..2]), &rest[2..]),
            0xFD => (little_endian(&rest[..3]), &rest[3..]),
            0xFE => (little_endian(&rest[..8]), &rest[8..]),
            short => (usize::from(short), rest),
        };
        let (value, rest) = rest.split_at(length);
        self.rest = rest;
        Some(Some(value))
    }
}

fn little_endian(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| (number << 8) | usize::from(*byte))
}

/// Writes rows in canonical form, one value after the other.
#[derive(Debug, Default)]
pub struct RowWriter {
    bytes: Vec<u8>,
}

impl RowWriter {
    pub fn push(&mut self, value: Option<&[u8]>) {
        push_value(&mut self.bytes, value);
    }

    pub fn finish(&mut self) -> Row {
        Row(Bytes::from(std::mem::take(&mut self.bytes)))
    }
}

/// Appends one value in canonical form.
pub fn push_value(out: &mut Vec<u8>, value: Option<&[u8]>) {
    let Some(value) = value else {
        out.push(NULL_MARK);
        return;
    };
    let length = value.len() as u64;
    match length {
        0..=0xFA => out.push(length as u8),
        0xFB..=0xFFFF => {
            out.push(0xFC);
            out.extend_from_slice(&length.to_le_bytes()[..2]);
        }
        0x1_0000..=0xFF_FFFF => {
            out.push(0xFD);
            out.extend_from_slice(&length.to_le_bytes()[..3]);
        }
        _ => {
            out.push(0xFE);
            out.extend_from_slice(&length.to_le_bytes());
        }
    }
    out.extend_from_slice(value);
}

/// Many encoded rows of one table in one buffer.
#[derive(Debug, Default, Clone)]
pub struct RowBatch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// What was left out beside these rows.
    pub skipped: Skipped,
}

impl RowBatch {
    pub fn push_encoded(&mut self, row: &[u8]) {
        self.bytes.extend_from_slice(row);
        self.ends.push(self.bytes.len());
    }

    pub fn row_count(&self) -> usize {
        self.ends.len()
    }

    pub fn byte_count(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The encoded bytes of row `index`.
    pub fn encoded(&self, index: usize) -> &[u8] {
        let begin = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[begin..self.ends[index]]
    }

    /// The encoded bytes of each row, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.row_count()).map(|index| self.encoded(index))
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.skipped = Skipped::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_come_back(values in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..300)), 0..20)) {
            let row = Row::from_values(values.iter().map(|value| value.as_deref()));
            let back: Vec<Option<Vec<u8>>> = row.values().map(|value| value.map(<[u8]>::to_vec)).collect();
            prop_assert_eq!(back, values);
        }
    }

    #[test]
    fn length_forms_change_at_their_borders() {
        for length in [0, 250, 251, 0xFFFF, 0x1_0000, 0xFF_FFFF, 0x100_0000] {
            let value = vec![7u8; length];
            let row = Row::from_values([Some(value.as_slice()), None]);
            assert_eq!(row.get(0), Some(Some(value.as_slice())));
            assert_eq!(row.get(1), Some(None));
            assert_eq!(row.get(2), None);
        }
    }
}
