//! A small keyed hash: our tables are on the hot path and their keys come from outside.

/// Odd constants without structure (digits of π, as in the common folded-multiply hashes).
const KEY_A: u64 = 0x243f_6a88_85a3_08d3;
const KEY_B: u64 = 0x1319_8a2e_0370_7345;

/// Hashes one word under a seed.
#[must_use]
pub(crate) const fn word(seed: u64, value: u64) -> u64 {
    let product = (value ^ KEY_A ^ seed) as u128 * (KEY_B ^ seed.rotate_left(32) | 1) as u128;
    let folded = (product as u64) ^ (product >> 64) as u64;
    folded ^ folded >> 29
}

/// Hashes octets without regard to ASCII case: names in the domain style are case-blind.
//= RFC 6733 §4.3.1
#[must_use]
pub(crate) fn name(seed: u64, octets: &[u8]) -> u64 {
    let mut state = octets.len() as u64;
    let mut mix = |block: [u8; 8]| {
        // Setting this bit makes letters small; that it also moves other octets does no harm to a
        // hash, for names are compared afterwards.
        let block = u64::from_le_bytes(block) | 0x2020_2020_2020_2020;
        state = word(seed, state.rotate_left(5) ^ block);
    };
    let (blocks, rest) = octets.as_chunks::<8>();
    blocks.iter().for_each(|block| mix(*block));
    let mut last = [0_u8; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    mix(last);
    state
}

/// A map from names in the domain style (realms, hosts), case-blind, without allocation on look-up.
#[derive(Clone, Debug)]
pub(crate) struct NameMap<T>(hashbrown::HashTable<(Box<[u8]>, T)>);

impl<T> Default for NameMap<T> {
    fn default() -> Self {
        Self(hashbrown::HashTable::new())
    }
}

impl<T: Default> NameMap<T> {
    pub(crate) fn get(&self, octets: &[u8]) -> Option<&T> {
        let found = self.0.find(name(0, octets), |(key, _)| key.eq_ignore_ascii_case(octets));
        found.map(|(_, value)| value)
    }

    /// The value under this name, made now if it is new.
    pub(crate) fn entry(&mut self, octets: &[u8]) -> &mut T {
        let hash = name(0, octets);
        let same = |(key, _): &(Box<[u8]>, T)| key.eq_ignore_ascii_case(octets);
        let rehash = |(key, _): &(Box<[u8]>, T)| name(0, key);
        let entry = self.0.entry(hash, same, rehash);
        let entry = entry.or_insert_with(|| (octets.to_ascii_lowercase().into(), T::default()));
        &mut entry.into_mut().1
    }
}

/// A map from whole numbers.
#[derive(Clone, Debug)]
pub(crate) struct WordMap<T>(hashbrown::HashTable<(u64, T)>);

impl<T> Default for WordMap<T> {
    fn default() -> Self {
        Self(hashbrown::HashTable::new())
    }
}

impl<T: Default> WordMap<T> {
    pub(crate) fn get(&self, key: u64) -> Option<&T> {
        self.0.find(word(0, key), |(known, _)| *known == key).map(|(_, value)| value)
    }

    /// The value under this key, made now if it is new.
    pub(crate) fn entry(&mut self, key: u64) -> &mut T {
        let entry = self.0.entry(word(0, key), |(known, _)| *known == key, |(k, _)| word(0, *k));
        &mut entry.or_insert_with(|| (key, T::default())).into_mut().1
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.0.iter().map(|(key, value)| (*key, value))
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, value)| value)
    }
}
