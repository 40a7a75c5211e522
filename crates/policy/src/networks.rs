//! The world's networks: which PLMN is whose and where, what home network an IMSI has, whose a
//! realm is. The built-in list with the operator's own `networks.toml` laid over it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use procedure::{Digits, Imsi, Node, Plmn};

use crate::document::{At, Complaints, Section};
use crate::hash::{NameMap, WordMap};
use crate::titles::{TITLE_DIGITS_MAX, TITLE_EXPECTED, Titles, prefix};
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

    /// The two letters as a number of ten bits; the highest where there are none.
    #[must_use]
    pub(crate) const fn number(self) -> u16 {
        let [first, second] = self.0;
        match (first, second) {
            (b'A'..=b'Z', b'A'..=b'Z') => (first - b'A') as u16 * 26 + (second - b'A') as u16,
            _ => 0x3ff,
        }
    }
}

/// One network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// Where it is.
    pub country: Country,
    /// What people call it.
    pub name: Cow<'static, str>,
    /// The first network of the entry of `networks.toml` that it stands in: networks of one entry
    /// are one operator's. A network that stands in none is on its own.
    pub operator: Option<Plmn>,
    /// The realm it speaks from, where the operator wrote one.
    pub realm: Option<String>,
    /// The first digits of its nodes' numbers, where somebody wrote them; the first of several.
    pub title: Option<Digits>,
    /// What stands in the place of MCC and MNC where a subscriber's home is addressed by number.
    pub mgt: Option<Digits>,
}

/// Every known network.
#[derive(Clone, Debug, Default)]
pub struct Networks {
    networks: WordMap<Network>,
    /// By MCC: its country, and whether its network codes usually have three digits.
    countries: WordMap<(Country, bool)>,
    realms: NameMap<Option<Plmn>>,
    titles: Titles,
    mgts: Titles,
}

/// What the files say in two places: networks, realms and prefixes that are taken, and where.
pub(crate) type Taken = BTreeMap<String, String>;

impl Networks {
    /// The built-in list alone.
    #[must_use]
    pub fn built_in() -> Self {
        static BUILT_IN: LazyLock<Networks> = LazyLock::new(|| Networks::read_list(LIST));
        BUILT_IN.clone()
    }

