//! Setting the network going, and ending it.

#![allow(clippy::disallowed_methods)] // This is where time is read and waited for.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use procedure::{LinkId, Record, Symbols, WorkerId};
use relay::{Admission, Gateway};
use tokio::sync::{mpsc, oneshot};

use crate::counters::DoorCounters;
use crate::driver::{ORDERS_MAX, Order, POSTS_MAX, Progress};
use crate::tls::{CertificateName, ClientTls, ServerTls};
use crate::{Clock, door, driver};

/// How often ending looks whether every worker has drained.
const DRAIN_POLL_MS: u64 = 5;

/// Takes completed records in batches, on the worker's thread: it must not wait. What it leaves in
/// the vector is dropped; it may swap it for an empty one.
pub type Sink = Box<dyn FnMut(&mut Vec<Record>) + Send>;

/// What the network is made from.
pub struct Setup {
    /// The workers; the first is `WorkerId(0)`. Link `i` lives on worker `i % workers`.
    pub workers: Vec<WorkerSetup>,
    /// Where to listen over TCP.
    pub listeners: Vec<Listener>,
    /// Where to listen over SCTP, and where associations are made from.
    pub endpoints: Vec<SctpEndpoint>,
    /// How to reach the peers. A link that is not here is never connected to.
    pub peers: Vec<PeerTransport>,
    /// The names of groups of links, for logs.
    pub symbols: Symbols,
    /// The process's clock.
    pub clock: Clock,
}

/// One worker.
pub struct WorkerSetup {
    /// Makes its gateway, on its own thread.
    pub gateway: Box<dyn FnOnce(WorkerId) -> Gateway + Send>,
    /// Takes its records.
    pub sink: Sink,
}

/// An address to listen on.
#[derive(Clone)]
pub struct Listener {
    /// The address; port 0 lets the kernel choose, see [`Running::addresses`].
    pub address: SocketAddr,
    /// TLS from the first octet on, or none.
    pub tls: Option<ServerTls>,
    /// Who a caller is.
    pub admission: Arc<dyn Admission>,
}

/// An SCTP port with its local addresses.
#[derive(Clone)]
pub struct SctpEndpoint {
    /// Whose SCTP it is.
    pub backend: sctp::Backend,
    /// Its addresses; several make it multi-homed.
    pub addresses: Vec<IpAddr>,
    /// Its port; 0 lets the system choose, see [`Running::endpoints`].
    pub port: u16,
    /// Limits and timers.
    pub settings: sctp::Settings,
    /// Who a caller is.
    pub admission: Arc<dyn Admission>,
}

/// Where a peer listens.
#[derive(Clone, Debug)]
pub enum Connect {
    /// Over TCP.
    Tcp(SocketAddr),
    /// Over SCTP.
    Sctp {
        /// From this one of the setup's endpoints.
        endpoint: usize,
        /// To there.
        peer: sctp::Peer,
    },
}

/// How to reach a link's peer.
#[derive(Clone, Debug)]
pub struct PeerTransport {
    /// The link.
    pub link: LinkId,
    /// Its name in logs.
    pub name: Arc<str>,
    /// Where it listens; `None` when only the peer connects.
    pub connect: Option<Connect>,
    /// The local address to connect from; `None` leaves it to the kernel.
    pub source: Option<IpAddr>,
    /// TLS from the first octet on, or none.
    pub tls: Option<PeerTls>,
}

/// How to speak TLS to a peer that we connect to.
#[derive(Clone, Debug)]
pub struct PeerTls {
    /// Our identity and whom we trust.
    pub config: ClientTls,
    /// The name its certificate must carry.
    pub name: CertificateName,
}

/// Why the network cannot be set going.
#[derive(Debug)]
pub enum SpawnError {
    /// This address cannot be listened on.
    Listen(SocketAddr, io::Error),
    /// This SCTP endpoint cannot be had.
    Endpoint(SocketAddr, io::Error),
    /// A thread or its event loop cannot be made.
    Thread(io::Error),
    /// There has to be a worker, and there may be at most 64.
    Workers(usize),
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::Endpoint(address, error) => {
                write!(f, "cannot listen on {address} over SCTP: {error}")
            }
            Self::Thread(error) => write!(f, "cannot start a thread: {error}"),
            Self::Workers(count) => write!(f, "{count} workers; 1 to 64 are possible"),
        }
    }
}

impl std::error::Error for SpawnError {}

/// The running network. Dropping it closes the door and leaves the workers to the process's end;
/// [`Self::stop`] ends them in order.
pub struct Running {
    addresses: Vec<SocketAddr>,
    endpoints: Vec<Arc<sctp::Endpoint>>,
    counters: Arc<DoorCounters>,
    close_door: Option<oneshot::Sender<()>>,
    door: JoinHandle<io::Result<()>>,
    workers: Vec<RunningWorker>,
}

struct RunningWorker {
    orders: mpsc::Sender<Order>,
    progress: Arc<Progress>,
    thread: JoinHandle<io::Result<()>>,
}

