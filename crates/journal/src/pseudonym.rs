//! Subscribers leave the process as a keyed pseudonym.

use std::fmt;

use aes::Aes256;
use aes::cipher::{BlockDecrypt as _, BlockEncrypt as _, KeyInit as _};
use procedure::Imsi;

/// Octets of a pseudonym: one block of the cipher.
pub const PSEUDONYM_OCTETS: usize = 16;

/// Fills the block behind the IMSI, and tells a pseudonym made with another key.
const TAG: [u8; 8] = *b"ipx imsi";

/// The secret that pseudonyms are made with: one block of AES-256 for each IMSI. The same key gives
/// the same pseudonym on every node and after every restart, two subscribers never share one, and
/// only who has the key can tell whose it is. It is not printed.
#[derive(Clone)]
pub struct Key(Aes256);

impl Key {
    /// From 32 secret bytes.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        Self(Aes256::new(&secret.into()))
    }

    /// The pseudonym of a subscriber.
    #[must_use]
    pub fn pseudonym(&self, imsi: Imsi) -> [u8; PSEUDONYM_OCTETS] {
        let mut block = [0; PSEUDONYM_OCTETS];
        for (octet, from) in block.iter_mut().zip(imsi.word().to_be_bytes().into_iter().chain(TAG))
        {
            *octet = from;
        }
        let mut block = block.into();
        self.0.encrypt_block(&mut block);
        block.into()
    }

    /// Whose pseudonym this is; `None` when it was made with another key. What a gateway needs that
    /// goes on after a restart from its own records.
    #[must_use]
    pub fn subscriber(&self, pseudonym: [u8; PSEUDONYM_OCTETS]) -> Option<Imsi> {
        let mut block = pseudonym.into();
        self.0.decrypt_block(&mut block);
        let block: [u8; PSEUDONYM_OCTETS] = block.into();
        let (word, tag) = block.split_first_chunk()?;
        (*tag == TAG).then(|| Imsi::from_word(u64::from_be_bytes(*word)))?
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
    fn keyed_stable_and_only_for_who_has_the_key() {
        let imsi = |text: &str| text.parse::<Imsi>().expect("an IMSI");
        let (a, b) = (Key::new([7; 32]), Key::new([8; 32]));
        let one = a.pseudonym(imsi("214070000000001"));
        assert_eq!(one, a.pseudonym(imsi("214070000000001")));
        assert_ne!(one, a.pseudonym(imsi("214070000000002")));
        assert_ne!(one, b.pseudonym(imsi("214070000000001")));
        assert_eq!(a.subscriber(one), Some(imsi("214070000000001")));
        assert_eq!(b.subscriber(one), None);
        assert_eq!(format!("{a:?}"), "Key(…)");
    }
}
