//! Whose subscribers they are: customers by network and by IMSI prefix.

use procedure::{Imsi, Node, Plmn, Symbol};

use crate::Diagnostic;
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

/// What a Type Allocation Code in a file looks like, for diagnostics.
pub(crate) const TAC_EXPECTED: &str = "eight digits, as \"35672011\"";

/// A Type Allocation Code.
//= TS 23.003 §6.2.1
pub(crate) fn tac(text: &str) -> Option<u32> {
    let whole = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    whole.then(|| text.parse().ok())?
}

/// What kind of device it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    /// Somebody carries it.
    Phone,
    /// A module in a machine.
    Iot,
}

/// Devices by their words.
pub(crate) fn device_words() -> [(&'static str, Device); 2] {
    [("phone", Device::Phone), ("iot", Device::Iot)]
}

impl Device {
    pub(crate) fn name(self) -> &'static str {
        device_words().iter().find(|(_, device)| *device == self).map_or("", |(name, _)| name)
    }
}

/// Whose a prefix is, and what stands behind it.
#[derive(Clone, Copy, Debug, Default)]
struct Owner {
    /// Place in the list, from 1.
    customer: usize,
    device: Option<Device>,
}

/// All customers; the longest prefix of an IMSI decides whose it is, so that a virtual operator
/// inside somebody's number range is told apart.
#[derive(Debug, Default)]
pub(crate) struct Customers {
    pub(crate) list: Vec<Customer>,
    /// Lengths of prefixes in use, longest first.
    lengths: Vec<u8>,
    /// By prefix and its length.
    prefixes: WordMap<Owner>,
    /// By Type Allocation Code.
    tacs: WordMap<Option<Device>>,
}

impl Customers {
    pub(crate) fn of(&self, imsi: Imsi) -> Option<&Customer> {
        self.owner(imsi).map(|(customer, _)| customer)
    }

    /// Whose subscriber it is, and with what device as far as the number range tells.
    pub(crate) fn owner(&self, imsi: Imsi) -> Option<(&Customer, Option<Device>)> {
        self.lengths.iter().find_map(|digits| {
            let key = imsi.word() & Prefix::mask(*digits) | u64::from(*digits);
            let owner = self.prefixes.get(key).copied()?;
            let long_enough = imsi.len() >= usize::from(*digits);
            let place = owner.customer.checked_sub(1).filter(|_| long_enough)?;
            Some((self.list.get(place)?, owner.device))
        })
    }

    /// What kind of device a Type Allocation Code was given to.
    pub(crate) fn device(&self, tac: u32) -> Option<Device> {
        self.tacs.get(tac.into()).copied().flatten()
    }

    /// Reads one `[[device]]` of `devices.toml`.
    pub(crate) fn read_device(&mut self, section: &Section<'_>) {
        let class = section.word("class", &device_words());
        let tacs = section.all_parsed("tacs", TAC_EXPECTED, tac);
        section.finish();
        let Some(class) = class else {
            if section.place_of("class").is_none() {
                section.push(section.at().complain("`class` is missing"));
            }
            return;
        };
        for tac in tacs {
            let known = self.tacs.entry(tac.value.into());
            if known.is_some_and(|known| known != class.value) {
                section.push(tac.complain("this code has two classes"));
            }
            *known = Some(class.value);
        }
    }

    /// Whose all of a network is, where no IMSI tells it more exactly.
    pub(crate) fn of_network(&self, plmn: Plmn) -> Option<&Customer> {
        let Prefix { word, digits } = Prefix::of_network(plmn);
        let owner = self.prefixes.get(word | u64::from(digits)).copied()?;
        owner.customer.checked_sub(1).and_then(|place| self.list.get(place))
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
        let slices = read_slices(section);
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
        let own = of_plmns.chain(of_prefixes).map(|(prefix, complaint)| (prefix, None, complaint));
        for (prefix, device, complaint) in own.chain(slices) {
            let entry = self.prefixes.entry(prefix.word | u64::from(prefix.digits));
            if entry.customer != 0 {
                section.push(complaint);
            }
            *entry = Owner { customer: place, device };
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

/// The `[[customer.slice]]`: number ranges behind which one kind of device stands.
fn read_slices(section: &Section<'_>) -> Vec<(Prefix, Option<Device>, Diagnostic)> {
    let mut found = Vec::new();
    for slice in section.sections("slice") {
        let _name = slice.required("name");
        let device = slice.word("device", &device_words()).map(|device| device.value);
        let prefixes = slice.all_parsed("imsi_prefixes", PREFIX_EXPECTED, Prefix::parse);
        slice.finish();
        if prefixes.is_empty() && slice.place_of("imsi_prefixes").is_none() {
            slice.push(slice.at().complain("this slice has no `imsi_prefixes`"));
        }
        found.extend(prefixes.into_iter().map(|prefix| {
            let message = format!("prefix `{}` has two owners", prefix.value);
            (prefix.value, device, prefix.complain(message))
        }));
    }
    found
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
