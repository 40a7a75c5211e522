//! **link**: the M3UA machine of one association. [`table`] says what follows from what; here
//! events are told from each other and actions carried out.
//!
//! - `keeper` what we do for a peer that is an ASP; `asker` what we do as one.
//! - `receive` tells messages apart; `network` destinations; `keys` registration.
//! - [`state`] what all links share, and what the walk asks of it.

mod asker;
pub(crate) mod frames;
mod keeper;
mod keys;
mod network;
mod receive;
pub mod state;
pub mod table;
mod unconfigured;

use std::collections::VecDeque;
use std::sync::Arc;

use procedure::{LinkId, Time};
use relay::{About, ConnId, Effect, Effects, Link, LinkTimer, Passage, Side};

pub use self::state::State;
pub use self::table::Standing;
use self::table::{Asker, AskerEvent, Asp, AspEvent, asp};
pub use self::unconfigured::Unconfigured;
use crate::config::{LinkConfig, Role};
use crate::view::m3ua::{Kind, PointCode};

/// Heartbeats that may be unanswered before the association is ended.
const BEATS_UNANSWERED_MAX: u8 = 2;
/// Octets of a waiting connection's message that are kept until it is let in.
const HELD_OCTETS_MAX: usize = 1024;

/// What we want of the peer for one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    /// Traffic, not asked for yet.
    Idle,
    /// Traffic; ASPAC is out.
    Asked,
    /// We have it.
    Active,
    /// Another ASP has it; we wait until it is missed.
    Standby,
}

/// One server that the link may serve.
#[derive(Clone, Copy, Debug)]
struct Seat {
    server: usize,
    context: Option<u32>,
    /// It has no place there before it registers.
    registers: bool,
    is_registered: bool,
    /// What the peer is for the server, where the peer is its ASP.
    keeper: Asp,
    /// What we are for it, where we are.
    ask: Ask,
    /// What the others know.
    shared: Asp,
    /// What the peer was told of the server.
    told: Option<Standing>,
    told_short: bool,
}

/// A second connection of the peer, while we find out whether the first one lives.
#[derive(Debug)]
struct Rival {
    conn: ConnId,
    held: Vec<u8>,
}

/// A server that this link left last, and when that counts as its loss.
#[derive(Clone, Copy, Debug)]
struct Recovery {
    server: usize,
    pendings: u32,
    at: Time,
}

/// The machine of one link.
#[derive(Debug)]
pub struct Machine {
    state: Arc<State>,
    link: LinkId,
    config: LinkConfig,
    conn: Option<ConnId>,
    rival: Option<Rival>,
    keeper: Asp,
    asker: Asker,
    seats: Vec<Seat>,
    /// The point codes behind its own servers.
    own_codes: Vec<PointCode>,
    /// By place in the list of all point codes: whether the peer takes it to be out of reach, as
    /// far as we know.
    told_gone: Vec<Option<bool>>,
    /// The last report of congestion that the peer was told or spared.
    told_reports: Option<u64>,
    /// The version of what is shared that was looked at last.
    seen: Option<u64>,
    is_up: bool,
    is_stopped: bool,
    is_connecting: bool,
    /// Attempts to connect since the peer was last there.
    tries: u32,
    /// Times that T(ack) ran out in a row.
    asks: u32,
    /// Heartbeats that were not answered, and the data of the last one.
    beats: u8,
    nonce: u64,
    beat_at: Time,
    audit_at: Time,
    recoveries: VecDeque<Recovery>,
    /// The second in which errors were last told, and how many.
    errors: (u64, u32),
}

impl Machine {
    /// At rest. `None` where the link is not configured.
    #[must_use]
    pub fn new(state: Arc<State>, link: LinkId) -> Option<Self> {
        let config = state.scope.links.get(link.0 as usize)?.clone()?;
        let seat = |server: usize| {
            let found = state.scope.servers.get(server)?;
            Some(Seat {
                server,
                context: found.routing_context,
                registers: found.registers,
                is_registered: false,
                keeper: Asp::Down,
                ask: Ask::Idle,
                shared: Asp::Down,
                told: None,
                told_short: false,
            })
        };
        let seats: Vec<_> = state.servers_of(link).filter_map(seat).collect();
        let servers = seats.iter().filter_map(|seat| state.scope.servers.get(seat.server));
        let own_codes = servers.flat_map(|server| server.point_codes.iter().copied()).collect();
        Some(Self {
            link,
            config,
            conn: None,
            rival: None,
            keeper: Asp::Down,
            asker: Asker::Down,
            seats,
            own_codes,
            told_gone: Vec::new(),
            told_reports: None,
            seen: None,
            is_up: false,
            is_stopped: false,
            is_connecting: false,
            tries: 0,
            asks: 0,
            beats: 0,
            nonce: 0,
            beat_at: Time::default(),
            audit_at: Time::default(),
            recoveries: VecDeque::new(),
            errors: (0, 0),
            state,
        })
    }

