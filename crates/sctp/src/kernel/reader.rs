//! Whole messages out of the pieces that the kernel gives.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;

use super::sys::{self, Piece};
use super::wire::{self, Notice};

/// Room beyond the longest message, so that an event between two pieces of it is read whole.
const NOTICE_OCTETS: usize = 512;

/// Puts the pieces of one association's messages together. The kernel gives a long message in
/// pieces (partial delivery) when it does not fit its buffer. //= RFC 6458 §8.1.21
pub(super) struct Reader {
    buffer: Box<[u8]>,
    /// The longest message that is taken.
    limit: usize,
    /// Octets of a message that was begun.
    begun: usize,
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

/// What one piece led to: where in the buffer it is.
enum Step {
    More,
    Message(Piece, usize),
    Notice(usize, usize),
    TooLong,
    End,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("begun", &self.begun).finish_non_exhaustive()
    }
}

impl Reader {
    /// For messages of up to `limit` octets.
    pub(super) fn new(limit: usize) -> Self {
        let buffer = vec![0; limit + NOTICE_OCTETS].into_boxed_slice();
        Self { buffer, limit, begun: 0, passing: false }
    }

    /// The next message or event.
    ///
    /// # Errors
    /// The kernel's; `WouldBlock` when there is none, even if some pieces came.
    pub(super) fn next(&mut self, socket: BorrowedFd<'_>) -> io::Result<Received<'_>> {
        loop {
            let room = self.buffer.get_mut(self.begun..).unwrap_or_default();
            let piece = sys::receive(socket, room)?;
            match self.step(piece) {
                Step::More => {}
                Step::End => return Ok(Received::End),
                Step::TooLong => return Ok(Received::TooLong),
                Step::Message(Piece { stream, ppid, unordered, .. }, octets) => {
                    let octets = self.buffer.get(..octets).unwrap_or_default();
                    return Ok(Received::Message { stream, ppid, unordered, octets });
                }
                Step::Notice(from, to) => {
                    let octets = self.buffer.get(from..to).unwrap_or_default();
                    // One that cannot be read is as good as one we do not know.
                    return Ok(Received::Notice(wire::notice(octets).unwrap_or(Notice::Other(0))));
                }
            }
        }
    }

    fn step(&mut self, piece: Piece) -> Step {
        let at = self.begun;
        if piece.notification {
            let passed = self.passing;
            self.passing = !piece.last;
            return if passed { Step::More } else { Step::Notice(at, at + piece.octets) };
        }
        if piece.octets == 0 && !piece.last {
            return Step::End;
        }
        self.begun = at + piece.octets;
        if self.begun > self.limit {
            return Step::TooLong;
        }
        if !piece.last {
            return Step::More;
        }
        Step::Message(piece, std::mem::take(&mut self.begun))
    }

    /// The rest of a message that was begun will not come.
    pub(super) fn abandon(&mut self) {
        self.begun = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A piece of `octets`, as the kernel would have put it into the buffer.
    fn piece(octets: usize, last: bool, notification: bool) -> Piece {
        Piece { octets, last, notification, stream: 7, ppid: 3, unordered: false }
    }

    #[test]
    fn pieces_make_a_message_whatever_comes_between_them() {
        let mut reader = Reader::new(100);
        assert!(matches!(reader.step(piece(40, false, false)), Step::More));
        // An event in two pieces: told once, and read from behind what the message has so far.
        assert!(matches!(reader.step(piece(20, false, true)), Step::Notice(40, 60)));
        assert!(matches!(reader.step(piece(500, true, true)), Step::More));
        assert!(matches!(reader.step(piece(20, true, true)), Step::Notice(40, 60)));
        assert!(matches!(reader.step(piece(60, true, false)), Step::Message(_, 100)));
        assert!(matches!(reader.step(piece(1, true, false)), Step::Message(_, 1)), "a new one");
    }

    #[test]
    fn what_is_too_long_or_abandoned_is_no_message() {
        let mut reader = Reader::new(100);
        assert!(matches!(reader.step(piece(101, true, false)), Step::TooLong));
        let mut reader = Reader::new(100);
        assert!(matches!(reader.step(piece(60, false, false)), Step::More));
        assert!(matches!(reader.step(piece(41, true, false)), Step::TooLong), "together");
        let mut reader = Reader::new(100);
        assert!(matches!(reader.step(piece(60, false, false)), Step::More));
        reader.abandon();
        assert!(matches!(reader.step(piece(41, true, false)), Step::Message(_, 41)));
        assert!(matches!(reader.step(piece(0, false, false)), Step::End));
    }
}
