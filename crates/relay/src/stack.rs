//! What a protocol family offers the walk: five verbs and a link.

use procedure::{Code, Layer, LinkId, Malformed, Procedure, Refusal, Symbol, Time};

use crate::assembly;
use crate::core::Core;
use crate::dialogues::Ticket;
use crate::link::Link;
use crate::walk;

/// Where and when a frame arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// The link it came over.
    pub link: LinkId,
    /// When.
    pub time: Time,
    /// The stack's place in the list of stacks.
    pub stack: procedure::StackId,
}

/// What a message does to an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// Opens one. The asker finds the answer by `label` (Hop-by-Hop Identifier); `check` must come
    /// back unchanged in the answer (End-to-End Identifier and command).
    Opens {
        /// The asker's own number for the exchange.
        label: u32,
        /// What the answer must repeat.
        check: u64,
    },
    /// Closes the one that we opened onward under `label`.
    Closes {
        /// Our own number for the exchange.
        label: u32,
        /// What the opening message carried.
        check: u64,
    },
    /// Belongs to one whose two ends number it themselves; we stand between.
    Passes {
        /// What it does to the exchange.
        part: Part,
        /// How its ends number the exchange.
        keys: Keys,
    },
}

/// What a message does to an exchange that we stand between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Opens one (TCAP Begin).
    Opens,
    /// Continues one, in either direction (TCAP Continue).
    Continues,
    /// Ends one, from either end (TCAP End, Abort, a message given back).
    Ends,
    /// Belongs to none (Unidirectional, what is not TCAP).
    Alone,
}

/// An end's address and its own number for the exchange, hashed with a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// Of the end that the message goes to.
    pub to: Option<u64>,
    /// Of the end that it comes from.
    pub from: Option<u64>,
}

/// One of several frames that are one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Tells the message from others of its link, hashed with a secret.
    pub key: u64,
    /// The first one.
    pub first: bool,
    /// How many follow; a first one that none follows is a whole message, and no segment.
    pub remaining: u8,
    /// How long after the first one the last may come, in milliseconds.
    pub patience_ms: u64,
}

/// Why segments do not become a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// One is missing, came twice or is out of its place.
    Disordered,
    /// The last one did not come in time.
    Late,
    /// There are too many messages in assembly.
    NoRoom,
}

/// How a message goes on.
#[derive(Clone, Copy, Debug)]
pub enum Onward {
    /// A request, to the next node.
    Request {
        /// Our own number for the exchange.
        label: u32,
        /// The link it was received from (Route-Record).
        asker: LinkId,
        /// It was sent before, over a link that died (T flag).
        resent: bool,
        /// Put the gateway's own name in the place of the asker's.
        hide_origin: bool,
    },
    /// A message that we stand between the ends of, wherever its address leads.
    Pass {
        /// The link it goes over.
        to: LinkId,
        /// The group that link was chosen from.
        group: Option<Symbol>,
    },
    /// An answer, back to the asker.
    Answer {
        /// The asker's own number for the exchange.
        label: u32,
    },
}

