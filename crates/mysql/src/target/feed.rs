//! Rows as the lines of a LOAD DATA file, escaped piece by piece.
//!
//! A typed JSON document has no text that a line could carry: the file ends before the batch that
//! holds one, and the batch is handed back.

use crate::json;
use crate::session::LoadFeed;
use async_trait::async_trait;
use wherry_engine::pipe::RowReceiver;
use wherry_model::row::Values;
use wherry_model::{ColumnKind, Fault, RowBatch, Table};

/// Bytes handed over at a time: below every server's `max_allowed_packet`.
const FILL_BYTES: usize = 512 << 10;

/// Turns the rows of a pipe into tab-separated lines. Counts what went through.
pub(super) struct RowFeed<'a> {
    rows: &'a mut RowReceiver,
    written: Vec<bool>,
    /// The JSON columns that are written.
    documents: Vec<usize>,
    batch: RowBatch,
    /// The batch before which the file ended.
    pub(super) held: Option<RowBatch>,
    /// The next value to write: its row, its column, and how much of it is written already.
    place: Place,
    pub(super) row_count: u64,
    pub(super) byte_count: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Place {
    row: usize,
    column: usize,
    offset: usize,
}

impl<'a> RowFeed<'a> {
    pub(super) fn new(table: &Table, rows: &'a mut RowReceiver) -> RowFeed<'a> {
        RowFeed {
            rows,
            written: (0..table.columns.len())
                .map(|column| table.is_written(column))
                .collect(),
            documents: table
                .written_columns()
                .filter(|&index| table.columns[index].kind == ColumnKind::Json)
                .collect(),
            batch: RowBatch::default(),
            held: None,
            place: Place::default(),
            row_count: 0,
            byte_count: 0,
        }
    }

    fn holds_typed_document(&self, batch: &RowBatch) -> bool {
        let is_typed = |row, &column: &usize| {
            let value = Values::of(row).nth(column);
            value.flatten().is_some_and(json::is_typed)
        };
        !self.documents.is_empty()
            && batch
                .iter()
                .any(|row| self.documents.iter().any(|column| is_typed(row, column)))
    }

    /// Writes on from `place` until the batch ends or `out` is full.
    fn write(&mut self, out: &mut Vec<u8>) {
        while self.place.row < self.batch.row_count() && out.len() < FILL_BYTES {
            let encoded = self.batch.encoded(self.place.row);
            if !write_line(out, encoded, &self.written, &mut self.place) {
                return;
            }
            self.row_count += 1;
            self.byte_count += encoded.len() as u64;
            self.place = Place {
                row: self.place.row + 1,
                ..Place::default()
            };
        }
    }
}

/// Writes on in one row; false where `out` is full before its end.
fn write_line(out: &mut Vec<u8>, encoded: &[u8], written: &[bool], place: &mut Place) -> bool {
    let skip = place.column;
    for (value, &is_written) in Values::of(encoded).zip(written).skip(skip) {
        if is_written {
            let first = written[..place.column].iter().all(|&earlier| !earlier);
            if !first && place.offset == 0 {
                out.push(b'\t');
            }
            match value {
                None => out.extend_from_slice(b"\\N"),
                Some(value) => {
                    // An empty piece after a value that ended exactly at the limit is harmless.
                    let room = FILL_BYTES.saturating_sub(out.len()).max(1);
                    let rest = &value[place.offset..];
                    let now = rest.len().min(room);
                    push_escaped(out, &rest[..now]);
                    if now < rest.len() {
                        place.offset += now;
                        return false;
                    }
                }
            }
        }
        place.column += 1;
        place.offset = 0;
    }
    out.push(b'\n');
    true
}

/// Escapes what separates fields and lines, and the escape itself.
fn push_escaped(out: &mut Vec<u8>, mut rest: &[u8]) {
    while let Some(index) = memchr::memchr3(b'\\', b'\t', b'\n', rest) {
        out.extend_from_slice(&rest[..index]);
        out.push(b'\\');
        out.push(match rest[index] {
            b'\t' => b't',
            b'\n' => b'n',
            other => other,
        });
        rest = &rest[index + 1..];
    }
    out.extend_from_slice(rest);
}

#[async_trait]
impl LoadFeed for RowFeed<'_> {
    async fn fill(&mut self, out: &mut Vec<u8>) -> Result<bool, Fault> {
        loop {
            self.write(out);
            if out.len() >= FILL_BYTES {
                return Ok(true);
            }
            match self.rows.next().await? {
                Some(batch) if self.holds_typed_document(&batch) => {
                    self.held = Some(batch);
                    return Ok(false);
                }
                Some(batch) => {
                    self.batch = batch;
                    self.place = Place::default();
                }
                None => return Ok(false),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wherry_engine::pipe::{Budget, row_pipe};
    use wherry_model::{Column, Exactness, Row, Shape, TableName};

    fn table(generated: &[bool]) -> Table {
        let column = |(index, &generated): (usize, &bool)| Column {
            name: format!("c{index}"),
            kind: ColumnKind::Blob,
            column_type: String::new(),
            nullable: true,
            charset: None,
            collation: None,
            generated,
            auto_increment: false,
            in_target: None,
        };
        Table {
            name: TableName::new("a", "t"),
            engine: String::new(),
            columns: generated.iter().enumerate().map(column).collect(),
            keys: Vec::new(),
            exactness: Exactness::Keyed,
            definition: String::new(),
            row_count_estimate: 0,
            byte_count_estimate: 0,
            adopted: None,
            shape: None,
            in_target: None,
        }
    }

    #[tokio::test]
    async fn a_typed_document_ends_the_file_before_its_batch() {
        let typed = Row::from_values([Some(b"\x01[\x02u1]".as_slice())]);
        let (sender, mut receiver) = row_pipe(&Budget::new(256 << 20));
        let rows = [Row::from_values([Some(b"[1]".as_slice())]), typed.clone()];
        let send = async {
            for row in rows.iter().chain(&rows[..1]) {
                let mut batch = RowBatch::default();
                batch.push_encoded(row.encoded());
                assert!(sender.send(batch).await);
            }
            drop(sender);
        };
        let mut table = table(&[false]);
        table.columns[0].kind = ColumnKind::Json;
        let receive = async {
            let mut feed = RowFeed::new(&table, &mut receiver);
            let mut out = Vec::new();
            assert!(!feed.fill(&mut out).await.expect("rows"));
            let held = feed.held.expect("the batch with a typed document");
            assert_eq!(held.encoded(0), typed.encoded());
            let mut feed = RowFeed::new(&table, &mut receiver);
            assert!(!feed.fill(&mut out).await.expect("rows"));
            assert!(feed.held.is_none());
            assert_eq!(
                (out.as_slice(), feed.row_count),
                (b"[1]\n[1]\n".as_slice(), 1)
            );
        };
        tokio::join!(send, receive);
    }

    async fn lines(generated: &[bool], rows: &[Row]) -> (Vec<u8>, u64, usize) {
        let (sender, receiver) = row_pipe(&Budget::new(256 << 20));
        let mut batch = RowBatch::default();
        for row in rows {
            batch.push_encoded(row.encoded());
        }
        assert!(sender.send(batch).await);
        drop(sender);
        lines_of(&table(generated), receiver).await
    }

    async fn lines_of(table: &Table, mut receiver: RowReceiver) -> (Vec<u8>, u64, usize) {
        let mut feed = RowFeed::new(table, &mut receiver);
        let (mut all, mut largest) = (Vec::new(), 0);
        loop {
            let mut out = Vec::new();
            let more = feed.fill(&mut out).await.expect("rows");
            largest = largest.max(out.len());
            all.extend(out);
            if !more {
                return (all, feed.row_count, largest);
            }
        }
    }

    #[tokio::test]
    async fn separators_are_escaped_and_generated_columns_left_out() {
        let rows = [
            Row::from_values([Some(b"x".as_slice()), Some(b"a\tb\nc\\N\0"), None]),
            Row::from_values([Some(b"x".as_slice()), Some(b""), Some(b"2")]),
        ];
        let (text, count, _) = lines(&[true, false, false], &rows).await;
        assert_eq!(text, b"a\\tb\\nc\\\\N\0\t\\N\n\t2\n");
        assert_eq!(count, 2);
    }

    /// The statement does not name them, so that one more field would move all others.
    #[tokio::test]
    async fn columns_that_stay_behind_are_no_fields() {
        let (sender, receiver) = row_pipe(&Budget::new(256 << 20));
        let mut batch = RowBatch::default();
        let row = Row::from_values([Some(b"1".as_slice()), None, Some(b"3")]);
        batch.push_encoded(row.encoded());
        assert!(sender.send(batch).await);
        drop(sender);
        let mut table = table(&[false, false, false]);
        table.shape = Some(Box::new(Shape {
            left_out: vec![1],
            ..Shape::default()
        }));
        let (text, count, _) = lines_of(&table, receiver).await;
        assert_eq!((text.as_slice(), count), (b"1\t3\n".as_slice(), 1));
    }

    #[tokio::test]
    async fn a_huge_value_goes_in_pieces() {
        let value = vec![b'\n'; 3 * FILL_BYTES + 7];
        let rows = [
            Row::from_values([Some(b"1".as_slice()), Some(&value), Some(b"9")]),
            Row::from_values([Some(b"2".as_slice()), None, Some(b"8")]),
        ];
        let (text, count, largest) = lines(&[false, false, false], &rows).await;
        let mut expected = b"1\t".to_vec();
        expected.extend(b"\\n".repeat(value.len()));
        expected.extend_from_slice(b"\t9\n2\t\\N\t8\n");
        assert!(text == expected);
        assert_eq!(count, 2);
        assert!(largest <= 2 * FILL_BYTES + 16);
    }
}
