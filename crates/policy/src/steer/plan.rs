//! What one customer wants in one visited country: networks and their parts, terms and for whom they
//! differ, and when it holds.

use procedure::{Access, Act, Domain, Imsi, Plmn, Procedure, Refusal, Symbol};

use super::calendar::Calendar;
use super::episode::Limits;
use super::packed::{Key, Tick};
use crate::customers::{Device, Prefix};
use crate::hash;
use crate::matcher::{Facts, Pattern};
use crate::networks::Country;
use crate::reading::Mode;

/// Most preferred networks of one plan: so many failures are told apart for a subscriber.
pub const PREFERRED_MAX: usize = super::packed::FAILED_MAX as usize;

/// What one customer wants in one visited country. What every decision reads stands first and
/// together: with ten thousand plans it is seldom in a near cache.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Plan {
    pub(crate) name: Symbol,
    pub(crate) customer: Symbol,
    /// Over every access, at every time.
    pub(crate) is_always: bool,
    /// Without overrides.
    pub(crate) is_plain: bool,
    /// Each subscriber belongs to one network of a tier with shares, whatever the others do.
    pub(crate) fixed_shares: bool,
    /// All preferred networks, as bits of their places.
    pub(crate) all: u32,
    pub(crate) terms: Terms,
    /// The part of all networks without a part of their own.
    pub(crate) others: Role,
    /// Parts that networks play.
    pub(crate) roles: Roles,
    /// Where it holds: these countries …
    pub(crate) countries: Vec<Country>,
    /// … or, where there are any, only on these networks.
    pub(crate) networks: Vec<Plmn>,
    /// Only over these accesses; over any where there are none.
    pub(crate) accesses: Vec<Access>,
    /// The first that holds speaks instead.
    pub(crate) overrides: Vec<Override>,
    pub(crate) calendar: Option<Calendar>,
    pub(crate) tiers: Vec<Tier>,
    pub(crate) answers: Vec<Answer>,
    /// Refusals on a network of a lower tier while a higher one is there.
    pub(crate) tier_refusals: u8,
    /// How far a share may drift above its target before newcomers are asked to go elsewhere, in
    /// hundredths of the tier.
    pub(crate) drift: f32,
}

/// Networks that are equally welcome.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tier {
    pub(crate) networks: Vec<Plmn>,
    /// Target shares in hundredths, in the order of the networks; none where they do not matter.
    pub(crate) shares: Vec<f32>,
}

impl Tier {
    /// The network that a subscriber belongs to where shares are fixed: the same after every restart.
    pub(crate) fn of_subscriber(&self, key: Key) -> Option<Plmn> {
        let mut point = (hash::word(6, key.subscriber()) >> 40) as f32 * 100.0 / (1 << 24) as f32;
        let mut networks = self.networks.iter().zip(&self.shares);
        let own = networks.find(|(_, share)| {
            point -= **share;
            point < 0.0
        });
        own.map(|(network, _)| *network).or_else(|| self.networks.last().copied())
    }
}

/// Parts that networks play, by operator.
#[derive(Debug, Default)]
pub(crate) struct Roles {
    /// The first few, where every decision finds them.
    near: [Option<(Plmn, Role)>; 4],
    rest: Vec<(Plmn, Role)>,
}

impl FromIterator<(Plmn, Role)> for Roles {
    fn from_iter<T: IntoIterator<Item = (Plmn, Role)>>(all: T) -> Self {
        let mut all = all.into_iter();
        let near = std::array::from_fn(|_| all.next());
        Self { near, rest: all.collect() }
    }
}

impl Roles {
    fn of(&self, operator: Plmn) -> Option<Role> {
        let mut all = self.near.iter().flatten().chain(&self.rest);
        all.find(|(plmn, _)| *plmn == operator).map(|(_, role)| *role)
    }
}

/// The part a visited network plays in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Of this tier, from 0; and its place among all preferred networks.
    Preferred { tier: u8, place: u8 },
    /// Nobody roams there.
    Barred,
    /// Not preferred, and nobody is refused there.
    Allowed,
    /// To be left for a preferred one.
    Other,
}

