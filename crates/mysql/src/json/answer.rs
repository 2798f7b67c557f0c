//! What is asked of a server beside a document's text, and the form made of both answers.
//!
//! `$**.*` reaches the members of every object of a document, `$**[*]` the elements of every array,
//! each container's together and containers in the order of the text, so an ordinal names a
//! value. The answer lists only values whose type the text does not show.

use super::tokens::{Token, Tokens};
use super::{
    FormError, Inner, TYPED, is_above_u32, is_integer, is_number, needs_no_mark, push_mark,
    read_opaque, server_text,
};
use crate::literal::push_quoted;

/// Answer where the list did not fit into the server's `max_allowed_packet`.
const TOO_LONG: &[u8] = b"?";

/// Types by `JSON_TYPE`, in the order of `LETTERS`.
const TYPE_NAMES: &str = "'UNSIGNED INTEGER','DECIMAL','DATE','TIME','DATETIME','TIMESTAMP','BLOB','BIT','OPAQUE','GEOMETRY'";
const LETTERS: &str = "udDTASoooo";

/// Appends the expression that lists the types in `column`, which is quoted: NULL where there is
/// nothing to say, one letter for a document that is a scalar, else like `["m3u", "e1D"]`.
pub(crate) fn push_types_query(sql: &mut Vec<u8>, column: &str) {
    let text = format!(
        "IF(JSON_TYPE({column}) IN ('OBJECT','ARRAY'),\
         (SELECT IF(COUNT(*)=0,NULL,COALESCE(CAST(JSON_ARRAYAGG(CONCAT(\
         IF(wherry_m IS NULL,'e','m'),COALESCE(wherry_m,wherry_e),\
         SUBSTRING('{LETTERS}',FIELD(JSON_TYPE(COALESCE(wherry_v,wherry_w)),{TYPE_NAMES}),1))) AS CHAR),'?')) \
         FROM JSON_TABLE({column},'$' COLUMNS(\
         NESTED PATH '$**.*' COLUMNS(wherry_m FOR ORDINALITY,wherry_v JSON PATH '$'),\
         NESTED PATH '$**[*]' COLUMNS(wherry_e FOR ORDINALITY,wherry_w JSON PATH '$'))) wherry_j \
         WHERE FIELD(JSON_TYPE(COALESCE(wherry_v,wherry_w)),{TYPE_NAMES})>0),\
         ELT(FIELD(JSON_TYPE({column}),{TYPE_NAMES}),{}))",
        LETTERS
            .chars()
            .map(|letter| format!("'{letter}'"))
            .collect::<Vec<_>>()
            .join(",")
    );
    sql.extend_from_slice(text.as_bytes());
}

/// Appends the condition that the document in `column`, which is quoted, is this one: its text
/// byte for byte, then the types that the text does not show.
pub(crate) fn push_document_comparison(out: &mut Vec<u8>, column: &str, form: &[u8]) {
    out.extend_from_slice(
        format!("CAST(CAST({column} AS CHAR CHARACTER SET utf8mb4) AS BINARY)=_binary").as_bytes(),
    );
    push_quoted(out, &server_text(form));
    out.extend_from_slice(b" AND CAST(");
    push_types_query(out, column);
    out.extend_from_slice(b" AS BINARY)<=>");
    match expected_types(form) {
        Ok(None) => out.extend_from_slice(b"NULL"),
        Ok(Some(types)) => out.extend_from_slice(format!("_binary'{types}'").as_bytes()),
        // No server says this of a document, so no row is found.
        Err(_) => out.extend_from_slice(b"''"),
    }
}

/// A canonical value made of a server's text and its list of types.
pub(crate) enum Asked {
    /// The text is the value.
    Text,
    Typed(Vec<u8>),
}

/// Makes the canonical value of a document.
pub(crate) fn with_types(text: &[u8], types: Option<&[u8]>) -> Result<Asked, FormError> {
    if types.is_none() && needs_no_mark(text)? {
        return Ok(Asked::Text);
    }
    let layout = Layout::of(text)?;
    let listed = Listed::parse(types.unwrap_or_default(), &layout)?;
    let mut form = Vec::with_capacity(text.len() + 16);
    form.push(TYPED);
    let mut copied = 0;
    for place in &layout.scalars {
        let Some(mark) = place.mark(&listed)? else {
            continue;
        };
        form.extend_from_slice(&text[copied..place.scalar.begin]);
        push_mark(&mut form, mark);
        copied = place.scalar.begin;
    }
    if copied == 0 && form.len() == 1 {
        return Ok(Asked::Text);
    }
    form.extend_from_slice(&text[copied..]);
    Ok(Asked::Typed(form))
}

