//! Sockets that carry packets: UDP with SCTP inside, or raw IP.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::unix::AsyncFd;
use tokio::net::UdpSocket;

use super::packet;

/// SCTP's number among IP protocols.
const IP_PROTOCOL: i32 = 132;
/// Octets the kernel may hold for us.
const SOCKET_OCTETS: usize = 4 << 20;

/// How packets travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// Inside UDP.
    //= RFC 6951 §4
    Udp {
        /// Our UDP port; 0 lets the kernel choose.
        port: u16,
    },
    /// Over raw IP.
    Raw,
}

/// The socket of one local address.
pub(super) struct Way {
    pub(super) local: IpAddr,
    kind: Kind,
}

enum Kind {
    Udp(UdpSocket),
    Raw(AsyncFd<Socket>),
}

/// Where a packet came from.
pub(super) struct Received {
    pub(super) address: IpAddr,
    pub(super) port: u16,
    /// Where the packet begins and ends in the buffer.
    pub(super) place: std::ops::Range<usize>,
}

impl Way {
    /// Binds; a runtime's event loop takes it up by [`Self::enter`].
    pub(super) fn bind(carrier: Carrier, local: IpAddr) -> io::Result<(Socket, IpAddr)> {
        let domain = if local.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
        let (socket, port) = match carrier {
            Carrier::Udp { port } => (Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?, port),
            Carrier::Raw => {
                let protocol = Some(Protocol::from(IP_PROTOCOL));
                let socket = Socket::new(domain, Type::RAW, protocol).map_err(explain_raw)?;
                (socket, 0)
            }
        };
        // Best effort: the kernel caps it at its own limit.
        let _ = socket.set_recv_buffer_size(SOCKET_OCTETS);
        let _ = socket.set_send_buffer_size(SOCKET_OCTETS);
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddr::new(local, port).into())?;
        Ok((socket, local))
    }

    /// Takes a bound socket into this runtime's event loop.
    pub(super) fn enter(carrier: Carrier, socket: Socket, local: IpAddr) -> io::Result<Self> {
        let kind = match carrier {
            Carrier::Udp { .. } => Kind::Udp(UdpSocket::from_std(socket.into())?),
            Carrier::Raw => Kind::Raw(crate::kernel::sys::watched(socket)?),
        };
        Ok(Self { local, kind })
    }

    /// The next packet.
    pub(super) fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<Received>> {
        match &self.kind {
            Kind::Udp(socket) => {
                let mut room = tokio::io::ReadBuf::new(buffer);
                socket.poll_recv_from(cx, &mut room).map_ok(|from| Received {
                    address: from.ip().to_canonical(),
                    port: from.port(),
                    place: 0..room.filled().len(),
                })
            }
            Kind::Raw(socket) => loop {
                let mut ready = std::task::ready!(socket.poll_read_ready(cx))?;
                let received = ready.try_io(|socket| receive_raw(socket.get_ref(), buffer));
                if let Ok(received) = received {
                    return Poll::Ready(received);
                }
            },
        }
    }

    /// Sends a packet; what the kernel has no room for is lost, as packets may be.
    pub(super) fn send(&self, packet: &[u8], to: IpAddr, port: u16) {
        let to = SocketAddr::new(to, port);
        let _ = match &self.kind {
            Kind::Udp(socket) => socket.try_send_to(packet, to),
            Kind::Raw(socket) => {
                socket.get_ref().send_to(packet, &SocketAddr::new(to.ip(), 0).into())
            }
        };
    }
}

fn receive_raw(socket: &Socket, buffer: &mut [u8]) -> io::Result<Received> {
    use std::io::Read as _;
    // The address is in the IP header of version 4; version 6 has none here.
    let mut reader = socket;
    let octets = reader.read(buffer)?;
    let packet = buffer.get(..octets).unwrap_or_default();
    let source: Option<[u8; 4]> = packet.get(12..16).and_then(|four| four.try_into().ok());
    let payload = packet::ipv4_payload(packet).map_or(0, <[u8]>::len);
    let address = source.map_or(IpAddr::from([0, 0, 0, 0]), IpAddr::from);
    Ok(Received { address, port: 0, place: octets - payload..octets })
}

fn explain_raw(error: io::Error) -> io::Error {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return error;
    }
    let text =
        "raw IP sockets need CAP_NET_RAW: run as root, grant it, or use SCTP inside UDP (sctp-udp)";
    io::Error::new(error.kind(), text)
}
