//! From files to rules: reads everything, reports every mistake at once.

use std::cell::RefCell;
use std::collections::BTreeMap;

use procedure::{Group, LinkId, Member, Symbol, Symbols, Vocabulary};
use serde::Serialize;

use crate::cases::{self, Case};
use crate::customers::Customers;
use crate::document::Complaints;
use crate::hash::WordMap;
use crate::networks::Taken;
use crate::reading::{Kind, Reading};
use crate::route::{self, Routes};
use crate::screen::Screening;
use crate::steer::plan::Plan;
use crate::steer::{Meanings, Steering, check, read};
use crate::{Country, Diagnostic, Document, Networks, Source};

/// The rule that speaks when steering's memory is full and a subscriber is accepted unsteered.
pub const MEMORY_FULL: &str = "steering-memory-full";

/// What policies are compiled with.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The table of names, shared by every version of the rules.
    pub symbols: &'a Symbols,
    /// Names and codes of the stacks.
    pub vocabulary: &'a dyn Vocabulary,
    /// The configured peers by name; without them members of groups are not checked.
    pub peers: Option<&'a [(String, LinkId)]>,
    /// Groups of links that come with the configuration of the peers.
    pub groups: &'a [(String, Vec<LinkId>)],
    /// The time of the gateway's start, in seconds since 1970.
    pub started_unix_s: u64,
}

/// Rules that have passed every check: immutable, swapped whole.
#[derive(Debug)]
pub struct Compiled {
    pub(crate) symbols: Symbols,
    pub(crate) networks: Networks,
    pub(crate) customers: Customers,
    pub(crate) screening: Screening,
    pub(crate) steering: Steering,
    pub(crate) routes: Routes,
    pub(crate) groups: WordMap<Option<Group>>,
    pub(crate) cases: Vec<Case>,
    counts: Counts,
    warnings: Vec<Diagnostic>,
}

/// How many of each were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Customers.
    pub customers: usize,
    /// Screening rules of the operator's.
    pub screening: usize,
    /// Steering plans.
    pub plans: usize,
    /// Routes.
    pub routes: usize,
    /// Groups of links.
    pub groups: usize,
    /// Cases.
    pub cases: usize,
}

impl Compiled {
    /// How many of each were read.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// What somebody should look at, though it does not forbid using the files.
    #[must_use]
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// The known networks.
    #[must_use]
    pub const fn networks(&self) -> &Networks {
        &self.networks
    }

    /// The table of names.
    #[must_use]
    pub const fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// The links of a group.
    #[must_use]
    pub fn group(&self, name: Symbol) -> Option<&Group> {
        self.groups.get(name.0.into()).and_then(Option::as_ref)
    }
}

/// Compiles a set of policy files, whole or not at all.
///
/// # Errors
///
/// Every mistake in every file, in the order of files and places.
pub fn compile(sources: &[Source], context: &Context<'_>) -> Result<Compiled, Vec<Diagnostic>> {
    let complaints = Complaints::default();
    let kinds: Vec<(Kind, &Source)> = sources
        .iter()
        .filter_map(|source| Some((Kind::of(source, &complaints)?, source)))
        .collect();
    let of_kind = |wanted: Kind| kinds.iter().filter(move |(kind, _)| *kind == wanted);
    let mut networks = Networks::built_in();
    let mut taken = Taken::new();
    for (_, source) in of_kind(Kind::Networks) {
        networks.overlay(source, &complaints, &mut taken);
    }
    let reading = Reading {
        symbols: context.symbols,
        vocabulary: context.vocabulary,
        networks: &networks,
        complaints: &complaints,
        customers: RefCell::default(),
        names: RefCell::default(),
    };
    let mut rules = Rules::new(context.symbols, context.groups);
    for order in Kind::ORDER {
        for (kind, source) in of_kind(order) {
            let document = Document::parse(source, &complaints);
            let root = document.root(&complaints);
            rules.read(*kind, &root, &reading, context.peers);
            root.finish();
        }
    }
    rules.check(&reading);
    let found = complaints.into_sorted(sources);
    if found.iter().any(Diagnostic::is_error) {
        return Err(found);
    }
    Ok(rules.into_compiled(context, networks, found))
}

/// What has been read so far.
struct Rules {
    customers: Customers,
    screening: Screening,
    plans: Vec<Plan>,
    plan_countries: Vec<Vec<Country>>,
    /// What is said of a plan that is never asked.
    plan_places: Vec<Diagnostic>,
    routes: Vec<route::Route>,
    groups: BTreeMap<Symbol, Group>,
    cases: Vec<Case>,
}

