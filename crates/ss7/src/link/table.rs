//! The transitions of the three machines, whole: what each event leads to in each state.
//!
//! ```text
//! Standing (of a server)          Asp (the peer's, at the keeper)     Asker (ours, at the peer)
//!
//!   AS-DOWN ◁──▷ AS-INACTIVE        ASP-DOWN ◁──▷ ASP-INACTIVE         Down ▷ Rising ▷ Activating
//!      ▲            ▲     │             ▲            ▲    │             ▲          ▲   │  │
//!      │       T(r) │     ▼             │            │    ▼             │          │   ▼  ▼
//!      └────── AS-PENDING ◁▷ AS-ACTIVE  └──────── ASP-ACTIVE            └ Parting ◁ Inactive Active
//! ```
//!
//! A peer may be active for some servers and not for others: its state toward each server is told
//! apart beside these machines, and `Active` here means "for one at least".

/// The state of an ASP, as its keeper sees it.
//= RFC 4666 §4.3.1
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Asp {
    /// ASP-DOWN: no association, or it did not introduce itself.
    Down,
    /// ASP-INACTIVE: it is there and takes no traffic.
    Inactive,
    /// ASP-ACTIVE: it takes traffic.
    Active,
}

/// What an ASP does to its keeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AspEvent {
    /// ASPUP.
    Up,
    /// ASPDN.
    Down,
    /// ASPAC for one server at least that it may serve.
    Active,
    /// ASPIA, or the end of a registration.
    Inactive {
        /// It stays active for other servers.
        rest: bool,
    },
    /// Another ASP took over where only one may be active.
    Replaced {
        /// It stays active for other servers.
        rest: bool,
    },
    /// The association ended.
    Lost,
}

/// What the keeper does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AspAction {
    /// Nothing.
    None,
    /// ASPUP ACK.
    AckUp,
    /// ASPUP ACK, then ERR "Unexpected Message"; it is active no more.
    AckUpAgain,
    /// ASPDN ACK; it is active no more.
    AckDown,
    /// Active for these servers; ASPAC ACK.
    Activate,
    /// Inactive for these servers; ASPIA ACK.
    Deactivate,
    /// Active for nothing any more, without a word.
    Forget,
    /// ERR "Unexpected Message".
    Unexpected,
}

/// The keeper's transition.
pub(crate) const fn asp(state: Asp, event: AspEvent) -> (Asp, AspAction) {
    use {Asp as S, AspAction as A, AspEvent as E};
    match (state, event) {
        //= RFC 4666 §4.3.4.1
        (S::Down | S::Inactive, E::Up) => (S::Inactive, A::AckUp),
        (S::Active, E::Up) => (S::Inactive, A::AckUpAgain),
        //= RFC 4666 §4.3.4.2
        (_, E::Down) => (S::Down, A::AckDown),
        //= RFC 4666 §4.3.4.3
        (S::Down, E::Active) => (S::Down, A::Unexpected),
        (S::Inactive | S::Active, E::Active) => (S::Active, A::Activate),
        //= RFC 4666 §4.3.4.4
        (S::Down, E::Inactive { .. }) => (S::Down, A::Unexpected),
        (S::Inactive, E::Inactive { .. }) => (S::Inactive, A::Deactivate),
        (S::Active, E::Inactive { rest: true }) => (S::Active, A::Deactivate),
        (S::Active, E::Inactive { rest: false }) => (S::Inactive, A::Deactivate),
        (S::Active, E::Replaced { rest: false }) => (S::Inactive, A::None),
        (_, E::Replaced { .. }) => (state, A::None),
        //= RFC 4666 §4.2.2
        (_, E::Lost) => (S::Down, A::Forget),
    }
}

/// Where we are with asking the peer for traffic.
//= RFC 4666 §4.3.1
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// ASP-DOWN, no association.
    Down,
    /// ASP-DOWN, ASPUP sent.
    Rising,
    /// ASP-INACTIVE, ASPAC sent for what is not active yet.
    Activating,
    /// ASP-INACTIVE, and another shall be active.
    Inactive,
    /// ASP-ACTIVE for all that we want and that others have not taken.
    Active,
    /// ASPIA and ASPDN sent.
    Parting,
}

