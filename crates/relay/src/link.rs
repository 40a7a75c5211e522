//! The seam to a base-protocol machine: events in, effects out as values.

use procedure::{Code, Symbol, Time};

use crate::Rng;

/// One transport connection of one worker's gateway, unique among those that are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u32);

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// We did.
    Initiator,
    /// The peer did, and it was admitted as this link.
    Responder,
}

/// The timers a link may have running, at most one of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkTimer {
    /// Try to connect again.
    Reconnect,
    /// The peer must have introduced itself by now.
    Handshake,
    /// The peer must have said something by now.
    Watchdog,
    /// The peer must have agreed to part by now.
    Teardown,
    /// What failed must have come back by now.
    Recovery,
}

/// What happens because of an event. The gateway carries them out in order.
#[derive(Debug)]
pub enum Effect {
    /// Send this base-protocol message.
    Send {
        /// Over this connection.
        conn: ConnId,
        /// The frame.
        frame: Vec<u8>,
    },
    /// Close this connection once what was sent has left.
    Close {
        /// The connection.
        conn: ConnId,
    },
    /// Open a connection to the peer; [`Link::opened`] or [`Link::failed`] follows.
    Connect,
    /// Traffic may pass, over this connection.
    Up {
        /// The connection.
        conn: ConnId,
    },
    /// No traffic may pass; what is pending on this link goes elsewhere.
    Down,
    /// Start a timer, or move it when it runs.
    Arm {
        /// Which.
        timer: LinkTimer,
        /// Until when.
        at: Time,
    },
    /// Stop a timer.
    Disarm {
        /// Which.
        timer: LinkTimer,
    },
    /// What this machine shares with others of its stack has changed: they shall look at it again,
    /// see [`Link::tidings`].
    Tidings,
    /// Something an operator wants to read about, with a code where the protocol has one. One
    /// on the link before [`Self::Down`] says why.
    Note {
        /// What it is about.
        about: About,
        /// What happened.
        what: &'static str,
        /// The protocol's code, 0 when it has none.
        code: u32,
    },
}

/// What a note is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// The link.
    Link,
    /// One of its connections.
    Conn(ConnId),
    /// Traffic may pass now, over this connection.
    Up(ConnId),
    /// No traffic may pass any more; the note says why.
    Down,
    /// A group of links that can be reached again.
    Reached(Symbol),
    /// A group of links that cannot be reached any more.
    Lost(Symbol),
}

/// Where a machine puts its effects.
#[derive(Debug)]
pub struct Effects<'a> {
    /// The effects so far, in order.
    pub list: &'a mut Vec<Effect>,
    /// Seeded randomness, for jitter and for identifiers that we originate.
    pub rng: &'a mut Rng,
}

/// Whose a received frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// The base protocol's own; the machine has dealt with it.
    Base,
    /// Traffic: it takes the walk.
    Traffic,
    /// Traffic on a connection that is not open for it; the machine has dealt with that.
    Premature,
    /// A request on such a connection, which the machine has refused.
    Refused {
        /// What it was told.
        code: Code,
        /// In so many octets.
        octets: u32,
    },
}

/// The base-protocol machine of one link. It owns no socket and no clock. A link may briefly have
/// two connections, one from each side, while they collide.
pub trait Link: Send {
    /// The gateway starts.
    fn start(&mut self, now: Time, fx: &mut Effects<'_>);

    /// A connection was made, by us or by the admitted peer.
    fn opened(&mut self, now: Time, conn: ConnId, side: Side, fx: &mut Effects<'_>);

    /// Our attempt to connect failed.
    fn failed(&mut self, now: Time, fx: &mut Effects<'_>);

    /// One whole frame came. Called for traffic too, since any message shows that the peer lives.
    fn received(&mut self, now: Time, conn: ConnId, frame: &[u8], fx: &mut Effects<'_>) -> Passage;

    /// A connection ended. Not called for one that the machine closed by [`Effect::Close`].
    fn closed(&mut self, now: Time, conn: ConnId, fx: &mut Effects<'_>);

    /// A timer ran out.
    fn expired(&mut self, now: Time, timer: LinkTimer, fx: &mut Effects<'_>);

    /// A machine of the stack has changed what it shares with this one.
    fn tidings(&mut self, _now: Time, _fx: &mut Effects<'_>) {}

    /// The gateway is about to end: part from the peer in order, and do not come back.
    fn stop(&mut self, now: Time, fx: &mut Effects<'_>);

    /// The standard's name of the state the machine is in.
    fn state(&self) -> &'static str;
}
