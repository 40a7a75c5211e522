//! One MME of a visited network: its connection, its outstanding requests, its answers to homes.
#![allow(clippy::disallowed_methods, reason = "the simulator's sockets and clock live here")]

use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

use super::Shared;
use super::config::{Customer, Stack, VisitedNetwork};
use super::handset::{Ask, Tag};
use super::request::{Request, Said};
use super::stats::NetworkSnapshot;
use crate::check::{Checker, Verdict};
use crate::diameter::base::{self, Identity};
use crate::diameter::parse::{Message, Outcome};
use crate::diameter::s6a::Tail;
use crate::diameter::{command, result};
use crate::mme::template::{Common, Templates, first_end_to_end};
use crate::peer::{
    Backoff, Served, Stop, Watch, Watchdog, broken, leave, open, serve_base, serve_visited,
};
use crate::tally::Tally;
use crate::wire::{Fill, Wire};

const TICK: Duration = Duration::from_millis(20);

/// What an MME shares with the population and with displays.
pub(super) struct Mme {
    me: Identity,
    tail: Tail,
    /// Local address to connect from.
    source_ip: Option<IpAddr>,
    /// Requests by customer; none for those without a realm.
    templates: Vec<Option<Templates>>,
    state: Mutex<State>,
    wake: Notify,
}

struct State {
    connected: bool,
    opened: u64,
    queue: Vec<Ask>,
    checker: Checker<Tag>,
}

impl Mme {
    /// The `number`th node of the population.
    pub(super) fn new(
        number: usize,
        network: &VisitedNetwork,
        (me, source_ip): (&Identity, Option<IpAddr>),
        customers: &[Customer],
        unix: Duration,
    ) -> Self {
        let session_prefix = format!("{};{};", me.host, unix.as_secs());
        let templates = customers.iter().map(|customer| {
            Some(Templates::new(Common {
                me,
                session_prefix: &session_prefix,
                realm: customer.realm.as_deref()?,
                host: None,
                imsi_digits: customer.imsi.digits,
                visited: network.plmn.octets(),
            }))
        });
        let templates = templates.collect();
        let end_to_end = first_end_to_end(unix.as_secs(), u64::from(unix.subsec_nanos()));
        let checker = Checker::new(u32::try_from(number).unwrap_or(0), end_to_end, &session_prefix);
        let tail = Tail::plain(me, Outcome::Base(result::SUCCESS));
        let state = State { connected: false, opened: 0, queue: Vec::new(), checker };
        let (state, wake) = (Mutex::new(state), Notify::new());
        Self { me: me.clone(), tail, source_ip, templates, state, wake }
    }

    pub(super) fn enqueue(&self, ask: Ask) {
        self.state.lock().queue.push(ask);
        self.wake.notify_one();
    }

    pub(super) fn is_connected(&self) -> bool {
        self.state.lock().connected
    }

    pub(super) fn read(&self, network: &mut NetworkSnapshot, sum: &mut Tally) {
        let state = self.state.lock();
        network.connected = state.connected;
        network.opened = state.opened;
        network.outstanding = state.checker.outstanding() as u64;
        network.answered = state.checker.tally.answered;
        sum.add(&state.checker.tally);
    }

    fn set_connected(&self, connected: bool) {
        let mut state = self.state.lock();
        state.connected = connected;
        state.opened += u64::from(connected);
    }

    /// Writes the requests that wait in the queue.
    fn send(&self, wire: &mut Wire, now: u64) {
        if wire.is_choked() {
            return;
        }
        let mut state = self.state.lock();
        let State { queue, checker, .. } = &mut *state;
        for ask in queue.drain(..) {
            let templates = self.templates.get(ask.customer);
            let (Some(Some(templates)), Request::Diameter(command)) = (templates, ask.tag.request)
            else {
                continue;
            };
            let ids = checker.issue(command, ask.tag, now, now);
            templates.stamp(&mut wire.out, command, ids, ask.imsi);
        }
    }
}

/// Runs the MME until stopped: connects, serves, connects again.
pub(super) async fn run(shared: &Shared, mme: &Mme, mut stop: Stop) {
    let mut backoff = Backoff::new();
    while !stop.is_stopped() {
        if let Ok(wire) = open(shared.config.gateway, mme.source_ip, &mme.me).await {
            backoff = Backoff::new();
            mme.set_connected(true);
            let mut service = Service { shared, mme, wire };
            let done = service.serve(&mut stop).await;
            mme.set_connected(false);
            if done.is_ok() {
                leave(service.wire, &mme.me).await;
                return;
            }
        }
        fail_all(shared, mme);
        if !stop.is_stopped() {
            backoff.wait(&mut stop).await;
        }
    }
}

