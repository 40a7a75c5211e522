//! Why: a decision with every rule that was asked, how far each got, and in words.

use procedure::{Act, Decision, Outcome, Plmn, Procedure, Stage, Symbol, Symbols, Time, Verdict};
use serde::Serialize;

use crate::matcher::{Facts, Matcher};
use crate::reading::Mode;
use crate::steer::calendar::told;
use crate::steer::episode::Episode;
use crate::steer::packed::{Key, Tick};
use crate::steer::plan::{Plan, is_steered};
use crate::{Compiled, Memory, screen};

/// A decision and how it came about.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// `forward`, `delay`, `refuse` or `discard`.
    pub verdict: &'static str,
    /// With which word, where it is refused.
    pub refusal: Option<&'static str>,
    /// To which group, where a route chose one.
    pub group: Option<String>,
    /// The rules that spoke, in order.
    pub because: Vec<Said>,
    /// Whose subscriber it is.
    pub customer: Option<String>,
    /// The home network.
    pub home: Option<Place>,
    /// The visited network.
    pub visited: Option<Place>,
    /// What kind of device it is, by its type or its number range.
    pub device: Option<&'static str>,
    /// Whether the plan in force prefers the visited network.
    pub preferred: Option<bool>,
    /// Which forced refusal on this network, 0 outside steering.
    pub attempt: u8,
    /// Why steering gave in.
    pub exit: Option<&'static str>,
    /// Every stage with the rules that matched or came close.
    pub stages: Vec<StageTrace>,
}

/// What one rule said.
#[derive(Clone, Debug, Serialize)]
pub struct Said {
    /// In which stage.
    pub stage: &'static str,
    /// Which rule.
    pub rule: String,
    /// What.
    pub outcome: &'static str,
    /// The refusal, exit or group that goes with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A network.
#[derive(Clone, Debug, Serialize)]
pub struct Place {
    /// MCC and MNC.
    pub plmn: String,
    /// ISO country.
    pub country: String,
    /// As people read it.
    pub name: String,
}

/// One stage's rules.
#[derive(Clone, Debug, Serialize)]
pub struct StageTrace {
    /// Which stage.
    pub stage: &'static str,
    /// How many rules it has.
    pub rules_total: usize,
    /// Whether an earlier stage ended the walk before this one.
    pub reached: bool,
    /// Those that matched or came close, in order.
    pub rules: Vec<RuleTrace>,
}

/// How far one rule got.
#[derive(Clone, Debug, Serialize)]
pub struct RuleTrace {
    /// Its name.
    pub rule: String,
    /// `enforce`, `observe` or `off`.
    pub mode: &'static str,
    /// All its conditions hold.
    pub matched: bool,
    /// All but one hold.
    pub close: bool,
    /// Its conditions in order.
    pub conditions: Vec<Check>,
}

/// One condition of a rule.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// Which field.
    pub field: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// What the rule asks for.
    pub expected: String,
    /// What the procedure has.
    pub actual: String,
}

impl Compiled {
    /// What would be decided and why. `memory` is copied from, never changed.
    #[must_use]
    pub fn explain(
        &self,
        procedure: &Procedure<'_>,
        attempt: Option<u8>,
        memory: Option<&Memory>,
    ) -> Explanation {
        let facts = self.facts(procedure);
        let now = procedure.arrived;
        let scratch = scratch(&facts, now, attempt, memory);
        let decision = self.decide(now, procedure, &scratch);
        let symbols = &self.symbols;
        let place = |plmn: Plmn| Place {
            plmn: plmn.to_string(),
            country: self.networks.country(plmn).as_str().to_owned(),
            name: self.networks.describe(plmn),
        };
        let (refusal, group) = match decision.verdict {
            Verdict::Refuse(refusal) => (Some(refusal.name()), None),
            Verdict::Forward { group } | Verdict::Delay { group, .. } => (None, group),
            Verdict::Discard => (None, None),
        };
        Explanation {
            verdict: decision.verdict.name(),
            refusal,
            group: group.map(|group| symbols.name(group).to_string()),
            because: decision.because.iter().map(|reason| said(reason, symbols)).collect(),
            customer: decision.customer.map(|customer| symbols.name(customer).to_string()),
            home: decision.home.map(place),
            visited: decision.visited.map(place),
            device: facts.device.map(crate::customers::Device::name),
            preferred: decision.preferred,
            attempt: decision.attempt,
            exit: decision.exit.map(procedure::Exit::name),
            stages: self.stages(&facts, &decision),
        }
    }

    fn stages(&self, facts: &Facts<'_>, decision: &Decision) -> Vec<StageTrace> {
        let ended = decision.refused_by;
        let trace = |stage: Stage, rules: Vec<RuleTrace>| StageTrace {
            stage: stage.name(),
            rules_total: rules.len(),
            reached: ended.is_none_or(|ended| stage as u8 <= ended as u8),
            rules: rules.into_iter().filter(|rule| rule.matched || rule.close).collect(),
        };
        vec![
            trace(Stage::Screen, self.trace_screening(facts)),
            trace(Stage::Steer, self.trace_plans(facts)),
            trace(Stage::Route, self.trace_routes(facts)),
        ]
    }

