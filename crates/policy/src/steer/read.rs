//! Reading `steering.toml`.

use procedure::{Act, Domain, Plmn, Refusal, Symbol};

use super::calendar::{self, Calendar, DATE_EXPECTED, HOURS_EXPECTED};
use super::check;
use super::episode::{Limits, REFUSALS_MAX};
use super::packed::Tick;
use super::plan::{Answer, ImsiRange, Override, PREFERRED_MAX, Plan, Role, Terms, Tier};
use crate::customers::{PREFIX_EXPECTED, Prefix, device_words};
use crate::document::{At, Section};
use crate::matcher::Pattern;
use crate::networks::{COUNTRY_EXPECTED, Country, PLMN_EXPECTED};
use crate::reading::{Mode, Reading, accesses, domains};

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
/// What asks again sooner than `resend_ms` is no handset: the shortest retry of the standards is
/// T3411's 10 s, that of bad modules about 2 s. Not looked for unless the plan says so: a device
/// that is wrongly taken for its network waits as long as the episode lasts.
//= TS 24.301 §10.2
pub const RESEND_MS: u64 = 0;
/// Devices in a hundred that are refused where it does not seem worth it, unless the plan says
/// otherwise.
pub const PROBE_PCT: u64 = 2;
/// Refusals on a network of a lower tier unless the plan says otherwise.
pub const TIER_REFUSALS: u64 = 1;
/// Hundredths that a share may drift unless the plan says otherwise.
pub const SHARE_DRIFT_PCT: u64 = 5;
/// How long ago somebody came over a border, unless the plan says otherwise.
pub const CAME_FROM_WITHIN_S: u64 = 3600;

/// Reads one `[[plan]]`; beside it the countries it is found under.
pub(crate) fn read(
    section: &Section<'_>,
    reading: &Reading<'_>,
    customers: &[Symbol],
) -> Option<(Plan, Vec<Country>)> {
    let name = reading.rule_name(section);
    let customer = section
        .required("customer")
        .and_then(|customer| reading.declared("customer", &customer, customers));
    let countries = section.all_parsed("country", COUNTRY_EXPECTED, Country::parse);
    let networks = plmns(section, reading, "networks");
    let accesses = section.words("access", &accesses());
    let preferred = preferred(section, reading);
    let barred = plmns(section, reading, "barred");
    let allowed = plmns(section, reading, "allowed");
    let bar_country = section.flag("bar_country").unwrap_or(false);
    let calendar = calendar(section);
    let terms = terms(section, &usual());
    let tier_refusals = section.number("tier_refusals_max", 0..=REFUSALS_MAX.into());
    let by = [("loop", false), ("subscriber", true)];
    let fixed_shares = section.word("shares_by", &by).is_some_and(|by| by.value);
    let drift = section.number("share_drift_pct", 1..=50).unwrap_or(SHARE_DRIFT_PCT);
    let overrides = overrides(section, reading, &terms);
    let answers = section.sections("answer");
    let answers = answers.iter().filter_map(|answer| read_answer(answer, reading)).collect();
    let is_national = section.flag("national_roaming").unwrap_or(false);
    section.finish();
    check::places(section, reading, &countries, &networks, &preferred.networks);
    check::parts(section, reading, &preferred.networks, &barred, &allowed);
    check::ways_out(
        section,
        reading,
        &check::Ways {
            terms: &terms,
            preferred: &preferred.networks,
            barred: &barred,
            allowed: &allowed,
            countries: &countries,
            bar_country,
        },
    );
    check::home(section, reading, customer, &countries, is_national);
    let operator = |plmn: &At<'_, Plmn>| reading.networks.operator(plmn.value);
    let mut indexed: Vec<Country> = countries.iter().map(|country| country.value).collect();
    let named = networks.iter().chain(&preferred.networks);
    indexed.extend(named.map(|plmn| reading.networks.country(plmn.value)));
    indexed.sort_unstable();
    indexed.dedup();
    let roles = preferred
        .roles(reading)
        .chain(barred.iter().map(|plmn| (operator(plmn), Role::Barred)))
        .chain(allowed.iter().map(|plmn| (operator(plmn), Role::Allowed)))
        .collect();
    let plan = Plan {
        name: name?,
        customer: customer?,
        is_always: accesses.is_empty() && calendar.is_none(),
        is_plain: overrides.is_empty(),
        fixed_shares,
        all: (1 << preferred.networks.len().min(PREFERRED_MAX)) - 1,
        accesses: accesses.into_iter().map(|access| access.value).collect(),
        countries: countries.into_iter().map(|country| country.value).collect(),
        networks: networks.iter().map(operator).collect(),
        calendar,
        tiers: preferred.tiers,
        roles,
        others: if bar_country { Role::Barred } else { Role::Other },
        terms,
        overrides,
        answers,
        tier_refusals: small(tier_refusals.unwrap_or(TIER_REFUSALS)),
        drift: drift as f32,
    };
    Some((plan, indexed))
}

