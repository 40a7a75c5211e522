//! Messages that arrive in segments (SCCP XUDT): held until they are whole, then they walk on as one
//! message, are decided on once and leave, or are answered, all together. Nothing can hide behind a
//! segment that looks harmless by itself.
//!
//! Segments come in order or not at all: a link keeps the order of what belongs together.

use std::collections::BTreeMap;

use procedure::{Code, Finish, LinkId, Malformed, Provenance, StackId, Time};

use crate::core::{Core, Timer};
use crate::stack::{Arrival, Broken, Segment, Stack};
use crate::walk::{self, bare, octets_u32};
use crate::wheel::TimerKey;

/// Messages that one worker may have in assembly; the first segment of one more is refused.
pub const ASSEMBLIES_MAX: usize = 4_096;
/// Messages in assembly from one link, so that no peer takes all of the room.
pub const LINK_ASSEMBLIES_MAX: usize = 512;
/// Octets of segments that one worker may hold.
pub const ASSEMBLY_OCTETS_MAX: usize = 16 << 20;
/// Octets of segments from one link.
pub const LINK_ASSEMBLY_OCTETS_MAX: usize = 2 << 20;
/// Emptied buffers that are kept for the next messages, and how large one of them may be.
const SPARES_MAX: usize = 64;
const SPARE_OCTETS_MAX: usize = 16 << 10;

/// What arrived: one frame, or the segments of one message, one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Came<'a> {
    pub(crate) octets: &'a [u8],
    pub(crate) frames: u32,
}

impl<'a> Came<'a> {
    pub(crate) const fn one(frame: &'a [u8]) -> Self {
        Self { octets: frame, frames: 1 }
    }
}

/// Where a message in assembly is found: its link, and how its sender tells it from others there.
type Key = (LinkId, u64);

/// A message of which segments are still to come.
#[derive(Debug)]
struct Assembly {
    /// Its segments so far, one after the other.
    octets: Vec<u8>,
    frames: u32,
    /// How many are still to come.
    remaining: u8,
    opened: Time,
    stack: StackId,
    timer: TimerKey,
}

/// How much is in assembly.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    messages: usize,
    octets: usize,
}

/// All messages in assembly of one worker.
#[derive(Debug)]
pub(crate) struct Assemblies {
    open: BTreeMap<Key, Assembly>,
    all: Held,
    by_link: Vec<Held>,
    spares: Vec<Vec<u8>>,
    /// Where a stack puts a message together; kept for the next one.
    room: Vec<u8>,
}

