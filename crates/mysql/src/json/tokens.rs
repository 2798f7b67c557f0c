//! The tokens of a document's text, typed or plain.
//!
//! The text is a server's or the printer's, so nothing is validated beyond what keeps the walk
//! safe; damaged text ends in an error, never in a panic.

use super::{FormError, Inner, MARK, double_survives, is_above_u32, is_integer, is_number};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Open {
        object: bool,
    },
    Close,
    /// With its quotes.
    Key(&'a [u8]),
    Scalar(Scalar<'a>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scalar<'a> {
    pub(super) mark: Option<Inner>,
    /// As the server prints it, a string with its quotes.
    pub(super) text: &'a [u8],
    /// Where the text begins in the document's text.
    pub(super) begin: usize,
}

impl Scalar<'_> {
    /// The mark of this scalar where the server says nothing special of it.
    pub(super) fn natural_mark(&self) -> Option<Inner> {
        if !is_number(self.text) {
            None
        } else if is_integer(self.text) {
            is_above_u32(self.text).then_some(Inner::Signed)
        } else {
            (!double_survives(self.text)).then_some(Inner::Double)
        }
    }
}

/// Walks over text without its first byte where that is `TYPED`.
pub(super) struct Tokens<'a> {
    text: &'a [u8],
    at: usize,
    /// True for each open object, false for each open array.
    open: Vec<bool>,
    /// The next string is a key.
    at_key: bool,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a [u8]) -> Tokens<'a> {
        Tokens {
            text,
            at: 0,
            open: Vec::new(),
            at_key: false,
        }
    }

    /// Where the next token is looked for.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn next(&mut self) -> Result<Option<Token<'a>>, FormError> {
        while let Some(&byte) = self.text.get(self.at) {
            match byte {
                b' ' | b':' => self.at += 1,
                b',' => {
                    self.at += 1;
                    self.at_key = self.open.last() == Some(&true);
                }
                b'{' | b'[' => {
                    self.at += 1;
                    self.at_key = byte == b'{';
                    self.open.push(self.at_key);
                    return Ok(Some(Token::Open {
                        object: byte == b'{',
                    }));
                }
                b'}' | b']' => {
                    self.at += 1;
                    self.at_key = false;
                    self.open.pop().ok_or(FormError::Damaged)?;
                    return Ok(Some(Token::Close));
                }
                b'"' if self.at_key => {
                    self.at_key = false;
                    return self.word().map(|text| Some(Token::Key(text)));
                }
                _ => return self.scalar().map(|scalar| Some(Token::Scalar(scalar))),
            }
        }
        if self.open.is_empty() {
            Ok(None)
        } else {
            Err(FormError::Damaged)
        }
    }

    fn scalar(&mut self) -> Result<Scalar<'a>, FormError> {
        let mut mark = None;
        if self.text[self.at] == MARK {
            let letter = self.text.get(self.at + 1).copied();
            mark = Some(
                letter
                    .and_then(Inner::from_letter)
                    .ok_or(FormError::Damaged)?,
            );
            self.at += 2;
        }
        let begin = self.at;
        let text = self.word()?;
        Ok(Scalar { mark, text, begin })
    }

    /// A string with its quotes, a number or a literal.
    fn word(&mut self) -> Result<&'a [u8], FormError> {
        let rest = &self.text[self.at..];
        let length = if rest.first() == Some(&b'"') {
            string_length(rest).ok_or(FormError::Damaged)?
        } else {
            rest.iter()
                .position(|byte| {
                    !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.'))
                })
                .unwrap_or(rest.len())
        };
        if length == 0 {
            return Err(FormError::Damaged);
        }
        self.at += length;
        Ok(&rest[..length])
    }
}

/// Length of the string that `text` begins with, with both quotes.
fn string_length(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}