/// Preferred networks as they stand in a file: best first.
struct Preferred<'d> {
    networks: Vec<At<'d, Plmn>>,
    tiers: Vec<Tier>,
}

impl Preferred<'_> {
    fn roles(&self, reading: &Reading<'_>) -> impl Iterator<Item = (Plmn, Role)> + use<> {
        let mut roles = Vec::new();
        for (tier, networks) in self.tiers.iter().enumerate() {
            for network in &networks.networks {
                let tier = u8::try_from(tier).unwrap_or(u8::MAX);
                let place = u8::try_from(roles.len()).unwrap_or(u8::MAX);
                roles.push((reading.networks.operator(*network), Role::Preferred { tier, place }));
            }
        }
        roles.into_iter()
    }
}

/// `preferred`, one tier, or several `[[plan.tier]]`.
fn preferred<'d>(section: &Section<'d>, reading: &Reading<'_>) -> Preferred<'d> {
    let plain = plmns(section, reading, "preferred");
    let shares = section.all_numbers("shares", 0..=100);
    let mut read = Preferred { networks: Vec::new(), tiers: Vec::new() };
    let mut add = |networks: Vec<At<'d, Plmn>>, shares: Vec<At<'d, u64>>, section: &Section<'d>| {
        check::shares(section, &networks, &shares);
        let operators = networks.iter().map(|plmn| reading.networks.operator(plmn.value));
        let shares = shares.iter().map(|share| share.value as f32).collect();
        read.tiers.push(Tier { networks: operators.collect(), shares });
        read.networks.extend(networks);
    };
    let tiers = section.sections("tier");
    if !plain.is_empty() && !tiers.is_empty() {
        let complaint = section.at().complain("a plan has `preferred` or tiers, not both");
        section.push(complaint.with_help("put the networks of `preferred` into a [[plan.tier]]"));
    }
    if !plain.is_empty() || !shares.is_empty() {
        add(plain, shares, section);
    }
    for tier in &tiers {
        let networks = plmns(tier, reading, "networks");
        let shares = tier.all_numbers("shares", 0..=100);
        tier.finish();
        if networks.is_empty() {
            tier.push(tier.at().complain("this tier has no networks"));
        }
        add(networks, shares, tier);
    }
    read
}

fn calendar(section: &Section<'_>) -> Option<Calendar> {
    let first = section.parsed("valid_from", DATE_EXPECTED, calendar::date);
    let last = section.parsed("valid_until", DATE_EXPECTED, calendar::date);
    let hours = section.all_parsed("hours_utc", HOURS_EXPECTED, calendar::hours);
    if let (Some(first), Some(last)) = (&first, &last)
        && last.value < first.value
    {
        section.push(last.complain("`valid_until` is before `valid_from`"));
    }
    let calendar = Calendar {
        first: first.map(|date| date.value),
        last: last.map(|date| date.value),
        hours: hours.into_iter().map(|hours| hours.value).collect(),
    };
    (calendar != Calendar::default()).then_some(calendar)
}

pub(super) fn plmns<'d>(
    section: &Section<'d>,
    reading: &Reading<'_>,
    key: &'static str,
) -> Vec<At<'d, Plmn>> {
    let found = section.all_parsed(key, PLMN_EXPECTED, |text| text.parse().ok());
    for plmn in &found {
        reading.check_listed(plmn);
    }
    found
}

/// The terms of a plan that says nothing of them.
const fn usual() -> Terms {
    Terms {
        mode: Mode::Enforce,
        limits: Limits {
            refusals: REFUSALS_MAX,
            total: EPISODE_REFUSALS as u8,
            returns: REFUSALS_MAX,
            episode: Tick::from_ms(EPISODE_S * 1000),
            hold: Tick::from_ms(HOLD_S * 1000),
            coalesce: Tick::from_ms(COALESCE_MS),
            resend: Tick::from_ms(RESEND_MS),
            available: true,
        },
        learn: true,
        probe: PROBE_PCT as f32 / 100.0,
    }
}

fn small(value: u64) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

