//! What a frame means on each of a link's connections.

use procedure::{Refusal, Time};
use relay::{ConnId, Effects, Passage};

use super::capabilities::{self, Capabilities};
use super::table::{Event, State};
use super::{Machine, election, note, watchdog};
use crate::answer;
use crate::view::{Header, View, base};

/// DIAMETER_COMMAND_UNSUPPORTED.
const COMMAND_UNSUPPORTED: u32 = 3001;
/// DIAMETER_UNABLE_TO_COMPLY.
const UNABLE_TO_COMPLY: u32 = 5012;

impl Machine {
    /// A frame over the connection in use.
    pub(super) fn received_open(
        &mut self,
        now: Time,
        conn: ConnId,
        header: &Header,
        frame: &[u8],
        fx: &mut Effects<'_>,
    ) -> Passage {
        self.spare(fx);
        if self.state != State::Reopen {
            self.watch.since = now;
        }
        if header.is_base() {
            self.received_base(now, conn, header, frame, fx);
            return Passage::Base;
        }
        self.dispatch(now, Event::Heard, fx);
        if self.state == State::Open {
            return Passage::Traffic;
        }
        //= RFC 3539 §3.4.1
        // REOPEN throws traffic away; the asker should hear of it, so that it asks elsewhere.
        if let (true, Ok(view)) = (header.is_request(), View::new(frame, &self.shared.limits())) {
            let mut out = Vec::with_capacity(256);
            let code = answer::answer(&self.shared, &view, Refusal::Congestion, &mut out);
            let octets = u32::try_from(out.len()).unwrap_or(u32::MAX);
            self.send(conn, out, fx);
            return Passage::Refused { code, octets };
        }
        Passage::Premature
    }

    /// The connection in use lives, so a second one of the peer's has to go.
    fn spare(&mut self, fx: &mut Effects<'_>) {
        if self.rival.is_some_and(|rival| rival.cer.is_some()) {
            self.reject(fx);
            self.disarm(relay::LinkTimer::Handshake, fx);
        }
    }

    fn received_base(
        &mut self,
        now: Time,
        conn: ConnId,
        header: &Header,
        frame: &[u8],
        fx: &mut Effects<'_>,
    ) {
        let shared = std::sync::Arc::clone(&self.shared);
        let view = match View::new(frame, &shared.limits()) {
            Ok(view) => view,
            Err(malformed) => {
                let mut out = Vec::with_capacity(128);
                let _ = answer::complain(&shared, frame, &malformed, &mut out);
                if !out.is_empty() {
                    self.send(conn, out, fx);
                }
                note("a base message could not be read", malformed.code, fx);
                self.dispatch(now, Event::Heard, fx);
                return;
            }
        };
        match (header.command, header.is_request()) {
            (base::WATCHDOG, false) => self.answered(now, fx),
            (base::WATCHDOG, true) => {
                self.send(conn, watchdog::answer(&shared, header), fx);
                self.dispatch(now, Event::Heard, fx);
            }
            (base::DISCONNECT, true) => {
                self.note_dpr(&view, fx);
                self.dispatch(now, Event::Dpr, fx);
            }
            (base::DISCONNECT, false) => self.dispatch(now, Event::Dpa, fx),
            (command, true) => {
                // Capabilities are exchanged once; nothing else is the base protocol's to ask.
                let is_cer = command == base::CAPABILITIES;
                let code = if is_cer { UNABLE_TO_COMPLY } else { COMMAND_UNSUPPORTED };
                let mut out = Vec::with_capacity(128);
                answer::base(&shared, header, view.session, code, &mut out);
                self.send(conn, out, fx);
                self.dispatch(now, Event::Heard, fx);
            }
            (_, false) => self.dispatch(now, Event::Heard, fx),
        }
    }

    /// A frame over our own connection, on which only a CEA is due.
    pub(super) fn received_own(
        &mut self,
        now: Time,
        header: &Header,
        frame: &[u8],
        fx: &mut Effects<'_>,
    ) {
        if header.command != base::CAPABILITIES || header.is_request() {
            note("the peer sent something other than a CEA", 0, fx);
            self.dispatch(now, Event::NonCea, fx);
            return;
        }
        let shared = std::sync::Arc::clone(&self.shared);
        let judged = Capabilities::read(frame, &shared.limits()).and_then(|cea| {
            cea.succeeded()?;
            shared.peer(self.link).map_or(Ok(()), |peer| cea.verify(peer))
        });
        match judged {
            // An answer to something that we did not ask cannot be trusted.
            Ok(()) if Some(header.hop_by_hop) == self.hop_by_hop => {
                self.dispatch(now, Event::Cea, fx);
            }
            Ok(()) => {
                note("the CEA answers another CER", 0, fx);
                self.dispatch(now, Event::NonCea, fx);
            }
            Err(malformed) => {
                note("the CEA does not let us in", malformed.code, fx);
                self.dispatch(now, Event::NonCea, fx);
            }
        }
    }

    /// A frame over the peer's own connection, on which only a CER is due.
    pub(super) fn received_rival(
        &mut self,
        now: Time,
        conn: ConnId,
        frame: &[u8],
        fx: &mut Effects<'_>,
    ) {
        let is_held = self.rival.is_some_and(|rival| rival.cer.is_some());
        if is_held {
            return;
        }
        if !capabilities::is_request(frame) {
            note("the peer sent something other than a CER", 0, fx);
            self.refuse_rival(fx);
            return;
        }
        let shared = std::sync::Arc::clone(&self.shared);
        let judged = Capabilities::read(frame, &shared.limits()).and_then(|cer| {
            shared.peer(self.link).map_or(Ok(()), |peer| cer.verify(peer))?;
            Ok(cer)
        });
        match judged {
            Ok(cer) => {
                let ours = shared.config.origin_host.as_bytes();
                let won = election::is_won(ours, cer.origin_host.unwrap_or_default());
                self.rival = Some(super::Rival { conn, cer: Some(cer.header) });
                self.dispatch(now, Event::Cer { won }, fx);
            }
            Err(malformed) => {
                note("the peer's CER was refused", malformed.code, fx);
                self.send(conn, capabilities::refuse(&shared, frame, &malformed), fx);
                self.refuse_rival(fx);
            }
        }
    }

    fn refuse_rival(&mut self, fx: &mut Effects<'_>) {
        self.drop_rival(fx);
        if matches!(self.state, State::Closed) || self.state.is_open() {
            self.disarm(relay::LinkTimer::Handshake, fx);
        }
    }
}
