//! What the lab has to say: the handsets' view, set beside what the gateway recorded.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use sim::roaming::{CustomerSnapshot, NetworkSnapshot, Stack, StackSnapshot};

use super::gateway::{Child, StackSummary};
use super::world::World;

/// The result, as `--json` prints it. Counts are since the beginning.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Report {
    /// The same numbers of all stacks together.
    #[serde(flatten)]
    pub(super) total: Numbers,
    /// By stack.
    pub(super) stacks: BTreeMap<String, Numbers>,
    /// How long the world ran.
    pub(super) seconds: f64,
    /// New attaches that handsets began, and those that ended registered.
    pub(super) attaches: u64,
    pub(super) registered: u64,
    /// Attaches that used up their tries: nobody should be left so.
    pub(super) abandoned: u64,
    /// Index n: registrations that took n+1 tries.
    pub(super) tries: Vec<u64>,
    pub(super) customers: Vec<CustomerSnapshot>,
    pub(super) networks: Vec<NetworkSnapshot>,
}

/// One stack's numbers, or all stacks' together.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Numbers {
    /// Requests and dialogues of the simulated MMEs, VLRs and SGSNs that were answered.
    pub(super) transactions: u64,
    /// Those without any answer.
    pub(super) lost: u64,
    /// Those answered more than once.
    pub(super) duplicated: u64,
    /// Answers that did not fit their request.
    pub(super) mismatched: u64,
    /// CLR, cancelLocation and other requests of home networks.
    pub(super) home_requests: u64,
    /// Registrations that the gateway refused to steer, by its records: each domain's for itself.
    pub(super) refused_steering: u64,
    /// Exchanges that ended in a refusal, by provenance, by the gateway's records.
    pub(super) refusals: BTreeMap<String, u64>,
    /// Answers that handsets saw, by code.
    pub(super) answers: BTreeMap<String, u64>,
    /// Times steering gave in.
    pub(super) exits: u64,
    /// The same by reason.
    pub(super) exits_by_reason: BTreeMap<String, u64>,
    /// Share of registrations on a preferred network, where any is preferred; 0 to 1.
    pub(super) preferred_share: f64,
    /// Latency that the visited nodes measured.
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    /// Processor time of the gateway's process for each transaction: the same mean for every stack,
    /// since one thread carries all of them.
    pub(super) cpu_us_per_transaction: f64,
    /// Exchanges in the gateway's records.
    pub(super) recorded: u64,
}

impl Report {
    /// Asks the world and the gateway.
    pub(super) fn read(world: &World, child: &Child, lasted: Duration) -> Self {
        let seen = world.snapshot();
        let summary = child.summary();
        let of = |stack: &str| summary.stacks.iter().find(|recorded| recorded.stack == stack);
        let mut stacks: BTreeMap<String, Numbers> = seen
            .stacks
            .iter()
            .map(|(name, side)| ((*name).to_owned(), Numbers::new(side, of(name))))
            .collect();
        // The visited side cannot see what becomes of a cancelLocation.
        let (lost, wrong) = world.faults_at_hlrs();
        if let Some(ss7) = stacks.get_mut(Stack::Ss7.name()) {
            ss7.lost += lost;
            ss7.mismatched += wrong;
        }
        let mut total = Numbers::new(&seen.total, None);
        stacks.values().for_each(|one| total.add_recorded(one));
        total.lost += lost;
        total.mismatched += wrong;
        Self {
            stacks,
            total,
            seconds: lasted.as_secs_f64(),
            attaches: seen.attaches,
            registered: seen.total.registered,
            abandoned: seen.abandoned,
            tries: seen.tries,
            customers: seen.customers,
            networks: seen.networks,
        }
    }

    /// Notes the processor time that the gateway has used.
    #[expect(clippy::cast_precision_loss, reason = "a mean needs no more than 53 bits")]
    pub(super) fn spend(&mut self, cpu: Duration) {
        let each = cpu.as_secs_f64() * 1e6 / self.total.in_both_directions().max(1) as f64;
        self.total.cpu_us_per_transaction = each;
        for numbers in self.stacks.values_mut() {
            numbers.cpu_us_per_transaction = each;
        }
    }

    /// One stack's numbers.
    pub(super) fn of(&self, stack: Stack) -> Numbers {
        self.stacks.get(stack.name()).cloned().unwrap_or_default()
    }

    /// Transactions that no record accounts for yet; each stack for itself.
    pub(super) fn unrecorded(&self) -> u64 {
        let missing = |one: &Numbers| one.in_both_directions().saturating_sub(one.recorded);
        self.stacks.values().map(missing).sum()
    }

    /// Whether everything was answered, once, rightly, and recorded.
    pub(super) fn is_clean(&self) -> bool {
        let total = &self.total;
        total.lost == 0
            && total.duplicated == 0
            && total.mismatched == 0
            && self.unrecorded() == 0
            && total.transactions > 0
    }
}

impl Numbers {
    /// What was seen over a stack, and what the gateway has recorded of it.
    fn new(seen: &StackSnapshot, recorded: Option<&StackSummary>) -> Self {
        let recorded = recorded.cloned().unwrap_or_default();
        let refusals: BTreeMap<String, u64> = recorded.refusals.into_iter().collect();
        let exits: BTreeMap<String, u64> = recorded.exits.into_iter().collect();
        Self {
            transactions: seen.report.answered,
            lost: seen.report.lost,
            duplicated: seen.report.duplicated,
            mismatched: seen.report.mismatched,
            home_requests: seen.home_requests,
            refused_steering: refusals.get("steering").copied().unwrap_or_default(),
            refusals,
            answers: seen.report.answers.clone(),
            exits: exits.values().sum(),
            exits_by_reason: exits,
            preferred_share: seen.preferred_share,
            p50_us: seen.report.p50_us,
            p99_us: seen.report.p99_us,
            cpu_us_per_transaction: 0.0,
            recorded: recorded.exchanges,
        }
    }

    /// Adds what the gateway has recorded of one stack.
    fn add_recorded(&mut self, one: &Self) {
        self.refused_steering += one.refused_steering;
        self.exits += one.exits;
        self.recorded += one.recorded;
        for (sum, more) in
            [(&mut self.refusals, &one.refusals), (&mut self.exits_by_reason, &one.exits_by_reason)]
        {
            for (name, count) in more {
                *sum.entry(name.clone()).or_default() += count;
            }
        }
    }

    /// Transactions in both directions.
    fn in_both_directions(&self) -> u64 {
        self.transactions + self.home_requests
    }
}
