//! TCP streams put together in order; a gap ends one's reading until the next SYN.

use std::collections::{BTreeMap, HashMap};

use super::{Flow, length};

/// All streams of a capture.
#[derive(Debug, Default)]
pub(super) struct Streams(HashMap<Flow, Stream>);

#[derive(Debug)]
struct Stream {
    /// The sequence number expected next.
    next: u32,
    /// Segments that came before their turn, by sequence number.
    early: BTreeMap<u32, Vec<u8>>,
    /// What is in order and not yet a whole message.
    tail: Vec<u8>,
}

impl Streams {
    /// The messages that one segment makes whole.
    pub(super) fn segment(
        &mut self,
        flow: Flow,
        sequence: u32,
        syn: bool,
        payload: &[u8],
    ) -> Vec<Vec<u8>> {
        let start = if syn { sequence.wrapping_add(1) } else { sequence };
        let fresh = || Stream { next: start, early: BTreeMap::new(), tail: Vec::new() };
        if syn {
            self.0.insert(flow, fresh());
        }
        // A capture may begin in the middle of a stream.
        let stream = self.0.entry(flow).or_insert_with(fresh);
        if !payload.is_empty() {
            stream.early.insert(start, payload.to_vec());
        }
        stream.advance();
        stream.messages()
    }
}

impl Stream {
    /// Moves what has its turn from `early` to `tail`.
    fn advance(&mut self) {
        while let Some((&sequence, _)) = self.early.iter().find(|(at, data)| {
            let ahead = at.wrapping_sub(self.next);
            ahead == 0 || ahead > u32::MAX / 2 || data.is_empty()
        }) {
            let Some(data) = self.early.remove(&sequence) else { return };
            let known = self.next.wrapping_sub(sequence) as usize;
            if let Some(new) = data.get(known..) {
                self.tail.extend_from_slice(new);
                self.next = self.next.wrapping_add(u32::try_from(new.len()).unwrap_or(0));
            }
        }
    }

    fn messages(&mut self) -> Vec<Vec<u8>> {
        let mut whole = Vec::new();
        while let Some(octets) = length(&self.tail).filter(|octets| *octets <= self.tail.len()) {
            let rest = self.tail.split_off(octets.max(1));
            whole.push(std::mem::replace(&mut self.tail, rest));
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn order_repeats_and_overlaps_do_not_matter() {
        let flow =
            Flow { from: (Ipv4Addr::LOCALHOST.into(), 1), to: (Ipv4Addr::LOCALHOST.into(), 3868) };
        let message: Vec<u8> = [1, 0, 0, 20].into_iter().chain(4..20).collect();
        let mut streams = Streams::default();
        let start = u32::MAX - 9;
        assert!(streams.segment(flow, start.wrapping_sub(1), true, &[]).is_empty());
        assert!(streams.segment(flow, start.wrapping_add(12), false, &message[12..]).is_empty());
        assert!(streams.segment(flow, start, false, &message[..8]).is_empty());
        assert!(streams.segment(flow, start, false, &message[..8]).is_empty());
        assert_eq!(streams.segment(flow, start.wrapping_add(4), false, &message[4..14]), [message]);
    }
}