/// How far steering goes for a device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) mode: Mode,
    pub(crate) limits: Limits,
    /// Whether what was learned of an area decides whom it is worth to refuse.
    pub(crate) learn: bool,
    /// Share of devices that are refused even where it does not seem worth it.
    pub(crate) probe: f32,
}

/// Other terms for some devices, in some places.
#[derive(Debug)]
pub(crate) struct Override {
    pub(crate) name: Symbol,
    /// Any of these, or everybody.
    pub(crate) imsis: Vec<ImsiRange>,
    pub(crate) device: Option<Device>,
    /// At these nodes: names, ends of names, or first digits of numbers; or anywhere.
    pub(crate) nodes: Vec<Pattern>,
    pub(crate) numbers: Vec<procedure::Digits>,
    /// Seen in one of these countries within this time; or wherever.
    pub(crate) came_from: Vec<Country>,
    pub(crate) within: Tick,
    pub(crate) terms: Terms,
}

/// IMSIs of one length from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ImsiRange {
    pub(crate) first: Imsi,
    pub(crate) last: Imsi,
}

impl ImsiRange {
    pub(crate) const EXPECTED: &'static str =
        "two IMSIs of one length, as \"214070000000000-214070000999999\"";

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once('-')?;
        let (first, last): (Imsi, Imsi) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (first.len() == last.len() && first <= last).then_some(Self { first, last })
    }

    /// All that begin so.
    pub(crate) fn of_prefix(prefix: Prefix) -> Option<Self> {
        let digits = prefix.to_string();
        let fill = |with: &str| -> Option<Imsi> {
            let rest = Imsi::DIGITS_MAX.checked_sub(digits.len())?;
            format!("{digits}{}", with.repeat(rest)).parse().ok()
        };
        Some(Self { first: fill("0")?, last: fill("9")? })
    }

    /// Digits stand from the top of an IMSI's word, so words of one length are in their order.
    pub(crate) fn covers(self, imsi: Imsi) -> bool {
        self.first.len() == imsi.len() && self.first <= imsi && imsi <= self.last
    }
}

/// How a refusal is worded for some networks, accesses and domains.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) visited: Vec<Plmn>,
    pub(crate) access: Option<Access>,
    /// By domain, in the order of [`Domain::ALL`]; none where the code is not legal.
    pub(crate) refusals: [Option<Refusal>; Domain::ALL.len()],
}

impl Plan {
    pub(crate) fn covers(&self, visited: Plmn, operator: Plmn, country: Country) -> bool {
        match self.networks.as_slice() {
            [] => self.countries.contains(&country),
            networks => {
                networks.contains(&visited)
                    || networks.contains(&operator)
                    || matches!(self.role(operator), Role::Preferred { .. })
            }
        }
    }

    /// Whether it speaks on an access at a time. Where no access is told, the domain tells of 2G and
    /// 3G, or of 4G.
    pub(crate) fn holds(&self, access: Access, domain: Domain, unix_s: u64) -> bool {
        self.speaks_over(access, domain)
            && self.calendar.as_ref().is_none_or(|calendar| calendar.holds(unix_s))
    }

    pub(crate) fn speaks_over(&self, access: Access, domain: Domain) -> bool {
        let over = |known: &Access| match (access, domain) {
            (Access::Unknown, Domain::Eps) => *known == Access::FourG,
            (Access::Unknown, Domain::Cs | Domain::Ps) => {
                matches!(known, Access::TwoG | Access::ThreeG)
            }
            _ => *known == access,
        };
        self.accesses.is_empty() || self.accesses.iter().any(over)
    }

    pub(crate) fn role(&self, operator: Plmn) -> Role {
        self.roles.of(operator).unwrap_or(self.others)
    }

