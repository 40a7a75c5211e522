//! One association of the kernel's: a one-to-one socket.

use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::os::fd::AsFd;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::Socket;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::endpoint::addresses;
use super::reader::{Reader, Received};
use super::sys::{self, Sending};
use super::wire::{self, Notice};
use crate::{Event, MESSAGE_OCTETS_MAX, Message, Refused};

/// An association with a peer. One task at a time receives and sends.
#[derive(Debug)]
pub struct Association {
    place: Place,
    reader: Reader,
    held: Held,
    /// Somebody was refused for want of room and is to be told when there is some.
    refused: bool,
    /// A message that was taken could not be sent.
    failed: bool,
    life: Life,
    /// What a failed sending said of the association; the kernel says it once.
    cause: Option<&'static str>,
    streams_out: u16,
    peers: Vec<IpAddr>,
    port: u16,
}

/// Where the socket is.
#[derive(Debug)]
enum Place {
    /// In this thread's event loop.
    Live(AsyncFd<Socket>),
    /// In none.
    Parked(Socket),
    /// Closed, or lost while it was moved.
    Gone,
}

/// The last message that was taken. It waits for the next one, so that the kernel knows of each
/// message whether another follows: then they share packets, and none waits for a timer.
#[derive(Debug, Default)]
struct Held {
    stream: u16,
    ppid: u32,
    /// Empty when nothing is held: there are no empty messages.
    octets: Vec<u8>,
}

/// How far it is with its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Up,
    /// To be shut down once what is held has left.
    Ending,
    /// The kernel shuts it down.
    Shut,
    /// It has ended, for this reason.
    Down(&'static str),
}

/// Why an association that nobody answers ends.
const NO_ANSWER: &str = "the peer does not answer";
/// Why one ends of which nobody says why.
const LOST: &str = "it was lost";

impl Association {
    /// Of a socket that has an association with `peers`, or is about to have.
    pub(super) fn new(socket: Socket, peers: &[SocketAddr]) -> io::Result<Self> {
        Ok(Self {
            streams_out: streams_out(&socket).unwrap_or_default(),
            place: Place::Live(sys::watched(socket)?),
            reader: Reader::new(MESSAGE_OCTETS_MAX),
            held: Held::default(),
            refused: false,
            failed: false,
            life: Life::Up,
            cause: None,
            peers: peers.iter().map(SocketAddr::ip).collect(),
            port: peers.first().map_or(0, SocketAddr::port),
        })
    }

    /// Ready when the peer has answered.
    pub(super) fn poll_up(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // One step at a time: what comes behind the answer is for the owner.
        while self.streams_out == 0 {
            if let Some(Event::Down { why }) = ready!(self.poll_step(cx)) {
                let kind = if why == NO_ANSWER {
                    io::ErrorKind::TimedOut
                } else {
                    io::ErrorKind::ConnectionRefused
                };
                return Poll::Ready(Err(io::Error::new(kind, why)));
            }
        }
        if let Some(socket) = self.socket() {
            let peers = addresses(socket, wire::GET_PEER_ADDRESSES)?;
            self.peers = peers.iter().map(SocketAddr::ip).collect();
        }
        Poll::Ready(Ok(()))
    }

