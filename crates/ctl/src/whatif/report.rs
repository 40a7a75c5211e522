//! What two replays come to, beside each other: what `--json` prints, and what the table is made of.

use std::collections::{BTreeMap, BTreeSet};

use policy::PlanOutline;
use procedure::{Exit, Plmn, Symbol};
use serde::Serialize;

use super::moves::Moves;
use super::side::Side;
use super::tally::{Group, Refusals, Spoken};
use super::traffic::{Reading, Traffic};

/// The whole answer.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Where the traffic came from.
    pub(crate) source: String,
    /// Policies in force, and those that were tried.
    pub(crate) policies: Policies,
    pub(crate) input: Reading,
    pub(crate) in_force: Column,
    pub(crate) tried: Column,
    /// By plan and preferred network.
    pub(crate) shares: Vec<Share>,
    /// By customer and visited network, those that change most first.
    pub(crate) groups: Vec<GroupRow>,
    /// Subscribers refused under the tried policies and not under those in force.
    pub(crate) newly_refused: u64,
    /// The other way round.
    pub(crate) no_longer_refused: u64,
    /// The first of the newly refused, those with most refusals first.
    pub(crate) newly_refused_top: Vec<Refused>,
    pub(crate) moves: MovesSeen,
    /// What was assumed and what could not be judged.
    pub(crate) notes: Vec<String>,
}

/// Where the two policies are.
#[derive(Debug, Serialize)]
pub(crate) struct Policies {
    pub(crate) in_force: String,
    pub(crate) tried: String,
}

/// One policy.
#[derive(Debug, Serialize)]
pub(crate) struct Column {
    pub(crate) registrations: u64,
    pub(crate) refused_by_steering: u64,
    pub(crate) would_refuse: u64,
    pub(crate) barred: u64,
    pub(crate) screened: u64,
    pub(crate) subscribers_refused: u64,
    /// Refused registrations and the authentications before them.
    pub(crate) extra_signalling: u64,
    /// Of a hundred exchanges that there are without steering.
    pub(crate) extra_signalling_pct: Option<f64>,
    pub(crate) accepted: u64,
    /// Of a hundred accepted registrations on which a plan spoke.
    pub(crate) accepted_preferred_pct: Option<f64>,
    pub(crate) exits: BTreeMap<&'static str, u64>,
    /// Recorded registrations that would not have happened, and made-up ones that would.
    pub(crate) passed_over: u64,
    pub(crate) made_up: u64,
    /// Refused though accepted then, and taken to move or to insist.
    pub(crate) moved: u64,
    pub(crate) insisted: u64,
    pub(crate) given_up: u64,
}

/// A preferred network of a plan: where its customer's subscribers end up.
#[derive(Debug, Serialize)]
pub(crate) struct Share {
    pub(crate) plan: String,
    pub(crate) network: String,
    /// Of a hundred subscribers on preferred networks of its tier.
    pub(crate) in_force_pct: Option<f64>,
    pub(crate) tried_pct: Option<f64>,
    pub(crate) in_force_target_pct: Option<f64>,
    pub(crate) tried_target_pct: Option<f64>,
    pub(crate) in_force_subscribers: u64,
    pub(crate) tried_subscribers: u64,
}

/// A customer on a visited network.
#[derive(Debug, Serialize)]
pub(crate) struct GroupRow {
    pub(crate) customer: String,
    pub(crate) visited: String,
    pub(crate) in_force: GroupCounts,
    pub(crate) tried: GroupCounts,
    pub(crate) newly_refused_subscribers: u64,
}

/// The same under one policy.
#[derive(Debug, Default, Serialize)]
pub(crate) struct GroupCounts {
    pub(crate) registrations: u64,
    pub(crate) refused: u64,
    pub(crate) barred: u64,
    /// Which rule said what how often, the most frequent first.
    pub(crate) because: Vec<Because>,
}

/// A rule's word.
#[derive(Debug, Serialize)]
pub(crate) struct Because {
    pub(crate) rule: String,
    pub(crate) outcome: &'static str,
    pub(crate) count: u64,
}

/// A subscriber who is newly refused.
#[derive(Debug, Serialize)]
pub(crate) struct Refused {
    /// The pseudonym, as in the records.
    pub(crate) subscriber: String,
    pub(crate) customer: String,
    pub(crate) visited: String,
    pub(crate) refusals: u32,
    pub(crate) rule: String,
}

/// What refused devices did in the records.
#[derive(Debug, Serialize)]
pub(crate) struct MovesSeen {
    pub(crate) networks: Vec<MovesRow>,
    /// Networks for which the share was assumed.
    pub(crate) assumed_networks: u64,
    pub(crate) assumed_pct: u8,
}