    /// All preferred networks, best first.
    pub(crate) fn preferred(&self) -> impl Iterator<Item = Plmn> + '_ {
        self.tiers.iter().flat_map(|tier| tier.networks.iter().copied())
    }

    /// Preferred networks above a tier, as bits of their places.
    pub(crate) fn above(&self, tier: u8) -> u32 {
        let count: usize =
            self.tiers.iter().take(tier.into()).map(|tier| tier.networks.len()).sum();
        (1_u32 << count.min(PREFERRED_MAX)) - 1
    }

    /// Whether any tier holds shares.
    pub(crate) fn keeps_shares(&self) -> bool {
        self.tiers.iter().any(|tier| !tier.shares.is_empty())
    }

    /// The override that holds, if any does. `seen` tells whether a subscriber was in a country
    /// within a time.
    pub(crate) fn special(
        &self,
        facts: &Facts<'_>,
        seen: impl Fn(Country, Tick) -> bool,
    ) -> Option<&Override> {
        self.overrides.iter().find(|special| special.holds(facts, &seen))
    }

    /// Whether these subscribers are left alone wherever they are: nothing of them is remembered.
    pub(crate) fn exempts(&self, imsi: Imsi) -> bool {
        let alone = |special: &Override| {
            special.terms.mode == Mode::Off
                && special.device.is_none()
                && special.nodes.is_empty()
                && special.numbers.is_empty()
                && special.came_from.is_empty()
        };
        let mut covering =
            self.overrides.iter().filter(|o| o.imsis.iter().any(|range| range.covers(imsi)));
        covering.next().is_some_and(alone)
    }

    /// How a refusal of this procedure is worded.
    pub(crate) fn refusal(&self, procedure: &Procedure<'_>, visited: Plmn) -> Refusal {
        let domain = Domain::ALL.iter().position(|domain| *domain == procedure.domain);
        let worded = self.answers.iter().find_map(|answer| {
            let here = answer.visited.is_empty() || answer.visited.contains(&visited);
            let so = answer.access.is_none_or(|access| access == procedure.access);
            let refusal = *answer.refusals.get(domain?)?;
            refusal.filter(|_| here && so)
        });
        worded.unwrap_or(Refusal::RoamingNotAllowed)
    }
}

impl Override {
    fn holds(&self, facts: &Facts<'_>, seen: impl Fn(Country, Tick) -> bool) -> bool {
        let procedure = facts.procedure;
        let who = self.imsis.is_empty()
            || procedure.imsi.is_some_and(|imsi| self.imsis.iter().any(|r| r.covers(imsi)));
        let what = self.device.is_none_or(|device| facts.device == Some(device));
        let anywhere = self.nodes.is_empty() && self.numbers.is_empty();
        let there = anywhere
            || self.nodes.iter().any(|node| node.covers(procedure.origin.host))
            || self
                .numbers
                .iter()
                .any(|prefix| procedure.serving.is_some_and(|number| number.starts_with(*prefix)));
        let from = || {
            self.came_from.is_empty() || self.came_from.iter().any(|from| seen(*from, self.within))
        };
        who && what && there && from()
    }
}

/// The acts that steering speaks on.
pub(crate) const fn is_steered(act: Act) -> bool {
    matches!(act, Act::Register)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_their_ends_and_nothing_else() {
        let imsi = |text: &str| text.parse::<Imsi>().expect("an IMSI");
        let range = ImsiRange::parse("214070000001000-214070000001999").expect("a range");
        assert!(range.covers(imsi("214070000001000")) && range.covers(imsi("214070000001999")));
        assert!(!range.covers(imsi("214070000002000")) && !range.covers(imsi("214070000000999")));
        assert!(!range.covers(imsi("21407000000150")), "another length");
        assert!(ImsiRange::parse("214070000001999-214070000001000").is_none());
        assert!(ImsiRange::parse("214070000001999").is_none());
        let prefix = Prefix::parse("2140799").and_then(ImsiRange::of_prefix).expect("a range");
        assert!(prefix.covers(imsi("214079900000000")) && !prefix.covers(imsi("214079800000000")));
    }
}
