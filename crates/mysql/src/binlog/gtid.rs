//! GTID sets of MySQL and GTID positions of MariaDB, with interval arithmetic.
//!
//! Owns the text forms, the binary forms of dump requests and of `Previous_gtids` and
//! `Gtid_list` events. Holes stay holes: nothing here ever joins `1-7:9-10` to `1-10`.

use super::cursor::{Cursor, Truncated, push_variable_unsigned};
use std::collections::BTreeMap;
use std::fmt;

/// Upper end of transaction numbers; the server never reaches it.
const NUMBER_MAX: u64 = i64::MAX as u64;

/// Longest tag that the server takes.
const TAG_LENGTH_MAX: usize = 32;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GtidError {
    #[error("`{0}` is not a GTID set")]
    Text(String),
    #[error("an encoded GTID set is damaged")]
    Encoding,
}

impl From<Truncated> for GtidError {
    fn from(_: Truncated) -> GtidError {
        GtidError::Encoding
    }
}

/// Who issued a transaction: a server's UUID and, from MySQL 8.3 on, a tag (empty without).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Issuer {
    pub uuid: [u8; 16],
    pub tag: String,
}

/// One transaction of MySQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gtid {
    pub issuer: Issuer,
    pub number: u64,
}

impl fmt::Display for Gtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_uuid(f, &self.issuer.uuid)?;
        if !self.issuer.tag.is_empty() {
            write!(f, ":{}", self.issuer.tag)?;
        }
        write!(f, ":{}", self.number)
    }
}

/// A set of MySQL transactions: per issuer the intervals `[begin, end)`, ascending, apart from
/// each other by at least one number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GtidSet {
    issuers: BTreeMap<Issuer, Vec<(u64, u64)>>,
}

impl GtidSet {
    pub fn parse(text: &str) -> Result<GtidSet, GtidError> {
        let mut set = GtidSet::default();
        for part in text.split(',') {
            let part = part.trim();
            if !part.is_empty() {
                set.parse_part(part)
                    .ok_or_else(|| GtidError::Text(text.chars().take(200).collect()))?;
            }
        }
        Ok(set)
    }

