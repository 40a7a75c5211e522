//! SCTP behind one small interface: the kernel's, or our own endpoint in user space.
//!
//! ```text
//!             ┌─ kernel/    one-to-one sockets of the kernel           (RFC 6458)
//! Endpoint ─▷ │
//! Association └─ userland/  our own, inside UDP (RFC 6951) or over raw IP, one thread an endpoint
//! ```
//!
//! An [`Endpoint`] accepts and makes [`Association`]s; an association takes messages by
//! [`Association::try_send`] and gives [`Event`]s. Both are `Send`, and work in any tokio runtime.
//! Every queue has a limit: a full one refuses, and says [`Event::Writable`] when there is room.
//!
//! This crate stands beside `net` so that the simulator's peers can speak SCTP without the gateway.

mod interface;
pub mod kernel;
pub mod userland;

pub use interface::{
    Admits, Association, Backend, Endpoint, Event, MESSAGE_OCTETS_MAX, Message, Peer, Refused,
    Settings,
};
