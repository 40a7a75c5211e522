//! SCCP
