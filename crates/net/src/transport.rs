//! What the driver asks of a connection, and the connections it knows: TCP, TLS over it, and SCTP.
//!
//! TCP and TLS carry octets, SCTP whole messages: an association is received from by
//! its events and sent to by its messages instead, see [`Stream::association`].

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use sctp::Association;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

/// The four things the driver does with a connection. Receiving and sending may happen in
/// different tasks, each of which is woken for its own.
pub(crate) trait Transport {
    /// Fills `room` with as much as is there; `Ok(0)` when the peer has ended its side.
    fn poll_receive(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Takes octets to be sent; how many were taken.
    fn poll_send(&mut self, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>>;

    /// Ready once all that was taken is the kernel's.
    fn poll_settle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Tells the peer that nothing more will come.
    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// A connection.
#[derive(Debug)]
pub(crate) enum Stream {
    /// Plain TCP.
    Tcp(Socket),
    /// TLS over TCP, after its handshake.
    Tls(Box<TlsStream<Socket>>),
    /// An SCTP association.
    Sctp(Box<Association>),
}

impl Transport for Stream {
    fn poll_receive(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut room = ReadBuf::new(room);
        match self {
            Self::Sctp(_) => return Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
            // tokio notes that a read did not fill the room, so that the next one waits for the
            // kernel's event instead of asking in vain.
            Self::Tcp(socket) => ready!(Pin::new(socket).poll_read(cx, &mut room))?,
            // One record at a time comes out here; a turn takes all that are there.
            Self::Tls(tls) => loop {
                let before = room.filled().len();
                match Pin::new(&mut **tls).poll_read(cx, &mut room) {
                    Poll::Pending if before == 0 => return Poll::Pending,
                    Poll::Ready(Err(error)) if before == 0 => return Poll::Ready(Err(error)),
                    // What came before an error is worth reading; the error will come again.
                    Poll::Pending | Poll::Ready(Err(_)) => break,
                    Poll::Ready(Ok(())) if room.filled().len() == before => break,
                    Poll::Ready(Ok(())) if room.remaining() == 0 => break,
                    Poll::Ready(Ok(())) => {}
                }
            },
        }
        Poll::Ready(Ok(room.filled().len()))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(socket) => Pin::new(socket).poll_write(cx, octets),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_write(cx, octets),
            Self::Sctp(_) => Poll::Ready(Err(io::ErrorKind::Unsupported.into())),
        }
    }

    fn poll_settle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(_) => Poll::Ready(Ok(())),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_flush(cx),
            Self::Sctp(association) => {
                association.flush();
                Poll::Ready(Ok(()))
            }
        }
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_shutdown(cx),
            Self::Sctp(association) => {
                association.shutdown();
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl Stream {
    /// What it is, for logs.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Tcp(_) => "tcp",
            Self::Tls(_) => "tls",
            Self::Sctp(_) => "sctp",
        }
    }

    /// Where the peer is, for logs; the first address of several.
    pub(crate) fn peer(&self) -> String {
        let socket = match self {
            Self::Tcp(socket) => socket,
            Self::Tls(tls) => tls.get_ref().0,
            Self::Sctp(association) => {
                let first = association.peer_addresses().first().copied();
                let port = association.peer_port();
                return first.map_or_else(String::new, |ip| SocketAddr::new(ip, port).to_string());
            }
        };
        let Socket::Live(stream) = socket else { return String::new() };
        stream.peer_addr().map_or_else(|_| String::new(), |address| address.to_string())
    }

    /// The association, where it is one.
    pub(crate) fn association(&mut self) -> Option<&mut Association> {
        match self {
            Self::Sctp(association) => Some(association),
            Self::Tcp(_) | Self::Tls(_) => None,
        }
    }

    /// Takes the socket out of this thread's event loop, so that another thread may have it.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn park(&mut self) -> io::Result<()> {
        match self {
            Self::Sctp(association) => association.park(),
            Self::Tcp(socket) => socket.park(),
            Self::Tls(tls) => inside(tls).park(),
        }
    }

    /// Puts a parked socket into this thread's event loop.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn unpark(&mut self) -> io::Result<()> {
        match self {
            Self::Sctp(association) => association.unpark(),
            Self::Tcp(socket) => socket.unpark(),
            Self::Tls(tls) => inside(tls).unpark(),
        }
    }
}

/// The socket under a TLS session.
fn inside(tls: &mut TlsStream<Socket>) -> &mut Socket {
    match tls {
        TlsStream::Client(client) => client.get_mut().0,
        TlsStream::Server(server) => server.get_mut().0,
    }
}

/// A TCP socket that can move from one thread's event loop to another's, also from inside a TLS
/// session.
#[derive(Debug)]
pub(crate) enum Socket {
    /// In this thread's event loop.
    Live(TcpStream),
    /// In none.
    Parked(std::net::TcpStream),
    /// Lost while it was moved.
    Lost,
}

impl Socket {
    fn park(&mut self) -> io::Result<()> {
        if let Self::Live(stream) = std::mem::replace(self, Self::Lost) {
            *self = Self::Parked(stream.into_std()?);
        }
        Ok(())
    }

    fn unpark(&mut self) -> io::Result<()> {
        if let Self::Parked(stream) = std::mem::replace(self, Self::Lost) {
            *self = Self::Live(TcpStream::from_std(stream)?);
        }
        Ok(())
    }

    fn live(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        match self {
            Self::Live(stream) => Ok(Pin::new(stream)),
            Self::Parked(_) | Self::Lost => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.live()?.poll_read(cx, room)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.live()?.poll_write(cx, octets)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.live()?.poll_write_vectored(cx, octets)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.live()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.live()?.poll_shutdown(cx)
    }
}
