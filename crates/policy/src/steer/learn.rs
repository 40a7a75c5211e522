//! How the outcomes of registrations come in: who is settled, who moved, who fails.

use procedure::{
    Access, Act, Code, Domain, Finish, LinkId, Plmn, Procedure, Provenance, Record, Refusal,
    Vocabulary,
};

use super::cells::Place;
use super::episode::{Episode, Limits};
use super::memory::Memory;
use super::packed::{Key, Tick};
use super::plan::Role;
use super::{Steering, index_key, plan};
use crate::matcher::Facts;
use crate::networks::Country;

/// What codes of a refused registration mean, by domain.
#[derive(Debug, Default)]
pub(crate) struct Meanings([Vec<(u32, Refusal)>; Domain::ALL.len()]);

impl Meanings {
    pub(crate) fn new(vocabulary: &dyn Vocabulary) -> Self {
        Self(Domain::ALL.map(|domain| vocabulary.legal(Act::Register, domain)))
    }

    /// Whether an answer is the network's trouble and not the subscriber's: nobody can say that of a
    /// code that is not known.
    fn is_trouble(&self, record: &Record) -> bool {
        let code = match record.code {
            Code::Base(code) | Code::Error(code) | Code::Experimental { code, .. } => code,
            Code::Abort(_) | Code::Returned(_) => return true,
            Code::None | Code::Reject(_) => return false,
        };
        let place = Domain::ALL.iter().position(|domain| *domain == record.domain);
        let known = place.and_then(|place| self.0.get(place)).map_or(&[][..], Vec::as_slice);
        let meaning = known.iter().find(|(known, _)| *known == code).map(|(_, refusal)| *refusal);
        matches!(meaning, Some(Refusal::SystemFailure | Refusal::Congestion | Refusal::Unroutable))
    }
}

/// How a registration ended, as far as steering cares.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Accepted,
    /// The home network said no to this subscriber.
    Denied,
    /// It did not answer, or said that it cannot.
    Failed,
}

impl Steering {
    fn end(&self, record: &Record) -> Option<End> {
        match (record.finish, record.provenance) {
            _ if record.success => Some(End::Accepted),
            (Finish::Expired, _) => Some(End::Failed),
            (Finish::Answered, Provenance::Relayed) if self.meanings.is_trouble(record) => {
                Some(End::Failed)
            }
            (Finish::Answered, Provenance::Relayed) => Some(End::Denied),
            _ => None,
        }
    }

    /// Takes in how a registration ended.
    pub(crate) fn learn(
        &self,
        record: &Record,
        operator: Option<Plmn>,
        country: Country,
        memory: &Memory,
    ) {
        let (true, Some(customer), Some(imsi), Some(visited), Some(operator), Some(end)) = (
            plan::is_steered(record.act),
            record.customer,
            record.imsi,
            record.visited,
            operator,
            self.end(record),
        ) else {
            return;
        };
        let now = Tick::of(record.closed);
        memory.learned.health.note(customer, operator, end != End::Failed, now);
        let procedure = registration(record.access, record);
        let facts = Facts {
            procedure: &procedure,
            customer: Some(customer),
            home: record.home,
            visited: Some(visited),
            country,
            operator: Some(operator),
            device: None,
        };
        let watched = self.watched.get(index_key(customer, country)).copied().unwrap_or(false);
        let key = Key::new(imsi, country);
        let crossed = match end {
            End::Accepted => memory.learned.crossings.end(key, country, now),
            _ => None,
        };
        let plan = self.plan(record.closed, &facts, customer);
        if let Some((area, since)) = crossed {
            let role = plan.map(|plan| plan.role(operator));
            let moved = matches!(role, Some(Role::Preferred { .. }));
            memory.learned.areas.end(area, since, moved);
        }
        let Some(plan) = plan else {
            if watched && end == End::Accepted {
                let _room = memory.with(key, now, |episode| episode.welcome(now, operator));
            }
            return;
        };
        match (plan.role(operator), end) {
            (Role::Preferred { tier, .. }, End::Accepted) => {
                let keeps = watched || plan.keeps_shares() || tier > 0;
                let arrived = arrive(memory, key, now, operator, keeps);
                let Some(arrived) = arrived else { return };
                if let Some((area, since)) = arrived.from {
                    memory.learned.areas.end(area, since, true);
                }
                if arrived.is_new && plan.keeps_shares() {
                    memory.learned.shares.note(plan.name, operator, now);
                }
            }
            (Role::Preferred { place, .. }, _) => {
                let _known = memory.with_known(key, |episode| episode.fail(place.into()));
            }
            (Role::Other, End::Accepted) if !plan.exempts(imsi) => {
                settle(memory, key, now, &plan.terms.limits, operator);
            }
            _ => {}
        }
    }
}

/// Who was accepted on a preferred network.
pub(super) struct Arrived {
    /// Was not settled there before.
    is_new: bool,
    /// Had been refused, there and since then.
    from: Option<(Place, Tick)>,
}

pub(super) fn arrive(
    memory: &Memory,
    key: Key,
    now: Tick,
    operator: Plmn,
    keeps: bool,
) -> Option<Arrived> {
    let work = |episode: &mut Episode| {
        let is_new = !episode.is_settled_on(operator);
        let since = episode.since().filter(|_| episode.refusals() > 0);
        let news = if keeps { episode.welcome(now, operator) } else { episode.reach() };
        let from = since.filter(|_| news).map(|since| (Place(episode.area), since));
        Arrived { is_new, from }
    };
    if keeps { memory.with(key, now, work) } else { memory.with_known(key, work) }
}

/// The home network said yes where the plan would rather not have it: left in peace.
fn settle(memory: &Memory, key: Key, now: Tick, limits: &Limits, operator: Plmn) {
    let ended = memory.with(key, now, |episode| {
        let trial = episode.trial(now, limits).map(|(area, since)| (Place(area), since));
        episode.settle(now, limits, operator);
        trial
    });
    if let Some((area, since)) = ended.flatten() {
        memory.learned.areas.end(area, since, false);
    }
}

/// As much of the opening message as a plan asks for.
fn registration(access: Access, record: &Record) -> Procedure<'static> {
    Procedure {
        act: record.act,
        domain: record.domain,
        access,
        imsi: record.imsi,
        ..Procedure::unknown(record.stack, LinkId(0), record.opened)
    }
}
