//! What happened: one flat value for each exchange.

use crate::{
    Access, Act, Because, Decision, Domain, Exit, Imsi, LinkId, Malformed, Plmn, Procedure,
    StackId, Symbol, Time, WorkerId,
};

/// A result as the protocol codes it, base and experimental told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Code {
    /// No result was seen.
    #[default]
    None,
    /// The base protocol's own (Diameter Result-Code).
    Base(u32),
    /// A vendor's, inside its group (Diameter Experimental-Result).
    Experimental {
        /// Vendor-Id.
        vendor: u32,
        /// Experimental-Result-Code.
        code: u32,
    },
    /// The operation's own error (MAP error code in a ReturnError).
    Error(u32),
    /// The operation was rejected as such (TCAP problem: its kind times 256, plus the code).
    Reject(u32),
    /// The dialogue was aborted (P-Abort cause, or [`Code::USER_ABORT`]).
    Abort(u32),
    /// The network gave the message back (SCCP return cause), or refused a connection (refusal cause).
    Returned(u32),
}

impl Code {
    /// The abort of a user rather than of the transaction sub-layer.
    pub const USER_ABORT: u32 = 1 << 16;
}

/// How an exchange ended for the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The peer's answer went back to the asker.
    Answered,
    /// It went on, and no answer belongs to it: a one-way message, or one of an exchange that the
    /// gateway did not see begin.
    Passed,
    /// The gateway answered itself.
    Refused,
    /// Nothing was said; the asker's link was gone or a rule wanted silence.
    Discarded,
    /// No answer came in time; the gateway answered for the peer.
    Expired,
    /// An answer that no open exchange waited for: late, repeated or invented. Not forwarded.
    Stray,
    /// The frame could not be read.
    Malformed(Malformed),
}

/// Where a refusal came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provenance {
    /// Not a refusal.
    None,
    /// Our steering.
    Steering,
    /// The customer's subscribers do not roam there at all.
    Barring,
    /// Our limits.
    Limit,
    /// Our screening.
    Screening,
    /// The far end said it; we passed it on.
    Relayed,
    /// No rule or no live link led anywhere.
    Unroutable,
    /// Nobody answered in time.
    Expired,
    /// The message was looping or could not be read.
    Protocol,
}

/// One exchange, completed at answer, refusal, discard or expiry.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    /// When the opening message arrived.
    pub opened: Time,
    /// When the exchange ended.
    pub closed: Time,
    /// The protocol family.
    pub stack: StackId,
    /// The worker that owned the exchange.
    pub worker: WorkerId,
    /// The link the opening message came over.
    pub from: LinkId,
    /// The link it was last sent to.
    pub to: Option<LinkId>,
    /// How often it was sent: more than 1 after a failover.
    pub sends: u8,
    /// The stack's number of the application.
    pub application: u32,
    /// The stack's number of the operation.
    pub operation: u32,
    /// What was attempted.
    pub act: Act,
    /// In which domain.
    pub domain: Domain,
    /// Over which radio access.
    pub access: Access,
    /// The sender marked it as a repeat.
    pub repeat: bool,
    /// The subscriber. Leaves the process only as a keyed pseudonym.
    pub imsi: Option<Imsi>,
    /// Whose subscriber it was.
    pub customer: Option<Symbol>,
    /// The subscriber's home network.
    pub home: Option<Plmn>,
    /// The visited network.
    pub visited: Option<Plmn>,
    /// Whether the plan in force prefers the visited network.
    pub preferred: Option<bool>,
    /// How it ended.
    pub finish: Finish,
    /// The result the asker was told.
    pub code: Code,
    /// The result means success.
    pub success: bool,
    /// Where a refusal came from.
    pub provenance: Provenance,
    /// The forced refusal's number on this network, 0 outside steering.
    pub attempt: u8,
    /// Why steering gave in.
    pub exit: Option<Exit>,
    /// Which rules spoke.
    pub because: Because,
    /// Frames that this record accounts for.
    pub frames: u32,
    /// Octets of the opening message.
    pub request_octets: u32,
    /// Octets of the answer that left, 0 when none did.
    pub answer_octets: u32,
    /// The opening message's exchange identity, as in [`crate::Procedure::exchange`].
    pub exchange: u64,
}

impl Record {
    /// Of an exchange that has just been decided on: nothing was sent, and nobody was answered.
    #[must_use]
    pub fn opening(procedure: &Procedure<'_>, decision: &Decision, worker: WorkerId) -> Self {
        Self {
            opened: procedure.arrived,
            closed: procedure.arrived,
            stack: procedure.stack,
            worker,
            from: procedure.from,
            to: None,
            sends: 0,
            application: procedure.application,
            operation: procedure.operation,
            act: procedure.act,
            domain: procedure.domain,
            access: procedure.access,
            repeat: procedure.repeat,
            imsi: procedure.imsi,
            customer: decision.customer,
            home: decision.home,
            visited: decision.visited.or(procedure.visited),
            preferred: decision.preferred,
            finish: Finish::Discarded,
            code: Code::None,
            success: false,
            provenance: Provenance::None,
            attempt: decision.attempt,
            exit: decision.exit,
            because: decision.because,
            frames: 0,
            request_octets: 0,
            answer_octets: 0,
            exchange: procedure.exchange,
        }
    }
}

impl Finish {
    /// The word used in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Passed => "passed",
            Self::Refused => "refused",
            Self::Discarded => "discarded",
            Self::Expired => "expired",
            Self::Stray => "stray",
            Self::Malformed(_) => "malformed",
        }
    }
}

impl Provenance {
    /// The word used in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Steering => "steering",
            Self::Barring => "barring",
            Self::Limit => "limit",
            Self::Screening => "screening",
            Self::Relayed => "relayed",
            Self::Unroutable => "unroutable",
            Self::Expired => "expired",
            Self::Protocol => "protocol",
        }
    }
}