/// The same on one network.
#[derive(Debug, Serialize)]
pub(crate) struct MovesRow {
    pub(crate) network: String,
    pub(crate) trials: u64,
    pub(crate) moved: u64,
}

/// What the report is made from.
pub(crate) struct Replay<'t> {
    pub(crate) traffic: &'t Traffic,
    pub(crate) moves: &'t Moves,
    pub(crate) moves_pct: u8,
    pub(crate) in_force: Side<'t>,
    pub(crate) tried: Side<'t>,
}

impl Replay<'_> {
    pub(crate) fn report(&self, source: String, policies: Policies, top: usize) -> Report {
        let (newly_refused, no_longer_refused) = (self.newly(), self.no_longer());
        let assumed = |side: &Side<'_>| side.tally.assumed.clone();
        let assumed: BTreeSet<Plmn> =
            assumed(&self.in_force).into_iter().chain(assumed(&self.tried)).collect();
        let networks = self.moves.networks().map(|(plmn, seen)| MovesRow {
            network: digits(plmn),
            trials: seen.trials,
            moved: seen.moved,
        });
        Report {
            source,
            policies,
            input: self.traffic.reading.clone(),
            in_force: self.column(&self.in_force),
            tried: self.column(&self.tried),
            shares: self.shares(),
            groups: self.groups(&newly_refused),
            newly_refused: newly_refused.len() as u64,
            no_longer_refused,
            newly_refused_top: self.top(&newly_refused, top),
            moves: MovesSeen {
                networks: networks.collect(),
                assumed_networks: assumed.len() as u64,
                assumed_pct: self.moves_pct,
            },
            notes: super::notes::notes(self, assumed.len()),
        }
    }

    fn column(&self, side: &Side<'_>) -> Column {
        let tally = &side.tally;
        let exits = Exit::ALL.iter().map(|exit| exit.name()).zip(tally.exits);
        let extra_signalling = tally.refused + tally.dragged;
        Column {
            registrations: tally.registrations,
            refused_by_steering: tally.refused,
            would_refuse: tally.would_refuse,
            barred: tally.barred,
            screened: tally.screened,
            subscribers_refused: tally.refused_people(),
            extra_signalling,
            extra_signalling_pct: percent(extra_signalling, self.traffic.base()),
            accepted: tally.accepted,
            accepted_preferred_pct: percent(tally.preferred, tally.planned),
            exits: exits.filter(|(_, count)| *count > 0).collect(),
            passed_over: tally.passed_over,
            made_up: tally.made_up,
            moved: tally.moved,
            insisted: tally.insisted,
            given_up: tally.given_up,
        }
    }

    /// Subscribers refused now and not before, with where they are refused most.
    fn newly(&self) -> Vec<(u32, Refusals)> {
        let known = &self.in_force.tally.people;
        let people = self.tried.tally.people.iter().filter_map(|(key, person)| {
            let worst = person.refusals.iter().max_by_key(|refusals| refusals.count)?;
            let before = known.get(key).is_some_and(|known| !known.refusals.is_empty());
            (!before).then_some((key.0, *worst))
        });
        people.collect()
    }

    fn no_longer(&self) -> u64 {
        let now = &self.tried.tally.people;
        let people = self.in_force.tally.people.iter().filter(|(key, person)| {
            !person.refusals.is_empty()
                && now.get(key).is_none_or(|person| person.refusals.is_empty())
        });
        people.count() as u64
    }

    fn top(&self, newly: &[(u32, Refusals)], top: usize) -> Vec<Refused> {
        let symbols = self.tried.engine.symbols();
        let mut rows: Vec<Refused> = newly
            .iter()
            .filter_map(|(who, refusals)| {
                let pseudonym = self.traffic.people.get(*who as usize)?.pseudonym;
                Some(Refused {
                    subscriber: format!("{:032x}", u128::from_be_bytes(pseudonym)),
                    customer: self.customer(refusals.customer),
                    visited: digits(refusals.network),
                    refusals: refusals.count,
                    rule: symbols.name(refusals.rule).to_string(),
                })
            })
            .collect();
        rows.sort_by(|a, b| (b.refusals, &a.subscriber).cmp(&(a.refusals, &b.subscriber)));
        rows.truncate(top);
        rows
    }

    fn customer(&self, symbol: Option<Symbol>) -> String {
        let symbols = self.tried.engine.symbols();
        symbol.map_or_else(|| "-".to_owned(), |symbol| symbols.name(symbol).to_string())
    }

    fn groups(&self, newly: &[(u32, Refusals)]) -> Vec<GroupRow> {
        let sides = [&self.in_force.tally.groups, &self.tried.tally.groups];
        let keys: BTreeSet<_> = sides.iter().flat_map(|groups| groups.keys().copied()).collect();
        let mut rows: Vec<GroupRow> = keys
            .into_iter()
            .map(|key| {
                let counts = |groups: &std::collections::HashMap<_, Group>| {
                    groups.get(&key).map(|group| self.counts(group)).unwrap_or_default()
                };
                let is_here = |refusals: &Refusals| (refusals.customer, refusals.network) == key;
                GroupRow {
                    customer: self.customer(key.0),
                    visited: digits(key.1),
                    in_force: counts(sides[0]),
                    tried: counts(sides[1]),
                    newly_refused_subscribers: newly.iter().filter(|(_, r)| is_here(r)).count()
                        as u64,
                }
            })
            .collect();
        let name = |row: &GroupRow| (row.customer.clone(), row.visited.clone());
        rows.sort_by_key(|row| (std::cmp::Reverse(row.change().unsigned_abs()), name(row)));
        rows
    }

    fn counts(&self, group: &Group) -> GroupCounts {
        let symbols = self.tried.engine.symbols();
        let because = |((rule, outcome), count): (&Spoken, &u64)| Because {
            rule: symbols.name(*rule).to_string(),
            outcome,
            count: *count,
        };
        let mut words: Vec<Because> = group.words.iter().map(because).collect();
        words.sort_by(|a, b| (b.count, &a.rule, a.outcome).cmp(&(a.count, &b.rule, b.outcome)));
        GroupCounts {
            registrations: group.registrations,
            refused: group.refused,
            barred: group.barred,
            because: words,
        }
    }

    fn shares(&self) -> Vec<Share> {
        let sides = [&self.in_force, &self.tried].map(Settled::of);
        let keys: BTreeSet<(String, Plmn)> =
            sides.iter().flat_map(|side| side.rows.keys().cloned()).collect();
        let shares = keys.into_iter().map(|key| {
            let [in_force, tried] =
                [0, 1].map(|side: usize| sides.get(side).and_then(|side| side.rows.get(&key)));
            Share {
                plan: key.0.clone(),
                network: digits(key.1),
                in_force_pct: in_force.and_then(|row| percent(row.count, row.of)),
                tried_pct: tried.and_then(|row| percent(row.count, row.of)),
                in_force_target_pct: in_force.and_then(|row| row.target),
                tried_target_pct: tried.and_then(|row| row.target),
                in_force_subscribers: in_force.map_or(0, |row| row.count),
                tried_subscribers: tried.map_or(0, |row| row.count),
            }
        });
        shares.collect()
    }
}

