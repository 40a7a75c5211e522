//! Going on where an earlier run ended: its records, folded into the memory in their order.
//!
//! A run that was killed may have refused somebody in its last moments without a record of it. For
//! as long as an episode may last, every limit on one network is therefore one less: nobody gets
//! more than four because the gateway forgot one.

use procedure::{Access, Act, Domain, Exit, Imsi, LinkId, Plmn, Procedure, StackId, Time};

use super::Steering;
use super::learn::arrive;
use super::memory::Memory;
use super::packed::{Key, Tick};
use super::plan::Role;
use super::read::EPISODE_S_MAX;
use crate::Compiled;
use crate::matcher::Facts;

/// A registration before this start, as a record tells it.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    /// How long before this start it ended, in milliseconds.
    pub age_ms: u64,
    /// Who.
    pub imsi: Imsi,
    /// Where.
    pub visited: Plmn,
    /// Over which access.
    pub access: Access,
    /// In which domain.
    pub domain: Domain,
    /// How it ended.
    pub end: PastEnd,
}

/// How a registration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PastEnd {
    /// Steering refused it, for this time on this network.
    Refused {
        /// From 1.
        attempt: u8,
    },
    /// Steering gave in.
    GaveIn(Exit),
    /// The home network accepted it.
    Accepted,
}

impl Compiled {
    /// Takes in what happened before this start. Oldest first.
    pub(crate) fn restore(&self, past: &Past, memory: &Memory) {
        let procedure = Procedure {
            act: Act::Register,
            access: past.access,
            domain: past.domain,
            imsi: Some(past.imsi),
            visited: Some(past.visited),
            ..Procedure::unknown(StackId(0), LinkId(0), Time::default())
        };
        self.steering.restore(past, &self.facts(&procedure), memory);
    }
}

impl Memory {
    /// What was restored may lack the last of what was said.
    pub(crate) fn be_careful(&self) {
        self.be_unsure_until(Tick::of(Time::from_ms(EPISODE_S_MAX * 1000)));
    }
}

impl Steering {
    fn restore(&self, past: &Past, facts: &Facts<'_>, memory: &Memory) {
        let (Some(customer), Some(operator)) = (facts.customer, facts.operator) else { return };
        let Some(plan) = self.plan(Time::default(), facts, customer) else { return };
        if plan.exempts(past.imsi) {
            return;
        }
        let then = Tick::before_start(past.age_ms);
        let key = Key::new(past.imsi, facts.country);
        let limits = &plan.terms.limits;
        let _room = match (past.end, plan.role(operator)) {
            (PastEnd::Refused { attempt }, Role::Other | Role::Preferred { .. }) => {
                memory.with(key, then, |episode| {
                    episode.refused_before(then, limits, operator, attempt);
                })
            }
            (PastEnd::GaveIn(Exit::HomeFailing), _) => None,
            (PastEnd::GaveIn(_), _) | (PastEnd::Accepted, Role::Other) => {
                memory.with(key, then, |episode| episode.settle(then, limits, operator))
            }
            (PastEnd::Accepted, Role::Preferred { tier, .. }) => {
                let _news = arrive(memory, key, then, operator, plan.keeps_shares() || tier > 0);
                None
            }
            _ => None,
        };
    }
}
