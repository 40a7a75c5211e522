//! **link**: the base protocol's machine, one for both roles. [`table`] says what follows from
//! what; here events are told from each other and actions carried out.

pub(crate) mod capabilities;
mod disconnect;
mod election;
mod receive;
mod table;
mod watchdog;

use std::sync::Arc;

use procedure::{LinkId, Time};
use relay::{About, ConnId, Effect, Effects, Link, LinkTimer, Passage, Side};

use self::table::{Action, Event, State, transition};
use self::watchdog::Watch;
use crate::config::Shared;
use crate::view::Header;

/// A connection that the peer opened and that is not (yet) the one in use.
#[derive(Clone, Copy, Debug)]
struct Rival {
    conn: ConnId,
    /// Its CER's header once that came and was found good: what a CEA answers.
    cer: Option<Header>,
}

/// The machine of one link.
#[derive(Debug)]
pub(crate) struct Machine {
    shared: Arc<Shared>,
    link: LinkId,
    state: State,
    /// Our connection while we introduce ourselves.
    own: Option<ConnId>,
    /// The peer's connection while it is not accepted.
    rival: Option<Rival>,
    /// The connection in use.
    open: Option<ConnId>,
    /// We opened the connection in use.
    is_initiator: bool,
    /// An [`Effect::Connect`] is on its way and neither made nor failed.
    is_connecting: bool,
    /// The gateway is ending: nobody comes in or is called.
    is_stopped: bool,
    /// Traffic may pass, as far as the gateway was told.
    is_up: bool,
    /// The last connection ended in silence.
    is_doubted: bool,
    /// The peer asked us not to call again soon.
    is_unwanted: bool,
    /// The DPR to be answered.
    dpr: Option<Header>,
    watch: Watch,
    /// Attempts to connect since the link was last open.
    tries: u32,
    /// The last Hop-by-Hop Identifier that we took, once we took one.
    hop_by_hop: Option<u32>,
    /// Which timers run, by [`slot`].
    armed: [bool; 5],
}

const fn slot(timer: LinkTimer) -> usize {
    match timer {
        LinkTimer::Reconnect => 0,
        LinkTimer::Handshake => 1,
        LinkTimer::Watchdog => 2,
        LinkTimer::Teardown => 3,
        LinkTimer::Recovery => 4,
    }
}

impl Machine {
    pub(crate) const fn new(shared: Arc<Shared>, link: LinkId) -> Self {
        Self {
            shared,
            link,
            state: State::Closed,
            own: None,
            rival: None,
            open: None,
            is_initiator: false,
            is_connecting: false,
            is_stopped: false,
            is_up: false,
            is_doubted: false,
            is_unwanted: false,
            dpr: None,
            watch: Watch::new(),
            tries: 0,
            hop_by_hop: None,
            armed: [false; 5],
        }
    }

    /// One step of the table.
    fn dispatch(&mut self, now: Time, event: Event, fx: &mut Effects<'_>) {
        let (state, action) = transition(self.state, event, self.is_doubted);
        self.state = state;
        match action {
            Action::None => {}
            Action::Connect => self.connect(now, fx),
            Action::SendCer => self.send_cer(fx),
            Action::Cleanup => self.clean_up(now, fx),
            Action::Quit => self.quit(now, fx),
            Action::Accept => self.accept(now, fx),
            Action::Hold => {}
            Action::Reject => self.reject(fx),
            Action::Use => self.use_own(now, fx),
            Action::Probe => self.probe(now, fx),
            Action::TakeOver => self.take_over(now, fx),
            Action::SendDwr => self.send_dwr(now, fx),
            Action::Watch => self.set_watchdog(now, fx),
            Action::Failover => {
                note("the peer is silent: failover", 0, fx);
                self.down(fx);
                self.set_watchdog(now, fx);
            }
            Action::Failback => {
                self.up(fx);
                self.set_watchdog(now, fx);
            }
            Action::GiveUp => {
                note("the peer stays silent", 0, fx);
                self.is_doubted = true;
                self.clean_up(now, fx);
            }
            Action::SendDpr => self.send_dpr(now, fx),
            Action::SendDpa => self.send_dpa(now, fx),
        }
    }

    fn connect(&mut self, now: Time, fx: &mut Effects<'_>) {
        self.disarm(LinkTimer::Reconnect, fx);
        // An earlier attempt may still be under way: its outcome is this one's.
        if !std::mem::replace(&mut self.is_connecting, true) {
            fx.list.push(Effect::Connect);
        }
        self.arm_handshake(now, fx);
    }

    fn send_cer(&mut self, fx: &mut Effects<'_>) {
        let Some(conn) = self.own else { return };
        let hop_by_hop = self.next_hop_by_hop(fx);
        let frame = capabilities::request(&self.shared, hop_by_hop, watchdog::end_to_end(fx));
        self.send(conn, frame, fx);
    }

