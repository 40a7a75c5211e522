//! Packets out of pcap and pcapng files.

use std::path::Path;

use etherparse::SlicedPacket;
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};

/// Octets the reader may look at once: more than any one block of a capture.
const WINDOW_OCTETS: usize = 1 << 20;

/// Octets of a "cooked" header (version 1).
const COOKED_OCTETS: usize = 16;

/// Calls `take` with each packet of the file and its number, from 1.
///
/// # Errors
/// The file cannot be opened or is no capture.
pub(super) fn each(
    path: &Path,
    mut take: impl FnMut(usize, &SlicedPacket<'_>),
) -> Result<(), String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut reader = create_reader(WINDOW_OCTETS, file).map_err(|error| error.to_string())?;
    let (mut number, mut interfaces) = (0, Vec::new());
    loop {
        match reader.next() {
            Ok((octets, block)) => {
                if let Some((link, data)) = packet(&block, &mut interfaces) {
                    number += 1;
                    if let Some(sliced) = slice(link, data) {
                        take(number, &sliced);
                    }
                }
                reader.consume(octets);
            }
            Err(PcapError::Eof) => return Ok(()),
            Err(PcapError::Incomplete(_)) => reader.refill().map_err(|error| error.to_string())?,
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// The packet in a block, with its link type; learns the interfaces on the way.
fn packet<'a>(
    block: &'a PcapBlockOwned<'_>,
    interfaces: &mut Vec<Linktype>,
) -> Option<(Linktype, &'a [u8])> {
    match block {
        PcapBlockOwned::LegacyHeader(header) => interfaces.push(header.network),
        PcapBlockOwned::Legacy(packet) => return Some((*interfaces.first()?, packet.data)),
        PcapBlockOwned::NG(Block::SectionHeader(_)) => interfaces.clear(),
        PcapBlockOwned::NG(Block::InterfaceDescription(about)) => interfaces.push(about.linktype),
        PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
            let link = *interfaces.get(packet.if_id as usize)?;
            return Some((link, packet.data.get(..packet.caplen as usize)?));
        }
        PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
            return Some((*interfaces.first()?, packet.data));
        }
        PcapBlockOwned::NG(_) => {}
    }
    None
}

fn slice(link: Linktype, data: &[u8]) -> Option<SlicedPacket<'_>> {
    match link {
        Linktype::ETHERNET => SlicedPacket::from_ethernet(data).ok(),
        // The crate knows "cooked" packets of few kinds of device: their IP is what counts here.
        Linktype::LINUX_SLL => SlicedPacket::from_ip(data.get(COOKED_OCTETS..)?).ok(),
        Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 => SlicedPacket::from_ip(data).ok(),
        _ => None,
    }
}
