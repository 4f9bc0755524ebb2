//! The part of the Basic Encoding Rules (ITU-T X.690) that SNMP uses (RFC 3417 §8): definite lengths, one-byte tags.
//!
//! Everything read borrows from the datagram and is bounded by it; nothing is read twice and nothing recurses.

use std::fmt;

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;

/// Most arcs in a name (RFC 2578 §3.5).
const ARCS_MAX: usize = 128;

/// Why bytes are not what was looked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum BerError {
    #[error("the bytes end too early")]
    Short,
    #[error("found tag {found:#04x} instead of {wanted:#04x}")]
    Tag { wanted: u8, found: u8 },
    #[error("a length is not definite or too large")]
    Length,
    #[error("a number is too large")]
    Number,
    #[error("a name is not an object identifier")]
    Name,
    #[error("something stands where the end should be")]
    Trailing,
}

/// Reads elements one after the other.
#[derive(Clone, Debug)]
pub(super) struct Reader<'b> {
    /// The datagram, so that places in it can be told.
    whole: &'b [u8],
    at: usize,
    end: usize,
}

impl<'b> Reader<'b> {
    pub(super) fn new(whole: &'b [u8]) -> Self {
        Self {
            whole,
            at: 0,
            end: whole.len(),
        }
    }

    /// Where in the datagram the next element begins.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at == self.end
    }

    /// What is left, as it is.
    pub(super) fn rest(&self) -> &'b [u8] {
        &self.whole[self.at..self.end]
    }

    /// Nothing may follow.
    pub(super) fn finish(self) -> Result<(), BerError> {
        match self.is_empty() {
            true => Ok(()),
            false => Err(BerError::Trailing),
        }
    }

    /// The next element's tag, without taking it.
    pub(super) fn peek(&self) -> Result<u8, BerError> {
        self.rest().first().copied().ok_or(BerError::Short)
    }

    /// The next element, whatever it is: its tag, and a reader over what is in it.
    pub(super) fn any(&mut self) -> Result<(u8, Self), BerError> {
        let tag = self.byte()?;
        let first = self.byte()?;
        let len = match first {
            0..=0x7f => usize::from(first),
            // Longer forms than needed are common and allowed; more than four bytes of length no datagram needs.
            0x81..=0x84 => {
                let mut len = 0_usize;
                for _ in 0..first - 0x80 {
                    len = len << 8 | usize::from(self.byte()?);
                }
                len
            }
            0x80 | 0x85..=0xff => return Err(BerError::Length),
        };
        if len > self.end - self.at {
            return Err(BerError::Short);
        }
        let inner = Self {
            whole: self.whole,
            at: self.at,
            end: self.at + len,
        };
        self.at += len;
        Ok((tag, inner))
    }

    /// The next element, which must have this tag.
    pub(super) fn element(&mut self, wanted: u8) -> Result<Self, BerError> {
        let found = self.peek()?;
        match found == wanted {
            true => Ok(self.any()?.1),
            false => Err(BerError::Tag { wanted, found }),
        }
    }

    pub(super) fn octets(&mut self) -> Result<&'b [u8], BerError> {
        Ok(self.element(OCTETS)?.rest())
    }

    pub(super) fn integer(&mut self) -> Result<i64, BerError> {
        signed(self.element(INTEGER)?.rest())
    }

    /// An integer that must lie between 0 and 2^31 - 1, as most of SNMP's do.
    pub(super) fn natural(&mut self) -> Result<u32, BerError> {
        let number = self.integer()?;
        u32::try_from(number)
            .ok()
            .filter(|n| *n <= i32::MAX.unsigned_abs())
            .ok_or(BerError::Number)
    }

    pub(super) fn oid(&mut self) -> Result<Oid, BerError> {
        Oid::decode(self.element(OID)?.rest())
    }

    fn byte(&mut self) -> Result<u8, BerError> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }
}

/// A signed number of 1 to 8 bytes.
pub(super) fn signed(bytes: &[u8]) -> Result<i64, BerError> {
    let (Some(first), true) = (bytes.first(), bytes.len() <= 8) else {
        return Err(BerError::Number);
    };
    let sign: i64 = if first & 0x80 == 0 { 0 } else { -1 };
    Ok(bytes
        .iter()
        .fold(sign, |number, byte| number << 8 | i64::from(*byte)))
}

