//! A port of the kernel's: what is set before there is an association.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::unix::AsyncFd;

use super::association::Association;
use super::{sys, wire};
use crate::interface::Admits;
use crate::{Peer, Settings};

/// Associations that the kernel may hold for us before we take them.
const BACKLOG: i32 = 128;

/// A port with its local addresses. //= RFC 6458 §4.1
///
/// Linux leaves private addresses out of an association that began between global ones, and so on
/// down to loopback; `net.sctp.addr_scope_policy = 0` stops that. From which of its addresses a packet
/// leaves is for the routes to say: paths are apart only where the route to each of the peer's addresses
/// has one of the endpoint's as its source. Else the first address is taken for all.
pub struct Endpoint {
    /// Holds the port; listens from the first `accept` on.
    socket: AsyncFd<Socket>,
    listening: AtomicBool,
    local: Vec<SocketAddr>,
    settings: Settings,
    admits: Admits,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("local", &self.local).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Binds `port` (0 lets the kernel choose) on `local`. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// The kernel's; `Unsupported` if it has no SCTP.
    pub fn bind(
        local: &[IpAddr],
        port: u16,
        settings: &Settings,
        admits: Admits,
    ) -> io::Result<Self> {
        let mut local: Vec<_> = local.iter().map(|ip| SocketAddr::new(*ip, port)).collect();
        let socket = bound(&local, settings)?;
        let port = addresses(&socket, wire::GET_LOCAL_ADDRESSES)?.first().map(SocketAddr::port);
        for address in &mut local {
            address.set_port(port.unwrap_or_default());
        }
        Ok(Self {
            socket: sys::watched(socket)?,
            listening: AtomicBool::new(false),
            local,
            settings: settings.clone(),
            admits,
        })
    }

    /// The port it is bound to.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.local.first().map_or(0, SocketAddr::port)
    }

    /// The next association of a peer that may have one.
    ///
    /// # Errors
    /// The kernel's; the endpoint is of no use any more unless it is a shortage.
    pub async fn accept(&self) -> io::Result<Association> {
        if !self.listening.swap(true, Ordering::AcqRel) {
            self.socket.get_ref().listen(BACKLOG)?;
        }
        loop {
            let mut guard = self.socket.readable().await?;
            let Ok(accepted) = guard.try_io(|socket| socket.get_ref().accept()) else { continue };
            let (socket, _) = match accepted {
                Ok(accepted) => accepted,
                // It was gone before we came.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => return Err(error),
            };
            let peers = addresses(&socket, wire::GET_PEER_ADDRESSES).unwrap_or_default();
            let ips: Vec<_> = peers.iter().map(SocketAddr::ip).collect();
            if ips.is_empty() || !(self.admits)(&ips) {
                // To close without lingering aborts.
                let _ = socket.set_linger(Some(std::time::Duration::ZERO));
                continue;
            }
            socket.set_nonblocking(true)?;
            return Association::new(socket, &peers);
        }
    }

    /// Makes an association from this port.
    ///
    /// # Errors
    /// Nobody answered, or the peer refused.
    pub async fn connect(&self, peer: &Peer) -> io::Result<Association> {
        let socket = bound(&self.local, &self.settings)?;
        let peers: Vec<_> =
            peer.addresses.iter().map(|ip| SocketAddr::new(*ip, peer.port)).collect();
        let packed = wire::addresses_packed(&peers);
        match sys::set_option(socket.as_fd(), wire::CONNECTX, &packed) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
            _ => {}
        }
        let mut association = Association::new(socket, &peers)?;
        std::future::poll_fn(|cx| association.poll_up(cx)).await?;
        Ok(association)
    }
}

/// A new socket with everything set, bound.
fn bound(local: &[SocketAddr], settings: &Settings) -> io::Result<Socket> {
    let domain = if local.iter().all(SocketAddr::is_ipv4) { Domain::IPV4 } else { Domain::IPV6 };
    let protocol = Protocol::from(libc::IPPROTO_SCTP);
    let socket = Socket::new(domain, Type::STREAM, Some(protocol)).map_err(explained)?;
    socket.set_nonblocking(true)?;
    // Those we make leave from the port that we listen on.
    socket.set_reuse_port(true)?;
    socket.set_send_buffer_size(settings.send_octets_max)?;
    socket.set_recv_buffer_size(settings.receive_octets_max)?;
    for (option, value) in options(settings) {
        sys::set_option(socket.as_fd(), option, &value)?;
    }
    sys::set_option(socket.as_fd(), wire::BINDX_ADD, &wire::addresses_packed(local))?;
    Ok(socket)
}

fn options(settings: &Settings) -> Vec<(i32, Vec<u8>)> {
    let on = || 1i32.to_ne_bytes().to_vec();
    let init_timeout = u16::try_from(settings.rto_max_ms).unwrap_or(u16::MAX);
    let attempts = settings.init_retransmissions_max;
    let heartbeat = (settings.heartbeat_ms > 0).then_some(settings.heartbeat_ms);
    let mut options = vec![
        (libc::SCTP_NODELAY, on()),
        (libc::SCTP_RECVRCVINFO, on()),
        (
            libc::SCTP_INITMSG,
            wire::init(settings.streams_out, settings.streams_in_max, attempts, init_timeout),
        ),
        (
            libc::SCTP_RTOINFO,
            wire::rto(settings.rto_initial_ms, settings.rto_min_ms, settings.rto_max_ms),
        ),
        (
            libc::SCTP_ASSOCINFO,
            wire::association_parameters(settings.association_retransmissions_max),
        ),
        (
            libc::SCTP_PEER_ADDR_PARAMS,
            wire::path_parameters(heartbeat, settings.path_retransmissions_max),
        ),
    ];
    options.extend(wire::SUBSCRIBED.map(|kind| (wire::EVENT, wire::subscription(kind))));
    options
}

/// What `GET_PEER_ADDRESSES` or `GET_LOCAL_ADDRESSES` say.
pub(super) fn addresses(socket: &Socket, option: i32) -> io::Result<Vec<SocketAddr>> {
    let mut room = [0; ADDRESSES_OCTETS];
    // The number of addresses counts: the length that the kernel gives is that with the head before
    // them for one of the two options, and that without it for the other.
    sys::get_option(socket.as_fd(), option, &mut room)?;
    Ok(wire::addresses_read(&room))
}

/// Room for 32 addresses and the head before them.
const ADDRESSES_OCTETS: usize = 8 + 32 * 28;

/// A kernel without SCTP is worth more than "Protocol not supported".
fn explained(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::EPROTONOSUPPORT | libc::ESOCKTNOSUPPORT | libc::EAFNOSUPPORT) => io::Error::new(
            io::ErrorKind::Unsupported,
            "this kernel has no SCTP: load its module (modprobe sctp), or choose our own in user \
             space, inside UDP (sctp-udp) or over raw IP (sctp-raw)",
        ),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_kernel_without_sctp_is_told_clearly() {
        let anybody = std::sync::Arc::new(|_: &[IpAddr]| true);
        let local = [IpAddr::from([127, 0, 0, 1])];
        // Where there is one, this is not the place to test it.
        if let Err(error) = Endpoint::bind(&local, 0, &Settings::default(), anybody) {
            assert_eq!(error.kind(), io::ErrorKind::Unsupported);
            assert!(error.to_string().contains("modprobe sctp"), "{error}");
        }
    }
}
