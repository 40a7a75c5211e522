//! A simulated HSS: accepts connections or makes them, and answers every request.
#![allow(clippy::disallowed_methods, reason = "the simulator's sockets and clock live here")]

mod answer;
mod config;
pub(crate) mod counters;

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use crate::diameter::base::{self, Identity};
use crate::diameter::parse::Message;
use crate::diameter::{command, result};
use crate::peer::{Backoff, Served, Stop, Watch, Watchdog, broken, leave, open, serve_base};
use crate::wire::{Fill, Wire};
use answer::Desk;

pub use config::{HssConfig, Subscribers};
pub use counters::{HssCounters, HssSnapshot};

/// A simulated HSS whose listeners are bound and which is ready to [`run`](Hss::run).
pub struct Hss {
    shared: Arc<Shared>,
    listeners: Vec<std::net::TcpListener>,
}

struct Shared {
    config: HssConfig,
    desk: Mutex<(Desk, Instant)>,
    counters: HssCounters,
}

impl Hss {
    /// Binds the configured listen addresses.
    ///
    /// # Errors
    /// The socket's error when an address cannot be bound.
    pub fn bind(config: HssConfig) -> io::Result<Self> {
        let mut listeners = Vec::new();
        for address in &config.listen {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            listeners.push(listener);
        }
        let counters = HssCounters::default();
        counters.0.lock().recent = counters::Recent::new(config.remembered);
        let desk = Mutex::new((Desk::new(config.clone()), Instant::now()));
        Ok(Self { shared: Arc::new(Shared { config, desk, counters }), listeners })
    }

    /// The addresses it listens on, with the ports that were taken for port 0.
    ///
    /// # Errors
    /// The socket's error.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.listeners.iter().map(std::net::TcpListener::local_addr).collect()
    }

    /// A handle to the counters, valid while and after it runs.
    #[must_use]
    pub fn counters(&self) -> HssCounters {
        self.shared.counters.clone()
    }

    /// Runs until stopped; dropping the future closes every connection without a DPR, as a crash
    /// would.
    ///
    /// # Errors
    /// The socket's error when a listener cannot be used at all. A connection's error ends only
    /// that connection.
    pub async fn run(self, mut stop: Stop) -> io::Result<()> {
        let mut tasks = JoinSet::new();
        for address in &self.shared.config.connect {
            tasks.spawn(initiate(self.shared.clone(), *address, stop.clone()));
        }
        for listener in self.listeners {
            let listener = TcpListener::from_std(listener)?;
            tasks.spawn(accept(self.shared.clone(), listener, stop.clone()));
        }
        stop.stopped().await;
        while tasks.join_next().await.is_some() {}
        Ok(())
    }
}

async fn initiate(shared: Arc<Shared>, to: SocketAddr, mut stop: Stop) {
    let mut backoff = Backoff::new();
    while !stop.is_stopped() {
        let config = &shared.config;
        if let Ok(wire) = open(to, config.source_ip, &config.identity).await {
            backoff = Backoff::new();
            serve(wire, &shared, true, &mut stop).await;
        }
        if !stop.is_stopped() {
            backoff.wait(&mut stop).await;
        }
    }
}

async fn accept(shared: Arc<Shared>, listener: TcpListener, mut stop: Stop) {
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    // Out of descriptors, most likely: give others time to close.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            },
            Some(_) = connections.join_next() => continue,
            () = stop.stopped() => break,
        };
        let (shared, mut stop) = (shared.clone(), stop.clone());
        connections.spawn(async move {
            if let Ok(wire) = Wire::new(stream) {
                serve(wire, &shared, false, &mut stop).await;
            }
        });
    }
    while connections.join_next().await.is_some() {}
}

async fn serve(wire: Wire, shared: &Shared, opened: bool, stop: &mut Stop) {
    let tally = &shared.counters.0;
    let Ok(mut connection) = Connection::new(wire, shared, opened) else { return };
    {
        let mut tally = tally.lock();
        tally.open += 1;
        tally.opened += 1;
    }
    let _guard = Closing(shared);
    if let Err(error) = connection.run(stop).await {
        tally.lock().malformed += u64::from(error.kind() == io::ErrorKind::InvalidData);
    } else if stop.is_stopped() && connection.state == State::Open {
        leave(connection.wire, &shared.config.identity).await;
    }
}