    /// The peer is an ASP of ours.
    const fn keeps(&self) -> bool {
        !matches!(self.config.role, Role::Asp | Role::IpspSingle { leads: true })
    }

    /// We are an ASP of the peer's.
    const fn asks(&self) -> bool {
        matches!(self.config.role, Role::Asp | Role::IpspSingle { leads: true } | Role::IpspDouble)
    }

    /// What the peer takes of a server's traffic from us.
    fn outward(&self, seat: &Seat) -> Asp {
        if self.keeps() {
            let has_place = !seat.registers || seat.is_registered;
            return if has_place { seat.keeper.min(self.keeper) } else { Asp::Down };
        }
        match seat.ask {
            _ if matches!(self.asker, Asker::Down | Asker::Rising) => Asp::Down,
            Ask::Active if self.asker != Asker::Parting => Asp::Active,
            _ => Asp::Inactive,
        }
    }

    /// What we take of a server's traffic from the peer. As soon as it is asked for it may come:
    /// its streams do not wait for the one that the acknowledgement comes on.
    fn takes(&self, seat: &Seat) -> bool {
        if self.asks() {
            let is_asking = matches!(self.asker, Asker::Activating | Asker::Active);
            is_asking && matches!(seat.ask, Ask::Asked | Ask::Active)
        } else {
            self.keeper == Asp::Active && seat.keeper == Asp::Active
        }
    }

    /// Shares what changed with the other links and tells the gateway whether traffic may pass.
    fn share(&mut self, now: Time, fx: &mut Effects<'_>) {
        for index in 0..self.seats.len() {
            let Some(seat) = self.seats.get(index).copied() else { continue };
            let asp = self.outward(&seat);
            if asp == seat.shared {
                continue;
            }
            let change = self.state.set(seat.server, self.link, asp, self.replaces(&seat));
            if let Some(seat) = self.seats.get_mut(index) {
                seat.shared = asp;
            }
            if change.is_new {
                fx.list.push(Effect::Tidings);
            }
            if let Some(is_reached) = change.reached {
                if is_reached {
                    self.note_server(seat.server, About::Reached, "a server is available", fx);
                } else {
                    self.note_server(seat.server, About::Lost, "a server has no active ASP", fx);
                }
            }
            if let Some(pendings) = change.pending {
                let at = now.plus_ms(self.state.scope.timers.recovery_ms);
                // Of one that flaps, only the last departure counts.
                self.recoveries.retain(|old| old.server != seat.server);
                self.recoveries.push_back(Recovery { server: seat.server, pendings, at });
                self.arm_recovery(fx);
            }
        }
        self.settle_up(fx);
    }

    fn settle_up(&mut self, fx: &mut Effects<'_>) {
        let is_active = self.seats.iter().any(|seat| seat.shared == Asp::Active);
        match self.conn.filter(|_| is_active) {
            Some(conn) if !self.is_up => {
                self.is_up = true;
                fx.list.push(Effect::Up { conn });
            }
            None if std::mem::take(&mut self.is_up) => fx.list.push(Effect::Down),
            _ => {}
        }
    }

    fn arm_recovery(&self, fx: &mut Effects<'_>) {
        if let Some(first) = self.recoveries.front() {
            arm(LinkTimer::Recovery, first.at, fx);
        }
    }

    /// T(r).
    //= RFC 4666 §4.3.2
    fn recover(&mut self, now: Time, fx: &mut Effects<'_>) {
        while let Some(due) = self.recoveries.front().copied().filter(|due| due.at <= now) {
            self.recoveries.pop_front();
            if self.state.give_up(due.server, due.pendings) {
                let what = "a server's last ASP did not come back in time";
                self.note_server(due.server, About::Lost, what, fx);
                fx.list.push(Effect::Tidings);
            }
        }
        self.arm_recovery(fx);
    }

