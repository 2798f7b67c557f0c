//! Character sets that a script can read and write; any other may only be copied.

use std::borrow::Cow;

use crate::fault::Reason;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charset {
    Utf8mb4,
    /// At most three bytes a character.
    Utf8mb3,
    Ascii,
    /// MySQL's latin1: Windows code page 1252, whose five free bytes stand for themselves.
    Latin1,
}

/// What the bytes 0x80 to 0x9F of latin1 stand for.
const LATIN1_MIDDLE: [char; 32] = [
    '\u{20AC}', '\u{81}', '\u{201A}', '\u{192}', '\u{201E}', '\u{2026}', '\u{2020}', '\u{2021}',
    '\u{2C6}', '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8D}', '\u{17D}', '\u{8F}',
    '\u{90}', '\u{2018}', '\u{2019}', '\u{201C}', '\u{201D}', '\u{2022}', '\u{2013}', '\u{2014}',
    '\u{2DC}', '\u{2122}', '\u{161}', '\u{203A}', '\u{153}', '\u{9D}', '\u{17E}', '\u{178}',
];
const MIDDLE_FIRST: u8 = 0x80;
const MIDDLE_LAST: u8 = 0x9F;

impl Charset {
    pub(crate) fn of(name: &str) -> Option<Charset> {
        match name {
            "utf8mb4" => Some(Charset::Utf8mb4),
            "utf8mb3" | "utf8" => Some(Charset::Utf8mb3),
            "ascii" => Some(Charset::Ascii),
            "latin1" => Some(Charset::Latin1),
            _ => None,
        }
    }

    pub(crate) fn decode(self, bytes: &[u8]) -> Result<Cow<'_, str>, Reason> {
        match self {
            Charset::Utf8mb4 | Charset::Utf8mb3 => std::str::from_utf8(bytes)
                .map(Cow::Borrowed)
                .map_err(|_| Reason::InvalidText),
            Charset::Ascii if bytes.is_ascii() => std::str::from_utf8(bytes)
                .map(Cow::Borrowed)
                .map_err(|_| Reason::InvalidText),
            Charset::Ascii => Err(Reason::InvalidText),
            Charset::Latin1 => match std::str::from_utf8(bytes) {
                Ok(text) if bytes.is_ascii() => Ok(Cow::Borrowed(text)),
                _ => Ok(Cow::Owned(
                    bytes.iter().map(|&byte| latin1_letter(byte)).collect(),
                )),
            },
        }
    }

    pub(crate) fn encode(self, text: Cow<'_, str>) -> Result<Cow<'_, [u8]>, Reason> {
        let fits = match self {
            Charset::Utf8mb4 => true,
            Charset::Utf8mb3 => !text.bytes().any(|byte| byte >= 0xF0),
            Charset::Ascii | Charset::Latin1 => text.is_ascii(),
        };
        if fits {
            return Ok(match text {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            });
        }
        match self {
            Charset::Latin1 => text
                .chars()
                .map(latin1_byte)
                .collect::<Option<Vec<u8>>>()
                .map(Cow::Owned)
                .ok_or(Reason::Character),
            _ => Err(Reason::Character),
        }
    }
}

fn latin1_letter(byte: u8) -> char {
    match byte {
        MIDDLE_FIRST..=MIDDLE_LAST => LATIN1_MIDDLE[usize::from(byte - MIDDLE_FIRST)],
        other => other.into(),
    }
}

fn latin1_byte(letter: char) -> Option<u8> {
    if let Some(place) = LATIN1_MIDDLE.iter().position(|known| *known == letter) {
        return u8::try_from(place).ok().map(|place| place + MIDDLE_FIRST);
    }
    let byte = u8::try_from(u32::from(letter)).ok()?;
    (!(MIDDLE_FIRST..=MIDDLE_LAST).contains(&byte)).then_some(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_latin1_comes_back() {
        let bytes: Vec<u8> = (0..=u8::MAX).collect();
        let text = Charset::Latin1.decode(&bytes).unwrap();
        assert_eq!(text.chars().nth(0x80), Some('\u{20AC}'));
        assert_eq!(text.chars().nth(0x81), Some('\u{81}'));
        assert_eq!(Charset::Latin1.encode(text).unwrap().as_ref(), bytes);
    }

    #[test]
    fn what_a_set_lacks_is_refused() {
        for (charset, text) in [
            (Charset::Ascii, "\u{e9}"),
            (Charset::Latin1, "\u{416}"),
            (Charset::Latin1, "\u{80}"),
            (Charset::Utf8mb3, "\u{1F600}"),
        ] {
            assert_eq!(charset.encode(text.into()), Err(Reason::Character));
        }
        assert_eq!(Charset::Ascii.decode(b"\xE9"), Err(Reason::InvalidText));
        assert_eq!(Charset::Utf8mb4.decode(b"\xE9"), Err(Reason::InvalidText));
    }
}
