//! The screening stage: who may say what. The operator's rules first, in their order, so that an
//! exception can stand before the two built-in ones.

use procedure::{Act, Decision, Outcome, Plmn, Refusal, Stage, Symbol, Symbols, Verdict};

use crate::customers::Customers;
use crate::document::Section;
use crate::matcher::{Facts, Matcher};
use crate::networks::Networks;
use crate::pipeline::is_home_act;
use crate::reading::{Mode, Reading, refusals};

/// A registration names the visited network that its sender belongs to.
pub const ORIGIN_SPEAKS_FOR_VISITED: &str = "origin-speaks-for-visited";
/// What only a home network may do comes from the subscriber's own.
pub const ORIGIN_OWNS_SUBSCRIBER: &str = "origin-owns-subscriber";

/// What a rule does with what it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Lets it pass; no later screening rule is asked.
    Accept,
    /// Answers no.
    Refuse(Refusal),
    /// Does not answer.
    Discard,
}

/// One rule of the operator's.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: Symbol,
    pub(crate) mode: Mode,
    pub(crate) matcher: Matcher,
    pub(crate) answer: Answer,
}

/// All of screening.
#[derive(Debug)]
pub(crate) struct Screening {
    pub(crate) rules: Vec<Rule>,
    pub(crate) speaks: (Symbol, Mode),
    pub(crate) owns: (Symbol, Mode),
}

/// What the built-in rules look up.
#[derive(Clone, Copy)]
pub(crate) struct Tables<'t> {
    pub(crate) networks: &'t Networks,
    pub(crate) customers: &'t Customers,
}

impl Screening {
    pub(crate) fn new(symbols: &Symbols) -> Self {
        Self {
            rules: Vec::new(),
            speaks: (symbols.intern(ORIGIN_SPEAKS_FOR_VISITED), Mode::Enforce),
            owns: (symbols.intern(ORIGIN_OWNS_SUBSCRIBER), Mode::Enforce),
        }
    }

    /// Speaks on a procedure; true when it goes no further.
    pub(crate) fn decide(
        &self,
        tables: Tables<'_>,
        facts: &Facts<'_>,
        decision: &mut Decision,
    ) -> bool {
        for rule in &self.rules {
            if rule.mode == Mode::Off || !rule.matcher.matches(facts) {
                continue;
            }
            match apply(rule.name, rule.mode, rule.answer, decision) {
                Some(ended) => return ended,
                None => continue,
            }
        }
        let refuse = Answer::Refuse(Refusal::Unauthorised);
        let built_in = [(self.speaks, speaks_for_visited as Check), (self.owns, owns_subscriber)];
        built_in.into_iter().any(|((name, mode), holds)| {
            mode != Mode::Off
                && !holds(tables, facts)
                && apply(name, mode, refuse, decision) == Some(true)
        })
    }

    /// Reads `screening.toml`.
    pub(crate) fn read(&mut self, root: &Section<'_>, reading: &Reading<'_>, customers: &[Symbol]) {
        if let Some(built_in) = root.section("built_in") {
            let words =
                [("enforce", Mode::Enforce), ("observe", Mode::Observe), ("off", Mode::Off)];
            if let Some(mode) = built_in.word(ORIGIN_SPEAKS_FOR_VISITED, &words) {
                self.speaks.1 = mode.value;
            }
            if let Some(mode) = built_in.word(ORIGIN_OWNS_SUBSCRIBER, &words) {
                self.owns.1 = mode.value;
            }
            built_in.finish();
        }
        for section in root.sections("rule") {
            let name = reading.rule_name(&section);
            let mode = Reading::mode(&section);
            let matcher = Matcher::read(&section, reading, customers);
            let mut words = vec![("accept", Answer::Accept), ("discard", Answer::Discard)];
            words.extend(refusals().into_iter().map(|(word, no)| (word, Answer::Refuse(no))));
            let _there = section.required("answer");
            let answer = section.word("answer", &words);
            section.finish();
            if matcher.conditions.is_empty() {
                let complaint = section.at().complain("this rule matches everything");
                section.push(complaint.with_help("give it at least one condition"));
            }
            if let (Some(name), Some(answer)) = (name, answer) {
                self.rules.push(Rule { name, mode, matcher, answer: answer.value });
            }
        }
    }
}

type Check = fn(Tables<'_>, &Facts<'_>) -> bool;

/// Writes what a rule says: whether that ends the procedure, or nothing where it only observes.
fn apply(name: Symbol, mode: Mode, answer: Answer, decision: &mut Decision) -> Option<bool> {
    let observes = mode == Mode::Observe;
    let outcome = match answer {
        Answer::Accept => Outcome::Accept,
        Answer::Refuse(refusal) if observes => Outcome::WouldRefuse(refusal),
        Answer::Refuse(refusal) => Outcome::Refuse(refusal),
        Answer::Discard if observes => Outcome::WouldRefuse(Refusal::Unauthorised),
        Answer::Discard => Outcome::Refuse(Refusal::Unauthorised),
    };
    decision.because.push(Stage::Screen, name, outcome);
    if observes {
        return None;
    }
    decision.verdict = match answer {
        Answer::Accept => return Some(false),
        Answer::Refuse(refusal) => Verdict::Refuse(refusal),
        Answer::Discard => Verdict::Discard,
    };
    decision.refused_by = Some(Stage::Screen);
    Some(true)
}

/// Where message and origin both name a known network, it is the same operator's. An origin that
/// no table resolves is not judged: hubs speak from names of their own.
pub(crate) fn speaks_for_visited(tables: Tables<'_>, facts: &Facts<'_>) -> bool {
    if is_home_act(facts.procedure) {
        return true;
    }
    let Some(visited) = facts.visited else { return true };
    let sender = &facts.procedure.origin;
    // The usual case first, without any table: the realm is of the visited network's own form.
    if Plmn::from_realm(sender.realm).is_some_and(|(a, b)| a == visited || b == Some(visited)) {
        return true;
    }
    let networks = tables.networks;
    let Some(origin) = networks.of_node(sender) else { return true };
    let known = networks.network(visited).is_some() && networks.network(origin).is_some();
    !known || networks.same_operator(visited, origin)
}

/// A home network's act on a subscriber comes from that subscriber's own: the customer's, else the
/// network's that the IMSI names. An order that names its subscriber in no way that can be read
/// here is nobody's: whoever receives it may read it after all. A home that lost its data names no
/// subscriber, and whoever believes it registers everybody anew: any home network's node may say
/// it, a visited one may not.
pub(crate) fn owns_subscriber(tables: Tables<'_>, facts: &Facts<'_>) -> bool {
    let procedure = facts.procedure;
    if !is_home_act(procedure) {
        return true;
    }
    let Tables { networks, customers } = tables;
    let sender = &procedure.origin;
    let network = networks.of_node(sender);
    match (procedure.imsi, facts.customer.and_then(|name| customers.by_name(name))) {
        (None, _) => procedure.act == Act::Recover && customers.any_owns(networks, sender),
        (Some(_), Some(customer)) => customer.owns(networks, sender.realm, network),
        (Some(_), None) => {
            let both = facts.home.zip(network);
            both.is_some_and(|(home, network)| networks.same_operator(home, network))
        }
    }
}
