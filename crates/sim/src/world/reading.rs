//! Reading a scenario file: every mistake at once, each with its place.

use policy::{At, Complaints, Diagnostic, Document, Section, Source};
use procedure::Plmn;

use super::scenario::{
    AREAS_MAX, Access, Area, Behaviour, CLASSES_MAX, Cause, Class, Customer, MINUTES_MAX,
    NETWORKS_MAX, NODES_MAX, Network, Outage, PowerCut, SUBSCRIBERS_MAX, Scenario, Target,
};

const CAUSES: [(&str, Cause); 5] = [
    ("#11", Cause::Plmn),
    ("#12", Cause::Area),
    ("#13", Cause::Roaming),
    ("#15", Cause::Cells),
    ("#17", Cause::Failure),
];
const ACCESSES: [(&str, Access); 3] =
    [("4g", Access::FourG), ("2g", Access::TwoG), ("both", Access::Both)];
const BEHAVIOURS: [(&str, Behaviour); 5] = [
    ("automatic", Behaviour::Automatic),
    ("manual", Behaviour::Manual),
    ("blind", Behaviour::Blind),
    ("sticky", Behaviour::Sticky),
    ("multi-imsi", Behaviour::MultiImsi),
];
/// Everything, as bits.
const ALL: u16 = u16::MAX;

/// What names are known so far.
struct Names {
    areas: Vec<String>,
    networks: Vec<String>,
    customers: Vec<String>,
}

/// Reads a scenario.
///
/// # Errors
/// Every mistake in it.
pub fn read(source: &Source) -> Result<Scenario, Vec<Diagnostic>> {
    let complaints = Complaints::default();
    let document = Document::parse(source, &complaints);
    let root = document.root(&complaints);
    let scenario = scenario(&root, source);
    root.finish();
    let found = complaints.into_sorted(std::slice::from_ref(source));
    match scenario {
        Some(scenario) if !found.iter().any(Diagnostic::is_error) => Ok(scenario),
        _ => Err(found),
    }
}

fn scenario(root: &Section<'_>, source: &Source) -> Option<Scenario> {
    let name = root.required("name").map(|name| name.value.to_owned());
    let _about = root.text("about");
    let minutes = required(root, "minutes", 1, MINUTES_MAX);
    let subscribers = required(root, "subscribers", 1, SUBSCRIBERS_MAX);
    let service_limit_s = number(root, "service_limit_s", 60, 5, 3600);
    let areas: Vec<Area> = root.sections("area").iter().filter_map(area).collect();
    let mut names = Names {
        areas: areas.iter().map(|area| area.name.clone()).collect(),
        networks: Vec::new(),
        customers: Vec::new(),
    };
    let networks: Vec<Network> =
        root.sections("network").iter().filter_map(|one| network(one, &names)).collect();
    names.networks = networks.iter().map(|network| network.plmn.to_string()).collect();
    let customers: Vec<Customer> = root.sections("customer").iter().filter_map(customer).collect();
    names.customers = customers.iter().map(|customer| customer.name.clone()).collect();
    let classes: Vec<Class> =
        root.sections("class").iter().filter_map(|one| class(one, &names, &customers)).collect();
    let cuts = root.sections("power_cut").iter().map(|one| power_cut(one, &names)).collect();
    let targets = root.sections("target").iter().filter_map(|one| target(one, &names)).collect();
    // Theirs to read: the same reader as the gateway's.
    let _plans = root.sections("plan");
    limits(root, &areas, &networks, &classes, &customers);
    Some(Scenario {
        name: name?,
        seconds: minutes * 60,
        subscribers,
        service_limit_s,
        areas,
        networks,
        customers,
        classes,
        cuts,
        targets,
        source: source.clone(),
    })
}

