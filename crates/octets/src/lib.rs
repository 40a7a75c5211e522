//! Bytes without protocols: big-endian reads that cannot panic, and patches that turn a received
//! frame into the one that leaves.
//!
//! Every read says `None` past the end; no function here panics on any input.

mod patch;
mod read;

pub use patch::{PATCHES_MAX, Patches};
pub use read::{be16, be24, be32, be64, le16, padded_len};
