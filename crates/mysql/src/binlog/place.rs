//! Where in the source's binlog the reader stands.
//!
//! Owns the 64-bit offset. Events carry only its low 32 bits, artificial ones nothing, and with
//! GTIDs the server passes over transactions without a word.

use super::event::{Event, EventError, Format, Header, RawEvent};
use super::gtid::GtidState;
use super::table_map::{TableMap, TableMapHead};
use bytes::Bytes;
use std::sync::Arc;
use wherry_model::{Position, TableName};

/// File, offset and format of the events being read.
#[derive(Debug, Clone)]
pub struct Place {
    file: Arc<str>,
    offset: u64,
    format: Format,
}

impl Place {
    pub fn new(file: &str, offset: u64) -> Place {
        Place {
            file: file.into(),
            offset,
            format: Format::default(),
        }
    }

    /// Takes the next event off the wire and moves behind it.
    pub fn take(&mut self, event: &Bytes) -> Result<RawEvent, EventError> {
        let raw = RawEvent::frame(event, &self.format)?;
        self.advance(&raw.header);
        Ok(raw)
    }

    pub fn parse(&self, raw: &RawEvent) -> Result<Event, EventError> {
        Event::parse(raw, &self.format)
    }

    pub fn table_map_id(&self, raw: &RawEvent) -> Result<u64, EventError> {
        TableMapHead::parse_id(&raw.body, self.format.table_map_id_bytes()).map_err(|_| {
            EventError::Truncated {
                kind: raw.header.kind,
            }
        })
    }

    pub fn table_map_name(&self, raw: &RawEvent) -> Result<TableName, EventError> {
        TableMapHead::parse(&raw.body, self.format.table_map_id_bytes())
            .map(|head| head.name)
            .map_err(|_| EventError::Truncated {
                kind: raw.header.kind,
            })
    }

    /// Decodes the body of a table map event of the current file.
    pub fn parse_table_map(&self, body: &[u8]) -> Result<TableMap, EventError> {
        self.format.parse_table_map(body)
    }

    pub fn set_format(&mut self, format: Format) {
        self.format = format;
    }

    pub fn rotate(&mut self, file: &str, offset: u64) {
        if *self.file != *file {
            self.file = file.into();
        }
        self.offset = offset;
    }

    fn advance(&mut self, header: &Header) {
        if header.is_artificial() {
            return;
        }
        if header.is_heartbeat() {
            // Says how far the server has passed over; takes no room itself.
            self.move_to(self.offset, header.log_pos);
        } else if header.log_pos != 0 {
            self.move_to(self.offset + u64::from(header.size), header.log_pos);
        } else if !header.is_format() {
            self.offset += u64::from(header.size);
        }
    }

    /// Moves to the first offset from `expected` on whose low 32 bits are `low`. A distance that
    /// no server passes over in one go means that `low` lies behind: it is not believed.
    fn move_to(&mut self, expected: u64, low: u32) {
        const DISTANCE_MAX: u32 = 1 << 31;
        let distance = low.wrapping_sub(expected as u32);
        self.offset = if low == 0 || distance > DISTANCE_MAX {
            expected
        } else {
            expected + u64::from(distance)
        };
    }

    pub fn position(&self, gtids: Option<Arc<str>>) -> Position {
        Position {
            file: Arc::clone(&self.file),
            offset: self.offset,
            gtids,
        }
    }

    /// True when everything up to here lies at or before `position`.
    pub fn is_within(&self, position: &Position) -> bool {
        position.reaches(&self.position(None))
    }
}

/// The place behind the last whole transaction, with the transactions up to there.
#[derive(Debug, Clone)]
pub struct Boundary {
    position: Position,
    gtids: Option<GtidState>,
}

impl Boundary {
    pub fn new(position: Position, gtids: Option<GtidState>) -> Boundary {
        Boundary { position, gtids }
    }

    pub fn position(&self) -> &Position {
        &self.position
    }

    pub fn gtids(&self) -> Option<&GtidState> {
        self.gtids.as_ref()
    }

    /// Moves on without a transaction.
    pub fn advance(&mut self, place: &Place) {
        self.position = place.position(self.position.gtids.clone());
    }

    /// Moves behind a transaction.
    pub fn advance_with(&mut self, place: &Place, change: impl FnOnce(&mut GtidState)) {
        if let Some(gtids) = &mut self.gtids {
            change(gtids);
            self.position.gtids = Some(gtids.to_string().into());
        }
        self.advance(place);
    }

    /// From here on there are transactions without a GTID, so the set finds no place any more.
    pub fn forget_gtids(&mut self) {
        self.gtids = None;
        self.position.gtids = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_pass_4_gib() {
        let mut place = Place::new("bin.000001", 0xFFFF_FFF0);
        place.move_to(0xFFFF_FFF0 + 0x40, 0x30);
        assert_eq!(place.offset, 0x1_0000_0030);
        place.move_to(0x1_0000_0040, 0x1000);
        assert_eq!(place.offset, 0x1_0000_1000);
        // An offset behind is not taken for one 4 GiB ahead.
        place.move_to(0x1_0000_1000, 0x0FFF);
        assert_eq!(place.offset, 0x1_0000_1000);
    }
}
