//! One policy replays the traffic.
//!
//! ```text
//! recorded registration ─▷ passed over? ─▷ decide ─┬▷ served ──▷ its end, learned
//!                                                   └▷ refused ─▷ was it so then? nothing more
//!                                                        └▷ accepted then: the device moves, or
//! made-up registration ◁─────────────────────────────────   asks again ◁─┘
//! ```

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use policy::{Compiled, Country, Engine, PlanOutline, Ruleset, standard_realm};
use procedure::{
    Act, Decision, LinkId, Node, Outcome, Plmn, Procedure, Record, Rules, Stage, Symbol, Time,
};

use super::moves::Moves;
use super::outcome::{record, verdict};
use super::progress::Progress;
use super::tally::{Away, Person, Tally, Verdict};
use super::traffic::{End, Event, Traffic};

/// How long a device waits before it asks again, or elsewhere.
const RETRY_US: u64 = 10_000_000;
/// Made-up registrations that follow one recorded: more than any episode has refusals.
const TRIES_MAX: u8 = 40;
/// How long the home network takes to answer where no record tells.
const ANSWER_US: u32 = 100_000;

/// One policy at work.
pub(crate) struct Side<'t> {
    pub(crate) engine: Engine,
    pub(crate) rules: Arc<Ruleset>,
    pub(crate) tally: Tally,
    traffic: &'t Traffic,
    moves: &'t Moves,
    plans: HashMap<Symbol, PlanOutline>,
    realms: HashMap<Plmn, String>,
    /// Askers seen for each network, for whoever moves there.
    askers: HashMap<Plmn, u32>,
    start_us: u64,
    due: BinaryHeap<Due>,
    number: u64,
}

/// One registration that is asked for.
#[derive(Clone, Copy, Debug)]
struct Ask {
    /// The recorded one that it follows, or is.
    event: usize,
    at_us: u64,
    /// On another network than recorded.
    elsewhere: Option<Plmn>,
    /// How many made-up ones it follows, itself included; 0 for the recorded one.
    tries: u8,
}

/// Something that happens later.
struct Due {
    at_us: u64,
    number: u64,
    what: What,
}

enum What {
    Learn(Box<Record>),
    Ask(Ask),
}

impl Ord for Due {
    /// The earliest is the greatest; of two the one that was told first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at_us, other.number).cmp(&(self.at_us, self.number))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Due {}

impl<'t> Side<'t> {
    pub(crate) fn new(
        engine: Engine,
        traffic: &'t Traffic,
        moves: &'t Moves,
        start_us: u64,
    ) -> Self {
        let rules = engine.ruleset();
        let symbols = engine.symbols();
        let named = |plan: PlanOutline| (symbols.intern(&plan.name), plan);
        let plans = rules.compiled().plans().into_iter().map(named).collect();
        let mut side = Self {
            engine,
            rules,
            tally: Tally::default(),
            traffic,
            moves,
            plans,
            realms: HashMap::new(),
            askers: HashMap::new(),
            start_us,
            due: BinaryHeap::new(),
            number: 0,
        };
        side.look();
        side
    }

    /// Learns who asks for which network, and who was held when the records begin.
    fn look(&mut self) {
        let traffic = self.traffic;
        for event in &traffic.events {
            let Some(visited) = super::moves::visited(event, traffic, self.compiled()) else {
                continue;
            };
            let networks = self.compiled().networks();
            let (operator, country) = (networks.operator(visited), networks.country(visited));
            self.realms.entry(visited).or_insert_with(|| standard_realm(visited));
            self.askers.entry(operator).or_insert(event.node);
            let key = (event.who, country);
            if self.tally.people.contains_key(&key) {
                continue;
            }
            self.tally.people.insert(key, Person::default());
            if event.held {
                let ask = Ask { event: 0, at_us: self.start_us, elsewhere: None, tries: 0 };
                let procedure = self.procedure(event, &ask);
                let decision = self.facts(&procedure);
                let record = record(&procedure, &decision, End::Accepted, procedure.arrived);
                self.rules.learn(&record);
            }
        }
        let preferred = self.plans.values().flat_map(|plan| plan.preferred.iter().copied());
        let preferred: Vec<Plmn> = preferred.collect();
        for network in preferred {
            self.realms.entry(network).or_insert_with(|| standard_realm(network));
        }
    }