    /// Reads `uuid[:tag]:interval...`; a tag holds for the intervals behind it.
    fn parse_part(&mut self, part: &str) -> Option<()> {
        let mut pieces = part.split(':').map(str::trim);
        let uuid = parse_uuid(pieces.next()?)?;
        let mut tag = String::new();
        for piece in pieces {
            if piece.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
                tag = parse_tag(piece)?;
                continue;
            }
            let (first, last) = piece.split_once('-').unwrap_or((piece, piece));
            let first: u64 = first.trim().parse().ok()?;
            let last: u64 = last.trim().parse().ok()?;
            if first == 0 || last > NUMBER_MAX {
                return None;
            }
            // The server takes an interval whose end lies before its begin as empty.
            if last >= first {
                let issuer = Issuer {
                    uuid,
                    tag: tag.clone(),
                };
                self.add_interval(issuer, first, last + 1);
            }
        }
        Some(())
    }

    pub fn is_empty(&self) -> bool {
        self.issuers.is_empty()
    }

    pub fn add(&mut self, gtid: &Gtid) {
        // Nearly every transaction continues the last interval of its issuer.
        if let Some(intervals) = self.issuers.get_mut(&gtid.issuer)
            && let Some(last) = intervals.last_mut()
            && last.1 == gtid.number
        {
            last.1 += 1;
            return;
        }
        self.add_interval(gtid.issuer.clone(), gtid.number, gtid.number + 1);
    }

    fn add_interval(&mut self, issuer: Issuer, begin: u64, end: u64) {
        let intervals = self.issuers.entry(issuer).or_default();
        let from = intervals.partition_point(|interval| interval.1 < begin);
        let to = intervals.partition_point(|interval| interval.0 <= end);
        let mut joined = (begin, end);
        if from < to {
            joined.0 = joined.0.min(intervals[from].0);
            joined.1 = joined.1.max(intervals[to - 1].1);
        }
        intervals.splice(from..to, [joined]);
    }

    pub fn contains(&self, gtid: &Gtid) -> bool {
        self.issuers.get(&gtid.issuer).is_some_and(|intervals| {
            let after = intervals.partition_point(|interval| interval.0 <= gtid.number);
            after > 0 && gtid.number < intervals[after - 1].1
        })
    }

    /// True when every transaction of `other` is in this set.
    pub fn contains_set(&self, other: &GtidSet) -> bool {
        other.subtract(self).is_empty()
    }

    #[must_use]
    pub fn union(&self, other: &GtidSet) -> GtidSet {
        let mut all = self.clone();
        for (issuer, intervals) in &other.issuers {
            for (begin, end) in intervals {
                all.add_interval(issuer.clone(), *begin, *end);
            }
        }
        all
    }

    /// What is in this set and not in `other`.
    #[must_use]
    pub fn subtract(&self, other: &GtidSet) -> GtidSet {
        let mut rest = GtidSet::default();
        for (issuer, intervals) in &self.issuers {
            let removed = other.issuers.get(issuer).map_or(&[][..], Vec::as_slice);
            let left = subtract_intervals(intervals, removed);
            if !left.is_empty() {
                rest.issuers.insert(issuer.clone(), left);
            }
        }
        rest
    }

    /// The binary form of COM_BINLOG_DUMP_GTID and of `Previous_gtids`: the tagged one only
    /// where the set has tags, because servers before 8.3 do not know it.
    pub fn encode(&self) -> Vec<u8> {
        let tagged = self.issuers.keys().any(|issuer| !issuer.tag.is_empty());
        let issuer_count = self.issuers.len() as u64;
        let mut out = Vec::new();
        let head = if tagged {
            (1 << 56) | (issuer_count << 8) | 1
        } else {
            issuer_count
        };
        out.extend_from_slice(&head.to_le_bytes());
        for (issuer, intervals) in &self.issuers {
            out.extend_from_slice(&issuer.uuid);
            if tagged {
                push_variable_unsigned(&mut out, issuer.tag.len() as u64);
                out.extend_from_slice(issuer.tag.as_bytes());
            }
            out.extend_from_slice(&(intervals.len() as u64).to_le_bytes());
            for (begin, end) in intervals {
                out.extend_from_slice(&begin.to_le_bytes());
                out.extend_from_slice(&end.to_le_bytes());
            }
        }
        out
    }

    /// Reads what [`GtidSet::encode`] or a server wrote.
    pub fn decode(bytes: &[u8]) -> Result<GtidSet, GtidError> {
        let mut cursor = Cursor::new(bytes);
        let head = cursor.u64()?;
        let tagged = head >> 56 != 0;
        let issuer_count = if tagged {
            (head >> 8) & 0xFFFF_FFFF_FFFF
        } else {
            head
        };
        let mut set = GtidSet::default();
        for _ in 0..issuer_count {
            let uuid = cursor.array::<16>()?;
            let tag = if tagged {
                decode_tag(&mut cursor)?
            } else {
                String::new()
            };
            let interval_count = cursor.u64()?;
            for _ in 0..interval_count {
                let (begin, end) = (cursor.u64()?, cursor.u64()?);
                if begin == 0 || end <= begin || end > NUMBER_MAX {
                    return Err(GtidError::Encoding);
                }
                let issuer = Issuer {
                    uuid,
                    tag: tag.clone(),
                };
                set.add_interval(issuer, begin, end);
            }
        }
        Ok(set)
    }
}

fn subtract_intervals(from: &[(u64, u64)], removed: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut left = Vec::new();
    for &(begin, end) in from {
        let mut begin = begin;
        let first = removed.partition_point(|interval| interval.1 <= begin);
        for &(cut_begin, cut_end) in &removed[first..] {
            if cut_begin >= end {
                break;
            }
            if cut_begin > begin {
                left.push((begin, cut_begin));
            }
            begin = begin.max(cut_end);
        }
        if begin < end {
            left.push((begin, end));
        }
    }
    left
}

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
    if digits.len() != 32 {
        return None;
    }
    let mut uuid = [0; 16];
    for (byte, pair) in uuid.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
    }
    Some(uuid)
}

