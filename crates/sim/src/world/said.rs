//! What handsets' networks ask, what they are told, and what others want to know of it.

/// What is asked of a home network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Op {
    /// Authentication, then registration, over S6a.
    Air = 0,
    Ulr = 1,
    Pur = 2,
    /// An authentication of ordinary life.
    AirLater = 3,
    /// The same over MAP.
    Sai = 4,
    Ul = 5,
    Ugl = 6,
    SaiLater = 7,
}

impl Op {
    pub(super) const ALL: [Self; 8] = [
        Self::Air,
        Self::Ulr,
        Self::Pur,
        Self::AirLater,
        Self::Sai,
        Self::Ul,
        Self::Ugl,
        Self::SaiLater,
    ];

    /// Of ordinary life: nobody waits for it.
    pub(super) const fn is_background(self) -> bool {
        matches!(self, Self::AirLater | Self::SaiLater)
    }

    pub(super) const fn is_registration(self) -> bool {
        matches!(self, Self::Ulr | Self::Ul | Self::Ugl)
    }
}

/// How a home network or the gateway in its place answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Said {
    Yes,
    /// Unable, or no route: none of steering's words.
    Failed,
    Unreachable,
    /// Steering's words: roaming, or this radio access, not allowed; no subscription here.
    NoSubscription,
    NoRadio,
    NoRoaming,
}

impl Said {
    /// The home networks of the world never say these: only steering does.
    pub(super) const fn is_steering(self) -> bool {
        matches!(self, Self::NoSubscription | Self::NoRadio | Self::NoRoaming)
    }
}

/// A request of the handset's network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) handset: u32,
    pub(super) identity: u8,
    pub(super) node: u8,
    pub(super) op: Op,
    pub(super) attempt: u8,
    /// A registration that attaches, not one that moves.
    pub(super) initial: bool,
}

/// What others want to know of a handset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Steering refused it on a network. `again`: the network's own repeat, or another domain, of
    /// the same attempt.
    Refused { network: u8, again: bool },
    /// It is registered.
    Registered { network: u8 },
    /// It was without service for so many ticks because of refusals.
    Unserved { ticks: u32 },
    /// It took its next identity while refusals kept it from service.
    Rotated,
    /// Refusals left it without service until its user acts.
    Stranded,
}
