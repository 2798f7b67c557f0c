//! A value to the canonical bytes of the column that it is assigned to: exactly, or not at all.
//!
//! What each kind of column takes stands here, the conversions in `bytes`.

mod bytes;

use std::borrow::Cow;

use wherry_model::{Column, ColumnKind};

use crate::charset::Charset;
use crate::fault::{Mistake, Reason};
use crate::reader::{label_charset, text_charset};
use crate::value::{Kind, VALUE_BYTES_MAX, Value};

#[derive(Debug, Clone)]
pub(crate) struct Writer {
    nullable: bool,
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    /// `width` is that of ZEROFILL, else 0.
    Integer {
        least: i128,
        most: i128,
        width: usize,
    },
    Year,
    Bit {
        bits: u8,
    },
    Decimal {
        precision: u8,
        scale: u8,
        unsigned: bool,
    },
    Float {
        single: bool,
        unsigned: bool,
    },
    Date,
    Datetime {
        places: u8,
    },
    Timestamp {
        places: u8,
    },
    Clock {
        places: u8,
    },
    /// `most` counts characters; spaces at the end of a CHAR are not stored.
    Characters {
        charset: Charset,
        most: usize,
        trimmed: bool,
    },
    /// `most` counts bytes.
    Text {
        charset: Charset,
        most: usize,
    },
    /// A BINARY is filled up with zeros to `length`.
    Bytes {
        most: usize,
        length: usize,
    },
    Enum {
        labels: Vec<String>,
    },
    Set {
        labels: Vec<String>,
    },
}

impl Writer {
    /// Why not, where no value can be assigned to the column.
    pub(crate) fn of(column: &Column) -> Result<Writer, (Mistake, String)> {
        if column.generated {
            return Err((
                Mistake::NotAssignable,
                "the server generates its values".to_owned(),
            ));
        }
        let form = Form::of(column)?;
        Ok(Writer {
            nullable: column.nullable,
            form,
        })
    }

    /// The kind that a constant is read as.
    pub(crate) fn wanted(&self) -> Kind {
        match &self.form {
            Form::Integer { .. } | Form::Year | Form::Bit { .. } => Kind::Integer,
            Form::Decimal { .. } => Kind::Decimal,
            Form::Float { .. } => Kind::Float,
            Form::Date | Form::Datetime { .. } | Form::Timestamp { .. } => Kind::Moment,
            Form::Clock { .. } => Kind::Clock,
            Form::Bytes { .. } => Kind::Bytes,
            Form::Characters { .. } | Form::Text { .. } | Form::Enum { .. } | Form::Set { .. } => {
                Kind::Text
            }
        }
    }

    /// True where every time in whole seconds, or milliseconds, can be stored; with `zero` also the
    /// first moment of 1970.
    pub(crate) fn takes_times(&self, millis: bool, zero: bool) -> bool {
        let places = match self.form {
            Form::Datetime { places } => places,
            Form::Timestamp { places } if !zero => places,
            _ => return false,
        };
        !millis || places >= 3
    }

    pub(crate) fn takes(&self, kind: Kind) -> bool {
        let wanted = self.wanted();
        match kind {
            Kind::Null => true,
            Kind::Bool => matches!(self.form, Form::Integer { .. } | Form::Bit { .. }),
            Kind::Integer | Kind::Decimal | Kind::Float => wanted.is_number(),
            Kind::Text => matches!(wanted, Kind::Text | Kind::Bytes),
            other => other == wanted,
        }
    }

    /// The bytes, or `None` for NULL.
    pub(crate) fn render<'v>(&self, value: Value<'v>) -> Result<Option<Cow<'v, [u8]>>, Reason> {
        match value {
            Value::Null if self.nullable => Ok(None),
            Value::Null => Err(Reason::Null),
            value => self.form.render(value).map(Some),
        }
    }
}

