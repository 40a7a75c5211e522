//! BER where it lies: tags and lengths walked forward, nothing copied, no depth without a limit.
//!
//! Both forms of length are read, the indefinite one too: what such an element holds is walked to
//! its end, so its contents are known as a slice like any other's.
//= X.690 §8.1

use procedure::{Layer, Malformed};

/// How deep elements of indefinite length may stand in one another.
pub const DEPTH_MAX: usize = 16;
/// Most elements that are walked to find the end of one of indefinite length.
const WALK_MAX: usize = 512;

/// The constructed bit of a tag's first octet.
pub const CONSTRUCTED: u32 = 0x20;

/// An element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// Class, constructed bit and number as coded: one octet, or two to four of a long tag.
    pub tag: u32,
    /// What it holds.
    pub value: &'a [u8],
    /// Where the element begins.
    pub start: usize,
    /// Where its value begins.
    pub offset: usize,
    /// Where the next element begins.
    pub end: usize,
}

/// Elements one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    /// Where `bytes` begin in the message, for complaints and offsets.
    base: usize,
    at: usize,
}

/// A complaint about BER.
pub(crate) const fn malformed(field: &'static str, at: usize, why: &'static str) -> Malformed {
    Malformed { layer: Layer::Tcap, field, offset: at as u32, why, code: 0 }
}

impl<'a> Reader<'a> {
    /// The elements of these octets, which begin at `base` in the message.
    #[must_use]
    pub const fn new(bytes: &'a [u8], base: usize) -> Self {
        Self { bytes, base, at: 0 }
    }

    /// The elements inside another one.
    #[must_use]
    pub const fn inside(element: &Element<'a>) -> Self {
        Self::new(element.value, element.offset)
    }

    /// The next element; `None` at the end.
    ///
    /// # Errors
    /// It does not fit.
    #[allow(clippy::should_implement_trait, reason = "it may fail, and ends then")]
    #[inline]
    pub fn next(&mut self) -> Result<Option<Element<'a>>, Malformed> {
        if self.at >= self.bytes.len() {
            return Ok(None);
        }
        let start = self.at;
        let (tag, length, value) = head(self.bytes, start, self.base)?;
        let (value_end, end) = match length {
            Some(length) => {
                let end = value.checked_add(length).filter(|end| *end <= self.bytes.len());
                let end = end.ok_or_else(|| self.wrong(start, "past the end"))?;
                (end, end)
            }
            None => {
                let end = self.indefinite_end(value, start)?;
                (end, end + 2)
            }
        };
        self.at = end;
        Ok(Some(Element {
            tag,
            value: self.bytes.get(value..value_end).unwrap_or_default(),
            start: self.base + start,
            offset: self.base + value,
            end: self.base + end,
        }))
    }

    /// The next element, of which only the beginning may be there: the first segment of a message.
    #[must_use]
    pub fn next_or_part(&mut self) -> Option<Element<'a>> {
        if let Ok(found) = self.next() {
            return found;
        }
        let start = self.at;
        let (tag, _, value) = head(self.bytes, start, self.base).ok()?;
        self.at = self.bytes.len();
        Some(Element {
            tag,
            value: self.bytes.get(value..)?,
            start: self.base + start,
            offset: self.base + value,
            end: self.base + self.bytes.len(),
        })
    }

    /// The next element if it has this tag; otherwise nothing is taken.
    ///
    /// # Errors
    /// It does not fit.
    #[inline]
    pub fn take(&mut self, tag: u32) -> Result<Option<Element<'a>>, Malformed> {
        let before = self.at;
        let found = self.next()?.filter(|element| element.tag == tag);
        if found.is_none() {
            self.at = before;
        }
        Ok(found)
    }

    /// Where the contents of an indefinite length end: before two zero octets of its own level.
    fn indefinite_end(&self, from: usize, start: usize) -> Result<usize, Malformed> {
        let (mut at, mut depth) = (from, 1_usize);
        for _ in 0..WALK_MAX {
            if self.bytes.get(at..at + 2) == Some(&[0, 0]) {
                depth -= 1;
                if depth == 0 {
                    return Ok(at);
                }
                at += 2;
                continue;
            }
            if at >= self.bytes.len() {
                return Err(self.wrong(start, "an indefinite length without end"));
            }
            let (_, length, value) = head(self.bytes, at, self.base)?;
            match length {
                Some(length) => {
                    let end = value.checked_add(length).filter(|end| *end <= self.bytes.len());
                    at = end.ok_or_else(|| self.wrong(at, "past the end"))?;
                }
                None => {
                    depth += 1;
                    at = value;
                    if depth > DEPTH_MAX {
                        return Err(self.wrong(start, "too deep"));
                    }
                }
            }
        }
        Err(self.wrong(start, "too many elements"))
    }

    const fn wrong(&self, at: usize, why: &'static str) -> Malformed {
        malformed("BER length", self.base + at, why)
    }
}