/// Binds the listeners and starts the threads: `ipx-door`, and `ipx-worker-N` for each worker.
///
/// # Errors
/// An address cannot be listened on, or a thread cannot be made.
pub fn spawn(setup: Setup) -> Result<Running, SpawnError> {
    let Setup { workers, listeners, endpoints, peers, symbols, clock } = setup;
    let count = workers.len();
    if !(1..=64).contains(&count) {
        return Err(SpawnError::Workers(count));
    }
    raise_file_limit();
    let mut bound = Vec::new();
    let mut addresses = Vec::new();
    for Listener { address, tls, admission } in listeners {
        let wrong = |error| SpawnError::Listen(address, error);
        let socket = door::listen(address).map_err(wrong)?;
        addresses.push(socket.local_addr().map_err(wrong)?);
        bound.push((socket, tls, admission));
    }
    let (orders, orders_in): (Vec<_>, Vec<_>) =
        workers.iter().map(|_| mpsc::channel(ORDERS_MAX)).unzip();
    let counters = Arc::new(DoorCounters::default());
    let (close_door, close) = oneshot::channel();
    let (ready, is_ready) = std::sync::mpsc::channel();
    let plan = door::Plan {
        listeners: bound,
        endpoints,
        ready,
        counters: Arc::clone(&counters),
        workers: orders.clone(),
        close,
    };
    let door = thread("ipx-door".to_owned(), move || door::run(plan))?;
    let ended = || SpawnError::Thread(io::Error::other("the door has ended"));
    let endpoints = is_ready.recv().map_err(|_| ended())??;
    let mut running = Vec::new();
    let (outs, ins): (Vec<_>, Vec<_>) = workers.iter().map(|_| mpsc::channel(POSTS_MAX)).unzip();
    let ends = orders.into_iter().zip(orders_in).zip(ins);
    for ((index, worker), ((orders, orders_in), posts_in)) in
        workers.into_iter().enumerate().zip(ends)
    {
        let progress = Arc::new(Progress::default());
        let others = outs.iter().enumerate();
        let mine = |peer: &&PeerTransport| peer.link.0 as usize % count == index;
        let plan = driver::Plan {
            worker: WorkerId(u8::try_from(index).unwrap_or(u8::MAX)),
            gateway: worker.gateway,
            sink: worker.sink,
            clock,
            peers: peers.iter().filter(mine).cloned().collect(),
            symbols: symbols.clone(),
            endpoints: endpoints.clone(),
            orders: orders_in,
            posts_in,
            posts_out: others.map(|(to, out)| (to != index).then(|| out.clone())).collect(),
            progress: Arc::clone(&progress),
        };
        let thread = thread(format!("ipx-worker-{index}"), move || driver::run(plan))?;
        running.push(RunningWorker { orders, progress, thread });
    }
    let close_door = Some(close_door);
    Ok(Running { addresses, endpoints, counters, close_door, door, workers: running })
}

impl Running {
    /// Where the listeners are bound, in the order of the setup.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The SCTP endpoints, in the order of the setup.
    #[must_use]
    pub fn endpoints(&self) -> &[Arc<sctp::Endpoint>] {
        &self.endpoints
    }

    /// What the door has counted.
    #[must_use]
    pub fn counters(&self) -> Arc<DoorCounters> {
        Arc::clone(&self.counters)
    }

    /// Whether every thread is alive. A thread that ended by itself has met a bug; its links are
    /// dead, and the process should be restarted.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        let dead = |worker: &RunningWorker| worker.thread.is_finished();
        !self.door.is_finished() && !self.workers.iter().any(dead)
    }

    /// Ends in order: closes the door, refuses new requests and lets open ones finish for at most
    /// `grace`, parts from every peer, closes, hands over the last records, joins the threads.
    /// Blocks; not for a thread that runs async tasks. `false` when a thread had panicked.
    pub fn stop(mut self, grace: Duration) -> bool {
        let mut is_well = true;
        drop(self.close_door.take());
        is_well &= matches!(self.door.join(), Ok(Ok(())));
        for worker in &self.workers {
            // An ended worker needs no order.
            let _ = worker.orders.blocking_send(Order::Drain);
        }
        let end = Instant::now() + grace;
        let is_open = |worker: &RunningWorker| {
            !worker.progress.drained.load(Ordering::Acquire) && !worker.thread.is_finished()
        };
        while Instant::now() < end && self.workers.iter().any(is_open) {
            std::thread::sleep(Duration::from_millis(DRAIN_POLL_MS));
        }
        for worker in &self.workers {
            let _ = worker.orders.blocking_send(Order::Stop);
        }
        for worker in self.workers {
            is_well &= matches!(worker.thread.join(), Ok(Ok(())));
        }
        is_well
    }
}

fn thread(
    name: String,
    body: impl FnOnce() -> io::Result<()> + Send + 'static,
) -> Result<JoinHandle<io::Result<()>>, SpawnError> {
    std::thread::Builder::new().name(name).spawn(body).map_err(SpawnError::Thread)
}

/// Lets the process have as many sockets as the system allows it.
fn raise_file_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}
