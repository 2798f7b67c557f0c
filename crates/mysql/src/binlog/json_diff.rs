//! Partial updates of JSON: differences, applied to the document before them.
//!
//! An after image under `binlog_row_value_options = PARTIAL_JSON` holds, for some columns, a list of
//! operations on the document of the before image. Only the containers on the operations' paths
//! are taken apart; everything else stays as it was sent until it is printed. Work and memory are
//! bounded by the bytes that were sent.

use super::cursor::{Cursor, Truncated};
use super::json::{self, Children, Printer, kind};
use super::plan::Codec;
use crate::json::{FormError, unescape};
use std::cmp::Ordering;

/// Legs of a path: as deep as a document may be, with room.
const LEGS_MAX: usize = 128;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DiffError {
    #[error("{0}")]
    Document(FormError),
    #[error("the list of operations is damaged")]
    Damaged,
    #[error("the row has no document there")]
    NoDocument,
    #[error("a path leads to nothing")]
    NoSuchPath,
}

impl From<FormError> for DiffError {
    fn from(error: FormError) -> DiffError {
        DiffError::Document(error)
    }
}

impl From<Truncated> for DiffError {
    fn from(_: Truncated) -> DiffError {
        DiffError::Damaged
    }
}

/// The JSON documents of an event's images, in their binary form.
pub(super) struct Documents<'a> {
    before: Vec<Option<&'a [u8]>>,
    /// Of the image that is read now: which documents are differences, and that it is an after
    /// image at all.
    differs: Option<&'a [u8]>,
    is_after: bool,
}

impl<'a> Documents<'a> {
    pub(super) fn new(codecs: &[Codec]) -> Documents<'a> {
        let count = codecs
            .iter()
            .filter(|codec| matches!(codec, Codec::Json { .. }))
            .count();
        Documents {
            before: vec![None; count],
            differs: None,
            is_after: false,
        }
    }

    /// Reads what stands before the image; `partial` for after images of partial updates.
    pub(super) fn read_head(
        &mut self,
        cursor: &mut Cursor<'a>,
        partial: bool,
    ) -> Result<(), Truncated> {
        const PARTIAL_JSON: u64 = 1;
        self.differs = None;
        self.is_after = partial;
        if partial && cursor.length_encoded()? & PARTIAL_JSON != 0 {
            self.differs = Some(cursor.bytes(self.before.len().div_ceil(8))?);
        }
        Ok(())
    }

    /// Writes the canonical form of the next document over `out`. `number` counts the JSON columns.
    pub(super) fn print(
        &mut self,
        number: usize,
        sent: Option<&'a [u8]>,
        out: &mut Vec<u8>,
    ) -> Result<(), DiffError> {
        out.clear();
        if !self.is_after {
            self.before[number] = sent;
        }
        let Some(sent) = sent else {
            return Ok(());
        };
        let differs = self
            .differs
            .is_some_and(|bits| bits[number / 8] & (1 << (number % 8)) != 0);
        if differs {
            let before = self.before[number].ok_or(DiffError::NoDocument)?;
            return apply(before, sent, out);
        }
        json::print(sent, out).map_err(DiffError::Document)
    }
}

/// Appends the canonical form of `document` after `differences`.
fn apply(document: &[u8], differences: &[u8], out: &mut Vec<u8>) -> Result<(), DiffError> {
    let mut tree = Tree {
        root: Node::of(document),
        // Every child has an entry of three bytes or more, and is taken apart once.
        children_left: document.len() + differences.len(),
    };
    let mut cursor = Cursor::new(differences);
    while !cursor.is_empty() {
        tree.apply_next(&mut cursor)?;
    }
    let mut printer = Printer::new(out, document.len() + differences.len());
    tree.root.print(&mut printer, 0)?;
    printer.finish();
    Ok(())
}

