//! Hashes of rows and of sets of rows.

use xxhash_rust::xxh3::xxh3_128;

/// The number of rows and the sum of their hashes: order does not matter, repetition does.
///
/// The canonical form marks lengths and NULLs, so ('a','bc') and ('ab','c') differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SetHash {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    sum: u128,
}

impl SetHash {
    pub(super) fn add(&mut self, encoded: &[u8]) {
        self.rows = self.rows.wrapping_add(1);
        self.bytes = self.bytes.wrapping_add(encoded.len() as u64);
        self.sum = self.sum.wrapping_add(xxh3_128(encoded));
    }

    /// Takes in another set, with what both have twice.
    pub(super) fn join(&mut self, other: SetHash) {
        self.rows = self.rows.wrapping_add(other.rows);
        self.bytes = self.bytes.wrapping_add(other.bytes);
        self.sum = self.sum.wrapping_add(other.sum);
    }

    pub(super) fn remove(&mut self, encoded: &[u8]) {
        self.rows = self.rows.wrapping_sub(1);
        self.bytes = self.bytes.wrapping_sub(encoded.len() as u64);
        self.sum = self.sum.wrapping_sub(xxh3_128(encoded));
    }
}

/// The hash of one row.
pub(super) fn row_hash(encoded: &[u8]) -> u128 {
    xxh3_128(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wherry_model::Row;

    #[test]
    fn borders_nulls_and_repetition_count() {
        let hash = |rows: &[&[Option<&[u8]>]]| {
            let mut set = SetHash::default();
            for row in rows {
                set.add(Row::from_values(row.iter().copied()).encoded());
            }
            set
        };
        let one: &[Option<&[u8]>] = &[Some(b"a"), Some(b"bc")];
        let other: &[Option<&[u8]>] = &[Some(b"ab"), Some(b"c")];
        let null: &[Option<&[u8]>] = &[None, Some(b"c")];
        let empty: &[Option<&[u8]>] = &[Some(b""), Some(b"c")];
        assert_ne!(hash(&[one]), hash(&[other]));
        assert_ne!(hash(&[null]), hash(&[empty]));
        assert_ne!(hash(&[one]), hash(&[one, one, one]));
        assert_eq!(hash(&[one, null]), hash(&[null, one]));
        let mut set = hash(&[one, null]);
        set.remove(Row::from_values(null.iter().copied()).encoded());
        assert_eq!(set, hash(&[one]));
    }
}