fn limits(
    root: &Section<'_>,
    areas: &[Area],
    networks: &[Network],
    classes: &[Class],
    customers: &[Customer],
) {
    let complain = |message: String| root.push(root.at().complain(message));
    let counts = [
        ("[[area]]", areas.len(), AREAS_MAX),
        ("[[network]]", networks.len(), NETWORKS_MAX),
        ("[[customer]]", customers.len(), NETWORKS_MAX),
        ("[[class]]", classes.len(), CLASSES_MAX),
    ];
    for (what, count, most) in counts {
        if count == 0 {
            complain(format!("there is no {what}"));
        } else if count > most {
            complain(format!("there are {count} {what}, but {most} at most may be"));
        }
    }
    let covered = |network: &Network| (network.areas & low_bits(areas.len())).count_ones() as usize;
    let nodes: usize = networks.iter().map(covered).sum();
    if nodes > NODES_MAX {
        complain(format!("the networks have {nodes} nodes together, but {NODES_MAX} may be"));
    }
    if classes.iter().all(|class| class.share == 0) && !classes.is_empty() {
        complain("no class has a share of the population".to_owned());
    }
}

/// The lowest bits, so many of them.
pub(super) fn low_bits(count: usize) -> u16 {
    u16::try_from((1_u32 << count.min(16)) - 1).unwrap_or(u16::MAX)
}

fn number(section: &Section<'_>, key: &'static str, usual: u32, least: u64, most: u64) -> u32 {
    let given = section.number(key, least..=most);
    given.and_then(|value| u32::try_from(value).ok()).unwrap_or(usual)
}

fn required(section: &Section<'_>, key: &'static str, least: u64, most: u64) -> u32 {
    if section.place_of(key).is_none() {
        section.push(section.at().complain(format!("`{key}` is missing")));
    }
    number(section, key, 1, least, most)
}

/// The bits of the names listed under a key; all where the key is not there.
fn bits(section: &Section<'_>, key: &'static str, known: &[String]) -> u16 {
    if section.place_of(key).is_none() {
        return ALL;
    }
    let places = section.texts(key).into_iter().filter_map(|name| place(section, &name, known));
    places.fold(0, |bits, place| bits | 1 << place)
}

fn place(section: &Section<'_>, name: &At<'_, &str>, known: &[String]) -> Option<u8> {
    let found = known.iter().position(|one| one == name.value);
    if found.is_none() {
        let complaint = name.complain(format!("there is no `{}` here", name.value));
        section.push(complaint.with_nearest(name.value, known.iter().map(String::as_str)));
    }
    u8::try_from(found?).ok().filter(|place| *place < 16)
}

fn area(section: &Section<'_>) -> Option<Area> {
    let name = section.required("name").map(|name| name.value.to_owned());
    let share = number(section, "share", 1, 0, 1_000_000);
    section.finish();
    Some(Area { name: name?, share })
}

fn plmn(section: &Section<'_>) -> Option<Plmn> {
    let _there = section.required("plmn")?;
    section.parsed("plmn", "five or six digits", |text| text.parse().ok()).map(|plmn| plmn.value)
}

fn network(section: &Section<'_>, names: &Names) -> Option<Network> {
    let plmn = plmn(section);
    let name = section.text("name").map(|name| name.value.to_owned());
    let cause = |key, usual| section.word(key, &CAUSES).map_or(usual, |cause| cause.value);
    let outage = |outage: &Section<'_>| {
        let areas = bits(outage, "areas", &names.areas);
        let from_s = required(outage, "from_s", 0, MINUTES_MAX * 60);
        let to_s = required(outage, "to_s", 0, MINUTES_MAX * 60);
        outage.finish();
        Outage { areas, from_s, to_s }
    };
    let found = Network {
        // Stands in the place of one that cannot be read; the scenario is not used then.
        plmn: plmn.or_else(|| "00101".parse().ok())?,
        name: name.unwrap_or_else(|| plmn.map(|plmn| plmn.to_string()).unwrap_or_default()),
        areas: bits(section, "areas", &names.areas),
        signal: number(section, "signal", 50, 0, 100),
        spread: number(section, "spread", 20, 0, 100),
        access: section.word("access", &ACCESSES).map_or(Access::Both, |access| access.value),
        cause: cause("cause", Cause::Plmn),
        cause_rat: cause("cause_rat", Cause::Roaming),
        resends: number(section, "anti_steering_resends", 0, 0, 20),
        resend_ms: number(section, "anti_steering_ms", 1000, 100, 30_000),
        outages: section.sections("outage").iter().map(outage).collect(),
    };
    section.finish();
    plmn.map(|_| found)
}

