//! What every simulated peer does on the base protocol: open, watch, answer, close.
#![allow(clippy::disallowed_methods, reason = "the simulator's sockets need the time")]

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::diameter::base::{self, Identity};
use crate::diameter::parse::{Message, Outcome};
use crate::diameter::s6a::Tail;
use crate::diameter::{S6A, avp, command, result};
use crate::wire::{Fill, Wire};

/// Tells running peers to stop: they send DPR, write what is pending and close.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// The other end of a [`Stop`]; dropping it stops the peers too.
#[derive(Debug)]
pub struct StopHandle(watch::Sender<bool>);

/// A fresh pair: keep the handle, give clones of the stop to the peers.
#[must_use]
pub fn stop() -> (StopHandle, Stop) {
    let (sender, receiver) = watch::channel(false);
    (StopHandle(sender), Stop(receiver))
}

impl StopHandle {
    /// Asks all peers that hold the stop to end.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// True once asked to stop.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Completes once asked to stop.
    pub async fn stopped(&mut self) {
        // An error means that the handle is gone, which is a stop too.
        let _gone = self.0.wait_for(|stopped| *stopped).await;
    }
}

/// RFC 3539's Tw for a simulated peer, in its simplest form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watchdog {
    interval: Duration,
    deadline: Instant,
    pending: bool,
}

/// What the watchdog asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    Quiet,
    SendDwr,
    Dead,
}

impl Watchdog {
    pub(crate) fn new(interval: Duration, now: Instant) -> Self {
        Self { interval, deadline: now + interval, pending: false }
    }

    pub(crate) fn heard(&mut self, now: Instant) {
        self.deadline = now + self.interval;
        self.pending = false;
    }

    //= RFC 3539 §3.4.1
    // Silence for Tw sends a DWR; silence for another Tw ends the connection. A simulated peer has
    // nowhere to fail over to, so SUSPECT and DOWN are one.
    pub(crate) fn poll(&mut self, now: Instant) -> Watch {
        if now < self.deadline {
            return Watch::Quiet;
        }
        if self.pending {
            return Watch::Dead;
        }
        self.pending = true;
        self.deadline = now + self.interval;
        Watch::SendDwr
    }
}

/// What became of a request from the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Served {
    /// Answered; the connection goes on.
    Answered,
    /// Answered a DPR: the other end will close.
    Leaving,
    /// Not of the base protocol and not answered yet.
    Application,
}

/// Answers a base-protocol request.
pub(crate) fn serve_base(
    me: &Identity,
    ip: IpAddr,
    request: &Message<'_>,
    out: &mut Vec<u8>,
) -> Served {
    match (request.application, request.command) {
        (0, command::DEVICE_WATCHDOG) => base::success(out, me, request),
        (0, command::DISCONNECT_PEER) => {
            base::success(out, me, request);
            return Served::Leaving;
        }
        (0, command::CAPABILITIES_EXCHANGE) => {
            base::cea(out, me, ip, request);
        }
        _ => return Served::Application,
    }
    Served::Answered
}

/// Answers what a home network may ask of a visited one: CLR, IDR, DSR and RSR with success,
/// anything else with 3001.
pub(crate) fn serve_visited(me: &Identity, tail: &Tail, request: &Message<'_>, out: &mut Vec<u8>) {
    let known = matches!(
        request.command,
        command::CANCEL_LOCATION
            | command::INSERT_SUBSCRIBER_DATA
            | command::DELETE_SUBSCRIBER_DATA
            | command::RESET
    );
    match request.find(avp::SESSION_ID) {
        Some(session) if known && request.application == S6A => tail.answer(out, request, session),
        _ => base::protocol_error(out, me, request, result::COMMAND_UNSUPPORTED),
    }
}

pub(crate) fn broken(text: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.to_string())
}

/// Connects and exchanges capabilities; the connection is open when this returns.
///
/// # Errors
/// The socket's error, or a text when the other end closes, stays silent for 5 s or refuses.
//= RFC 6733 §5.6
// The initiator: connect, CER, Wait-I-CEA; any result but 2001 closes the connection.
pub(crate) async fn open(
    to: SocketAddr,
    source: Option<IpAddr>,
    me: &Identity,
) -> io::Result<Wire> {
    let opening = async {
        let mut wire = Wire::connect(to, source).await?;
        let ip = wire.local_ip()?;
        base::cer(&mut wire.out, me, ip, (0, 0));
        match first_outcome(&mut wire).await? {
            Outcome::Base(result::SUCCESS) => Ok(wire),
            other => Err(broken(format_args!("capabilities exchange refused: {other}"))),
        }
    };
    timeout(Duration::from_secs(5), opening).await.unwrap_or_else(|_| Err(broken("no CEA in 5 s")))
}

fn cea_outcome(frame: &[u8]) -> Option<Outcome> {
    let message = Message::parse(frame).ok()?;
    let is_cea = message.command == command::CAPABILITIES_EXCHANGE && !message.is_request();
    let mut avps = message.avps().map_while(Result::ok);
    is_cea.then(|| avps.find_map(|a| Outcome::of(&a)).unwrap_or(Outcome::Absent))
}

async fn first_outcome(wire: &mut Wire) -> io::Result<Outcome> {
    loop {
        wire.flush()?;
        wire.ready().await?;
        if wire.fill()? == Fill::Closed {
            return Err(broken("closed before CEA"));
        }
        // One frame only: requests may follow the CEA in the same read.
        let mut outcome = None;
        let first = wire.frame(|frame, _| outcome = cea_outcome(frame)).map_err(broken)?;
        if first {
            return outcome.ok_or_else(|| broken("expected CEA first"));
        }
    }
}

/// Sends DPR and waits up to half a second for the other end to answer or close.
//= RFC 6733 §5.4
// The sender of DPR waits for the DPA, then disconnects the transport.
pub(crate) async fn leave(mut wire: Wire, me: &Identity) {
    base::dpr(&mut wire.out, me, (1, 1));
    let parting = async {
        let mut answered = false;
        while !answered {
            let gone = wire.flush().is_err() || wire.ready().await.is_err();
            if gone || !matches!(wire.fill(), Ok(Fill::Data | Fill::Empty)) {
                return;
            }
            let read = wire.frames(|frame, _| {
                answered |=
                    Message::parse(frame).is_ok_and(|m| m.command == command::DISCONNECT_PEER);
            });
            if read.is_err() {
                return;
            }
        }
    };
    let _late = timeout(Duration::from_millis(500), parting).await;
}

/// Pauses between attempts to connect: 50 ms, doubling up to a second.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) fn new() -> Self {
        Self(Duration::from_millis(50))
    }

    pub(crate) async fn wait(&mut self, stop: &mut Stop) {
        tokio::select! {
            () = sleep(self.0) => {}
            () = stop.stopped() => {}
        }
        self.0 = (self.0 * 2).min(Duration::from_secs(1));
    }
}
