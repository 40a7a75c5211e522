//! What is wrong with a plan although each of its lines can be read.

use std::collections::BTreeMap;

use procedure::{Plmn, Symbol};

use super::plan::{Override, PREFERRED_MAX, Plan, Terms};
use crate::customers::Customers;
use crate::document::{At, Section};
use crate::networks::Country;
use crate::reading::{Mode, Reading};

/// A plan is about somewhere, and what it prefers is there.
pub(super) fn places(
    section: &Section<'_>,
    reading: &Reading<'_>,
    countries: &[At<'_, Country>],
    networks: &[At<'_, Plmn>],
    preferred: &[At<'_, Plmn>],
) {
    if countries.is_empty() && networks.is_empty() {
        let complaint = section.at().complain("this plan holds nowhere");
        section.push(complaint.with_help("say `country = \"GB\"` or `networks = [\"23410\"]`"));
        return;
    }
    if !countries.is_empty() && !networks.is_empty() {
        let complaint = section.at().complain("a plan has a `country` or `networks`, not both");
        section.push(complaint);
    }
    known_countries(section, reading, countries);
    let around: Vec<Country> = networks
        .iter()
        .map(|plmn| reading.networks.country(plmn.value))
        .chain(countries.iter().map(|country| country.value))
        .collect();
    for plmn in preferred {
        let there = reading.networks.country(plmn.value);
        if reading.networks.network(plmn.value).is_some() && !around.contains(&there) {
            let names: Vec<&str> = around.iter().map(Country::as_str).collect();
            let whose = reading.networks.describe(plmn.value);
            let message = format!("`{}` is not in this plan's country", plmn.value);
            let help = format!("it is {whose}; the plan is for {}", names.join(", "));
            section.push(plmn.complain(message).with_help(help));
        }
    }
}

/// A country is one of those whose networks are known.
pub(super) fn known_countries(
    section: &Section<'_>,
    reading: &Reading<'_>,
    countries: &[At<'_, Country>],
) {
    for country in countries {
        if !reading.networks.has_country(country.value) {
            let message = format!("no network of a country `{}` is known", country.value.as_str());
            let help = "two letters of ISO 3166, as \"GB\" for the United Kingdom";
            section.push(country.complain(message).with_help(help));
        }
    }
}

/// A network plays one part.
pub(super) fn parts(
    section: &Section<'_>,
    reading: &Reading<'_>,
    preferred: &[At<'_, Plmn>],
    barred: &[At<'_, Plmn>],
    allowed: &[At<'_, Plmn>],
) {
    let mut taken: BTreeMap<Plmn, &str> = BTreeMap::new();
    for (part, networks) in [("preferred", preferred), ("barred", barred), ("allowed", allowed)] {
        for plmn in networks {
            let operator = reading.networks.operator(plmn.value);
            if let Some(first) = taken.insert(operator, part) {
                let message = match first == part {
                    true => format!("`{}` is {part} twice", plmn.value),
                    false => format!("`{}` is {part}, and {first} as well", plmn.value),
                };
                let help = "a network, with all its operator's codes, plays one part in a plan";
                section.push(plmn.complain(message).with_help(help));
            }
        }
    }
    if let Some(plmn) = preferred.get(PREFERRED_MAX) {
        let message = format!("a plan prefers at most {PREFERRED_MAX} networks");
        section.push(plmn.complain(message));
    }
}

/// Target shares are for every network of a tier and make up the whole.
pub(super) fn shares(section: &Section<'_>, networks: &[At<'_, Plmn>], shares: &[At<'_, u64>]) {
    let Some(first) = shares.first() else { return };
    let sum: u64 = shares.iter().map(|share| share.value).sum();
    if shares.len() != networks.len() {
        let message = format!("{} shares for {} networks", shares.len(), networks.len());
        section.push(first.complain(message).with_help("one for each, in their order"));
    } else if sum != 100 {
        let help = format!("{} {sum}", if sum < 100 { "short of it:" } else { "above it:" });
        section.push(first.complain("these shares do not add up to 100").with_help(help));
    }
}

/// What decides whether a subscriber finds a way out of a plan.
pub(super) struct Ways<'a> {
    pub(super) terms: &'a Terms,
    pub(super) preferred: &'a [At<'a, Plmn>],
    pub(super) barred: &'a [At<'a, Plmn>],
    pub(super) allowed: &'a [At<'a, Plmn>],
    pub(super) countries: &'a [At<'a, Country>],
    pub(super) bar_country: bool,
}

pub(super) fn ways_out(section: &Section<'_>, reading: &Reading<'_>, ways: &Ways<'_>) {
    let limits = ways.terms.limits;
    let steers = !ways.bar_country && limits.available && ways.terms.mode != Mode::Off;
    if steers && ways.preferred.is_empty() && section.texts("preferred").is_empty() {
        let complaint = section.at().complain("this plan prefers no network");
        let help = "name some in `preferred`, or say `preferred_available = false`";
        section.push(complaint.with_help(help));
    }
    if !ways.bar_country && !ways.barred.is_empty() {
        let all: Vec<Plmn> = ways
            .countries
            .iter()
            .flat_map(|country| reading.networks.operators_in(country.value))
            .collect();
        let barred = |operator: &Plmn| {
            ways.barred.iter().any(|plmn| reading.networks.operator(plmn.value) == *operator)
        };
        if !all.is_empty() && all.iter().all(barred) {
            let complaint = section.at().complain("this plan has no exit: it bars every network");
            let help = "say `bar_country = true` if that is meant, with exceptions in `allowed`";
            section.push(complaint.with_help(help));
        }
    }
    if ways.bar_country && ways.preferred.is_empty() && ways.allowed.is_empty() {
        let at = section.place_of("bar_country").unwrap_or_else(|| section.at());
        let complaint = at.complain("nobody of this customer has service in this country");
        let help = "networks that are meant to serve stand in `allowed` or `preferred`";
        section.push(complaint.with_help(help).as_warning());
    }
    let never = |key: &'static str, why: String| {
        if let Some(at) = section.place_of(key) {
            let complaint = at.complain(format!("`{key}` is never reached"));
            section.push(complaint.with_help(why).as_warning());
        }
    };
    if limits.total < limits.refusals {
        let total = limits.total;
        never("refusals_max", format!("an episode ends with {total} (`episode_refusals_max`)"));
    }
    if limits.returns > limits.refusals {
        let refusals = limits.refusals;
        never("returns_max", format!("a network ends with {refusals} (`refusals_max`)"));
    }
}

/// Whoever steers at home should know it.
pub(super) fn home(
    section: &Section<'_>,
    reading: &Reading<'_>,
    customer: Option<Symbol>,
    countries: &[At<'_, Country>],
    is_national: bool,
) {
    let customers = reading.customers.borrow();
    let own = customer.and_then(|customer| customers.get(&customer));
    for country in countries {
        if !is_national && own.is_some_and(|own| own.contains(&country.value)) {
            let message = format!("`{}` is this customer's own country", country.value.as_str());
            let help = "say `national_roaming = true` if its subscribers are to be steered at home";
            section.push(country.complain(message).with_help(help));
        }
    }
}

/// An override is for somebody, and not for those of an earlier one only.
pub(super) fn overrides(sections: &[Section<'_>], list: &[Override]) {
    for section in sections {
        let keys = ["imsi_prefixes", "imsi_ranges", "device", "nodes", "came_from"];
        if keys.iter().all(|key| section.place_of(key).is_none()) {
            let complaint = section.at().complain("this override holds for everybody");
            let help = format!("say for whom: {}", keys.join(", "));
            section.push(complaint.with_help(help));
        }
    }
    for (place, special) in list.iter().enumerate() {
        // One for everybody is a mistake of its own.
        let mut before = list.iter().take(place).filter(|earlier| !earlier.is_for_all());
        let earlier = before.find(|earlier| earlier.includes(special));
        let section = place.checked_sub(list.len() - sections.len().min(list.len()));
        if let (Some(_), Some(section)) = (earlier, section.and_then(|at| sections.get(at))) {
            let at = section.place_of("name").unwrap_or_else(|| section.at());
            let complaint = at.complain("this override never speaks");
            let help = "an earlier one holds for all of them; the first that holds speaks";
            section.push(complaint.with_help(help).as_warning());
        }
    }
}

impl Override {
    const fn is_for_all(&self) -> bool {
        self.imsis.is_empty()
            && self.device.is_none()
            && self.nodes.is_empty()
            && self.numbers.is_empty()
            && self.came_from.is_empty()
    }

    /// Whether this holds wherever the other does, as far as that can be told.
    fn includes(&self, other: &Self) -> bool {
        let who = self.imsis.is_empty()
            || !other.imsis.is_empty()
                && other.imsis.iter().all(|range| {
                    self.imsis.iter().any(|own| own.first <= range.first && range.last <= own.last)
                });
        let what = self.device.is_none() || self.device == other.device;
        let anywhere = self.nodes.is_empty() && self.numbers.is_empty();
        let there = anywhere || self.nodes == other.nodes && self.numbers == other.numbers;
        let from = self.came_from.is_empty()
            || self.came_from == other.came_from && self.within >= other.within;
        who && what && there && from
    }
}

/// Plans that no subscriber ever gets to, because an earlier one speaks wherever they hold.
pub(crate) fn unreachable(plans: &[Plan]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut by_customer: BTreeMap<Symbol, Vec<usize>> = BTreeMap::new();
    for (place, plan) in plans.iter().enumerate() {
        let earlier = by_customer.entry(plan.customer).or_default();
        let over = earlier.iter().find(|at| plans.get(**at).is_some_and(|e| shadows(e, plan)));
        found.extend(over.map(|over| (place, *over)));
        earlier.push(place);
    }
    found
}

fn shadows(earlier: &Plan, later: &Plan) -> bool {
    let always = earlier.calendar.is_none() && earlier.terms.mode != Mode::Off;
    let over = earlier.accesses.is_empty()
        || !later.accesses.is_empty()
            && later.accesses.iter().all(|access| earlier.accesses.contains(access));
    let where_ = match (earlier.networks.as_slice(), later.networks.as_slice()) {
        ([], []) => later.countries.iter().all(|country| earlier.countries.contains(country)),
        ([], _) => false,
        (_, []) => false,
        (wide, narrow) => narrow.iter().all(|network| wide.contains(network)),
    };
    always && over && where_
}

/// The countries that are a customer's own.
pub(crate) fn own_countries(
    customers: &Customers,
    reading: &Reading<'_>,
) -> BTreeMap<Symbol, Vec<Country>> {
    let own = |plmns: &[Plmn]| plmns.iter().map(|plmn| reading.networks.country(*plmn)).collect();
    customers.list.iter().map(|customer| (customer.name, own(&customer.plmns))).collect()
}
