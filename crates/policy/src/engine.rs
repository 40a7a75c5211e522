//! The policy in force: compiled rules behind an atomic swap, and beside them the memory that every
//! version of them shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use procedure::{
    Decision, Group, LinkId, Policy, Procedure, Record, Rules, Symbol, Symbols, Time, Vocabulary,
};

use crate::{Compiled, Context, Counts, Diagnostic, Explanation, Memory, Past, Source, compile};

/// What an [`Engine`] is made with, and keeps for its reloads.
#[derive(Clone)]
pub struct Setup {
    /// The table of names.
    pub symbols: Symbols,
    /// Names and codes of the stacks.
    pub vocabulary: Arc<dyn Vocabulary + Send + Sync>,
    /// The configured peers by name.
    pub peers: Option<Vec<(String, LinkId)>>,
    /// Groups of links that come with the configuration of the peers.
    pub groups: Vec<(String, Vec<LinkId>)>,
    /// Steering's memory.
    pub memory: Arc<Memory>,
    /// The time of the gateway's start, in seconds since 1970: plans know dates and hours.
    pub started_unix_s: u64,
}

/// The policy in force.
pub struct Engine {
    current: ArcSwap<Ruleset>,
    version: AtomicU64,
    setup: Setup,
    /// One reload at a time.
    reloading: Mutex<()>,
}

/// One version of the rules with the memory they decide from.
#[derive(Debug)]
pub struct Ruleset {
    compiled: Compiled,
    memory: Arc<Memory>,
}

/// What a reload brought.
#[derive(Clone, Debug)]
pub struct ReloadReport {
    /// The version in force from now on.
    pub version: u64,
    /// How many rules of each kind there are now.
    pub counts: Counts,
    /// What somebody should look at.
    pub warnings: Vec<Diagnostic>,
}

impl Setup {
    fn compile(&self, sources: &[Source]) -> Result<Ruleset, Vec<Diagnostic>> {
        let context = Context {
            symbols: &self.symbols,
            vocabulary: &*self.vocabulary,
            peers: self.peers.as_deref(),
            groups: &self.groups,
            started_unix_s: self.started_unix_s,
        };
        let compiled = compile(sources, &context)?;
        Ok(Ruleset { compiled, memory: Arc::clone(&self.memory) })
    }
}

impl Engine {
    /// An engine with its first rules.
    ///
    /// # Errors
    ///
    /// Every mistake in the sources.
    pub fn new(sources: &[Source], setup: Setup) -> Result<Self, Vec<Diagnostic>> {
        let current = ArcSwap::from_pointee(setup.compile(sources)?);
        Ok(Self { current, version: AtomicU64::new(1), setup, reloading: Mutex::new(()) })
    }

    /// Puts other rules in force, whole or not at all: with a mistake anywhere the running ones
    /// stay. Attempts and holds go on under the new rules.
    ///
    /// # Errors
    ///
    /// Every mistake in the sources.
    pub fn reload(&self, sources: &[Source]) -> Result<ReloadReport, Vec<Diagnostic>> {
        let _one = self.reloading.lock();
        let next = self.setup.compile(sources)?;
        let counts = next.compiled.counts();
        let warnings = next.compiled.warnings().to_vec();
        self.current.store(Arc::new(next));
        let version = self.version.fetch_add(1, Ordering::Release) + 1;
        Ok(ReloadReport { version, counts, warnings })
    }

    /// Takes in what happened before this start, oldest first, and is careful for a while: the last
    /// of it may be missing.
    pub fn restore(&self, past: impl IntoIterator<Item = Past>) {
        let rules = self.current.load();
        for past in past {
            rules.compiled.restore(&past, &rules.memory);
        }
        rules.memory.be_careful();
    }

    /// The rules in force now, as they are.
    #[must_use]
    pub fn ruleset(&self) -> Arc<Ruleset> {
        self.current.load_full()
    }

    /// Steering's memory.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.setup.memory
    }

    /// The table of names.
    #[must_use]
    pub const fn symbols(&self) -> &Symbols {
        &self.setup.symbols
    }
}

impl Policy for Engine {
    fn rules(&self) -> Arc<dyn Rules> {
        self.current.load_full()
    }

    fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }
}

impl Ruleset {
    /// The compiled rules.
    #[must_use]
    pub const fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// What would be decided and why, without changing what is remembered. With `attempt`, as if
    /// so many less one had been refused on this network; without, from what is remembered.
    #[must_use]
    pub fn explain(&self, procedure: &Procedure<'_>, attempt: Option<u8>) -> Explanation {
        self.compiled.explain(procedure, attempt, Some(&self.memory))
    }
}

impl Rules for Ruleset {
    fn decide(&self, now: Time, procedure: &Procedure<'_>) -> Decision {
        self.compiled.decide(now, procedure, &self.memory)
    }

    fn learn(&self, record: &Record) {
        self.compiled.learn(record, &self.memory);
    }

    fn group(&self, name: Symbol) -> Option<&Group> {
        self.compiled.group(name)
    }
}
