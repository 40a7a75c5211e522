//! Reading `steering.toml`.

use procedure::{Act, Domain, Plmn, Refusal, Symbol};

use crate::customers::{PREFIX_EXPECTED, Prefix};
use crate::document::{At, Section};
use crate::episode::{Limits, REFUSALS_MAX, Tick};
use crate::networks::{COUNTRY_EXPECTED, Country, PLMN_EXPECTED};
use crate::reading::{Reading, accesses, domains};
use crate::steer::{Answer, Plan};

/// Most refusals in one episode that a plan may ask for.
pub const EPISODE_REFUSALS_MAX: u64 = 20;
/// Refusals in one episode unless the plan says otherwise.
pub const EPISODE_REFUSALS: u64 = 8;
/// An episode stays under two minutes: devices with several IMSIs change to the next one then.
pub const EPISODE_S_MAX: u64 = 119;
/// An episode's length unless the plan says otherwise.
pub const EPISODE_S: u64 = 90;
/// How long an accepted subscriber is left in peace unless the plan says otherwise.
pub const HOLD_S: u64 = 3600;
/// Shortest hold: longer than any episode, so that refusals never run into each other.
pub const HOLD_S_MIN: u64 = EPISODE_S_MAX + 1;
/// Longest hold: a week.
pub const HOLD_S_MAX: u64 = 7 * 86_400;
/// How far apart the domains of one attach may arrive unless the plan says otherwise.
pub const COALESCE_MS: u64 = 3000;

/// Reads one `[[plan]]`; beside it the countries it is found under.
pub(crate) fn read(
    section: &Section<'_>,
    reading: &Reading<'_>,
    customers: &[Symbol],
) -> Option<(Plan, Vec<Country>)> {
    let name = reading.rule_name(section);
    let mode = Reading::mode(section);
    let customer = section
        .required("customer")
        .and_then(|customer| reading.declared("customer", &customer, customers));
    let countries = section.all_parsed("country", COUNTRY_EXPECTED, Country::parse);
    let networks = plmns(section, reading, "networks");
    let preferred = plmns(section, reading, "preferred");
    let exempt = section.all_parsed("exempt_imsi_prefixes", PREFIX_EXPECTED, Prefix::parse);
    let limits = limits(section);
    let answers = section.sections("answer");
    let answers = answers.iter().filter_map(|answer| read_answer(answer, reading)).collect();
    section.finish();
    check_places(section, reading, &countries, &networks, &preferred);
    if limits.available && section.texts("preferred").is_empty() {
        let complaint = section.at().complain("this plan prefers no network");
        let help = "name some in `preferred`, or say `preferred_available = false`";
        section.push(complaint.with_help(help));
    }
    let values = |list: Vec<At<'_, Plmn>>| list.into_iter().map(|plmn| plmn.value).collect();
    let mut indexed: Vec<Country> = countries.iter().map(|country| country.value).collect();
    indexed
        .extend(networks.iter().chain(&preferred).map(|plmn| reading.networks.country(plmn.value)));
    indexed.sort_unstable();
    indexed.dedup();
    let plan = Plan {
        name: name?,
        customer: customer?,
        mode,
        countries: countries.into_iter().map(|country| country.value).collect(),
        networks: values(networks),
        preferred: values(preferred),
        exempt: exempt.into_iter().map(|prefix| prefix.value).collect(),
        limits,
        answers,
    };
    Some((plan, indexed))
}

fn plmns<'d>(section: &Section<'d>, reading: &Reading<'_>, key: &'static str) -> Vec<At<'d, Plmn>> {
    let found = section.all_parsed(key, PLMN_EXPECTED, |text| text.parse().ok());
    for plmn in &found {
        reading.check_listed(plmn);
    }
    found
}

fn limits(section: &Section<'_>) -> Limits {
    let small = |value: u64| u8::try_from(value).unwrap_or(u8::MAX);
    let refusals = section.number("refusals_max", 1..=REFUSALS_MAX.into());
    let total = section.number("episode_refusals_max", 1..=EPISODE_REFUSALS_MAX);
    let episode = section.number("episode_s", 5..=EPISODE_S_MAX);
    let hold = section.number("hold_s", HOLD_S_MIN..=HOLD_S_MAX);
    let coalesce = section.number("coalesce_ms", 0..=10_000);
    Limits {
        refusals: refusals.map_or(REFUSALS_MAX, small),
        total: small(total.unwrap_or(EPISODE_REFUSALS)),
        episode: Tick::from_ms(episode.unwrap_or(EPISODE_S) * 1000),
        hold: Tick::from_ms(hold.unwrap_or(HOLD_S) * 1000),
        coalesce: Tick::from_ms(coalesce.unwrap_or(COALESCE_MS)),
        available: section.flag("preferred_available").unwrap_or(true),
    }
}

/// A plan is about somewhere, and what it prefers is there.
fn check_places(
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
    for country in countries {
        if !reading.networks.has_country(country.value) {
            let message = format!("no network of a country `{}` is known", country.value.as_str());
            let help = "two letters of ISO 3166, as \"GB\" for the United Kingdom";
            section.push(country.complain(message).with_help(help));
        }
    }
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

fn read_answer(section: &Section<'_>, reading: &Reading<'_>) -> Option<Answer> {
    let visited = plmns(section, reading, "visited");
    let access = section.word("access", &accesses());
    let domain = section.word("domain", &domains());
    let code = section.number("code", 1..=u32::MAX.into());
    let at = section.place_of("code");
    section.finish();
    let Some(code) = code.and_then(|code| u32::try_from(code).ok()) else {
        if at.is_none() {
            section.push(section.at().complain("`code` is missing"));
        }
        return None;
    };
    let asked = domain.as_ref().map(|domain| domain.value);
    let refusals = Domain::ALL.map(|domain| {
        let meant = asked.is_none_or(|asked| asked == domain);
        reading.vocabulary.refusal(Act::Register, domain, code).filter(|_| meant)
    });
    if refusals.iter().all(Option::is_none) {
        let at = at.unwrap_or_else(|| section.at());
        let whom = asked.map_or("any domain", Domain::name);
        let message = format!("code {code} is not a legal refusal of register in {whom}");
        section.push(at.complain(message).with_help(legal(reading, asked)));
        return None;
    }
    Some(Answer {
        visited: visited.into_iter().map(|plmn| plmn.value).collect(),
        access: access.map(|access| access.value),
        refusals,
    })
}

/// The codes that would have been legal, in words.
fn legal(reading: &Reading<'_>, asked: Option<Domain>) -> String {
    let asked = asked.map_or(Domain::ALL.to_vec(), |domain| vec![domain]);
    let mut codes: Vec<(u32, Refusal)> = asked
        .into_iter()
        .flat_map(|domain| reading.vocabulary.legal(Act::Register, domain))
        .collect();
    codes.sort_unstable_by_key(|(code, _)| *code);
    codes.dedup();
    if codes.is_empty() {
        return "no code is legal there yet".to_owned();
    }
    let words: Vec<String> =
        codes.iter().map(|(code, refusal)| format!("{code} {}", refusal.name())).collect();
    format!("legal: {}", words.join(", "))
}