fn parse_tag(text: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (text.len() <= TAG_LENGTH_MAX && text.chars().all(fits)).then(|| text.to_ascii_lowercase())
}

/// Reads a tag with its length, in the form of MySQL's serialization library.
pub(super) fn decode_tag(cursor: &mut Cursor<'_>) -> Result<String, GtidError> {
    let length = cursor.variable_unsigned()?;
    if length > TAG_LENGTH_MAX as u64 {
        return Err(GtidError::Encoding);
    }
    let bytes = cursor.bytes(length as usize)?;
    let text = std::str::from_utf8(bytes).map_err(|_| GtidError::Encoding)?;
    parse_tag(text).ok_or(GtidError::Encoding)
}

fn write_uuid(f: &mut impl fmt::Write, uuid: &[u8; 16]) -> fmt::Result {
    for (index, byte) in uuid.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            f.write_char('-')?;
        }
        write!(f, "{byte:02x}")?;
    }
    Ok(())
}

/// Prints the set as the server does, on one line.
impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last_uuid = None;
        for (issuer, intervals) in &self.issuers {
            if last_uuid != Some(issuer.uuid) {
                if last_uuid.is_some() {
                    f.write_str(",")?;
                }
                write_uuid(f, &issuer.uuid)?;
                last_uuid = Some(issuer.uuid);
            }
            if !issuer.tag.is_empty() {
                write!(f, ":{}", issuer.tag)?;
            }
            for (begin, end) in intervals {
                write!(f, ":{begin}")?;
                if end - begin > 1 {
                    write!(f, "-{}", end - 1)?;
                }
            }
        }
        Ok(())
    }
}

/// One transaction of MariaDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MariaGtid {
    pub domain: u32,
    pub server: u32,
    pub sequence: u64,
}

impl fmt::Display for MariaGtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.domain, self.server, self.sequence)
    }
}

/// A GTID position of MariaDB: the last transaction of each domain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MariaPosition {
    domains: BTreeMap<u32, MariaGtid>,
}

impl MariaPosition {
    pub fn parse(text: &str) -> Result<MariaPosition, GtidError> {
        let mut position = MariaPosition::default();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let gtid = parse_maria(part).ok_or_else(|| GtidError::Text(text.to_owned()))?;
            position.add(gtid);
        }
        Ok(position)
    }

    /// Takes the transaction as the last one of its domain.
    pub fn add(&mut self, gtid: MariaGtid) {
        self.domains.insert(gtid.domain, gtid);
    }

    /// True when the transaction is at or before this position in its domain.
    pub fn contains(&self, gtid: MariaGtid) -> bool {
        self.domains
            .get(&gtid.domain)
            .is_some_and(|last| gtid.sequence <= last.sequence)
    }

    /// True when no domain of `other` is further.
    pub fn contains_all(&self, other: &MariaPosition) -> bool {
        other.domains.values().all(|gtid| self.contains(*gtid))
    }

    /// Reads the body of a `Gtid_list` event. The event lists every server of a domain, the
    /// last one written being the domain's last; the list is in that order.
    pub fn decode_list(bytes: &[u8]) -> Result<MariaPosition, GtidError> {
        let mut cursor = Cursor::new(bytes);
        // The upper four bits are flags.
        let count = cursor.u32()? & 0x0FFF_FFFF;
        let mut position = MariaPosition::default();
        for _ in 0..count {
            position.add(MariaGtid {
                domain: cursor.u32()?,
                server: cursor.u32()?,
                sequence: cursor.u64()?,
            });
        }
        Ok(position)
    }
}

fn parse_maria(text: &str) -> Option<MariaGtid> {
    let mut numbers = text.split('-');
    let gtid = MariaGtid {
        domain: numbers.next()?.parse().ok()?,
        server: numbers.next()?.parse().ok()?,
        sequence: numbers.next()?.parse().ok()?,
    };
    numbers.next().is_none().then_some(gtid)
}

