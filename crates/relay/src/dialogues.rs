//! Open exchanges of one worker: a slab whose index travels as our own label.
//!
//! The label (Hop-by-Hop Identifier) carries the worker, the slot and the slot's age, so an answer
//! finds its exchange without a table, whichever worker's link it comes over, and one that comes
//! too late finds that the slot has moved on.

use procedure::{LinkId, Record, StackId, Symbol, WorkerId};

use crate::reach::Tried;
use crate::wheel::TimerKey;

/// Exchanges one worker may have open; one more is refused with congestion.
pub const DIALOGUES_MAX: usize = 1 << SLOT_BITS;
/// Exchanges that one asker's link may have open, so that no peer takes all of the slots.
pub const LINK_DIALOGUES_MAX: u32 = 1 << 16;
/// Octets of kept requests that one worker may hold.
pub const HELD_OCTETS_MAX: usize = 256 << 20;
/// A slot's buffer larger than this is given back when the exchange ends.
const BUFFER_KEEP_OCTETS: usize = 4096;
/// Octets of buffers that all free slots may keep together.
const BUFFERS_KEEP_OCTETS_MAX: usize = 64 << 20;

const SLOT_BITS: u32 = 18;
const AGE_BITS: u32 = 8;
/// Workers a label can tell apart.
pub(crate) const WORKERS_MAX: usize = 1 << (32 - SLOT_BITS - AGE_BITS);

/// Names an open exchange of this worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    slot: u32,
    age: u8,
}

/// One open exchange.
#[derive(Debug)]
pub(crate) struct Dialogue {
    /// The opening message as it was received: a frame, or all of its segments.
    pub(crate) request: Vec<u8>,
    /// The asker's own number for it.
    pub(crate) asker_label: u32,
    /// What the answer must repeat.
    pub(crate) check: u64,
    /// Which "up" of the asker's link it came over.
    pub(crate) asker_generation: u32,
    /// The very node that was asked, when it has a link.
    pub(crate) named: Option<LinkId>,
    /// The group that a route chose.
    pub(crate) group: Option<Symbol>,
    /// Messages of one value take the same way.
    pub(crate) sequence: Option<u8>,
    /// Its two ends number it themselves; we stand between.
    pub(crate) passes: bool,
    /// How they do, hashed: the opener, and the other end once it has said so.
    pub(crate) keys: [Option<u64>; 2],
    /// Put the gateway's own name in the place of the asker's.
    pub(crate) hide_origin: bool,
    /// The links it has been sent over.
    pub(crate) tried: Tried,
    /// Where it is waiting for an answer; `None` while it waits to be sent.
    pub(crate) sent: Option<(LinkId, u32)>,
    /// When the asker is answered whatever happens.
    pub(crate) timer: Option<TimerKey>,
    /// The record in the making.
    pub(crate) record: Record,
}

#[derive(Debug)]
struct Slot {
    age: u8,
    /// Boxed, so that opening and closing move a pointer.
    dialogue: Option<Box<Dialogue>>,
    /// The last dialogue's memory, for the next one.
    spare: Option<Box<Dialogue>>,
}

/// The slab.
#[derive(Debug)]
pub(crate) struct Dialogues {
    worker: WorkerId,
    slots: Vec<Slot>,
    free: Vec<u32>,
    held_octets: usize,
    kept_octets: usize,
    open_by_asker: Vec<u32>,
}

impl Dialogue {
    /// Whether it waits for an answer over this "up" of a link, or over one before.
    pub(crate) fn waits_on(&self, link: LinkId, generation: u32) -> bool {
        // Generations only grow, and wrap.
        self.sent.is_some_and(|(over, sent)| {
            over == link && generation.wrapping_sub(sent) < u32::MAX / 2
        })
    }
}

impl Dialogues {
    pub(crate) fn new(worker: WorkerId, links: usize) -> Self {
        let open_by_asker = vec![0; links];
        let (slots, free) = (Vec::new(), Vec::new());
        Self { worker, slots, free, held_octets: 0, kept_octets: 0, open_by_asker }
    }

    /// How many exchanges are open.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// How many exchanges this asker has open.
    pub(crate) fn open_by(&self, asker: LinkId) -> u32 {
        self.open_by_asker.get(asker.0 as usize).copied().unwrap_or_default()
    }

