//! User messages out of SCTP packets: repeats dropped, fragments put together.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use super::{Flow, PORTS, length};

const DATA: u8 = 0;
const INIT: u8 = 1;
const INIT_ACK: u8 = 2;
/// Octets of the common header.
const COMMON_OCTETS: usize = 12;
/// Octets of a DATA chunk before its payload.
const DATA_OCTETS: usize = 16;
const FIRST: u8 = 0x02;
const LAST: u8 = 0x01;
/// Diameter in clear.
const PPID: u32 = 46;

/// All associations of a capture, each direction by its ports and verification tag, so that two
/// paths of one association are one.
#[derive(Debug, Default)]
pub(super) struct Associations(HashMap<(u16, u16, u32), Inbound>);

#[derive(Debug, Default)]
struct Inbound {
    seen: HashSet<u32>,
    fragments: BTreeMap<u32, (u8, Vec<u8>)>,
}

impl Associations {
    /// The messages that one packet makes whole.
    pub(super) fn packet(&mut self, source: IpAddr, target: IpAddr, packet: &[u8]) -> Vec<Vec<u8>> {
        let (Some(from), Some(to), Some(tag)) = (be16(packet, 0), be16(packet, 2), be32(packet, 4))
        else {
            return Vec::new();
        };
        let flow = Flow { from: (source, from), to: (target, to) };
        let mut rest = packet.get(COMMON_OCTETS..).unwrap_or_default();
        let mut whole = Vec::new();
        while let (Some(kind), Some(octets)) = (rest.first().copied(), be16(rest, 2)) {
            let Some(chunk) = rest.get(..usize::from(octets).max(4)) else { break };
            match kind {
                DATA => whole.extend(self.data((from, to, tag), &flow, chunk)),
                // A restart may use its tag and numbers again.
                INIT | INIT_ACK => {
                    self.0.remove(&(to, from, be32(chunk, 4).unwrap_or_default()));
                }
                _ => {}
            }
            rest = rest.get(chunk.len().next_multiple_of(4)..).unwrap_or_default();
        }
        whole
    }

    fn data(&mut self, key: (u16, u16, u32), flow: &Flow, chunk: &[u8]) -> Option<Vec<u8>> {
        let (flags, tsn, ppid) = (*chunk.get(1)?, be32(chunk, 4)?, be32(chunk, 12)?);
        let named = PORTS.contains(&flow.from.1) || PORTS.contains(&flow.to.1);
        let inbound = self.0.entry(key).or_default();
        if !(ppid == PPID || ppid == 0 && named) || !inbound.seen.insert(tsn) {
            return None;
        }
        inbound.fragments.insert(tsn, (flags, chunk.get(DATA_OCTETS..)?.to_vec()));
        let message = inbound.assemble(tsn)?;
        (length(&message) == Some(message.len())).then_some(message)
    }
}

impl Inbound {
    /// The message that the fragment `tsn` belongs to, if all of it is there.
    fn assemble(&mut self, tsn: u32) -> Option<Vec<u8>> {
        let (mut first, mut last) = (tsn, tsn);
        while self.fragments.get(&first)?.0 & FIRST == 0 {
            first = first.wrapping_sub(1);
        }
        while self.fragments.get(&last)?.0 & LAST == 0 {
            last = last.wrapping_add(1);
        }
        let mut message = Vec::new();
        let mut at = first;
        loop {
            message.extend_from_slice(&self.fragments.remove(&at)?.1);
            if at == last {
                return Some(message);
            }
            at = at.wrapping_add(1);
        }
    }
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|octets| u16::from_be_bytes(*octets))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|octets| u32::from_be_bytes(*octets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn chunk(flags: u8, tsn: u32, payload: &[u8]) -> Vec<u8> {
        let octets = u16::try_from(DATA_OCTETS + payload.len()).unwrap().to_be_bytes();
        let mut chunk = vec![DATA, flags, octets[0], octets[1]];
        chunk.extend(tsn.to_be_bytes());
        chunk.extend([0, 0, 0, 0]);
        chunk.extend(PPID.to_be_bytes());
        chunk.extend(payload);
        chunk.resize(chunk.len().next_multiple_of(4), 0);
        chunk
    }

    #[test]
    fn fragments_are_joined_and_repeats_dropped() {
        let message: Vec<u8> = [1, 0, 0, 24].into_iter().chain(4..24).collect();
        let common: Vec<u8> = [15, 28, 15, 28].into_iter().chain([7; 8]).collect();
        let [head, tail] = [chunk(FIRST, 5, &message[..10]), chunk(LAST, 6, &message[10..])];
        let here = IpAddr::from(Ipv4Addr::LOCALHOST);
        let mut associations = Associations::default();
        let mut arrive = |chunks: &[&[u8]]| {
            let packet = [&[&common[..]], chunks].concat().concat();
            associations.packet(here, here, &packet)
        };
        assert!(arrive(&[&tail]).is_empty());
        assert_eq!(arrive(&[&tail, &head]), [message]);
        assert!(arrive(&[&head]).is_empty());
    }
}
