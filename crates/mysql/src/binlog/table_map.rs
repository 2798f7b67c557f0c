//! Table maps: which table the row events behind them belong to, and how its columns look on
//! the wire.
//!
//! Owns column types, their metadata and the optional metadata of MySQL 8 and MariaDB 10.5.

use super::cursor::{Cursor, Truncated};
use super::event::text;
use wherry_model::TableName;

/// Column type numbers as they stand in row events.
pub mod column_type {
    pub const TINY: u8 = 1;
    pub const SHORT: u8 = 2;
    pub const LONG: u8 = 3;
    pub const FLOAT: u8 = 4;
    pub const DOUBLE: u8 = 5;
    pub const TIMESTAMP: u8 = 7;
    pub const LONGLONG: u8 = 8;
    pub const INT24: u8 = 9;
    pub const DATE: u8 = 10;
    pub const TIME: u8 = 11;
    pub const DATETIME: u8 = 12;
    pub const YEAR: u8 = 13;
    pub const NEWDATE: u8 = 14;
    pub const VARCHAR: u8 = 15;
    pub const BIT: u8 = 16;
    pub const TIMESTAMP2: u8 = 17;
    pub const DATETIME2: u8 = 18;
    pub const TIME2: u8 = 19;
    pub const TYPED_ARRAY: u8 = 20;
    pub const VARCHAR_COMPRESSED: u8 = 141;
    pub const BLOB_COMPRESSED: u8 = 140;
    pub const VECTOR: u8 = 242;
    pub const JSON: u8 = 245;
    pub const NEWDECIMAL: u8 = 246;
    pub const ENUM: u8 = 247;
    pub const SET: u8 = 248;
    pub const TINY_BLOB: u8 = 249;
    pub const MEDIUM_BLOB: u8 = 250;
    pub const LONG_BLOB: u8 = 251;
    pub const BLOB: u8 = 252;
    pub const VAR_STRING: u8 = 253;
    pub const STRING: u8 = 254;
    pub const GEOMETRY: u8 = 255;
}

/// How one column is written in row images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WireColumn {
    /// The real type: ENUM and SET are told from STRING.
    pub kind: u8,
    /// Length in bytes, precision and scale, fraction digits: what the type asks for.
    pub meta: u16,
    /// Where the server sent it; numeric columns only.
    pub unsigned: Option<bool>,
    /// Collation id where the server sent it; text columns only.
    pub collation: Option<u32>,
}

/// The beginning of a table map: enough to know whether its rows are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableMapHead {
    pub table_id: u64,
    pub name: TableName,
}

impl TableMapHead {
    pub(super) fn parse(body: &[u8], id_bytes: usize) -> Result<TableMapHead, Truncated> {
        let mut cursor = Cursor::new(body);
        let table_id = cursor.unsigned(id_bytes)?;
        cursor.skip(2)?;
        let database = name(&mut cursor)?;
        let name = TableName::new(database, name(&mut cursor)?);
        Ok(TableMapHead { table_id, name })
    }

    /// The id alone.
    pub(super) fn parse_id(body: &[u8], id_bytes: usize) -> Result<u64, Truncated> {
        Cursor::new(body).unsigned(id_bytes)
    }
}

/// What a table map event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableMap {
    pub table_id: u64,
    pub name: TableName,
    pub columns: Vec<WireColumn>,
    /// With `binlog_row_metadata = FULL` only.
    pub column_names: Option<Vec<Vec<u8>>>,
    /// Labels of each ENUM and SET column in order, in the column's character set.
    pub enum_labels: Option<Vec<Vec<Vec<u8>>>>,
    pub set_labels: Option<Vec<Vec<Vec<u8>>>>,
}

impl TableMap {
    /// `mariadb` decides which columns have a collation in the optional metadata.
    pub(super) fn parse(
        body: &[u8],
        id_bytes: usize,
        mariadb: bool,
    ) -> Result<TableMap, Truncated> {
        let mut cursor = Cursor::new(body);
        let table_id = cursor.unsigned(id_bytes)?;
        cursor.skip(2)?;
        let database = name(&mut cursor)?;
        let table = name(&mut cursor)?;
        let column_count = cursor.length()?;
        let types = cursor.bytes(column_count)?;
        let mut meta = Cursor::new(cursor.length_encoded_bytes()?);
        let mut columns = Vec::with_capacity(column_count);
        for kind in types {
            columns.push(wire_column(*kind, &mut meta)?);
        }
        // Which columns may be NULL: the row images say which are.
        cursor.skip(column_count.div_ceil(8))?;
        let mut map = TableMap {
            table_id,
            name: TableName::new(database, table),
            columns,
            column_names: None,
            enum_labels: None,
            set_labels: None,
        };
        while !cursor.is_empty() {
            let field = cursor.u8()?;
            let value = Cursor::new(cursor.length_encoded_bytes()?);
            map.read_optional(field, value, mariadb)?;
        }
        Ok(map)
    }

    fn read_optional(
        &mut self,
        field: u8,
        mut value: Cursor<'_>,
        mariadb: bool,
    ) -> Result<(), Truncated> {
        match field {
            1 => self.read_signedness(value),
            2 => self.read_default_charset(value, mariadb),
            3 => self.read_charsets(value, mariadb),
            4 => {
                let mut names = Vec::with_capacity(self.columns.len());
                while !value.is_empty() {
                    names.push(value.length_encoded_bytes()?.to_vec());
                }
                self.column_names = Some(names);
                Ok(())
            }
            5 => {
                self.set_labels = Some(read_labels(value)?);
                Ok(())
            }
            6 => {
                self.enum_labels = Some(read_labels(value)?);
                Ok(())
            }
            // Geometry types, keys, character sets of ENUM and SET, visibility, vector
            // dimensions: they do not change how a value is read.
            _ => Ok(()),
        }
    }

