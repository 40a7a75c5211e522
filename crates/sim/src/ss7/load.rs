//! VLRs and SGSNs as a source of load: every answer is checked against its dialogue.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde::Serialize;

use super::Outbox;
use super::links::{LinkConfig, LinkCounts, Links, Node, Room};
use super::map::{Operation, Version};
use super::outcome::{Ledger, Outcome};
use super::visited::{Heard, Identity, Visited};
use crate::ids::ImsiRange;
use crate::mme::{Live, Load};
use crate::peer::Stop;
use crate::tally::Report;

/// How long a finished run still listens, to notice duplicates of its last answers.
const LINGER: u64 = 50_000_000;
/// How often losses are looked for.
const TICK: u64 = 20_000_000;
/// How long the associations may take to carry traffic, at first and when all have dropped.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which dialogues are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Procedure {
    /// updateLocation (VLR), updateGprsLocation (SGSN).
    Ul,
    /// sendAuthenticationInfo.
    Sai,
    /// SAI, then after its success UL for the same subscriber; each is a dialogue.
    Attach,
    /// purgeMS.
    Purge,
    /// Of 20 dialogues 11 SAI, 8 UL and 1 purge.
    Mix,
}

impl Procedure {
    fn operation(self, registers: Operation, n: u64) -> Operation {
        match (self, n % 20) {
            (Self::Ul, _) => registers,
            (Self::Purge, _) | (Self::Mix, 19) => Operation::PurgeMs,
            (Self::Mix, n) if n % 2 == 1 && n < 17 => registers,
            _ => Operation::SendAuthenticationInfo,
        }
    }
}

impl FromStr for Procedure {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "ul" | "ugl" => Ok(Self::Ul),
            "sai" => Ok(Self::Sai),
            "attach" => Ok(Self::Attach),
            "purge" => Ok(Self::Purge),
            "mix" => Ok(Self::Mix),
            _ => Err(format!("'{text}': expected ul, sai, attach, purge or mix")),
        }
    }
}

/// A load run. [`VisitedConfig::new`] gives the usual values.
#[derive(Clone, Debug)]
pub struct VisitedConfig {
    /// Who asks.
    pub identity: Identity,
    /// The associations.
    pub link: LinkConfig,
    /// Closed or open loop, over all associations.
    pub load: Load,
    /// Stop after this many dialogues.
    pub count: Option<u64>,
    /// Stop after this long.
    pub duration: Option<Duration>,
    /// The subscribers, taken in turn.
    pub imsi: ImsiRange,
    /// Which dialogues.
    pub procedure: Procedure,
    /// MAP versions, taken in turn.
    pub versions: Vec<Version>,
    /// A dialogue without an end for so long is lost.
    pub timeout: Duration,
}

impl VisitedConfig {
    /// 64 outstanding, UL in version 3, 15 s timeout (MAP's m); set `count` or `duration`.
    #[must_use]
    pub fn new(identity: Identity, link: LinkConfig, imsi: ImsiRange) -> Self {
        Self {
            identity,
            link,
            load: Load::Window(64),
            count: None,
            duration: None,
            imsi,
            procedure: Procedure::Ul,
            versions: vec![Version::V3],
            timeout: Duration::from_secs(15),
        }
    }
}

/// The result of a run, as `--json` prints it.
#[derive(Clone, Debug, Default, Serialize, PartialEq)]
pub struct VisitedReport {
    /// Dialogues, faults and latency.
    #[serde(flatten)]
    pub report: Report,
    /// What contradicted its dialogue, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Outcomes that a home gave, and cancelLocations answered: the same as the HLR's `outcomes`
    /// when both ends agree.
    pub outcomes: Ledger,
    /// Outcomes that somebody on the way gave in the home's place.
    pub steered: Ledger,
    /// insertSubscriberData answered.
    pub inserted: u64,
    /// The associations.
    pub links: LinkCounts,
}

impl std::fmt::Display for VisitedReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.report)?;
        writeln!(f, "steered      {}", self.steered.total())?;
        writeln!(f, "inserted     {}", self.inserted)?;
        write!(f, "contradicted")?;
        self.faults.iter().try_for_each(|(kind, count)| write!(f, " {kind}: {count}"))
    }
}