impl Rules {
    fn new(symbols: &Symbols, given: &[(String, Vec<LinkId>)]) -> Self {
        let member = |link: &LinkId| Member { link: *link, priority: 1, weight: 1 };
        let group = |links: &[LinkId]| Group { members: links.iter().map(member).collect() };
        let groups = given.iter().map(|(name, links)| (symbols.intern(name), group(links)));
        Self {
            customers: Customers::default(),
            screening: Screening::new(symbols),
            plans: Vec::new(),
            plan_countries: Vec::new(),
            plan_places: Vec::new(),
            routes: Vec::new(),
            groups: groups.collect(),
            cases: Vec::new(),
        }
    }

    fn customer_names(&self) -> Vec<Symbol> {
        self.customers.list.iter().map(|customer| customer.name).collect()
    }

    fn read(
        &mut self,
        kind: Kind,
        root: &crate::Section<'_>,
        reading: &Reading<'_>,
        peers: Option<&[(String, LinkId)]>,
    ) {
        let names = self.customer_names();
        match kind {
            Kind::Networks => {}
            Kind::Customers => {
                for section in root.sections("customer") {
                    self.customers.read(&section, reading);
                }
                *reading.customers.borrow_mut() = check::own_countries(&self.customers, reading);
            }
            Kind::Devices => {
                for section in root.sections("device") {
                    self.customers.read_device(&section);
                }
            }
            Kind::Routes => self.read_routes(root, reading, peers, &names),
            Kind::Steering => {
                for section in root.sections("plan") {
                    if let Some((plan, countries)) = read::read(&section, reading, &names) {
                        self.plans.push(plan);
                        self.plan_countries.push(countries);
                        let never = section.at().complain("this plan never speaks");
                        self.plan_places.push(never.as_warning());
                    }
                }
            }
            Kind::Screening => self.screening.read(root, reading, &names),
            Kind::Cases => {
                for section in root.sections("case") {
                    self.cases.extend(cases::read(&section, reading));
                }
            }
        }
    }

    fn read_routes(
        &mut self,
        root: &crate::Section<'_>,
        reading: &Reading<'_>,
        peers: Option<&[(String, LinkId)]>,
        customers: &[Symbol],
    ) {
        for section in root.sections("group") {
            let Some((name, group)) = route::read_group(&section, reading, peers) else { continue };
            if self.groups.insert(name, group).is_some() {
                let text = reading.symbols.name(name);
                section.push(section.at().complain(format!("two groups are called `{text}`")));
            }
        }
        let groups: Vec<Symbol> = self.groups.keys().copied().collect();
        for section in root.sections("route") {
            self.routes.extend(Routes::read(&section, reading, customers, &groups));
        }
    }

    /// Checks that need everything to have been read.
    fn check(&self, reading: &Reading<'_>) {
        if reading.complaints.has_unread() {
            return;
        }
        for case in &self.cases {
            let known = |name: &str| {
                reading.symbols.find(name).is_some_and(|group| self.groups.contains_key(&group))
            };
            if let Some(group) = case.unknown_group(known) {
                reading.complaints.push(group);
            }
        }
        for (place, over) in check::unreachable(&self.plans) {
            if let (Some(never), Some(over)) = (self.plan_places.get(place), self.plans.get(over)) {
                let over = reading.symbols.name(over.name);
                let help = format!("`{over}` stands before it and holds wherever it does");
                reading.complaints.push(never.clone().with_help(help));
            }
        }
    }

    fn into_compiled(
        self,
        context: &Context<'_>,
        networks: Networks,
        warnings: Vec<Diagnostic>,
    ) -> Compiled {
        let counts = Counts {
            customers: self.customers.list.len(),
            screening: self.screening.rules.len(),
            plans: self.plans.len(),
            routes: self.routes.len(),
            groups: self.groups.len(),
            cases: self.cases.len(),
        };
        let mut groups: WordMap<Option<Group>> = WordMap::default();
        for (name, group) in self.groups {
            *groups.entry(name.0.into()) = Some(group);
        }
        let full = context.symbols.intern(MEMORY_FULL);
        Compiled {
            symbols: context.symbols.clone(),
            networks,
            customers: self.customers,
            screening: self.screening,
            steering: Steering::new(
                self.plans,
                &self.plan_countries,
                full,
                Meanings::new(context.vocabulary),
                context.started_unix_s,
            ),
            routes: Routes::new(self.routes),
            groups,
            cases: self.cases,
            counts,
            warnings,
        }
    }
}