impl Form {
    fn of(column: &Column) -> Result<Form, (Mistake, String)> {
        let unsigned = column.column_type.contains("unsigned");
        let zerofill = column.column_type.contains("zerofill");
        let refused = |what: &str| {
            Err((
                Mistake::NotAssignable,
                format!("no value can be made for {what}"),
            ))
        };
        Ok(match &column.kind {
            ColumnKind::Integer { bytes, unsigned } => {
                match integer_form(&column.column_type, *bytes, *unsigned) {
                    Some(form) => form,
                    None => return refused("ZEROFILL without a width"),
                }
            }
            ColumnKind::Decimal { .. } | ColumnKind::Float | ColumnKind::Double if zerofill => {
                return refused("ZEROFILL with a fraction");
            }
            ColumnKind::Decimal { precision, scale } => Form::Decimal {
                precision: *precision,
                scale: *scale,
                unsigned,
            },
            ColumnKind::Float | ColumnKind::Double if column.column_type.contains('(') => {
                return refused("a FLOAT or DOUBLE with declared digits");
            }
            ColumnKind::Float => Form::Float {
                single: true,
                unsigned,
            },
            ColumnKind::Double => Form::Float {
                single: false,
                unsigned,
            },
            ColumnKind::Bit { bits } => Form::Bit { bits: *bits },
            ColumnKind::Year if column.column_type == "year(2)" => return refused("a YEAR(2)"),
            ColumnKind::Year => Form::Year,
            ColumnKind::Date => Form::Date,
            ColumnKind::Time { fraction } => Form::Clock { places: *fraction },
            ColumnKind::Datetime { fraction } => Form::Datetime { places: *fraction },
            ColumnKind::Timestamp { fraction } => Form::Timestamp { places: *fraction },
            ColumnKind::Char { .. } | ColumnKind::Varchar { .. } | ColumnKind::Text => {
                text_form(column)?
            }
            ColumnKind::Binary { length } => bytes_form(*length as usize, *length as usize),
            ColumnKind::Varbinary { length } => bytes_form(*length as usize, 0),
            ColumnKind::Blob => bytes_form(long_type_bytes(&column.column_type), 0),
            ColumnKind::Enum { labels } | ColumnKind::Set { labels }
                if label_charset(column, labels).is_none() =>
            {
                return refused("an ENUM or SET with an empty label or another character set");
            }
            ColumnKind::Enum { labels } => Form::Enum {
                labels: labels.clone(),
            },
            ColumnKind::Set { labels } => Form::Set {
                labels: labels.clone(),
            },
            ColumnKind::Json => return refused("a JSON column, whose text the server rewrites"),
            ColumnKind::Geometry => return refused("a geometry"),
            ColumnKind::Vector => return refused("a vector"),
        })
    }
}

fn integer_form(column_type: &str, bytes: u8, unsigned: bool) -> Option<Form> {
    let bits = u32::from(bytes) * 8;
    let (least, most) = match unsigned {
        true => (0, (1i128 << bits) - 1),
        false => (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1),
    };
    let width = match column_type.contains("zerofill") {
        true => declared_length(column_type)?,
        false => 0,
    };
    Some(Form::Integer { least, most, width })
}

fn bytes_form(most: usize, length: usize) -> Form {
    Form::Bytes { most, length }
}

fn text_form(column: &Column) -> Result<Form, (Mistake, String)> {
    let charset = text_charset(column)?;
    Ok(match column.kind {
        ColumnKind::Char { length } | ColumnKind::Varchar { length } => Form::Characters {
            charset,
            most: length as usize,
            trimmed: matches!(column.kind, ColumnKind::Char { .. }),
        },
        _ => Form::Text {
            charset,
            most: long_type_bytes(&column.column_type),
        },
    })
}

/// The number in the parentheses of a column's type.
fn declared_length(column_type: &str) -> Option<usize> {
    let (_, behind) = column_type.split_once('(')?;
    let (digits, _) = behind.split_once(')')?;
    digits.parse().ok()
}

/// Most bytes of a TEXT or BLOB type.
fn long_type_bytes(column_type: &str) -> usize {
    let most = match column_type.get(..4) {
        Some("tiny") => 0xFF,
        Some("medi") => 0xFF_FFFF,
        Some("long") => VALUE_BYTES_MAX,
        _ => 0xFFFF,
    };
    most.min(VALUE_BYTES_MAX)
}
