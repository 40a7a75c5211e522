//! Who and where: subscriber, network, link, worker and stack identities as small values.

use std::fmt;
use std::str::FromStr;

/// One configured link: its place in the configuration's list of peers. Stable for the life of the
/// process, the same on every worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u32);

/// One worker thread and its gateway value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(pub u8);

/// One stack: its place in the list of stacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StackId(pub u8);

/// An International Mobile Subscriber Identity, up to 15 digits.
///
/// Kept as one word, so that tables of millions stay small: the digits as nibbles from the top,
/// the number of digits in the lowest nibble.
//= TS 23.003 §2.2
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Imsi(u64);

impl Imsi {
    /// Most digits an IMSI has.
    pub const DIGITS_MAX: usize = 15;
    /// Fewest digits taken for an IMSI: MCC, MNC and one digit of MSIN.
    pub const DIGITS_MIN: usize = 6;

    /// Reads ASCII digits; `None` unless there are 6 to 15 and nothing else.
    #[must_use]
    pub fn from_ascii(digits: &[u8]) -> Option<Self> {
        if digits.len() < Self::DIGITS_MIN || digits.len() > Self::DIGITS_MAX {
            return None;
        }
        let mut word = 0_u64;
        for (i, digit) in digits.iter().enumerate() {
            let value = digit.wrapping_sub(b'0');
            if value > 9 {
                return None;
            }
            word |= u64::from(value) << (60 - 4 * i);
        }
        Some(Self(word | digits.len() as u64))
    }

    /// How many digits it has.
    #[must_use]
    pub const fn len(self) -> usize {
        (self.0 & 0xf) as usize
    }

    /// Never true; there is no empty IMSI.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The first `count` digits (at most 9) as a number, for prefix tables.
    #[must_use]
    pub const fn prefix(self, count: usize) -> u32 {
        let mut value = 0_u32;
        let mut i = 0;
        while i < count && i < 9 {
            value = value * 10 + ((self.0 >> (60 - 4 * i)) & 0xf) as u32;
            i += 1;
        }
        value
    }

    /// The whole as one word, unique for each IMSI: a key for tables.
    #[must_use]
    pub const fn word(self) -> u64 {
        self.0
    }

    /// The IMSI that [`Self::word`] gave; `None` for a word that it never gives.
    #[must_use]
    pub fn from_word(word: u64) -> Option<Self> {
        let imsi = Self(word);
        let again = Self::from_ascii(imsi.write(&mut [0; 15]));
        again.filter(|again| again.0 == word)
    }

    /// The digits as ASCII into `buffer`; the part that was written.
    #[must_use]
    pub fn write(self, buffer: &mut [u8; 15]) -> &[u8] {
        for (i, byte) in buffer.iter_mut().enumerate() {
            *byte = b'0' + ((self.0 >> (60 - 4 * i)) & 0xf) as u8;
        }
        buffer.get(..self.len()).unwrap_or_default()
    }

    /// Whether the IMSI begins with these ASCII digits.
    #[must_use]
    pub fn starts_with(self, digits: &str) -> bool {
        self.write(&mut [0; 15]).starts_with(digits.as_bytes())
    }

    /// The digits in clear. Named so that every use can be found: identities leave the process
    /// only as pseudonyms unless an operator asks otherwise.
    #[must_use]
    pub fn in_clear(self) -> String {
        String::from_utf8_lossy(self.write(&mut [0; 15])).into_owned()
    }
}

/// Prints the network part only; see [`Imsi::in_clear`].
impl fmt::Debug for Imsi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Imsi({:05}…)", self.prefix(5))
    }
}

impl FromStr for Imsi {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::from_ascii(text.as_bytes()).ok_or("an IMSI is 6 to 15 decimal digits")
    }
}

/// A directory number or global title: up to 19 decimal digits, kept as one word.
//= E.164 §6
//= E.214 §3
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digits {
    value: u64,
    len: u8,
}

impl Digits {
    /// Most digits held.
    pub const DIGITS_MAX: usize = 19;

    /// No digits.
    pub const EMPTY: Self = Self { value: 0, len: 0 };

    /// Reads ASCII digits; `None` for anything else, or for more than 19.
    #[must_use]
    pub fn from_ascii(digits: &[u8]) -> Option<Self> {
        digits.iter().try_fold(Self::EMPTY, |all, digit| all.with(digit.wrapping_sub(b'0')))
    }

    /// With one more digit at the end; `None` when it is none or there are 19.
    #[must_use]
    pub const fn with(self, digit: u8) -> Option<Self> {
        if digit > 9 || self.len as usize >= Self::DIGITS_MAX {
            return None;
        }
        Some(Self { value: self.value * 10 + digit as u64, len: self.len + 1 })
    }