    /// A bit per numeric column, highest bit first.
    fn read_signedness(&mut self, value: Cursor<'_>) -> Result<(), Truncated> {
        let bits = value.rest();
        let numeric = self.columns.iter_mut().filter(|column| column.is_numeric());
        for (index, column) in numeric.enumerate() {
            let byte = bits.get(index / 8).ok_or(Truncated)?;
            column.unsigned = Some(byte & (0x80 >> (index % 8)) != 0);
        }
        Ok(())
    }

    /// A default, then pairs of index (among text columns) and collation.
    fn read_default_charset(
        &mut self,
        mut value: Cursor<'_>,
        mariadb: bool,
    ) -> Result<(), Truncated> {
        let default = value.length_encoded()? as u32;
        let mut collations = vec![default; self.text_columns(mariadb).count()];
        while !value.is_empty() {
            let index = value.length()?;
            *collations.get_mut(index).ok_or(Truncated)? = value.length_encoded()? as u32;
        }
        for (column, collation) in self.text_columns(mariadb).zip(collations) {
            column.collation = Some(collation);
        }
        Ok(())
    }

    fn read_charsets(&mut self, mut value: Cursor<'_>, mariadb: bool) -> Result<(), Truncated> {
        for column in self.text_columns(mariadb) {
            column.collation = Some(value.length_encoded()? as u32);
        }
        Ok(())
    }

    fn text_columns(&mut self, mariadb: bool) -> impl Iterator<Item = &mut WireColumn> {
        self.columns
            .iter_mut()
            .filter(move |column| column.has_collation(mariadb))
    }
}

impl WireColumn {
    fn is_numeric(self) -> bool {
        use column_type::{DOUBLE, FLOAT, INT24, LONG, LONGLONG, NEWDECIMAL, SHORT, TINY, YEAR};
        matches!(
            self.kind,
            TINY | SHORT | LONG | FLOAT | DOUBLE | LONGLONG | INT24 | YEAR | NEWDECIMAL
        )
    }

    /// Vectors are listed as binary text, on MariaDB geometries too (seen on 9.7 and 10.11).
    fn has_collation(self, mariadb: bool) -> bool {
        use column_type::{BLOB, GEOMETRY, STRING, VAR_STRING, VARCHAR, VECTOR};
        matches!(self.kind, STRING | VAR_STRING | VARCHAR | BLOB | VECTOR)
            || (mariadb && self.kind == GEOMETRY)
    }
}

fn name(cursor: &mut Cursor<'_>) -> Result<String, Truncated> {
    let length = usize::from(cursor.u8()?);
    let name = text(cursor.bytes(length)?);
    cursor.skip(1)?;
    Ok(name)
}

fn read_labels(mut value: Cursor<'_>) -> Result<Vec<Vec<Vec<u8>>>, Truncated> {
    let mut columns = Vec::new();
    while !value.is_empty() {
        let count = value.length()?;
        let mut labels = Vec::new();
        for _ in 0..count {
            labels.push(value.length_encoded_bytes()?.to_vec());
        }
        columns.push(labels);
    }
    Ok(columns)
}

/// Reads the metadata that a type has in a table map.
fn wire_column(kind: u8, meta: &mut Cursor<'_>) -> Result<WireColumn, Truncated> {
    use column_type as t;
    let (kind, meta) = match kind {
        t::STRING | t::ENUM | t::SET => string_meta(meta.u8()?, meta.u8()?),
        // Precision in the low byte, scale in the high one; for BIT, bits and whole bytes.
        t::VARCHAR | t::VAR_STRING | t::BIT | t::NEWDECIMAL | t::VARCHAR_COMPRESSED => {
            (kind, meta.u16()?)
        }
        t::FLOAT
        | t::DOUBLE
        | t::TINY_BLOB
        | t::MEDIUM_BLOB
        | t::LONG_BLOB
        | t::BLOB
        | t::BLOB_COMPRESSED
        | t::GEOMETRY
        | t::JSON
        | t::VECTOR
        | t::TIMESTAMP2
        | t::DATETIME2
        | t::TIME2 => (kind, u16::from(meta.u8()?)),
        // Only inside multi-valued indexes; never a column of a row event.
        t::TYPED_ARRAY => return Err(Truncated),
        _ => (kind, 0),
    };
    Ok(WireColumn {
        kind,
        meta,
        unsigned: None,
        collation: None,
    })
}

/// STRING carries its real type and its length; lengths above 255 borrow two bits of the type,
/// stored inverted.
fn string_meta(first: u8, second: u8) -> (u8, u16) {
    const LENGTH_BITS: u8 = 0x30;
    let length = u16::from(second);
    if first & LENGTH_BITS == LENGTH_BITS {
        return (first, length);
    }
    let upper = u16::from((first & LENGTH_BITS) ^ LENGTH_BITS) << 4;
    (first | LENGTH_BITS, length | upper)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn long_strings_borrow_bits() {
        assert_eq!(string_meta(0xFE, 0xFF), (column_type::STRING, 255));
        assert_eq!(string_meta(0xEE, 0x04), (column_type::STRING, 260));
        assert_eq!(string_meta(0xCE, 0xFC), (column_type::STRING, 1020));
        assert_eq!(string_meta(247, 1), (column_type::ENUM, 1));
        assert_eq!(string_meta(248, 8), (column_type::SET, 8));
    }

    proptest! {
        #[test]
        fn hostile_bytes_do_not_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = TableMap::parse(&body, 6, false);
            let _ = TableMapHead::parse(&body, 6);
        }
    }
}