    /// Whether another exchange of this asker fits into every limit.
    pub(crate) fn has_room(&self, asker: LinkId) -> bool {
        let asked = self.open_by_asker.get(asker.0 as usize);
        (self.slots.len() < DIALOGUES_MAX || !self.free.is_empty())
            && self.held_octets < HELD_OCTETS_MAX
            && asked.is_some_and(|open| *open < LINK_DIALOGUES_MAX)
    }

    /// Opens an exchange over a copy of `request`. The caller asked [`Self::has_room`] before.
    pub(crate) fn open(
        &mut self,
        request: &[u8],
        make: impl FnOnce(Vec<u8>) -> Dialogue,
    ) -> Ticket {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { age: 0, dialogue: None, spare: None });
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let Some(entry) = self.slots.get_mut(slot as usize) else { return Ticket { slot, age: 0 } };
        let dialogue = entry.dialogue.insert(match entry.spare.take() {
            Some(mut spare) => {
                self.kept_octets -= kept_octets(&spare);
                let mut buffer = std::mem::take(&mut spare.request);
                buffer.clear();
                buffer.extend_from_slice(request);
                *spare = make(buffer);
                spare
            }
            None => Box::new(make(request.to_vec())),
        });
        self.held_octets += dialogue.record.request_octets as usize;
        if let Some(open) = self.open_by_asker.get_mut(dialogue.record.from.0 as usize) {
            *open += 1;
        }
        Ticket { slot, age: entry.age }
    }

    /// Ends an exchange and hands it out; [`Self::recycle`] takes its memory back.
    pub(crate) fn close(&mut self, ticket: Ticket) -> Option<Box<Dialogue>> {
        let slot = self.slots.get_mut(ticket.slot as usize)?;
        if slot.age != ticket.age {
            return None;
        }
        let dialogue = slot.dialogue.take()?;
        slot.age = slot.age.wrapping_add(1);
        self.free.push(ticket.slot);
        self.held_octets -= dialogue.record.request_octets as usize;
        if let Some(open) = self.open_by_asker.get_mut(dialogue.record.from.0 as usize) {
            *open -= 1;
        }
        Some(dialogue)
    }

    /// Keeps a closed exchange's memory for the next one in its slot.
    pub(crate) fn recycle(&mut self, ticket: Ticket, mut closed: Box<Dialogue>) {
        if closed.request.capacity() > BUFFER_KEEP_OCTETS {
            closed.request = Vec::new();
        }
        let octets = kept_octets(&closed);
        let fits = self.kept_octets + octets <= BUFFERS_KEEP_OCTETS_MAX;
        let slot = self.slots.get_mut(ticket.slot as usize);
        if let Some(slot) = slot.filter(|slot| fits && slot.spare.is_none()) {
            self.kept_octets += octets;
            slot.spare = Some(closed);
        }
    }

    pub(crate) fn get_mut(&mut self, ticket: Ticket) -> Option<&mut Dialogue> {
        let slot = self.slots.get_mut(ticket.slot as usize)?;
        if slot.age == ticket.age { slot.dialogue.as_deref_mut() } else { None }
    }

    /// Our own number for an exchange.
    pub(crate) fn label(&self, ticket: Ticket) -> u32 {
        u32::from(self.worker.0) << (SLOT_BITS + AGE_BITS)
            | u32::from(ticket.age) << SLOT_BITS
            | ticket.slot
    }

    /// The exchange that a label of ours names.
    pub(crate) fn ticket(label: u32) -> Ticket {
        let age = (label >> SLOT_BITS) as u8;
        Ticket { slot: label & ((1 << SLOT_BITS) - 1), age }
    }

    /// The worker that a label belongs to.
    pub(crate) fn owner(label: u32) -> WorkerId {
        WorkerId((label >> (SLOT_BITS + AGE_BITS)) as u8)
    }

    /// Every open exchange that is one of those.
    pub(crate) fn list(&self, is_meant: impl Fn(&Dialogue) -> bool) -> Vec<(Ticket, StackId)> {
        let slots = self.slots.iter().enumerate();
        slots
            .filter_map(|(index, slot)| {
                let dialogue = slot.dialogue.as_deref().filter(|dialogue| is_meant(dialogue))?;
                let ticket = Ticket { slot: u32::try_from(index).ok()?, age: slot.age };
                Some((ticket, dialogue.record.stack))
            })
            .collect()
    }
}

/// What a free slot's memory takes.
fn kept_octets(spare: &Dialogue) -> usize {
    size_of::<Dialogue>() + spare.request.capacity()
}