fn customer(section: &Section<'_>) -> Option<Customer> {
    let name = section.required("name").map(|name| name.value.to_owned());
    let plmn = plmn(section);
    let latency_ms = number(section, "latency_ms", 80, 10, 3000);
    let jitter_ms = number(section, "jitter_ms", 80, 0, 3000);
    let failures = number(section, "failures_permille", 0, 0, 1000);
    let silences = number(section, "silences_permille", 0, 0, 1000);
    section.finish();
    Some(Customer { name: name?, plmn: plmn?, latency_ms, jitter_ms, failures, silences })
}

fn class(section: &Section<'_>, names: &Names, customers: &[Customer]) -> Option<Class> {
    let name = section.required("name").map(|name| name.value.to_owned());
    let behaviour = section.word("behaviour", &BEHAVIOURS);
    let prefixes = section.all_parsed("imsi_prefixes", "five to seven digits", |text| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        (digits && (5..=7).contains(&text.len())).then(|| text.to_owned())
    });
    if prefixes.is_empty() {
        section.push(section.at().complain("`imsi_prefixes` is missing"));
    }
    let whose = |prefix: &At<'_, String>| {
        let found = customers
            .iter()
            .position(|customer| prefix.value.starts_with(&customer.plmn.to_string()));
        if found.is_none() {
            section.push(prefix.complain(format!("`{}` is no customer's", prefix.value)));
        }
        found.and_then(|place| u8::try_from(place).ok()).unwrap_or(0)
    };
    let owners = prefixes.iter().map(whose).collect();
    let route = section.texts("route");
    let route = route.into_iter().filter_map(|name| place(section, &name, &names.areas)).collect();
    let least = number(section, "retry_least_s", 10, 1, 3600);
    let found = Class {
        name: name.clone().unwrap_or_default(),
        behaviour: behaviour.map_or(Behaviour::Automatic, |behaviour| behaviour.value),
        customers: owners,
        prefixes: prefixes.into_iter().map(|prefix| prefix.value).collect(),
        share: number(section, "share", 1, 0, 1_000_000),
        access: section.word("access", &ACCESSES).map_or(Access::FourG, |access| access.value),
        on_2g: number(section, "on_2g_percent", 0, 0, 100),
        networks: bits(section, "networks", &names.networks),
        areas: bits(section, "areas", &names.areas),
        arrive_s: number(section, "arrive_s", 60, 0, MINUTES_MAX * 60),
        listed: number(section, "listed_percent", 0, 0, 100),
        strict: number(section, "strict_percent", 0, 0, 100),
        retry_s: (least, number(section, "retry_most_s", 20, 1, 3600).max(least)),
        toggle_s: number(section, "toggle_s", 120, 1, 86_400),
        background: number(section, "background_per_hour", 0, 0, 3600),
        route,
        stay_s: number(section, "stay_s", 0, 0, 86_400),
        data_only: section.flag("data_only").unwrap_or(false),
        leave_s: number(section, "leave_s", 0, 0, 86_400),
    };
    section.finish();
    name.map(|_| found)
}

fn power_cut(section: &Section<'_>, names: &Names) -> PowerCut {
    let cut = PowerCut {
        areas: bits(section, "areas", &names.areas),
        at_s: required(section, "at_s", 1, MINUTES_MAX * 60),
        lasts_s: number(section, "lasts_s", 30, 1, 3600),
        back_s: number(section, "back_s", 60, 0, 3600),
        percent: number(section, "percent", 100, 1, 100),
    };
    section.finish();
    cut
}

fn target(section: &Section<'_>, names: &Names) -> Option<Target> {
    let plan = section.required("plan").map(|plan| plan.value.to_owned());
    let network = section.required("network");
    let network = network.and_then(|network| place(section, &network, &names.networks));
    let percent = required(section, "percent", 0, 100);
    section.finish();
    Some(Target { plan: plan?, network: network?, percent })
}
