//! One connection of a load run: an MME of its own with its requests, its pace and its checker.
#![allow(clippy::disallowed_methods, reason = "the simulator's sockets and clock live here")]

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval, timeout};

use super::config::{Load, Procedure};
use super::run::Run;
use super::template::{Common, Templates, subscriber};
use crate::check::{Checker, Verdict};
use crate::diameter::base::{self, Identity};
use crate::diameter::parse::{Message, Outcome};
use crate::diameter::s6a::Tail;
use crate::diameter::{command, result};
use crate::pacer::Pacer;
use crate::peer::{
    Backoff, Served, Stop, Watch, Watchdog, broken, leave, open, serve_base, serve_visited,
};
use crate::tally::Tally;
use crate::wire::{Fill, Wire};

/// How often losses are looked for and the watchdog is asked.
const TICK: Duration = Duration::from_millis(20);
/// How long a finished lane still listens, to notice duplicates of its last answers.
const LINGER: Duration = Duration::from_millis(50);

pub(super) struct Lane {
    run: Arc<Run>,
    stop: Stop,
    index: usize,
    me: Identity,
    tail: Tail,
    templates: Templates,
    checker: Checker<u64>,
    /// Requests to keep outstanding in a closed loop.
    window: usize,
    /// Time between requests in an open loop.
    gap: Option<Duration>,
    pacer: Option<Pacer>,
    /// Subscribers whose AIR has succeeded and whose ULR is due.
    owed: VecDeque<u64>,
    started: u64,
    exhausted: bool,
    published: Tally,
    /// Since the start, when the last answer came.
    last_answer: Duration,
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Lane {
    pub(super) fn new(run: Arc<Run>, stop: Stop, index: usize) -> Self {
        let config = &run.config;
        let lanes = config.connections;
        let me = Identity::new(&config.host(index + 1));
        let session_prefix = format!("{};{};", me.host, run.started_unix);
        let templates = Templates::new(Common {
            me: &me,
            session_prefix: &session_prefix,
            realm: &config.destination_realm,
            host: config.destination_host.as_deref(),
            imsi_digits: config.imsi.digits,
            visited: config.visited.octets(),
        });
        let share = |window: usize| window / lanes + usize::from(index < window % lanes);
        let (window, gap) = match config.load {
            Load::Window(window) => (share(window).max(1), None),
            Load::Rate(rate) => (0, Some(Duration::from_secs(1).div_f64(rate.max(0.001)))),
        };
        let connection = u32::try_from(index).unwrap_or(0);
        Self {
            stop,
            index,
            tail: Tail::plain(&me, Outcome::Base(result::SUCCESS)),
            templates,
            checker: Checker::new(connection, run.first_end_to_end, &session_prefix),
            window,
            gap,
            pacer: None,
            owed: VecDeque::new(),
            started: 0,
            exhausted: false,
            published: Tally::default(),
            last_answer: Duration::ZERO,
            me,
            run,
        }
    }

    fn target(&self) -> Option<SocketAddr> {
        let list = &self.run.config.connect;
        list.get(self.index % list.len().max(1)).copied()
    }

    /// Runs to the end and returns what was counted, and how long it took to the last answer.
    pub(super) async fn go(mut self) -> io::Result<(Tally, Duration)> {
        let to = self.target().ok_or_else(|| broken("no address to connect to"))?;
        let source = self.run.config.source_ip;
        let first = timeout(Duration::from_secs(10), self.connect(to, source)).await;
        // Everyone waits at the gate, also who failed, so that nobody waits for ever.
        self.run.gate.wait().await;
        self.pacer = self.gap.map(|_| Pacer::new()).transpose()?;
        let mut wire = first.map_err(|_| broken(format!("no connection to {to} in 10 s")))??;
        self.run.clock.get_or_init(Instant::now);
        loop {
            let over = self.drive(&mut wire).await;
            self.publish();
            match over {
                Ok(()) => {
                    leave(wire, &self.me).await;
                    return Ok((self.checker.tally, self.last_answer));
                }
                Err(_) => self.checker.abandon(|_| {}),
            }
            self.owed.clear();
            Backoff::new().wait(&mut self.stop).await;
            match self.connect(to, source).await {
                Ok(again) => wire = again,
                Err(_) => return Ok((self.checker.tally, self.last_answer)),
            }
        }
    }

    /// Connects, again and again until it succeeds or the run is over.
    async fn connect(&mut self, to: SocketAddr, source: Option<IpAddr>) -> io::Result<Wire> {
        let mut backoff = Backoff::new();
        loop {
            match open(to, source, &self.me).await {
                Ok(wire) => return Ok(wire),
                Err(error) if self.is_over(Instant::now()) => return Err(error),
                Err(_) => backoff.wait(&mut self.stop).await,
            }
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        let late = self.run.deadline().is_some_and(|deadline| now >= deadline);
        self.stop.is_stopped() || late
    }

    /// Sends and receives until everything is sent and settled.
    async fn drive(&mut self, wire: &mut Wire) -> io::Result<()> {
        let ip = wire.local_ip()?;
        let mut watchdog = Watchdog::new(self.run.config.watchdog, Instant::now());
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut settled: Option<Instant> = None;
        self.receive(wire, ip)?;
        loop {
            let next = self.send(wire, Instant::now());
            wire.flush()?;
            if next.is_none() && self.exhausted && self.checker.outstanding() == 0 {
                let since = *settled.get_or_insert_with(Instant::now);
                if since.elapsed() >= LINGER {
                    return Ok(());
                }
            }
            tokio::select! {
                biased;
                _ = tick.tick() => self.tick(wire, &mut watchdog)?,
                ready = wire.ready() => {
                    ready?;
                    if wire.fill()? == Fill::Closed {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    watchdog.heard(Instant::now());
                    self.receive(wire, ip)?;
                }
                waited = wait(self.pacer.as_ref(), next), if next.is_some() => waited?,
            }
        }
    }

    fn tick(&mut self, wire: &mut Wire, watchdog: &mut Watchdog) -> io::Result<()> {
        let now = Instant::now();
        let timeout = nanos(self.run.config.timeout);
        self.checker.expire(self.run.nanos(now), timeout, |_| {});
        self.exhausted |= self.is_over(now);
        self.publish();
        match watchdog.poll(now) {
            Watch::Quiet => Ok(()),
            Watch::SendDwr => {
                base::dwr(&mut wire.out, &self.me, (0, 0));
                Ok(())
            }
            Watch::Dead => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Sends what is due at `now`; returns when the next request of an open loop is.
    fn send(&mut self, wire: &mut Wire, now: Instant) -> Option<Instant> {
        if wire.is_choked() {
            return None;
        }
        let at = self.run.nanos(now);
        if let Some(gap) = self.gap {
            return self.send_open(wire, now, at, gap);
        }
        let room = self.window.saturating_sub(self.checker.outstanding());
        for _ in 0..self.grant(room) {
            self.request(wire, at, at);
        }
        None
    }

    fn send_open(
        &mut self,
        wire: &mut Wire,
        now: Instant,
        at: u64,
        gap: Duration,
    ) -> Option<Instant> {
        while !self.owed.is_empty() && self.grant(1) == 1 {
            self.request(wire, at, at);
        }
        let start = self.run.start(now);
        let lanes = self.run.config.connections as u64;
        loop {
            let slot = self.started * lanes + self.index as u64;
            let due = start + gap.mul_f64(slot as f64);
            if due > now || self.grant(1) == 0 {
                return (!self.exhausted).then_some(due);
            }
            self.request(wire, self.run.nanos(due), at);
        }
    }

    /// Takes up to `wanted` requests from the run's budget.
    fn grant(&mut self, wanted: usize) -> usize {
        if self.exhausted || wanted == 0 {
            return 0;
        }
        let granted = self.run.take(wanted);
        self.exhausted = granted < wanted;
        granted
    }

    fn request(&mut self, wire: &mut Wire, intended: u64, now: u64) {
        let config = &self.run.config;
        let (command, imsi) = if let Some(imsi) = self.owed.pop_front() {
            (command::UPDATE_LOCATION, imsi)
        } else {
            let n = self.started;
            self.started += 1;
            let lanes = config.connections as u64;
            let imsi = subscriber(&config.imsi, self.index as u64, lanes, n);
            (config.procedure.command(n), imsi)
        };
        let ids = self.checker.issue(command, imsi, intended, now);
        self.templates.stamp(&mut wire.out, command, ids, imsi);
    }

    fn receive(&mut self, wire: &mut Wire, ip: IpAddr) -> io::Result<()> {
        let now = self.run.nanos(Instant::now());
        let attach = self.run.config.procedure == Procedure::Attach;
        let Self { checker, owed, me, tail, .. } = self;
        let mut wrong = None;
        let framing = wire.frames(|frame, out| {
            let message = match Message::parse(frame) {
                Ok(message) => message,
                Err(error) => return wrong = Some(error),
            };
            if message.is_request() {
                if serve_base(me, ip, &message, out) == Served::Application {
                    serve_visited(me, tail, &message, out);
                }
            } else if message.application != 0 || !is_base(message.command) {
                let verdict = checker.judge(&message, now);
                if let Verdict::Answered(imsi, outcome) = verdict
                    && attach
                    && message.command == command::AUTHENTICATION_INFORMATION
                    && outcome.is_success()
                {
                    owed.push_back(imsi);
                }
            }
        });
        self.last_answer = Duration::from_nanos(now);
        framing.map_err(broken)?;
        wrong.map_or(Ok(()), |error| Err(broken(error)))
    }

    /// Adds what is new to the run's live counters.
    fn publish(&mut self) {
        let (now, before) = (&self.checker.tally, &mut self.published);
        let live = &self.run.live;
        live.sent.fetch_add(now.sent - before.sent, Relaxed);
        live.answered.fetch_add(now.answered - before.answered, Relaxed);
        let ended = |t: &Tally| t.answered + t.lost + t.asker_gone + t.spoiled;
        live.ended.fetch_add(ended(now) - ended(before), Relaxed);
        let faults = |t: &Tally| t.lost + t.duplicated + t.mismatched + t.late;
        live.faults.fetch_add(faults(now) - faults(before), Relaxed);
        before.sent = now.sent;
        before.answered = now.answered;
        before.lost = now.lost;
        before.asker_gone = now.asker_gone;
        before.spoiled = now.spoiled;
        before.duplicated = now.duplicated;
        before.mismatched = now.mismatched;
        before.late = now.late;
    }
}

fn is_base(command: u32) -> bool {
    matches!(
        command,
        command::CAPABILITIES_EXCHANGE | command::DEVICE_WATCHDOG | command::DISCONNECT_PEER
    )
}

async fn wait(pacer: Option<&Pacer>, next: Option<Instant>) -> io::Result<()> {
    match (pacer, next) {
        (Some(pacer), Some(at)) => pacer.until(at).await,
        _ => Ok(()),
    }
}
