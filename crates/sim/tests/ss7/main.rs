//! HLR, VLR and SGSN against each other over SCTP inside UDP, through a small signalling gateway.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop by panicking")]
#![allow(unreachable_pub, missing_docs, clippy::missing_panics_doc, reason = "a test")]

mod faults;
mod gateway;
mod judges;
mod peers;
