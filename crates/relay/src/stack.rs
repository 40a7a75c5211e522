//! What a protocol family offers the walk: five verbs and a link.

use procedure::{Code, LinkId, Malformed, Procedure, Refusal, Time};

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

    /// **link**: how long the frame at the head of `bytes` is; `None` while its header is not
    /// there yet. The length may be more than what has arrived.
    ///
    /// # Errors
    /// The header contradicts itself or exceeds the named frame limit: no frame can be found any
    /// more and the connection has to go.
    fn frame_octets(&self, bytes: &[u8]) -> Result<Option<usize>, Malformed>;

    /// **link**: a fresh base-protocol machine for a configured link.
    fn link(&self, link: LinkId) -> Box<dyn Link>;

    /// **view**: checks the whole frame and finds the fields that the other verbs need.
    ///
    /// # Errors
    /// What is wrong, and where.
    fn view<'a>(&self, frame: &'a [u8]) -> Result<Self::View<'a>, Malformed>;

    /// **correlate**: which exchange.
    fn correlate(&self, view: &Self::View<'_>) -> Exchange;

    /// **describe**: what an opening message attempts.
    fn describe<'a>(&self, view: &Self::View<'a>, arrival: &Arrival) -> Procedure<'a>;

    /// **describe**, for a closing message: its result, and whether that is success.
    fn outcome(&self, view: &Self::View<'_>) -> (Code, bool);

    /// **rewrite**: appends the message as it leaves to `out`.
    fn rewrite(&self, view: &Self::View<'_>, onward: &Onward, out: &mut Vec<u8>);

    /// **answer**: appends our own answer to an opening message to `out` and says its code.
    fn answer(&self, view: &Self::View<'_>, refusal: Refusal, out: &mut Vec<u8>) -> Code;

    /// **answer**, for a frame that `view` refused: appends one if the protocol has an answer for
    /// it and the frame is a request whose header can be trusted; says its code.
    fn complain(&self, frame: &[u8], malformed: &Malformed, out: &mut Vec<u8>) -> Code;
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
    /// See [`Stack::link`].
    fn link(&self, link: LinkId) -> Box<dyn Link>;
    /// One whole frame of traffic takes the walk.
    fn receive(&self, core: &mut Core, arrival: &Arrival, frame: &[u8]);
    /// The deadline of an exchange has come.
    fn expire(&self, core: &mut Core, ticket: Ticket);
    /// The link that an exchange was sent over has died.
    fn reroute(&self, core: &mut Core, ticket: Ticket);
}

impl<S: Stack> AnyStack for S {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn frame_octets(&self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        Stack::frame_octets(self, bytes)
    }

    fn link(&self, link: LinkId) -> Box<dyn Link> {
        Stack::link(self, link)
    }

    fn receive(&self, core: &mut Core, arrival: &Arrival, frame: &[u8]) {
        walk::walk(self, core, arrival, frame);
    }

    fn expire(&self, core: &mut Core, ticket: Ticket) {
        walk::expire(self, core, ticket);
    }

    fn reroute(&self, core: &mut Core, ticket: Ticket) {
        walk::reroute(self, core, ticket);
    }
}