impl Assemblies {
    pub(crate) fn new(links: usize) -> Self {
        let (all, by_link) = (Held::default(), vec![Held::default(); links]);
        Self { open: BTreeMap::new(), all, by_link, spares: Vec::new(), room: Vec::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether so many more messages and octets of this link fit into every limit.
    fn has_room(&self, link: LinkId, messages: usize, octets: usize) -> bool {
        let Some(its) = self.by_link.get(link.0 as usize) else { return false };
        self.all.messages + messages <= ASSEMBLIES_MAX
            && its.messages + messages <= LINK_ASSEMBLIES_MAX
            && self.all.octets + octets <= ASSEMBLY_OCTETS_MAX
            && its.octets + octets <= LINK_ASSEMBLY_OCTETS_MAX
    }

    /// Counts what is held of a link.
    fn count(&mut self, link: LinkId, change: impl Fn(&mut Held)) {
        change(&mut self.all);
        if let Some(its) = self.by_link.get_mut(link.0 as usize) {
            change(its);
        }
    }

    /// Begins a message. The caller asked [`Self::has_room`] before.
    fn begin(&mut self, key: Key, frame: &[u8], make: impl FnOnce(Vec<u8>) -> Assembly) {
        let mut octets = self.spares.pop().unwrap_or_default();
        octets.extend_from_slice(frame);
        self.count(key.0, |held| {
            held.messages += 1;
            held.octets += frame.len();
        });
        self.open.insert(key, make(octets));
    }

    fn end(&mut self, key: Key) -> Option<Assembly> {
        let ended = self.open.remove(&key)?;
        self.count(key.0, |held| {
            held.messages -= 1;
            held.octets -= ended.octets.len();
        });
        Some(ended)
    }

    fn recycle(&mut self, mut octets: Vec<u8>) {
        if self.spares.len() < SPARES_MAX && octets.capacity() <= SPARE_OCTETS_MAX {
            octets.clear();
            self.spares.push(octets);
        }
    }
}

/// One segment: held, or the last one, with which the message walks on.
pub(crate) fn take<S: Stack>(
    stack: &S,
    core: &mut Core,
    arrival: &Arrival,
    frame: &[u8],
    segment: &Segment,
) {
    let key = (arrival.link, segment.key);
    if segment.first {
        if let Some(old) = end(core, key) {
            break_off(stack, core, key.0, old, Broken::Disordered);
        }
        return begin(stack, core, arrival, frame, segment);
    }
    let has_room = core.assemblies.has_room(key.0, 0, frame.len());
    let held = core.assemblies.open.get_mut(&key);
    let is_next = held.as_ref().is_some_and(|held| held.remaining == segment.remaining + 1);
    if let Some(held) = held {
        held.octets.extend_from_slice(frame);
        held.frames += 1;
        held.remaining = segment.remaining;
    } else {
        return lone(stack, core, arrival, frame, Broken::Disordered);
    }
    core.assemblies.count(key.0, |held| held.octets += frame.len());
    if is_next && has_room && segment.remaining > 0 {
        return;
    }
    let Some(held) = end(core, key) else { return };
    if is_next && has_room {
        complete(stack, core, arrival, held);
    } else {
        let why = if is_next { Broken::NoRoom } else { Broken::Disordered };
        break_off(stack, core, key.0, held, why);
    }
}

fn begin<S: Stack>(stack: &S, core: &mut Core, arrival: &Arrival, frame: &[u8], segment: &Segment) {
    if core.stopping || !core.assemblies.has_room(arrival.link, 1, frame.len()) {
        return lone(stack, core, arrival, frame, Broken::NoRoom);
    }
    let key = (arrival.link, segment.key);
    let at = core.now.plus_ms(segment.patience_ms);
    let timer = core.wheel.start(at, Timer::Assembly(key.0, key.1));
    core.assemblies.begin(key, frame, |octets| Assembly {
        octets,
        frames: 1,
        remaining: segment.remaining,
        opened: arrival.time,
        stack: arrival.stack,
        timer,
    });
}

fn end(core: &mut Core, key: Key) -> Option<Assembly> {
    let ended = core.assemblies.end(key)?;
    core.wheel.stop(ended.timer);
    Some(ended)
}

/// The message is whole.
fn complete<S: Stack>(stack: &S, core: &mut Core, arrival: &Arrival, held: Assembly) {
    let came = Came { octets: &held.octets, frames: held.frames };
    let mut room = std::mem::take(&mut core.assemblies.room);
    match stack.join(came.octets, &mut room) {
        Ok(view) => walk::attend(stack, core, arrival, &view, came),
        Err(malformed) => walk::complain(stack, core, arrival, came, malformed),
    }
    core.assemblies.room = room;
    core.assemblies.recycle(held.octets);
}

/// A segment that belongs to nothing, or that there is no room for.
fn lone<S: Stack>(stack: &S, core: &mut Core, arrival: &Arrival, frame: &[u8], why: Broken) {
    let timer = TimerKey::NONE;
    let (opened, stack_id) = (arrival.time, arrival.stack);
    let octets = frame.to_vec();
    let lone = Assembly { octets, frames: 1, remaining: 0, opened, stack: stack_id, timer };
    break_off(stack, core, arrival.link, lone, why);
}

/// What will not become a message: given back where its sender asks for that, and recorded.
fn break_off<S: Stack>(stack: &S, core: &mut Core, link: LinkId, held: Assembly, why: Broken) {
    let arrival = Arrival { link, time: held.opened, stack: held.stack };
    let came = Came { octets: &held.octets, frames: held.frames };
    let mut record = bare(core, &arrival, came, Finish::Discarded);
    record.provenance = match why {
        Broken::Disordered => Provenance::Protocol,
        Broken::Late => Provenance::Expired,
        Broken::NoRoom => Provenance::Limit,
    };
    let (mut code, mut answered) = (Code::None, 0);
    if let (Ok(first), Some(generation)) =
        (stack.view(head(stack, came.octets)), core.board.up(link))
    {
        let write = |out: &mut Vec<u8>| code = stack.break_off(&first, why, out);
        answered = core.send(link, generation, write).unwrap_or_default();
    }
    (record.code, record.answer_octets) = (code, octets_u32(answered));
    record.finish = match why {
        Broken::Late => Finish::Expired,
        _ if answered > 0 => Finish::Refused,
        _ => Finish::Discarded,
    };
    core.finish(&mut record);
    core.assemblies.recycle(held.octets);
}

/// The rest of a message has not come in time.
pub(crate) fn expire<S: Stack>(stack: &S, core: &mut Core, link: LinkId, key: u64) {
    if let Some(held) = end(core, (link, key)) {
        break_off(stack, core, link, held, Broken::Late);
    }
}

/// The stack that a message in assembly belongs to.
pub(crate) fn stack_of(core: &Core, link: LinkId, key: u64) -> Option<StackId> {
    core.assemblies.open.get(&(link, key)).map(|held| held.stack)
}

/// What a link had in assembly goes with it, or everything when all are about to end.
pub(crate) fn drop_all(core: &mut Core, link: Option<LinkId>) {
    let (first, last) = link.map_or((LinkId(0), LinkId(u32::MAX)), |link| (link, link));
    let range = (first, 0)..=(last, u64::MAX);
    while let Some((key, _)) = core.assemblies.open.range(range.clone()).next() {
        let key = *key;
        let Some(held) = end(core, key) else { return };
        let arrival = Arrival { link: key.0, time: held.opened, stack: held.stack };
        let came = Came { octets: &held.octets, frames: held.frames };
        let mut record = bare(core, &arrival, came, Finish::Discarded);
        record.provenance = Provenance::Unroutable;
        core.finish(&mut record);
    }
}

/// The first frame of some that lie one after the other.
pub(crate) fn head<'a, S: Stack>(stack: &S, octets: &'a [u8]) -> &'a [u8] {
    let first = stack.frame_octets(octets).ok().flatten();
    first.and_then(|first| octets.get(..first)).unwrap_or(octets)
}

/// The view of a message that was kept, however many frames it came in.
pub(crate) fn read<'a, S: Stack>(
    stack: &S,
    octets: &'a [u8],
    room: &'a mut Vec<u8>,
) -> Result<S::View<'a>, Malformed> {
    if head(stack, octets).len() < octets.len() {
        return stack.join(octets, room);
    }
    stack.view(octets)
}
