//! Our own SCTP in user space, for machines and containers whose kernel has none.
//!
//! The engine (`dcsctp`) knows one association; what an endpoint needs besides is here.
//!
//! | file | what |
//! |---|---|
//! | `driver` | the endpoint's thread: which association a packet belongs to |
//! | `peer` | one association there: the engine, the peer's addresses |
//! | `shared` | the queues between that thread and an association's owner |
//! | `cookie` | state cookies that only we can have issued |
//! | `packet` | packets where the engine's own reading does not suffice |
//! | `carrier` | UDP sockets with SCTP inside, and raw IP |

mod carrier;
mod cookie;
mod driver;
mod packet;
mod peer;
mod shared;

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::{mpsc, oneshot};

pub use carrier::Carrier;
pub use driver::ASSOCIATIONS_MAX;

use crate::interface::{Admits, Event, Peer, Refused, Settings};
use carrier::Way;
use shared::{Bell, Ending, Shared};

/// Associations that wait to be accepted; more are ended.
const ACCEPTED_MAX: usize = 64;
/// Associations that wait to be made.
const CONNECTS_MAX: usize = 64;
/// The first port of those that nobody is given by name.
//= RFC 6335 §6
const DYNAMIC_PORTS: u16 = 49_152;

/// What an endpoint has turned away, by reason.
#[derive(Debug, Default)]
pub struct Counters(Mutex<BTreeMap<&'static str, u64>>);

impl Counters {
    fn add(&self, what: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += 1;
    }

    /// How often something happened.
    #[must_use]
    pub fn get(&self, what: &str) -> u64 {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(what).copied().unwrap_or_default()
    }
}

/// A port on some local addresses, with a thread of its own.
#[derive(Debug)]
pub struct Endpoint {
    port: u16,
    encapsulation_port: u16,
    counters: Arc<Counters>,
    accepted: tokio::sync::Mutex<mpsc::Receiver<Association>>,
    connects: mpsc::Sender<driver::Connect>,
}

impl Endpoint {
    /// Binds, and starts the thread.
    ///
    /// # Errors
    /// The kernel's, or that the carrier is not there.
    pub fn bind(
        carrier: Carrier,
        local: &[IpAddr],
        port: u16,
        settings: &Settings,
        admits: Admits,
    ) -> io::Result<Self> {
        if local.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no local address"));
        }
        if carrier == Carrier::Raw {
            check_raw(local)?;
        }
        let port = if port == 0 { random_port()? } else { port };
        let mut carrier = carrier;
        let mut sockets = Vec::new();
        for address in local {
            let (socket, address) = Way::bind(carrier, *address)?;
            // Every local address has the same UDP port.
            if let Carrier::Udp { port: 0 } = carrier {
                let bound = socket.local_addr()?.as_socket().map_or(0, |bound| bound.port());
                carrier = Carrier::Udp { port: bound };
            }
            sockets.push((socket, address));
        }
        let encapsulation_port = match carrier {
            Carrier::Udp { port } => port,
            Carrier::Raw => 0,
        };
        let (accepted_in, accepted) = mpsc::channel(ACCEPTED_MAX);
        let (connects, connects_out) = mpsc::channel(CONNECTS_MAX);
        let counters = Arc::new(Counters::default());
        let (counters_in, settings) = (Arc::clone(&counters), settings.clone());
        let baker = cookie::Baker::new()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let body = move || {
            runtime.block_on(async move {
                let enter = |(socket, address)| Way::enter(carrier, socket, address);
                let ways: io::Result<Vec<Way>> = sockets.into_iter().map(enter).collect();
                let ways = match ways {
                    Ok(ways) => ways,
                    Err(error) => return tracing::error!(%error, "an SCTP endpoint cannot start"),
                };
                let bell = Arc::new(Bell::default());
                driver::run(driver::Plan {
                    ways,
                    port,
                    settings,
                    admits,
                    bell,
                    counters: counters_in,
                    accepted: accepted_in,
                    connects: connects_out,
                    baker,
                })
                .await;
            });
        };
        std::thread::Builder::new().name("ipx-sctp".to_owned()).spawn(body)?;
        let accepted = tokio::sync::Mutex::new(accepted);
        Ok(Self { port, encapsulation_port, counters, accepted, connects })
    }

    /// The SCTP port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The UDP port; 0 without encapsulation.
    #[must_use]
    pub const fn encapsulation_port(&self) -> u16 {
        self.encapsulation_port
    }

    /// What was turned away.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// The next association that a peer has made.
    ///
    /// # Errors
    /// The endpoint's thread has ended.
    pub async fn accept(&self) -> io::Result<Association> {
        let gone = || io::Error::other("the endpoint has ended");
        self.accepted.lock().await.recv().await.ok_or_else(gone)
    }

    /// Makes an association.
    ///
    /// # Errors
    /// Nobody answered, or the peer refused.
    pub async fn connect(&self, peer: &Peer) -> io::Result<Association> {
        let gone = || io::Error::other("the endpoint has ended");
        let (done, outcome) = oneshot::channel();
        let connect = driver::Connect {
            addresses: peer.addresses.clone(),
            port: peer.port,
            encapsulation_port: peer.encapsulation_port,
            done,
        };
        self.connects.send(connect).await.map_err(|_| gone())?;
        outcome.await.map_err(|_| gone())?
    }
}