/// An unsigned number of at most 64 bits. Some senders leave out the zero byte that keeps it from being negative.
pub(super) fn unsigned(bytes: &[u8]) -> Result<u64, BerError> {
    let digits = match bytes {
        [0, digits @ ..] => digits,
        digits => digits,
    };
    if bytes.is_empty() || digits.len() > 8 {
        return Err(BerError::Number);
    }
    Ok(digits
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// An object identifier.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Oid(Vec<u32>);

impl Oid {
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, BerError> {
        let mut arcs = Vec::new();
        let mut arc = 0_u32;
        let mut open = true;
        for byte in bytes {
            if arc > u32::MAX >> 7 {
                return Err(BerError::Name);
            }
            arc = arc << 7 | u32::from(byte & 0x7f);
            open = byte & 0x80 != 0;
            if open {
                continue;
            }
            if arcs.is_empty() {
                // The first two arcs share a number (X.690 §8.19.4).
                let top = (arc / 40).min(2);
                arcs.push(top);
                arc -= top * 40;
            }
            arcs.push(arc);
            arc = 0;
            if arcs.len() > ARCS_MAX {
                return Err(BerError::Name);
            }
        }
        match open {
            true => Err(BerError::Name), // empty, or cut off within an arc
            false => Ok(Self(arcs)),
        }
    }

    /// What of this name comes after `prefix`, if it begins with it.
    pub(super) fn after(&self, prefix: &[u32]) -> Option<&[u32]> {
        self.0.strip_prefix(prefix)
    }

    pub(super) fn arcs(&self) -> &[u32] {
        &self.0
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&dotted(&self.0))
    }
}

/// `1.3.6.1`
pub(super) fn dotted(arcs: &[u32]) -> String {
    let arcs: Vec<String> = arcs.iter().map(u32::to_string).collect();
    arcs.join(".")
}

/// One element with this content.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    match u8::try_from(content.len()) {
        Ok(len @ 0..=0x7f) => bytes.push(len),
        Ok(_) | Err(_) => {
            let len = content.len().to_be_bytes();
            let digits = &len[len.iter().take_while(|byte| **byte == 0).count()..];
            bytes.push(0x80 | digits.len() as u8); // at most eight
            bytes.extend_from_slice(digits);
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

/// A sequence, or another constructed element, of these elements.
pub(super) fn nested(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    element(tag, &parts.concat())
}

pub(super) fn octets(content: &[u8]) -> Vec<u8> {
    element(OCTETS, content)
}

pub(super) fn integer(tag: u8, number: i64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    // A leading byte is left out while the next one says the same sign.
    let spare = bytes
        .windows(2)
        .take_while(|pair| matches!(pair, [0, next] if next & 0x80 == 0))
        .count()
        .max(
            bytes
                .windows(2)
                .take_while(|pair| matches!(pair, [0xff, next] if next & 0x80 != 0))
                .count(),
        );
    element(tag, &bytes[spare..])
}

/// A name of at least two arcs, the first two of which are 1.3, as all of ours are.
pub(super) fn oid_in_internet(arcs: &[u32]) -> Vec<u8> {
    let mut content = vec![43];
    for arc in arcs.iter().skip(2) {
        let groups = (0..5).rev().map(|nth| (arc >> (7 * nth)) as u8 & 0x7f);
        let mut digits: Vec<u8> = groups.skip_while(|group| *group == 0).collect();
        let last = digits.pop().unwrap_or(0);
        content.extend(digits.iter().map(|digit| digit | 0x80));
        content.push(last);
    }
    element(OID, &content)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_may_be_longer_than_needed_and_never_longer_than_what_is_there() {
        for bytes in [
            &[4, 2, 1, 2][..],
            &[4, 0x81, 2, 1, 2],
            &[4, 0x84, 0, 0, 0, 2, 1, 2],
        ] {
            assert_eq!(Reader::new(bytes).octets(), Ok(&[1, 2][..]));
        }
        for (bytes, error) in [
            (&[4, 3, 1, 2][..], BerError::Short),
            (&[4, 0x80, 1, 2, 0, 0], BerError::Length),
            (&[4, 0x85, 0, 0, 0, 0, 1, 1], BerError::Length),
            (&[4, 0x84, 0xff, 0xff, 0xff, 0xff], BerError::Short),
            (&[4], BerError::Short),
            (
                &[5, 0],
                BerError::Tag {
                    wanted: OCTETS,
                    found: 5,
                },
            ),
        ] {
            assert_eq!(Reader::new(bytes).octets(), Err(error), "{bytes:?}");
        }
    }

    #[test]
    fn names_are_read_as_the_standard_writes_them() {
        for (bytes, name) in [
            (&[0x2b, 6, 1, 6, 3, 1, 1, 5, 3][..], "1.3.6.1.6.3.1.1.5.3"),
            (&[0x88, 0x37, 3], "2.999.3"), // X.690 §8.19.5
            (&[0x2b, 0x8f, 0xff, 0xff, 0xff, 0x7f], "1.3.4294967295"),
        ] {
            assert_eq!(Oid::decode(bytes).unwrap().to_string(), name);
        }
        for bytes in [
            &[][..],
            &[0x2b, 0x86],
            &[0x2b, 0x90, 0x80, 0x80, 0x80, 0],
            &[1; 200],
        ] {
            assert_eq!(Oid::decode(bytes), Err(BerError::Name), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Reader::new(&bytes);
            while let Ok((_, mut inner)) = reader.any() {
                _ = inner.clone().integer();
                _ = inner.clone().oid();
                _ = inner.clone().octets();
                _ = inner.any();
            }
            _ = signed(&bytes);
            _ = unsigned(&bytes);
            _ = Oid::decode(&bytes);
        }

        #[test]
        fn what_is_written_is_read(number in any::<i64>(), bytes in proptest::collection::vec(any::<u8>(), 0..400), arcs in proptest::collection::vec(any::<u32>(), 0..20)) {
            let name = [vec![1, 3], arcs].concat();
            let whole = nested(SEQUENCE, &[&integer(INTEGER, number), &octets(&bytes), &oid_in_internet(&name)]);
            let mut reader = Reader::new(&whole).element(SEQUENCE).unwrap();
            prop_assert_eq!(reader.integer(), Ok(number));
            prop_assert_eq!(reader.octets(), Ok(&bytes[..]));
            let read = reader.oid().unwrap();
            prop_assert_eq!(read.arcs(), &name[..]);
            prop_assert_eq!(reader.finish(), Ok(()));
        }
    }
}
