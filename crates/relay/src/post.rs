//! What one worker hands to another: frames to send, answers to take home, links that died.

use procedure::LinkId;

use crate::pass::Progress;

/// Octets a post may hold before its writer stops reading its own sockets and refuses new requests
/// that would have to cross.
pub const POST_OCTETS_MAX: usize = 8 << 20;

/// One batch for another worker. Kept and swapped, so a full one costs no allocation.
#[derive(Debug, Default)]
pub struct Post {
    items: Vec<Item>,
    octets: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Item {
    Send { link: LinkId, generation: u32, octets: u32 },
    Answer { link: LinkId, octets: u32 },
    Down { link: LinkId, generation: u32 },
    Progress { label: u32, progress: Progress },
    Tidings,
}

/// One item of a post, with its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Letter<'a> {
    /// Put this frame on your link, if it is still up in this generation.
    Send { link: LinkId, generation: u32, frame: &'a [u8] },
    /// This answer came over my link for an exchange of yours.
    Answer { link: LinkId, frame: &'a [u8] },
    /// This "up" of my link has ended: move what you sent over it until then. The link may be up
    /// again by now, and what was sent since stays.
    Down { link: LinkId, generation: u32 },
    /// A message of this exchange of yours went through my hands.
    Progress { label: u32, progress: Progress },
    /// A machine of mine changed what it shares with yours.
    Tidings,
}

impl Post {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Empties it; its memory is kept.
    pub fn clear(&mut self) {
        self.items.clear();
        self.octets.clear();
    }

    pub(crate) fn is_full(&self) -> bool {
        self.octets.len() >= POST_OCTETS_MAX
    }

    /// Adds a frame to send; `write` appends it.
    pub(crate) fn send(&mut self, link: LinkId, generation: u32, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.octets.len();
        write(&mut self.octets);
        let octets = u32::try_from(self.octets.len() - start).unwrap_or(u32::MAX);
        self.items.push(Item::Send { link, generation, octets });
    }

    pub(crate) fn answer(&mut self, link: LinkId, frame: &[u8]) {
        self.octets.extend_from_slice(frame);
        self.items
            .push(Item::Answer { link, octets: u32::try_from(frame.len()).unwrap_or(u32::MAX) });
    }

    pub(crate) fn down(&mut self, link: LinkId, generation: u32) {
        self.items.push(Item::Down { link, generation });
    }

    pub(crate) fn progress(&mut self, label: u32, progress: Progress) {
        self.items.push(Item::Progress { label, progress });
    }

    pub(crate) fn tidings(&mut self) {
        self.items.push(Item::Tidings);
    }

    pub(crate) fn letters(&self) -> impl Iterator<Item = Letter<'_>> {
        let mut rest = self.octets.as_slice();
        self.items.iter().map(move |item| {
            let mut take = |octets: u32| {
                let (frame, tail) = rest.split_at(rest.len().min(octets as usize));
                rest = tail;
                frame
            };
            match *item {
                Item::Send { link, generation, octets } => {
                    Letter::Send { link, generation, frame: take(octets) }
                }
                Item::Answer { link, octets } => Letter::Answer { link, frame: take(octets) },
                Item::Down { link, generation } => Letter::Down { link, generation },
                Item::Progress { label, progress } => Letter::Progress { label, progress },
                Item::Tidings => Letter::Tidings,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_come_out_as_they_went_in() {
        let mut post = Post::default();
        post.send(LinkId(1), 3, |out| out.extend_from_slice(b"request"));
        post.down(LinkId(2), 5);
        post.answer(LinkId(4), b"answer");
        let letters: Vec<_> = post.letters().collect();
        assert_eq!(
            letters,
            [
                Letter::Send { link: LinkId(1), generation: 3, frame: b"request" },
                Letter::Down { link: LinkId(2), generation: 5 },
                Letter::Answer { link: LinkId(4), frame: b"answer" },
            ]
        );
        post.clear();
        assert!(post.is_empty() && post.letters().next().is_none());
    }
}
