//! The seams between the walk, the policy that decides and the stacks that know the codes.

use std::sync::Arc;

use crate::{Act, Decision, Domain, LinkId, Procedure, Record, Refusal, Symbol, Time};

/// One link in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The link.
    pub link: LinkId,
    /// Lower is tried first.
    pub priority: u16,
    /// The share among live members of the same priority, at least 1.
    pub weight: u16,
}

/// Links that can stand in for one another, sorted by priority.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// The members, lowest priority number first.
    pub members: Vec<Member>,
}

/// Compiled rules: immutable, swapped whole on reload.
pub trait Rules: Send + Sync {
    /// What shall happen to this procedure. May count an attempt; a repeat never counts twice.
    fn decide(&self, now: Time, procedure: &Procedure<'_>) -> Decision;

    /// Takes in what happened, for the memory that decisions are made from.
    fn learn(&self, record: &Record);

    /// The links of a group.
    fn group(&self, name: Symbol) -> Option<&Group>;
}

/// The policy in force. A walk takes one snapshot for each batch of input, so that a decision and
/// the group it names always come from the same files.
pub trait Policy: Send + Sync {
    /// The rules in force now.
    fn rules(&self) -> Arc<dyn Rules>;

    /// A number that changes with every reload, so that a worker refreshes its snapshot only then.
    fn version(&self) -> u64;
}

/// What the stacks tell the compiler of policies: names of their numbers and which refusals their
/// standards allow.
pub trait Vocabulary {
    /// The number of an application by its name in lower case (`s6a`).
    fn application(&self, name: &str) -> Option<u32>;

    /// Application and command number of an operation by its name in lower case (`ulr`).
    fn operation(&self, name: &str) -> Option<(u32, u32)>;

    /// Every name of an application, for "did you mean".
    fn applications(&self) -> Vec<&'static str>;

    /// Every name of an operation, for "did you mean".
    fn operations(&self) -> Vec<&'static str>;

    /// The refusal that a protocol's code stands for when `act` is refused in `domain`, if the
    /// standard allows that code there.
    fn refusal(&self, act: Act, domain: Domain, code: u32) -> Option<Refusal>;

    /// Whether the standard allows this refusal of this act in this domain.
    fn is_legal(&self, act: Act, domain: Domain, refusal: Refusal) -> bool;

    /// The codes that are legal for `act` in `domain`, with their refusals, for diagnostics.
    fn legal(&self, act: Act, domain: Domain) -> Vec<(u32, Refusal)>;

    /// The operation's name by its numbers, for records and people (`s6a`, `ulr`).
    fn name(
        &self,
        application: u32,
        operation: u32,
    ) -> (Option<&'static str>, Option<&'static str>);

    /// Application and operation that an act in a domain usually comes as, for procedures that
    /// people make up (`ipxctl explain`, cases).
    fn usual(&self, _act: Act, _domain: Domain) -> Option<(u32, u32)> {
        None
    }
}