    /// Closes what is open, without the peer's connection if that still may introduce itself.
    fn clean_up(&mut self, now: Time, fx: &mut Effects<'_>) {
        self.down(fx);
        for conn in [self.own.take(), self.open.take()].into_iter().flatten() {
            fx.list.push(Effect::Close { conn });
        }
        for timer in [LinkTimer::Watchdog, LinkTimer::Teardown] {
            self.disarm(timer, fx);
        }
        if self.rival.is_some_and(|rival| rival.cer.is_some()) {
            self.drop_rival(fx);
        }
        self.settle_handshake(fx);
        let initiates = self.shared.peer(self.link).is_some_and(|peer| peer.initiate);
        if initiates && !self.is_stopped {
            self.retry_later(now, fx);
        }
    }

    fn quit(&mut self, now: Time, fx: &mut Effects<'_>) {
        self.drop_rival(fx);
        self.clean_up(now, fx);
        self.disarm(LinkTimer::Reconnect, fx);
    }

    /// R-Snd-CEA: the peer's connection becomes the one in use.
    fn accept(&mut self, now: Time, fx: &mut Effects<'_>) {
        if let Some(conn) = self.own.take() {
            fx.list.push(Effect::Close { conn });
        }
        let Some(Rival { conn, cer: Some(cer) }) = self.rival.take() else { return };
        let frame = capabilities::accept(&self.shared, &cer);
        self.send(conn, frame, fx);
        self.is_initiator = false;
        self.enter(now, conn, fx);
    }

    /// I-Open: our own connection becomes the one in use.
    fn use_own(&mut self, now: Time, fx: &mut Effects<'_>) {
        let Some(conn) = self.own.take() else { return };
        if self.rival.is_some_and(|rival| rival.cer.is_some()) {
            self.drop_rival(fx);
        }
        self.is_initiator = true;
        self.enter(now, conn, fx);
    }

    /// The capabilities are exchanged.
    fn enter(&mut self, now: Time, conn: ConnId, fx: &mut Effects<'_>) {
        self.open = Some(conn);
        self.tries = 0;
        self.is_unwanted = false;
        self.disarm(LinkTimer::Reconnect, fx);
        self.disarm(LinkTimer::Teardown, fx);
        self.settle_handshake(fx);
        if self.state == State::Open {
            self.up(fx);
        }
        self.begin_watchdog(now, fx);
    }

    /// The peer calls while we believe it connected: does the open connection still live?
    fn probe(&mut self, now: Time, fx: &mut Effects<'_>) {
        self.ask(fx);
        self.arm(LinkTimer::Handshake, now.plus_ms(self.shared.config.probe_ms), fx);
    }

    fn take_over(&mut self, now: Time, fx: &mut Effects<'_>) {
        note("the peer's new connection takes over from a dead one", 0, fx);
        self.down(fx);
        if let Some(conn) = self.open.take() {
            fx.list.push(Effect::Close { conn });
        }
        self.accept(now, fx);
    }

    /// R-Reject.
    fn reject(&mut self, fx: &mut Effects<'_>) {
        let Some(rival) = self.rival else { return };
        if let Some(cer) = rival.cer {
            let frame = capabilities::lose(&self.shared, &cer);
            self.send(rival.conn, frame, fx);
        }
        let (about, what) =
            (About::Conn(rival.conn), "a second connection of the peer was rejected");
        fx.list.push(Effect::Note { about, what, code: 4003 });
        self.drop_rival(fx);
    }

    fn drop_rival(&mut self, fx: &mut Effects<'_>) {
        if let Some(rival) = self.rival.take() {
            fx.list.push(Effect::Close { conn: rival.conn });
        }
    }

    fn up(&mut self, fx: &mut Effects<'_>) {
        let Some(conn) = self.open else { return };
        self.is_doubted = false;
        self.is_up = true;
        fx.list.push(Effect::Up { conn });
    }

    fn down(&mut self, fx: &mut Effects<'_>) {
        if std::mem::take(&mut self.is_up) {
            fx.list.push(Effect::Down);
        }
    }

    fn send(&self, conn: ConnId, frame: Vec<u8>, fx: &mut Effects<'_>) {
        fx.list.push(Effect::Send { conn, frame });
    }

    /// A fresh Hop-by-Hop Identifier: random at first, then one more each time.
    fn next_hop_by_hop(&mut self, fx: &mut Effects<'_>) -> u32 {
        let last = self.hop_by_hop.unwrap_or_else(|| fx.rng.next_u64() as u32);
        *self.hop_by_hop.insert(last.wrapping_add(1))
    }

    fn arm(&mut self, timer: LinkTimer, at: Time, fx: &mut Effects<'_>) {
        if let Some(armed) = self.armed.get_mut(slot(timer)) {
            *armed = true;
        }
        fx.list.push(Effect::Arm { timer, at });
    }

    fn disarm(&mut self, timer: LinkTimer, fx: &mut Effects<'_>) {
        let armed = self.armed.get_mut(slot(timer));
        if armed.is_some_and(std::mem::take) {
            fx.list.push(Effect::Disarm { timer });
        }
    }