    fn trace_screening(&self, facts: &Facts<'_>) -> Vec<RuleTrace> {
        let screening = &self.screening;
        let own = screening.rules.iter();
        let mut rules: Vec<RuleTrace> =
            own.map(|rule| self.trace(rule.name, rule.mode, &rule.matcher, facts)).collect();
        let origin = &facts.procedure.origin;
        let (field, origin) = match origin.realm {
            [] => ("origin_host", origin.host),
            realm => ("origin_realm", realm),
        };
        let origin = String::from_utf8_lossy(origin).into_owned();
        let built_in = |(name, mode): (Symbol, Mode), holds: bool, expected: &str| RuleTrace {
            rule: self.symbols.name(name).to_string(),
            mode: mode_name(mode),
            matched: !holds,
            close: false,
            conditions: vec![Check {
                field,
                holds,
                expected: expected.to_owned(),
                actual: origin.clone(),
            }],
        };
        let tables = self.tables();
        let speaks = screen::speaks_for_visited(tables, facts);
        rules.push(built_in(screening.speaks, speaks, "a node of the visited network"));
        let owns = screen::owns_subscriber(tables, facts);
        rules.push(built_in(screening.owns, owns, "a node of the subscriber's own home network"));
        rules
    }

    fn trace_plans(&self, facts: &Facts<'_>) -> Vec<RuleTrace> {
        self.steering.plans.iter().map(|plan| self.trace_plan(plan, facts)).collect()
    }

    fn trace_plan(&self, plan: &Plan, facts: &Facts<'_>) -> RuleTrace {
        let name = |name: Symbol| self.symbols.name(name).to_string();
        let none = || "none".to_owned();
        let visited = facts.visited.zip(facts.operator);
        let covered = visited
            .is_some_and(|(visited, operator)| plan.covers(visited, operator, facts.country));
        let places = match plan.networks.as_slice() {
            [] => plan.countries.iter().map(|country| country.as_str().to_owned()).collect(),
            networks => networks.iter().map(ToString::to_string).collect::<Vec<_>>(),
        };
        let mut conditions = vec![
            Check {
                field: "act",
                holds: is_steered(facts.procedure.act),
                expected: Act::Register.name().to_owned(),
                actual: facts.procedure.act.name().to_owned(),
            },
            Check {
                field: "customer",
                holds: facts.customer == Some(plan.customer),
                expected: name(plan.customer),
                actual: facts.customer.map_or_else(none, name),
            },
            Check {
                field: "visited",
                holds: covered,
                expected: places.join(" or "),
                actual: facts.visited.map_or_else(none, |visited| self.networks.describe(visited)),
            },
        ];
        let procedure = facts.procedure;
        if !plan.accesses.is_empty() {
            let words: Vec<&str> = plan.accesses.iter().map(|access| access.name()).collect();
            conditions.push(Check {
                field: "access",
                holds: plan.speaks_over(procedure.access, procedure.domain),
                expected: words.join(" or "),
                actual: procedure.access.name().to_owned(),
            });
        }
        if let Some(calendar) = &plan.calendar {
            let unix_s = self.steering.unix_s(procedure.arrived);
            conditions.push(Check {
                field: "time",
                holds: calendar.holds(unix_s),
                expected: calendar.to_string(),
                actual: told(unix_s),
            });
        }
        rule_trace(name(plan.name), plan.terms.mode, conditions)
    }

    fn trace_routes(&self, facts: &Facts<'_>) -> Vec<RuleTrace> {
        let routes = self.routes.list.iter();
        routes.map(|route| self.trace(route.name, route.mode, &route.matcher, facts)).collect()
    }

    fn trace(&self, name: Symbol, mode: Mode, matcher: &Matcher, facts: &Facts<'_>) -> RuleTrace {
        let check = |condition: &crate::matcher::Condition| Check {
            field: condition.field(),
            holds: condition.holds(facts),
            expected: condition.expected(&self.symbols),
            actual: condition.actual(facts, &self.symbols),
        };
        let conditions = matcher.conditions.iter().map(check).collect();
        rule_trace(self.symbols.name(name).to_string(), mode, conditions)
    }
}

fn rule_trace(rule: String, mode: Mode, conditions: Vec<Check>) -> RuleTrace {
    let failed = conditions.iter().filter(|check| !check.holds).count();
    RuleTrace {
        rule,
        mode: mode_name(mode),
        matched: failed == 0,
        close: failed == 1 && conditions.len() > 1,
        conditions,
    }
}

const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "enforce",
        Mode::Observe => "observe",
        Mode::Off => "off",
    }
}

fn said(reason: procedure::Reason, symbols: &Symbols) -> Said {
    let detail = match reason.outcome {
        Outcome::Refuse(refusal) | Outcome::WouldRefuse(refusal) => Some(refusal.name().to_owned()),
        Outcome::Exit(exit) => Some(exit.name().to_owned()),
        Outcome::To(group) => Some(symbols.name(group).to_string()),
        Outcome::Learned { moved_pct } => Some(moved_pct.to_string()),
        Outcome::Accept
        | Outcome::Preferred
        | Outcome::Settled
        | Outcome::Replay
        | Outcome::Resend
        | Outcome::Override
        | Outcome::Barred => None,
    };
    Said {
        stage: reason.stage.name(),
        rule: symbols.name(reason.rule).to_string(),
        outcome: reason.outcome.name(),
        detail,
    }
}

/// A memory of one subscriber to decide from: as supposed, else as remembered, else empty.
fn scratch(facts: &Facts<'_>, now: Time, attempt: Option<u8>, memory: Option<&Memory>) -> Memory {
    let scratch = Memory::dry(memory);
    let (Some(_), Some(imsi), Some(operator)) =
        (facts.customer, facts.procedure.imsi, facts.operator)
    else {
        return scratch;
    };
    let key = Key::new(imsi, facts.country);
    let known = match (attempt, memory) {
        (None, Some(memory)) => memory.with_known(key, |episode| episode.clone()),
        _ => None,
    };
    let before = attempt.map_or(0, |attempt| attempt.saturating_sub(1));
    let _room = scratch.with(key, Tick::of(now), |episode: &mut Episode| match known {
        Some(known) => *episode = known,
        None => episode.suppose(operator, before),
    });
    scratch
}
