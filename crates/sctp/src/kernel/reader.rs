//! Whole messages out of the pieces that the kernel gives.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;

use super::sys::{self, BATCH, Piece};
use super::wire::{self, Notice};

/// Octets of one place in a batch. Signalling fits; what is longer comes in several pieces.
const PLACE_OCTETS: usize = 4096;

/// Takes what the kernel has in batches, and puts the pieces of one association's messages together.
/// The kernel gives a message in pieces when it does not fit its buffer (partial delivery), and we
/// take one in pieces that does not fit its place. //= RFC 6458 §8.1.21
pub(super) struct Reader {
    /// Where pieces are received, one behind the other.
    places: Box<[u8]>,
    /// What the last batch brought.
    pieces: Box<[Piece; BATCH]>,
    received: usize,
    /// How many of these were handed out.
    taken: usize,
    /// The longest message that is taken.
    limit: usize,
    /// What there is so far of a message that was begun.
    begun: Vec<u8>,
    /// That message was handed out.
    is_told: bool,
    /// The rest of an event that is longer than what we read of it is passed over.
    passing: bool,
}

/// What an association received.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received<'a> {
    /// One whole message.
    Message { stream: u16, ppid: u32, unordered: bool, octets: &'a [u8] },
    /// An event of the association.
    Notice(Notice),
    /// A message longer than the limit: the association is of no use any more.
    TooLong,
    /// The peer has ended its side.
    End,
}

/// What one piece led to.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    More,
    /// A message: what was begun, or this piece alone.
    Joined,
    Whole,
    Notice,
    TooLong,
    End,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("begun", &self.begun.len()).finish_non_exhaustive()
    }
}

impl Reader {
    /// For messages of up to `limit` octets.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            places: vec![0; BATCH * PLACE_OCTETS].into_boxed_slice(),
            pieces: Box::new([Piece::default(); BATCH]),
            received: 0,
            taken: 0,
            limit,
            begun: Vec::new(),
            is_told: false,
            passing: false,
        }
    }

    /// Takes what the kernel has, once [`Self::next`] has handed out all that was taken before.
    ///
    /// # Errors
    /// The kernel's; `WouldBlock` when there is nothing.
    pub(super) fn fill(&mut self, socket: BorrowedFd<'_>) -> io::Result<()> {
        (self.received, self.taken) = (0, 0);
        let places = self.places.chunks_exact_mut(PLACE_OCTETS);
        self.received = sys::receive(socket, places, &mut self.pieces)?;
        Ok(())
    }

    /// Whether not all that was taken was handed out.
    pub(super) const fn has_more(&self) -> bool {
        self.taken < self.received
    }

    /// The next message or event of what was taken; `None` when there is none, even if some pieces
    /// of one are there.
    pub(super) fn next(&mut self) -> Option<Received<'_>> {
        if std::mem::take(&mut self.is_told) {
            self.begun.clear();
        }
        while self.has_more() {
            let at = self.taken;
            self.taken += 1;
            let piece = self.pieces.get(at).copied()?;
            let Piece { stream, ppid, unordered, .. } = piece;
            let message = |octets| Received::Message { stream, ppid, unordered, octets };
            match self.step(at, piece) {
                Step::More => {}
                Step::End => return Some(Received::End),
                Step::TooLong => return Some(Received::TooLong),
                Step::Whole => return Some(message(self.place(at, piece))),
                Step::Joined => {
                    self.is_told = true;
                    return Some(message(&self.begun));
                }
                Step::Notice => {
                    // One that cannot be read is as good as one we do not know.
                    let notice = wire::notice(self.place(at, piece)).unwrap_or(Notice::Other(0));
                    return Some(Received::Notice(notice));
                }
            }
        }
        None
    }

    /// Where the octets of a piece are.
    fn place(&self, at: usize, piece: Piece) -> &[u8] {
        let start = at * PLACE_OCTETS;
        self.places.get(start..start + piece.octets).unwrap_or_default()
    }

    fn step(&mut self, at: usize, piece: Piece) -> Step {
        if piece.notification {
            let passed = self.passing;
            self.passing = !piece.last;
            return if passed { Step::More } else { Step::Notice };
        }
        if piece.octets == 0 && !piece.last {
            return Step::End;
        }
        if self.begun.len() + piece.octets > self.limit {
            return Step::TooLong;
        }
        if self.begun.is_empty() && piece.last {
            return Step::Whole;
        }
        let start = at * PLACE_OCTETS;
        let octets = self.places.get(start..start + piece.octets).unwrap_or_default();
        self.begun.extend_from_slice(octets);
        if piece.last { Step::Joined } else { Step::More }
    }

    /// The rest of a message that was begun will not come.
    pub(super) fn abandon(&mut self) {
        self.begun.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that was given pieces, each filled with its own number: octets, whether it is the
    /// last of its message or event, and whether it is an event's.
    fn given(pieces: &[(usize, bool, bool)]) -> Reader {
        let mut reader = Reader::new(100);
        for (at, &(octets, last, notification)) in pieces.iter().enumerate() {
            reader.pieces[at] =
                Piece { octets, last, notification, stream: 7, ppid: 3, unordered: false };
            reader.places[at * PLACE_OCTETS..][..octets].fill(at as u8);
        }
        reader.received = pieces.len();
        reader
    }

    /// What comes next: a message by its octets.
    fn message(reader: &mut Reader) -> Vec<u8> {
        match reader.next() {
            Some(Received::Message { stream: 7, ppid: 3, unordered: false, octets }) => {
                octets.to_vec()
            }
            other => panic!("no message: {other:?}"),
        }
    }

    #[test]
    fn pieces_make_a_message_whatever_comes_between_them() {
        let mut reader = given(&[
            (40, false, false),
            // An event in two pieces: told once.
            (20, false, true),
            (500, true, true),
            (20, true, true),
            (60, true, false),
            (1, true, false),
            (2, true, false),
            (3, false, false),
        ]);
        let unread = || Some(Received::Notice(Notice::Other(u16::from_ne_bytes([1, 1]))));
        assert_eq!(reader.next(), unread());
        assert!(matches!(reader.next(), Some(Received::Notice(_))));
        assert_eq!(message(&mut reader), [[0; 40].as_slice(), &[4; 60]].concat());
        assert_eq!(message(&mut reader), [5], "a new one");
        assert_eq!(message(&mut reader), [6; 2]);
        assert_eq!(reader.next(), None, "begun only");
        // It goes on in the next batch.
        reader.pieces[0] = Piece { octets: 1, last: true, stream: 7, ppid: 3, ..Piece::default() };
        (reader.received, reader.taken) = (1, 0);
        assert_eq!(message(&mut reader), [7, 7, 7, 0]);
        assert_eq!(reader.next(), None);
    }

    #[test]
    fn what_is_too_long_or_abandoned_is_no_message() {
        let mut reader = given(&[(100, true, false), (101, true, false)]);
        assert_eq!(message(&mut reader), [0; 100]);
        assert_eq!(reader.next(), Some(Received::TooLong));
        let mut reader = given(&[(60, false, false), (41, true, false)]);
        assert_eq!(reader.next(), Some(Received::TooLong), "together");
        let mut reader = given(&[(60, false, false), (20, true, true), (41, true, false)]);
        assert!(matches!(reader.next(), Some(Received::Notice(_))));
        reader.abandon();
        assert_eq!(message(&mut reader), [2; 41]);
        let mut reader = given(&[(0, false, false)]);
        assert_eq!(reader.next(), Some(Received::End));
    }
}