/// Counts the connection as closed, also when the task is dropped.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.counters.0.lock().open -= 1;
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    WaitCer,
    Open,
    Closing,
}

struct Connection<'a> {
    wire: Wire,
    shared: &'a Shared,
    ip: IpAddr,
    state: State,
    watchdog: Watchdog,
    delayed: VecDeque<(Instant, Vec<u8>)>,
}

impl<'a> Connection<'a> {
    fn new(wire: Wire, shared: &'a Shared, opened: bool) -> io::Result<Self> {
        let ip = wire.local_ip()?;
        let watchdog = Watchdog::new(shared.config.watchdog, Instant::now());
        let state = if opened { State::Open } else { State::WaitCer };
        Ok(Self { wire, shared, ip, state, watchdog, delayed: VecDeque::new() })
    }

    async fn run(&mut self, stop: &mut Stop) -> io::Result<()> {
        let mut tick = interval(self.shared.config.watchdog.min(Duration::from_millis(500)));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.read()?;
        loop {
            let drained = self.wire.flush()?;
            if self.state == State::Closing && drained && self.delayed.is_empty() {
                return Ok(());
            }
            let due = self.delayed.front().map(|(at, _)| *at);
            tokio::select! {
                biased;
                () = stop.stopped() => return Ok(()),
                _ = tick.tick() => self.watch()?,
                () = until(due), if due.is_some() => {}
                ready = self.wire.ready() => {
                    ready?;
                    if self.wire.fill()? == Fill::Closed {
                        return Ok(());
                    }
                    self.read()?;
                }
            }
            self.release(Instant::now());
        }
    }

    fn watch(&mut self) -> io::Result<()> {
        match self.watchdog.poll(Instant::now()) {
            Watch::Quiet => Ok(()),
            Watch::SendDwr if self.state == State::Open => {
                base::dwr(&mut self.wire.out, &self.shared.config.identity, (0, 0));
                Ok(())
            }
            Watch::SendDwr | Watch::Dead => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Takes every whole frame that has come and answers it, under one lock for the batch.
    fn read(&mut self) -> io::Result<()> {
        let now = Instant::now();
        self.watchdog.heard(now);
        let Self { wire, shared, ip, state, delayed, .. } = self;
        let config = &shared.config;
        let mut desk = shared.desk.lock();
        let (desk, before) = &mut *desk;
        desk.advance(now.duration_since(*before).as_secs_f64());
        *before = now;
        let mut tally = shared.counters.0.lock();
        let mut held = Vec::new();
        let mut wrong = None;
        let framing = wire.frames(|frame, out| {
            let request = match Message::parse(frame) {
                Ok(message) if message.is_request() => message,
                Ok(message) => {
                    tally.cancels_answered += u64::from(message.application != 0);
                    return;
                }
                Err(error) => return wrong = Some(error),
            };
            match base_state(&config.identity, *ip, state, &request, out) {
                Served::Application if config.delay.is_zero() => {
                    desk.answer(&request, out, &mut tally);
                }
                Served::Application => desk.answer(&request, &mut held, &mut tally),
                Served::Answered | Served::Leaving => {}
            }
        });
        if !held.is_empty() {
            delayed.push_back((now + config.delay, held));
        }
        framing.map_err(broken)?;
        wrong.map_or(Ok(()), |error| Err(broken(error)))
    }

    /// Moves delayed answers that are due to the output.
    fn release(&mut self, now: Instant) {
        while let Some((_, bytes)) = self.delayed.pop_front_if(|(at, _)| *at <= now) {
            self.wire.out.extend_from_slice(&bytes);
        }
    }
}

async fn until(due: Option<Instant>) {
    if let Some(at) = due {
        sleep_until(at.into()).await;
    }
}

/// Base-protocol requests, and the rule that nothing comes before CER.
//= RFC 6733 §5.6
// The responder: R-Conn-CER first; anything else before it closes the connection.
fn base_state(
    me: &Identity,
    ip: IpAddr,
    state: &mut State,
    request: &Message<'_>,
    out: &mut Vec<u8>,
) -> Served {
    if *state == State::WaitCer {
        *state = State::Closing;
        if request.command == command::CAPABILITIES_EXCHANGE
            && base::cea(out, me, ip, request) == result::SUCCESS
        {
            *state = State::Open;
        }
        return Served::Answered;
    }
    let served = serve_base(me, ip, request, out);
    if served == Served::Leaving {
        *state = State::Closing;
    }
    served
}