    /// How many digits there are.
    #[must_use]
    pub const fn len(self) -> usize {
        self.len as usize
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The first `count` digits, or all where there are fewer.
    #[must_use]
    pub const fn prefix(self, count: usize) -> Self {
        if count >= self.len() {
            return self;
        }
        let value = self.value / 10_u64.pow((self.len() - count) as u32);
        Self { value, len: count as u8 }
    }

    /// Whether the digits begin with those.
    #[must_use]
    pub fn starts_with(self, prefix: Self) -> bool {
        self.len >= prefix.len && self.prefix(prefix.len()) == prefix
    }

    /// The digits as a number; two of different length may have the same.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.value
    }

    /// The digits as ASCII into `buffer`; the part that was written.
    #[must_use]
    pub fn write(self, buffer: &mut [u8; Self::DIGITS_MAX]) -> &[u8] {
        let mut rest = self.value;
        for byte in buffer.iter_mut().take(self.len()).rev() {
            *byte = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        buffer.get(..self.len()).unwrap_or_default()
    }

    /// The digits in clear. Named so that every use can be found, as with [`Imsi::in_clear`]: a
    /// subscriber's number is an identity too.
    #[must_use]
    pub fn in_clear(self) -> String {
        String::from_utf8_lossy(self.write(&mut [0; Self::DIGITS_MAX])).into_owned()
    }
}

/// Prints the first digits only; see [`Digits::in_clear`].
impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = self.prefix(5);
        write!(f, "Digits({:0width$}…)", head.value, width = head.len())
    }
}

impl FromStr for Digits {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = Self::from_ascii(text.as_bytes()).filter(|digits| !digits.is_empty());
        digits.ok_or("a number is 1 to 19 decimal digits")
    }
}

/// A Public Land Mobile Network: country code and network code, two or three digits of it.
///
/// Six nibbles: three of MCC, three of MNC, the last `F` when the MNC has two digits. `23410` and
/// `234010` are different networks.
//= TS 23.003 §12.1
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Plmn(u32);

impl Plmn {
    /// From ASCII digits, `MCC` then `MNC`: five or six of them.
    #[must_use]
    pub fn from_ascii(digits: &[u8]) -> Option<Self> {
        if digits.len() != 5 && digits.len() != 6 {
            return None;
        }
        let mut word = 0_u32;
        for i in 0..6 {
            let nibble = match digits.get(i) {
                Some(digit) if digit.is_ascii_digit() => u32::from(digit - b'0'),
                Some(_) => return None,
                None => 0xf,
            };
            word = word << 4 | nibble;
        }
        Some(Self(word))
    }

    /// From the three octets that mobile protocols carry.
    //= TS 29.272 §7.3.9
    //= TS 24.008 §10.5.1.13
    #[must_use]
    pub fn from_octets(octets: [u8; 3]) -> Option<Self> {
        let [a, b, c] = octets.map(u32::from);
        let nibbles = [a & 0xf, a >> 4, b & 0xf, c & 0xf, c >> 4, b >> 4];
        let whole = nibbles.iter().take(5).all(|nibble| *nibble < 10);
        let last = nibbles.last().is_some_and(|nibble| *nibble < 10 || *nibble == 0xf);
        if !(whole && last) {
            return None;
        }
        Some(Self(nibbles.iter().fold(0, |word, nibble| word << 4 | nibble)))
    }

    /// The three octets that mobile protocols carry.
    #[must_use]
    pub const fn octets(self) -> [u8; 3] {
        let n = self.0;
        [
            ((n >> 16 & 0xf) << 4 | n >> 20 & 0xf) as u8,
            ((n & 0xf) << 4 | n >> 12 & 0xf) as u8,
            ((n >> 4 & 0xf) << 4 | n >> 8 & 0xf) as u8,
        ]
    }

    /// The Mobile Country Code as a number.
    #[must_use]
    pub const fn mcc(self) -> u16 {
        ((self.0 >> 20 & 0xf) * 100 + (self.0 >> 16 & 0xf) * 10 + (self.0 >> 12 & 0xf)) as u16
    }

    /// How many digits the Mobile Network Code has: two or three.
    #[must_use]
    pub const fn mnc_digits(self) -> usize {
        if self.0 & 0xf == 0xf { 2 } else { 3 }
    }

    /// The whole as one word, unique for each network.
    #[must_use]
    pub const fn word(self) -> u32 {
        self.0
    }

