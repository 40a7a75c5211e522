//! Simulated operators: peers of their own that judge a signalling gateway from outside.
//!
//! [`hss`] answers, [`mme`] asks under load and checks every answer, [`roaming`] is a population of
//! handsets that attach, are refused, try elsewhere, settle and leave. Nothing here shares code
//! with the gateway but the transport below: the [`diameter`] codec is its own, and [`ss7`] (HLR, VLR
//! and SGSN) uses published ones.

pub mod check;
pub mod diameter;
pub mod hss;
pub mod ids;
pub mod mme;
mod pacer;
mod peer;
pub mod roaming;
pub mod ss7;
pub mod tally;
mod wire;
pub mod world;

pub use diameter::base::Identity;
pub use ids::{ImsiRange, Plmn};
pub use peer::{Stop, StopHandle, stop};