/// Tag, length and where the value begins; no length for the indefinite form.
#[inline]
fn head(bytes: &[u8], at: usize, base: usize) -> Result<(u32, Option<usize>, usize), Malformed> {
    let past = || malformed("BER", base + at, "past the end");
    let octet = |at: usize| bytes.get(at).copied().ok_or_else(past);
    let mut next = at + 1;
    let mut tag = u32::from(octet(at)?);
    if tag & 0x1f == 0x1f {
        loop {
            if next - at > 3 {
                return Err(malformed("BER tag", base + at, "too long"));
            }
            let more = octet(next)?;
            next += 1;
            tag = tag << 8 | u32::from(more);
            if more & 0x80 == 0 {
                break;
            }
        }
    }
    let first = octet(next)?;
    next += 1;
    let length = match first {
        0..0x80 => Some(usize::from(first)),
        0x80 => None,
        0x81..=0x84 => {
            let mut length = 0_usize;
            for _ in 0..first & 0x0f {
                length = length << 8 | usize::from(octet(next)?);
                next += 1;
            }
            Some(length)
        }
        _ => return Err(malformed("BER length", base + at, "too long")),
    };
    Ok((tag, length, next))
}

/// A value as a number, up to four octets of two's complement.
//= X.690 §8.3
#[must_use]
pub fn integer(value: &[u8]) -> Option<i32> {
    let (first, rest) = value.split_first()?;
    if rest.len() > 3 {
        return None;
    }
    let first = i32::from(first.cast_signed());
    Some(rest.iter().fold(first, |number, octet| number << 8 | i32::from(*octet)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<(u32, &[u8])>, Malformed> {
        let mut reader = Reader::new(bytes, 0);
        let mut found = Vec::new();
        while let Some(element) = reader.next()? {
            assert_eq!(bytes[element.offset..][..element.value.len()], *element.value);
            found.push((element.tag, element.value));
        }
        Ok(found)
    }

    #[test]
    fn every_form_of_tag_and_length() {
        let bytes = [
            0x04, 2, 1, 2, // short
            0x30, 0x81, 1, 9, // one octet of length
            0x30, 0x82, 0, 1, 8, // two
            0x9f, 0x81, 0x05, 1, 7, // a long tag
            0x30, 0x80, 0x04, 1, 5, 0x30, 0x80, 0, 0, 0, 0, // indefinite, in one another
        ];
        let expected: [(u32, &[u8]); 5] = [
            (0x04, &[1, 2]),
            (0x30, &[9]),
            (0x30, &[8]),
            (0x9f_8105, &[7]),
            (0x30, &[0x04, 1, 5, 0x30, 0x80, 0, 0]),
        ];
        assert_eq!(all(&bytes).expect("elements"), expected);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let why = |bytes: &[u8]| all(bytes).expect_err("wrong").why;
        assert_eq!(why(&[0x04]), "past the end");
        assert_eq!(why(&[0x04, 2, 1]), "past the end");
        assert_eq!(why(&[0x04, 0x84, 0xff, 0xff, 0xff, 0xff]), "past the end");
        assert_eq!(why(&[0x04, 0x85, 0, 0, 0, 0, 1, 0]), "too long");
        assert_eq!(why(&[0x1f, 0xff, 0xff, 0xff, 0xff, 1]), "too long");
        assert_eq!(why(&[0x30, 0x80, 0x04, 1, 5]), "an indefinite length without end");
        assert_eq!(why(&[0x30, 0x80].repeat(40)), "too deep");
        let many = [&[0x30, 0x80][..], &[0x05, 0].repeat(600), &[0, 0]].concat();
        assert_eq!(why(&many), "too many elements");
    }

    #[test]
    fn numbers_with_their_sign() {
        assert_eq!(integer(&[2]), Some(2));
        assert_eq!(integer(&[0xff]), Some(-1));
        assert_eq!(integer(&[1, 0]), Some(256));
        assert_eq!((integer(&[]), integer(&[0; 5])), (None, None));
    }
}
