//! The door: listeners, and callers until it is known who they are.
//!
//! A caller costs nothing of any worker before [`Admission`] has said which link it is. What it may
//! cost here has a name: so many callers at once, so many of one address, so long, so many octets.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use relay::{Admission, Caller, Hello};
use sctp::{Endpoint, Event};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsStream;

use crate::counters::DoorCounters;
use crate::dial::prepare;
use crate::driver::Order;
use crate::tls::{ServerTls, peer_names};
use crate::transport::{Socket, Stream, Transport};
use crate::{SctpEndpoint, SpawnError};

/// Callers that are being identified at the same time.
pub const DOOR_CALLERS_MAX: usize = 256;
/// Of these, callers from one address.
pub const DOOR_CALLERS_PER_SOURCE_MAX: usize = 32;
/// How long a caller may take for TLS and its first message.
pub const DOOR_WAIT_MS: u64 = 5000;
/// Octets within which the first message has to be whole.
pub const DOOR_HELLO_OCTETS_MAX: usize = 16 << 10;
/// How long a refused caller may take to receive the reply and to close.
const FAREWELL_WAIT_MS: u64 = 1000;
/// How long accepting rests when there are no file descriptors left.
const ACCEPT_PAUSE_MS: u64 = 100;
/// How often the log says how many were turned away.
const LOG_EVERY_MS: u64 = 60_000;

/// What the door is made from.
pub(crate) struct Plan {
    /// Bound and listening.
    pub(crate) listeners: Vec<(std::net::TcpListener, Option<ServerTls>, Arc<dyn Admission>)>,
    /// To be bound.
    pub(crate) endpoints: Vec<SctpEndpoint>,
    /// Told once they are, or why they cannot be.
    pub(crate) ready: std::sync::mpsc::Sender<Result<Vec<Arc<Endpoint>>, SpawnError>>,
    pub(crate) counters: Arc<DoorCounters>,
    /// By worker.
    pub(crate) workers: Vec<mpsc::Sender<Order>>,
    /// Ends the door.
    pub(crate) close: oneshot::Receiver<()>,
}

struct Door {
    counters: Arc<DoorCounters>,
    workers: Vec<mpsc::Sender<Order>>,
    callers: Cell<usize>,
    callers_by_source: RefCell<HashMap<IpAddr, usize>>,
}

/// A caller's place among those that are being identified; given back when dropped.
struct Seat {
    door: Rc<Door>,
    source: IpAddr,
}

/// What became of a caller.
enum Heard {
    Admitted(procedure::LinkId, Stream, Vec<u8>),
    Refused { stream: Stream, reply: Vec<u8>, field: &'static str, why: &'static str },
    Lost(&'static str),
}

/// Runs the door to its end. The body of its thread.
pub(crate) fn run(plan: Plan) -> io::Result<()> {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build_local(tokio::runtime::LocalOptions::default())?;
    runtime.block_on(async {
        let Plan { listeners, endpoints, ready, counters, workers, close } = plan;
        let door = Rc::new(Door {
            counters,
            workers,
            callers: Cell::default(),
            callers_by_source: RefCell::default(),
        });
        for (listener, tls, admission) in listeners {
            let listener = TcpListener::from_std(listener)?;
            spawn_local(accept(Rc::clone(&door), listener, tls, admission));
        }
        let bound: Result<Vec<_>, _> = endpoints.into_iter().map(bind).collect();
        for (endpoint, admission) in bound.iter().flatten() {
            spawn_local(take(Rc::clone(&door), Arc::clone(endpoint), Arc::clone(admission)));
        }
        let endpoints = bound.map(|all| all.into_iter().map(|(endpoint, _)| endpoint).collect());
        // Whoever does not wait for it has ended.
        let _ = ready.send(endpoints);
        spawn_local(log(Rc::clone(&door)));
        // A dropped sender means the same as a message: the owner is gone.
        let _ = close.await;
        Ok(())
    })
}

/// Binds an SCTP endpoint.
fn bind(wish: SctpEndpoint) -> Result<(Arc<Endpoint>, Arc<dyn Admission>), SpawnError> {
    let SctpEndpoint { backend, addresses, port, settings, admission } = wish;
    let expecting = Arc::clone(&admission);
    let admits = Arc::new(move |from: &[IpAddr]| {
        from.iter().any(|address| expecting.expects(address.to_canonical()))
    });
    let endpoint = Endpoint::bind(backend, &addresses, port, &settings, admits);
    let first = addresses.first().copied().unwrap_or(IpAddr::from([0, 0, 0, 0]));
    let wrong = |error| SpawnError::Endpoint(SocketAddr::new(first, port), error);
    Ok((Arc::new(endpoint.map_err(wrong)?), admission))
}

/// Takes the associations that peers make.
async fn take(door: Rc<Door>, endpoint: Arc<Endpoint>, admission: Arc<dyn Admission>) {
    loop {
        match endpoint.accept().await {
            Ok(association) => {
                let first = association.peer_addresses().first().copied();
                let source = first.unwrap_or(IpAddr::from([0, 0, 0, 0])).to_canonical();
                match door.seat(source, &*admission) {
                    Ok(seat) => {
                        let stream = Stream::Sctp(Box::new(association));
                        spawn_local(receive(
                            seat,
                            Knock::Association(stream),
                            Arc::clone(&admission),
                        ));
                    }
                    Err(why) => door.turn_away("", why, source),
                }
            }
            Err(error) if is_shortage(&error) => {
                tracing::error!(%error, "accepting associations rests");
                sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            }
            Err(error) => {
                tracing::error!(%error, "an SCTP endpoint takes no more associations");
                return;
            }
        }
    }
}

/// A caller's transport.
enum Knock {
    Tcp(TcpStream, Option<ServerTls>),
    Association(Stream),
}

async fn accept(
    door: Rc<Door>,
    listener: TcpListener,
    tls: Option<ServerTls>,
    admission: Arc<dyn Admission>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                let source = from.ip().to_canonical();
                match door.seat(source, &*admission) {
                    Ok(seat) => {
                        let knock = Knock::Tcp(stream, tls.clone());
                        spawn_local(receive(seat, knock, Arc::clone(&admission)));
                    }
                    Err(why) => door.turn_away("", why, source),
                }
            }
            Err(error) if is_shortage(&error) => {
                if door.counters.add("no file descriptors") {
                    tracing::error!(%error, "accepting connections rests");
                }
                sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            }
            // The caller went away between knocking and being let in.
            Err(_) => {
                door.counters.add("gone before accept");
                tokio::task::yield_now().await;
            }
        }
    }
}

