//! The structures of the kernel's socket interface as octets: addresses, options, notifications.
//! All numbers are in this machine's own order unless something else is said.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// `SCTP_SOCKOPT_BINDX_ADD`, as Linux numbers it. //= RFC 6458 §9.1
pub(super) const BINDX_ADD: i32 = 100;
/// `SCTP_SOCKOPT_CONNECTX`, as Linux numbers it. //= RFC 6458 §9.9
pub(super) const CONNECTX: i32 = 110;
/// `SCTP_GET_PEER_ADDRS`, as Linux numbers it. //= RFC 6458 §9.3
pub(super) const GET_PEER_ADDRESSES: i32 = 108;
/// `SCTP_GET_LOCAL_ADDRS`, as Linux numbers it. //= RFC 6458 §9.5
pub(super) const GET_LOCAL_ADDRESSES: i32 = 109;
/// `SCTP_EVENT`, as Linux numbers it. //= RFC 6458 §6.2.2
pub(super) const EVENT: i32 = 127;

// Kinds of notification, as Linux numbers them. //= RFC 6458 §6.1
const ASSOC_CHANGE: u16 = 0x8001;
const PEER_ADDR_CHANGE: u16 = 0x8002;
const REMOTE_ERROR: u16 = 0x8004;
const SHUTDOWN_EVENT: u16 = 0x8005;
const PARTIAL_DELIVERY_EVENT: u16 = 0x8006;
const ADAPTATION_INDICATION: u16 = 0x8007;
const SEND_FAILED_EVENT: u16 = 0x800d;

/// What a socket subscribes to. `SCTP_SENDER_DRY_EVENT` is left out: it would come after every
/// message of an unhurried association, and nobody asks for it.
pub(super) const SUBSCRIBED: [u16; 7] = [
    ASSOC_CHANGE,
    PEER_ADDR_CHANGE,
    REMOTE_ERROR,
    SHUTDOWN_EVENT,
    PARTIAL_DELIVERY_EVENT,
    ADAPTATION_INDICATION,
    SEND_FAILED_EVENT,
];

/// Octets of `struct sockaddr_storage`.
const STORAGE: usize = 128;
/// Octets of `struct sockaddr_in`.
const SOCKADDR_IN: usize = 16;
/// Octets of `struct sockaddr_in6`.
const SOCKADDR_IN6: usize = 28;
const AF_INET: u16 = libc::AF_INET as u16;
const AF_INET6: u16 = libc::AF_INET6 as u16;

/// A notification, read. //= RFC 6458 §6.1
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// `SCTP_COMM_UP`, `SCTP_RESTART`: streams we may send on.
    Up { restart: bool, outbound: u16 },
    /// `SCTP_COMM_LOST`, `SCTP_CANT_STR_ASSOC`; the socket's error says why.
    Lost,
    /// `SCTP_SHUTDOWN_COMP`.
    ShutDown,
    /// `SCTP_PEER_ADDR_CHANGE`, with `spc_state`.
    Path { address: IpAddr, state: u32 },
    /// `SCTP_SEND_FAILED_EVENT`: a message that was not acknowledged, or never left.
    SendFailed,
    /// `SCTP_PARTIAL_DELIVERY_EVENT`: the rest of a message that was begun will not come.
    Abandoned,
    /// Something else, by its type.
    Other(u16),
}

/// `SCTP_ADDR_AVAILABLE`: a path has come back. //= RFC 6458 §6.1.2
pub(super) const PATH_AVAILABLE: u32 = 0;
/// `SCTP_ADDR_UNREACHABLE`: a path has failed. //= RFC 6458 §6.1.2
pub(super) const PATH_UNREACHABLE: u32 = 1;

/// Reads a notification; `None` if it is shorter than its type.
pub(super) fn notice(octets: &[u8]) -> Option<Notice> {
    let kind = u16_at(octets, 0)?;
    let notice = match kind {
        ASSOC_CHANGE => association_change(octets)?,
        PEER_ADDR_CHANGE => Notice::Path {
            address: address(octets.get(8..)?)?.0.ip(),
            state: u32_at(octets, 8 + STORAGE)?,
        },
        PARTIAL_DELIVERY_EVENT => Notice::Abandoned,
        SEND_FAILED_EVENT => Notice::SendFailed,
        other => Notice::Other(other),
    };
    Some(notice)
}

