//! User messages out of SCTP packets: repeats dropped, fragments put together.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::IpAddr;

use crate::{
    ASSOCIATIONS_MAX, FRAGMENTS_MAX, Flow, Head, MESSAGE_OCTETS_MAX, NUMBERS_MAX, Protocol, Whole,
    head, is_diameter,
};

const DATA: u8 = 0;
const INIT: u8 = 1;
const INIT_ACK: u8 = 2;
/// Octets of the common header.
const COMMON_OCTETS: usize = 12;
/// Octets of a DATA chunk before its payload.
const DATA_OCTETS: usize = 16;
const FIRST: u8 = 0x02;
const LAST: u8 = 0x01;
/// Payload protocols: Diameter in clear, M3UA.
//= RFC 6733 §2.1
//= RFC 4666 §1.4.7
const DIAMETER: u32 = 46;
const M3UA: u32 = 3;

/// All associations of a capture, each direction by its ports and verification tag, so that two
/// paths of one association are one.
#[derive(Debug, Default)]
pub(crate) struct Associations {
    inbound: HashMap<Key, Inbound>,
    kept: usize,
    lost: u64,
}

type Key = (u16, u16, u32);

#[derive(Debug, Default)]
struct Inbound {
    seen: HashSet<u32>,
    /// The same, oldest first.
    order: VecDeque<u32>,
    fragments: BTreeMap<u32, (u8, Vec<u8>)>,
    octets: usize,
}

impl Associations {
    /// The messages that one packet makes whole.
    pub(crate) fn packet(&mut self, source: IpAddr, target: IpAddr, packet: &[u8]) -> Vec<Whole> {
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
                    self.forget((to, from, be32(chunk, 4).unwrap_or_default()));
                }
                _ => {}
            }
            rest = rest.get(chunk.len().next_multiple_of(4)..).unwrap_or_default();
        }
        whole
    }

    /// Octets that wait for others.
    pub(crate) const fn kept(&self) -> usize {
        self.kept
    }

    /// How often octets were given up.
    pub(crate) const fn lost(&self) -> u64 {
        self.lost
    }

    fn forget(&mut self, key: Key) {
        if let Some(old) = self.inbound.remove(&key) {
            self.kept = self.kept.saturating_sub(old.octets);
        }
    }

    fn data(&mut self, key: Key, flow: &Flow, chunk: &[u8]) -> Option<Whole> {
        let (flags, tsn, ppid) = (*chunk.get(1)?, be32(chunk, 4)?, be32(chunk, 12)?);
        let protocol = match ppid {
            DIAMETER => Protocol::Diameter,
            M3UA => Protocol::M3ua,
            0 if is_diameter(flow) => Protocol::Diameter,
            _ => return None,
        };
        let payload = chunk.get(DATA_OCTETS..)?;
        if self.inbound.len() >= ASSOCIATIONS_MAX && !self.inbound.contains_key(&key) {
            self.inbound.retain(|_, inbound| inbound.octets > 0);
            if self.inbound.len() >= ASSOCIATIONS_MAX {
                self.lost += 1;
                return None;
            }
        }
        let inbound = self.inbound.entry(key).or_default();
        let before = inbound.octets;
        if !inbound.is_new(tsn) {
            return None;
        }
        let message = inbound.take(tsn, flags, payload);
        self.lost += u64::from(inbound.shrink());
        self.kept = (self.kept + inbound.octets).saturating_sub(before);
        let message = message?;
        let octets = match protocol {
            Protocol::Diameter => head(&message),
            Protocol::M3ua => {
                be32(&message, 4).map_or(Head::Unknown, |it| Head::Message(it as usize))
            }
        };
        if octets == Head::Message(message.len()) {
            return Some((*flow, protocol, message));
        }
        self.lost += 1;
        None
    }
}

impl Inbound {
    /// Whether a transmission number was not seen lately.
    fn is_new(&mut self, tsn: u32) -> bool {
        if !self.seen.insert(tsn) {
            return false;
        }
        self.order.push_back(tsn);
        if self.order.len() > NUMBERS_MAX
            && let Some(old) = self.order.pop_front()
        {
            self.seen.remove(&old);
        }
        true
    }

    /// Takes a fragment; the message that it makes whole, if it does.
    fn take(&mut self, tsn: u32, flags: u8, payload: &[u8]) -> Option<Vec<u8>> {
        if flags & (FIRST | LAST) == FIRST | LAST {
            return Some(payload.to_vec());
        }
        self.octets += payload.len();
        if let Some((_, old)) = self.fragments.insert(tsn, (flags, payload.to_vec())) {
            self.octets -= old.len();
        }
        let message = self.assemble(tsn)?;
        self.octets -= message.len();
        Some(message)
    }

    /// Gives up all fragments where there are too many; whether it did.
    fn shrink(&mut self) -> bool {
        let full = self.fragments.len() > FRAGMENTS_MAX || self.octets > MESSAGE_OCTETS_MAX;
        if full {
            self.fragments.clear();
            self.octets = 0;
        }
        full
    }

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

    fn chunk(flags: u8, tsn: u32, ppid: u32, payload: &[u8]) -> Vec<u8> {
        let octets = u16::try_from(DATA_OCTETS + payload.len()).unwrap().to_be_bytes();
        let mut chunk = vec![DATA, flags, octets[0], octets[1]];
        chunk.extend(tsn.to_be_bytes());
        chunk.extend([0, 0, 0, 0]);
        chunk.extend(ppid.to_be_bytes());
        chunk.extend(payload);
        chunk.resize(chunk.len().next_multiple_of(4), 0);
        chunk
    }

    fn arrive(associations: &mut Associations, chunks: &[&[u8]]) -> Vec<(Protocol, Vec<u8>)> {
        let common: Vec<u8> = [15, 28, 15, 28].into_iter().chain([7; 8]).collect();
        let here = IpAddr::from(Ipv4Addr::LOCALHOST);
        let packet = [&[&common[..]], chunks].concat().concat();
        let whole = associations.packet(here, here, &packet);
        whole.into_iter().map(|(_, protocol, octets)| (protocol, octets)).collect()
    }

    #[test]
    fn fragments_are_joined_and_repeats_dropped() {
        let message: Vec<u8> = [1, 0, 0, 24].into_iter().chain(4..24).collect();
        let [head, tail] =
            [chunk(FIRST, 5, DIAMETER, &message[..10]), chunk(LAST, 6, DIAMETER, &message[10..])];
        let mut associations = Associations::default();
        assert!(arrive(&mut associations, &[&tail]).is_empty());
        assert_eq!(arrive(&mut associations, &[&tail, &head]), [(Protocol::Diameter, message)]);
        assert!(arrive(&mut associations, &[&head]).is_empty());
        assert_eq!((associations.kept(), associations.lost()), (0, 0));
    }

    #[test]
    fn signalling_by_its_payload_protocol_and_fragments_without_end_are_given_up() {
        let m3ua = [1, 0, 1, 1, 0, 0, 0, 8];
        let mut associations = Associations::default();
        let whole = arrive(&mut associations, &[&chunk(FIRST | LAST, 1, M3UA, &m3ua)]);
        assert_eq!(whole, [(Protocol::M3ua, m3ua.to_vec())]);
        for tsn in 0..2 * FRAGMENTS_MAX as u32 {
            assert!(arrive(&mut associations, &[&chunk(0, 10 + tsn, M3UA, &[0; 64])]).is_empty());
            assert!(associations.kept() <= (FRAGMENTS_MAX + 1) * 64);
        }
        assert!(associations.lost() > 0);
    }
}