fn is_shortage(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let shortage = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    shortage.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// One caller, from accept to admission or farewell.
async fn receive(seat: Seat, knock: Knock, admission: Arc<dyn Admission>) {
    let (door, source) = (&seat.door, seat.source);
    let wait = Duration::from_millis(DOOR_WAIT_MS);
    let heard = match knock {
        Knock::Tcp(stream, tls) => timeout(wait, identify(&*admission, source, stream, tls)).await,
        Knock::Association(stream) => {
            timeout(wait, identify_association(&*admission, source, stream)).await
        }
    };
    match heard.unwrap_or(Heard::Lost("too slow")) {
        Heard::Lost(why) => door.turn_away("", why, source),
        Heard::Refused { mut stream, reply, field, why } => {
            door.turn_away(field, why, source);
            let wait = Duration::from_millis(FAREWELL_WAIT_MS);
            // Past the wait it is cut off.
            let _ = timeout(wait, farewell(&mut stream, &reply, admission.ppid())).await;
        }
        Heard::Admitted(link, mut stream, first) => {
            if let Err(error) = stream.park() {
                tracing::warn!(link = link.0, %error, "an admitted caller was lost");
                return;
            }
            door.counters.add("admitted");
            let Some(worker) = door.workers.get(link.0 as usize % door.workers.len().max(1)) else {
                return;
            };
            let order = Order::Admitted { link, stream: Box::new(stream), first };
            // An ended worker takes nobody in; the connection closes.
            let _ = worker.send(order).await;
        }
    }
}

/// Who has made an association: by its address where that is enough, else by its first message.
async fn identify_association(
    admission: &dyn Admission,
    source: IpAddr,
    mut stream: Stream,
) -> Heard {
    let caller = Caller { source, certificate: None };
    let mut first = Vec::new();
    loop {
        match admission.hello(&first, &caller) {
            Hello::Admitted(link) => return Heard::Admitted(link, stream, first),
            Hello::Refused { reply, why, field } => {
                return Heard::Refused { stream, reply, why, field };
            }
            Hello::Incomplete if !first.is_empty() => {
                return Heard::Lost("first message too short");
            }
            Hello::Incomplete => {}
        }
        let Some(association) = stream.association() else { return Heard::Lost("no association") };
        match poll_fn(|cx| association.poll_event(cx)).await {
            Event::Data(message) if message.octets.len() > DOOR_HELLO_OCTETS_MAX => {
                return Heard::Lost("first message too long");
            }
            Event::Data(message) => first = message.octets,
            Event::Down { .. } => return Heard::Lost("gone before its first message"),
            _ => {}
        }
    }
}

async fn identify(
    admission: &dyn Admission,
    source: IpAddr,
    stream: TcpStream,
    tls: Option<ServerTls>,
) -> Heard {
    if prepare(&stream).is_err() {
        return Heard::Lost("gone before its first message");
    }
    let socket = Socket::Live(stream);
    let (mut stream, names) = match tls {
        None => (Stream::Tcp(socket), None),
        Some(tls) => match tls.acceptor().accept(socket).await {
            Err(error) => {
                tracing::debug!(%source, %error, "TLS handshake failed");
                return Heard::Lost("TLS handshake failed");
            }
            Ok(server) => {
                let tls = TlsStream::Server(server);
                let names = peer_names(&tls);
                (Stream::Tls(Box::new(tls)), Some(names))
            }
        },
    };
    let caller = Caller { source, certificate: names.as_deref() };
    let mut room = vec![0; DOOR_HELLO_OCTETS_MAX];
    let mut filled = 0;
    loop {
        let Some(free) = room.get_mut(filled..).filter(|free| !free.is_empty()) else {
            return Heard::Lost("first message too long");
        };
        match poll_fn(|cx| stream.poll_receive(cx, free)).await {
            Ok(0) | Err(_) => return Heard::Lost("gone before its first message"),
            Ok(octets) => filled += octets,
        }
        match admission.hello(room.get(..filled).unwrap_or_default(), &caller) {
            Hello::Incomplete => {}
            Hello::Admitted(link) => {
                room.truncate(filled);
                return Heard::Admitted(link, stream, room);
            }
            Hello::Refused { reply, field, why } => {
                return Heard::Refused { stream, reply, field, why };
            }
        }
    }
}

/// Sends the reply, ends our side, and reads until the caller has ended its own, so that the reply
/// is received rather than reset.
async fn farewell(stream: &mut Stream, mut reply: &[u8], ppid: u32) -> io::Result<()> {
    if let Some(association) = stream.association() {
        if !reply.is_empty() {
            // A reply that is not taken is not missed: the association ends.
            let _ = association.try_send(0, ppid, reply);
        }
        association.shutdown();
        while !matches!(poll_fn(|cx| association.poll_event(cx)).await, Event::Down { .. }) {}
        return Ok(());
    }
    while !reply.is_empty() {
        let sent = poll_fn(|cx| stream.poll_send(cx, reply)).await?;
        reply = reply.get(sent..).unwrap_or_default();
    }
    poll_fn(|cx| stream.poll_settle(cx)).await?;
    poll_fn(|cx| stream.poll_finish(cx)).await?;
    let (mut room, mut ignored) = ([0; 4096], 0);
    while ignored < DOOR_HELLO_OCTETS_MAX {
        match poll_fn(|cx| stream.poll_receive(cx, &mut room)).await? {
            0 => break,
            octets => ignored += octets,
        }
    }
    Ok(())
}

async fn log(door: Rc<Door>) {
    loop {
        sleep(Duration::from_millis(LOG_EVERY_MS)).await;
        for unlogged in door.counters.take_unlogged() {
            if unlogged.why != "admitted" {
                tracing::warn!(
                    reason = unlogged.why,
                    count = unlogged.count,
                    "callers turned away"
                );
            }
        }
    }
}

impl Door {
    /// A place for a caller from `source`, or why there is none.
    fn seat(
        self: &Rc<Self>,
        source: IpAddr,
        admission: &dyn Admission,
    ) -> Result<Seat, &'static str> {
        if !admission.expects(source) {
            return Err("unexpected address");
        }
        if self.callers.get() >= DOOR_CALLERS_MAX {
            return Err("too many callers");
        }
        let mut by_source = self.callers_by_source.borrow_mut();
        let same = by_source.entry(source).or_default();
        if *same >= DOOR_CALLERS_PER_SOURCE_MAX {
            return Err("too many callers from one address");
        }
        *same += 1;
        self.callers.set(self.callers.get() + 1);
        Ok(Seat { door: Rc::clone(self), source })
    }

    /// Counts a caller that is not let in; logs the first of each reason, the rest by the minute.
    fn turn_away(&self, field: &'static str, why: &'static str, source: IpAddr) {
        if self.counters.add(why) {
            let field = (!field.is_empty()).then_some(field);
            tracing::warn!(field, reason = why, %source, "a caller was turned away");
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let door = &self.door;
        door.callers.set(door.callers.get().saturating_sub(1));
        let mut by_source = door.callers_by_source.borrow_mut();
        if let Some(same) = by_source.get_mut(&self.source) {
            *same -= 1;
            if *same == 0 {
                by_source.remove(&self.source);
            }
        }
    }
}

/// Binds and listens, so that a wrong address is known before anything runs.
///
/// # Errors
/// The kernel's.
pub(crate) fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    use socket2::{Domain, Socket, Type};
    const BACKLOG: i32 = 1024;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