/// Without a connection every request fails: what was outstanding, and what waits.
fn fail_all(shared: &Shared, mme: &Mme) {
    let mut tags = Vec::new();
    {
        let mut state = mme.state.lock();
        state.checker.abandon(|tag| tags.push(tag));
        tags.extend(state.queue.drain(..).map(|ask| ask.tag));
    }
    shared.fail(&tags);
}

/// One connection of an MME.
struct Service<'a> {
    shared: &'a Shared,
    mme: &'a Mme,
    wire: Wire,
}

impl Service<'_> {
    /// Serves the connection; `Ok` when stopped and everything outstanding has ended.
    async fn serve(&mut self, stop: &mut Stop) -> io::Result<()> {
        let ip = self.wire.local_ip()?;
        let mut watchdog = Watchdog::new(self.shared.config.watchdog, Instant::now());
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.receive(ip)?;
        loop {
            if stop.is_stopped() {
                let mut state = self.mme.state.lock();
                state.queue.clear();
                if state.checker.outstanding() == 0 {
                    return Ok(());
                }
            }
            self.mme.send(&mut self.wire, self.shared.nanos(Instant::now()));
            self.wire.flush()?;
            tokio::select! {
                biased;
                _ = tick.tick() => self.tick(&mut watchdog)?,
                ready = self.wire.ready() => {
                    ready?;
                    if self.wire.fill()? == Fill::Closed {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    watchdog.heard(Instant::now());
                    self.receive(ip)?;
                }
                () = self.mme.wake.notified() => {}
            }
        }
    }

    fn tick(&mut self, watchdog: &mut Watchdog) -> io::Result<()> {
        let now = Instant::now();
        let at = self.shared.nanos(now);
        let timeout = u64::try_from(self.shared.config.timeout.as_nanos()).unwrap_or(u64::MAX);
        let mut lost = Vec::new();
        self.mme.state.lock().checker.expire(at, timeout, |tag| lost.push(tag));
        self.shared.fail(&lost);
        match watchdog.poll(now) {
            Watch::Quiet => Ok(()),
            Watch::SendDwr => {
                base::dwr(&mut self.wire.out, &self.mme.me, (0, 0));
                Ok(())
            }
            Watch::Dead => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    fn receive(&mut self, ip: IpAddr) -> io::Result<()> {
        let now = self.shared.nanos(Instant::now());
        let mme = self.mme;
        let mut verdicts = Vec::new();
        let mut home_requests = 0;
        let mut wrong = None;
        let framing = {
            let mut state = mme.state.lock();
            self.wire.frames(|frame, out| match Message::parse(frame) {
                Err(error) => wrong = Some(error),
                Ok(request) if request.is_request() => {
                    if serve_base(&mme.me, ip, &request, out) == Served::Application {
                        serve_visited(&mme.me, &mme.tail, &request, out);
                        home_requests += 1;
                    }
                }
                Ok(answer) if answer.application == 0 && is_watchdog(answer.command) => {}
                Ok(answer) => verdicts.push(state.checker.judge(&answer, now)),
            })
        };
        self.tell(verdicts, home_requests, now);
        framing.map_err(broken)?;
        wrong.map_or(Ok(()), |error| Err(broken(error)))
    }

    /// Tells the handsets what came, and hands on what they ask for next.
    fn tell(&self, verdicts: Vec<Verdict<Tag>>, home_requests: u64, now: u64) {
        self.shared.tell(|population, asks| {
            population.stats.asked_by_homes(Stack::Diameter, home_requests);
            for verdict in verdicts {
                match verdict {
                    Verdict::Answered(tag, outcome) => {
                        population.answered(tag, Said::Diameter(outcome), now, asks);
                    }
                    Verdict::Mismatched(Some(tag)) => population.failed(tag, now, asks),
                    Verdict::Mismatched(None) | Verdict::Duplicated | Verdict::Late => {}
                }
            }
        });
    }
}

fn is_watchdog(command: u32) -> bool {
    matches!(command, command::DEVICE_WATCHDOG | command::DISCONNECT_PEER)
}
