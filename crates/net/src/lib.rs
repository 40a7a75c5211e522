//! The network: sockets, TLS, threads and the clock, which drive [`relay::Gateway`] values.
//!
//! This is the only room with tasks. It knows no protocol: bytes go into the gateway and come out
//! of it, and a stack's [`Admission`] says who a caller is.
//!
//! - [`driver`](mod@driver) draws the tasks and channels of a worker; `conn` reads, `turn` writes.
//! - [`door`](mod@door) accepts connections and finds out whose they are.
//! - `dial` opens our own.
//! - `transport` is what the driver asks of a connection: TCP, and TLS over it.
//! - [`Clock`] is the one place that reads time.
//!
//! Start with [`spawn`].

mod clock;
mod conn;
mod counters;
mod dial;
pub mod door;
mod driver;
mod notes;
mod running;
mod tls;
mod transport;
mod turn;

pub use clock::Clock;
pub use counters::DoorCounters;
pub use relay::Admission;
pub use running::{
    Connect, Listener, PeerTls, PeerTransport, Running, SctpEndpoint, Setup, Sink, SpawnError,
    WorkerSetup, spawn,
};
pub use tls::{CertificateName, ClientTls, Pem, ServerTls, TlsError};
