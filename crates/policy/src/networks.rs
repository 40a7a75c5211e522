//! The world's networks: which PLMN is whose and where, what home network an IMSI has, whose a
//! realm is. The built-in list with the operator's own `networks.toml` laid over it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use procedure::{Imsi, Plmn};

use crate::document::{Complaints, Section};
use crate::hash::{NameMap, WordMap};
use crate::{Document, Source};

/// The built-in list; `data/README.md` tells where it comes from.
const LIST: &str = include_str!("../data/networks.tsv");

/// An ISO 3166-1 country, two capital letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country([u8; 2]);

impl Country {
    /// No country: test networks, international networks, ships and satellites.
    pub const NONE: Self = Self(*b"--");

    /// From two capital letters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let letters: [u8; 2] = text.as_bytes().try_into().ok()?;
        letters.iter().all(u8::is_ascii_uppercase).then_some(Self(letters))
    }

    /// The two letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("--")
    }

    /// The two letters as a number.
    #[must_use]
    pub(crate) const fn word(self) -> u16 {
        u16::from_be_bytes(self.0)
    }
}

/// One network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Where it is.
    pub country: Country,
    /// What people call it.
    pub name: Cow<'static, str>,
    /// Networks of the same number are one operator's, by an entry of `networks.toml`; a network
    /// that stands in none is on its own.
    pub family: u32,
    /// The realm it speaks from, where the operator wrote one.
    pub realm: Option<String>,
}

/// Every known network.
#[derive(Clone, Debug, Default)]
pub struct Networks {
    networks: WordMap<Network>,
    /// By MCC: its country, and whether its network codes usually have three digits.
    countries: WordMap<(Country, bool)>,
    realms: NameMap<Option<Plmn>>,
}

impl Networks {
    /// The built-in list alone.
    #[must_use]
    pub fn built_in() -> Self {
        static BUILT_IN: LazyLock<Networks> = LazyLock::new(Networks::read_list);
        BUILT_IN.clone()
    }

    fn read_list() -> Self {
        let mut networks = Self::default();
        let rows: Vec<Row<'static>> = LIST.lines().filter_map(Row::parse).collect();
        networks.add_countries(&rows);
        for row in &rows {
            networks.add(row);
        }
        networks
    }

    /// Who a network is.
    #[must_use]
    pub fn network(&self, plmn: Plmn) -> Option<&Network> {
        self.networks.get(plmn.word().into())
    }

    /// Where a network is; one that is not listed is where its MCC is.
    #[must_use]
    pub fn country(&self, plmn: Plmn) -> Country {
        let listed = self.network(plmn).map(|network| network.country);
        listed.or_else(|| self.country_of_mcc(plmn.mcc())).unwrap_or(Country::NONE)
    }

    /// The country that holds a Mobile Country Code.
    #[must_use]
    pub fn country_of_mcc(&self, mcc: u16) -> Option<Country> {
        self.countries.get(mcc.into()).map(|(country, _)| *country)
    }

    /// A subscriber's home network. Where the length of the network code is in doubt, the list
    /// decides; for a network that is not listed, the custom of its country.
    //= TS 23.003 §2.2
    #[must_use]
    pub fn home(&self, imsi: Imsi) -> Option<Plmn> {
        // Both words hold their digits as nibbles from the top, so a look-up needs no text.
        let long = imsi.word() >> 40;
        let short = long | 0xf;
        let mut digits = [0_u8; 15];
        let digits = imsi.write(&mut digits);
        let first = |count| digits.get(..count).and_then(Plmn::from_ascii);
        if self.networks.get(long).is_some() {
            return first(6);
        }
        if self.networks.get(short).is_some() {
            return first(5);
        }
        let short = first(5)?;
        let (_, three) = self.countries.get(short.mcc().into())?;
        if *three { first(6) } else { Some(short) }
    }

    /// The network that a realm belongs to: by the operator's entries, else by the form that the
    /// standard gives home realms.
    //= TS 23.003 §19.2
    #[must_use]
    pub fn of_realm(&self, realm: &[u8]) -> Option<Plmn> {
        if let Some(Some(plmn)) = self.realms.get(realm) {
            return Some(*plmn);
        }
        let (long, short) = Plmn::from_realm(realm)?;
        match short {
            Some(short) if self.network(long).is_none() && self.prefers_short(short) => Some(short),
            _ => Some(long),
        }
    }

    fn prefers_short(&self, short: Plmn) -> bool {
        let three = self.countries.get(short.mcc().into()).is_some_and(|(_, three)| *three);
        self.network(short).is_some() || !three
    }

