//! What a connection's octets are: frames one after the other, or messages that are one each.

use procedure::{Finish, LinkId, Time};

use crate::assembly::Came;
use crate::gateway::Gateway;
use crate::link::{ConnId, Passage};
use crate::stack::Arrival;
use crate::walk;

impl Gateway {
    /// Takes all whole frames at the head of `bytes`; how many octets that was. The rest must be
    /// presented again, with more behind it.
    pub fn received(&mut self, now: Time, conn: ConnId, bytes: &[u8]) -> usize {
        self.turn(now);
        let Some(link) = self.core.conn(conn).map(|conn| conn.link) else { return bytes.len() };
        let Some(stack) = self.links.get(link.0 as usize).copied() else { return bytes.len() };
        let (mut consumed, mut frames) = (0, 0);
        while let Some(rest) = bytes.get(consumed..).filter(|rest| !rest.is_empty()) {
            if self.core.conn(conn).is_none_or(|conn| conn.closing) {
                consumed = bytes.len();
                break;
            }
            let Some(found) = self.stacks.get(usize::from(stack.0)) else { break };
            match found.frame_octets(rest) {
                Ok(None) => break,
                Ok(Some(octets)) => {
                    let Some(frame) = rest.get(..octets) else { break };
                    consumed += octets.max(1);
                    frames += 1;
                    self.frame(&Arrival { link, time: now, stack }, conn, frame);
                }
                Err(malformed) => {
                    let arrival = Arrival { link, time: now, stack };
                    let finish = Finish::Malformed(malformed);
                    self.core.count(link, |counters| &counters.malformed_in, 1);
                    let mut record = walk::bare(&self.core, &arrival, Came::one(rest), finish);
                    self.core.finish(&mut record);
                    self.lose(now, conn, link, (malformed.field, malformed.why));
                    consumed = bytes.len();
                }
            }
        }
        if frames > 0 {
            self.core.board.set_silent(link, false);
        }
        self.core.count(link, |counters| &counters.frames_in, frames);
        self.core.count(link, |counters| &counters.octets_in, consumed as u64);
        consumed
    }

    /// Takes one whole message of a transport that keeps their bounds (SCTP).
    pub fn message(&mut self, now: Time, conn: ConnId, message: &[u8]) {
        self.turn(now);
        let Some(link) = self.core.conn(conn).filter(|conn| !conn.closing).map(|conn| conn.link)
        else {
            return;
        };
        let Some(stack) = self.links.get(link.0 as usize).copied() else { return };
        let Some(found) = self.stacks.get(usize::from(stack.0)) else { return };
        let arrival = Arrival { link, time: now, stack };
        self.core.count(link, |counters| &counters.octets_in, message.len() as u64);
        // One message is one frame; what is longer or shorter than it says is nobody's.
        let malformed = match found.frame_octets(message) {
            Ok(Some(octets)) if octets == message.len() => {
                self.core.board.set_silent(link, false);
                self.core.count(link, |counters| &counters.frames_in, 1);
                return self.frame(&arrival, conn, message);
            }
            Ok(_) => found.misfit(),
            Err(malformed) => malformed,
        };
        self.core.count(link, |counters| &counters.malformed_in, 1);
        let finish = Finish::Malformed(malformed);
        let mut record = walk::bare(&self.core, &arrival, Came::one(message), finish);
        self.core.finish(&mut record);
    }

    /// What becomes of a frame that its link's machine has seen.
    pub(crate) fn admit(&mut self, arrival: &Arrival, frame: &[u8], passage: Passage) {
        match passage {
            Passage::Traffic => self.traffic(arrival.link, frame),
            Passage::Base => {}
            Passage::Premature => {
                let mut record =
                    walk::bare(&self.core, arrival, Came::one(frame), Finish::Discarded);
                self.core.finish(&mut record);
            }
            Passage::Refused { code, octets } => {
                let stack = self.links.get(arrival.link.0 as usize);
                if let Some(stack) = stack.and_then(|id| self.stacks.get(usize::from(id.0))) {
                    stack.refused(&mut self.core, arrival, frame, (code, octets));
                }
            }
        }
    }

    pub(crate) fn traffic(&mut self, link: LinkId, frame: &[u8]) {
        let Some(id) = self.links.get(link.0 as usize).copied() else { return };
        let arrival = Arrival { link, time: self.core.now, stack: id };
        if let Some(stack) = self.stacks.get(usize::from(id.0)) {
            stack.receive(&mut self.core, &arrival, frame);
        }
    }

    /// The first whole message of what waits to be written, for a transport that keeps their
    /// bounds: its octets, the stream by its number, and the payload protocol.
    #[must_use]
    pub fn outbox_message(&self, conn: ConnId) -> Option<(&[u8], u16, u32)> {
        let link = self.core.conn(conn)?.link;
        let stack = self.stacks.get(usize::from(self.links.get(link.0 as usize)?.0))?;
        let outbox = self.core.outbox(conn);
        let octets = stack.frame_octets(outbox).ok().flatten()?;
        let message = outbox.get(..octets)?;
        Some((message, stack.lane(message), stack.ppid()))
    }
}
