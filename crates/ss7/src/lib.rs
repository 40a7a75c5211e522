//! The SS7 stack: M3UA over SCTP, SCCP with global-title translation, TCAP and MAP read in place.

pub mod answer;
pub mod describe;
pub mod link;
pub mod translate;
pub mod view;
