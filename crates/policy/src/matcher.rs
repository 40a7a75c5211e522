//! The one matcher that every stage's rules share: a rule matches when all its conditions hold, a
//! condition holds when any of its values does.

use procedure::{Access, Act, Domain, Imsi, Plmn, Procedure, Symbol, Symbols};

use crate::customers::{Device, PREFIX_EXPECTED, Prefix};
use crate::document::Section;
use crate::networks::{COUNTRY_EXPECTED, Country, PLMN_EXPECTED, REALM_EXPECTED, realm};
use crate::reading::{Reading, accesses, acts, domains};

/// A procedure with what the tables say about it: worked out once, asked by every stage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'p> {
    pub(crate) procedure: &'p Procedure<'p>,
    pub(crate) customer: Option<Symbol>,
    pub(crate) home: Option<Plmn>,
    pub(crate) visited: Option<Plmn>,
    pub(crate) country: Country,
    /// The visited network's operator; attempts are counted by operator.
    pub(crate) operator: Option<Plmn>,
    /// What kind of device it is, by its type where that is seen, else by its number range.
    pub(crate) device: Option<Device>,
}

/// A realm or host in a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// This name, in any case.
    Exact(Box<str>),
    /// Every name that ends so; the dot is part of it.
    Suffix(Box<str>),
    /// Every name.
    Any,
}

impl Pattern {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix('*') {
            Some("") => Some(Self::Any),
            Some(suffix) => {
                let name = suffix.strip_prefix('.').and_then(realm)?;
                Some(Self::Suffix(format!(".{name}").into()))
            }
            None => Some(Self::Exact(realm(text)?.into())),
        }
    }

    pub(crate) fn covers(&self, name: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => name.eq_ignore_ascii_case(exact.as_bytes()),
            Self::Suffix(suffix) => name
                .len()
                .checked_sub(suffix.len())
                .and_then(|start| name.get(start..))
                .is_some_and(|tail| tail.eq_ignore_ascii_case(suffix.as_bytes())),
            Self::Any => true,
        }
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(exact) => f.write_str(exact),
            Self::Suffix(suffix) => write!(f, "*{suffix}"),
            Self::Any => f.write_str("*"),
        }
    }
}

/// One field of a procedure and the values that a rule takes.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    DestinationRealm(Vec<Pattern>),
    DestinationHost(Vec<Pattern>),
    OriginRealm(Vec<Pattern>),
    OriginHost(Vec<Pattern>),
    Application(Vec<u32>),
    /// Application (any when none) and command.
    Command(Vec<(Option<u32>, u32)>),
    ImsiPrefix(Vec<Prefix>),
    /// Whether the subscriber is named by an IMSI that can be read.
    HasImsi(bool),
    Customer(Vec<Symbol>),
    Home(Vec<Plmn>),
    Visited(Vec<Plmn>),
    Country(Vec<Country>),
    Act(Vec<Act>),
    Domain(Vec<Domain>),
    Access(Vec<Access>),
}

/// The conditions of one rule.
#[derive(Clone, Debug, Default)]
pub(crate) struct Matcher {
    pub(crate) conditions: Vec<Condition>,
}

impl Matcher {
    pub(crate) fn matches(&self, facts: &Facts<'_>) -> bool {
        self.conditions.iter().all(|condition| condition.holds(facts))
    }

    /// The exact destination realms it asks for, if it asks for nothing else there: what an index
    /// by realm may hold it under.
    pub(crate) fn exact_realms(&self) -> Option<Vec<&str>> {
        self.conditions.iter().find_map(|condition| match condition {
            Condition::DestinationRealm(patterns) => patterns
                .iter()
                .map(|pattern| match pattern {
                    Pattern::Exact(exact) => Some(&**exact),
                    _ => None,
                })
                .collect(),
            _ => None,
        })
    }

