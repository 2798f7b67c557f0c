//! How a text falls into characters, by its character set.
//!
//! Knows single bytes and the forms of Unicode. Other multi-byte sets are not cut: their texts
//! count as a constant.

/// Character sets of one byte a character.
const SINGLE_BYTE: [&str; 25] = [
    "armscii8", "ascii", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866", "dec8",
    "geostd8", "greek", "hebrew", "hp8", "keybcs2", "koi8r", "koi8u", "latin1", "latin2", "latin5",
    "latin7", "macce", "macroman", "swe7", "tis620",
];

/// The form of a character set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Codes up to here; `ascii` ends in the middle.
    Single {
        last: u8,
    },
    Utf8 {
        bytes_max: usize,
    },
    /// Two bytes each, the higher one first.
    Ucs2,
    Utf16 {
        little_endian: bool,
    },
    Utf32,
}

impl Form {
    pub(super) fn of(charset: &str) -> Option<Form> {
        Some(match charset {
            "utf8mb4" => Form::Utf8 { bytes_max: 4 },
            "utf8" | "utf8mb3" => Form::Utf8 { bytes_max: 3 },
            "ucs2" => Form::Ucs2,
            "utf16" => Form::Utf16 {
                little_endian: false,
            },
            "utf16le" => Form::Utf16 {
                little_endian: true,
            },
            "utf32" => Form::Utf32,
            "ascii" => Form::Single { last: 0x7F },
            single if SINGLE_BYTE.contains(&single) => Form::Single { last: 0xFF },
            _ => return None,
        })
    }

    pub(super) fn is_unicode(self) -> bool {
        !matches!(self, Form::Single { .. })
    }

    /// The first character: its code, `None` where the bytes are none, and its length.
    pub(super) fn first(self, text: &[u8]) -> (Option<u32>, usize) {
        let (code, length) = match self {
            Form::Single { last } => {
                return (Some(text[0].into()).filter(|_| text[0] <= last), 1);
            }
            Form::Utf8 { bytes_max } => return utf8(text, bytes_max),
            Form::Ucs2 => (big_endian(text, 2), 2),
            Form::Utf32 => (big_endian(text, 4), 4),
            Form::Utf16 { little_endian } => utf16(text, little_endian),
        };
        let valid = code.filter(|code| char::from_u32(*code).is_some());
        (valid, length.min(text.len()))
    }

    /// The bytes of a character; `None` where the set has none with this code.
    pub(super) fn encode(self, code: u32) -> Option<Vec<u8>> {
        if let Form::Single { last } = self {
            let byte = u8::try_from(code).ok()?;
            return (byte <= last).then(|| vec![byte]);
        }
        let character = char::from_u32(code)?;
        let mut units = [0; 2];
        Some(match self {
            Form::Single { .. } => return None,
            Form::Utf8 { bytes_max } => {
                let bytes = character.to_string().into_bytes();
                return (bytes.len() <= bytes_max).then_some(bytes);
            }
            Form::Ucs2 => u16::try_from(code).ok()?.to_be_bytes().to_vec(),
            Form::Utf32 => code.to_be_bytes().to_vec(),
            Form::Utf16 { little_endian } => character
                .encode_utf16(&mut units)
                .iter()
                .flat_map(|unit| {
                    if little_endian {
                        unit.to_le_bytes()
                    } else {
                        unit.to_be_bytes()
                    }
                })
                .collect(),
        })
    }

    /// The first so many characters; bytes that are none count as one each.
    pub(super) fn prefix(self, text: &[u8], characters: usize) -> &[u8] {
        let mut end = 0;
        for _ in 0..characters {
            if end == text.len() {
                break;
            }
            end += self.first(&text[end..]).1;
        }
        &text[..end]
    }
}

fn utf8(text: &[u8], bytes_max: usize) -> (Option<u32>, usize) {
    let length = match text[0] {
        0..=0x7F => return (Some(text[0].into()), 1),
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 if bytes_max >= 4 => 4,
        _ => return (None, 1),
    };
    let character = text
        .get(..length)
        .and_then(|bytes| std::str::from_utf8(bytes).ok())
        .and_then(|text| text.chars().next());
    match character {
        Some(character) => (Some(character.into()), length),
        None => (None, 1),
    }
}

fn utf16(text: &[u8], little_endian: bool) -> (Option<u32>, usize) {
    let unit = |at: usize| {
        let bytes = text.get(at..at + 2)?;
        let pair = [bytes[0], bytes[1]];
        Some(if little_endian {
            u16::from_le_bytes(pair)
        } else {
            u16::from_be_bytes(pair)
        })
    };
    let Some(first) = unit(0) else {
        return (None, 2);
    };
    if !(0xD800..0xDC00).contains(&first) {
        return (Some(first.into()), 2);
    }
    let pair = unit(2).map(|second| char::decode_utf16([first, second]).next());
    match pair {
        Some(Some(Ok(character))) => (Some(character.into()), 4),
        _ => (None, 2),
    }
}

fn big_endian(text: &[u8], length: usize) -> Option<u32> {
    let bytes = text.get(..length)?;
    Some(
        bytes
            .iter()
            .fold(0, |code, byte| code << 8 | u32::from(*byte)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FORMS: [&str; 7] = [
        "utf8mb4", "utf8", "ucs2", "utf16", "utf16le", "utf32", "latin1",
    ];

    proptest! {
        #[test]
        fn characters_come_back(text: String) {
            for form in FORMS.iter().filter_map(|name| Form::of(name)) {
                for code in text.chars().map(u32::from) {
                    if let Some(bytes) = form.encode(code) {
                        prop_assert_eq!(form.first(&bytes), (Some(code), bytes.len()));
                        let twice = [&bytes[..], &bytes].concat();
                        prop_assert_eq!(form.prefix(&twice, 1), &bytes[..]);
                    }
                }
            }
        }

        #[test]
        fn hostile_bytes_are_walked_to_their_end(text in prop::collection::vec(any::<u8>(), 0..60)) {
            for form in FORMS.iter().filter_map(|name| Form::of(name)) {
                prop_assert_eq!(form.prefix(&text, usize::MAX), &text[..]);
            }
        }
    }

    #[test]
    fn surrogates_and_cut_off_bytes_are_no_characters() {
        let form = |name| Form::of(name).expect("a form");
        assert_eq!(form("utf8mb4").first(b"\xED\xA0\x80"), (None, 1));
        assert_eq!(form("utf8").first("😀".as_bytes()), (None, 1));
        assert_eq!(form("ucs2").first(b"\xD8\x00\x00a"), (None, 2));
        assert_eq!(form("utf16").first(b"\xD8\x3D\xDE\x00"), (Some(0x1F600), 4));
        assert_eq!(form("utf16").first(b"\xD8\x3D"), (None, 2));
        assert_eq!(form("utf32").first(b"\x00\x00\x00"), (None, 3));
        assert_eq!(Form::of("gbk"), None);
    }
}