/// Where subscribers ended up, by plan and preferred network.
struct Settled {
    rows: BTreeMap<(String, Plmn), Row>,
}

#[derive(Clone, Copy, Default)]
struct Row {
    count: u64,
    /// All of its tier.
    of: u64,
    target: Option<f64>,
}

impl Settled {
    fn of(side: &Side<'_>) -> Self {
        let symbols = side.engine.symbols();
        let mut counts: BTreeMap<(String, Plmn), u64> = BTreeMap::new();
        for (rule, network) in side.tally.people.values().filter_map(|person| person.settled) {
            *counts.entry((symbols.name(rule).to_string(), network)).or_default() += 1;
        }
        let mut rows = BTreeMap::new();
        for plan in side.rules.compiled().plans() {
            let PlanOutline { name, tiers, .. } = plan;
            for tier in tiers {
                let count = |network: &Plmn| {
                    counts.get(&(name.to_string(), *network)).copied().unwrap_or(0)
                };
                let of = tier.networks.iter().map(count).sum();
                for (place, network) in tier.networks.iter().enumerate() {
                    let target = tier.shares.get(place).map(|share| f64::from(*share));
                    let row = Row { count: count(network), of, target };
                    rows.insert((name.to_string(), *network), row);
                }
            }
        }
        Self { rows }
    }
}

impl GroupRow {
    /// By how much refusals change.
    pub(crate) fn change(&self) -> i64 {
        let all = |counts: &GroupCounts| (counts.refused + counts.barred) as i64;
        all(&self.tried) - all(&self.in_force)
    }
}

fn percent(part: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| (part as f64 * 10_000.0 / of as f64).round() / 100.0)
}

fn digits(plmn: Plmn) -> String {
    String::from_utf8_lossy(plmn.write(&mut [0; 6])).into_owned()
}