/// Terms as far as they are written; the rest as in `base`.
fn terms(section: &Section<'_>, base: &Terms) -> Terms {
    let limits = base.limits;
    let most = u64::from(REFUSALS_MAX);
    let ticks = |key, range, each: u64, usual| {
        section.number(key, range).map_or(usual, |value| Tick::from_ms(value * each))
    };
    let count = |key, range, usual| section.number(key, range).map_or(usual, small);
    let mode = section.place_of("mode").map_or(base.mode, |_| Reading::mode(section));
    let probe = section.number("probe_pct", 0..=100).map(|probe| probe as f32 / 100.0);
    Terms {
        mode,
        limits: Limits {
            refusals: count("refusals_max", 1..=most, limits.refusals),
            total: count("episode_refusals_max", 1..=EPISODE_REFUSALS_MAX, limits.total),
            returns: count("returns_max", 1..=most, limits.returns),
            episode: ticks("episode_s", 5..=EPISODE_S_MAX, 1000, limits.episode),
            hold: ticks("hold_s", HOLD_S_MIN..=HOLD_S_MAX, 1000, limits.hold),
            coalesce: ticks("coalesce_ms", 0..=10_000, 1, limits.coalesce),
            resend: ticks("resend_ms", 0..=10_000, 1, limits.resend),
            available: section.flag("preferred_available").unwrap_or(limits.available),
        },
        learn: section.flag("learn").unwrap_or(base.learn),
        probe: probe.unwrap_or(base.probe),
    }
}

/// `exempt_imsi_prefixes`, which come first, and every `[[plan.override]]`.
fn overrides(section: &Section<'_>, reading: &Reading<'_>, base: &Terms) -> Vec<Override> {
    let mut list = Vec::new();
    let exempt = ranges(section, "exempt_imsi_prefixes");
    if !exempt.is_empty() {
        list.push(Override {
            name: reading.symbols.intern("exempt_imsi_prefixes"),
            imsis: exempt,
            device: None,
            nodes: Vec::new(),
            numbers: Vec::new(),
            came_from: Vec::new(),
            within: Tick::ZERO,
            terms: Terms { mode: Mode::Off, ..*base },
        });
    }
    let sections = section.sections("override");
    for special in &sections {
        list.extend(read_override(special, reading, base));
    }
    check::overrides(&sections, &list);
    list
}

fn ranges(section: &Section<'_>, key: &'static str) -> Vec<ImsiRange> {
    let prefixes = section.all_parsed(key, PREFIX_EXPECTED, Prefix::parse);
    prefixes.iter().filter_map(|prefix| ImsiRange::of_prefix(prefix.value)).collect()
}

fn read_override(section: &Section<'_>, reading: &Reading<'_>, base: &Terms) -> Option<Override> {
    let name = reading.rule_name(section);
    let mut imsis = ranges(section, "imsi_prefixes");
    let given = section.all_parsed("imsi_ranges", ImsiRange::EXPECTED, ImsiRange::parse);
    imsis.extend(given.into_iter().map(|range| range.value));
    let device = section.word("device", &device_words());
    let expected = "a name, \"*.\" and the end of one, or the first digits of a number";
    let nodes = section.all_parsed("nodes", expected, |text| {
        let number = text.parse().ok().filter(|digits: &procedure::Digits| !digits.is_empty());
        number.map(Err).or_else(|| Some(Ok(Pattern::parse(text)?)))
    });
    let came_from = section.all_parsed("came_from", COUNTRY_EXPECTED, Country::parse);
    check::known_countries(section, reading, &came_from);
    let within = section.number("came_from_within_s", 60..=86_400);
    let terms = terms(section, base);
    section.finish();
    let (mut names, mut numbers) = (Vec::new(), Vec::new());
    for node in nodes {
        match node.value {
            Ok(name) => names.push(name),
            Err(number) => numbers.push(number),
        }
    }
    Some(Override {
        name: name?,
        imsis,
        device: device.map(|device| device.value),
        nodes: names,
        numbers,
        came_from: came_from.into_iter().map(|country| country.value).collect(),
        within: Tick::from_ms(within.unwrap_or(CAME_FROM_WITHIN_S) * 1000),
        terms,
    })
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
    if refusals.contains(&Some(Refusal::UnknownSubscriber)) {
        let at = at.unwrap_or_else(|| section.at());
        let complaint = at.complain(format!("code {code} bars the whole SIM in the device"));
        let help = "it gives up all networks, the preferred ones as well, until it is switched off";
        section.push(complaint.with_help(help).as_warning());
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