    fn read_list(list: &'static str) -> Self {
        let mut networks = Self::default();
        let rows: Vec<Row<'static>> = list.lines().filter_map(Row::parse).collect();
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

    /// The network whose node has this number (VLR, MSC, SGSN, HLR), or whose subscriber.
    //= E.164 §6
    #[must_use]
    pub fn of_title(&self, number: Digits) -> Option<Plmn> {
        self.titles.owner(number)
    }

    /// The home network that a mobile global title addresses.
    //= E.214 §3
    #[must_use]
    pub fn of_mobile_title(&self, title: Digits) -> Option<Plmn> {
        self.mgts.owner(title)
    }

    /// The mobile global title of a subscriber's home: its network's own digits in the place of MCC
    /// and MNC, then the rest of the IMSI as far as there is room; none where the table has none.
    //= E.214 §3
    #[must_use]
    pub fn mobile_title(&self, imsi: Imsi) -> Option<Digits> {
        let home = self.home(imsi)?;
        let mgt = self.network(home)?.mgt?;
        let mut room = [0; 15];
        let rest = imsi.write(&mut room).get(3 + home.mnc_digits()..)?;
        let room = TITLE_DIGITS_MAX.saturating_sub(mgt.len());
        rest.iter().take(room).try_fold(mgt, |title, digit| title.with(digit.wrapping_sub(b'0')))
    }

    /// The network of a node as a message names it: by its realm, or by its number where it has
    /// none.
    #[must_use]
    pub fn of_node(&self, node: &Node<'_>) -> Option<Plmn> {
        match node.realm {
            [] => self.of_title(Digits::from_ascii(node.host)?),
            realm => self.of_realm(realm),
        }
    }

    fn prefers_short(&self, short: Plmn) -> bool {
        let three = self.countries.get(short.mcc().into()).is_some_and(|(_, three)| *three);
        self.network(short).is_some() || !three
    }

    /// Whether two networks are one operator's.
    #[must_use]
    pub fn same_operator(&self, a: Plmn, b: Plmn) -> bool {
        a == b || self.operator(a) == self.operator(b)
    }

    /// The one network that stands for all of an operator's.
    #[must_use]
    pub fn operator(&self, plmn: Plmn) -> Plmn {
        self.network(plmn).and_then(|network| network.operator).unwrap_or(plmn)
    }

    /// The operators of a country.
    pub(crate) fn operators_in(&self, country: Country) -> Vec<Plmn> {
        let there = self.networks.iter().filter(|(_, network)| network.country == country);
        let plmn = |word: u64| u32::try_from(word).ok().and_then(Plmn::from_word);
        let own = there.filter_map(|(word, n)| n.operator.or_else(|| plmn(word)));
        let mut operators: Vec<Plmn> = own.collect();
        operators.sort_unstable();
        operators.dedup();
        operators
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
        for title in row.titles.split(',').filter_map(prefix) {
            entry.title = entry.title.or(Some(title));
            self.titles.give(title, row.plmn);
        }
        if let Some(mgt) = prefix(row.mgt) {
            entry.mgt = Some(mgt);
            self.mgts.give(mgt, row.plmn);
        }
    }

    /// Lays one `networks.toml` over the list.
    pub(crate) fn overlay(&mut self, source: &Source, complaints: &Complaints, taken: &mut Taken) {
        let document = Document::parse(source, complaints);
        let root = document.root(complaints);
        for section in root.sections("network") {
            self.overlay_one(&section, taken);
            section.finish();
        }
        root.finish();
    }

    fn overlay_one(&mut self, section: &Section<'_>, taken: &mut Taken) {
        let plmns = section.all_parsed("plmn", PLMN_EXPECTED, |text| text.parse().ok());
        let name = section.text("name");
        let country = section.parsed("country", COUNTRY_EXPECTED, Country::parse);
        let realms = section.all_parsed("realms", REALM_EXPECTED, realm);
        let titles = section.all_parsed("titles", TITLE_EXPECTED, prefix);
        let mgt = section.parsed("mgt", TITLE_EXPECTED, prefix);
        let Some(first) = plmns.first().map(|plmn| plmn.value) else {
            section.push(section.at().complain("this network has no `plmn`"));
            return;
        };
        for plmn in &plmns {
            take(section, taken, format!("network `{}`", plmn.value), plmn);
            let plmn_country = country.as_ref().map(|country| country.value);
            let fallback = plmn_country.unwrap_or_else(|| self.country(plmn.value));
            let entry = self.networks.entry(plmn.value.word().into());
            entry.operator = Some(first);
            entry.country = fallback;
            if let Some(name) = &name {
                entry.name = Cow::Owned(name.value.to_owned());
            }
            entry.realm = entry.realm.take().or_else(|| realms.first().map(|r| r.value.clone()));
            entry.title = titles.first().map(|title| title.value).or(entry.title);
            entry.mgt = mgt.as_ref().map(|mgt| mgt.value).or(entry.mgt);
            // Where the standard's form could be read as two listed networks, this one is meant.
            let standard = self.realms.entry(standard_realm(plmn.value).as_bytes());
            *standard = standard.or(Some(plmn.value));
        }
        for realm in &realms {
            let entry = self.realms.entry(realm.value.as_bytes());
            if entry.is_some_and(|other| plmns.iter().all(|plmn| plmn.value != other)) {
                let message = format!("realm `{}` belongs to two networks", realm.value);
                section.push(realm.complain(message));
            }
            *entry = entry.or(Some(first));
        }
        for title in &titles {
            take(section, taken, format!("prefix `{}` of `titles`", title.value.in_clear()), title);
            self.titles.give(title.value, first);
        }
        if let Some(mgt) = &mgt {
            take(section, taken, format!("`mgt` `{}`", mgt.value.in_clear()), mgt);
            self.mgts.give(mgt.value, first);
        }
    }
}

/// Complains about what stands in the files a second time.
fn take<T>(section: &Section<'_>, taken: &mut Taken, what: String, at: &At<'_, T>) {
    let (line, _) = at.source.place(at.span.start);
    let place = format!("{}:{line}", at.source.name);
    if let Some(first) = taken.get(&what) {
        let complaint = at.complain(format!("{what} is given twice"));
        section.push(complaint.with_help(format!("the first stands at {first}")));
    }
    taken.entry(what).or_insert(place);
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
    titles: &'l str,
    mgt: &'l str,
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
        // Two columns that may be left out: prefixes of node numbers, and the mobile global title.
        let (titles, mgt) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        Some(Self { plmn, country, name, operational, titles, mgt })
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
    fn the_lists_last_two_columns_are_numbers() {
        let list = "214\t07\tES\tSpain\tMovistar\tOperational\t34609,34629\t34600\n\
                    234\t10\tGB\tUnited Kingdom\tO2\tOperational\t447802\n\
                    234\t15\tGB\tUnited Kingdom\tVodafone\tOperational\n";
        let networks = Networks::read_list(list);
        let of = |number: &str| {
            let found = networks.of_title(number.parse().expect("digits"));
            found.map(|plmn| plmn.to_string())
        };
        assert_eq!(of("34629000001").as_deref(), Some("21407"));
        assert_eq!(of("447802000001").as_deref(), Some("23410"));
        assert_eq!(of("447785000001"), None);
        let title = networks.mobile_title("214070123456789".parse().expect("an IMSI"));
        assert_eq!(title.map(Digits::in_clear).as_deref(), Some("346000123456789"));
        assert_eq!(networks.of_mobile_title(title.expect("one")), Some(plmn("21407")));
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
