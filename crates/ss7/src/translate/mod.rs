//! Global-title translation and point-code routes: which server a message goes to, and how its
//! called party is readdressed on the way.
//!
//! Compiled whole and immutable. Among the rules that match a title the longest prefix speaks; of
//! those with the same prefix the one that asks for more, then the one that stands first.
//= Q.714 §2.4

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use procedure::{Digits, Symbol};

use crate::view::m3ua::PointCode;
use crate::view::sccp::Address;
use crate::view::sccp::write::{AddressBuffer, Fields, TitleFields};

/// A rule: what it asks for, and what it does. What is `None` is any, or stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name in explanations.
    pub name: Symbol,
    /// Translation type.
    pub translation_type: Option<u8>,
    /// Numbering plan.
    pub plan: Option<u8>,
    /// Nature of address.
    pub nature: Option<u8>,
    /// Called subsystem.
    pub ssn: Option<u8>,
    /// The server that the message came from.
    pub from: Option<Symbol>,
    /// The digits it begins with.
    pub prefix: Digits,
    /// The server it goes to.
    pub to: Symbol,
    /// The point code it goes to; else the server's first.
    pub point_code: Option<PointCode>,
    /// Digits taken off the front.
    pub strip: u8,
    /// Digits put there instead.
    pub prepend: Digits,
    /// New numbering plan.
    pub set_plan: Option<u8>,
    /// New nature of address.
    pub set_nature: Option<u8>,
    /// New translation type.
    pub set_translation_type: Option<u8>,
    /// New subsystem.
    pub set_ssn: Option<u8>,
    /// Route on subsystem number from here on.
    pub route_on_ssn: bool,
}

impl Rule {
    /// A rule that asks for nothing but the first digits, and changes nothing on the way.
    #[must_use]
    pub const fn new(name: Symbol, prefix: Digits, to: Symbol) -> Self {
        Self {
            name,
            translation_type: None,
            plan: None,
            nature: None,
            ssn: None,
            from: None,
            prefix,
            to,
            point_code: None,
            strip: 0,
            prepend: Digits::EMPTY,
            set_plan: None,
            set_nature: None,
            set_translation_type: None,
            set_ssn: None,
            route_on_ssn: false,
        }
    }

    fn asks_for(&self) -> usize {
        let octets = [self.translation_type, self.plan, self.nature, self.ssn];
        octets.iter().flatten().count() + usize::from(self.from.is_some())
    }

    fn matches(&self, asked: &Asked) -> bool {
        let is = |wanted: Option<u8>, found: Option<u8>| wanted.is_none() || wanted == found;
        is(self.translation_type, asked.translation_type)
            && is(self.plan, asked.plan)
            && is(self.nature, asked.nature)
            && is(self.ssn, asked.ssn)
            && (self.from.is_none() || self.from == asked.from)
    }

    /// Whether the called party leaves as it came.
    fn keeps_address(&self) -> bool {
        self.strip == 0
            && self.prepend.is_empty()
            && !self.route_on_ssn
            && [self.set_plan, self.set_nature, self.set_translation_type, self.set_ssn]
                .iter()
                .all(Option::is_none)
    }

    /// The called party as it leaves; `None` where it stays as it is.
    ///
    /// # Errors
    /// The rewritten title has more digits than an address can have.
    pub fn readdress(
        &self,
        called: &Address<'_>,
        ansi: bool,
    ) -> Result<Option<AddressBuffer>, TooManyDigits> {
        let Some(title) = called.title.filter(|_| !self.keeps_address()) else { return Ok(None) };
        let kept = title.digits();
        let mut digits = self.prepend;
        let mut ascii = [0; Digits::DIGITS_MAX];
        for digit in kept.write(&mut ascii).iter().skip(usize::from(self.strip)) {
            digits = digits.with(digit - b'0').ok_or(TooManyDigits)?;
        }
        let or = |new: Option<u8>, old: Option<u8>| new.or(old).unwrap_or_default();
        let fields = TitleFields {
            indicator: title.indicator,
            translation_type: or(self.set_translation_type, title.translation_type),
            plan: or(self.set_plan, title.plan),
            nature: or(self.set_nature, title.nature),
            digits,
        };
        Ok(Some(AddressBuffer::new(&Fields {
            ansi: ansi && called.octets.first().is_some_and(|indicator| indicator & 0x80 != 0),
            routes_on_ssn: self.route_on_ssn,
            point_code: None,
            ssn: self.set_ssn.or(called.ssn),
            title: Some(fields),
        })))
    }
}

