//! Packets that wait for the engine: of each association a few, in buffers that are used again.

use std::collections::VecDeque;
use std::net::IpAddr;

use super::packet::Head;

/// Packets of one association that may wait for the engine; a further one is as good as lost on the
/// way, which makes its sender slow down.
pub(super) const PACKETS_WAITING_MAX: usize = 256;
/// Octets of these packets: as much as a peer may have on its way by the usual window.
pub(super) const PACKETS_WAITING_OCTETS_MAX: usize = 4 << 20;
/// Emptied buffers that are kept for the next packets, and how large one of them may be.
const SPARES_MAX: usize = 1_024;
const SPARE_OCTETS_MAX: usize = 16 << 10;

/// A packet that waits for its association's turn.
pub(super) struct Arrived {
    pub(super) octets: Vec<u8>,
    pub(super) head: Head,
    pub(super) from: IpAddr,
    pub(super) udp_port: u16,
}

/// The packets of one association, oldest first.
#[derive(Default)]
pub(super) struct Waiting {
    packets: VecDeque<Arrived>,
    octets: usize,
}

impl Waiting {
    /// Whether a packet of so many octets fits into every limit.
    pub(super) fn has_room(&self, octets: usize) -> bool {
        self.packets.len() < PACKETS_WAITING_MAX
            && self.octets + octets <= PACKETS_WAITING_OCTETS_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Takes one more. The caller asked [`Self::has_room`] before.
    pub(super) fn push(&mut self, arrived: Arrived) {
        self.octets += arrived.octets.len();
        self.packets.push_back(arrived);
    }

    pub(super) fn pop(&mut self) -> Option<Arrived> {
        let oldest = self.packets.pop_front()?;
        self.octets -= oldest.octets.len();
        Some(oldest)
    }
}

/// Emptied buffers.
#[derive(Default)]
pub(super) struct Spares(Vec<Vec<u8>>);

impl Spares {
    /// A buffer with a copy of a packet.
    pub(super) fn copy(&mut self, packet: &[u8]) -> Vec<u8> {
        let mut octets = self.0.pop().unwrap_or_default();
        octets.extend_from_slice(packet);
        octets
    }

    pub(super) fn give_back(&mut self, mut octets: Vec<u8>) {
        if self.0.len() < SPARES_MAX && octets.capacity() <= SPARE_OCTETS_MAX {
            octets.clear();
            self.0.push(octets);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrived(octets: usize) -> Arrived {
        let head = Head { source: 1, destination: 2, tag: 3, first: 0 };
        Arrived { octets: vec![0; octets], head, from: IpAddr::from([127, 0, 0, 1]), udp_port: 9 }
    }

    #[test]
    fn neither_many_packets_nor_large_ones_wait_without_end() {
        for (octets, expected) in [(1, PACKETS_WAITING_MAX), (1 << 16, 64)] {
            let mut waiting = Waiting::default();
            let mut count = 0;
            while waiting.has_room(octets) {
                waiting.push(arrived(octets));
                count += 1;
            }
            assert_eq!(count, expected);
            assert!(waiting.pop().is_some() && waiting.has_room(octets), "room for another");
            while waiting.pop().is_some() {}
            assert!(waiting.is_empty() && waiting.has_room(PACKETS_WAITING_OCTETS_MAX));
        }
    }

    #[test]
    fn small_buffers_are_used_again_and_large_ones_are_not_kept() {
        let mut spares = Spares::default();
        let small = spares.copy(&[7; 100]);
        let place = small.as_ptr();
        spares.give_back(small);
        spares.give_back(Vec::with_capacity(SPARE_OCTETS_MAX + 1));
        let again = spares.copy(&[8; 50]);
        assert_eq!((again.as_ptr(), again.as_slice()), (place, &[8; 50][..]));
        (0..2 * SPARES_MAX).for_each(|_| spares.give_back(Vec::with_capacity(1)));
        assert_eq!(spares.0.len(), SPARES_MAX);
    }
}
