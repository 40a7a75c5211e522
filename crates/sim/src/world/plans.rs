//! The policies that are judged: a scenario's plans, and over them the keys of a style.

use policy::{
    Complaints, Country, Diagnostic, Document, Networks, Section, Source, standard_realm,
};
use procedure::Plmn;
use toml::{Table, Value};

use super::scenario::Scenario;

/// What the gateway's steering is bound to, whatever a plan says.
const REFUSALS_MAX: u64 = 4;

/// A way to steer: keys that are laid over every plan of a scenario.
#[derive(Clone, Debug)]
pub struct Style {
    /// Its name.
    pub name: String,
    /// Who waits too long ends the run; else it is only counted. The yardsticks may be worse than
    /// what we hold ourselves to.
    pub enforces_service: bool,
    drop: Vec<String>,
    keys: Table,
}

/// What a checker has to know of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// Its name.
    pub(super) name: String,
    /// It acts.
    pub(super) acts: bool,
    /// Refusals of one subscriber on one network.
    pub(super) refusals_max: u32,
    /// An episode's length.
    pub(super) episode_s: u32,
    /// How long who was accepted is left in peace.
    pub(super) hold_s: u32,
    /// The networks it prefers.
    pub(super) preferred: Vec<Plmn>,
    customer: String,
    countries: Vec<Country>,
    networks: Vec<Plmn>,
}

/// Reads a style.
///
/// # Errors
/// Every mistake in it.
pub fn style(source: &Source) -> Result<Style, Vec<Diagnostic>> {
    let complaints = Complaints::default();
    let keys = source.text.parse::<Table>().ok();
    let keys = keys.and_then(|all| all.get("plan").and_then(Value::as_table).cloned());
    let found = read_style(source, &complaints, keys.unwrap_or_default());
    let complaints = complaints.into_sorted(std::slice::from_ref(source));
    match found {
        Some(style) if !complaints.iter().any(Diagnostic::is_error) => Ok(style),
        _ => Err(complaints),
    }
}

fn read_style(source: &Source, complaints: &Complaints, keys: Table) -> Option<Style> {
    let document = Document::parse(source, complaints);
    let root = document.root(complaints);
    let name = root.required("name").map(|name| name.value.to_owned());
    let _about = root.text("about");
    let service = root.word("service", &[("enforce", true), ("count", false)]);
    let drop = root.texts("drop").into_iter().map(|key| key.value.to_owned()).collect();
    // What may stand in a plan is the gateway's to say: it reads the plans with these keys.
    let _keys = root.section("plan");
    root.finish();
    let enforces_service = service.is_none_or(|service| service.value);
    Some(Style { name: name?, enforces_service, drop, keys })
}

impl Style {
    /// A style that changes nothing: the plans as somebody wrote them.
    #[must_use]
    pub fn as_written(name: &str) -> Self {
        let (drop, keys) = (Vec::new(), Table::new());
        Self { name: name.to_owned(), enforces_service: true, drop, keys }
    }

    /// The scenario's plans in this style.
    #[must_use]
    pub fn steering(&self, scenario: &Scenario) -> Source {
        let mut root = scenario.source.text.parse::<Table>().unwrap_or_default();
        root.retain(|key, _| key == "plan");
        let plans = root.get_mut("plan").and_then(Value::as_array_mut);
        for plan in plans.into_iter().flatten().filter_map(Value::as_table_mut) {
            plan.retain(|key, _| !self.drop.iter().any(|drop| drop == key));
            plan.extend(self.keys.clone());
        }
        Source::new("steering.toml", toml::to_string(&root).unwrap_or_default())
    }
}

/// The scenario's own plans, each where it stands in the file, so that a mistake has its place.
pub(super) fn as_they_stand(scenario: &Source) -> Source {
    let mut text = String::with_capacity(scenario.text.len());
    let mut inside = false;
    for line in scenario.text.split_inclusive('\n') {
        if line.starts_with('[') {
            let head = line.trim_start_matches('[');
            inside = head.starts_with("plan]") || head.starts_with("plan.");
        }
        if inside {
            text.push_str(line);
        } else {
            text.extend(line.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
    }
    Source::new("steering.toml", text)
}

/// What the plans of a `steering.toml` say, in the order of the file. Mistakes in it are the
/// gateway's to tell.
pub(super) fn facts(steering: &Source) -> Vec<Facts> {
    let complaints = Complaints::default();
    let document = Document::parse(steering, &complaints);
    let root = document.root(&complaints);
    root.sections("plan").iter().map(fact).collect()
}

fn fact(plan: &Section<'_>) -> Facts {
    let text = |key| plan.text(key).map(|text| text.value.to_owned()).unwrap_or_default();
    let plmns = |key| -> Vec<Plmn> {
        let found = plan.all_parsed(key, "digits", |text| text.parse().ok());
        found.into_iter().map(|plmn| plmn.value).collect()
    };
    let number = |key, usual: u64| {
        let value = plan.number(key, 0..=u64::from(u32::MAX)).unwrap_or(usual);
        u32::try_from(value).unwrap_or(u32::MAX)
    };
    let countries = plan.all_parsed("country", "letters", Country::parse);
    Facts {
        name: text("name"),
        acts: !matches!(text("mode").as_str(), "off" | "observe"),
        refusals_max: number("refusals_max", REFUSALS_MAX).min(REFUSALS_MAX as u32),
        episode_s: number("episode_s", policy::EPISODE_S),
        hold_s: number("hold_s", policy::HOLD_S),
        preferred: plmns("preferred"),
        customer: text("customer"),
        countries: countries.into_iter().map(|country| country.value).collect(),
        networks: plmns("networks"),
    }
}

/// The plan that holds for a customer's subscribers on a network: the first that does.
pub(super) fn holding<'f>(
    facts: &'f [Facts],
    known: &Networks,
    customer: &str,
    visited: Plmn,
) -> Option<&'f Facts> {
    let country = known.country(visited);
    facts.iter().filter(|plan| plan.customer == customer).find(|plan| match &*plan.networks {
        [] => plan.countries.contains(&country),
        networks => networks.contains(&visited) || plan.preferred.contains(&visited),
    })
}

