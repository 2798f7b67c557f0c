//! Statements in the binlog: text, default database and the session they ran in.

use super::cursor::{Cursor, Truncated};
use super::event::{Header, text};
use wherry_model::change::DdlSession;

/// `OPTION_NO_FOREIGN_KEY_CHECKS` in the flags of a statement.
const FLAG_NO_FOREIGN_KEY_CHECKS: u32 = 1 << 26;

/// Collation ids of `latin1`, which MySQL takes for Windows code page 1252.
const LATIN1_COLLATIONS: [u16; 8] = [5, 8, 15, 31, 47, 48, 49, 94];

#[derive(Debug)]
pub struct QueryEvent {
    pub database: String,
    /// In the character set of the client that sent it.
    statement: Vec<u8>,
    pub session: DdlSession,
}

impl QueryEvent {
    /// Reads a statement event; `extra` bytes stand between the fixed part and the variables.
    pub(super) fn parse(
        header: &Header,
        body: &[u8],
        extra: usize,
    ) -> Result<QueryEvent, Truncated> {
        let mut cursor = Cursor::new(body);
        let (database_length, variables_length) = read_head(&mut cursor)?;
        cursor.skip(extra)?;
        let variables = cursor.bytes(variables_length)?;
        let database = text(cursor.bytes(database_length)?);
        cursor.skip(1)?;
        let mut session = DdlSession {
            timestamp: header.timestamp,
            foreign_key_checks: true,
            ..DdlSession::default()
        };
        // A damaged variable means a damaged event: the values decide how a DDL is run.
        read_variables(variables, &mut session)?;
        Ok(QueryEvent {
            database,
            statement: cursor.rest().to_vec(),
            session,
        })
    }

    /// Only the default database; works for MariaDB's compressed statements too.
    pub(super) fn parse_database(body: &[u8]) -> Result<String, Truncated> {
        let mut cursor = Cursor::new(body);
        let (database_length, variables_length) = read_head(&mut cursor)?;
        cursor.skip(variables_length)?;
        cursor.bytes(database_length).map(text)
    }

    /// The bytes of the statement, for quick looks at its first words.
    pub fn bytes(&self) -> &[u8] {
        &self.statement
    }

    /// The statement as text; `None` where the client's character set is not one that can be
    /// read here.
    pub fn text(&self) -> Option<String> {
        if self.statement.is_ascii() {
            return Some(text(&self.statement));
        }
        let client = self.session.charsets.map(|ids| ids[0]);
        if client.is_some_and(|id| LATIN1_COLLATIONS.contains(&id)) {
            return Some(self.statement.iter().map(|byte| latin1(*byte)).collect());
        }
        // In any other character set, bytes that happen to be valid UTF-8 would be read as
        // something else than they are.
        client
            .is_none_or(is_utf8_collation)
            .then(|| String::from_utf8(self.statement.clone()).ok())
            .flatten()
    }
}

/// Collation ids of utf8mb3, utf8mb4 and binary on MySQL and MariaDB.
fn is_utf8_collation(id: u16) -> bool {
    matches!(id,
        33 | 45 | 46 | 63 | 76 | 83 | 192..=215 | 223..=247 | 255..=323
        | 576..=578 | 608..=610 | 1057 | 1069 | 1070 | 1107 | 1216 | 1248 | 2048..=2559)
}

/// A character of MySQL's latin1: code page 1252, with its five gaps as control characters.
fn latin1(byte: u8) -> char {
    const UPPER: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9F => UPPER[usize::from(byte - 0x80)],
        other => char::from(other),
    }
}

/// Lengths of the default database's name and of the variables.
fn read_head(cursor: &mut Cursor<'_>) -> Result<(usize, usize), Truncated> {
    // Connection id and execution time.
    cursor.skip(4 + 4)?;
    let database_length = usize::from(cursor.u8()?);
    // Error code.
    cursor.skip(2)?;
    let variables_length = usize::from(cursor.u16()?);
    Ok((database_length, variables_length))
}

fn read_variables(variables: &[u8], session: &mut DdlSession) -> Result<(), Truncated> {
    let mut cursor = Cursor::new(variables);
    while !cursor.is_empty() {
        match cursor.u8()? {
            0 => session.foreign_key_checks = cursor.u32()? & FLAG_NO_FOREIGN_KEY_CHECKS == 0,
            1 => session.sql_mode = Some(cursor.u64()?),
            // Catalog, with a zero byte behind the text.
            2 => {
                let length = usize::from(cursor.u8()?);
                cursor.skip(length + 1)?;
            }
            3 => cursor.skip(4)?,
            4 => session.charsets = Some([cursor.u16()?, cursor.u16()?, cursor.u16()?]),
            5 => session.time_zone = Some(text(short_bytes(&mut cursor)?)),
            6 => drop(short_bytes(&mut cursor)?),
            7 | 8 => cursor.skip(2)?,
            9 | 17 | 129 => cursor.skip(8)?,
            10 => cursor.skip(4)?,
            // Invoker: user and host.
            11 => {
                short_bytes(&mut cursor)?;
                short_bytes(&mut cursor)?;
            }
            12 => skip_database_names(&mut cursor)?,
            13 | 128 => session.microseconds = cursor.unsigned(3)? as u32,
            16 => session.explicit_defaults_for_timestamp = Some(cursor.u8()? != 0),
            18 => session.default_collation_utf8mb4 = Some(cursor.u16()?),
            19 | 20 => cursor.skip(1)?,
            // Variables come in ascending order, so an unknown one is newer than all of these.
            _ => break,
        }
    }
    Ok(())
}

fn short_bytes<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], Truncated> {
    let length = usize::from(cursor.u8()?);
    cursor.bytes(length)
}

fn skip_database_names(cursor: &mut Cursor<'_>) -> Result<(), Truncated> {
    const TOO_MANY_TO_LIST: u8 = 254;
    let count = cursor.u8()?;
    if count != TOO_MANY_TO_LIST {
        for _ in 0..count {
            cursor.zero_terminated()?;
        }
    }
    Ok(())
}
