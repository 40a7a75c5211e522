//! What was wrong with received bytes: small and `Copy`, text only when somebody reads it.

use std::fmt;

/// The layer whose rules the bytes broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// RFC 6733 header or AVPs.
    Diameter,
    /// RFC 4666 header or parameters.
    M3ua,
    /// Q.713 messages and addresses.
    Sccp,
    /// Q.773 transactions, and the BER under them.
    Tcap,
    /// TS 29.002 arguments.
    Map,
}

/// A complaint about received bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The layer that could not be read.
    pub layer: Layer,
    /// The standard's name of the field.
    pub field: &'static str,
    /// Where in the frame, in bytes.
    pub offset: u32,
    /// What is wrong with it.
    pub why: &'static str,
    /// The protocol's own code for this complaint (Diameter Result-Code), 0 when it has none.
    pub code: u32,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { layer, field, offset, why, .. } = self;
        write!(f, "{layer:?}: {field} at byte {offset}: {why}")
    }
}

impl std::error::Error for Malformed {}