/// By customer, the networks that plans prefer, as bits of the scenario's list.
pub(super) fn preferred(scenario: &Scenario, facts: &[Facts], known: &Networks) -> Vec<u16> {
    let of = |name: &str| {
        let all = scenario.networks.iter().enumerate();
        let preferred = all.filter(|(_, network)| {
            let plan = holding(facts, known, name, network.plmn);
            plan.is_some_and(|plan| plan.preferred.contains(&network.plmn))
        });
        preferred.fold(0, |bits, (place, _)| bits | 1 << (place & 15))
    };
    scenario.customers.iter().map(|customer| of(&customer.name)).collect()
}

/// Who the customers of a scenario are, for the gateway.
pub(super) fn customers(scenario: &Scenario) -> Source {
    let customer = |customer: &super::scenario::Customer| {
        format!("[[customer]]\nname = \"{}\"\nplmns = [\"{}\"]\n", customer.name, customer.plmn)
    };
    Source::new("customers.toml", scenario.customers.iter().map(customer).collect::<String>())
}

/// Which way to their homes.
pub(super) fn routes(scenario: &Scenario) -> Source {
    let route = |customer: &super::scenario::Customer| {
        let (name, realm) = (&customer.name, standard_realm(customer.plmn));
        format!(
            "[[group]]\nname = \"hss-{name}\"\nmembers = [{{ peer = \"hss-{name}\" }}]\n\
             [[route]]\nname = \"to-{name}\"\ndestination_realm = \"{realm}\"\nto = \"hss-{name}\"\n"
        )
    };
    Source::new("routes.toml", scenario.customers.iter().map(route).collect::<String>())
}

/// The first digits of the numbers of nodes: VLRs and SGSNs by network, HLRs by customer.
#[derive(Clone, Debug)]
pub(super) struct Numbers {
    pub(super) networks: Vec<String>,
    pub(super) homes: Vec<String>,
    /// What the gateway has to be told of them.
    pub(super) source: Source,
}

/// Numbers that nobody has, but where somebody's own file says whose numbers are whose.
pub(super) fn numbers(scenario: &Scenario, own: Option<&Source>) -> Numbers {
    let known = own.map(titles).unwrap_or_default();
    let of = |plmn: Plmn| known.iter().find(|(known, _)| *known == plmn);
    let mut text = String::new();
    let mut number = |plmn: Plmn, usual: String| match of(plmn) {
        Some((_, title)) => title.clone(),
        None => {
            let line = format!("[[network]]\nplmn = \"{plmn}\"\ntitles = \"{usual}\"\n");
            if !text.contains(&format!("\"{plmn}\"")) {
                text.push_str(&line);
            }
            Some(usual)
        }
    };
    let homes = scenario.customers.iter().enumerate();
    let homes: Vec<_> =
        homes.map(|(place, one)| number(one.plmn, format!("88399{place:02}"))).collect();
    let networks = scenario.networks.iter().enumerate();
    let networks: Vec<_> =
        networks.map(|(place, one)| number(one.plmn, format!("88351{place:02}"))).collect();
    // Who has an entry of their own without numbers has nodes of numbers that nobody knows.
    let unknown = |(place, title): (usize, Option<String>)| {
        title.unwrap_or_else(|| format!("88375{place:02}"))
    };
    Numbers {
        networks: networks.into_iter().enumerate().map(unknown).collect(),
        homes: homes.into_iter().enumerate().map(unknown).collect(),
        source: Source::new("world/networks.toml", text),
    }
}

/// The networks of a `networks.toml`, each with the first of its numbers.
fn titles(networks: &Source) -> Vec<(Plmn, Option<String>)> {
    let complaints = Complaints::default();
    let document = Document::parse(networks, &complaints);
    let root = document.root(&complaints);
    let entry = |network: &Section<'_>| {
        let title = network.texts("titles").first().map(|title| title.value.to_owned());
        let plmns = network.all_parsed("plmn", "digits", |text| text.parse::<Plmn>().ok());
        plmns.into_iter().map(|plmn| (plmn.value, title.clone())).collect::<Vec<_>>()
    };
    root.sections("network").iter().flat_map(entry).collect()
}
