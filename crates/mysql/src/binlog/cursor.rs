//! Bounds-checked reading of the bytes of an event.
//!
//! Nothing here can panic on hostile input: every read says whether the bytes were there.

/// An event ended before the value that should stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the data ended too early")]
pub struct Truncated;

/// Walks forward over bytes.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { rest: bytes }
    }

    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn len(&self) -> usize {
        self.rest.len()
    }

    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Truncated> {
        if count > self.rest.len() {
            return Err(Truncated);
        }
        let (head, rest) = self.rest.split_at(count);
        self.rest = rest;
        Ok(head)
    }

    pub fn skip(&mut self, count: usize) -> Result<(), Truncated> {
        self.bytes(count).map(|_| ())
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let bytes = self.bytes(N)?;
        Ok(bytes.try_into().expect("the slice has N bytes"))
    }

    pub fn u8(&mut self) -> Result<u8, Truncated> {
        self.array::<1>().map(|bytes| bytes[0])
    }

    pub fn u16(&mut self) -> Result<u16, Truncated> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, Truncated> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, Truncated> {
        self.array().map(u64::from_le_bytes)
    }

    /// A little-endian unsigned integer of `count` bytes, at most 8.
    pub fn unsigned(&mut self, count: usize) -> Result<u64, Truncated> {
        let bytes = self.bytes(count)?;
        let fold = |number: u64, byte: &u8| (number << 8) | u64::from(*byte);
        Ok(bytes.iter().rev().fold(0, fold))
    }

    /// A big-endian unsigned integer of `count` bytes, at most 8.
    pub fn big_endian(&mut self, count: usize) -> Result<u64, Truncated> {
        let bytes = self.bytes(count)?;
        let fold = |number: u64, byte: &u8| (number << 8) | u64::from(*byte);
        Ok(bytes.iter().fold(0, fold))
    }

    /// A length-encoded integer of the client protocol.
    pub fn length_encoded(&mut self) -> Result<u64, Truncated> {
        match self.u8()? {
            0xFC => self.unsigned(2),
            0xFD => self.unsigned(3),
            0xFE => self.unsigned(8),
            // 0xFB is NULL and 0xFF an error in the protocol; neither is a length.
            0xFB | 0xFF => Err(Truncated),
            short => Ok(u64::from(short)),
        }
    }

    /// A length-encoded integer that must fit the remaining bytes' index type.
    pub fn length(&mut self) -> Result<usize, Truncated> {
        self.length_encoded()
            .and_then(|length| usize::try_from(length).map_err(|_| Truncated))
    }

    pub fn length_encoded_bytes(&mut self) -> Result<&'a [u8], Truncated> {
        let length = self.length()?;
        self.bytes(length)
    }

    /// Bytes up to the next zero byte, which is read too.
    pub fn zero_terminated(&mut self) -> Result<&'a [u8], Truncated> {
        let end = memchr::memchr(0, self.rest).ok_or(Truncated)?;
        let bytes = self.bytes(end)?;
        self.skip(1)?;
        Ok(bytes)
    }

    /// An unsigned integer of MySQL's serialization library: the trailing one bits of the first
    /// byte count the bytes that follow.
    pub fn variable_unsigned(&mut self) -> Result<u64, Truncated> {
        let first = *self.rest.first().ok_or(Truncated)?;
        let following = first.trailing_ones() as usize;
        if following == 8 {
            self.skip(1)?;
            return self.u64();
        }
        self.unsigned(following + 1)
            .map(|number| number >> (following + 1))
    }

    /// A signed integer of MySQL's serialization library: the lowest bit is the sign.
    pub fn variable_signed(&mut self) -> Result<i64, Truncated> {
        let number = self.variable_unsigned()?;
        let magnitude = (number >> 1) as i64;
        Ok(if number & 1 == 0 {
            magnitude
        } else {
            -magnitude - 1
        })
    }
}

/// Appends an unsigned integer of MySQL's serialization library.
pub fn push_variable_unsigned(out: &mut Vec<u8>, number: u64) {
    let bits = (64 - number.leading_zeros()).max(1) as usize;
    let count = bits.div_ceil(7);
    if count > 8 {
        out.push(0xFF);
        out.extend_from_slice(&number.to_le_bytes());
        return;
    }
    let marks = (1u64 << (count - 1)) - 1;
    let encoded = (number << count) | marks;
    out.extend_from_slice(&encoded.to_le_bytes()[..count]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn variable_integers_come_back(number: u64, shift in 0u32..64) {
            let number = number >> shift;
            let mut bytes = Vec::new();
            push_variable_unsigned(&mut bytes, number);
            let mut cursor = Cursor::new(&bytes);
            prop_assert_eq!(cursor.variable_unsigned(), Ok(number));
            prop_assert!(cursor.is_empty());
        }
    }

    #[test]
    fn reading_past_the_end_is_an_answer() {
        let mut cursor = Cursor::new(&[0xFE, 1, 2]);
        assert_eq!(cursor.length_encoded(), Err(Truncated));
        assert_eq!(Cursor::new(&[1, 2]).u32(), Err(Truncated));
        assert_eq!(Cursor::new(b"abc").zero_terminated(), Err(Truncated));
        assert_eq!(Cursor::new(&[]).variable_unsigned(), Err(Truncated));
    }
}