    /// Whether two networks are one operator's.
    #[must_use]
    pub fn same_operator(&self, a: Plmn, b: Plmn) -> bool {
        let family = |plmn| self.network(plmn).map_or(0, |network| network.family);
        a == b || (family(a) != 0 && family(a) == family(b))
    }

    /// The realm a network speaks from: the operator's own, else the standard's form.
    #[must_use]
    pub fn realm(&self, plmn: Plmn) -> String {
        let own = self.network(plmn).and_then(|network| network.realm.clone());
        own.unwrap_or_else(|| standard_realm(plmn))
    }

    /// Whether anybody's network is in this country.
    #[must_use]
    pub fn has_country(&self, country: Country) -> bool {
        self.countries.values().any(|(known, _)| *known == country)
            || self.networks.values().any(|network| network.country == country)
    }

    /// A network as people read it: `234-10 O2 (UK), GB`.
    #[must_use]
    pub fn describe(&self, plmn: Plmn) -> String {
        let digits = plmn.to_string();
        let (mcc, mnc) = digits.split_at_checked(3).unwrap_or((&digits, ""));
        let country = self.country(plmn);
        match self.network(plmn) {
            Some(network) => format!("{mcc}-{mnc} {}, {}", network.name, country.as_str()),
            None => format!("{mcc}-{mnc} (not listed), {}", country.as_str()),
        }
    }

    /// Each MCC belongs to the country most of whose networks have it.
    fn add_countries(&mut self, rows: &[Row<'_>]) {
        let mut votes: BTreeMap<u16, BTreeMap<Country, usize>> = BTreeMap::new();
        let mut three: BTreeMap<u16, (usize, usize)> = BTreeMap::new();
        for row in rows {
            *votes.entry(row.plmn.mcc()).or_default().entry(row.country).or_default() += 1;
            let (of_three, all) = three.entry(row.plmn.mcc()).or_default();
            *of_three += usize::from(row.plmn.mnc_digits() == 3);
            *all += 1;
        }
        for (mcc, countries) in votes {
            let most = countries.into_iter().max_by_key(|(_, count)| *count);
            let (of_three, all) = three.get(&mcc).copied().unwrap_or_default();
            let country = most.map_or(Country::NONE, |(country, _)| country);
            *self.countries.entry(mcc.into()) = (country, of_three * 2 > all);
        }
    }

    /// Adds one line of the list. Of several lines for one network, the one in its MCC's own
    /// country speaks, and an operating network before one that is gone.
    fn add(&mut self, row: &Row<'static>) {
        let own = self.country_of_mcc(row.plmn.mcc());
        let entry = self.networks.entry(row.plmn.word().into());
        let first = entry.name.is_empty();
        let better = Some(row.country) == own && (row.operational || Some(entry.country) != own);
        if first || better {
            entry.country = row.country;
            entry.name = Cow::Borrowed(row.name);
        }
    }

    /// Lays one `networks.toml` over the list.
    pub(crate) fn overlay(&mut self, source: &Source, complaints: &Complaints, family: &mut u32) {
        let document = Document::parse(source, complaints);
        let root = document.root(complaints);
        for section in root.sections("network") {
            *family += 1;
            self.overlay_one(&section, *family);
            section.finish();
        }
        root.finish();
    }

    fn overlay_one(&mut self, section: &Section<'_>, family: u32) {
        let plmns = section.all_parsed("plmn", PLMN_EXPECTED, |text| text.parse().ok());
        let name = section.text("name");
        let country = section.parsed("country", COUNTRY_EXPECTED, Country::parse);
        let realms = section.all_parsed("realms", REALM_EXPECTED, realm);
        if plmns.is_empty() {
            section.push(section.at().complain("this network has no `plmn`"));
        }
        for plmn in &plmns {
            let plmn_country = country.as_ref().map(|country| country.value);
            let fallback = plmn_country.unwrap_or_else(|| self.country(plmn.value));
            let entry = self.networks.entry(plmn.value.word().into());
            if entry.family != 0 && entry.family != family {
                section.push(plmn.complain(format!("network `{}` has two entries", plmn.value)));
            }
            entry.family = family;
            entry.country = fallback;
            if let Some(name) = &name {
                entry.name = Cow::Owned(name.value.to_owned());
            }
            entry.realm = entry.realm.take().or_else(|| realms.first().map(|r| r.value.clone()));
            // Where the standard's form could be read as two listed networks, this one is meant.
            let standard = self.realms.entry(standard_realm(plmn.value).as_bytes());
            *standard = standard.or(Some(plmn.value));
        }
        let Some(first) = plmns.first() else { return };
        for realm in &realms {
            let entry = self.realms.entry(realm.value.as_bytes());
            if entry.is_some_and(|other| plmns.iter().all(|plmn| plmn.value != other)) {
                let message = format!("realm `{}` belongs to two networks", realm.value);
                section.push(realm.complain(message));
            }
            *entry = entry.or(Some(first.value));
        }
    }
}

/// What a PLMN in a file looks like, for diagnostics.
pub const PLMN_EXPECTED: &str = "five or six digits, MCC then MNC, as \"23410\"";
/// What a country in a file looks like, for diagnostics.
pub const COUNTRY_EXPECTED: &str = "an ISO 3166 country of two capital letters, as \"GB\"";
/// What a realm in a file looks like, for diagnostics.
pub const REALM_EXPECTED: &str =
    "a name of letters, digits, hyphens and dots, as \"epc.mnc010.mcc234.3gppnetwork.org\"";

/// A realm or host in a file, in lower case.
#[must_use]
pub fn realm(text: &str) -> Option<String> {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    (text.len() <= 255 && text.split('.').all(label)).then(|| text.to_ascii_lowercase())
}

/// The home realm that the standard gives a network.
//= TS 23.003 §19.2
#[must_use]
pub fn standard_realm(plmn: Plmn) -> String {
    let digits = plmn.to_string();
    let (mcc, mnc) = digits.split_at_checked(3).unwrap_or((&digits, ""));
    format!("epc.mnc{mnc:0>3}.mcc{mcc}.3gppnetwork.org")
}

/// One line of the list.
struct Row<'l> {
    plmn: Plmn,
    country: Country,
    name: &'l str,
    operational: bool,
}