    /// A connection becomes the link's.
    fn begin(&mut self, now: Time, conn: ConnId, fx: &mut Effects<'_>) {
        self.conn = Some(conn);
        (self.beats, self.asks) = (0, 0);
        self.beat_at = now.plus_ms(self.state.scope.timers.heartbeat_ms);
        self.audit_at = self.next_audit(now);
        self.arm_watchdog(fx);
        fx.list.push(Effect::Disarm { timer: LinkTimer::Reconnect });
        if self.asks() {
            self.ask(now, AskerEvent::Opened, fx);
        }
    }

    /// The link's connection is over. It has been closed, or is closed here if `closes`.
    fn lose(&mut self, now: Time, closes: bool, fx: &mut Effects<'_>) {
        let conn = self.conn.take();
        self.ask(now, AskerEvent::Lost, fx);
        (self.keeper, _) = asp(self.keeper, AspEvent::Lost);
        for seat in &mut self.seats {
            seat.keeper = Asp::Down;
            seat.ask = Ask::Idle;
            seat.is_registered = false;
            (seat.told, seat.told_short) = (None, false);
        }
        self.share(now, fx);
        self.told_gone.clear();
        self.told_reports = None;
        self.forget_destinations(fx);
        for timer in [LinkTimer::Watchdog, LinkTimer::Handshake, LinkTimer::Teardown] {
            fx.list.push(Effect::Disarm { timer });
        }
        if let Some(conn) = conn.filter(|_| closes) {
            fx.list.push(Effect::Close { conn });
        }
        match self.rival.take() {
            Some(rival) => {
                self.begin(now, rival.conn, fx);
                if !rival.held.is_empty() {
                    let _ = self.received(now, rival.conn, &rival.held, fx);
                }
            }
            None => self.retry_later(now, fx),
        }
    }

    fn retry_later(&mut self, now: Time, fx: &mut Effects<'_>) {
        if !self.config.connects || self.is_stopped {
            return;
        }
        let timers = &self.state.scope.timers;
        let most = timers.connect_backoff_ms.saturating_mul(1 << self.tries.min(16));
        let most = most.min(timers.connect_backoff_max_ms);
        self.tries = self.tries.saturating_add(1);
        let wait = most / 2 + fx.rng.below(most / 2 + 1);
        arm(LinkTimer::Reconnect, now.plus_ms(wait), fx);
    }

    fn connect(&mut self, fx: &mut Effects<'_>) {
        let may = self.config.connects && !self.is_stopped && self.conn.is_none();
        if may && !std::mem::replace(&mut self.is_connecting, true) {
            fx.list.push(Effect::Connect);
        }
    }

    fn next_audit(&self, now: Time) -> Time {
        let every_ms = self.state.scope.timers.audit_ms;
        now.plus_ms(if every_ms == 0 { u64::MAX } else { every_ms })
    }

    fn arm_watchdog(&self, fx: &mut Effects<'_>) {
        arm(LinkTimer::Watchdog, self.beat_at.min(self.audit_at), fx);
    }

    /// The time for a heartbeat or an audit has come.
    //= RFC 4666 §4.3.4.6
    fn tick(&mut self, now: Time, fx: &mut Effects<'_>) {
        let timers = self.state.scope.timers;
        if now >= self.beat_at {
            if self.beats >= BEATS_UNANSWERED_MAX {
                note("the peer does not answer heartbeats", 0, fx);
                return self.lose(now, true, fx);
            }
            self.beat(fx);
            self.beats += 1;
            self.beat_at = now.plus_ms(timers.heartbeat_ms.max(1));
        }
        if now >= self.audit_at {
            self.audit_peer(fx);
            self.audit_at = self.next_audit(now);
        }
        self.arm_watchdog(fx);
    }

    fn beat(&mut self, fx: &mut Effects<'_>) {
        let Some(conn) = self.conn else { return };
        self.nonce = fx.rng.next_u64();
        self.send(conn, frames::beat(Kind::BEAT, Some(&self.nonce.to_be_bytes())), fx);
    }

    /// The peer has shown that it lives.
    fn heard(&mut self, fx: &mut Effects<'_>) {
        self.beats = 0;
        if let Some(rival) = self.rival.take() {
            let what = "a second connection of a peer that lives was refused";
            fx.list.push(Effect::Note { about: About::Conn(rival.conn), what, code: 0 });
            fx.list.push(Effect::Disarm { timer: LinkTimer::Teardown });
            fx.list.push(Effect::Close { conn: rival.conn });
        }
    }

