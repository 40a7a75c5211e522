//! Packets where the engine's own reading does not suffice: addresses, state cookies, checksums.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Octets of the common header.
//= RFC 9260 §3.1
pub(super) const HEADER_OCTETS: usize = 12;
/// Longest packet read.
pub(super) const PACKET_OCTETS_MAX: usize = 64 << 10;
/// Most chunks looked at in one packet.
const CHUNKS_MAX: usize = 64;
/// Most addresses taken from one INIT or INIT ACK.
pub(super) const ADDRESSES_MAX: usize = 8;

/// Types of chunk.
//= RFC 9260 §3.2
pub(super) mod chunk {
    pub(in crate::userland) const INIT: u8 = 1;
    pub(in crate::userland) const INIT_ACK: u8 = 2;
    pub(in crate::userland) const ABORT: u8 = 6;
    pub(in crate::userland) const SHUTDOWN_ACK: u8 = 8;
    pub(in crate::userland) const COOKIE_ECHO: u8 = 10;
    pub(in crate::userland) const COOKIE_ACK: u8 = 11;
    pub(in crate::userland) const SHUTDOWN_COMPLETE: u8 = 14;
}

/// Types of parameter in INIT and INIT ACK.
//= RFC 9260 §3.3.2.1
//= RFC 9260 §3.3.3.1
mod parameter {
    pub(super) const IPV4: u16 = 5;
    pub(super) const IPV6: u16 = 6;
    pub(super) const STATE_COOKIE: u16 = 7;
}

/// Octets of INIT's and INIT ACK's own fields, chunk header included.
const INIT_OCTETS: usize = 20;

/// The common header, and the first chunk's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) source: u16,
    pub(super) destination: u16,
    pub(super) tag: u32,
    pub(super) first: u8,
}

/// A chunk where it lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk<'a> {
    pub(super) kind: u8,
    /// The whole chunk without padding.
    pub(super) octets: &'a [u8],
    pub(super) offset: usize,
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

const fn padded(octets: usize) -> usize {
    (octets + 3) & !3
}

/// Reads the head of a packet whose checksum is right.
pub(super) fn head(packet: &[u8]) -> Option<Head> {
    let sum = u32::from_le_bytes(*packet.get(8..)?.first_chunk()?);
    if checksum(packet) != sum {
        return None;
    }
    Some(Head {
        source: be16(packet, 0)?,
        destination: be16(packet, 2)?,
        tag: be32(packet, 4)?,
        first: *packet.get(HEADER_OCTETS)?,
    })
}

/// A packet's chunks, as far as they fit.
pub(super) fn chunks(packet: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let mut at = HEADER_OCTETS;
    std::iter::from_fn(move || {
        let kind = *packet.get(at)?;
        let length = usize::from(be16(packet, at + 2)?);
        let octets = packet.get(at..at + length).filter(|_| length >= 4)?;
        let offset = at;
        at += padded(length);
        Some(Chunk { kind, octets, offset })
    })
    .take(CHUNKS_MAX)
}

/// What our endpoint needs of an INIT or INIT ACK.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Init {
    /// Streams its sender wants to send on.
    pub(super) streams_out: u16,
    /// Streams its sender takes.
    pub(super) streams_in: u16,
    /// Its sender's further addresses.
    pub(super) addresses: Vec<IpAddr>,
}

/// Parameters of an INIT or INIT ACK: type, value, and the place of the whole in the chunk.
fn parameters(chunk: &[u8]) -> impl Iterator<Item = (u16, &[u8], std::ops::Range<usize>)> {
    let mut at = INIT_OCTETS;
    std::iter::from_fn(move || {
        let kind = be16(chunk, at)?;
        let length = usize::from(be16(chunk, at + 2)?);
        let value = chunk.get(at + 4..at + length)?;
        let place = at..chunk.len().min(at + padded(length));
        at += padded(length.max(4));
        Some((kind, value, place))
    })
    .take(CHUNKS_MAX)
}

/// Reads an INIT or INIT ACK.
pub(super) fn init(chunk: &[u8]) -> Option<Init> {
    let mut init =
        Init { streams_out: be16(chunk, 12)?, streams_in: be16(chunk, 14)?, ..Init::default() };
    for (kind, value, _) in parameters(chunk) {
        let address = match kind {
            parameter::IPV4 => value.try_into().ok().map(|four: [u8; 4]| IpAddr::from(four)),
            parameter::IPV6 => value.try_into().ok().map(|all: [u8; 16]| IpAddr::from(all)),
            _ => None,
        };
        if let Some(address) = address.filter(|_| init.addresses.len() < ADDRESSES_MAX) {
            init.addresses.push(address.to_canonical());
        }
    }
    Some(init)
}

