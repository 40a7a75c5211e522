//! Identities of the numbering plan: PLMNs and IMSI ranges, and the seeded generator.

use std::str::FromStr;

/// A network's code: three digits of MCC and two or three of MNC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Plmn {
    digits: [u8; 6],
    length: u8,
}

impl Plmn {
    /// The three octets of Visited-PLMN-Id.
    //= TS 29.272 §7.3.9, TS 24.008 §10.5.1.3
    // MCC2 MCC1 | MNC3 MCC3 | MNC2 MNC1; a two-digit MNC has 0xf for its third digit.
    #[must_use]
    pub fn octets(&self) -> [u8; 3] {
        let [a, b, c, d, e, f] = self.digits;
        let third = if self.length == 6 { f } else { 0xf };
        [b << 4 | a, third << 4 | c, e << 4 | d]
    }

    /// The home realm's standard name, `epc.mncMMM.mccCCC.3gppnetwork.org`.
    //= TS 23.003 §19.2
    // A two-digit MNC is written with a leading zero.
    #[must_use]
    pub fn realm(&self) -> String {
        let text = self.to_string();
        let (mcc, mnc) = text.split_at(3.min(text.len()));
        format!("epc.mnc{mnc:0>3}.mcc{mcc}.3gppnetwork.org")
    }
}

impl FromStr for Plmn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut digits = [0; 6];
        let mut length = 0u8;
        for c in text.chars().filter(|c| *c != '-') {
            let value = c.to_digit(10).and_then(|d| u8::try_from(d).ok());
            match (value, digits.get_mut(usize::from(length))) {
                (Some(value), Some(place)) => *place = value,
                _ => return Err(format!("'{text}' is no PLMN: expected 5 or 6 digits")),
            }
            length += 1;
        }
        if length < 5 {
            return Err(format!("'{text}' is no PLMN: expected 5 or 6 digits"));
        }
        Ok(Self { digits, length })
    }
}

impl std::fmt::Display for Plmn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.digits.iter().take(usize::from(self.length)).try_for_each(|d| write!(f, "{d}"))
    }
}

/// IMSIs from the first to the last, both inside; written `FROM..TO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImsiRange {
    /// The first IMSI.
    pub first: u64,
    /// The last IMSI.
    pub last: u64,
    /// Digits of each, up to 15; leading zeros are kept.
    pub digits: usize,
}

impl ImsiRange {
    /// `count` IMSIs of 15 digits that start with `prefix`, from `prefix` and zeros upwards.
    ///
    /// # Errors
    /// Text that says what is wrong with the prefix, or that it has no room for `count`.
    pub fn of_prefix(prefix: &str, count: u64) -> Result<Self, String> {
        let first: Self = format!("{prefix:0<15}..{prefix:9<15}").parse()?;
        let last = first.first + count.max(1) - 1;
        if last > first.last {
            return Err(format!("prefix {prefix} has no room for {count} subscribers"));
        }
        Ok(Self { last, ..first })
    }

    /// How many IMSIs it holds, at least 1.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.last - self.first + 1
    }

    /// The IMSI at `index`, wrapping at the end.
    #[must_use]
    pub fn at(&self, index: u64) -> u64 {
        self.first + index % self.count()
    }

    /// True when the IMSI is inside.
    #[must_use]
    pub fn contains(&self, imsi: u64) -> bool {
        (self.first..=self.last).contains(&imsi)
    }
}

impl FromStr for ImsiRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("'{text}' is no IMSI range: expected FROM..TO, up to 15 digits each");
        let (from, to) = text.split_once("..").unwrap_or((text, text));
        let to = to.strip_prefix('=').unwrap_or(to);
        if from.len() > 15 || from.len() != to.len() {
            return Err(wrong());
        }
        let first = from.parse().map_err(|_| wrong())?;
        let last = to.parse().map_err(|_| wrong())?;
        if first > last {
            return Err(wrong());
        }
        Ok(Self { first, last, digits: from.len() })
    }
}

/// Writes `value` as decimal digits over the whole of `place`, with leading zeros.
pub(crate) fn digits(place: &mut [u8], mut value: u64) {
    for byte in place.iter_mut().rev() {
        *byte = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
}

/// Reads decimal digits; `None` when empty, not digits, or too long.
pub(crate) fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 18 {
        return None;
    }
    text.iter().try_fold(0u64, |sum, b| b.is_ascii_digit().then(|| sum * 10 + u64::from(b - b'0')))
}

/// A small seeded generator (SplitMix64): the same seed gives the same run.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts the sequence of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n` (0 when `n` is 0).
    pub fn below(&mut self, n: usize) -> usize {
        let wide = u128::from(self.bits()) * u128::try_from(n).unwrap_or(0);
        usize::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number from 0.0 up to 1.0.
    pub fn unit(&mut self) -> f64 {
        f64::from(u32::try_from(self.bits() >> 32).unwrap_or(0)) / 4_294_967_296.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plmn_octets_are_those_of_the_standard() {
        assert_eq!("21407".parse::<Plmn>().unwrap().octets(), [0x12, 0xf4, 0x70]);
        assert_eq!("310-410".parse::<Plmn>().unwrap().octets(), [0x13, 0x00, 0x14]);
        assert_eq!("21407".parse::<Plmn>().unwrap().realm(), "epc.mnc007.mcc214.3gppnetwork.org");
        assert!("2140".parse::<Plmn>().is_err());
        assert!("2140712".parse::<Plmn>().is_err());
        assert!("21x07".parse::<Plmn>().is_err());
    }

    #[test]
    fn ranges_hold_both_ends() {
        let range: ImsiRange = "214070000000001..214070000000010".parse().unwrap();
        assert_eq!((range.count(), range.at(10)), (10, 214_070_000_000_001));
        assert!("2..1".parse::<ImsiRange>().is_err());
        assert_eq!(ImsiRange::of_prefix("21407", 5).unwrap().last, 214_070_000_000_004);
    }

    #[test]
    fn digits_fill_their_place() {
        let mut place = *b"xxxxx";
        digits(&mut place, 42);
        assert_eq!((&place, number(&place)), (b"00042", Some(42)));
    }
}
