//! What one policy did, in numbers.

use std::collections::{BTreeSet, HashMap};

use policy::Country;
use procedure::{Decision, Domain, Exit, Outcome, Plmn, Stage, Symbol};

use super::moves::TRIAL_US;
use super::traffic::{ATTACH_US, End, Event};

/// Networks of a country that a subscriber's refusals are told apart on.
const REFUSED_NETWORKS_MAX: usize = 8;

/// What became of one registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It went on.
    Served,
    /// Steering refused it.
    Refused,
    /// The customer's subscribers do not roam there.
    Barred,
    /// Something before steering refused it.
    Screened,
}

/// The rule that spoke last, and its word.
pub(crate) type Spoken = (Symbol, &'static str);

/// All counts of one policy's replay.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) registrations: u64,
    pub(crate) refused: u64,
    pub(crate) would_refuse: u64,
    pub(crate) barred: u64,
    pub(crate) screened: u64,
    /// Authentications before the refused.
    pub(crate) dragged: u64,
    pub(crate) accepted: u64,
    /// Of these, those on which a plan spoke, and those on a preferred network.
    pub(crate) planned: u64,
    pub(crate) preferred: u64,
    pub(crate) exits: [u64; Exit::ALL.len()],
    /// Recorded registrations that would not have happened.
    pub(crate) passed_over: u64,
    /// Accepted then and refused now: registrations after which the device moves, or insists.
    pub(crate) moved: u64,
    pub(crate) insisted: u64,
    /// Made-up registrations, part of `registrations`.
    pub(crate) made_up: u64,
    /// Devices that insisted in vain.
    pub(crate) given_up: u64,
    /// Networks for which the share of moves was assumed.
    pub(crate) assumed: BTreeSet<Plmn>,
    pub(crate) groups: HashMap<(Option<Symbol>, Plmn), Group>,
    pub(crate) people: HashMap<(u32, Country), Person>,
}

/// A customer's registrations on a visited network.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) registrations: u64,
    pub(crate) refused: u64,
    pub(crate) barred: u64,
    /// How often which rule said what.
    pub(crate) words: HashMap<Spoken, u64>,
}

/// A subscriber in a country.
#[derive(Clone, Debug, Default)]
pub(crate) struct Person {
    pub(crate) refusals: Vec<Refusals>,
    /// The plan and the network of the last acceptance.
    pub(crate) settled: Option<(Symbol, Plmn)>,
    pub(crate) away: Option<Away>,
}

/// A subscriber's refusals on one network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusals {
    pub(crate) network: Plmn,
    pub(crate) rule: Symbol,
    pub(crate) count: u32,
    pub(crate) customer: Option<Symbol>,
}

/// A subscriber whom this policy has sent another way than the records tell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Away {
    pub(crate) since_us: u64,
    pub(crate) until_us: u64,
    /// Where: further domains of the same attach still come from there.
    pub(crate) network: Plmn,
    /// Where to; nowhere where it asks again, or is served.
    pub(crate) goes: Option<Plmn>,
    /// The refusal that the records tell of then; other domains of it have the same number.
    pub(crate) attempt: u8,
    /// Those that have come, in the order of [`Domain::ALL`].
    pub(crate) domains: [bool; Domain::ALL.len()],
    /// It ends when the records tell of an acceptance.
    pub(crate) until_accepted: bool,
}

impl Away {
    /// From this registration on, for as long as a trial lasts.
    pub(crate) fn new(event: &Event, at_us: u64, network: Plmn, until_accepted: bool) -> Self {
        Self {
            since_us: at_us,
            until_us: at_us.saturating_add(TRIAL_US),
            network,
            goes: None,
            attempt: event.attempt,
            domains: Domain::ALL.map(|known| known == event.domain),
            until_accepted,
        }
    }

    /// Whether a recorded registration belongs to the attach that it began with: it then happens all
    /// the same, once for each domain.
    pub(crate) fn takes(&mut self, event: &Event, network: Plmn) -> bool {
        let age_us = event.opened_us.saturating_sub(self.since_us);
        let is_next = event.end == End::Refused && event.attempt != self.attempt;
        if network != self.network || age_us > ATTACH_US || is_next {
            return false;
        }
        let place = Domain::ALL.iter().position(|known| *known == event.domain);
        let own = place.and_then(|place| self.domains.get_mut(place));
        own.is_some_and(|own| !std::mem::replace(own, true))
    }

    /// A recorded registration is passed over; with an acceptance that was waited for, and the other
    /// domains of its attach, it is over.
    pub(crate) fn passes(&mut self, event: &Event) {
        if self.until_accepted && event.end == End::Accepted {
            self.until_us = self.until_us.min(event.opened_us.saturating_add(ATTACH_US));
        }
    }
}

impl Tally {
    /// One registration and what was said.
    pub(crate) fn note(
        &mut self,
        decision: &Decision,
        verdict: Verdict,
        network: Option<Plmn>,
    ) -> Option<Spoken> {
        self.registrations += 1;
        match verdict {
            Verdict::Served => {}
            Verdict::Refused => self.refused += 1,
            Verdict::Barred => self.barred += 1,
            Verdict::Screened => self.screened += 1,
        }
        let would = |reason: procedure::Reason| {
            reason.stage == Stage::Steer && matches!(reason.outcome, Outcome::WouldRefuse(_))
        };
        self.would_refuse += u64::from(decision.because.iter().any(would));
        if let Some(exit) = decision.exit
            && let Some(place) = Exit::ALL.iter().position(|known| *known == exit)
            && let Some(count) = self.exits.get_mut(place)
        {
            *count += 1;
        }
        let spoken = spoken(decision, verdict);
        if let Some(network) = network {
            let group = self.groups.entry((decision.customer, network)).or_default();
            group.registrations += 1;
            group.refused += u64::from(verdict == Verdict::Refused);
            group.barred += u64::from(verdict == Verdict::Barred);
            if let Some(spoken) = spoken {
                *group.words.entry(spoken).or_default() += 1;
            }
        }
        spoken
    }

    /// Subscribers who were ever refused.
    pub(crate) fn refused_people(&self) -> u64 {
        self.people.values().filter(|person| !person.refusals.is_empty()).count() as u64
    }
}

impl Person {
    pub(crate) fn refuse(&mut self, network: Plmn, rule: Symbol, customer: Option<Symbol>) {
        let has_room = self.refusals.len() < REFUSED_NETWORKS_MAX;
        match self.refusals.iter_mut().find(|refusals| refusals.network == network) {
            Some(refusals) => (refusals.count, refusals.rule) = (refusals.count + 1, rule),
            None if has_room => {
                self.refusals.push(Refusals { network, rule, count: 1, customer });
            }
            None => {}
        }
    }
}

/// The rule that decided: steering's last word, or screening's where that refused.
fn spoken(decision: &Decision, verdict: Verdict) -> Option<Spoken> {
    let stage = if verdict == Verdict::Screened { Stage::Screen } else { Stage::Steer };
    let says = |outcome: Outcome| !matches!(outcome, Outcome::Override | Outcome::Learned { .. });
    let mut reasons = decision.because.iter().filter(|r| r.stage == stage && says(r.outcome));
    let last = reasons.by_ref().last()?;
    Some((last.rule, if verdict == Verdict::Barred { "barred" } else { last.outcome.name() }))
}
