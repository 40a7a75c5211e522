//! What shall happen to a procedure, and because of which rules.

use crate::{Plmn, Provenance, Symbol};

/// Most reasons one decision carries; further ones are dropped, the verdict stands.
pub const BECAUSE_MAX: usize = 6;

/// What shall happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Goes on, to the named node's link if that is up, else to a link of this group.
    Forward {
        /// The group that a route chose; none when no route matched.
        group: Option<Symbol>,
    },
    /// Waits this long, then goes on to the group. (The `limit` stage's smoothing.)
    Delay {
        /// How long, in milliseconds.
        wait_ms: u32,
        /// The group that a route chose.
        group: Option<Symbol>,
    },
    /// Answered by the gateway itself.
    Refuse(Refusal),
    /// Not answered at all; recorded.
    Discard,
}

/// Why the asker is told no, in words every stack can turn into its own codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Not allowed to roam in this network (steering's own word).
    RoamingNotAllowed,
    /// This radio access is not allowed.
    RatNotAllowed,
    /// No subscription for this domain.
    UnknownSubscription,
    /// Nobody knows this subscriber.
    UnknownSubscriber,
    /// The sender may not ask this.
    Unauthorised,
    /// Too much at once; try again later.
    Congestion,
    /// No rule, or no live link, leads there.
    Unroutable,
    /// The realm is not served here.
    RealmNotServed,
    /// The message came back to where it had been.
    Loop,
    /// Something broke on our side.
    SystemFailure,
}

/// A stage of the pipeline, in its fixed order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Rates, bursts and queues.
    Limit,
    /// Who may say what.
    Screen,
    /// Which visited network.
    Steer,
    /// Which group of links.
    Route,
}

/// What one rule said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Lets it pass.
    Accept,
    /// Refuses it, with this attempt's number where steering counts.
    Refuse(Refusal),
    /// Would have refused, but only observes.
    WouldRefuse(Refusal),
    /// The visited network is a preferred one.
    Preferred,
    /// The subscriber was accepted here before and is held.
    Settled,
    /// Exit control: accepted although not preferred.
    Exit(Exit),
    /// A repeat: the stored decision again.
    Replay,
    /// The visited network asked again faster than a handset can: the same verdict, not counted.
    Resend,
    /// This override's terms hold instead of the plan's.
    Override,
    /// Nobody of this customer is to roam there.
    Barred,
    /// Of a hundred devices refused in this area, so many turn up on a preferred network.
    Learned {
        /// The estimate.
        moved_pct: u8,
    },
    /// The route leads to this group.
    To(Symbol),
}

/// Why steering gave in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// The forced refusals on this network are used up.
    Attempts,
    /// The refusals of the whole episode are used up.
    Total,
    /// The episode has lasted as long as it may.
    Time,
    /// The plan says that no preferred network is there to go to.
    NoPreferred,
    /// Where the device is, refused ones do not turn up on a preferred network.
    NotReached,
    /// The device came back to this network and tried no other: set to it by hand, or blind.
    Returns,
    /// Registrations on every preferred network fail.
    PreferredDown,
    /// Every preferred network refused or failed this subscriber.
    PreferredFailed,
    /// The home network itself fails.
    HomeFailing,
}

/// One rule that spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// In which stage.
    pub stage: Stage,
    /// Its name.
    pub rule: Symbol,
    /// What it said.
    pub outcome: Outcome,
}

/// Every rule that spoke, in order; fixed size, so a decision never allocates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Because {
    reasons: [Option<Reason>; BECAUSE_MAX],
    count: u8,
}

impl Because {
    /// Adds a reason; past [`BECAUSE_MAX`] it is dropped.
    pub fn push(&mut self, stage: Stage, rule: Symbol, outcome: Outcome) {
        if let Some(slot) = self.reasons.get_mut(usize::from(self.count)) {
            *slot = Some(Reason { stage, rule, outcome });
            self.count += 1;
        }
    }

    /// The reasons in the order they were given.
    pub fn iter(&self) -> impl Iterator<Item = Reason> + '_ {
        self.reasons.iter().map_while(|reason| *reason)
    }
}

/// Neutral intents that a stack's `rewrite` turns into patches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edits {
    /// Put the gateway's own name in the place of the asker's.
    pub hide_origin: bool,
}