/// //= RFC 6458 §6.1.1
fn association_change(octets: &[u8]) -> Option<Notice> {
    let outbound = u16_at(octets, 12)?;
    Some(match u16_at(octets, 8)? {
        0 => Notice::Up { restart: false, outbound },
        1 | 4 => Notice::Lost,
        2 => Notice::Up { restart: true, outbound },
        3 => Notice::ShutDown,
        _ => Notice::Other(ASSOC_CHANGE),
    })
}

/// `struct sctp_event` that turns a kind of notification on. //= RFC 6458 §6.2.2
pub(super) fn subscription(kind: u16) -> Vec<u8> {
    [&0i32.to_ne_bytes()[..], &kind.to_ne_bytes(), &[1, 0]].concat()
}

/// `struct sctp_initmsg`. //= RFC 6458 §8.1.3
pub(super) fn init(outbound: u16, inbound: u16, attempts: u16, timeout_ms: u16) -> Vec<u8> {
    [outbound, inbound, attempts, timeout_ms].map(u16::to_ne_bytes).concat()
}

/// `struct sctp_rtoinfo`, in ms. //= RFC 6458 §8.1.1
pub(super) fn rto(initial: u32, min: u32, max: u32) -> Vec<u8> {
    [0, initial, max, min].map(u32::to_ne_bytes).concat()
}

/// `struct sctp_assocparams` that sets how many retransmissions in a row end the association.
/// //= RFC 6458 §8.1.2
pub(super) fn association_parameters(retransmissions: u16) -> Vec<u8> {
    [&0i32.to_ne_bytes()[..], &retransmissions.to_ne_bytes(), &[0; 14]].concat()
}

/// `struct sctp_paddrparams` for every path: heartbeats in ms (none: off) and how many
/// retransmissions in a row fail a path. //= RFC 6458 §8.1.12
pub(super) fn path_parameters(heartbeat: Option<u32>, retransmissions: u16) -> Vec<u8> {
    const HB_ENABLE: u32 = 1;
    const HB_DISABLE: u32 = 2;
    let flags = if heartbeat.is_some() { HB_ENABLE } else { HB_DISABLE };
    [
        &0i32.to_ne_bytes()[..],
        &[0; STORAGE],
        &heartbeat.unwrap_or_default().to_ne_bytes(),
        &retransmissions.to_ne_bytes(),
        // MTU and SACK delay: as they are.
        &[0; 8],
        &flags.to_ne_bytes(),
        // Flow label, DSCP, and the padding of a structure aligned to four.
        &[0; 6],
    ]
    .concat()
}

/// `struct sockaddr_in` or `sockaddr_in6`, packed one behind the other.
pub(super) fn addresses_packed(addresses: &[SocketAddr]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(addresses.len() * SOCKADDR_IN6);
    for address in addresses {
        match address {
            SocketAddr::V4(v4) => {
                packed.extend_from_slice(&AF_INET.to_ne_bytes());
                packed.extend_from_slice(&v4.port().to_be_bytes());
                packed.extend_from_slice(&v4.ip().octets());
                packed.extend_from_slice(&[0; 8]);
            }
            SocketAddr::V6(v6) => {
                packed.extend_from_slice(&AF_INET6.to_ne_bytes());
                packed.extend_from_slice(&v6.port().to_be_bytes());
                packed.extend_from_slice(&v6.flowinfo().to_ne_bytes());
                packed.extend_from_slice(&v6.ip().octets());
                packed.extend_from_slice(&v6.scope_id().to_ne_bytes());
            }
        }
    }
    packed
}

/// Streams we may send on, of `struct sctp_status`. //= RFC 6458 §8.2.1
pub(super) fn status_streams_out(octets: &[u8]) -> Option<u16> {
    u16_at(octets, 18)
}

/// Octets of `struct sctp_status`.
pub(super) const STATUS: usize = 176;

/// Reads `struct sctp_getaddrs`: a number of packed addresses. //= RFC 6458 §9.3
pub(super) fn addresses_read(octets: &[u8]) -> Vec<SocketAddr> {
    let count = u32_at(octets, 4).unwrap_or_default() as usize;
    let mut rest = octets.get(8..).unwrap_or_default();
    let mut found = Vec::new();
    while found.len() < count {
        let Some((address, used)) = address(rest) else { break };
        found.push(address);
        rest = rest.get(used..).unwrap_or_default();
    }
    found
}

