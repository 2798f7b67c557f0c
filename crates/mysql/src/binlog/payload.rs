//! Compressed transactions: one event that holds the events of a whole transaction.
//!
//! Unpacks one inner event at a time, so a transaction may be larger than memory.

use super::cursor::{Cursor, Truncated};
use super::event::{EventError, HEADER_BYTES, RawEvent};
use bytes::{Buf, Bytes};
use std::io::{BufReader, Read};

/// Largest inner event: the server's own limit for one packet.
const INNER_EVENT_BYTES_MAX: usize = 1 << 30;

const COMPRESSION_ZSTD: u64 = 0;
const COMPRESSION_NONE: u64 = 255;

/// Yields the events inside a payload event, in order.
pub struct PayloadReader {
    reader: Box<dyn Read + Send + Sync>,
}

impl std::fmt::Debug for PayloadReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PayloadReader")
    }
}

impl PayloadReader {
    pub fn open(body: &Bytes) -> Result<PayloadReader, EventError> {
        let (compression, payload) =
            read_head(body).map_err(|_| EventError::Truncated { kind: 40 })?;
        let reader: Box<dyn Read + Send + Sync> = match compression {
            COMPRESSION_NONE => Box::new(payload.reader()),
            COMPRESSION_ZSTD => {
                let decoder = zstd::stream::read::Decoder::with_buffer(payload.reader());
                Box::new(BufReader::new(decoder.map_err(EventError::Payload)?))
            }
            other => return Err(EventError::Compression(other)),
        };
        Ok(PayloadReader { reader })
    }

    /// The next inner event; `None` at the end. Inner events have no checksum, and their
    /// positions mean nothing: the outer event's place counts.
    pub fn next_event(&mut self) -> Result<Option<RawEvent>, EventError> {
        let mut event = Vec::with_capacity(HEADER_BYTES);
        self.read_up_to(&mut event, HEADER_BYTES)?;
        if event.is_empty() {
            return Ok(None);
        }
        let size = event
            .get(9..13)
            .and_then(|bytes| bytes.try_into().ok())
            .map(u32::from_le_bytes)
            .ok_or(EventError::Truncated { kind: 40 })? as usize;
        if !(HEADER_BYTES..=INNER_EVENT_BYTES_MAX).contains(&size) {
            return Err(EventError::Damaged {
                kind: 40,
                what: "the size of an inner event",
            });
        }
        self.read_up_to(&mut event, size - HEADER_BYTES)?;
        if event.len() != size {
            return Err(EventError::Truncated { kind: 40 });
        }
        RawEvent::frame_inner(Bytes::from(event)).map(Some)
    }

    fn read_up_to(&mut self, event: &mut Vec<u8>, count: usize) -> Result<(), EventError> {
        // Grows as bytes come, so a hostile size alone takes no memory.
        self.reader
            .by_ref()
            .take(count as u64)
            .read_to_end(event)
            .map(|_| ())
            .map_err(EventError::Payload)
    }
}

/// Numbered fields up to an end mark, then the payload.
fn read_head(body: &Bytes) -> Result<(u64, Bytes), Truncated> {
    let mut cursor = Cursor::new(body);
    // Absent means none in the server as well.
    let mut compression = COMPRESSION_NONE;
    let mut size = None;
    loop {
        let field = cursor.length_encoded()?;
        if field == 0 {
            break;
        }
        let value = cursor.length_encoded_bytes()?;
        match field {
            1 => size = Some(Cursor::new(value).length()?),
            2 => compression = Cursor::new(value).length_encoded()?,
            // The unpacked size, and whatever may come: lengths let them be passed over.
            _ => {}
        }
    }
    let payload = cursor.bytes(size.unwrap_or(cursor.len()))?;
    Ok((compression, body.slice_ref(payload)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn inner(body: &[u8]) -> Vec<u8> {
        let mut event = vec![0; HEADER_BYTES];
        event[9..13].copy_from_slice(&((HEADER_BYTES + body.len()) as u32).to_le_bytes());
        event.extend_from_slice(body);
        event
    }

    fn payload(compression: u8, data: &[u8]) -> Bytes {
        let mut body = vec![2, 1, compression, 1, 3, 0xFC];
        body.extend_from_slice(&(data.len() as u16).to_le_bytes());
        body.push(0);
        body.extend_from_slice(data);
        Bytes::from(body)
    }

    #[test]
    fn both_forms_give_the_same_events() {
        let events = [inner(b"one"), inner(b""), inner(&[7; 5000])].concat();
        let packed = zstd::stream::encode_all(events.as_slice(), 3).expect("packed");
        for body in [payload(0, &packed), plain(&events)] {
            let mut reader = PayloadReader::open(&body).expect("a payload");
            let mut lengths = Vec::new();
            while let Some(event) = reader.next_event().expect("an event") {
                lengths.push(event.body.len());
            }
            assert_eq!(lengths, [3, 0, 5000]);
        }
    }

    fn plain(events: &[u8]) -> Bytes {
        let mut body = vec![2, 3, 0xFC, 255, 0, 0];
        body.extend_from_slice(events);
        Bytes::from(body)
    }

    proptest! {
        #[test]
        fn hostile_bytes_do_not_panic(body in prop::collection::vec(any::<u8>(), 0..120)) {
            let body = Bytes::from(body);
            if let Ok(mut reader) = PayloadReader::open(&body) {
                while let Ok(Some(_)) = reader.next_event() {}
            }
        }
    }
}