    /// Reads the match fields of a rule.
    pub(crate) fn read(section: &Section<'_>, reading: &Reading<'_>, customers: &[Symbol]) -> Self {
        fn take<T, C>(list: &mut Vec<Condition>, values: Vec<T>, condition: C)
        where
            C: FnOnce(Vec<T>) -> Condition,
        {
            if !values.is_empty() {
                list.push(condition(values));
            }
        }
        let mut list = Vec::new();
        let patterns = |key| {
            let expected = format!("{REALM_EXPECTED}, or \"*.\" and the end of one");
            values(section.all_parsed(key, &expected, Pattern::parse))
        };
        let plmns = |key| {
            let found = section.all_parsed(key, PLMN_EXPECTED, |text| text.parse::<Plmn>().ok());
            values(found)
        };
        take(&mut list, values(section.words("act", &acts())), Condition::Act);
        take(&mut list, values(section.words("domain", &domains())), Condition::Domain);
        take(&mut list, values(section.words("access", &accesses())), Condition::Access);
        take(&mut list, applications(section, reading), Condition::Application);
        take(&mut list, commands(section, reading), Condition::Command);
        take(&mut list, patterns("destination_realm"), Condition::DestinationRealm);
        take(&mut list, patterns("destination_host"), Condition::DestinationHost);
        take(&mut list, patterns("origin_realm"), Condition::OriginRealm);
        take(&mut list, patterns("origin_host"), Condition::OriginHost);
        let prefixes = section.all_parsed("imsi_prefix", PREFIX_EXPECTED, Prefix::parse);
        take(&mut list, values(prefixes), Condition::ImsiPrefix);
        list.extend(section.flag("has_imsi").map(Condition::HasImsi));
        take(&mut list, plmns("home"), Condition::Home);
        take(&mut list, plmns("visited"), Condition::Visited);
        let countries = section.all_parsed("country", COUNTRY_EXPECTED, Country::parse);
        take(&mut list, values(countries), Condition::Country);
        let named = section.texts("customer");
        let named = named.iter().filter_map(|name| reading.declared("customer", name, customers));
        take(&mut list, named.collect(), Condition::Customer);
        Self { conditions: list }
    }
}

fn values<T>(list: Vec<crate::document::At<'_, T>>) -> Vec<T> {
    list.into_iter().map(|at| at.value).collect()
}

fn applications(section: &Section<'_>, reading: &Reading<'_>) -> Vec<u32> {
    let mut found = Vec::new();
    for text in section.names_or_numbers("application") {
        let vocabulary = reading.vocabulary;
        match vocabulary.application(text.value).or_else(|| text.value.parse().ok()) {
            Some(number) => found.push(number),
            None => {
                let complaint = text.complain(format!("no application `{}` is known", text.value));
                section.push(complaint.with_nearest(text.value, vocabulary.applications()));
            }
        }
    }
    found
}

fn commands(section: &Section<'_>, reading: &Reading<'_>) -> Vec<(Option<u32>, u32)> {
    let mut found = Vec::new();
    for text in section.names_or_numbers("command") {
        let vocabulary = reading.vocabulary;
        let named =
            vocabulary.operation(text.value).map(|(application, code)| (Some(application), code));
        match named.or_else(|| Some((None, text.value.parse().ok()?))) {
            Some(command) => found.push(command),
            None => {
                let complaint = text.complain(format!("no command `{}` is known", text.value));
                section.push(complaint.with_nearest(text.value, vocabulary.operations()));
            }
        }
    }
    found
}

fn any<T: PartialEq>(list: &[T], actual: &T) -> bool {
    list.contains(actual)
}

fn any_some<T: PartialEq>(list: &[T], actual: Option<&T>) -> bool {
    actual.is_some_and(|actual| list.contains(actual))
}

fn covered(list: &[Pattern], name: &[u8]) -> bool {
    !name.is_empty() && list.iter().any(|pattern| pattern.covers(name))
}

impl Condition {
    pub(crate) fn holds(&self, facts: &Facts<'_>) -> bool {
        let procedure = facts.procedure;
        match self {
            Self::DestinationRealm(list) => covered(list, procedure.destination.realm),
            Self::DestinationHost(list) => covered(list, procedure.destination.host),
            Self::OriginRealm(list) => covered(list, procedure.origin.realm),
            Self::OriginHost(list) => covered(list, procedure.origin.host),
            Self::Application(list) => any(list, &procedure.application),
            Self::Command(list) => list.iter().any(|(application, command)| {
                *command == procedure.operation
                    && application.is_none_or(|application| application == procedure.application)
            }),
            Self::ImsiPrefix(list) => {
                procedure.imsi.is_some_and(|imsi| list.iter().any(|prefix| prefix.covers(imsi)))
            }
            Self::HasImsi(wanted) => procedure.imsi.is_some() == *wanted,
            Self::Customer(list) => any_some(list, facts.customer.as_ref()),
            Self::Home(list) => any_some(list, facts.home.as_ref()),
            Self::Visited(list) => any_some(list, facts.visited.as_ref()),
            Self::Country(list) => any(list, &facts.country),
            Self::Act(list) => any(list, &procedure.act),
            Self::Domain(list) => any(list, &procedure.domain),
            Self::Access(list) => any(list, &procedure.access),
        }
    }