/// What happens to the asker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AskerEvent {
    /// The association is there.
    Opened,
    /// ASPUP ACK.
    UpAck,
    /// ASPDN ACK.
    DownAck,
    /// Nothing that we asked for is open any more.
    Settled {
        /// We are active for one server at least.
        any: bool,
    },
    /// Something is to be asked for: the peer made us inactive, or wants us active.
    Wanted,
    /// T(ack).
    Retry,
    /// The gateway ends.
    Stop,
    /// The association ended.
    Lost,
}

/// What the asker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AskerAction {
    /// Nothing.
    None,
    /// ASPUP, and T(ack).
    SendUp,
    /// ASPAC for what is not active, and T(ack).
    SendActive,
    /// T(ack) alone: it was the peer's own will, ask later.
    Wait,
    /// No more T(ack).
    Settle,
    /// ASPIA if active, ASPDN.
    Part,
    /// Close.
    Close,
}

/// The asker's transition.
pub(crate) const fn asker(state: Asker, event: AskerEvent) -> (Asker, AskerAction) {
    use {Asker as S, AskerAction as A, AskerEvent as E};
    match (state, event) {
        (_, E::Lost) => (S::Down, A::Settle),
        //= RFC 4666 §4.3.4.1
        (S::Down, E::Opened) => (S::Rising, A::SendUp),
        (S::Rising, E::UpAck) => (S::Activating, A::SendActive),
        (S::Rising, E::Retry) => (S::Rising, A::SendUp),
        //= RFC 4666 §4.3.4.3
        (S::Activating, E::Settled { any: true }) => (S::Active, A::Settle),
        (S::Activating | S::Active, E::Settled { any: false }) => (S::Inactive, A::Settle),
        (S::Activating, E::Retry) => (S::Activating, A::SendActive),
        (S::Activating | S::Inactive | S::Active, E::Wanted) => (S::Activating, A::Wait),
        //= RFC 4666 §4.3.4.2
        (S::Parting, E::DownAck) => (S::Down, A::Close),
        (S::Rising | S::Activating | S::Inactive | S::Active, E::DownAck) => (S::Rising, A::Wait),
        (S::Down | S::Parting, E::Stop) => (state, A::None),
        (_, E::Stop) => (S::Parting, A::Part),
        // What is left is late or means nothing here.
        (_, _) => (state, A::None),
    }
}

/// The state of an application server.
//= RFC 4666 §4.3.2
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// AS-DOWN: all its ASPs are down.
    Down = 1,
    /// AS-INACTIVE: some are there, fewer are active than it needs.
    Inactive = 2,
    /// AS-ACTIVE.
    Active = 3,
    /// AS-PENDING: the last active one left less than T(r) ago.
    Pending = 4,
}

/// How many of a server's ASPs are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Members {
    /// All are down.
    None,
    /// Some are there, none is active.
    Idle,
    /// Some are active, fewer than it needs.
    Few,
    /// As many as it needs are active.
    Enough,
}

/// The server's transition, when `members` is how many it now has and T(r) has run out or not.
//= RFC 4666 §4.3.2
pub(crate) const fn standing(state: Standing, members: Members, is_over: bool) -> Standing {
    use {Members as M, Standing as S};
    match (state, members) {
        (_, M::Enough) => S::Active,
        (S::Down | S::Inactive, M::Idle | M::Few) => S::Inactive,
        (S::Down | S::Inactive, M::None) => S::Down,
        (S::Active | S::Pending, M::Few) => S::Active,
        (S::Active, M::Idle | M::None) => S::Pending,
        (S::Pending, M::Idle) if is_over => S::Inactive,
        (S::Pending, M::None) if is_over => S::Down,
        (S::Pending, M::Idle | M::None) => S::Pending,
    }
}

impl Asp {
    /// The standard's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Down => "ASP-DOWN",
            Self::Inactive => "ASP-INACTIVE",
            Self::Active => "ASP-ACTIVE",
        }
    }
}

impl Asker {
    /// The standard's state behind ours.
    pub(crate) const fn asp(self) -> Asp {
        match self {
            Self::Down | Self::Rising => Asp::Down,
            Self::Activating | Self::Inactive | Self::Parting => Asp::Inactive,
            Self::Active => Asp::Active,
        }
    }
}

#[cfg(test)]
mod tests;
