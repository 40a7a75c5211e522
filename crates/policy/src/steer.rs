//! The steering stage: asks a device that registers on the wrong network to try another one, at most
//! a few times, and always knows when to give in.
//!
//! Only [`Act::Register`] is ever refused here: no standard has a "roaming not allowed" for the
//! others that would move a device, and an authentication refused for it bars the SIM.
//= TS 29.272 §7.4.3
//= TS 29.002 §7.6.1

use procedure::{
    Access, Act, Decision, Domain, Imsi, Outcome, Plmn, Procedure, Record, Refusal, Stage, Symbol,
    Time, Verdict,
};

use crate::customers::Prefix;
use crate::episode::{Ask, Episode, Key, Limits, Said, Tick};
use crate::hash::{self, WordMap};
use crate::matcher::Facts;
use crate::memory::Memory;
use crate::networks::Country;
use crate::reading::Mode;

/// What one customer wants in one visited country.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) name: Symbol,
    pub(crate) customer: Symbol,
    pub(crate) mode: Mode,
    /// Where it holds: these countries …
    pub(crate) countries: Vec<Country>,
    /// … or, where there are any, only on these networks.
    pub(crate) networks: Vec<Plmn>,
    pub(crate) preferred: Vec<Plmn>,
    pub(crate) exempt: Vec<Prefix>,
    pub(crate) limits: Limits,
    pub(crate) answers: Vec<Answer>,
}

/// How a refusal is worded for some networks, accesses and domains.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) visited: Vec<Plmn>,
    pub(crate) access: Option<Access>,
    /// By domain, in the order of [`Domain::ALL`]; none where the code is not legal.
    pub(crate) refusals: [Option<Refusal>; Domain::ALL.len()],
}

/// All plans; the first that holds for a customer's subscriber on a network speaks.
#[derive(Debug, Default)]
pub(crate) struct Steering {
    pub(crate) plans: Vec<Plan>,
    /// Places in the list by customer and country, in the order of the file.
    index: WordMap<Vec<u32>>,
    /// The name under which the memory's own limit speaks.
    full: Option<Symbol>,
}

impl Plan {
    pub(crate) fn covers(&self, visited: Plmn, country: Country) -> bool {
        match self.networks.as_slice() {
            [] => self.countries.contains(&country),
            networks => networks.contains(&visited) || self.preferred.contains(&visited),
        }
    }

    pub(crate) fn prefers(&self, visited: Plmn) -> bool {
        self.preferred.contains(&visited)
    }

    pub(crate) fn exempts(&self, imsi: Imsi) -> bool {
        self.exempt.iter().any(|prefix| prefix.covers(imsi))
    }

    /// How a refusal of this procedure is worded.
    fn refusal(&self, procedure: &Procedure<'_>, visited: Plmn) -> Refusal {
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

impl Steering {
    pub(crate) fn new(plans: Vec<Plan>, countries: &[Vec<Country>], full: Symbol) -> Self {
        let mut index: WordMap<Vec<u32>> = WordMap::default();
        for ((place, plan), countries) in plans.iter().enumerate().zip(countries) {
            for country in countries {
                let places = index.entry(index_key(plan.customer, *country));
                places.extend(u32::try_from(place));
            }
        }
        Self { plans, index, full: Some(full) }
    }

    /// The plan in force for a customer's subscriber on a network.
    pub(crate) fn plan(&self, customer: Symbol, visited: Plmn, country: Country) -> Option<&Plan> {
        let places = self.index.get(index_key(customer, country))?;
        let mut plans = places.iter().filter_map(|place| self.plans.get(*place as usize));
        plans.find(|plan| plan.mode != Mode::Off && plan.covers(visited, country))
    }

    /// Speaks on a registration; true when it is refused.
    pub(crate) fn decide(
        &self,
        now: Time,
        facts: &Facts<'_>,
        memory: &Memory,
        decision: &mut Decision,
    ) -> bool {
        let procedure = facts.procedure;
        let (Act::Register, Some(customer), Some(imsi), Some(visited), Some(operator)) =
            (procedure.act, facts.customer, procedure.imsi, facts.visited, facts.operator)
        else {
            return false;
        };
        let Some(plan) = self.plan(customer, visited, facts.country) else { return false };
        decision.preferred = Some(plan.prefers(visited));
        if plan.prefers(visited) {
            decision.because.push(Stage::Steer, plan.name, Outcome::Preferred);
            return false;
        }
        if plan.exempts(imsi) {
            decision.because.push(Stage::Steer, plan.name, Outcome::Accept);
            return false;
        }
        let ask = Ask {
            network: operator,
            domain: procedure.domain,
            exchange: exchange(procedure),
            refusal: plan.refusal(procedure, visited),
        };
        let now = Tick::of(now);
        let key = key(customer, imsi, facts.country);
        match memory.with(key, now, |episode| episode.ask(now, &plan.limits, ask)) {
            Some((said, replayed)) => speak(plan, said, replayed, decision),
            None => {
                memory.count_unsteered();
                decision.because.push(
                    Stage::Steer,
                    self.full.unwrap_or(plan.name),
                    Outcome::Accept,
                );
                false
            }
        }
    }

    /// Takes in how a registration ended: who was accepted is left in peace.
    pub(crate) fn learn(
        &self,
        record: &Record,
        operator: Option<Plmn>,
        country: Country,
        memory: &Memory,
    ) {
        let (Act::Register, true, Some(customer), Some(imsi), Some(visited), Some(operator)) =
            (record.act, record.success, record.customer, record.imsi, record.visited, operator)
        else {
            return;
        };
        let Some(plan) = self.plan(customer, visited, country) else { return };
        let now = Tick::of(record.closed);
        let key = key(customer, imsi, country);
        if plan.prefers(visited) {
            let _known = memory.with_known(key, Episode::reach);
        } else if !plan.exempts(imsi) {
            let _room =
                memory.with(key, now, |episode| episode.settle(now, &plan.limits, operator));
        }
    }
}

/// The exchange among those of all stacks, each of which numbers its own; zero is none.
const fn exchange(procedure: &Procedure<'_>) -> u64 {
    match procedure.exchange {
        0 => 0,
        exchange => hash::word(procedure.stack.0 as u64, exchange),
    }
}

/// What a subscriber's episode is kept under.
pub(crate) fn key(customer: Symbol, imsi: Imsi, country: Country) -> Key {
    Key { imsi: imsi.word(), customer, country: country.word() }
}

/// Writes into the decision what steering said; true when that refuses.
fn speak(plan: &Plan, said: Said, replayed: bool, decision: &mut Decision) -> bool {
    let because = &mut decision.because;
    if replayed {
        because.push(Stage::Steer, plan.name, Outcome::Replay);
    }
    match said {
        Said::Settled => because.push(Stage::Steer, plan.name, Outcome::Settled),
        Said::Exited { exit, attempt } => {
            because.push(Stage::Steer, plan.name, Outcome::Exit(exit));
            decision.exit = Some(exit);
            decision.attempt = attempt;
        }
        Said::Refused { refusal, attempt } => {
            decision.attempt = attempt;
            if plan.mode == Mode::Observe {
                because.push(Stage::Steer, plan.name, Outcome::WouldRefuse(refusal));
                return false;
            }
            because.push(Stage::Steer, plan.name, Outcome::Refuse(refusal));
            decision.verdict = Verdict::Refuse(refusal);
            decision.refused_by = Some(Stage::Steer);
            return true;
        }
    }
    false
}

const fn index_key(customer: Symbol, country: Country) -> u64 {
    (customer.0 as u64) << 16 | country.word() as u64
}
