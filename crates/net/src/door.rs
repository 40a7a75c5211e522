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
    pub(crate) listeners: Vec<(std::net::TcpListener, Option<ServerTls>)>,
    pub(crate) admission: Arc<dyn Admission>,
    pub(crate) counters: Arc<DoorCounters>,
    /// By worker.
    pub(crate) workers: Vec<mpsc::Sender<Order>>,
    /// Ends the door.
    pub(crate) close: oneshot::Receiver<()>,
}

struct Door {
    admission: Arc<dyn Admission>,
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
        let Plan { listeners, admission, counters, workers, close } = plan;
        let door = Rc::new(Door {
            admission,
            counters,
            workers,
            callers: Cell::default(),
            callers_by_source: RefCell::default(),
        });
        for (listener, tls) in listeners {
            let listener = TcpListener::from_std(listener)?;
            spawn_local(accept(Rc::clone(&door), listener, tls));
        }
        spawn_local(log(Rc::clone(&door)));
        // A dropped sender means the same as a message: the owner is gone.
        let _ = close.await;
        Ok(())
    })
}

async fn accept(door: Rc<Door>, listener: TcpListener, tls: Option<ServerTls>) {
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                let source = from.ip().to_canonical();
                match door.seat(source) {
                    Ok(seat) => {
                        spawn_local(receive(seat, stream, tls.clone()));
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
async fn receive(seat: Seat, stream: TcpStream, tls: Option<ServerTls>) {
    let (door, source) = (&seat.door, seat.source);
    let wait = Duration::from_millis(DOOR_WAIT_MS);
    let heard = timeout(wait, identify(door, source, stream, tls)).await;
    match heard.unwrap_or(Heard::Lost("too slow")) {
        Heard::Lost(why) => door.turn_away("", why, source),
        Heard::Refused { mut stream, reply, field, why } => {
            door.turn_away(field, why, source);
            let wait = Duration::from_millis(FAREWELL_WAIT_MS);
            // Past the wait it is cut off.
            let _ = timeout(wait, farewell(&mut stream, &reply)).await;
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

async fn identify(door: &Door, source: IpAddr, stream: TcpStream, tls: Option<ServerTls>) -> Heard {
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
        match door.admission.hello(room.get(..filled).unwrap_or_default(), &caller) {
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
async fn farewell(stream: &mut Stream, mut reply: &[u8]) -> io::Result<()> {
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
    fn seat(self: &Rc<Self>, source: IpAddr) -> Result<Seat, &'static str> {
        if !self.admission.expects(source) {
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