/// One protocol family. Immutable: all state of exchanges is in the relay, all state of links in
/// the [`Link`] machines.
pub trait Stack: Send + 'static {
    /// The message as the stack's view over the frame: fields by offset, nothing copied.
    type View<'a>;

    /// The family's name in records and metrics, lower case.
    const NAME: &'static str;

    /// The payload protocol identifier of its messages over SCTP.
    //= RFC 9260 §3.3.1
    const PPID: u32;

    /// What complaints about its lowest layer are about.
    const LAYER: Layer;

    /// **link**: how long the frame at the head of `bytes` is; `None` while its header is not
    /// there yet. The length may be more than what has arrived.
    ///
    /// # Errors
    /// The header contradicts itself or exceeds the named frame limit: no frame can be found any
    /// more and the connection has to go.
    fn frame_octets(&self, bytes: &[u8]) -> Result<Option<usize>, Malformed>;

    /// **link**: a fresh base-protocol machine for a configured link.
    fn link(&self, link: LinkId) -> Box<dyn Link>;

    /// **link**: which of an association's streams a message leaves on, by any number: messages of
    /// one number keep their order.
    fn lane(&self, _frame: &[u8]) -> u16 {
        0
    }

    /// **reach**: whether a link that is up carries this group's traffic now.
    fn carries(&self, _link: LinkId, _group: Option<Symbol>) -> bool {
        true
    }

    /// **reach**: whether every link of the group gets each message.
    fn is_broadcast(&self, _group: Symbol) -> bool {
        false
    }

    /// **correlate**: whether two links lead to the same node, so that either may carry what belongs to
    /// an exchange of the other's.
    fn stands_for(&self, link: LinkId, other: LinkId) -> bool {
        link == other
    }

    /// How long nothing may be heard of an exchange that we stand between, in milliseconds.
    fn patience_ms(&self) -> u64 {
        0
    }

    /// **view**: checks the whole frame and finds the fields that the other verbs need.
    ///
    /// # Errors
    /// What is wrong, and where.
    fn view<'a>(&self, frame: &'a [u8]) -> Result<Self::View<'a>, Malformed>;

    /// **view**: which segment of a longer message this is; `None` where it is whole, or passes
    /// segment by segment.
    fn segment(&self, _view: &Self::View<'_>) -> Option<Segment> {
        None
    }

    /// **view**: the message whose segments are `frames`, one after the other and in order. The other
    /// verbs take it for one message; [`Stack::rewrite`] appends every frame. `room` is for what has
    /// to be put together.
    ///
    /// # Errors
    /// What is wrong with the whole, and where.
    fn join<'a>(
        &self,
        frames: &'a [u8],
        _room: &'a mut Vec<u8>,
    ) -> Result<Self::View<'a>, Malformed> {
        self.view(frames)
    }

    /// **answer**, to the first of some segments that will not become a message: appends what tells
    /// their sender so, if the protocol has anything.
    fn break_off(&self, _first: &Self::View<'_>, _why: Broken, _out: &mut Vec<u8>) -> Code {
        Code::None
    }

    /// **correlate**: which exchange.
    fn correlate(&self, view: &Self::View<'_>) -> Exchange;

    /// **describe**: what an opening message attempts.
    fn describe<'v>(&self, view: &'v Self::View<'_>, arrival: &Arrival) -> Procedure<'v>;

    /// **describe**, for a closing message: its result, and whether that is success.
    fn outcome(&self, view: &Self::View<'_>) -> (Code, bool);

    /// **rewrite**: appends the message as it leaves to `out`.
    fn rewrite(&self, view: &Self::View<'_>, onward: &Onward, out: &mut Vec<u8>);

    /// **answer**: appends our own answer to an opening message to `out` and says its code.
    fn answer(&self, view: &Self::View<'_>, refusal: Refusal, out: &mut Vec<u8>) -> Code;

    /// **answer**, for a frame that `view` refused: appends one if the protocol has an answer for
    /// it and the frame is a request whose header can be trusted; says its code.
    fn complain(&self, frame: &[u8], malformed: &Malformed, out: &mut Vec<u8>) -> Code;

    /// **answer**, to the opening message of an exchange that we stand between and that nothing
    /// more was heard of: appends what ends it for its opener, if anything shall.
    fn abandon(&self, _view: &Self::View<'_>, _out: &mut Vec<u8>) -> Code {
        Code::None
    }
}

/// A [`Stack`] without its type, as the gateway keeps it: each call runs the whole walk inside.
pub trait AnyStack: Send {
    /// See [`Stack::NAME`].
    fn name(&self) -> &'static str;
    /// See [`Stack::frame_octets`].
    ///
    /// # Errors
    /// As there.
    fn frame_octets(&self, bytes: &[u8]) -> Result<Option<usize>, Malformed>;
    /// See [`Stack::PPID`].
    fn ppid(&self) -> u32;
    /// The complaint about a message that its transport says is longer or shorter than it says.
    fn misfit(&self) -> Malformed;
    /// See [`Stack::lane`].
    fn lane(&self, frame: &[u8]) -> u16;
    /// See [`Stack::link`].
    fn link(&self, link: LinkId) -> Box<dyn Link>;
    /// One whole frame of traffic takes the walk.
    fn receive(&self, core: &mut Core, arrival: &Arrival, frame: &[u8]);
    /// A request that its link's machine has refused, with what code and in how many octets.
    fn refused(&self, core: &mut Core, arrival: &Arrival, frame: &[u8], told: (Code, u32));
    /// The deadline of an exchange has come.
    fn expire(&self, core: &mut Core, ticket: Ticket);
    /// The link that an exchange was sent over has died.
    fn reroute(&self, core: &mut Core, ticket: Ticket);
    /// The deadline of a message in assembly has come.
    fn dissolve(&self, core: &mut Core, link: LinkId, key: u64);
}

impl<S: Stack> AnyStack for S {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn frame_octets(&self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        Stack::frame_octets(self, bytes)
    }

    fn ppid(&self) -> u32 {
        S::PPID
    }

    fn misfit(&self) -> Malformed {
        let why = "not the length of the message that carried it";
        Malformed { layer: S::LAYER, field: "Message Length", offset: 0, why, code: 0 }
    }

    fn lane(&self, frame: &[u8]) -> u16 {
        Stack::lane(self, frame)
    }

    fn link(&self, link: LinkId) -> Box<dyn Link> {
        Stack::link(self, link)
    }

    fn receive(&self, core: &mut Core, arrival: &Arrival, frame: &[u8]) {
        walk::walk(self, core, arrival, frame);
    }

    fn refused(&self, core: &mut Core, arrival: &Arrival, frame: &[u8], told: (Code, u32)) {
        walk::refused(self, core, arrival, frame, told);
    }

    fn expire(&self, core: &mut Core, ticket: Ticket) {
        walk::expire(self, core, ticket);
    }

    fn reroute(&self, core: &mut Core, ticket: Ticket) {
        walk::reroute(self, core, ticket);
    }

    fn dissolve(&self, core: &mut Core, link: LinkId, key: u64) {
        assembly::expire(self, core, link, key);
    }
}