/// A rewritten title has more digits than an address can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyDigits;

/// What a title is looked up by.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Translation type, where the title has one.
    pub translation_type: Option<u8>,
    /// Numbering plan, where the title has one.
    pub plan: Option<u8>,
    /// Nature of address, where the title has one.
    pub nature: Option<u8>,
    /// Called subsystem.
    pub ssn: Option<u8>,
    /// The server that the message came from, where it is known.
    pub from: Option<Symbol>,
    /// The digits.
    pub digits: Digits,
}

impl Asked {
    /// The look-up of a called party with a title.
    #[must_use]
    pub fn of(called: &Address<'_>, from: Option<Symbol>) -> Option<Self> {
        let title = called.title?;
        Some(Self {
            translation_type: title.translation_type,
            plan: title.plan,
            nature: title.nature,
            ssn: called.ssn,
            from,
            digits: title.digits(),
        })
    }
}

/// Mixes a key that is a number already.
#[derive(Clone, Copy, Debug, Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        octets.iter().for_each(|octet| self.write_u64(u64::from(*octet)));
    }

    fn write_u64(&mut self, number: u64) {
        let mixed = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ mixed >> 29;
    }
}

type Map<V> = HashMap<u64, V, BuildHasherDefault<Mix>>;

/// The compiled rules.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rules: Vec<Rule>,
    /// By prefix: the places of its rules, the one that speaks first in front.
    prefixes: Map<Vec<u32>>,
    /// Bit n: there are prefixes of n digits.
    lengths: u32,
    /// By the first digits of a title, the same of the prefixes that begin so: most titles are then
    /// looked up once or twice. Empty where there are few rules.
    heads: Vec<u32>,
    destinations: Map<Symbol>,
}

/// Digits of a head, and how many rules make it worth while to have them.
const HEAD_DIGITS: usize = 5;
const HEADS: usize = 100_000;
const RULES_FEW: usize = 256;

/// Two prefixes of different length may have the same value.
const fn key(value: u64, length: usize) -> u64 {
    // 19 digits fit 64 bits; the length is mixed in where the highest of them never are all set.
    value ^ (length as u64) << 59
}

impl Table {
    /// Compiles rules and point-code routes. Later routes of one point code give way to earlier.
    #[must_use]
    pub fn new(rules: Vec<Rule>, destinations: &[(PointCode, Symbol)]) -> Self {
        let mut table = Self { rules, ..Self::default() };
        if table.rules.len() > RULES_FEW {
            table.heads = vec![0; HEADS];
        }
        for (place, rule) in table.rules.iter().enumerate() {
            let length = rule.prefix.len();
            let head = rule.prefix.prefix(HEAD_DIGITS);
            match table.heads.get_mut(head.value() as usize).filter(|_| length >= HEAD_DIGITS) {
                Some(lengths) => *lengths |= 1 << length,
                None => table.lengths |= 1 << length,
            }
            let places = table.prefixes.entry(key(rule.prefix.value(), length)).or_default();
            places.push(u32::try_from(place).unwrap_or(u32::MAX));
        }
        for places in table.prefixes.values_mut() {
            let asks = |place: &u32| table.rules.get(*place as usize).map_or(0, Rule::asks_for);
            places.sort_by_key(|place| std::cmp::Reverse(asks(place)));
        }
        for (code, server) in destinations {
            table.destinations.entry(u64::from(code.0)).or_insert(*server);
        }
        table
    }

    /// The rule that speaks for a title.
    #[must_use]
    pub fn translate(&self, asked: &Asked) -> Option<&Rule> {
        let (mut value, mut length) = (asked.digits.value(), asked.digits.len());
        let head = asked.digits.prefix(HEAD_DIGITS).value() as usize;
        let behind = self.heads.get(head).filter(|_| length >= HEAD_DIGITS);
        let lengths = self.lengths | behind.copied().unwrap_or(0);
        loop {
            if lengths >> length & 1 == 1
                && let Some(places) = self.prefixes.get(&key(value, length))
            {
                let rules = places.iter().filter_map(|place| self.rules.get(*place as usize));
                if let Some(rule) = rules.into_iter().find(|rule| rule.matches(asked)) {
                    return Some(rule);
                }
            }
            if length == 0 {
                return None;
            }
            (value, length) = (value / 10, length - 1);
        }
    }

    /// The server over which a point code is reached.
    #[must_use]
    pub fn destination(&self, code: PointCode) -> Option<Symbol> {
        self.destinations.get(&u64::from(code.0)).copied()
    }
}

#[cfg(test)]
mod tests;
