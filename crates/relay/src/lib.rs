//! The relay: the walk, its dialogues and timers, and the sans-IO [`Gateway`] value.
//!
//! ```text
//! bytes ▷ link ▷ view ▷ correlate ▷ describe ▷ decide ▷ reach ▷ rewrite ─┬▷ outbox ▷ bytes
//!                                                             or answer  └▷ record
//! ```
//!
//! [`walk`](mod@walk) knows the order; a [`Stack`] supplies the verbs; [`procedure::Rules`] decide;
//! [`Gateway`] is everything but the sockets. No clock, no socket, no randomness is read here.

mod admission;
mod assembly;
mod board;
mod core;
mod dialogues;
mod gateway;
mod index;
mod intake;
mod link;
mod pass;
mod post;
mod reach;
mod rng;
mod stack;
mod walk;
mod wheel;

pub use admission::{Admission, Caller, Hello};
pub use assembly::{
    ASSEMBLIES_MAX, ASSEMBLY_OCTETS_MAX, LINK_ASSEMBLIES_MAX, LINK_ASSEMBLY_OCTETS_MAX,
};
pub use board::{Board, LinkCounters, LinkStatus};
pub use dialogues::{DIALOGUES_MAX, HELD_OCTETS_MAX, LINK_DIALOGUES_MAX};
pub use gateway::{Gateway, Output, Setup};
pub use link::{About, ConnId, Effect, Effects, Link, LinkTimer, Passage, Side};
pub use post::{POST_OCTETS_MAX, Post};
pub use rng::Rng;
pub use stack::{AnyStack, Arrival, Broken, Exchange, Keys, Onward, Part, Segment, Stack};