/// One address and the octets it took. An IPv4 address in IPv6's clothes is an IPv4 address.
fn address(octets: &[u8]) -> Option<(SocketAddr, usize)> {
    let port = u16::from_be_bytes(octets.get(2..4)?.try_into().ok()?);
    match u16_at(octets, 0)? {
        AF_INET => {
            let ip: [u8; 4] = octets.get(4..8)?.try_into().ok()?;
            Some((SocketAddr::from((Ipv4Addr::from(ip), port)), SOCKADDR_IN))
        }
        AF_INET6 => {
            let ip: [u8; 16] = octets.get(8..24)?.try_into().ok()?;
            let ip = Ipv6Addr::from(ip).to_canonical();
            Some((SocketAddr::new(ip, port), SOCKADDR_IN6))
        }
        _ => None,
    }
}

fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(octets.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(octets.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Octets as the kernel of a little-endian machine lays them out.
    #[cfg(target_endian = "little")]
    #[test]
    fn structures_are_the_kernels_octet_for_octet() {
        assert_eq!(subscription(ASSOC_CHANGE), [0, 0, 0, 0, 1, 0x80, 1, 0]);
        assert_eq!(init(16, 64, 4, 2_000), [16, 0, 64, 0, 4, 0, 0xd0, 7]);
        // Initial, max, min.
        assert_eq!(rto(500, 200, 2_000), [0, 0, 0, 0, 0xf4, 1, 0, 0, 0xd0, 7, 0, 0, 200, 0, 0, 0]);
        assert_eq!(association_parameters(6).len(), 20);
        assert_eq!(association_parameters(6)[4..6], [6, 0]);
        let path = path_parameters(Some(5_000), 3);
        assert_eq!(path.len(), 156);
        assert_eq!(path[132..138], [0x88, 0x13, 0, 0, 3, 0]);
        assert_eq!(path[146..150], [1, 0, 0, 0], "heartbeats on");
        assert_eq!(path_parameters(None, 3)[146..150], [2, 0, 0, 0], "heartbeats off");
    }

    #[test]
    fn addresses_come_back_as_they_went() {
        let addresses: Vec<SocketAddr> =
            ["192.0.2.1:2905", "[2001:db8::1]:3868"].map(|text| text.parse().unwrap()).to_vec();
        let packed = addresses_packed(&addresses);
        assert_eq!(packed.len(), 16 + 28);
        assert_eq!(packed[2..8], [0x0b, 0x59, 192, 0, 2, 1]);
        let answer = [&[0; 4][..], &2u32.to_ne_bytes(), &packed, &[0; 100]].concat();
        assert_eq!(addresses_read(&answer), addresses);
        // A count that promises more than there is.
        let answer = [&[0; 4][..], &9u32.to_ne_bytes(), &packed].concat();
        assert_eq!(addresses_read(&answer), addresses);
        let mapped = addresses_packed(&["[::ffff:192.0.2.1]:2905".parse().unwrap()]);
        assert_eq!(address(&mapped), Some((addresses[0], 28)), "in IPv6's clothes");
    }

    fn change(state: u16) -> Vec<u8> {
        let numbers = [ASSOC_CHANGE, 0, 20, 0, state, 0, 16, 64, 1, 0];
        numbers.map(u16::to_ne_bytes).concat()
    }

    #[test]
    fn notifications_say_what_happened() {
        let up = |restart| Some(Notice::Up { restart, outbound: 16 });
        let expected = [up(false), Some(Notice::Lost), up(true), Some(Notice::ShutDown)];
        for (state, expected) in (0..).zip(expected) {
            assert_eq!(notice(&change(state)), expected);
        }
        assert_eq!(notice(&change(4)), Some(Notice::Lost), "it could not even start");

        let mut path = [&PEER_ADDR_CHANGE.to_ne_bytes()[..], &[0; 6]].concat();
        path.extend(addresses_packed(&["192.0.2.1:2905".parse().unwrap()]));
        path.resize(8 + STORAGE, 0);
        path.extend(PATH_UNREACHABLE.to_ne_bytes());
        path.extend([0; 8]);
        let address = "192.0.2.1".parse().unwrap();
        assert_eq!(notice(&path), Some(Notice::Path { address, state: PATH_UNREACHABLE }));
        assert_eq!(notice(&SEND_FAILED_EVENT.to_ne_bytes()), Some(Notice::SendFailed));
        assert_eq!(notice(&PARTIAL_DELIVERY_EVENT.to_ne_bytes()), Some(Notice::Abandoned));
        assert_eq!(notice(&SHUTDOWN_EVENT.to_ne_bytes()), Some(Notice::Other(SHUTDOWN_EVENT)));
        for whole in [change(0), path] {
            for length in 0..whole.len() {
                // No panic; a part that says enough may be read.
                let _ = notice(&whole[..length]);
            }
            assert_eq!(notice(&whole[..8]), None);
        }
    }
}