    /// Whose subscriber it is and so on, without a decision.
    fn facts(&self, procedure: &Procedure<'_>) -> Decision {
        // No stage speaks on this act without a rule of the operator's, and nothing is remembered.
        let procedure = Procedure { act: Act::Query, ..*procedure };
        self.rules.decide(procedure.arrived, &procedure)
    }

    fn compiled(&self) -> &Compiled {
        self.rules.compiled()
    }

    /// Replays everything.
    pub(crate) fn run(&mut self, mut progress: Progress) {
        let traffic = self.traffic;
        for (place, event) in traffic.events.iter().enumerate() {
            self.settle(event.opened_us);
            self.recorded(place, event);
            progress.step();
        }
        self.settle(u64::MAX);
        progress.end();
    }

    /// Everything that happens until then.
    fn settle(&mut self, until_us: u64) {
        while self.due.peek().is_some_and(|due| due.at_us <= until_us) {
            match self.due.pop().map(|due| due.what) {
                Some(What::Learn(record)) => self.rules.learn(&record),
                Some(What::Ask(ask)) => self.ask(&ask),
                None => return,
            }
        }
    }

    fn later(&mut self, at_us: u64, what: What) {
        self.number += 1;
        self.due.push(Due { at_us, number: self.number, what });
    }

    fn recorded(&mut self, place: usize, event: &Event) {
        let ask = Ask { event: place, at_us: event.opened_us, elsewhere: None, tries: 0 };
        if self.is_passed_over(event) {
            self.tally.passed_over += 1;
        } else {
            self.ask(&ask);
        }
    }

    /// Whether a recorded registration would not have happened, for the subscriber went another way.
    fn is_passed_over(&mut self, event: &Event) -> bool {
        let Some((key, operator)) = self.place(event, None) else { return false };
        let person = self.tally.people.entry(key).or_default();
        let Some(away) = &mut person.away else { return false };
        if event.opened_us > away.until_us {
            person.away = None;
            return false;
        }
        if away.takes(event, operator) {
            return false;
        }
        away.passes(event);
        true
    }

    /// The subscriber in the visited country, and the visited operator.
    fn place(&self, event: &Event, elsewhere: Option<Plmn>) -> Option<((u32, Country), Plmn)> {
        let networks = self.compiled().networks();
        let own = || super::moves::visited(event, self.traffic, self.compiled());
        let visited = elsewhere.or_else(own)?;
        Some(((event.who, networks.country(visited)), networks.operator(visited)))
    }

    fn ask(&mut self, ask: &Ask) {
        let traffic = self.traffic;
        let Some(event) = traffic.events.get(ask.event) else { return };
        let procedure = self.procedure(event, ask);
        let decision = self.rules.decide(procedure.arrived, &procedure);
        let verdict = verdict(&decision);
        let place = self.place(event, ask.elsewhere);
        let operator = place.map(|(_, operator)| operator);
        let end = match event.end {
            _ if ask.tries > 0 => End::Accepted,
            // As far as anybody knows the home network would have said yes.
            End::Refused | End::Barred => End::Accepted,
            end => end,
        };
        let took_us = if event.end == end { event.latency_us } else { ANSWER_US };
        let closed = self.time(ask.at_us.saturating_add(took_us.into()));
        let record = record(&procedure, &decision, end, closed);
        let spoken = self.tally.note(&decision, verdict, operator);
        self.tally.made_up += u64::from(ask.tries > 0);
        match verdict {
            Verdict::Served => {
                self.later(ask.at_us.saturating_add(took_us.into()), What::Learn(Box::new(record)));
                self.serve(event, ask, &decision, end == End::Accepted);
            }
            Verdict::Refused | Verdict::Barred => {
                if verdict == Verdict::Refused {
                    self.tally.dragged += u64::from(event.dragged);
                }
                let (Some((rule, _)), Some((key, operator))) = (spoken, place) else { return };
                let person = self.tally.people.entry(key).or_default();
                person.refuse(operator, rule, decision.customer);
                let is_replay = decision.because.iter().any(|r| r.outcome == Outcome::Replay);
                let new = ask.tries > 0 || event.end == End::Accepted && !is_replay;
                if verdict == Verdict::Refused && new {
                    self.follow(event, ask, rule, (key, operator));
                }
            }
            Verdict::Screened => {}
        }
    }