    fn is_armed(&self, timer: LinkTimer) -> bool {
        self.armed.get(slot(timer)).is_some_and(|armed| *armed)
    }

    /// One deadline for all that has to be done before a connection opens.
    fn arm_handshake(&mut self, now: Time, fx: &mut Effects<'_>) {
        if !self.is_armed(LinkTimer::Handshake) {
            self.arm(LinkTimer::Handshake, now.plus_ms(self.shared.config.handshake_ms), fx);
        }
    }

    /// The deadline goes unless a connection of the peer still has to introduce itself by then.
    fn settle_handshake(&mut self, fx: &mut Effects<'_>) {
        if self.rival.is_none() {
            self.disarm(LinkTimer::Handshake, fx);
        }
    }
}

fn note(what: &'static str, code: u32, fx: &mut Effects<'_>) {
    fx.list.push(Effect::Note { about: About::Link, what, code });
}

impl Link for Machine {
    fn start(&mut self, now: Time, fx: &mut Effects<'_>) {
        self.is_stopped = false;
        if self.shared.peer(self.link).is_some_and(|peer| peer.initiate) {
            self.dispatch(now, Event::Start, fx);
        }
    }

    fn opened(&mut self, now: Time, conn: ConnId, side: Side, fx: &mut Effects<'_>) {
        match side {
            Side::Initiator => {
                self.is_connecting = false;
                if self.state == State::WaitConnAck {
                    self.own = Some(conn);
                    self.dispatch(now, Event::ConnAck, fx);
                } else {
                    // It came too late to be of use.
                    fx.list.push(Effect::Close { conn });
                }
            }
            Side::Responder => {
                let is_held = self.rival.is_some_and(|rival| rival.cer.is_some());
                if self.is_stopped || is_held {
                    fx.list.push(Effect::Close { conn });
                    return;
                }
                self.drop_rival(fx);
                self.rival = Some(Rival { conn, cer: None });
                self.arm_handshake(now, fx);
            }
        }
    }

    fn failed(&mut self, now: Time, fx: &mut Effects<'_>) {
        self.is_connecting = false;
        self.dispatch(now, Event::ConnNack, fx);
    }

    fn received(&mut self, now: Time, conn: ConnId, frame: &[u8], fx: &mut Effects<'_>) -> Passage {
        let Some(header) = Header::read(frame) else { return Passage::Premature };
        if self.open == Some(conn) {
            if self.state == State::Open && self.rival.is_none() && !header.is_base() {
                self.watch.since = now;
                return Passage::Traffic;
            }
            return self.received_open(now, conn, &header, frame, fx);
        }
        if self.own == Some(conn) {
            self.received_own(now, &header, frame, fx);
        } else if self.rival.is_some_and(|rival| rival.conn == conn) {
            self.received_rival(now, conn, frame, fx);
        }
        if header.is_base() { Passage::Base } else { Passage::Premature }
    }

    fn closed(&mut self, now: Time, conn: ConnId, fx: &mut Effects<'_>) {
        if self.open == Some(conn) {
            self.open = None;
            let is_replaced = self.rival.is_some_and(|rival| rival.cer.is_some());
            let event = if is_replaced { Event::Timeout } else { Event::PeerDisc };
            self.dispatch(now, event, fx);
        } else if self.own == Some(conn) {
            self.own = None;
            self.dispatch(now, Event::PeerDisc, fx);
        } else if self.rival.is_some_and(|rival| rival.conn == conn) {
            self.rival = None;
            self.dispatch(now, Event::RivalGone, fx);
            if matches!(self.state, State::Closed) || self.state.is_open() {
                self.disarm(LinkTimer::Handshake, fx);
            }
        }
    }

    fn expired(&mut self, now: Time, timer: LinkTimer, fx: &mut Effects<'_>) {
        let armed = self.armed.get_mut(slot(timer));
        if !armed.is_some_and(std::mem::take) {
            return;
        }
        match timer {
            LinkTimer::Reconnect => self.dispatch(now, Event::Start, fx),
            LinkTimer::Watchdog => self.tick(now, fx),
            LinkTimer::Teardown => self.dispatch(now, Event::TeardownTimeout, fx),
            LinkTimer::Recovery => {}
            LinkTimer::Handshake => {
                if self.rival.is_some_and(|rival| rival.cer.is_none()) {
                    note("the peer connected and did not introduce itself", 0, fx);
                    self.drop_rival(fx);
                }
                let introduces =
                    matches!(self.state, State::WaitConnAck | State::WaitICea | State::WaitReturns);
                if introduces || self.rival.is_some() {
                    self.dispatch(now, Event::Timeout, fx);
                }
            }
        }
    }

    fn stop(&mut self, now: Time, fx: &mut Effects<'_>) {
        self.is_stopped = true;
        self.drop_rival(fx);
        self.settle_handshake(fx);
        self.dispatch(now, Event::Stop, fx);
    }

    fn state(&self) -> &'static str {
        self.state.name(self.is_initiator)
    }
}

#[cfg(test)]
mod tests;