/// The packet with our addresses in its INIT or INIT ACK, and its state cookie as `wrap` makes it.
pub(super) fn with_own_init(
    packet: &[u8],
    addresses: &[IpAddr],
    wrap: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Option<Vec<u8>> {
    let first = chunks(packet).next()?;
    let mut chunk = first.octets.get(..INIT_OCTETS)?.to_vec();
    let mut wrap = Some(wrap);
    for (kind, value, place) in parameters(first.octets) {
        match (kind, wrap.take_if(|_| kind == parameter::STATE_COOKIE)) {
            (_, Some(wrap)) => put_parameter(kind, &wrap(value), &mut chunk),
            _ => chunk.extend_from_slice(first.octets.get(place)?),
        }
        chunk.resize(padded(chunk.len()), 0);
    }
    for address in addresses {
        match address {
            IpAddr::V4(four) => put_parameter(parameter::IPV4, &four.octets(), &mut chunk),
            IpAddr::V6(six) => put_parameter(parameter::IPV6, &six.octets(), &mut chunk),
        }
    }
    replace_first(packet, first, chunk)
}

fn put_parameter(kind: u16, value: &[u8], out: &mut Vec<u8>) {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value);
    out.resize(padded(out.len()), 0);
}

/// The packet with another cookie in its COOKIE ECHO.
pub(super) fn with_cookie(packet: &[u8], cookie: &[u8]) -> Option<Vec<u8>> {
    let first = chunks(packet).next()?;
    let mut chunk = first.octets.get(..4)?.to_vec();
    chunk.extend_from_slice(cookie);
    replace_first(packet, first, chunk)
}

fn replace_first(packet: &[u8], first: Chunk<'_>, mut chunk: Vec<u8>) -> Option<Vec<u8>> {
    let length = u16::try_from(chunk.len()).ok()?;
    chunk.get_mut(2..4)?.copy_from_slice(&length.to_be_bytes());
    chunk.resize(padded(chunk.len()), 0);
    let rest = packet.get(first.offset + padded(first.octets.len())..).unwrap_or_default();
    let mut out = packet.get(..HEADER_OCTETS)?.to_vec();
    out.extend_from_slice(&chunk);
    out.extend_from_slice(rest);
    seal(&mut out);
    Some(out)
}

/// What is answered to a packet of no association, if anything.
//= RFC 9260 §8.4
pub(super) fn out_of_the_blue(packet: &[u8], head: &Head) -> Option<Vec<u8>> {
    const REFLECTED: u8 = 1;
    let quiet = [chunk::ABORT, chunk::SHUTDOWN_COMPLETE, chunk::COOKIE_ACK];
    if chunks(packet).any(|chunk| quiet.contains(&chunk.kind)) {
        return None;
    }
    let kind =
        if head.first == chunk::SHUTDOWN_ACK { chunk::SHUTDOWN_COMPLETE } else { chunk::ABORT };
    let mut out = Vec::with_capacity(HEADER_OCTETS + 4);
    out.extend_from_slice(&head.destination.to_be_bytes());
    out.extend_from_slice(&head.source.to_be_bytes());
    out.extend_from_slice(&head.tag.to_be_bytes());
    out.extend_from_slice(&[0, 0, 0, 0, kind, REFLECTED, 0, 4]);
    seal(&mut out);
    Some(out)
}

/// Puts the right checksum into a packet.
fn seal(packet: &mut [u8]) {
    if let Some(field) = packet.get_mut(8..12) {
        field.fill(0);
    }
    let sum = checksum(packet);
    if let Some(field) = packet.get_mut(8..12) {
        field.copy_from_slice(&sum.to_le_bytes());
    }
}

/// CRC32c of a packet as if its checksum were zero.
//= RFC 9260 Appendix A
fn checksum(packet: &[u8]) -> u32 {
    let (head, rest) = packet.split_at(packet.len().min(8));
    let crc = crc32c::crc32c(head);
    let crc = crc32c::crc32c_append(crc, &[0; 4]);
    crc32c::crc32c_append(crc, rest.get(4..).unwrap_or_default())
}

/// The IP payload of a raw IPv4 packet.
pub(super) fn ipv4_payload(packet: &[u8]) -> Option<&[u8]> {
    let words = usize::from(packet.first()? & 0x0f);
    packet.get(words * 4..).filter(|_| packet.first().is_some_and(|first| first >> 4 == 4))
}

/// An address in the 16 octets of an IPv6 one.
pub(super) fn address_octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(four) => four.to_ipv6_mapped().octets(),
        IpAddr::V6(six) => six.octets(),
    }
}

/// The address in these octets.
pub(super) fn address(octets: [u8; 16]) -> IpAddr {
    let six = Ipv6Addr::from(octets);
    six.to_ipv4_mapped().map_or(IpAddr::V6(six), |four: Ipv4Addr| IpAddr::V4(four))
}
