//! TCP streams put together in order. Behind a gap a stream is read on from the next segment that
//! begins with a message.

use std::collections::{BTreeMap, HashMap};

use crate::{EARLY_MAX, Flow, Head, MESSAGE_OCTETS_MAX, STREAMS_MAX, head};

/// All streams of a capture.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    streams: HashMap<Flow, Stream>,
    kept: usize,
    lost: u64,
}

#[derive(Debug)]
struct Stream {
    /// The sequence number expected next.
    next: u32,
    /// Segments that came before their turn, by sequence number.
    early: BTreeMap<u32, Vec<u8>>,
    /// Octets of these.
    early_octets: usize,
    /// What is in order and not yet a whole message.
    tail: Vec<u8>,
    /// Something is missing before what comes next.
    torn: bool,
}

impl Streams {
    /// The messages that one segment makes whole.
    pub(crate) fn segment(
        &mut self,
        flow: Flow,
        sequence: u32,
        syn: bool,
        payload: &[u8],
    ) -> Vec<Vec<u8>> {
        let start = if syn { sequence.wrapping_add(1) } else { sequence };
        if syn && let Some(old) = self.streams.remove(&flow) {
            self.kept -= old.kept();
        }
        if self.streams.len() >= STREAMS_MAX && !self.streams.contains_key(&flow) {
            self.streams.retain(|_, stream| stream.kept() > 0);
            if self.streams.len() >= STREAMS_MAX {
                self.lost += 1;
                return Vec::new();
            }
        }
        // A capture may begin in the middle of a stream.
        let stream = self.streams.entry(flow).or_insert_with(|| Stream::new(start, !syn));
        let before = stream.kept();
        stream.take(start, payload);
        self.lost += u64::from(stream.advance());
        let whole = stream.messages(&mut self.lost);
        self.kept = (self.kept + stream.kept()).saturating_sub(before);
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
}

impl Stream {
    const fn new(next: u32, torn: bool) -> Self {
        Self { next, early: BTreeMap::new(), early_octets: 0, tail: Vec::new(), torn }
    }

    fn kept(&self) -> usize {
        self.early_octets + self.tail.len()
    }

    /// Keeps a segment; of two with one number the longer.
    fn take(&mut self, start: u32, payload: &[u8]) {
        let known = self.early.get(&start).map_or(0, Vec::len);
        if payload.len() > known {
            self.early_octets += payload.len() - known;
            self.early.insert(start, payload.to_vec());
        }
    }

    /// Moves what has its turn from `early` to `tail`; whether something was given up for that.
    fn advance(&mut self) -> bool {
        self.in_order();
        if self.early.len() <= EARLY_MAX && self.early_octets <= MESSAGE_OCTETS_MAX {
            return false;
        }
        // What is missing will not come any more.
        let ahead = |at: &u32| at.wrapping_sub(self.next);
        if let Some(nearest) = self.early.keys().copied().min_by_key(ahead) {
            self.next = nearest;
        }
        self.tail.clear();
        self.torn = true;
        self.in_order();
        true
    }

    fn in_order(&mut self) {
        // Segments are few, and mostly the first one is it.
        while let Some(sequence) = self.early.keys().copied().find(|at| self.has_turn(*at)) {
            let Some(data) = self.early.remove(&sequence) else { return };
            self.early_octets -= data.len();
            let known = self.next.wrapping_sub(sequence) as usize;
            let Some(new) = data.get(known..).filter(|new| !new.is_empty()) else { continue };
            if self.torn {
                if known > 0 || !matches!(head(new), Head::Message(_)) {
                    self.next = self.next.wrapping_add(new.len() as u32);
                    continue;
                }
                self.torn = false;
            }
            self.tail.extend_from_slice(new);
            self.next = self.next.wrapping_add(new.len() as u32);
        }
    }

    /// Whether a segment is not ahead of what is expected.
    const fn has_turn(&self, sequence: u32) -> bool {
        let ahead = sequence.wrapping_sub(self.next);
        ahead == 0 || ahead > u32::MAX / 2
    }

    fn messages(&mut self, lost: &mut u64) -> Vec<Vec<u8>> {
        let (mut whole, mut at) = (Vec::new(), 0);
        loop {
            let rest = self.tail.get(at..).unwrap_or_default();
            match head(rest) {
                Head::Message(octets) => match rest.get(..octets) {
                    Some(message) => {
                        whole.push(message.to_vec());
                        at += octets;
                    }
                    None => break,
                },
                Head::Unknown => break,
                Head::Other => {
                    *lost += 1;
                    self.torn = true;
                    at = self.tail.len();
                    break;
                }
            }
        }
        self.tail.drain(..at.min(self.tail.len()));
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn flow() -> Flow {
        Flow { from: (Ipv4Addr::LOCALHOST.into(), 1), to: (Ipv4Addr::LOCALHOST.into(), 3868) }
    }

    fn message() -> Vec<u8> {
        [1, 0, 0, 20].into_iter().chain(4..20).collect()
    }

    #[test]
    fn order_repeats_and_overlaps_do_not_matter() {
        let (flow, message) = (flow(), message());
        let mut streams = Streams::default();
        let start = u32::MAX - 9;
        assert!(streams.segment(flow, start.wrapping_sub(1), true, &[]).is_empty());
        assert!(streams.segment(flow, start.wrapping_add(12), false, &message[12..]).is_empty());
        assert!(streams.segment(flow, start, false, &message[..8]).is_empty());
        assert!(streams.segment(flow, start, false, &message[..8]).is_empty());
        assert_eq!(streams.segment(flow, start.wrapping_add(4), false, &message[4..14]), [message]);
        assert_eq!((streams.kept(), streams.lost()), (0, 0));
    }

    #[test]
    fn more_connections_than_there_is_room_for_are_read_one_after_the_other() {
        let message = message();
        let mut streams = Streams::default();
        for number in 0..STREAMS_MAX + 500 {
            let from = (Ipv4Addr::from(number as u32).into(), 1);
            let flow = Flow { from, ..flow() };
            // One in a hundred never ends what it says.
            let said = if number % 100 == 0 { &message[..10] } else { &message[..] };
            let whole = streams.segment(flow, 100, false, said);
            assert_eq!(whole.len(), usize::from(said.len() == message.len()), "{number}");
            assert!(streams.streams.len() <= STREAMS_MAX);
        }
        assert_eq!(streams.lost(), 0);
    }

    #[test]
    fn a_stream_is_read_on_behind_a_gap_and_behind_what_is_no_message() {
        let (flow, message) = (flow(), message());
        let mut streams = Streams::default();
        assert!(streams.segment(flow, 99, true, &[]).is_empty());
        assert!(streams.segment(flow, 100, false, b"not Diameter").is_empty());
        assert_eq!(streams.segment(flow, 112, false, &message).len(), 1);
        let mut found = 0;
        for number in 0..EARLY_MAX as u32 + 2 {
            found += streams.segment(flow, 200 + 20 * number, false, &message).len();
        }
        assert!(found >= EARLY_MAX, "{found}");
        assert!(streams.lost() >= 2);
        assert!(streams.kept() <= MESSAGE_OCTETS_MAX * 2);
    }
}