/// An association's owner's end.
#[derive(Debug)]
pub struct Association {
    shared: Arc<Shared>,
    streams_out: u16,
    peer_addresses: Vec<IpAddr>,
    peer_port: u16,
}

impl Association {
    const fn new(
        shared: Arc<Shared>,
        streams_out: u16,
        peer_addresses: Vec<IpAddr>,
        peer_port: u16,
    ) -> Self {
        Self { shared, streams_out, peer_addresses, peer_port }
    }

    /// The next event.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        self.shared.poll_event(cx.waker()).map_or(Poll::Pending, Poll::Ready)
    }

    /// Takes a message; it leaves at [`Self::flush`].
    ///
    /// # Errors
    /// It was not taken.
    pub fn try_send(&mut self, stream: u16, ppid: u32, octets: &[u8]) -> Result<(), Refused> {
        self.shared.try_send(stream, ppid, octets)
    }

    /// Lets what was taken leave.
    pub fn flush(&mut self) {
        self.shared.tell();
    }

    /// Ready when a message would be taken, or never would be again.
    pub fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.shared.poll_writable(cx.waker()) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Streams we may send on.
    #[must_use]
    pub const fn streams_out(&self) -> u16 {
        self.streams_out
    }

    /// The peer's addresses.
    #[must_use]
    pub fn peer_addresses(&self) -> Vec<IpAddr> {
        self.peer_addresses.clone()
    }

    /// The peer's port.
    #[must_use]
    pub const fn peer_port(&self) -> u16 {
        self.peer_port
    }

    /// Ends it once what was taken has reached the peer.
    pub fn shutdown(&mut self) {
        self.shared.end(Ending::Shutdown);
    }

    /// Ends it at once.
    pub fn abort(&mut self) {
        self.shared.end(Ending::Abort);
    }
}

impl Drop for Association {
    fn drop(&mut self) {
        self.shared.end(Ending::Abort);
    }
}

/// Raw IP cannot be had beside the kernel's own SCTP, which would answer everything with an ABORT.
fn check_raw(local: &[IpAddr]) -> io::Result<()> {
    let unsupported = |text: &str| Err(io::Error::new(io::ErrorKind::Unsupported, text.to_owned()));
    if local.iter().any(IpAddr::is_ipv6) {
        return unsupported("SCTP over raw IP takes IPv4 only: use SCTP inside UDP (sctp-udp)");
    }
    if std::path::Path::new("/proc/net/sctp").exists() {
        return unsupported(
            "this kernel has SCTP and would answer our packets: use its own (sctp), or ours inside \
             UDP (sctp-udp)",
        );
    }
    Ok(())
}

/// A port that is hard to guess, as an association's first defence is.
fn random_port() -> io::Result<u16> {
    use ring::rand::SecureRandom as _;
    let mut octets = [0; 2];
    let filled = ring::rand::SystemRandom::new().fill(&mut octets);
    filled.map_err(|_| io::Error::other("no randomness for a port"))?;
    Ok(DYNAMIC_PORTS | u16::from_be_bytes(octets))
}