impl fmt::Display for MariaPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, gtid) in self.domains.values().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            write!(f, "{gtid}")?;
        }
        Ok(())
    }
}

/// The GTID part of a position, of either flavour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GtidState {
    MySql(GtidSet),
    MariaDb(MariaPosition),
}

impl fmt::Display for GtidState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GtidState::MySql(set) => set.fmt(f),
            GtidState::MariaDb(position) => position.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
    const B: &str = "4e11fa47-71ca-11e1-9e33-c80aa9429562";

    fn check(input: &str, expected: &str) {
        let set = GtidSet::parse(input).expect(input);
        assert_eq!(set.to_string(), expected, "{input}");
        assert_eq!(GtidSet::decode(&set.encode()), Ok(set));
    }

    #[test]
    fn text_forms() {
        check("", "");
        check(&format!("{A}:1-7:9-10"), &format!("{A}:1-7:9-10"));
        check(&format!("{A}:1-7:8:10"), &format!("{A}:1-8:10"));
        check(&format!("{B}:1,\n{A}:5-4:7"), &format!("{A}:7,{B}:1"));
        check(
            &format!("{A}:1-3:mytag:5:7-8:other:1"),
            &format!("{A}:1-3:mytag:5:7-8:other:1"),
        );
        check(&A.to_uppercase().replace('-', ""), "");
        for bad in ["x", "3e11:1", &format!("{A}:0"), &format!("{A}:1-x")] {
            assert!(GtidSet::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn maria_positions() {
        let mut position = MariaPosition::parse("0-1-100,1-2-5").expect("a position");
        position.add(parse_maria("0-3-101").expect("a GTID"));
        assert_eq!(position.to_string(), "0-3-101,1-2-5");
        assert!(position.contains(parse_maria("0-1-100").expect("a GTID")));
        assert!(!position.contains(parse_maria("0-1-102").expect("a GTID")));
        assert!(MariaPosition::parse("0-1").is_err());
    }

    type Plain = BTreeSet<(bool, bool, u64)>;

    fn set_of(plain: &Plain) -> GtidSet {
        let mut set = GtidSet::default();
        for (which, tagged, number) in plain {
            set.add(&gtid(*which, *tagged, *number));
        }
        set
    }

    fn gtid(which: bool, tagged: bool, number: u64) -> Gtid {
        let uuid = parse_uuid(if which { A } else { B }).expect("a UUID");
        let tag = if tagged { "t" } else { "" }.to_owned();
        Gtid {
            issuer: Issuer { uuid, tag },
            number,
        }
    }

    fn plain() -> impl Strategy<Value = Plain> {
        prop::collection::btree_set((any::<bool>(), any::<bool>(), 1u64..40), 0..60)
    }

    proptest! {
        #[test]
        fn algebra_is_that_of_plain_sets(left in plain(), right in plain()) {
            let (a, b) = (set_of(&left), set_of(&right));
            prop_assert_eq!(a.union(&b), set_of(&left.union(&right).copied().collect()));
            prop_assert_eq!(a.subtract(&b), set_of(&left.difference(&right).copied().collect()));
            prop_assert_eq!(a.contains_set(&b), left.is_superset(&right));
            for (which, tagged, number) in &right {
                prop_assert_eq!(
                    a.contains(&gtid(*which, *tagged, *number)),
                    left.contains(&(*which, *tagged, *number))
                );
            }
            prop_assert_eq!(GtidSet::parse(&a.to_string()), Ok(a.clone()));
            prop_assert_eq!(GtidSet::decode(&a.encode()), Ok(a));
        }

        #[test]
        fn hostile_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = GtidSet::decode(&bytes);
            let _ = MariaPosition::decode_list(&bytes);
        }

        #[test]
        fn hostile_text_does_not_panic(text in ".{0,60}") {
            let _ = GtidSet::parse(&text);
            let _ = MariaPosition::parse(&text);
        }
    }
}
