//! The SS7 stack: M3UA over SCTP, SCCP with global-title translation, TCAP and MAP read in place.

pub mod answer;
pub mod config;
pub mod describe;
pub mod translate;
pub mod view;
pub mod vocabulary;