    /// The next event, oldest first; wakes the task when there is one. After [`Event::Down`]
    /// always that.
    pub fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if let Life::Down(why) = self.life {
            return Poll::Ready(Event::Down { why });
        }
        if let Poll::Ready(event) = self.poll_received(cx) {
            return Poll::Ready(event);
        }
        // Nothing more came: what was taken in this turn leaves.
        ready!(self.poll_flush(cx));
        if std::mem::take(&mut self.failed) {
            return Poll::Ready(Event::SendFailed);
        }
        if std::mem::take(&mut self.refused) { Poll::Ready(Event::Writable) } else { Poll::Pending }
    }

    /// Takes a message to be sent in order on `stream`. It leaves at [`Self::flush`], with the
    /// next one, or when the next event is waited for.
    ///
    /// # Errors
    /// It was not taken.
    pub fn try_send(&mut self, stream: u16, ppid: u32, octets: &[u8]) -> Result<(), Refused> {
        if self.life != Life::Up {
            return Err(Refused::Closed);
        }
        if octets.len() > MESSAGE_OCTETS_MAX {
            return Err(Refused::TooLong);
        }
        if let Err(refused) = self.leave(true) {
            self.refused |= refused == Refused::Full;
            return Err(refused);
        }
        self.held.stream = stream;
        self.held.ppid = ppid;
        self.held.octets.extend_from_slice(octets);
        Ok(())
    }

    /// Lets what was taken leave.
    pub fn flush(&mut self) {
        // If there is no room it leaves when there is.
        let _ = self.leave(false);
    }

    /// Ready when a message would be taken, or never would be again.
    pub fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_flush(cx)
    }

    /// Streams we may send on.
    #[must_use]
    pub const fn streams_out(&self) -> u16 {
        self.streams_out
    }

    /// The peer's addresses.
    #[must_use]
    pub fn peer_addresses(&self) -> Vec<IpAddr> {
        self.peers.clone()
    }

    /// The peer's port.
    #[must_use]
    pub const fn peer_port(&self) -> u16 {
        self.port
    }

    /// Ends it once what was taken has reached the peer; [`Event::Down`] follows.
    //= RFC 9260 §9.2
    pub fn shutdown(&mut self) {
        if self.life == Life::Up {
            self.life = Life::Ending;
            self.flush();
        }
    }

    /// Ends it at once.
    //= RFC 9260 §9.1
    pub fn abort(&mut self) {
        self.aborted("we aborted it");
    }

    /// Takes it out of this thread's event loop, so that another thread may have it.
    ///
    /// # Errors
    /// None.
    pub fn park(&mut self) -> io::Result<()> {
        if let Place::Live(socket) = std::mem::replace(&mut self.place, Place::Gone) {
            self.place = Place::Parked(socket.into_inner());
        }
        Ok(())
    }

    /// Puts a parked one into this thread's event loop.
    ///
    /// # Errors
    /// The kernel's; the association is lost then.
    pub fn unpark(&mut self) -> io::Result<()> {
        self.place = match std::mem::replace(&mut self.place, Place::Gone) {
            Place::Parked(socket) => Place::Live(sys::watched(socket)?),
            other => other,
        };
        Ok(())
    }

    fn poll_received(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            if let Some(event) = ready!(self.poll_step(cx)) {
                return Poll::Ready(event);
            }
        }
    }

    /// Takes one message or notification; `None` if it is of no interest to the owner.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            let socket = match &self.place {
                Place::Live(socket) => socket,
                // Whoever unparks it asks again.
                Place::Parked(_) => return Poll::Pending,
                Place::Gone => return Poll::Ready(Some(self.ended(LOST))),
            };
            let Ok(mut guard) = ready!(socket.poll_read_ready(cx)) else {
                return Poll::Ready(Some(self.ended("its event loop has ended")));
            };
            let Ok(received) = guard.try_io(|socket| self.reader.next(socket.as_fd())) else {
                continue;
            };
            return Poll::Ready(match received {
                Ok(Received::Message { stream, ppid, unordered, octets }) => {
                    let octets = octets.to_vec();
                    Some(Event::Data(Message { stream, ppid, unordered, octets }))
                }
                Ok(Received::Notice(notice)) => self.noticed(notice),
                Ok(Received::TooLong) => Some(self.aborted("a message was too long")),
                Ok(Received::End) => Some(self.ended("the peer has shut it down")),
                Err(error) => Some(self.ended(why(&error))),
            });
        }
    }

    fn noticed(&mut self, notice: Notice) -> Option<Event> {
        match notice {
            Notice::Up { restart, outbound } => {
                self.streams_out = outbound;
                if restart {
                    self.reader.abandon();
                    return Some(Event::Restart);
                }
            }
            Notice::Lost => {
                let error = self.socket().and_then(|socket| socket.take_error().ok().flatten());
                let cause = error.as_ref().map(why).or(self.cause);
                return Some(self.ended(cause.unwrap_or(LOST)));
            }
            Notice::ShutDown => return Some(self.ended("it was shut down")),
            Notice::Path { address, state: wire::PATH_AVAILABLE } => {
                return Some(Event::Path { address, reachable: true });
            }
            Notice::Path { address, state: wire::PATH_UNREACHABLE } => {
                return Some(Event::Path { address, reachable: false });
            }
            Notice::SendFailed => return Some(Event::SendFailed),
            Notice::Abandoned => self.reader.abandon(),
            Notice::Path { .. } => {}
            // Among others that the peer ends it: what says that it has follows.
            Notice::Other(kind) => tracing::debug!(kind, "association's event"),
        }
        None
    }

    /// Ready when nothing is held, or nothing will ever leave again.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.leave(false) == Err(Refused::Full) {
            let Place::Live(socket) = &self.place else { return Poll::Pending };
            if ready!(socket.poll_write_ready(cx)).is_err() {
                break;
            }
        }
        Poll::Ready(())
    }

    /// Gives what is held to the kernel; `more` if another message follows at once.
    fn leave(&mut self, more: bool) -> Result<(), Refused> {
        if !self.held.octets.is_empty() {
            let Held { stream, ppid, octets, .. } = &self.held;
            let with = Sending { stream: *stream, ppid: *ppid, more };
            let sent = match &self.place {
                Place::Live(socket) => match sys::send(socket.as_fd(), octets, with) {
                    // Asked again by way of the event loop, which wakes us when there is room.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket
                        .try_io(Interest::WRITABLE, |socket| {
                            sys::send(socket.as_fd(), octets, with)
                        }),
                    sent => sent,
                },
                Place::Parked(socket) => sys::send(socket.as_fd(), octets, with),
                Place::Gone => Err(io::ErrorKind::NotConnected.into()),
            };
            let full = sent.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock);
            if full {
                return Err(Refused::Full);
            }
            self.held.octets.clear();
            if let Err(error) = sent {
                // Of this message; if it is for the association's end, that is told in its turn.
                self.failed = true;
                if error.kind() != io::ErrorKind::BrokenPipe {
                    self.cause = Some(why(&error));
                }
            }
        }
        if let (Life::Ending, Some(socket)) = (self.life, self.socket()) {
            let _ = socket.shutdown(Shutdown::Write);
            self.life = Life::Shut;
        }
        Ok(())
    }

    fn aborted(&mut self, why: &'static str) -> Event {
        if let Some(socket) = self.socket() {
            // To close without lingering aborts. //= RFC 6458 §8.1.4
            let _ = socket.set_linger(Some(Duration::ZERO));
        }
        self.ended(why)
    }

    fn ended(&mut self, why: &'static str) -> Event {
        self.place = Place::Gone;
        self.held.octets.clear();
        if let Life::Down(why) = self.life {
            return Event::Down { why };
        }
        self.life = Life::Down(why);
        Event::Down { why }
    }

    fn socket(&self) -> Option<&Socket> {
        match &self.place {
            Place::Live(socket) => Some(socket.get_ref()),
            Place::Parked(socket) => Some(socket),
            Place::Gone => None,
        }
    }
}

/// Streams we may send on, once there is an association.
fn streams_out(socket: &Socket) -> Option<u16> {
    let mut status = [0; wire::STATUS];
    sys::get_option(socket.as_fd(), libc::SCTP_STATUS, &mut status).ok()?;
    wire::status_streams_out(&status)
}

fn why(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::TimedOut => NO_ANSWER,
        io::ErrorKind::ConnectionRefused => "the peer refused it",
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => "the peer aborted it",
        _ => "the kernel ended it",
    }
}