/// The whole decision on one procedure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What shall happen.
    pub verdict: Verdict,
    /// What changes on the way.
    pub edits: Edits,
    /// Which rules said so.
    pub because: Because,
    /// Whose subscriber it is.
    pub customer: Option<Symbol>,
    /// The subscriber's home network, as the networks table reads the IMSI.
    pub home: Option<Plmn>,
    /// The visited network, from the message or from its origin.
    pub visited: Option<Plmn>,
    /// The stage that refused, where one did.
    pub refused_by: Option<Stage>,
    /// Which forced refusal on this network this is or would have been, from 1; 0 outside steering.
    pub attempt: u8,
    /// Why steering gave in, where it did.
    pub exit: Option<Exit>,
    /// The visited network is one that the plan in force prefers; `None` where no plan applies.
    pub preferred: Option<bool>,
}

impl Decision {
    /// Where a refusal of this decision comes from.
    #[must_use]
    pub fn provenance(&self) -> Provenance {
        match self.refused_by {
            Some(Stage::Limit) => Provenance::Limit,
            Some(Stage::Screen) => Provenance::Screening,
            Some(Stage::Steer) if self.because.iter().any(|r| r.outcome == Outcome::Barred) => {
                Provenance::Barring
            }
            Some(Stage::Steer) => Provenance::Steering,
            Some(Stage::Route) => Provenance::Unroutable,
            None => Provenance::None,
        }
    }

    /// A decision that nothing has spoken on yet.
    #[must_use]
    pub fn forward(group: Option<Symbol>) -> Self {
        Self {
            verdict: Verdict::Forward { group },
            edits: Edits::default(),
            because: Because::default(),
            customer: None,
            home: None,
            visited: None,
            refused_by: None,
            attempt: 0,
            exit: None,
            preferred: None,
        }
    }
}

impl Refusal {
    /// The word used in files, records and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RoamingNotAllowed => "roaming-not-allowed",
            Self::RatNotAllowed => "rat-not-allowed",
            Self::UnknownSubscription => "unknown-subscription",
            Self::UnknownSubscriber => "unknown-subscriber",
            Self::Unauthorised => "unauthorised",
            Self::Congestion => "congestion",
            Self::Unroutable => "unroutable",
            Self::RealmNotServed => "realm-not-served",
            Self::Loop => "loop",
            Self::SystemFailure => "system-failure",
        }
    }

    /// Every refusal, for files and command lines.
    pub const ALL: [Self; 10] = [
        Self::RoamingNotAllowed,
        Self::RatNotAllowed,
        Self::UnknownSubscription,
        Self::UnknownSubscriber,
        Self::Unauthorised,
        Self::Congestion,
        Self::Unroutable,
        Self::RealmNotServed,
        Self::Loop,
        Self::SystemFailure,
    ];
}

impl Verdict {
    /// The word used in records and by `ipxctl explain`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forward { .. } => "forward",
            Self::Delay { .. } => "delay",
            Self::Refuse(_) => "refuse",
            Self::Discard => "discard",
        }
    }
}

impl Stage {
    /// The word used in records and by `ipxctl explain`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Screen => "screen",
            Self::Steer => "steer",
            Self::Route => "route",
        }
    }
}

impl Exit {
    /// The word used in records and by `ipxctl explain`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Attempts => "attempts",
            Self::Total => "total",
            Self::Time => "time",
            Self::NoPreferred => "no-preferred",
            Self::NotReached => "not-reached",
            Self::Returns => "returns",
            Self::PreferredDown => "preferred-down",
            Self::PreferredFailed => "preferred-failed",
            Self::HomeFailing => "home-failing",
        }
    }

    /// Every exit, for tables.
    pub const ALL: [Self; 9] = [
        Self::Attempts,
        Self::Total,
        Self::Time,
        Self::NoPreferred,
        Self::NotReached,
        Self::Returns,
        Self::PreferredDown,
        Self::PreferredFailed,
        Self::HomeFailing,
    ];
}

impl Outcome {
    /// The word used in records and by `ipxctl explain`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Refuse(_) => "refuse",
            Self::WouldRefuse(_) => "would-refuse",
            Self::Preferred => "preferred",
            Self::Settled => "settled",
            Self::Exit(_) => "exit",
            Self::Replay => "replay",
            Self::Resend => "resend",
            Self::Override => "override",
            Self::Barred => "barred",
            Self::Learned { .. } => "learned",
            Self::To(_) => "to",
        }
    }
}
