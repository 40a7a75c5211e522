//! The machine's transitions, whole: what each event leads to in each state.
//!
//! ```text
//!             Start              ConnAck            Cea
//!   Closed ─────────▷ WaitConnAck ──────▷ WaitICea ─────▷ Open ◁──────▷ Suspect
//!     ▲ ▲                 │ Cer              │ Cer lost     ▲   Tick, Heard │
//!     │ └─ ConnNack ──────┘                  ▼              │               │ Tick
//!     │                                 WaitReturns ────────┤               ▼
//!     │                                       Cea, PeerDisc │            Closed
//!     │  Cer, while Closed, connecting or winning ──────────┤
//!     │                                                     ▼ Stop, Dpr
//!     └──────────────────────────────────────────────── Closing
//! ```
//!
//! The standard's `Wait-Conn-Ack/Elect` is missing on purpose: a connection over which we have not
//! yet sent a CER can be given up without an election, so a CER that comes while we still connect
//! is answered at once. `I-Open` and `R-Open` are one state, and the watchdog's states (OKAY,
//! SUSPECT, REOPEN of RFC 3539) are told apart inside it. After a silent failure a link comes back
//! by way of `Reopen`; after an orderly or visible end it is `Open` at once, since there the new
//! CER and CEA are proof enough (RFC 3539 asks for three watchdog answers there too).

/// The state a link's machine is in.
//= RFC 6733 §5.6
//= RFC 3539 §3.4.1
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No connection that counts.
    Closed,
    /// We asked for a connection.
    WaitConnAck,
    /// We are connected and sent our CER.
    WaitICea,
    /// Both sides connected, and the peer won the election: it will answer our CER.
    WaitReturns,
    /// Open, OKAY: traffic passes.
    Open,
    /// Open, SUSPECT: a watchdog request was not answered; traffic goes elsewhere.
    Suspect,
    /// Open, REOPEN: it failed silently before and has to answer three watchdog requests first.
    Reopen,
    /// One side sent a DPR.
    Closing,
}

/// What happens to a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The gateway starts, or the time to connect again has come.
    Start,
    /// Our connection was made.
    ConnAck,
    /// Our connection was refused.
    ConnNack,
    /// The peer's connection brought a CER that we accept.
    Cer {
        /// We win an election, should there be one.
        won: bool,
    },
    /// Our CER was answered with success.
    Cea,
    /// Something else came instead, or the CEA was a refusal.
    NonCea,
    /// The connection in use ended: our own while we introduce ourselves, or the open one.
    PeerDisc,
    /// The peer's connection, which was waiting, ended.
    RivalGone,
    /// What had to be done by now was not: connecting, introducing, proving to live.
    Timeout,
    /// The watchdog's timer ran out.
    Tick(Silence),
    /// A message other than a DWA came over the open connection.
    Heard,
    /// A DWA came.
    Dwa {
        /// It is the one that ends `Reopen`.
        enough: bool,
    },
    /// A DPR came.
    Dpr,
    /// A DPA came.
    Dpa,
    /// The peer took too long to part.
    TeardownTimeout,
    /// The gateway ends.
    Stop,
}

/// How long the peer has been silent when the watchdog's timer runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// No watchdog request is unanswered.
    Quiet,
    /// One is.
    Once,
    /// One still is, in `Reopen`, a whole period later.
    Twice,
}

/// What a transition asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Nothing.
    None,
    /// I-Snd-Conn-Req.
    Connect,
    /// I-Snd-CER.
    SendCer,
    /// Close everything and, if it is ours to initiate, try again later.
    Cleanup,
    /// Close everything and stay so.
    Quit,
    /// R-Snd-CEA on the peer's connection, closing our own if there is one.
    Accept,
    /// Let the peer's connection wait for the outcome of an election.
    Hold,
    /// R-Reject: answer its CER with ELECTION_LOST, close it.
    Reject,
    /// Use our own connection; the peer's is closed if there is one.
    Use,
    /// Let the peer's new connection wait and ask over the open one whether that still lives.
    Probe,
    /// Close the open connection and accept the peer's new one.
    TakeOver,
    /// SendWatchdog, SetWatchdog.
    SendDwr,
    /// SetWatchdog.
    Watch,
    /// Failover: traffic goes elsewhere.
    Failover,
    /// Failback: traffic may pass again.
    Failback,
    /// CloseConnection after silence: the next connection has to prove itself.
    GiveUp,
    /// Send a DPR.
    SendDpr,
    /// Send a DPA.
    SendDpa,
}