impl<'l> Row<'l> {
    fn parse(line: &'l str) -> Option<Self> {
        let mut fields = line.split('\t');
        let (mcc, mnc) = (fields.next()?, fields.next()?);
        let plmn = format!("{mcc}{mnc}").parse().ok()?;
        let country = Country::parse(fields.next()?).unwrap_or(Country::NONE);
        let _country_name = fields.next()?;
        let name = fields.next()?;
        let operational = fields.next()? == "Operational";
        Some(Self { plmn, country, name, operational })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plmn(text: &str) -> Plmn {
        text.parse().expect("a PLMN")
    }

    fn home(imsi: &str) -> String {
        let home = Networks::built_in().home(imsi.parse().expect("an IMSI"));
        home.map(|plmn| plmn.to_string()).unwrap_or_default()
    }

    #[test]
    fn the_list_knows_the_world() {
        let networks = Networks::built_in();
        assert_eq!(LIST.lines().count(), LIST.lines().filter_map(Row::parse).count());
        for (network, country) in
            [("21407", "ES"), ("23410", "GB"), ("310260", "US"), ("20801", "FR"), ("26201", "DE")]
        {
            assert_eq!(networks.country(plmn(network)).as_str(), country, "{network}");
        }
        assert_eq!(networks.country(plmn("23499")).as_str(), "GB", "by its MCC");
        assert_eq!(networks.country(plmn("00101")), Country::NONE);
        assert_eq!(
            networks.describe(plmn("21407")),
            "214-07 Movistar (Telefónica Móviles España), ES"
        );
    }

    #[test]
    fn home_networks_by_longest_known_code_then_by_custom() {
        assert_eq!(home("214070000000001"), "21407");
        assert_eq!(home("310260000000001"), "310260");
        assert_eq!(home("310999000000001"), "310999", "not listed: three digits are usual there");
        assert_eq!(home("262970000000001"), "26297", "not listed: two digits are usual there");
        assert_eq!(home("000010000000001"), "", "no such country code");
    }

    #[test]
    fn a_realm_of_the_standard_form_is_resolved_by_the_list() {
        let networks = Networks::built_in();
        let of = |realm: &str| networks.of_realm(realm.as_bytes()).map(|plmn| plmn.to_string());
        assert_eq!(of("epc.mnc010.mcc234.3gppnetwork.org").as_deref(), Some("23410"));
        assert_eq!(of("EPC.MNC260.MCC310.3GPPNETWORK.ORG").as_deref(), Some("310260"));
        assert_eq!(of("example.org"), None);
        for network in ["23410", "310260", "310410", "21407"] {
            assert_eq!(of(&standard_realm(plmn(network))).as_deref(), Some(network));
        }
    }
}
