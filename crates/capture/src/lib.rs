//! Signalling out of capture files: packets, streams and associations put together to messages, in
//! the order in which each became whole.
//!
//! ```text
//! pcap, pcapng ▷ packets ▷ Ethernet, cooked, raw IP ─┬▷ tcp ────────▷ Diameter
//!                                                    └▷ sctp (UDP) ─▷ Diameter, M3UA
//! ```
//!
//! It reads no message beyond its length, and depends on none of our codecs. A capture is anybody's
//! bytes: nothing here panics on any, and every table has a limit.

mod packets;
mod sctp;
mod tcp;

use std::net::IpAddr;
use std::path::Path;

use etherparse::{IpNumber, NetSlice, SlicedPacket, TransportSlice};

use sctp::Associations;
use tcp::Streams;

/// The ports on which TCP is taken for Diameter, and SCTP without a payload protocol.
pub const PORTS: [u16; 1] = [3868];
/// The UDP port on which SCTP inside UDP is looked for.
//= RFC 6951 §5.1
pub const ENCAPSULATION_PORT: u16 = 9899;
/// Octets of the longest message that is put together.
pub const MESSAGE_OCTETS_MAX: usize = 1 << 20;
/// Directions of TCP connections that are followed at once; to make room those are forgotten that are
/// not in the middle of a message.
pub const STREAMS_MAX: usize = 16_384;
/// Directions of SCTP associations that are followed at once, likewise.
pub const ASSOCIATIONS_MAX: usize = 16_384;
/// Octets kept over all streams and associations.
pub const KEPT_OCTETS_MAX: usize = 256 << 20;
/// Segments of a stream that may wait for one before them; then what is missing is given up.
pub const EARLY_MAX: usize = 1024;
/// Fragments of an association that may wait for others.
pub const FRAGMENTS_MAX: usize = 1024;
/// Transmission numbers of an association that are remembered, so that a repeat is known.
pub const NUMBERS_MAX: usize = 4096;

/// One end of a transport, and the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// Who sent it.
    pub from: (IpAddr, u16),
    /// To whom.
    pub to: (IpAddr, u16),
}

impl Flow {
    /// The other direction.
    #[must_use]
    pub const fn back(self) -> Self {
        Self { from: self.to, to: self.from }
    }
}

/// What a message is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// RFC 6733.
    Diameter,
    /// RFC 4666.
    M3ua,
}

/// One message as it was on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The number of the captured frame that made it whole, from 1 as tshark counts.
    pub number: usize,
    /// When that frame was captured, in microseconds since 1970.
    pub time_us: u64,
    /// Between whom.
    pub flow: Flow,
    /// In what.
    pub protocol: Protocol,
    /// Its bytes.
    pub octets: Vec<u8>,
}

/// How the reading went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Frames in the file.
    pub frames: u64,
    /// Frames that no Internet packet could be read from, or that were captured in part.
    pub unread: u64,
    /// Places where octets were given up: a gap in a stream, what is no message, a full table.
    pub lost: u64,
    /// The file ends in the middle, or goes on with what is no capture.
    pub torn: bool,
}

/// Tells every message of a capture: Diameter over TCP on [`PORTS`] and over SCTP with payload protocol
/// 46 (or 0 on those ports), M3UA over SCTP with payload protocol 3; SCTP over IP or inside UDP.
///
/// # Errors
/// The file cannot be opened or is no capture.
pub fn read(path: &Path, mut tell: impl FnMut(Message)) -> Result<Tally, String> {
    let (mut streams, mut associations) = (Streams::default(), Associations::default());
    let mut lost = 0;
    let mut tally = packets::each(path, |number, time_us, packet| {
        let whole = arrive(&mut streams, &mut associations, packet);
        for (flow, protocol, octets) in whole {
            tell(Message { number, time_us, flow, protocol, octets });
        }
        if streams.kept() + associations.kept() > KEPT_OCTETS_MAX {
            lost += 1 + streams.lost() + associations.lost();
            streams = Streams::default();
            associations = Associations::default();
        }
    })?;
    tally.lost += lost + streams.lost() + associations.lost();
    Ok(tally)
}

/// A message between whom, in what, and its bytes.
type Whole = (Flow, Protocol, Vec<u8>);

/// The messages that one packet makes whole.
fn arrive(
    streams: &mut Streams,
    associations: &mut Associations,
    packet: &SlicedPacket<'_>,
) -> Vec<Whole> {
    let Some((source, target)) = packet.net.as_ref().and_then(addresses) else { return Vec::new() };
    let payload = packet.net.as_ref().and_then(NetSlice::ip_payload_ref);
    match (&packet.transport, payload) {
        (Some(TransportSlice::Tcp(tcp)), _) => {
            let flow =
                Flow { from: (source, tcp.source_port()), to: (target, tcp.destination_port()) };
            if !is_diameter(&flow) {
                return Vec::new();
            }
            let whole = streams.segment(flow, tcp.sequence_number(), tcp.syn(), tcp.payload());
            whole.into_iter().map(|octets| (flow, Protocol::Diameter, octets)).collect()
        }
        (Some(TransportSlice::Udp(udp)), _)
            if [udp.source_port(), udp.destination_port()].contains(&ENCAPSULATION_PORT) =>
        {
            associations.packet(source, target, udp.payload())
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

/// What stands at the head of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    /// A message so long.
    Message(usize),
    /// Too little to tell.
    Unknown,
    /// No Diameter message that anybody would send.
    Other,
}

/// Octets of the header of a Diameter message.
const HEADER_OCTETS: usize = 20;

/// The Diameter message at the head of `bytes`, read with nobody's help.
//= RFC 6733 §3
fn head(bytes: &[u8]) -> Head {
    match bytes {
        [1, a, b, c, ..] => {
            let octets = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            if (HEADER_OCTETS..=MESSAGE_OCTETS_MAX).contains(&octets) {
                Head::Message(octets)
            } else {
                Head::Other
            }
        }
        [] | [1] | [1, _] | [1, _, _] => Head::Unknown,
        _ => Head::Other,
    }
}