/// The transition. `doubted`: the last connection ended in silence.
pub(crate) const fn transition(state: State, event: Event, doubted: bool) -> (State, Action) {
    use Action as A;
    use Event as E;
    use State as S;
    let opened = if doubted { S::Reopen } else { S::Open };
    match (state, event) {
        //= RFC 6733 §5.6, state Closed
        (S::Closed, E::Start) => (S::WaitConnAck, A::Connect),
        (S::Closed, E::Cer { .. }) => (opened, A::Accept),
        (S::Closed, E::Stop) => (S::Closed, A::Quit),
        (S::Closed, _) => (S::Closed, A::None),

        //= RFC 6733 §5.6, states Wait-Conn-Ack and Wait-Conn-Ack/Elect
        (S::WaitConnAck, E::ConnAck) => (S::WaitICea, A::SendCer),
        (S::WaitConnAck, E::ConnNack | E::Timeout) => (S::Closed, A::Cleanup),
        (S::WaitConnAck, E::Cer { .. }) => (opened, A::Accept),

        //= RFC 6733 §5.6, state Wait-I-CEA
        //= RFC 6733 §5.6.4
        (S::WaitICea, E::Cea) => (opened, A::Use),
        (S::WaitICea, E::Cer { won: true }) => (opened, A::Accept),
        (S::WaitICea, E::Cer { won: false }) => (S::WaitReturns, A::Hold),
        (S::WaitICea, E::NonCea | E::PeerDisc | E::Timeout) => (S::Closed, A::Cleanup),

        //= RFC 6733 §5.6, state Wait-Returns
        (S::WaitReturns, E::Cea) => (opened, A::Use),
        (S::WaitReturns, E::PeerDisc | E::NonCea) => (opened, A::Accept),
        (S::WaitReturns, E::RivalGone) => (S::WaitICea, A::None),
        (S::WaitReturns, E::Cer { .. }) => (S::WaitReturns, A::Reject),
        (S::WaitReturns, E::Timeout) => (S::Closed, A::Cleanup),

        //= RFC 6733 §5.6, states I-Open and R-Open
        // A CER from a peer that we believe connected: either its old connection died without a
        // word, or somebody else calls. The standard rejects; we first ask over the old one.
        (S::Open | S::Reopen, E::Cer { .. }) => (state, A::Probe),
        (S::Open | S::Reopen, E::Timeout) => (opened, A::TakeOver),
        (S::Suspect, E::Cer { .. }) => (opened, A::TakeOver),
        (S::Suspect, E::Timeout) => (opened, A::TakeOver),
        (S::Open | S::Suspect | S::Reopen, E::PeerDisc) => (S::Closed, A::Cleanup),
        (S::Open | S::Suspect | S::Reopen, E::Dpr) => (S::Closing, A::SendDpa),
        (S::Open | S::Suspect | S::Reopen, E::Stop) => (S::Closing, A::SendDpr),

        //= RFC 3539 §3.4.1, state OKAY
        (S::Open, E::Tick(Silence::Quiet)) => (S::Open, A::SendDwr),
        (S::Open, E::Tick(_)) => (S::Suspect, A::Failover),
        //= RFC 3539 §3.4.1, state SUSPECT
        (S::Suspect, E::Heard | E::Dwa { .. }) => (S::Open, A::Failback),
        (S::Suspect, E::Tick(_)) => (S::Closed, A::GiveUp),
        //= RFC 3539 §3.4.1, state REOPEN
        (S::Reopen, E::Dwa { enough: true }) => (S::Open, A::Failback),
        (S::Reopen, E::Tick(Silence::Quiet)) => (S::Reopen, A::SendDwr),
        (S::Reopen, E::Tick(Silence::Once)) => (S::Reopen, A::Watch),
        (S::Reopen, E::Tick(Silence::Twice)) => (S::Closed, A::GiveUp),

        //= RFC 6733 §5.6, state Closing
        (S::Closing, E::Dpa | E::PeerDisc | E::TeardownTimeout) => (S::Closed, A::Cleanup),
        (S::Closing, E::Cer { .. }) => (opened, A::TakeOver),
        (S::Closing, E::Dpr) => (S::Closing, A::SendDpa),

        // The gateway ends while nothing is open.
        (S::WaitConnAck | S::WaitICea | S::WaitReturns, E::Stop) => (S::Closed, A::Quit),
        // What is left is late or means nothing here.
        (_, _) => (state, A::None),
    }
}

impl State {
    /// The standard's name, with the side that opened the connection where it has one.
    pub(crate) const fn name(self, initiator: bool) -> &'static str {
        match self {
            Self::Closed => "Closed",
            Self::WaitConnAck => "Wait-Conn-Ack",
            Self::WaitICea => "Wait-I-CEA",
            Self::WaitReturns => "Wait-Returns",
            Self::Open if initiator => "I-Open",
            Self::Open => "R-Open",
            Self::Suspect => "SUSPECT",
            Self::Reopen => "REOPEN",
            Self::Closing => "Closing",
        }
    }

    /// Whether the capabilities were exchanged and no side parts yet.
    pub(crate) const fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Suspect | Self::Reopen)
    }
}

#[cfg(test)]
mod tests;
