//! The record that a script sees: its images, what was assigned so far, and what is known beside the row.

use wherry_model::row::Values;

use crate::value::Operation;

/// What is known beside the row. All times are UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Context<'a> {
    /// When the source committed the transaction, in microseconds since 1970. A load has no such time; it gives
    /// the time at which the row was read.
    pub commit_micros: i64,
    /// The time now, in microseconds since 1970.
    pub now_micros: i64,
    /// The position of the transaction in the source; empty in a load.
    pub position: &'a str,
}

/// Which image a column is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Image {
    /// AFTER for INSERT and UPDATE, BEFORE for DELETE: the one that `e_set` writes.
    Current,
    Before,
    After,
}

pub(crate) struct Record<'r> {
    /// The current image, as it was read.
    pub(crate) current: &'r [u8],
    /// The before image of an UPDATE.
    pub(crate) before: Option<&'r [u8]>,
    /// What the record was when it came.
    pub(crate) came_as: Operation,
    /// What it is now: scripts may assign it.
    pub(crate) operation: Operation,
    /// What was assigned, in the order of columns; `None` is NULL.
    pub(crate) assigned: Vec<(usize, Option<Vec<u8>>)>,
    pub(crate) context: &'r Context<'r>,
}

impl<'r> Record<'r> {
    pub(crate) fn new(
        current: &'r [u8],
        came_as: Operation,
        context: &'r Context<'r>,
    ) -> Record<'r> {
        Record {
            current,
            before: None,
            came_as,
            operation: came_as,
            assigned: Vec::new(),
            context,
        }
    }

    pub(crate) fn assign(&mut self, column: usize, value: Option<Vec<u8>>) {
        match self.place_of(column) {
            Ok(place) => self.assigned[place].1 = value,
            Err(place) => self.assigned.insert(place, (column, value)),
        }
    }

    fn place_of(&self, column: usize) -> Result<usize, usize> {
        self.assigned
            .binary_search_by_key(&column, |(assigned, _)| *assigned)
    }

    /// The canonical bytes of a column; NULL where the record has no such image.
    pub(crate) fn column(&self, column: usize, image: Image) -> Option<&[u8]> {
        let current = match self.came_as {
            Operation::Delete => Image::Before,
            Operation::Insert | Operation::Update => Image::After,
        };
        if image != Image::Current && image != current {
            return self
                .before
                .filter(|_| image == Image::Before)
                .and_then(|row| at(row, column));
        }
        match self.place_of(column) {
            Ok(place) => self.assigned[place].1.as_deref(),
            Err(_) => at(self.current, column),
        }
    }

    /// At least as many bytes as [`Record::write`] appends.
    pub(crate) fn written_bytes_max(&self) -> usize {
        /// A value's length takes so many bytes at most.
        const LENGTH_BYTES_MAX: usize = 9;
        let values = self.assigned.iter();
        let assigned =
            values.map(|(_, value)| value.as_ref().map_or(0, Vec::len) + LENGTH_BYTES_MAX);
        self.current.len() + assigned.sum::<usize>()
    }

    /// Appends the current image with the assigned values.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.reserve(self.written_bytes_max());
        let mut values = Values::of(self.current);
        let mut next = 0;
        let mut copied = 0;
        for (column, value) in &self.assigned {
            for _ in next..*column {
                values.next();
            }
            let begin = self.current.len() - values.rest().len();
            out.extend_from_slice(&self.current[copied..begin]);
            wherry_model::row::push_value(out, value.as_deref());
            values.next();
            next = *column + 1;
            copied = self.current.len() - values.rest().len();
        }
        out.extend_from_slice(&self.current[copied..]);
    }
}

fn at(row: &[u8], column: usize) -> Option<&[u8]> {
    Values::of(row).nth(column).flatten()
}
