//! The kernel's SCTP, alone and with our own, in a virtual machine that has it.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests open sockets, wait, and fail"
)]

mod diameter;
mod gateway;
mod kernel;
mod mixed;
mod osmo;
mod paths;
mod traffic;