    /// The subscriber is served, unless the home network says no.
    fn serve(&mut self, event: &Event, ask: &Ask, decision: &Decision, accepted: bool) {
        if !accepted {
            return;
        }
        self.tally.accepted += 1;
        let Some((key, operator)) = self.place(event, ask.elsewhere) else { return };
        let tally = &mut self.tally;
        tally.planned += u64::from(decision.preferred.is_some());
        tally.preferred += u64::from(decision.preferred == Some(true));
        let person = tally.people.entry(key).or_default();
        if decision.preferred.is_some() {
            let plan = decision
                .because
                .iter()
                .filter(|r| r.stage == Stage::Steer && !matches!(r.outcome, Outcome::Override));
            person.settled = plan.last().map(|reason| (reason.rule, operator));
        }
        if ask.tries > 0 && ask.elsewhere.is_none() {
            // It insisted, and from here on the records tell what happened.
            person.away = None;
        } else if ask.tries == 0
            && matches!(event.end, End::Refused | End::Barred)
            && person.away.is_none()
        {
            person.away = Some(Away::new(event, ask.at_us, operator, true));
        }
    }

    /// Where the device turns next whom the records show accepted.
    fn follow(
        &mut self,
        event: &Event,
        ask: &Ask,
        rule: Symbol,
        (key, operator): ((u32, Country), Plmn),
    ) {
        if ask.tries >= TRIES_MAX {
            self.tally.given_up += 1;
            return;
        }
        let away = self.tally.people.get(&key).and_then(|person| person.away);
        let target = match away {
            _ if ask.tries > 0 || event.insists => None,
            // Another domain of an attach goes where that does.
            Some(away) => away.goes,
            None => self.turn(event, rule, operator),
        };
        match target {
            Some(_) => self.tally.moved += 1,
            None => self.tally.insisted += u64::from(ask.tries == 0),
        }
        let at_us = ask.at_us.saturating_add(RETRY_US);
        let elsewhere = target.or(ask.elsewhere);
        self.later(at_us, What::Ask(Ask { at_us, elsewhere, tries: ask.tries + 1, ..*ask }));
        let person = self.tally.people.entry(key).or_default();
        if person.away.is_none() {
            let away = Away::new(event, ask.at_us, operator, false);
            person.away = Some(Away { goes: target, ..away });
        }
    }

    /// Where a refused device turns, if it does not insist.
    fn turn(&mut self, event: &Event, rule: Symbol, operator: Plmn) -> Option<Plmn> {
        let (share, assumed) = self.moves.share(operator);
        let target = self.target(rule, operator, self.draw(event.who, 1))?;
        if assumed {
            self.tally.assumed.insert(operator);
        }
        (self.draw(event.who, 0) < share).then_some(target)
    }

