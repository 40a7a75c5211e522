//! Diameter messages out of capture files, in the order in which each became whole.

mod frames;
mod sctp;
mod tcp;
mod write;

use std::net::IpAddr;
use std::path::Path;

use etherparse::{IpNumber, NetSlice, SlicedPacket, TransportSlice};

pub use write::write;

use sctp::Associations;
use tcp::Streams;

/// The ports on which TCP is taken for Diameter.
pub const PORTS: [u16; 1] = [3868];

/// One end of a transport, and the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// Who sent it.
    pub from: (IpAddr, u16),
    /// To whom.
    pub to: (IpAddr, u16),
}

/// One Diameter message as it was on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// The number of the captured frame that made it whole, from 1 as tshark counts.
    pub number: usize,
    /// Its bytes.
    pub octets: Vec<u8>,
}

/// Every Diameter message of a capture: over TCP on [`PORTS`] and over SCTP with the payload
/// protocol identifier 46, or 0 on those ports.
///
/// # Errors
/// The file is no capture.
pub fn read(path: &Path) -> Result<Vec<Captured>, String> {
    let (mut streams, mut associations) = (Streams::default(), Associations::default());
    let mut messages = Vec::new();
    frames::each(path, |number, packet| {
        for octets in arrive(&mut streams, &mut associations, packet) {
            messages.push(Captured { number, octets });
        }
    })?;
    Ok(messages)
}

/// The messages that one packet makes whole.
fn arrive(
    streams: &mut Streams,
    associations: &mut Associations,
    packet: &SlicedPacket<'_>,
) -> Vec<Vec<u8>> {
    let Some((source, target)) = packet.net.as_ref().and_then(addresses) else { return Vec::new() };
    let payload = packet.net.as_ref().and_then(NetSlice::ip_payload_ref);
    match (&packet.transport, payload) {
        (Some(TransportSlice::Tcp(tcp)), _) => {
            let flow =
                Flow { from: (source, tcp.source_port()), to: (target, tcp.destination_port()) };
            if !is_diameter(&flow) {
                return Vec::new();
            }
            streams.segment(flow, tcp.sequence_number(), tcp.syn(), tcp.payload())
        }
        (_, Some(ip)) if ip.ip_number == IpNumber::SCTP && !ip.fragmented => {
            associations.packet(source, target, ip.payload)
        }
        _ => Vec::new(),
    }
}

fn addresses(net: &NetSlice<'_>) -> Option<(IpAddr, IpAddr)> {
    match net {
        NetSlice::Ipv4(ip) => {
            let header = ip.header();
            Some((header.source_addr().into(), header.destination_addr().into()))
        }
        NetSlice::Ipv6(ip) => {
            let header = ip.header();
            Some((header.source_addr().into(), header.destination_addr().into()))
        }
        NetSlice::Arp(_) => None,
    }
}

fn is_diameter(flow: &Flow) -> bool {
    PORTS.contains(&flow.from.1) || PORTS.contains(&flow.to.1)
}

/// The length of the Diameter message that starts `bytes`, read with nobody's help.
fn length(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [1, a, b, c, ..] => Some(u32::from_be_bytes([0, *a, *b, *c]) as usize),
        _ => None,
    }
}
