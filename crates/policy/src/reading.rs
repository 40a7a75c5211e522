//! What every reader of rules needs: names, codes, networks, and the checks they share.

use std::cell::RefCell;
use std::collections::BTreeMap;

use procedure::{Access, Act, Domain, Plmn, Refusal, Symbol, Symbols, Vocabulary};

use crate::document::{At, Complaints, Section};
use crate::networks::Country;
use crate::{Networks, Source};

/// Whether a rule acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Decides, is written down and acts.
    #[default]
    Enforce,
    /// Decides and is written down only.
    Observe,
    /// Is not asked.
    Off,
}

/// What rules are read with.
pub(crate) struct Reading<'a> {
    pub(crate) symbols: &'a Symbols,
    pub(crate) vocabulary: &'a dyn Vocabulary,
    pub(crate) networks: &'a Networks,
    pub(crate) complaints: &'a Complaints,
    /// The countries that are a customer's own, once customers have been read.
    pub(crate) customers: RefCell<BTreeMap<Symbol, Vec<Country>>>,
    /// Names of rules so far, and where they stand.
    pub(crate) names: RefCell<BTreeMap<String, String>>,
}

impl Reading<'_> {
    /// The name of a rule, which no other rule may have: a record names the rule that spoke.
    pub(crate) fn rule_name(&self, section: &Section<'_>) -> Option<Symbol> {
        let name = section.required("name")?;
        let (line, _) = name.source.place(name.span.start);
        let place = format!("{}:{line}", name.source.name);
        if let Some(first) = self.names.borrow().get(name.value) {
            let complaint = name.complain(format!("two rules are called `{}`", name.value));
            self.complaints.push(complaint.with_help(format!("the first stands at {first}")));
        }
        self.names.borrow_mut().entry(name.value.to_owned()).or_insert(place);
        Some(self.symbols.intern(name.value))
    }

    /// `mode` of a rule.
    pub(crate) fn mode(section: &Section<'_>) -> Mode {
        let words = [("enforce", Mode::Enforce), ("observe", Mode::Observe), ("off", Mode::Off)];
        section.word("mode", &words).map_or(Mode::Enforce, |mode| mode.value)
    }

    /// Complains about a network that nobody knows: most often two digits swapped.
    pub(crate) fn check_listed(&self, plmn: &At<'_, Plmn>) -> bool {
        let listed = self.networks.network(plmn.value).is_some();
        if !listed && !self.complaints.has_unread() {
            let complaint = plmn.complain(format!("no network `{}` is known", plmn.value));
            let help = "networks.toml can add it to the built-in list";
            self.complaints.push(complaint.with_help(help));
        }
        listed
    }

    /// A name that must be one of those declared elsewhere.
    pub(crate) fn declared(
        &self,
        what: &str,
        name: &At<'_, &str>,
        known: &[Symbol],
    ) -> Option<Symbol> {
        let found = self.symbols.find(name.value).filter(|symbol| known.contains(symbol));
        if found.is_none() && !self.complaints.has_unread() {
            let names: Vec<_> = known.iter().map(|symbol| self.symbols.name(*symbol)).collect();
            let complaint = name.complain(format!("there is no {what} `{}`", name.value));
            let known = names.iter().map(|name| &**name);
            self.complaints.push(complaint.with_nearest(name.value, known));
        }
        found
    }
}

/// Acts by their words.
pub(crate) fn acts() -> Vec<(&'static str, Act)> {
    Act::ALL.map(|act| (act.name(), act)).to_vec()
}

/// Domains by their words.
pub(crate) fn domains() -> Vec<(&'static str, Domain)> {
    Domain::ALL.map(|domain| (domain.name(), domain)).to_vec()
}

/// Accesses by their words.
pub(crate) fn accesses() -> Vec<(&'static str, Access)> {
    Access::ALL.map(|access| (access.name(), access)).to_vec()
}

/// Refusals by their words.
pub(crate) fn refusals() -> Vec<(&'static str, Refusal)> {
    Refusal::ALL.map(|refusal| (refusal.name(), refusal)).to_vec()
}

/// What kind of file a source is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Networks,
    Customers,
    Devices,
    Steering,
    Routes,
    Screening,
    Cases,
}

impl Kind {
    const FILES: [(&'static str, Self); 6] = [
        ("networks.toml", Self::Networks),
        ("customers.toml", Self::Customers),
        ("devices.toml", Self::Devices),
        ("steering.toml", Self::Steering),
        ("routes.toml", Self::Routes),
        ("screening.toml", Self::Screening),
    ];

    /// The order in which rules are read: whatever is named was declared before.
    pub(crate) const ORDER: [Self; 6] = [
        Self::Customers,
        Self::Devices,
        Self::Routes,
        Self::Steering,
        Self::Screening,
        Self::Cases,
    ];

    /// The kind of a source; a name that is none of ours is a complaint.
    pub(crate) fn of(source: &Source, complaints: &Complaints) -> Option<Self> {
        let mut parts = source.name.rsplit(['/', '\\']);
        let file = parts.next().unwrap_or_default();
        if parts.next() == Some("cases") {
            return Some(Self::Cases);
        }
        let found = Self::FILES.iter().find(|(name, _)| *name == file).map(|(_, kind)| *kind);
        if found.is_none() {
            let names = Self::FILES.iter().map(|(name, _)| *name);
            let complaint = source.complain(0..0, format!("`{file}` is no policy file"));
            complaints.push(complaint.with_nearest(file, names));
        }
        found
    }
}