    /// The network that [`Self::word`] gave; `None` for a word that it never gives.
    #[must_use]
    pub const fn from_word(word: u32) -> Option<Self> {
        let mut shift = 4;
        while shift < 24 {
            if word >> shift & 0xf > 9 {
                return None;
            }
            shift += 4;
        }
        let last = word & 0xf;
        if word >> 24 != 0 || (last > 9 && last != 0xf) { None } else { Some(Self(word)) }
    }

    /// Five or six ASCII digits into `buffer`; the part that was written.
    #[must_use]
    pub fn write(self, buffer: &mut [u8; 6]) -> &[u8] {
        for (i, byte) in buffer.iter_mut().enumerate() {
            *byte = b'0' + (self.0 >> (20 - 4 * i) & 0xf) as u8;
        }
        buffer.get(..3 + self.mnc_digits()).unwrap_or_default()
    }

    /// The network whose home realm this is: `….mnc010.mcc234.3gppnetwork.org`, any case. The
    /// realm always writes three MNC digits, so a leading zero may belong to a two-digit MNC:
    /// the answer is the three-digit form and, where it begins with 0, the two-digit form.
    //= TS 23.003 §19.2
    #[must_use]
    pub fn from_realm(realm: &[u8]) -> Option<(Self, Option<Self>)> {
        let tail = realm.len().checked_sub(b"mnc000.mcc000.3gppnetwork.org".len())?;
        let tail = realm.get(tail..)?;
        let part = |range: std::ops::Range<usize>| tail.get(range).unwrap_or_default();
        let shape = part(0..3).eq_ignore_ascii_case(b"mnc")
            && part(6..10).eq_ignore_ascii_case(b".mcc")
            && part(13..29).eq_ignore_ascii_case(b".3gppnetwork.org");
        if !shape {
            return None;
        }
        let (mnc, mcc) = (part(3..6), part(10..13));
        let join = |mnc: &[u8]| {
            let mut digits = [0_u8; 6];
            let length = 3 + mnc.len();
            digits.get_mut(..3)?.copy_from_slice(mcc);
            digits.get_mut(3..length)?.copy_from_slice(mnc);
            Self::from_ascii(digits.get(..length)?)
        };
        let short = mnc.strip_prefix(b"0").and_then(join);
        Some((join(mnc)?, short))
    }
}

impl fmt::Display for Plmn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(self.write(&mut [0; 6])).unwrap_or("?"))
    }
}

impl fmt::Debug for Plmn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plmn({self})")
    }
}

impl FromStr for Plmn {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::from_ascii(text.as_bytes()).ok_or("a PLMN is five or six digits, MCC then MNC")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imsi_digits_survive() {
        let imsi: Imsi = "214070000000001".parse().expect("an IMSI");
        assert_eq!(imsi.in_clear(), "214070000000001");
        assert_eq!(imsi.prefix(5), 21407);
        assert!(imsi.starts_with("21407") && !imsi.starts_with("21408"));
        assert_eq!(format!("{imsi:?}"), "Imsi(21407…)");
        assert_eq!(Imsi::from_word(imsi.word()), Some(imsi));
        assert!(Imsi::from_word(imsi.word() ^ 0xd << 60).is_none() && Imsi::from_word(3).is_none());
        assert!("2140700000000012".parse::<Imsi>().is_err());
        assert!("21407x".parse::<Imsi>().is_err());
        assert!("".parse::<Imsi>().is_err());
    }

    #[test]
    fn plmn_octets_both_ways() {
        for text in ["21407", "310410", "00101", "234010"] {
            let plmn: Plmn = text.parse().expect("a PLMN");
            assert_eq!(plmn.to_string(), text);
            assert_eq!(Plmn::from_octets(plmn.octets()), Some(plmn));
        }
        // What python-diameter's vector carries for 214-07.
        assert_eq!(Plmn::from_octets([0x12, 0xf4, 0x70]), "21407".parse().ok());
        assert_eq!(Plmn::from_octets([0xff, 0xff, 0xff]), None);
        assert_ne!("23410".parse::<Plmn>(), "234010".parse::<Plmn>());
        assert_eq!("310410".parse::<Plmn>().map(Plmn::mcc), Ok(310));
    }

    #[test]
    fn realms_name_their_network() {
        let (long, short) = Plmn::from_realm(b"epc.mnc010.MCC234.3gppnetwork.org").expect("one");
        assert_eq!(long.to_string(), "234010");
        assert_eq!(short.map(|plmn| plmn.to_string()).as_deref(), Some("23410"));
        assert!(Plmn::from_realm(b"visited.lab").is_none());
        assert!(Plmn::from_realm(b"epc.mncx10.mcc234.3gppnetwork.org").is_none());
    }
}
