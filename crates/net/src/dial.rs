//! Connections that we open.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sctp::Endpoint;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsStream;

use crate::transport::{Socket, Stream};
use crate::{Connect, PeerTransport};

/// How long an attempt to connect may take, TLS included.
const DIAL_WAIT_MS: u64 = 5000;

/// Connects to a peer.
///
/// # Errors
/// What the kernel or TLS say, or that it took too long.
pub(crate) async fn dial(
    peer: Option<&PeerTransport>,
    endpoints: &[Arc<Endpoint>],
) -> io::Result<Stream> {
    let nowhere = || io::Error::new(io::ErrorKind::AddrNotAvailable, "no address to connect to");
    let peer = peer.ok_or_else(nowhere)?;
    let wait = Duration::from_millis(DIAL_WAIT_MS);
    let dialled = async {
        match peer.connect.as_ref().ok_or_else(nowhere)? {
            Connect::Tcp(to) => dial_to(peer, *to).await,
            Connect::Sctp { endpoint, peer } => {
                let endpoint = endpoints.get(*endpoint).ok_or_else(nowhere)?;
                endpoint.connect(peer).await.map(|made| Stream::Sctp(Box::new(made)))
            }
        }
    };
    tokio::time::timeout(wait, dialled).await.map_err(|_| io::ErrorKind::TimedOut)?
}

async fn dial_to(peer: &PeerTransport, to: SocketAddr) -> io::Result<Stream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(source) = peer.source {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    let stream = socket.connect(to).await?;
    prepare(&stream)?;
    let socket = Socket::Live(stream);
    let Some(tls) = &peer.tls else { return Ok(Stream::Tcp(socket)) };
    let client = tls.config.connector().connect(tls.name.server_name(), socket).await?;
    Ok(Stream::Tls(Box::new(TlsStream::Client(client))))
}

/// What every TCP connection is set to: batches are ours to make, not Nagle's.
///
/// # Errors
/// The kernel's.
pub(crate) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    socket2::SockRef::from(stream).set_keepalive(true)
}