/// The answer that a server gives to `push_types_query` for a document in canonical form.
pub(super) fn expected_types(form: &[u8]) -> Result<Option<String>, FormError> {
    let text = form.strip_prefix(&[TYPED]).unwrap_or(form);
    let layout = Layout::of(text)?;
    let mut listed = Vec::new();
    for place in &layout.scalars {
        let letter = match place.scalar.mark {
            Some(Inner::Signed | Inner::Double) => continue,
            Some(inner) => inner.letter(),
            None if is_integer(place.scalar.text) && is_above_u32(place.scalar.text) => b'u',
            None => continue,
        };
        match place.ordinal {
            Ordinal::Root => return Ok(Some(char::from(letter).to_string())),
            Ordinal::Member(number) => listed.push((0, number, letter)),
            Ordinal::Element(number) => listed.push((1, number, letter)),
        }
    }
    if listed.is_empty() {
        return Ok(None);
    }
    listed.sort_unstable();
    let names: Vec<String> = listed
        .into_iter()
        .map(|(kind, number, letter)| {
            let kind = if kind == 0 { 'm' } else { 'e' };
            format!("\"{kind}{number}{}\"", char::from(letter))
        })
        .collect();
    Ok(Some(format!("[{}]", names.join(", "))))
}

/// How a server counts a value; numbers begin at 1.
#[derive(Debug, Clone, Copy)]
enum Ordinal {
    Root,
    Member(usize),
    Element(usize),
}

struct Place<'a> {
    scalar: super::tokens::Scalar<'a>,
    ordinal: Ordinal,
}

impl Place<'_> {
    fn mark(&self, listed: &Listed) -> Result<Option<Inner>, FormError> {
        let named = match self.ordinal {
            Ordinal::Root => listed.root,
            Ordinal::Member(number) => listed.members[number - 1],
            Ordinal::Element(number) => listed.elements[number - 1],
        };
        let Some(inner) = named else {
            return Ok(self.scalar.natural_mark());
        };
        // Catches a server that counts in another order before it can do harm.
        if !may_be(inner, self.scalar.text) {
            return Err(FormError::Damaged);
        }
        match inner {
            Inner::Unsigned if is_above_u32(self.scalar.text) => Ok(None),
            Inner::Opaque => read_opaque(self.scalar.text).map(|_| named),
            _ => Ok(named),
        }
    }
}

/// True where a server prints such values like this text.
fn may_be(inner: Inner, text: &[u8]) -> bool {
    let count = |wanted: u8| text.iter().filter(|&&byte| byte == wanted).count();
    let has = |colons, points| count(b':') == colons && count(b'.') == points;
    match inner {
        Inner::Unsigned | Inner::Signed => is_integer(text) && text.first() != Some(&b'-'),
        Inner::Decimal => is_number(text) && count(b'e') == 0,
        Inner::Double => is_number(text),
        Inner::Date => text.len() == "\"2024-02-29\"".len() && has(0, 0) && count(b'-') == 2,
        Inner::Time => text.first() == Some(&b'"') && has(2, 1) && count(b' ') == 0,
        Inner::Datetime | Inner::Timestamp => {
            text.len() == "\"2024-02-29 01:02:03.000004\"".len() && has(2, 1) && count(b'-') == 2
        }
        Inner::Opaque => text.starts_with(b"\"base64:type"),
    }
}

/// The scalars of a text with the server's numbers for them.
struct Layout<'a> {
    scalars: Vec<Place<'a>>,
    member_count: usize,
    element_count: usize,
}

struct Container {
    object: bool,
    parent: Option<usize>,
    child_count: usize,
}

