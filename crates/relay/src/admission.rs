//! Who may come in: asked by `net` before a connection becomes a link's.

use std::net::IpAddr;

use procedure::LinkId;

/// What is known of a caller before it has said anything.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// Where the connection comes from.
    pub source: IpAddr,
    /// The DNS names of the certificate that it proved to hold; `None` without TLS.
    pub certificate: Option<&'a [String]>,
}

/// What the caller's first bytes mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hello {
    /// Its first message is not whole yet.
    Incomplete,
    /// It is this configured peer; the connection and all its bytes go to the link's worker.
    Admitted(LinkId),
    /// It is nobody we know, or not from where that peer may come: send `reply`, close, count.
    Refused {
        /// The base protocol's refusal; empty where silence is better.
        reply: Vec<u8>,
        /// The field that it is about, empty where it is about none. For the log.
        field: &'static str,
        /// For the counter and the log.
        why: &'static str,
    },
}

/// A stack's doorkeeper: immutable, shared by every listener.
pub trait Admission: Send + Sync {
    /// Whether any configured peer may come from this address. Asked before a byte is read.
    fn expects(&self, source: IpAddr) -> bool;

    /// The payload protocol identifier of a reply over SCTP.
    fn ppid(&self) -> u32;

    /// Who a caller is, from the first bytes it sent; over SCTP also asked before it sent any, for
    /// peers that are known by their address and do not speak first.
    fn hello(&self, first: &[u8], caller: &Caller<'_>) -> Hello;
}
