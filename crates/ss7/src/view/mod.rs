//! **view**: a message's fields by offset, nothing copied.
//!
//! - [`m3ua`] the M3UA message and its parameters; [`sccp`] unitdata messages, addresses and titles.
//! - [`tcap`] transactions, dialogue portions and components; [`ber`] the elements under them.

pub mod ber;
pub mod m3ua;
pub mod sccp;
pub mod tcap;