impl<'a> Layout<'a> {
    fn of(text: &'a [u8]) -> Result<Layout<'a>, FormError> {
        let mut containers: Vec<Container> = Vec::new();
        // Container and index in it; the numbers are known when all are counted.
        let mut scalars: Vec<(super::tokens::Scalar<'a>, Option<(usize, usize)>)> = Vec::new();
        let mut current: Option<usize> = None;
        let mut tokens = Tokens::new(text);
        while let Some(token) = tokens.next()? {
            let mut next_place = || {
                current.map(|index| {
                    containers[index].child_count += 1;
                    (index, containers[index].child_count)
                })
            };
            match token {
                Token::Open { object } => {
                    next_place();
                    containers.push(Container {
                        object,
                        parent: current,
                        child_count: 0,
                    });
                    current = Some(containers.len() - 1);
                }
                Token::Close => {
                    let closed = current.ok_or(FormError::Damaged)?;
                    current = containers[closed].parent;
                }
                Token::Key(_) => {}
                Token::Scalar(scalar) => {
                    let place = next_place();
                    scalars.push((scalar, place));
                }
            }
        }
        Ok(Layout::numbered(&containers, scalars))
    }

    fn numbered(
        containers: &[Container],
        scalars: Vec<(super::tokens::Scalar<'a>, Option<(usize, usize)>)>,
    ) -> Layout<'a> {
        let (mut member_count, mut element_count) = (0, 0);
        let before: Vec<usize> = containers
            .iter()
            .map(|container| {
                let count = if container.object {
                    &mut member_count
                } else {
                    &mut element_count
                };
                let before = *count;
                *count += container.child_count;
                before
            })
            .collect();
        let place = |(scalar, place): (_, Option<(usize, usize)>)| Place {
            scalar,
            ordinal: match place {
                None => Ordinal::Root,
                Some((container, index)) if containers[container].object => {
                    Ordinal::Member(before[container] + index)
                }
                Some((container, index)) => Ordinal::Element(before[container] + index),
            },
        };
        Layout {
            scalars: scalars.into_iter().map(place).collect(),
            member_count,
            element_count,
        }
    }
}

/// A server's answer, by number.
struct Listed {
    root: Option<Inner>,
    members: Vec<Option<Inner>>,
    elements: Vec<Option<Inner>>,
}

impl Listed {
    fn parse(types: &[u8], layout: &Layout<'_>) -> Result<Listed, FormError> {
        let mut listed = Listed {
            root: None,
            members: vec![None; layout.member_count],
            elements: vec![None; layout.element_count],
        };
        if types == TOO_LONG {
            return Err(FormError::Unnamed);
        }
        if let [letter] = types {
            listed.root = Inner::from_letter(*letter);
            return listed.root.map(|_| listed).ok_or(FormError::Damaged);
        }
        for name in types.split(|&byte| byte == b',') {
            let name: Vec<u8> = name
                .iter()
                .copied()
                .filter(u8::is_ascii_alphanumeric)
                .collect();
            let [kind, digits @ .., letter] = name.as_slice() else {
                continue;
            };
            let numbers = match kind {
                b'm' => &mut listed.members,
                b'e' => &mut listed.elements,
                _ => return Err(FormError::Damaged),
            };
            let place = std::str::from_utf8(digits)
                .ok()
                .and_then(|digits| digits.parse::<usize>().ok())
                .and_then(|number| numbers.get_mut(number.wrapping_sub(1)))
                .ok_or(FormError::Damaged)?;
            *place = Some(Inner::from_letter(*letter).ok_or(FormError::Damaged)?);
        }
        Ok(listed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `expected` is the form with `^` for 0x01 and `~` for 0x02; text where it has neither.
    fn check(text: &str, types: Option<&str>, expected: &str) {
        let asked = with_types(text.as_bytes(), types.map(str::as_bytes)).expect("a form");
        let form = match asked {
            Asked::Text => text.as_bytes().to_vec(),
            Asked::Typed(form) => form,
        };
        let shown = String::from_utf8_lossy(&form)
            .replace('\u{1}', "^")
            .replace('\u{2}', "~");
        assert_eq!(shown, expected);
        let back = expected_types(&form).expect("a form");
        assert_eq!(back.as_deref(), types);
        assert_eq!(&*super::super::server_text(&form), text.as_bytes());
    }

    #[test]
    fn what_the_text_says_stays_text() {
        check(
            r#"{"a": [1, -2, 1.5, null, true, "2024-01-01"]}"#,
            None,
            r#"{"a": [1, -2, 1.5, null, true, "2024-01-01"]}"#,
        );
        check(
            "[4294967295, 4294967296]",
            Some(r#"["e2u"]"#),
            "[4294967295, 4294967296]",
        );
        check("[]", None, "[]");
        check("\"\\\"\"", None, "\"\\\"\"");
        check("18446744073709551615", Some("u"), "18446744073709551615");
    }

    #[test]
    fn what_the_text_does_not_say_is_marked() {
        check("5", Some("u"), "^~u5");
        check("[4294967296]", None, "^[~i4294967296]");
        check("[1e300, 1.0]", None, "^[~f1e300, 1.0]");
        check(r#""2024-01-01""#, Some("D"), r#"^~D"2024-01-01""#);
        check(
            r#"{"a": {"b": 1, "c": [2, 3]}, "d": 4}"#,
            Some(r#"["m2u", "m3d", "e2u"]"#),
            r#"^{"a": {"b": ~d1, "c": [2, ~u3]}, "d": ~u4}"#,
        );
        check(
            r#"["base64:type16:AAU="]"#,
            Some(r#"["e1o"]"#),
            r#"^[~o"base64:type16:AAU="]"#,
        );
    }

    #[test]
    fn an_answer_that_fits_no_value_is_an_error() {
        assert!(with_types(b"[\"2024-02-29\", 1]", Some(b"[\"e2D\"]")).is_err());
        assert!(with_types(b"[\"2024-02-29\", 1]", Some(b"[\"e1u\"]")).is_err());
        for types in ["[\"m1u\"]", "[\"e3u\"]", "[\"e0u\"]", "[\"x1u\"]", "?", "z"] {
            assert!(
                with_types(b"[1, 2]", Some(types.as_bytes())).is_err(),
                "{types}"
            );
        }
        assert_eq!(
            with_types(br#"["base64:type253:AAU="]"#, Some(b"[\"e1o\"]")).err(),
            Some(FormError::Opaque(253))
        );
    }
}