/// A value; containers are taken apart when a path leads into them.
enum Node<'a> {
    Sent { kind: u8, bytes: &'a [u8] },
    Object(Vec<(Vec<u8>, Node<'a>)>),
    Array(Vec<Node<'a>>),
}

struct Tree<'a> {
    root: Node<'a>,
    children_left: usize,
}

impl<'a> Tree<'a> {
    fn apply_next(&mut self, cursor: &mut Cursor<'a>) -> Result<(), DiffError> {
        const REPLACE: u8 = 0;
        const INSERT: u8 = 1;
        const REMOVE: u8 = 2;
        let operation = cursor.u8()?;
        let legs = parse_path(cursor.length_encoded_bytes()?)?;
        if operation == REMOVE {
            return self.remove(&legs);
        }
        let value = Node::of(cursor.length_encoded_bytes()?);
        match operation {
            REPLACE => {
                *self.seek(&legs)? = value;
                Ok(())
            }
            INSERT => self.insert(&legs, value),
            _ => Err(DiffError::Damaged),
        }
    }

    fn seek(&mut self, legs: &[Leg]) -> Result<&mut Node<'a>, DiffError> {
        let mut node = &mut self.root;
        for leg in legs {
            node.open(&mut self.children_left)?;
            node = match (node, leg) {
                (Node::Object(members), Leg::Member(key)) => {
                    let index = find(members, key).map_err(|_| DiffError::NoSuchPath)?;
                    &mut members[index].1
                }
                (Node::Array(elements), Leg::Cell(cell)) => {
                    let index = cell.index(elements.len());
                    index
                        .and_then(|index| elements.get_mut(index))
                        .ok_or(DiffError::NoSuchPath)?
                }
                // What is no array counts as the only element of one.
                (node, Leg::Cell(cell)) if cell.index(1) == Some(0) => node,
                _ => return Err(DiffError::NoSuchPath),
            };
        }
        // Operations on its children follow where it is a container.
        node.open(&mut self.children_left)?;
        Ok(node)
    }

    fn insert(&mut self, legs: &[Leg], value: Node<'a>) -> Result<(), DiffError> {
        let (last, parents) = legs.split_last().ok_or(DiffError::NoSuchPath)?;
        match (self.seek(parents)?, last) {
            (Node::Object(members), Leg::Member(key)) => match find(members, key) {
                Err(index) => members.insert(index, (key.clone(), value)),
                Ok(_) => return Err(DiffError::NoSuchPath),
            },
            (Node::Array(elements), Leg::Cell(cell)) => {
                let count = elements.len();
                elements.insert(cell.index(count).unwrap_or(0).min(count), value);
            }
            _ => return Err(DiffError::NoSuchPath),
        }
        Ok(())
    }

    fn remove(&mut self, legs: &[Leg]) -> Result<(), DiffError> {
        let (last, parents) = legs.split_last().ok_or(DiffError::NoSuchPath)?;
        match (self.seek(parents)?, last) {
            (Node::Object(members), Leg::Member(key)) => {
                let index = find(members, key).map_err(|_| DiffError::NoSuchPath)?;
                members.remove(index);
            }
            (Node::Array(elements), Leg::Cell(cell)) => {
                let index = cell.index(elements.len());
                let index = index.filter(|&index| index < elements.len());
                elements.remove(index.ok_or(DiffError::NoSuchPath)?);
            }
            _ => return Err(DiffError::NoSuchPath),
        }
        Ok(())
    }
}

/// Keys stand in the order of their lengths, equal ones in that of their bytes.
fn find(members: &[(Vec<u8>, Node<'_>)], key: &[u8]) -> Result<usize, usize> {
    members.binary_search_by(|(found, _)| match found.len().cmp(&key.len()) {
        Ordering::Equal => found.as_slice().cmp(key),
        unequal => unequal,
    })
}

impl<'a> Node<'a> {
    fn of(document: &'a [u8]) -> Node<'a> {
        const NULL: &[u8] = &[0];
        match document.split_first() {
            Some((&kind, bytes)) => Node::Sent { kind, bytes },
            None => Node::Sent {
                kind: kind::LITERAL,
                bytes: NULL,
            },
        }
    }

    /// Takes a container apart; a scalar stays as it is.
    fn open(&mut self, children_left: &mut usize) -> Result<(), DiffError> {
        let Node::Sent { kind, bytes } = *self else {
            return Ok(());
        };
        let (object, size) = match kind {
            kind::SMALL_OBJECT => (true, 2),
            kind::LARGE_OBJECT => (true, 4),
            kind::SMALL_ARRAY => (false, 2),
            kind::LARGE_ARRAY => (false, 4),
            _ => return Ok(()),
        };
        let (mut members, mut elements) = (Vec::new(), Vec::new());
        for child in Children::of(bytes, object, size)? {
            let child = child?;
            *children_left = children_left.checked_sub(1).ok_or(FormError::Damaged)?;
            let node = Node::Sent {
                kind: child.kind,
                bytes: child.bytes,
            };
            match child.key {
                Some(key) => members.push((key.to_vec(), node)),
                None => elements.push(node),
            }
        }
        *self = if object {
            Node::Object(members)
        } else {
            Node::Array(elements)
        };
        Ok(())
    }

    fn print(&self, printer: &mut Printer<'_>, depth: usize) -> Result<(), FormError> {
        match self {
            Node::Sent { kind, bytes } => printer.value(*kind, bytes, depth),
            Node::Object(members) => {
                printer.raw(b"{");
                for (index, (key, node)) in members.iter().enumerate() {
                    if index > 0 {
                        printer.raw(b", ");
                    }
                    printer.string(key);
                    printer.raw(b": ");
                    node.print(printer, depth + 1)?;
                }
                printer.raw(b"}");
                Ok(())
            }
            Node::Array(elements) => {
                printer.raw(b"[");
                for (index, node) in elements.iter().enumerate() {
                    if index > 0 {
                        printer.raw(b", ");
                    }
                    node.print(printer, depth + 1)?;
                }
                printer.raw(b"]");
                Ok(())
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Leg {
    Member(Vec<u8>),
    Cell(Cell),
}

/// `[3]`, or `[last-3]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    number: usize,
    from_end: bool,
}

impl Cell {
    fn index(self, count: usize) -> Option<usize> {
        if self.from_end {
            count.checked_sub(self.number)?.checked_sub(1)
        } else {
            Some(self.number)
        }
    }
}

/// Reads a path without wildcards, like `$.a."b c"[0]`.
fn parse_path(path: &[u8]) -> Result<Vec<Leg>, DiffError> {
    let mut rest = path.strip_prefix(b"$").ok_or(DiffError::Damaged)?;
    let mut legs = Vec::new();
    while !rest.is_empty() {
        if legs.len() == LEGS_MAX {
            return Err(DiffError::Damaged);
        }
        let (leg, later) = parse_leg(rest)?;
        legs.push(leg);
        rest = later;
    }
    Ok(legs)
}

fn parse_leg(path: &[u8]) -> Result<(Leg, &[u8]), DiffError> {
    if let Some(rest) = path.strip_prefix(b".\"") {
        let end = end_of_string(rest).ok_or(DiffError::Damaged)?;
        let key = unescape(&rest[..end]).map_err(|_| DiffError::Damaged)?;
        return Ok((Leg::Member(key), &rest[end + 1..]));
    }
    if let Some(rest) = path.strip_prefix(b".") {
        let end = memchr::memchr2(b'.', b'[', rest).unwrap_or(rest.len());
        if end == 0 {
            return Err(DiffError::Damaged);
        }
        return Ok((Leg::Member(rest[..end].to_vec()), &rest[end..]));
    }
    let rest = path.strip_prefix(b"[").ok_or(DiffError::Damaged)?;
    let end = memchr::memchr(b']', rest).ok_or(DiffError::Damaged)?;
    let cell = parse_cell(&rest[..end]).ok_or(DiffError::Damaged)?;
    Ok((Leg::Cell(cell), &rest[end + 1..]))
}

fn parse_cell(text: &[u8]) -> Option<Cell> {
    let text = std::str::from_utf8(text).ok()?;
    let (number, from_end) = match text.strip_prefix("last") {
        Some("") => ("0", true),
        Some(rest) => (rest.strip_prefix('-')?, true),
        None => (text, false),
    };
    Some(Cell {
        number: number.parse().ok()?,
        from_end,
    })
}

/// Where the quote stands that ends a string.
fn end_of_string(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `{"a": [1, null]}`
    const DOCUMENT: &[u8] = &[
        0, 1, 0, 22, 0, 11, 0, 1, 0, 2, 12, 0, b'a', 2, 0, 10, 0, 5, 1, 0, 4, 0, 0,
    ];

    fn difference(operation: u8, path: &str, value: Option<&[u8]>) -> Vec<u8> {
        let mut bytes = vec![operation, path.len() as u8];
        bytes.extend_from_slice(path.as_bytes());
        if let Some(value) = value {
            bytes.push(value.len() as u8);
            bytes.extend_from_slice(value);
        }
        bytes
    }

    #[track_caller]
    fn check(differences: &[Vec<u8>], expected: Result<&str, DiffError>) {
        let mut out = Vec::new();
        let applied = apply(DOCUMENT, &differences.concat(), &mut out);
        let shown = String::from_utf8_lossy(&out).into_owned();
        let found = applied.map(|()| shown.as_str());
        assert_eq!(found, expected);
    }

    #[test]
    fn operations_are_done_in_order() {
        let seven: &[u8] = &[5, 7, 0];
        check(&[], Ok(r#"{"a": [1, null]}"#));
        check(
            &[difference(0, "$.a[0]", Some(seven))],
            Ok(r#"{"a": [7, null]}"#),
        );
        check(
            &[difference(0, "$.a[last]", Some(seven))],
            Ok(r#"{"a": [1, 7]}"#),
        );
        check(
            &[difference(1, "$.a[1]", Some(seven))],
            Ok(r#"{"a": [1, 7, null]}"#),
        );
        check(
            &[difference(1, "$.a[9]", Some(seven))],
            Ok(r#"{"a": [1, null, 7]}"#),
        );
        check(&[difference(2, "$.a[0]", None)], Ok(r#"{"a": [null]}"#));
        check(
            &[
                difference(1, "$.bb", Some(seven)),
                difference(1, "$.\"\"", Some(seven)),
                difference(1, "$.\"b\\\"\"", Some(&[0, 0, 0, 4, 0])),
                difference(1, "$.\"b\\\"\".c", Some(DOCUMENT)),
                difference(2, "$.\"b\\\"\".c.a[0]", None),
                difference(2, "$.a", None),
            ],
            Ok(r#"{"": 7, "b\"": {"c": {"a": [null]}}, "bb": 7}"#),
        );
        check(&[difference(0, "$", Some(seven))], Ok("7"));
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let seven: Option<&[u8]> = Some(&[5, 7, 0]);
        for (operation, path, value) in [
            (0, "$.b", seven),
            (0, "$.a.b", seven),
            (0, "$.a[2]", seven),
            (1, "$.a", seven),
            (1, "$", seven),
            (1, "$.a.b", seven),
            (2, "$.a[2]", None),
            (2, "$", None),
            (2, "$.b", None),
        ] {
            check(
                &[difference(operation, path, value)],
                Err(DiffError::NoSuchPath),
            );
        }
        for path in ["", "a", "$.", "$x", "$[", "$[x]", "$.\"a", "$[last+1]"] {
            check(&[difference(2, path, None)], Err(DiffError::Damaged));
        }
        check(&[vec![0, 200, b'$']], Err(DiffError::Damaged));
        check(&[difference(7, "$.a", seven)], Err(DiffError::Damaged));
    }

    proptest! {
        #[test]
        fn hostile_bytes_do_not_panic(
            kind in 0u8..17,
            bytes in prop::collection::vec(prop_oneof![0u8..24, any::<u8>()], 0..120),
            differences in prop::collection::vec(
                (0u8..4, prop::collection::vec(prop_oneof![
                    Just("$"), Just("[0]"), Just("[last]"), Just("[2]"), Just(".a"), Just(".\"\""), Just("."),
                ], 0..6), prop::collection::vec(prop_oneof![0u8..24, any::<u8>()], 0..40)),
                0..6,
            ),
            tail in prop::collection::vec(any::<u8>(), 0..8),
        ) {
            let mut document = vec![kind];
            document.extend(bytes);
            let mut list: Vec<u8> = differences
                .iter()
                .flat_map(|(operation, legs, value)| {
                    difference(*operation, &format!("${}", legs.concat()), Some(value))
                })
                .collect();
            list.extend(tail);
            let mut out = Vec::new();
            let _ = apply(&document, &list, &mut out);
            prop_assert!(out.len() <= (document.len() + list.len() + 64) * 40);
        }
    }
}
