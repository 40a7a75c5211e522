//! The SS7 stack: M3UA over SCTP, SCCP with global-title translation, TCAP and MAP read in place.

pub mod view;