    /// The key it stands under in files.
    pub(crate) const fn field(&self) -> &'static str {
        match self {
            Self::DestinationRealm(_) => "destination_realm",
            Self::DestinationHost(_) => "destination_host",
            Self::OriginRealm(_) => "origin_realm",
            Self::OriginHost(_) => "origin_host",
            Self::Application(_) => "application",
            Self::Command(_) => "command",
            Self::ImsiPrefix(_) => "imsi_prefix",
            Self::HasImsi(_) => "has_imsi",
            Self::Customer(_) => "customer",
            Self::Home(_) => "home",
            Self::Visited(_) => "visited",
            Self::Country(_) => "country",
            Self::Act(_) => "act",
            Self::Domain(_) => "domain",
            Self::Access(_) => "access",
        }
    }

    /// What the rule asks for, for people.
    pub(crate) fn expected(&self, symbols: &Symbols) -> String {
        fn join<T>(list: &[T], text: impl Fn(&T) -> String) -> String {
            list.iter().map(text).collect::<Vec<_>>().join(" or ")
        }
        match self {
            Self::DestinationRealm(list)
            | Self::DestinationHost(list)
            | Self::OriginRealm(list)
            | Self::OriginHost(list) => join(list, ToString::to_string),
            Self::Application(list) => join(list, ToString::to_string),
            Self::Command(list) => join(list, |(_, command)| command.to_string()),
            Self::ImsiPrefix(list) => join(list, ToString::to_string),
            Self::HasImsi(wanted) => wanted.to_string(),
            Self::Customer(list) => join(list, |name| symbols.name(*name).to_string()),
            Self::Home(list) | Self::Visited(list) => join(list, ToString::to_string),
            Self::Country(list) => join(list, |country| country.as_str().to_owned()),
            Self::Act(list) => join(list, |act| act.name().to_owned()),
            Self::Domain(list) => join(list, |domain| domain.name().to_owned()),
            Self::Access(list) => join(list, |access| access.name().to_owned()),
        }
    }

    /// What the procedure has there, for people.
    pub(crate) fn actual(&self, facts: &Facts<'_>, symbols: &Symbols) -> String {
        let procedure = facts.procedure;
        let name = |octets: &[u8]| match octets {
            [] => "none".to_owned(),
            _ => String::from_utf8_lossy(octets).into_owned(),
        };
        let plmn = |plmn: Option<Plmn>| plmn.map_or("none".to_owned(), |plmn| plmn.to_string());
        match self {
            Self::DestinationRealm(_) => name(procedure.destination.realm),
            Self::DestinationHost(_) => name(procedure.destination.host),
            Self::OriginRealm(_) => name(procedure.origin.realm),
            Self::OriginHost(_) => name(procedure.origin.host),
            Self::Application(_) => procedure.application.to_string(),
            Self::Command(_) => procedure.operation.to_string(),
            Self::ImsiPrefix(_) => procedure.imsi.map_or("none".to_owned(), Imsi::in_clear),
            Self::HasImsi(_) => procedure.imsi.is_some().to_string(),
            Self::Customer(_) => {
                facts.customer.map_or("none".to_owned(), |name| symbols.name(name).to_string())
            }
            Self::Home(_) => plmn(facts.home),
            Self::Visited(_) => plmn(facts.visited),
            Self::Country(_) => facts.country.as_str().to_owned(),
            Self::Act(_) => procedure.act.name().to_owned(),
            Self::Domain(_) => procedure.domain.name().to_owned(),
            Self::Access(_) => procedure.access.name().to_owned(),
        }
    }
}
