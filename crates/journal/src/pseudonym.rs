//! Subscribers leave the process as a keyed pseudonym.

use std::fmt;

use procedure::Imsi;

/// Octets of a pseudonym: the first of a BLAKE3 keyed hash.
pub const PSEUDONYM_OCTETS: usize = 16;

/// The secret that pseudonyms are made with. Who has it can test guesses of IMSIs, so it is not
/// printed; the same key gives the same pseudonym on every node and after every restart.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// From 32 secret bytes.
    #[must_use]
    pub const fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// From text of any length, such as a line of a secret file.
    #[must_use]
    pub fn from_passphrase(text: &str) -> Self {
        Self(blake3::derive_key("ipx journal 2026 subscriber pseudonyms", text.as_bytes()))
    }

    /// The pseudonym of a subscriber. Hashed each time (95 ns): with millions of subscribers a cache
    /// would mostly miss, and cost more memory traffic than the one compression it saves.
    #[must_use]
    pub fn pseudonym(&self, imsi: Imsi) -> [u8; PSEUDONYM_OCTETS] {
        let hash = blake3::keyed_hash(&self.0, imsi.write(&mut [0; Imsi::DIGITS_MAX]));
        hash.as_bytes().first_chunk().copied().unwrap_or_default()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyed_stable_and_not_the_digits() {
        let imsi = |text: &str| text.parse::<Imsi>().expect("an IMSI");
        let (a, b) = (Key::new([7; 32]), Key::from_passphrase("other"));
        let one = a.pseudonym(imsi("214070000000001"));
        assert_eq!(one, a.pseudonym(imsi("214070000000001")));
        assert_ne!(one, a.pseudonym(imsi("214070000000002")));
        assert_ne!(one, b.pseudonym(imsi("214070000000001")));
        assert_eq!(format!("{a:?}"), "Key(…)");
    }
}