/// Runs the load to its end inside a tokio runtime. `live` is updated as it goes on.
///
/// # Errors
/// A text when the associations do not carry traffic within 10 s, or the run has no end.
pub async fn run(
    config: VisitedConfig,
    mut stop: Stop,
    live: Arc<Live>,
) -> io::Result<VisitedReport> {
    if config.versions.is_empty() || (config.count.is_none() && config.duration.is_none()) {
        let text = "a load run needs a MAP version, and a count or a duration";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    let mut links = Links::bind(config.link.clone())?;
    let mut generator = Generator::new(config, live);
    links.drive(&mut generator, Some(PATIENCE), &mut stop).await?;
    generator.publish();
    Ok(generator.report(links.counts()))
}

/// A load generator on one visited node.
struct Generator {
    config: VisitedConfig,
    visited: Visited<()>,
    live: Arc<Live>,
    /// When the first dialogue may be opened.
    start: Option<u64>,
    /// Dialogues that the pace has asked for, and all that were opened.
    begun: u64,
    opened: u64,
    /// Subscribers whose SAI has succeeded and whose UL is due.
    owed: VecDeque<u64>,
    exhausted: bool,
    last_answer: u64,
    last_expiry: u64,
    /// When nothing was left to do.
    idle: Option<u64>,
    /// Since when no association carries traffic.
    dry: Option<u64>,
    /// What `live` has been told: sent, answered, ended, faults.
    told: [u64; 4],
}

impl Generator {
    fn new(config: VisitedConfig, live: Arc<Live>) -> Self {
        Self {
            visited: Visited::new(config.identity.clone()),
            config,
            live,
            start: None,
            begun: 0,
            opened: 0,
            owed: VecDeque::new(),
            exhausted: false,
            last_answer: 0,
            last_expiry: 0,
            idle: None,
            dry: None,
            told: [0; 4],
        }
    }

    fn report(self, links: LinkCounts) -> VisitedReport {
        let span = self.last_answer.saturating_sub(self.start.unwrap_or(0));
        VisitedReport {
            report: self.visited.tally.report(Duration::from_nanos(span).as_secs_f64()),
            faults: self.visited.faults,
            outcomes: self.visited.home,
            steered: self.visited.steered,
            inserted: self.visited.inserted,
            links,
        }
    }

    /// Opens the next dialogue; false when the run has had all of its own.
    fn open(&mut self, intended: u64, now: u64, out: &mut Outbox) -> bool {
        if self.exhausted || self.config.count.is_some_and(|count| self.opened >= count) {
            self.exhausted = true;
            return false;
        }
        self.opened += 1;
        let registers = self.config.identity.role.registers_by();
        let (operation, imsi) = match self.owed.pop_front() {
            Some(imsi) => (registers, imsi),
            None => {
                let n = self.begun;
                self.begun += 1;
                (self.config.procedure.operation(registers, n), self.config.imsi.at(n))
            }
        };
        // By the subscriber, not the dialogue: SAI and UL of an attach speak the same version.
        let at = usize::try_from(imsi).unwrap_or(0) % self.config.versions.len();
        let version = self.config.versions.get(at).copied().unwrap_or(Version::V3);
        self.visited.ask((operation, version), (imsi, ()), (intended, now), out);
        true
    }

    /// Sends what is due in an open loop; returns when the next dialogue is.
    fn open_loop(&mut self, rate: f64, start: u64, now: u64, out: &mut Outbox) -> Option<u64> {
        while !self.owed.is_empty() && self.open(now, now, out) {}
        let gap = Duration::from_secs(1).div_f64(rate.max(0.001));
        while !self.exhausted {
            let since = Duration::from_nanos(1).max(gap).mul_f64(count(self.begun));
            let due = start.saturating_add(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
            if due > now {
                return Some(due);
            }
            self.open(due, now, out);
        }
        None
    }

    /// Adds what is new to the run's live counters.
    fn publish(&mut self) {
        let t = &self.visited.tally;
        let ended = t.answered + t.lost + t.asker_gone + t.spoiled;
        let faults = t.lost + t.duplicated + t.mismatched + t.late;
        let now = [t.sent, t.answered, ended, faults];
        let live = [&self.live.sent, &self.live.answered, &self.live.ended, &self.live.faults];
        for ((counter, now), told) in live.into_iter().zip(now).zip(&mut self.told) {
            counter.fetch_add(now - *told, Relaxed);
            *told = now;
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of dialogues fits 53 bits")]
fn count(n: u64) -> f64 {
    n as f64
}

impl Node for Generator {
    fn receive(&mut self, sccp: &[u8], now: u64, out: &mut Outbox) {
        if let Heard::Answered { imsi, answer, .. } = self.visited.receive(sccp, now, out) {
            self.last_answer = now;
            if self.config.procedure == Procedure::Attach
                && answer.operation == Operation::SendAuthenticationInfo
                && answer.outcome == Outcome::Success
            {
                self.owed.push_back(imsi);
            }
        }
    }

    fn turn(&mut self, now: u64, room: Room, out: &mut Outbox) -> Option<u64> {
        let start = *self.start.get_or_insert(now);
        if now >= self.last_expiry.saturating_add(TICK) {
            let timeout = u64::try_from(self.config.timeout.as_nanos()).unwrap_or(u64::MAX);
            self.visited.expire(now, timeout, |()| {});
            self.last_expiry = now;
            self.publish();
        }
        let over = |d: Duration| u128::from(now - start) >= d.as_nanos();
        self.exhausted |= self.config.duration.is_some_and(over);
        let mut next = None;
        self.dry = (room.ready == 0).then(|| self.dry.unwrap_or(now));
        let patience = PATIENCE.as_nanos();
        self.exhausted |= self.dry.is_some_and(|since| u128::from(now - since) > patience);
        if room.ready > 0 && !room.choked {
            match self.config.load {
                Load::Rate(rate) => next = self.open_loop(rate, start, now, out),
                Load::Window(window) => {
                    while self.visited.outstanding() < window.max(1) && self.open(now, now, out) {}
                }
            }
        }
        if self.exhausted && self.visited.outstanding() == 0 {
            self.idle.get_or_insert(now);
        }
        next
    }

    fn cut(&mut self, _: u64) {
        self.visited.abandon(|()| {});
    }

    fn stop(&mut self) {
        self.exhausted = true;
    }

    fn is_over(&self, now: u64) -> bool {
        self.idle.is_some_and(|since| now >= since + LINGER)
    }
}
