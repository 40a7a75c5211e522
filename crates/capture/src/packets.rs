//! Packets out of pcap and pcapng files.

use std::path::Path;

use etherparse::SlicedPacket;
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};

use crate::Tally;

/// Octets the reader may look at once: more than any one block of a capture.
const WINDOW_OCTETS: usize = 1 << 20;
/// Octets of a "cooked" header, version 1.
const COOKED_OCTETS: usize = 16;
/// Octets of a "cooked" header, version 2.
const COOKED_2_OCTETS: usize = 20;
/// Interfaces of one section that are told apart.
const INTERFACES_MAX: usize = 4096;
/// Units of a time stamp in a second unless an interface says otherwise.
const MICROSECONDS: u64 = 1_000_000;

/// One interface that packets were captured on.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: Linktype,
    /// Units of its time stamps in a second.
    resolution: u64,
}

/// A packet as the file holds it.
struct Packet<'a> {
    link: Linktype,
    time_us: u64,
    data: &'a [u8],
}

/// Calls `take` with each packet of the file, its number (from 1) and its time in microseconds.
///
/// # Errors
/// The file cannot be opened or is no capture.
pub(crate) fn each(
    path: &Path,
    mut take: impl FnMut(usize, u64, &SlicedPacket<'_>),
) -> Result<Tally, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut reader = create_reader(WINDOW_OCTETS, file).map_err(|error| match error {
        PcapError::ReadError => "cannot be read".to_owned(),
        _ => "is neither pcap nor pcapng".to_owned(),
    })?;
    let (mut tally, mut interfaces) = (Tally::default(), Vec::new());
    let mut waiting = None;
    loop {
        match reader.next() {
            Ok((octets, block)) => {
                if is_packet(&block) {
                    tally.frames += 1;
                    let packet = packet(&block, &interfaces);
                    let sliced = packet.as_ref().and_then(|packet| slice(packet.link, packet.data));
                    match (&packet, sliced) {
                        (Some(packet), Some(sliced)) => {
                            take(tally.frames as usize, packet.time_us, &sliced);
                        }
                        _ => tally.unread += 1,
                    }
                } else {
                    learn(&block, &mut interfaces);
                }
                if octets == 0 {
                    tally.torn = true;
                    return Ok(tally);
                }
                reader.consume(octets);
                waiting = None;
            }
            Err(PcapError::Eof) => return Ok(tally),
            Err(PcapError::Incomplete(_)) => {
                // What does not grow any more will not be whole.
                let there = reader.data().len();
                if waiting == Some(there) || reader.refill().is_err() {
                    tally.torn = true;
                    return Ok(tally);
                }
                waiting = Some(there);
            }
            Err(_) => {
                tally.torn = true;
                return Ok(tally);
            }
        }
    }
}

const fn is_packet(block: &PcapBlockOwned<'_>) -> bool {
    matches!(
        block,
        PcapBlockOwned::Legacy(_)
            | PcapBlockOwned::NG(Block::EnhancedPacket(_) | Block::SimplePacket(_))
    )
}

/// Learns of interfaces.
fn learn(block: &PcapBlockOwned<'_>, interfaces: &mut Vec<Interface>) {
    let interface = match block {
        PcapBlockOwned::LegacyHeader(header) => Interface {
            link: header.network,
            resolution: if header.is_nanosecond_precision() { 1_000_000_000 } else { MICROSECONDS },
        },
        PcapBlockOwned::NG(Block::SectionHeader(_)) => return interfaces.clear(),
        PcapBlockOwned::NG(Block::InterfaceDescription(about)) => {
            Interface { link: about.linktype, resolution: resolution(about.if_tsresol) }
        }
        _ => return,
    };
    if interfaces.len() < INTERFACES_MAX {
        interfaces.push(interface);
    }
}

/// Units in a second: a power of ten, or of two where the highest bit is set.
fn resolution(told: u8) -> u64 {
    let power = u32::from(told & 0x7f);
    let units = if told & 0x80 == 0 { 10_u64.checked_pow(power) } else { 2_u64.checked_pow(power) };
    units.unwrap_or(MICROSECONDS)
}

fn microseconds(units: u64, resolution: u64) -> u64 {
    let us = u128::from(units) * u128::from(MICROSECONDS) / u128::from(resolution.max(1));
    u64::try_from(us).unwrap_or(u64::MAX)
}

/// The packet in a block, with its link type and time. One captured in part is none.
fn packet<'a>(block: &'a PcapBlockOwned<'_>, interfaces: &[Interface]) -> Option<Packet<'a>> {
    match block {
        PcapBlockOwned::Legacy(packet) => {
            let Interface { link, resolution } = *interfaces.first()?;
            let part = microseconds(packet.ts_usec.into(), resolution);
            let time_us = u64::from(packet.ts_sec) * MICROSECONDS + part;
            Some(Packet { link, time_us, data: packet.data })
        }
        PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
            let Interface { link, resolution } = *interfaces.get(packet.if_id as usize)?;
            let units = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
            let data = packet.data.get(..packet.caplen as usize)?;
            Some(Packet { link, time_us: microseconds(units, resolution), data })
        }
        PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
            let data = packet.data.get(..packet.origlen as usize).unwrap_or(packet.data);
            Some(Packet { link: interfaces.first()?.link, time_us: 0, data })
        }
        _ => None,
    }
}

fn slice(link: Linktype, data: &[u8]) -> Option<SlicedPacket<'_>> {
    match link {
        Linktype::ETHERNET => SlicedPacket::from_ethernet(data).ok(),
        // The crate knows "cooked" packets of few kinds of device: their IP is what counts here.
        Linktype::LINUX_SLL => SlicedPacket::from_ip(data.get(COOKED_OCTETS..)?).ok(),
        Linktype::LINUX_SLL2 => SlicedPacket::from_ip(data.get(COOKED_2_OCTETS..)?).ok(),
        Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 => SlicedPacket::from_ip(data).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stamps_of_any_resolution_are_read() {
        assert_eq!(microseconds(1_500_000, resolution(6)), 1_500_000);
        assert_eq!(microseconds(1_500_000_000, resolution(9)), 1_500_000);
        assert_eq!(microseconds(3, resolution(0x81)), 1_500_000, "halves of a second");
        assert_eq!(resolution(0x7f), MICROSECONDS, "nobody's");
        assert_eq!(microseconds(u64::MAX, resolution(0)), u64::MAX);
    }
}