    /// The preferred network that a refused device turns up on: as often as they did in the records,
    /// where these know all of the first tier; else by the plan's shares, else any of that tier.
    /// `draw` is below one.
    fn target(&self, rule: Symbol, from: Plmn, draw: f64) -> Option<Plmn> {
        let plan = self.plans.get(&rule)?;
        let own = plan.tiers.iter().position(|tier| tier.networks.contains(&from));
        let better = own.filter(|tier| *tier > 0).unwrap_or(plan.tiers.len());
        let tiers = plan.tiers.get(..better.max(1))?;
        let first = tiers.first()?;
        let others = |networks: &[Plmn], weight: &dyn Fn(usize, Plmn) -> f64| -> Vec<(Plmn, f64)> {
            let networks = networks.iter().copied().enumerate().filter(|(_, to)| *to != from);
            networks.map(|(place, to)| (to, weight(place, to))).collect()
        };
        let landed = |_, network| self.moves.landed(network) as f64;
        let seen = others(&first.networks, &landed);
        if !seen.is_empty() && seen.iter().all(|(_, weight)| *weight > 0.0) {
            let all: Vec<Plmn> = tiers.iter().flat_map(|tier| tier.networks.clone()).collect();
            return choose(&others(&all, &landed), draw);
        }
        let share =
            |place: usize, _| first.shares.get(place).map_or(1.0, |share| f64::from(*share));
        choose(&others(&first.networks, &share), draw)
    }

    /// A number below one that is the same for a subscriber under every policy.
    fn draw(&self, who: u32, salt: u64) -> f64 {
        let person = self.traffic.people.get(who as usize);
        let word = person.map_or(0, |person| u128::from_be_bytes(person.pseudonym));
        let mixed = mix((word >> 64) as u64 ^ mix(word as u64 ^ salt));
        (mixed >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn time(&self, at_us: u64) -> Time {
        Time(at_us.saturating_sub(self.start_us).saturating_mul(1000))
    }

    fn procedure(&self, event: &Event, ask: &Ask) -> Procedure<'_> {
        let traffic = self.traffic;
        let node = match ask.elsewhere {
            Some(network) => self.askers.get(&network).copied(),
            None => Some(event.node),
        };
        let asker = node.and_then(|node| traffic.nodes.get(node as usize));
        let visited = ask.elsewhere.or(event.visited);
        let realm = visited.and_then(|visited| self.realms.get(&visited));
        let said = asker.and_then(|asker| asker.realm.as_deref());
        let exchange = match ask.tries {
            0 => event.exchange,
            tries => mix(event.exchange ^ u64::from(tries)) | 1,
        };
        let link = asker.and_then(|asker| asker.link).unwrap_or(LinkId(u32::MAX));
        let imsi = traffic.people.get(event.who as usize).map(|who| who.imsi);
        Procedure {
            act: Act::Register,
            domain: event.domain,
            access: event.access,
            application: event.application,
            operation: event.operation,
            imsi,
            tac: event.tac,
            visited,
            serving: asker.and_then(|asker| asker.serving),
            origin: Node {
                host: asker.map_or(&[][..], |asker| &asker.host),
                realm: said.or(realm.map(String::as_bytes)).unwrap_or_default(),
            },
            exchange,
            repeat: event.repeat && ask.tries == 0,
            initial: true,
            ..Procedure::unknown(event.stack, link, self.time(ask.at_us))
        }
    }
}

/// One of these by their weights.
fn choose(networks: &[(Plmn, f64)], draw: f64) -> Option<Plmn> {
    let all: f64 = networks.iter().map(|(_, weight)| weight).sum();
    let mut left = draw * all;
    for (network, weight) in networks {
        if left < *weight {
            return Some(*network);
        }
        left -= weight;
    }
    networks.last().map(|(network, _)| *network)
}

/// Stirs a number.
const fn mix(number: u64) -> u64 {
    let mixed = (number ^ number >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ mixed >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ mixed >> 33
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_weighs_more_is_chosen_more_often() {
        let network = |text: &str| text.parse::<Plmn>().unwrap();
        let (a, b) = (network("23410"), network("23430"));
        assert_eq!(choose(&[(a, 1.0), (b, 3.0)], 0.2), Some(a));
        assert_eq!(choose(&[(a, 1.0), (b, 3.0)], 0.3), Some(b));
        assert_eq!(choose(&[(a, 0.0), (b, 0.0)], 0.3), Some(b), "no weights, but somebody");
        assert_eq!(choose(&[], 0.3), None);
    }
}