    #[allow(clippy::unused_self, reason = "reads as what the machine does")]
    fn send(&self, conn: ConnId, frame: Vec<u8>, fx: &mut Effects<'_>) {
        fx.list.push(Effect::Send { conn, frame });
    }
}

fn arm(timer: LinkTimer, at: Time, fx: &mut Effects<'_>) {
    fx.list.push(Effect::Arm { timer, at });
}

fn note(what: &'static str, code: u32, fx: &mut Effects<'_>) {
    fx.list.push(Effect::Note { about: About::Link, what, code });
}

impl Link for Machine {
    fn start(&mut self, _now: Time, fx: &mut Effects<'_>) {
        self.is_stopped = false;
        self.connect(fx);
    }

    fn opened(&mut self, now: Time, conn: ConnId, side: Side, fx: &mut Effects<'_>) {
        if side == Side::Initiator {
            self.is_connecting = false;
        }
        if self.is_stopped || self.rival.is_some() {
            fx.list.push(Effect::Close { conn });
        } else if self.conn.is_none() {
            self.begin(now, conn, fx);
        } else {
            // Either the old connection died without a word, or somebody else calls: ask over it.
            self.rival = Some(Rival { conn, held: Vec::new() });
            self.beat(fx);
            arm(LinkTimer::Teardown, now.plus_ms(self.state.scope.timers.ack_ms), fx);
        }
    }

    fn failed(&mut self, now: Time, fx: &mut Effects<'_>) {
        self.is_connecting = false;
        if self.conn.is_none() {
            self.retry_later(now, fx);
        }
    }

    fn received(&mut self, now: Time, conn: ConnId, frame: &[u8], fx: &mut Effects<'_>) -> Passage {
        let is_data = frame.get(2..4) == Some(&[Kind::DATA.0, Kind::DATA.1]);
        if self.conn != Some(conn) {
            let rival = self.rival.as_mut().filter(|rival| rival.conn == conn && !is_data);
            if let Some(rival) = rival.filter(|_| frame.len() <= HELD_OCTETS_MAX) {
                rival.held = frame.to_vec();
                return Passage::Base;
            }
            return Passage::Premature;
        }
        self.heard(fx);
        if is_data {
            return self.data(now, conn, frame, fx);
        }
        self.base(now, conn, frame, fx);
        Passage::Base
    }

    fn closed(&mut self, now: Time, conn: ConnId, fx: &mut Effects<'_>) {
        if self.conn == Some(conn) {
            self.lose(now, false, fx);
        } else if self.rival.as_ref().is_some_and(|rival| rival.conn == conn) {
            self.rival = None;
            fx.list.push(Effect::Disarm { timer: LinkTimer::Teardown });
        }
    }

    fn expired(&mut self, now: Time, timer: LinkTimer, fx: &mut Effects<'_>) {
        match timer {
            LinkTimer::Reconnect => self.connect(fx),
            LinkTimer::Handshake => self.ask(now, AskerEvent::Retry, fx),
            LinkTimer::Watchdog if self.conn.is_some() => self.tick(now, fx),
            LinkTimer::Teardown if self.conn.is_some() => {
                if self.rival.is_some() {
                    note("the peer's new connection takes over from a dead one", 0, fx);
                }
                self.lose(now, true, fx);
            }
            LinkTimer::Recovery => self.recover(now, fx),
            LinkTimer::Watchdog | LinkTimer::Teardown => {}
        }
    }

    fn tidings(&mut self, now: Time, fx: &mut Effects<'_>) {
        let version = self.state.version();
        if self.seen.replace(version) == Some(version) {
            return;
        }
        self.tell_servers(now, fx);
        self.tell_destinations(fx);
    }

    fn stop(&mut self, now: Time, fx: &mut Effects<'_>) {
        self.is_stopped = true;
        fx.list.push(Effect::Disarm { timer: LinkTimer::Reconnect });
        if let Some(rival) = self.rival.take() {
            fx.list.push(Effect::Close { conn: rival.conn });
        }
        let Some(conn) = self.conn else { return };
        self.dismiss(conn, fx);
        if self.asker == Asker::Down {
            return self.lose(now, true, fx);
        }
        self.ask(now, AskerEvent::Stop, fx);
        self.share(now, fx);
    }

    fn state(&self) -> &'static str {
        if self.keeps() { self.keeper.name() } else { self.asker.asp().name() }
    }
}

#[cfg(test)]
pub(crate) mod tests;
