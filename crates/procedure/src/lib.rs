//! The neutral vocabulary: what every room of the walk speaks once a stack has read the bytes.
//!
//! Words, one meaning each:
//!
//! - **peer**: the node at the other end.
//! - **link**: one association, connection or path to a peer.
//! - **group**: links that can stand in for one another (an AS, a realm's pool, a GSN set).
//! - **frame**: one whole protocol data unit.
//! - **message**: a view over a frame.
//! - **dialogue**: an exchange that one message opens and others continue or close.
//! - **procedure**: what is attempted.
//! - **decision**: verdict, edits and because.
//! - **record**: what happened.
//! - **customer**: whose subscribers or network it is.
//! - **slice**: the share of the platform a customer lives in.
//! - **stack**: a protocol family.
//!
//! This crate depends on nothing and reads neither clock nor socket: time is an argument.

mod act;
mod decision;
mod identity;
mod malformed;
mod record;
mod rules;
mod symbol;
mod time;

pub use act::{Access, Act, Domain, Node, Procedure};
pub use decision::{
    BECAUSE_MAX, Because, Decision, Edits, Exit, Outcome, Reason, Refusal, Stage, Verdict,
};
pub use identity::{Digits, Imsi, LinkId, Plmn, StackId, WorkerId};
pub use malformed::{Layer, Malformed};
pub use record::{Code, Finish, Provenance, Record};
pub use rules::{Group, Member, Policy, Rules, Vocabulary};
pub use symbol::{Symbol, Symbols};
pub use time::Time;
