//! Whose a number is: networks by the first digits of their nodes' numbers, the longest match
//! decides.

use procedure::{Digits, Plmn};

use crate::hash::WordMap;

/// First digits of numbers and whose they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Titles {
    /// Bit n: there are prefixes of n digits.
    lengths: u32,
    owners: WordMap<Option<Plmn>>,
}

impl Titles {
    /// The network with the longest prefix of these digits.
    ///
    /// One digit less at a time: a division by ten is a multiplication, one by a power that is only
    /// known here is not.
    pub(crate) fn owner(&self, digits: Digits) -> Option<Plmn> {
        let (mut value, mut len) = (digits.value(), digits.len());
        while len > 0 {
            if self.lengths >> len & 1 == 1
                && let Some(Some(owner)) = self.owners.get(key(value, len))
            {
                return Some(*owner);
            }
            (value, len) = (value / 10, len - 1);
        }
        None
    }

    /// Gives a prefix to a network; who had it before.
    pub(crate) fn give(&mut self, prefix: Digits, owner: Plmn) -> Option<Plmn> {
        self.lengths |= 1 << prefix.len();
        self.owners.entry(key(prefix.value(), prefix.len())).replace(owner)
    }
}

/// Prefixes of different length may have the same value: `0` and `00`.
const fn key(value: u64, len: usize) -> u64 {
    value << 5 | len as u64
}

/// Most digits of a number in the international plan, so that a prefix and its length fit a word.
//= E.164 §6.2.1
pub(crate) const TITLE_DIGITS_MAX: usize = 15;

/// What a prefix of numbers in a file looks like, for diagnostics.
pub(crate) const TITLE_EXPECTED: &str = "1 to 15 digits without a plus sign, as \"447802\"";

/// First digits of numbers in a file.
pub(crate) fn prefix(text: &str) -> Option<Digits> {
    text.parse().ok().filter(|digits: &Digits| digits.len() <= TITLE_DIGITS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plmn(text: &str) -> Plmn {
        text.parse().expect("a PLMN")
    }

    fn digits(text: &str) -> Digits {
        text.parse().expect("digits")
    }

    #[test]
    fn the_longest_prefix_decides() {
        let mut titles = Titles::default();
        let given = [("44", "23400"), ("447802", "23410"), ("4478021", "23415"), ("0", "00101")];
        for (prefix, owner) in given {
            assert_eq!(titles.give(digits(prefix), plmn(owner)), None);
        }
        for (number, owner) in [
            ("447802002505", Some("23410")),
            ("447802102505", Some("23415")),
            ("447802", Some("23410")),
            ("44780", Some("23400")),
            ("0012", Some("00101")),
            ("4", None),
            ("33689004000", None),
        ] {
            let found = titles.owner(digits(number)).map(|owner| owner.to_string());
            assert_eq!(found.as_deref(), owner, "{number}");
        }
        assert_eq!(titles.owner(Digits::EMPTY), None);
        assert_eq!(titles.give(digits("44"), plmn("23430")), Some(plmn("23400")));
        assert_eq!(titles.give(digits("00"), plmn("00102")), None, "not the same as 0");
        assert_eq!(titles.owner(digits("9999999999999999999")), None, "19 digits do no harm");
    }

    #[test]
    fn a_prefix_in_a_file_is_digits_of_a_number() {
        assert!(prefix("447802").is_some() && prefix("123456789012345").is_some());
        for wrong in ["", "+44", "44x", "1234567890123456"] {
            assert!(prefix(wrong).is_none(), "{wrong}");
        }
    }
}
