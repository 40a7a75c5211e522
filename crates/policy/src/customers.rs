//! Whose subscribers they are: customers by network and by IMSI prefix.

use procedure::{Imsi, Node, Plmn, Symbol};

use crate::document::Section;
use crate::hash::WordMap;
use crate::networks::{Networks, PLMN_EXPECTED, REALM_EXPECTED, realm};
use crate::reading::Reading;

/// First digits of IMSIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The digits as in [`Imsi::word`], the rest zero.
    word: u64,
    digits: u8,
}

impl Prefix {
    /// From 1 to 15 digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let short = (1..=Imsi::DIGITS_MAX).contains(&text.len());
        if !short || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digit =
            |word: u64, (i, byte): (usize, u8)| word | u64::from(byte - b'0') << (60 - 4 * i);
        let word = text.bytes().enumerate().fold(0, digit);
        Some(Self { word, digits: u8::try_from(text.len()).ok()? })
    }

    /// Whether an IMSI begins with these digits.
    #[must_use]
    pub const fn covers(self, imsi: Imsi) -> bool {
        imsi.len() >= self.digits as usize && imsi.word() & Self::mask(self.digits) == self.word
    }

    /// What every IMSI of a network begins with.
    pub(crate) const fn of_network(plmn: Plmn) -> Self {
        let digits = 3 + plmn.mnc_digits() as u8;
        Self { word: (plmn.word() as u64) << 40 & Self::mask(digits), digits }
    }

    const fn mask(digits: u8) -> u64 {
        u64::MAX << (64 - 4 * digits as u32)
    }
}

impl std::fmt::Display for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (0..self.digits).try_for_each(|i| write!(f, "{}", self.word >> (60 - 4 * i) & 0xf))
    }
}

/// What an IMSI prefix in a file looks like, for diagnostics.
pub(crate) const PREFIX_EXPECTED: &str = "1 to 15 digits, as \"2140755\"";

/// One customer.
#[derive(Debug)]
pub(crate) struct Customer {
    pub(crate) name: Symbol,
    pub(crate) plmns: Vec<Plmn>,
    pub(crate) realms: Vec<String>,
}

impl Customer {
    /// Whether a node of this realm, in this network, is its own.
    pub(crate) fn owns(&self, networks: &Networks, realm: &[u8], network: Option<Plmn>) -> bool {
        let mut realms = self.realms.iter();
        realms.any(|own| realm.eq_ignore_ascii_case(own.as_bytes()))
            || network.is_some_and(|network| {
                self.plmns.iter().any(|plmn| networks.same_operator(*plmn, network))
            })
    }
}

/// All customers; the longest prefix of an IMSI decides whose it is, so that a virtual operator
/// inside somebody's number range is told apart.
#[derive(Debug, Default)]
pub(crate) struct Customers {
    pub(crate) list: Vec<Customer>,
    /// Lengths of prefixes in use, longest first.
    lengths: Vec<u8>,
    /// By prefix and its length: place in the list, from 1.
    prefixes: WordMap<usize>,
}

impl Customers {
    pub(crate) fn of(&self, imsi: Imsi) -> Option<&Customer> {
        self.lengths.iter().find_map(|digits| {
            let key = imsi.word() & Prefix::mask(*digits) | u64::from(*digits);
            let place = self.prefixes.get(key).copied()?;
            let long_enough = imsi.len() >= usize::from(*digits);
            place.checked_sub(1).filter(|_| long_enough).and_then(|place| self.list.get(place))
        })
    }

    /// Whose all of a network is, where no IMSI tells it more exactly.
    pub(crate) fn of_network(&self, plmn: Plmn) -> Option<&Customer> {
        let Prefix { word, digits } = Prefix::of_network(plmn);
        let place = self.prefixes.get(word | u64::from(digits)).copied()?;
        place.checked_sub(1).and_then(|place| self.list.get(place))
    }

    /// Whether this is any customer's own node.
    pub(crate) fn any_owns(&self, networks: &Networks, node: &Node<'_>) -> bool {
        let network = networks.of_node(node);
        self.list.iter().any(|customer| customer.owns(networks, node.realm, network))
    }

    pub(crate) fn by_name(&self, name: Symbol) -> Option<&Customer> {
        self.list.iter().find(|customer| customer.name == name)
    }

    /// Reads one `[[customer]]`.
    pub(crate) fn read(&mut self, section: &Section<'_>, reading: &Reading<'_>) {
        let name = section.required("name");
        let plmns = section.all_parsed("plmns", PLMN_EXPECTED, |text| text.parse::<Plmn>().ok());
        let prefixes = section.all_parsed("imsi_prefixes", PREFIX_EXPECTED, Prefix::parse);
        let realms = section.all_parsed("realms", REALM_EXPECTED, realm);
        section.finish();
        let Some(name) = name else { return };
        if plmns.is_empty() && prefixes.is_empty() {
            section.push(name.complain("this customer has neither `plmns` nor `imsi_prefixes`"));
        }
        let symbol = reading.symbols.intern(name.value);
        if self.by_name(symbol).is_some() {
            section.push(name.complain(format!("two customers are called `{}`", name.value)));
        }
        for plmn in &plmns {
            reading.check_listed(plmn);
        }
        let place = self.list.len() + 1;
        let of_plmns = plmns.iter().map(|plmn| {
            (
                Prefix::of_network(plmn.value),
                plmn.complain(format!("network `{}` has two customers", plmn.value)),
            )
        });
        let of_prefixes = prefixes.iter().map(|prefix| {
            let message = format!("prefix `{}` has two customers", prefix.value);
            (prefix.value, prefix.complain(message))
        });
        for (prefix, complaint) in of_plmns.chain(of_prefixes) {
            let entry = self.prefixes.entry(prefix.word | u64::from(prefix.digits));
            if *entry != 0 {
                section.push(complaint);
            }
            *entry = place;
            self.lengths.push(prefix.digits);
        }
        self.lengths.sort_unstable_by(|a, b| b.cmp(a));
        self.lengths.dedup();
        self.list.push(Customer {
            name: symbol,
            plmns: plmns.into_iter().map(|plmn| plmn.value).collect(),
            realms: realms.into_iter().map(|realm| realm.value).collect(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_cover_what_begins_with_them() {
        let prefix = Prefix::parse("2140755").expect("a prefix");
        assert!(prefix.covers("214075512345678".parse().expect("an IMSI")));
        assert!(!prefix.covers("214075612345678".parse().expect("an IMSI")));
        assert!(!prefix.covers("214075".parse().expect("an IMSI")), "too short to say");
        assert_eq!(prefix.to_string(), "2140755");
        assert!(Prefix::parse("").is_none() && Prefix::parse("21x").is_none());
        for network in ["21407", "310260"] {
            let plmn = network.parse().expect("a PLMN");
            assert_eq!(Some(Prefix::of_network(plmn)), Prefix::parse(network));
        }
        let whole = Prefix::parse("214070000000001").expect("a whole IMSI");
        assert!(whole.covers("214070000000001".parse().expect("an IMSI")));
    }
}
