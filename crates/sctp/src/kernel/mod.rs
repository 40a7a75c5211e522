//! The kernel's SCTP, by one-to-one sockets. //= RFC 6458 §4
//!
//! | file | what |
//! |---|---|
//! | `endpoint` | binding, listening, connecting: options before there is an association |
//! | `association` | messages and events of one association |
//! | `reader` | whole messages out of pieces |
//! | `wire` | the kernel's structures as octets |
//! | `sys` | the system calls: all that is unsafe |

mod association;
mod endpoint;
mod reader;
pub(crate) mod sys;
mod wire;

pub use association::Association;
pub use endpoint::Endpoint;
